// What an answer's text was read as: an immutable tree behind one pointer, with the limits of reading. Part of math.h.
#pragma once

#include <cstddef>
#include <memory>
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

}  // namespace assay::math
