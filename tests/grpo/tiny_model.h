// The config of the tiny models that the decoder's tests share: grouped heads, two layers, each family's own parts, windows of five tokens
// where it has any.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/check.h"
#include "core/json.h"
#include "grpo/config/model_config.h"

namespace assay {

inline const std::vector<std::string>& TinyFamilies() {
  static const std::vector<std::string> kNames = {"llama",     "mistral",     "qwen2", "qwen3",
                                                  "qwen3_moe", "gemma3_text", "phi3",  "olmo2",
                                                  "smollm3",   "granite"};
  return kNames;
}

inline ModelConfig TinyConfig(const std::string& family, int64_t vocab_size) {
  Json json = *ParseJson(
      R"({"hidden_size": 24, "intermediate_size": 40, "num_hidden_layers": 2, "num_attention_heads": 6,
          "num_key_value_heads": 2, "head_dim": 8, "tie_word_embeddings": true, "rms_norm_eps": 1e-6,
          "max_position_embeddings": 2048, "sliding_window": 5,
          "sliding_window_pattern": 2, "query_pre_attn_scalar": 12, "partial_rotary_factor": 0.5,
          "no_rope_layers": [1, 0], "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16,
          "norm_topk_prob": true, "mlp_only_layers": [0], "embedding_multiplier": 3.0,
          "residual_multiplier": 0.6, "attention_multiplier": 0.3, "logits_scaling": 2.0})");
  if (family != "phi3") json.Erase("partial_rotary_factor");
  json.Set("model_type", family).Set("vocab_size", vocab_size);
  Result<ModelConfig> config = ModelConfigFromJson(json);
  ASSAY_CHECK(config.ok());
  return *config;
}

}  // namespace assay
