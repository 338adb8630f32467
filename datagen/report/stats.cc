#include "datagen/report/stats.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/check.h"
#include "core/text.h"
#include "datagen/select/correctness.h"

namespace assay {
namespace {

// Powers of two, and of ten, which papers report.
std::set<int64_t> KsUpTo(int64_t most) {
  std::set<int64_t> ks;
  for (int64_t k = 1; k <= most; k *= 2) ks.insert(k);
  for (int64_t k = 10; k <= most; k *= 10) ks.insert(k);
  return ks;
}

// Takes samples in and gives their SampleStats.
class Collector {
 public:
  explicit Collector(Deciders deciders) : deciders_(std::move(deciders)) {}

  void Add(const StoredGroup& group) {
    Problem& problem = problems_[group.problem_id];
    std::vector<double> rewards;
    stats_.rows += rows_.insert(group.row_id).second;
    for (const StoredSample& sample : group.samples) {
      ++stats_.samples;
      texts_.insert(sample.text_id);
      text_bytes_.push_back(static_cast<double>(sample.text_bytes));
      stats_.truncated += sample.sample.truncated();
      CountVerdicts(group.labels, sample.score.verdicts);
      if (!sample.score.reward) continue;
      rewards.push_back(*sample.score.reward);
      ++problem.scored;
      problem.passed += deciders_.Correct(group.labels, sample.score);
    }
    if (rewards.size() >= 2) {
      ++stats_.groups;
      stats_.zero_variance_groups +=
          std::all_of(rewards.begin(), rewards.end(), [&](double r) { return r == rewards[0]; });
    }
    rewards_.insert(rewards_.end(), rewards.begin(), rewards.end());
  }

  SampleStats Finish(bool with_pass_at_k) {
    stats_.problems = static_cast<int64_t>(problems_.size());
    stats_.distinct_texts = static_cast<int64_t>(texts_.size());
    stats_.scored = static_cast<int64_t>(rewards_.size());
    for (const auto& [id, problem] : problems_) stats_.passed += problem.passed;
    if (with_pass_at_k) CountPassAtK();
    stats_.reward = Distribution::Of(std::move(rewards_));
    stats_.text_bytes = Distribution::Of(std::move(text_bytes_));
    return std::move(stats_);
  }

 private:
  struct Problem {
    int64_t scored = 0, passed = 0;
  };

  void CountVerdicts(const std::vector<std::string>& labels, const std::vector<Verdict>& verdicts) {
    bool fault = false;
    for (size_t i = 0; i < verdicts.size(); ++i) {
      stats_.terms[labels[i]].Add(verdicts[i]);
      fault |= verdicts[i].outcome == Outcome::kFault;
    }
    stats_.faults += fault;
  }

  void CountPassAtK() {
    // Summed in the order of (scored, passed), so that the last bit does not hang on the hash map's order.
    std::map<std::pair<int64_t, int64_t>, int64_t> shapes;
    int64_t most = 0;
    for (const auto& [id, problem] : problems_) {
      ++shapes[{problem.scored, problem.passed}];
      most = std::max(most, problem.scored);
    }
    for (const int64_t k : KsUpTo(most)) {
      PassAtK at{k};
      double sum = 0;
      for (const auto& [shape, count] : shapes) {
        if (shape.first < k) continue;
        at.problems += count;
        sum += static_cast<double>(count) * PassAtKEstimate(shape.first, shape.second, k);
      }
      at.value = sum / static_cast<double>(at.problems);
      stats_.pass_at_k.push_back(at);
    }
  }

