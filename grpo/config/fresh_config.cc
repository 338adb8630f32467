#include "grpo/config/fresh_config.h"

#include <string>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

// Sizes that nothing but the recipe can say.
Status CheckSizesAreThere(const Json& config) {
  std::string missing;
  for (const char* key :
       {"hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"}) {
    if (config.Find(key) == nullptr) StrAppend(&missing, missing.empty() ? "'" : ", '", key, "'");
  }
  if (missing.empty()) return {};
  return Error{ErrorCode::kInput, StrCat("[model.config]: no ", missing),
               "a model of random weights needs hidden_size, intermediate_size, num_hidden_layers "
               "and num_attention_heads"};
}

}  // namespace

Result<ModelConfig> FreshModelConfig(Json config, int64_t vocab_size) {
  if (!config.IsObject()) config = Json::MakeObject();
  if (Status s = CheckSizesAreThere(config); !s.ok()) return s.error();
  const auto fill = [&](const char* key, Json value) {
    if (config.Find(key) == nullptr) config.Set(key, std::move(value));
  };
  fill("model_type", "llama");
  fill("vocab_size", vocab_size);
  fill("max_position_embeddings", 2048);
  fill("tie_word_embeddings", true);
  fill("rms_norm_eps", 1e-5);
  Result<ModelConfig> parsed = ModelConfigFromJson(config);
  if (parsed.ok()) return parsed;
  return Error{parsed.error().code, "[model.config]: " + parsed.error().message,
               parsed.error().hint};
}

}  // namespace assay
