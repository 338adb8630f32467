// The command line as scripts rely on it: exit codes, what goes to stdout and stderr, error style, precedence.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/rng.h"
#include "core/text.h"

namespace assay {
namespace {

struct Ran {
  int code;
  std::string out, err;
};

class CliTest : public testing::Test {
 protected:
  CliTest() {
    char name[] = "/tmp/assay-cli-XXXXXX";
    folder_ = mkdtemp(name);
    const char* build = std::getenv("ASSAY_BUILD_DIR");
    assay_ = StrCat(build != nullptr ? build : ".", "/assay");
  }
  ~CliTest() override { std::filesystem::remove_all(folder_); }

  // Runs `assay ARGS` by the shell in the test's folder; `before` may set variables.
  Ran Run(const std::string& args, const std::string& before = "") {
    const std::string command =
        StrCat("cd ", folder_, " && ", before, " ", assay_, " ", args, " >stdout.txt 2>stderr.txt");
    const int status = std::system(command.c_str());
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 255, *ReadFile(folder_ + "/stdout.txt"),
            *ReadFile(folder_ + "/stderr.txt")};
  }
  std::string File(const std::string& name, const std::string& contents) {
    EXPECT_TRUE(WriteFileAtomic(folder_ + "/" + name, contents).ok());
    return name;
  }

