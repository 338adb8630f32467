// ModelConfig: what a decoder of the Llama or Qwen kind is built from, read from a Hugging Face config.json or from GGUF
// metadata and written back as config.json. Plain values without LibTorch; thread-safe. It is no generic
// "AutoModel": an architecture that is not listed in ModelConfigFromJson is an error.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "grpo/config/rope.h"

namespace assay {

struct ModelConfig {
  std::string family = "llama";  // "llama", "mistral", "qwen2", "qwen3": model_type in config.json
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
  bool tied_head = false;  // the output head is the embedding
  bool qkv_bias = false;
  bool o_bias = false;
  bool mlp_bias = false;
  bool qk_norm = false;  // RMS norm over head_dim of each query and key head (Qwen3)
  // From config.json and generation_config.json. All of eos_ids end a completion.
  int64_t bos_id = -1;
  std::vector<int64_t> eos_ids;
  int64_t pad_id = -1;
};

// Sizes are positive, heads divide, the head dimension is even. Errors: kInput naming the field.
Status CheckModelConfig(const ModelConfig& config);
// From a parsed config.json. Errors: kInput for an unknown architecture (with the list of known ones), a missing or
// impossible field, a sliding window that would be used, an activation other than SiLU, an unknown RoPE scaling.
Result<ModelConfig> ModelConfigFromJson(const Json& json);
// A config.json that transformers loads. `dtype`: "float32", "bfloat16", "float16".
Json ModelConfigToJson(const ModelConfig& config, const std::string& dtype);

}  // namespace assay
