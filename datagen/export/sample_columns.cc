#include "datagen/export/sample_columns.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

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

}  // namespace

Json SampleColumns(const StoredGroup& group) {
  Json out = Json::MakeObject();
  const Json::Object* extra = group.problem.extra.AsObject();
  if (extra == nullptr) return out;
  for (const Json::Member& member : *extra) {
    const auto* parallel =
        group.flat ? nullptr : FindParallel(member.key, member.value, group.sample_count);
    if (parallel == nullptr) {
      out.Set(member.key, member.value);
    } else {
      out.Set(parallel->second, (*member.value.AsArray())[group.samples[0].index]);
    }
  }
  return out;
}

void KeepEntries(const std::vector<DatasetRow>& rows, Json* extra) {
  for (Json::Member& member : *extra->AsObject()) {
    if (rows[0].group.flat ||
        FindParallel(member.key, member.value, rows[0].group.sample_count) == nullptr)
      continue;
    Json kept = Json::MakeArray();
    for (const DatasetRow& row : rows)
      kept.Append((*member.value.AsArray())[row.group.samples[0].index]);
    member.value = std::move(kept);
  }
}

}  // namespace assay