  std::string folder_, assay_;
};

constexpr const char* kRows =
    "{\"id\":\"a\",\"labels\":[true,false],\"completions\":[\"<think>x</think>1\",\"2\"]}\n"
    "{\"id\":\"b\",\"labels\":[true,true],\"completions\":[\"<think>x</think>1\",\"2\"]}\n";

TEST_F(CliTest, RubricCheckAndExplain) {
  File("r.toml",
       "parts = true\n[[term]]\nverifier = \"format\"\nweight = 0.5\n"
       "[[term]]\nverifier = \"length\"\nwhen = { id = \"b\" }\n");
  const Ran check = Run("rubric check r.toml");
  EXPECT_EQ(check.code, 0) << check.err;
  EXPECT_NE(check.out.find("'length': brings 1 * (its score); only where id is \"b\"."),
            std::string::npos)
      << check.out;
  EXPECT_EQ(Run("rubric check r.toml --output-format json").out.rfind("{\"rubric\":", 0), 0u);
  File("bad.toml", "[[term]]\nverifier = \"fromat\"\n");
  EXPECT_EQ(Run("rubric check bad.toml").code, 2);
  File("rows.jsonl", kRows);
  const Ran explain = Run("explain rows.jsonl --rubric r.toml --id b --sample 2");
  EXPECT_EQ(explain.code, 0) << explain.err;
  EXPECT_EQ(explain.out.rfind("sample 2: reward 1\n  format: brought 0; fail", 0), 0u)
      << explain.out;
  EXPECT_EQ(Run("explain rows.jsonl --rubric r.toml --row 3").code, 2);
  EXPECT_EQ(Run("explain rows.jsonl --rubric r.toml --sample 3").code, 2);
  EXPECT_EQ(Run("score rows.jsonl --rubric r.toml --store s.sqlite --run first -o out.jsonl").code,
            0);
  const Ran stored = Run("explain s.sqlite --run first --id b --sample 2");
  EXPECT_EQ(stored.out, explain.out) << stored.err;
  EXPECT_EQ(Run("explain s.sqlite --run first --row 3").code, 2);
  EXPECT_EQ(Run("explain s.sqlite --run other").code, 2);
  EXPECT_EQ(Run("explain s.sqlite --run first --verifier math").code, 2);
  EXPECT_NE(Run("score rows.jsonl --rubric r.toml")
                .out.find("\"reward_parts\":[{\"format\":0.5,\"length\":null}"),
            std::string::npos);
}

TEST_F(CliTest, VersionAndHelp) {
  EXPECT_EQ(Run("help").code, 0);
  EXPECT_NE(Run("help score").out.find("--verifier"), std::string::npos);
  EXPECT_EQ(Run("version").out.rfind("assay ", 0), 0u);
  EXPECT_EQ(Run("--version").code, 0);
  EXPECT_EQ(Run("--help").code, 0);
  const Ran help = Run("score --help");
  EXPECT_EQ(help.code, 0);
  EXPECT_NE(help.out.find("--fail-under"), std::string::npos);
  EXPECT_EQ(Run("").code, 2);
  EXPECT_EQ(Run("version --output-format json").out.rfind("{\"name\":\"assay\"", 0), 0u);
}

TEST_F(CliTest, NeitherTorchNorPythonIsLinked) {
  const int status = std::system(StrCat("ldd ", assay_, " >", folder_, "/ldd.txt").c_str());
  ASSERT_EQ(status, 0);
  const std::string libraries = *ReadFile(folder_ + "/ldd.txt");
  EXPECT_NE(libraries.find("libsqlite3"), std::string::npos);
  EXPECT_EQ(libraries.find("torch"), std::string::npos);
  EXPECT_EQ(libraries.find("libpython"), std::string::npos);
}

TEST_F(CliTest, ErrorsHaveTheirForm) {
  const std::pair<const char*, const char*> cases[] = {
      {"scor x", "error: unknown command 'scor'\n\nhint: did you mean 'score'?\n"},
      {"score --verifer math x",
       "error: unknown option '--verifer'\n\nhint: did you mean '--verifier'?\n"},
      {"score --verifier fromat x",
       "error: unknown verifier 'fromat'\n\nhint: did you mean 'format'?\n"},
      {"verifiers fromat", "error: unknown verifier 'fromat'\n\nhint: did you mean 'format'?\n"},
  };
  for (const auto& [args, message] : cases) {
    const Ran ran = Run(args);
    EXPECT_EQ(ran.code, 2) << args;
    EXPECT_EQ(ran.err, message);
    EXPECT_EQ(ran.out, "");
  }
  EXPECT_EQ(Run("score --verifier format missing.jsonl").code, 2);
  EXPECT_NE(Run("score --verifier format missing.jsonl").err.find("missing.jsonl"),
            std::string::npos);
  EXPECT_EQ(Run("score -j 0 --verifier format x").code, 2);
  EXPECT_EQ(Run("version --seed -1").code, 2);  // neither wrapped nor cut
  EXPECT_EQ(Run("version --seed 18446744073709551616").code, 2);
  EXPECT_EQ(Run("version --seed 18446744073709551615").code, 0);
  // An empty NO_COLOR is none.
  EXPECT_EQ(Run("scor --color always", "NO_COLOR=").err.rfind("\x1b[1;31merror:", 0), 0u);
}

TEST_F(CliTest, NothingThatIsReadIsWrittenOver) {
  const std::string rubric = "[[term]]\nverifier = \"format\"\n", settings = "jobs = 1\n";
  File("rows.jsonl", kRows);
  File("rubric.toml", rubric);
  File("assay.toml", settings);
  File("in.resume", kRows);
  for (const char* args :
       {"score rows.jsonl --rubric rubric.toml -o rubric.toml",
        "score rows.jsonl --rubric rubric.toml -o assay.toml", "version -o assay.toml",
        "score rows.jsonl --rubric rubric.toml --store rubric.toml",
        "score in.resume --rubric rubric.toml -o in"}) {
    const Ran ran = Run(args);
    EXPECT_EQ(ran.code, 2) << args;
    EXPECT_NE(ran.err.find("would be written over"), std::string::npos) << args << ran.err;
  }
  EXPECT_EQ(*ReadFile(folder_ + "/rubric.toml"), rubric);
  EXPECT_EQ(*ReadFile(folder_ + "/assay.toml"), settings);
  EXPECT_EQ(*ReadFile(folder_ + "/in.resume"), kRows);
}

TEST_F(CliTest, OneDocumentOverManyLinesIsOneError) {
  // An array of rows is read as lines (docs/formats.md); one that is cut short, or holds no rows, is an error.
  File("array.json",
       "[\n  {\"id\": \"a\",\n   \"completion\": \"x\"},\n {\"completion\": \"y\"}]\n");
  Ran ran = Run("score --verifier format array.json");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 2) << ran.out;
  File("cut.json", "[\n  {\"id\": \"a\",\n   \"completion\": \"x\"}");
  ran = Run("score --verifier format cut.json -o cut.out");
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("cut.json' ends in the middle of its JSON array"), std::string::npos)
      << ran.err;
  File("numbers.json", "[\n  1,\n  2\n]\n");
  File("object.json", "{\n  \"id\": \"a\",\n   \"completion\": \"x\"}\n");
  File("utf16.jsonl", std::string("\xff\xfe{\0}\0\n\0", 8));
  File("utf16be.jsonl", std::string("\0{\0}\0\n", 6));
  for (const char* file : {"numbers.json", "object.json", "utf16.jsonl", "utf16be.jsonl"}) {
    ran = Run(StrCat("score --verifier format ", file));
    EXPECT_EQ(ran.code, 2) << file;
    EXPECT_EQ(ran.out, "") << file;
    EXPECT_NE(ran.err.find(file), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find("hint:"), std::string::npos) << ran.err;
  }
}

