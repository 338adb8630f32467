#include "datagen/pipeline/pipeline.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/html.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/pipeline/figures.h"
#include "datagen/pipeline/mix.h"
#include "datagen/pipeline/page.h"
#include "datagen/pipeline/plan.h"
#include "datagen/pipeline/recipe.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

class PipelineTest : public testing::Test {
 protected:
  PipelineTest() {
    char name[] = "/tmp/assay-pipeline-XXXXXX";
    folder_ = mkdtemp(name);
    const char* build = std::getenv("ASSAY_BUILD_DIR");
    const std::string programs = build != nullptr ? build : ".";
    options_.out = folder_ + "/out";
    options_.assay = programs + "/assay";
    options_.train = programs + "/assay-train";
    options_.tool_version = "test";
    options_.note = [this](const std::string& sentence) { StrAppend(&notes_, sentence, "\n"); };
  }
  ~PipelineTest() override { fs::remove_all(folder_); }

  std::string File(const std::string& name, const std::string& contents) {
    EXPECT_TRUE(WriteFileAtomic(folder_ + "/" + name, contents).ok());
    return folder_ + "/" + name;
  }
  Result<PipelineRecipe> Read(const std::string& text,
                              const std::vector<std::string>& overrides = {}) {
    return ReadPipelineRecipe(File("r.toml", text), overrides);
  }
  Error ErrorOf(const std::string& text) {
    Result<PipelineRecipe> recipe = Read(text);
    if (recipe.ok()) {
      Result<std::string> picture = DrawPipeline(*recipe, options_.out);
      EXPECT_FALSE(picture.ok()) << *picture;
      return picture.ok() ? Error{} : picture.error();
    }
    return recipe.error();
  }
  PipelineSummary Run(const std::vector<std::string>& overrides = {}) {
    Result<PipelineRecipe> recipe = ReadPipelineRecipe(folder_ + "/r.toml", overrides);
    EXPECT_TRUE(recipe.ok()) << recipe.error().message;
    Result<PipelineSummary> summary = RunPipeline(*recipe, options_);
    EXPECT_TRUE(summary.ok()) << summary.error().message;
    return summary.ok() ? *summary : PipelineSummary{};
  }

  std::string folder_, notes_;
  PipelineOptions options_;
};

constexpr const char* kChain = R"(
[[stage]]
name = "rows"
kind = "mix"
data = ["exported", "extra.jsonl"]
[[stage]]
name = "worked"
kind = "problems"
options = { count = 40, level = "2", languages = "en,zh", solutions = "natural" }
[[stage]]
name = "scores"
kind = "score"
data = ["worked"]
rubric = { term = [ { verifier = "math" }, { verifier = "format", weight = 0.5 } ] }
[[stage]]
name = "chosen"
kind = "select"
data = ["scores"]
options = { strategy = "all-correct" }
[[stage]]
name = "exported"
kind = "export"
data = ["chosen"]
)";

TEST_F(PipelineTest, StagesRunOnceAndAgainWhereSomethingChanged) {
  File("extra.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n");
  File("r.toml", kChain);
  EXPECT_EQ(Run().ran, 5);
  const std::string rows = *ReadFile(options_.out + "/rows/rows.jsonl");
  EXPECT_NE(rows.find("<think>"), std::string::npos);
  EXPECT_EQ(Run().kept, 5);
  // Another extra row: only what reads it.
  File("extra.jsonl", "{\"prompt\": \"a\", \"completion\": \"c\"}\n");
  const PipelineSummary changed = Run();
  EXPECT_EQ(changed.ran, 1) << notes_;
  // Another option: what stands behind it, too.
  EXPECT_EQ(Run({"worked.count=30"}).ran, 5);
  // An option that changes what was asked and not what came out stops at the stage.
  EXPECT_EQ(Run({"worked.count=30", "worked.form=think"}).ran, 1) << notes_;
  EXPECT_TRUE(fs::exists(options_.out + "/report.html"));
  Result<Json> overview = ParseJson(*ReadFile(options_.out + "/stages.json"));
  ASSERT_TRUE(overview.ok());
  EXPECT_EQ(overview->Find("stages")->AsArray()->size(), 5U);
}

