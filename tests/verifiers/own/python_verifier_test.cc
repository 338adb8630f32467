// `python`: each form of function as it is, and everything that such a function may do wrong.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "core/text.h"
#include "verifiers/rubric.h"
#include "verifiers/verifier.h"

namespace assay {
namespace {

class Python : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "python_verifier.XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }

  std::unique_ptr<Verifier> Make(const std::string& source, Json options = Json::MakeObject()) {
    std::ofstream(folder_ + "/reward.py") << source;
    options.Set("file", "reward.py");
    if (options.Find("processes") == nullptr) options.Set("processes", 1);
    VerifierEnv env;
    env.folder = folder_;
    Result<std::unique_ptr<Verifier>> made = MakeVerifier("python", options, env);
    if (!made.ok()) error_ = made.error();
    return made.ok() ? std::move(*made) : nullptr;
  }

  static Group Replies(const std::vector<std::string>& texts) {
    Group group;
    group.problem.prompt = "What is 2 + 2?";
    group.problem.answers = {"4"};
    group.problem.task = "sums";
    for (const std::string& text : texts) group.samples.emplace_back().text = text;
    return group;
  }

  // "pass 1 ok|fault 0 reward_raised".
  static std::string Said(const std::vector<Verdict>& verdicts) {
    std::string out;
    for (const Verdict& verdict : verdicts)
      StrAppend(&out, out.empty() ? "" : "|", OutcomeName(verdict.outcome), " ", verdict.score, " ",
                verdict.reason);
    return out;
  }

  std::string Judged(const std::string& source, const std::vector<std::string>& texts,
                     const Json& options = Json::MakeObject()) {
    verifier_ = Make(source, options);
    return verifier_ == nullptr ? error_.message : Said(verifier_->Verify(Replies(texts), nullptr));
  }

  std::string folder_;
  Error error_;
  std::unique_ptr<Verifier> verifier_;
};

TEST_F(Python, TrlFunctionsGetListsAndColumns) {
  EXPECT_EQ(Judged(R"(
def accuracy(prompts, completions, answer, **columns):
    assert prompts == ['What is 2 + 2?'] * 3 and columns['task'] == ['sums'] * 3, columns
    assert columns['solution'] == answer
    return [1.0 if c == a else None if c == '?' else -0.5 for c, a in zip(completions, answer)]
)",
                   {"4", "5", "?"}),
            "pass 1 ok|fail -0.5 low_score|abstain 0 not_applicable");
}

TEST_F(Python, TrlFunctionsGetMessagesWhereTheRowHasThem) {
  const std::unique_ptr<Verifier> verifier = Make(R"(
def format_reward(completions, **kwargs):
    return [float(c[0]['content'] == '4' and c[0]['role'] == 'assistant') for c in completions]
)");
  Group group = Replies({"4"});
  group.problem.messages = {{"user", "What is 2 + 2?"}};
  EXPECT_EQ(Said(verifier->Verify(group, nullptr)), "pass 1 ok");
}

TEST_F(Python, OtherForms) {
  EXPECT_EQ(Judged("def my_reward(completion, answer):\n  return completion == answer", {"4", "5"}),
            "pass 1 ok|fail 0 low_score");
  EXPECT_EQ(Judged("def anything(x):\n  return len(x) / 10", {"4444"}), "fail 0.4 low_score");
  EXPECT_EQ(Judged("def compute_score(data_source, solution_str, ground_truth, extra_info=None):\n"
                   "  assert data_source == 'sums'\n"
                   "  return {'score': float(solution_str == ground_truth), 'pred': solution_str}",
                   {"4", "5"}),
            "pass 1 ok|fail 0 low_score");
  EXPECT_EQ(Judged("def compute_score(data_sources, solution_strs, ground_truths, extra_infos):\n"
                   "  return [float(a == b) for a, b in zip(solution_strs, ground_truths)]",
                   {"4", "5"}),
            "pass 1 ok|fail 0 low_score");
  EXPECT_EQ(Judged("def score_answer(answer, entry):\n"
                   "  assert entry['question'] == 'What is 2 + 2?'\n"
                   "  return float(answer == entry['answer'])",
                   {"<think>so</think><answer>4</answer>", "<answer>5</answer>", "<think>4"}),
            "pass 1 ok|fail 0 low_score|fail 0 no_answer");
  EXPECT_EQ(
      Judged("async def reward(completions, **kwargs):\n  return [1] * len(completions)", {"4"}),
      "pass 1 ok");
}

TEST_F(Python, WhatGoesWrongCostsOnlyItsOwnSample) {
  const char* kBad = R"(
import os, time
def reward(completions, **kwargs):
    for c in completions:
        if c == 'raise': raise ValueError('no such thing')
        if c == 'exit': raise SystemExit(3)
        if c == 'die': os._exit(7)
        if c == 'hang':
            while True: pass
    return [{'nan': float('nan'), 'inf': float('inf'), 'text': '1.0', 'list': [1]}.get(c, 1) for c in completions]
)";
  EXPECT_EQ(
      Judged(kBad, {"4", "raise", "4", "nan", "4", "text", "die", "4", "list", "inf", "exit", "4"}),
      "pass 1 ok|fault 0 reward_raised|pass 1 ok|fault 0 reward_bad_value|pass 1 ok|"
      "fault 0 reward_bad_value|fault 0 reward_died|pass 1 ok|fault 0 reward_bad_value|"
      "fault 0 reward_bad_value|fault 0 reward_raised|pass 1 ok");
  EXPECT_EQ(
      Judged(kBad, {"4", "hang", "raise"}, Json().Set("timeout_s", 0.3).Set("on_error", "fail")),
      "pass 1 ok|fail 0 reward_timeout|fail 0 reward_raised");
  const std::vector<std::string> notes = verifier_->Notes();
  ASSERT_EQ(notes.size(), 2U);
  EXPECT_NE(notes[0].find("ValueError: no such thing"), std::string::npos) << notes[0];
  EXPECT_NE(notes[0].find("line 5"), std::string::npos) << notes[0];
}

