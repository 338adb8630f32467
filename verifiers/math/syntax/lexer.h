// Turns an answer's text into tokens for the parser: Unicode signs, digits and fractions become their LaTeX spelling first,
// layout commands vanish, numbers are read whole. Linear time. Private to verifiers/math.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "verifiers/math/syntax/parsed_answer.h"
#include "verifiers/math/syntax/tree.h"

namespace assay::math {

enum class Tok : uint8_t {
  kEnd,
  kNumber,  // text: digits, one point, exponent; aux 1: has a point or exponent
  kLetter,  // one Latin letter
  kGreek,   // text: name
  kWord,    // two or more letters in a row
  kText,    // the content of \text{..} and its like
  kConst,   // aux: ConstId
  kFunc,    // aux: FuncId
  kLog,     // aux 0: \log, 1: \lg (base 10)
  kNary,    // aux: 0 sum, 1 prod, 2 int, 3 lim
  kFrac,
  kSqrt,
  kBinom,
  kChoose,  // infix \choose
  kOver,    // infix \over
  kFn,      // gcd, lcm, max, min: aux = Op
  kStyled,  // \mathbb (0), \vec and the like that change nothing (1), \bar (2), \hat (3), \dot.. (4), \tilde (5), \overline (6)
  kBoxed,
  kBegin,   // \begin{text}
  kEndEnv,  // \end{text}
  kPlus,
  kMinus,
  kPm,  // kPm: aux 0 or 1
  kStar,
  kSlash,
  kMod,
  kPmod,
  kCaret,
  kUnder,
  kBang,
  kPrime,
  kPercent,
  kDegree,  // kDegree: aux 0..2
  kComma,
  kSemi,
  kColon,
  kRel,    // aux: RelOp character
  kSetOp,  // aux 0 union, 1 intersection, 2 difference
  kOpen,
  kClose,  // aux: ( [ { < F (floor) C (ceil) ; kClose: ) ] } > F C
  kGroupOpen,
  kGroupClose,  // TeX braces
  kBar,
  kBarOpen,
  kBarClose,
  kNormBar,
  kNamedSet,  // aux: letter or 0
  kAmp,
  kRowSep,
  kMoney,  // aux: CurrencyOf
  kEllipsis,
  kNot,
  kUnknown,  // a command that is not known; text: its name
  kIgnored,
};

// aux of a kFunc token that is no FuncId: cis x = cos x + i sin x.
inline constexpr uint8_t kCis = 255;

struct Token {
  Tok kind = Tok::kEnd;
  uint8_t aux = 0;
  bool space = false;  // white space before
  bool wide = false;   // a \quad or more before
  uint32_t pos = 0;    // offset in Lexed::text
  std::string_view text;
};

// Not movable in practice: tokens point into `text` and `extra`.
struct Lexed {
  Lexed() = default;
  Lexed(const Lexed&) = delete;
  Lexed& operator=(const Lexed&) = delete;

  std::string text;               // normalised
  std::deque<std::string> extra;  // numbers put together from several pieces
  std::vector<Token> tokens;      // closed by kEnd
  ParseError error = ParseError::kNone;
  bool had_dollar = false;       // `$` that opens or closes mathematics
  bool thousands_comma = false;  // a plain comma was read as a thousands separator
  int digit_commas = 0;          // plain commas directly between two digits
};

// What a comma directly between two digits is.
enum class CommaStyle : uint8_t {
  kThousands,  // a separator of thousands where the groups fit, else of a list
  kList,       // always of a list
  kDecimal,    // the decimal comma
};

// `normalized`: what NormalizeUnicode gave.
void Lex(std::string normalized, CommaStyle commas, Lexed* out);

// ASCII and LaTeX for Unicode signs, digits, fractions, exponents, Greek letters and brackets; control, formatting and
// zero-width characters dropped; letters of other scripts as they are; invalid UTF-8 dropped.
std::string NormalizeUnicode(std::string_view text);

}  // namespace assay::math
