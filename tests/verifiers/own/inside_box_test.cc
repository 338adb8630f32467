// `python` with `inside_box`: functions that run what a model wrote, in the sandbox, and what neither of them may do there.
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "core/text.h"
#include "tests/verifiers/code/code_fixture.h"
#include "verifiers/verifier.h"

namespace assay {
namespace {

class InsideBox : public CodeTest {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "inside_box.XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }

  std::unique_ptr<Verifier> Make(const std::string& source, Json options = Json::MakeObject()) {
    std::ofstream(folder_ + "/reward.py") << source;
    VerifierEnv env = Env();
    env.folder = folder_;
    Result<std::unique_ptr<Verifier>> made =
        MakeVerifier("python", options.Set("file", "reward.py").Set("inside_box", true), env);
    if (!made.ok()) error_ = made.error();
    return made.ok() ? std::move(*made) : nullptr;
  }

  // "pass 1 ok|fail 0 cpu_limit".
  std::string Judged(const std::string& source, const std::vector<std::string>& texts,
                     const Json& options = Json::MakeObject()) {
    verifier_ = Make(source, options);
    if (verifier_ == nullptr) return error_.message;
    Group group;
    group.problem.prompt = "Double it.";
    group.problem.answers = {"4"};
    for (const std::string& text : texts) group.samples.emplace_back().text = text;
    verdicts_ = verifier_->Verify(group, nullptr);
    std::string out;
    for (const Verdict& verdict : verdicts_)
      StrAppend(&out, out.empty() ? "" : "|", OutcomeName(verdict.outcome), " ", verdict.score, " ",
                verdict.reason);
    return out;
  }

