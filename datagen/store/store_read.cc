#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/rows/messages.h"
#include "core/text.h"
#include "datagen/store/sqlite.h"
#include "datagen/store/store.h"
#include "datagen/store/store_internal.h"
#include "datagen/store/verdict_column.h"

namespace assay {
namespace {

using sqlite::Statement;

// Stored JSON is ours; if a file was edited by hand so that it no longer parses, that is the file's fault.
Status ReadJson(const Statement& row, int column, Json* out) {
  if (row.IsNull(column)) return {};
  Result<Json> parsed = ParseJson(row.TextAt(column));
  if (!parsed.ok()) {
    return Error{ErrorCode::kInput,
                 StrCat("the store holds JSON that does not parse: ", parsed.error().message),
                 "the file was changed by something else than assay; restore it from a copy"};
  }
  *out = std::move(*parsed);
  return {};
}

std::optional<double> RealOrNull(const Statement& row, int column) {
  if (row.IsNull(column)) return std::nullopt;
  return row.RealAt(column);
}

Status ReadMessages(const Statement& row, int column, std::vector<Message>* out) {
  Json messages;
  if (Status status = ReadJson(row, column, &messages); !status.ok()) return status;
  if (const Json::Array* items = messages.AsArray()) {
    for (const Json& item : *items) out->push_back(MessageFromJson(item));
  }
  return {};
}

}  // namespace

// The statements that put one input row together again; each is prepared once.
struct Store::Impl::Reader {
  static constexpr char kProblemSql[] =
      "SELECT p.name, p.task, p.prompt_id, t.body, p.messages, p.answers, p.verification_info FROM "
      "problems p "
      "LEFT JOIN texts t ON t.id = p.prompt_id WHERE p.id = ?";
  static constexpr char kProblemBriefSql[] =
      "SELECT name, task, prompt_id FROM problems WHERE id = ?";
  static constexpr char kSamplesSql[] =
      "SELECT s.id, s.text_id, t.bytes, s.finish_reason, s.model, s.seed, s.reward, s.advantage, "
      "s.verdicts, t.body, s.token_ids, s.logprobs, s.messages, s.line FROM samples s JOIN texts t "
      "ON t.id = "
      "s.text_id WHERE s.id "
      "BETWEEN ? AND ? ORDER BY s.id";
  static constexpr char kSamplesBriefSql[] =
      "SELECT s.id, s.text_id, t.bytes, s.finish_reason, s.model, s.seed, s.reward, s.advantage, "
      "s.verdicts FROM samples s JOIN texts t ON t.id = s.text_id WHERE s.id BETWEEN ? AND ? ORDER "
      "BY s.id";

  static Result<Reader> Make(sqlite::Database* db, bool with_texts) {
    Reader reader;
    reader.with_texts = with_texts;
    const std::pair<Statement*, const char*> kStatements[] = {
        {&reader.problem, with_texts ? kProblemSql : kProblemBriefSql},
        {&reader.samples, with_texts ? kSamplesSql : kSamplesBriefSql}};
    for (const auto& [statement, sql] : kStatements) {
      Result<Statement> prepared = db->Prepare(sql);
      if (!prepared.ok()) return prepared.error();
      *statement = std::move(*prepared);
    }
    return reader;
  }

  Status ReadProblem(StoredGroup* group) {
    const int64_t id = group->problem_id;
    Problem* out = &group->problem;
    problem.Int(1, id);
    Result<bool> row = problem.Step();
    if (!row.ok()) return row.error();
    if (!*row) return Damaged("problem", id);
    out->id = problem.StringAt(0);
    out->task = problem.StringAt(1);
    group->prompt_id = problem.IntAt(2);
    Status status;
    if (with_texts) status = ReadProblemTexts(out);
    problem.Reset();
    return status;
  }

  Status ReadProblemTexts(Problem* out) {
    out->prompt = problem.StringAt(3);
    Json answers;
    if (Status status = ReadMessages(problem, 4, &out->messages); !status.ok()) return status;
    if (Status status = ReadJson(problem, 5, &answers); !status.ok()) return status;
    if (const Json::Array* items = answers.AsArray()) {
      for (const Json& item : *items) out->answers.push_back(item.ScalarText());
    }
    return ReadJson(problem, 6, &out->verification_info);
  }

