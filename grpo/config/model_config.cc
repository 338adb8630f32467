#include "grpo/config/model_config.h"

#include <string_view>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

// What the families differ in, where config.json is silent.
struct Family {
  const char* name;          // model_type
  const char* architecture;  // architectures[0]
  bool qkv_bias;             // always on (Qwen2 has no key for it)
  bool bias_keys;            // attention_bias, mlp_bias decide
  bool qk_norm;
  double rms_eps;
  int64_t max_position;
};

constexpr Family kFamilies[] = {
    {"llama", "LlamaForCausalLM", false, true, false, 1e-6, 2048},
    {"mistral", "MistralForCausalLM", false, false, false, 1e-6, 4096 * 32},
    {"qwen2", "Qwen2ForCausalLM", true, false, false, 1e-6, 32768},
    {"qwen3", "Qwen3ForCausalLM", false, true, true, 1e-6, 32768},
};

const Family* FindFamily(std::string_view name) {
  for (const Family& family : kFamilies) {
    if (name == family.name || name == family.architecture) return &family;
  }
  return nullptr;
}

Error Unusable(std::string message, std::string hint = "") {
  return Error{ErrorCode::kInput, std::move(message), std::move(hint)};
}

// Qwen configs carry a window that is off unless use_sliding_window says so; Mistral's window is on unless null.
Status CheckWindow(const Json& json, const Family& family, const ModelConfig& config) {
  const Json* window = json.Find("sliding_window");
  if (window == nullptr || window->IsNull()) return {};
  const bool used =
      std::string_view(family.name) == "mistral" || json.BoolOr("use_sliding_window", false);
  if (!used || window->NumberOr(0) >= static_cast<double>(config.max_position)) return {};
  return Unusable(StrCat("config.json: sliding_window ", window->ScalarText(), " is in use"),
                  "sliding-window attention is not supported");
}

void ReadIds(const Json* value, std::vector<int64_t>* ids) {
  if (value == nullptr) return;
  if (const int64_t* one = value->AsInt()) ids->push_back(*one);
  if (const Json::Array* many = value->AsArray()) {
    for (const Json& item : *many) {
      if (const int64_t* one = item.AsInt()) ids->push_back(*one);
    }
  }
}

Json IdsToJson(const std::vector<int64_t>& ids) {
  if (ids.empty()) return Json();
  if (ids.size() == 1) return Json(ids[0]);
  Json array = Json::MakeArray();
  for (int64_t id : ids) array.Append(id);
  return array;
}

}  // namespace

Status CheckModelConfig(const ModelConfig& config) {
  const struct {
    const char* name;
    int64_t value;
    int64_t most;
  } sizes[] = {{"vocab_size", config.vocab_size, int64_t{1} << 24},
               {"hidden_size", config.hidden_size, int64_t{1} << 20},
               {"intermediate_size", config.intermediate_size, int64_t{1} << 22},
               {"num_hidden_layers", config.num_layers, 4096},
               {"num_attention_heads", config.num_heads, int64_t{1} << 16},
               {"num_key_value_heads", config.num_kv_heads, int64_t{1} << 16},
               {"head_dim", config.head_dim, int64_t{1} << 16},
               {"max_position_embeddings", config.max_position, int64_t{1} << 40}};
  for (const auto& size : sizes) {
    if (size.value <= 0 || size.value > size.most) {
      return Unusable(StrCat("model config: ", size.name, " is ", size.value),
                      "it must be a positive number");
    }
  }
  if (config.num_heads % config.num_kv_heads != 0) {
    return Unusable(StrCat("model config: ", config.num_heads,
                           " attention heads are no multiple of ", config.num_kv_heads,
                           " key-value heads"));
  }
  if (config.head_dim % 2 != 0) {
    return Unusable(StrCat("model config: head_dim ", config.head_dim, " is odd"),
                    "rotary embedding needs pairs");
  }
  if (!(config.rms_eps > 0) || !(config.rope.theta > 0)) {
    return Unusable("model config: rms_norm_eps and rope_theta must be positive");
  }
  return {};
}

