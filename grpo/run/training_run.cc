#include "grpo/run/training_run.h"

#include <cmath>
#include <filesystem>
#include <utility>

#include "core/text.h"
#include "grpo/files/remove_tree.h"
#include "grpo/model/cuda/runtime.h"
#include "grpo/model/lora.h"
#include "grpo/model/shards.h"
#include "grpo/model/torch_error.h"
#include "grpo/model/weights.h"
#include "grpo/run/checkpoint.h"
#include "grpo/run/evaluate.h"
#include "grpo/run/train_data.h"

namespace assay {
namespace {

Json StateJson(const RunCounters& at, int64_t metrics_bytes) {
  Json state = Json::MakeObject();
  state.Set("step", at.step)
      .Set("drawn", at.drawn)
      .Set("tokens", at.tokens)
      .Set("skipped", at.skipped)
      .Set("best", at.best);
  if (!at.null_rates.empty()) {
    Json rates = Json::MakeArray();
    for (double rate : at.null_rates) rates.Append(rate);
    state.Set("null_rates", rates);
  }
  return state.Set("metrics_bytes", metrics_bytes);
}

RunCounters CountersOf(const Json& state) {
  RunCounters at;
  at.step = state.IntOr("step", 0);
  at.drawn = state.IntOr("drawn", 0);
  at.tokens = state.DoubleOr("tokens", 0);
  at.skipped = state.IntOr("skipped", 0);
  at.best = state.DoubleOr("best", -1);
  if (const Json* rates = state.Find("null_rates"); rates != nullptr && rates->IsArray()) {
    for (const Json& rate : *rates->AsArray()) at.null_rates.push_back(rate.NumberOr(0));
  }
  return at;
}

// The recipe of the whole run, which another number of processes may go on with: micro-batches are counted over all of them.
Json OfAllProcesses(Json recipe, int64_t processes) {
  for (const char* key : {"gradient_accumulation_steps", "steps_per_generation"}) {
    const Json* steps = recipe.Find(key);
    if (steps != nullptr && processes > 1) recipe.Set(key, recipe.IntOr(key, 1) * processes);
  }
  return recipe;
}

}  // namespace

// --- before the loop --------------------------------------------------------------------------------------------------

Status TrainingRun::Join() {
  Result<std::unique_ptr<Processes>> joined = Processes::FromEnvironment();
  if (!joined.ok()) return joined.error();
  processes_ = std::move(*joined);
  if (processes_->first()) return {};
  env_.note = nullptr;
  env_.progress = false;
  return {};
}

Status TrainingRun::Together(Status mine) {
  if (processes_->alone()) return mine;
  return CatchTorch("waiting for the other processes", [&]() -> Status {
    const std::string say =
        StrCat(Interrupted(env_) ? "i" : "-", mine.ok() ? "" : mine.error().message);
    const std::vector<std::string> all = processes_->Gather(say);
    for (const std::string& text : all) interrupted_ = interrupted_ || text.substr(0, 1) == "i";
    if (!mine.ok()) return mine;
    for (size_t rank = 0; rank < all.size(); ++rank) {
      if (all[rank].size() > 1)
        return Error{ErrorCode::kUnavailable, StrCat("process ", rank, ": ", all[rank].substr(1)),
                     ""};
    }
    return {};
  });
}

// The first process makes the folder, or finds what is in it, before another looks.
Result<std::string> TrainingRun::OpenFolder(const Json& recipe) {
  Result<std::string> found = std::string();
  if (processes_->first()) found = OpenRunFolder(env_, recipe);
  if (Status s = Together(found.ok() ? Status() : found.error()); !s.ok()) return s.error();
  if (!processes_->alone()) found = processes_->FromFirst(*found);
  return found;
}

Status TrainingRun::Open(const Json& recipe) {
  recipe_ = OfAllProcesses(recipe, processes_->count());
  Result<std::string> checkpoint = OpenFolder(recipe_);
  if (!checkpoint.ok()) return checkpoint.error();
  checkpoint_ = std::move(*checkpoint);
  Result<PolicySetup> setup = SetUpPolicy(spec_, processes_.get());
  if (!setup.ok()) return setup.error();
  setup_ = std::move(*setup);
  return {};
}

Status TrainingRun::SetUpRewards() {
  if (spec_.eval.steps > 0) {
    Result<std::vector<Problem>> problems =
        LoadProblems(spec_.data.eval, spec_.data, spec_.eval.limit);
    if (!problems.ok()) return problems.error();
    held_out_ = std::move(*problems);
    if (Status status = CheckHeldOut(); !status.ok()) return status;
  }
  Result<std::shared_ptr<const Rubric>> rubric = SetUpRubric(spec_.reward, env_.verifiers);
  if (!rubric.ok()) return rubric.error();
  rubric_ = std::move(*rubric);
  pool_.emplace(rubric_, PoolOptions(spec_.reward));
  return {};
}

// Evaluation renders prompts anew, so a long one is left out here rather than cut.
Status TrainingRun::CheckHeldOut() {
  DataSpec data = spec_.data;
  if (data.overlong_prompts == "left") data.overlong_prompts = "drop";
  const Result<int64_t> most = LongestPrompt(spec_, setup_.policy.config);
  if (!most.ok())
    return Error{most.error().code, "held out: " + most.error().message, most.error().hint};
  PromptLengths lengths;
  const auto ids = EncodePrompts(*setup_.tokenizer, data, *most, &held_out_, &lengths);
  if (!ids.ok())
    return Error{ids.error().code, "held out: " + ids.error().message, ids.error().hint};
  if (!env_.note) return {};
  if (lengths.dropped > 0)
    env_.note(StrCat(lengths.dropped, " held-out prompts have more than ", *most,
                     " tokens and are left out"));
  const std::string note = UnjudgedNote(spec_.reward, held_out_, "held-out problems");
  if (!note.empty()) env_.note(note);
  return {};
}

Status TrainingRun::TakeUp(AdamW* optimizer, const Model* reference, int64_t* metrics_bytes) {
  if (checkpoint_.empty()) return {};
  Result<Json> state = LoadCheckpoint(checkpoint_, &setup_.policy, optimizer, reference);
  if (!state.ok()) {
    // A disk that failed or filled up: the one before will do.
    const Error first = state.error();
    const std::vector<std::string> all = CheckpointFolders(env_.out);
    size_t i = 1;
    while (i < all.size() && !state.ok())
      state = LoadCheckpoint(all[i++], &setup_.policy, optimizer, reference);
    if (!state.ok()) return first;
    for (size_t bad = 0; bad + 1 < i; ++bad) {
      SetAside(all[bad]);
      if (env_.note)
        env_.note(StrCat(all[bad], " cannot be read and is set aside: ", first.message));
    }
    checkpoint_ = all[i - 1];
  }
  at = CountersOf(*state);
  *metrics_bytes = state->IntOr("metrics_bytes", -1);
  if (env_.note) env_.note(StrCat("going on from step ", at.step));
  return {};
}

Status TrainingRun::Begin(const std::string& label, int64_t total_steps, AdamW* optimizer,
                          const Model* reference) {
  total_ = total_steps;
  optimizer_ = optimizer;
  // Frozen weights are the reference beside an adapter: nothing to save.
  reference_ = setup_.policy.lora == nullptr ? reference : nullptr;
  schedule_ = MakeSchedule(spec_.optim, total_steps);
  int64_t metrics_bytes = -1;
  const Status taken = TakeUp(optimizer, reference_, &metrics_bytes);
  const Status opened = Together(taken.ok() ? OpenLog(label, metrics_bytes) : taken);
  if (!opened.ok()) return opened;
  settled_ = at;
  TellDiskUse();
  TellPath();
  if (spec_.eval.steps > 0 && at.step == 0 && spec_.eval.at_start) {
    // After an interrupt GoesOn ends the run, and Finish saves.
    if (Status status = EvaluateNow(); !status.ok() && !interrupted())
      return GiveUp(status.error());
  }
  saved_at_ = evaluated_at_ = at.step;
  begun_ = step_started_ = Clock::now();
  summary_.stopped_by = "steps";
  return {};
}

Status TrainingRun::OpenLog(const std::string& label, int64_t metrics_bytes) {
  if (!processes_->first()) return {};
  Result<std::unique_ptr<RunLog>> log =
      RunLog::Open({env_.out, metrics_bytes, at.step, total_, label, env_.progress});
  if (!log.ok()) return log.error();
  log_ = std::move(*log);
  return ClaimRunFolder(env_, recipe_);
}

// --- around the loop --------------------------------------------------------------------------------------------------

bool TrainingRun::GoesOn(bool pending) {
  if (stopped_ || done()) return false;
  const std::chrono::duration<double> seconds = Clock::now() - begun_;
  bool late = spec_.max_seconds > 0 && seconds.count() > spec_.max_seconds;
  if (!processes_->alone()) {
    // All end at the same step: by the first one's clock, or when one of them was interrupted.
    const std::string say = StrCat(Interrupted(env_) ? "i" : "-", late ? "t" : "-");
    const std::vector<std::string> all = processes_->Gather(say);
    for (const std::string& text : all) interrupted_ = interrupted_ || text[0] == 'i';
    late = all.front()[1] == 't';
  }
  if (processes_->alone() ? interrupted() : interrupted_) {
    summary_.interrupted = true;
    summary_.stopped_by = "interrupt";
    return false;
  }
  if (late && !pending) {
    summary_.stopped_by = "max_seconds";
    return false;
  }
  return true;
}

void TrainingRun::CountStep(const StepOutcome& outcome, double tokens) {
  ++at.step;
  at.tokens += tokens;
  at.skipped += outcome.skipped;
  skipped_in_row_ = outcome.skipped ? skipped_in_row_ + 1 : 0;
}

double TrainingRun::StepSeconds() const {
  return std::chrono::duration<double>(Clock::now() - step_started_).count();
}

NamedValues TrainingRun::StepValues(const StepOutcome& outcome, double learning_rate,
                                    int64_t epoch_size) const {
  return {{"epoch", static_cast<double>(at.drawn) / static_cast<double>(epoch_size)},
          {"loss", outcome.loss},
          {"grad_norm", outcome.grad_norm},
          {"learning_rate", learning_rate},
          {"num_tokens", at.tokens}};
}

Status TrainingRun::Log(const NamedValues& values, const std::string& note) {
  if (log_ != nullptr) {
    if (at.step % spec_.logging_steps == 0 || done() || skipped_in_row_ > 0) {
      NamedValues all = values;
      if (setup_.policy.device().is_cuda()) {
        const cuda::MemoryPeak peak = cuda::PeakMemory();
        all.emplace_back("memory/peak_allocated_gb", peak.allocated_gb);
        all.emplace_back("memory/peak_reserved_gb", peak.reserved_gb);
      }
      if (Status status = log_->Write(at.step, all); !status.ok()) return status;
    }
    log_->Show(at.step, note);
  }
  step_started_ = Clock::now();
  return {};
}

Status TrainingRun::BetweenSteps() {
  settled_ = at;
  if (spec_.eval.steps > 0 && (Crossed(spec_.eval.steps, evaluated_at_) || done())) {
    evaluated_at_ = at.step;
    if (Status status = EvaluateNow(); !status.ok()) {
      if (!interrupted()) return status;
      return {};  // GoesOn ends the run, and Finish saves
    }
    if (spec_.eval.stop_at > 0 &&
        ValueOf(summary_.last_eval, "eval/pass@1", 0) >= spec_.eval.stop_at) {
      summary_.stopped_by = "eval.stop_at";
      stopped_ = true;
      return {};
    }
  }
  if (Crossed(spec_.save_steps, saved_at_) && !done()) {
    saved_at_ = at.step;
    if (Status status = spec_.save_only_model ? SaveModelAlone() : Save(); !status.ok())
      return status;
  }
  step_started_ = Clock::now();
  return {};
}

// By the first process, which the others help where each has a share of the weights; they wait and are told.
Result<NamedValues> TrainingRun::EvaluateTogether() {
  Result<NamedValues> values = NamedValues();
  const bool shared = ShardsOf(setup_.policy) != nullptr;
  if (processes_->first() || shared) {
    const Result<Model> model = CatchTorch("copying the policy", [&]() -> Result<Model> {
      if (shared) return WholeModel(setup_.policy, setup_.compute.dtype, processes_->first());
      return CastModel(setup_.policy, setup_.compute.dtype);
    });
    if (!model.ok()) {
      values = model.error();
    } else if (processes_->first()) {
      values = Evaluate(*model, setup_, spec_, held_out_, rubric(), &*pool_, env_,
                        StrCat(env_.out, "/evals/step-", at.step, ".jsonl"));
    }
  }
  if (processes_->alone()) return values;
  if (Status s = Together(values.ok() ? Status() : values.error()); !s.ok()) return s.error();
  Json say = Json::MakeObject();
  for (const auto& [name, value] : *values) {
    if (std::isfinite(value)) say.Set(name, value);
  }
  const Result<Json> told = ParseJson(processes_->FromFirst(say.Dump()));
  if (processes_->first() || !told.ok()) return values;
  for (const Json::Member& member : *told->AsObject())
    values->emplace_back(member.key, member.value.NumberOr(0));
  return values;
}

Status TrainingRun::EvaluateNow() {
  Result<NamedValues> values = EvaluateTogether();
  if (!values.ok()) return values.error();
  summary_.last_eval = *values;
  if (env_.note) {
    env_.note(StrCat("step ", at.step, ": held-out pass@1 ",
                     FixedDigits(100 * ValueOf(*values, "eval/pass@1", 0), 1), " %"));
  }
  if (log_ != nullptr) {
    if (Status status = log_->Write(at.step, *values); !status.ok()) return status;
  }
  return spec_.keep_best ? KeepBest() : Status();
}

// All processes know the values, and so whether there is something to keep.
Status TrainingRun::KeepBest() {
  const double now = ValueOf(summary_.last_eval, "eval/pass@1", 0);
  if (now <= at.best) return {};
  at.best = settled_.best = now;
  const Result<Model> whole = WholePolicy();
  if (!whole.ok()) return whole.error();
  return processes_->first() ? ReplaceBest(*whole) : Status();
}

Status TrainingRun::ReplaceBest(const Model& whole) const {
  namespace fs = std::filesystem;
  const fs::path best = fs::path(env_.out) / "best",
                 temporary = fs::path(env_.out) / ".best-writing";
  std::error_code code;
  RemoveTree(temporary);
  if (Status s = SaveResult(whole, temporary.string()); !s.ok()) return s;
  RemoveTree(best);
  fs::rename(temporary, best, code);
  if (code)
    return Error{ErrorCode::kIo, StrCat("cannot rename to '", best.string(), "': ", code.message()),
                 ""};
  return {};
}

Result<Model> TrainingRun::WholePolicy() const {
  if (HoldsWholeWeights()) return setup_.policy;
  if (spec_.load_in_8bit) {
    if (!processes_->first()) return Model{};
    Result<Model> original = LoadWeights(spec_.model.path);
    if (!original.ok()) return original.error();
    original->config = setup_.policy.config;
    original->lora = std::make_shared<Lora>(*setup_.policy.lora);
    for (LoraPair& pair : original->lora->pairs) {
      pair.a = pair.a.detach().cpu();
      pair.b = pair.b.detach().cpu();
    }
    return original;
  }
  return CatchTorch("gathering the policy", [&]() -> Result<Model> {
    return WholeModel(setup_.policy, at::kFloat, processes_->first(), /*on_cpu=*/true);
  });
}

Status TrainingRun::SaveResult(const Model& whole, const std::string& folder) const {
  Result<at::ScalarType> dtype = ParseDtype(spec_.save_dtype);
  if (!dtype.ok()) return dtype.error();
  return SaveModel(whole, setup_.tokenizer.get(), folder, *dtype);
}

// By the first process, with the shares of the others.
Status TrainingRun::SaveResultTogether(const std::string& folder) const {
  const Result<Model> whole = WholePolicy();
  if (!whole.ok()) return whole.error();
  return processes_->first() ? SaveResult(*whole, folder) : Status();
}

Status TrainingRun::CheckFits(const MemoryPlan& plan) const {
  if (!setup_.policy.device().is_cuda() || !cuda::WhyNotUsable().empty()) return {};
  return CatchTorch("asking for free memory", [&]() -> Status {
    const bool rows_are_set = spec_.generation_rows > 0;
    const double available = cuda::AvailableBytes();
    const std::string note = NearlyFullNote(plan, rows_are_set, available);
    if (!note.empty() && env_.note) env_.note(note);
    return CheckPlan(plan, rows_are_set, available);
  });
}

void TrainingRun::TellPath() const {
  const std::string note = NotFusedNote(setup_.policy.config);
  if (env_.note && !note.empty() && setup_.policy.device().is_cuda()) env_.note(note);
}

// A checkpoint: what is trained, Adam's two moments and the reference, in float32.
void TrainingRun::TellDiskUse() const {
  if (!env_.note) return;
  const double weights = 4.0 * static_cast<double>(CountParameters(setup_.policy));
  const double trained = 4.0 * static_cast<double>(CountTrainable(setup_.policy));
  const double checkpoint = trained * 3 + (reference_ != nullptr ? weights : 0);
  const double result = spec_.save_dtype == "bfloat16" ? weights / 2 : weights;
  const double each = spec_.save_only_model ? result : checkpoint;
  const double most =
      each * static_cast<double>(spec_.save_total_limit + 1) + result * (spec_.keep_best ? 3 : 1);
  if (most < 256e6) return;
  const auto mb = [](double bytes) { return WithThousands(static_cast<int64_t>(bytes / 1e6)); };
  env_.note(StrCat("a checkpoint takes ", mb(each), " MB, the run up to ", mb(most),
                   " MB (save_total_limit, save_dtype)"));
}

Status TrainingRun::SaveModelAlone() {
  const Result<Model> whole = WholePolicy();
  if (!whole.ok()) return whole.error();
  if (!processes_->first()) return {};
  return SaveModelCheckpoint(env_.out, at.step, spec_.save_total_limit,
                             [&](const std::string& folder) { return SaveResult(*whole, folder); });
}

// All processes together: each holds a share of the moments, or of all.
Status TrainingRun::Save() {
  std::vector<NamedTensor> moments;
  Model policy = setup_.policy;
  std::optional<Model> reference;
  const Status gathered = CatchTorch("gathering what is saved", [&]() -> Status {
    moments = optimizer_->State();
    const bool first = processes_->first();
    if (LearningShards(policy) != nullptr)
      policy = WholeModel(policy, at::kFloat, first, /*on_cpu=*/true);
    if (reference_ != nullptr) {
      reference = reference_->source == nullptr
                      ? *reference_
                      : WholeModel(*reference_, at::kFloat, first, /*on_cpu=*/true);
    }
    return {};
  });
  if (!gathered.ok() || !processes_->first()) return gathered;
  Result<int64_t> bytes = log_->SyncedBytes();
  if (!bytes.ok()) return bytes.error();
  // In the middle of a batch that was stepped on already, the rest of the batch is given up.
  const RunCounters& counters = at.step > settled_.step ? at : settled_;
  return SaveCheckpoint(env_.out, counters.step, StateJson(counters, *bytes), policy, moments,
                        reference ? &*reference : nullptr, setup_.tokenizer.get(),
                        spec_.save_total_limit);
}

namespace {

// What a rubric's verifiers want to be read when a run ends: the traceback of a reward function that raised.
void TellNotes(const TrainEnv& env, const Rubric* rubric) {
  if (!env.note || rubric == nullptr) return;
  for (const std::string& note : rubric->Notes()) env.note(note);
}

}  // namespace

Error TrainingRun::GiveUp(Error error) {
  // What all ran into can be saved by all; where one failed alone the last checkpoint stands.
  constexpr int64_t kSeconds = 60;
  const bool together = processes_->AllSay(StrCat("giving up at step ", at.step), kSeconds);
  if (processes_->first()) TellNotes(env_, rubric_.get());
  if (at.step == 0 && checkpoint_.empty()) {
    if (processes_->first()) UnclaimRunFolder(env_);
    return error;
  }
  if (together && Save().ok())
    error.hint += StrCat(error.hint.empty() ? "" : "; ", "--resume goes on from step ", at.step);
  return error;
}

Result<TrainSummary> TrainingRun::Finish() {
  TellNotes(env_, rubric_.get());
  if (Status status = Together(SaveAll()); !status.ok()) return status.error();
  const Status left = CatchTorch("leaving", [&]() -> Status {
    processes_->Leave();
    return {};
  });
  if (!left.ok()) return left.error();
  summary_.speaks = processes_->first();
  summary_.steps = at.step;
  return summary_;
}

Status TrainingRun::SaveAll() {
  if (summary_.interrupted || !spec_.save_only_model) {
    if (Status status = Save(); !status.ok()) return status;
  }
  if (!summary_.interrupted) {
    const std::string folder = (std::filesystem::path(env_.out) / "model").string();
    if (Status status = SaveResultTogether(folder); !status.ok()) return status;
    if (const auto& lora = setup_.policy.lora; lora != nullptr && processes_->first()) {
      const std::string adapter = (std::filesystem::path(env_.out) / "adapter").string();
      if (Status status = SaveLora(*lora, adapter); !status.ok()) return status;
    }
  }
  return processes_->first() ? log_->Close() : Status();
}

}  // namespace assay
