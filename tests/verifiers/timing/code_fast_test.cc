// datasets/rubrics/code-fast.toml on tests/cases/code_fast.jsonl, whose completions stand in the order of what they must earn: right
// and fast, right and slow, right with findings of linters, wrong, not parsing. $ASSAY_RUNS runs (once without).
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "core/jsonl.h"
#include "core/text.h"
#include "tests/verifiers/code/code_fixture.h"
#include "verifiers/lint/linters.h"
#include "verifiers/rubric.h"

namespace assay {
namespace {

using CodeFastTest = CodeTest;

void ExpectFalling(const GroupScore& score) {
  for (size_t i = 0; i < score.samples.size(); ++i) {
    std::string said;
    for (const Verdict& verdict : score.samples[i].verdicts) StrAppend(&said, Show(verdict), "\n");
    ASSERT_TRUE(score.samples[i].reward) << said;
    if (i > 0) {
      EXPECT_LT(*score.samples[i].reward, *score.samples[i - 1].reward) << i << ": " << said;
    }
  }
}

TEST_F(CodeFastTest, RewardsFallInOrder) {
  if (access(lint::FindRuff().c_str(), X_OK) != 0) GTEST_SKIP() << "ruff is not installed";
  const std::string root = std::getenv("ASSAY_SOURCE_DIR");
  auto toml = ReadFile(root + "/datasets/rubrics/code-fast.toml", size_t{1} << 20);
  ASSERT_TRUE(toml.ok());
  auto spec = RubricFromToml(*toml, "code-fast.toml");
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  VerifierEnv env = Env();
  env.cache_verdicts = false;
  auto rubric = Rubric::Make(*spec, env);
  ASSERT_TRUE(rubric.ok()) << rubric.error().message;
  auto text = ReadFile(root + "/tests/cases/code_fast.jsonl", size_t{1} << 20);
  ASSERT_TRUE(text.ok());
  const char* wanted = std::getenv("ASSAY_RUNS");
  const int runs = wanted == nullptr ? 1 : std::atoi(wanted);
  for (int run = 0; run < runs; ++run) {
    for (std::string_view line : SplitChar(*text, '\n')) {
      if (line.empty()) continue;
      Result<Json> item = ParseJson(line);
      ASSERT_TRUE(item.ok());
      Result<Group> group = GroupFromJson(*item->Find("row"));
      ASSERT_TRUE(group.ok()) << group.error().message;
      SCOPED_TRACE(StrCat("run ", run, ": ", item->StringOr("name", "")));
      ExpectFalling((*rubric)->Score(*group));
    }
  }
}

}  // namespace
}  // namespace assay
