// Which lines --group-by joins: neighbours as they come, and all of them where they stand apart.
#include "datagen/score/group_gatherer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/jsonl.h"
#include "core/text.h"

namespace assay {
namespace {

std::string Flat(const std::string& key) {
  return StrCat("{\"q\":\"", key, "\",\"completion\":\"x\"}");
}

bool GoOn() { return false; }

class GroupGathererTest : public testing::Test {
 protected:
  GroupGathererTest() : field_("q", "") {
    char name[] = "/tmp/assay-gather-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~GroupGathererTest() override { std::filesystem::remove_all(folder_); }
  std::string File(const std::string& name, const std::vector<std::string>& keys) {
    std::string text;
    for (const std::string& key : keys) text += Flat(key) + "\n";
    EXPECT_TRUE(WriteFileAtomic(folder_ + "/" + name, text).ok());
    return folder_ + "/" + name;
  }

  GroupField field_;
  std::string folder_;
};

TEST_F(GroupGathererTest, OnlyFlatRowsWithTheFieldHaveAKey) {
  GroupKey key;
  EXPECT_TRUE(field_.KeyOf(Flat("a"), &key));
  EXPECT_EQ(key.value, "\"a\"");
  for (const char* line :
       {"not json", "{\"completion\":\"x\"}", "{\"q\":null,\"completion\":\"x\"}",
        "{\"q\":\"a\",\"completions\":[\"x\"]}"}) {
    GroupKey none;
    EXPECT_FALSE(field_.KeyOf(line, &none)) << line;
  }
}

// A file may give one id to two problems: joined, one's samples would be judged by the other's answer.
TEST_F(GroupGathererTest, LinesWithAnotherAnswerPromptTaskTestsOrOptionsHaveAnotherKey) {
  const std::string line = R"({"q":"a","completion":"x","prompt":"p","answer":"4","note":1})";
  GroupKey key;
  ASSERT_TRUE(field_.KeyOf(line, &key));
  for (
      const char* other :
      {R"({"q":"a","completion":"x","prompt":"p","answer":"5"})",
       R"({"q":"a","completion":"x","prompt":"o","answer":"4"})",
       R"({"q":"a","completion":"x","prompt":"p"})",
       R"({"q":"a","completion":"x","prompt":"p","answer":"4","task":"code"})",
       R"({"q":"a","completion":"x","prompt":"p","answer":"4","test_list":["assert True"]})",
       R"({"q":"a","completion":"x","prompt":"p","answer":"4","options":{"math":{"mode":"bare"}}})",
       R"({"q":"b","completion":"x","prompt":"p","answer":"4"})"}) {
    GroupKey their;
    ASSERT_TRUE(field_.KeyOf(other, &their)) << other;
    EXPECT_FALSE(key == their) << other;
  }
  GroupKey same;
  ASSERT_TRUE(
      field_.KeyOf(R"({"answer":4,"prompt":"p","completion":"y","q":"a","note":2})", &same));
  EXPECT_TRUE(key == same);
}

TEST_F(GroupGathererTest, NeighboursAreJoinedAndWhatGoesOnLaterIsCounted) {
  std::vector<size_t> sizes;
  FieldUse use;
  std::atomic<int64_t> split = 0;
  AdjacentLines lines(
      field_,
      [&](ScoreRow row) {
        sizes.push_back(row.lines.size());
        return Status();
      },
      &split, &use);
  int64_t number = 0;
  for (const std::string& text : {Flat("a"), Flat("a"), Flat("b"), std::string("{}"), Flat("a")})
    EXPECT_TRUE(lines.Take({++number, text}).ok());
  EXPECT_TRUE(lines.Finish().ok());
  EXPECT_EQ(sizes, (std::vector<size_t>{2, 1, 1, 1}));
  EXPECT_EQ(split, 1);
}

TEST_F(GroupGathererTest, SplitMeansApartInOneFileOrInSeveral) {
  const std::string sorted = File("sorted", {"a", "a", "b"}),
                    apart = File("apart", {"a", "b", "a"}), other = File("other", {"c", "b"});
  EXPECT_FALSE(*GroupsAreSplit({sorted}, field_, GoOn));
  EXPECT_TRUE(*GroupsAreSplit({apart}, field_, GoOn));
  EXPECT_TRUE(*GroupsAreSplit({sorted, other}, field_, GoOn));
  EXPECT_FALSE(*GroupsAreSplit({apart}, GroupField("", ""), GoOn));
  EXPECT_TRUE(*GroupsAreSplit({sorted, "-"}, field_, GoOn));  // who knows
}

TEST_F(GroupGathererTest, GatheredRowsComeInTheOrderOfTheirFirstLinesWithAllPlaces) {
  const std::vector<std::string> files = {File("one", {"a", "b", "a"}), File("two", {"b", "c"})};
  std::vector<ScoreRow> rows;
  const Status status = GatherGroups(LinesOfFiles(files, GoOn, nullptr), field_, folder_ + "/out",
                                     GoOn, [&](ScoreRow row) {
                                       rows.push_back(std::move(row));
                                       return Status();
                                     });
  ASSERT_TRUE(status.ok());
  std::vector<std::vector<size_t>> places;
  for (const ScoreRow& row : rows) {
    places.emplace_back();
    for (const InputLine& line : row.lines) places.back().push_back(line.place);
  }
  EXPECT_EQ(places, (std::vector<std::vector<size_t>>{{0, 2}, {1, 3}, {4}}));
  EXPECT_EQ(rows[1].file, 0u);
  EXPECT_EQ(rows[1].lines[1].file, 1u);
  EXPECT_EQ(rows[1].lines[1].text, Flat("b"));
}

TEST_F(GroupGathererTest, AFieldThatNoLineHasIsAnErrorWithTheNearestName) {
  const GroupField typo("qq", "");
  const Result<bool> split = GroupsAreSplit({File("sorted", {"a", "a", "b"})}, typo, GoOn);
  ASSERT_FALSE(split.ok());
  EXPECT_EQ(split.error().message, "no line has the field 'qq' to group by");
  EXPECT_EQ(split.error().hint, "did you mean 'q'?");
  FieldUse use;
  GroupKey key;
  const std::string group = R"({"id":1,"completions":["x"]})";
  use.See(key, typo.KeyOf(group, &key), group);
  EXPECT_TRUE(use.Check(typo).ok());  // a group needs no field
  const auto emit = [](ScoreRow) { return Status(); };
  const std::string sorted = File("sorted", {"a", "a", "b"});
  EXPECT_EQ(GatherGroups(LinesOfFiles({sorted}, GoOn, nullptr), typo, "", GoOn, emit).error().hint,
            "did you mean 'q'?");
}

}  // namespace
}  // namespace assay
