#include "datagen/score/score_run.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <thread>

#include "core/jsonl.h"
#include "core/rng.h"
#include "core/text.h"
#include "datagen/score/stored_rows.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

class ScoreRunTest : public testing::Test {
 protected:
  ScoreRunTest() : rubric_(std::move(*Rubric::Make(*RubricFromNames("format"), {}))) {
    char name[] = "/tmp/assay-score-XXXXXX";
    folder_ = mkdtemp(name);
    options_.output = folder_ + "/out.jsonl";
    options_.with_times = false;
    options_.tool_version = "test";
  }
  ~ScoreRunTest() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& name, const std::string& contents) {
    EXPECT_TRUE(WriteFileAtomic(folder_ + "/" + name, contents).ok());
    return folder_ + "/" + name;
  }

  // Rows of many sizes, some of them bad.
  std::string MakeInput(int rows, uint64_t seed = 1) {
    Rng rng(seed);
    std::string text;
    for (int i = 0; i < rows; ++i) {
      if (rng.Below(40) == 0) {
        text += "{\"id\": broken\n";
        continue;
      }
      Json row = Json().Set("id", StrCat("r", i)).Set("note", i);
      Json completions = Json::MakeArray();
      for (uint64_t s = 1 + rng.Below(5); s > 0; --s) {
        completions.Append(StrCat(rng.Below(3) == 0 ? "" : "<think>",
                                  std::string(rng.Below(i % 97 == 0 ? 90000 : 400), 'x'),
                                  "</think>y"));
      }
      text += row.Set("completions", std::move(completions)).Dump() + "\n";
    }
    return text;
  }

  // ReadFile unpacks.
  static std::string RawBytes(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  ScoreRunSummary Run() {
    Result<ScoreRunSummary> summary = ScoreFiles(options_, *rubric_);
    EXPECT_TRUE(summary.ok()) << summary.error().message;
    return summary.ok() ? *summary : ScoreRunSummary();
  }
  Error RunError() {
    Result<ScoreRunSummary> summary = ScoreFiles(options_, *rubric_);
    EXPECT_FALSE(summary.ok());
    return summary.ok() ? Error{} : summary.error();
  }
  std::vector<Json> Output() {
    std::vector<Json> rows;
    const std::string text = *ReadFile(options_.output);
    for (std::string_view line : SplitChar(text, '\n')) {
      if (!line.empty()) rows.push_back(*ParseJson(line));
    }
    return rows;
  }

  std::string folder_;
  std::unique_ptr<Rubric> rubric_;
  ScoreRunOptions options_;
};

TEST_F(ScoreRunTest, OneLineForEachInputLineInOrderWithAnyNumberOfThreads) {
  options_.files = {File("a.jsonl", MakeInput(1500, 1)), File("b.jsonl", MakeInput(300, 2))};
  const ScoreRunSummary one = Run();
  const std::string expected = *ReadFile(options_.output);
  EXPECT_EQ(Output().size(), 1800u);
  EXPECT_GT(one.bad_rows, 0);
  for (int jobs : {2, 4, 9}) {
    options_.jobs = jobs;
    const ScoreRunSummary many = Run();
    EXPECT_EQ(*ReadFile(options_.output), expected) << jobs;
    EXPECT_EQ(many.ToJson().Find("verifiers")->Dump(), one.ToJson().Find("verifiers")->Dump());
  }
}

TEST_F(ScoreRunTest, BadLinesSayWhereAndStrictStops) {
  options_.files = {File("a.jsonl",
                         "{\"id\":\"x\",\"completion\":\"<think>a</think>b\"}\n\nnot "
                         "json\n{\"id\":\"y\",\"completion\":\"\"}\n")};
  const ScoreRunSummary summary = Run();
  EXPECT_EQ(summary.bad_rows, 1);
  const std::vector<Json> rows = Output();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(rows[1].IntOr("line", 0), 3);
  EXPECT_NE(rows[1].Find("error")->StringOr("hint", ""), "");
  EXPECT_TRUE(rows[1].Find("rewards")->IsNull());
  options_.strict = true;
  EXPECT_EQ(RunError().code, ErrorCode::kInput);
  EXPECT_EQ(Output().size(), 2u);  // what came before is there
}

