#include "datagen/report/page_data.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/rng.h"
#include "core/text.h"
#include "datagen/select/correctness.h"

namespace assay {
namespace {

constexpr size_t kBars = 24;
constexpr size_t kListed = 50;         // problems, hits and tasks that are listed
constexpr size_t kTextBytes = 20'000;  // of one text on the page

struct Tally {
  int64_t problems = 0, samples = 0, scored = 0, passed = 0;
};

struct ProblemTally {
  std::string name, task;
  int64_t scored = 0, passed = 0;
};

struct Mean {
  int64_t count = 0;
  double sum = 0;

  void Add(double value) { ++count, sum += value; }
  Json ToJson() const { return count > 0 ? Json(sum / static_cast<double>(count)) : Json(); }
};

struct TermScores {
  Mean scores;
  Mean parts[2];  // of the reward: of samples that do not pass, of those that do
};

// What the row says of how hard its problem is; "" if it says nothing.
std::string LevelOf(const Problem& problem) {
  for (const char* key : {"difficulty", "level"}) {
    const Json* value = problem.extra.Find(key);
    if (value == nullptr || value->IsNull() || value->IsObject() || value->IsArray()) continue;
    return Shorten(value->ScalarText(), 100);
  }
  return "";
}

Json TallyJson(const std::string& name, const Tally& tally) {
  return Json()
      .Set("name", name)
      .Set("problems", tally.problems)
      .Set("samples", tally.samples)
      .Set("scored", tally.scored)
      .Set("passed", tally.passed);
}

// How many problems are solved never, in each tenth, and always.
Json PassRateBars(const std::vector<ProblemTally>& problems) {
  std::vector<int64_t> bars(12);
  for (const ProblemTally& problem : problems) {
    if (problem.scored == 0) continue;
    const double rate = static_cast<double>(problem.passed) / static_cast<double>(problem.scored);
    const size_t tenth = std::min<size_t>(9, static_cast<size_t>(rate * 10));
    ++bars[problem.passed == 0 ? 0 : problem.passed == problem.scored ? 11 : tenth + 1];
  }
  Json out = Json::MakeArray();
  for (const int64_t bar : bars) out.Append(bar);
  return out;
}

// Problems that are solved least often, but not for want of samples.
Json Hardest(std::vector<ProblemTally> problems) {
  std::erase_if(problems, [](const ProblemTally& problem) { return problem.scored == 0; });
  std::stable_sort(problems.begin(), problems.end(), [](const auto& a, const auto& b) {
    return a.passed * b.scored < b.passed * a.scored;
  });
  if (problems.size() > kListed) problems.resize(kListed);
  Json out = Json::MakeArray();
  for (const ProblemTally& problem : problems) {
    out.Append(Json()
                   .Set("name", Shorten(problem.name, 200))
                   .Set("task", problem.task)
                   .Set("scored", problem.scored)
                   .Set("passed", problem.passed));
  }
  return out;
}

Deciders DecidersOf(const RunRecord& run) {
  const Result<Json> rubric = ParseJson(run.rubric_json);
  return Deciders(rubric.ok() ? *rubric : Json());
}

class RunPass {
 public:
  explicit RunPass(Deciders deciders) : deciders_(std::move(deciders)) {}

  void Add(const StoredGroup& group) {
    if (!group.error.empty()) return;
    const auto [place, is_new] = places_.try_emplace(group.problem_id, problems_.size());
    if (is_new) problems_.push_back({group.problem.id, group.problem.task});
    ProblemTally& problem = problems_[place->second];
    Tally* const tallies[] = {&tasks_[group.problem.task], &levels_[LevelOf(group.problem)]};
    for (Tally* tally : tallies) tally->problems += is_new;
    for (const StoredSample& sample : group.samples) {
      const bool passed = deciders_.Correct(group.labels, sample.score);
      for (Tally* tally : tallies) {
        ++tally->samples;
        tally->scored += sample.score.reward.has_value();
        tally->passed += passed;
      }
      ++texts_[sample.text_id];
      lengths_.Add(static_cast<double>(sample.text_bytes), passed);
      right_ += sample.score.reward && deciders_.Pass(group.labels, sample.score);
      for (size_t i = 0; i < sample.score.verdicts.size(); ++i) {
        if (sample.score.verdicts[i].outcome == Outcome::kAbstain) continue;
        TermScores& term = terms_[group.labels[i]];
        term.scores.Add(sample.score.verdicts[i].score);
        if (sample.score.reward && i < sample.score.parts.size() && sample.score.parts[i])
          term.parts[passed ? 1 : 0].Add(*sample.score.parts[i]);
      }
      if (!sample.score.reward) continue;
      rewards_.Add(*sample.score.reward, passed);
      ++problem.scored;
      problem.passed += passed;
    }
  }

