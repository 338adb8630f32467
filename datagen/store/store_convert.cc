#include "datagen/store/store_convert.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/text.h"
#include "datagen/store/hash_index.h"
#include "datagen/store/verdict_column.h"

namespace assay::sqlite {
namespace {

// The hashes of `from`, one a row, into the chunks of `to`.
Status ConvertHashes(Database* db, const std::string& from, const std::string& to) {
  HashIndex index;
  if (Status status = index.Prepare(db, to); !status.ok()) return status;
  Result<Statement> row = db->Prepare(StrCat("SELECT high, low, id FROM ", from, " ORDER BY id"));
  if (!row.ok()) return row.error();
  if (Status status = index.Reload(); !status.ok()) return status;
  for (;;) {
    Result<bool> more = row->Step();
    if (!more.ok()) return more.error();
    if (!*more) return index.Flush();
    const Hash128 hash{static_cast<uint64_t>(row->IntAt(0)), static_cast<uint64_t>(row->IntAt(1))};
    if (Status status = index.Add(hash, row->IntAt(2)); !status.ok()) return status;
  }
}

// The evidence as it stands in the old table, which is JSON.
Result<Json> EvidenceOf(const Statement& row, int column) {
  if (row.IsNull(column)) return Json();
  return ParseJson(row.TextAt(column));
}

std::optional<double> RealOrNull(const Statement& row, int column) {
  return row.IsNull(column) ? std::nullopt : std::optional<double>(row.RealAt(column));
}

// The verdicts of one sample, as they are collected.
struct Collected {
  int64_t sample = 0;
  bool with_times = false;
  std::vector<std::string> labels;
  SampleScore score;
};

Status WriteVerdicts(const Collected& collected, Statement* update) {
  if (collected.labels.empty()) return {};
  std::string column;
  AppendVerdictColumn(collected.labels, collected.score, collected.with_times, &column);
  update->Text(1, column);
  update->Int(2, collected.sample);
  return update->Run();
}

Status ConvertVerdicts(Database* db) {
  Result<Statement> update = db->Prepare("UPDATE samples SET verdicts = ? WHERE id = ?");
  if (!update.ok()) return update.error();
  Result<Statement> row = db->Prepare(
      "SELECT sample_id, label, outcome, score, reason, detail, evidence, ms, part FROM verdicts "
      "ORDER BY sample_id, term");
  if (!row.ok()) return row.error();
  Collected collected;
  for (;;) {
    Result<bool> more = row->Step();
    if (!more.ok()) return more.error();
    if (!*more) return WriteVerdicts(collected, &*update);
    if (row->IntAt(0) != collected.sample) {
      if (Status status = WriteVerdicts(collected, &*update); !status.ok()) return status;
      collected = Collected();
      collected.sample = row->IntAt(0);
    }
    collected.labels.push_back(row->StringAt(1));
    Verdict& verdict = collected.score.verdicts.emplace_back();
    verdict.outcome = OutcomeFromName(row->TextAt(2)).value_or(Outcome::kFault);
    verdict.score = row->RealAt(3);
    verdict.reason = row->StringAt(4);
    verdict.detail = row->StringAt(5);
    Result<Json> evidence = EvidenceOf(*row, 6);
    if (!evidence.ok()) {
      return Error{ErrorCode::kInput,
                   StrCat("store '", db->path(),
                          "' holds JSON that does not parse: ", evidence.error().message),
                   "the file was changed by something else than assay; restore it from a copy"};
    }
    verdict.evidence = std::move(*evidence);
    collected.with_times |= !row->IsNull(7);
    verdict.ms = row->RealAt(7);
    collected.score.parts.push_back(RealOrNull(*row, 8));
  }
}

}  // namespace

Status ConvertToVersion7(Database* db) {
  if (Status status = ConvertVerdicts(db); !status.ok()) return status;
  if (Status status = ConvertHashes(db, "text_hashes", "new_text_hashes"); !status.ok())
    return status;
  return ConvertHashes(db, "problem_hashes", "new_problem_hashes");
}

}  // namespace assay::sqlite
