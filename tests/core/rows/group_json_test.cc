#include "core/rows/group_json.h"

#include <gtest/gtest.h>

namespace assay {
namespace {

Result<Group> Read(const std::string& text) {
  Result<Json> json = ParseJson(text);
  EXPECT_TRUE(json.ok()) << text;
  return GroupFromJson(*json);
}

TEST(GroupJson, GroupWithParallelArrays) {
  Result<Group> group =
      Read(R"({"id":7,"task":"math","prompt":"2+2?","answer":4,"completions":["4","5"],
      "finish_reasons":["stop","length"],"models":["m",null],"labels":[true,false],"options":{"math":{"mode":"bare"}}})");
  ASSERT_TRUE(group.ok());
  EXPECT_EQ(group->problem.id, "7");
  EXPECT_EQ(group->problem.answers, std::vector<std::string>{"4"});
  EXPECT_EQ(group->samples.size(), 2u);
  EXPECT_TRUE(group->samples[1].truncated());
  EXPECT_EQ(group->samples[0].model, "m");
  EXPECT_EQ(group->problem.extra.Dump(), R"({"models":["m",null],"labels":[true,false]})");
  EXPECT_FALSE(group->flat);
}

TEST(GroupJson, FlatSampleAndChat) {
  Result<Group> group =
      Read(R"({"prompt":[{"role":"system","content":"s"},{"role":"user","content":"q"}],
      "completion":[{"role":"assistant","content":"a"}],"answer":["1","one"]})");
  ASSERT_TRUE(group.ok());
  EXPECT_TRUE(group->flat);
  EXPECT_EQ(group->samples[0].text, "a");
  EXPECT_EQ(group->problem.prompt, "s\n\nq");
  EXPECT_EQ(group->problem.answers.size(), 2u);
}

TEST(GroupJson, VerificationInfoFromAllItsSpellings) {
  EXPECT_EQ(Read(R"({"completion":"","verification_info":"{\"asserts\":\"assert 1\"}"})")
                ->problem.verification_info.Dump(),
            R"({"asserts":"assert 1"})");
  EXPECT_EQ(Read(R"({"completion":"","test":"def check(c): pass","entry_point":"f"})")
                ->problem.verification_info.Dump(),
            R"({"test":"def check(c): pass","entry_point":"f"})");
  EXPECT_EQ(
      Read(R"x({"completion":"","test_list":["assert f(1)"],"test_setup_code":"import math"})x")
          ->problem.verification_info.Dump(),
      R"x({"asserts":["assert f(1)"],"setup":"import math"})x");
}

TEST(GroupJson, BigAnswersKeepTheirDigits) {
  EXPECT_EQ(
      Read(R"({"completion":"","answer":123456789012345678901234567890})")->problem.answers[0],
      "123456789012345678901234567890");
  EXPECT_EQ(Read(R"({"completion":"","answer":27.0})")->problem.answers[0], "27.0");
}

TEST(GroupJson, ErrorsSayWhatAndHow) {
  for (const char* text :
       {R"([1])", R"({"id":1})", R"({"completions":"x"})",
        R"({"completions":["a"],"finish_reasons":[]})", R"({"completions":[3]})",
        R"({"completion":"a","completions":["a"]})", R"({"completion":"a","answer":{}})",
        R"({"completion":"a","verification_info":"{"})", R"({"completion":"a","prompt":5})",
        R"({"completion":"a","options":7})", R"({"completion":"a","id":[1]})"}) {
    Result<Group> group = Read(text);
    ASSERT_FALSE(group.ok()) << text;
    EXPECT_EQ(group.error().code, ErrorCode::kInput);
    EXPECT_NE(group.error().hint, "") << text;
  }
}

TEST(GroupJson, AChoiceQuestionsOptionsAreKept) {
  const Group group = *Read(R"({"completion":"a","options":["A) 1","B) 2"]})");
  EXPECT_TRUE(group.problem.options.IsNull());
  EXPECT_EQ(group.problem.extra.Dump(), R"({"options":["A) 1","B) 2"]})");
}

TEST(GroupJson, OwnLineRoundTrips) {
  const char* texts[] = {
      R"({"id":"a","task":"math","prompt":"q","answer":"1","completions":["x","y"],"finish_reasons":["stop","length"],"meta":{"k":1}})",
      R"({"id":"b","prompt":[{"role":"user","content":"q"}],"answer":["1","2"],"completion":"x","seed":3})"};
  for (const char* text : texts) {
    const Group group = *Read(text);
    const Group again = *GroupFromJson(GroupToJson(group));
    EXPECT_EQ(GroupToJson(again), GroupToJson(group));
    EXPECT_EQ(again.samples.size(), group.samples.size());
  }
}

}  // namespace
}  // namespace assay
