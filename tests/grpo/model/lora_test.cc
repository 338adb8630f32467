// Adapters: what the model computes is PEFT's formula, gradients are autograd's through that formula, files come back as they went,
// and only the factors move.
#include "grpo/model/lora.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "grpo/files/remove_tree.h"
#include "grpo/learn/learner.h"
#include "grpo/model/weights.h"
#include "grpo/run/memory_plan.h"
#include "tests/grpo/tiny_model.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

Model WithLora(const LoraConfig& config, at::ScalarType dtype = at::kFloat) {
  Model model = CastModel(*RandomModel(TinyConfig("llama", 31), 3, 0.2), dtype);
  EXPECT_TRUE(AddLora(config, "tiny", 7, &model).ok());
  at::manual_seed(1);
  for (LoraPair& pair : model.lora->pairs) pair.b.normal_(0, 0.3);
  return model;
}

LoraConfig Everything() {
  LoraConfig config;
  config.rank = 4;
  config.alpha = 6;
  config.targets = {"all-linear"};
  return config;
}

ScoredBatch Batch(const Model& model) {
  return PackGroups({{{1, 5, 9}, {{3, 4, 2}, {8, 8}}}, {{2}, {{6, 7, 1, 30}}}}, model.device());
}

double Loss(const at::Tensor& logp, at::Tensor* loss) {
  *loss = (logp * logp.detach().cos()).sum();
  return loss->item<double>();
}

TEST(Lora, FreshOneChangesNothing) {
  Model model = *RandomModel(TinyConfig("qwen2", 31), 3, 0.2);
  const Model base = model;
  ASSERT_TRUE(AddLora({}, "", 1, &model).ok());
  EXPECT_EQ(model.lora->pairs.size(), 4u);  // q and v of two layers
  at::NoGradGuard no_grad;
  const ScoredBatch batch = Batch(model);
  EXPECT_TRUE(at::equal(ScoreTokens(base, batch, {}, {}).logp_M,
                        ScoreTokens(CastModel(model, at::kFloat), batch, {}, {}).logp_M));
  const at::Tensor a = model.lora->pairs[0].a;
  EXPECT_LE(a.abs().max().item<double>(), 1 / std::sqrt(24.0));
  EXPECT_NEAR(a.square().mean().item<double>(), 1 / (3 * 24.0), 0.005);
}

// y = W x + scale * B (A x), layer by layer, against the merged matrices; and its gradient by autograd.
TEST(Lora, IsPeftsFormulaThereAndBack) {
  for (const bool rslora : {false, true}) {
    LoraConfig config = Everything();
    config.rslora = rslora;
    const double scale = rslora ? 6 / std::sqrt(4.0) : 6 / 4.0;
    Model model = WithLora(config, at::kDouble);
    const Model merged = CastModel(model, at::kDouble);
    const at::Tensor x = at::randn({5, 24}, at::kDouble);
    for (const LoraPair& pair : model.lora->pairs) {
      at::Tensor weight, sum;
      for (const NamedTensor& entry : NamedWeights(model))
        if (entry.name == pair.weight) weight = entry.tensor;
      for (const NamedTensor& entry : NamedWeights(merged))
        if (entry.name == pair.weight) sum = entry.tensor;
      const at::Tensor in = at::randn({5, weight.size(1)}, at::kDouble);
      const at::Tensor a = pair.a.to(at::kDouble), b = pair.b.to(at::kDouble);
      const at::Tensor peft = at::linear(in, weight) + scale * at::linear(at::linear(in, a), b);
      EXPECT_TRUE(at::allclose(at::linear(in, sum), peft, 1e-12, 1e-12)) << pair.weight;
    }
    // Gradients: factors as leaves of a graph that makes the merged matrices.
    Model plain = model;
    plain.lora = nullptr;
    std::vector<at::Tensor> leaves;
    VisitWeights(&plain, [&](const std::string& name, at::Tensor* tensor) {
      const LoraPair* pair = model.lora->Find(name);
      if (pair == nullptr) return;
      leaves.push_back(pair->a.to(at::kDouble).requires_grad_(true));
      leaves.push_back(pair->b.to(at::kDouble).requires_grad_(true));
      *tensor = *tensor + scale * at::mm(leaves[leaves.size() - 1], leaves[leaves.size() - 2]);
    });
    at::Tensor loss;
    const ScoredBatch batch = Batch(model);
    const double expected = Loss(ScoreTokens(plain, batch, {}, {}).logp_M, &loss);
    loss.backward();
    for (const bool checkpoint : {false, true}) {
      SetTrainable(&model, true);
      ComputePolicy compute(&model, {at::kDouble, checkpoint});
      ForwardOptions forward;
      LogprobOptions options;
      const Model& ours = compute.Prepare(&forward, &options);
      EXPECT_NEAR(Loss(ScoreTokens(ours, batch, forward, options).logp_M, &loss), expected, 1e-9);
      loss.backward();
      for (size_t i = 0; i < leaves.size(); ++i) {
        const LoraPair& pair = model.lora->pairs[i / 2];
        const at::Tensor grad = (i % 2 == 0 ? pair.a : pair.b).grad().to(at::kDouble);
        EXPECT_LT((grad - leaves[i].grad()).norm().item<double>(),
                  2e-6 * leaves[i].grad().norm().item<double>() + 1e-9)
            << pair.weight << checkpoint;
      }
      EXPECT_FALSE(model.embed.grad().defined());
      compute.Drop();
    }
  }
}

