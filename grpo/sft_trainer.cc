#include "grpo/sft_trainer.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <vector>

#include "core/text.h"
#include "grpo/learn/sft_learner.h"
#include "grpo/model/shards.h"
#include "grpo/run/draw_order.h"
#include "grpo/run/memory_plan.h"
#include "grpo/run/sft_rows.h"
#include "grpo/run/training_run.h"
#include "grpo/run/turn_spans.h"
#include "grpo/tokenizer/chat_renderer.h"

namespace assay {
namespace {

// Micro-batches of one optimiser step, and where the data stands after it.
struct Window {
  std::vector<std::vector<SftRow>> micros;
  double labels = 0;
  double tokens = 0;
};

// By rows, or (packing) as many rows as fit into per_device_train_batch_size * max_length tokens.
Window NextWindow(const SftRecipe& recipe, const std::vector<SftRow>& rows, DrawOrder* order,
                  int64_t processes, int64_t* drawn) {
  const int64_t batch = recipe.train.per_device_train_batch_size;
  Window window;
  for (int64_t i = 0; i < recipe.train.gradient_accumulation_steps * processes; ++i) {
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

int64_t TotalSteps(const SftRecipe& recipe, const std::vector<SftRow>& rows, int64_t processes) {
  if (recipe.train.max_steps > 0) return recipe.train.max_steps;
  const double window = static_cast<double>(recipe.train.per_device_train_batch_size *
                                            recipe.train.gradient_accumulation_steps * processes);
  // As transformers counts: the last window of an epoch is a step even where it is not full (it is filled from the next epoch).
  double per_epoch = std::ceil(static_cast<double>(rows.size()) / window);
  if (recipe.packing) {
    double tokens = 0;
    for (const SftRow& row : rows) tokens += static_cast<double>(row.ids.size());
    per_epoch = std::ceil(tokens / (window * static_cast<double>(recipe.max_length)));
  }
  return std::max<int64_t>(
      1, static_cast<int64_t>(
             std::ceil(std::max(1.0, per_epoch) * recipe.train.num_train_epochs - 1e-9)));
}

// What a step tells, and when the run gives up.
Status Report(const Window& window, const StepOutcome& outcome, double learning_rate,
              int64_t num_rows, TrainingRun* run) {
  NamedValues values = run->StepValues(outcome, learning_rate, num_rows);
  values.insert(values.end(), outcome.metrics.begin(), outcome.metrics.end());
  const double step_s = run->StepSeconds();
  values.emplace_back("skipped_steps", run->at.skipped);
  values.emplace_back("step_time", step_s);
  const auto tokens_per_second = static_cast<int64_t>(window.tokens / std::max(1e-9, step_s));
  const std::string note = StrCat("loss ", FixedDigits(outcome.loss, 4), ", ",
                                  WithThousands(tokens_per_second), " tokens/s");
  if (Status status = run->Log(values, note); !status.ok()) return status;
  if (!run->diverged()) return {};
  return Error{ErrorCode::kLimit,
               StrCat("three steps in a row were not finite (step ", run->at.step, ")"),
               "lower learning_rate, or look at the training rows"};
}

// What was lost of the rows, and where the model learns to stop: what the chat template puts behind a turn ends the model's samples from
// now on.
void TellRows(const SftRecipe& recipe, const SftData& data, TrainingRun* run) {
  PolicySetup& setup = run->setup();
  const auto note = [&](const std::string& sentence) {
    if (run->env().note) run->env().note(sentence);
  };
  if (data.cut > 0) {
    note(StrCat(data.cut, " of ", data.read, " rows have more than max_length = ",
                recipe.max_length, " tokens and lose their end"));
  }
  if (data.dropped > 0)
    note(StrCat(data.dropped, " of ", data.read, " rows have nothing to learn and are left out"));
  if (data.chats == 0) return;
  const Result<TurnEnds> ends = TurnEndsOf(*setup.tokenizer);
  if (!ends.ok()) return;
  for (int64_t id : setup.tokenizer->Encode(ends->last)) {
    if (!setup.tokenizer->IsSpecial(id)) continue;
    std::vector<int64_t>& stops = setup.policy.config.eos_ids;
    if (std::find(stops.begin(), stops.end(), id) != stops.end()) return;
    stops.push_back(id);
    note(StrCat("'", setup.tokenizer->TokenBytes(id),
                "', the chat template's end of a turn, ends samples from now on"));
    return;
  }
}

Status Train(const SftRecipe& recipe, const std::vector<SftRow>& rows, SftLearner* learner,
             TrainingRun* run) {
  const auto num_rows = static_cast<int64_t>(rows.size());
  DrawOrder order(static_cast<uint64_t>(recipe.train.seed), num_rows, recipe.train.shuffle_dataset);
  while (run->GoesOn()) {
    const Window window =
        NextWindow(recipe, rows, &order, run->processes()->count(), &run->at.drawn);
    Status accumulated;
    for (size_t i = 0; i < window.micros.size() && accumulated.ok(); ++i) {
      // Of several processes each takes its share.
      if (run->processes()->Owns(static_cast<int64_t>(i)))
        accumulated = learner->Accumulate(window.micros[i], window.labels);
    }
    // Where weights are shared out nobody gets on without this process: what failed cannot wait.
    if (!accumulated.ok() && ShardsOf(run->setup().policy) != nullptr) return accumulated;
    if (Status s = run->Together(accumulated); !s.ok()) return s;
    const double learning_rate = run->LearningRate();
    Result<StepOutcome> outcome = learner->Step(learning_rate);
    if (!outcome.ok()) return outcome.error();
    run->CountStep(*outcome, window.tokens);
    if (Status s = Report(window, *outcome, learning_rate, num_rows, run); !s.ok()) return s;
    if (Status s = run->BetweenSteps(); !s.ok()) return s;
  }
  return {};
}

// On a GPU a run that will not fit does not begin.
Status CheckFits(const SftRecipe& recipe, const std::vector<SftRow>& rows, TrainingRun* run) {
  const Model& policy = run->setup().policy;
  if (!policy.device().is_cuda()) return {};
  SftRecipe known = recipe;
  int64_t prompt = 1;
  std::vector<int64_t> lengths = {1};
  for (const SftRow& row : rows) {
    prompt = std::max<int64_t>(prompt, static_cast<int64_t>(row.labels_from));
    lengths.push_back(static_cast<int64_t>(row.ids.size()));
  }
  if (!recipe.packing) {
    // Rows stand side by side without padding: the most tokens are those of a batch of the longest, here by their mean.
    std::sort(lengths.begin(), lengths.end(), std::greater<>());
    const auto batch = std::min<size_t>(
        lengths.size(), static_cast<size_t>(recipe.train.per_device_train_batch_size));
    const int64_t tokens =
        std::accumulate(lengths.begin(), lengths.begin() + static_cast<int64_t>(batch), int64_t{0});
    const int64_t rows_a_batch = recipe.train.per_device_train_batch_size;
    known.max_length = std::max<int64_t>(1, (tokens + rows_a_batch - 1) / rows_a_batch);
  }
  return run->CheckFits(PlanMemory(policy.config, known, prompt, run->processes()->count()));
}

}  // namespace

Result<TrainSummary> RunSft(const SftRecipe& recipe, const TrainEnv& env) {
  const TrainSpec& spec = recipe.train;
  TrainingRun run(spec, env);
  if (Status s = run.Join(); !s.ok()) return s.error();
  if (Status s = run.Together(run.Open(recipe.json)); !s.ok()) return s.error();
  Result<SftData> data = LoadSftRows(recipe, *run.setup().tokenizer, run.setup().eos_id);
  if (Status s = run.Together(data.ok() ? Status() : data.error()); !s.ok()) return s.error();
  if (Status s = run.Together(CheckFits(recipe, data->rows, &run)); !s.ok()) return s.error();
  TellRows(recipe, *data, &run);
  const std::vector<SftRow>& rows = data->rows;
  if (spec.eval.steps > 0) {
    if (Status s = run.Together(run.SetUpRewards()); !s.ok()) return s.error();
  }
  SftLearner learner(&run.setup().policy, spec.optim, run.setup().compute, run.processes());
  const int64_t total = TotalSteps(recipe, rows, run.processes()->count());
  if (Status s = run.Begin("sft", total, learner.optimizer(), nullptr); !s.ok()) return s.error();
  if (Status s = Train(recipe, rows, &learner, &run); !s.ok()) return run.GiveUp(s.error());
  return run.Finish();
}

}  // namespace assay