TEST_F(ScoreRunTest, UnknownKeysArePassedOnAndReservedOnesRenamed) {
  options_.files = {File(
      "a.jsonl",
      R"({"id":"x","labels":[true],"rewards":[0.5],"big":123456789012345678901234567890,"completions":["a"]})")};
  Run();
  EXPECT_EQ(Output()[0].Find("labels")->Dump(), "[true]");
  EXPECT_EQ(Output()[0].Find("input_rewards")->Dump(), "[0.5]");
  EXPECT_EQ(Output()[0].Find("big")->Dump(), "123456789012345678901234567890");
  EXPECT_EQ(Output()[0].Find("rewards")->Dump(), "[0.0]");
}

constexpr const char* kFlatLines =
    "{\"task_id\":1,\"completion\":\"<think>a</think>b\",\"k\":1}\n"
    "{\"task_id\":1,\"completion\":\"no\",\"k\":2}\n"
    "{\"task_id\":2,\"completion\":\"no\"}\n";

TEST_F(ScoreRunTest, GroupByMakesGroupsOfFlatLines) {
  options_.files = {File("a.jsonl", kFlatLines)};
  options_.group_by = "task_id";
  const ScoreRunSummary summary = Run();
  const std::vector<Json> rows = Output();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(summary.groups, 2);
  EXPECT_NEAR(rows[0].DoubleOr("advantage", 0), 0.5 / (0.70710678 + 1e-4), 1e-6);
  EXPECT_NEAR(rows[1].DoubleOr("advantage", 0), -0.5 / (0.70710678 + 1e-4), 1e-6);
  EXPECT_EQ(rows[0].IntOr("k", 0), 1);
  EXPECT_EQ(rows[1].IntOr("k", 0), 2);
}

// With the input kept, the output is an input: scored again it says the same, and what the first run said is named so.
TEST_F(ScoreRunTest, KeptInputIsScoredAgain) {
  options_.files = {File(
      "a.jsonl",
      R"({"id":1,"prompt":[{"role":"user","content":"q","name":"n"}],"answer":["4","5"],"task":"format","options":{"format":{}},"completions":[[{"role":"assistant","content":"b","reasoning_content":"a"}],"no"],"finish_reasons":["stop","length"],"note":[1]})"
      "\n"
      R"({"task":"format","completion":"<think>a</think>b","finish_reason":"stop","seed":3,"token_ids":[1]})"
      "\n")};
  options_.keep_input = true;
  Run();
  const std::vector<Json> first = Output();
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0].Find("finish_reasons")->Dump(), R"(["stop","length"])");
  EXPECT_EQ(first[0].Find("completions")->Dump(),
            R"([[{"role":"assistant","content":"b","reasoning_content":"a"}],"no"])");
  EXPECT_EQ(first[1].StringOr("completion", ""), "<think>a</think>b");
  for (int again = 0; again < 2; ++again) {
    options_.files = {File("b.jsonl", *ReadFile(options_.output))};
    Run();
    const std::vector<Json> rows = Output();
    ASSERT_EQ(rows.size(), 2u);
    for (size_t i = 0; i < rows.size(); ++i) {
      for (const Json::Member& member : *first[i].AsObject())
        EXPECT_EQ(rows[i].Find(member.key)->Dump(), member.value.Dump()) << member.key;
    }
    EXPECT_EQ(rows[0].Find("input_rewards")->Dump(), "[1.0,0.0]");
    EXPECT_EQ(rows[0].Find("input_input_rewards"), nullptr);
  }
}

