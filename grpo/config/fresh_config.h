// The config of a model of random weights: a recipe's [model.config] with what its tokenizer and this program know filled in. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "core/json.h"
#include "core/result.h"
#include "grpo/config/model_config.h"

namespace assay {

// `config`: keys of config.json; those that it has stand. `vocab_size` is the tokenizer's. Errors: kInput naming the key, with
// "[model.config]: " in front.
Result<ModelConfig> FreshModelConfig(Json config, int64_t vocab_size);

}  // namespace assay
