#include "datagen/filter/contamination.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/text.h"

namespace assay {
namespace {

std::string DataFile(const std::string& name) {
  const char* folder = std::getenv("ASSAY_DATA");
  return StrCat(folder != nullptr ? folder : "../shared/data", "/sets/", name);
}

// Rows of GSM8K's training set that share n words in a row with its test set: published counts for lower-cased, space-separated words.
TEST(Contamination, Gsm8kTrainAgainstTest) {
  if (!std::filesystem::exists(DataFile("gsm8k_train.jsonl.gz")))
    GTEST_SKIP() << "no data folder (ASSAY_DATA)";
  for (const auto& [ngram, expected] : {std::pair{8, 70}, {10, 10}, {13, 4}}) {
    ContaminationSettings settings;
    settings.ngram = settings.short_ngram = ngram;
    auto index = ContaminationIndex::Load({"gsm8k=" + DataFile("gsm8k_test.jsonl.gz")}, settings);
    ASSERT_TRUE(index.ok()) << index.error().message;
    EXPECT_EQ((*index)->rows(), 1319);
    auto reader = LineReader::Open(DataFile("gsm8k_train.jsonl.gz"));
    ASSERT_TRUE(reader.ok());
    LineReader::Line line;
    int hits = 0;
    while (*(*reader)->Next(&line)) {
      const Result<Json> row = ParseJson(line.text);
      const auto hit = (*index)->Find(row->StringOr("question", ""));
      hits += hit.has_value() && hit->ngram > 0;
    }
    EXPECT_EQ(hits, expected) << ngram;
  }
}

class ContaminationFile : public testing::Test {
 protected:
  ContaminationFile() {
    char name[] = "/tmp/assay-eval-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~ContaminationFile() override { std::filesystem::remove_all(folder_); }
  std::string File(const std::string& name, const std::string& text) {
    EXPECT_TRUE(WriteFileAtomic(folder_ + "/" + name, text).ok());
    return folder_ + "/" + name;
  }
  std::string folder_;
};

TEST_F(ContaminationFile, ShortTestPromptsUseShorterRuns) {
  const std::string file =
      File("t.jsonl",
           "{\"id\":\"short\",\"question\":\"one two three four five six seven eight nine\"}\n"
           "{\"id\":\"tiny\",\"question\":\"Solve: x + 1 = 2\"}\n");
  auto index = ContaminationIndex::Load({file}, {});
  ASSERT_TRUE(index.ok());
  auto hit = (*index)->Find("well, One two three FOUR five six seven eight and so on");
  ASSERT_TRUE(hit.has_value());
  EXPECT_EQ(hit->ToText(), "t (short), 8 words: One two three FOUR five six seven eight");
  hit = (*index)->Find("solve x+1=2");
  ASSERT_TRUE(hit.has_value());
  EXPECT_EQ(hit->ngram, 0);
  EXPECT_EQ(hit->row, "tiny");
  EXPECT_FALSE((*index)->Find("solve x+1=3").has_value());
  EXPECT_FALSE((*index)->Find("").has_value());
}

TEST_F(ContaminationFile, BadSetsAreErrors) {
  const std::string file = File("t.jsonl", "{\"question\":\"what is it\"}\n");
  EXPECT_EQ(ContaminationIndex::Load({"a=" + file, "a=" + file}, {}).error().code,
            ErrorCode::kUsage);
  EXPECT_EQ(ContaminationIndex::Load({File("e.jsonl", "{\"x\":1}\n")}, {}).error().code,
            ErrorCode::kInput);
  EXPECT_EQ(ContaminationIndex::Load({File("b.jsonl", "no json\n")}, {}).error().code,
            ErrorCode::kInput);
}

}  // namespace
}  // namespace assay