  std::string folder_;
  Error error_;
  std::unique_ptr<Verifier> verifier_;
  std::vector<Verdict> verdicts_;
};

// Runs the completion and calls its f.
const char* const kRuns =
    "def reward(completions, answer, **columns):\n"
    "    scores = []\n"
    "    for completion, expected in zip(completions, answer):\n"
    "        names = {}\n"
    "        exec(completion, names)\n"
    "        scores.append(float(names['f'](2) == int(expected)))\n"
    "    return scores\n";

TEST_F(InsideBox, WhatTheModelWroteRunsAndIsScored) {
  EXPECT_EQ(Judged(kRuns, {"def f(x): return 2 * x", "def f(x): return x", "def f(x:",
                           "def f(x): raise KeyError(x)", "import sys\ndef f(x): sys.exit(0)"}),
            "pass 1 ok|fail 0 low_score|fail 0 reward_raised|fail 0 reward_raised|"
            "fail 0 reward_raised");
  EXPECT_TRUE(verdicts_[0].evidence.BoolOr("forgeable", false));
  const std::vector<std::string> notes = verifier_->Notes();
  ASSERT_FALSE(notes.empty());
  EXPECT_NE(notes[0].find("SyntaxError"), std::string::npos) << notes[0];
}

TEST_F(InsideBox, FormsAreAsOutside) {
  EXPECT_EQ(Judged("def compute_score(data_source, solution_str, ground_truth, extra_info=None):\n"
                   "  return {'score': float(eval(solution_str) == int(ground_truth))}",
                   {"2 + 2", "5"}),
            "pass 1 ok|fail 0 low_score");
  EXPECT_EQ(Judged("def score(completion):\n"
                   "  return completion[0]['content'] == '4' and completion[0]['role'] == "
                   "'assistant'",
                   {"4"}, Json().Set("chat", "always")),
            "pass 1 ok");
  EXPECT_EQ(Judged("async def reward(completions, **kw):\n  return [None]", {"4"}),
            "abstain 0 not_applicable");
}

TEST_F(InsideBox, LimitsEndWhatHangsAndCostOnlyThatSample) {
  const auto start = std::chrono::steady_clock::now();
  const std::string judged =
      Judged(kRuns,
             {"def f(x):\n  while True: pass", "def f(x): return 4",
              "import time\ndef f(x):\n  time.sleep(1000)",
              "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))\n"
              "def f(x):\n  while True: pass",
              "def f(x): return bytearray(1 << 40)", "import os\nos._exit(0)",
              "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "def f(x): return 4"},
             Json().Set("timeout_s", 1));
  // A loop comes to its second by the clock and by the CPU at once: either limit may see it first.
  const size_t rest = judged.find('|');
  const std::string first = judged.substr(0, rest);
  EXPECT_TRUE(first == "fail 0 reward_timeout" || first == "fail 0 cpu_limit") << judged;
  ASSERT_NE(rest, std::string::npos);
  EXPECT_EQ(judged.substr(rest),
            "|pass 1 ok|fail 0 reward_timeout|fail 0 cpu_limit|"
            "fail 0 reward_raised|fail 0 early_exit|fail 0 signal|pass 1 ok");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(120));
}

TEST_F(InsideBox, NothingOfTheMachineIsThere) {
  std::ofstream(folder_ + "/secret.txt") << "the answer is 4";
  setenv("ASSAY_TEST_BOX_SECRET", "s3cret", 1);
  const std::string tries_to = StrCat(
      "import os, socket, subprocess\n"
      "def tried(what):\n"
      "  try:\n"
      "    return what() is not None\n"
      "  except Exception:\n"
      "    return False\n"
      "def reward(completion):\n"
      "  return [",
      "tried(lambda: open('", folder_, "/secret.txt').read()),",
      "tried(lambda: open('secret.txt').read()),"
      "tried(lambda: open('/etc/shadow').read()),"
      "tried(lambda: open('/root/.bashrc').read()),"
      "tried(lambda: os.environ['ASSAY_TEST_BOX_SECRET']),"
      "tried(lambda: socket.create_connection(('127.0.0.1', 80), 1)),"
      "tried(lambda: socket.socket(socket.AF_UNIX)),"
      "tried(lambda: subprocess.run(['/bin/sh', '-c', 'true'], check=True)),"
      "tried(lambda: open('/proc/1/environ').read()),"
      "tried(lambda: open('/usr/written', 'w')),"
      "tried(lambda: os.kill(1, 0) or True),"
      "].count(True)\n");
  EXPECT_EQ(Judged(tries_to, {"x"}, Json().Set("pass_at", 100)), "fail 0 low_score")
      << verdicts_[0].detail;
  unsetenv("ASSAY_TEST_BOX_SECRET");
}

TEST_F(InsideBox, NothingStaysFromOneSampleToTheNext) {
  const std::string remembers =
      "import os\n"
      "seen = []\n"
      "def reward(completion):\n"
      "  old = len(seen) + len([name for name in os.listdir('/tmp') if name == 'left'])\n"
      "  seen.append(completion)\n"
      "  open('/tmp/left', 'w').write(completion)\n"
      "  return old\n";
  EXPECT_EQ(Judged(remembers, {"a", "b", "c"}),
            "fail 0 low_score|fail 0 low_score|fail 0 low_score");
}

TEST_F(InsideBox, BadValuesFailOrAreNullAsAsked) {
  const std::string bad =
      "def reward(completion):\n"
      "  return {'nan': float('nan'), 'text': '1.0'}.get(completion, 1)\n";
  EXPECT_EQ(Judged(bad, {"nan", "text", "x"}),
            "fail 0 reward_bad_value|fail 0 reward_bad_value|pass 1 ok");
  EXPECT_EQ(Judged(bad, {"nan", "x"}, Json().Set("on_error", "null")),
            "fault 0 reward_bad_value|pass 1 ok");
  // What a program did to its box is never null, whatever `on_error` says: killing it must not pay.
  EXPECT_EQ(Judged(kRuns, {"import os\nos._exit(0)"}, Json().Set("on_error", "null")),
            "fail 0 early_exit");
}

TEST_F(InsideBox, FilesThatCannotBeUsedAreErrorsAtOnce) {
  EXPECT_EQ(Make("def reward(:\n"), nullptr);
  EXPECT_NE(error_.message.find("SyntaxError"), std::string::npos) << error_.message;
  EXPECT_EQ(Make("import no_such_module_at_all\ndef reward(x): return 1"), nullptr);
  EXPECT_NE(error_.hint.find("--python"), std::string::npos) << error_.hint;
  VerifierEnv env = Env();
  EXPECT_FALSE(
      MakeVerifier("python", Json().Set("module", "json").Set("inside_box", true), env).ok());
  VerifierEnv none;
  EXPECT_FALSE(MakeVerifier("python",
                            Json().Set("file", folder_ + "/reward.py").Set("inside_box", true),
                            none)
                   .ok());
}

}  // namespace
}  // namespace assay
