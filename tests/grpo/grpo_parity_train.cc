// grpo_parity's sections that need a model: the trainers' own learners on the file's tiny Llama, from its initial weights to
// its final ones, step by step. Rewards, completions and the order of rows come from the file; everything else is computed.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/text.h"
#include "grpo/learner.h"
#include "grpo/sft_learner.h"
#include "grpo/weights.h"
#include "tests/grpo/parity.h"

namespace assay::parity {
namespace {

constexpr double kTolWeights = 1e-5;
// Losses, log-probs, norms and metrics of fp32 runs: the runs drift apart as their weights may.
constexpr double kTolRun = 5e-5;
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

void CompareWeights(const Model& model, const Json& weights, Section* section) {
  for (const NamedTensor& weight : NamedWeights(model)) {
    section->Compare(weight.name, weight.tensor, Need(Need(weights, weight.name), "data"),
                     kTolWeights);
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
                 const Json& theirs, Section* section) {
  const auto expected = Matrix(theirs);
  for (size_t b = 0; b < ours.size(); ++b) {
    for (size_t t = 0; t < ours[b].size(); ++t) {
      section->Compare(StrCat(what, "[", b, ",", t, "]"), ours[b][t], expected.at(b).at(t),
                       kTolRun);
    }
  }
}

// The advantages, and old and reference log-probs where the file has them.
void CompareBatch(const GenerationBatch& batch, const Json& generation, Section* section) {
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
    CompareRows("old_logps", old, Need(generation, "old_logps"), section);
  if (Has(generation, "ref_logps"))
    CompareRows("ref_logps", reference, Need(generation, "ref_logps"), section);
}

void CompareLog(const StepOutcome& step, const GenerationBatch& batch, const Json& log,
                Section* section) {
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
      section->Compare(entry.key, found->second, entry.value.NumberOr(NAN), kTolRun);
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

void RunOne(const Json& run, const Json& golden, Section* section) {
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
  GrpoLearner learner(&policy, recipe, {});
  size_t done = 0;
  for (const Json& generation : generations) {
    GenerationBatch batch = BatchOf(generation, recipe);
    for (const Status& status :
         {learner.AssignAdvantages(&batch), learner.ScoreOldAndReference(&batch)}) {
      if (!status.ok()) return section->Fail("batch", status.error().message);
    }
    CompareBatch(batch, generation, section);
    for (size_t i = 0; i < mu * spg; ++i) {
      const Json& expected = micro_steps.at(done);
      const MicroBatch micro = MicroOf(expected, batch);
      Result<GrpoLearner::RowScores> scores = learner.ScoreRows(policy, batch, micro);
      if (!scores.ok()) return section->Fail("scores", scores.error().message);
      CompareRows(StrCat("micro ", done, " logps"), scores->logp, Need(expected, "logps"), section);
      CompareRows(StrCat("micro ", done, " entropies"), scores->entropy,
                  Need(expected, "entropies"), section);
      MicroBatch ordered = micro;
      std::sort(ordered.begin(), ordered.end());
      if (Status status = learner.Accumulate(batch, ordered); !status.ok())
        return section->Fail("step", status.error().message);
      if (++done % accumulation != 0) continue;
      Result<StepOutcome> step = learner.Step(recipe.train.optim.learning_rate);
      if (!step.ok()) return section->Fail("step", step.error().message);
      CompareLog(*step, batch, logs.at(done / accumulation - 1), section);
    }
  }
  CompareWeights(policy, Need(run, "final_weights"), section);
}

const Json& FirstConfig(const Json& golden) {
  const Json* runs = golden.Find("e2e");
  if (runs == nullptr || !runs->IsArray() || runs->AsArray()->empty())
    BadFile("no e2e run to take a configuration from");
  return Need((*runs->AsArray())[0], "config");
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
  Section section("e2e");
  for (const Json& run : *Need(golden, "e2e").AsArray()) {
    section.Case(std::string(run.StringOr("id", "?")));
    RunOne(run, golden, &section);
  }
  return section.Finish();
}

bool Sft(const Json& golden) {
  Section section("sft");
  for (const Json& run : *Need(golden, "sft").AsArray()) {
    section.Case(std::string(run.StringOr("id", "?")));
    const Json& config = run.Find("config") != nullptr ? Need(run, "config") : FirstConfig(golden);
    OptimSpec optim = RecipeOf(config, 1, 1, 1, 1).train.optim;
    // The SFT trainer's default where the run has no configuration of its own.
    if (run.Find("config") == nullptr) optim.weight_decay = 0;
    Model policy = MakeModel(config, Need(run, "initial_weights"), at::kFloat);
    SftLearner learner(&policy, optim, {});
    double tokens = 0;
    const Json::Array& batches = *Need(run, "batches").AsArray();
    for (size_t i = 0; i < batches.size(); ++i) {
      const auto ids = Matrix(Need(batches[i], "input_ids"));
      const auto labels = Matrix(Need(batches[i], "labels"));
      const auto mask = Matrix(Need(batches[i], "attention_mask"));
      std::vector<SftRow> rows;
      double items = 0;
      for (size_t b = 0; b < ids.size(); ++b) {
        SftRow row{Unpad(ids[b], mask[b]), 1};
        const auto first =
            std::find_if(labels[b].begin(), labels[b].end(), [](double x) { return x != -100; });
        row.labels_from = std::max<int64_t>(1, first - labels[b].begin());
        items += row.num_labels();
        tokens += row.ids.size();
        rows.push_back(std::move(row));
      }
      Status status = learner.Accumulate(rows, items);
      if (!status.ok()) section.Fail("step", status.error().message);
      Result<StepOutcome> step = learner.Step(optim.learning_rate);
      if (!step.ok()) {
        section.Fail("step", step.error().message);
        break;
      }
      section.Compare("loss", step->loss, Number(batches[i], "loss"), kTolRun);
      step->metrics.emplace_back("loss", step->loss);
      step->metrics.emplace_back("grad_norm", step->grad_norm);
      step->metrics.emplace_back("num_tokens", tokens);
      const Json& log = (*Need(run, "logs").AsArray()).at(i);
      for (const auto& [name, value] : step->metrics) {
        if (Has(log, name)) section.Compare(name, value, Number(log, name), kTolRun);
      }
    }
    CompareWeights(policy, Need(run, "final_weights"), &section);
  }
  return section.Finish();
}

}  // namespace assay::parity