TEST(Lora, FilesComeBack) {
  const fs::path folder = fs::path(testing::TempDir()) / "lora_files";
  RemoveTree(folder);
  const Model model = WithLora(Everything());
  ASSERT_TRUE(SaveLora(*model.lora, folder.string()).ok());
  Model other = *RandomModel(TinyConfig("llama", 31), 3, 0.2);
  const Status loaded = LoadLora(folder.string(), &other);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(other.lora->config.rank, 4);
  EXPECT_EQ(other.lora->base_model, "tiny");
  EXPECT_EQ(other.lora->pairs.size(), 14u);
  for (size_t i = 0; i < 14; ++i) {
    EXPECT_TRUE(at::equal(other.lora->pairs[i].a, model.lora->pairs[i].a));
    EXPECT_TRUE(at::equal(other.lora->pairs[i].b, model.lora->pairs[i].b));
  }
  // The whole model in files has the deltas in its matrices.
  ASSERT_TRUE(SaveModel(model, nullptr, (folder / "model").string()).ok());
  Result<Model> whole = LoadWeights((folder / "model").string());
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  at::NoGradGuard no_grad;
  const ScoredBatch batch = Batch(model);
  EXPECT_TRUE(at::equal(ScoreTokens(*whole, batch, {}, {}).logp_M,
                        ScoreTokens(CastModel(model, at::kFloat), batch, {}, {}).logp_M));
  Model wrong = *RandomModel(TinyConfig("qwen2", 31), 3, 0.2);
  wrong.config.num_layers = 1;
  EXPECT_FALSE(LoadLora(folder.string(), &wrong).ok());
  EXPECT_FALSE(LoadLora((folder / "nowhere").string(), &wrong).ok());
}

TEST(Lora, RefusesWhatItDoesNotKnow) {
  const auto read = [](const char* text) { return LoraConfigFromJson(*ParseJson(text)); };
  EXPECT_TRUE(read(R"({"peft_type": "LORA", "r": 8, "target_modules": ["q_proj"], "bias": "none",
                       "rank_pattern": {}, "modules_to_save": null})")
                  .ok());
  EXPECT_TRUE(read(R"({"r": 8, "target_modules": "all-linear"})").ok());
  EXPECT_FALSE(read(R"({"peft_type": "IA3", "target_modules": ["q_proj"]})").ok());
  EXPECT_FALSE(read(R"({"r": 8, "target_modules": ["q_proj"], "use_dora": true})").ok());
  EXPECT_FALSE(read(R"({"r": 8, "target_modules": ["q_proj"], "rank_pattern": {"x": 3}})").ok());
  EXPECT_FALSE(read(R"({"r": 0, "target_modules": ["q_proj"]})").ok());
  EXPECT_FALSE(read(R"({"r": 8, "target_modules": ["embed_tokens"]})").ok());
  EXPECT_FALSE(read(R"({"r": 8, "target_modules": []})").ok());
  EXPECT_FALSE(read("[]").ok());
}

