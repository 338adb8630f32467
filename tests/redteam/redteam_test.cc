// The corpus, run: every attack is stopped by this machine's sandbox and judge, and every twin, from which the named layers are
// taken, gets through. An attack that this machine cannot run (a language that is missing) is named, not counted as stopped.
#include "verifiers/redteam/redteam.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "core/text.h"
#include "verifiers/code/code_verifier.h"

namespace assay::redteam {
namespace {

SandboxConfig Config() {
  SandboxConfig config;
  if (const char* build = std::getenv("ASSAY_BUILD_DIR"))
    config.jail_path = StrCat(build, "/assay-jail");
  return config;
}

std::vector<Attack> Corpus() {
  Result<std::vector<Attack>> corpus = ReadCorpus(BuiltInCorpus());
  EXPECT_TRUE(corpus.ok());
  return corpus.ok() ? *corpus : std::vector<Attack>();
}

// Asks every attack of the corpus on two threads; `wanted` is how each must end.
void RunAll(Fate wanted, Finding (Team::*ask)(const Attack&)) {
  const std::vector<Attack> corpus = Corpus();
  std::atomic<size_t> next{0};
  std::mutex mutex;
  int ran = 0;
  auto work = [&] {
    Result<std::unique_ptr<Team>> team = Team::Create(Config());
    if (!team.ok()) return;
    const std::vector<LanguageInfo> languages = (*team)->sandbox()->Languages();
    for (size_t i; (i = next++) < corpus.size();) {
      Finding finding;
      finding.how = MissingFor(corpus[i], languages, (*team)->sandbox()->tier());
      if (finding.how.empty()) finding = ((**team).*ask)(corpus[i]);
      std::lock_guard<std::mutex> lock(mutex);
      if (finding.fate == Fate::kUnavailable) {
        printf("not run here: %s: %s\n", corpus[i].id.c_str(), finding.how.c_str());
        EXPECT_EQ(finding.how.find("compile"), std::string::npos) << corpus[i].id;
        continue;
      }
      ++ran;
      EXPECT_EQ(finding.fate, wanted)
          << corpus[i].id << " (" << corpus[i].why << "): " << finding.how;
    }
  };
  std::thread first(work), second(work);
  first.join();
  second.join();
  EXPECT_GE(ran, 100);
}

class RedteamTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<Sandbox>> sandbox = Sandbox::Create(Config());
    if (!sandbox.ok()) GTEST_SKIP() << "no sandbox on this machine: " << sandbox.error().message;
  }
};

TEST_F(RedteamTest, EveryAttackIsStopped) { RunAll(Fate::kStopped, &Team::RunAttack); }

TEST_F(RedteamTest, EveryTwinGetsThrough) { RunAll(Fate::kBreached, &Team::RunTwin); }

// The team itself must be able to see a breach.
TEST_F(RedteamTest, ABreachIsSeen) {
  Result<std::unique_ptr<Team>> team = Team::Create(Config());
  ASSERT_TRUE(team.ok());
  Attack attack;
  attack.id = "x";
  attack.category = "file_read";
  attack.language = attack.before_language = "python";
  attack.layers = {"tier"};
  attack.breach = "says";
  attack.program = "print('BREACHED')";
  EXPECT_EQ((*team)->RunAttack(attack).fate, Fate::kBreached);
  attack.program = "print('I was not BREACHED')";
  EXPECT_EQ((*team)->RunAttack(attack).fate, Fate::kStopped);
  // A task that it solves is a pass, and a pass is what a judge's attack must not get.
  attack.category = "fake_object";
  attack.breach = "passes";
  attack.layers = {"tests_apart"};
  attack.judge = "beside";
  attack.tests = *ParseJson(R"({"function": "f", "cases": [[[1], 2]]})");
  attack.program = "def f(x):\n    return x + 1\n";
  EXPECT_EQ((*team)->RunAttack(attack).fate, Fate::kBreached);
  attack.program = "def f(x):\n    return x\n";
  EXPECT_EQ((*team)->RunAttack(attack).fate, Fate::kStopped);
  EXPECT_EQ((*team)->RunTwin(attack).fate, Fate::kStopped);
  // An honest program that fails is a breach too, and so is a wrong sibling that passes.
  attack.category = "honest";
  attack.wrong = "def f(x):\n    return x\n";
  EXPECT_EQ((*team)->RunAttack(attack).fate, Fate::kBreached);
  attack.program = "def f(x):\n    return x + 1\n";
  EXPECT_EQ((*team)->RunAttack(attack).fate, Fate::kStopped);
  attack.wrong = attack.program;
  EXPECT_EQ((*team)->RunAttack(attack).fate, Fate::kBreached);
}

// A wrong program that is not scored would pay better than one that fails: a value that is too large to be handed back to it, or
// breaks off while a test reads it, is its own doing.
TEST_F(RedteamTest, NothingThatAProgramReturnsIsAFault) {
  Result<std::unique_ptr<Team>> team = Team::Create(Config());
  ASSERT_TRUE(team.ok());
  VerifierEnv env;
  env.sandbox = (*team)->sandbox();
  Result<std::unique_ptr<Verifier>> judge = MakeCodeVerifier(Json(), env);
  ASSERT_TRUE(judge.ok());
  const std::pair<const char*, const char*> pairs[] = {
      {"assert g([f(1)]) == 3",
       "def f(x):\n    r = []\n    for _ in range(199):\n        r = [r]\n    return r\n"},
      {"assert g([f(1), f(2), f(3)]) == 3", "def f(x):\n    return 'x' * (25 << 20)\n"},
      {"assert g(f(1) * f(2)) == 3", "def f(x):\n    return 1 << ((1 << 22) - 10)\n"},
      {"assert g(map(str, f(1))) == 3", "def f(x):\n    yield 1\n    raise ValueError\n"},
      // A module that the tests use and nobody imports is not the program's to define.
      {"assert np.allclose(f(1), 3)",
       "class np:\n    allclose = staticmethod(lambda *a: True)\ndef f(x):\n    return 0\n"}};
  for (const auto& [test, program] : pairs) {
    Group group;
    group.problem.verification_info = Json::MakeObject().Set("asserts", test);
    group.samples.push_back({StrCat(program, "def g(x):\n    return 0\n")});
    Verdict verdict = (*judge)->Verify(group, nullptr)[0];
    bool own_module = std::string_view(test).find("np.") != std::string_view::npos;
    EXPECT_NE(verdict.outcome, Outcome::kPass) << test;
    // Without numpy in the tester, the tests cannot run at all.
    if (!own_module) {
      EXPECT_EQ(verdict.outcome, Outcome::kFail) << test << ": " << verdict.detail;
    }
  }
}

}  // namespace
}  // namespace assay::redteam
