#include "grpo/config/model_config.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

constexpr int64_t kMostLayers = 4096;
constexpr int64_t kMostExperts = 1 << 17;  // of all layers together

// Which layers attend to config.json's sliding_window alone, where no layer_types say it.
enum class Windows {
  kNone,
  kAll,       // all, unless the window is null
  kLast,      // from max_window_layers on, if use_sliding_window is set
  kAllIf,     // all, if use_sliding_window is set
  kUnturned,  // those without rotary embedding, if use_sliding_window is set
  kPattern,   // all but each sliding_window_pattern-th
};

// What the families differ in, where config.json is silent.
struct Family {
  const char* name;          // model_type
  const char* architecture;  // architectures[0]
  bool qkv_bias = false;     // always on (Qwen2 has no key for it)
  bool bias_key = false;     // attention_bias decides
  bool mlp_bias_key = false;
  bool packed = false;
  bool qk_norm = false;
  bool qk_norm_wide = false;
  bool norm_before = true;
  bool norm_behind = false;
  bool gemma = false;        // embeddings, norms and rotary tables as Gemma 3 has them
  bool multipliers = false;  // Granite's keys
  bool unturned = false;     // layers without rotary embedding
  bool experts = false;
  bool tied = false;
  Windows windows = Windows::kNone;
  int64_t window = 0;    // where sliding_window is absent
  int64_t head_dim = 0;  // 0: hidden_size / heads
  double rms_eps = 1e-6;
  double rope_theta = 10000.0;
  int64_t max_position = 2048;
};