  Json Finish() const {
    Json terms = Json::MakeArray();
    for (const auto& [label, term] : terms_) {
      terms.Append(Json()
                       .Set("label", label)
                       .Set("samples", term.scores.count)
                       .Set("mean_score", term.scores.ToJson())
                       .Set("mean_part_failed", term.parts[0].ToJson())
                       .Set("mean_part_passed", term.parts[1].ToJson()));
    }
    int64_t repeated = 0, most = 0;
    for (const auto& [text, count] : texts_) {
      repeated += count - 1;
      most = std::max(most, count);
    }
    return Json()
        .Set("rewards", rewards_.ToJson())
        .Set("lengths", lengths_.ToJson())
        .Set("pass_rates", PassRateBars(problems_))
        .Set("tasks", Tallies(tasks_))
        .Set("levels", Tallies(levels_))
        .Set("term_scores", std::move(terms))
        .Set("right", right_)
        .Set("repeated_texts", repeated)
        .Set("most_repeated", most)
        .Set("hardest", Hardest(problems_));
  }

 private:
  static Json Tallies(const std::map<std::string, Tally>& tallies) {
    Json out = Json::MakeArray();
    for (const auto& [name, tally] : tallies) {
      if (out.AsArray()->size() < kListed) out.Append(TallyJson(name, tally));
    }
    return out;
  }

