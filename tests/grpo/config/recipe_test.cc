// Recipes: TRL's defaults, presets, overrides, and errors that name the key and what was meant.
#include "grpo/config/recipe.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

constexpr char kMinimal[] = "[model]\npath = \"m\"\n[data]\ntrain = \"t.jsonl\"\n";

GrpoRecipe Parse(const std::string& text, const std::vector<std::string>& overrides = {}) {
  Result<GrpoRecipe> recipe = GrpoRecipeFromToml(text, "r.toml", overrides);
  EXPECT_TRUE(recipe.ok()) << (recipe.ok() ? "" : recipe.error().message);
  return recipe.ok() ? *recipe : GrpoRecipe{};
}

Error ErrorOf(const std::string& text, const std::vector<std::string>& overrides = {}) {
  Result<GrpoRecipe> recipe = GrpoRecipeFromToml(text, "r.toml", overrides);
  EXPECT_FALSE(recipe.ok());
  return recipe.ok() ? Error{} : recipe.error();
}

TEST(Recipe, DefaultsAreTrls) {
  const GrpoRecipe recipe = Parse(kMinimal);
  EXPECT_EQ(recipe.loss.type, LossType::kDapo);
  EXPECT_DOUBLE_EQ(recipe.train.optim.learning_rate, 1e-6);
  EXPECT_DOUBLE_EQ(recipe.loss.beta, 0.0);
  EXPECT_EQ(recipe.num_generations, 8);
  EXPECT_EQ(recipe.steps_per_generation, 1);
  EXPECT_TRUE(recipe.loss.kl_bias_correction);
  EXPECT_DOUBLE_EQ(recipe.loss.epsilon_high, 0.2);
  EXPECT_EQ(recipe.scale, RewardScale::kGroup);
}

TEST(Recipe, WhatTheTrainerCannotDoIsRefusedBeforeTheModelIsLoaded) {
  const Error error = ErrorOf(kMinimal, {"advantage_estimator=remax"});
  EXPECT_EQ(error.code, ErrorCode::kUsage);
  EXPECT_NE(error.message.find("greedy rollout"), std::string::npos) << error.message;
}

TEST(Recipe, WhatCannotTeachOrIsIgnoredIsRefused) {
  EXPECT_NE(ErrorOf(kMinimal, {"num_generations=1"}).message.find("num_generations = 1"),
            std::string::npos);
  EXPECT_EQ(Parse(kMinimal, {"num_generations=1", "advantage_estimator=reinforce_plus_plus"})
                .num_generations,
            1);
  EXPECT_NE(ErrorOf(kMinimal, {"model.config.hidden_size=16"}).message.find("[model.config]"),
            std::string::npos);
  EXPECT_NE(ErrorOf(kMinimal, {"temperature=0"}).hint.find("0.001"), std::string::npos)
      << ErrorOf(kMinimal, {"temperature=0"}).hint;
}

TEST(Recipe, KeysOfTrlAndVerlAreAnswered) {
  EXPECT_EQ(ErrorOf(std::string("bf16 = true\n") + kMinimal).hint,
            "here it is model.dtype = \"bfloat16\"");
  // All of a foreign recipe's keys at once, those within tables too.
  const Error all = ErrorOf(std::string("use_vllm = true\nwhat = 1\n") + kMinimal +
                            "\n[actor_rollout_ref.rollout]\nn = 4\n");
  EXPECT_NE(all.message.find("unknown keys in all: 3"), std::string::npos) << all.message;
  for (const char* part : {"use_vllm: server.url", "actor_rollout_ref.rollout.n: num_generations",
                           "nothing is known of: what"}) {
    EXPECT_NE(all.hint.find(part), std::string::npos) << all.hint;
  }
  EXPECT_NE(ErrorOf(kMinimal, {"use_vllm=true"}).hint.find("server.url"), std::string::npos);
  EXPECT_NE(ErrorOf(kMinimal, {"reward_weights=[1,2]"}).hint.find("weight"), std::string::npos);
  EXPECT_NE(ErrorOf(kMinimal, {"data.max_response_length=9"}).hint.find("max_completion_length"),
            std::string::npos);
  EXPECT_EQ(Parse(kMinimal, {"max_prompt_length=9"}).train.data.max_prompt_length, 9);
}

TEST(Recipe, AServerFollowsThroughAFolder) {
  const std::vector<std::string> server = {"server.url=http://h:1", "server.model=m"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), server.begin(), server.end());
    return more;
  };
  EXPECT_EQ(Parse(kMinimal, with({"server.push=vllm", "server.weights_dir=w"})).train.server.push,
            "vllm");
  EXPECT_NE(ErrorOf(kMinimal, with({"server.push=vllm"})).message.find("go together"),
            std::string::npos);
  EXPECT_NE(
      ErrorOf(kMinimal, with({"server.push=tgi", "server.weights_dir=w"})).message.find("tgi"),
      std::string::npos);
  EXPECT_NE(ErrorOf(kMinimal, {"server.push=vllm"}).message.find("without an address"),
            std::string::npos);
  EXPECT_EQ(Parse(kMinimal, {"async_steps=1"}).async_steps, 1);
  EXPECT_EQ(ErrorOf(kMinimal, {"async_steps=2"}).code, ErrorCode::kUsage);
}