// Each line is judged by its own answer, whoever stands before it, and compared with those of its own problem only.
TEST_F(ScoreRunTest, LinesOfOneValueWithOtherAnswersAreProblemsOfTheirOwn) {
  rubric_ = std::move(*Rubric::Make(*RubricFromNames("math"), {}));
  options_.files = {File("a.jsonl",
                         "{\"q\":1,\"answer\":\"4\",\"completion\":\"\\\\boxed{4}\"}\n"
                         "{\"q\":1,\"answer\":\"5\",\"completion\":\"\\\\boxed{4}\"}\n"
                         "{\"q\":1,\"answer\":\"4\",\"completion\":\"\\\\boxed{5}\"}\n"
                         "{\"q\":1,\"answer\":[\"a\",{}],\"completion\":\"\\\\boxed{5}\"}\n")};
  options_.group_by = "q";
  options_.store = folder_ + "/s.sqlite";
  const ScoreRunSummary summary = Run();
  const std::vector<Json> rows = Output();
  ASSERT_EQ(rows.size(), 4u);
  EXPECT_EQ(rows[0].DoubleOr("reward", -1), 1);
  EXPECT_EQ(rows[1].DoubleOr("reward", -1), 0);
  EXPECT_EQ(rows[2].DoubleOr("reward", -1), 0);
  EXPECT_GT(rows[0].DoubleOr("advantage", 0), 0);
  EXPECT_EQ(rows[1].DoubleOr("advantage", -1), 0);  // alone
  EXPECT_EQ(rows[3].IntOr("line", 0), 4);           // a bad line spoils nobody else's
  EXPECT_EQ(summary.groups, 2);
}

// The same lines in any order, in one file or in three, get the same rewards and advantages, in the order of the input.
TEST_F(ScoreRunTest, GroupsThatStandApartAreGathered) {
  Rng rng(3);
  std::vector<std::string> sorted, mixed;
  for (int problem = 0; problem < 60; ++problem) {
    for (int sample = 0; sample < 4; ++sample) {
      sorted.push_back(Json()
                           .Set("task_id", problem)
                           .Set("k", StrCat(problem, "-", sample))
                           .Set("completion", rng.Below(2) == 0 ? "<think>a</think>b" : "no")
                           .Dump());
    }
  }
  const auto advantages = [&](std::vector<std::string> files) {
    options_.files = std::move(files);
    Run();
    std::map<std::string, std::string> out;
    for (const Json& row : Output())
      out[std::string(row.StringOr("k", ""))] = row.Find("advantage")->Dump();
    return out;
  };
  const auto text = [](const std::vector<std::string>& lines, size_t begin, size_t end) {
    std::string out;
    for (size_t i = begin; i < end; ++i) StrAppend(&out, lines[i], "\n");
    return out;
  };
  options_.group_by = "task_id";
  const auto expected = advantages({File("sorted.jsonl", text(sorted, 0, sorted.size()))});
  ASSERT_EQ(expected.size(), 240u);
  mixed = sorted;
  rng.Shuffle(&mixed);
  for (int jobs : {1, 3}) {
    options_.jobs = jobs;
    EXPECT_EQ(advantages({File("mixed.jsonl", text(mixed, 0, mixed.size()))}), expected);
    const std::vector<Json> rows = Output();
    for (size_t i = 0; i < rows.size(); ++i)
      EXPECT_EQ(rows[i].StringOr("k", ""), ParseJson(mixed[i])->StringOr("k", "?"));
    EXPECT_EQ(
        advantages({File("1.jsonl", text(mixed, 0, 100)), File("2.jsonl", text(mixed, 100, 101)),
                    File("3.jsonl", text(mixed, 101, mixed.size()))}),
        expected);
  }
}

// Lines of `problems` groups, those of one group far from each other, without ids.
std::string ScatteredLines(int problems) {
  Rng rng(4);
  std::string text;
  for (int sample = 0; sample < 4; ++sample) {
    for (int problem = 0; problem < problems; ++problem)
      StrAppend(&text,
                Json()
                    .Set("task_id", problem)
                    .Set("completion", rng.Below(2) == 0 ? "<think>a</think>b" : "no")
                    .Dump(),
                "\n");
  }
  return text;
}

