// Pieces of a run without a model: the pool of scoring threads with its time limit, TensorBoard records, memory, the order of draws.
#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <set>
#include <string>

#include "core/text.h"
#include "grpo/rollout/reward_pool.h"
#include "grpo/run/draw_order.h"
#include "grpo/run/few_shot.h"
#include "grpo/run/memory.h"
#include "grpo/run/memory_plan.h"
#include "grpo/run/run_log.h"

namespace assay {
namespace {

std::shared_ptr<const Rubric> MathRubric() {
  Result<RubricSpec> spec =
      RubricFromToml("[[term]]\nverifier = \"math\"\noptions = { mode = \"bare\" }\n", "t.toml");
  EXPECT_TRUE(spec.ok());
  Result<std::unique_ptr<Rubric>> rubric = Rubric::Make(*spec, VerifierEnv{});
  EXPECT_TRUE(rubric.ok());
  return std::shared_ptr<const Rubric>(std::move(*rubric));
}

Group Sums(int a, int b) {
  Group group;
  group.problem.id = std::to_string(a);
  group.problem.answers = {std::to_string(a + b)};
  for (int delta : {0, 1}) group.samples.push_back({.text = std::to_string(a + b + delta)});
  return group;
}

TEST(RewardPool, ScoresInOrderOfTickets) {
  RewardPool pool(MathRubric(), {.threads = 3, .timeout_s = 60, .timeout_fails = false});
  for (int round = 0; round < 2; ++round) {
    for (int a = 0; a < 20; ++a) EXPECT_EQ(pool.Submit(Sums(a, 7)), static_cast<size_t>(a));
    const std::vector<GroupScore> scores = pool.Collect();
    ASSERT_EQ(scores.size(), 20u);
    for (const GroupScore& score : scores) {
      ASSERT_EQ(score.samples.size(), 2u);
      EXPECT_EQ(score.samples[0].reward, Reward(1.0));
      EXPECT_EQ(score.samples[1].reward, Reward(0.0));
    }
  }
  EXPECT_TRUE(pool.Collect().empty());
}

// A reward of the user's own that takes its time holds neither the thread that generates nor what is scored beside it.
TEST(RewardPool, WhoGeneratesNeverWaitsForWhoScores) {
  const std::string file = testing::TempDir() + "slow_reward.py";
  std::ofstream(file) << "import time\n"
                         "def slow(completion):\n"
                         "    time.sleep(0.2)\n"
                         "    return 0.5\n";
  Result<RubricSpec> spec =
      RubricFromToml(StrCat("[[term]]\nverifier = \"math\"\noptions = { mode = \"bare\" }\n"
                            "[[term]]\nverifier = \"python\"\noptions = { file = \"",
                            file, "\", processes = 2, batch = 4 }\n"),
                     "t.toml");
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  Result<std::unique_ptr<Rubric>> rubric = Rubric::Make(*spec, VerifierEnv{});
  ASSERT_TRUE(rubric.ok()) << rubric.error().message;
  RewardPool pool(std::shared_ptr<const Rubric>(std::move(*rubric)),
                  {.threads = 2, .timeout_s = 60, .timeout_fails = false});
  const auto begun = std::chrono::steady_clock::now();
  for (int a = 0; a < 20; ++a) pool.Submit(Sums(a, 7));
  const auto submitted = std::chrono::steady_clock::now();
  const std::vector<GroupScore> scores = pool.Collect();
  const auto collected = std::chrono::steady_clock::now();
  // 40 samples of 0.2 seconds in two processes.
  EXPECT_GE(collected - begun, std::chrono::milliseconds(3900));
  EXPECT_LT(submitted - begun, std::chrono::milliseconds(1000));
  for (const GroupScore& score : scores) {
    EXPECT_EQ(score.samples[0].reward, Reward(1.5));
    EXPECT_EQ(score.samples[1].reward, Reward(0.5));
  }
}

// An interrupted step does not wait for what it runs: the tests here would take minutes.
TEST(RewardPool, WhatIsCancelledIsLeftBehind) {
  const std::string file = testing::TempDir() + "endless_reward.py";
  std::ofstream(file) << "import time\n"
                         "def endless(completion):\n"
                         "    time.sleep(300)\n"
                         "    return 1.0\n";
  Result<RubricSpec> spec = RubricFromToml(
      StrCat("[[term]]\nverifier = \"python\"\noptions = { file = \"", file, "\" }\n"), "t.toml");
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  Result<std::unique_ptr<Rubric>> rubric = Rubric::Make(*spec, VerifierEnv{});
  ASSERT_TRUE(rubric.ok()) << rubric.error().message;
  RewardPool pool(std::shared_ptr<const Rubric>(std::move(*rubric)),
                  {.threads = 1, .timeout_s = 0, .timeout_fails = true});
  for (int a = 0; a < 3; ++a) pool.Submit(Sums(a, 7));
  const auto begun = std::chrono::steady_clock::now();
  const std::vector<GroupScore> scores = pool.Collect([] { return true; });
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(60));
  ASSERT_EQ(scores.size(), 3u);
  for (const GroupScore& score : scores) {
    ASSERT_EQ(score.samples.size(), 2u);
    EXPECT_FALSE(score.samples[0].reward.has_value());
  }
  EXPECT_TRUE(pool.Collect().empty());
}

// Six groups of 0.4 seconds each that are scored in one call: none is late because they came together.
TEST(RewardPool, TheTimeOfAGroupIsItsOwn) {
  const std::string file = testing::TempDir() + "slow_list_reward.py";
  std::ofstream(file) << "import time\n"
                         "def slow(completions, **columns):\n"
                         "    time.sleep(0.2 * len(completions))\n"
                         "    return [0.5] * len(completions)\n";
  Result<RubricSpec> spec =
      RubricFromToml(StrCat("[[term]]\nverifier = \"python\"\noptions = { file = \"", file,
                            "\", processes = 1 }\n"),
                     "t.toml");
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  Result<std::unique_ptr<Rubric>> rubric = Rubric::Make(*spec, VerifierEnv{});
  ASSERT_TRUE(rubric.ok()) << rubric.error().message;
  RewardPool pool(std::shared_ptr<const Rubric>(std::move(*rubric)),
                  {.threads = 1, .timeout_s = 2, .timeout_fails = false});
  for (int a = 0; a < 6; ++a) pool.Submit(Sums(a, 7));
  for (const GroupScore& score : pool.Collect()) {
    EXPECT_EQ(score.samples[0].reward, Reward(0.5));
    EXPECT_EQ(score.samples[1].reward, Reward(0.5));
  }
}

TEST(RewardPool, ALateGroupHasNoRewardOrFails) {
  for (bool fails : {false, true}) {
    // Nothing is scored within a nanosecond; the group is given up or just made it, and never holds Collect.
    RewardPool pool(MathRubric(), {.threads = 1, .timeout_s = 1e-9, .timeout_fails = fails});
    Group slow = Sums(1, 2);
    for (int i = 0; i < 2000; ++i)
      slow.samples.push_back({.text = "\\frac{" + std::string(200, '1') + "}{7}"});
    pool.Submit(slow);
    const auto begun = std::chrono::steady_clock::now();
    const std::vector<GroupScore> scores = pool.Collect();
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(30));
    ASSERT_EQ(scores.size(), 1u);
    const SampleScore& first = scores[0].samples[0];
    if (!first.verdicts.empty() && first.verdicts[0].reason == "reward_timeout") {
      EXPECT_EQ(first.reward, fails ? Reward(0.0) : Reward());
    }
  }
}