  // Samples `first` to `last` of a row whose first sample is `row_first`.
  Status ReadSamples(int64_t first, int64_t last, int64_t row_first, StoredGroup* group) {
    // Ids are counted from 1, far from overflowing.
    constexpr int64_t kMostId = int64_t{1} << 60;
    if (row_first < 1 || first < row_first || last < first || last > kMostId ||
        group->sample_count > kMostId || last >= row_first + group->sample_count)
      return Damaged("sample", first);
    samples.Int(1, first);
    samples.Int(2, last);
    for (;;) {
      Result<bool> row = samples.Step();
      if (!row.ok()) return row.error();
      if (!*row) break;
      const int64_t wanted = first + static_cast<int64_t>(group->samples.size());
      if (samples.IntAt(0) != wanted) return Damaged("sample", wanted);
      StoredSample& out = group->samples.emplace_back();
      out.id = wanted;
      out.index = out.id - row_first;
      out.text_id = samples.IntAt(1);
      out.text_bytes = samples.IntAt(2);
      out.sample.finish_reason = samples.StringAt(3);
      out.sample.model = samples.StringAt(4);
      if (!samples.IsNull(5)) out.sample.seed = samples.IntAt(5);
      out.score.reward = RealOrNull(samples, 6);
      std::optional<double> advantage = RealOrNull(samples, 7);
      out.score.advantage = {advantage.value_or(0), advantage.has_value()};
      if (Status status = ReadVerdicts(group, &out.score); !status.ok()) return status;
      if (!with_texts) continue;
      if (Status status = ReadSampleTexts(&out.sample); !status.ok()) return status;
    }
    samples.Reset();
    if (static_cast<int64_t>(group->samples.size()) != last - first + 1)
      return Damaged("sample", first);
    return {};
  }

  Status ReadRejected(int64_t id, int64_t row_first, int64_t row_samples, DatasetRow* row) {
    StoredGroup loser;
    loser.sample_count = row_samples;
    if (Status status = ReadSamples(id, id, row_first, &loser); !status.ok()) return status;
    row->rejected = std::move(loser.samples[0]);
    return {};
  }

  Status ReadSampleTexts(Sample* out) {
    out->text = samples.StringAt(9);
    Json ids, logprobs;
    if (Status status = ReadJson(samples, 10, &ids); !status.ok()) return status;
    if (Status status = ReadJson(samples, 11, &logprobs); !status.ok()) return status;
    if (Status status = ReadJson(samples, 12, &out->messages); !status.ok()) return status;
    if (Status status = ReadJson(samples, 13, &out->line); !status.ok()) return status;
    if (const Json::Array* items = ids.AsArray()) {
      for (const Json& item : *items) out->token_ids.push_back(item.IsInt() ? *item.AsInt() : 0);
    }
    if (const Json::Array* items = logprobs.AsArray()) {
      for (const Json& item : *items) out->logprobs.push_back(item.NumberOr(0));
    }
    return {};
  }

  Status ReadVerdicts(StoredGroup* group, SampleScore* score) {
    if (Status status = ReadVerdictColumn(samples.TextAt(8), &group->labels, score); !status.ok())
      return status;
    ForgetUnknownParts(score);
    if (with_texts) return {};
    for (Verdict& verdict : score->verdicts) {
      verdict.detail.clear();
      verdict.evidence = Json();
    }
    return {};
  }

  // A sample with a reward to which no term brought anything was stored before parts were.
  static void ForgetUnknownParts(SampleScore* score) {
    const bool any =
        std::any_of(score->parts.begin(), score->parts.end(),
                    [](const std::optional<double>& part) { return part.has_value(); });
    if (score->reward && !any) score->parts.clear();
  }

