#include "grpo/config/recipe.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <set>
#include <utility>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "core/text.h"
#include "grpo/config/names.h"

namespace assay {
namespace {

// One key of a recipe: how it is set from TOML and written as JSON.
struct Field {
  std::string key;  // "learning_rate", "model.path"
  std::function<Status(const toml::node&)> set;
  std::function<Json()> get;
};

Error WrongKind(const std::string& key, const char* wanted) {
  return {ErrorCode::kUsage, StrCat("'", key, "' is not ", wanted), ""};
}

Json TomlToJson(const toml::node& node) {
  if (const auto* table = node.as_table()) {
    Json out = Json::MakeObject();
    for (const auto& [key, value] : *table) out.Set(std::string(key.str()), TomlToJson(value));
    return out;
  }
  if (const auto* array = node.as_array()) {
    Json out = Json::MakeArray();
    for (const auto& value : *array) out.Append(TomlToJson(value));
    return out;
  }
  if (node.is_boolean()) return Json(*node.value<bool>());
  if (node.is_integer()) return Json(*node.value<int64_t>());
  if (node.is_floating_point()) return Json(*node.value<double>());
  return Json(node.value<std::string>().value_or(""));
}

class Fields {
 public:
  void Add(std::string key, int64_t* out, int64_t lowest = INT64_MIN) {
    Put(
        key,
        [=](const toml::node& node) -> Status {
          if (!node.is_integer()) return WrongKind(key, "a whole number");
          if (*node.value<int64_t>() < lowest) {
            return Error{ErrorCode::kUsage, StrCat("'", key, "' is below ", lowest), ""};
          }
          *out = *node.value<int64_t>();
          return {};
        },
        [=] { return Json(*out); });
  }
  void Add(std::string key, double* out, double lowest = -INFINITY, double highest = INFINITY) {
    Put(
        key,
        [=](const toml::node& node) -> Status {
          if (!node.is_number()) return WrongKind(key, "a number");
          const double value = *node.value<double>();
          if (!(value >= lowest && value <= highest)) {
            return Error{ErrorCode::kUsage, StrCat("'", key, "' = ", value, " is out of range"),
                         StrCat("from ", lowest, " to ", highest)};
          }
          *out = value;
          return {};
        },
        [=] { return Json(*out); });
  }
  void Add(std::string key, std::optional<double>* out) {
    Put(
        key,
        [=](const toml::node& node) -> Status {
          if (!node.is_number()) return WrongKind(key, "a number");
          *out = *node.value<double>();
          return {};
        },
        [=] { return out->has_value() ? Json(**out) : Json(); });
  }
  void Add(std::string key, bool* out) {
    Put(
        key,
        [=](const toml::node& node) -> Status {
          if (!node.is_boolean()) return WrongKind(key, "true or false");
          *out = *node.value<bool>();
          return {};
        },
        [=] { return Json(*out); });
  }
  void Add(std::string key, std::string* out, std::vector<std::string> allowed = {}) {
    Put(
        key,
        [=](const toml::node& node) -> Status {
          if (!node.is_string()) return WrongKind(key, "a string");
          const std::string value = *node.value<std::string>();
          if (!allowed.empty() &&
              std::find(allowed.begin(), allowed.end(), value) == allowed.end()) {
            return Error{ErrorCode::kUsage, StrCat("'", key, "' cannot be '", value, "'"),
                         DidYouMean(value, allowed)};
          }
          *out = value;
          return {};
        },
        [=] { return Json(*out); });
  }
  // A string or a list of them.
  void Add(std::string key, std::vector<std::string>* out) {
    Put(
        key,
        [=](const toml::node& node) -> Status {
          std::vector<std::string> values;
          if (node.is_string())
            values.push_back(*node.value<std::string>());
          else if (const auto* array = node.as_array()) {
            for (const auto& item : *array) {
              if (!item.is_string()) return WrongKind(key, "a list of strings");
              values.push_back(*item.value<std::string>());
            }
          } else {
            return WrongKind(key, "a string or a list of strings");
          }
          *out = std::move(values);
          return {};
        },
        [=] {
          Json list = Json::MakeArray();
          for (const std::string& value : *out) list.Append(value);
          return list;
        });
  }
  void AddTable(std::string key, Json* out) {
    Put(
        key,
        [=](const toml::node& node) -> Status {
          if (!node.is_table()) return WrongKind(key, "a table");
          *out = TomlToJson(node);
          return {};
        },
        [=] { return *out; });
  }
  // A name that `parse` turns into an enumerator; kept as text for writing back.
  template <typename T>
  void AddEnum(std::string key, T* out, Result<T> (*parse)(std::string_view), std::string initial) {
    auto text = std::make_shared<std::string>(std::move(initial));
    Put(
        key,
        [=](const toml::node& node) -> Status {
          if (!node.is_string()) return WrongKind(key, "a string");
          Result<T> parsed = parse(*node.value<std::string>());
          if (!parsed.ok()) return parsed.error();
          *text = *node.value<std::string>();
          *out = *parsed;
          return {};
        },
        [=] { return Json(*text); });
  }

