// The writing of data sets: which samples they keep and why.
#include <string>
#include <utility>
#include <vector>

#include "core/text.h"
#include "datagen/store/sqlite.h"
#include "datagen/store/store.h"
#include "datagen/store/store_internal.h"

namespace assay {

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
  if (Status status = insert->Run(); !status.ok()) return status;
  Result<sqlite::Statement> run =
      db->Prepare("INSERT INTO dataset_runs(dataset_id, place, run_id) VALUES (?, ?, ?)");
  if (!run.ok()) return run.error();
  for (size_t place = 0; place < info.runs.size(); ++place) {
    run->Int(1, id);
    run->Int(2, static_cast<int64_t>(place));
    run->Int(3, info.runs[place]);
    if (Status status = run->Run(); !status.ok()) return status;
  }
  return {};
}

// Everything of the data set but its row in `datasets`, then that.
Status DeleteDataset(sqlite::Database* db, DatasetId id) {
  std::string sql;
  for (const char* table :
       {"dataset_decisions", "dataset_rows", "dataset_drops", "dataset_runs", "exports"})
    StrAppend(&sql, "DELETE FROM ", table, " WHERE dataset_id = ", id, ";");
  return db->Exec(StrCat(sql, "DELETE FROM datasets WHERE id = ", id));
}

// `info` with `run` and `runs` saying the same.
DatasetInfo WithRuns(DatasetInfo info) {
  if (info.runs.empty() && info.run) info.runs = {*info.run};
  if (!info.runs.empty()) info.run = info.runs[0];
  return info;
}

}  // namespace

Result<DatasetId> Store::BeginDataset(const DatasetInfo& info, bool replace) {
  if (info.name.empty())
    return UsageError("a data set needs a name", "give one with --dataset NAME");
  if (Status status = Commit(); !status.ok()) return status.error();
  if (Status status = impl_->db->Exec("PRAGMA foreign_keys=ON"); !status.ok())
    return status.error();
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
  if (status.ok()) status = InsertDataset(impl_->db.get(), WithRuns(info), id);
  if (!status.ok()) return impl_->Fail(status.error()).error();
  impl_->dataset_position = 0;
  return id;
}

Status Store::AddDatasetRow(DatasetId dataset, int64_t sample_id, const std::string& decision_json,
                            int64_t rejected_id, const std::string& split) {
  if (impl_->failed) return *impl_->failed;
  sqlite::Statement& insert = impl_->insert_dataset_row;
  insert.Int(1, dataset);
  insert.Int(2, impl_->dataset_position++);
  insert.Int(3, sample_id);
  insert.Text(4, decision_json);
  rejected_id != 0 ? insert.Int(5, rejected_id) : insert.Null(5);
  split.empty() ? insert.Null(6) : insert.Text(6, split);
  if (Status status = insert.Run(); !status.ok()) return impl_->Fail(status.error());
  return {};
}

Status Store::AddDatasetDrop(DatasetId dataset, const DatasetDrop& drop) {
  if (impl_->failed) return *impl_->failed;
  sqlite::Statement& insert = impl_->insert_dataset_drop;
  insert.Int(1, dataset);
  insert.Int(2, drop.sample_id);
  insert.Int(3, drop.place);
  drop.detail.empty() ? insert.Null(4) : insert.Text(4, drop.detail);
  if (Status status = insert.Run(); !status.ok()) return impl_->Fail(status.error());
  return {};
}

Status Store::AddExport(const ExportInfo& info) {
  if (Status status = Commit(); !status.ok()) return status;
  if (Status status = impl_->Begin(); !status.ok()) return impl_->Fail(status.error());
  Result<sqlite::Statement> clear =
      impl_->db->Prepare("DELETE FROM exports WHERE dataset_id = ? AND file = ?");
  if (!clear.ok()) return impl_->Fail(clear.error());
  clear->Int(1, info.dataset);
  clear->Text(2, info.file);
  if (Status status = clear->Run(); !status.ok()) return impl_->Fail(status.error());
  Result<sqlite::Statement> insert = impl_->db->Prepare(
      "INSERT INTO exports(dataset_id, file, format, params, lines, bytes, hash, tool_version) "
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
  if (!insert.ok()) return impl_->Fail(insert.error());
  insert->Int(1, info.dataset);
  insert->Text(2, info.file);
  insert->Text(3, info.format);
  insert->Text(4, info.params_json);
  insert->Int(5, info.lines);
  insert->Int(6, info.bytes);
  insert->Text(7, info.hash);
  insert->Text(8, info.tool_version);
  if (Status status = insert->Run(); !status.ok()) return impl_->Fail(status.error());
  return Commit();
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
