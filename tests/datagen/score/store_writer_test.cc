#include "datagen/score/store_writer.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

class StoreWriterTest : public testing::Test {
 protected:
  StoreWriterTest() {
    char name[] = "/tmp/assay-store-writer-XXXXXX";
    folder_ = mkdtemp(name);
    options_.files = {"in.jsonl"};
  }
  ~StoreWriterTest() override { std::filesystem::remove_all(folder_); }

  std::unique_ptr<StoreWriter> Open(int64_t max_pages = 0) {
    StoreOptions options;
    options.max_pages = max_pages;
    auto store = Store::Open(folder_ + "/s.sqlite", OpenMode::kCreate, options);
    EXPECT_TRUE(store.ok());
    RunInfo info;
    info.name = "run";
    Result<RunId> run = (*store)->BeginRun(info, /*resume=*/true);
    EXPECT_TRUE(run.ok());
    return std::make_unique<StoreWriter>(options_, std::move(*store), *run);
  }

  // Lines `first` to `first + rows - 1`, the third of them a bad one.
  static std::unique_ptr<RowBatch> Batch(int64_t first, int64_t rows, size_t text_bytes = 10) {
    auto batch = std::make_unique<RowBatch>();
    for (int64_t line = first; line < first + rows; ++line) {
      ScoreRow& row = batch->rows.emplace_back();
      row.lines.emplace_back().number = line;
      row.hash = {1, static_cast<uint64_t>(line)};
      row.bad = line == first + 2;
      row.error_message = "bad";
      row.group.problem.id = StrCat("p", line);
      row.group.samples.emplace_back().text = StrCat(line, std::string(text_bytes, 'x'));
      row.score.samples.emplace_back().reward = 1;
      row.hashes = HashesOf(row.group);
      batch->bytes += static_cast<int64_t>(text_bytes);
    }
    return batch;
  }

  std::vector<int64_t> StoredLines() {
    std::vector<int64_t> lines;
    auto store = Store::Open(folder_ + "/s.sqlite", OpenMode::kReadOnly);
    EXPECT_TRUE(store.ok());
    const Status read = (*store)->ForEachGroup(1, true, [&](const StoredGroup& group) {
      lines.push_back(group.key.line);
      EXPECT_EQ(group.error.empty(), !group.samples.empty());
      return Status();
    });
    EXPECT_TRUE(read.ok());
    return lines;
  }

  std::string folder_;
  ScoreRunOptions options_;
};

TEST_F(StoreWriterTest, RowsComeIntoTheStoreInOrder) {
  {
    std::unique_ptr<StoreWriter> writer = Open();
    for (int64_t batch = 0; batch < 50; ++batch) {
      // Some of them larger than all that may wait.
      ASSERT_TRUE(
          writer->Add(Batch(1 + batch * 10, 10, batch % 20 == 3 ? size_t{2} << 20 : 100)).ok());
      if (batch % 7 == 0) {
        ASSERT_TRUE(writer->CommitSoon().ok());
      }
    }
    ASSERT_TRUE(writer->Commit().ok());
    EXPECT_EQ(StoredLines().size(), 500u);
    EXPECT_TRUE(*writer->HasRow(Batch(500, 1)->rows[0]));
    EXPECT_FALSE(*writer->HasRow(Batch(501, 1)->rows[0]));
    ASSERT_TRUE(writer->FinishRun().ok());
  }
  const std::vector<int64_t> lines = StoredLines();
  for (size_t i = 0; i < lines.size(); ++i) EXPECT_EQ(lines[i], static_cast<int64_t>(i) + 1);
}

TEST_F(StoreWriterTest, WhatWasNotCommittedIsNotKept) {
  {
    std::unique_ptr<StoreWriter> writer = Open();
    ASSERT_TRUE(writer->Add(Batch(1, 10)).ok());
    ASSERT_TRUE(writer->Commit().ok());
    ASSERT_TRUE(writer->Add(Batch(11, 10)).ok());
  }
  EXPECT_EQ(StoredLines().size(), 10u);
}

TEST_F(StoreWriterTest, AnErrorOfTheThreadIsTheNextCalls) {
  {
    std::unique_ptr<StoreWriter> writer = Open(/*max_pages=*/60);
    ASSERT_TRUE(writer->Add(Batch(1, 10)).ok());
    ASSERT_TRUE(writer->Commit().ok());
    Status status;
    for (int64_t batch = 1; status.ok() && batch < 1000; ++batch)
      status = writer->Add(Batch(1 + batch * 10, 10, 100'000));
    if (status.ok()) status = writer->Commit();
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().code, ErrorCode::kIo);
    EXPECT_FALSE(writer->Commit().ok());
    EXPECT_FALSE(writer->CommitSoon().ok());
    EXPECT_FALSE(writer->FinishRun().ok());
  }
  EXPECT_EQ(StoredLines().size() % 10, 0u);
  EXPECT_GE(StoredLines().size(), 10u);
}

}  // namespace
}  // namespace assay
