// The arithmetic of a rubric: from the verdicts of a group to each term's value, and from a sample's values to its reward and the
// parts that it is made of. rubric.h says the rules. Pure; thread-safe.
#pragma once

#include <optional>
#include <vector>

#include "core/types.h"
#include "verifiers/rubric.h"

namespace assay {

// What one term says of one sample, ready to be weighed.
struct TermValue {
  enum class Kind { kValue, kLeftOut, kFault };
  Kind kind = Kind::kLeftOut;
  double value = 0;     // in [0, 1]
  bool passes = false;  // as a gate
};

// Of one sample by itself; `relative` is not looked at.
TermValue ValueOf(const RubricTerm& term, const Verdict& verdict);

// One term's values over its group: `verdicts` and `samples` are of one length.
//   rank      the share of the group's other judged samples that score less, a tie counting half; alone: left out.
//   shortest  0 unless it passes, else (length of the shortest that passes) / (its own); tokens where all are known, else characters.
//   fastest   the same with the verdict's evidence "cpu_ms", or else "bytecodes"; left out if it passes without such.
std::vector<TermValue> ValuesOf(const RubricTerm& term, const std::vector<Verdict>& verdicts,
                                const std::vector<Sample>& samples);

struct Folded {
  Reward reward;
  std::vector<std::optional<double>> parts;  // SampleScore::parts
};

// `terms` and `values` are of one length.
Folded FoldValues(const RubricSpec& spec, const std::vector<RubricTerm>& terms,
                  const std::vector<TermValue>& values);

// The least and the most that a reply can earn whose gates pass, with nothing left out.
struct RewardRange {
  double least = 0, most = 0;
};
RewardRange RangeOf(const RubricSpec& spec);

}  // namespace assay