TEST(Memory, TooLittleIsSaidBeforeTheFirstStep) {
  EXPECT_TRUE(CheckMemory(1'000'000, -1).ok());
  EXPECT_TRUE(CheckMemory(1'000'000, 12e6).ok());
  const Status status = CheckMemory(1'000'000'000, 4e9);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(status.error().message.find("11,444 MiB"), std::string::npos) << status.error().message;
}

TEST(TensorBoard, RecordsAreFramedWithMaskedCrcs) {
  const std::string header = TensorBoardHeader(1.0);
  const auto length = static_cast<unsigned char>(header[0]);
  EXPECT_EQ(header.size(), 8u + 4u + length + 4u);
  EXPECT_NE(header.find("brain.Event:2"), std::string::npos);
  const std::string record = TensorBoardRecord(2.0, 300, {{"reward", 0.5}});
  EXPECT_NE(record.find("reward"), std::string::npos);
  EXPECT_EQ(record.size(), 8u + 4u + static_cast<unsigned char>(record[0]) + 4u);
}

TEST(DrawOrder, EveryEpochIsAllOfThemInAnOrderOfItsOwn) {
  DrawOrder order(7, 20, /*shuffle=*/true);
  std::vector<std::vector<int64_t>> epochs(3);
  for (int64_t draw = 0; draw < 60; ++draw) epochs[draw / 20].push_back(order.At(draw));
  for (const std::vector<int64_t>& epoch : epochs)
    EXPECT_EQ(std::set<int64_t>(epoch.begin(), epoch.end()).size(), 20u);
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(epochs[1], epochs[2]);
}

TEST(DrawOrder, IsTheSameFromTheMiddleAndBackwards) {
  DrawOrder whole(7, 20, /*shuffle=*/true);
  std::vector<int64_t> drawn;
  for (int64_t draw = 0; draw < 50; ++draw) drawn.push_back(whole.At(draw));
  DrawOrder resumed(7, 20, /*shuffle=*/true);
  for (int64_t draw = 49; draw >= 0; --draw) EXPECT_EQ(resumed.At(draw), drawn[draw]);
  DrawOrder plain(7, 20, /*shuffle=*/false);
  EXPECT_EQ(plain.At(43), 3);
}

// SmolLM2-135M.
ModelConfig SmallShapes() {
  ModelConfig c;
  c.vocab_size = 49152;
  c.hidden_size = 576, c.intermediate_size = 1536, c.num_layers = 30;
  c.num_heads = 9, c.num_kv_heads = 3, c.head_dim = 64;
  c.tied_head = true;
  return c;
}

// Against what LibTorch's allocator had handed out at most on one H200 (bench/gpu_bench.cc, GiB).
TEST(MemoryPlan, IsWhatABenchmarkTook) {
  EXPECT_EQ(CountParameters(SmallShapes()), 134515008);
  GrpoRecipe recipe;
  recipe.train.model.dtype = "bfloat16";
  recipe.train.gradient_checkpointing = false;
  recipe.train.per_device_train_batch_size = 32;
  recipe.train.max_completion_length = 256;
  recipe.steps_per_generation = 8;
  recipe.loss.beta = 0.04;
  const auto near = [](double bytes, double gib) {
    EXPECT_NEAR(bytes / (1 << 30), gib, 0.05 * gib);
  };
  near(PlanMemory(SmallShapes(), recipe, 61).peak(), 6.540);  // grpo
  const MemoryPlan decode = PlanMemory(SmallShapes(), recipe, 61);
  near(decode.weights + decode.sampling, 2.394);  // decode --rows 256
  recipe.steps_per_generation = 32;
  const MemoryPlan many = PlanMemory(SmallShapes(), recipe, 61);
  near(many.weights + many.sampling, 7.028);  // decode --rows 1024 --prompts 128
  recipe.train.per_device_train_batch_size = recipe.num_generations = 64;
  recipe.train.max_completion_length = 512;
  const MemoryPlan learn = PlanMemory(SmallShapes(), recipe, 1);
  near(learn.weights + learn.learning, 15.30);  // learn --micro 64 --new 512
  recipe.train.gradient_checkpointing = true;
  const MemoryPlan less = PlanMemory(SmallShapes(), recipe, 1);
  near(less.weights + less.learning, 4.46);  // the same with --checkpoint
}

// The same of whole runs (memory/peak_allocated_gb): 64 completions of 128 tokens a step, 27-token prompts, checkpointing.
TEST(MemoryPlan, IsWhatRunsOfSeveralProcessesTook) {
  ModelConfig half = SmallShapes();  // Qwen2.5-0.5B
  half.vocab_size = 151936;
  half.hidden_size = 896, half.intermediate_size = 4864, half.num_layers = 24;
  half.num_heads = 14, half.num_kv_heads = 2;
  half.qkv_bias = true;
  ModelConfig large = half;  // Qwen2.5-1.5B
  large.hidden_size = 1536, large.intermediate_size = 8960, large.num_layers = 28;
  large.num_heads = 12, large.head_dim = 128;
  GrpoRecipe recipe;
  recipe.train.model.dtype = "bfloat16";
  recipe.train.per_device_train_batch_size = 32;
  recipe.train.max_completion_length = 128;
  recipe.loss.beta = 0.04;
  const auto near = [](const MemoryPlan& plan, double gib) {
    EXPECT_NEAR(plan.peak() / (1 << 30), gib, 0.05 * gib);
  };
  recipe.steps_per_generation = 2;
  near(PlanMemory(half, recipe, 27), 10.05);
  recipe.steps_per_generation = 1;
  near(PlanMemory(half, recipe, 27, 2), 8.10);
  recipe.train.optim.shard = "none";
  near(PlanMemory(half, recipe, 27, 2), 9.94);
  near(PlanMemory(large, recipe, 27, 2), 29.73);
  recipe.train.optim.shard = "weights";
  near(PlanMemory(half, recipe, 27, 2), 5.77);
}

TEST(MemoryPlan, ARunThatDoesNotFitIsRefusedWithTheNumbers) {
  GrpoRecipe recipe;
  recipe.train.model.dtype = "bfloat16";
  recipe.train.gradient_checkpointing = false;
  recipe.train.max_completion_length = 512;
  recipe.steps_per_generation = 4;
  const MemoryPlan plan = PlanMemory(SmallShapes(), recipe, 100);
  const double needed = plan.peak() - plan.weights;
  EXPECT_TRUE(CheckPlan(plan, true, -1).ok());
  EXPECT_TRUE(CheckPlan(plan, true, needed).ok());
  // It fits, but by less than the plan is exact.
  EXPECT_NE(NearlyFullNote(plan, true, 1.01 * needed).find("99 %"), std::string::npos);
  EXPECT_EQ(NearlyFullNote(plan, true, 1.1 * needed), "");
  for (double available : {-1.0, 0.9 * needed})
    EXPECT_EQ(NearlyFullNote(plan, true, available), "");
  const Status status = CheckPlan(plan, true, 2e9);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kUnavailable);
  for (const char* part : {"optimiser 1.1,", "2.0 GB are free", "sampling"})
    EXPECT_NE(status.error().message.find(part), std::string::npos) << status.error().message;
  EXPECT_NE(status.error().hint.find("gradient_checkpointing"), std::string::npos);
  // A sampler that may choose its rows takes what there is.
  recipe.train.per_device_train_batch_size = 1;
  recipe.steps_per_generation = 4096;
  const MemoryPlan many = PlanMemory(SmallShapes(), recipe, 100);
  const double learning = many.moments + many.reference + many.learning;
  EXPECT_GT(many.sampling, many.learning);
  EXPECT_TRUE(CheckPlan(many, false, learning).ok());
  EXPECT_FALSE(CheckPlan(many, true, learning).ok());
  // Processes share the moments.
  EXPECT_DOUBLE_EQ(PlanMemory(SmallShapes(), recipe, 100, 4).moments, many.moments / 4);
}

