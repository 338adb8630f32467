// One file of mathematics, code, instructions, prose, puzzles and choices, scored in one pass by one routed rubric:
// tests/cases/mixed.jsonl by datasets/rubrics/mixed.toml. Each row says what its completions must earn.
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/text.h"
#include "tests/verifiers/code/code_fixture.h"
#include "verifiers/rubric.h"

namespace assay {
namespace {

class MixedRubricTest : public CodeTest {};

TEST_F(MixedRubricTest, EveryTaskByItsOwnTerm) {
  const std::string root = std::getenv("ASSAY_SOURCE_DIR");
  const Result<std::string> toml = ReadFile(root + "/datasets/rubrics/mixed.toml");
  ASSERT_TRUE(toml.ok());
  Result<RubricSpec> spec = RubricFromToml(*toml, "mixed.toml");
  ASSERT_TRUE(spec.ok()) << spec.error().message;
  Result<std::unique_ptr<Rubric>> rubric = Rubric::Make(*spec, Env());
  ASSERT_TRUE(rubric.ok()) << rubric.error().message;
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(root + "/tests/cases/mixed.jsonl");
  ASSERT_TRUE(reader.ok());
  std::vector<Group> groups;
  std::vector<Json> rows;
  LineReader::Line line;
  while (*(*reader)->Next(&line)) {
    rows.push_back(*ParseJson(line.text));
    Result<Group> group = GroupFromJson(rows.back());
    ASSERT_TRUE(group.ok()) << group.error().message;
    groups.push_back(std::move(*group));
  }
  ASSERT_GE(groups.size(), 8u);
  std::vector<const Group*> pointers;
  for (const Group& group : groups) pointers.push_back(&group);
  const std::vector<GroupScore> scores = (*rubric)->ScoreGroups(pointers);
  for (size_t i = 0; i < scores.size(); ++i) {
    const Json::Array& want = *rows[i].Find("rewards")->AsArray();
    ASSERT_EQ(scores[i].samples.size(), want.size());
    for (size_t k = 0; k < want.size(); ++k) {
      const Reward reward = scores[i].samples[k].reward;
      ASSERT_TRUE(reward.has_value()) << groups[i].problem.id;
      EXPECT_NEAR(*reward, want[k].NumberOr(-1), 1e-9) << groups[i].problem.id << " " << k;
    }
  }
}

}  // namespace
}  // namespace assay
