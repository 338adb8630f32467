// `assay audit` on tests/cases/audit.jsonl, whose rows say which findings they must have, and its parts.
#include "datagen/audit/audit.h"

#include <set>

#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/audit/mutants.h"
#include "datagen/audit/probes.h"
#include "datagen/audit/row_checks.h"
#include "tests/sandbox/sandbox_fixture.h"

namespace assay {
namespace {

class AuditTest : public SandboxTest {
 protected:
  static AuditReport Run(const std::string& file) {
    VerifierEnv env;
    env.sandbox = sandbox_.get();
    auto rubric = Rubric::Make(RubricSpec(), env);  // the row's task decides
    EXPECT_TRUE(rubric.ok());
    AuditOptions options;
    options.files = {file};
    auto report = Audit(options, **rubric, sandbox_.get());
    EXPECT_TRUE(report.ok()) << (report.ok() ? "" : report.error().message);
    return report.ok() ? *report : AuditReport();
  }
};

TEST_F(AuditTest, FindsWhatTheRowsSay) {
  const char* root = std::getenv("ASSAY_SOURCE_DIR");
  ASSERT_NE(root, nullptr) << "run this by ctest, or set ASSAY_SOURCE_DIR";
  const std::string file = StrCat(root, "/tests/cases/audit.jsonl");
  const AuditReport report = Run(file);
  std::map<std::string, std::set<std::string>> found;
  std::map<std::string, std::string> details;
  for (const AuditRow& row : report.findings) {
    for (const AuditFinding& finding : row.findings) {
      found[row.id].insert(finding.kind);
      StrAppend(&details[row.id], finding.kind, ": ", finding.detail, "\n");
    }
  }
  auto reader = LineReader::Open(file);
  ASSERT_TRUE(reader.ok());
  LineReader::Line line;
  int64_t rows = 0;
  while (*(*reader)->Next(&line)) {
    const Result<Json> row = ParseJson(line.text);
    ASSERT_TRUE(row.ok());
    const std::string id(row->StringOr("id", ""));
    std::set<std::string> expected;
    for (const Json& kind : *row->Find("expect")->AsArray()) expected.insert(*kind.AsString());
    EXPECT_EQ(found[id], expected) << id << ": " << details[id];
    ++rows;
  }
  EXPECT_EQ(report.rows, rows);
  EXPECT_GT(report.mutants, 10);
  EXPECT_EQ(report.probes.at("empty").passed, 0);
  EXPECT_EQ(report.probes.at("hedges").passed, 0);
  const std::string page = report.ToPage("<b>");
  EXPECT_NE(page.find("<title>&lt;b&gt;</title>"), std::string::npos);
  EXPECT_EQ(page.find("src="), std::string::npos);
  EXPECT_TRUE(ParseJson(report.ToJson().Dump()).ok());
}

TEST(AuditMutants, DifferInOnePlaceAndLeaveTextsAlone) {
  const std::string program =
      "import os  # a < b\n\n\ndef f(xs, n=3):\n    \"\"\"Is 1 < 2? return 5\"\"\"\n    s = 'a + "
      "b'\n"
      "    if len(xs) <= n and not s:\n        return xs[-1] * 2\n    return None\n";
  const auto mutants = audit::MakeMutants(program, 100, 1);
  std::set<std::string> programs;
  for (const audit::Mutant& mutant : mutants) {
    EXPECT_NE(mutant.program, program);
    EXPECT_NE(mutant.program.find("\"\"\"Is 1 < 2? return 5\"\"\""), std::string::npos)
        << mutant.change;
    EXPECT_NE(mutant.program.find("'a + b'"), std::string::npos) << mutant.change;
    EXPECT_NE(mutant.program.find("import os  # a < b"), std::string::npos) << mutant.change;
    programs.insert(mutant.program);
  }
  EXPECT_EQ(programs.size(), mutants.size());
  EXPECT_GE(mutants.size(), 7U);  // 3, <=, and, not, -1's 1, *, 2, return
  EXPECT_EQ(audit::MakeMutants(program, 3, 1).size(), 3U);
  EXPECT_EQ(audit::MakeMutants(program, 3, 1)[0].change,
            audit::MakeMutants(program, 3, 1)[0].change);
  // A program of calls alone: each of them is another one.
  EXPECT_EQ(audit::MakeMutants("print(sum(map(int, input().split())))", 9, 1).size(), 2U);
  EXPECT_TRUE(audit::MakeMutants("def sum(xs): pass", 9, 1).empty());
  for (const char* odd : {"", "\"\"\"", "'", "def f(:", "#", "return", "0x1F", "x = '\\"})
    audit::MakeMutants(odd, 5, 1);
}

TEST(AuditPrompts, TellTheirAnswerOnlyWhereItIsAnnounced) {
  for (const char* told : {"2 + 40? Answer: 42", "The answer is **42**. Why?",
                           "Hint: the result is 42.", "x\n#### 42", "= \\boxed{42}"})
    EXPECT_NE(audit::AnswerInPrompt(told, "42"), "") << told;
  for (const char* fair : {"He has 42 apples.", "Answer: 420", "Answer 4.42",
                           "Give the answer in 42 words.", "What is the answer?\n42 people ask.",
                           "the solution of 42 equations", "3 goldfishes, and 42 guppies"})
    EXPECT_EQ(audit::AnswerInPrompt(fair, "42"), "") << fair;
  EXPECT_NE(audit::AnswerInPrompt("Show that it is (3, \\frac{\\pi}{2}).", "(3, \\frac{\\pi}{2})"),
            "");
}

TEST(AuditProbes, NumbersOfAPrompt) {
  EXPECT_EQ(audit::NumbersIn("3 of 1,200 at 0.5, 3. In 7"),
            (std::vector<std::string>{"3", "1,200", "0.5", "7"}));
}

}  // namespace
}  // namespace assay
