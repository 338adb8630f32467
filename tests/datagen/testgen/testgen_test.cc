// `assay testgen`: which tests are kept of what is proposed, by a reference and by agreement, and what is said of the others.
#include "datagen/testgen/testgen.h"

#include <filesystem>
#include <fstream>

#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/testgen/agreement.h"
#include "datagen/testgen/stream_tests.h"
#include "tests/sandbox/sandbox_fixture.h"

namespace assay {
namespace {

using testgen::Agree;
using testgen::Agreement;
using testgen::MadeTests;
using testgen::MakeTests;
using testgen::Proposal;
using testgen::TestRules;
using Texts = std::vector<std::string>;

TEST(Agree, TheSetIsWorthItsSamplesTimesItsTests) {
  // Three programs pass two tests, five fail all, four pass one other.
  const std::vector<std::vector<bool>> passes = {
      {false, false, false}, {true, true, false}, {false, false, true}, {true, true, false}};
  const Agreement agreement = Agree(passes, {5, 2, 4, 1});
  EXPECT_EQ(agreement.programs, (std::vector<size_t>{1, 3}));
  EXPECT_EQ(agreement.passes, (std::vector<bool>{true, true, false}));
  EXPECT_EQ(agreement.samples, 3);
  EXPECT_EQ(agreement.sets, 3);
}

TEST(Agree, OfEqualSetsTheEarlierOne) {
  EXPECT_EQ(Agree({{false, true}, {true, false}}, {2, 2}).programs, std::vector<size_t>{0});
  EXPECT_EQ(Agree({{true, false}, {false, true}}, {2, 2}).programs, std::vector<size_t>{0});
}

TEST(Agree, NothingThatPassesIsNoSet) {
  const Agreement agreement = Agree({{false}, {false}}, {3, 4});
  EXPECT_TRUE(agreement.programs.empty());
  EXPECT_EQ(agreement.passes, std::vector<bool>{false});
  EXPECT_TRUE(Agree({}, {}).programs.empty());
}

class TestgenTest : public SandboxTest {
 protected:
  static Group Add() {
    Group group;
    group.problem.id = "add";
    group.problem.task = "code";
    group.problem.prompt =
        "def add(a: int, b: int) -> int:\n    \"\"\" The sum.\n    >>> add(2, 3)\n    5\n    "
        "\"\"\"\n";
    group.problem.verification_info = Json().Set("entry_point", "add");
    group.problem.extra = Json::MakeObject();
    return group;
  }

  static MadeTests Make(const Group& group, const std::vector<std::string>& replies,
                        const TestRules& rules = {}) {
    Result<MadeTests> made = MakeTests(group, replies, rules, sandbox_.get());
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
    return made.ok() ? *made : MadeTests();
  }

