#include "datagen/report/stats.h"

#include <cmath>

#include "datagen/select/select.h"
#include "tests/datagen/store_fixture.h"

namespace assay {
namespace {

using StatsTest = StoreFixture;

// C(n - c, k) / C(n, k) by counting subsets one by one.
double PassAtKByCounting(int n, int c, int k) {
  int64_t subsets = 0, with_pass = 0;
  for (unsigned mask = 0; mask < (1u << n); ++mask) {
    if (__builtin_popcount(mask) != k) continue;
    ++subsets;
    with_pass += (mask & ((1u << c) - 1)) != 0;
  }
  return static_cast<double>(with_pass) / static_cast<double>(subsets);
}

TEST(PassAtKTest, IsTheShareOfSubsetsWithAPass) {
  for (int n = 1; n <= 10; ++n) {
    for (int c = 0; c <= n; ++c) {
      for (int k = 1; k <= n; ++k)
        EXPECT_NEAR(PassAtKEstimate(n, c, k), PassAtKByCounting(n, c, k), 1e-12)
            << n << " " << c << " " << k;
    }
  }
  // Large counts neither overflow nor leave [0, 1].
  EXPECT_NEAR(PassAtKEstimate(100'000, 1, 50'000), 0.5, 1e-9);
  EXPECT_EQ(PassAtKEstimate(100'000, 99'999, 2), 1);
}

TEST(DistributionTest, Numbers) {
  const Distribution d = Distribution::Of({5, 1, 4, 2, 3, 6, 7, 8, 9, 10});
  EXPECT_EQ(d.count, 10);
  EXPECT_EQ(d.mean, 5.5);
  EXPECT_NEAR(d.deviation, std::sqrt(82.5 / 9), 1e-12);
  EXPECT_EQ(d.min, 1);
  EXPECT_EQ(d.p10, 1);
  EXPECT_EQ(d.p50, 5);
  EXPECT_EQ(d.p90, 9);
  EXPECT_EQ(d.max, 10);
  EXPECT_EQ(Distribution::Of({}).count, 0);
  EXPECT_EQ(Distribution::Of({3}).deviation, 0);
}

TEST_F(StatsTest, OfARunAndADataset) {
  auto store = OpenStore();
  RunId run = *store->BeginRun(Info(), false);
  std::vector<Spec> specs = {Pass("aa"), Failed("b"), Failed("b"), Fault("cccc")};
  Group group = MakeGroup("p1", specs);
  group.samples[3].finish_reason = "length";
  ASSERT_TRUE(store->AddGroup(run, Key(1), group, MakeScore(specs), true).ok());
  ASSERT_TRUE(AddRow(store.get(), run, 2, "p2", {Pass("x"), Pass("y")}).ok());
  ASSERT_TRUE(AddRow(store.get(), run, 3, "p2", {Failed("z")}).ok());
  ASSERT_TRUE(store->AddBadRow(run, Key(4), "bad").ok());
  ASSERT_TRUE(store->FinishRun(run).ok());
  Result<RunStats> stats = StatsOfRun(store.get(), "r");
  ASSERT_TRUE(stats.ok());
  const SampleStats& s = stats->samples;
  EXPECT_EQ(stats->bad_rows, 1);
  EXPECT_EQ(s.rows, 3);
  EXPECT_EQ(s.problems, 2);
  EXPECT_EQ(s.samples, 7);
  EXPECT_EQ(s.scored, 6);
  EXPECT_EQ(s.passed, 3);
  EXPECT_EQ(s.pass_rate(), 0.5);
  EXPECT_EQ(s.faults, 1);
  EXPECT_EQ(s.truncated, 1);
  EXPECT_EQ(s.distinct_texts, 6);
  EXPECT_EQ(s.groups, 2);
  EXPECT_EQ(s.zero_variance_groups, 1);
  const VerdictTally& term = s.terms.at("math");
  EXPECT_EQ(term.pass, 3);
  EXPECT_EQ(term.fail, 3);
  EXPECT_EQ(term.fault, 1);
  EXPECT_EQ(term.reasons.at("wrong_value"), 3);
  EXPECT_EQ(term.reasons.at("worker_lost"), 1);
  EXPECT_EQ(s.reward.mean, 0.5);
  EXPECT_EQ(s.text_bytes.max, 4);
  // p1: 1 of 3 scored, p2: 2 of 3.
  ASSERT_EQ(s.pass_at_k.size(), 2u);
  EXPECT_NEAR(s.pass_at_k[0].value, (1.0 / 3 + 2.0 / 3) / 2, 1e-12);
  EXPECT_EQ(s.pass_at_k[1].k, 2);
  EXPECT_NEAR(s.pass_at_k[1].value, (2.0 / 3 + 1) / 2, 1e-12);
  EXPECT_EQ(s.pass_at_k[1].problems, 2);
  EXPECT_EQ(stats->ToJson().Find("terms")->Find("math")->Find("reasons")->IntOr("ok", 0), 3);
  EXPECT_NE(stats->ToText().find("3 (50.0 %)"), std::string::npos) << stats->ToText();

  SelectOptions options;
  options.strategy = "all-correct";
  options.runs = {"r"};
  options.dataset = "d";
  ASSERT_TRUE(SelectSamples(store.get(), options).ok());
  Result<DatasetStats> dataset = StatsOfDataset(store.get(), "d");
  ASSERT_TRUE(dataset.ok());
  EXPECT_EQ(dataset->run, "r");
  EXPECT_EQ(dataset->samples.samples, 3);
  EXPECT_EQ(dataset->samples.problems, 2);
  EXPECT_EQ(dataset->samples.passed, 3);
  EXPECT_TRUE(dataset->samples.pass_at_k.empty());
  EXPECT_EQ(dataset->ToJson().Find("decisions")->IntOr("failed", 0), 3);
  EXPECT_FALSE(StatsOfDataset(store.get(), "e").ok());
}

TEST_F(StatsTest, EmptyRun) {
  auto store = OpenStore();
  RunId run = *store->BeginRun(Info(), false);
  ASSERT_TRUE(store->FinishRun(run).ok());
  Result<RunStats> stats = StatsOfRun(store.get(), "r");
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->samples.samples, 0);
  EXPECT_TRUE(stats->ToJson().Find("pass_rate")->IsNull());
  EXPECT_FALSE(stats->ToText().empty());
}

// 164 problems with 100 samples each: the unbiased estimate of pass@1, 10 and 100.
TEST_F(StatsTest, PassAtKOfHumanEval) {
  const char* data = std::getenv("ASSAY_DATA");
  const std::string file = StrCat(data != nullptr ? data : "../shared/data",
                                  "/sets/groups_humaneval_codegen16b_100.jsonl.gz");
  if (!std::filesystem::exists(file)) GTEST_SKIP() << "no data folder (ASSAY_DATA)";
  auto store = OpenStore();
  const RunId run = *store->BeginRun(Info(), false);
  auto reader = LineReader::Open(file);
  ASSERT_TRUE(reader.ok());
  LineReader::Line line;
  while (*(*reader)->Next(&line)) {
    const Result<Json> row = ParseJson(line.text);
    std::vector<Spec> specs;
    for (size_t i = 0; i < row->Find("labels")->AsArray()->size(); ++i) {
      const std::string text = *(*row->Find("completions")->AsArray())[i].AsString();
      specs.push_back(*(*row->Find("labels")->AsArray())[i].AsBool() ? Pass(text) : Failed(text));
    }
    ASSERT_TRUE(
        AddRow(store.get(), run, line.number, std::string(row->StringOr("id", "")), specs).ok());
  }
  ASSERT_TRUE(store->FinishRun(run).ok());
  const Result<RunStats> stats = StatsOfRun(store.get(), "r");
  ASSERT_TRUE(stats.ok());
  std::map<int64_t, double> at;
  for (const PassAtK& one : stats->samples.pass_at_k) at[one.k] = one.value;
  EXPECT_NEAR(at[1], 0.221, 0.0005);
  EXPECT_NEAR(at[10], 0.504, 0.0005);
  EXPECT_NEAR(at[100], 0.738, 0.0005);
  EXPECT_LT(stats->samples.distinct_texts, stats->samples.samples);
}

}  // namespace
}  // namespace assay
