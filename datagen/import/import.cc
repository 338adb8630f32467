#include "datagen/import/import.h"

#include <utility>

#include "core/advantage.h"
#include "core/hash.h"
#include "core/jsonl.h"
#include "core/progress.h"
#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "core/rows/lm_eval_filters.h"
#include "core/rows/problem_fields.h"
#include "core/rows/row_edit.h"
#include "core/text.h"
#include "datagen/import/problem_join.h"

namespace assay {
namespace {

constexpr char kLabel[] = "label";

// The entry of `column` for each sample: an array beside the completions, or the flat row's own value. Null where there is none.
std::vector<Json> Entries(const Problem& problem, const std::string& column, size_t samples) {
  std::vector<Json> entries(samples);
  const Json* value = column.empty() ? nullptr : problem.extra.Find(column);
  if (value == nullptr) return entries;
  const Json::Array* array = value->AsArray();
  if (array == nullptr) {
    if (samples == 1) entries[0] = *value;
  } else if (array->size() == samples) {
    entries = *array;
  }
  return entries;
}

class Importer {
 public:
  Importer(Store* store, const ImportOptions& options) : store_(store), options_(options) {}

  Result<ImportResult> Run() {
    Result<std::unique_ptr<ProblemJoin>> join =
        ProblemJoin::Load(options_.problems, options_.id_pattern);
    if (!join.ok()) return join.error();
    join_ = std::move(*join);
    Result<RunId> run = store_->BeginRun(Info(), /*resume=*/true);
    if (!run.ok()) return run.error();
    run_ = *run;
    for (const std::string& file : options_.files) {
      if (Status status = ReadOne(file); !status.ok()) {
        (void)store_->Commit();
        return status.error();
      }
    }
    Status status = result_.interrupted ? store_->Commit() : store_->FinishRun(run_);
    if (status.ok() && !result_.interrupted && !options_.dataset.empty()) status = MakeDataset();
    if (!status.ok()) return status.error();
    return std::move(result_);
  }

 private:
  RunInfo Info() const {
    RunInfo info;
    info.name = options_.run;
    Json terms = Json::MakeArray();
    if (!options_.labels.empty()) terms.Append(Json().Set("label", kLabel).Set("weight", 1.0));
    info.rubric_json =
        Json().Set("name", "import").Set("rule", "sum").Set("terms", std::move(terms)).Dump();
    Json config = Json()
                      .Set("labels", options_.labels)
                      .Set("rewards", options_.rewards)
                      .Set("input_format", options_.input_format)
                      .Set("id_pattern", options_.id_pattern)
                      .Set("joined", !options_.problems.empty());
    info.config_hash = HashBytes128(config.Dump()).Hex();
    info.tool_version = options_.tool_version;
    return info;
  }

  Status ReadOne(const std::string& file) {
    if (result_.interrupted) return {};
    Result<std::unique_ptr<LineReader>> reader =
        LineReader::Open(file, [this] { return !Interrupted(); });
    if (!reader.ok()) return reader.error();
    Progress progress("import", 100, options_.progress);
    LineReader::Line line;
    for (;;) {
      Result<bool> more = (*reader)->Next(&line);
      if (!more.ok()) return more.error();
      result_.interrupted = Interrupted();
      if (!*more || result_.interrupted) return {};
      if (Status status = AddLine(file, line); !status.ok()) return status;
      if ((*reader)->bytes_total() > 0) {
        progress.Update(100 * (*reader)->bytes_read() / (*reader)->bytes_total(),
                        StrCat(WithThousands(result_.samples), " samples"));
      }
    }
  }

  bool Interrupted() const { return options_.interrupted != nullptr && *options_.interrupted; }

  Status AddLine(const std::string& file, const LineReader::Line& line) {
    if (filters_.Repeats(line.text)) {
      ++result_.repeats;
      return {};
    }
    const RowKey key{file, line.number, HashBytes128(line.text)};
    Result<bool> has = store_->HasRow(run_, key);
    if (!has.ok()) return has.error();
    if (*has) {
      ++result_.skipped;
      return {};
    }
    Result<Group> group = ReadGroup(line);
    Status status;
    if (group.ok()) {
      status = AddGroup(key, *group);
    } else {
      ++result_.bad_rows;
      if (result_.first_error.empty())
        result_.first_error = StrCat(file, ":", line.number, ": ", group.error().message);
      status = store_->AddBadRow(run_, key, group.error().message);
    }
    return status.ok() && store_->ShouldCommit() ? store_->Commit() : status;
  }

