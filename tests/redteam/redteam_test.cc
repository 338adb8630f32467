// The corpus, run: every attack is stopped by this machine's sandbox and judge, and every twin, from which the named layers are
// taken, gets through. An attack that this machine cannot run (a language that is missing) is named, not counted as stopped.
#include "verifiers/redteam/redteam.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "core/text.h"

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
  attack.judge = "inprocess";
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

}  // namespace
}  // namespace assay::redteam
