#include "python/scores.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "core/hash.h"
#include "core/text.h"
#include "datagen/score/score_line.h"
#include "datagen/score/verdict_tally.h"
#include "python/convert.h"

namespace nb = nanobind;

namespace assay::python {
namespace {

nb::object RewardOf(const SampleScore& score) {
  return score.reward ? nb::object(nb::float_(*score.reward)) : nb::object(nb::none());
}

nb::object AdvantageOf(const SampleScore& score) {
  return score.advantage.mask ? nb::object(nb::float_(score.advantage.value))
                              : nb::object(nb::none());
}

// The first term that kept the sample from being scored.
nb::object ReasonOf(const SampleScore& score) {
  if (score.reward) return nb::none();
  const Verdict* why = nullptr;
  for (const Verdict& verdict : score.verdicts) {
    if (verdict.outcome == Outcome::kFault) {
      why = &verdict;
      break;
    }
    if (why == nullptr && verdict.outcome == Outcome::kAbstain) why = &verdict;
  }
  if (why == nullptr) return nb::str("not_scored");
  return ToStr(why->detail.empty() ? why->reason : StrCat(why->reason, ": ", why->detail));
}

// Texts that come again and again, each made once.
class Texts {
 public:
  nb::object Of(const std::string& text) {
    auto [at, is_new] = made_.try_emplace(text);
    if (is_new) at->second = ToStr(text);
    return at->second;
  }

 private:
  std::unordered_map<std::string, nb::object> made_;
};

// What `Columns` gives, sample by sample.
class ColumnWriter {
 public:
  // Null `score`: a row that could not be read.
  void Add(size_t row, size_t number, const GroupScore* group, const SampleScore* score,
           bool in_group, nb::object reason) {
    if (group != nullptr) {
      for (const std::string& label : group->labels) MeetTerm(label);
    }
    row_.append(row);
    sample_.append(number);
    reward_.append(score == nullptr ? nb::none() : RewardOf(*score));
    advantage_.append(score == nullptr || !in_group ? nb::none() : AdvantageOf(*score));
    reason_.append(reason);
    for (Term& term : terms_)
      AddVerdict(group == nullptr ? nullptr : VerdictOf(term.label, *group, *score), &term);
  }

  nb::dict Take() {
    nb::dict out;
    out["row"] = row_;
    out["sample"] = sample_;
    out["reward"] = reward_;
    out["advantage"] = advantage_;
    out["reason"] = reason_;
    for (const Term& term : terms_) {
      out[ToStr(term.label)] = term.score;
      out[ToStr(StrCat(term.label, "_outcome"))] = term.outcome;
      out[ToStr(StrCat(term.label, "_reason"))] = term.reason;
    }
    return out;
  }

 private:
  struct Term {
    std::string label;
    nb::list score, outcome, reason;
  };

  static const Verdict* VerdictOf(const std::string& label, const GroupScore& group,
                                  const SampleScore& score) {
    const auto at = std::find(group.labels.begin(), group.labels.end(), label);
    return at == group.labels.end()
               ? nullptr
               : &score.verdicts[static_cast<size_t>(at - group.labels.begin())];
  }

  // A term that was not there before gets its lines for the samples so far.
  void MeetTerm(const std::string& label) {
    for (const Term& term : terms_) {
      if (term.label == label) return;
    }
    terms_.push_back({label, {}, {}, {}});
    for (size_t i = 0; i < row_.size(); ++i) AddVerdict(nullptr, &terms_.back());
  }

  void AddVerdict(const Verdict* verdict, Term* term) {
    term->score.append(verdict == nullptr ? nb::none() : nb::object(nb::float_(verdict->score)));
    term->outcome.append(verdict == nullptr ? nb::none()
                                            : texts_.Of(OutcomeName(verdict->outcome)));
    term->reason.append(verdict == nullptr ? nb::none() : texts_.Of(verdict->reason));
  }

