// Models in and out of files: safetensors folders (one file or shards with an index, memory-mapped) with config.json,
// and GGUF files (F32, F16, BF16, Q8_0, Q4_1, dequantised; query and key rows put back into the rotate-half
// layout). Every weight that the config asks for must be there in its shape; extra weights are errors too, except known
// leftovers (rotary inv_freq, a tied head stored anyway). Nothing is ever filled with zeros. Thread-safe.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "core/result.h"
#include "grpo/model/model.h"
#include "grpo/tokenizer/tokenizer.h"

namespace assay {

class ShareExchange;  // grpo/model/shards.h

struct LoadOptions {
  at::ScalarType dtype = at::
      kFloat;  // what the file holds is converted to this; norms stay in float32 beside half of the bits
  std::string device = "cpu";  // "cpu", "cuda", "cuda:1"
  // If set: each process keeps its share of every weight alone, in float32 (Model::source is a Shards), and never holds more than one
  // weight whole. Outlives the model.
  ShareExchange* exchange = nullptr;
};

struct LoadedModel {
  Model model;
  std::shared_ptr<const Tokenizer> tokenizer;  // null if the folder has none
};

// `path`: a folder with config.json and *.safetensors, or a .gguf file. Weights need no gradient (SetTrainable).
// Errors: kInput (cut short, wrong shape, missing or unknown weight, unknown architecture or tensor type, a tokenizer with more
// tokens than the embedding has rows), kIo, kUnavailable (no such device, not enough memory).
Result<LoadedModel> LoadModel(const std::string& path, const LoadOptions& options = {});
// Only the weights and the config, whatever tokenizer lies beside.
Result<Model> LoadWeights(const std::string& path, const LoadOptions& options = {});

// Normal weights of deviation `stddev`, norms that change nothing, biases 0; the same on every machine for one seed.
Result<Model> RandomModel(const ModelConfig& config, uint64_t seed, double stddev = 0.02,
                          at::ScalarType dtype = at::kFloat);
Result<Model> RandomModel(const ModelConfig& config, uint64_t seed, double stddev,
                          const LoadOptions& options);

// Writes model.safetensors (shards of at most `shard_bytes` and their index beyond that), config.json,
// generation_config.json and, if `tokenizer` is not null, its files; transformers loads the folder. Each file is written
// beside and renamed. `dtype`: what is stored. An adapter is merged in.
Status SaveModel(const Model& model, const Tokenizer* tokenizer, const std::string& folder,
                 at::ScalarType dtype = at::kFloat, int64_t shard_bytes = int64_t{5} << 30);

// "cpu", "cuda", "cuda:1" as a device that this LibTorch and this machine have. Errors: kUsage, kUnavailable ("no CUDA GPU", ...).
Result<at::Device> ParseDevice(const std::string& name);
// "float32" | "fp32" | "bfloat16" | "bf16" | "float16" | "fp16" | "float64".
Result<at::ScalarType> ParseDtype(const std::string& name);

}  // namespace assay
