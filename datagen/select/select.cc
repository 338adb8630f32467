#include "datagen/select/select.h"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "core/rng.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr char kAllCorrect[] = "all-correct";
constexpr char kBestOfN[] = "best-of-n";

struct Candidate {
  int64_t sample_id;
  int64_t text_id;
  int64_t text_bytes;
  double reward;
  bool truncated;
};

// What is known of one problem after reading the run.
struct ProblemCandidates {
  int64_t samples = 0;  // scored or not
  std::vector<Candidate> candidates;
};

struct Kept {
  int64_t sample_id;
  std::string decision;
};

// Problems in order of first appearance; a map finds them again.
class Candidates {
 public:
  ProblemCandidates* Of(int64_t problem_id) {
    auto [place, inserted] = places_.try_emplace(problem_id, problems.size());
    if (inserted) problems.emplace_back();
    return &problems[place->second];
  }
  std::vector<ProblemCandidates> problems;

 private:
  std::unordered_map<int64_t, size_t> places_;
};

class Selection {
 public:
  // `rubric`: RubricSpec::ToJson() of the run.
  Selection(const SelectOptions& options, Json rubric)
      : options_(options), best_(options.strategy == kBestOfN), rubric_(std::move(rubric)) {
    const std::vector<std::string> names =
        best_
            ? std::vector<std::string>{"kept", "failed", "not_best", "reward_too_low", "not_scored"}
            : std::vector<std::string>{
                  "kept",      "failed", "abstained", "duplicate_text", "over_max_per_problem",
                  "not_scored"};
    for (const std::string& name : names) result.decisions.emplace_back(name, 0);
  }

  Status Read(Store* store, RunId run) {
    return store->ForEachGroup(run, /*with_texts=*/false, [&](const StoredGroup& group) -> Status {
      if (!group.error.empty()) return {};
      ProblemCandidates* problem = candidates_.Of(group.problem_id);
      problem->samples += static_cast<int64_t>(group.samples.size());
      for (const StoredSample& sample : group.samples) {
        ++result.samples;
        if (const char* dropped = Dropped(group.labels, sample)) {
          ++Count(dropped);
        } else {
          problem->candidates.push_back({sample.id, sample.text_id, sample.text_bytes,
                                         *sample.score.reward, sample.sample.truncated()});
        }
      }
      return {};
    });
  }

  std::vector<Kept> Choose() {
    std::vector<Kept> kept;
    uint64_t place = 0;
    for (ProblemCandidates& problem : candidates_.problems) {
      const size_t before = kept.size();
      if (best_) {
        ChooseBest(problem, &kept);
      } else {
        ChooseCorrect(place, &problem, &kept);
      }
      result.problems_kept += kept.size() > before;
      ++place;
    }
    // Input order reads best; for best-of-n that is already the problems' order of appearance.
    if (!best_) {
      std::sort(kept.begin(), kept.end(),
                [](const Kept& a, const Kept& b) { return a.sample_id < b.sample_id; });
    }
    result.problems = static_cast<int64_t>(candidates_.problems.size());
    result.kept = static_cast<int64_t>(kept.size());
    Count("kept") = result.kept;
    return kept;
  }

  SelectResult result;

 private:
  int64_t& Count(std::string_view decision) {
    for (auto& [name, count] : result.decisions) {
      if (name == decision) return count;
    }
    return result.decisions.emplace_back(decision, 0).second;
  }

  // Why the sample is out before it is compared with others; null if it is not.
  const char* Dropped(const std::vector<std::string>& labels, const StoredSample& sample) const {
    const SampleScore& score = sample.score;
    if (!score.reward) return "not_scored";
    if (options_.drop_truncated && sample.sample.truncated()) return "truncated";
    if (best_) {
      if (!options_.keep_failed && !PassesWhatDecides(rubric_, labels, score)) return "failed";
      const bool enough =
          options_.min_reward ? *score.reward >= *options_.min_reward : *score.reward > 0;
      return enough ? nullptr : "reward_too_low";
    }
    if (IsCorrect(score)) return nullptr;
    const bool any_fail =
        std::any_of(score.verdicts.begin(), score.verdicts.end(),
                    [](const Verdict& verdict) { return verdict.outcome == Outcome::kFail; });
    return any_fail ? "failed" : "abstained";
  }

