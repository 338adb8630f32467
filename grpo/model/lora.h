// Low-rank adapters (Hu et al., 2106.09685): beside a frozen matrix W [out,in] stand A [r,in] and B [out,r], and the model computes with
// W + scale * B A. They are merged into the matrices once for each update (CastModel) rather than multiplied apart, so that
// sampling and learning go through the same kernels as without; the gradient of the merged matrix goes on to both factors
// (grpo/model/compute_policy.h). Files are PEFT's. One thread; may throw c10::Error, as grpo/model/model.h says.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "grpo/config/lora_config.h"
#include "grpo/model/model.h"

namespace assay {

struct LoraPair {
  std::string weight;  // "model.layers.0.self_attn.q_proj.weight"
  at::Tensor a, b;     // float32 [r,in], [out,r]
};

struct Lora {
  LoraConfig config;
  std::string base_model;       // what the adapter says it belongs to
  std::vector<LoraPair> pairs;  // in VisitWeights' order

  // Null if that weight has none.
  const LoraPair* Find(const std::string& weight) const;
};

// Puts a fresh adapter beside the model's weights: A uniform within 1 / sqrt(in) (PEFT's start), B zero, so that nothing changes yet.
// Errors: CheckLora's; kUsage when no matrix of the model is meant.
Status AddLora(const LoraConfig& config, const std::string& base_model, uint64_t seed,
               Model* model);

// W + scale * B A in W's dtype, computed in float32 (float64 for float64 weights).
at::Tensor MergeLora(const at::Tensor& weight, const LoraPair& pair, double scale);
// The same model without an adapter: its deltas are in the matrices. Shares every other weight.
Model MergedModel(const Model& model);
// From the gradient of the merged matrix: adds the factors' to `a_grad` and `b_grad`.
void AddLoraGradient(const LoraPair& pair, double scale, const at::Tensor& gradient,
                     const at::Tensor& a_grad, const at::Tensor& b_grad);

// "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight", as PEFT has it: handles to the factors.
std::vector<NamedTensor> LoraTensors(const Lora& lora);
// adapter_config.json and adapter_model.safetensors. Errors: kIo.
Status SaveLora(const Lora& lora, const std::string& folder);
// An adapter in PEFT's files beside the model's weights. Errors: kIo, kInput (not of this model, a factor missing or of another shape).
Status LoadLora(const std::string& folder, Model* model);
// Only the factors, into an adapter of the same form. Errors: as LoadLora.
Status LoadLoraTensors(const std::string& folder, const Lora& lora);

}  // namespace assay