TEST_F(CliTest, AReaderThatHasSeenEnoughIsNoError) {
  std::string rows;
  for (int i = 0; i < 20'000; ++i) rows += kRows;
  File("rows.jsonl", rows);
  const int status = std::system(StrCat("bash -c 'set -o pipefail; cd ", folder_, "; ", assay_,
                                        " score --verifier format rows.jsonl -q 2>err.txt | head "
                                        "-n 1 >/dev/null'")
                                     .c_str());
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(*ReadFile(folder_ + "/err.txt"), "");
}

// A limit on the size of files is an error with a hint, not a signal; what is whole stays, and the run goes on when there is room.
TEST_F(CliTest, AFileThatMayNotGrowIsAnError) {
  std::string rows;
  for (int i = 0; i < 5'000; ++i) rows += kRows;
  File("rows.jsonl", rows);
  const std::string run = "score --verifier format rows.jsonl -q --no-times --store s.sqlite -o ";
  EXPECT_EQ(Run(run + "whole.jsonl --run whole").code, 0);
  const Ran ran = Run(run + "out.jsonl", "ulimit -f 500;");
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("ulimit -f"), std::string::npos) << ran.err;
  const Ran rest = Run(run + "out.jsonl --resume");
  EXPECT_EQ(rest.code, 0) << rest.err;
  EXPECT_EQ(*ReadFile(folder_ + "/out.jsonl"), *ReadFile(folder_ + "/whole.jsonl"));
}

// So is memory that the system does not give. Sanitizers want address space beyond any such limit.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_F(CliTest, MemoryThatIsNotThereIsAnError) {
  File("row.jsonl",
       StrCat(R"({"id":"a","completion":")", std::string(size_t{64} << 20, 'x'), "\"}\n"));
  for (const char* const more : {"", "--store s.sqlite"}) {
    const Ran ran = Run(StrCat("score --verifier format row.jsonl -q -j 1 -o out.jsonl ", more),
                        "ulimit -v 200000;");
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_NE(ran.err.find("hint:"), std::string::npos) << ran.err;
  }
}
#endif

// A name that promises other bytes than are written, and one file under two names.
TEST_F(CliTest, NamesThatMisleadAreRefused) {
  File("rows.jsonl", kRows);
  for (const char* const name : {"o.parquet", "o.jsonl.xz", "o.jsonl.bz2", "o.csv"}) {
    const Ran ran = Run(StrCat("score --verifier format rows.jsonl --store s.sqlite -o ", name));
    EXPECT_EQ(ran.code, 2) << name;
    EXPECT_NE(ran.err.find("hint:"), std::string::npos) << ran.err;
    EXPECT_FALSE(std::filesystem::exists(folder_ + "/" + name));
  }
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/s.sqlite"));
  const Ran twice = Run("score --verifier format rows.jsonl ./rows.jsonl");
  EXPECT_EQ(twice.code, 2);
  EXPECT_NE(twice.err.find("also as 'rows.jsonl'"), std::string::npos) << twice.err;
}

// The folder of a run may not be there yet when somebody begins to watch it.
TEST_F(CliTest, ReportsOfFolders) {
  EXPECT_EQ(Run("report run").code, 2);
  const Ran watch =
      Run("report run --watch --every 0.5",
          "{ (sleep 1; mkdir run; echo '{\"step\":1,\"loss\":2.5}' >run/metrics.jsonl; "
          "mkdir run/model) & } ;");
  EXPECT_EQ(watch.code, 0) << watch.err;
  EXPECT_TRUE(std::filesystem::exists(folder_ + "/run/live.html"));
  const Ran json = Run("report run --output-format json");
  EXPECT_EQ(json.code, 0) << json.err;
  const Result<Json> data = ParseJson(json.out);
  ASSERT_TRUE(data.ok()) << json.out;
  EXPECT_TRUE(data->BoolOr("finished", false));
  EXPECT_NE(json.out.find("\"loss\":[[1.0,2.5]]"), std::string::npos) << json.out;
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/run/report.html"));
  EXPECT_EQ(Run("report run --watch --output-format json").code, 2);
}

