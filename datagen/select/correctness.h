// When a stored sample counts as right. Pure functions; thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/json.h"
#include "verifiers/rubric.h"

namespace assay {

// True if every verdict but abstentions passes, and there is one.
bool IsCorrect(const SampleScore& score);

// True if the terms that carry the reward pass: of those that did not abstain the ones of the greatest weight, and every gate; under the
// rule "product" all of them. `rubric` is a RubricSpec::ToJson(); a term that it does not list weighs 1.
bool PassesWhatDecides(const Json& rubric, const std::vector<std::string>& labels,
                       const SampleScore& score);

// The same for many samples of one run: the rubric is read once.
class Deciders {
 public:
  explicit Deciders(const Json& rubric);
  bool Pass(const std::vector<std::string>& labels, const SampleScore& score) const;

 private:
  struct Term {
    std::string label;
    double weight = 1;
    bool gate = false;
  };
  const Term& Of(const std::vector<std::string>& labels, size_t place) const;

  bool product_ = false;
  std::vector<Term> terms_;
};

}  // namespace assay
