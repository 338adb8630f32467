// Recursive descent from tokens to a tree. Linear in the tokens (no backtracking beyond fixed look-ahead), bounded in depth
// and nodes. Private to verifiers/math.
#pragma once

#include "verifiers/math/syntax/lexer.h"
#include "verifiers/math/syntax/tree.h"

namespace assay::math {

struct ParserResult {
  NodeId root = kNoNode;                 // kNoNode: no expression
  ParseError error = ParseError::kNone;  // kSyntax or kLimit if there is none
  bool slash_ambiguous = false;          // a product written without signs follows a slash: 1/2x
  bool unit_ambiguous = false;           // a letter that may be a unit ends the text: 5 L
  bool mixed_ambiguous = false;          // a whole number "and" a fraction: 1 and 3/10
  bool choice_ambiguous = false;         // C_n^3 may be a power or a number of choices
  bool index_ambiguous = false;          // letters without braces behind an index: a_ij
};

// Which of two readings is wanted where a text allows both.
enum class Ambiguous : uint8_t {
  kUsual,
  kSlashLeft,      // 1/2x is (1/2)x and not 1/(2x)
  kLetterUnits,    // 5 L is a quantity and not a product
  kMixedAnd,       // 1 and 3/10 is one number and not two
  kChoiceScripts,  // C_n^3 is a number of choices
  kWordIndex,      // a_ij has the index ij; TeX prints j beside a_i
};
ParserResult ParseTokens(const Lexed& lexed, Grammar grammar, Ambiguous choice, Tree* tree);

}  // namespace assay::math