// Who always says --resume finds that nothing is left to do, and what the whole run had to say.
TEST_F(ScoreRunTest, AGatheredRunThatHasEndedIsNotScoredAgain) {
  const std::string text = ScatteredLines(50);
  options_.group_by = "task_id";
  for (const char* const name : {"out.jsonl", "out.jsonl.gz"}) {
    options_.files = {File("a.jsonl", text)};
    options_.output = folder_ + "/" + name;
    options_.store = folder_ + "/" + name + ".sqlite";
    options_.resume = true;
    const ScoreRunSummary whole = Run();
    const std::string expected = RawBytes(options_.output);
    EXPECT_EQ(whole.rows, 200);
    const ScoreRunSummary again = Run();
    EXPECT_EQ(again.rows, 0);
    EXPECT_EQ(again.resumed, 50);
    EXPECT_EQ(again.samples, whole.samples);
    EXPECT_EQ(again.groups, whole.groups);
    EXPECT_EQ(again.zero_variance_groups, whole.zero_variance_groups);
    EXPECT_EQ(again.reward_sum, whole.reward_sum);
    EXPECT_EQ(again.PassShare(), whole.PassShare());
    EXPECT_EQ(RawBytes(options_.output), expected);
    EXPECT_FALSE(std::filesystem::exists(options_.output + ".gathered"));
    // An input that is not what it was is refused, and leaves the output alone.
    File("a.jsonl", text + "{\"task_id\":99,\"completion\":\"no\"}\n");
    EXPECT_NE(RunError().message.find("more rows"), std::string::npos);
    File("a.jsonl", text + "{\"task_id\":1,\"completion\":\"no\"}\n");
    EXPECT_NE(RunError().message.find("is not what"), std::string::npos);
    EXPECT_EQ(RawBytes(options_.output), expected);
    // What the store has lost is scored into it.
    File("a.jsonl", text);
    std::filesystem::remove(options_.store);
    EXPECT_EQ(Run().rows, 200);
    EXPECT_EQ(RawBytes(options_.output), expected);
    EXPECT_EQ(Run().rows, 0);
    unlink((options_.output + ".resume").c_str());
    EXPECT_NE(RunError().message.find("is missing"), std::string::npos);
  }
}

// A pipe gets all lines again, and the user is told.
TEST_F(ScoreRunTest, AGatheredRunIntoNoFileBeginsAgainAndSaysSo) {
  options_.files = {File("a.jsonl", ScatteredLines(20))};
  options_.group_by = "task_id";
  options_.output = "/dev/null";
  options_.store = folder_ + "/s.sqlite";
  std::string said;
  options_.warn = [&](const std::string& sentence) { said = sentence; };
  options_.resume = true;
  EXPECT_EQ(Run().rows, 80);
  EXPECT_EQ(said, "");
  EXPECT_EQ(Run().rows, 80);
  EXPECT_NE(said.find("begins again"), std::string::npos);
}

// Lines that go into no file have no journal; the store knows how far the run came.
TEST_F(ScoreRunTest, ARunIntoNoFileIsResumedByItsStore) {
  options_.files = {File("a.jsonl", MakeInput(100))};
  options_.output = "/dev/null";
  options_.store = folder_ + "/s.sqlite";
  options_.resume = true;
  EXPECT_EQ(Run().rows, 100);
  const ScoreRunSummary again = Run();
  EXPECT_EQ(again.rows, 0);
  EXPECT_EQ(again.resumed, 100);
}

