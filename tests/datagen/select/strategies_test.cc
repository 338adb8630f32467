// Strategies, filters, bounds and balance of a selection, each over a store that is small enough to count by hand.
#include <algorithm>
#include <map>
#include <set>

#include "core/rng.h"
#include "datagen/select/select.h"
#include "tests/datagen/store_fixture.h"

namespace assay {
namespace {

class StrategiesTest : public StoreFixture {
 protected:
  // A sample with everything a strategy may look at.
  struct Reply {
    std::string text;
    bool right = true;
    double reward = 1;
    std::string answer = "42";
    double cpu_ms = 0;
    std::string finish = "stop";
    int64_t tokens = 0;
  };
  struct Row {
    std::string id;
    std::vector<Reply> replies;
    std::string task = "math";
    std::string prompt{};
  };

  void Fill(const std::vector<Row>& rows, const std::string& run_name = "r") {
    if (store_ == nullptr) store_ = OpenStore();
    const RunId run = *store_->BeginRun(Info(run_name), false);
    int64_t line = 0;
    for (const Row& row : rows) {
      Group group;
      group.problem.id = row.id;
      group.problem.task = row.task;
      group.problem.prompt = row.prompt.empty() ? "What is " + row.id + "?" : row.prompt;
      group.problem.extra = Json().Set("level", row.task == "code" ? "hard" : "easy");
      GroupScore score;
      score.labels = {"math"};
      Json counts = Json::MakeArray();
      for (const Reply& reply : row.replies) {
        Sample& sample = group.samples.emplace_back();
        sample.text = reply.text;
        sample.finish_reason = reply.finish;
        counts.Append(reply.tokens);
        SampleScore& scored = score.samples.emplace_back();
        scored.verdicts.push_back(reply.right ? Verdict::Pass() : Verdict::Fail("wrong_value"));
        scored.verdicts[0].evidence = Json().Set("answer", reply.answer);
        if (reply.cpu_ms > 0) scored.verdicts[0].evidence.Set("cpu_ms", reply.cpu_ms);
        scored.reward = reply.reward;
      }
      group.problem.extra.Set("token_counts", counts);
      ASSERT_TRUE(store_->AddGroup(run, Key(++line), group, score, false).ok());
    }
    ASSERT_TRUE(store_->FinishRun(run).ok());
  }

  SelectOptions Options(const std::string& strategy) {
    SelectOptions options;
    options.strategy = strategy;
    options.runs = {"r"};
    options.dataset = StrCat("d", ++datasets_);
    return options;
  }

  // Kept texts in order; pairs as "chosen>rejected".
  std::vector<std::string> Kept(const SelectOptions& options) {
    Result<SelectResult> result = SelectSamples(store_.get(), options);
    EXPECT_TRUE(result.ok()) << (result.ok() ? "" : result.error().message);
    if (!result.ok()) return {};
    result_ = *result;
    std::vector<std::string> texts;
    splits_.clear();
    const auto visit = [&](const DatasetRow& row) -> Status {
      std::string text = row.group.samples.at(0).sample.text;
      if (row.rejected) StrAppend(&text, ">", row.rejected->sample.text);
      texts.push_back(text);
      splits_[row.group.problem.id].insert(row.split);
      return {};
    };
    EXPECT_TRUE(store_->ForEachDatasetRow(result->dataset, true, visit).ok());
    CheckReasons();
    return texts;
  }

  // Every sample is counted once, and those that are out stand in the store with their reason.
  void CheckReasons() {
    int64_t counted = 0;
    for (const auto& [decision, count] : result_.decisions) counted += count;
    EXPECT_EQ(counted, result_.samples);
    drops_.clear();
    std::map<int64_t, int64_t> by_place;
    const auto visit = [&](const DatasetDrop& drop) -> Status {
      ++by_place[drop.place];
      drops_.push_back(drop);
      return {};
    };
    EXPECT_TRUE(store_->ForEachDatasetDrop(result_.dataset, visit).ok());
    for (size_t place = 1; place < result_.decisions.size(); ++place) {
      EXPECT_EQ(by_place[static_cast<int64_t>(place)], result_.decisions[place].second)
          << result_.decisions[place].first;
    }
  }

  int64_t Count(const std::string& decision) const {
    for (const auto& [name, count] : result_.decisions) {
      if (name == decision) return count;
    }
    return 0;
  }
  Error SelectError(const SelectOptions& options) {
    Result<SelectResult> result = SelectSamples(store_.get(), options);
    EXPECT_FALSE(result.ok());
    return result.ok() ? Error{} : result.error();
  }

