#include "datagen/select/select.h"

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "core/text.h"
#include "datagen/select/pool.h"
#include "datagen/select/pool_reader.h"
#include "datagen/select/sample_filter.h"
#include "datagen/select/stages.h"

namespace assay {
namespace {

Result<std::vector<RunRecord>> FindRuns(Store* store, const std::vector<std::string>& names) {
  std::vector<RunRecord> runs;
  for (const std::string& name : names) {
    Result<RunRecord> run = store->FindRun(name);
    if (!run.ok()) return run.error();
    for (const RunRecord& other : runs) {
      if (other.id == run->id)
        return Error{ErrorCode::kUsage, StrCat("run '", name, "' is given twice"),
                     "name each run once"};
    }
    runs.push_back(std::move(*run));
  }
  return runs;
}

// Where a reason stands among the decisions that are written.
int64_t PlaceOf(const std::vector<std::pair<std::string, int64_t>>& decisions, Reason reason) {
  const auto found = std::find_if(decisions.begin(), decisions.end(), [&](const auto& decision) {
    return decision.first == ReasonName(reason);
  });
  return found - decisions.begin();
}

Status WriteDrops(Store* store, DatasetId dataset, const Pool& pool,
                  const std::vector<std::pair<std::string, int64_t>>& decisions) {
  std::vector<uint32_t> places;
  for (uint32_t place = 0; place < pool.samples.size(); ++place) {
    if (!pool.samples[place].in()) places.push_back(place);
  }
  std::sort(places.begin(), places.end(), [&](uint32_t a, uint32_t b) {
    return pool.samples[a].sample_id < pool.samples[b].sample_id;
  });
  int64_t place_of[static_cast<size_t>(Reason::kReasons)];
  for (size_t i = 0; i < static_cast<size_t>(Reason::kReasons); ++i)
    place_of[i] = PlaceOf(decisions, static_cast<Reason>(i));
  for (const uint32_t place : places) {
    const Candidate& sample = pool.samples[place];
    const auto detail = pool.details.find(place);
    Status status = store->AddDatasetDrop(
        dataset, {sample.sample_id, place_of[static_cast<size_t>(sample.reason)],
                  detail == pool.details.end() ? "" : detail->second});
    if (!status.ok()) return status;
  }
  return {};
}

Status WriteDataset(Store* store, const SelectOptions& options, const std::vector<RunRecord>& runs,
                    const Pool& pool, const std::vector<Kept>& kept, SelectResult* result) {
  DatasetInfo info;
  info.name = options.dataset;
  info.strategy = options.strategy;
  info.params_json = SelectParams(options);
  info.tool_version = options.tool_version;
  for (const RunRecord& run : runs) info.runs.push_back(run.id);
  Result<DatasetId> dataset = store->BeginDataset(info, options.replace);
  if (!dataset.ok()) return dataset.error();
  result->dataset = *dataset;
  for (const Kept& row : kept) {
    const int64_t rejected = row.rejected == kNone ? 0 : pool.samples[row.rejected].sample_id;
    Status status = store->AddDatasetRow(*dataset, pool.samples[row.place].sample_id, row.decision,
                                         rejected, row.split);
    if (!status.ok()) return status;
  }
  if (Status status = WriteDrops(store, *dataset, pool, result->decisions); !status.ok())
    return status;
  return store->FinishDataset(*dataset, result->decisions);
}

void Count(const SelectOptions& options, const Pool& pool, const std::vector<Kept>& kept,
           SelectResult* result) {
  std::unordered_set<uint32_t> problems;
  for (const Kept& row : kept) problems.insert(pool.samples[row.place].problem);
  result->problems = static_cast<int64_t>(pool.problems.size());
  result->problems_kept = static_cast<int64_t>(problems.size());
  result->samples = static_cast<int64_t>(pool.samples.size());
  result->kept = static_cast<int64_t>(kept.size());
  result->decisions = pool.Decisions();
  const Result<std::vector<SplitShare>> splits = ParseSplits(options.split);
  for (const SplitShare& split : *splits) {
    const auto rows = std::count_if(kept.begin(), kept.end(),
                                    [&](const Kept& row) { return row.split == split.name; });
    result->splits.emplace_back(split.name, rows);
  }
}

}  // namespace

Result<SelectResult> SelectSamples(Store* store, const SelectOptions& options) {
  if (Status status = CheckSelectOptions(options); !status.ok()) return status.error();
  Result<std::vector<RunRecord>> runs = FindRuns(store, options.runs);
  if (!runs.ok()) return runs.error();
  Result<std::unique_ptr<SampleFilter>> filter = SampleFilter::Make(options);
  if (!filter.ok()) return filter.error();

  Pool pool;
  if (Status status = ReadPool(store, *runs, options, **filter, &pool); !status.ok())
    return status.error();
  DropByPassRate(options, &pool);
  DropMinorities(options, &pool);
  DropDuplicates(options, &pool);
  DropContaminated(&pool);
  DropNearDuplicates(options, (*filter)->minhash(), &pool);
  std::vector<Kept> kept = Choose(options, (*filter)->minhash(), &pool);
  Bound(options, &pool, &kept);
  AssignSplits(options, pool, &kept);

  SelectResult result;
  Count(options, pool, kept, &result);
  if (Status status = WriteDataset(store, options, *runs, pool, kept, &result); !status.ok())
    return status.error();
  for (const RunRecord& run : *runs) {
    if (!run.finished) result.unfinished.push_back(run.name);
  }
  return result;
}

Json SelectResult::ToJson() const {
  Json counts = Json::MakeObject(), parts = Json::MakeObject();
  for (const auto& [decision, count] : decisions) counts.Set(decision, count);
  for (const auto& [split, rows] : splits) parts.Set(split, rows);
  Json out = Json()
                 .Set("problems", problems)
                 .Set("problems_kept", problems_kept)
                 .Set("samples", samples)
                 .Set("kept", kept)
                 .Set("decisions", std::move(counts));
  if (!splits.empty()) out.Set("splits", std::move(parts));
  return out;
}

std::string SelectResult::ToText() const {
  std::string out =
      StrCat("kept ", WithThousands(kept), " of ", WithThousands(samples), " samples, for ",
             WithThousands(problems_kept), " of ", WithThousands(problems), " problems\n");
  for (const auto& [decision, count] : decisions) {
    if (decision != "kept") StrAppend(&out, "  ", decision, ": ", WithThousands(count), "\n");
  }
  for (const auto& [split, rows] : splits)
    StrAppend(&out, "  split ", split, ": ", WithThousands(rows), "\n");
  return out;
}

std::string SelectResult::Explain() const {
  int64_t left = samples;
  std::string out =
      StrCat(WithThousands(samples), " samples of ", WithThousands(problems), " problems\n");
  for (const auto& [decision, count] : decisions) {
    if (decision == "kept") continue;
    left -= count;
    StrAppend(&out, "  - ", WithThousands(count), " ", decision, ": ", WithThousands(left),
              " left\n");
  }
  return out;
}

}  // namespace assay