TEST(Lora, PackedMatricesHaveOneExpertsHaveNone) {
  LoraConfig config;
  config.targets = {"all-linear"};
  Model phi = *RandomModel(TinyConfig("phi3", 31), 3, 0.2);
  ASSERT_TRUE(AddLora(config, "", 1, &phi).ok());
  EXPECT_EQ(phi.lora->pairs.size(), 8u);  // qkv, o, gate_up, down in two layers
  EXPECT_EQ(CountTrainable(phi), CountAdapterParameters(phi.config, config));
  Model plain = *RandomModel(TinyConfig("gemma3_text", 31), 3, 0.2);
  ASSERT_TRUE(AddLora(config, "", 1, &plain).ok());
  EXPECT_EQ(CountTrainable(plain), CountAdapterParameters(plain.config, config));
  Model experts = *RandomModel(TinyConfig("qwen3_moe", 31), 3, 0.2);
  EXPECT_EQ(AddLora(config, "", 1, &experts).error().message,
            "adapters of experts are not supported");
  config.targets = {"q_proj", "v_proj"};
  EXPECT_TRUE(AddLora(config, "", 1, &experts).ok());
  const Status nothing = AddLora(config, "", 1, &phi);
  ASSERT_FALSE(nothing.ok());
  EXPECT_NE(nothing.error().hint.find("qkv_proj"), std::string::npos);
}

// A GRPO step: the factors move, the frozen weights stay, and they are the reference.
TEST(Lora, OnlyTheFactorsLearn) {
  GrpoRecipe recipe;
  recipe.num_generations = 4;
  recipe.steps_per_generation = 1;
  recipe.loss.beta = 0.04;
  recipe.train.per_device_train_batch_size = 4;
  recipe.train.optim.learning_rate = 1e-2;
  Model policy = WithLora(Everything());
  const Model before = CloneModel(policy);
  const at::Tensor factor = policy.lora->pairs[0].b.clone();
  GrpoLearner learner(&policy, recipe, {});
  EXPECT_TRUE(learner.reference()->embed.is_same(policy.embed));
  GenerationBatch batch;
  RolloutGroup& group = batch.groups.emplace_back();
  group.prompt = {1, 2, 3};
  for (int r = 0; r < 4; ++r) {
    RolloutRow& row = group.rows.emplace_back();
    row.completion = {4, 5 + r, 6};
    row.rewards = {r < 2 ? 1.0 : 0.0};
  }
  ASSERT_TRUE(learner.AssignAdvantages(&batch).ok());
  ASSERT_TRUE(learner.ScoreOldAndReference(&batch).ok());
  Rng rng(1);
  for (const MicroBatch& micro : learner.Plan(batch, &rng))
    ASSERT_TRUE(learner.Accumulate(batch, micro).ok());
  const Result<StepOutcome> outcome = learner.Step(1e-2);
  ASSERT_TRUE(outcome.ok());
  EXPECT_GT(outcome->grad_norm, 0);
  EXPECT_FALSE(at::equal(policy.lora->pairs[0].b, factor));
  const std::vector<NamedTensor> was = NamedWeights(before), is = NamedWeights(policy);
  for (size_t i = 0; i < is.size(); ++i) EXPECT_TRUE(at::equal(was[i].tensor, is[i].tensor));
}

}  // namespace
}  // namespace assay
