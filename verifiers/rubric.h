// Rubric: which verifiers, with which weights and rules, and the one function that folds their verdicts into a
// Reward. What is logged is what is trained on. A Rubric is immutable once made and safe from many threads.
//
// TOML form (`--rubric FILE.toml`; docs/rubrics.md has every key and worked ones):
//   name = "math-with-format"
//   rule = "sum"                  # sum | product | gate | min
//   [[term]]
//   verifier = "math"
//   weight = 1.0                  # default 1
//   gate = false                  # true: if this term does not pass, the reward is `gate_reward`, and nothing else counts
//   when = { task = "math" }      # other rows leave the term out
//   options = { mode = "completion" }
//
// How verdicts become a reward, in this order:
//   routing   a term whose `when` does not fit the row (or whose `unless` does) abstains: reason "not_routed".
//   value     the verdict's score; `relative` puts what it is worth within its group in its place; `threshold` makes that 0 or 1.
//   faults    make the whole reward null, unless the term's `on_fault` says skip or fail. Abstentions are left out; all left
//             out: null.
//   part      sum, gate: weight * value (penalty: -weight * (1 - value)); product: value^weight; min: weight * value; then
//             within the term's `min` and `max`.
//   gates     one does not pass: `gate_reward`. Under the rules gate and min, gates bring nothing of their own.
//   reward    the sum, product or least of the parts, within the rubric's `min` and `max`.
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
  enum class Relative { kNone, kRank, kShortest, kFastest };
  enum class OnFault { kNull, kSkip, kFail };

  std::string verifier;  // name in the built-in table
  std::string label;     // key in the output; the verifier's name unless given
  double weight = 1.0;
  bool gate = false;
  Json options;       // object or null
  Json when, unless;  // verifiers/rubric_route.h; null: every row
  Relative relative = Relative::kNone;
  std::optional<double> threshold;
  bool penalty = false;
  std::optional<double> min, max;  // of its part
  OnFault on_fault = OnFault::kNull;
};

struct RubricSpec {
  enum class Rule { kSum, kProduct, kGate, kMin };
  std::string name;
  Rule rule = Rule::kSum;
  double gate_reward = 0;
  std::optional<double> min, max;
  bool parts = false;             // score's lines say each term's part
  std::vector<RubricTerm> terms;  // empty: the row's `task` decides
  std::string folder;             // of its file: VerifierEnv::folder; decides no reward

  // The canonical JSON of all that decides a reward (hashed for --resume and stored with a run). Keys that rubrics did not have
  // at first stand in it only where they are set, so that what older runs stored still compares.
  Json ToJson() const;
};

// From `--verifier a,b` (each weighs 1).
Result<RubricSpec> RubricFromNames(const std::string& comma_separated);
// From a TOML file's text; errors name the line.
Result<RubricSpec> RubricFromToml(const std::string& text, const std::string& file_name);
// From the same keys as an object (`term` is a list of objects); errors name the place ("NAME: term[0].weight: ..").
Result<RubricSpec> RubricFromJson(const Json& keys, const std::string& name);

// What may stand in such a file.
std::vector<OptionInfo> RubricOptionInfos();

// One sample's result.
struct SampleScore {
  std::vector<Verdict> verdicts;  // one for each term, in order
  Reward reward;
  Advantage advantage;
  // What each term brought: they add up (or multiply, or are the least) to the reward, but for the rubric's clamp and gates that
  // did not pass (all are 0 then). Empty: left out, or the reward is null. No entries where a score was read from a store.
  std::vector<std::optional<double>> parts;
};

struct GroupScore {
  std::vector<std::string> labels;   // one for each term
  std::vector<SampleScore> samples;  // as many as the group's
  bool show_parts = false;           // the rubric's `parts`
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
  // The same for several groups at once, in order; what one gets never depends on the others.
  std::vector<GroupScore> ScoreGroups(const std::vector<const Group*>& groups) const;
  // How many samples are best given to ScoreGroups at a time: 0: no matter; 1: one group, since each takes long.
  int64_t BatchSamples() const;
  // What the verifiers want a person to read when all is scored.
  std::vector<std::string> Notes() const;
  // The first verifier that could not be made for a task, so that a run can stop instead of filling up with faults.
  std::optional<Error> failure() const;

  // The pure folding step, for one sample without a group: `relative` is not looked at. `terms` and `verdicts` are of one
  // length.
  static Reward Fold(const RubricSpec& spec, const std::vector<RubricTerm>& terms,
                     const std::vector<Verdict>& verdicts);

 private:
  Rubric();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