  Result<Group> ReadGroup(const LineReader::Line& line) const {
    if (line.too_long) return InputError("the line is too long");
    Result<Json> row = ParseJson(line.text, nullptr, /*padded=*/true);
    if (!row.ok()) return row.error();
    if (Status status = ToAssayRow(options_.input_format, &*row); !status.ok())
      return status.error();
    if (!row->IsObject()) return GroupFromJson(*row);
    if (Status status = join_->Join(&*row); !status.ok()) return status.error();
    if (Has(*row, "completions") || Has(*row, "completion")) return GroupFromJson(*row);
    // A problem alone.
    FillProblem(&*row);
    Result<Problem> problem = ProblemFromJson(*row);
    if (!problem.ok()) return problem.error();
    if (problem->prompt.empty() && problem->messages.empty())
      return InputError("the row has neither completions nor a prompt",
                        "name its form with --input-format");
    Group group;
    group.problem = std::move(*problem);
    return group;
  }

  Status AddGroup(const RowKey& key, const Group& group) {
    const size_t count = group.samples.size();
    const std::vector<Json> labels = Entries(group.problem, options_.labels, count);
    const std::vector<Json> flat_labels = Entries(group.problem, kLabel, count);
    const std::vector<Json> rewards = Entries(group.problem, options_.rewards, count);
    GroupScore score;
    if (!options_.labels.empty()) score.labels = {kLabel};
    std::vector<Reward> given;
    for (size_t i = 0; i < count; ++i) {
      SampleScore& sample = score.samples.emplace_back();
      // Groups say `labels`, flat rows of the same data `label`.
      const Json& label =
          labels[i].IsNull() && options_.labels == "labels" ? flat_labels[i] : labels[i];
      if (!options_.labels.empty()) sample.verdicts.push_back(VerdictOf(label));
      if (label.IsBool() && !options_.labels.empty()) sample.reward = *label.AsBool() ? 1 : 0;
      if (rewards[i].IsNumber()) sample.reward = rewards[i].NumberOr(0);
      given.push_back(sample.reward);
      result_.scored += sample.reward.has_value();
    }
    const std::vector<Advantage> advantages = GroupAdvantages(given);
    for (size_t i = 0; i < count; ++i) score.samples[i].advantage = advantages[i];
    ++result_.rows;
    result_.samples += static_cast<int64_t>(count);
    return store_->AddGroup(run_, key, group, score, /*with_times=*/false);
  }

  static Verdict VerdictOf(const Json& label) {
    if (!label.IsBool()) return Verdict::Abstain("no_label");
    return *label.AsBool() ? Verdict::Pass("labelled") : Verdict::Fail("labelled");
  }

  Status MakeDataset() {
    std::vector<int64_t> samples;
    Status status = store_->ForEachGroup(run_, false, [&](const StoredGroup& group) -> Status {
      for (const StoredSample& sample : group.samples) samples.push_back(sample.id);
      return {};
    });
    if (!status.ok()) return status;
    DatasetInfo info{options_.dataset, "import", "{}", options_.tool_version, run_, ""};
    Result<DatasetId> dataset = store_->BeginDataset(info, options_.replace);
    if (!dataset.ok()) return dataset.error();
    const std::string decision = Json().Set("kept", "imported").Dump();
    for (const int64_t sample : samples) {
      if (status = store_->AddDatasetRow(*dataset, sample, decision); !status.ok()) return status;
    }
    return store_->FinishDataset(*dataset, {{"kept", static_cast<int64_t>(samples.size())}});
  }

  Store* store_;
  const ImportOptions& options_;
  std::unique_ptr<ProblemJoin> join_;
  LmEvalFilters filters_;
  RunId run_ = 0;
  ImportResult result_;
};

}  // namespace

Result<ImportResult> ImportFiles(Store* store, const ImportOptions& options) {
  return Importer(store, options).Run();
}

Json ImportResult::ToJson() const {
  return Json()
      .Set("rows", rows)
      .Set("skipped", skipped)
      .Set("repeats", repeats)
      .Set("bad_rows", bad_rows)
      .Set("samples", samples)
      .Set("scored", scored);
}

std::string ImportResult::ToText() const {
  std::string out = StrCat(WithThousands(rows), " rows with ", WithThousands(samples), " samples");
  if (scored > 0) StrAppend(&out, ", ", WithThousands(scored), " of them with a reward");
  if (repeats > 0)
    StrAppend(&out, "; ", WithThousands(repeats), " rows of lm-eval repeat another filter's");
  if (skipped > 0) StrAppend(&out, "; ", WithThousands(skipped), " rows were there before");
  if (bad_rows > 0)
    StrAppend(&out, "; ", WithThousands(bad_rows),
              " rows could not be read, the first: ", first_error);
  return out + "\n";
}

}  // namespace assay