  const Deciders deciders_;
  std::unordered_map<int64_t, size_t> places_;
  std::unordered_map<int64_t, int64_t> texts_;
  std::vector<ProblemTally> problems_;
  std::map<std::string, Tally> tasks_, levels_;
  std::map<std::string, TermScores> terms_;
  SplitHistogram rewards_, lengths_;
  int64_t right_ = 0;  // pass what decides (datagen/select/correctness.h)
};

Json VerdictsOf(const StoredGroup& group, const StoredSample& sample) {
  Json out = Json::MakeArray();
  for (size_t i = 0; i < sample.score.verdicts.size(); ++i) {
    Json verdict = VerdictToJson(sample.score.verdicts[i], /*with_ms=*/false);
    const bool counts = i < sample.score.parts.size() && sample.score.parts[i];
    verdict.Set("part", counts ? Json(*sample.score.parts[i]) : Json());
    out.Append(verdict.Set("label", group.labels[i]));
  }
  return out;
}

Json SampleJson(const std::string& run, const Deciders& deciders, const StoredGroup& group,
                const StoredSample& sample) {
  Json answers = Json::MakeArray();
  for (const std::string& answer : group.problem.answers) answers.Append(Shorten(answer, 1000));
  return Json()
      .Set("id", sample.id)
      .Set("run", run)
      .Set("file", group.key.file)
      .Set("line", group.key.line)
      .Set("place", sample.index)
      .Set("problem", Shorten(group.problem.id, 200))
      .Set("task", group.problem.task)
      .Set("prompt", Shorten(group.problem.prompt, kTextBytes))
      .Set("answers", std::move(answers))
      .Set("text", Shorten(sample.sample.text, kTextBytes))
      .Set("model", sample.sample.model)
      .Set("finish_reason", sample.sample.finish_reason)
      .Set("reward", sample.score.reward ? Json(*sample.score.reward) : Json())
      .Set("advantage", sample.score.advantage.mask ? Json(sample.score.advantage.value) : Json())
      .Set("passed", deciders.Correct(group.labels, sample.score))
      .Set("right", sample.score.reward && deciders.Pass(group.labels, sample.score))
      .Set("verdicts", VerdictsOf(group, sample))
      .Set("decisions", Json::MakeArray());
}

using Decisions = std::unordered_map<int64_t, Json>;  // by sample

void NoteDecision(const std::set<int64_t>& drawn, int64_t sample, Json decision,
                  Decisions* decisions) {
  if (drawn.count(sample) > 0) (*decisions)[sample].Append(std::move(decision));
}

// What each data set decided of the drawn samples.
Status ReadDecisions(Store* store, const std::vector<DatasetRecord>& datasets,
                     const std::set<int64_t>& drawn, Decisions* decisions) {
  for (const DatasetRecord& dataset : datasets) {
    const auto said = [&](const std::string& decision, const std::string& detail) {
      return Json().Set("dataset", dataset.name).Set("decision", decision).Set("detail", detail);
    };
    Status status =
        store->ForEachDatasetRow(dataset.id, false, [&](const DatasetRow& row) -> Status {
          NoteDecision(drawn, row.group.samples[0].id, said("kept", row.decision), decisions);
          if (row.rejected)
            NoteDecision(drawn, row.rejected->id, said("kept as rejected", row.decision),
                         decisions);
          return {};
        });
    if (!status.ok()) return status;
    status = store->ForEachDatasetDrop(dataset.id, [&](const DatasetDrop& drop) -> Status {
      const bool known = drop.place < static_cast<int64_t>(dataset.decisions.size());
      const std::string reason =
          known ? dataset.decisions[static_cast<size_t>(drop.place)].first : "dropped";
      NoteDecision(drawn, drop.sample_id, said(reason, drop.detail), decisions);
      return {};
    });
    if (!status.ok()) return status;
  }
  return {};
}

// The samples whose seeded numbers are smallest: every sample has the same chance, whatever the order.
Result<std::set<int64_t>> Draw(Store* store, const std::vector<RunRecord>& runs,
                               const PageOptions& options) {
  std::set<std::pair<uint64_t, int64_t>> smallest;
  for (const RunRecord& run : runs) {
    Status status = store->ForEachGroup(run.id, false, [&](const StoredGroup& group) -> Status {
      for (const StoredSample& sample : group.samples) {
        smallest.emplace(Rng(options.seed, "page", static_cast<uint64_t>(sample.id)).Next(),
                         sample.id);
        if (static_cast<int64_t>(smallest.size()) > options.samples)
          smallest.erase(std::prev(smallest.end()));
      }
      return {};
    });
    if (!status.ok()) return status.error();
  }
  std::set<int64_t> drawn;
  for (const auto& [number, sample] : smallest) drawn.insert(sample);
  return drawn;
}

}  // namespace

Json SplitHistogram::ToJson() const {
  std::vector<double> all = values_[0];
  all.insert(all.end(), values_[1].begin(), values_[1].end());
  Json edges = Json::MakeArray(), bars[2] = {Json::MakeArray(), Json::MakeArray()};
  if (!all.empty()) {
    std::sort(all.begin(), all.end());
    const double low = all.front();
    const double high = std::max(all[(all.size() - 1) * 99 / 100], low);
    const double width = high > low ? (high - low) / kBars : 1;
    const size_t count = high > low ? kBars : 1;
    for (size_t i = 0; i < count; ++i) edges.Append(low + width * static_cast<double>(i));
    for (int passed = 0; passed < 2; ++passed) {
      std::vector<int64_t> counts(count);
      for (const double value : values_[passed])
        ++counts[std::min(count - 1, static_cast<size_t>((value - low) / width))];
      for (const int64_t one : counts) bars[passed].Append(one);
    }
  }
  return Json()
      .Set("edges", std::move(edges))
      .Set("failed", std::move(bars[0]))
      .Set("passed", std::move(bars[1]));
}

Result<Json> RunDetails(Store* store, const RunRecord& run) {
  RunPass pass(DecidersOf(run));
  // With texts: a problem's level stands in its row's other columns.
  Status status = store->ForEachGroup(run.id, true, [&](const StoredGroup& group) -> Status {
    pass.Add(group);
    return {};
  });
  if (!status.ok()) return status.error();
  return pass.Finish();
}

Result<Json> DatasetDetails(Store* store, const DatasetRecord& dataset) {
  std::map<std::string, int64_t> splits;
  Status status = store->ForEachDatasetRow(dataset.id, false, [&](const DatasetRow& row) -> Status {
    ++splits[row.split];
    return {};
  });
  if (!status.ok()) return status.error();
  std::map<std::string, int64_t> hits;  // of contamination, by what they say
  status = store->ForEachDatasetDrop(dataset.id, [&](const DatasetDrop& drop) -> Status {
    const auto place = static_cast<size_t>(drop.place);
    if (place < dataset.decisions.size() && dataset.decisions[place].first == "contaminated")
      ++hits[Shorten(drop.detail, 400)];
    return {};
  });
  if (!status.ok()) return status.error();
  Json parts = Json::MakeArray(), found = Json::MakeArray();
  for (const auto& [split, rows] : splits) {
    if (!split.empty() || splits.size() > 1)
      parts.Append(Json().Set("name", split).Set("rows", rows));
  }
  for (const auto& [hit, samples] : hits) {
    if (found.AsArray()->size() < kListed)
      found.Append(Json().Set("hit", hit).Set("samples", samples));
  }
  return Json()
      .Set("rows", dataset.rows)
      .Set("splits", std::move(parts))
      .Set("contamination_kinds", static_cast<int64_t>(hits.size()))
      .Set("contamination", std::move(found));
}

Result<Json> DrawnSamples(Store* store, const std::vector<RunRecord>& runs,
                          const std::vector<DatasetRecord>& datasets, const PageOptions& options) {
  const Result<std::set<int64_t>> drawn = Draw(store, runs, options);
  if (!drawn.ok()) return drawn.error();
  Decisions decisions;
  if (Status status = ReadDecisions(store, datasets, *drawn, &decisions); !status.ok())
    return status.error();
  Json out = Json::MakeArray();
  for (const RunRecord& run : runs) {
    const Deciders deciders = DecidersOf(run);
    Status status = store->ForEachGroup(run.id, true, [&](const StoredGroup& group) -> Status {
      for (const StoredSample& sample : group.samples) {
        if (drawn->count(sample.id) == 0) continue;
        Json one = SampleJson(run.name, deciders, group, sample);
        const auto decided = decisions.find(sample.id);
        if (decided != decisions.end()) one.Set("decisions", decided->second);
        out.Append(std::move(one));
      }
      return {};
    });
    if (!status.ok()) return status.error();
  }
  return out;
}

}  // namespace assay