TEST_F(PipelineTest, ExportsTakeTheCommandsOptions) {
  File("extra.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n");
  const std::string chain(kChain);
  File("r.toml", chain +
                     "options = { template = \"R:{reasoning}|S:{summary}\", shuffle = true, "
                     "columns = [\"prompt\", \"completion\"] }\n");
  Run();
  const std::string rows = *ReadFile(options_.out + "/exported/rows.jsonl");
  const Json first = *ParseJson(rows.substr(0, rows.find('\n')));
  EXPECT_EQ(first.AsObject()->size(), 2U) << first.Dump();
  EXPECT_NE(rows.find("\"R:"), std::string::npos);
  EXPECT_NE(rows.find("|S:"), std::string::npos);
  const Error unknown = ErrorOf(chain + "options = { fromat = \"csv\" }\n");
  EXPECT_EQ(unknown.hint, "did you mean 'format'?") << unknown.message;
}

TEST_F(PipelineTest, FewShotsAreAFileThatIsThere) {
  const std::string stage =
      "[models.m]\npath = \"m\"\n[[stage]]\nname = \"g\"\nkind = \"generate\"\nmodel = \"m\"\n"
      "data = [\"p.jsonl\"]\noptions = { few_shot = \"shots.jsonl\" }\n";
  File("p.jsonl", "{\"prompt\": \"a\", \"answer\": \"1\"}\n");
  EXPECT_NE(ErrorOf(stage).message.find("r.toml:8: stage 'g': no file 'shots.jsonl'"),
            std::string::npos);
  const std::string shots = File("shots.jsonl", "{\"prompt\": \"q\", \"completion\": \"a\"}\n");
  Result<PipelineRecipe> recipe = Read(stage);
  ASSERT_TRUE(recipe.ok()) << recipe.error().message;
  Result<StagePlan> plan = PlanStage(*recipe, recipe->stages[0], options_.out);
  ASSERT_TRUE(plan.ok()) << plan.error().message;
  const std::vector<std::string>& words = plan->commands[0].words;
  const auto flag = std::find(words.begin(), words.end(), "--few-shot");
  ASSERT_NE(flag, words.end());
  EXPECT_EQ(*(flag + 1), shots);
  // Another example, another stage.
  EXPECT_NE(std::find(plan->inputs.begin(), plan->inputs.end(), shots), plan->inputs.end());
}

// A cold start as stages: few shots, samples of somebody else, judged, selected, written in one form.
TEST_F(PipelineTest, AColdStartIsAChainOfStages) {
  File("shots.jsonl", "{\"prompt\": \"1+1\", \"completion\": \"<think>\\na\\n</think>\\n\\n2\"}\n");
  File("p.jsonl",
       "{\"id\": \"a\", \"prompt\": \"2+2\", \"answer\": \"4\", \"task\": \"math\"}\n"
       "{\"id\": \"b\", \"prompt\": \"3+3\", \"answer\": \"6\", \"task\": \"math\"}\n");
  const std::string script =
      File("model.py",
           "import json, sys\nfor line in sys.stdin:\n    r = json.loads(line)\n"
           "    said = eval(r['prompt'])\n    print(json.dumps({'completions': [f'<think>\\nadd\\n"
           "</think>\\n\\n{said + i}' for i in range(r['n'])]}), flush=True)\n");
  const std::string text = StrCat(
      "[[stage]]\nname = \"asked\"\nkind = \"generate\"\ndata = [\"p.jsonl\"]\n"
      "options = { command = \"/usr/bin/python3 ",
      script,
      "\", samples = 2 }\n"
      "[[stage]]\nname = \"scores\"\nkind = \"score\"\ndata = [\"asked\"]\n"
      "rubric = { term = [ { verifier = \"math\" } ] }\n"
      "[[stage]]\nname = \"chosen\"\nkind = \"select\"\ndata = [\"scores\"]\n"
      "options = { strategy = \"shortest-correct\" }\n"
      "[[stage]]\nname = \"cold\"\nkind = \"export\"\ndata = [\"chosen\"]\n"
      "options = { template = \"[{reasoning}] {summary}\" }\n");
  File("r.toml", text);
  EXPECT_EQ(Run().ran, 4) << notes_;
  const std::string rows = *ReadFile(options_.out + "/cold/rows.jsonl");
  EXPECT_NE(rows.find("\"[add] 4\""), std::string::npos) << rows;
  EXPECT_NE(rows.find("\"[add] 6\""), std::string::npos) << rows;
  EXPECT_EQ(SplitChar(Trim(rows), '\n').size(), 2U);
  EXPECT_EQ(Run().kept, 4);
  // Few shots are for endpoints; an option that does not exist is said before anything runs.
  const Error slip = ErrorOf(
      "[[stage]]\nname = \"g\"\nkind = \"generate\"\ndata = [\"p.jsonl\"]\n"
      "options = { endpoint = \"http://localhost:1/v1\", modle = \"m\" }\n");
  EXPECT_EQ(slip.hint, "did you mean 'model'?") << slip.message;
}