TEST_F(CliTest, GroupsComeThroughAPipe) {
  std::string rows;
  for (const char* line : {"1,\"completion\":\"\\\\boxed{4}\"", "2,\"completion\":\"\\\\boxed{4}\"",
                           "1,\"completion\":\"\\\\boxed{5}\""})
    StrAppend(&rows, "{\"answer\":\"4\",\"id\":", line, "}\n");
  File("rows.jsonl", rows);
  const std::string flags = "--verifier math --group-by id --no-times";
  const Ran file = Run("score rows.jsonl " + flags),
            pipe = Run("score - " + flags, "cat rows.jsonl |");
  EXPECT_EQ(pipe.code, 0) << pipe.err;
  EXPECT_EQ(pipe.out, file.out);
  EXPECT_EQ(pipe.err.find("split"), std::string::npos);
  const Ran adjacent = Run("score - --adjacent " + flags, "cat rows.jsonl |");
  EXPECT_NE(adjacent.err.find("1 groups of 'id' were split"), std::string::npos) << adjacent.err;
  EXPECT_EQ(Run("score rows.jsonl --verifier math --adjacent").code, 2);
}

TEST_F(CliTest, AgreeReadsYesAndNo) {
  File("scored.jsonl",
       "{\"id\":\"a\",\"labels\":[\"yes\",\"No\",\"right\",\"wrong\"],\"rewards\":[1,0,1,1]}\n");
  const Ran ran = Run("agree scored.jsonl --output-format json");
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(ParseJson(ran.out)->IntOr("compared", 0), 4);
}

// 200 seeded corruptions of a scored file: never a crash; an error says which file.
TEST_F(CliTest, DamagedScoredFilesAreErrorsThatNameTheFile) {
  File("rows.jsonl", kRows);
  ASSERT_EQ(Run("score --verifier format rows.jsonl -o scored.jsonl").code, 0);
  const std::string whole = *ReadFile(folder_ + "/scored.jsonl");
  Rng rng(2026);
  for (int i = 0; i < 200; ++i) {
    std::string bytes = whole;
    for (uint64_t changes = 1 + rng.Below(6); changes > 0; --changes)
      bytes[rng.Below(bytes.size())] = static_cast<char>(rng.Below(256));
    if (rng.Below(4) == 0) bytes.resize(rng.Below(bytes.size()));
    File("damaged.jsonl", bytes);
    const Ran ran =
        Run(i % 2 == 0 ? "agree damaged.jsonl" : "score --verifier format damaged.jsonl");
    ASSERT_LE(ran.code, 3) << i;
    if (i % 2 == 0 && ran.code == 2) {
      const bool named = ran.err.find("damaged.jsonl") != std::string::npos ||
                         ran.err.find("nothing to compare") != std::string::npos;
      EXPECT_TRUE(named) << ran.err;
    }
  }
}

TEST_F(CliTest, PreimportTakesOneWordOnly) {
  for (const char* arguments :
       {"score --preimport json nofile.jsonl", "--preimport json,re score nofile.jsonl"}) {
    EXPECT_NE(Run(arguments).err.find("cannot read 'nofile.jsonl'"), std::string::npos)
        << arguments;
  }
}

TEST_F(CliTest, RepeatableOptionsMayStandBeforeFiles) {
  File("rows.jsonl", kRows);
  File("more.jsonl", kRows);
  EXPECT_EQ(Run("mix rows.jsonl --share 1 more.jsonl --share 1").code, 0);
  EXPECT_EQ(Run("mix --share 1 --share 1 rows.jsonl more.jsonl").code, 0);
  File("p.toml", "[[stage]]\nname = \"p\"\nkind = \"problems\"\n");
  const Ran drawn = Run("pipeline --set seed=7 p.toml --dry-run");
  EXPECT_EQ(drawn.code, 0) << drawn.err;
  EXPECT_NE(drawn.out.find("seed 7"), std::string::npos) << drawn.out;
}

