// Built-in problem generators: seeded, endless, each row with what judges it. A problem is a pure function of kind, level, language,
// seed and number, the same on every machine. Which split it belongs to is decided by a hash of its content (its numbers and its
// shape, not its wording), so that no problem of `heldout` is ever in `train`, in no language and under no seed. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/options.h"
#include "core/result.h"

namespace assay {

struct ProblemKindInfo {
  std::string_view name;
  std::string_view summary;
  int64_t levels;                           // difficulty, from 1
  std::vector<std::string_view> languages;  // of its prompts
  bool worked;                              // it knows the steps to its answer
};
const std::vector<ProblemKindInfo>& ProblemKinds();

enum class SolutionStyle : uint8_t {
  kNone,     // a problem alone
  kDirect,   // the answer, next to no reasoning
  kWorked,   // every step in a sentence of the prompt's language
  kTerse,    // every step, no words
  kMixed,    // every step, each sentence in a language drawn anew
  kNatural,  // any of these, with tags around the reasoning or without: how people write
};

struct ProblemOptions {
  std::string kind = "arithmetic";
  int64_t count = 100;
  std::string level = "all";     // "2,3": in turn
  std::string languages = "en";  // "en,zh": in turn; "all"
  std::string split = "train";   // train | heldout: one problem in ten
  SolutionStyle solutions = SolutionStyle::kNone;
  std::string form = "think";  // of solutions: think | none (no tags)
  uint64_t seed = 0;
};
// The table of what may be set; it points into *options.
Options ProblemOptionTable(ProblemOptions* options);

// Rows in the form that `assay score` and the trainers read: id, task, kind, level, language, split, prompt, answer or
// verification_info, options of the verifier, and, with solutions, completion.
class ProblemSource {
 public:
  // Errors: kUsage (an unknown kind or language, a level that the kind lacks, solutions of a kind that knows no steps).
  static Result<ProblemSource> Make(const ProblemOptions& options);
  // Row number `index`, from 0.
  Json Row(int64_t index) const;

 private:
  ProblemOptions options_;
  const ProblemKindInfo* kind_ = nullptr;
  size_t kind_index_ = 0;
  std::vector<std::string> languages_;
  std::vector<int64_t> levels_;
};

}  // namespace assay
