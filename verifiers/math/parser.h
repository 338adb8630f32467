// Recursive descent from tokens to a tree. Linear in the tokens (no backtracking beyond fixed look-ahead), bounded in depth
// and nodes. Private to verifiers/math.
#pragma once

#include "verifiers/math/lexer.h"
#include "verifiers/math/tree.h"

namespace assay::math {

struct ParserResult {
  NodeId root = kNoNode;                 // kNoNode: no expression
  ParseError error = ParseError::kNone;  // kSyntax or kLimit if there is none
  bool slash_ambiguous = false;          // a product written without signs follows a slash: 1/2x
};

// `slash_left`: read 1/2x as (1/2)x and not as 1/(2x).
ParserResult ParseTokens(const Lexed& lexed, Grammar grammar, bool slash_left, Tree* tree);

}  // namespace assay::math