TEST_F(CliTest, ScoreWritesDataToStdoutAndTheRestToStderr) {
  File("in.jsonl", kRows);
  const Ran ran = Run("score --verifier format in.jsonl --no-times");
  EXPECT_EQ(ran.code, 0);
  EXPECT_EQ(std::count(ran.out.begin(), ran.out.end(), '\n'), 2);
  EXPECT_NE(ran.err.find("format: pass 50.0 %"), std::string::npos) << ran.err;
  EXPECT_EQ(Run("score --verifier format in.jsonl -q").err, "");
  const Ran piped = Run("score --verifier format - --no-times < in.jsonl");
  EXPECT_EQ(piped.out, ran.out);
}

TEST_F(CliTest, ExitCodes) {
  File("in.jsonl", kRows);
  File("bad.jsonl", std::string(kRows) + "oops\n");
  EXPECT_EQ(Run("score --verifier format in.jsonl --fail-under 0.4").code, 0);
  EXPECT_EQ(Run("score --verifier format in.jsonl --fail-under 0.6").code, 1);
  EXPECT_EQ(Run("score --verifier format bad.jsonl").code, 3);
  EXPECT_EQ(Run("score --verifier format bad.jsonl --strict").code, 2);
  EXPECT_EQ(Run("score --verifier format bad.jsonl -o o.jsonl --resume").code, 3);  // a new start
  EXPECT_EQ(Run("score --verifier format bad.jsonl -o o.jsonl --resume").code, 3);
  EXPECT_EQ(Run("check --verifier format x '<think>a</think>b'").code, 0);
  EXPECT_EQ(Run("check --verifier format x b").code, 1);
  EXPECT_NE(
      Run("check --verifier format x b --output-format json").out.find("\"reason\":\"no_think\""),
      std::string::npos);
}

TEST_F(CliTest, AgreeComparesWithLabels) {
  File("in.jsonl", kRows);
  ASSERT_EQ(Run("score --verifier format in.jsonl -o scored.jsonl").code, 0);
  const Ran ran = Run("agree --labels labels scored.jsonl --output-format json");
  EXPECT_EQ(ran.code, 0) << ran.err;
  const Json result = *ParseJson(ran.out);
  EXPECT_EQ(result.IntOr("compared", 0), 4);
  EXPECT_DOUBLE_EQ(result.DoubleOr("agreement", 0), 0.75);
  EXPECT_EQ(result.Find("disagreements")->AsArray()->size(), 1u);
  EXPECT_EQ(Run("agree --labels labels scored.jsonl --fail-under 0.8").code, 1);
  EXPECT_EQ(Run("agree --labels truth scored.jsonl").code, 2);
}

TEST_F(CliTest, FlagBeatsVariableBeatsFileBeatsDefault) {
  File("assay.toml", "jobs = 3\nseed = 4\n");
  EXPECT_NE(Run("config").out.find("jobs = 3\n"), std::string::npos);
  EXPECT_NE(Run("config", "ASSAY_JOBS=5").out.find("jobs = 5\n"), std::string::npos);
  EXPECT_NE(Run("config -j 7", "ASSAY_JOBS=5").out.find("jobs = 7\n"), std::string::npos);
  EXPECT_NE(Run("config", "ASSAY_JOBS=5").out.find("seed = 4\n"), std::string::npos);
  File("assay.toml", "job = 3\n");
  const Ran ran = Run("config");
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("did you mean 'jobs'?"), std::string::npos) << ran.err;
  File("assay.toml", "jobs = \"many\"\n");
  EXPECT_NE(Run("config").err.find("ASSAY_JOBS or assay.toml"), std::string::npos);
  EXPECT_NE(Run("config", "ASSAY_CONFIG=nowhere.toml").err.find("cannot read 'nowhere.toml'"),
            std::string::npos);
}

TEST_F(CliTest, WorksThroughALinkFromAnyFolder) {
  File("in.jsonl", kRows);
  std::filesystem::create_symlink(std::filesystem::absolute(assay_), folder_ + "/linked");
  EXPECT_EQ(std::system(StrCat("cd / && ", folder_, "/linked score -q --verifier format ", folder_,
                               "/in.jsonl >/dev/null")
                            .c_str()),
            0);
}

