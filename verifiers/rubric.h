// Rubric: which verifiers, with which weights and rules, and the one function that folds their verdicts into a
// Reward. What is logged is what is trained on. A Rubric is immutable once made and safe from many threads.
//
// TOML form (`--rubric FILE.toml`):
//   name = "math-with-format"
//   rule = "sum"                  # sum | product | gate
//   [[term]]
//   verifier = "math"
//   weight = 1.0                  # default 1
//   gate = false                  # true: if this term does not pass, the reward is what the gates alone earn: 0
//   options = { mode = "completion" }
//
// Folding, over the terms that did not abstain: any fault makes the reward null; sum: sum of weight * score; product:
// product of score^weight; gate: 0 unless every gate term passes, else the sum of the others. All terms abstaining: null.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/types.h"
#include "verifiers/verifier.h"

namespace assay {

struct RubricTerm {
  std::string verifier;  // name in the built-in table
  std::string label;     // key in the output; the verifier's name unless given
  double weight = 1.0;
  bool gate = false;
  Json options;  // object or null
};

struct RubricSpec {
  enum class Rule { kSum, kProduct, kGate };
  std::string name;
  Rule rule = Rule::kSum;
  std::vector<RubricTerm> terms;  // empty: the row's `task` decides

  // The canonical JSON of all that decides a reward (hashed for --resume and stored with a run).
  Json ToJson() const;
};

// From `--verifier a,b` (each weighs 1).
Result<RubricSpec> RubricFromNames(const std::string& comma_separated);
// From a TOML file's text; errors name the line.
Result<RubricSpec> RubricFromToml(const std::string& text, const std::string& file_name);

// What may stand in such a file.
std::vector<OptionInfo> RubricOptionInfos();

// One sample's result.
struct SampleScore {
  std::vector<Verdict> verdicts;  // one for each term, in order
  Reward reward;
  Advantage advantage;
};

struct GroupScore {
  std::vector<std::string> labels;   // one for each term
  std::vector<SampleScore> samples;  // as many as the group's
};

class Rubric {
 public:
  static Result<std::unique_ptr<Rubric>> Make(const RubricSpec& spec, const VerifierEnv& env);
  ~Rubric();

  const RubricSpec& spec() const;
  // Verdicts, rewards and group-relative advantages of one group. Never fails: what goes wrong is a fault. With no terms,
  // the problem's task names the verifier; an unknown or missing task is an abstention with reason "no_task", a verifier
  // that cannot be made here a fault "verifier_unavailable".
  GroupScore Score(const Group& group) const;
  // The first verifier that could not be made for a task, so that a run can stop instead of filling up with faults.
  std::optional<Error> failure() const;

  // The pure folding step, for one sample. `terms` and `verdicts` are of one length.
  static Reward Fold(const RubricSpec& spec, const std::vector<RubricTerm>& terms,
                     const std::vector<Verdict>& verdicts);

 private:
  Rubric();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