  // Sets every key of `table`, whose own name is `prefix`.
  Status Apply(const toml::table& table, const std::string& prefix,
               const std::string& file_name) const {
    for (const auto& [name, node] : table) {
      const std::string key =
          prefix.empty() ? std::string(name.str()) : StrCat(prefix, ".", name.str());
      const std::string where =
          StrCat(file_name, ":", static_cast<int64_t>(node.source().begin.line), ": ");
      if (const Field* field = Find(key)) {
        Status status = field->set(node);
        if (!status.ok())
          return Error{status.error().code, where + status.error().message, status.error().hint};
      } else if (node.is_table() && IsPrefix(key)) {
        Status status = Apply(*node.as_table(), key, file_name);
        if (!status.ok()) return status;
      } else {
        return Unknown(where, key);
      }
    }
    return {};
  }

  // "key=value": the value as TOML writes it, or else as a plain string.
  Status ApplyOverride(const std::string& text) const {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Error{ErrorCode::kUsage, StrCat("--set '", text, "' has no '='"),
                   "write --set key=value"};
    }
    const std::string key(Trim(std::string_view(text).substr(0, equals)));
    const std::string value(Trim(std::string_view(text).substr(equals + 1)));
    toml::parse_result parsed = toml::parse(StrCat("value = ", value, "\n"));
    const bool is_toml =
        parsed.succeeded() && parsed.table().contains("value") && parsed.table().size() == 1;
    const toml::value<std::string> plain(value);
    const toml::node& node =
        is_toml ? *parsed.table().get("value") : static_cast<const toml::node&>(plain);
    if (const Field* field = Find(key)) {
      Status status = field->set(node);
      if (!status.ok() && !is_toml) return status;
      if (!status.ok()) status = field->set(plain);  // a string that reads like a number
      return status;
    }
    // A key inside a free table: model.config.hidden_size.
    for (const Field& field : fields_) {
      const Json now = field.get();
      if (!StartsWith(key, field.key + ".") || !(now.IsObject() || now.IsNull())) continue;
      toml::table table;
      if (Status status = MergeTable(now, key.substr(field.key.size() + 1), node, &table);
          !status.ok())
        return status;
      return field.set(table);
    }
    return Unknown("--set: ", key);
  }

  Json ToJson() const {
    Json out = Json::MakeObject();
    for (const Field& field : fields_) out.Set(field.key, field.get());
    return out;
  }

