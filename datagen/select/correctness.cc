#include "datagen/select/correctness.h"

#include <algorithm>

namespace assay {

bool IsCorrect(const SampleScore& score) {
  if (!score.reward) return false;
  bool any_pass = false;
  for (const Verdict& verdict : score.verdicts) {
    if (verdict.outcome == Outcome::kPass) any_pass = true;
    if (verdict.outcome == Outcome::kFail || verdict.outcome == Outcome::kFault) return false;
  }
  return any_pass;
}

Deciders::Deciders(const Json& rubric) : product_(rubric.StringOr("rule", "") == "product") {
  const Json* listed = rubric.Find("terms");
  const Json::Array* terms = listed != nullptr ? listed->AsArray() : nullptr;
  if (terms == nullptr) return;
  for (const Json& term : *terms) {
    terms_.push_back({std::string(term.StringOr("label", "")), term.DoubleOr("weight", 1),
                      term.BoolOr("gate", false)});
  }
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

bool PassesWhatDecides(const Json& rubric, const std::vector<std::string>& labels,
                       const SampleScore& score) {
  return Deciders(rubric).Pass(labels, score);
}

}  // namespace assay