  void ChooseBest(const ProblemCandidates& problem, std::vector<Kept>* kept) {
    if (problem.candidates.empty()) return;
    const Candidate* best = &problem.candidates[0];
    for (const Candidate& candidate : problem.candidates) {
      const auto rank = [](const Candidate& c) {
        return std::tuple(-c.reward, c.truncated, c.text_bytes, c.sample_id);
      };
      if (rank(candidate) < rank(*best)) best = &candidate;
    }
    Count("not_best") += static_cast<int64_t>(problem.candidates.size()) - 1;
    Json decision =
        Json().Set("kept", "best_reward").Set("reward", best->reward).Set("of", problem.samples);
    kept->push_back({best->sample_id, decision.Dump()});
  }

  void ChooseCorrect(uint64_t place, ProblemCandidates* problem, std::vector<Kept>* kept) {
    std::vector<Candidate>& list = problem->candidates;
    if (!options_.keep_duplicates) {
      std::unordered_set<int64_t> seen;
      const size_t before = list.size();
      std::erase_if(
          list, [&](const Candidate& candidate) { return !seen.insert(candidate.text_id).second; });
      Count("duplicate_text") += static_cast<int64_t>(before - list.size());
    }
    const size_t most = static_cast<size_t>(options_.max_per_problem);
    if (most > 0 && list.size() > most) {
      Count("over_max_per_problem") += static_cast<int64_t>(list.size() - most);
      // The stream hangs on the problem's place in the run, so neither other problems' samples nor other runs in the store
      // change the draw.
      Rng(options_.seed, "select", place).Shuffle(&list);
      list.resize(most);
    }
    for (const Candidate& candidate : list) {
      Json decision = Json()
                          .Set("kept", "all_pass")
                          .Set("reward", candidate.reward)
                          .Set("of", problem->samples);
      kept->push_back({candidate.sample_id, decision.Dump()});
    }
  }

  const SelectOptions& options_;
  const bool best_;
  const Json rubric_;
  Candidates candidates_;
};

Status CheckOptions(const SelectOptions& options) {
  const std::vector<std::string>& known = SelectStrategies();
  if (std::find(known.begin(), known.end(), options.strategy) == known.end()) {
    return Error{ErrorCode::kUsage, StrCat("unknown strategy '", options.strategy, "'"),
                 DidYouMean(options.strategy, known)};
  }
  const bool best = options.strategy == kBestOfN;
  if (best && (options.max_per_problem != 0 || options.keep_duplicates)) {
    return Error{ErrorCode::kUsage,
                 "--max-per-problem and --keep-duplicates do not go with best-of-n",
                 "best-of-n keeps one sample a problem; use --strategy all-correct"};
  }
  if (!best && (options.min_reward || options.keep_failed)) {
    return Error{ErrorCode::kUsage,
                 StrCat(options.min_reward ? "--min-reward" : "--keep-failed",
                        " does not go with all-correct"),
                 "it belongs to --strategy best-of-n"};
  }
  if (options.max_per_problem < 0)
    return Error{ErrorCode::kUsage, "--max-per-problem is negative", "give 0 for no limit"};
  return {};
}

std::string ParamsJson(const SelectOptions& options) {
  Json params = Json::MakeObject();
  if (options.strategy == kBestOfN) {
    params.Set("min_reward", options.min_reward ? Json(*options.min_reward) : Json())
        .Set("keep_failed", options.keep_failed);
  } else {
    params.Set("max_per_problem", options.max_per_problem)
        .Set("keep_duplicates", options.keep_duplicates);
    params.Set("seed", options.seed);
  }
  params.Set("drop_truncated", options.drop_truncated);
  return params.Dump();
}

}  // namespace