TEST(MemoryPlan, AdaptersTakeLittle) {
  GrpoRecipe recipe;
  recipe.train.model.dtype = "bfloat16";
  recipe.steps_per_generation = 1;
  recipe.loss.beta = 0.04;
  const MemoryPlan full = PlanMemory(SmallShapes(), recipe, 100);
  recipe.train.use_peft = true;
  recipe.train.lora.rank = 8;
  recipe.train.lora.targets = {"q_proj"};
  EXPECT_EQ(CountAdapterParameters(SmallShapes(), recipe.train.lora), 30 * 8 * (576 + 576));
  const MemoryPlan adapter = PlanMemory(SmallShapes(), recipe, 100);
  EXPECT_LT(adapter.moments, 0.01 * full.moments);
  EXPECT_LT(adapter.weights, 0.6 * full.weights);
  EXPECT_EQ(adapter.reference, 0);
}

TEST(FewShot, ExamplesStandInFrontOfTheProblem) {
  const std::vector<Message> examples = {{"user", "1+1"}, {"assistant", "2"}};
  DataSpec spec;
  spec.prompt_prefix = "Q: ";
  spec.prompt_suffix = "\nA: ";
  Problem plain;
  plain.prompt = "Q: 2+2\nA: ";
  ShowExamples(examples, spec, &plain);
  EXPECT_EQ(plain.prompt, "Q: 1+1\nA: 2\n\nQ: 2+2\nA: ");
  Problem chat;
  chat.messages = {{"system", "s"}, {"user", "2+2"}};
  ShowExamples(examples, spec, &chat);
  ASSERT_EQ(chat.messages.size(), 4U);
  EXPECT_EQ(chat.messages[0].role, "system");
  EXPECT_EQ(chat.messages[1].content, "1+1");
  EXPECT_EQ(chat.messages[3].content, "2+2");
}

