#include "grpo/config/lora_config.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace assay {
namespace {

constexpr char kAll[] = "all-linear";

bool Has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

Json Names(const std::vector<std::string>& names) {
  Json array = Json::MakeArray();
  for (const std::string& name : names) array.Append(name);
  return array;
}

// True for null, false, 0, "none", [] and {}: the setting is off.
bool IsOff(const Json* value) {
  if (value == nullptr || value->IsNull()) return true;
  const std::string text = value->Dump();
  for (const char* off : {"false", "0", "0.0", "\"none\"", "[]", "{}"}) {
    if (text == off) return true;
  }
  return false;
}

}  // namespace

const std::vector<std::string>& LoraTargetNames() {
  static const std::vector<std::string> kNames = {"q_proj",   "k_proj",       "v_proj",
                                                  "qkv_proj", "o_proj",       "gate_proj",
                                                  "up_proj",  "gate_up_proj", "down_proj"};
  return kNames;
}

double LoraConfig::scale() const {
  const auto r = static_cast<double>(rank);
  return alpha / (rslora ? std::sqrt(r) : r);
}

bool LoraConfig::Targets(const std::string& weight) const {
  if (!EndsWith(weight, ".weight")) return false;
  const std::string path = weight.substr(0, weight.size() - 7);
  const std::string module = path.substr(path.rfind('.') + 1);
  return Has(LoraTargetNames(), module) && (Has(targets, kAll) || Has(targets, module));
}

Status CheckLora(const LoraConfig& config) {
  if (config.rank < 1)
    return Error{ErrorCode::kUsage, StrCat("lora_r = ", config.rank, " is below 1"), ""};
  if (config.targets.empty())
    return Error{ErrorCode::kUsage, "lora_target_modules names nothing",
                 "q_proj and v_proj, or all-linear"};
  std::vector<std::string> known = LoraTargetNames();
  known.emplace_back(kAll);
  for (const std::string& target : config.targets) {
    if (Has(known, target)) continue;
    return Error{ErrorCode::kUsage,
                 StrCat("lora_target_modules: '", target, "' is no linear layer of a decoder"),
                 DidYouMean(target, known)};
  }
  return {};
}

Json LoraConfigToJson(const LoraConfig& config, const std::string& base_model) {
  const bool all = Has(config.targets, kAll);
  Json json = Json::MakeObject();
  json.Set("peft_type", "LORA")
      .Set("task_type", "CAUSAL_LM")
      .Set("base_model_name_or_path", base_model)
      .Set("r", config.rank)
      .Set("lora_alpha", config.alpha)
      .Set("lora_dropout", 0.0)
      .Set("target_modules", Names(all ? LoraTargetNames() : config.targets))
      .Set("use_rslora", config.rslora)
      .Set("use_dora", false)
      .Set("bias", "none")
      .Set("fan_in_fan_out", false)
      .Set("init_lora_weights", true)
      .Set("inference_mode", true);
  return json;
}

Result<LoraConfig> LoraConfigFromJson(const Json& json) {
  if (!json.IsObject()) return Error{ErrorCode::kInput, "adapter_config.json is no object", ""};
  if (json.StringOr("peft_type", "LORA") != "LORA") {
    return Error{ErrorCode::kInput,
                 StrCat("the adapter's peft_type is '", json.StringOr("peft_type", ""), "'"),
                 "LORA is understood"};
  }
  for (const char* key : {"use_dora", "bias", "modules_to_save", "rank_pattern", "alpha_pattern",
                          "layers_to_transform", "fan_in_fan_out", "exclude_modules",
                          "target_parameters", "lora_bias", "trainable_token_indices"}) {
    if (!IsOff(json.Find(key)))
      return Error{ErrorCode::kInput,
                   StrCat("the adapter sets '", key, "', which is not understood"), ""};
  }
  LoraConfig config;
  config.rank = json.IntOr("r", 8);
  config.alpha = json.DoubleOr("lora_alpha", 8);
  const Json* rslora = json.Find("use_rslora");
  config.rslora = rslora != nullptr && rslora->Dump() == "true";
  const Json* targets = json.Find("target_modules");
  config.targets.clear();
  if (targets != nullptr && targets->IsString()) config.targets = {*targets->AsString()};
  if (targets != nullptr && targets->IsArray()) {
    for (const Json& target : *targets->AsArray())
      config.targets.push_back(target.IsString() ? *target.AsString() : "");
  }
  if (Status status = CheckLora(config); !status.ok())
    return Error{ErrorCode::kInput, "adapter_config.json: " + status.error().message,
                 status.error().hint};
  return config;
}

}  // namespace assay