 private:
  void Put(const std::string& key, std::function<Status(const toml::node&)> set,
           std::function<Json()> get) {
    fields_.push_back({key, std::move(set), std::move(get)});
  }
  const Field* Find(const std::string& key) const {
    for (const Field& field : fields_) {
      if (field.key == key) return &field;
    }
    return nullptr;
  }
  bool IsPrefix(const std::string& table) const {
    return std::any_of(fields_.begin(), fields_.end(),
                       [&](const Field& field) { return StartsWith(field.key, table + "."); });
  }
  Error Unknown(const std::string& where, const std::string& key) const {
    std::vector<std::string> known;
    for (const Field& field : fields_) known.push_back(field.key);
    std::string hint = NearestName(key, known);
    if (hint.empty()) {  // the right name at the wrong level: "rubric" for "reward.rubric"
      for (const std::string& name : known) {
        if (EndsWith(name, "." + key)) hint = name;
      }
    }
    return {ErrorCode::kUsage, StrCat(where, "unknown key '", key, "'"),
            hint.empty() ? "docs/training.md lists the keys of recipes"
                         : StrCat("did you mean '", hint, "'?")};
  }
  static Status MergeTable(const Json& now, const std::string& key, const toml::node& node,
                           toml::table* out) {
    if (const Json::Object* object = now.AsObject()) {
      for (const Json::Member& member : *object) {
        toml::parse_result one = toml::parse(StrCat("value = ", member.value.Dump(), "\n"));
        if (one.succeeded())
          one.table().get("value")->visit([&](auto& v) { out->insert_or_assign(member.key, v); });
      }
    }
    node.visit([&](const auto& v) { out->insert_or_assign(key, v); });
    return {};
  }

