// grpo_parity's sections that need a model: the trainers' own learners on the file's tiny Llama, from its initial weights to
// its final ones, step by step. Rewards, completions and the order of rows come from the file; everything else is computed.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <map>

#include "core/rng.h"
#include "core/text.h"
#include "grpo/learn/learner.h"
#include "grpo/learn/sft_learner.h"
#include "grpo/model/weights.h"
#include "tests/grpo/learn/parity.h"

namespace assay::parity {
namespace {

// Where a first gradient is some 1e-7 and less, Adam turns its rounding into a step: the reference's own code, run again on other
// processors or with other kernels, ends up to 1.5e-5 away from the published file's weights. So each run is done twice. Computed
// in float64 over the float32 master weights, only the reference's rounding is between the two, on every machine the same;
// computed in float32, as training does, ours comes on top.
struct Precision {
  const char* suffix;
  at::ScalarType compute;
};
constexpr Precision kExact{"", at::kDouble};
constexpr Precision kTraining{"_float32", at::kFloat};
constexpr double kTolWeights = 1e-5;
// Losses, log-probs, norms and metrics: the runs drift apart as their weights may.
constexpr double kTolRun = 5e-5;
// What rounding does to a value that is out of tolerance all the same is measured: as many float32 runs from initial weights that
// are one unit in the last place away. The value fails if it is further from the reference than thrice the furthest of them.
constexpr int kProbes = 8;
constexpr double kProbeReach = 3;

// What a run is compared by, in the order of its making: the same order in every play of the same run.
struct Value {
  std::string what;
  double ours;
  double theirs;
  double tolerance;
};
using Values = std::vector<Value>;

bool Outside(const Value& value) {
  if (std::isnan(value.ours) && std::isnan(value.theirs)) return false;
  return !(std::abs(value.ours - value.theirs) <=
           value.tolerance * std::max(1.0, std::abs(value.theirs)));
}

// Compares; `play(n, ..)` makes the n-th float32 run from nudged weights, and is asked only if something is out of tolerance.
void Judge(const Values& values, const std::function<void(int, Values*)>& play, Section* section) {
  std::vector<double> reach(values.size(), 0.0);
  if (std::any_of(values.begin(), values.end(), Outside)) {
    for (int probe = 1; probe <= kProbes; ++probe) {
      Values moved;
      play(probe, &moved);
      if (moved.size() != values.size()) continue;  // it failed; the run itself says why
      for (size_t i = 0; i < values.size(); ++i)
        reach[i] = std::max(reach[i], std::abs(moved[i].ours - values[i].ours));
    }
  }
  for (size_t i = 0; i < values.size(); ++i) {
    const Value& value = values[i];
    if (Outside(value) && std::abs(value.ours - value.theirs) <= kProbeReach * reach[i]) {
      section->Undetermined(std::abs(value.ours - value.theirs));
    } else {
      section->Compare(value.what, value.ours, value.theirs, value.tolerance);
    }
  }
}

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

// Where the models live: ASSAY_PARITY_DEVICE=cuda compares the GPU's path.
at::Device TestDevice() {
  const char* name = std::getenv("ASSAY_PARITY_DEVICE");
  return at::Device(name == nullptr ? "cpu" : name);
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
  return ToDevice(*model, TestDevice());
}

// Every weight one unit in the last place up or down.
void Nudge(Model* model, int probe) {
  c10::NoGradGuard no_grad;
  Rng rng(static_cast<uint64_t>(probe), "probe");
  for (NamedTensor& weight : NamedWeights(*model)) {
    std::vector<float> factors(static_cast<size_t>(weight.tensor.numel()));
    for (float& factor : factors)
      factor = 1.0f + (rng.Below(2) == 0 ? -1.0f : 1.0f) * std::numeric_limits<float>::epsilon();
    weight.tensor.mul_(at::tensor(factors).view(weight.tensor.sizes()).to(weight.tensor.device()));
  }
}

void AddWeights(const Model& model, const Json& expected, double tolerance, Values* values) {
  for (const NamedTensor& weight : NamedWeights(model)) {
    const std::vector<double> theirs = Numbers(Need(Need(expected, weight.name), "data"));
    const at::Tensor ours = weight.tensor.detach().to(at::kCPU, at::kDouble).flatten().contiguous();
    if (static_cast<int64_t>(theirs.size()) != ours.numel())
      BadFile(StrCat("the shape of ", weight.name));
    for (size_t i = 0; i < theirs.size(); ++i) {
      values->push_back(
          {StrCat(weight.name, "[", i, "]"), ours.data_ptr<double>()[i], theirs[i], tolerance});
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

void AddRows(const std::string& what, const std::vector<std::vector<float>>& ours,
             const Json& theirs, double tolerance, Values* values) {
  const auto expected = Matrix(theirs);
  for (size_t b = 0; b < ours.size(); ++b) {
    for (size_t t = 0; t < ours[b].size(); ++t) {
      values->push_back(
          {StrCat(what, "[", b, ",", t, "]"), ours[b][t], expected.at(b).at(t), tolerance});
    }
  }
}

// Log-probs or entropies of a micro-batch; what the file says of rows that are masked as a whole is the reference's padding.
void AddMicro(const std::string& what, std::vector<std::vector<float>> ours, const Json& theirs,
              const GenerationBatch& batch, const MicroBatch& micro, double tolerance,
              Values* values) {
  for (size_t b = 0; b < micro.size(); ++b) {
    if (batch.groups[micro[b].first].rows[micro[b].second].truncated) ours[b].clear();
  }
  AddRows(what, ours, theirs, tolerance, values);
}

// The advantages, and old and reference log-probs where the file has them.
void AddBatch(const GenerationBatch& batch, const Json& generation, double tolerance,
              Values* values) {
  std::vector<double> advantages;
  std::vector<std::vector<float>> old, reference;
  for (const RolloutGroup& group : batch.groups) {
    for (const RolloutRow& row : group.rows) {
      advantages.push_back(row.advantage.value);
      old.push_back(row.old_logp);
      reference.push_back(row.ref_logp);
    }
  }
  const std::vector<double> theirs = Numbers(Need(generation, "advantages"));
  if (theirs.size() != advantages.size()) BadFile("'advantages' of another length");
  for (size_t i = 0; i < theirs.size(); ++i)
    values->push_back({StrCat("advantages[", i, "]"), advantages[i], theirs[i], 1e-6});
  values->push_back(
      {"num_items_in_batch", batch.num_items, Number(generation, "num_items_in_batch"), 0});
  if (Has(generation, "old_logps"))
    AddRows("old_logps", old, Need(generation, "old_logps"), tolerance, values);
  if (Has(generation, "ref_logps"))
    AddRows("ref_logps", reference, Need(generation, "ref_logps"), tolerance, values);
}

void AddLog(const StepOutcome& step, const GenerationBatch& batch, const Json& log,
            double tolerance, Values* values, Section* section) {
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
      values->push_back({entry.key, found->second, entry.value.NumberOr(NAN), tolerance});
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

// Plays the run; `probe` > 0: from nudged weights.
void PlayE2e(const Json& run, const Json& golden, const Precision& precision, int probe,
             Values* values, Section* section) {
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
      if (!status.ok()) return section->Fail("batch", status.error().message);
    }
    AddBatch(batch, generation, kTolRun, values);
    for (size_t i = 0; i < mu * spg; ++i) {
      const Json& expected = micro_steps.at(done);
      const MicroBatch micro = MicroOf(expected, batch);
      Result<GrpoLearner::RowScores> scores =
          learner.ScoreRows(CastModel(policy, precision.compute), batch, micro);
      if (!scores.ok()) return section->Fail("scores", scores.error().message);
      AddMicro(StrCat("micro ", done, " logps"), scores->logp, Need(expected, "logps"), batch,
               micro, kTolRun, values);
      AddMicro(StrCat("micro ", done, " entropies"), scores->entropy, Need(expected, "entropies"),
               batch, micro, kTolRun, values);
      MicroBatch ordered = micro;
      std::sort(ordered.begin(), ordered.end());
      if (Status status = learner.Accumulate(batch, ordered); !status.ok())
        return section->Fail("step", status.error().message);
      if (++done % accumulation != 0) continue;
      Result<StepOutcome> step = learner.Step(recipe.train.optim.learning_rate);
      if (!step.ok()) return section->Fail("step", step.error().message);
      AddLog(*step, batch, logs.at(done / accumulation - 1), kTolRun, values, section);
    }
  }
  AddWeights(policy, Need(run, "final_weights"), kTolWeights, values);
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

void PlaySft(const Json& run, const Json& golden, const Precision& precision, int probe,
             Values* values, Section* section) {
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
        return section->Fail("step", status.error().message);
    }
    Result<StepOutcome> outcome = learner.Step(optim.learning_rate);
    if (!outcome.ok()) return section->Fail("step", outcome.error().message);
    outcome->metrics.emplace_back("loss", outcome->loss);
    outcome->metrics.emplace_back("grad_norm", outcome->grad_norm);
    outcome->metrics.emplace_back("num_tokens", tokens);
    if (accumulation == 1)
      values->push_back({"loss", outcome->loss, Number(batches[step], "loss"), kTolRun});
    for (const auto& [name, value] : outcome->metrics) {
      if (Has(logs[step], name))
        values->push_back({name, value, Number(logs[step], name), kTolRun});
    }
  }
  AddWeights(policy, Need(run, "final_weights"), kTolWeights, values);
}

using Play = void(const Json&, const Json&, const Precision&, int, Values*, Section*);

// Every run of a section in both precisions.
bool PlayAll(const Json& golden, const char* name, Play* play) {
  bool good = true;
  for (const Precision& precision : {kExact, kTraining}) {
    Section section(StrCat(name, precision.suffix));
    for (const Json& run : *Need(golden, name).AsArray()) {
      section.Case(std::string(run.StringOr("id", "?")));
      Values values;
      play(run, golden, precision, /*probe=*/0, &values, &section);
      const auto probe = [&](int number, Values* moved) {
        Section quiet("probe", /*quiet=*/true);
        play(run, golden, kTraining, number, moved, &quiet);
      };
      Judge(values, probe, &section);
    }
    good = section.Finish() && good;
  }
  return good;
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
  const PackedBatch batch = PackRows({Integers(Need(item, "ids"))}, TestDevice());
  // Rotary tables are float32, as the reference's are: a GPU's cosines differ in the last place.
  const double tolerance = TestDevice().is_cuda() ? 2e-6 : 1e-9;
  section.Compare("logits", Logits(model, Forward(model, batch)), Need(item, "logits_f64"),
                  tolerance);
  return section.Finish();
}

bool EndToEnd(const Json& golden) { return PlayAll(golden, "e2e", PlayE2e); }
bool Sft(const Json& golden) { return PlayAll(golden, "sft", PlaySft); }

}  // namespace assay::parity
