// ModelConfig: what a decoder is built from, read from a Hugging Face config.json or from GGUF metadata and written back as
// config.json. What the families differ in is a field each, and a family a row of the table in model_config.cc. Plain values
// without LibTorch; thread-safe. It is no generic "AutoModel": an architecture without a row is an error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "grpo/config/rope.h"

namespace assay {

enum class Activation { kSilu, kGeluTanh };

// What the layers of one model differ in.
struct LayerKind {
  bool sliding =
      false;  // attends to ModelConfig::window tokens, itself included, and is rotated by `local_rope` if there is one
  bool rotary = true;    // false: its queries and keys know no position (SmolLM3)
  bool experts = false;  // its MLP is a mixture of experts (Qwen3-MoE)
};

struct ModelConfig {
  std::string family = "llama";  // model_type in config.json
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;
  int64_t intermediate_size = 0;
  int64_t num_layers = 0;
  int64_t num_heads = 0;
  int64_t num_kv_heads = 0;  // divides num_heads
  int64_t head_dim = 0;      // need not be hidden_size / num_heads
  int64_t max_position = 2048;
  double rms_eps = 1e-6;
  RopeConfig rope;
  std::optional<RopeConfig> local_rope;  // of the sliding layers (Gemma 3)
  int64_t window = 0;                    // of the sliding layers
  std::vector<LayerKind> layers;         // one each; empty: all as LayerKind has it
  Activation activation = Activation::kSilu;
  bool tied_head = false;  // the output head is the embedding
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  bool packed =
      false;  // queries, keys and values come from one matrix, gate and up too (Phi-3, Phi-4-mini)
  bool qk_norm = false;       // RMS norm over head_dim of each query and key head (Qwen3, Gemma 3)
  bool qk_norm_wide = false;  // RMS norm over all query heads together, and all key heads (OLMo 2)
  bool norm_before = true;    // RMS norm of what goes into attention and MLP
  bool norm_behind = false;  // and of what comes out of them (OLMo 2 has these alone, Gemma 3 both)
  bool unit_norms = false;   // norms scale by 1 + weight (Gemma)
  double embedding_scale =
      1.0;  // the residual stream begins with so many times the embedding (Gemma, Granite)
  double residual_scale = 1.0;   // of what attention and MLP add to it (Granite)
  double attention_scale = 0.0;  // of queries times keys; 0: 1 / sqrt(head_dim)
  double logit_divisor = 1.0;    // logits are divided by it (Granite)
  // Of the layers with experts: how many there are, how many see a token, and whether their weights add up to 1.
  int64_t num_experts = 0;
  int64_t experts_per_token = 0;
  int64_t expert_size = 0;  // what intermediate_size is to the others
  bool norm_expert_weights = false;
  // From config.json and generation_config.json. All of eos_ids end a completion.
  int64_t bos_id = -1;
  std::vector<int64_t> eos_ids;
  int64_t pad_id = -1;

  LayerKind layer(int64_t index) const;
  // Tokens that the layer's queries see, themselves included; 0: all up to themselves (no context is longer than the window).
  int64_t WindowOf(int64_t index) const;
};

// What no fused kernel of the GPU knows of this model, in words ("sliding windows"); "" if they know all of it. Such a model is
// computed by LibTorch's own operators there.
std::string NotFused(const ModelConfig& config);
// That as a sentence for the log of a run on a GPU; "" if there is nothing to say.
std::string NotFusedNote(const ModelConfig& config);

// Sizes are positive, heads divide, the head dimension is even. Errors: kInput naming the field.
Status CheckModelConfig(const ModelConfig& config);
// From a parsed config.json. Errors: kInput for an unknown architecture (with the list of known ones), a missing or
// impossible field, an unknown activation, kind of layer or RoPE scaling, capped logits.
Result<ModelConfig> ModelConfigFromJson(const Json& json);
// A config.json that transformers loads. `dtype`: "float32", "bfloat16", "float16".
Json ModelConfigToJson(const ModelConfig& config, const std::string& dtype);

}  // namespace assay