  std::vector<Field> fields_;
};

void AddTrainFields(TrainSpec* t, Fields* f) {
  f->Add("model.path", &t->model.path);
  f->AddTable("model.config", &t->model.config);
  f->Add("model.tokenizer", &t->model.tokenizer);
  f->Add("model.alphabet", &t->model.alphabet);
  f->Add("model.init_std", &t->model.init_std, 0.0);
  f->Add("model.dtype", &t->model.dtype,
         {"float32", "bfloat16", "float64", "fp32", "bf16", "fp64"});
  f->Add("model.device", &t->model.device);
  f->Add("data.train", &t->data.train);
  f->Add("data.eval", &t->data.eval);
  f->Add("data.store", &t->data.store);
  f->Add("data.dataset", &t->data.dataset);
  f->Add("data.rollouts", &t->data.rollouts);
  f->Add("data.prompt_prefix", &t->data.prompt_prefix);
  f->Add("data.prompt_suffix", &t->data.prompt_suffix);
  f->Add("reward.rubric", &t->reward.rubric);
  f->Add("reward.verifiers", &t->reward.verifiers);
  f->Add("reward.threads", &t->reward.threads, 1);
  f->Add("reward.timeout_s", &t->reward.timeout_s, 0.0);
  f->Add("reward.on_timeout", &t->reward.on_timeout, {"null", "fail"});
  f->Add("reward.overlong_share", &t->reward.overlong_share, 0.0, 1.0);
  f->Add("reward.shuffle", &t->reward.shuffle);
  f->Add("eval.steps", &t->eval.steps, 0);
  f->Add("eval.limit", &t->eval.limit, 1);
  f->Add("eval.samples", &t->eval.samples, 1);
  f->Add("eval.temperature", &t->eval.temperature, 0.0);
  f->Add("eval.at_start", &t->eval.at_start);
  f->Add("eval.stop_at", &t->eval.stop_at, 0.0, 1.0);
  f->Add("learning_rate", &t->optim.learning_rate, 0.0);
  f->Add("lr_scheduler_type", &t->optim.lr_scheduler_type, {"linear", "cosine", "constant"});
  f->Add("warmup_steps", &t->optim.warmup_steps, 0);
  f->Add("warmup_ratio", &t->optim.warmup_ratio, 0.0, 1.0);
  f->Add("min_lr_ratio", &t->optim.min_lr_ratio, 0.0, 1.0);
  f->Add("weight_decay", &t->optim.weight_decay, 0.0);
  f->Add("adam_beta1", &t->optim.adam_beta1, 0.0, 1.0);
  f->Add("adam_beta2", &t->optim.adam_beta2, 0.0, 1.0);
  f->Add("adam_epsilon", &t->optim.adam_epsilon, 0.0);
  f->Add("max_grad_norm", &t->optim.max_grad_norm, 0.0);
  f->Add("seed", &t->seed, 0);
  f->Add("max_steps", &t->max_steps, -1);
  f->Add("num_train_epochs", &t->num_train_epochs, 0.0);
  f->Add("per_device_train_batch_size", &t->per_device_train_batch_size, 1);
  f->Add("gradient_accumulation_steps", &t->gradient_accumulation_steps, 1);
  f->Add("gradient_checkpointing", &t->gradient_checkpointing);
  f->Add("shuffle_dataset", &t->shuffle_dataset);
  f->Add("save_steps", &t->save_steps, 0);
  f->Add("save_total_limit", &t->save_total_limit, 1);
  f->Add("logging_steps", &t->logging_steps, 1);
  f->Add("max_seconds", &t->max_seconds, 0.0);
  f->Add("threads", &t->threads, 0);
  f->Add("max_completion_length", &t->max_completion_length, 1);
  f->Add("min_completion_length", &t->min_completion_length, 0);
  f->Add("temperature", &t->temperature, 1e-3);
  f->Add("top_p", &t->top_p, 0.0, 1.0);
  f->Add("top_k", &t->top_k, 0);
  f->Add("min_p", &t->min_p, 0.0, 1.0);
  f->Add("repetition_penalty", &t->repetition_penalty, 1e-3);
  f->Add("stop", &t->stop);
  f->Add("generation_rows", &t->generation_rows, 1);
}

void AddSftFields(SftRecipe* r, Fields* f) {
  AddTrainFields(&r->train, f);
  f->Add("max_length", &r->max_length, 2);
  f->Add("completion_only_loss", &r->completion_only_loss);
  f->Add("packing", &r->packing);
}

void AddGrpoFields(GrpoRecipe* r, std::optional<double>* epsilon_high, std::string* agg_mode,
                   Fields* f) {
  AddTrainFields(&r->train, f);
  f->Add("preset", &r->preset);
  f->Add("server.url", &r->train.server.url);
  f->Add("server.model", &r->train.server.model);
  f->Add("server.key_env", &r->train.server.key_env);
  f->Add("server.timeout_s", &r->train.server.timeout_s, 0.1);
  f->Add("server.retries", &r->train.server.retries, 0);
  f->Add("server.concurrency", &r->train.server.concurrency, 1);
  f->AddEnum("loss_type", &r->loss.type, LossTypeFromName, "dapo");
  f->Add("loss_agg_mode", agg_mode);
  f->AddEnum("importance_sampling_level", &r->loss.ratio_level, RatioLevelFromName, "token");
  f->Add("epsilon", &r->loss.epsilon_low, 0.0);
  f->Add("epsilon_high", epsilon_high);
  f->Add("delta", &r->loss.delta);
  f->Add("dual_clip", &r->loss.dual_clip, 1.0);
  f->Add("sapo_temperature_pos", &r->loss.sapo_tau_pos);
  f->Add("sapo_temperature_neg", &r->loss.sapo_tau_neg);
  f->Add("vespo_k_pos", &r->loss.vespo_k_pos);
  f->Add("vespo_lambda_pos", &r->loss.vespo_lambda_pos);
  f->Add("vespo_k_neg", &r->loss.vespo_k_neg);
  f->Add("vespo_lambda_neg", &r->loss.vespo_lambda_neg);
  f->Add("beta", &r->loss.beta, 0.0);
  f->AddEnum("kl", &r->loss.kl, KlKindFromName, "k3");
  f->Add("use_bias_correction_kl", &r->loss.kl_bias_correction);
  f->Add("top_entropy_quantile", &r->loss.top_entropy_quantile, 0.0, 1.0);
  f->Add("off_policy_mask_threshold", &r->loss.off_policy_threshold);
  f->Add("entropy_coef", &r->loss.entropy_coef);
  f->Add("num_generations", &r->num_generations, 1);
  f->Add("steps_per_generation", &r->steps_per_generation, 0);
  f->Add("num_iterations", &r->num_iterations, 1);
  f->AddEnum("advantage_estimator", &r->estimator, AdvantageEstimatorFromName, "group");
  f->AddEnum("multi_objective_aggregation", &r->aggregation, RewardAggregationFromName,
             "sum_then_normalize");
  f->AddEnum("scale_rewards", &r->scale, RewardScaleFromName, "group");
  f->AddEnum("null_rows", &r->null_rows, NullRowsFromName, "mask");
  f->Add("null_rate_stop", &r->null_rate_stop, 0.0, 1.0);
  f->Add("mask_truncated_completions", &r->mask_truncated_completions);
  f->Add("dynamic_sampling", &r->dynamic_sampling);
  f->Add("dynamic_sampling_rounds", &r->dynamic_sampling_rounds, 1);
  f->Add("sync_ref_model", &r->sync_ref_model);
  f->Add("ref_model_mixup_alpha", &r->ref_model_mixup_alpha, 0.0, 1.0);
  f->Add("ref_model_sync_steps", &r->ref_model_sync_steps, 1);
  f->Add("shuffle_rows", &r->shuffle_rows, {"auto", "rows", "groups"});
  f->AddEnum("importance_correction", &r->correction, CorrectionModeFromName, "sequence_mask");
  f->Add("importance_correction_max", &r->correction_max, 0.0);
  f->Add("importance_correction_min", &r->correction_min);
  f->Add("log_completions", &r->log_completions);
}

// What the papers' authors set (algorithms from 2402.03300, R1's Nature version, 2503.14476, 2503.20783, 2507.18071).
Result<std::string> PresetToml(const std::string& name) {
  const std::vector<std::pair<std::string, std::string>> presets = {
      {"r1-zero",
       "learning_rate = 3e-6\nlr_scheduler_type = 'constant'\nloss_type = 'grpo'\nbeta = 0.001\n"
       "use_bias_correction_kl = false\nnum_generations = 16\nper_device_train_batch_size = 16\n"
       "gradient_accumulation_steps = 32\nsync_ref_model = true\nref_model_mixup_alpha = 1.0\n"
       "ref_model_sync_steps = 400\n"},
      {"deepseekmath",
       "learning_rate = 1e-6\nlr_scheduler_type = 'constant'\nloss_type = 'grpo'\nbeta = 0.04\n"
       "use_bias_correction_kl = false\nnum_generations = 64\nper_device_train_batch_size = 16\n"
       "gradient_accumulation_steps = 64\nmax_completion_length = 1024\n"},
      {"dapo",
       "loss_type = 'dapo'\nlr_scheduler_type = 'constant'\nwarmup_steps = 20\nepsilon = "
       "0.2\nepsilon_high = 0.28\n"
       "beta = 0.0\nnum_generations = 16\ndynamic_sampling = true\nmask_truncated_completions = "
       "true\n"
       "[reward]\noverlong_share = 0.2\n"},
      {"dr-grpo", "loss_type = 'dr_grpo'\nscale_rewards = 'none'\nbeta = 0.0\n"},
      {"gspo",
       "loss_type = 'grpo'\nimportance_sampling_level = 'sequence'\nepsilon = 3e-4\nepsilon_high = "
       "4e-4\nbeta = 0.0\n"},
  };
  return FromName<std::string>("preset", name, presets);
}

Result<toml::table> ParseToml(const std::string& text, const std::string& file_name) {
  toml::parse_result parsed = toml::parse(text);
  if (!parsed.succeeded()) {
    return Error{ErrorCode::kInput,
                 StrCat(file_name, ":", static_cast<int64_t>(parsed.error().source().begin.line),
                        ": ", parsed.error().description()),
                 "the recipe is not valid TOML"};
  }
  return std::move(parsed).table();
}

Status CheckTrain(const TrainSpec& t) {
  if (t.model.path.empty() && t.model.config.IsNull()) {
    return Error{ErrorCode::kUsage, "the recipe names no model",
                 "set model.path, or [model.config] for random weights"};
  }
  if (!t.reward.rubric.empty() && !t.reward.verifiers.empty()) {
    return Error{ErrorCode::kUsage, "'reward.rubric' and 'reward.verifiers' exclude each other",
                 ""};
  }
  if (t.eval.steps > 0 && t.data.eval.empty()) {
    return Error{ErrorCode::kUsage, "'eval.steps' is set, but there are no held-out problems",
                 "set data.eval"};
  }
  return {};
}

Status CheckServer(const GrpoRecipe& r) {
  const ServerSpec& server = r.train.server;
  if (server.url.empty()) {
    if (server.model.empty() && server.key_env.empty()) return {};
    return Error{ErrorCode::kUsage, "the recipe has a [server] without an address",
                 "set server.url, as in \"http://localhost:8000/v1\""};
  }
  if (!StartsWith(server.url, "http://") && !StartsWith(server.url, "https://")) {
    return Error{ErrorCode::kUsage,
                 StrCat("server.url '", server.url, "' begins neither with http:// nor https://"),
                 "as in \"http://localhost:8000/v1\""};
  }
  if (server.model.empty()) {
    return Error{ErrorCode::kUsage, "server.url is set, but no server.model",
                 "name the model as the server does (GET /v1/models lists them)"};
  }
  if (!r.train.data.rollouts.empty()) {
    return Error{ErrorCode::kUsage, "'server.url' and 'data.rollouts' exclude each other",
                 "rollouts come from a server or from a file"};
  }
  if (server.concurrency > 256 || server.retries > 100 || server.timeout_s > 86400) {
    return Error{ErrorCode::kUsage, "a limit in [server] is too large",
                 "concurrency up to 256, retries up to 100, timeout_s up to 86400"};
  }
  return {};
}

Status CheckGrpo(const GrpoRecipe& r) {
  if (Status status = CheckTrain(r.train); !status.ok()) return status;
  const int64_t spg =
      r.steps_per_generation > 0 ? r.steps_per_generation : r.train.gradient_accumulation_steps;
  const int64_t rows = r.train.per_device_train_batch_size * spg;
  if (rows % r.num_generations != 0) {
    return Error{ErrorCode::kUsage,
                 StrCat("a generation batch of ", rows,
                        " rows (per_device_train_batch_size * steps_per_generation) cannot be "
                        "divided into groups of ",
                        r.num_generations),
                 "num_generations must divide it"};
  }
  if (r.estimator == AdvantageEstimator::kRemax) {
    return Error{ErrorCode::kUsage,
                 "advantage_estimator 'remax' needs a greedy rollout's reward as baseline",
                 "the trainer samples none; use rloo or opo"};
  }
  const int64_t ga = r.train.gradient_accumulation_steps;
  const int64_t uses = spg * r.num_iterations;
  if (ga % uses != 0 && uses % ga != 0) {
    return Error{
        ErrorCode::kUsage,
        StrCat("gradient_accumulation_steps = ", ga,
               " and steps_per_generation * num_iterations = ", uses, " do not divide each other"),
        "optimiser steps would straddle generation batches"};
  }
  if (Status status = CheckServer(r); !status.ok()) return status;
  if (r.train.data.train.empty() && r.train.data.rollouts.empty()) {
    return Error{ErrorCode::kUsage, "the recipe names no problems", "set data.train"};
  }
  return {};
}

}  // namespace

