// When a stored sample counts as right. Pure functions; thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/json.h"
#include "verifiers/rubric.h"

namespace assay {

// True if the terms that carry the reward pass: of those that did not abstain the ones of the greatest weight, and every gate; under the
// rule "product" all of them. `rubric` is a RubricSpec::ToJson(); a term that it does not list weighs 1.
bool PassesWhatDecides(const Json& rubric, const std::vector<std::string>& labels,
                       const SampleScore& score);

// The same for many samples of one run: the rubric is read once.
class Deciders {
 public:
  explicit Deciders(const Json& rubric);
  bool Pass(const std::vector<std::string>& labels, const SampleScore& score) const;
  // True if it is scored, every verdict but abstentions passes, and there is one. Terms that weigh nothing or are penalties, and are no
  // gates, do not matter, unless there are no others.
  bool Correct(const std::vector<std::string>& labels, const SampleScore& score) const;
  // True if one of those verdicts is a fail.
  bool Fails(const std::vector<std::string>& labels, const SampleScore& score) const;

 private:
  struct Term {
    std::string label;
    double weight = 1;
    bool gate = false;
    bool penalty = false;
    // Says whether an answer is right.
    bool counts() const { return gate || (weight > 0 && !penalty); }
  };
  bool Counts(const std::vector<std::string>& labels, size_t place) const;
  const Term& Of(const std::vector<std::string>& labels, size_t place) const;

  bool product_ = false;
  bool all_count_ = true;  // no term does, or every one
  std::vector<Term> terms_;
};

}  // namespace assay