TEST(MemoryPlan, KnowsWhatIsSharedOut) {
  GrpoRecipe recipe;
  recipe.train.model.dtype = "bfloat16";
  recipe.steps_per_generation = 1;
  recipe.loss.beta = 0.04;
  const auto all = static_cast<double>(CountParameters(SmallShapes()));
  const MemoryPlan moments = PlanMemory(SmallShapes(), recipe, 100, 4);
  recipe.train.optim.shard = "none";
  EXPECT_DOUBLE_EQ(PlanMemory(SmallShapes(), recipe, 100, 4).moments, 4 * moments.moments);
  recipe.train.optim.shard = "weights";
  const MemoryPlan shared = PlanMemory(SmallShapes(), recipe, 100, 4);
  EXPECT_DOUBLE_EQ(shared.weights, all);
  EXPECT_DOUBLE_EQ(shared.moments, moments.moments);
  EXPECT_DOUBLE_EQ(shared.reference, moments.reference / 4);
  EXPECT_LT(shared.learning, moments.learning);
  // Who samples needs a whole copy.
  EXPECT_DOUBLE_EQ(shared.sampling, moments.sampling);
  EXPECT_GT(shared.sampling_least, 2 * all);
  const Status status = CheckPlan({1e9, 1e9, 0, 9e9, 8e9, 2e9}, false, 6e9);
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().hint.find("server.url"), std::string::npos) << status.error().hint;
  recipe.train.server.url = "http://localhost:8000/v1";
  EXPECT_EQ(PlanMemory(SmallShapes(), recipe, 100, 4).sampling, 0);
  // One process shares nothing out.
  EXPECT_DOUBLE_EQ(PlanMemory(SmallShapes(), recipe, 100).weights, 4 * all);
}

