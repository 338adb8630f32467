// The mathematical heart of the `math` verifier: reads an answer written in LaTeX or plain text into an immutable
// tree, and decides whether two such answers are the same. Parse once, compare often (a group has one gold and many
// answers). Everything here is pure, thread-safe and bounded: parsing takes time linear in the text, a comparison has
// a budget of work and ends with kLimit when it is spent; nothing throws, prints or keeps state between calls. What
// counts as equal is written in docs/math.md. Not here: finding the final answer in a whole reply (extract.h) and the
// Verifier with its options (math_verifier.cc).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay::math {

// Texts longer than this are not read (ParseError::kLimit).
inline constexpr size_t kMaxTextBytes = size_t{1} << 16;
// Nesting of brackets, fractions and powers deeper than this is not read (ParseError::kLimit).
inline constexpr int kMaxDepth = 200;
// More nodes than this in one tree are not read (ParseError::kLimit).
inline constexpr int kMaxNodes = 1 << 15;

// How a text may be read. kLatex: `E`, `ab` and `2x` as TeX would set them. kPlain: as a person or a program writes
// (`sqrt(2)`, `2**3`, `3 1/2`, `1e3`). kAuto: both, LaTeX commands and plain words in one text; the right choice
// for almost everything.
enum class Grammar { kAuto, kLatex, kPlain };

struct ParseOptions {
  Grammar grammar = Grammar::kAuto;
  // The choices of a multiple-choice question ({"A","B","C","D"}). Not empty: a text that is one of these, in either
  // case, with or without brackets, a full stop and the choice's own text after it, is read as that choice. Empty:
  // only capital letters A to J in such a frame ("(C)", "C. 12") are.
  std::vector<std::string> choices;
};

enum class ParseError {
  kNone,
  kEmpty,   // nothing but white space and markup
  kSyntax,  // no reading was found, not even as words
  kLimit,   // a limit of length, depth or size was reached
};
const char* ParseErrorName(ParseError error);  // "none", "empty", "syntax", "limit"

// What was read, for evidence and routing.
enum class AnswerKind {
  kNone,        // did not parse
  kNumber,      // a constant: 3, 1/2, sqrt(2), 3+4i
  kExpression,  // with variables or unknown functions
  kRelation,    // an equation, inequality, chain or membership
  kCollection,  // tuple, list, set, interval, union, vector, matrix
  kChoice,      // a choice letter
  kText,        // words
};
const char* AnswerKindName(AnswerKind kind);  // "number", "text", ...

// The parsed form: cheap to copy, shared, immutable. Default-constructed: not ok, ParseError::kEmpty.
class ParsedAnswer {
 public:
  ParsedAnswer();
  ~ParsedAnswer();
  ParsedAnswer(const ParsedAnswer&);
  ParsedAnswer(ParsedAnswer&&) noexcept;
  ParsedAnswer& operator=(const ParsedAnswer&);
  ParsedAnswer& operator=(ParsedAnswer&&) noexcept;

  bool ok() const { return error() == ParseError::kNone; }
  ParseError error() const;
  bool limit_reached() const { return error() == ParseError::kLimit; }
  AnswerKind kind() const;
  // Canonical one-line text of what was understood ("(1/2)*x + 3", "{1, 2}", "[0, 1)", "text: even"), at most
  // about 2,000 bytes; empty if not ok.
  std::string ToString() const;

  struct Impl;  // verifiers/math/ only
  const Impl* impl() const { return impl_.get(); }
  explicit ParsedAnswer(std::shared_ptr<const Impl> impl);

 private:
  std::shared_ptr<const Impl> impl_;
};

// Reads `text` as one answer: no surrounding prose, but `$`, `\[`, `\boxed`, `\left`, trailing punctuation, units,
// "x =" and the like are understood. Never fails in another way than through ParsedAnswer::error().
ParsedAnswer Parse(std::string_view text, const ParseOptions& options = {});

// How answers are compared. Every default is the strict one.
struct CompareOptions {
  // Empty: exact. N: constants also count as equal if they agree when rounded to N decimal places (half away
  // from zero); recorded in CompareResult::detail.
  std::optional<int> float_digits;
  // A consistent renaming of variables counts as equal: f(x) and f(y).
  bool rename_variables = false;
  // A gold that names a set (`x \in [-2,7]`, `[-2,7]`) is met by an inequality that says the same. The other
  // direction (gold an inequality, answer a set) is always allowed.
  bool inequality_for_set = true;
  // `9` is met by `9\%` (a percent sign is dropped if one side has it, as units are).
  bool percent_optional = true;
  // Lists without brackets (`4, 10, -2`) must agree in order, too.
  bool ordered_lists = false;
  // Mixed into everything that is drawn (primes, residues, sample points). No verdict should depend on it: tests compare
  // verdicts under several salts.
  uint64_t salt = 0;
};

enum class Outcome {
  kEqual,
  kUnequal,
  kLimit,  // undecided within the budget: never a pass
};

enum class Method {
  kNone,
  kExact,  // proved: rationals, algebraic numbers, identical canonical forms, disjoint balls
  kField,  // identity of rational functions modulo two secret 62-bit primes; error below 2^-80
  kBall,   // agreement of balls of `ball_bits` bits (not a proof when equal); a proof when unequal
  kText,   // compared as words
};
const char* MethodName(Method method);  // "none", "exact", "field", "ball", "text"

struct CompareResult {
  Outcome outcome = Outcome::kUnequal;
  Method method = Method::kNone;
  int ball_bits = 0;  // for kBall: the precision reached
  std::string
      detail;  // a few words where there is more to say ("rounded to 6 decimal places", "units differ")

  bool equal() const { return outcome == Outcome::kEqual; }
  std::string MethodText() const;  // "exact", "field", "ball(320)", "text"
};

// Decides. The result does not depend on the order of the two, unless `inequality_for_set` is false, the one option that tells
// gold from answer. An argument that is not ok() equals nothing.
CompareResult Compare(const ParsedAnswer& gold, const ParsedAnswer& answer,
                      const CompareOptions& options = {});

}  // namespace assay::math