  nb::list row_, sample_, reward_, advantage_, reason_;
  std::vector<Term> terms_;
  Texts texts_;
};

}  // namespace

Scores::Scores(std::vector<ScoredGroup> groups, std::vector<RowPlace> places)
    : groups_(std::move(groups)), places_(std::move(places)) {}

void Scores::CheckRow(size_t row) const {
  if (row >= places_.size()) throw nb::index_error("no such row");
}

template <typename Of>
nb::object Scores::OfRow(size_t row, Of of) const {
  const RowPlace& place = places_[row];
  if (place.group < 0) return nb::none();
  const ScoredGroup& group = groups_[static_cast<size_t>(place.group)];
  if (place.sample >= 0)
    return of(group.score, group.score.samples[static_cast<size_t>(place.sample)]);
  nb::list out;
  for (const SampleScore& sample : group.score.samples) out.append(of(group.score, sample));
  return out;
}

nb::list Scores::Rewards() const {
  nb::list out;
  for (size_t row = 0; row < places_.size(); ++row)
    out.append(OfRow(row, [](const GroupScore&, const SampleScore& s) { return RewardOf(s); }));
  return out;
}

nb::list Scores::Advantages() const {
  nb::list out;
  for (size_t row = 0; row < places_.size(); ++row) {
    const RowPlace& place = places_[row];
    const bool lone = place.group >= 0 && place.sample >= 0 &&
                      !groups_[static_cast<size_t>(place.group)].in_group;
    out.append(
        lone ? nb::object(nb::none())
             : OfRow(row, [](const GroupScore&, const SampleScore& s) { return AdvantageOf(s); }));
  }
  return out;
}

nb::object Scores::Verdicts(size_t row) const {
  CheckRow(row);
  return OfRow(row, [](const GroupScore& group, const SampleScore& sample) {
    nb::dict out;
    for (size_t t = 0; t < group.labels.size(); ++t)
      out[ToStr(group.labels[t])] = FromJson(VerdictToJson(sample.verdicts[t], /*with_ms=*/true));
    return nb::object(out);
  });
}

nb::dict Scores::Columns() const {
  ColumnWriter out;
  for (size_t row = 0; row < places_.size(); ++row) {
    const RowPlace& place = places_[row];
    if (place.group < 0) {
      out.Add(row, 0, nullptr, nullptr, false, ToStr(place.error));
      continue;
    }
    const ScoredGroup& group = groups_[static_cast<size_t>(place.group)];
    const std::vector<SampleScore>& samples = group.score.samples;
    if (place.sample >= 0) {
      const SampleScore& sample = samples[static_cast<size_t>(place.sample)];
      out.Add(row, 0, &group.score, &sample, group.in_group, ReasonOf(sample));
      continue;
    }
    for (size_t i = 0; i < samples.size(); ++i)
      out.Add(row, i, &group.score, &samples[i], true, ReasonOf(samples[i]));
  }
  return out.Take();
}

nb::object Scores::Parts(size_t row) const {
  CheckRow(row);
  return OfRow(row, [](const GroupScore& group, const SampleScore& sample) {
    nb::dict out;
    for (size_t t = 0; t < group.labels.size(); ++t) {
      const bool there = t < sample.parts.size() && sample.parts[t];
      out[ToStr(group.labels[t])] =
          there ? nb::object(nb::float_(*sample.parts[t])) : nb::object(nb::none());
    }
    return nb::object(out);
  });
}

nb::object Scores::Reason(size_t row) const {
  CheckRow(row);
  const RowPlace& place = places_[row];
  if (place.group < 0) return ToStr(place.error);
  const GroupScore& score = groups_[static_cast<size_t>(place.group)].score;
  if (place.sample >= 0) return ReasonOf(score.samples[static_cast<size_t>(place.sample)]);
  for (const SampleScore& sample : score.samples) {
    if (!sample.reward) return ReasonOf(sample);
  }
  return nb::none();
}

std::string Scores::Line(size_t row, bool with_times) const {
  CheckRow(row);
  const RowPlace& place = places_[row];
  std::string out;
  if (place.group < 0) {
    AppendErrorLine("", static_cast<int64_t>(row) + 1, {ErrorCode::kInput, place.error, ""}, &out);
    return out;
  }
  const ScoredGroup& group = groups_[static_cast<size_t>(place.group)];
  ScoreLineStyle style;
  style.with_times = with_times;
  if (!group.in_group) {
    AppendScoreLine(group.group, group.score, style, &out);
    return out;
  }
  const auto at = static_cast<size_t>(place.sample);
  const Problem& problem = group.problems.size() > at ? group.problems[at] : group.group.problem;
  AppendFlatScoreLine(problem, group.group.samples[at], group.score, at, /*in_group=*/true, style,
                      &out);
  return out;
}

nb::object Scores::Summary() const {
  std::map<std::string, VerdictTally> terms;
  int64_t samples = 0, scored = 0, bad = 0;
  double sum = 0;
  for (const ScoredGroup& group : groups_) {
    for (const SampleScore& sample : group.score.samples) {
      ++samples;
      if (sample.reward) {
        ++scored;
        sum += *sample.reward;
      }
      for (size_t t = 0; t < group.score.labels.size(); ++t)
        terms[group.score.labels[t]].Add(sample.verdicts[t]);
    }
  }
  for (const RowPlace& place : places_) bad += place.group < 0 ? 1 : 0;
  Json by_term = Json::MakeObject();
  for (const auto& [label, tally] : terms) by_term.Set(label, tally.ToJson());
  return FromJson(
      Json()
          .Set("rows", static_cast<int64_t>(places_.size()))
          .Set("bad_rows", bad)
          .Set("groups", static_cast<int64_t>(groups_.size()))
          .Set("samples", samples)
          .Set("scored", scored)
          .Set("reward_mean", scored > 0 ? Json(sum / static_cast<double>(scored)) : Json())
          .Set("terms", std::move(by_term)));
}

// A row's place among the rows of the call stands for a line of a file.
Status Scores::AddTo(Store* store, const RunInfo& info) const {
  Result<RunId> run = store->BeginRun(info, /*resume=*/false);
  if (!run.ok()) return run.error();
  int64_t next_group = 0;
  for (size_t row = 0; row < places_.size(); ++row) {
    const RowPlace& place = places_[row];
    RowKey key;
    key.file = "python";
    key.line = static_cast<int64_t>(row) + 1;
    Status status;
    if (place.group < 0) {
      status = store->AddBadRow(*run, key, place.error);
    } else if (place.group >= next_group) {  // the first row of its group
      const ScoredGroup& group = groups_[static_cast<size_t>(place.group)];
      next_group = place.group + 1;
      status = store->AddGroup(*run, key, group.group, group.score, /*with_times=*/true);
    }
    if (status.ok() && store->ShouldCommit()) status = store->Commit();
    if (!status.ok()) return status;
  }
  return store->FinishRun(*run);
}

}  // namespace assay::python