// Until all is written the output is what was there before, through a link too.
TEST_F(ScoreRunTest, AGatheredRunsOutputTakesItsPlaceWhole) {
  options_.files = {File("a.jsonl", ScatteredLines(20))};
  options_.group_by = "task_id";
  const std::string real = File("real.jsonl", "old\n"), link = folder_ + "/link.jsonl";
  ASSERT_EQ(chmod(real.c_str(), 0640), 0);
  ASSERT_EQ(symlink(real.c_str(), link.c_str()), 0);
  options_.output = link;
  std::atomic<bool> interrupted = true;
  options_.interrupted = &interrupted;
  EXPECT_TRUE(Run().interrupted);
  EXPECT_EQ(RawBytes(real), "old\n");
  interrupted = false;
  Run();
  EXPECT_EQ(Output().size(), 80u);
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  struct stat info {};
  ASSERT_EQ(stat(real.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
}

// Rows that an interrupted run had scored and that the input has no more would stay in the output.
TEST_F(ScoreRunTest, AnInputThatWasCutShortIsNotResumed) {
  const std::string text = MakeInput(60);
  options_.files = {File("a.jsonl", text)};
  options_.resume = true;
  Run();
  File("a.jsonl", text.substr(0, text.rfind('\n', text.size() - 2) + 1));
  EXPECT_NE(RunError().message.find("ends after 59 rows"), std::string::npos);
}

TEST_F(ScoreRunTest, GroupsThatStandApartInAPipeAreGathered) {
  const std::string text = std::string(kFlatLines) + kFlatLines, pipe = folder_ + "/pipe";
  options_.group_by = "task_id";
  options_.files = {File("a.jsonl", text)};
  const int64_t groups = Run().groups;
  const std::string expected = *ReadFile(options_.output);
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  options_.files = {pipe};
  std::string warning;
  options_.warn = [&](const std::string& said) { warning = said; };
  const auto run = [&] {
    std::thread writer([&] {
      std::FILE* file = std::fopen(pipe.c_str(), "w");
      std::fputs(text.c_str(), file);
      std::fclose(file);
    });
    const ScoreRunSummary summary = Run();
    writer.join();
    return summary.groups;
  };
  EXPECT_EQ(run(), groups);
  EXPECT_EQ(*ReadFile(options_.output), expected);
  EXPECT_EQ(warning, "");
  options_.adjacent = true;
  EXPECT_EQ(run(), 4);
  EXPECT_NE(warning.find("split"), std::string::npos);
}

// What could be read of a file that was cut short is scored, and stays when the whole file is there.
TEST_F(ScoreRunTest, AFileThatIsCutShortIsScoredAsFarAsItGoes) {
  const std::string text = MakeInput(300);
  const std::string path = File("a.jsonl", text);
  options_.files = {path};
  Run();
  const std::string expected = *ReadFile(options_.output);
  const std::string gz = folder_ + "/a.jsonl.gz";
  ASSERT_EQ(std::system(StrCat("gzip -c ", path, " > ", gz).c_str()), 0);
  const std::string whole = RawBytes(gz);
  options_.files = {gz};
  options_.store = folder_ + "/s.sqlite";
  ASSERT_TRUE(WriteFileAtomic(gz, whole.substr(0, whole.size() / 2)).ok());
  EXPECT_NE(RunError().message.find("ends in the middle"), std::string::npos);
  const size_t rows = Output().size();
  EXPECT_GT(rows, 10u);
  ASSERT_TRUE(WriteFileAtomic(gz, whole).ok());
  options_.resume = true;
  EXPECT_EQ(Run().resumed, static_cast<int64_t>(rows));
  EXPECT_EQ(*ReadFile(options_.output), expected);
}

TEST_F(ScoreRunTest, ResumeFromEveryKindOfStop) {
  options_.files = {File("a.jsonl", MakeInput(400))};
  options_.store = folder_ + "/whole.sqlite";
  options_.resume = true;  // a new start, which keeps its journal
  const ScoreRunSummary whole = Run();
  const std::string expected = *ReadFile(options_.output);
  const std::string journal = *ReadFile(options_.output + ".resume");
  Rng rng(7);
  options_.store.clear();
  for (int i = 0; i < 40; ++i) {
    // Output and journal cut anywhere, each for itself.
    ASSERT_TRUE(
        WriteFileAtomic(options_.output, expected.substr(0, rng.Below(expected.size() + 1))).ok());
    ASSERT_TRUE(WriteFileAtomic(options_.output + ".resume",
                                journal.substr(0, 1 + rng.Below(journal.size())))
                    .ok());
    const ScoreRunSummary summary = Run();
    ASSERT_EQ(*ReadFile(options_.output), expected) << i;
    ASSERT_EQ(*ReadFile(options_.output + ".resume"), journal) << i;
    // The summary is of the whole output.
    EXPECT_EQ(summary.PassShare(), whole.PassShare()) << i;
    EXPECT_EQ(summary.samples, whole.samples) << i;
    EXPECT_EQ(summary.bad_rows, whole.bad_rows) << i;
    EXPECT_EQ(summary.zero_variance_groups, whole.zero_variance_groups) << i;
  }
  const ScoreRunSummary again = Run();  // nothing is left to do, and the bad rows are still known
  EXPECT_EQ(again.rows, 0);
  EXPECT_EQ(again.resumed, 400);
  EXPECT_GT(again.bad_rows, 0);
}

TEST_F(ScoreRunTest, APackedOutputIsPacked) {
  options_.files = {File("a.jsonl", MakeInput(300))};
  Run();
  const std::string plain = *ReadFile(options_.output);
  for (const char* const ending : {".gz", ".zst"}) {
    options_.output = folder_ + "/packed.jsonl" + ending;
    for (const bool resume : {false, true}) {
      options_.resume = resume;
      Run();
      EXPECT_EQ(*ReadFile(options_.output), plain) << ending;
      EXPECT_LT(RawBytes(options_.output).size(), plain.size() / 2) << ending;
    }
    options_.resume = false;
  }
}

TEST_F(ScoreRunTest, AFinishedRunLeavesNoJournal) {
  options_.files = {File("a.jsonl", MakeInput(50))};
  Run();
  EXPECT_FALSE(ReadFile(options_.output + ".resume").ok());
  options_.resume = true;
  EXPECT_NE(RunError().message.find("is missing"), std::string::npos);
}

TEST_F(ScoreRunTest, ResumeRefusesWhatDoesNotFit) {
  const std::string path = File("a.jsonl", MakeInput(50));
  options_.files = {path};
  options_.resume = true;
  Run();
  options_.group_by = "task_id";
  EXPECT_NE(RunError().message.find("another configuration"), std::string::npos);
  options_.group_by.clear();
  options_.files = {path, File("b.jsonl", "")};
  EXPECT_NE(RunError().message.find("other input files"), std::string::npos);
  options_.files = {path};
  std::string changed = *ReadFile(path);
  changed[20] ^= 1;
  File("a.jsonl", changed);
  EXPECT_NE(RunError().message.find("is not what the interrupted run scored"), std::string::npos);
  unlink((options_.output + ".resume").c_str());
  EXPECT_NE(RunError().message.find("journal"), std::string::npos);
  options_.output.clear();
  EXPECT_NE(RunError().message.find("--resume needs something to resume"), std::string::npos);
}

TEST_F(ScoreRunTest, ErrorsOfFilesComeBeforeTheFirstRow) {
  options_.files = {File("a.jsonl", MakeInput(5)), folder_ + "/missing.jsonl"};
  EXPECT_EQ(RunError().code, ErrorCode::kIo);
  EXPECT_FALSE(std::filesystem::exists(options_.output));
  options_.files = {File("a.jsonl", MakeInput(5))};
  options_.output = folder_ + "/no/such/folder/out.jsonl";
  EXPECT_EQ(RunError().code, ErrorCode::kIo);
}

TEST_F(ScoreRunTest, FullDiskIsAnErrorWithAHint) {
  if (access("/dev/full", W_OK) != 0) GTEST_SKIP() << "no /dev/full on this machine";
  options_.files = {File("a.jsonl", MakeInput(2000))};
  options_.output = "/dev/full";
  const Error error = RunError();
  EXPECT_EQ(error.code, ErrorCode::kIo);
  EXPECT_NE(error.hint.find("--resume"), std::string::npos);
}

// --- runs of a store -------------------------------------------------------------------------------------------------

TEST_F(ScoreRunTest, RepliesThatWereCutOffAreCounted) {
  options_.files = {File("a.jsonl",
                         R"({"id":1,"completions":["a","b"],"finish_reasons":["length","stop"]})"
                         "\n"
                         R"({"id":2,"completion":"c","finish_reason":"length"})"
                         "\n")};
  options_.keep_input = true;
  options_.resume = true;
  EXPECT_EQ(Run().cut_off, 2);
  const ScoreRunSummary again = Run();  // nothing is left to do, but to sum up
  EXPECT_EQ(again.cut_off, 2);
  EXPECT_EQ(again.ToJson().IntOr("truncated", 0), 2);
}

TEST_F(ScoreRunTest, FlatRowsOfAStoredRunAreGroupedAnew) {
  options_.files = {File("a.jsonl", StrCat(kFlatLines, "{\"id\": broken\n")),
                    File("b.jsonl", kFlatLines)};
  options_.group_by = "task_id";
  EXPECT_EQ(Run().groups, 2);
  const std::vector<Json> expected = Output();
  options_.group_by = "";
  options_.store = folder_ + "/s.sqlite";
  options_.run_name = "first";
  EXPECT_EQ(Run().groups, 6);

  options_.from_store = options_.store;
  options_.from_run = "first";
  options_.run_name = "grouped";
  options_.group_by = "task_id";
  const ScoreRunSummary summary = Run();
  EXPECT_EQ(summary.groups, 2);
  EXPECT_EQ(summary.bad_rows, 1);
  const std::vector<Json> rows = Output();
  ASSERT_EQ(rows.size(), expected.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].Find("error") != nullptr) continue;
    EXPECT_EQ(rows[i].Dump(), expected[i].Dump());
  }
  EXPECT_NE(rows[3].Find("error"), nullptr);
  EXPECT_EQ(rows[3].IntOr("line", 0), 4);
  // What was grouped may be grouped otherwise, into rows of their own.
  options_.from_run = "grouped";
  options_.run_name = "apart";
  options_.group_by = "k";
  EXPECT_EQ(Run().groups, 4);  // k is 1 or 2 in both files; two lines lack it
  auto store = Store::Open(options_.store, OpenMode::kReadOnly);
  ASSERT_TRUE(store.ok());
  int64_t stored = 0;
  ASSERT_TRUE((*store)
                  ->ForEachGroup((*store)->FindRun("apart")->id, false,
                                 [&](const StoredGroup& group) {
                                   stored += static_cast<int64_t>(group.samples.size());
                                   return Status();
                                 })
                  .ok());
  EXPECT_EQ(stored, 6);
}