const std::vector<std::string>& SelectStrategies() {
  static const std::vector<std::string> kNames = {kAllCorrect, kBestOfN};
  return kNames;
}

bool IsCorrect(const SampleScore& score) {
  if (!score.reward) return false;
  bool any_pass = false;
  for (const Verdict& verdict : score.verdicts) {
    if (verdict.outcome == Outcome::kPass) any_pass = true;
    if (verdict.outcome == Outcome::kFail || verdict.outcome == Outcome::kFault) return false;
  }
  return any_pass;
}

bool PassesWhatDecides(const Json& rubric, const std::vector<std::string>& labels,
                       const SampleScore& score) {
  const Json* listed = rubric.Find("terms");
  const auto term_of = [&](size_t place) {
    const Json::Array* terms = listed != nullptr ? listed->AsArray() : nullptr;
    if (terms == nullptr || place >= labels.size()) return Json();
    for (const Json& term : *terms) {
      if (term.StringOr("label", "") == labels[place]) return term;
    }
    return Json();
  };
  const bool product = rubric.StringOr("rule", "") == "product";
  double heaviest = 0;
  for (size_t i = 0; i < score.verdicts.size(); ++i) {
    if (score.verdicts[i].outcome != Outcome::kAbstain)
      heaviest = std::max(heaviest, term_of(i).DoubleOr("weight", 1));
  }
  bool any = false;
  for (size_t i = 0; i < score.verdicts.size(); ++i) {
    const Json term = term_of(i);
    const bool decides =
        product || term.BoolOr("gate", false) || term.DoubleOr("weight", 1) >= heaviest;
    if (score.verdicts[i].outcome == Outcome::kAbstain || !decides) continue;
    if (score.verdicts[i].outcome != Outcome::kPass) return false;
    any = true;
  }
  return any;
}

Result<SelectResult> SelectSamples(Store* store, const SelectOptions& options) {
  if (Status status = CheckOptions(options); !status.ok()) return status.error();
  Result<RunRecord> run = store->FindRun(options.run);
  if (!run.ok()) return run.error();
  Result<Json> rubric = ParseJson(run->rubric_json);
  Selection selection(options, rubric.ok() ? *rubric : Json());
  if (Status status = selection.Read(store, run->id); !status.ok()) return status.error();
  const std::vector<Kept> chosen = selection.Choose();
  DatasetInfo info{options.dataset,      options.strategy, ParamsJson(options),
                   options.tool_version, run->id,          ""};
  Result<DatasetId> dataset = store->BeginDataset(info, options.replace);
  if (!dataset.ok()) return dataset.error();
  for (const Kept& kept : chosen) {
    if (Status status = store->AddDatasetRow(*dataset, kept.sample_id, kept.decision); !status.ok())
      return status.error();
  }
  if (Status status = store->FinishDataset(*dataset, selection.result.decisions); !status.ok())
    return status.error();
  selection.result.dataset = *dataset;
  selection.result.run_finished = run->finished;
  return std::move(selection.result);
}

Json SelectResult::ToJson() const {
  Json counts = Json::MakeObject();
  for (const auto& [decision, count] : decisions) counts.Set(decision, count);
  return Json()
      .Set("problems", problems)
      .Set("problems_kept", problems_kept)
      .Set("samples", samples)
      .Set("kept", kept)
      .Set("decisions", std::move(counts));
}

std::string SelectResult::ToText() const {
  std::string out =
      StrCat("kept ", WithThousands(kept), " of ", WithThousands(samples), " samples, for ",
             WithThousands(problems_kept), " of ", WithThousands(problems), " problems\n");
  for (const auto& [decision, count] : decisions) {
    if (decision != "kept" && count > 0)
      StrAppend(&out, "  ", decision, ": ", WithThousands(count), "\n");
  }
  return out;
}

}  // namespace assay