TEST_F(PipelineTest, SameSeedSameBytes) {
  File("extra.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n");
  File("r.toml", kChain);
  Run();
  const std::string first = *ReadFile(options_.out + "/rows/rows.jsonl");
  options_.out = folder_ + "/again";
  Run();
  EXPECT_EQ(first, *ReadFile(options_.out + "/rows/rows.jsonl"));
  options_.out = folder_ + "/other";
  Run({"seed=2"});
  EXPECT_NE(first, *ReadFile(options_.out + "/rows/rows.jsonl"));
}

TEST_F(PipelineTest, PartsOfTheGraph) {
  File("extra.jsonl", "{\"prompt\": \"a\", \"completion\": \"b\"}\n");
  File("r.toml", kChain);
  Result<PipelineRecipe> recipe = ReadPipelineRecipe(folder_ + "/r.toml", {});
  ASSERT_TRUE(recipe.ok());
  options_.only = "scores";
  Result<PipelineSummary> alone = RunPipeline(*recipe, options_);
  ASSERT_FALSE(alone.ok());
  EXPECT_NE(alone.error().message.find("'" + options_.out + "/worked/rows.jsonl' is not there"),
            std::string::npos)
      << alone.error().message;
  options_.only.clear();
  options_.until = "scores";
  EXPECT_EQ(Run().ran, 2);
  options_.until.clear();
  options_.from = "chosen";
  EXPECT_EQ(Run().ran, 3);
  EXPECT_EQ(notes_.find("used as it is"), std::string::npos) << notes_;
  // What stands before the part and would run again is used, and said.
  EXPECT_EQ(Run({"worked.count=30"}).ran, 0);
  EXPECT_NE(notes_.find("worked: used as it is, though"), std::string::npos) << notes_;
  // The card of the rows bears their name.
  EXPECT_NE(ReadFile(options_.out + "/exported/rows.jsonl.card.md")->find("rows.jsonl"),
            std::string::npos);
  EXPECT_FALSE(fs::exists(options_.out + "/exported/rows.jsonl.part.card.md"));
  options_.until = "worked";
  Result<PipelineSummary> nothing = RunPipeline(*recipe, options_);
  ASSERT_FALSE(nothing.ok());
  EXPECT_NE(nothing.error().message.find("comes behind"), std::string::npos);
  options_.until.clear();
  options_.from = "chosem";
  Result<PipelineSummary> unknown = RunPipeline(*recipe, options_);
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().hint, "did you mean 'chosen'?");
}

TEST_F(PipelineTest, GraphsAreCheckedBeforeAnythingRuns) {
  EXPECT_NE(ErrorOf("[[stage]]\nname = \"a\"\nkind = \"mixx\"\n").message.find("mixx"),
            std::string::npos);
  const Error unknown = ErrorOf("[[stage]]\nname = \"a\"\nkind = \"mix\"\ndatas = [\"x\"]\n");
  EXPECT_NE(unknown.message.find("r.toml:4: unknown key"), std::string::npos) << unknown.message;
  const Error missing = ErrorOf("[[stage]]\nname = \"a\"\nkind = \"mix\"\ndata = [\"nowhere\"]\n");
  EXPECT_NE(missing.message.find("'nowhere' is no stage and no file"), std::string::npos);
  const Error circle = ErrorOf(
      "[[stage]]\nname = \"a\"\nkind = \"mix\"\ndata = [\"b\"]\n"
      "[[stage]]\nname = \"b\"\nkind = \"mix\"\ndata = [\"a\"]\n");
  EXPECT_NE(circle.message.find("circle: 'a', 'b'"), std::string::npos) << circle.message;
  const Error sort = ErrorOf(
      "[[stage]]\nname = \"a\"\nkind = \"problems\"\n"
      "[[stage]]\nname = \"b\"\nkind = \"select\"\ndata = [\"a\"]\n");
  EXPECT_NE(sort.message.find("needs a store of scores, and stage 'a' gives rows"),
            std::string::npos);
  const Error option =
      ErrorOf("[[stage]]\nname = \"a\"\nkind = \"problems\"\noptions = { cuont = 3 }\n");
  EXPECT_NE(option.message.find("'cuont'"), std::string::npos);
  EXPECT_EQ(option.hint, "did you mean 'count'?");
  const Error key = ErrorOf(
      "[models.m]\ntokenizer = \"characters\"\nalphabet = \"ab\"\n[[stage]]\nname = \"p\"\nkind = "
      "\"problems\"\n[[stage]]\nname = \"t\"\nkind = \"grpo\"\nmodel = \"m\"\ndata = [\"p\"]\n"
      "options = { learning_rat = 1 }\n");
  EXPECT_NE(key.message.find("learning_rat"), std::string::npos);
  EXPECT_FALSE(fs::exists(options_.out));
}