Result<ModelConfig> ModelConfigFromJson(const Json& json) {
  if (!json.IsObject()) return Unusable("config.json is not a JSON object");
  std::string type(json.StringOr("model_type", ""));
  if (type.empty()) {
    const Json* architectures = json.Find("architectures");
    if (architectures != nullptr && architectures->IsArray() &&
        !architectures->AsArray()->empty()) {
      type = (*architectures->AsArray())[0].ScalarText();
    }
  }
  const Family* family = FindFamily(type);
  if (family == nullptr) {
    return Unusable(StrCat("unknown model architecture '", Shorten(type, 80), "'"),
                    "known: llama (also SmolLM2, TinyLlama), mistral, qwen2, qwen3");
  }
  ModelConfig config;
  config.family = family->name;
  config.vocab_size = json.IntOr("vocab_size", 0);
  config.hidden_size = json.IntOr("hidden_size", 0);
  config.intermediate_size = json.IntOr("intermediate_size", 0);
  config.num_layers = json.IntOr("num_hidden_layers", 0);
  config.num_heads = json.IntOr("num_attention_heads", 0);
  config.num_kv_heads = json.IntOr("num_key_value_heads", config.num_heads);
  const int64_t split = config.num_heads > 0 ? config.hidden_size / config.num_heads : 0;
  config.head_dim = json.IntOr("head_dim", config.family == "qwen3" ? 128 : split);
  config.max_position = json.IntOr("max_position_embeddings", family->max_position);
  config.rms_eps = json.DoubleOr("rms_norm_eps", family->rms_eps);
  config.tied_head = json.BoolOr("tie_word_embeddings", false);
  config.qk_norm = family->qk_norm;
  const bool attention_bias = family->bias_keys && json.BoolOr("attention_bias", false);
  config.qkv_bias = family->qkv_bias || attention_bias;
  config.o_bias = attention_bias;
  config.mlp_bias = config.family == "llama" && json.BoolOr("mlp_bias", false);
  config.bos_id = json.IntOr("bos_token_id", -1);
  config.pad_id = json.IntOr("pad_token_id", -1);
  ReadIds(json.Find("eos_token_id"), &config.eos_ids);
  const std::string activation(json.StringOr("hidden_act", "silu"));
  if (activation != "silu" && activation != "swish") {
    return Unusable(
        StrCat("config.json: activation '", Shorten(activation, 40), "' is not supported"),
        "known: silu");
  }
  if (Status s = ReadRope(json, config.max_position, &config.rope); !s.ok()) return s.error();
  if (Status s = CheckWindow(json, *family, config); !s.ok()) return s.error();
  if (Status s = CheckModelConfig(config); !s.ok()) return s.error();
  return config;
}

Json ModelConfigToJson(const ModelConfig& config, const std::string& dtype) {
  const Family* family = FindFamily(config.family);
  ASSAY_CHECK(family != nullptr);
  Json json = Json::MakeObject();
  json.Set("architectures", Json(Json::Array{Json(family->architecture)}));
  json.Set("model_type", family->name);
  json.Set("vocab_size", config.vocab_size);
  json.Set("hidden_size", config.hidden_size);
  json.Set("intermediate_size", config.intermediate_size);
  json.Set("num_hidden_layers", config.num_layers);
  json.Set("num_attention_heads", config.num_heads);
  json.Set("num_key_value_heads", config.num_kv_heads);
  json.Set("head_dim", config.head_dim);
  json.Set("hidden_act", "silu");
  json.Set("max_position_embeddings", config.max_position);
  json.Set("rms_norm_eps", config.rms_eps);
  json.Set("tie_word_embeddings", config.tied_head);
  json.Set("attention_dropout", 0.0);
  json.Set("initializer_range", 0.02);
  json.Set("use_cache", true);
  if (family->bias_keys) json.Set("attention_bias", config.qkv_bias);
  if (config.family == "llama") json.Set("mlp_bias", config.mlp_bias);
  if (config.family == "mistral") json.Set("sliding_window", Json());
  // Both spellings: older readers take rope_theta and rope_scaling, newer ones rope_parameters.
  const Json rope = RopeToJson(config.rope);
  json.Set("rope_theta", config.rope.theta);
  json.Set("rope_scaling", config.rope.scaling == RopeScaling::kNone ? Json() : rope);
  json.Set("rope_parameters", rope);
  json.Set("bos_token_id", config.bos_id >= 0 ? Json(config.bos_id) : Json());
  json.Set("eos_token_id", IdsToJson(config.eos_ids));
  json.Set("pad_token_id", config.pad_id >= 0 ? Json(config.pad_id) : Json());
  json.Set("torch_dtype", dtype);
  json.Set("dtype", dtype);
  return json;
}

}  // namespace assay
