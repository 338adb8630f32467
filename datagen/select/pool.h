// Pool: every sample of the runs that a selection looks at, with what its stages need of it: numbers, never texts. A stage drops samples
// with a reason; what is left at the end is kept. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "datagen/select/select_options.h"

namespace assay {

// Why a sample is out, in the order in which the stages ask; kKept: it is in.
enum class Reason : uint8_t {
  kKept,
  kNotScored,
  kTruncated,
  kFinishReason,
  kAbstained,
  kFailed,
  kRewardTooLow,
  kRewardTooHigh,
  kVerdict,
  kTooShort,
  kTooLong,
  kNoTokenCount,
  kNoMatch,
  kForbiddenMatch,
  kLanguage,
  kRepetition,
  kReadability,
  kShape,
  kPassRate,
  kNoMajority,
  kNotMajority,
  kDuplicateText,
  kDuplicateAcross,
  kContaminated,
  kNearDuplicate,
  kNotBest,
  kNotShortest,
  kNoCost,
  kNotFastest,
  kNotInTop,
  kLessDiverse,
  kNoPair,
  kOverMaxPerProblem,
  kOverBalance,
  kOverMaxSamples,
  kReasons,
};
// "kept", "not_scored", ...: stable, they stand in stores.
const char* ReasonName(Reason reason);

inline constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

struct Candidate {
  int64_t sample_id = 0;
  int64_t text_id = 0;
  int64_t length = 0;  // in the unit that was asked for
  double reward = 0;
  double cost = 0;             // fastest-correct; NaN: unknown
  uint32_t problem = 0;        // place among the problems
  uint32_t answer = kNone;     // majority: which answer, counted within the problem
  uint32_t signature = kNone;  // place among the signatures
  Reason reason = Reason::kKept;
  bool scored = false;
  bool truncated = false;
  bool right = false;  // passes what decides

  bool in() const { return reason == Reason::kKept; }
};

struct PooledProblem {
  int64_t prompt_id = 0;
  std::string task;
  std::string bucket;         // of --balance, unless that is by difficulty
  std::string contamination;  // the hit of its prompt; empty: none
  int64_t scored = 0, right = 0;
  std::vector<uint32_t> samples;  // places in Pool::samples, in input order

  double pass_rate() const {
    return scored > 0 ? static_cast<double>(right) / static_cast<double>(scored) : 0;
  }
};

// A sample that is kept, why, and in a preference pair the one that loses.
struct Kept {
  uint32_t place = 0;
  uint32_t rejected = kNone;
  std::string decision;  // JSON
  std::string split{};
};

class Pool {
 public:
  // The problem's place; problems stand in order of first appearance.
  uint32_t ProblemPlace(int64_t problem_id);

  void Drop(uint32_t place, Reason reason, std::string detail = "");
  // The samples of a problem that are in, in input order.
  std::vector<uint32_t> In(const PooledProblem& problem) const;
  const uint16_t* Signature(uint32_t place, int size) const {
    return &signatures[static_cast<size_t>(samples[place].signature) * static_cast<size_t>(size)];
  }
  // How many samples are out for which reason, "kept" first; reasons without samples are left out.
  std::vector<std::pair<std::string, int64_t>> Decisions() const;

  std::vector<Candidate> samples;
  std::vector<PooledProblem> problems;
  std::vector<uint16_t> signatures;                        // one behind the other
  std::unordered_map<uint32_t, std::string> details;       // of dropped samples, by place
  std::unordered_map<uint32_t, std::string> contaminated;  // hits of completions, by place

 private:
  std::unordered_map<int64_t, uint32_t> places_;
};

}  // namespace assay