constexpr Family kFamilies[] = {
    {.name = "llama", .architecture = "LlamaForCausalLM", .bias_key = true, .mlp_bias_key = true},
    {.name = "mistral",
     .architecture = "MistralForCausalLM",
     .windows = Windows::kAll,
     .window = 4096,
     .max_position = 4096 * 32},
    {.name = "qwen2",
     .architecture = "Qwen2ForCausalLM",
     .qkv_bias = true,
     .windows = Windows::kLast,
     .window = 4096,
     .max_position = 32768},
    {.name = "qwen3",
     .architecture = "Qwen3ForCausalLM",
     .bias_key = true,
     .qk_norm = true,
     .windows = Windows::kLast,
     .window = 4096,
     .head_dim = 128,
     .max_position = 32768},
    {.name = "qwen3_moe",
     .architecture = "Qwen3MoeForCausalLM",
     .bias_key = true,
     .qk_norm = true,
     .experts = true,
     .windows = Windows::kAllIf,
     .window = 4096,
     .max_position = 32768},
    {.name = "gemma3_text",
     .architecture = "Gemma3ForCausalLM",
     .bias_key = true,
     .qk_norm = true,
     .norm_behind = true,
     .gemma = true,
     .tied = true,
     .windows = Windows::kPattern,
     .window = 4096,
     .head_dim = 256,
     .rope_theta = 1000000.0,
     .max_position = 131072},
    {.name = "phi3",
     .architecture = "Phi3ForCausalLM",
     .packed = true,
     .windows = Windows::kAll,
     .rms_eps = 1e-5,
     .max_position = 4096},
    {.name = "olmo2",
     .architecture = "Olmo2ForCausalLM",
     .bias_key = true,
     .qk_norm_wide = true,
     .norm_before = false,
     .norm_behind = true,
     .rms_eps = 1e-5},
    {.name = "smollm3",
     .architecture = "SmolLM3ForCausalLM",
     .bias_key = true,
     .mlp_bias_key = true,
     .unturned = true,
     .tied = true,
     .windows = Windows::kUnturned,
     .rope_theta = 2000000.0,
     .max_position = 32768},
    {.name = "granite",
     .architecture = "GraniteForCausalLM",
     .bias_key = true,
     .mlp_bias_key = true,
     .multipliers = true},
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

Error UnknownFamily(const std::string& type) {
  std::string known;
  for (const Family& family : kFamilies)
    StrAppend(&known, known.empty() ? "known: " : ", ", family.name);
  if (type == "gemma3" || type == "Gemma3ForConditionalGeneration") {
    return Unusable("a gemma3 model with eyes (Gemma3ForConditionalGeneration) is not supported",
                    "its text model alone is (gemma3_text: Gemma3ForCausalLM)");
  }
  return Unusable(StrCat("unknown model architecture '", Shorten(type, 80), "'"),
                  known + " (llama is SmolLM2 and TinyLlama too, phi3 is Phi-4-mini)");
}

// The window where it is in use; 0: it is not.
int64_t WindowInUse(const Json& json, const Family& family) {
  if (family.windows == Windows::kNone) return 0;
  const bool asks = family.windows == Windows::kAll || family.windows == Windows::kPattern;
  if (!asks && !json.BoolOr("use_sliding_window", false)) return 0;
  const Json* window = json.Find("sliding_window");
  if (window != nullptr && window->IsNull()) return 0;
  return json.IntOr("sliding_window", family.window);
}

bool SlidesByDefault(const Json& json, const Family& family, const LayerKind& kind, int64_t index) {
  switch (family.windows) {
    case Windows::kNone:
      return false;
    case Windows::kAll:
    case Windows::kAllIf:
      return true;
    case Windows::kLast:
      return index >= json.IntOr("max_window_layers", 28);
    case Windows::kUnturned:
      return !kind.rotary;
    case Windows::kPattern:
      return (index + 1) % std::max<int64_t>(1, json.IntOr("sliding_window_pattern", 6)) != 0;
  }
  return false;
}

// The list's entry for a layer; null where there is no such list. Errors: a list of another length.
Result<const Json*> LayerEntry(const Json& json, const char* key, int64_t index, int64_t layers) {
  const Json* list = json.Find(key);
  if (list == nullptr || !list->IsArray()) return static_cast<const Json*>(nullptr);
  if (static_cast<int64_t>(list->AsArray()->size()) < layers)
    return Unusable(StrCat("config.json: ", key, " has ", list->AsArray()->size(), " entries for ",
                           layers, " layers"));
  return &(*list->AsArray())[static_cast<size_t>(index)];
}

bool InList(const Json* list, int64_t value) {
  if (list == nullptr || !list->IsArray()) return false;
  for (const Json& item : *list->AsArray()) {
    if (item.IsInt() && *item.AsInt() == value) return true;
  }
  return false;
}

Result<LayerKind> ReadLayer(const Json& json, const Family& family, const ModelConfig& config,
                            int64_t index) {
  LayerKind kind;
  if (family.unturned) {
    Result<const Json*> entry = LayerEntry(json, "no_rope_layers", index, config.num_layers);
    if (!entry.ok()) return entry.error();
    const int64_t interval = std::max<int64_t>(1, json.IntOr("no_rope_layer_interval", 4));
    kind.rotary = *entry != nullptr ? (*entry)->NumberOr(1) != 0 : (index + 1) % interval != 0;
  }
  if (family.experts) {
    const int64_t step = std::max<int64_t>(1, json.IntOr("decoder_sparse_step", 1));
    kind.experts = config.num_experts > 0 && (index + 1) % step == 0 &&
                   !InList(json.Find("mlp_only_layers"), index);
  }
  // These two families take no notice of layer_types.
  const bool listed = family.windows != Windows::kAll && family.windows != Windows::kAllIf;
  Result<const Json*> type = LayerEntry(json, "layer_types", index, config.num_layers);
  if (!type.ok()) return type.error();
  if (!listed || *type == nullptr) {
    kind.sliding = config.window > 0 && SlidesByDefault(json, family, kind, index);
    return kind;
  }
  const std::string name = (*type)->ScalarText();
  if (name != "full_attention" && name != "sliding_attention")
    return Unusable(StrCat("config.json: layer type '", Shorten(name, 40), "' is not supported"),
                    "known: full_attention, sliding_attention");
  kind.sliding = config.window > 0 && name == "sliding_attention";
  return kind;
}

Status ReadLayers(const Json& json, const Family& family, ModelConfig* config) {
  config->window = WindowInUse(json, family);
  if (config->window < 0) return Unusable("config.json: sliding_window is below 0");
  if (config->window == 0 && !family.unturned && !family.experts) return {};
  if (config->num_layers > kMostLayers) return {};  // CheckModelConfig names it
  for (int64_t i = 0; i < config->num_layers; ++i) {
    Result<LayerKind> kind = ReadLayer(json, family, *config, i);
    if (!kind.ok()) return kind.error();
    config->layers.push_back(*kind);
  }
  return {};
}

Status ReadExperts(const Json& json, ModelConfig* config) {
  config->num_experts = json.IntOr("num_experts", json.IntOr("num_local_experts", 128));
  config->experts_per_token = json.IntOr("num_experts_per_tok", 8);
  config->expert_size = json.IntOr("moe_intermediate_size", 768);
  config->norm_expert_weights = json.BoolOr("norm_topk_prob", false);
  if (config->num_experts >= 0 && config->num_experts <= kMostExperts &&
      config->experts_per_token > 0 &&
      config->experts_per_token <= std::max<int64_t>(1, config->num_experts))
    return {};
  return Unusable(StrCat("config.json: ", config->experts_per_token, " of ", config->num_experts,
                         " experts see a token"));
}

// Numbers that scale the stream, attention and logits.
Status ReadScales(const Json& json, const Family& family, ModelConfig* config) {
  for (const char* key : {"attn_logit_softcapping", "final_logit_softcapping"}) {
    const Json* cap = json.Find(key);
    if (cap != nullptr && !cap->IsNull())
      return Unusable(StrCat("config.json: ", key, " is not supported"),
                      "Gemma 3 has no caps, Gemma 2 has");
  }
  if (json.BoolOr("use_bidirectional_attention", false))
    return Unusable("config.json: use_bidirectional_attention is set",
                    "such a model does not write texts");
  if (family.gemma) {
    config->embedding_scale = std::sqrt(static_cast<double>(config->hidden_size));
    config->attention_scale = 1.0 / std::sqrt(json.DoubleOr("query_pre_attn_scalar", 256.0));
  }
  if (family.multipliers) {
    config->embedding_scale = json.DoubleOr("embedding_multiplier", 1.0);
    config->residual_scale = json.DoubleOr("residual_multiplier", 1.0);
    config->attention_scale = json.DoubleOr("attention_multiplier", 1.0);
    config->logit_divisor = json.DoubleOr("logits_scaling", 1.0);
  }
  return {};
}

Status ReadActivation(const Json& json, const Family& family, ModelConfig* config) {
  const std::string name(json.StringOr(family.gemma ? "hidden_activation" : "hidden_act",
                                       family.gemma ? "gelu_pytorch_tanh" : "silu"));
  if (name == "gelu_pytorch_tanh") {
    config->activation = Activation::kGeluTanh;
  } else if (name != "silu" && name != "swish") {
    return Unusable(StrCat("config.json: activation '", Shorten(name, 40), "' is not supported"),
                    "known: silu, gelu_pytorch_tanh");
  }
  return {};
}

Status ReadRopes(const Json& json, const Family& family, ModelConfig* config) {
  if (Status s = ReadRope(json, family.rope_theta, config->max_position, &config->rope); !s.ok())
    return s;
  if (family.gemma) {
    config->local_rope.emplace();
    if (Status s = ReadLocalRope(json, config->max_position, &*config->local_rope); !s.ok())
      return s;
  }
  if (!family.packed && config->rope.share != 1.0)
    return Unusable(StrCat("config.json: partial_rotary_factor ", config->rope.share, " of a ",
                           family.name, " model is not supported"));
  const RopeScaling scaling = config->rope.scaling;
  if (family.packed && scaling != RopeScaling::kNone && scaling != RopeScaling::kLongRope)
    return Unusable("config.json: a phi3 model scales RoPE by longrope alone");
  return {};
}

// Weights that come from keys: which biases, norms and heads there are.
void ReadParts(const Json& json, const Family& family, ModelConfig* config) {
  config->tied_head = json.BoolOr("tie_word_embeddings", family.tied);
  config->packed = family.packed;
  config->qk_norm = family.qk_norm;
  config->qk_norm_wide = family.qk_norm_wide;
  config->norm_before = family.norm_before;
  config->norm_behind = family.norm_behind;
  config->unit_norms = family.gemma;
  const bool attention_bias = family.bias_key && json.BoolOr("attention_bias", false);
  config->qkv_bias = family.qkv_bias || attention_bias;
  config->o_bias = attention_bias;
  config->mlp_bias = family.mlp_bias_key && json.BoolOr("mlp_bias", false);
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
               {"num_hidden_layers", config.num_layers, kMostLayers},
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
  if (!(config.rms_eps > 0)) return Unusable("model config: rms_norm_eps must be positive");
  for (const double scale : {config.embedding_scale, config.residual_scale, config.logit_divisor}) {
    if (!(scale > 0) || !std::isfinite(scale))
      return Unusable("model config: a multiplier is not positive");
  }
  if (!(config.attention_scale >= 0) || !std::isfinite(config.attention_scale))
    return Unusable("model config: what attention is scaled by is not positive");
  if (config.num_experts > 0 && (config.expert_size <= 0 || config.expert_size > 1 << 22))
    return Unusable(StrCat("model config: moe_intermediate_size is ", config.expert_size));
  if (config.num_experts * config.num_layers > kMostExperts)
    return Unusable(
        StrCat("model config: ", config.num_experts, " experts in ", config.num_layers, " layers"));
  if (Status s = CheckRope(config.rope, config.head_dim); !s.ok()) return s;
  return config.local_rope ? CheckRope(*config.local_rope, config.head_dim) : Status();
}

LayerKind ModelConfig::layer(int64_t index) const {
  return layers.empty() ? LayerKind() : layers[static_cast<size_t>(index)];
}

int64_t ModelConfig::WindowOf(int64_t index) const {
  return layer(index).sliding && window < max_position ? window : 0;
}

std::string NotFused(const ModelConfig& c) {
  const bool windows = std::any_of(c.layers.begin(), c.layers.end(),
                                   [](const LayerKind& kind) { return kind.sliding; }) &&
                       c.window < c.max_position;
  const bool unturned = std::any_of(c.layers.begin(), c.layers.end(),
                                    [](const LayerKind& kind) { return !kind.rotary; });
  const bool experts = std::any_of(c.layers.begin(), c.layers.end(),
                                   [](const LayerKind& kind) { return kind.experts; });
  const std::pair<bool, const char*> parts[] = {
      {windows, "sliding windows"},
      {unturned, "layers without rotary embedding"},
      {experts, "experts"},
      {c.local_rope.has_value(), "rotary tables of several kinds"},
      {c.rope.share != 1.0, "rotary embedding of a part of each head"},
      {c.packed, "packed matrices"},
      {c.qk_norm_wide, "norms over all heads"},
      {c.norm_behind || !c.norm_before || c.unit_norms, "norms behind attention and MLP"},
      {c.activation != Activation::kSilu, "GELU"},
      {c.embedding_scale != 1.0 || c.residual_scale != 1.0 || c.attention_scale != 0.0 ||
           c.logit_divisor != 1.0,
       "multipliers"}};
  std::string words;
  for (const auto& [there, name] : parts) {
    if (there) StrAppend(&words, words.empty() ? "" : ", ", name);
  }
  return words;
}

std::string NotFusedNote(const ModelConfig& config) {
  const std::string parts = NotFused(config);
  if (parts.empty()) return "";
  return StrCat("no kernels of ours know ", parts,
                ": this model is computed by LibTorch's own operators, which takes longer");
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
  if (family == nullptr) return UnknownFamily(type);
  ModelConfig config;
  config.family = family->name;
  config.vocab_size = json.IntOr("vocab_size", 0);
  config.hidden_size = json.IntOr("hidden_size", 0);
  config.intermediate_size = json.IntOr("intermediate_size", 0);
  config.num_layers = json.IntOr("num_hidden_layers", 0);
  config.num_heads = json.IntOr("num_attention_heads", 0);
  config.num_kv_heads = json.IntOr("num_key_value_heads", config.num_heads);
  const int64_t split = config.num_heads > 0 ? config.hidden_size / config.num_heads : 0;
  config.head_dim = json.IntOr("head_dim", family->head_dim > 0 ? family->head_dim : split);
  config.max_position = json.IntOr("max_position_embeddings", family->max_position);
  config.rms_eps = json.DoubleOr("rms_norm_eps", family->rms_eps);
  config.bos_id = json.IntOr("bos_token_id", -1);
  config.pad_id = json.IntOr("pad_token_id", -1);
  ReadIds(json.Find("eos_token_id"), &config.eos_ids);
  ReadParts(json, *family, &config);
  if (family->experts) {
    if (Status s = ReadExperts(json, &config); !s.ok()) return s.error();
  }
  for (const auto read : {ReadActivation, ReadScales, ReadRopes, ReadLayers}) {
    if (Status s = read(json, *family, &config); !s.ok()) return s.error();
  }
  if (Status s = CheckModelConfig(config); !s.ok()) return s.error();
  return config;
}

namespace {

// What names the kinds of the layers, in every way that a version of transformers reads.
void SetLayers(const ModelConfig& config, const Family& family, Json* json) {
  if (family.windows != Windows::kNone)
    json->Set("sliding_window", config.window > 0 ? Json(config.window) : Json());
  if (family.windows == Windows::kLast || family.windows == Windows::kAllIf ||
      family.windows == Windows::kUnturned)
    json->Set("use_sliding_window", config.window > 0);
  Json types = Json::MakeArray(), turned = Json::MakeArray(), dense = Json::MakeArray();
  int64_t first_full = config.num_layers, first_sliding = config.num_layers;
  for (int64_t i = config.num_layers; i-- > 0;)
    (config.layer(i).sliding ? first_sliding : first_full) = i;
  for (int64_t i = 0; i < config.num_layers; ++i) {
    const LayerKind kind = config.layer(i);
    types.Append(kind.sliding ? "sliding_attention" : "full_attention");
    turned.Append(int64_t{kind.rotary ? 1 : 0});
    if (!kind.experts) dense.Append(i);
  }
  if (family.windows == Windows::kLast) json->Set("max_window_layers", first_sliding);
  if (family.windows == Windows::kPattern) json->Set("sliding_window_pattern", first_full + 1);
  if (family.unturned) json->Set("no_rope_layers", turned);
  if (config.window > 0 && family.windows != Windows::kAll && family.windows != Windows::kAllIf)
    json->Set("layer_types", types);
  if (!family.experts) return;
  json->Set("num_experts", config.num_experts)
      .Set("num_experts_per_tok", config.experts_per_token)
      .Set("moe_intermediate_size", config.expert_size)
      .Set("norm_topk_prob", config.norm_expert_weights)
      .Set("decoder_sparse_step", int64_t{1})
      .Set("mlp_only_layers", dense);
}

// The three keys that transformers 4 takes of longrope, which computes the rest; null where it would compute something else.
Json ShortLongRope(const ModelConfig& config) {
  const RopeConfig& rope = config.rope;
  const double factor =
      static_cast<double>(config.max_position) / static_cast<double>(rope.original_max_position);
  const double usual = LongRopeAttention(factor, rope.original_max_position);
  if (std::abs(rope.attention_factor - usual) > 1e-9) return {};
  const Json all = RopeToJson(rope);
  Json json = Json::MakeObject();
  json.Set("type", "longrope");
  for (const char* key : {"short_factor", "long_factor"}) json.Set(key, *all.Find(key));
  return json;
}

// Both spellings: older readers take rope_theta and rope_scaling, newer ones rope_parameters.
void SetRope(const ModelConfig& config, const Family& family, Json* json) {
  const Json rope = RopeToJson(config.rope);
  json->Set("rope_theta", config.rope.theta);
  const bool scaled = config.rope.scaling != RopeScaling::kNone;
  if (config.local_rope) {
    json->Set("rope_local_base_freq", config.local_rope->theta);
    json->Set("rope_scaling", scaled ? rope : Json());
    Json both = Json::MakeObject();
    both.Set("full_attention", rope).Set("sliding_attention", RopeToJson(*config.local_rope));
    json->Set("rope_parameters", both);
    return;
  }
  if (family.packed) {
    json->Set("partial_rotary_factor", config.rope.share);
    if (scaled) json->Set("original_max_position_embeddings", config.rope.original_max_position);
    json->Set("rope_scaling", scaled ? ShortLongRope(config) : Json());
  } else {
    json->Set("rope_scaling", scaled ? rope : Json());
  }
  json->Set("rope_parameters", rope);
}

void SetScales(const ModelConfig& config, const Family& family, Json* json) {
  const char* activation =
      config.activation == Activation::kGeluTanh ? "gelu_pytorch_tanh" : "silu";
  json->Set(family.gemma ? "hidden_activation" : "hidden_act", activation);
  if (family.gemma)
    json->Set("query_pre_attn_scalar",
              int64_t{std::llround(1.0 / (config.attention_scale * config.attention_scale))});
  if (!family.multipliers) return;
  json->Set("embedding_multiplier", config.embedding_scale)
      .Set("residual_multiplier", config.residual_scale)
      .Set("attention_multiplier", config.attention_scale)
      .Set("logits_scaling", config.logit_divisor);
}

}  // namespace

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
  SetScales(config, *family, &json);
  json.Set("max_position_embeddings", config.max_position);
  json.Set("rms_norm_eps", config.rms_eps);
  json.Set("tie_word_embeddings", config.tied_head);
  json.Set("attention_dropout", 0.0);
  json.Set("initializer_range", 0.02);
  json.Set("use_cache", true);
  if (family->bias_key) json.Set("attention_bias", config.qkv_bias);
  if (family->mlp_bias_key) json.Set("mlp_bias", config.mlp_bias);
  SetLayers(config, *family, &json);
  SetRope(config, *family, &json);
  json.Set("bos_token_id", config.bos_id >= 0 ? Json(config.bos_id) : Json());
  json.Set("eos_token_id", IdsToJson(config.eos_ids));
  json.Set("pad_token_id", config.pad_id >= 0 ? Json(config.pad_id) : Json());
  json.Set("torch_dtype", dtype);
  json.Set("dtype", dtype);
  return json;
}

}  // namespace assay