  static Error Damaged(const char* what, int64_t id) {
    return {ErrorCode::kInput, StrCat("the store lacks ", what, " ", id, ", which a row refers to"),
            "the file was changed by something else than assay; restore it from a copy"};
  }

  bool with_texts = false;
  Statement problem, samples;
};

namespace {

Result<std::vector<RunRecord>> ReadRuns(sqlite::Database* db) {
  Result<Statement> row = db->Prepare(
      "SELECT id, name, rubric, config_hash, tool_version, seed, created, finished FROM runs ORDER "
      "BY id");
  if (!row.ok()) return row.error();
  std::vector<RunRecord> runs;
  for (;;) {
    Result<bool> more = row->Step();
    if (!more.ok()) return more.error();
    if (!*more) return runs;
    RunRecord& run = runs.emplace_back();
    run.id = row->IntAt(0);
    run.name = row->StringAt(1);
    run.rubric_json = row->StringAt(2);
    run.config_hash = row->StringAt(3);
    run.tool_version = row->StringAt(4);
    run.seed = std::strtoull(row->StringAt(5).c_str(), nullptr, 10);
    run.created = row->StringAt(6);
    run.finished = row->IntAt(7) != 0;
  }
}

Result<std::vector<DatasetRecord>> ReadDatasets(sqlite::Database* db) {
  Result<Statement> row = db->Prepare(
      "SELECT d.id, d.name, d.strategy, d.params, d.tool_version, d.run_id, d.created, "
      "(SELECT count(*) FROM dataset_rows r WHERE r.dataset_id = d.id) FROM datasets d ORDER BY "
      "d.id");
  if (!row.ok()) return row.error();
  std::vector<DatasetRecord> datasets;
  for (;;) {
    Result<bool> more = row->Step();
    if (!more.ok()) return more.error();
    if (!*more) return datasets;
    DatasetRecord& dataset = datasets.emplace_back();
    dataset.id = row->IntAt(0);
    dataset.name = row->StringAt(1);
    dataset.strategy = row->StringAt(2);
    dataset.params_json = row->StringAt(3);
    dataset.tool_version = row->StringAt(4);
    if (!row->IsNull(5)) dataset.run = row->IntAt(5);
    dataset.created = row->StringAt(6);
    dataset.rows = row->IntAt(7);
  }
}

Status ReadDatasetRuns(sqlite::Database* db, DatasetRecord* dataset) {
  Result<Statement> row =
      db->Prepare("SELECT run_id FROM dataset_runs WHERE dataset_id = ? ORDER BY place");
  if (!row.ok()) return row.error();
  row->Int(1, dataset->id);
  for (;;) {
    Result<bool> more = row->Step();
    if (!more.ok()) return more.error();
    if (!*more) return {};
    dataset->runs.push_back(row->IntAt(0));
  }
}

Status ReadDecisions(sqlite::Database* db, DatasetRecord* dataset) {
  Result<Statement> row = db->Prepare(
      "SELECT decision, samples FROM dataset_decisions WHERE dataset_id = ? ORDER BY place");
  if (!row.ok()) return row.error();
  row->Int(1, dataset->id);
  for (;;) {
    Result<bool> more = row->Step();
    if (!more.ok()) return more.error();
    if (!*more) return {};
    dataset->decisions.emplace_back(row->StringAt(0), row->IntAt(1));
  }
}

// The record of that name, or an error that names what there is.
template <typename Record>
Result<Record> FindByName(const std::vector<Record>& records, const std::string& name,
                          const std::string& what, const std::string& store) {
  std::vector<std::string> names;
  for (const Record& record : records) {
    if (record.name == name) return record;
    names.push_back(record.name);
  }
  return Error{ErrorCode::kUsage, StrCat("no ", what, " '", name, "' in store '", store, "'"),
               names.empty() ? StrCat("the store has no ", what, " yet") : DidYouMean(name, names)};
}

// Columns 0 to 11 of a query over rows and inputs: what both visitors have in common.
constexpr char kRowColumns[] =
    "i.file, rw.line, rw.line_hash, rw.id, rw.problem_id, rw.flat, rw.first_sample, "
    "rw.sample_count, rw.error, "
    "rw.options, rw.extra, rw.id_is_number";

Status ReadRowColumns(const Statement& row, bool with_texts, StoredGroup* group) {
  group->key = {row.StringAt(0), row.IntAt(1), sqlite::HashFromBytes(row.TextAt(2))};
  group->row_id = row.IntAt(3);
  group->problem_id = row.IntAt(4);
  group->flat = row.IntAt(5) != 0;
  group->sample_count = row.IntAt(7);
  group->error = row.StringAt(8);
  group->problem.extra = Json::MakeObject();
  group->problem.id_is_number = row.IntAt(11) != 0;
  if (!with_texts) return {};
  if (Status status = ReadJson(row, 9, &group->problem.options); !status.ok()) return status;
  if (Status status = ReadJson(row, 10, &group->problem.extra); !status.ok()) return status;
  if (!group->problem.extra.IsObject()) group->problem.extra = Json::MakeObject();
  return {};
}

}  // namespace

namespace {

constexpr int64_t kSamplesMost = int64_t{1} << 60;

// An error that says which store.
Error Named(Error error, const std::string& path) {
  if (error.message.find(path) == std::string::npos)
    error.message = StrCat("store '", path, "': ", error.message);
  return error;
}

}  // namespace

Status Store::WithSnapshot(const std::function<Status()>& read) {
  ASSAY_CHECK(!impl_->db->InTransaction());
  if (Status status = impl_->db->Exec("BEGIN"); !status.ok()) return status;
  Status status = read();
  if (Status ended = impl_->db->Exec("COMMIT"); status.ok() && !ended.ok()) return ended;
  return status;
}

Result<std::vector<RunRecord>> Store::Runs() { return ReadRuns(impl_->db.get()); }

Result<RunRecord> Store::FindRun(const std::string& name) {
  Result<std::vector<RunRecord>> runs = Runs();
  if (!runs.ok()) return runs.error();
  return FindByName(*runs, name, "run", impl_->db->path());
}

Result<std::vector<DatasetRecord>> Store::Datasets() {
  Result<std::vector<DatasetRecord>> datasets = ReadDatasets(impl_->db.get());
  if (!datasets.ok()) return datasets;
  for (DatasetRecord& dataset : *datasets) {
    if (Status status = ReadDecisions(impl_->db.get(), &dataset); !status.ok())
      return status.error();
    if (Status status = ReadDatasetRuns(impl_->db.get(), &dataset); !status.ok())
      return status.error();
  }
  return datasets;
}

Result<DatasetRecord> Store::FindDataset(const std::string& name) {
  Result<std::vector<DatasetRecord>> datasets = Datasets();
  if (!datasets.ok()) return datasets.error();
  return FindByName(*datasets, name, "data set", impl_->db->path());
}

Status Store::ForEachGroup(RunId run, bool with_texts,
                           const std::function<Status(const StoredGroup&)>& visit) {
  Result<Impl::Reader> reader = Impl::Reader::Make(impl_->db.get(), with_texts);
  if (!reader.ok()) return reader.error();
  // The open statement holds one snapshot: what another process writes meanwhile is not seen. CROSS JOIN keeps the order of
  // the loops and NOT INDEXED that of the few inputs, so that rows come without a sort.
  Result<Statement> row = impl_->db->Prepare(
      StrCat("SELECT ", kRowColumns, " FROM inputs i NOT INDEXED CROSS JOIN rows rw ",
             "WHERE i.run_id = ? AND rw.id BETWEEN i.id << ", kLineBits, " AND (i.id << ",
             kLineBits, ") + ", kMostLine, " ORDER BY i.id, rw.id"));
  if (!row.ok()) return row.error();
  row->Int(1, run);
  for (;;) {
    Result<bool> more = row->Step();
    if (!more.ok()) return more.error();
    if (!*more) return {};
    StoredGroup group;
    Status status = ReadRowColumns(*row, with_texts, &group);
    if (status.ok() && group.error.empty()) status = reader->ReadProblem(&group);
    int64_t first = row->IntAt(6);
    int64_t count = row->IntAt(7);
    if (count < 0 || count > kSamplesMost || first < 0 || first > kSamplesMost)
      status = Impl::Reader::Damaged("sample", first);
    if (status.ok() && count > 0)
      status = reader->ReadSamples(first, first + count - 1, first, &group);
    if (!status.ok()) return Named(status.error(), impl_->db->path());
    if (Status visited = visit(group); !visited.ok()) return visited;
  }
}

namespace {

// The columns of a data set's row behind kRowColumns, and where they stand.
constexpr char kDatasetRowSelect[] =
    ", d.position, d.decision, r.name, r.tool_version, d.sample_id, d.split, d.rejected_id, "
    "lost.first_sample, lost.sample_count FROM dataset_rows d "
    "CROSS JOIN samples s ON s.id = d.sample_id CROSS JOIN rows rw ON rw.id = s.row_id "
    "CROSS JOIN inputs i ON i.id = rw.input_id CROSS JOIN runs r ON r.id = i.run_id "
    "LEFT JOIN samples loser ON loser.id = d.rejected_id "
    "LEFT JOIN rows lost ON lost.id = loser.row_id WHERE d.dataset_id = ? ";

template <typename Reader>
Status ReadDatasetRow(Statement* row, bool with_texts, Reader* reader, DatasetRow* out) {
  Status status = ReadRowColumns(*row, with_texts, &out->group);
  if (status.ok()) status = reader->ReadProblem(&out->group);
  const int64_t sample = row->IntAt(16);
  if (status.ok()) status = reader->ReadSamples(sample, sample, row->IntAt(6), &out->group);
  out->position = row->IntAt(12);
  out->decision = row->StringAt(13);
  out->run = row->StringAt(14);
  out->run_tool_version = row->StringAt(15);
  out->split = row->StringAt(17);
  if (status.ok() && !row->IsNull(18))
    status = reader->ReadRejected(row->IntAt(18), row->IntAt(19), row->IntAt(20), out);
  return status;
}

}  // namespace

Status Store::ForEachDatasetRow(DatasetId dataset, bool with_texts,
                                const std::function<Status(const DatasetRow&)>& visit,
                                const std::vector<int64_t>* positions) {
  Result<Impl::Reader> reader = Impl::Reader::Make(impl_->db.get(), with_texts);
  if (!reader.ok()) return reader.error();
  Result<Statement> row = impl_->db->Prepare(
      StrCat("SELECT ", kRowColumns, kDatasetRowSelect,
             positions != nullptr ? "AND d.position = ?" : "ORDER BY d.position"));
  if (!row.ok()) return row.error();
  for (size_t place = 0;; ++place) {
    if (positions != nullptr && place == positions->size()) return {};
    if (positions != nullptr || place == 0) {
      row->Reset();
      row->Int(1, dataset);
      if (positions != nullptr) row->Int(2, (*positions)[place]);
    }
    Result<bool> more = row->Step();
    if (!more.ok()) return more.error();
    if (!*more && positions == nullptr) return {};
    if (!*more) continue;  // a position that the data set does not have
    DatasetRow out;
    if (Status status = ReadDatasetRow(&*row, with_texts, &*reader, &out); !status.ok())
      return Named(status.error(), impl_->db->path());
    if (Status visited = visit(out); !visited.ok()) return visited;
  }
}

Status Store::ForEachDatasetDrop(DatasetId dataset,
                                 const std::function<Status(const DatasetDrop&)>& visit) {
  Result<Statement> row = impl_->db->Prepare(
      "SELECT sample_id, place, detail FROM dataset_drops WHERE dataset_id = ? ORDER BY sample_id");
  if (!row.ok()) return row.error();
  row->Int(1, dataset);
  for (;;) {
    Result<bool> more = row->Step();
    if (!more.ok()) return more.error();
    if (!*more) return {};
    if (Status visited = visit({row->IntAt(0), row->IntAt(1), row->StringAt(2)}); !visited.ok())
      return visited;
  }
}

}  // namespace assay
