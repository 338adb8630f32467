#include "datagen/select/select.h"

#include "datagen/select/correctness.h"

#include <set>

#include "tests/datagen/store_fixture.h"

namespace assay {
namespace {

class SelectTest : public StoreFixture {
 protected:
  // Fills run "r": each entry is one input row of the problem with that name.
  void Fill(const std::vector<std::pair<std::string, std::vector<Spec>>>& rows) {
    store_ = OpenStore();
    RunId run = *store_->BeginRun(Info(), false);
    int64_t line = 0;
    for (const auto& [problem, specs] : rows)
      ASSERT_TRUE(AddRow(store_.get(), run, ++line, problem, specs).ok());
    ASSERT_TRUE(store_->FinishRun(run).ok());
  }
  static SelectOptions Options(const std::string& strategy) {
    SelectOptions options;
    options.strategy = strategy;
    options.runs = {"r"};
    options.dataset = "d";
    options.tool_version = "0.1.0";
    return options;
  }
  // Runs the selection and gives the kept texts in order.
  std::vector<std::string> Kept(const SelectOptions& options) {
    Result<SelectResult> result = SelectSamples(store_.get(), options);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
    if (!result.ok()) return {};
    result_ = *result;
    std::vector<std::string> texts;
    EXPECT_TRUE(store_
                    ->ForEachDatasetRow(result->dataset, true,
                                        [&](const DatasetRow& row) -> Status {
                                          EXPECT_EQ(row.position,
                                                    static_cast<int64_t>(texts.size()));
                                          decisions_.push_back(row.decision);
                                          texts.push_back(row.group.samples.at(0).sample.text);
                                          return {};
                                        })
                    .ok());
    // Every sample is counted exactly once.
    int64_t counted = 0;
    for (const auto& [decision, count] : result->decisions) counted += count;
    EXPECT_EQ(counted, result->samples);
    EXPECT_EQ(result->kept, static_cast<int64_t>(texts.size()));
    return texts;
  }
  int64_t Count(const std::string& decision) const {
    for (const auto& [name, count] : result_.decisions) {
      if (name == decision) return count;
    }
    return -1;
  }
  Error SelectError(const SelectOptions& options) {
    Result<SelectResult> result = SelectSamples(store_.get(), options);
    EXPECT_FALSE(result.ok());
    return result.ok() ? Error{} : result.error();
  }