// A second's work for thirty, of whom each has half a second: what is too much for one call goes in several.
TEST_F(Python, TheSizeOfABatchCostsNobodyItsScore) {
  const std::string judged = Judged(
      "import time\n"
      "def reward(completions, **columns):\n"
      "    time.sleep(0.03 * len(completions))\n"
      "    return [1.0] * len(completions)\n",
      std::vector<std::string>(30, "4"), Json().Set("timeout_s", 0.5));
  EXPECT_EQ(judged.find("fault"), std::string::npos) << judged;
}

TEST_F(Python, ListsOfTheWrongLength) {
  const std::string fault = "fault 0 reward_bad_length";
  EXPECT_EQ(
      Judged("def reward(completions, **kw):\n  return [1.0] * (len(completions) + 1)", {"4", "5"}),
      StrCat(fault, "|", fault));
  EXPECT_EQ(Judged("def reward(completions, **kw):\n  return []", {"4"}), fault);
  EXPECT_EQ(Judged("def reward(completions, **kw):\n  return 1.0", {"4"}),
            "fault 0 reward_bad_value");
  EXPECT_EQ(Judged("def reward(completions, **kw):\n  return 'ab'", {"4", "5"}),
            "fault 0 reward_bad_value|fault 0 reward_bad_value");
}

TEST_F(Python, AProcessThatHoldsTheLockIsKilledAndTheRunGoesOn) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Judged("import signal\n"
                   "def score(text):\n"
                   "  if text == 'hang':\n"
                   "    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\n"
                   "    while True: pass\n"
                   "  return 1",
                   {"4", "hang"}, Json().Set("timeout_s", 0.2)),
            "pass 1 ok|fault 0 reward_timeout");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(60));
}

TEST_F(Python, BatchesAndManyGroups) {
  const std::unique_ptr<Verifier> verifier = Make(
      "def reward(completions, **kw):\n"
      "  assert len(completions) <= 8 and len(completions) % 4 == 0\n"
      "  return [int(c) for c in completions]",
      Json().Set("batch", 10).Set("processes", 3).Set("pass_at", 50));
  std::vector<Group> groups;
  for (int g = 0; g < 25; ++g) {
    groups.push_back(Replies({}));
    for (int i = 0; i < 4; ++i) groups.back().samples.emplace_back().text = StrCat(4 * g + i);
  }
  std::vector<VerifyRequest> requests;
  for (const Group& group : groups) requests.push_back({&group, nullptr});
  const auto verdicts = verifier->VerifyGroups(requests);
  for (int at = 0; at < 100; ++at) {
    EXPECT_EQ(verdicts[at / 4][at % 4].score, at);
    EXPECT_EQ(verdicts[at / 4][at % 4].outcome, at >= 50 ? Outcome::kPass : Outcome::kFail);
  }
}

TEST_F(Python, FilesThatCannotBeUsedAreErrorsAtOnce) {
  EXPECT_EQ(Make("def reward(:\n"), nullptr);
  EXPECT_NE(error_.message.find("SyntaxError"), std::string::npos) << error_.message;
  EXPECT_EQ(Make("def one(a, b, c): pass\ndef two(a, b, c): pass\n"), nullptr);
  EXPECT_NE(error_.message.find("one, two"), std::string::npos) << error_.message;
  EXPECT_EQ(Make("import no_such_module_at_all"), nullptr);
  EXPECT_EQ(Make("def reward(a, b, c): pass"), nullptr);
  EXPECT_NE(error_.hint.find("form"), std::string::npos) << error_.hint;
  EXPECT_EQ(Make("def reward(x): return 1", Json().Set("interpreter", "/no/such/python")), nullptr);
  EXPECT_EQ(Make("def reward(x): return 1", Json().Set("function", "rewards")), nullptr);
}

TEST_F(Python, RowsCannotChooseWhatIsRun) {
  const std::unique_ptr<Verifier> verifier = Make("def reward(x): return 1");
  const Json own = Json().Set("file", "/tmp/other.py");
  EXPECT_EQ(Said(verifier->Verify(Replies({"4"}), &own)), "fault 0 gold_bad_options");
}

TEST_F(Python, WhatAFunctionPrintsDoesNotMatter) {
  EXPECT_EQ(Judged("import os, sys\n"
                   "print('hello')\n"
                   "def reward(x):\n"
                   "  print('y' * 300000); sys.stderr.write('z' * 300000); os.write(1, b'raw')\n"
                   "  return 1",
                   {"4", "5"}),
            "pass 1 ok|pass 1 ok");
}

}  // namespace
}  // namespace assay
