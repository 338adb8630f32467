#include "grpo/sft_trainer.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <optional>

#include "core/text.h"
#include "grpo/learn/sft_learner.h"
#include "grpo/model/weights.h"
#include "grpo/run/checkpoint.h"
#include "grpo/run/train_data.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;
double Seconds(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

// Micro-batches of one optimiser step, and where the data stands after it.
struct Window {
  std::vector<std::vector<SftRow>> micros;
  double labels = 0;
  double tokens = 0;
};

// By rows, or (packing) as many rows as fit into per_device_train_batch_size * max_length tokens.
Window NextWindow(const SftRecipe& recipe, const std::vector<SftRow>& rows, DrawOrder* order,
                  int64_t* drawn) {
  const int64_t batch = recipe.train.per_device_train_batch_size;
  Window window;
  for (int64_t i = 0; i < recipe.train.gradient_accumulation_steps; ++i) {
    std::vector<SftRow>& micro = window.micros.emplace_back();
    int64_t tokens = 0;
    while (true) {
      const SftRow& row = rows[order->At(*drawn)];
      const auto length = static_cast<int64_t>(row.ids.size());
      if (recipe.packing ? !micro.empty() && tokens + length > batch * recipe.max_length
                         : static_cast<int64_t>(micro.size()) == batch) {
        break;
      }
      micro.push_back(row);
      tokens += length;
      window.labels += row.num_labels();
      ++*drawn;
    }
    window.tokens += tokens;
  }
  return window;
}

int64_t TotalSteps(const SftRecipe& recipe, const std::vector<SftRow>& rows) {
  if (recipe.train.max_steps > 0) return recipe.train.max_steps;
  const double window = static_cast<double>(recipe.train.per_device_train_batch_size *
                                            recipe.train.gradient_accumulation_steps);
  double per_epoch = std::floor(static_cast<double>(rows.size()) / window);
  if (recipe.packing) {
    double tokens = 0;
    for (const SftRow& row : rows) tokens += static_cast<double>(row.ids.size());
    per_epoch = std::ceil(tokens / (window * static_cast<double>(recipe.max_length)));
  }
  return std::max<int64_t>(
      1, static_cast<int64_t>(std::max(1.0, per_epoch) * recipe.train.num_train_epochs));
}

}  // namespace

