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