TEST_F(CliTest, CompletionScriptsAreValidShell) {
  EXPECT_EQ(Run("completion bash").code, 0);
  File("c.sh", Run("completion bash").out);
  EXPECT_EQ(std::system(StrCat("bash -n ", folder_, "/c.sh").c_str()), 0);
  EXPECT_EQ(Run("completion tcsh").code, 2);
  // Descriptions hold quotes, brackets and colons.
  File("c.zsh", Run("completion zsh").out);
  EXPECT_EQ(std::system(StrCat("bash -n ", folder_, "/c.zsh").c_str()), 0);
  const std::string fish = Run("completion fish").out;
  for (std::string_view line : SplitChar(fish, '\n')) {
    size_t quotes = 0;
    for (size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '\\')
        ++i;
      else if (line[i] == '\'')
        ++quotes;
    }
    EXPECT_EQ(quotes % 2, 0u) << line;
  }
  EXPECT_NE(fish.find("-n '__fish_seen_subcommand_from serve' -l listen -r"), std::string::npos);
}

TEST_F(CliTest, ManualPageNamesEveryCommand) {
  const std::string page = Run("man").out;
  EXPECT_EQ(page.rfind(".TH ASSAY 1", 0), 0u);
  for (const char* name : {"score", "check", "serve", "rubric check", "run", "completion"})
    EXPECT_NE(page.find(StrCat("\n.SS ", name, "\n")), std::string::npos) << name;
  if (std::system("command -v groff >/dev/null") == 0) {
    File("assay.1", page);
    EXPECT_EQ(
        std::system(
            StrCat("groff -man -Tutf8 -ww -z ", folder_, "/assay.1 2>", folder_, "/said").c_str()),
        0);
    EXPECT_EQ(*ReadFile(folder_ + "/said"), "");
  }
}

TEST_F(CliTest, TrainingWithoutLibTorchSaysSo) {
  const Ran ran = Run("grpo recipe.toml --out run");
  if (access(StrCat(assay_, "-train").c_str(), X_OK) == 0) {
    EXPECT_EQ(ran.code, 2);  // there is no recipe.toml
    EXPECT_NE(ran.err.find("recipe.toml"), std::string::npos);
  } else {
    EXPECT_EQ(ran.code, 2);
    EXPECT_NE(ran.err.find("training is off"), std::string::npos);
  }
}

TEST_F(CliTest, NothingIsWrittenOverItsOwnInput) {
  File("in.jsonl", kRows);
  std::filesystem::create_symlink("in.jsonl", folder_ + "/link.jsonl");
  ASSERT_EQ(Run("score --verifier format in.jsonl --store s.sqlite -o scored.jsonl").code, 0);
  for (const char* arguments :
       {"score --verifier format in.jsonl -o in.jsonl",
        "score --verifier format in.jsonl -o link.jsonl",
        "score --verifier format in.jsonl --store link.jsonl",
        "score --verifier format in.jsonl --run b --store s.sqlite -o s.sqlite",
        "score --verifier format in.jsonl --run b --store both -o both",
        "agree --labels labels scored.jsonl -o scored.jsonl", "stats --store s.sqlite -o s.sqlite",
        "select --store s.sqlite --strategy best-of-n --dataset d -o s.sqlite"}) {
    const Ran ran = Run(arguments);
    EXPECT_EQ(ran.code, 2) << arguments;
    EXPECT_NE(ran.err.find("would be written over"), std::string::npos) << arguments << ran.err;
  }
  EXPECT_EQ(*ReadFile(folder_ + "/in.jsonl"), kRows);
  EXPECT_EQ(Run("stats --store s.sqlite").code, 0);
  // Appending to what is being read would never end.
  EXPECT_EQ(WEXITSTATUS(std::system(StrCat("cd ", folder_, " && ", assay_,
                                           " score --verifier format in.jsonl >>in.jsonl 2>err.txt")
                                        .c_str())),
            2);
}

TEST_F(CliTest, IdsKeepTheirKind) {
  File("in.jsonl",
       "{\"id\":7,\"completion\":\"a\"}\n{\"id\":\"7\",\"completion\":\"a\"}\n"
       "{\"id\":123456789012345678901234567890,\"completions\":[]}\n{\"completion\":\"a\"}\n"
       "{\"id\":[1],\"completion\":\"a\"}\n");
  const Ran ran = Run("score --verifier format in.jsonl --no-times");
  EXPECT_EQ(ran.code, 3);
  for (const char* start :
       {"{\"id\":7,", "\n{\"id\":\"7\",", "\n{\"id\":123456789012345678901234567890,",
        "\n{\"id\":null,", "\n{\"line\":5,\"error\":{\"message\":\"'id' is an array\""}) {
    EXPECT_NE(ran.out.find(start), std::string::npos) << start << "\n" << ran.out;
  }
}