Result<SftRecipe> SftRecipeFromToml(const std::string& text, const std::string& file_name,
                                    const std::vector<std::string>& overrides) {
  SftRecipe recipe;
  recipe.train.optim.learning_rate = 2e-5;
  Fields fields;
  AddSftFields(&recipe, &fields);
  Result<toml::table> table = ParseToml(text, file_name);
  if (!table.ok()) return table.error();
  if (Status status = fields.Apply(*table, "", file_name); !status.ok()) return status.error();
  for (const std::string& override_text : overrides) {
    if (Status status = fields.ApplyOverride(override_text); !status.ok()) return status.error();
  }
  if (Status status = CheckTrain(recipe.train); !status.ok()) return status.error();
  if (recipe.train.data.train.empty() && recipe.train.data.store.empty()) {
    return Error{ErrorCode::kUsage, "the recipe names no training data",
                 "set data.train, or data.store and data.dataset"};
  }
  recipe.json = fields.ToJson();
  return recipe;
}

Result<GrpoRecipe> GrpoRecipeFromToml(const std::string& text, const std::string& file_name,
                                      const std::vector<std::string>& overrides) {
  GrpoRecipe recipe;
  std::optional<double> epsilon_high;
  std::string agg_mode;
  Fields fields;
  AddGrpoFields(&recipe, &epsilon_high, &agg_mode, &fields);
  Result<toml::table> table = ParseToml(text, file_name);
  if (!table.ok()) return table.error();
  // The preset comes first, whoever names it; then the file; then the overrides.
  std::string preset = (*table)["preset"].value_or(std::string());
  for (const std::string& text_override : overrides) {
    if (StartsWith(text_override, "preset="))
      preset = Trim(std::string_view(text_override).substr(7));
  }
  if (!preset.empty()) {
    Result<std::string> preset_text = PresetToml(preset);
    if (!preset_text.ok()) return preset_text.error();
    Result<toml::table> preset_table = ParseToml(*preset_text, preset);
    if (!preset_table.ok()) return preset_table.error();
    if (Status status = fields.Apply(*preset_table, "", preset); !status.ok())
      return status.error();
  }
  if (Status status = fields.Apply(*table, "", file_name); !status.ok()) return status.error();
  for (const std::string& text_override : overrides) {
    if (Status status = fields.ApplyOverride(text_override); !status.ok()) return status.error();
  }
  recipe.loss.epsilon_high = epsilon_high.value_or(recipe.loss.epsilon_low);
  if (!agg_mode.empty()) {
    Result<Aggregation> aggregation = AggregationFromName(agg_mode);
    if (!aggregation.ok()) return aggregation.error();
    recipe.loss.aggregation = *aggregation;
  }
  recipe.loss.max_completion_length = recipe.train.max_completion_length;
  if (recipe.steps_per_generation == 0)
    recipe.steps_per_generation = recipe.train.gradient_accumulation_steps;
  if (Status status = CheckGrpo(recipe); !status.ok()) return status.error();
  recipe.json = fields.ToJson();
  return recipe;
}

std::string FirstFixedDifference(const Json& saved, const Json& now) {
  static const std::set<std::string, std::less<>> kFree = {
      "max_steps",        "num_train_epochs", "save_steps",        "save_total_limit",
      "logging_steps",    "max_seconds",      "eval.steps",        "eval.limit",
      "eval.samples",     "eval.at_start",    "eval.stop_at",      "eval.temperature",
      "data.eval",        "reward.threads",   "log_completions",   "null_rate_stop",
      "reward.timeout_s", "server.url",       "server.model",      "server.key_env",
      "server.timeout_s", "server.retries",   "server.concurrency"};
  if (!saved.IsObject() || !now.IsObject()) return "recipe";
  for (const Json::Member& member : *now.AsObject()) {
    if (kFree.count(member.key) != 0) continue;
    const Json* before = saved.Find(member.key);
    // Through text: 1 and 1.0 are the same number to a recipe.
    if (before == nullptr ||
        (before->Dump() != member.value.Dump() &&
         !(before->IsNumber() && before->NumberOr(0) == member.value.NumberOr(1)))) {
      return member.key;
    }
  }
  return "";
}

}  // namespace assay
