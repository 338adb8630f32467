// jsonl: our own group line, flat or one line a problem, with where each row came from (docs/formats.md).
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "core/rows/group_json.h"
#include "core/text.h"
#include "datagen/export/export_form.h"
#include "datagen/export/sample_columns.h"

namespace assay {
namespace {

Json VerdictsOf(const StoredGroup& group, const StoredSample& sample) {
  Json out = Json::MakeObject();
  for (size_t term = 0; term < sample.score.verdicts.size(); ++term) {
    out.Set(group.labels[term], VerdictToJson(sample.score.verdicts[term], /*with_ms=*/false));
  }
  return out;
}

Json RewardOf(const StoredSample& sample) {
  return sample.score.reward ? Json(*sample.score.reward) : Json();
}

Json AdvantageOf(const StoredSample& sample) {
  return sample.score.advantage.mask ? Json(sample.score.advantage.value) : Json();
}

Json FlatLine(const std::string& dataset, const DatasetRow& row) {
  const StoredSample& stored = row.group.samples[0];
  Group group;
  group.flat = true;
  group.problem = row.group.problem;
  group.problem.extra = SampleColumns(row.group);
  group.samples = {stored.sample};
  Json line = GroupToJson(group);
  line.Set("id", SampleId(row.group));
  line.Set("reward", RewardOf(stored))
      .Set("advantage", AdvantageOf(stored))
      .Set("verdicts", VerdictsOf(row.group, stored));
  if (!stored.score.parts.empty()) line.Set("reward_parts", PartsOf(row.group));
  line.Set("provenance", SourceOf(dataset, row));
  return line;
}

// The kept samples of one input row, as one line with parallel arrays.
Json GroupLine(const std::string& dataset, const std::vector<DatasetRow>& rows) {
  Group group;
  group.problem = rows[0].group.problem;
  Json rewards = Json::MakeArray(), advantages = Json::MakeArray(), verdicts = Json::MakeArray(),
       sources = Json::MakeArray(), lines = Json::MakeArray(), parts = Json::MakeArray();
  bool any_line = false, any_parts = false;
  for (const DatasetRow& row : rows) {
    const StoredSample& sample = row.group.samples[0];
    group.samples.push_back(sample.sample);
    rewards.Append(RewardOf(sample));
    advantages.Append(AdvantageOf(sample));
    verdicts.Append(VerdictsOf(row.group, sample));
    sources.Append(SourceOf(dataset, row));
    parts.Append(PartsOf(row.group));
    any_parts |= !sample.score.parts.empty();
    lines.Append(sample.sample.line);
    any_line |= !sample.sample.line.IsNull();
  }
  KeepEntries(rows, &group.problem.extra);
  Json line = GroupToJson(group);
  line.Set("rewards", std::move(rewards))
      .Set("advantages", std::move(advantages))
      .Set("verdicts", std::move(verdicts));
  if (any_parts) line.Set("reward_parts", std::move(parts));
  line.Set("provenance", std::move(sources));
  if (any_line) line.Set("lines", std::move(lines));
  return line;
}

Status WriteJsonl(Store* store, const DatasetRecord& dataset, const ExportOptions& options,
                  WholeFile* file, ExportResult* result) {
  std::vector<DatasetRow> pending;
  const auto flush = [&]() -> Status {
    if (pending.empty()) return {};
    ++result->lines;
    CountLicence(pending[0].group.problem, result);
    Status status = file->Write(GroupLine(dataset.name, pending));
    pending.clear();
    return status;
  };
  const auto visit = [&](const DatasetRow& row) -> Status {
    if (!options.split.empty() && row.split != options.split) return {};
    ++result->rows;
    if (!options.group) {
      ++result->lines;
      CountLicence(row.group.problem, result);
      return file->Write(FlatLine(dataset.name, row));
    }
    if (!pending.empty() && pending[0].group.row_id != row.group.row_id) {
      if (Status written = flush(); !written.ok()) return written;
    }
    pending.push_back(row);
    return {};
  };
  Status status = ForEachInOrder(store, dataset, options, visit);
  return status.ok() ? flush() : status;
}

}  // namespace

const ExportForm kGroupLineForm = {"jsonl",
                                   "everything, with provenance: `assay score` reads it again",
                                   /*groups=*/true, WriteJsonl};

}  // namespace assay
