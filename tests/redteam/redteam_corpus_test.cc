// The corpus itself, without running it: how many, of what, and that every line is complete. And who may switch layers off.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "core/jsonl.h"
#include "core/text.h"
#include "verifiers/redteam/careless.h"
#include "verifiers/redteam/corpus.h"
#include "verifiers/redteam/layers.h"
#include "verifiers/redteam/stage.h"

namespace assay::redteam {
namespace {

std::vector<Attack> Corpus() {
  Result<std::vector<Attack>> corpus = ReadCorpus(BuiltInCorpus());
  EXPECT_TRUE(corpus.ok()) << corpus.error().message;
  return corpus.ok() ? *corpus : std::vector<Attack>();
}

TEST(RedteamCorpus, HasEnoughOfEverything) {
  std::map<std::string, int> categories, languages;
  int attacks = 0;
  for (const Attack& attack : Corpus()) {
    ++categories[attack.category];
    if (attack.honest()) continue;
    ++attacks;
    ++languages[attack.language];
  }
  EXPECT_GE(attacks, 150);
  EXPECT_EQ(categories.size(), 17u);
  for (const std::string& name : Categories()) EXPECT_GE(categories[name], 8) << name;
  EXPECT_GE(languages["c++"], 25);
  EXPECT_GE(languages["javascript"], 25);
}

TEST(RedteamCorpus, NoTwoProgramsAreTheSame) {
  std::map<std::string, std::string> seen;
  for (const Attack& attack : Corpus()) {
    auto [other, fresh] = seen.emplace(
        StrCat(attack.before, "|", attack.program, "|", attack.judge, "|", attack.tests.Dump()),
        attack.id);
    EXPECT_TRUE(fresh) << attack.id << " is " << other->second;
  }
}

TEST(RedteamCorpus, EveryTwinHasSomethingToSwitchOff) {
  for (const Attack& attack : Corpus()) {
    bool limit = false, judge = false;
    for (const std::string& layer : attack.layers) {
      limit = limit || FindLayer(layer)->how == HowOff::kLimit;
      judge = judge || FindLayer(layer)->how == HowOff::kJudge;
    }
    EXPECT_EQ(limit, !attack.twin_limits.IsNull()) << attack.id;
    EXPECT_EQ(judge, !attack.judge.empty()) << attack.id;
    if (judge) {
      EXPECT_TRUE(IsCarelessJudge(attack.judge)) << attack.id;
    }
  }
}

TEST(RedteamCorpus, SaysWhatIsWrongWithALine) {
  const std::string good =
      R"({"id":"x","category":"daemon","language":"python","layers":["end"],"breach":"says","why":"w","program":"p"})";
  EXPECT_TRUE(ReadCorpus(good).ok());
  EXPECT_FALSE(ReadCorpus(good + "\n" + good).ok());  // the same id twice
  for (const auto& [from, to] : {std::pair{"daemon", "demon"},
                                 {R"(["end"])", R"(["ending"])"},
                                 {R"(["end"])", "[]"},
                                 {"says", "sings"},
                                 {"says", "passes"},
                                 {R"("p")", R"("")"},
                                 {"}", ""}}) {
    std::string bad = good;
    bad.replace(bad.find(from), std::string_view(from).size(), to);
    Result<std::vector<Attack>> read = ReadCorpus("\n" + bad);
    ASSERT_FALSE(read.ok()) << bad;
    EXPECT_NE(read.error().message.find("line 2"), std::string::npos) << read.error().message;
  }
}

// No program of the data folder's attacks is ours.
TEST(RedteamCorpus, IsWrittenForThisProject) {
  const char* data = std::getenv("ASSAY_DATA");
  const char* source = std::getenv("ASSAY_SOURCE_DIR");
  const std::string folder =
      data != nullptr ? data : StrCat(source != nullptr ? source : ".", "/../shared/data");
  Result<std::string> text = ReadFile(folder + "/attacks.jsonl");
  if (!text.ok()) GTEST_SKIP() << "no data folder: " << folder;
  std::set<std::string> theirs;
  for (std::string_view line : SplitChar(*text, '\n')) {
    if (Result<Json> row = ParseJson(line); row.ok())
      theirs.insert(std::string(Trim(row->StringOr("code", ""))));
  }
  for (const Attack& attack : Corpus())
    EXPECT_EQ(theirs.count(std::string(Trim(attack.program))), 0u) << attack.id;
}

// What switches layers off can be reached from the red team and from the jail itself, and from nowhere else.
TEST(RedteamCorpus, LayersAreSwitchedOffByNobodyElse) {
  namespace fs = std::filesystem;
  const char* source = std::getenv("ASSAY_SOURCE_DIR");
  ASSERT_NE(source, nullptr);
  std::set<std::string> users;
  for (const char* room :
       {"core", "sandbox", "verifiers", "datagen", "grpo", "cli", "python", "bench"}) {
    std::error_code error;
    for (const fs::directory_entry& entry :
         fs::recursive_directory_iterator(fs::path(source) / room, error)) {
      const std::string name = entry.path().extension().string();
      if (name != ".cc" && name != ".h") continue;
      std::ifstream in(entry.path());
      std::string text((std::istreambuf_iterator<char>(in)), {});
      if (text.find("sandbox/weakened.h") == std::string::npos) continue;
      std::string relative = fs::relative(entry.path(), source).string();
      if (StartsWith(relative, "sandbox/") || StartsWith(relative, "verifiers/redteam/")) continue;
      users.insert(relative);
    }
  }
  EXPECT_EQ(users, std::set<std::string>());
}

// ------------------------------------------------------------------------------------------------------------- the stage

TEST(RedteamStage, SeesWhatAProgramTouched) {
  Stage stage;
  Result<std::string> folder = stage.Fill("@OPEN@");
  ASSERT_TRUE(folder.ok()) << folder.error().message;
  EXPECT_EQ(stage.Look(), std::set<std::string>());
  std::ofstream(*folder + "/note.txt") << "other";
  EXPECT_EQ(stage.Look(), std::set<std::string>{"touched"});
}

TEST(RedteamStage, FillsOnePlaceholderWithOneThing) {
  Stage stage;
  Result<std::string> first = stage.Fill("@FILE@ @MARK@"), second = stage.Fill("@FILE@ @MARK@");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(*first, *second);
  Result<std::string> loot = ReadFile(first->substr(0, first->find(' ')));
  ASSERT_TRUE(loot.ok());
  EXPECT_EQ(*loot, Loot());
}

TEST(RedteamStage, SeesThatItsSleeperEnded) {
  Stage stage;
  Result<std::string> victim = stage.Fill("@VICTIM@");
  ASSERT_TRUE(victim.ok()) << victim.error().message;
  EXPECT_EQ(stage.Look(), std::set<std::string>());
  kill(atoi(victim->c_str()), SIGTERM);
  usleep(50000);
  EXPECT_EQ(stage.Look(), std::set<std::string>{"killed"});
}

TEST(RedteamStage, LeavesNothing) {
  std::string folder;
  {
    Stage stage;
    Result<std::string> filled = stage.Fill("@OPEN@");
    ASSERT_TRUE(filled.ok());
    folder = *filled;
    EXPECT_TRUE(std::filesystem::exists(folder));
  }
  EXPECT_FALSE(std::filesystem::exists(folder));
}

}  // namespace
}  // namespace assay::redteam
