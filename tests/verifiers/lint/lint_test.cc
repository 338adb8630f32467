// The `lint` verifier on tests/cases/lint.jsonl: one row a case, one expectation a completion.
#include "verifiers/lint/lint_verifier.h"

#include <unistd.h>

#include <cstdlib>

#include "core/jsonl.h"
#include "core/text.h"
#include "tests/verifiers/code/code_fixture.h"
#include "verifiers/lint/bounded_tool.h"
#include "verifiers/lint/linters.h"

namespace assay {
namespace {

using LintTest = CodeTest;

bool IsHere(std::string_view tool) {
  const std::string ruff = lint::FindRuff();
  return tool == "ruff" ? !ruff.empty() && access(ruff.c_str(), X_OK) == 0
                        : !lint::FindInPath(std::string(tool)).empty();
}

void ExpectVerdict(const Json& expect, const Verdict& verdict) {
  EXPECT_EQ(OutcomeName(verdict.outcome), expect.StringOr("outcome", ""));
  if (expect.Find("reason") != nullptr) EXPECT_EQ(verdict.reason, expect.StringOr("reason", ""));
  if (const Json* want = expect.Find("score")) EXPECT_DOUBLE_EQ(verdict.score, want->NumberOr(-1));
  if (const Json* want = expect.Find("at_most")) EXPECT_LE(verdict.score, want->NumberOr(-1));
  const Json* want = expect.Find("rules");
  if (want == nullptr) return;
  Json rules = Json::MakeArray();
  const Json* found = verdict.evidence.Find("findings");
  ASSERT_NE(found, nullptr);
  for (const Json& finding : *found->AsArray()) rules.Append(finding.StringOr("rule", ""));
  EXPECT_EQ(rules.Dump(), want->Dump());
}

TEST_F(LintTest, Cases) {
  const char* root = std::getenv("ASSAY_SOURCE_DIR");
  ASSERT_NE(root, nullptr) << "run this by ctest, or set ASSAY_SOURCE_DIR";
  auto reader = LineReader::Open(StrCat(root, "/tests/cases/lint.jsonl"));
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  LineReader::Line line;
  int64_t judged = 0;
  std::string left_out;
  while (*(*reader)->Next(&line)) {
    Result<Json> item = ParseJson(line.text);
    ASSERT_TRUE(item.ok()) << "line " << line.number << ": " << item.error().message;
    if (const std::string_view needs = item->StringOr("needs", "");
        !needs.empty() && !IsHere(needs)) {
      left_out = needs;
      continue;
    }
    Result<Group> group = GroupFromJson(*item->Find("row"));
    ASSERT_TRUE(group.ok()) << group.error().message;
    const Json* options = item->Find("options");
    auto verifier = MakeLintVerifier(options == nullptr ? Json() : *options, Env());
    ASSERT_TRUE(verifier.ok()) << verifier.error().message;
    const auto verdicts = (*verifier)->Verify(*group, item->Find("row_options"));
    const Json::Array& expects = *item->Find("expect")->AsArray();
    ASSERT_EQ(verdicts.size(), expects.size());
    for (size_t i = 0; i < verdicts.size(); ++i, ++judged) {
      SCOPED_TRACE(
          StrCat(item->StringOr("name", "?"), ", completion ", i, ": ", Show(verdicts[i])));
      ExpectVerdict(expects[i], verdicts[i]);
    }
  }
  EXPECT_GT(judged, 25);
  if (!left_out.empty()) GTEST_SKIP() << "cases left out: " << left_out << " is not installed";
}

TEST_F(LintTest, FindingsOfABatchStayWithTheirPrograms) {
  if (!IsHere("ruff")) GTEST_SKIP() << "ruff is not installed";
  std::vector<std::string> programs;
  for (int i = 0; i < 40; ++i)
    programs.push_back(i % 3 == 0 ? "import os\n" : i % 3 == 1 ? "x = 1\n" : "x = (\n");
  const auto reports = lint::LintByRuff(lint::FindRuff(), "3.11.2", programs);
  ASSERT_EQ(reports.size(), programs.size());
  for (size_t i = 0; i < reports.size(); ++i) {
    EXPECT_EQ(reports[i].findings.size(), i % 3 == 1 ? 0U : 1U) << i;
    EXPECT_EQ(reports[i].parses, i % 3 != 2) << i;
  }
}

TEST_F(LintTest, WithoutRuffTheSyntaxIsLookedAtUnlessRuffIsNeeded) {
  setenv("ASSAY_RUFF", "/nonexistent/ruff", 1);
  Group group;
  group.samples = {{"```python\nx = (\n```"}};
  auto verifier = MakeLintVerifier(Json(), Env());
  ASSERT_TRUE(verifier.ok());
  // It is named and cannot be started: ours, never the program's.
  EXPECT_EQ((*verifier)->Verify(group, nullptr)[0].reason, "lint_unavailable");
  unsetenv("ASSAY_RUFF");
  const lint::Report report = lint::LintByCompiling("x = (\n", sandbox_.get());
  EXPECT_FALSE(report.parses);
  EXPECT_EQ(report.findings[0].line, 1);
  EXPECT_TRUE(lint::LintByCompiling("x = 1\n", sandbox_.get()).parses);
  EXPECT_FALSE(lint::LintByCompiling("x = " + std::string(100000, '('), sandbox_.get()).parses);
}

TEST(BoundedTool, EndsWhatRunsTooLongOrWritesTooMuch) {
  lint::ToolLimits limits;
  limits.wall_ms = 300;
  auto run = lint::RunBounded({"/bin/sleep", "20"}, {}, limits);
  ASSERT_TRUE(run.ok());
  EXPECT_FALSE(run->ended);
  limits = {};
  limits.output_bytes = 1000;
  run = lint::RunBounded({"/usr/bin/yes"}, {}, limits);
  ASSERT_TRUE(run.ok());
  EXPECT_FALSE(run->ended);
  limits = {};
  limits.memory_mib = 64;
  run = lint::RunBounded({"/usr/bin/sort", "-S", "1G", "a"}, {{"a", "2\n1\n"}}, limits);
  ASSERT_TRUE(run.ok());
  run = lint::RunBounded({"/usr/bin/sort", "a"}, {{"a", "2\n1\n"}}, {});
  ASSERT_TRUE(run.ok());
  EXPECT_EQ(run->output, "1\n2\n");
  EXPECT_FALSE(lint::RunBounded({"/nonexistent"}, {}, {}).ok());
}

TEST(LintScore, FallsWithEveryFindingAndIsNotThinnedOut) {
  const lint::Finding leftover{1, "F401", lint::kLeftover, ""};
  EXPECT_DOUBLE_EQ(lint::LintScore({}, 0), 1);
  EXPECT_GT(lint::LintScore({leftover}, 10), lint::LintScore({leftover, leftover}, 10));
  EXPECT_DOUBLE_EQ(lint::LintScore({leftover}, 1), lint::LintScore({leftover}, 10));
  EXPECT_DOUBLE_EQ(lint::LintScore({leftover}, 40), lint::LintScore({leftover}, 4000));
}

}  // namespace
}  // namespace assay