TEST_F(PipelineTest, FilesThatAreNoRowsOrNoModelAreNamed) {
  File("empty.jsonl", "");
  File("rows.jsonl", "{\"prompt\": \"a\"}\n");
  File("m.gguf", "GGUF....");
  fs::create_directories(folder_ + "/folder");
  const auto mix = [&](const std::string& data) {
    return ErrorOf("[[stage]]\nname = \"a\"\nkind = \"mix\"\ndata = [\"" + data + "\"]\n").message;
  };
  EXPECT_NE(mix("empty.jsonl").find("r.toml:4: stage 'a': 'empty.jsonl' is empty"),
            std::string::npos);
  EXPECT_NE(mix("folder").find("is a folder"), std::string::npos);
  EXPECT_NE(mix("m.gguf").find("is a model"), std::string::npos);
  const auto model = [&](const std::string& path) {
    return ErrorOf("[[stage]]\nname = \"a\"\nkind = \"sft\"\ndata = \"rows.jsonl\"\nmodel = \"" +
                   path + "\"\n");
  };
  EXPECT_NE(model("folder").message.find("is a folder without config.json"), std::string::npos);
  EXPECT_NE(model("rows.jsonl").message.find("is no model"), std::string::npos);
  EXPECT_EQ(model("rows.jsonl").hint, "a model is a folder with config.json, or a .gguf file");
}

TEST_F(PipelineTest, ScoresOfFilesHaveFiguresOnThePage) {
  File("answers.jsonl",
       "{\"prompt\": \"1+1\", \"answer\": \"2\", \"completion\": \"2\"}\n"
       "{\"prompt\": \"1+2\", \"answer\": \"3\", \"completion\": \"4\"}\n");
  File("r.toml",
       "[[stage]]\nname = \"s\"\nkind = \"score\"\ndata = \"answers.jsonl\"\n"
       "rubric = { term = [ { verifier = \"math\" } ] }\n");
  Run();
  EXPECT_NE(notes_.find("math 50.0 %"), std::string::npos) << notes_;
  const std::string page = *ReadFile(options_.out + "/report.html");
  EXPECT_NE(page.find("answers.jsonl"), std::string::npos);
  EXPECT_NE(page.find("50.0 %"), std::string::npos);
  // Nothing was trained.
  EXPECT_EQ(page.find("Over the steps"), std::string::npos);
}

TEST_F(PipelineTest, AModelOfRandomWeightsIsCheckedBefore) {
  const auto with = [&](const std::string& model) {
    return ErrorOf("[models.m]\n" + model +
                   "\n[[stage]]\nname = \"p\"\nkind = \"problems\"\n"
                   "[[stage]]\nname = \"t\"\nkind = \"grpo\"\nmodel = \"m\"\ndata = \"p\"\n");
  };
  const Error sizes = with(
      "tokenizer = \"characters\"\nalphabet = \"ab\"\n"
      "config = { hidden_size = 8, num_hidden_layers = 1 }");
  EXPECT_NE(sizes.message.find("r.toml:4: stage 't': [model.config]: no 'intermediate_size', "
                               "'num_attention_heads'"),
            std::string::npos)
      << sizes.message;
  const Error tokenizer = with(
      "config = { hidden_size = 8, num_hidden_layers = 1, intermediate_size = 8, "
      "num_attention_heads = 2 }");
  EXPECT_NE(tokenizer.message.find("needs a tokenizer"), std::string::npos) << tokenizer.message;
}