TEST_F(ScoreRunTest, AStoredRunIsScoredAgainAsItsFilesWere) {
  const std::string flat = R"({"id":7,"q":"a","note":1,"completion":"<think>x</think>y"})"
                           "\n"
                           R"({"id":8,"q":"a","note":2,"completion":"z","finish_reason":"length"})"
                           "\n";
  options_.files = {File("a.jsonl", MakeInput(300, 1)), File("b.jsonl", flat)};
  options_.store = folder_ + "/s.sqlite";
  options_.run_name = "first";
  options_.group_by = "q";
  options_.keep_input = true;
  const ScoreRunSummary summary = Run();
  const std::string expected = *ReadFile(options_.output);

  options_.from_store = options_.store;
  options_.from_run = "first";
  options_.run_name = "again";
  options_.group_by = "";
  options_.files = *FilesOfStoredRun(options_.from_store, "first");
  EXPECT_EQ(options_.files.size(), 2u);
  for (const std::string& file : options_.files) std::filesystem::remove(file);
  const ScoreRunSummary again = Run();
  EXPECT_EQ(again.samples, summary.samples);
  EXPECT_EQ(again.bad_rows, summary.bad_rows);
  std::string got = *ReadFile(options_.output);
  // What was wrong with a bad line is known, what would have helped is not.
  std::vector<Json> want;
  for (std::string_view line : SplitChar(expected, '\n')) {
    if (!line.empty()) want.push_back(*ParseJson(line));
  }
  const std::vector<Json> rows = Output();
  ASSERT_EQ(rows.size(), want.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    if (const Json* error = want[i].Find("error")) {
      EXPECT_EQ(rows[i].Find("error")->StringOr("message", ""), error->StringOr("message", "-"));
    } else {
      EXPECT_EQ(rows[i].Dump(), want[i].Dump());
    }
  }
  options_.run_name = "first";
  EXPECT_NE(RunError().message.find("into itself"), std::string::npos);
}

