// The writing of runs: their names and configurations, how far each of their input files came, and the rows themselves.
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/rows/messages.h"
#include "core/text.h"
#include "datagen/store/sqlite.h"
#include "datagen/store/store.h"
#include "datagen/store/store_internal.h"
#include "datagen/store/verdict_column.h"

namespace assay {

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

namespace {

// Looking up every parent costs a third of writing. The rows of a run need no such look: their ids are given out here, parents first, and
// are learned anew when another process has written (Refresh). `assay store check` looks.
Status LeaveParentsUnlooked(sqlite::Database* db) { return db->Exec("PRAGMA foreign_keys=OFF"); }

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
    if (Status status = LeaveParentsUnlooked(impl_->db.get()); !status.ok()) return status.error();
    return (*existing)->id;
  }
  Result<int64_t> last = impl_->db->QueryInt("SELECT max(id) FROM runs");
  if (!last.ok()) return impl_->Fail(last.error()).error();
  RunId id = *last + 1;
  if (Status status = InsertRun(impl_->db.get(), info, id); !status.ok())
    return impl_->Fail(status.error()).error();
  if (Status status = Commit(); !status.ok()) return status.error();
  if (Status status = LeaveParentsUnlooked(impl_->db.get()); !status.ok()) return status.error();
  return id;
}