TEST_F(PipelineTest, WrongOptionsAreNamedWithTheirLines) {
  const std::string stages =
      "[[stage]]\nname = \"p\"\nkind = \"problems\"\noptions = { count = \"many\" }\n";
  EXPECT_NE(ErrorOf(stages).message.find("r.toml:4: stage 'p': 'count' is not a whole number"),
            std::string::npos);
  // A trainer's key, where it stands and where the stage has it from.
  const std::string trained =
      "tokenizer = \"characters\"\nalphabet = \"ab\"\nconfig = { hidden_size = 8, "
      "num_hidden_layers = 1, intermediate_size = 8, num_attention_heads = 2 }\n"
      "[[stage]]\nname = \"p\"\nkind = \"problems\"\n"
      "[[stage]]\nname = \"t\"\nkind = \"grpo\"\nmodel = \"m\"\ndata = \"p\"\n";
  const Error own = ErrorOf("[models.m]\n" + trained + "[stage.options]\nlearning_rat = 1\n");
  EXPECT_NE(own.message.find("r.toml:14: stage 't': unknown key 'learning_rat'"), std::string::npos)
      << own.message;
  EXPECT_EQ(own.hint, "did you mean 'learning_rate'?");
  const Error below = ErrorOf("[defaults.grpo]\ndata = { sufix = 1 }\n[models.m]\n" + trained);
  EXPECT_NE(below.message.find("r.toml:2: stage 't': unknown key 'data.sufix'"), std::string::npos)
      << below.message;
}

TEST_F(PipelineTest, WhatOnlyACommandWouldRefuseIsSaidBefore) {
  const std::string answers = "[[stage]]\nname = \"p\"\nkind = \"problems\"\n";
  const Error kind = ErrorOf("[defaults.grppo]\nmax_steps = 2\n" + answers);
  EXPECT_NE(kind.message.find("r.toml:1: [defaults]: no kind 'grppo'"), std::string::npos)
      << kind.message;
  EXPECT_EQ(kind.hint, "did you mean 'grpo'?");
  const std::string score = "[[stage]]\nname = \"s\"\nkind = \"score\"\ndata = \"p\"\n";
  EXPECT_NE(ErrorOf(answers + score).message.find("needs replies, and stage 'p' gives problems"),
            std::string::npos);
  const Error verifier = ErrorOf(answers + "options = { solutions = \"direct\" }\n" + score +
                                 "rubric = { term = [ { verifier = \"mth\" } ] }\n");
  EXPECT_NE(verifier.message.find("r.toml:9: stage 's': unknown verifier 'mth'"), std::string::npos)
      << verifier.message;
  EXPECT_EQ(verifier.hint, "did you mean 'math'?");
}

TEST_F(PipelineTest, SharesAreOfTheMixturesInputs) {
  File("x.jsonl", "{\"a\": 1}\n{\"a\": 2}\n");
  File("y.jsonl", "{\"b\": 1}\n{\"b\": 2}\n{\"b\": 3}\n");
  const auto mix = [](const std::string& shares) {
    return "[[stage]]\nname = \"m\"\nkind = \"mix\"\ndata = [\"x.jsonl\", \"y.jsonl\"]\noptions = "
           "{ "
           "shares = { " +
           shares + " } }\n";
  };
  EXPECT_NE(ErrorOf(mix("\"x.jsonl\" = 1")).message.find("r.toml:5: stage 'm': 'y.jsonl' has no"),
            std::string::npos);
  EXPECT_EQ(ErrorOf(mix("\"x.json\" = 1")).hint, "did you mean 'x.jsonl'?");
  EXPECT_NE(ErrorOf(mix("\"x.jsonl\" = 0, \"y.jsonl\" = 0")).message.find("all shares are 0"),
            std::string::npos);
  EXPECT_NE(ErrorOf(mix("\"x.jsonl\" = -1, \"y.jsonl\" = 1")).message.find("no number from 0"),
            std::string::npos);
  File("r.toml", mix("\"x.jsonl\" = 1, \"y.jsonl\" = 1"));
  EXPECT_EQ(Run().ran, 1) << notes_;
  EXPECT_EQ(SplitChar(Trim(*ReadFile(options_.out + "/m/rows.jsonl")), '\n').size(), 4U);
}

