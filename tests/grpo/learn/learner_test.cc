// The learner on a tiny random model: sharing prompts changes nothing, a row without a reward is as if it were not there, a step
// that is not finite changes nothing, and the precision of the computation is near the master's.
#include "grpo/learn/learner.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "grpo/model/weights.h"

namespace assay {
namespace {

Model TinyModel() {
  ModelConfig config;
  config.vocab_size = 20;
  config.hidden_size = 16;
  config.intermediate_size = 32;
  config.num_layers = 2;
  config.num_heads = 4;
  config.num_kv_heads = 2;
  config.head_dim = 4;
  config.tied_head = true;
  Result<Model> model = RandomModel(config, 5, 0.3);
  EXPECT_TRUE(model.ok());
  return *model;
}

GrpoRecipe SmallRecipe() {
  GrpoRecipe recipe;
  recipe.num_generations = 4;
  recipe.steps_per_generation = 2;
  recipe.train.per_device_train_batch_size = 4;
  recipe.train.gradient_accumulation_steps = 2;
  recipe.train.optim.learning_rate = 1e-2;
  return recipe;
}

GenerationBatch SmallBatch() {
  GenerationBatch batch;
  Rng rng(11);
  for (int g = 0; g < 2; ++g) {
    RolloutGroup& group = batch.groups.emplace_back();
    for (int t = 0; t < 3 + g; ++t) group.prompt.push_back(static_cast<int64_t>(rng.Below(20)));
    for (int r = 0; r < 4; ++r) {
      RolloutRow& row = group.rows.emplace_back();
      for (int t = 0; t < 2 + (r + g) % 3; ++t)
        row.completion.push_back(static_cast<int64_t>(rng.Below(20)));
      row.rewards = {r % 2 == g ? 1.0 : 0.25 * r};
    }
  }
  return batch;
}

// Gradients of one accumulated window, by weight.
std::vector<at::Tensor> Gradients(const GrpoRecipe& recipe, GenerationBatch batch,
                                  Compute compute = {}) {
  Model policy = TinyModel();
  GrpoLearner learner(&policy, recipe, compute);
  EXPECT_TRUE(learner.AssignAdvantages(&batch).ok());
  EXPECT_TRUE(learner.ScoreOldAndReference(&batch).ok());
  Rng rng(3);
  for (const MicroBatch& micro : learner.Plan(batch, &rng))
    EXPECT_TRUE(learner.Accumulate(batch, micro).ok());
  std::vector<at::Tensor> gradients;
  for (const NamedTensor& weight : NamedWeights(policy))
    gradients.push_back(weight.tensor.grad().clone());
  return gradients;
}

double Difference(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  double worst = 0;
  for (size_t i = 0; i < a.size(); ++i)
    worst = std::max(worst, (a[i] - b[i]).abs().max().item<double>());
  return worst;
}

TEST(Learner, HowRowsAreSplitChangesNothing) {
  for (LossType type : {LossType::kDapo, LossType::kGrpo, LossType::kDrGrpo}) {
    GrpoRecipe recipe = SmallRecipe();
    recipe.loss.type = type;
    recipe.loss.beta = 0.1;
    recipe.shuffle_rows = "groups";
    const auto shared = Gradients(recipe, SmallBatch());
    recipe.shuffle_rows = "rows";
    EXPECT_LT(Difference(shared, Gradients(recipe, SmallBatch())), 1e-6);
    recipe.steps_per_generation = recipe.train.gradient_accumulation_steps = 1;
    recipe.train.per_device_train_batch_size = 8;
    EXPECT_LT(Difference(shared, Gradients(recipe, SmallBatch())), 1e-6);
  }
}

TEST(Learner, ActivationCheckpointsChangeNothing) {
  Compute compute;
  compute.checkpoint = true;
  EXPECT_LT(Difference(Gradients(SmallRecipe(), SmallBatch()),
                       Gradients(SmallRecipe(), SmallBatch(), compute)),
            1e-7);
}

TEST(Learner, Bfloat16IsNear) {
  Compute compute;
  compute.dtype = at::kBFloat16;
  const auto exact = Gradients(SmallRecipe(), SmallBatch());
  const auto near = Gradients(SmallRecipe(), SmallBatch(), compute);
  double norm = 0;
  for (const at::Tensor& gradient : exact)
    norm = std::max(norm, gradient.abs().max().item<double>());
  EXPECT_LT(Difference(exact, near), 0.1 * norm);
  EXPECT_EQ(near[0].scalar_type(), at::kFloat);
}

TEST(Learner, ANullRowIsAsIfItWereNotThere) {
  for (LossType type : {LossType::kDapo, LossType::kGrpo, LossType::kBnpo, LossType::kDrGrpo}) {
    GrpoRecipe recipe = SmallRecipe();
    recipe.loss.type = type;
    recipe.loss.beta = 0.1;
    recipe.steps_per_generation = recipe.train.gradient_accumulation_steps = 1;
    GenerationBatch with = SmallBatch();
    GenerationBatch without = SmallBatch();
    for (size_t g = 0; g < with.groups.size(); ++g) {
      with.groups[g].rows[3].rewards = {Reward()};
      without.groups[g].rows.pop_back();
    }
    const auto a = Gradients(recipe, with);
    recipe.num_generations = 3;
    EXPECT_LT(Difference(a, Gradients(recipe, without)), 1e-6) << static_cast<int>(type);
    // TRL's way: it counts in the normaliser and in the KL term.
    recipe.num_generations = 4;
    recipe.null_rows = NullRows::kTrl;
    EXPECT_GT(Difference(a, Gradients(recipe, with)), 1e-5) << static_cast<int>(type);
  }
}

TEST(Learner, TruncatedRowsAreMaskedButStayInTheBaseline) {
  GrpoRecipe recipe = SmallRecipe();
  recipe.mask_truncated_completions = true;
  GenerationBatch batch = SmallBatch();
  batch.groups[0].rows[0].truncated = true;
  Model policy = TinyModel();
  GrpoLearner learner(&policy, recipe, {});
  GenerationBatch plain = SmallBatch();
  ASSERT_TRUE(learner.AssignAdvantages(&batch).ok());
  ASSERT_TRUE(learner.AssignAdvantages(&plain).ok());
  EXPECT_EQ(batch.num_items,
            plain.num_items - static_cast<double>(batch.groups[0].rows[0].completion.size()));
  EXPECT_EQ(batch.groups[0].rows[1].advantage.value, plain.groups[0].rows[1].advantage.value);
}

TEST(Learner, AStepThatIsNotFiniteIsSkipped) {
  Model policy = TinyModel();
  const Model before = CloneModel(policy);
  GrpoLearner learner(&policy, SmallRecipe(), {});
  GenerationBatch batch = SmallBatch();
  ASSERT_TRUE(learner.AssignAdvantages(&batch).ok());
  batch.groups[0].rows[0].advantage.value = std::numeric_limits<double>::infinity();
  Rng rng(3);
  for (const MicroBatch& micro : learner.Plan(batch, &rng))
    ASSERT_TRUE(learner.Accumulate(batch, micro).ok());
  Result<StepOutcome> step = learner.Step(1e-2);
  ASSERT_TRUE(step.ok());
  EXPECT_TRUE(step->skipped);
  EXPECT_TRUE(policy.embed.equal(before.embed));
  // The next one goes through.
  ASSERT_TRUE(learner.AssignAdvantages(&batch).ok());
  for (const MicroBatch& micro : learner.Plan(batch, &rng))
    ASSERT_TRUE(learner.Accumulate(batch, micro).ok());
  step = learner.Step(1e-2);
  ASSERT_TRUE(step.ok());
  EXPECT_FALSE(step->skipped);
  EXPECT_FALSE(policy.embed.equal(before.embed));
}

TEST(Learner, ReferenceIsMixedInWhenItIsTime) {
  GrpoRecipe recipe = SmallRecipe();
  recipe.loss.beta = 0.1;
  recipe.sync_ref_model = true;
  recipe.ref_model_sync_steps = 2;
  recipe.ref_model_mixup_alpha = 0.6;
  Model policy = TinyModel();
  GrpoLearner learner(&policy, recipe, {});
  const at::Tensor old = learner.reference()->embed.clone();
  policy.embed.detach().add_(1.0);
  learner.MaybeSyncReference(1);
  EXPECT_TRUE(learner.reference()->embed.equal(old));
  learner.MaybeSyncReference(2);
  EXPECT_NEAR((learner.reference()->embed - old).mean().item<double>(), 0.6, 1e-5);
}

TEST(Learner, AnotherSamplersLogProbsAreCorrected) {
  const at::Tensor old = at::zeros({2, 2});
  const at::Tensor sampler = at::tensor({-1.0f, 0.0f, std::nanf(""), 3.0f}).view({2, 2});
  const at::Tensor mask = at::ones({2, 2});
  const at::Tensor token =
      ImportanceCorrection(CorrectionMode::kTokenTruncate, old, sampler, mask, std::nullopt, 2.0);
  EXPECT_NEAR(token[0][0].item<double>(), 2.0, 1e-6);  // e, truncated
  EXPECT_NEAR(token[1][0].item<double>(), 1.0, 1e-6);  // unknown
  EXPECT_NEAR(token[1][1].item<double>(), std::exp(-3.0), 1e-6);
  const at::Tensor sequence =
      ImportanceCorrection(CorrectionMode::kSequenceMask, old, sampler, mask, std::nullopt, 2.0);
  EXPECT_EQ(sequence[0][0].item<double>(), 0.0);
}

TEST(Schedule, WarmsUpAndDecays) {
  Schedule schedule{ScheduleKind::kLinear, 1.0, 2, 10, 0.0};
  EXPECT_EQ(LearningRateAt(schedule, 0), 0.0);
  EXPECT_EQ(LearningRateAt(schedule, 2), 1.0);
  EXPECT_DOUBLE_EQ(LearningRateAt(schedule, 6), 0.5);
  EXPECT_EQ(LearningRateAt(schedule, 10), 0.0);
  schedule.kind = ScheduleKind::kCosine;
  schedule.min_ratio = 0.1;
  EXPECT_NEAR(LearningRateAt(schedule, 10), 0.1, 1e-12);
  schedule.kind = ScheduleKind::kConstant;
  EXPECT_EQ(LearningRateAt(schedule, 9), 1.0);
}

}  // namespace
}  // namespace assay
