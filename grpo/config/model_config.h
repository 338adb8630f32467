// ModelConfig: what a decoder of the Llama or Qwen kind is built from, read from a Hugging Face config.json or from GGUF
// metadata and written back as config.json. Plain values without LibTorch; thread-safe. It is no generic
// "AutoModel": an architecture that is not listed in ModelConfigFromJson is an error.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace assay {

// How rotary frequencies are stretched beyond the length that a model was trained on.
enum class RopeScaling {
  kNone,
  kLinear,   // positions divided by `factor`
  kDynamic,  // NTK-aware: the base grows once a sequence is longer than original_max_position
  kLlama3,   // Llama 3.1: low frequencies divided, high ones kept, a ramp between
  kYarn,     // YaRN (2309.00071): interpolation by parts and an attention temperature
};

struct RopeConfig {
  double theta = 10000.0;
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;
  int64_t original_max_position = 0;  // kDynamic, kLlama3, kYarn
  double low_freq_factor = 1.0;       // kLlama3
  double high_freq_factor = 4.0;      // kLlama3
  double beta_fast = 32.0;            // kYarn
  double beta_slow = 1.0;             // kYarn
  double attention_factor = 0.0;  // kYarn; 0: 0.1 ln(factor) + 1 (or from mscale, mscale_all_dim)
  double mscale = 0.0;            // kYarn
  double mscale_all_dim = 0.0;    // kYarn
  bool truncate = true;           // kYarn: the ramp's ends are whole numbers
};

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

// Inverse frequencies, head_dim / 2 of them, for sequences of at most `sequence_length` tokens (only kDynamic cares),
// and the factor that cosines and sines are multiplied by (1 except for kYarn).
struct RopeTable {
  std::vector<double> inverse_frequencies;
  double scale = 1.0;
};
RopeTable MakeRopeTable(const ModelConfig& config, int64_t sequence_length);

}  // namespace assay