// `assay generate` puts what it has to say where its output goes.
TEST_F(PipelineTest, ACommandThatFailsIsHeard) {
  File("p.jsonl", "{\"id\": \"a\", \"prompt\": \"2+2\", \"answer\": \"4\"}\n");
  const Result<PipelineRecipe> recipe = Read(
      "[[stage]]\nname = \"asked\"\nkind = \"generate\"\ndata = [\"p.jsonl\"]\n"
      "options = { command = \"cat\" }\n");
  ASSERT_TRUE(recipe.ok()) << recipe.error().message;
  const Result<PipelineSummary> run = RunPipeline(*recipe, options_);
  ASSERT_FALSE(run.ok());
  EXPECT_NE(run.error().message.find("answered no completions"), std::string::npos)
      << run.error().message;
}

TEST_F(PipelineTest, AnEstimateOfAModelThatDoesNotFit) {
  File("p.jsonl", "{\"prompt\": \"a\", \"answer\": \"1\"}\n");
  const std::string text =
      "[models.m]\npath = \"m\"\nparameters = 671e9\n[[stage]]\nname = \"t\"\nkind = \"grpo\"\n"
      "model = \"m\"\ndata = [\"p.jsonl\"]\noptions = { max_steps = 10, beta = 0.001 }\n";
  Result<PipelineRecipe> recipe = Read(text);
  ASSERT_TRUE(recipe.ok()) << recipe.error().message;
  Result<std::string> picture = DrawPipeline(*recipe, options_.out);
  ASSERT_TRUE(picture.ok()) << picture.error().message;
  EXPECT_NE(picture->find("671.0 billion parameters"), std::string::npos) << *picture;
  EXPECT_NE(picture->find("Largest model that one process trains"), std::string::npos);
  EXPECT_NE(picture->find("Not on this machine: stage 't' needs"), std::string::npos) << *picture;
  Result<PipelineSummary> run = RunPipeline(*recipe, options_);
  ASSERT_FALSE(run.ok());
  EXPECT_EQ(run.error().code, ErrorCode::kLimit);
}

TEST_F(PipelineTest, MixturesKeepTheirSharesAndRepeatNothing) {
  std::string many, few;
  for (int i = 0; i < 100; ++i) StrAppend(&many, "{\"a\":", i, "}\n");
  for (int i = 0; i < 10; ++i) StrAppend(&few, "{\"b\":", i, "}\n");
  MixSpec spec{{File("many.jsonl", many), File("few.jsonl", few)}, {3, 1}, 0, 5};
  const Result<std::vector<int64_t>> taken = MixRows(spec, folder_ + "/mixed.jsonl");
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(*taken, (std::vector<int64_t>{30, 10}));
  // No row twice, none that was not there.
  std::set<std::string> rows;
  for (const std::string_view row : SplitChar(Trim(*ReadFile(folder_ + "/mixed.jsonl")), '\n'))
    EXPECT_TRUE(rows.emplace(row).second);
  EXPECT_EQ(rows.size(), 40U);
  for (const std::string& row : rows)
    EXPECT_NE((many + few).find(row + "\n"), std::string::npos) << row;
  spec.shares = {1};
  EXPECT_FALSE(MixRows(spec, folder_ + "/mixed.jsonl").ok());
}

TEST(Figures, WilsonsInterval) {
  // Against statsmodels' proportion_confint(85, 100, method="wilson").
  const Interval interval = WilsonInterval(85, 100);
  EXPECT_NEAR(interval.low, 0.76716, 1e-4);
  EXPECT_NEAR(interval.high, 0.90694, 1e-4);
  EXPECT_EQ(WilsonInterval(0, 10).low, 0);
  EXPECT_NEAR(WilsonInterval(10, 10).high, 1, 1e-12);
  EXPECT_EQ(WilsonInterval(0, 0).high, 1);
}

