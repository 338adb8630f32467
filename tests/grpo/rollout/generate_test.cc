// Generation on tiny random models: the cache gives what the whole forward pass gives, rows come and go, seeds decide alone, filters
// filter, stops stop, streams say what the results say.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include "core/rng.h"
#include "core/text.h"
#include "grpo/model/weights.h"
#include "grpo/rollout/generate.h"
#include "grpo/rollout/sampler.h"
#include "tests/grpo/tiny_model.h"

namespace assay {
namespace {

Model MakeTiny(const std::string& family = "llama") {
  ModelConfig c = TinyConfig(family, 40);
  c.max_position = 256;
  return *RandomModel(c, 3, 0.3);
}

std::vector<GenerateRequest> Requests() {
  return {{{5, 6, 7}, {1, 2, 3}},
          {{8}, {4}},
          {{9, 10, 11, 12, 13, 14, 15}, {5, 6}},
          {{16, 17}, {7, 8, 9, 10}}};
}

std::vector<std::vector<Completion>> Must(const Model& model,
                                          const std::vector<GenerateRequest>& requests,
                                          const GenerateOptions& options,
                                          const Tokenizer* tokenizer = nullptr) {
  Result<std::vector<std::vector<Completion>>> made = Generate(model, tokenizer, requests, options);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return made.ok() ? *made : std::vector<std::vector<Completion>>();
}

TEST(Generate, LogprobsAreTheForwardPasss) {
  at::NoGradGuard no_grad;
  for (const std::string& family : TinyFamilies()) {
    const Model model = MakeTiny(family);
    GenerateOptions options;
    options.sampling.max_new_tokens = 70;  // over more than one widening of the cache
    options.sampling.temperature = 0.8;
    options.sampling.stop_ids = {2};
    options.max_rows = 3;
    const auto made = Must(model, Requests(), options);
    for (size_t r = 0; r < made.size(); ++r) {
      for (const Completion& c : made[r]) {
        ASSERT_FALSE(c.ids.empty());
        ASSERT_EQ(c.ids.size(), c.logprobs.size());
        EXPECT_EQ(c.finish_reason, c.ids.back() == 2 ? "stop" : "length");
        LogprobOptions score;
        score.temperature = 0.8;
        const ScoredBatch batch = PackGroups({{Requests()[r].prompt_ids, {c.ids}}}, at::kCPU);
        const at::Tensor logp = ScoreTokens(model, batch, {}, score).logp_M;
        for (size_t t = 0; t < c.ids.size(); ++t) {
          EXPECT_NEAR(logp[static_cast<int64_t>(t)].item<double>(), c.logprobs[t], 1e-4) << family;
        }
      }
    }
  }
}

TEST(Generate, SeedsDecideWhateverElseIsInTheBatch) {
  const Model model = MakeTiny();
  GenerateOptions options;
  options.sampling.max_new_tokens = 20;
  options.sampling.stop_ids = {2, 3, 4};
  options.max_rows = 64;
  const auto together = Must(model, Requests(), options);
  for (const int64_t rows : {1, 2, 5}) {
    options.max_rows = rows;
    options.prefill_tokens = rows;
    const auto few = Must(model, Requests(), options);
    for (size_t r = 0; r < few.size(); ++r) {
      for (size_t s = 0; s < few[r].size(); ++s)
        EXPECT_EQ(few[r][s].ids, together[r][s].ids) << rows;
    }
  }
  EXPECT_NE(together[0][0].ids, together[0][1].ids);
  EXPECT_EQ(SampleSeeds(1, 2, 5), SampleSeeds(1, 2, 5));
  EXPECT_NE(SampleSeeds(1, 2, 5), SampleSeeds(1, 3, 5));
}

TEST(Generate, StopsStopAndStreamsAgree) {
  const Model model = MakeTiny();
  const auto tokenizer = *Tokenizer::Characters("abcdefghijklmnopqrstuvwxyzäöü .,;!");
  GenerateOptions options;
  options.sampling.max_new_tokens = 60;
  options.sampling.stop = {"ab", "q"};
  options.sampling.stop_ids = {2};
  options.max_rows = 4;
  std::map<std::pair<size_t, size_t>, std::string> streamed;
  size_t finished = 0;
  options.on_text = [&](size_t r, size_t s, std::string_view text) {
    EXPECT_TRUE(IsValidUtf8(text));
    streamed[{r, s}] += text;
  };
  options.on_finish = [&](size_t, size_t, const Completion&) { ++finished; };
  std::vector<GenerateRequest> requests;
  for (int64_t r = 0; r < 8; ++r)
    requests.push_back({{6 + r}, SampleSeeds(9, static_cast<uint64_t>(r), 3)});
  const auto made = Must(model, requests, options, tokenizer.get());
  EXPECT_EQ(finished, 24u);
  int stopped = 0;
  for (size_t r = 0; r < made.size(); ++r) {
    for (size_t s = 0; s < made[r].size(); ++s) {
      const Completion& c = made[r][s];
      EXPECT_EQ((streamed[{r, s}]), c.text);
      EXPECT_EQ(c.text.find("ab"), std::string::npos);
      EXPECT_EQ(c.text.find('q'), std::string::npos);
      const std::string whole = tokenizer->Decode(c.ids, true);
      EXPECT_TRUE(StartsWith(whole, c.text));
      if (c.finish_reason == "stop") {
        ++stopped;
        EXPECT_TRUE(c.ids.back() == 2 || EndsWith(whole, "ab") || EndsWith(whole, "q"));
      } else {
        EXPECT_EQ(c.ids.size(), 60u);
        EXPECT_EQ(whole, c.text);
      }
    }
  }
  EXPECT_GT(stopped, 5);
}

TEST(Generate, MinimumLengthHoldsBackStops) {
  const Model model = MakeTiny();
  GenerateOptions options;
  options.sampling.stop_ids = {2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  options.sampling.min_new_tokens = 6;
  options.sampling.max_new_tokens = 9;
  for (const auto& group : Must(model, Requests(), options)) {
    for (const Completion& c : group) EXPECT_GE(c.ids.size(), 6u);
  }
}

TEST(Generate, BadRequestsAreNamed) {
  const Model model = MakeTiny();
  auto message = [&](const GenerateRequest& request, const SamplingParams& sampling) {
    GenerateOptions options;
    options.sampling = sampling;
    options.sampling.max_new_tokens = std::min<int64_t>(sampling.max_new_tokens, 300);
    Result<std::vector<std::vector<Completion>>> made =
        Generate(model, nullptr, {request}, options);
    return made.ok() ? std::string("ok") : made.error().message;
  };
  SamplingParams good;
  good.max_new_tokens = 4;
  EXPECT_EQ(message({{5}, {1}}, good), "ok");
  EXPECT_NE(message({{}, {1}}, good).find("empty"), std::string::npos);
  EXPECT_NE(message({{40}, {1}}, good).find("token id 40"), std::string::npos);
  SamplingParams bad = good;
  bad.max_new_tokens = 300;
  EXPECT_NE(message({{5}, {1}}, bad).find("limit is 256"), std::string::npos);
  bad = good;
  bad.top_p = 0;
  EXPECT_NE(message({{5}, {1}}, bad).find("top_p"), std::string::npos);
  bad = good;
  bad.temperature = NAN;
  EXPECT_NE(message({{5}, {1}}, bad).find("temperature"), std::string::npos);
  bad = good;
  bad.stop = {"x"};
  EXPECT_NE(message({{5}, {1}}, bad).find("tokenizer"), std::string::npos);
}

TEST(Generate, GroupsCarryWhatTrainingNeeds) {
  const Model model = MakeTiny();
  const auto tokenizer = *Tokenizer::Characters("abcdefghijklmnopqrstuvwxyz0123456789");
  Problem problem;
  problem.id = "p1";
  problem.prompt = "abc";
  GenerateOptions options;
  options.sampling.max_new_tokens = 5;
  Result<std::vector<Group>> groups =
      GenerateGroups(model, *tokenizer, "tiny", {problem}, 3, 7, options);
  ASSERT_TRUE(groups.ok()) << groups.error().message;
  ASSERT_EQ((*groups)[0].samples.size(), 3u);
  for (const Sample& sample : (*groups)[0].samples) {
    EXPECT_EQ(sample.model, "tiny");
    EXPECT_EQ(sample.token_ids.size(), sample.logprobs.size());
    EXPECT_TRUE(sample.seed.has_value());
    EXPECT_FALSE(sample.finish_reason.empty());
  }
  problem.prompt = "";
  EXPECT_NE(GenerateGroups(model, *tokenizer, "tiny", {problem}, 1, 7, options)
                .error()
                .message.find("'p1'"),
            std::string::npos);
}

// ---- one row ----

std::vector<double> Frequencies(const std::vector<float>& logits, const DrawParams& params,
                                const std::vector<int64_t>& seen,
                                const std::vector<int64_t>& banned, int draws) {
  std::vector<double> counts(logits.size());
  std::vector<float> scratch;
  Rng rng(1);
  for (int i = 0; i < draws; ++i) {
    const Draw draw = DrawToken(logits.data(), static_cast<int64_t>(logits.size()), params, seen,
                                banned, &rng, &scratch);
    counts[static_cast<size_t>(draw.token)] += 1.0 / draws;
  }
  return counts;
}

void ExpectNear(const std::vector<double>& got, const std::vector<double>& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], 0.02) << i;
}

TEST(Sampler, DrawsWhatTheDistributionSays) {
  const std::vector<float> logits = {std::log(0.5f), std::log(0.3f), std::log(0.15f),
                                     std::log(0.05f)};
  constexpr int kDraws = 20000;
  ExpectNear(Frequencies(logits, {}, {}, {}, kDraws), {0.5, 0.3, 0.15, 0.05});
  ExpectNear(Frequencies(logits, {.temperature = 0.5}, {}, {}, kDraws),
             {0.6849, 0.2466, 0.0616, 0.0068});
  ExpectNear(Frequencies(logits, {.temperature = 0}, {}, {}, 10), {1, 0, 0, 0});
  ExpectNear(Frequencies(logits, {.top_k = 2}, {}, {}, kDraws), {0.625, 0.375, 0, 0});
  ExpectNear(Frequencies(logits, {.top_p = 0.7}, {}, {}, kDraws), {0.625, 0.375, 0, 0});
  ExpectNear(Frequencies(logits, {.top_p = 0.81}, {}, {}, kDraws), {0.5263, 0.3158, 0.1579, 0});
  ExpectNear(Frequencies(logits, {.min_p = 0.25}, {}, {}, kDraws), {0.5263, 0.3158, 0.1579, 0});
  ExpectNear(Frequencies(logits, {.top_p = 0.6, .top_k = 3}, {}, {}, kDraws), {0.625, 0.375, 0, 0});
  ExpectNear(Frequencies(logits, {}, {}, {0, 3}, kDraws), {0, 0.6667, 0.3333, 0});
  // Negative logits are multiplied by the penalty: log 0.5 * 2 = log 0.25.
  ExpectNear(Frequencies(logits, {.repetition_penalty = 2}, {0}, {}, kDraws),
             {0.3333, 0.4, 0.2, 0.0667});
}

TEST(Sampler, LogprobIsOfTheWholeTemperedDistribution) {
  const std::vector<float> logits = {1.0f, 2.0f, 3.0f};
  std::vector<float> scratch;
  Rng rng(2);
  const Draw draw =
      DrawToken(logits.data(), 3, {.temperature = 2.0, .top_k = 1}, {}, {}, &rng, &scratch);
  EXPECT_EQ(draw.token, 2);
  EXPECT_NEAR(draw.logprob, 1.5 - std::log(std::exp(0.5) + std::exp(1.0) + std::exp(1.5)), 1e-6);
}

// A padded embedding's last rows stand for no token, however likely they are.
TEST(Sampler, IdsBeyondTheTokensAreNeverDrawn) {
  const std::vector<float> logits = {0, 1, 2, 9, 300};
  std::vector<float> scratch;
  for (const DrawParams& base : {DrawParams{}, DrawParams{.temperature = 0}, DrawParams{.top_k = 2},
                                 DrawParams{.top_p = 0.9}, DrawParams{.repetition_penalty = 1.1}}) {
    DrawParams params = base;
    params.tokens = 3;
    Rng rng(3);
    std::vector<int> counts(5);
    for (int i = 0; i < 3000; ++i)
      ++counts[DrawToken(logits.data(), 5, params, {1}, {}, &rng, &scratch).token];
    EXPECT_EQ(counts[3] + counts[4], 0);
    EXPECT_GT(counts[2], counts[1]);
    if (params.temperature > 0 && params.top_k == 0 && params.top_p == 1) {
      EXPECT_NEAR(counts[2] / 3000.0, 0.665, 0.05);
    }
  }
}

TEST(Sampler, StrangeRowsDoNotHang) {
  std::vector<float> scratch;
  Rng rng(3);
  const float inf = std::numeric_limits<float>::infinity();
  for (const std::vector<float>& row :
       {std::vector<float>{NAN, NAN}, {-inf, -inf}, {-inf, 1.0f}, {1e30f, -1e30f}}) {
    for (const DrawParams& params : {DrawParams{}, DrawParams{.temperature = 0},
                                     DrawParams{.top_p = 0.5, .top_k = 1, .min_p = 0.1}}) {
      const Draw draw = DrawToken(row.data(), 2, params, {}, {}, &rng, &scratch);
      EXPECT_TRUE(draw.token == 0 || draw.token == 1);
    }
  }
}

}  // namespace
}  // namespace assay