TEST(MemoryPlan, FrozenWeightsInEightBitsTakeAByte) {
  GrpoRecipe recipe;
  recipe.train.model.dtype = "bfloat16";
  recipe.steps_per_generation = 1;
  recipe.train.max_completion_length = 64;
  recipe.train.use_peft = true;
  const MemoryPlan half = PlanMemory(SmallShapes(), recipe, 100);
  recipe.train.load_in_8bit = true;
  const MemoryPlan eight = PlanMemory(SmallShapes(), recipe, 100);
  const double matrices = 30.0 * (2 * 576 * (576 + 192) + 3 * 576 * 1536);
  EXPECT_NEAR(half.weights - eight.weights, matrices, 0.01 * matrices);
  EXPECT_LT(eight.learning, half.learning - matrices);
  EXPECT_EQ(eight.sampling, half.sampling);
}

TEST(MemoryPlan, WhatGoesOnAtOnceAddsUp) {
  GrpoRecipe recipe;
  recipe.steps_per_generation = 1;
  const MemoryPlan turns = PlanMemory(SmallShapes(), recipe, 100);
  recipe.async_steps = 1;
  const MemoryPlan both = PlanMemory(SmallShapes(), recipe, 100);
  EXPECT_DOUBLE_EQ(both.peak() - turns.peak(), std::min(turns.sampling, turns.learning));
  const double rest = both.peak() - both.weights;
  EXPECT_TRUE(CheckPlan(both, true, rest).ok());
  EXPECT_FALSE(CheckPlan(both, true, 0.99 * rest).ok());
}

TEST(MemoryPlan, SupervisedRunsHaveOne) {
  SftRecipe sft;
  sft.train.model.dtype = "bfloat16";
  sft.max_length = 512;
  GrpoRecipe grpo;
  grpo.train = sft.train;
  grpo.steps_per_generation = 1;
  grpo.train.max_completion_length = 512;
  const MemoryPlan plan = PlanMemory(SmallShapes(), sft, 0),
                   like = PlanMemory(SmallShapes(), grpo, 0);
  // As many tokens are learned from as GRPO does without a prompt.
  EXPECT_DOUBLE_EQ(plan.learning, like.learning);
  EXPECT_DOUBLE_EQ(plan.moments, like.moments);
  EXPECT_EQ(plan.sampling, 0);
  EXPECT_EQ(plan.reference, 0);
  sft.train.eval.steps = 10;
  EXPECT_GT(PlanMemory(SmallShapes(), sft, 100).sampling, 0);
}

}  // namespace
}  // namespace assay