TEST(Page, WhatModelsSayIsText) {
  EXPECT_EQ(EscapeHtml("<script>\"'&\x01"), "&lt;script&gt;&quot;&#39;&amp;\xEF\xBF\xBD");
  EXPECT_EQ(ChartSvg("none", {{"a", {}}}), "");
  // Marks of an axis differ from each other and are short.
  const std::string large = ChartSvg("t", {{"a", {{1, 13'700}, {20'000, 24'700}}}});
  for (const char* mark : {">13.7k<", ">24.7k<", ">20k<"})
    EXPECT_NE(large.find(mark), std::string::npos) << mark << large;
  const std::string near = ChartSvg("t", {{"a", {{1, 4.05}, {3, 4.054}}}});
  for (const char* mark : {">4.05<", ">4.051<", ">4.052<", ">4.054<", ">2<"})
    EXPECT_NE(near.find(mark), std::string::npos) << mark << near;
  EXPECT_NE(ChartSvg("<t>", {{"a&b", {{1, 2}, {2, 3}}}}).find("&lt;t&gt;"), std::string::npos);
  EXPECT_EQ(CountReflections("Wait, let me check. 不对"), 3);
}

TEST_F(PipelineTest, ThePageSaysWhereRowsCameFrom) {
  File("extra.jsonl", "{\"prompt\": \"a\", \"completion\": \"<b>\"}\n");
  File("r.toml", kChain);
  Run();
  Result<PageSource> source = ReadPageSource(options_.out);
  ASSERT_TRUE(source.ok()) << source.error().message;
  EXPECT_TRUE(source->finished);
  const std::string origins = RowOrigins(*source);
  EXPECT_NE(origins.find("extra.jsonl 1"), std::string::npos) << origins;
  EXPECT_NE(origins.find("<b>exported</b>, row "), std::string::npos) << origins;
  EXPECT_NE(origins.find("kept as all_pass, reward 1.50, of 1"), std::string::npos) << origins;
  EXPECT_EQ(origins.find("unknown"), std::string::npos) << origins;
  const std::string page = PipelinePage(*source);
  EXPECT_NE(page.find("Where the rows came from"), std::string::npos);
  EXPECT_EQ(page.find("<script>"), std::string::npos);
}

TEST_F(PipelineTest, APageOfATrainersRunShowsOneProblemOverTheSteps) {
  const std::string run = folder_ + "/run";
  fs::create_directories(run + "/evals");
  const auto answers = [&](const std::string& step, const char* second, const char* passed) {
    File("run/evals/step-" + step + ".jsonl",
         StrCat("{\"prompt\": \"1+1=\", \"completions\": [\"2\"], \"passed\": [true]}\n"
                "{\"prompt\": \"2+2=\", \"completions\": [\"",
                second, "\"], \"passed\": [", passed, "]}\n"));
  };
  answers("0", "five", "false");
  answers("100", "<script>four", "true");
  answers("50", "half", "false");
  File("run/metrics.jsonl", "{\"step\": 1, \"loss\": 0.5}\n{\"step\": 2, \"loss\": 0.25}\n{\"st");
  Result<PageSource> source = ReadPageSource(run);
  ASSERT_TRUE(source.ok()) << source.error().message;
  EXPECT_FALSE(source->finished);
  EXPECT_EQ(source->title, "run");
  ASSERT_EQ(source->runs.size(), 1U);
  EXPECT_EQ(source->runs[0].metrics.at("loss").size(), 2U);
  ASSERT_EQ(source->runs[0].evaluations.size(), 3U);
  EXPECT_EQ(source->runs[0].evaluations[1].step, 50);
  // The second problem: wrong at first, right in the end.
  const std::string page = PipelinePage(*source, 2);
  EXPECT_NE(page.find("2+2="), std::string::npos);
  EXPECT_EQ(page.find("1+1="), std::string::npos);
  EXPECT_NE(page.find("&lt;script&gt;four"), std::string::npos);
  EXPECT_LT(page.find("five"), page.find("half"));
  EXPECT_NE(page.find("location.reload()},2000)"), std::string::npos);
  EXPECT_FALSE(ReadPageSource(folder_ + "/run/evals").ok());
}

TEST(Plan, TomlTextIsReadBack) {
  const Json json = Json()
                        .Set("a b", "x\n\"y\"")
                        .Set("list", Json::MakeArray().Append(1).Append(2))
                        .Set("table", Json().Set("n", 0.5));
  EXPECT_EQ(TomlText(json),
            "{ \"a b\" = \"x\\n\\\"y\\\"\", \"list\" = [1, 2], \"table\" = { \"n\" = 0.5 } }");
}

}  // namespace
}  // namespace assay
