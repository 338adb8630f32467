#include "datagen/select/correctness.h"

#include <algorithm>

namespace assay {

Deciders::Deciders(const Json& rubric) : product_(rubric.StringOr("rule", "") == "product") {
  const Json* listed = rubric.Find("terms");
  const Json::Array* terms = listed != nullptr ? listed->AsArray() : nullptr;
  if (terms == nullptr) return;
  for (const Json& term : *terms) {
    terms_.push_back({std::string(term.StringOr("label", "")), term.DoubleOr("weight", 1),
                      term.BoolOr("gate", false), term.BoolOr("penalty", false)});
  }
  all_count_ = std::none_of(terms_.begin(), terms_.end(), [](const Term& t) { return t.counts(); });
}

const Deciders::Term& Deciders::Of(const std::vector<std::string>& labels, size_t place) const {
  static const Term kUnlisted;
  if (place >= labels.size()) return kUnlisted;
  const auto found = std::find_if(terms_.begin(), terms_.end(),
                                  [&](const Term& term) { return term.label == labels[place]; });
  return found == terms_.end() ? kUnlisted : *found;
}

bool Deciders::Pass(const std::vector<std::string>& labels, const SampleScore& score) const {
  double heaviest = 0;
  for (size_t i = 0; i < score.verdicts.size(); ++i) {
    if (score.verdicts[i].outcome != Outcome::kAbstain)
      heaviest = std::max(heaviest, Of(labels, i).weight);
  }
  bool any = false;
  for (size_t i = 0; i < score.verdicts.size(); ++i) {
    const Term& term = Of(labels, i);
    const bool decides = product_ || term.gate || term.weight >= heaviest;
    if (score.verdicts[i].outcome == Outcome::kAbstain || !decides) continue;
    if (score.verdicts[i].outcome != Outcome::kPass) return false;
    any = true;
  }
  return any;
}

bool Deciders::Counts(const std::vector<std::string>& labels, size_t place) const {
  return all_count_ || Of(labels, place).counts();
}

bool Deciders::Correct(const std::vector<std::string>& labels, const SampleScore& score) const {
  if (!score.reward) return false;
  bool any_pass = false;
  for (size_t i = 0; i < score.verdicts.size(); ++i) {
    const Outcome outcome = score.verdicts[i].outcome;
    if (outcome == Outcome::kAbstain || !Counts(labels, i)) continue;
    if (outcome != Outcome::kPass) return false;
    any_pass = true;
  }
  return any_pass;
}

bool Deciders::Fails(const std::vector<std::string>& labels, const SampleScore& score) const {
  for (size_t i = 0; i < score.verdicts.size(); ++i) {
    if (score.verdicts[i].outcome == Outcome::kFail && Counts(labels, i)) return true;
  }
  return false;
}

bool PassesWhatDecides(const Json& rubric, const std::vector<std::string>& labels,
                       const SampleScore& score) {
  return Deciders(rubric).Pass(labels, score);
}

}  // namespace assay
