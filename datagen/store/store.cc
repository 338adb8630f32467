#include "datagen/store/store.h"

#include <sys/stat.h>

#include <algorithm>
#include <tuple>

#include "core/check.h"
#include "core/text.h"
#include "datagen/store/sqlite.h"
#include "datagen/store/store_internal.h"
#include "datagen/store/store_schema.h"

namespace assay {
namespace {

// A transaction this large costs little more than its share; a larger one only costs memory.
constexpr int64_t kCommitRows = 65'536;
constexpr int64_t kCommitBytes = int64_t{32} << 20;

// Reading through a memory map would turn an I/O error into SIGBUS, so mmap_size stays 0. Pages of 16 KiB hold most
// completions without overflow chains, and the log has fewer frames to write. journal_size_limit keeps one large transaction from leaving a large WAL behind.
constexpr char kNewFilePragmas[] = "PRAGMA page_size=16384; PRAGMA journal_mode=WAL;";
constexpr char kPragmas[] =
    "PRAGMA foreign_keys=ON; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536; PRAGMA "
    "temp_store=MEMORY;"
    "PRAGMA mmap_size=0; PRAGMA wal_autocheckpoint=8000; PRAGMA journal_size_limit=67108864;";

Error UsageError(std::string message, std::string hint) {
  return {ErrorCode::kUsage, std::move(message), std::move(hint)};
}

std::string_view HashBytes(const Hash128& hash, char (&out)[16]) {
  for (int i = 0; i < 8; ++i) {
    out[i] = static_cast<char>(hash.high >> (56 - 8 * i));
    out[8 + i] = static_cast<char>(hash.low >> (56 - 8 * i));
  }
  return {out, sizeof(out)};
}

std::string DumpOrEmpty(const Json& value) {
  if (value.IsNull()) return "";
  if (const Json::Object* object = value.AsObject(); object != nullptr && object->empty())
    return "";
  return value.Dump();
}

std::string MessagesJson(const std::vector<Message>& messages) {
  if (messages.empty()) return "";
  Json out = Json::MakeArray();
  for (const Message& message : messages) {
    Json item = Json::MakeObject();
    item.Set("role", message.role).Set("content", message.content);
    out.Append(std::move(item));
  }
  return out.Dump();
}

template <typename T>
std::string ArrayJson(const std::vector<T>& values) {
  if (values.empty()) return "";
  Json out = Json::MakeArray();
  for (const T& value : values) out.Append(value);
  return out.Dump();
}

Status CheckWritable(sqlite::Database* db) {
  // SQLite falls back to reading in silence when it may not write.
  if (sqlite3_db_readonly(db->handle(), "main") == 1)
    return sqlite::ErrorFrom(db->handle(), SQLITE_READONLY, db->path());
  return {};
}

bool FileExists(const std::string& path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0;
}

}  // namespace

Store::Store() : impl_(std::make_unique<Impl>()) {}

Store::~Store() {
  if (impl_->db != nullptr && impl_->db->InTransaction()) (void)impl_->db->Exec("ROLLBACK");
}

int Store::SchemaVersion() { return sqlite::kSchemaVersion; }

Result<std::unique_ptr<Store>> Store::Open(const std::string& path, OpenMode mode,
                                           const StoreOptions& options) {
  if (mode != OpenMode::kCreate && !FileExists(path)) {
    return Error{ErrorCode::kIo, StrCat("no store at '", path, "'"),
                 "`assay score --store FILE --run NAME` makes one"};
  }
  int flags = mode == OpenMode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
  if (mode == OpenMode::kCreate) flags |= SQLITE_OPEN_CREATE;
  auto db = sqlite::Database::Open(path, flags, options.busy_timeout_ms);
  if (!db.ok()) return db.error();
  bool writable = mode != OpenMode::kReadOnly;
  if (writable) {
    if (Status status = CheckWritable(db->get()); !status.ok()) return status.error();
  }
  Result<int64_t> objects = (*db)->QueryInt("SELECT count(*) FROM sqlite_schema");
  if (!objects.ok()) return objects.error();
  if (writable && *objects == 0) {
    if (Status status = (*db)->Exec(kNewFilePragmas); !status.ok()) return status.error();
  }
  std::string pragmas = kPragmas;
  if (options.max_pages > 0) StrAppend(&pragmas, "PRAGMA max_page_count=", options.max_pages, ";");
  if (Status status = (*db)->Exec(pragmas); !status.ok()) return status.error();
  if (Status status = sqlite::PrepareSchema(db->get(), writable, mode == OpenMode::kCreate);
      !status.ok()) {
    return status.error();
  }
  std::unique_ptr<Store> store(new Store());
  store->impl_->db = std::move(*db);
  if (writable) {
    if (Status status = store->impl_->PrepareWriting(); !status.ok()) return status.error();
  }
  return store;
}

// ---------------------------------------------------------------------------------------------- transactions

Status Store::Impl::Fail(Error error) {
  if (failed) return *failed;
  // A full disk or an I/O error may have rolled back already.
  if (db->InTransaction()) (void)db->Exec("ROLLBACK");
  failed = error;
  return error;
}

Status Store::Impl::PrepareWriting() {
  const std::pair<Statement*, const char*> kStatements[] = {
      {&find_row, "SELECT line_hash FROM rows WHERE input_id = ? AND line = ?"},
      {&insert_input,
       "INSERT INTO inputs(id, run_id, file, rows_done, last_line) VALUES (?, ?, ?, 0, 0)"},
      {&update_input, "UPDATE inputs SET rows_done = ?, last_line = ? WHERE id = ?"},
      {&read_data_version, "PRAGMA data_version"},
      {&insert_dataset_row,
       "INSERT INTO dataset_rows(dataset_id, position, sample_id, decision) VALUES (?, ?, ?, ?)"},
  };
  for (const auto& [statement, sql] : kStatements) {
    Result<Statement> prepared = db->Prepare(sql);
    if (!prepared.ok()) return prepared.error();
    *statement = std::move(*prepared);
  }
  checkpointer.emplace(db->path());
  batches.emplace();
  const std::tuple<BatchInsert*, const char*, int> kBatches[] = {
      {&batches->texts, "texts(id, bytes, body)", 3},
      {&batches->problems,
       "problems(id, name, task, prompt_id, messages, answers, verification_info)", 7},
      {&batches->rows,
       "rows(id, input_id, line, line_hash, problem_id, flat, first_sample, sample_count, options, "
       "extra, error)",
       11},
      {&batches->samples,
       "samples(id, row_id, text_id, finish_reason, model, seed, token_ids, logprobs, reward, "
       "advantage)",
       10},
      {&batches->verdicts,
       "verdicts(sample_id, term, label, outcome, score, reason, detail, evidence, ms)", 9},
  };
  for (const auto& [batch, table, columns] : kBatches) {
    Result<BatchInsert> made = BatchInsert::Make(db.get(), table, columns);
    if (!made.ok()) return made.error();
    *batch = std::move(*made);
  }
  if (Status status = texts.Prepare(db.get(), "text_hashes"); !status.ok()) return status;
  return problems.Prepare(db.get(), "problem_hashes");
}

Status Store::Impl::Begin() {
  if (failed) return *failed;
  if (db->InTransaction()) return {};
  if (Status status = db->Exec("BEGIN IMMEDIATE"); !status.ok()) return status;
  Result<bool> row = read_data_version.Step();
  if (!row.ok()) return row.error();
  int64_t version = read_data_version.IntAt(0);
  read_data_version.Reset();
  // It changes when another connection has committed.
  if (version == data_version) return {};
  data_version = version;
  return Refresh();
}

Status Store::Impl::Refresh() {
  const std::pair<const char*, int64_t*> kCounters[] = {{"texts", &next.text},
                                                        {"problems", &next.problem},
                                                        {"rows", &next.row},
                                                        {"samples", &next.sample},
                                                        {"inputs", &next.input}};
  for (const auto& [table, counter] : kCounters) {
    Result<int64_t> last = db->QueryInt(StrCat("SELECT max(id) FROM ", table));
    if (!last.ok()) return last.error();
    *counter = *last + 1;
  }
  if (Status status = RefreshInputs(); !status.ok()) return status;
  if (Status status = texts.Reload(); !status.ok()) return status;
  return problems.Reload();
}

// Two processes that write one run would both think that they are its only source.
Status Store::Impl::RefreshInputs() {
  for (const auto& [key, input] : inputs) {
    Result<int64_t> rows =
        db->QueryInt(StrCat("SELECT rows_done FROM inputs WHERE id = ", input.id));
    if (!rows.ok()) return rows.error();
    if (*rows != input.rows_done) {
      return UsageError(StrCat("another process writes the same run to store '", db->path(), "'"),
                        "let it finish, or use another --run");
    }
  }
  return {};
}

Status Store::Impl::FlushRows() {
  for (BatchInsert* batch : {&batches->texts, &batches->problems, &batches->rows, &batches->samples,
                             &batches->verdicts}) {
    if (Status status = batch->Flush(); !status.ok()) return status;
  }
  return {};
}

Status Store::Impl::FlushIfFull() {
  for (BatchInsert* batch : {&batches->texts, &batches->problems, &batches->rows, &batches->samples,
                             &batches->verdicts}) {
    if (batch->full()) return FlushRows();
  }
  return {};
}

Status Store::Impl::CommitAll() {
  if (failed) return *failed;
  if (!db->InTransaction()) return {};
  if (Status status = FlushRows(); !status.ok()) return status;
  for (sqlite::HashIndex* index : {&texts, &problems}) {
    if (Status status = index->Flush(); !status.ok()) return status;
  }
  for (auto& [key, input] : inputs) {
    if (!input.dirty) continue;
    update_input.Int(1, input.rows_done);
    update_input.Int(2, input.last_line);
    update_input.Int(3, input.id);
    if (Status status = update_input.Run(); !status.ok()) return status;
    input.dirty = false;
  }
  if (Status status = db->Exec("COMMIT"); !status.ok()) return status;
  // Small runs are left to the checkpoint at the end.
  if (pending_rows >= kCommitRows || pending_bytes >= kCommitBytes) checkpointer->Wake();
  pending_rows = 0;
  pending_bytes = 0;
  return {};
}

bool Store::ShouldCommit() const {
  return impl_->pending_rows >= kCommitRows || impl_->pending_bytes >= kCommitBytes;
}

Status Store::Commit() {
  if (Status status = impl_->CommitAll(); !status.ok()) return impl_->Fail(status.error());
  return {};
}

// ---------------------------------------------------------------------------------------------- runs

namespace {

Status InsertRun(sqlite::Database* db, const RunInfo& info, RunId id) {
  Result<sqlite::Statement> insert = db->Prepare(
      "INSERT INTO runs(id, name, rubric, config_hash, tool_version, seed, created) VALUES (?, ?, "
      "?, ?, ?, ?, ?)");
  if (!insert.ok()) return insert.error();
  std::string seed = StrCat(info.seed);
  insert->Int(1, id);
  insert->Text(2, info.name);
  insert->Text(3, info.rubric_json);
  insert->Text(4, info.config_hash);
  insert->Text(5, info.tool_version);
  insert->Text(6, seed);
  if (!info.created.empty()) insert->Text(7, info.created);
  return insert->Run();
}

Status CheckResumable(const RunRecord& run, const RunInfo& info, bool resume) {
  if (!resume) {
    return UsageError(StrCat("run '", info.name, "' exists already"),
                      "give another --run, or --resume to go on with it");
  }
  if (run.config_hash != info.config_hash) {
    return UsageError(StrCat("run '", info.name, "' was made with another configuration"),
                      "resume with the verifiers, rubric and assay version it was begun with, or "
                      "give another --run");
  }
  return {};
}

Result<std::optional<RunRecord>> LookUpRun(Store* store, const std::string& name) {
  Result<std::vector<RunRecord>> runs = store->Runs();
  if (!runs.ok()) return runs.error();
  for (RunRecord& run : *runs) {
    if (run.name == name) return std::optional<RunRecord>(std::move(run));
  }
  return std::optional<RunRecord>();
}

}  // namespace

Result<RunId> Store::BeginRun(const RunInfo& info, bool resume) {
  if (info.name.empty()) return UsageError("a run needs a name", "give one with --run NAME");
  if (Status status = Commit(); !status.ok()) return status.error();
  if (Status status = impl_->Begin(); !status.ok()) return impl_->Fail(status.error()).error();
  Result<std::optional<RunRecord>> existing = LookUpRun(this, info.name);
  if (!existing.ok()) return impl_->Fail(existing.error()).error();
  if (*existing) {
    if (Status status = Commit(); !status.ok()) return status.error();
    if (Status status = CheckResumable(**existing, info, resume); !status.ok())
      return status.error();
    return (*existing)->id;
  }
  Result<int64_t> last = impl_->db->QueryInt("SELECT max(id) FROM runs");
  if (!last.ok()) return impl_->Fail(last.error()).error();
  RunId id = *last + 1;
  if (Status status = InsertRun(impl_->db.get(), info, id); !status.ok())
    return impl_->Fail(status.error()).error();
  if (Status status = Commit(); !status.ok()) return status.error();
  return id;
}

Result<Store::Impl::Input*> Store::Impl::FindInput(RunId run, const std::string& file) {
  auto [place, inserted] = inputs.try_emplace({run, file});
  Input* input = &place->second;
  if (!inserted) return input;
  Result<Statement> find =
      db->Prepare("SELECT id, rows_done, last_line FROM inputs WHERE run_id = ? AND file = ?");
  if (!find.ok()) return find.error();
  find->Int(1, run);
  find->Text(2, file);
  Result<bool> row = find->Step();
  if (!row.ok()) return row.error();
  if (*row) {
    *input = {find->IntAt(0), find->IntAt(1), find->IntAt(2), false};
    return input;
  }
  input->id = next.input++;
  insert_input.Int(1, input->id);
  insert_input.Int(2, run);
  insert_input.Text(3, file);
  if (Status status = insert_input.Run(); !status.ok()) return status.error();
  return input;
}

Result<int64_t> Store::RowsDone(RunId run, const std::string& file) {
  auto known = impl_->inputs.find({run, file});
  if (known != impl_->inputs.end()) return known->second.rows_done;
  Result<sqlite::Statement> find =
      impl_->db->Prepare("SELECT rows_done FROM inputs WHERE run_id = ? AND file = ?");
  if (!find.ok()) return find.error();
  find->Int(1, run);
  find->Text(2, file);
  Result<bool> row = find->Step();
  if (!row.ok()) return row.error();
  return *row ? find->IntAt(0) : 0;
}

Result<bool> Store::Impl::HasRow(Input* input, const RowKey& key) {
  if (key.line > input->last_line) return false;
  if (Status status = FlushRows(); !status.ok()) return status.error();
  find_row.Int(1, input->id);
  find_row.Int(2, key.line);
  Result<bool> row = find_row.Step();
  if (!row.ok()) return row.error();
  bool found = *row;
  char bytes[16];
  bool same = found && find_row.TextAt(0) == HashBytes(key.line_hash, bytes);
  find_row.Reset();
  if (found && !same) {
    return Error{
        ErrorCode::kInput,
        StrCat("line ", key.line, " of '", key.file, "' is not what it was when the run began"),
        "resume with the same input, or give another --run"};
  }
  return found;
}

Result<bool> Store::HasRow(RunId run, const RowKey& key) {
  if (Status status = impl_->Begin(); !status.ok()) return impl_->Fail(status.error()).error();
  Result<Impl::Input*> input = impl_->FindInput(run, key.file);
  if (!input.ok()) return impl_->Fail(input.error()).error();
  Result<bool> has = impl_->HasRow(*input, key);
  if (!has.ok()) return impl_->Fail(has.error()).error();
  return has;
}

// ---------------------------------------------------------------------------------------------- rows

Result<int64_t> Store::Impl::TextId(std::string_view text) {
  Hash128 hash = HashBytes128(text);
  Result<std::optional<int64_t>> known = texts.Find(hash);
  if (!known.ok()) return known.error();
  if (*known) return **known;
  int64_t id = next.text++;
  batches->texts.Int(id).Int(static_cast<int64_t>(text.size()));
  // A NUL would end the text for SQLite's functions and its .dump; as a blob it is kept whole.
  if (text.find('\0') == std::string_view::npos) {
    batches->texts.Text(text);
  } else {
    batches->texts.Blob(text);
  }
  texts.Add(hash, id);
  pending_bytes += static_cast<int64_t>(text.size());
  return id;
}

Result<int64_t> Store::Impl::ProblemId(const Problem& problem) {
  std::string messages = MessagesJson(problem.messages);
  std::string answers = ArrayJson(problem.answers);
  std::string info = DumpOrEmpty(problem.verification_info);
  std::string key;
  for (std::string_view part : {std::string_view(problem.id), std::string_view(problem.task),
                                std::string_view(problem.prompt), std::string_view(messages),
                                std::string_view(answers), std::string_view(info)}) {
    StrAppend(&key, part.size(), ":", part);
  }
  Hash128 hash = HashBytes128(key);
  Result<std::optional<int64_t>> known = problems.Find(hash);
  if (!known.ok()) return known.error();
  if (*known) return **known;
  int64_t id = next.problem++;
  problems.Add(hash, id);
  Result<int64_t> prompt = TextId(problem.prompt);
  if (!prompt.ok()) return prompt.error();
  batches->problems.Int(id).Text(problem.id).Text(problem.task).Int(*prompt);
  batches->problems.TextOrNull(messages).TextOrNull(answers).TextOrNull(info);
  pending_bytes += static_cast<int64_t>(messages.size() + info.size());
  return id;
}

Status Store::Impl::AddRow(Input* input, const RowKey& key, const Group* group,
                           const std::string& error) {
  std::optional<int64_t> problem;
  if (group != nullptr) {
    Result<int64_t> id = ProblemId(group->problem);
    if (!id.ok()) return id.error();
    problem = *id;
  }
  std::string options = group != nullptr ? DumpOrEmpty(group->problem.options) : "";
  std::string extra = group != nullptr ? DumpOrEmpty(group->problem.extra) : "";
  char bytes[16];
  BatchInsert& rows = batches->rows;
  rows.Int(next.row++).Int(input->id).Int(key.line).Blob(HashBytes(key.line_hash, bytes));
  if (problem) {
    rows.Int(*problem)
        .Int(group->flat)
        .Int(next.sample)
        .Int(static_cast<int64_t>(group->samples.size()));
  } else {
    rows.Null().Int(0).Null().Int(0);
  }
  rows.TextOrNull(options).TextOrNull(extra).TextOrNull(error);
  pending_bytes += static_cast<int64_t>(extra.size());
  ++pending_rows;
  ++input->rows_done;
  input->last_line = std::max(input->last_line, key.line);
  input->dirty = true;
  return {};
}

Status Store::Impl::AddSamples(int64_t row_id, const Group& group, const GroupScore& score,
                               bool with_times) {
  for (size_t i = 0; i < group.samples.size(); ++i) {
    const Sample& sample = group.samples[i];
    const SampleScore& scored = score.samples[i];
    Result<int64_t> text = TextId(sample.text);
    if (!text.ok()) return text.error();
    int64_t id = next.sample++;
    BatchInsert& samples = batches->samples;
    samples.Int(id)
        .Int(row_id)
        .Int(*text)
        .TextOrNull(sample.finish_reason)
        .TextOrNull(sample.model);
    sample.seed ? samples.Int(*sample.seed) : samples.Null();
    samples.TextOrNull(ArrayJson(sample.token_ids))
        .TextOrNull(ArrayJson(sample.logprobs))
        .RealOrNull(scored.reward);
    scored.advantage.mask ? samples.Real(scored.advantage.value) : samples.Null();
    for (size_t term = 0; term < scored.verdicts.size(); ++term) {
      const Verdict& verdict = scored.verdicts[term];
      BatchInsert& verdicts = batches->verdicts;
      verdicts.Int(id)
          .Int(static_cast<int64_t>(term))
          .Text(score.labels[term])
          .Text(OutcomeName(verdict.outcome));
      verdicts.Real(verdict.score).Text(verdict.reason).TextOrNull(verdict.detail);
      verdicts.TextOrNull(DumpOrEmpty(verdict.evidence));
      with_times ? verdicts.Real(verdict.ms) : verdicts.Null();
    }
    pending_rows += 1;
    pending_bytes +=
        static_cast<int64_t>(sample.token_ids.size() * 8 + sample.logprobs.size() * 16);
    if (Status status = FlushIfFull(); !status.ok()) return status;
  }
  return {};
}

Status Store::AddGroup(RunId run, const RowKey& key, const Group& group, const GroupScore& score,
                       bool with_times) {
  ASSAY_CHECK(group.samples.size() == score.samples.size());
  Result<bool> has = HasRow(run, key);
  if (!has.ok()) return has.error();
  if (*has) return {};
  Impl::Input* input = &impl_->inputs.at({run, key.file});
  int64_t row_id = impl_->next.row;
  Status status = impl_->AddRow(input, key, &group, "");
  if (status.ok()) status = impl_->AddSamples(row_id, group, score, with_times);
  if (!status.ok()) return impl_->Fail(status.error());
  return {};
}

Status Store::AddBadRow(RunId run, const RowKey& key, const std::string& message) {
  Result<bool> has = HasRow(run, key);
  if (!has.ok()) return has.error();
  if (*has) return {};
  Impl::Input* input = &impl_->inputs.at({run, key.file});
  Status status = impl_->AddRow(input, key, nullptr, message.empty() ? "bad row" : message);
  if (status.ok()) status = impl_->FlushIfFull();
  if (!status.ok()) return impl_->Fail(status.error());
  return {};
}

Status Store::FinishRun(RunId run) {
  Status status = impl_->Begin();
  if (status.ok())
    status = impl_->db->Exec(StrCat("UPDATE runs SET finished = 1 WHERE id = ", run));
  if (!status.ok()) return impl_->Fail(status.error());
  return Commit();
}

// ---------------------------------------------------------------------------------------------- data sets

namespace {

Status InsertDataset(sqlite::Database* db, const DatasetInfo& info, DatasetId id) {
  Result<sqlite::Statement> insert = db->Prepare(
      "INSERT INTO datasets(id, name, strategy, params, tool_version, run_id, created) VALUES (?, "
      "?, ?, ?, ?, ?, ?)");
  if (!insert.ok()) return insert.error();
  insert->Int(1, id);
  insert->Text(2, info.name);
  insert->Text(3, info.strategy);
  insert->Text(4, info.params_json);
  insert->Text(5, info.tool_version);
  if (info.run) insert->Int(6, *info.run);
  if (!info.created.empty()) insert->Text(7, info.created);
  return insert->Run();
}

Status DeleteDataset(sqlite::Database* db, DatasetId id) {
  return db->Exec(StrCat("DELETE FROM dataset_decisions WHERE dataset_id = ", id,
                         "; DELETE FROM dataset_rows WHERE dataset_id = ", id,
                         "; DELETE FROM datasets WHERE id = ", id));
}

}  // namespace

Result<DatasetId> Store::BeginDataset(const DatasetInfo& info, bool replace) {
  if (info.name.empty())
    return UsageError("a data set needs a name", "give one with --dataset NAME");
  if (Status status = Commit(); !status.ok()) return status.error();
  if (Status status = impl_->Begin(); !status.ok()) return impl_->Fail(status.error()).error();
  Result<sqlite::Statement> find = impl_->db->Prepare("SELECT id FROM datasets WHERE name = ?");
  if (!find.ok()) return impl_->Fail(find.error()).error();
  find->Text(1, info.name);
  Result<bool> row = find->Step();
  if (!row.ok()) return impl_->Fail(row.error()).error();
  DatasetId id = *row ? find->IntAt(0) : 0;
  find->Reset();
  if (id != 0 && !replace) {
    (void)impl_->db->Exec("ROLLBACK");
    return UsageError(StrCat("data set '", info.name, "' exists already"),
                      "give another --dataset, or --replace to make it anew");
  }
  Status status;
  if (id != 0) {
    status = DeleteDataset(impl_->db.get(), id);
  } else {
    Result<int64_t> last = impl_->db->QueryInt("SELECT max(id) FROM datasets");
    if (!last.ok()) return impl_->Fail(last.error()).error();
    id = *last + 1;
  }
  if (status.ok()) status = InsertDataset(impl_->db.get(), info, id);
  if (!status.ok()) return impl_->Fail(status.error()).error();
  impl_->dataset_position = 0;
  return id;
}

Status Store::AddDatasetRow(DatasetId dataset, int64_t sample_id,
                            const std::string& decision_json) {
  if (impl_->failed) return *impl_->failed;
  sqlite::Statement& insert = impl_->insert_dataset_row;
  insert.Int(1, dataset);
  insert.Int(2, impl_->dataset_position++);
  insert.Int(3, sample_id);
  insert.Text(4, decision_json);
  if (Status status = insert.Run(); !status.ok()) return impl_->Fail(status.error());
  return {};
}

Status Store::FinishDataset(DatasetId dataset,
                            const std::vector<std::pair<std::string, int64_t>>& decisions) {
  if (impl_->failed) return *impl_->failed;
  Result<sqlite::Statement> insert = impl_->db->Prepare(
      "INSERT INTO dataset_decisions(dataset_id, place, decision, samples) VALUES (?, ?, ?, ?)");
  if (!insert.ok()) return impl_->Fail(insert.error());
  for (size_t place = 0; place < decisions.size(); ++place) {
    insert->Int(1, dataset);
    insert->Int(2, static_cast<int64_t>(place));
    insert->Text(3, decisions[place].first);
    insert->Int(4, decisions[place].second);
    if (Status status = insert->Run(); !status.ok()) return impl_->Fail(status.error());
  }
  return Commit();
}

}  // namespace assay