  using Texts = std::vector<std::string>;
  std::unique_ptr<Store> store_;
  SelectResult result_;
  std::vector<DatasetDrop> drops_;
  std::map<std::string, std::set<std::string>> splits_;
  int datasets_ = 0;
};

TEST_F(StrategiesTest, AllKeepsWhatIsScored) {
  Fill({{"p", {{"a"}, {"b", false, 0}, {"a"}}}});
  EXPECT_EQ(Kept(Options("all")), (Texts{"a", "b"}));
  EXPECT_EQ(Count("duplicate_text"), 1);
  EXPECT_EQ(drops_.at(0).detail, "of sample 1");
}

TEST_F(StrategiesTest, ShortestAndFastestCorrect) {
  Fill({{"p",
         {{"long right"},
          {"right", true, 1, "42", 9},
          {"no", false, 0},
          {"quick one", true, 1, "42", 3}}},
        {"q", {{"x", false, 0}}}});
  EXPECT_EQ(Kept(Options("shortest-correct")), Texts{"right"});
  EXPECT_EQ(Count("failed"), 2);
  EXPECT_EQ(Count("not_shortest"), 2);
  EXPECT_EQ(Kept(Options("fastest-correct")), Texts{"quick one"});
  EXPECT_EQ(Count("no_cost"), 1);
  EXPECT_EQ(Count("not_fastest"), 1);
  SelectOptions two = Options("shortest-correct");
  two.k = 2;
  EXPECT_EQ(Kept(two), (Texts{"right", "quick one"}));
}

TEST_F(StrategiesTest, ShortestByTokens) {
  Fill({{"p",
         {{"few letters", true, 1, "42", 0, "stop", 9},
          {"many more letters", true, 1, "42", 0, "stop", 4}}}});
  SelectOptions options = Options("shortest-correct");
  options.length_unit = SelectOptions::Unit::kTokens;
  EXPECT_EQ(Kept(options), Texts{"many more letters"});
}

TEST_F(StrategiesTest, MajorityWithAndWithoutGold) {
  Fill({{"p", {{"a", false, 0, "7"}, {"b", false, 0, "7"}, {"c"}}},
        {"q", {{"d"}, {"e", true, 1, "42.0"}, {"f", false, 0, "1"}}},
        {"s", {{"g", false, 0, "1"}, {"h"}}}});
  EXPECT_EQ(Kept(Options("majority")), (Texts{"d", "e"}));
  EXPECT_EQ(Count("failed"), 3);  // the winners of p, and of s where the earlier of two equals wins
  EXPECT_EQ(Count("not_majority"), 3);
  SelectOptions any = Options("majority");
  any.vote_without_gold = true;
  EXPECT_EQ(Kept(any), (Texts{"a", "b", "d", "e", "g"}));
  any = Options("majority");
  any.vote_without_gold = true;
  any.min_vote_share = 0.6;
  EXPECT_EQ(Kept(any), (Texts{"a", "b", "d", "e"}));
  EXPECT_EQ(Count("no_majority"), 2);
  SelectOptions weighted = Options("majority");
  weighted.vote = SelectOptions::Vote::kReward;
  EXPECT_EQ(Kept(weighted), (Texts{"c", "d", "e", "h"}));
}

TEST_F(StrategiesTest, PassRateBand) {
  Fill({{"all", {{"a"}, {"b"}}}, {"half", {{"c"}, {"d", false, 0}}}, {"none", {{"e", false, 0}}}});
  SelectOptions options = Options("pass-rate");
  options.min_pass_rate = 0.1;
  options.max_pass_rate = 0.9;
  EXPECT_EQ(Kept(options), (Texts{"c", "d"}));
  EXPECT_EQ(Count("pass_rate"), 3);
  options = Options("all-correct");
  options.max_pass_rate = 0.5;
  EXPECT_EQ(Kept(options), Texts{"c"});
  EXPECT_EQ(SelectError(Options("pass-rate")).code, ErrorCode::kUsage);
}

TEST_F(StrategiesTest, TopKOfAProblemAndOfAll) {
  Fill({{"p", {{"a", true, 0.5}, {"b", true, 0.9}, {"c", true, 0.7}}}, {"q", {{"d", true, 0.6}}}});
  SelectOptions options = Options("top-k");
  options.k = 2;
  EXPECT_EQ(Kept(options), (Texts{"b", "c", "d"}));
  options.dataset = "all";
  options.top_within = SelectOptions::Within::kAll;
  EXPECT_EQ(Kept(options), (Texts{"b", "c"}));
  EXPECT_EQ(Count("not_in_top"), 2);
  EXPECT_EQ(SelectError(Options("top-k")).message, "top-k needs --k");
}

TEST_F(StrategiesTest, DiverseTakesTheFarthest) {
  const std::string one = "we add the two numbers and then we divide by three to get the mean";
  Fill({{"p",
         {{one, true, 1},
          {one + " again", true, 0.9},
          {"count the sheep in every field first, and only then multiply by four", true, 0.8},
          {one + " once more", true, 0.7}}}});
  SelectOptions options = Options("diverse");
  options.k = 2;
  EXPECT_EQ(Kept(options),
            (Texts{one, "count the sheep in every field first, and only then multiply by four"}));
  EXPECT_EQ(Count("less_diverse"), 2);
}

TEST_F(StrategiesTest, PreferencePairs) {
  Fill(
      {{"p", {{"best", true, 1}, {"worst", false, 0}, {"nearly", false, 0.4}, {"good", true, 0.8}}},
       {"q", {{"only right"}}},
       {"s", {{"only wrong", false, 0}}}});
  EXPECT_EQ(Kept(Options("preference")), Texts{"best>nearly"});
  EXPECT_EQ(Count("kept"), 2);
  EXPECT_EQ(Count("no_pair"), 4);
  SelectOptions options = Options("preference");
  options.k = 4;
  EXPECT_EQ(Kept(options), (Texts{"best>nearly", "good>worst"}));
  options = Options("preference");
  options.rejected = SelectOptions::Rejected::kWorst;
  EXPECT_EQ(Kept(options), Texts{"best>worst"});
  options = Options("preference");
  options.margin = 0.9;
  EXPECT_EQ(Kept(options), Texts{"best>worst"});
  options = Options("preference");
  options.margin = 1.1;
  EXPECT_EQ(Kept(options), Texts{});
  options = Options("preference");
  options.rejected = SelectOptions::Rejected::kNearest;
  EXPECT_EQ(Kept(options).size(), 1u);
}

TEST_F(StrategiesTest, ABoundThatCutsAPairCutsBoth) {
  Fill({{"p", {{"a"}, {"b", false, 0}}}, {"q", {{"c"}, {"d", false, 0}}}});
  SelectOptions options = Options("preference");
  options.max_samples = 1;
  EXPECT_EQ(Kept(options).size(), 1u);
  EXPECT_EQ(Count("over_max_samples"), 2);
}

TEST_F(StrategiesTest, FiltersByVerdictLengthPatternAndEnd) {
  Fill({{"p",
         {{"right 1"},
          {"cut off", true, 1, "42", 0, "length"},
          {"x"},
          {"as an AI I say 42"},
          {"wrong 2", false, 0.5},
          {"right 3 and much longer than all the others are"},
          {"no digits"}}}});
  SelectOptions options = Options("all");
  options.finish_reason = {"stop"};
  options.min_chars = 2;
  options.max_chars = 30;
  options.match = {"[0-9]"};
  options.no_match = {"(?i)as an ai"};
  options.require = {"math=pass"};
  EXPECT_EQ(Kept(options), Texts{"right 1"});
  for (const char* reason :
       {"finish_reason", "too_short", "too_long", "forbidden_match", "no_match", "verdict"})
    EXPECT_EQ(Count(reason), 1) << reason;
  options = Options("all");
  options.max_reward = 0.6;
  EXPECT_EQ(Kept(options), Texts{"wrong 2"});
  options = Options("all");
  options.match = {"("};
  EXPECT_EQ(SelectError(options).code, ErrorCode::kUsage);
  options = Options("all");
  options.require = {"math"};
  EXPECT_EQ(SelectError(options).code, ErrorCode::kUsage);
}

TEST_F(StrategiesTest, RepetitionIsAShareOfRuns) {
  Fill({{"p",
         {{"one two three four one two three four one two three four"},
          {"each word of this differs"}}}});
  SelectOptions options = Options("all");
  options.max_repetition = 0.3;
  EXPECT_EQ(Kept(options), Texts{"each word of this differs"});
  EXPECT_EQ(Count("repetition"), 1);
}

TEST_F(StrategiesTest, ReadableReasoningWithASummary) {
  const std::string good =
      "<think>\nFirst 2 and 2 are put together, that is 4.\n</think>\nThe sum is \\(4\\).";
  const std::string twice = "<think>a b c d e</think> and <think>more</think> so it is 4";
  const std::string bare = "The sum of both numbers is 4.";
  const std::string longer = "<think>short</think>It is four because of two and two together.";
  const std::string open = "<think>\nFirst 2 and 2 are put together.\n</think>\nThe sum is \\(4.";
  Fill({{"p", {{good}, {twice}, {bare}, {longer}, {open}}}});
  SelectOptions options = Options("all");
  options.shape = SelectOptions::Shape::kReasoningSummary;
  EXPECT_EQ(Kept(options), (Texts{good, open}));
  EXPECT_EQ(Count("shape"), 3);
  options = Options("all");
  options.shape = SelectOptions::Shape::kReasoningSummary;
  options.min_readability = 1;
  EXPECT_EQ(Kept(options), Texts{good});
  EXPECT_EQ(Count("readability"), 1);
}

TEST_F(StrategiesTest, LanguageOfTheReply) {
  const std::string english =
      "First we add the two numbers together, and then we divide what we have by three.";
  const std::string german =
      "Zuerst zählen wir die beiden Zahlen zusammen, dann teilen wir das Ergebnis durch drei.";
  Fill({{"p", {{english}, {german}}, "math", "How much is the mean of these two numbers?"}});
  SelectOptions options = Options("all");
  options.language = "en";
  EXPECT_EQ(Kept(options), Texts{english});
  EXPECT_EQ(Count("language"), 1);
  options = Options("all");
  options.language = "de";
  EXPECT_EQ(Kept(options), Texts{german});
  options = Options("all");
  options.language = "prompt";
  EXPECT_EQ(Kept(options), Texts{english});
  options = Options("all");
  options.language = "no such language";
  EXPECT_EQ(SelectError(options).code, ErrorCode::kUsage);
}

// Samples whose answer nobody knows are voters all the same.
TEST_F(StrategiesTest, MajorityCountsThoseWithoutAnAnswer) {
  Fill({{"p", {{"a"}, {"b", false, 0, ""}, {"c", false, 0, ""}}}});
  EXPECT_EQ(Kept(Options("majority")), Texts{"a"});
  SelectOptions options = Options("majority");
  options.min_vote_share = 0.5;
  EXPECT_EQ(Kept(options), Texts{});
  EXPECT_EQ(Count("no_majority"), 3);
}

TEST_F(StrategiesTest, DuplicatesAcrossProblems) {
  Fill({{"p", {{"same"}, {"same"}}}, {"q", {{"same"}, {"other"}}}});
  SelectOptions options = Options("all-correct");
  options.duplicates_across = true;
  EXPECT_EQ(Kept(options), (Texts{"same", "other"}));
  EXPECT_EQ(Count("duplicate_text"), 1);
  EXPECT_EQ(Count("duplicate_across"), 1);
}

TEST_F(StrategiesTest, NearDuplicatesKeepTheBest) {
  const std::string text =
      "first we write the equation down and then we solve it for x which gives us seven apples in "
      "each of the three baskets that the farmer has brought to the market on that day";
  Fill({{"p", {{text + " today", true, 0.5}, {"something else altogether, quite short"}}},
        {"q", {{text + " indeed", true, 1}}}});
  SelectOptions options = Options("all");
  options.near_duplicates = true;
  EXPECT_EQ(Kept(options), (Texts{"something else altogether, quite short", text + " indeed"}));
  EXPECT_EQ(Count("near_duplicate"), 1);
  EXPECT_EQ(drops_.at(0).detail, "of sample 3");
  options = Options("all");
  options.near_duplicates = options.near_within_problem = true;
  EXPECT_EQ(Kept(options).size(), 3u);
}

TEST_F(StrategiesTest, ContaminatedProblemsAreNamedWithTheirGram) {
  const std::string question =
      "a train leaves the station at noon and travels at sixty miles an hour for three hours";
  Fill({{"p", {{"a"}, {"b"}}, "math", "Tell me: " + question + " please"},
        {"q", {{"c"}}},
        {"s", {{"d"}}, "math", "what is 6*7?"}});
  ASSERT_TRUE(WriteFileAtomic(folder_ + "/eval.jsonl",
                              Json().Set("id", "t1").Set("question", question).Dump() + "\n" +
                                  R"({"id":"t2","question":"What is 6 * 7 ?"})" + "\n")
                  .ok());
  SelectOptions options = Options("all");
  options.decontaminate = {"trains=" + folder_ + "/eval.jsonl"};
  EXPECT_EQ(Kept(options), Texts{"c"});
  EXPECT_EQ(Count("contaminated"), 3);
  EXPECT_EQ(drops_.at(0).detail,
            "trains (t1), 13 words: a train leaves the station at noon and travels at sixty miles "
            "an");
  EXPECT_EQ(drops_.at(2).detail, "trains (t2), the whole text: what is 6*7?");
  options = Options("all");
  options.decontaminate = {folder_ + "/missing.jsonl"};
  EXPECT_EQ(SelectError(options).code, ErrorCode::kIo);
}

TEST_F(StrategiesTest, BoundsAndBalance) {
  std::vector<Row> rows;
  for (int i = 0; i < 12; ++i) {
    const std::string id = StrCat("p", i);
    rows.push_back({id, {{id + "a"}, {id + "b"}, {id + "c"}}, i < 9 ? "math" : "code"});
  }
  Fill(rows);
  SelectOptions options = Options("all");
  options.max_per_problem = 2;
  EXPECT_EQ(Kept(options).size(), 24u);
  EXPECT_EQ(Count("over_max_per_problem"), 12);
  for (const char* by : {"task", "level"}) {
    options = Options("all");
    options.balance = by;
    EXPECT_EQ(Kept(options).size(), 18u) << by;
    EXPECT_EQ(Count("over_balance"), 18);
  }
  options.dataset = "twice";
  options.balance_ratio = 2;
  EXPECT_EQ(Kept(options).size(), 27u);
  options = Options("all");
  options.max_samples = 5;
  const Texts drawn = Kept(options);
  EXPECT_EQ(drawn.size(), 5u);
  options.replace = true;
  EXPECT_EQ(Kept(options), drawn);
}

TEST_F(StrategiesTest, DifficultyIsThePassRate) {
  Fill({{"easy", {{"a"}, {"b"}, {"c"}, {"x", false, 0}}},
        {"hard", {{"d"}, {"y", false, 0}, {"z", false, 0}, {"w", false, 0}}}});
  SelectOptions options = Options("all-correct");
  options.balance = "difficulty";
  EXPECT_EQ(Kept(options).size(), 2u);
  EXPECT_EQ(Count("over_balance"), 2);
}

TEST_F(StrategiesTest, SplitsKeepProblemsTogether) {
  std::vector<Row> rows;
  for (int i = 0; i < 300; ++i)
    rows.push_back({StrCat("p", i), {{StrCat(i, "a")}, {StrCat(i, "b")}}});
  Fill(rows);
  SelectOptions options = Options("all");
  options.split = {"train=0.8", "test=0.1"};
  EXPECT_EQ(Kept(options).size(), 600u);
  std::map<std::string, int> problems;
  for (const auto& [problem, splits] : splits_) {
    EXPECT_EQ(splits.size(), 1u) << problem;
    ++problems[*splits.begin()];
  }
  EXPECT_NEAR(problems["train"], 240, 25);
  EXPECT_NEAR(problems["test"], 30, 16);
  EXPECT_EQ(result_.splits.at(0).second, 2 * problems["train"]);
  options.dataset = "bad";
  options.split = {"train=0.8", "test=0.3"};
  EXPECT_EQ(SelectError(options).code, ErrorCode::kUsage);
}

TEST_F(StrategiesTest, SeveralRunsAreOnePool) {
  Fill({{"p", {{"a", true, 0.5}}}}, "r");
  Fill({{"p", {{"b", true, 0.9}}}, {"q", {{"c"}}}}, "s");
  SelectOptions options = Options("best-of-n");
  options.runs = {"r", "s"};
  EXPECT_EQ(Kept(options), (Texts{"b", "c"}));
  EXPECT_EQ(result_.problems, 2);
  EXPECT_EQ(store_->FindDataset(options.dataset)->runs, (std::vector<RunId>{1, 2}));
  options = Options("all");
  options.runs = {"r", "r"};
  EXPECT_EQ(SelectError(options).code, ErrorCode::kUsage);
}

TEST_F(StrategiesTest, TheFunnelAddsUp) {
  Fill({{"p", {{"a"}, {"b", false, 0}, {"a"}}}});
  (void)Kept(Options("all-correct"));
  EXPECT_EQ(result_.Explain(),
            "3 samples of 1 problems\n  - 1 failed: 2 left\n  - 1 duplicate_text: 1 left\n");
}

}  // namespace
}  // namespace assay
