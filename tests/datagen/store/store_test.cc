#include "datagen/store/store.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "core/rng.h"
#include "datagen/store/sqlite.h"
#include "datagen/store/store_schema.h"
#include "tests/datagen/store_fixture.h"

namespace assay {
namespace {

class StoreTest : public StoreFixture {
 protected:
  void RawSql(const std::string& sql) {
    auto db = sqlite::Database::Open(path_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, 1000);
    ASSERT_TRUE(db.ok());
    Status status = (*db)->Exec(sql);
    ASSERT_TRUE(status.ok()) << status.error().message;
  }
  int64_t RawInt(const std::string& sql) {
    auto db = sqlite::Database::Open(path_, SQLITE_OPEN_READONLY, 1000);
    EXPECT_TRUE(db.ok());
    Result<int64_t> value = (*db)->QueryInt(sql);
    EXPECT_TRUE(value.ok()) << value.error().message;
    return value.ok() ? *value : -1;
  }
  std::string RawText(const std::string& sql) {
    auto db = sqlite::Database::Open(path_, SQLITE_OPEN_READONLY, 1000);
    auto statement = (*db)->Prepare(sql);
    EXPECT_TRUE(statement.ok()) << statement.error().message;
    Result<bool> row = statement->Step();
    EXPECT_TRUE(row.ok() && *row);
    return statement->StringAt(0);
  }
  Error OpenError(OpenMode mode = OpenMode::kCreate) {
    auto store = Store::Open(path_, mode, {.busy_timeout_ms = 50});
    EXPECT_FALSE(store.ok());
    return store.ok() ? Error{} : store.error();
  }

