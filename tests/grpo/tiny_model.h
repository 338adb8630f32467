// The config of the tiny models that the decoder's tests share: grouped heads, two layers, each family's own biases and norms.
#pragma once

#include <cstdint>
#include <string>

#include "grpo/config/model_config.h"

namespace assay {

inline ModelConfig TinyConfig(const std::string& family, int64_t vocab_size) {
  ModelConfig config;
  config.family = family;
  config.vocab_size = vocab_size;
  config.hidden_size = 24;
  config.intermediate_size = 40;
  config.num_layers = 2;
  config.num_heads = 6;
  config.num_kv_heads = 2;
  config.head_dim = 8;
  config.tied_head = true;
  config.qkv_bias = family == "qwen2";
  config.qk_norm = family == "qwen3";
  return config;
}

}  // namespace assay
