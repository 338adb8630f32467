#include "datagen/store/store_care.h"

#include "datagen/select/select.h"
#include "tests/datagen/store_fixture.h"

namespace assay {
namespace {

class StoreCareTest : public StoreFixture {
 protected:
  void Fill() {
    auto store = OpenStore();
    for (const char* name : {"a", "b"}) {
      const RunId run = *store->BeginRun(Info(name), false);
      for (int line = 1; line <= 20; ++line) {
        const std::string own = StrCat(name, line);
        ASSERT_TRUE(AddRow(store.get(), run, line, own,
                           {Pass(own + std::string(2000, 'x')), Failed("shared")})
                        .ok());
      }
      ASSERT_TRUE(store->FinishRun(run).ok());
    }
    SelectOptions options;
    options.strategy = "all-correct";
    options.runs = {"a"};
    options.dataset = "d";
    ASSERT_TRUE(SelectSamples(store.get(), options).ok());
  }
  void Sql(const std::string& sql) {
    Shell(
        StrCat("/usr/bin/python3 -c \"import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); "
               "c.executescript(sys.argv[2])\" ",
               path_, " \"", sql, "\""));
  }
};

TEST_F(StoreCareTest, AWholeStoreHasNoComplaints) {
  Fill();
  const auto complaints = CheckStore(path_);
  ASSERT_TRUE(complaints.ok());
  EXPECT_TRUE(complaints->empty()) << (*complaints)[0];
}

TEST_F(StoreCareTest, WhatWasChangedIsFound) {
  const char* kChanges[] = {"UPDATE texts SET body = 'y' || substr(body, 2) WHERE id = 2",
                            "DELETE FROM samples WHERE id = 3",
                            "UPDATE inputs SET rows_done = 7 WHERE id = 1",
                            "UPDATE dataset_rows SET position = 99 WHERE position = 3",
                            "DELETE FROM dataset_drops WHERE sample_id = 2",
                            "UPDATE text_hashes SET hashes = zeroblob(96)",
                            "UPDATE rows SET line = 3 WHERE line = 4",
                            "UPDATE samples SET verdicts = 'pass' WHERE id = 5"};
  for (const char* change : kChanges) {
    std::filesystem::remove(path_);
    Fill();
    Sql(change);
    const auto complaints = CheckStore(path_);
    ASSERT_TRUE(complaints.ok()) << complaints.error().message;
    EXPECT_FALSE(complaints->empty()) << change;
  }
}

TEST_F(StoreCareTest, DroppedRunsLeaveNothingBehind) {
  Fill();
  EXPECT_EQ(DropRun(path_, "a").error().code, ErrorCode::kUsage);  // a data set needs it
  EXPECT_EQ(DropRun(path_, "c").error().code, ErrorCode::kUsage);
  ASSERT_TRUE(DropRun(path_, "b").ok());
  const auto garbage = CollectGarbage(path_);
  ASSERT_TRUE(garbage.ok());
  EXPECT_EQ(garbage->problems, 20);
  EXPECT_EQ(garbage->texts, 40);  // prompts and replies; "shared" is the other run's, too
  const auto size = VacuumStore(path_);
  ASSERT_TRUE(size.ok()) << size.error().message;
  EXPECT_LT(size->after, size->before);
  EXPECT_TRUE(CheckStore(path_)->empty());
  ASSERT_TRUE(DropDataset(path_, "d").ok());
  ASSERT_TRUE(DropRun(path_, "a").ok());
  EXPECT_EQ(CollectGarbage(path_)->texts, 41);
  // What is written afterwards is found again.
  auto store = OpenStore(OpenMode::kReadWrite);
  const RunId run = *store->BeginRun(Info("c"), false);
  ASSERT_TRUE(AddRow(store.get(), run, 1, "p", {Pass("x"), Pass("x")}).ok());
  ASSERT_TRUE(store->FinishRun(run).ok());
  store.reset();
  EXPECT_TRUE(CheckStore(path_)->empty());
}

// A writer that has the store open learns that texts are gone.
TEST_F(StoreCareTest, GarbageIsCollectedBesideAWriter) {
  Fill();
  auto store = OpenStore(OpenMode::kReadWrite);
  const RunId run = *store->BeginRun(Info("c"), false);
  ASSERT_TRUE(AddRow(store.get(), run, 1, "p", {Pass("first")}).ok());
  ASSERT_TRUE(store->Commit().ok());
  ASSERT_TRUE(DropRun(path_, "b").ok());
  ASSERT_TRUE(CollectGarbage(path_).ok());
  ASSERT_TRUE(AddRow(store.get(), run, 2, "b1", {Pass("b1" + std::string(2000, 'x'))}).ok());
  ASSERT_TRUE(store->FinishRun(run).ok());
  store.reset();
  const auto complaints = CheckStore(path_);
  EXPECT_TRUE(complaints->empty()) << (*complaints)[0];
}

TEST_F(StoreCareTest, FilesThatAreNoStore) {
  EXPECT_EQ(CheckStore(path_).error().code, ErrorCode::kIo);
  ASSERT_TRUE(WriteFileAtomic(path_, std::string(5000, 'x')).ok());
  EXPECT_EQ(CheckStore(path_).error().code, ErrorCode::kInput);
}

}  // namespace
}  // namespace assay
