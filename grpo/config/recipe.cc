#include "grpo/config/recipe.h"

#include <set>
#include <utility>

#include "core/options.h"
#include "core/text.h"
#include "core/toml.h"
#include "grpo/config/foreign_keys.h"

namespace assay {
namespace {

// What the papers' authors set (algorithms from 2402.03300, R1's Nature version, 2503.14476, 2503.20783, 2507.18071).
const ChoiceNames<std::string>& Presets() {
  static const ChoiceNames<std::string> kPresets = {
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
  return kPresets;
}

// TRL's names and defaults where TRL has them.
void AddModelAndData(TrainSpec* t, Options* o) {
  o->Add("model.path", &t->model.path,
         "a folder with config.json and safetensors, or a .gguf; none: random weights");
  o->Add("model.config", &t->model.config, "keys of config.json, for random weights");
  o->Add("model.tokenizer", &t->model.tokenizer,
         "a path, or \"characters\" or \"words\" with `alphabet`; none: the model's");
  o->Add("model.alphabet", &t->model.alphabet, "what such a tokenizer knows");
  o->Add("model.init_std", &t->model.init_std, "deviation of random weights").AtLeast(0);
  o->Add("model.dtype", &t->model.dtype,
         "of the computation; master weights and optimiser are float32, float64 is for comparing "
         "numbers")
      .OneOf({"float32", "bfloat16", "float64", "fp32", "bf16", "fp64"});
  o->Add("model.device", &t->model.device, "cpu, cuda, cuda:1");
  o->Add("model.adapter", &t->model.adapter,
         "a PEFT adapter's folder: merged into the weights, or trained on with use_peft");
  o->Add("data.train", &t->data.train, "JSON Lines").OrOne();
  o->Add("data.eval", &t->data.eval, "held-out problems (JSON Lines)").OrOne();
  o->Add("data.store", &t->data.store, "a store that holds `dataset`, instead of `train` (sft)");
  o->Add("data.dataset", &t->data.dataset, "a data set in the store (sft)");
  o->Add("data.rollouts", &t->data.rollouts,
         "groups sampled elsewhere, with token_ids and logprobs, instead of sampling (grpo)");
  o->Add("data.prompt_prefix", &t->data.prompt_prefix, "stands before each plain prompt");
  o->Add("data.prompt_suffix", &t->data.prompt_suffix, "stands after each plain prompt");
  o->Add("system_prompt", &t->data.system_prompt,
         "the first message of chats that have no system message; makes a chat of a plain prompt");
  o->Add("chat_template_kwargs", &t->data.chat_template_kwargs,
         "variables of the chat template, such as enable_thinking; a row's own go first");
  o->Add("max_prompt_length", &t->data.max_prompt_length,
         "tokens of a prompt; 0: as many as the model's positions leave")
      .AtLeast(0);
  o->Add("overlong_prompts", &t->data.overlong_prompts,
         "longer prompts, before the first step: an error, left out, or cut at their left")
      .OneOf({"error", "drop", "left"});
}

void AddRewardAndEval(TrainSpec* t, Options* o) {
  o->Add("reward.rubric", &t->reward.rubric, "a rubric file (TOML)");
  o->Add("reward.verifiers", &t->reward.verifiers,
         "\"math,format\"; with neither the row's task decides");
  o->Add("reward.threads", &t->reward.threads, "groups scored at a time").AtLeast(1);
  o->Add("reward.timeout_s", &t->reward.timeout_s, "what one group may take").AtLeast(0);
  o->Add("reward.on_timeout", &t->reward.on_timeout,
         "a group that takes longer: no reward, or reward 0")
      .OneOf({"null", "fail"});
  o->Add("reward.overlong_share", &t->reward.overlong_share,
         "soft overlong punishment over the last share of max_completion_length (DAPO); 0: off")
      .Range(0, 1);
  o->Add("reward.shuffle", &t->reward.shuffle,
         "control experiment: the rewards are dealt out at random");
  o->Add("eval.steps", &t->eval.steps, "every so many steps; 0: never").AtLeast(0);
  o->Add("eval.limit", &t->eval.limit, "problems").AtLeast(1);
  o->Add("eval.samples", &t->eval.samples, "completions of each: pass@1, 2, 4, ..").AtLeast(1);
  o->Add("eval.temperature", &t->eval.temperature, "0 is greedy").AtLeast(0);
  o->Add("eval.at_start", &t->eval.at_start, "before the first step too");
  o->Add("eval.stop_at", &t->eval.stop_at, "ends the run at this pass@1; 0: off").Range(0, 1);
}

void AddOptim(OptimSpec* t, Options* o) {
  o->Add("learning_rate", &t->learning_rate, "the highest of the schedule").AtLeast(0);
  o->Add("lr_scheduler_type", &t->lr_scheduler_type, "how it falls after the warm-up")
      .OneOf({"linear", "cosine", "constant"});
  o->Add("warmup_steps", &t->warmup_steps, "steps over which it rises").AtLeast(0);
  o->Add("warmup_ratio", &t->warmup_ratio, "the same as a share of all steps").Range(0, 1);
  o->Add("min_lr_ratio", &t->min_lr_ratio, "the lowest as a share of the highest").Range(0, 1);
  o->Add("weight_decay", &t->weight_decay, "AdamW's").AtLeast(0);
  o->Add("adam_beta1", &t->adam_beta1, "of the first moment").Range(0, 1);
  o->Add("adam_beta2", &t->adam_beta2, "of the second moment").Range(0, 1);
  o->Add("adam_epsilon", &t->adam_epsilon, "added to the denominator").AtLeast(0);
  o->Add("max_grad_norm", &t->max_grad_norm, "longer gradients are cut; 0: no clipping").AtLeast(0);
  o->Add(
       "shard", &t->shard,
       "what several processes share out: nothing, the optimiser's moments, or weights, gradients "
       "and moments")
      .OneOf({"none", "moments", "weights"});
}

void AddLoraKeys(TrainSpec* t, Options* o) {
  o->Add("use_peft", &t->use_peft,
         "trains a low-rank adapter (LoRA) on frozen weights; DIR/adapter is PEFT's form of it");
  o->Add("lora_r", &t->lora.rank, "its rank").AtLeast(1);
  o->Add("lora_alpha", &t->lora.alpha, "its delta is scaled by alpha / r").AtLeast(0);
  o->Add("lora_target_modules", &t->lora.targets,
         "the linear layers that have one: q_proj, .. down_proj, or all-linear")
      .OrOne();
  o->Add("use_rslora", &t->lora.rslora, "scaled by alpha / sqrt(r) instead");
  o->Add("load_in_8bit", &t->load_in_8bit,
         "the frozen matrices of the layers are held in 8 bits (with use_peft)");
}

void AddRun(TrainSpec* t, Options* o) {
  o->Add("seed", &t->seed, "of everything that is drawn").AtLeast(0);
  o->Add("max_steps", &t->max_steps, "optimiser steps; 0 and below: num_train_epochs decides")
      .AtLeast(-1);
  o->Add("num_train_epochs", &t->num_train_epochs, "passes over the data").AtLeast(0);
  o->Add("per_device_train_batch_size", &t->per_device_train_batch_size, "rows of a micro-batch")
      .AtLeast(1);
  o->Add("gradient_accumulation_steps", &t->gradient_accumulation_steps,
         "micro-batches of an optimiser step")
      .AtLeast(1);
  o->Add("gradient_checkpointing", &t->gradient_checkpointing,
         "keeps one layer's input each and computes the rest again");
  o->Add("shuffle_dataset", &t->shuffle_dataset, "draws the rows in random order");
  o->Add("save_steps", &t->save_steps, "a checkpoint every so many steps; 0: only at the end")
      .AtLeast(0);
  o->Add("save_total_limit", &t->save_total_limit, "checkpoints kept").AtLeast(1);
  o->Add("save_dtype", &t->save_dtype, "of DIR/model and DIR/best; checkpoints are float32")
      .OneOf({"float32", "bfloat16"});
  o->Add("save_only_model", &t->save_only_model,
         "save_steps' checkpoints hold the model alone, in save_dtype");
  o->Add("keep_best", &t->keep_best,
         "DIR/best is the model with the highest held-out pass@1 so far (needs eval.steps)");
  o->Add("logging_steps", &t->logging_steps, "a line of metrics every so many steps").AtLeast(1);
  o->Add("max_seconds", &t->max_seconds, "ends the run in good order after this time; 0: off")
      .AtLeast(0);
  o->Add("threads", &t->threads, "of the computation; 0: LibTorch's default").AtLeast(0);
  o->Add("max_completion_length", &t->max_completion_length, "tokens of a sample").AtLeast(1);
  o->Add("min_completion_length", &t->min_completion_length, "no end before so many tokens")
      .AtLeast(0);
  o->Add("temperature", &t->temperature, "of sampling").AtLeast(1e-3);
  o->Add("top_p", &t->top_p, "nucleus sampling; 1: off").Range(0, 1);
  o->Add("top_k", &t->top_k, "the likeliest tokens alone; 0: off").AtLeast(0);
  o->Add("min_p", &t->min_p, "tokens below this share of the likeliest are left out; 0: off")
      .Range(0, 1);
  o->Add("repetition_penalty", &t->repetition_penalty, "1: off").AtLeast(1e-3);
  o->Add("stop", &t->stop, "texts that end a sample").OrOne();
  o->Add("generation_rows", &t->generation_rows,
         "samples decoded side by side; 0: 64 on a CPU, as many as fit on a GPU")
      .AtLeast(0);
}

Options RecipeTable(TrainSpec* t) {
  Options table("key", "", "docs/training.md lists the keys of recipes");
  AddModelAndData(t, &table);
  AddRewardAndEval(t, &table);
  AddOptim(&t->optim, &table);
  AddLoraKeys(t, &table);
  AddRun(t, &table);
  return table;
}

SftRecipe SftDefaults() {
  SftRecipe recipe;
  recipe.train.optim.learning_rate = 2e-5;
  return recipe;
}

Options SftTable(SftRecipe* r) {
  Options table = RecipeTable(&r->train);
  table.Add("max_length", &r->max_length, "tokens of a row; longer rows keep their start")
      .AtLeast(2);
  table.Add("completion_only_loss", &r->completion_only_loss,
            "prompts earn no loss (prompt/completion and chat data)");
  table
      .Add("assistant_turns", &r->assistant_turns,
           "of a chat, what is learned: all of the assistant's turns, or the last")
      .OneOf({"all", "last"});
  table.Add("packing", &r->packing,
            "fills micro-batches up to per_device_train_batch_size * max_length tokens");
  return table;
}

// A recipe as far as it was read.
struct GrpoDraft {
  GrpoRecipe recipe;
  std::optional<double> epsilon_high;  // unset: epsilon
};

void AddServer(ServerSpec* s, Options* o) {
  o->Add("server.url", &s->url,
         "rollouts from this OpenAI-compatible server instead of our own sampling");
  o->Add("server.model", &s->model, "the server's name of the model");
  o->Add("server.key_env", &s->key_env, "the environment variable that holds the API key");
  o->Add("server.timeout_s", &s->timeout_s, "of one request").AtLeast(0.1);
  o->Add("server.retries", &s->retries, "after connection errors, timeouts, 429 and 5xx")
      .AtLeast(0);
  o->Add("server.concurrency", &s->concurrency, "requests at a time").AtLeast(1);
  o->Add(
       "server.push", &s->push,
       "the server follows the policy: after each step it loads the new weights; none: it does not")
      .OneOf({"", "vllm", "sglang"});
  o->Add("server.weights_dir", &s->weights_dir,
         "the folder that they are written to, under the same path for both");
}

ChoiceNames<std::optional<Aggregation>> AggregationChoices() {
  ChoiceNames<std::optional<Aggregation>> names = {{"", std::nullopt}};
  for (const auto& [name, value] : AggregationNames()) names.emplace_back(name, value);
  return names;
}

void AddLoss(LossConfig* l, std::optional<double>* epsilon_high, Options* o) {
  o->Add("loss_type", &l->type, LossTypeNames(), "TRL's, and verl's as verl_*");
  o->Add("loss_agg_mode", &l->aggregation, AggregationChoices(),
         "verl's ways to average; none: the loss type's own");
  o->Add("importance_sampling_level", &l->ratio_level, RatioLevelNames(),
         "a ratio each token, or one a sequence (GSPO)");
  o->Add("epsilon", &l->epsilon_low, "how far the ratio may fall").AtLeast(0);
  o->Add("epsilon_high", epsilon_high,
         "how far it may rise (cispo: the ratio's cap); none: epsilon");
  o->Add("delta", &l->delta, "two-sided clipping (INTELLECT-2); none: off");
  o->Add("dual_clip", &l->dual_clip, "verl_vanilla's c").AtLeast(1);
  o->Add("sapo_temperature_pos", &l->sapo_tau_pos, "SAPO's, of positive advantages");
  o->Add("sapo_temperature_neg", &l->sapo_tau_neg, "SAPO's, of negative advantages");
  o->Add("vespo_k_pos", &l->vespo_k_pos, "VESPO's, of positive advantages");
  o->Add("vespo_lambda_pos", &l->vespo_lambda_pos, "VESPO's, of positive advantages");
  o->Add("vespo_k_neg", &l->vespo_k_neg, "VESPO's, of negative advantages");
  o->Add("vespo_lambda_neg", &l->vespo_lambda_neg, "VESPO's, of negative advantages");
  o->Add("beta", &l->beta, "weight of the KL term; 0: no reference model").AtLeast(0);
  o->Add("kl", &l->kl, KlKindNames(), "its estimator");
  o->Add("use_bias_correction_kl", &l->kl_bias_correction, "the KL term times the ratio");
  o->Add("top_entropy_quantile", &l->top_entropy_quantile,
         "below 1: only that share of tokens, the most uncertain, gets a policy gradient")
      .Range(0, 1);
  o->Add("off_policy_mask_threshold", &l->off_policy_threshold,
         "rows further off than this, with a negative advantage, are masked; none: off");
  o->Add("entropy_coef", &l->entropy_coef, "weight of an entropy bonus");
}

Options GrpoTable(GrpoDraft* draft) {
  GrpoRecipe* r = &draft->recipe;
  Options table = RecipeTable(&r->train);
  std::vector<std::string> presets = {""};
  for (const auto& [name, text] : Presets()) presets.push_back(name);
  table.Add("preset", &r->preset, "what the paper's authors set; the recipe's own keys beat it")
      .OneOf(std::move(presets));
  AddServer(&r->train.server, &table);
  AddLoss(&r->loss, &draft->epsilon_high, &table);
  table.Add("num_generations", &r->num_generations, "samples of a problem").AtLeast(1);
  table
      .Add("steps_per_generation", &r->steps_per_generation,
           "micro-batches of a generation batch; 0: gradient_accumulation_steps")
      .AtLeast(0);
  table.Add("num_iterations", &r->num_iterations, "uses of a generation batch").AtLeast(1);
  table
      .Add("async_steps", &r->async_steps,
           "1: a batch is sampled and scored while the one before it is learned from")
      .Range(0, 1);
  table.Add(
      "advantage_estimator", &r->estimator, AdvantageEstimatorNames(),
      "group is TRL's, the others are verl's; remax is refused, for it needs a greedy rollout");
  table.Add("multi_objective_aggregation", &r->aggregation, RewardAggregationNames(),
            "how a rubric's terms become one advantage");
  table.Add("scale_rewards", &r->scale, RewardScaleNames(),
            "by whose deviation advantages are divided");
  table.Add("null_rows", &r->null_rows, NullRowsNames(),
            "rows without a reward are out of everything, or as TRL treats None");
  table
      .Add("null_rate_stop", &r->null_rate_stop,
           "ends the run when more rows than this have no reward over ten steps")
      .Range(0, 1);
  table.Add("mask_truncated_completions", &r->mask_truncated_completions,
            "samples that were cut off earn no loss");
  table.Add("dynamic_sampling", &r->dynamic_sampling,
            "problems whose samples all earn the same are drawn again (DAPO)");
  table
      .Add("dynamic_sampling_rounds", &r->dynamic_sampling_rounds,
           "generation rounds for one batch at most")
      .AtLeast(1);
  table.Add("sync_ref_model", &r->sync_ref_model, "the reference model follows the policy");
  table.Add("ref_model_mixup_alpha", &r->ref_model_mixup_alpha, "by how much").Range(0, 1);
  table.Add("ref_model_sync_steps", &r->ref_model_sync_steps, "how often").AtLeast(1);
  table
      .Add("shuffle_rows", &r->shuffle_rows,
           "how micro-batches are drawn: rows as TRL does, groups (prompts shared), auto: groups "
           "where it is the same")
      .OneOf({"auto", "rows", "groups"});
  table.Add("importance_correction", &r->correction, CorrectionModeNames(),
            "how log-probs of another sampler are made up for");
  table.Add("importance_correction_max", &r->correction_max, "its highest ratio").AtLeast(0);
  table.Add("importance_correction_min", &r->correction_min, "its lowest ratio; none: off");
  table.Add("log_completions", &r->log_completions,
            "every sample with its reward into DIR/samples.sqlite");
  return table;
}

// Paths of the leaves that the table does not know.
void UnknownLeaves(const Json& value, const std::string& path, const std::vector<OptionInfo>& known,
                   std::vector<std::string>* unknown) {
  for (const OptionInfo& option : known) {
    if (option.name == path) return;
  }
  if (const Json::Object* object = value.AsObject(); object != nullptr && !object->empty()) {
    for (const auto& [name, inner] : *object)
      UnknownLeaves(inner, path.empty() ? name : StrCat(path, ".", name), known, unknown);
  } else if (!path.empty()) {
    unknown->push_back(path);
  }
}

// The error about an unknown key, with what says the same here where the key is known from elsewhere: of all unknown keys of `file`, for
// who brings a recipe of another trainer does not want to hear of them one by one.
Status Answered(Status status, const Json& file, const Options& table) {
  constexpr std::string_view kUnknown = "unknown key '";
  if (status.ok()) return status;
  Error error = status.error();
  const size_t at = error.message.find(kUnknown);
  if (at == std::string::npos) return error;
  const size_t begin = at + kUnknown.size();
  const std::string first = error.message.substr(begin, error.message.find('\'', begin) - begin);
  std::vector<std::string> unknown;
  UnknownLeaves(file, "", table.Infos(), &unknown);
  if (unknown.size() <= 1 && (unknown.empty() || unknown[0] == first)) {
    if (const std::string answer = AnswerToForeignKey(first); !answer.empty())
      error.hint = StrCat("here it is ", answer);
    return error;
  }
  std::string answers, rest;
  for (const std::string& key : unknown) {
    if (const std::string answer = AnswerToForeignKey(key); !answer.empty()) {
      StrAppend(&answers, answers.empty() ? "" : "\n      ", key, ": ", answer);
    } else {
      StrAppend(&rest, rest.empty() ? "" : ", ", key);
    }
  }
  if (answers.empty()) return error;
  StrAppend(&error.message, "; unknown keys in all: ", unknown.size());
  error.hint =
      StrCat("here they are\n      ", answers,
             rest.empty() ? "" : StrCat("\n      and nothing is known of: ", Shorten(rest, 400)));
  return error;
}

// What `text` sets, and then what --set does.
Status Apply(const std::string& text, const std::string& file_name, Options* table) {
  const Result<TomlFile> file = ParseToml(text, file_name);
  if (!file.ok())
    return Error{file.error().code, file.error().message, "the recipe is not valid TOML"};
  return Answered(table->Read(file->json, [&](std::string_view path) { return file->At(path); }),
                  file->json, *table);
}

Status ApplyAll(const std::vector<std::string>& overrides, Options* table) {
  for (const std::string& text : overrides) {
    if (Status status = Answered(table->Override(text), Json(), *table); !status.ok())
      return status;
  }
  return {};
}

// The preset that the recipe or, before it, --set names; "" if none does.
std::string PresetName(const std::string& text, const std::vector<std::string>& overrides) {
  std::string preset;
  if (const Result<TomlFile> file = ParseToml(text, ""); file.ok())
    preset = file->json.StringOr("preset", "");
  for (const std::string& override_text : overrides) {
    if (StartsWith(override_text, "preset="))
      preset = Trim(std::string_view(override_text).substr(7));
  }
  return preset;
}

Status CheckTrain(const TrainSpec& t) {
  if (t.model.path.empty() && t.model.config.IsNull()) {
    return Error{ErrorCode::kUsage, "the recipe names no model",
                 "set model.path, or [model.config] for random weights"};
  }
  if (!t.model.path.empty() && !t.model.config.IsNull()) {
    return Error{
        ErrorCode::kUsage,
        StrCat("'model.path' (", t.model.path, ") and [model.config] exclude each other"),
        "[model.config] is for random weights; a model on disk brings its own config.json"};
  }
  if (!t.reward.rubric.empty() && !t.reward.verifiers.empty()) {
    return Error{ErrorCode::kUsage, "'reward.rubric' and 'reward.verifiers' exclude each other",
                 ""};
  }
  if (t.use_peft) {
    if (Status status = CheckLora(t.lora); !status.ok()) return status;
    if (t.model.path.empty())
      return Error{ErrorCode::kUsage, "use_peft needs weights to put an adapter on",
                   "set model.path"};
  }
  if (t.load_in_8bit && (!t.use_peft || t.optim.shard == "weights")) {
    return Error{ErrorCode::kUsage,
                 t.use_peft ? "'load_in_8bit' and 'shard = \"weights\"' exclude each other"
                            : "'load_in_8bit' is for weights that are frozen under an adapter",
                 t.use_peft ? "weights in 8 bits are whole in every process" : "set use_peft"};
  }
  if (t.optim.shard == "weights" && !t.model.adapter.empty() && !t.use_peft) {
    return Error{
        ErrorCode::kUsage,
        "'model.adapter' is merged into whole weights, 'shard = \"weights\"' has none",
        "train on with use_peft, or merge it in a run of max_steps = 1, learning_rate = 0"};
  }
  if (t.keep_best && t.eval.steps == 0) {
    return Error{ErrorCode::kUsage, "'keep_best' needs held-out problems to tell which is best",
                 "set eval.steps and data.eval"};
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
    if (server.model.empty() && server.key_env.empty() && server.push.empty()) return {};
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
  if (server.push.empty() != server.weights_dir.empty()) {
    return Error{ErrorCode::kUsage, "'server.push' and 'server.weights_dir' go together",
                 "push = \"vllm\" or \"sglang\", and a folder that both sides see"};
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
  if (r.num_generations == 1 && r.estimator != AdvantageEstimator::kReinforcePlusPlus) {
    return Error{
        ErrorCode::kUsage,
        "num_generations = 1: a sample compared with itself has no advantage, nothing would be "
        "learned",
        "use at least 2, or advantage_estimator = \"reinforce_plus_plus\""};
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
  if (r.train.use_peft && r.sync_ref_model) {
    return Error{ErrorCode::kUsage, "'use_peft' and 'sync_ref_model' exclude each other",
                 "beside an adapter the frozen weights are the reference"};
  }
  if (Status status = CheckServer(r); !status.ok()) return status;
  if (r.train.data.train.empty() && r.train.data.rollouts.empty()) {
    return Error{ErrorCode::kUsage, "the recipe names no problems", "set data.train"};
  }
  return {};
}

}  // namespace

std::vector<OptionInfo> SftRecipeOptionInfos() {
  SftRecipe recipe = SftDefaults();
  return SftTable(&recipe).Infos();
}

std::vector<OptionInfo> GrpoRecipeOptionInfos() {
  GrpoDraft draft;
  return GrpoTable(&draft).Infos();
}

Result<SftRecipe> SftRecipeFromToml(const std::string& text, const std::string& file_name,
                                    const std::vector<std::string>& overrides) {
  SftRecipe recipe = SftDefaults();
  Options table = SftTable(&recipe);
  if (Status status = Apply(text, file_name, &table); !status.ok()) return status.error();
  if (Status status = ApplyAll(overrides, &table); !status.ok()) return status.error();
  if (Status status = CheckTrain(recipe.train); !status.ok()) return status.error();
  if (recipe.train.data.train.empty() && recipe.train.data.store.empty()) {
    return Error{ErrorCode::kUsage, "the recipe names no training data",
                 "set data.train, or data.store and data.dataset"};
  }
  recipe.json = table.ToJson();
  return recipe;
}

Result<GrpoRecipe> GrpoRecipeFromToml(const std::string& text, const std::string& file_name,
                                      const std::vector<std::string>& overrides) {
  GrpoDraft draft;
  GrpoRecipe& recipe = draft.recipe;
  Options table = GrpoTable(&draft);
  // The preset comes first, whoever names it; then the file; then the overrides.
  if (const std::string preset = PresetName(text, overrides); !preset.empty()) {
    const Result<std::string> preset_text = FromName("preset", preset, Presets());
    if (!preset_text.ok()) return preset_text.error();
    if (Status status = Apply(*preset_text, preset, &table); !status.ok()) return status.error();
  }
  if (Status status = Apply(text, file_name, &table); !status.ok()) return status.error();
  if (Status status = ApplyAll(overrides, &table); !status.ok()) return status.error();
  recipe.loss.epsilon_high = draft.epsilon_high.value_or(recipe.loss.epsilon_low);
  recipe.loss.max_completion_length = recipe.train.max_completion_length;
  if (recipe.steps_per_generation == 0)
    recipe.steps_per_generation = recipe.train.gradient_accumulation_steps;
  if (Status status = CheckGrpo(recipe); !status.ok()) return status.error();
  recipe.json = table.ToJson();
  return recipe;
}

std::string FirstFixedDifference(const Json& saved, const Json& now) {
  static const std::set<std::string, std::less<>> kFree = {"save_dtype",
                                                           "keep_best",
                                                           "save_only_model",
                                                           "max_steps",
                                                           "num_train_epochs",
                                                           "save_steps",
                                                           "save_total_limit",
                                                           "logging_steps",
                                                           "max_seconds",
                                                           "eval.steps",
                                                           "eval.limit",
                                                           "eval.samples",
                                                           "eval.at_start",
                                                           "eval.stop_at",
                                                           "eval.temperature",
                                                           "data.eval",
                                                           "reward.threads",
                                                           "threads",
                                                           "generation_rows",
                                                           "gradient_checkpointing",
                                                           "log_completions",
                                                           "async_steps",
                                                           "null_rate_stop",
                                                           "reward.timeout_s",
                                                           "server.url",
                                                           "server.model",
                                                           "server.key_env",
                                                           "server.timeout_s",
                                                           "server.retries",
                                                           "server.concurrency",
                                                           "server.push",
                                                           "server.weights_dir",
                                                           "shard"};
  if (!saved.IsObject() || !now.IsObject()) return "recipe";
  for (const Json::Member& member : *now.AsObject()) {
    if (kFree.count(member.key) != 0) continue;
    const Json* before = saved.Find(member.key);
    // A run of an earlier version did not know the key, and it is off.
    if (before == nullptr && member.value.Dump() == "false") continue;
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