TEST(Recipe, EpsilonHighFollowsEpsilonUnlessSet) {
  EXPECT_DOUBLE_EQ(Parse(kMinimal, {"epsilon=0.1"}).loss.epsilon_high, 0.1);
  EXPECT_DOUBLE_EQ(Parse(kMinimal, {"epsilon=0.1", "epsilon_high=0.3"}).loss.epsilon_high, 0.3);
}

TEST(Recipe, PresetsComeBeforeTheFileAndOverrides) {
  const std::string text = std::string("preset = \"dapo\"\nnum_generations = 4\n") + kMinimal;
  const GrpoRecipe recipe = Parse(text, {"epsilon=0.15"});
  EXPECT_TRUE(recipe.dynamic_sampling);
  EXPECT_TRUE(recipe.mask_truncated_completions);
  EXPECT_DOUBLE_EQ(recipe.loss.epsilon_high, 0.28);
  EXPECT_DOUBLE_EQ(recipe.loss.epsilon_low, 0.15);
  EXPECT_EQ(recipe.num_generations, 4);
  EXPECT_DOUBLE_EQ(recipe.train.reward.overlong_share, 0.2);
  for (const char* preset : {"r1-zero", "deepseekmath", "dr-grpo", "gspo"}) {
    EXPECT_EQ(Parse(kMinimal, {std::string("preset=") + preset}).train.model.path, "m") << preset;
  }
  EXPECT_EQ(Parse(kMinimal, {"preset=gspo"}).loss.ratio_level, RatioLevel::kSequence);
}

TEST(Recipe, TyposAreErrorsWithTheNearestName) {
  const Error top = ErrorOf(std::string("learning_rat = 1e-5\n") + kMinimal);
  EXPECT_EQ(top.code, ErrorCode::kUsage);
  EXPECT_NE(top.message.find("r.toml:1: unknown key 'learning_rat'"), std::string::npos)
      << top.message;
  EXPECT_EQ(top.hint, "did you mean 'learning_rate'?");
  EXPECT_EQ(ErrorOf(kMinimal, {"model.pth=x"}).hint, "did you mean 'model.path'?");
  EXPECT_EQ(ErrorOf(kMinimal, {"loss_type=dapoo"}).hint, "did you mean 'dapo'?");
  EXPECT_EQ(ErrorOf(kMinimal, {"preset=dappo"}).hint, "did you mean 'dapo'?");
}

TEST(Recipe, WrongKindsAndRangesAreErrors) {
  EXPECT_NE(ErrorOf(kMinimal, {"num_generations=many"}).message.find("num_generations"),
            std::string::npos);
  EXPECT_NE(ErrorOf(kMinimal, {"temperature=0"}).message.find("temperature"), std::string::npos);
  EXPECT_NE(ErrorOf("[model]\npath = 3\n").message.find("model.path"), std::string::npos);
  EXPECT_EQ(ErrorOf("a = [").code, ErrorCode::kInput);
}

TEST(Recipe, GroupsMustFillTheBatch) {
  EXPECT_NE(ErrorOf(kMinimal, {"num_generations=3"}).message.find("groups of 3"),
            std::string::npos);
  EXPECT_NE(ErrorOf(kMinimal, {"gradient_accumulation_steps=2", "steps_per_generation=3"})
                .message.find("do not divide"),
            std::string::npos);
}

TEST(Recipe, ResumedRunsMayOnlyChangeTheirLength) {
  const GrpoRecipe one = Parse(kMinimal);
  EXPECT_EQ(FirstFixedDifference(one.json, Parse(kMinimal, {"max_steps=7", "eval.steps=0"}).json),
            "");
  EXPECT_EQ(FirstFixedDifference(one.json, Parse(kMinimal, {"learning_rate=1e-4"}).json),
            "learning_rate");
  EXPECT_EQ(FirstFixedDifference(one.json, Parse(kMinimal, {"loss_type=grpo"}).json), "loss_type");
  // Of an earlier version, which did not know the key.
  Json earlier = Json::MakeObject();
  for (const Json::Member& member : *one.json.AsObject()) {
    if (member.key != "load_in_8bit") earlier.Set(member.key, member.value);
  }
  EXPECT_EQ(FirstFixedDifference(earlier, one.json), "");
}

TEST(Recipe, ModelConfigKeysCanBeOverridden) {
  const std::string text =
      "[model]\ntokenizer = \"characters\"\nalphabet = \"01\"\n[model.config]\nhidden_size = "
      "8\n[data]\ntrain = \"t\"\n";
  const GrpoRecipe recipe =
      Parse(text, {"model.config.hidden_size=16", "model.config.num_hidden_layers=2"});
  EXPECT_EQ(recipe.train.model.config.IntOr("hidden_size", 0), 16);
  EXPECT_EQ(recipe.train.model.config.IntOr("num_hidden_layers", 0), 2);
}

}  // namespace
}  // namespace assay
