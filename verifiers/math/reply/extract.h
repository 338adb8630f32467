// Finds the final answer in a model's reply and says where it stood and by which rule it was taken. Rules, in this order
// (docs/math.md; where each stands: rules.h): the last box, the final-answer anchors ("the answer is", "A:", and their like in
// other languages), `####`, a last formula, bold span or sentence-final `=`, and, only if asked for, the last number; before
// and after the anchors, a reply that is nothing but an answer. An answer that the reply negates, hedges, asks about, retracts or
// merely quotes is not taken. Pure, thread-safe, linear in the reply's length. It knows nothing of values: whether "3 or 4"
// equals a gold is Compare's to say.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::math {

enum class Mode {
  kCompletion,       // a whole reply
  kBare,             // the text is the answer
  kLatex,            // boxes, anchors and formulas; never plain text
  kExpr,             // anchors and plain expressions, the last number included
  kLatexExpr,        // both
  kString,           // one of the choices, as a word
  kBoxedAfterThink,  // a box behind a closed think block, nothing else
  kCompletionThink,  // as kCompletion, but nothing counts before the reasoning is closed
};
const char* ModeName(Mode mode);
std::optional<Mode> ModeFromName(std::string_view name);
const std::vector<std::string>& ModeNames();

struct ExtractOptions {
  Mode mode = Mode::kCompletion;
  std::vector<std::string> choices;  // for kString, and preferred in anchors elsewhere
  std::string
      language;  // "": anchors of every language; "french" or "fr": of that one and of English
  bool last_number = false;
  bool truncated = false;  // the reply was cut off: what its end cuts is no answer
  bool trusted = false;    // a gold: what it says last is not searched for retractions
};

enum class Rule {
  kNone,
  kBare,
  kWhole,
  kBox,
  kAnchor,
  kHash,
  kFormula,
  kBold,
  kEquals,
  kNumber,
  kChoice
};
const char* RuleName(
    Rule
        rule);  // "none", "bare", "whole", "box", "anchor", "hash", "formula", "bold", "equals", "number", "choice"

struct Extraction {
  Rule rule = Rule::kNone;
  std::string text;  // the answer, frame and markup removed; several boxes joined by ", "
  size_t begin = 0;  // bytes [begin, end) of the reply that it was taken from
  size_t end = 0;
  // Why there is none: "empty", "unclosed_think", "no_think", "no_box", "negated", "hedged", "question", "retracted",
  // "quoted", "not_found"; "" if found.
  const char* refusal = "";
  const char* language = "";  // of the anchor ("en", "fr", ..), if one was used

  bool found() const { return rule != Rule::kNone; }
};

Extraction ExtractAnswer(std::string_view reply, const ExtractOptions& options);

// True if a gold should be read as a worked solution: it has a box, or a line that starts with `####`.
bool HasAnswerFrame(std::string_view gold);

}  // namespace assay::math
