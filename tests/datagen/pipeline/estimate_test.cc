#include "datagen/pipeline/estimate.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <utility>

#include "core/jsonl.h"
#include "core/text.h"
#include "datagen/pipeline/recipe.h"
#include "datagen/pipeline/row_facts.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

class EstimateTest : public testing::Test {
 protected:
  EstimateTest() {
    char name[] = "/tmp/assay-estimate-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~EstimateTest() override { fs::remove_all(folder_); }

  std::string Path(const std::string& name) const { return folder_ + "/" + name; }
  void File(const std::string& name, const std::string& contents) const {
    ASSERT_TRUE(WriteFileAtomic(Path(name), contents).ok());
  }
  void Packed(const std::string& name, const std::string& contents) const {
    Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(Path(name));
    ASSERT_TRUE(writer.ok());
    ASSERT_TRUE((*writer)->Write(Trim(contents)).ok());
    ASSERT_TRUE((*writer)->Close().ok());
  }
  PipelineRecipe Read(const std::string& text) const {
    File("r.toml", text);
    Result<PipelineRecipe> recipe = ReadPipelineRecipe(Path("r.toml"), {});
    EXPECT_TRUE(recipe.ok()) << recipe.error().message;
    return recipe.ok() ? *recipe : PipelineRecipe{};
  }

  std::string folder_;
};

std::string Rows(int count) {
  std::string rows;
  for (int i = 0; i < count; ++i)
    StrAppend(&rows, R"({"id": "a", "prompt": "123456", "completion": "123456789012"})", "\n");
  return rows;
}

TEST_F(EstimateTest, RowsOfFilesAreCountedPackedOnesToo) {
  File("plain.jsonl", Rows(300));
  Packed("packed.jsonl.gz", Rows(500));
  const PipelineRecipe recipe = Read(
      "[[stage]]\nname = \"m\"\nkind = \"mix\"\ndata = [\"plain.jsonl\", \"packed.jsonl.gz\"]\n"
      "[[stage]]\nname = \"few\"\nkind = \"mix\"\ndata = [\"m\"]\noptions = { count = 7 }\n");
  RowReckoner rows(recipe);
  EXPECT_EQ(rows.Of("packed.jsonl.gz").rows, 500);
  EXPECT_EQ(rows.Of("m").rows, 800);
  EXPECT_EQ(rows.Of("few").rows, 7);
  EXPECT_EQ(rows.Of("m").prompt_tokens(), 2);
  EXPECT_EQ(rows.Of("m").reply_tokens(), 4);
}

TEST_F(EstimateTest, StagesMakeOfRowsWhatTheirOptionsSay) {
  const PipelineRecipe recipe = Read(
      "[models.m]\npath = \"r.toml\"\nparameters = 1e6\n"
      "[[stage]]\nname = \"p\"\nkind = \"problems\"\noptions = { count = 50 }\n"
      "[[stage]]\nname = \"g\"\nkind = \"generate\"\nmodel = \"m\"\ndata = \"p\"\n"
      "options = { samples = 4, limit = 20, max_new_tokens = 60 }\n"
      "[[stage]]\nname = \"s\"\nkind = \"score\"\ndata = \"g\"\n"
      "[[stage]]\nname = \"c\"\nkind = \"select\"\ndata = \"s\"\n"
      "options = { strategy = \"all-correct\", max_per_problem = 2 }\n"
      "[[stage]]\nname = \"e\"\nkind = \"export\"\ndata = \"c\"\n");
  RowReckoner rows(recipe);
  EXPECT_EQ(rows.Of("p").rows, 50);
  EXPECT_GT(rows.Of("p").prompt_tokens(), 1);
  EXPECT_EQ(rows.Of("s").rows, 80);
  EXPECT_EQ(rows.Of("e").rows, 40);
  EXPECT_EQ(rows.Of("e").reply_tokens(), 30);
}

// What stages of these recipes took on an H200 that nothing else used (docs/r1.md), in seconds.
TEST_F(EstimateTest, TimesOnAGpuAreWithinAFactorOfTwo) {
  const char* source = std::getenv("ASSAY_SOURCE_DIR");
  if (source == nullptr) GTEST_SKIP() << "ASSAY_SOURCE_DIR is not set";
  const Result<PipelineRecipe> recipe =
      ReadPipelineRecipe(StrCat(source, "/datasets/recipes/r1-smollm2.toml"), {});
  ASSERT_TRUE(recipe.ok()) << recipe.error().message;
  const std::pair<const char*, double> measured[] = {
      {"cold", 9.9}, {"reasoning", 82.4}, {"samples", 4.8}, {"merged-sft", 8.6}, {"r1", 45.4}};
  Estimator estimator(*recipe, "out");
  for (const auto& [name, seconds] : measured) {
    const StageEstimate estimate = estimator.Of(*FindStage(*recipe, name));
    EXPECT_TRUE(estimate.gpu) << name;
    EXPECT_GT(estimate.seconds, seconds / 2) << name;
    EXPECT_LT(estimate.seconds, seconds * 2) << name;
  }
}

TEST_F(EstimateTest, ATrainerEndsWithItsTime) {
  File("p.jsonl", Rows(10));
  const std::string text =
      "[models.m]\npath = \"r.toml\"\nparameters = 1e9\n[[stage]]\nname = \"t\"\nkind = \"grpo\"\n"
      "model = \"m\"\ndata = \"p.jsonl\"\noptions = { max_steps = 100000";
  PipelineRecipe recipe = Read(text + " }\n");
  const double endless = Estimator(recipe, "out").Of(recipe.stages[0]).seconds;
  recipe = Read(text + ", max_seconds = 60 }\n");
  const double ended = Estimator(recipe, "out").Of(recipe.stages[0]).seconds;
  EXPECT_GT(endless, 3600);
  EXPECT_LT(ended, 90);
}

}  // namespace
}  // namespace assay