  static std::vector<std::string> Sources(const MadeTests& made) {
    std::vector<std::string> out;
    for (const Proposal& test : made.kept) out.push_back(test.source);
    return out;
  }
};

TEST_F(TestgenTest, KeepsWhatTheReferencePassesAndAChangeFails) {
  Group group = Add();
  group.problem.extra.Set("canonical_solution", "    return a + b\n");
  const MadeTests made = Make(
      group, {"Here:\n```python\nassert add(1, 1) == 2\nassert add(1, 1) == 3\nassert add(0, 0) is "
              "not None or True\nassert helper(3)\nassert add(1, 1) == 2\n```",
              "def oops(", "no code at all, sorry."});
  EXPECT_TRUE(made.by_reference);
  EXPECT_EQ(Sources(made), (Texts{"assert add(2, 3) == 5", "assert add(1, 1) == 2"}));
  EXPECT_EQ(made.kept[0].origin, "prompt");
  EXPECT_EQ(made.kept[1].origin, "reply 0");
  EXPECT_EQ(made.dropped.at("fails_on_reference"), 1);
  EXPECT_EQ(made.dropped.at("notices_no_change"), 1);
  EXPECT_EQ(made.dropped.at("not_about_entry_point"), 1);
  EXPECT_EQ(made.dropped.at("double"), 1);
  EXPECT_EQ(made.dropped.at("does_not_parse"), 2);
}

TEST_F(TestgenTest, UnderstandsUnittestAndCheckAndHelpers) {
  Group group = Add();
  group.problem.extra.Set("canonical_solution", "    return a + b\n");
  const MadeTests made = Make(
      group,
      {"import unittest\nfrom solution import add\nBIG = 10 ** 6\n\nclass T(unittest.TestCase):\n"
       "    def test_big(self):\n        x = BIG + 1\n        self.assertEqual(add(x, 1), 1000002, "
       "'big')\n    def test_near(self):\n        self.assertAlmostEqual(add(1, 2), 3, places=2)\n",
       "def check(candidate):\n    for i in range(3):\n        assert candidate(i, i) == 2 * i\n"});
  EXPECT_EQ(Sources(made), (Texts{"assert add(2, 3) == 5",
                                  "BIG = 10 ** 6\nx = BIG + 1\nassert add(x, 1) == 1000002",
                                  "assert abs(add(1, 2) - 3) <= 0.005",
                                  "for i in range(3):\n    assert add(i, i) == 2 * i"}));
}

TEST_F(TestgenTest, WhatEndsTheProgramTakesNoOtherTestWithIt) {
  Group group = Add();
  group.problem.extra.Set("canonical_solution",
                          "    while a == 77:\n        pass\n    return a + b\n");
  TestRules rules;
  rules.cpu_ms = 500;
  const MadeTests made =
      Make(group, {"assert add(77, 1) == 78\nassert add(4, 5) == 9\nassert add(1) == 1"}, rules);
  EXPECT_EQ(Sources(made), (Texts{"assert add(2, 3) == 5", "assert add(4, 5) == 9"}));
  EXPECT_EQ(made.dropped.at("cpu_limit"), 1);
  EXPECT_EQ(made.dropped.at("does_not_run"), 1);
}

TEST_F(TestgenTest, WithoutAReferenceTheLargestAgreementDecides) {
  Group group = Add();
  for (const char* text : {"    return a * b\n", "    return a - b\n", "    return a + b\n",
                           "    c = a + b\n    return c\n", "    return b + a\n"})
    group.samples.emplace_back().text = text;
  group.problem.prompt = "def add(a: int, b: int) -> int:\n    \"\"\" The sum. \"\"\"\n";
  TestRules rules;
  rules.inputs = 8;
  const MadeTests made = Make(group, {"assert add(2, 2) == 4\nassert add(2, 3) == 6"}, rules);
  EXPECT_FALSE(made.by_reference);
  EXPECT_EQ(made.agreeing, 3);
  EXPECT_EQ(made.samples, 5);
  EXPECT_EQ(made.picked, 2);  // the first of three that are one sample each
  ASSERT_GT(made.kept.size(), 5u);
  EXPECT_EQ(made.kept[0].source, "assert add(2, 2) == 4");
  EXPECT_EQ(made.kept.back().origin, "input");
  EXPECT_EQ(made.dropped.at("not_agreed"), 1);
}

TEST_F(TestgenTest, OneSampleAloneAgreesWithNobody) {
  Group group = Add();
  group.samples.emplace_back().text = "    return a + b\n";
  group.samples.emplace_back().text = "    return a - b\n";
  const MadeTests made = Make(group, {});
  EXPECT_EQ(made.nothing, "no_agreement");
  EXPECT_TRUE(made.kept.empty());
  Group nobody = Add();
  EXPECT_EQ(Make(nobody, {}).nothing, "no_program");
}

TEST_F(TestgenTest, AProgramCannotClaimMoreThanItsOwnValues) {
  Group group = Add();
  // Prints, ends the process, writes the file that is read: the others' agreement stands.
  for (const char* text :
       {"    import os\n    os._exit(0)\n",
        "    open('observed.jsonl', 'w').write('\"1\"\\n' * 99)\n    return 1\n",
        "    print('x' * 10000)\n    return a + b\n", "    return a + b\n", "    return b + a\n"})
    group.samples.emplace_back().text = text;
  TestRules rules;
  rules.inputs = 6;
  const MadeTests made = Make(group, {}, rules);
  EXPECT_EQ(made.agreeing, 3);
  EXPECT_EQ(made.picked, 2);
}

// Whole programs: what stands on standard input, and what must be printed.
Group Total() {
  Group group;
  group.problem.id = "total";
  group.problem.task = "code";
  group.problem.prompt =
      "Read n, then n numbers, and print their sum.\n\n### Input Format\n\nThe first line has n, "
      "the "
      "number of numbers. The second has them.\n\n### Sample Input 1:\n\n```\n3\n4 5 6\n```\n\n### "
      "Sample Output 1:\n\n```\n15\n```\n\nNote\n\n4 + 5 + 6 is 15.\n";
  group.problem.extra = Json::MakeObject();
  return group;
}
constexpr char kTotal[] = "n = int(input())\nprint(sum(map(int, input().split()[:n])))\n";

TEST_F(TestgenTest, StreamsAreFoundHoweverTheyAreWritten) {
  const auto found = [](const std::string& prompt, const Texts& replies) {
    Problem problem;
    problem.prompt = prompt;
    EXPECT_TRUE(testgen::AsksForProgram(problem)) << prompt;
    const Result<testgen::Proposals> made =
        testgen::ProposeStreams(problem, replies, 0, sandbox_.get());
    Texts sources;
    for (const Proposal& test : made->tests) sources.push_back(test.source);
    return sources;
  };
  const Texts one = {R"({"input":"3\n4 5\n","output":"9\n"})"};
  EXPECT_EQ(found("Sum.\nSample Input\n\n3\n4 5\n\nSample Output\n\n9\n\nNote\n\nIt is 9.", {}),
            one);
  EXPECT_EQ(found("Sum.\n-----Input-----\nThe first line contains n. Then n numbers follow, one "
                  "line.\n\n-----Output-----\nPrint one number, the sum of them all.\n\n"
                  "-----Example-----\nInput\n3\n4 5\n\nOutput\n9\n",
                  {}),
            one);
  EXPECT_EQ(found("Sum.\n**Input:**\n```\n3\n4 5\n```\n**Output:**\n```\n9\n```\nmore text.", {}),
            one);
  EXPECT_EQ(found("Adds one.\nInput: 7\nOutput: 8\n", {}),
            (Texts{R"({"input":"7\n","output":"8\n"})"}));
  EXPECT_EQ(
      found("Reads stdin.", {"Sure:\n```json\n[{\"input\": \"3\\n4 5\", \"output\": 9}]\n```"}),
      (Texts{R"({"input":"3\n4 5\n","output":"9\n"})"}));
  EXPECT_EQ(
      found("Reads stdin.", {"{\"inputs\": [\"1\", \"2\"], \"outputs\": [\"3\", \"4\"]} [1, "}),
      (Texts{R"({"input":"1\n","output":"3\n"})", R"({"input":"2\n","output":"4\n"})"}));
  Problem function;
  function.prompt = "def f(x):\n    \"\"\"Adds one to its input.\"\"\"\n";
  EXPECT_FALSE(testgen::AsksForProgram(function));
}

TEST_F(TestgenTest, KeepsStreamsThatTheReferencePassesAndAChangeFails) {
  Group group = Total();
  group.problem.extra.Set("solution", kTotal);
  TestRules rules;
  rules.inputs = 4;
  const MadeTests made =
      Make(group,
           {"[{\"input\": \"2\\n1 1\", \"output\": \"2\"}, {\"input\": \"2\\n1 1\", \"output\": "
            "\"3\"}, {\"input\": \"no\", \"output\": \"2\"}, {\"input\": \"3\\n4 5 6\", "
            "\"output\": \"15\"}]",
            "I cannot."},
           rules);
  ASSERT_TRUE(made.streams);
  EXPECT_TRUE(made.by_reference);
  const Texts sources = Sources(made);
  ASSERT_GE(sources.size(), 4U);
  EXPECT_EQ(sources[0], R"({"input":"3\n4 5 6\n","output":"15\n"})");
  EXPECT_EQ(made.kept[0].origin, "prompt");
  EXPECT_EQ(sources[1], R"({"input":"2\n1 1\n","output":"2\n"})");
  EXPECT_EQ(made.kept.back().origin, "input");
  EXPECT_EQ(made.dropped.at("fails_on_reference"), 1);
  EXPECT_EQ(made.dropped.at("does_not_run"), 1);
  EXPECT_EQ(made.dropped.at("double"), 1);
  EXPECT_EQ(made.dropped.at("does_not_parse"), 1);
  // As the judge reads them.
  group.problem.verification_info = testgen::WithTests(group.problem, made, rules);
  const Json* cases = group.problem.verification_info.Find("test_cases");
  ASSERT_NE(cases, nullptr);
  EXPECT_EQ((*cases->AsArray())[0].Dump(),
            R"({"type":"stdin_stdout","input":"3\n4 5 6\n","output":"15\n"})");
}

TEST_F(TestgenTest, ProgramsAgreeAboutWhatTheyPrint) {
  Group group = Total();
  for (const char* text :
       {"print(15)", "n = int(input())\nprint(max(map(int, input().split())))\n", kTotal,
        "import sys\nd = sys.stdin.read().split()\nprint(sum(int(x) for x in d[1:]))\n",
        "input()\nt = 0\nfor x in input().split():\n    t += int(x)\nprint(t)\n"})
    group.samples.emplace_back().text = text;
  TestRules rules;
  rules.inputs = 6;
  const MadeTests made = Make(group, {"[{\"input\": \"1\\n9\", \"output\": \"10\"}]"}, rules);
  EXPECT_FALSE(made.by_reference);
  EXPECT_EQ(made.agreeing, 3);
  EXPECT_EQ(made.stubs, 1);
  EXPECT_EQ(made.picked, 2);
  EXPECT_GT(made.kept.size(), 3U);
  EXPECT_GE(made.dropped.at("not_agreed"), 1);
  // Several right outputs: none that a program printed is a test.
  group.problem.verification_info.Set("checker", "def check(i, o, g): return True");
  EXPECT_EQ(Make(group, {}, rules).nothing, "has_checker");
}

TEST_F(TestgenTest, RowsGoOutAsTheScorerReadsThem) {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / StrCat("testgen-", static_cast<int64_t>(getpid()));
  std::filesystem::create_directories(folder);
  const std::string in = (folder / "in.jsonl").string(), said = (folder / "said.jsonl").string(),
                    out = (folder / "out.jsonl").string();
  std::ofstream(in)
      << R"({"id": "p1", "prompt": "Write add(a, b).", "entry_point": "add", "reference": "def add(a, b):\n    return a + b", "test": "def check(candidate):\n    assert candidate(1, 1) == 5"})"
      << "\n"
      << R"({"id": "p2", "prompt": "Write sub(a, b).", "entry_point": "sub"})"
      << "\n"
      << "no json\n";
  TestgenOptions options;
  options.files = {in};
  options.output = out;
  options.proposals = said;
  options.generator.samples = 1;
  options.generator.command =
      "while read line; do echo '{\"completions\": [\"assert add(1, 2) == 3\"]}'; done";
  for (int round = 0; round < 2; ++round) {
    const Result<TestgenSummary> summary = WriteTests(options, sandbox_.get());
    ASSERT_TRUE(summary.ok()) << summary.error().message;
    EXPECT_EQ(summary->rows, 3);
    EXPECT_EQ(summary->bad_rows, 1);
    EXPECT_EQ(summary->by_reference, 1);
    EXPECT_EQ(summary->without.at("no_program"), 1);
    const Result<std::string> text = ReadFile(out);
    ASSERT_TRUE(text.ok());
    const Result<Json> row = ParseJson(Trim(*text));
    ASSERT_TRUE(row.ok()) << *text;
    EXPECT_EQ(row->Find("verification_info")->Find("asserts")->Dump(),
              R"(["assert add(1, 2) == 3"])");
    EXPECT_EQ(row->Find("tests_from")->StringOr("believed", ""), "reference");
    // What was said is kept, and half of a line is nothing: the second round asks nobody for p1 and p2.
    options.generator.command = "exit 1";
    if (round == 0) std::ofstream(said, std::ios::app) << "{\"id\": \"p3\", \"compl";
  }
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace assay
