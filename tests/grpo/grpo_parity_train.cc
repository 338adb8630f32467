// grpo_parity's sections that need a model: the trainers' own learners on the file's tiny Llama, from its initial weights to
// its final ones, step by step. Rewards, completions and the order of rows come from the file; everything else is computed.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>

#include "core/rng.h"
#include "core/text.h"
#include "grpo/learner.h"
#include "grpo/sft_learner.h"
#include "grpo/weights.h"
#include "tests/grpo/parity.h"

namespace assay::parity {
namespace {

// Where a first gradient is some 1e-7 and less, Adam turns its rounding into a step: the reference's own code, run again on other
// processors or with other kernels, ends up to 1.5e-5 away from the published file's weights. So each run is done twice. Computed
// in float64 over the float32 master weights, only the reference's rounding is between the two, on every machine the same;
// computed in float32, as training does, ours comes on top.
struct Precision {
  const char* suffix;
  at::ScalarType compute;
  double tol_weights;
  double
      tol_run;  // losses, log-probs, norms and metrics: the runs drift apart as their weights may
};
constexpr Precision kExact{"", at::kDouble, 1e-5, 5e-5};
constexpr Precision kTraining{"_float32", at::kFloat, 1e-4, 5e-4};
// What rounding does to a weight that is out of tolerance all the same is measured: as many float32 runs from initial weights
// that are one unit in the last place away. The weight fails if it is further from the reference than thrice the furthest of them.
constexpr int kProbes = 8;
constexpr double kProbeReach = 3;

constexpr int64_t kPad = 0;

ModelConfig ConfigOf(const Json& config) {
  ModelConfig out;
  out.family = "llama";
  out.vocab_size = static_cast<int64_t>(Number(config, "vocab"));
  out.hidden_size = static_cast<int64_t>(Number(config, "hidden"));
  out.intermediate_size = static_cast<int64_t>(Number(config, "inter"));
  out.num_layers = static_cast<int64_t>(Number(config, "layers"));
  out.num_heads = static_cast<int64_t>(Number(config, "heads"));
  out.num_kv_heads = static_cast<int64_t>(Number(config, "kv_heads"));
  out.head_dim = static_cast<int64_t>(Number(config, "head_dim"));
  out.rope.theta = Number(config, "rope_theta");
  out.rms_eps = Number(config, "rms_eps");
  out.tied_head = config.BoolOr("tie", true);
  return out;
}

at::Tensor WeightOf(const Json& entry, at::ScalarType dtype) {
  return TensorOf(Need(entry, "data"), at::kDouble).view(Integers(Need(entry, "shape"))).to(dtype);
}

Model MakeModel(const Json& config, const Json& weights, at::ScalarType dtype) {
  Result<Model> model = RandomModel(ConfigOf(config), 0, 0.02, dtype);
  if (!model.ok()) BadFile(model.error().message);
  c10::NoGradGuard no_grad;
  for (NamedTensor& weight : NamedWeights(*model)) {
    const at::Tensor given =
        WeightOf(Need(weights, weight.name), at::kFloat).to(dtype);  // nine digits say a float32
    if (given.sizes() != weight.tensor.sizes()) BadFile(StrCat("the shape of ", weight.name));
    weight.tensor.copy_(given);
  }
  return std::move(model).value();
}

using Weights = std::vector<at::Tensor>;  // float64, flat, in NamedWeights' order

Weights WeightsOf(const Model& model) {
  Weights out;
  for (const NamedTensor& weight : NamedWeights(model))
    out.push_back(weight.tensor.detach().to(at::kDouble).flatten().contiguous());
  return out;
}

// Every weight one unit in the last place up or down.
void Nudge(Model* model, int probe) {
  c10::NoGradGuard no_grad;
  Rng rng(static_cast<uint64_t>(probe), "probe");
  for (NamedTensor& weight : NamedWeights(*model)) {
    std::vector<float> factors(static_cast<size_t>(weight.tensor.numel()));
    for (float& factor : factors)
      factor = 1.0f + (rng.Below(2) == 0 ? -1.0f : 1.0f) * std::numeric_limits<float>::epsilon();
    weight.tensor.mul_(at::tensor(factors).view(weight.tensor.sizes()));
  }
}

// How far the probes' weights are from `exact`; `play` makes a float32 run from nudged weights.
Weights RoundingReach(const Weights& exact, const std::function<Weights(int)>& play) {
  Weights reach;
  for (const at::Tensor& weight : exact) reach.push_back(at::zeros_like(weight));
  for (int probe = 1; probe <= kProbes; ++probe) {
    const Weights moved = play(probe);
    for (size_t i = 0; i < moved.size(); ++i)
      reach[i] = at::maximum(reach[i], (moved[i] - exact[i]).abs());
  }
  return reach;
}

void CompareWeights(const Model& model, const Json& expected, double tolerance,
                    const std::function<Weights(int)>& play, Section* section) {
  const Weights ours = WeightsOf(model);
  const std::vector<NamedTensor> named = NamedWeights(model);
  Weights reach;
  for (size_t i = 0; i < ours.size(); ++i) {
    const std::vector<double> theirs = Numbers(Need(Need(expected, named[i].name), "data"));
    if (static_cast<int64_t>(theirs.size()) != ours[i].numel())
      return section->Fail(named[i].name, "another shape");
    for (size_t j = 0; j < theirs.size(); ++j) {
      const double value = ours[i].data_ptr<double>()[j];
      const double error = std::abs(value - theirs[j]) / std::max(1.0, std::abs(theirs[j]));
      if (error > tolerance) {
        if (reach.empty()) reach = RoundingReach(ours, play);
        if (std::abs(value - theirs[j]) <= kProbeReach * reach[i].data_ptr<double>()[j]) {
          section->Undetermined();
          continue;
        }
      }
      section->Compare(StrCat(named[i].name, "[", j, "]"), value, theirs[j], tolerance);
    }
  }
}

// --- e2e --------------------------------------------------------------------------------------------------------------

GrpoRecipe RecipeOf(const Json& config, int64_t accumulation, int64_t steps_per_generation,
                    int64_t max_length, int64_t rows) {
  GrpoRecipe recipe;
  Result<LossType> type = LossTypeFromName(*Need(config, "loss_type").AsString());
  if (!type.ok()) BadFile(type.error().message);
  recipe.loss.type = *type;
  recipe.loss.beta = Number(config, "beta");
  recipe.loss.epsilon_low = Number(config, "epsilon");
  recipe.loss.epsilon_high =
      Has(config, "epsilon_high") ? Number(config, "epsilon_high") : recipe.loss.epsilon_low;
  recipe.loss.max_completion_length = max_length;
  if (Has(config, "importance_sampling_level")) {
    recipe.loss.ratio_level =
        *RatioLevelFromName(*Need(config, "importance_sampling_level").AsString());
  }
  recipe.num_generations = static_cast<int64_t>(Number(config, "num_generations"));
  recipe.num_iterations = static_cast<int64_t>(Number(config, "num_iterations"));
  Result<RewardScale> scale = RewardScaleFromName(*Need(config, "scale_rewards").AsString());
  if (!scale.ok()) BadFile(scale.error().message);
  recipe.scale = *scale;
  recipe.mask_truncated_completions = config.BoolOr("mask_truncated", false);
  recipe.null_rows = NullRows::kTrl;
  recipe.steps_per_generation = steps_per_generation;
  recipe.train.gradient_accumulation_steps = accumulation;
  recipe.train.per_device_train_batch_size = rows;
  recipe.train.temperature = Number(config, "temperature");
  recipe.train.optim.learning_rate = Number(config, "lr");
  recipe.train.optim.weight_decay = Number(config, "weight_decay");
  const std::vector<double> betas = Numbers(Need(config, "betas"));
  if (betas.size() != 2) BadFile("'betas' has not two numbers");
  recipe.train.optim.adam_beta1 = betas[0];
  recipe.train.optim.adam_beta2 = betas[1];
  recipe.train.optim.adam_epsilon = Number(config, "eps");
  recipe.train.optim.max_grad_norm = Number(config, "max_grad_norm");
  return recipe;
}

// Padded ids with their mask: the real ones.
std::vector<int64_t> Unpad(const std::vector<double>& ids, const std::vector<double>& mask) {
  std::vector<int64_t> out;
  for (size_t t = 0; t < ids.size(); ++t) {
    if (mask[t] != 0) out.push_back(static_cast<int64_t>(ids[t]));
  }
  return out;
}

GenerationBatch BatchOf(const Json& generation, const GrpoRecipe& recipe) {
  const auto prompt_ids = Matrix(Need(generation, "prompt_ids"));
  const auto prompt_mask = Matrix(Need(generation, "prompt_mask"));
  const auto completion_ids = Matrix(Need(generation, "completion_ids"));
  const auto completion_mask = Matrix(Need(generation, "completion_mask"));
  const std::vector<double> rewards = Numbers(Need(generation, "rewards"));
  GenerationBatch batch;
  for (size_t i = 0; i < prompt_ids.size(); ++i) {
    if (i % recipe.num_generations == 0)
      batch.groups.push_back({Unpad(prompt_ids[i], prompt_mask[i]), {}});
    RolloutRow row;
    // A row whose mask is 0 although it has tokens was cut off and is masked for it.
    const bool masked = std::all_of(completion_mask[i].begin(), completion_mask[i].end(),
                                    [](double m) { return m == 0; });
    row.completion =
        masked ? Unpad(completion_ids[i], std::vector<double>(completion_ids[i].size(), 1))
               : Unpad(completion_ids[i], completion_mask[i]);
    row.truncated = masked;
    row.rewards = {std::isnan(rewards[i]) ? Reward() : Reward(rewards[i])};
    batch.groups.back().rows.push_back(std::move(row));
  }
  return batch;
}

// Which row of the batch each row of the file's micro-batch is, by its completion's tokens (each row used once).
MicroBatch MicroOf(const Json& micro, const GenerationBatch& batch) {
  MicroBatch out;
  for (std::vector<double> ids : Matrix(Need(micro, "completion_ids"))) {
    bool found = false;
    for (size_t g = 0; g < batch.groups.size() && !found; ++g) {
      for (size_t r = 0; r < batch.groups[g].rows.size() && !found; ++r) {
        const std::vector<int64_t>& completion = batch.groups[g].rows[r].completion;
        const std::pair<int32_t, int32_t> at(g, r);
        if (completion.size() > ids.size() || std::find(out.begin(), out.end(), at) != out.end())
          continue;
        bool same = std::equal(completion.begin(), completion.end(), ids.begin(),
                               [](int64_t a, double b) { return a == b; });
        for (size_t t = completion.size(); t < ids.size(); ++t) same = same && ids[t] == kPad;
        if (same) {
          out.push_back(at);
          found = true;
        }
      }
    }
    if (!found) BadFile("a micro step's completion is not in its generation");
  }
  return out;
}

void CompareRows(const std::string& what, const std::vector<std::vector<float>>& ours,
                 const Json& theirs, double tolerance, Section* section) {
  const auto expected = Matrix(theirs);
  for (size_t b = 0; b < ours.size(); ++b) {
    for (size_t t = 0; t < ours[b].size(); ++t) {
      section->Compare(StrCat(what, "[", b, ",", t, "]"), ours[b][t], expected.at(b).at(t),
                       tolerance);
    }
  }
}

// Log-probs or entropies of a micro-batch; what the file says of rows that are masked as a whole is the reference's padding.
void CompareMicro(const std::string& what, std::vector<std::vector<float>> ours, const Json& theirs,
                  const GenerationBatch& batch, const MicroBatch& micro, double tolerance,
                  Section* section) {
  for (size_t b = 0; b < micro.size(); ++b) {
    if (batch.groups[micro[b].first].rows[micro[b].second].truncated) ours[b].clear();
  }
  CompareRows(what, ours, theirs, tolerance, section);
}

// The advantages, and old and reference log-probs where the file has them.
void CompareBatch(const GenerationBatch& batch, const Json& generation, double tolerance,
                  Section* section) {
  std::vector<double> advantages;
  std::vector<std::vector<float>> old, reference;
  for (const RolloutGroup& group : batch.groups) {
    for (const RolloutRow& row : group.rows) {
      advantages.push_back(row.advantage.value);
      old.push_back(row.old_logp);
      reference.push_back(row.ref_logp);
    }
  }
  section->Compare("advantages", advantages, Numbers(Need(generation, "advantages")), 1e-6);
  section->Compare("num_items_in_batch", batch.num_items, Number(generation, "num_items_in_batch"),
                   0);
  if (Has(generation, "old_logps"))
    CompareRows("old_logps", old, Need(generation, "old_logps"), tolerance, section);
  if (Has(generation, "ref_logps"))
    CompareRows("ref_logps", reference, Need(generation, "ref_logps"), tolerance, section);
}

void CompareLog(const StepOutcome& step, const GenerationBatch& batch, const Json& log,
                double tolerance, Section* section) {
  std::map<std::string, double> ours(step.metrics.begin(), step.metrics.end());
  ours["loss"] = step.loss;
  ours["grad_norm"] = step.grad_norm;
  ours["reward"] = batch.stats.reward.mean;
  ours["reward_std"] = batch.stats.reward.std;
  ours["frac_reward_zero_std"] = batch.stats.frac_reward_zero_std;
  for (const Json::Member& entry : *log.AsObject()) {
    if (entry.key == "learning_rate") continue;  // given by the configuration
    const auto found = ours.find(entry.key);
    if (found == ours.end()) {
      section->Fail(entry.key, "not logged by us");
    } else {
      section->Compare(entry.key, found->second, entry.value.NumberOr(NAN), tolerance);
    }
  }
}

// dr_grpo divides by it. A run that does not state it has the one that the file's loss cases state.
int64_t MaxCompletionLength(const Json& config, const Json& golden) {
  if (Has(config, "max_completion_length"))
    return static_cast<int64_t>(Number(config, "max_completion_length"));
  const Json* losses = golden.Find("losses");
  if (losses == nullptr || !losses->IsArray() || losses->AsArray()->empty())
    BadFile("'max_completion_length' is missing");
  return static_cast<int64_t>(Number((*losses->AsArray())[0], "max_completion_length"));
}

// Plays the run; `probe` > 0: from nudged weights, for its end alone.
Weights RunOne(const Json& run, const Json& golden, const Precision& precision, int probe,
               Section* section) {
  const Json& config = Need(run, "config");
  const Json::Array& generations = *Need(run, "generations").AsArray();
  const Json::Array& micro_steps = *Need(run, "micro_steps").AsArray();
  const Json::Array& logs = *Need(run, "logs").AsArray();
  if (generations.empty() || logs.empty()) BadFile("an e2e run without steps");
  const auto mu = static_cast<size_t>(Number(config, "num_iterations"));
  // The file does not state them, its counts do.
  const size_t spg = micro_steps.size() / (generations.size() * mu);
  const size_t accumulation = micro_steps.size() / logs.size();
  const int64_t max_length = MaxCompletionLength(config, golden);
  const auto rows = static_cast<int64_t>(Need(micro_steps[0], "completion_ids").AsArray()->size());
  const GrpoRecipe recipe = RecipeOf(config, accumulation, spg, max_length, rows);
  Model policy = MakeModel(config, Need(run, "initial_weights"), at::kFloat);
  if (probe > 0) Nudge(&policy, probe);
  GrpoLearner learner(&policy, recipe, {precision.compute});
  size_t done = 0;
  for (const Json& generation : generations) {
    GenerationBatch batch = BatchOf(generation, recipe);
    for (const Status& status :
         {learner.AssignAdvantages(&batch), learner.ScoreOldAndReference(&batch)}) {
      if (!status.ok()) return section->Fail("batch", status.error().message), Weights{};
    }
    CompareBatch(batch, generation, precision.tol_run, section);
    for (size_t i = 0; i < mu * spg; ++i) {
      const Json& expected = micro_steps.at(done);
      const MicroBatch micro = MicroOf(expected, batch);
      Result<GrpoLearner::RowScores> scores =
          learner.ScoreRows(CastModel(policy, precision.compute), batch, micro);
      if (!scores.ok()) return section->Fail("scores", scores.error().message), Weights{};
      CompareMicro(StrCat("micro ", done, " logps"), scores->logp, Need(expected, "logps"), batch,
                   micro, precision.tol_run, section);
      CompareMicro(StrCat("micro ", done, " entropies"), scores->entropy,
                   Need(expected, "entropies"), batch, micro, precision.tol_run, section);
      MicroBatch ordered = micro;
      std::sort(ordered.begin(), ordered.end());
      if (Status status = learner.Accumulate(batch, ordered); !status.ok())
        return section->Fail("step", status.error().message), Weights{};
      if (++done % accumulation != 0) continue;
      Result<StepOutcome> step = learner.Step(recipe.train.optim.learning_rate);
      if (!step.ok()) return section->Fail("step", step.error().message), Weights{};
      CompareLog(*step, batch, logs.at(done / accumulation - 1), precision.tol_run, section);
    }
  }
  if (probe == 0) {
    CompareWeights(
        policy, Need(run, "final_weights"), precision.tol_weights,
        [&](int number) {
          Section quiet("probe", /*quiet=*/true);
          return RunOne(run, golden, kTraining, number, &quiet);
        },
        section);
  }
  return WeightsOf(policy);
}

const Json& FirstConfig(const Json& golden) {
  const Json* runs = golden.Find("e2e");
  if (runs == nullptr || !runs->IsArray() || runs->AsArray()->empty())
    BadFile("no e2e run to take a configuration from");
  return Need((*runs->AsArray())[0], "config");
}

// The rows of one batch; adds its labels and tokens to the counts.
std::vector<SftRow> SftRowsOf(const Json& batch, double* items, double* tokens) {
  const auto ids = Matrix(Need(batch, "input_ids"));
  const auto labels = Matrix(Need(batch, "labels"));
  const auto mask = Matrix(Need(batch, "attention_mask"));
  std::vector<SftRow> rows;
  for (size_t b = 0; b < ids.size(); ++b) {
    SftRow row{Unpad(ids[b], mask[b]), 1};
    const auto first =
        std::find_if(labels[b].begin(), labels[b].end(), [](double x) { return x != -100; });
    row.labels_from = std::max<int64_t>(1, first - labels[b].begin());
    *items += row.num_labels();
    *tokens += row.ids.size();
    rows.push_back(std::move(row));
  }
  return rows;
}

Weights RunSft(const Json& run, const Json& golden, const Precision& precision, int probe,
               Section* section) {
  const Json& config = run.Find("config") != nullptr ? Need(run, "config") : FirstConfig(golden);
  OptimSpec optim = RecipeOf(config, 1, 1, 1, 1).train.optim;
  // The SFT trainer's default where the run has no configuration of its own.
  if (run.Find("config") == nullptr) optim.weight_decay = 0;
  Model policy = MakeModel(config, Need(run, "initial_weights"), at::kFloat);
  if (probe > 0) Nudge(&policy, probe);
  SftLearner learner(&policy, optim, {precision.compute});
  const Json::Array& batches = *Need(run, "batches").AsArray();
  const Json::Array& logs = *Need(run, "logs").AsArray();
  if (logs.empty() || batches.size() % logs.size() != 0) BadFile("an sft run without steps");
  const size_t accumulation = batches.size() / logs.size();
  double tokens = 0;
  for (size_t step = 0; step < logs.size(); ++step) {
    std::vector<std::vector<SftRow>> micros;
    double items = 0;
    for (size_t i = 0; i < accumulation; ++i)
      micros.push_back(SftRowsOf(batches[step * accumulation + i], &items, &tokens));
    for (const std::vector<SftRow>& rows : micros) {
      if (Status status = learner.Accumulate(rows, items); !status.ok())
        return section->Fail("step", status.error().message), Weights{};
    }
    Result<StepOutcome> outcome = learner.Step(optim.learning_rate);
    if (!outcome.ok()) return section->Fail("step", outcome.error().message), Weights{};
    outcome->metrics.emplace_back("loss", outcome->loss);
    outcome->metrics.emplace_back("grad_norm", outcome->grad_norm);
    outcome->metrics.emplace_back("num_tokens", tokens);
    if (accumulation == 1)
      section->Compare("loss", outcome->loss, Number(batches[step], "loss"), precision.tol_run);
    for (const auto& [name, value] : outcome->metrics) {
      if (Has(logs[step], name))
        section->Compare(name, value, Number(logs[step], name), precision.tol_run);
    }
  }
  if (probe == 0) {
    CompareWeights(
        policy, Need(run, "final_weights"), precision.tol_weights,
        [&](int number) {
          Section quiet("probe", /*quiet=*/true);
          return RunSft(run, golden, kTraining, number, &quiet);
        },
        section);
  }
  return WeightsOf(policy);
}

}  // namespace

bool TinyForward(const Json& golden) {
  Section section("tiny_forward");
  section.Case("tiny_forward");
  const Json& item = Need(golden, "tiny_forward");
  const Model model =
      MakeModel(FirstConfig(golden), Need((*Need(golden, "e2e").AsArray())[0], "initial_weights"),
                at::kDouble);
  c10::NoGradGuard no_grad;
  const PackedBatch batch = PackRows({Integers(Need(item, "ids"))}, at::kCPU);
  section.Compare("logits", Logits(model, Forward(model, batch)), Need(item, "logits_f64"), 1e-9);
  return section.Finish();
}

bool EndToEnd(const Json& golden) {
  bool good = true;
  for (const Precision& precision : {kExact, kTraining}) {
    Section section(StrCat("e2e", precision.suffix));
    for (const Json& run : *Need(golden, "e2e").AsArray()) {
      section.Case(std::string(run.StringOr("id", "?")));
      RunOne(run, golden, precision, /*probe=*/0, &section);
    }
    good = section.Finish() && good;
  }
  return good;
}

bool Sft(const Json& golden) {
  bool good = true;
  for (const Precision& precision : {kExact, kTraining}) {
    Section section(StrCat("sft", precision.suffix));
    for (const Json& run : *Need(golden, "sft").AsArray()) {
      section.Case(std::string(run.StringOr("id", "?")));
      RunSft(run, golden, precision, /*probe=*/0, &section);
    }
    good = section.Finish() && good;
  }
  return good;
}

}  // namespace assay::parity