TEST_F(CliTest, OtherFormatsAreRead) {
  File("in.jsonl",
       "{\"uuid\":\"a\",\"problem\":\"p\",\"answer\":\"4\",\"generations\":[\"\\\\boxed{4}\",\"5\"]"
       "}\n");
  const Ran ran = Run("score --verifier math in.jsonl --no-times");
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(
      ran.out.rfind("{\"id\":\"a\",\"uuid\":\"a\",\"problem\":\"p\",\"rewards\":[1.0,0.0]", 0), 0u)
      << ran.out;
  EXPECT_EQ(Run("score --verifier math in.jsonl --input-format open-r1 -q --no-times").out,
            ran.out);
  EXPECT_EQ(Run("score --verifier math in.jsonl --input-format vllm").code, 3);
  EXPECT_NE(
      Run("score --verifier math in.jsonl --input-format vlm").err.find("did you mean 'vllm'?"),
      std::string::npos);
  File("t.parquet", "PAR1....PAR1");
  EXPECT_NE(Run("score --verifier math t.parquet").err.find("Parquet"), std::string::npos);
}

// One row, then a pipe that stays open and gives nothing: the run ends all the same, and says how to go on.
TEST_F(CliTest, AnInterruptIsHeardWhileNoInputComes) {
  for (const char* name : {"INT", "TERM"}) {
    File("wait.sh",
         StrCat("mkfifo pipe; exec 9<>pipe; echo '{\"id\":\"a\",\"completion\":\"b\"}' >&9\n",
                assay_,
                " score --verifier format - -o out.jsonl <&9 2>err.txt 9<&- &\n"
                "for i in $(seq 600); do [ -s out.jsonl ] && break; sleep 0.1; done\n"
                "kill -",
                name, " $!; wait $!; code=$?; rm -f pipe; exit $code\n"));
    // A shell without job control starts background programs with SIGINT ignored; -m gives them the default.
    EXPECT_EQ(WEXITSTATUS(std::system(StrCat("cd ", folder_, " && bash -m wait.sh").c_str())), 130);
    EXPECT_NE(ReadFile(folder_ + "/err.txt")->find("--resume"), std::string::npos);
    EXPECT_EQ(ReadFile(folder_ + "/out.jsonl")->rfind("{\"id\":\"a\"", 0), 0u)
        << *ReadFile(folder_ + "/err.txt");
    std::filesystem::remove(folder_ + "/out.jsonl");
  }
}

// The programs at work would take a minute: they are killed with the run, and none of them gets a verdict.
TEST_F(CliTest, AnInterruptEndsProgramsToo) {
  std::string row =
      "{\"id\":\"a\",\"verification_info\":{\"asserts\":\"assert f(1) == 1\"},\"completions\":[";
  for (int i = 0; i < 12; ++i)
    StrAppend(&row, i > 0 ? "," : "", "\"def f(x):\\n  while True: pass  # ", i, "\"");
  File("slow.jsonl", row + "]}\n");
  File("wait.sh",
       StrCat(
           assay_,
           " score --verifier code slow.jsonl -o out.jsonl 2>err.txt &\n"
           "for i in $(seq 600); do [ -e out.jsonl ] && break; sleep 0.1; done; sleep 1\n"
           "kill -INT $!; SECONDS=0; wait $!; code=$?; echo $SECONDS >seconds.txt; exit $code\n"));
  EXPECT_EQ(WEXITSTATUS(std::system(StrCat("cd ", folder_, " && bash -m wait.sh").c_str())), 130)
      << *ReadFile(folder_ + "/err.txt");
  EXPECT_LT(std::atoi(ReadFile(folder_ + "/seconds.txt")->c_str()), 30);  // else two minutes
  EXPECT_EQ(*ReadFile(folder_ + "/out.jsonl"), "");
}

// A reader that has seen enough, as `head` has, is no fault of the run: it ends in silence.
TEST_F(CliTest, AClosedPipeIsNoError) {
  std::string rows;
  for (int i = 0; i < 3000; ++i) rows += kRows;
  File("in.jsonl", rows);
  const int status =
      std::system(StrCat("cd ", folder_, " && bash -c 'set -o pipefail; ", assay_,
                         " score -q --verifier format in.jsonl 2>err.txt | head -n 1 >/dev/null'")
                      .c_str());
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_EQ(*ReadFile(folder_ + "/err.txt"), "");
}

}  // namespace
}  // namespace assay