Result<TrainSummary> RunSft(const SftRecipe& recipe, const TrainEnv& env) {
  const TrainSpec& spec = recipe.train;
  Result<std::string> checkpoint = OpenRunFolder(env, recipe.json);
  if (!checkpoint.ok()) return checkpoint.error();
  Result<PolicySetup> setup = SetUpPolicy(spec);
  if (!setup.ok()) return setup.error();
  Result<std::vector<SftRow>> rows = LoadSftRows(recipe, *setup->tokenizer, setup->eos_id);
  if (!rows.ok()) return rows.error();
  std::vector<Problem> held_out;
  std::optional<RewardPool> pool;
  if (spec.eval.steps > 0) {
    Result<std::vector<Problem>> problems =
        LoadProblems(spec.data.eval, spec.data, spec.eval.limit);
    if (!problems.ok()) return problems.error();
    held_out = std::move(*problems);
    Result<std::shared_ptr<const Rubric>> rubric = SetUpRubric(spec.reward, env.verifiers);
    if (!rubric.ok()) return rubric.error();
    pool.emplace(*rubric, PoolOptions(spec.reward));
  }

  SftLearner learner(&setup->policy, spec.optim, setup->compute);
  const int64_t total = TotalSteps(recipe, *rows);
  const Schedule schedule = MakeSchedule(spec.optim, total);
  int64_t step = 0, drawn = 0, skipped = 0, skipped_in_row = 0;
  double tokens = 0;
  int64_t metrics_bytes = -1;
  if (!checkpoint->empty()) {
    Result<Json> state = LoadCheckpoint(*checkpoint, &setup->policy, learner.optimizer(), nullptr);
    if (!state.ok()) return state.error();
    step = state->IntOr("step", 0);
    drawn = state->IntOr("drawn", 0);
    tokens = state->DoubleOr("tokens", 0);
    skipped = state->IntOr("skipped", 0);
    metrics_bytes = state->IntOr("metrics_bytes", -1);
    if (env.note) env.note(StrCat("going on from step ", step));
  }
  Result<std::unique_ptr<RunLog>> opened =
      RunLog::Open({env.out, metrics_bytes, step, total, "sft", env.progress});
  if (!opened.ok()) return opened.error();
  RunLog& log = **opened;
  DrawOrder order(static_cast<uint64_t>(spec.seed), static_cast<int64_t>(rows->size()),
                  spec.shuffle_dataset);

  TrainSummary summary;
  const auto save = [&]() -> Status {
    Result<int64_t> bytes = log.SyncedBytes();
    if (!bytes.ok()) return bytes.error();
    Json state = Json::MakeObject();
    state.Set("step", step)
        .Set("drawn", drawn)
        .Set("tokens", tokens)
        .Set("skipped", skipped)
        .Set("metrics_bytes", *bytes);
    return SaveCheckpoint(env.out, step, state, setup->policy, *learner.optimizer(), nullptr,
                          setup->tokenizer.get(), spec.save_total_limit);
  };
  const auto evaluate = [&]() -> Status {
    Result<NamedValues> values = Evaluate(*setup, spec, held_out, &*pool, env);
    if (!values.ok()) return values.error();
    summary.last_eval = *values;
    if (env.note)
      env.note(StrCat("step ", step, ": held-out pass@1 ",
                      FixedDigits(100 * ValueOf(*values, "eval/pass@1", 0), 1), " %"));
    return log.Write(step, *values);
  };
  if (pool && step == 0 && spec.eval.at_start) {
    if (Status status = evaluate(); !status.ok()) return status.error();
  }

  const Clock::time_point begun = Clock::now();
  summary.stopped_by = "steps";
  while (step < total) {
    if (Interrupted(env)) {
      summary.interrupted = true;
      summary.stopped_by = "interrupt";
      break;
    }
    if (spec.max_seconds > 0 && Seconds(begun) > spec.max_seconds) {
      summary.stopped_by = "max_seconds";
      break;
    }
    const Clock::time_point started = Clock::now();
    const Window window = NextWindow(recipe, *rows, &order, &drawn);
    for (const std::vector<SftRow>& micro : window.micros) {
      if (Status status = learner.Accumulate(micro, window.labels); !status.ok())
        return status.error();
    }
    const double learning_rate = LearningRateAt(schedule, step);
    Result<StepOutcome> outcome = learner.Step(learning_rate);
    if (!outcome.ok()) return outcome.error();
    ++step;
    tokens += window.tokens;
    skipped += outcome->skipped;
    skipped_in_row = outcome->skipped ? skipped_in_row + 1 : 0;
    if (step % spec.logging_steps == 0 || step == total || outcome->skipped) {
      NamedValues values = {{"epoch", static_cast<double>(drawn) / rows->size()},
                            {"loss", outcome->loss},
                            {"grad_norm", outcome->grad_norm},
                            {"learning_rate", learning_rate},
                            {"num_tokens", tokens}};
      values.insert(values.end(), outcome->metrics.begin(), outcome->metrics.end());
      values.emplace_back("skipped_steps", skipped);
      values.emplace_back("step_time", Seconds(started));
      if (Status status = log.Write(step, values); !status.ok()) return status.error();
    }
    if (skipped_in_row == 3) {
      return Error{ErrorCode::kLimit,
                   StrCat("three steps in a row were not finite (step ", step, ")"),
                   "lower learning_rate, or look at the training rows"};
    }
    log.Show(step, StrCat("loss ", FixedDigits(outcome->loss, 4), ", ",
                          WithThousands(static_cast<int64_t>(window.tokens /
                                                             std::max(1e-9, Seconds(started)))),
                          " tokens/s"));
    if (pool && (step % spec.eval.steps == 0 || step == total)) {
      if (Status status = evaluate(); !status.ok()) {
        if (Interrupted(env)) continue;
        return status.error();
      }
      if (spec.eval.stop_at > 0 &&
          ValueOf(summary.last_eval, "eval/pass@1", 0) >= spec.eval.stop_at) {
        summary.stopped_by = "eval.stop_at";
        break;
      }
    }
    if (spec.save_steps > 0 && step % spec.save_steps == 0 && step < total) {
      if (Status status = save(); !status.ok()) return status.error();
    }
  }
  if (Status status = save(); !status.ok()) return status.error();
  if (!summary.interrupted) {
    const std::string folder = (std::filesystem::path(env.out) / "model").string();
    if (Status status = SaveModel(setup->policy, setup->tokenizer.get(), folder); !status.ok())
      return status.error();
  }
  if (Status status = log.Close(); !status.ok()) return status.error();
  summary.steps = step;
  return summary;
}

}  // namespace assay