TEST_F(ScoreRunTest, AResumedRunOfAStoreAloneSumsUpAllOfIt) {
  options_.files = {File("a.jsonl", MakeInput(200))};
  options_.store = folder_ + "/s.sqlite";
  options_.output = "";
  testing::internal::CaptureStdout();
  const ScoreRunSummary all = Run();
  options_.resume = true;
  const ScoreRunSummary again = Run();
  (void)testing::internal::GetCapturedStdout();
  EXPECT_EQ(again.samples, all.samples);
  EXPECT_EQ(again.resumed_samples, all.samples);
  EXPECT_EQ(again.bad_rows, all.bad_rows);
  EXPECT_EQ(again.reward_sum, all.reward_sum);
  EXPECT_EQ(again.groups, all.groups);
}

TEST_F(ScoreRunTest, RepliesThatLmEvalWritesForEachFilterCountOnce) {
  const auto row = [](int doc, const char* filter, const char* reply) {
    return StrCat("{\"doc_id\":", doc, ",\"target\":\"4\",\"filter\":\"", filter,
                  "\",\"resps\":[[\"", reply, "\"]],\"filtered_resps\":[\"4\"]}\n");
  };
  options_.files = {File("a.jsonl", row(0, "strict", "a") + row(1, "strict", "b") +
                                        row(0, "flexible", "a") + row(1, "flexible", "b") +
                                        row(1, "flexible", "c") + row(0, "strict", "a"))};
  const ScoreRunSummary summary = Run();
  // A reply of its own is none of a filter's; the same row twice is the user's.
  EXPECT_EQ(summary.samples, 4);
  ASSERT_EQ(summary.notes.size(), 1u);
  EXPECT_NE(summary.notes[0].find("left out: 2 lines"), std::string::npos) << summary.notes[0];
}