  // A run of many rows: groups that share problems and texts, bad rows among them, two files.
  static std::vector<Spec> RowSpecs(int64_t row) {
    std::vector<Spec> specs;
    Rng rng(5, "row", static_cast<uint64_t>(row));
    for (uint64_t i = 0, n = rng.Below(9); i < n; ++i) {
      std::string text = rng.Below(3) == 0 ? StrCat("answer ", rng.Below(10))
                                           : StrCat("text of row ", row, ", sample ", i);
      text.resize(text.size() + rng.Below(300), '.');
      specs.push_back({text, static_cast<int>(rng.Below(3)) - 1, 1.0});
    }
    return specs;
  }
  static constexpr int64_t kRows = 300;
  static Status AddSynthetic(Store* store, RunId run, int64_t row) {
    std::string file = row < kRows / 2 ? "a.jsonl" : "b.jsonl";
    RowKey key = Key(row % (kRows / 2) + 1, file);
    if (row % 17 == 3) return store->AddBadRow(run, key, "the line is no JSON");
    return store->AddGroup(run, key, MakeGroup(StrCat("p", row % 40), RowSpecs(row)),
                           MakeScore(RowSpecs(row)), false);
  }
  // Writes all rows from where the store stands; commits where `commit_rng` says.
  static Status WriteAll(Store* store, Rng* commit_rng, int64_t kill_at_row = -1) {
    Result<RunId> run = store->BeginRun(Info(), /*resume=*/true);
    if (!run.ok()) return run.error();
    int64_t first = 0;
    for (const char* file : {"a.jsonl", "b.jsonl"}) {
      Result<int64_t> done = store->RowsDone(*run, file);
      if (!done.ok()) return done.error();
      first += *done;
    }
    // Going back a little must be harmless.
    for (int64_t row = std::max<int64_t>(0, first - 3); row < kRows; ++row) {
      if (Status status = AddSynthetic(store, *run, row); !status.ok()) return status;
      if (row == kill_at_row) kill(getpid(), SIGKILL);
      if (commit_rng->Below(20) == 0) {
        if (Status status = store->Commit(); !status.ok()) return status;
      }
    }
    return store->FinishRun(*run);
  }
};

TEST_F(StoreTest, WhatGoesInComesOut) {
  auto store = OpenStore();
  Result<RunId> run = store->BeginRun(Info(), false);
  ASSERT_TRUE(run.ok());
  Group group = MakeGroup("p1", {Pass("42"), Failed("41"), Fault("?")});
  group.problem.messages = {{"system", "be brief"}, {"user", "6*7?"}};
  group.problem.prompt = "be brief\n\n6*7?";
  group.problem.answers = {"42", "42.0"};
  group.problem.verification_info = *ParseJson(R"({"limits":{"cpu_ms":5}})");
  group.problem.options = *ParseJson(R"({"math":{"mode":"bare"}})");
  group.problem.extra = *ParseJson(R"({"source":"made up","big":123456789012345678901234567890})");
  group.samples[0].text = std::string("NUL \0 inside", 12);
  group.samples[0].model = "m";
  group.samples[0].seed = -7;
  group.samples[0].token_ids = {1, 2, 300000};
  group.samples[0].logprobs = {-0.1, -2.5e-7, 0};
  GroupScore score = MakeScore({Pass("42"), Failed("41"), Fault("?")});
  score.samples[0].parts = {0.75};  // the others' are left out, or unknown
  ASSERT_TRUE(store->AddGroup(*run, Key(3), group, score, true).ok());
  ASSERT_TRUE(store->AddBadRow(*run, Key(5), "no completions").ok());
  ASSERT_TRUE(store->FinishRun(*run).ok());
  store.reset();

  store = OpenStore(OpenMode::kReadOnly);
  Result<RunRecord> record = store->FindRun("r");
  ASSERT_TRUE(record.ok());
  EXPECT_TRUE(record->finished);
  EXPECT_EQ(record->seed, 18446744073709551615u);
  EXPECT_EQ(record->rubric_json, R"({"rule":"sum"})");
  std::vector<StoredGroup> rows;
  ASSERT_TRUE(store
                  ->ForEachGroup(record->id, true,
                                 [&](const StoredGroup& row) -> Status {
                                   rows.push_back(row);
                                   return {};
                                 })
                  .ok());
  ASSERT_EQ(rows.size(), 2u);
  const StoredGroup& row = rows[0];
  EXPECT_EQ(row.key.line, 3);
  EXPECT_EQ(row.key.line_hash, Key(3).line_hash);
  EXPECT_EQ(row.problem.id, "p1");
  EXPECT_EQ(row.problem.prompt, group.problem.prompt);
  ASSERT_EQ(row.problem.messages.size(), 2u);
  EXPECT_EQ(row.problem.messages[1].content, "6*7?");
  EXPECT_EQ(row.problem.answers, group.problem.answers);
  EXPECT_EQ(row.problem.verification_info, group.problem.verification_info);
  EXPECT_EQ(row.problem.options, group.problem.options);
  EXPECT_EQ(row.problem.extra, group.problem.extra);
  ASSERT_EQ(row.samples.size(), 3u);
  EXPECT_EQ(row.samples[0].sample.text, group.samples[0].text);
  EXPECT_EQ(row.samples[0].text_bytes, 12);
  EXPECT_EQ(row.samples[0].sample.seed, group.samples[0].seed);
  EXPECT_EQ(row.samples[0].sample.token_ids, group.samples[0].token_ids);
  EXPECT_EQ(row.samples[0].sample.logprobs, group.samples[0].logprobs);
  EXPECT_EQ(row.labels, score.labels);
  for (size_t i = 0; i < 3; ++i) {
    const SampleScore& in = score.samples[i];
    const SampleScore& out = row.samples[i].score;
    EXPECT_EQ(row.samples[i].index, static_cast<int64_t>(i));
    EXPECT_EQ(out.reward, in.reward);
    EXPECT_EQ(out.advantage.mask, in.advantage.mask);
    EXPECT_DOUBLE_EQ(out.advantage.value, in.advantage.value);
    EXPECT_EQ(VerdictToJson(out.verdicts.at(0), true).Dump(),
              VerdictToJson(in.verdicts[0], true).Dump());
  }
  EXPECT_EQ(row.samples[0].score.parts, (std::vector<std::optional<double>>{0.75}));
  EXPECT_TRUE(row.samples[1].score.parts.empty());
  EXPECT_EQ(rows[1].error, "no completions");
  EXPECT_EQ(rows[1].key.line, 5);
  EXPECT_TRUE(rows[1].samples.empty());
}

TEST_F(StoreTest, TextsAndProblemsAreKeptOnce) {
  {
    auto store = OpenStore();
    RunId run = *store->BeginRun(Info(), false);
    ASSERT_TRUE(
        AddRow(store.get(), run, 1, "p1", {Pass("same"), Pass("same"), Pass("other")}).ok());
    ASSERT_TRUE(store->Commit().ok());
    ASSERT_TRUE(AddRow(store.get(), run, 2, "p1", {Pass("same"), Pass("")}).ok());
    ASSERT_TRUE(store->FinishRun(run).ok());
  }
  auto store = OpenStore();  // another process meets the texts of the first
  RunId run = *store->BeginRun(Info("r2"), false);
  ASSERT_TRUE(AddRow(store.get(), run, 1, "p1", {Pass("same"), Pass("new")}).ok());
  ASSERT_TRUE(store->FinishRun(run).ok());
  // same, other, "", new, and the prompt.
  EXPECT_EQ(RawInt("SELECT count(*) FROM texts"), 5);
  EXPECT_EQ(RawInt("SELECT length(hashes) / 16 FROM text_hashes"), 6);  // of ids 0 to 5
  EXPECT_EQ(RawInt("SELECT count(*) FROM problems"), 1);
  EXPECT_EQ(RawInt("SELECT count(*) FROM samples"), 7);
  EXPECT_EQ(
      RawInt(
          "SELECT count(*) FROM samples s JOIN texts t ON t.id = s.text_id WHERE t.body = 'same'"),
      4);
  EXPECT_EQ(RawInt("SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

// Rows that say neither id nor prompt have equal answers at most: that does not make them one problem.
TEST_F(StoreTest, RowsWithoutIdAndPromptAreProblemsOfTheirOwn) {
  auto store = OpenStore();
  RunId run = *store->BeginRun(Info(), false);
  const std::vector<Spec> specs = {Pass("a")};
  int64_t line = 0;
  for (const char* prompt : {"", "", "same", "same"}) {
    Group group = MakeGroup("", specs);
    group.problem.prompt = prompt;
    ASSERT_TRUE(store->AddGroup(run, Key(++line), group, MakeScore(specs), true).ok());
  }
  ASSERT_TRUE(store->FinishRun(run).ok());
  EXPECT_EQ(RawInt("SELECT count(*) FROM problems"), 3);
}

TEST_F(StoreTest, ManyTextsAreAllFoundAgain) {
  auto store = OpenStore();
  RunId run = *store->BeginRun(Info(), false);
  for (int pass = 0; pass < 2; ++pass) {
    for (int64_t row = 0; row < 500; ++row) {
      std::vector<Spec> specs;
      for (int i = 0; i < 8; ++i) specs.push_back(Pass(StrCat("text ", row, " ", i)));
      ASSERT_TRUE(AddRow(store.get(), run, pass * 500 + row + 1, StrCat("p", row), specs).ok());
      if (row % 97 == 0) {
        ASSERT_TRUE(store->Commit().ok());
      }
    }
  }
  ASSERT_TRUE(store->FinishRun(run).ok());
  EXPECT_EQ(RawInt("SELECT count(*) FROM texts"), 500 * 8 + 500);
  EXPECT_EQ(RawInt("SELECT count(*) FROM samples"), 8000);
  EXPECT_EQ(RawInt("SELECT count(DISTINCT text_id) FROM samples"), 4000);
  EXPECT_EQ(RawInt("SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

TEST_F(StoreTest, ResumingChecksTheRunAndTheLines) {
  auto store = OpenStore();
  RunId run = *store->BeginRun(Info(), false);
  ASSERT_TRUE(AddRow(store.get(), run, 1, "p1", {Pass("a")}).ok());
  ASSERT_TRUE(store->Commit().ok());
  Result<RunId> again = store->BeginRun(Info(), false);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorCode::kUsage);
  EXPECT_NE(again.error().hint.find("--resume"), std::string::npos);
  Result<RunId> other = store->BeginRun(Info("r", "another"), true);
  ASSERT_FALSE(other.ok());
  EXPECT_EQ(other.error().code, ErrorCode::kUsage);
  EXPECT_NE(other.error().message.find("another configuration"), std::string::npos);
  ASSERT_TRUE(store->BeginRun(Info(), true).ok());
  EXPECT_EQ(*store->RowsDone(run, "in.jsonl"), 1);
  EXPECT_EQ(*store->RowsDone(run, "nothing.jsonl"), 0);
  EXPECT_TRUE(*store->HasRow(run, Key(1)));
  EXPECT_FALSE(*store->HasRow(run, Key(2)));
  RowKey changed = Key(1);
  changed.line_hash.low ^= 1;
  Result<bool> has = store->HasRow(run, changed);
  ASSERT_FALSE(has.ok());
  EXPECT_EQ(has.error().code, ErrorCode::kInput);
  EXPECT_NE(has.error().message.find("line 1 of 'in.jsonl'"), std::string::npos);
  EXPECT_NE(has.error().message.find(path_), std::string::npos);  // or the store is what changed
}

TEST_F(StoreTest, KilledAnywhereAndResumedGivesTheSameDump) {
  {
    auto store = OpenStore();
    Rng rng(1);
    ASSERT_TRUE(WriteAll(store.get(), &rng).ok());
  }
  const std::string undisturbed = Dump(path_);
  ASSERT_NE(undisturbed.find("INSERT INTO \"samples\""), std::string::npos);
  Rng points(2026, "kill");
  int in_transaction = 0;
  for (int trial = 0; trial < 50; ++trial) {
    path_ = StrCat(folder_, "/k", trial, ".sqlite");
    uint64_t commit_seed = points.Next();
    // One to three kills, then a run to the end with yet other commit points.
    for (uint64_t kills = 1 + points.Below(3); kills > 0; --kills) {
      const int64_t kill_at = static_cast<int64_t>(points.Below(kRows));
      const useconds_t kill_us =
          points.Below(4) == 0 ? 1 + static_cast<useconds_t>(points.Below(20'000)) : 0;
      pid_t child = fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        Result<std::unique_ptr<Store>> store = Store::Open(path_, OpenMode::kCreate);
        Rng rng(commit_seed);
        if (store.ok()) (void)WriteAll(store->get(), &rng, kill_us > 0 ? -1 : kill_at);
        _exit(0);
      }
      if (kill_us > 0) {  // from outside: anywhere, in the middle of SQLite's own writes too
        usleep(kill_us);
        kill(child, SIGKILL);
      }
      int status = 0;
      ASSERT_EQ(waitpid(child, &status, 0), child);
      in_transaction += WIFSIGNALED(status);
      ++commit_seed;
    }
    auto store = OpenStore();
    ASSERT_NE(store, nullptr);
    Rng rng(commit_seed);
    Status status = WriteAll(store.get(), &rng);
    ASSERT_TRUE(status.ok()) << status.error().message;
    store.reset();
    ASSERT_EQ(Dump(path_), undisturbed) << "trial " << trial;
  }
  EXPECT_GT(in_transaction, 50);
}

TEST_F(StoreTest, SnapshotDoesNotSeeWhatOthersWriteMeanwhile) {
  auto reader = OpenStore();
  auto writer = OpenStore();
  ASSERT_TRUE(writer->BeginRun(Info("first"), false).ok());
  size_t before = 0, during = 0;
  ASSERT_TRUE(reader
                  ->WithSnapshot([&]() -> Status {
                    before = reader->Runs()->size();
                    Result<RunId> second = writer->BeginRun(Info("second"), false);
                    during = reader->Runs()->size();
                    return second.ok() ? Status() : Status(second.error());
                  })
                  .ok());
  EXPECT_EQ(before, 1u);
  EXPECT_EQ(during, 1u);
  EXPECT_EQ(reader->Runs()->size(), 2u);
}

// A store of every version that there was, as its migrations left it.
class MigrationTest : public StoreTest, public ::testing::WithParamInterface<int> {
 protected:
  void MakeOldStore() {
    for (int version = 0; version < GetParam(); ++version) RawSql(sqlite::MigrationSql(version));
    RawSql(StrCat("PRAGMA user_version=", GetParam(),
                  "; PRAGMA application_id=", sqlite::kApplicationId, ";"));
  }
};

TEST_P(MigrationTest, OlderSchemaIsMigrated) {
  MakeOldStore();
  // A run with one sample, written by hand in columns that all versions have.
  RawSql(
      "INSERT INTO texts VALUES(1,3,'6*7'),(2,2,'42');"
      "INSERT INTO problems(id,name,task,prompt_id,answers) VALUES(1,'p','math',1,'[\"42\"]');"
      "INSERT INTO runs VALUES(1,'old','{}','cfg','0.0.1','7',NULL,1);"
      "INSERT INTO inputs VALUES(1,1,'in.jsonl',1,1);"
      "INSERT INTO rows(id,input_id,line,line_hash,problem_id,flat,first_sample,sample_count) "
      "VALUES(1,1,1,x'00112233445566778899aabbccddeeff',1,0,1,1);"
      "INSERT INTO samples(id,row_id,text_id,finish_reason,reward,advantage) "
      "VALUES(1,1,2,'stop',1.0,0.0);"
      "INSERT INTO verdicts(sample_id,term,label,outcome,score,reason,evidence,ms) "
      "VALUES(1,0,'math','pass',0.3333333333333333,'ok','{\"answer\":\"42\"}',0.25),"
      "(1,1,'format','fail',0.0,'no_think',NULL,NULL);");
  const Hash128 hash = HashBytes128("42");
  RawSql(StrCat("INSERT INTO text_hashes VALUES(", static_cast<int64_t>(hash.high), ",",
                static_cast<int64_t>(hash.low), ",2)"));
  Error error = OpenError(OpenMode::kReadOnly);
  EXPECT_EQ(error.code, ErrorCode::kInput);
  EXPECT_NE(error.message.find(StrCat("older schema version ", GetParam())), std::string::npos);
  EXPECT_NE(error.hint.find("brings it up to date"), std::string::npos);

  auto store = OpenStore(OpenMode::kReadWrite);
  ASSERT_NE(store, nullptr);
  EXPECT_EQ(RawInt("PRAGMA user_version"), Store::SchemaVersion());
  EXPECT_EQ(store->FindRun("old")->seed, 7u);
  Result<DatasetId> dataset =
      store->BeginDataset({"d", "all-correct", "{}", "0.1.0", RunId{1}, ""}, false);
  ASSERT_TRUE(dataset.ok());
  ASSERT_TRUE(store->AddDatasetRow(*dataset, 1, R"({"kept":"all_pass"})").ok());
  ASSERT_TRUE(store->FinishDataset(*dataset, {{"kept", 1}}).ok());
  int rows = 0;
  ASSERT_TRUE(store
                  ->ForEachDatasetRow(
                      *dataset, true,
                      [&](const DatasetRow& row) -> Status {
                        ++rows;
                        EXPECT_EQ(row.group.samples.at(0).sample.text, "42");
                        EXPECT_EQ(row.group.problem.prompt, "6*7");
                        EXPECT_EQ(row.run, "old");
                        EXPECT_EQ(row.group.labels, (std::vector<std::string>{"math", "format"}));
                        const SampleScore& score = row.group.samples[0].score;
                        EXPECT_EQ(score.verdicts.at(0).score, 1.0 / 3);
                        EXPECT_EQ(score.verdicts[0].evidence, Json().Set("answer", "42"));
                        EXPECT_EQ(score.verdicts[0].ms, 0.25);
                        EXPECT_EQ(score.verdicts.at(1).reason, "no_think");
                        return {};
                      })
                  .ok());
  EXPECT_EQ(rows, 1);
  // The row and the text are found again.
  EXPECT_TRUE(*store->HasRow(1, {"in.jsonl", 1, {0x0011223344556677, 0x8899aabbccddeeff}}));
  const RunId run = *store->BeginRun(Info("new"), false);
  ASSERT_TRUE(AddRow(store.get(), run, 1, "p", {Pass("42"), Pass("43")}).ok());
  ASSERT_TRUE(store->FinishRun(run).ok());
  EXPECT_EQ(RawInt("SELECT text_id FROM samples WHERE id = 2"), 2);
  EXPECT_EQ(RawInt("SELECT count(*) FROM verdicts WHERE outcome = 'pass'"), 3);
  EXPECT_EQ(RawInt("SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

TEST_P(MigrationTest, MigratedAndNewStoresHaveOneSchema) {
  MakeOldStore();
  OpenStore().reset();
  const std::string migrated = Dump(path_);
  path_ = folder_ + "/new.sqlite";
  OpenStore().reset();
  EXPECT_EQ(Dump(path_), migrated);
}

INSTANTIATE_TEST_SUITE_P(EveryVersion, MigrationTest, ::testing::Range(1, Store::SchemaVersion()));

TEST_F(StoreTest, FilesThatAreNoStoreAreRefused) {
  ASSERT_TRUE(WriteFileAtomic(path_, std::string(5000, 'x')).ok());
  Error error = OpenError();
  EXPECT_EQ(error.code, ErrorCode::kInput);
  EXPECT_NE(error.message.find("is not a SQLite database"), std::string::npos);
  EXPECT_EQ(ReadFile(path_)->size(), 5000u);

  path_ = folder_ + "/other.sqlite";
  RawSql("CREATE TABLE t(x)");
  error = OpenError();
  EXPECT_EQ(error.code, ErrorCode::kInput);
  EXPECT_NE(error.message.find("not an Assay store"), std::string::npos);
  EXPECT_FALSE(error.hint.empty());

  path_ = folder_ + "/newer.sqlite";
  OpenStore().reset();
  RawSql("PRAGMA user_version=99");
  for (OpenMode mode : {OpenMode::kCreate, OpenMode::kReadWrite, OpenMode::kReadOnly}) {
    error = OpenError(mode);
    EXPECT_EQ(error.code, ErrorCode::kInput);
    EXPECT_NE(error.message.find("schema version 99"), std::string::npos);
    EXPECT_FALSE(error.hint.empty());
  }

  path_ = folder_ + "/missing.sqlite";
  error = OpenError(OpenMode::kReadOnly);
  EXPECT_EQ(error.code, ErrorCode::kIo);
  EXPECT_FALSE(std::filesystem::exists(path_));
  path_ = folder_ + "/no/such/folder.sqlite";
  error = OpenError();
  EXPECT_EQ(error.code, ErrorCode::kIo);
  EXPECT_NE(error.hint.find("folder"), std::string::npos);
}

TEST_F(StoreTest, FullDiskKeepsWhatWasCommitted) {
  OpenStore().reset();
  const int64_t pages = RawInt("PRAGMA page_count");
  auto store = OpenStore(OpenMode::kCreate, {.max_pages = pages + 24});
  RunId run = *store->BeginRun(Info(), false);
  int64_t committed = 0;
  Status status;
  for (int64_t row = 0; row < 10'000 && status.ok(); ++row) {
    status = AddRow(store.get(), run, row + 1, StrCat("p", row),
                    {Pass(StrCat(std::string(900, 'x'), row)), Failed(StrCat("no ", row))});
    if (status.ok() && row % 10 == 9) {
      status = store->Commit();
      if (status.ok()) committed = row + 1;
    }
  }
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_NE(status.error().message.find("no space left"), std::string::npos);
  EXPECT_NE(status.error().hint.find("--resume"), std::string::npos);
  EXPECT_GT(committed, 50);
  // The store says so again, and does not half work.
  EXPECT_FALSE(AddRow(store.get(), run, 20'000, "p", {Pass("a")}).ok());
  EXPECT_FALSE(store->Commit().ok());
  store.reset();

  store = OpenStore();
  run = *store->BeginRun(Info(), true);
  EXPECT_EQ(*store->RowsDone(run, "in.jsonl"), committed);
  EXPECT_EQ(RawInt("SELECT count(*) FROM samples"), committed * 2);
  for (int64_t row = committed; row < committed + 100; ++row)
    ASSERT_TRUE(AddRow(store.get(), run, row + 1, "p", {Pass("a")}).ok());
  EXPECT_TRUE(store->FinishRun(run).ok());
  EXPECT_EQ(RawText("PRAGMA integrity_check"), "ok");
}

TEST_F(StoreTest, SecondWriterIsToldAndNothingIsLost) {
  auto first = OpenStore();
  RunId run = *first->BeginRun(Info(), false);
  ASSERT_TRUE(AddRow(first.get(), run, 1, "p1", {Pass("a")}).ok());  // holds the write lock now
  auto second = OpenStore(OpenMode::kCreate, {.busy_timeout_ms = 50});
  ASSERT_NE(second, nullptr);
  Result<RunId> refused = second->BeginRun(Info("r2"), false);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kIo);
  EXPECT_NE(refused.error().message.find("locked by another writer"), std::string::npos);
  ASSERT_TRUE(first->Commit().ok());

  // In turn they may both write, to runs of their own; what one adds the other reuses.
  second = OpenStore();
  RunId run2 = *second->BeginRun(Info("r2"), false);
  ASSERT_TRUE(AddRow(second.get(), run2, 1, "p1", {Pass("a"), Pass("b")}).ok());
  ASSERT_TRUE(second->Commit().ok());
  ASSERT_TRUE(AddRow(first.get(), run, 2, "p1", {Pass("b"), Pass("c")}).ok());
  ASSERT_TRUE(first->FinishRun(run).ok());
  ASSERT_TRUE(AddRow(second.get(), run2, 2, "p2", {Pass("c")}).ok());
  ASSERT_TRUE(second->FinishRun(run2).ok());
  EXPECT_EQ(RawInt("SELECT count(*) FROM texts"), 5);  // a, b, c and two prompts
  EXPECT_EQ(RawInt("SELECT count(*) FROM samples"), 6);
  EXPECT_EQ(RawInt("SELECT count(*) FROM pragma_foreign_key_check"), 0);
}

TEST_F(StoreTest, TwoWritersOfOneRunAreFoundOut) {
  auto first = OpenStore();
  RunId run = *first->BeginRun(Info(), false);
  ASSERT_TRUE(AddRow(first.get(), run, 1, "p1", {Pass("a")}).ok());
  ASSERT_TRUE(first->Commit().ok());
  auto second = OpenStore();
  ASSERT_TRUE(second->BeginRun(Info(), true).ok());
  ASSERT_TRUE(AddRow(second.get(), run, 2, "p1", {Pass("b")}).ok());
  ASSERT_TRUE(second->Commit().ok());
  Status status = AddRow(first.get(), run, 2, "p1", {Pass("b")});
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("another process writes the same run"), std::string::npos);
}

TEST_F(StoreTest, ReaderSeesOneStateWhileAnotherThreadWrites) {
  OpenStore().reset();
  std::atomic<bool> done = false;
  std::thread writer([&] {
    auto store = OpenStore();
    RunId run = *store->BeginRun(Info(), false);
    for (int64_t row = 0; row < 2000; ++row) {
      EXPECT_TRUE(AddRow(store.get(), run, row + 1, StrCat("p", row),
                         {Pass(StrCat("a", row)), Failed(StrCat("b", row))})
                      .ok());
      if (row % 20 == 0) {
        EXPECT_TRUE(store->Commit().ok());
      }
    }
    EXPECT_TRUE(store->FinishRun(run).ok());
    done = true;
  });
  auto store = OpenStore(OpenMode::kReadOnly);
  int64_t last = 0, reads = 0;
  for (bool again = true; again; ++reads) {
    again = !done;
    int64_t rows = 0, samples = 0;
    Result<std::vector<RunRecord>> runs = store->Runs();
    ASSERT_TRUE(runs.ok());
    if (runs->empty()) continue;
    Status status = store->ForEachGroup(1, true, [&](const StoredGroup& group) -> Status {
      ++rows;
      samples += static_cast<int64_t>(group.samples.size());
      EXPECT_EQ(group.key.line, rows);
      EXPECT_EQ(group.samples.at(0).score.verdicts.size(), 1u);
      return {};
    });
    ASSERT_TRUE(status.ok()) << status.error().message;
    EXPECT_EQ(samples, rows * 2);
    EXPECT_GE(rows, last);
    last = rows;
  }
  writer.join();
  EXPECT_EQ(last, 2000);
  EXPECT_GT(reads, 1);
}

TEST_F(StoreTest, ReadOnlyFileIsAClearError) {
  OpenStore().reset();
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
  ASSERT_EQ(chmod(path_.c_str(), 0444), 0);
  // Root may write anything, so the question is asked as somebody else.
  const bool root = geteuid() == 0;
  if (root) {
    ASSERT_EQ(seteuid(65534), 0);
  }
  Error error = OpenError(OpenMode::kReadWrite);
  if (root) {
    ASSERT_EQ(seteuid(0), 0);
  }
  EXPECT_EQ(error.code, ErrorCode::kIo);
  EXPECT_NE(error.message.find("is read-only"), std::string::npos) << error.message;
  EXPECT_NE(error.hint.find("permissions"), std::string::npos);
}

TEST_F(StoreTest, DatasetRowsLeadBackToEverything) {
  auto store = OpenStore();
  RunId run = *store->BeginRun(Info(), false);
  ASSERT_TRUE(AddRow(store.get(), run, 4, "p1", {Failed("41"), Pass("42")}).ok());
  ASSERT_TRUE(store->FinishRun(run).ok());
  DatasetInfo info{"d", "best-of-n", R"({"min_reward":0.5})", "0.1.0", run, ""};
  Result<DatasetId> id = store->BeginDataset(info, false);
  ASSERT_TRUE(id.ok());
  ASSERT_TRUE(store->AddDatasetRow(*id, 2, R"({"kept":"best","of":2})").ok());
  ASSERT_TRUE(store->FinishDataset(*id, {{"kept", 1}, {"not_best", 1}}).ok());
  EXPECT_EQ(RawText("SELECT text FROM provenance WHERE dataset = 'd' AND position = 0"), "42");
  EXPECT_EQ(RawText("SELECT file || ':' || line || ' ' || sample_index || ' ' || problem || ' ' || "
                    "strategy || ' ' || scored_by || ' ' "
                    "|| config_hash FROM provenance"),
            "in.jsonl:4 1 p1 best-of-n 0.1.0 c0ffee");
  EXPECT_EQ(
      RawText("SELECT verdicts FROM provenance"),
      R"([{"label":"math","outcome":"pass","score":1.0,"reason":"ok","detail":null,"evidence":{"answer":"42"},"part":null}])");
  Result<DatasetRecord> record = store->FindDataset("d");
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->rows, 1);
  EXPECT_EQ(record->decisions,
            (std::vector<std::pair<std::string, int64_t>>{{"kept", 1}, {"not_best", 1}}));

  Result<DatasetId> again = store->BeginDataset(info, false);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorCode::kUsage);
  EXPECT_NE(again.error().hint.find("--replace"), std::string::npos);
  ASSERT_TRUE(store->BeginDataset(info, true).ok());
  store.reset();  // not finished: the old one is still there
  store = OpenStore();
  EXPECT_EQ(store->FindDataset("d")->rows, 1);
  ASSERT_TRUE(store->BeginDataset(info, true).ok());
  ASSERT_TRUE(store->FinishDataset(*id, {}).ok());
  EXPECT_EQ(store->FindDataset("d")->rows, 0);
  // A sample that is not there cannot be kept.
  ASSERT_TRUE(store->BeginDataset(info, true).ok());
  EXPECT_FALSE(store->AddDatasetRow(*id, 999, "{}").ok());
}

TEST_F(StoreTest, UnknownNamesGetAHint) {
  auto store = OpenStore();
  Result<RunRecord> none = store->FindRun("nightly");
  ASSERT_FALSE(none.ok());
  EXPECT_EQ(none.error().hint, "the store has no run yet");
  ASSERT_TRUE(store->BeginRun(Info("nightly"), false).ok());
  Result<RunRecord> typo = store->FindRun("nightyl");
  ASSERT_FALSE(typo.ok());
  EXPECT_EQ(typo.error().code, ErrorCode::kUsage);
  EXPECT_EQ(typo.error().hint, "did you mean 'nightly'?");
}

}  // namespace
}  // namespace assay
