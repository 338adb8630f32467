#include "datagen/export/sample_columns.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/rows/group_json.h"
#include "core/text.h"

namespace assay {
namespace {

// Arrays beside the completions, one entry a sample, and what one entry is called.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kParallel = {
    {{"labels", "label"}, {"models", "model"}, {"seeds", "seed"}, {"token_counts", "token_count"}}};

const std::pair<std::string_view, std::string_view>* FindParallel(std::string_view key,
                                                                  const Json& value,
                                                                  int64_t samples) {
  const Json::Array* array = value.AsArray();
  if (array == nullptr || static_cast<int64_t>(array->size()) != samples) return nullptr;
  for (const auto& pair : kParallel) {
    if (pair.first == key) return &pair;
  }
  return nullptr;
}

// What a scoring run says of a row.
constexpr std::array<std::string_view, 7> kResults = {
    "reward_parts", "reward", "rewards", "advantage", "advantages", "verdicts", "provenance"};

void RenameResults(Json* columns) {
  for (const std::string_view name : kResults) {
    if (columns->Find(name) == nullptr) continue;
    const std::string input = StrCat("input_", name);
    columns->Erase(input);  // of the run before that
    for (Json::Member& member : *columns->AsObject()) {
      if (member.key == name) member.key = input;
    }
  }
}

// The array's entry for that sample; null if the store was changed so that there is none.
Json EntryOf(const Json& array, int64_t index) {
  const Json::Array& entries = *array.AsArray();
  return index >= 0 && index < static_cast<int64_t>(entries.size())
             ? entries[static_cast<size_t>(index)]
             : Json();
}

}  // namespace

Json SampleColumns(const StoredGroup& group) {
  Json out = Json::MakeObject();
  const StoredSample& sample = group.samples[0];
  const Json& line = sample.sample.line;
  const Json::Object* columns = line.IsObject() ? line.AsObject() : group.problem.extra.AsObject();
  if (columns == nullptr) return out;
  for (const Json::Member& member : *columns) {
    if (line.IsObject() && member.key == "id") continue;
    const auto* parallel =
        group.flat ? nullptr : FindParallel(member.key, member.value, group.sample_count);
    if (parallel == nullptr) {
      out.Set(member.key, member.value);
    } else {
      out.Set(parallel->second, EntryOf(member.value, sample.index));
    }
  }
  RenameResults(&out);
  return out;
}

Json SampleId(const StoredGroup& group) {
  const Json* own = group.samples[0].sample.line.Find("id");
  return own != nullptr ? *own : IdToJson(group.problem);
}

Json SourceOf(const std::string& dataset, const DatasetRow& row) {
  Result<Json> decision = ParseJson(row.decision);
  Json source = Json().Set("dataset", dataset).Set("position", row.position);
  if (!row.split.empty()) source.Set("split", row.split);
  return source.Set("decision", decision.ok() ? *decision : Json(row.decision))
      .Set("run", row.run)
      .Set("tool_version", row.run_tool_version)
      .Set("file", row.group.key.file)
      .Set("line", row.group.key.line)
      .Set("line_hash", row.group.key.line_hash.Hex())
      .Set("sample", row.group.samples[0].index);
}

Json PartsOf(const StoredGroup& group) {
  const SampleScore& score = group.samples[0].score;
  if (score.parts.empty()) return {};
  Json out = Json::MakeObject();
  for (size_t term = 0; term < score.parts.size() && term < group.labels.size(); ++term)
    out.Set(group.labels[term], score.parts[term] ? Json(*score.parts[term]) : Json());
  return out;
}

void KeepEntries(const std::vector<DatasetRow>& rows, Json* extra) {
  for (Json::Member& member : *extra->AsObject()) {
    if (rows[0].group.flat ||
        FindParallel(member.key, member.value, rows[0].group.sample_count) == nullptr)
      continue;
    Json kept = Json::MakeArray();
    for (const DatasetRow& row : rows)
      kept.Append(EntryOf(member.value, row.group.samples[0].index));
    member.value = std::move(kept);
  }
  RenameResults(extra);
}

}  // namespace assay