  const Deciders deciders_;
  SampleStats stats_;
  std::unordered_map<int64_t, Problem> problems_;
  std::unordered_set<int64_t> texts_, rows_;
  std::vector<double> rewards_, text_bytes_;
};

void SetSamples(const SampleStats& stats, Json* out) {
  Json terms = Json::MakeObject();
  for (const auto& [label, tally] : stats.terms) terms.Set(label, tally.ToJson());
  Json pass_at = Json::MakeArray();
  for (const PassAtK& at : stats.pass_at_k) {
    pass_at.Append(Json().Set("k", at.k).Set("problems", at.problems).Set("value", at.value));
  }
  out->Set("rows", stats.rows)
      .Set("problems", stats.problems)
      .Set("samples", stats.samples)
      .Set("scored", stats.scored);
  out->Set("passed", stats.passed)
      .Set("pass_rate", stats.scored > 0 ? Json(stats.pass_rate()) : Json());
  out->Set("faults", stats.faults)
      .Set("truncated", stats.truncated)
      .Set("distinct_texts", stats.distinct_texts);
  out->Set("groups", stats.groups).Set("zero_variance_groups", stats.zero_variance_groups);
  out->Set("terms", std::move(terms))
      .Set("reward", stats.reward.ToJson())
      .Set("text_bytes", stats.text_bytes.ToJson());
  if (!stats.pass_at_k.empty()) out->Set("pass_at_k", std::move(pass_at));
}

std::string Percent(int64_t part, int64_t whole) {
  return whole > 0 ? StrCat(FixedDigits(
                                100.0 * static_cast<double>(part) / static_cast<double>(whole), 1),
                            " %")
                   : std::string("-");
}

void AddLine(std::string* out, std::string_view name, const std::string& value) {
  constexpr size_t kNameWidth = 22;
  StrAppend(out, "  ", name,
            std::string(name.size() < kNameWidth ? kNameWidth - name.size() : 1, ' '), value, "\n");
}

std::string CountOf(int64_t part, int64_t whole) {
  return StrCat(WithThousands(part), " (", Percent(part, whole), ")");
}

void AddReasons(const VerdictTally& term, std::string* out) {
  std::vector<std::pair<int64_t, std::string>> reasons;
  for (const auto& [reason, count] : term.reasons) reasons.emplace_back(-count, reason);
  std::sort(reasons.begin(), reasons.end());
  for (const auto& [count, reason] : reasons)
    AddLine(out, StrCat("    ", reason), WithThousands(-count));
}

std::string SamplesText(const SampleStats& stats) {
  std::string out;
  AddLine(&out, "problems", WithThousands(stats.problems));
  AddLine(&out, "input rows", WithThousands(stats.rows));
  AddLine(&out, "samples",
          StrCat(WithThousands(stats.samples), ", ", WithThousands(stats.distinct_texts),
                 " distinct texts"));
  AddLine(&out, "passed", CountOf(stats.passed, stats.scored));
  if (stats.samples > stats.scored)
    AddLine(&out, "not scored", CountOf(stats.samples - stats.scored, stats.samples));
  if (stats.faults > 0) AddLine(&out, "faults", CountOf(stats.faults, stats.samples));
  if (stats.truncated > 0) AddLine(&out, "truncated", CountOf(stats.truncated, stats.samples));
  for (const auto& [label, term] : stats.terms) {
    AddLine(&out, label,
            StrCat("pass ", Percent(term.pass, term.pass + term.fail), ", fail ",
                   WithThousands(term.fail), ", abstain ", WithThousands(term.abstain), ", fault ",
                   WithThousands(term.fault)));
    AddReasons(term, &out);
  }
  if (stats.scored > 0) AddLine(&out, "reward", stats.reward.ToText(3));
  if (stats.groups > 0) AddLine(&out, "groups of 2 or more", WithThousands(stats.groups));
  if (stats.groups > 0)
    AddLine(&out, "without spread", CountOf(stats.zero_variance_groups, stats.groups));
  for (const PassAtK& at : stats.pass_at_k) {
    AddLine(&out, StrCat("pass@", at.k),
            StrCat(FixedDigits(at.value, 4), " over ", WithThousands(at.problems), " problems"));
  }
  if (stats.samples > 0) AddLine(&out, "bytes a text", stats.text_bytes.ToText(0));
  return out;
}

}  // namespace

double PassAtKEstimate(int64_t n, int64_t c, int64_t k) {
  ASSAY_CHECK(0 <= c && c <= n && 1 <= k && k <= n);
  if (n - c < k) return 1;
  double all_wrong = 1;
  for (int64_t i = n - c + 1; i <= n; ++i)
    all_wrong *= 1 - static_cast<double>(k) / static_cast<double>(i);
  return 1 - all_wrong;
}

namespace {

Deciders DecidersOf(const std::string& rubric_json) {
  const Result<Json> rubric = ParseJson(rubric_json);
  return Deciders(rubric.ok() ? *rubric : Json());
}

}  // namespace

Result<RunStats> StatsOfRun(Store* store, const std::string& name) {
  Result<RunRecord> run = store->FindRun(name);
  if (!run.ok()) return run.error();
  RunStats out;
  out.run = *run;
  Collector collector{DecidersOf(run->rubric_json)};
  Status status =
      store->ForEachGroup(run->id, /*with_texts=*/false, [&](const StoredGroup& group) -> Status {
        if (group.error.empty()) {
          collector.Add(group);
        } else {
          ++out.bad_rows;
        }
        return {};
      });
  if (!status.ok()) return status.error();
  out.samples = collector.Finish(/*with_pass_at_k=*/true);
  return out;
}

Result<DatasetStats> StatsOfDataset(Store* store, const std::string& name) {
  Result<DatasetRecord> dataset = store->FindDataset(name);
  if (!dataset.ok()) return dataset.error();
  DatasetStats out;
  out.dataset = *dataset;
  Result<std::vector<RunRecord>> runs = store->Runs();
  if (!runs.ok()) return runs.error();
  std::string rubric_json;
  for (const RunRecord& run : *runs) {
    if (dataset->run != run.id) continue;
    out.run = run.name;
    rubric_json = run.rubric_json;
  }
  Collector collector{DecidersOf(rubric_json)};
  Status status = store->ForEachDatasetRow(dataset->id, /*with_texts=*/false,
                                           [&](const DatasetRow& row) -> Status {
                                             collector.Add(row.group);
                                             return {};
                                           });
  if (!status.ok()) return status.error();
  out.samples = collector.Finish(/*with_pass_at_k=*/false);
  return out;
}

Json RunStats::ToJson() const {
  Json out = Json::MakeObject();
  out.Set("run", run.name)
      .Set("finished", run.finished)
      .Set("tool_version", run.tool_version)
      .Set("config_hash", run.config_hash);
  out.Set("bad_rows", bad_rows);
  SetSamples(samples, &out);
  return out;
}

std::string RunStats::ToText() const {
  std::string out = StrCat("run '", run.name, "' (assay ", run.tool_version,
                           run.finished ? "" : ", not finished", ")\n");
  StrAppend(&out, SamplesText(samples));
  if (bad_rows > 0) AddLine(&out, "bad lines", WithThousands(bad_rows));
  return out;
}

Json DatasetStats::ToJson() const {
  Json decisions = Json::MakeObject();
  for (const auto& [decision, count] : dataset.decisions) decisions.Set(decision, count);
  Result<Json> params = ParseJson(dataset.params_json);
  Json out = Json::MakeObject();
  out.Set("dataset", dataset.name)
      .Set("strategy", dataset.strategy)
      .Set("params", params.ok() ? *params : Json(dataset.params_json));
  out.Set("tool_version", dataset.tool_version)
      .Set("run", run.empty() ? Json() : Json(run))
      .Set("decisions", std::move(decisions));
  SetSamples(samples, &out);
  return out;
}

std::string DatasetStats::ToText() const {
  std::string out = StrCat("data set '", dataset.name, "' (", dataset.strategy,
                           run.empty() ? "" : StrCat(" of run '", run, "'"), ")\n");
  for (const auto& [decision, count] : dataset.decisions)
    AddLine(&out, decision, WithThousands(count));
  return out + SamplesText(samples);
}

}  // namespace assay