  std::unique_ptr<Store> store_;
  SelectResult result_;
  std::vector<std::string> decisions_;
};

TEST_F(SelectTest, AllCorrectKeepsWhatPassesOnce) {
  Fill({{"p1", {Failed("a"), Pass("b"), Pass("b"), Fault("c")}},
        {"p2", {Pass("b"), Pass("d")}},
        {"p3", {Failed("e")}},
        {"p1", {Pass("b"), Pass("f")}}});
  EXPECT_EQ(Kept(Options("all-correct")),
            (std::vector<std::string>{"b", "b", "d", "f"}));  // "b" once for p1, once for p2
  EXPECT_EQ(result_.problems, 3);
  EXPECT_EQ(result_.problems_kept, 2);
  EXPECT_EQ(result_.samples, 9);
  EXPECT_EQ(Count("kept"), 4);
  EXPECT_EQ(Count("failed"), 2);
  EXPECT_EQ(Count("duplicate_text"), 2);
  EXPECT_EQ(Count("not_scored"), 1);
  EXPECT_EQ(decisions_.at(0), R"({"kept":"all_pass","reward":1.0,"of":6})");
  SelectOptions options = Options("all-correct");
  options.keep_duplicates = true;
  options.dataset = "d2";
  EXPECT_EQ(Kept(options).size(), 6u);
}

TEST_F(SelectTest, TermsThatEarnNothingDoNotMakeAnAnswerWrong) {
  const Result<Json> rubric = ParseJson(
      R"({"rule":"sum","terms":[{"label":"math","weight":1.0},{"label":"chart","weight":0.0},)"
      R"({"label":"long","weight":0.5,"penalty":true},{"label":"gate","weight":0.0,"gate":true}]})");
  ASSERT_TRUE(rubric.ok());
  const Deciders deciders(*rubric);
  const std::vector<std::string> labels = {"math", "chart", "long", "gate"};
  const auto correct = [&](const std::vector<Verdict>& verdicts) {
    SampleScore score;
    score.verdicts = verdicts;
    score.reward = 1;
    return deciders.Correct(labels, score);
  };
  const Verdict pass = Verdict::Pass(), fail = Verdict::Fail("wrong_value");
  EXPECT_TRUE(correct({pass, fail, fail, pass}));
  EXPECT_FALSE(correct({fail, pass, pass, pass}));
  EXPECT_FALSE(correct({pass, pass, pass, fail}));
  EXPECT_FALSE(correct({Verdict::Abstain("not_routed"), pass, pass, Verdict::Abstain("x")}));
  // Where nothing else is left, those terms decide.
  SampleScore failed;
  failed.verdicts = {fail};
  failed.reward = 1;
  EXPECT_FALSE(
      Deciders(*ParseJson(R"({"terms":[{"label":"a","penalty":true}]})")).Correct({"a"}, failed));
}

TEST_F(SelectTest, AllCorrectNeedsAPassAndNoFail) {
  auto store = OpenStore();
  RunId run = *store->BeginRun(Info(), false);
  const std::vector<Spec> specs = {Pass("both pass"), Pass("one fails"), Pass("one abstains"),
                                   Pass("all abstain")};
  GroupScore score = MakeScore(specs);
  score.labels = {"math", "format"};
  const Verdict second[] = {Verdict::Pass(), Verdict::Fail("no_think"), Verdict::Abstain("routed"),
                            Verdict::Abstain("routed")};
  for (size_t i = 0; i < 4; ++i) score.samples[i].verdicts.push_back(second[i]);
  score.samples[3].verdicts[0] = Verdict::Abstain("routed");
  ASSERT_TRUE(store->AddGroup(run, Key(1), MakeGroup("p", specs), score, false).ok());
  ASSERT_TRUE(store->FinishRun(run).ok());
  store_ = std::move(store);
  EXPECT_EQ(Kept(Options("all-correct")), (std::vector<std::string>{"both pass", "one abstains"}));
  EXPECT_EQ(Count("failed"), 1);
  EXPECT_EQ(Count("abstained"), 1);
}

TEST_F(SelectTest, MaxPerProblemIsDrawnBySeed) {
  std::vector<Spec> many;
  for (int i = 0; i < 20; ++i) many.push_back(Pass(StrCat("text ", i)));
  Fill({{"p1", many}, {"p2", {Pass("only")}}});
  SelectOptions options = Options("all-correct");
  options.max_per_problem = 3;
  options.replace = true;
  std::set<std::vector<std::string>> draws;
  for (uint64_t seed = 0; seed < 8; ++seed) {
    options.seed = seed;
    const std::vector<std::string> first = Kept(options);
    EXPECT_EQ(first, Kept(options));
    EXPECT_EQ(first.size(), 4u);
    EXPECT_EQ(Count("over_max_per_problem"), 17);
    EXPECT_EQ(first.back(), "only");
    draws.insert(first);
  }
  EXPECT_GE(draws.size(), 6u);
}

TEST_F(SelectTest, BestOfNTakesTheHighestThenTheShorterThenTheEarlier) {
  Fill({{"p1",
         {Pass("low", 0.5), Pass("the longer best", 0.9), Pass("best", 0.9), Pass("bset", 0.9)}},
        {"p2", {Failed("x"), Failed("y")}},
        {"p3", {Fault("would be best"), Failed("partly right", 0.2)}},
        {"p1", {Pass("best of all", 1)}}});
  EXPECT_EQ(Kept(Options("best-of-n")), (std::vector<std::string>{"best of all"}));
  EXPECT_EQ(Count("not_best"), 4);
  EXPECT_EQ(Count("failed"), 3);
  EXPECT_EQ(Count("not_scored"), 1);
  EXPECT_EQ(decisions_.at(0), R"({"kept":"best_reward","reward":1.0,"of":5})");
  SelectOptions options = Options("best-of-n");
  options.dataset = "partial";
  options.keep_failed = true;
  EXPECT_EQ(Kept(options), (std::vector<std::string>{"best of all", "partly right"}));
  EXPECT_EQ(Count("reward_too_low"), 2);
}

// Under examples/r1.toml a wrong answer earns 0.2 for its form: where none is right, nothing is kept, whatever --min-reward says.
TEST_F(SelectTest, AFormBonusDoesNotMakeAWrongAnswerTheBest) {
  store_ = OpenStore();
  RunInfo info = Info();
  info.rubric_json =
      R"({"rule":"sum","terms":[{"label":"math","weight":1.0},{"label":"format","weight":0.2}]})";
  RunId run = *store_->BeginRun(info, false);
  const auto add = [&](int64_t line, const std::string& id,
                       const std::vector<std::pair<bool, bool>>& verdicts) {
    std::vector<Spec> specs(verdicts.size());
    for (size_t i = 0; i < specs.size(); ++i) specs[i].text = StrCat(id, i);
    GroupScore score = MakeScore(specs);
    score.labels = {"math", "format"};
    for (size_t i = 0; i < specs.size(); ++i) {
      const auto [math, form] = verdicts[i];
      score.samples[i].verdicts = {math ? Verdict::Pass() : Verdict::Fail("wrong_value"),
                                   form ? Verdict::Pass() : Verdict::Fail("no_think")};
      score.samples[i].reward = (math ? 1.0 : 0.0) + (form ? 0.2 : 0.0);
    }
    ASSERT_TRUE(store_->AddGroup(run, Key(line), MakeGroup(id, specs), score, true).ok());
  };
  add(1, "none", {{false, true}, {false, false}});
  add(2, "one", {{false, true}, {true, false}});
  ASSERT_TRUE(store_->FinishRun(run).ok());
  EXPECT_EQ(Kept(Options("best-of-n")), (std::vector<std::string>{"one1"}));
  EXPECT_EQ(Count("failed"), 3);
  SelectOptions options = Options("best-of-n");
  options.dataset = "low";
  options.min_reward = 0.1;
  EXPECT_EQ(Kept(options), (std::vector<std::string>{"one1"}));
}

// "cut off" is the shorter text and the earlier one.
TEST_F(SelectTest, RepliesThatWereCutOffLoseTiesAndCanBeLeftOut) {
  store_ = OpenStore();
  RunId run = *store_->BeginRun(Info(), false);
  const std::vector<Spec> specs = {Pass("cut"), Pass("whole reply"), Pass("cut 2")};
  Group group = MakeGroup("p", specs);
  group.samples[0].finish_reason = group.samples[2].finish_reason = "length";
  ASSERT_TRUE(store_->AddGroup(run, Key(1), group, MakeScore(specs), true).ok());
  ASSERT_TRUE(store_->FinishRun(run).ok());
  EXPECT_EQ(Kept(Options("best-of-n")), (std::vector<std::string>{"whole reply"}));
  SelectOptions options = Options("all-correct");
  options.dataset = "whole";
  options.drop_truncated = true;
  EXPECT_EQ(Kept(options), (std::vector<std::string>{"whole reply"}));
  EXPECT_EQ(Count("truncated"), 2);
}

TEST_F(SelectTest, BestOfNTiesAndMinReward) {
  Fill({{"p1", {Pass("long one", 0.5), Pass("tie1", 0.5), Pass("tie2", 0.5)}},
        {"p2", {Pass("minus", -0.5), Pass("zero", 0)}}});
  EXPECT_EQ(Kept(Options("best-of-n")), (std::vector<std::string>{"tie1"}));
  SelectOptions options = Options("best-of-n");
  options.dataset = "d2";
  options.min_reward = -1;
  EXPECT_EQ(Kept(options), (std::vector<std::string>{"tie1", "zero"}));
  options.dataset = "d3";
  options.min_reward = 0.6;
  EXPECT_TRUE(Kept(options).empty());
}

TEST_F(SelectTest, ErrorsNameTheWayOut) {
  Fill({{"p1", {Pass("a")}}});
  Error error = SelectError(Options("all-corect"));
  EXPECT_EQ(error.code, ErrorCode::kUsage);
  EXPECT_EQ(error.hint, "did you mean 'all-correct'?");
  SelectOptions options = Options("all-correct");
  options.runs = {"s"};
  EXPECT_EQ(SelectError(options).code, ErrorCode::kUsage);
  options = Options("all-correct");
  options.k = 5;
  EXPECT_EQ(SelectError(options).code, ErrorCode::kUsage);
  options = Options("best-of-n");
  options.max_per_problem = 2;
  EXPECT_EQ(SelectError(options).code, ErrorCode::kUsage);
  EXPECT_EQ(Kept(Options("all-correct")).size(), 1u);
  error = SelectError(Options("all-correct"));
  EXPECT_NE(error.message.find("data set 'd' exists already"), std::string::npos);
  EXPECT_NE(error.hint.find("--replace"), std::string::npos);
  // After such an error the store goes on working.
  options = Options("best-of-n");
  options.replace = true;
  EXPECT_EQ(Kept(options).size(), 1u);
  EXPECT_EQ(store_->FindDataset("d")->strategy, "best-of-n");
}

TEST_F(SelectTest, SaysWhenTheRunIsNotFinished) {
  store_ = OpenStore();
  RunId run = *store_->BeginRun(Info(), false);
  ASSERT_TRUE(AddRow(store_.get(), run, 1, "p", {Pass("a")}).ok());
  ASSERT_TRUE(store_->Commit().ok());
  EXPECT_EQ(Kept(Options("all-correct")).size(), 1u);
  EXPECT_EQ(result_.unfinished, std::vector<std::string>{"r"});
}

}  // namespace
}  // namespace assay