Result<Store::Impl::Input*> Store::Impl::FindInput(RunId run, const std::string& file) {
  // Rows come file by file.
  if (last_input && last_input->first.first == run && last_input->first.second == file)
    return &last_input->second;
  auto [place, inserted] = inputs.try_emplace({run, file});
  last_input = &*place;
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

Status Store::FinishRun(RunId run) {
  Status status = impl_->Begin();
  if (status.ok())
    status = impl_->db->Exec(StrCat("UPDATE runs SET finished = 1 WHERE id = ", run));
  if (!status.ok()) return impl_->Fail(status.error());
  return Commit();
}

// ---------------------------------------------------------------------------------------------- rows

namespace {

std::string DumpOrEmpty(const Json& value) {
  if (value.IsNull()) return "";
  if (const Json::Object* object = value.AsObject(); object != nullptr && object->empty())
    return "";
  return value.Dump();
}

void AppendJson(const std::string& value, std::string* out) { AppendJsonString(value, out); }
void AppendJson(int64_t value, std::string* out) { StrAppend(out, value); }
void AppendJson(double value, std::string* out) { AppendJsonNumber(value, out); }

template <typename T>
std::string ArrayJson(const std::vector<T>& values) {
  if (values.empty()) return "";
  std::string out;
  for (const T& value : values) {
    out.push_back(out.empty() ? '[' : ',');
    AppendJson(value, &out);
  }
  out.push_back(']');
  return out;
}

}  // namespace

Result<int64_t> Store::Impl::RowIdOf(const Input& input, int64_t line) const {
  if (line >= 1 && line <= kMostLine && input.id >= 1 && input.id <= kMostInput)
    return input.id << kLineBits | line;
  return Error{
      ErrorCode::kLimit,
      StrCat("store '", db->path(), "' has no room for line ", line, " of input ", input.id),
      "a file may have 4 billion lines, a store a billion files"};
}

Result<bool> Store::Impl::HasRow(Input* input, const RowKey& key) {
  if (key.line > input->last_line) return false;
  if (Status status = FlushRows(); !status.ok()) return status.error();
  Result<int64_t> id = RowIdOf(*input, key.line);
  if (!id.ok()) return id.error();
  find_row.Int(1, *id);
  Result<bool> row = find_row.Step();
  if (!row.ok()) return row.error();
  bool found = *row;
  char bytes[sqlite::kHashBytes];
  bool same = found && find_row.TextAt(0) == sqlite::HashBytes(key.line_hash, bytes);
  find_row.Reset();
  if (found && !same) {
    return Error{ErrorCode::kInput,
                 StrCat("line ", key.line, " of '", key.file,
                        "' is not what it was when the run began, by what store '", db->path(),
                        "' has of it"),
                 "resume with the same input, or give another --run"};
  }
  return found;
}

Result<Store::Impl::Input*> Store::Impl::InputForNewRow(RunId run, const RowKey& key) {
  if (Status status = Begin(); !status.ok()) return status.error();
  Result<Input*> input = FindInput(run, key.file);
  if (!input.ok()) return input.error();
  Result<bool> has = HasRow(*input, key);
  if (!has.ok()) return has.error();
  return *has ? nullptr : *input;
}

Result<bool> Store::HasRow(RunId run, const RowKey& key) {
  if (Status status = impl_->Begin(); !status.ok()) return impl_->Fail(status.error()).error();
  Result<Impl::Input*> input = impl_->FindInput(run, key.file);
  if (!input.ok()) return impl_->Fail(input.error()).error();
  Result<bool> has = impl_->HasRow(*input, key);
  if (!has.ok()) return impl_->Fail(has.error()).error();
  return has;
}

namespace {

// A problem's columns beside its texts; empty: null.
struct ProblemColumns {
  explicit ProblemColumns(const Problem& problem)
      : messages(problem.messages.empty() ? "" : MessagesToJson(problem.messages).Dump()),
        answers(ArrayJson(problem.answers)),
        info(DumpOrEmpty(problem.verification_info)) {}
  const std::string messages, answers, info;
};

std::optional<Hash128> ProblemHash(const Problem& problem) {
  // Without an id and a prompt nothing says that two rows are about the same: equal answers do not.
  if (problem.id.empty() && problem.prompt.empty() && problem.messages.empty()) return std::nullopt;
  const ProblemColumns columns(problem);
  std::string key;
  for (std::string_view part :
       {std::string_view(problem.id), std::string_view(problem.task),
        std::string_view(problem.prompt), std::string_view(columns.messages),
        std::string_view(columns.answers), std::string_view(columns.info)}) {
    StrAppend(&key, part.size(), ":", part);
  }
  return HashBytes128(key);
}

}  // namespace

GroupHashes HashesOf(const Group& group) {
  GroupHashes hashes;
  hashes.prompt = HashBytes128(group.problem.prompt);
  hashes.problem = ProblemHash(group.problem);
  hashes.texts.reserve(group.samples.size());
  for (const Sample& sample : group.samples) hashes.texts.push_back(HashBytes128(sample.text));
  return hashes;
}

void Store::Prefetch(const GroupHashes& hashes) const {
  if (hashes.problem) impl_->problems.Prefetch(*hashes.problem);
  impl_->texts.Prefetch(hashes.prompt);
  for (const Hash128& hash : hashes.texts) impl_->texts.Prefetch(hash);
}

Result<int64_t> Store::Impl::TextId(std::string_view text, const Hash128& hash) {
  if (std::optional<int64_t> known = texts.Find(hash)) return *known;
  int64_t id = next.text++;
  if (Status status = texts.Add(hash, id); !status.ok()) return status.error();
  batches->texts.Int(id).Int(static_cast<int64_t>(text.size()));
  // A NUL would end the text for SQLite's functions and its .dump; as a blob it is kept whole.
  if (text.find('\0') == std::string_view::npos) {
    batches->texts.Text(text);
  } else {
    batches->texts.Blob(text);
  }
  pending_bytes += static_cast<int64_t>(text.size());
  return id;
}

Result<int64_t> Store::Impl::ProblemId(const Problem& problem, const GroupHashes& hashes) {
  if (hashes.problem) {
    if (std::optional<int64_t> known = problems.Find(*hashes.problem)) return *known;
  }
  int64_t id = next.problem++;
  if (hashes.problem) {
    if (Status status = problems.Add(*hashes.problem, id); !status.ok()) return status.error();
  }
  Result<int64_t> prompt = TextId(problem.prompt, hashes.prompt);
  if (!prompt.ok()) return prompt.error();
  const ProblemColumns columns(problem);
  batches->problems.Int(id).Text(problem.id).Text(problem.task).Int(*prompt);
  batches->problems.TextOrNull(columns.messages)
      .TextOrNull(columns.answers)
      .TextOrNull(columns.info);
  pending_bytes += static_cast<int64_t>(columns.messages.size() + columns.info.size());
  return id;
}

Status Store::Impl::AddRow(Input* input, int64_t row_id, const RowKey& key, const Group* group,
                           const GroupHashes* hashes, const std::string& error) {
  std::optional<int64_t> problem;
  if (group != nullptr) {
    Result<int64_t> id = ProblemId(group->problem, *hashes);
    if (!id.ok()) return id.error();
    problem = *id;
  }
  std::string options = group != nullptr ? DumpOrEmpty(group->problem.options) : "";
  std::string extra = group != nullptr ? DumpOrEmpty(group->problem.extra) : "";
  char bytes[sqlite::kHashBytes];
  BatchInsert& rows = batches->rows;
  rows.Int(row_id).Int(input->id).Int(key.line).Blob(sqlite::HashBytes(key.line_hash, bytes));
  if (problem) {
    rows.Int(*problem)
        .Int(group->flat)
        .Int(next.sample)
        .Int(static_cast<int64_t>(group->samples.size()));
  } else {
    rows.Null().Int(0).Null().Int(0);
  }
  rows.TextOrNull(options).TextOrNull(extra).TextOrNull(error);
  rows.Int(group != nullptr && group->problem.id_is_number);
  pending_bytes += static_cast<int64_t>(extra.size());
  ++pending_rows;
  ++input->rows_done;
  input->last_line = std::max(input->last_line, key.line);
  input->dirty = true;
  return {};
}

Status Store::Impl::AddSamples(int64_t row_id, const Group& group, const GroupHashes& hashes,
                               const GroupScore& score, bool with_times) {
  std::string verdicts;
  for (size_t i = 0; i < group.samples.size(); ++i) {
    const Sample& sample = group.samples[i];
    const SampleScore& scored = score.samples[i];
    Result<int64_t> text = TextId(sample.text, hashes.texts[i]);
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
    samples.TextOrNull(DumpOrEmpty(sample.messages)).TextOrNull(DumpOrEmpty(sample.line));
    verdicts.clear();
    AppendVerdictColumn(score.labels, scored, with_times, &verdicts);
    samples.TextOrNull(verdicts);
    pending_rows += 1;
    pending_bytes += static_cast<int64_t>(verdicts.size() + sample.token_ids.size() * 8 +
                                          sample.logprobs.size() * 16);
    if (Status status = FlushIfFull(); !status.ok()) return status;
  }
  return {};
}

Status Store::AddGroup(RunId run, const RowKey& key, const Group& group, const GroupScore& score,
                       bool with_times, const GroupHashes* hashes) {
  ASSAY_CHECK(group.samples.size() == score.samples.size());
  GroupHashes own;
  if (hashes == nullptr) {
    own = HashesOf(group);
    Prefetch(own);
    hashes = &own;
  }
  ASSAY_CHECK(group.samples.size() == hashes->texts.size());
  Result<Impl::Input*> input = impl_->InputForNewRow(run, key);
  if (!input.ok()) return impl_->Fail(input.error());
  if (*input == nullptr) return {};
  Result<int64_t> row_id = impl_->RowIdOf(**input, key.line);
  Status status = row_id.ok() ? Status() : Status(row_id.error());
  if (status.ok()) status = impl_->AddRow(*input, *row_id, key, &group, hashes, "");
  if (status.ok()) status = impl_->AddSamples(*row_id, group, *hashes, score, with_times);
  if (!status.ok()) return impl_->Fail(status.error());
  return {};
}

Status Store::AddBadRow(RunId run, const RowKey& key, const std::string& message) {
  Result<Impl::Input*> input = impl_->InputForNewRow(run, key);
  if (!input.ok()) return impl_->Fail(input.error());
  if (*input == nullptr) return {};
  Result<int64_t> row_id = impl_->RowIdOf(**input, key.line);
  Status status = row_id.ok() ? Status() : Status(row_id.error());
  if (status.ok())
    status = impl_->AddRow(*input, *row_id, key, nullptr, nullptr,
                           message.empty() ? "bad row" : message);
  if (status.ok()) status = impl_->FlushIfFull();
  if (!status.ok()) return impl_->Fail(status.error());
  return {};
}

}  // namespace assay