TEST_F(ScoreRunTest, OptionsForAVerifierThatDoesNotExistAreABadLine) {
  options_.files = {File("a.jsonl",
                         R"({"id":1,"completion":"x","options":{"formt":{"tags":["a"]}}})"
                         "\n"
                         R"({"id":2,"completion":"x","options":{"A":"one","B":"two"}})"
                         "\n"
                         R"({"id":3,"completion":"x","options":{"math":{}}})"
                         "\n")};
  const ScoreRunSummary summary = Run();
  EXPECT_EQ(summary.bad_rows, 1);
  const std::vector<Json> rows = Output();
  EXPECT_EQ(rows[0].Find("error")->StringOr("message", ""),
            "'options' are for an unknown verifier 'formt'");
  EXPECT_EQ(rows[0].Find("error")->StringOr("hint", ""), "did you mean 'format'?");
}

TEST_F(ScoreRunTest, StopSignalLeavesValidOutput) {
  options_.files = {File("a.jsonl", MakeInput(3000))};
  std::atomic<bool> interrupted{true};
  options_.interrupted = &interrupted;
  const ScoreRunSummary summary = Run();
  EXPECT_TRUE(summary.interrupted);
  options_.interrupted = nullptr;
  options_.resume = true;
  Run();
  const std::string resumed = *ReadFile(options_.output);
  options_.resume = false;
  Run();
  EXPECT_EQ(*ReadFile(options_.output), resumed);
}

// A row of one term "code" with these verdicts.
ScoreRow RowOf(const std::string& id, const std::vector<Verdict>& verdicts) {
  ScoreRow row;
  row.group.problem.id = id;
  row.score.labels = {"code"};
  for (const Verdict& verdict : verdicts) {
    row.score.samples.emplace_back();
    row.score.samples.back().verdicts = {verdict};
  }
  return row;
}

TEST(ScoreSummaryTest, RowsThatFailForOneReasonOfTheirOwnAreNamed) {
  auto suspect = [](const char* reason) {
    Verdict verdict = Verdict::Fail("entry_point_missing", reason);
    verdict.evidence.Set("suspect", reason);
    return verdict;
  };
  const Verdict wrong = Verdict::Fail("wrong_answer", "no");
  const Verdict gold = Verdict::Fault("gold_tests", "does not parse");
  ScoreRunSummary summary;
  summary.Add(RowOf("a", {suspect("no f"), suspect("no f")}));
  summary.Add(RowOf("b", {suspect("no f")}));
  summary.Add(RowOf("c", {suspect("no f"), suspect("no g")}));
  summary.Add(RowOf("d", {suspect("no f"), wrong}));
  summary.Add(RowOf("e", {wrong, wrong}));
  summary.Add(RowOf("f", {suspect("no f"), suspect("no f"), Verdict::Pass()}));
  summary.Add(RowOf("g", {gold}));
  ASSERT_EQ(summary.suspects, 2);
  EXPECT_EQ(summary.first_suspects[0].id, "a");
  EXPECT_EQ(summary.first_suspects[0].reason, "no f");
  EXPECT_EQ(summary.first_suspects[1].id, "g");
  // What an interrupted run wrote counts in the same way.
  ScoreRunSummary resumed;
  resumed.AddWritten(
      *ParseJson(
          R"({"id":"h","rewards":[0,0],"verdicts":[{"code":{"outcome":"fail","reason":"exception",)"
          R"("evidence":{"suspect":"no x"}}},{"code":{"outcome":"fail","reason":"exception",)"
          R"("evidence":{"suspect":"no x"}}}]})"),
      /*begins=*/true);
  ASSERT_EQ(resumed.suspects, 1);
  EXPECT_EQ(resumed.first_suspects[0].id, "h");
  EXPECT_NE(resumed.ToJson().Find("suspects"), nullptr);
}

}  // namespace
}  // namespace assay
