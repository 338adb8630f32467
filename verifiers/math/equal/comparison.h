// What the kinds of answers share while two answers are compared, and the kinds themselves. compare.cc is the page that
// dispatches to them, in this order; each kind stands in a file of its own:
//
//   choices, words               same_text.cc       before anything is read as mathematics
//   relations                    same_relation.cc   x = 4 and 4, equations, inequalities, congruences
//   classes of numbers           same_classes.cc    7k + 3 for all whole k
//   functions in pieces          same_pieces.cc
//   names and chains of `=`      assignment.cc      what a relation assigns to what
//   matrices                     same_matrix.cc
//   ratios, times of day         same_ratio.cc
//   sets of real numbers         same_region.cc     (decided in region.cc)
//   tuples, lists, sets          same_collection.cc
//   numerals with a base         same_numeral.cc
//   constants of integration     same_constants.cc
//   numbers, units, percent      same_quantity.cc   (decided in scalar.cc)
//
// All of them spend from one budget and are symmetric in their two sides, unless the options say otherwise. A comparison is
// made once per Compare() and used by one thread. Private to equal/.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "verifiers/math/equal/compare.h"
#include "verifiers/math/equal/scalar.h"
#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {

using Ids = std::vector<NodeId>;

struct Comparison {
  // `swapped`: what is called the gold here is the answer.
  Comparison(const ParsedAnswer::Impl& gold_answer, const ParsedAnswer::Impl& other_answer,
             bool swapped, const CompareOptions& compare_options);
  Comparison(const Comparison&) = delete;
  Comparison& operator=(const Comparison&) = delete;

  const ParsedAnswer::Impl& gold;
  const ParsedAnswer::Impl& answer;
  const bool answer_first;
  const CompareOptions& options;
  Tree tree;  // both sides, and what is made of them
  Budget budget;
  Scalars scalars;
  const char* detail = nullptr;  // why they differ, where there is more to say
};

// ---- decisions

inline Decision Yes(Method method = Method::kExact) {
  return Decision::Of(Outcome::kEqual, method);
}
inline Decision No(Method method = Method::kExact) { return Decision::Unequal(method); }
inline Decision Undecided() { return Decision::Undecided(); }
// Both have to hold: the weaker method speaks for both.
Decision Both(const Decision& a, const Decision& b);

// ---- the dispatch (compare.cc)

// Any two nodes of cmp->tree, `depth` levels below the answers.
Decision Same(Comparison* cmp, NodeId g, NodeId a, int depth);
// Matrices computed, plus-minus written out, chains of relations brought to their end. kNoNode: over the limits.
NodeId Shell(Comparison* cmp, NodeId id);

inline bool IsRelation(Op op) { return op == Op::kRel || op == Op::kCongruent; }
inline bool IsCollection(Op op) {
  return op == Op::kTuple || op == Op::kList || op == Op::kSet || op == Op::kSeq;
}
inline bool IsRegion(Op op) {
  return op == Op::kInterval || op == Op::kUnion || op == Op::kIntersect || op == Op::kMinus ||
         op == Op::kNamedSet || op == Op::kBuilder;
}
Ids Kids(const Tree& tree, NodeId id);

// ---- choices and words (same_text.cc)

// Empty: not both are choices; not words.
std::optional<Decision> SameChoice(Comparison* cmp);
std::optional<Decision> SameWords(Comparison* cmp);
// One of the two is text.
Decision SameText(Comparison* cmp, NodeId g, NodeId a);

// ---- relations (same_relation.cc)

Decision SameRelation(Comparison* cmp, NodeId g, NodeId a, int depth);
// One of the two is a relation.
Decision RelationAndValue(Comparison* cmp, NodeId g, NodeId a, int depth);
bool IsInequality(const Tree& tree, NodeId id);
// A list of nothing but inequalities.
bool AllInequalities(const Tree& tree, NodeId id);

// ---- progressions over all whole numbers (same_classes.cc)

// Empty: not both are such classes.
std::optional<Decision> SameClasses(Comparison* cmp, NodeId g, NodeId a);

// ---- functions in pieces (same_pieces.cc)

// Empty: neither is one, or its conditions are not understood.
std::optional<Decision> SamePieces(Comparison* cmp, NodeId g, NodeId a, int depth);

// ---- constants of integration (same_constants.cc)

// Empty: the gold has none, or no choice of constants makes them equal.
std::optional<Decision> SameUpToConstants(Comparison* cmp, NodeId g, NodeId a);

// ---- names (assignment.cc)

struct Assignment {
  NodeId name = kNoNode;
  NodeId value = kNoNode;
  explicit operator bool() const { return value != kNoNode; }
};

// x = 4, f(x) = 2x, AB = 5: what is assigned to what; kNoNode where a relation assigns nothing.
Assignment AsAssignment(Comparison* cmp, NodeId id);
// x = 5 + 6 = 11 is x = 11; 2 + 2 = 4 is 4; x = 1/3 ~ 0.33 is x = 1/3; 4 = x is x = 4; what follows an implication counts.
NodeId ReduceChain(Comparison* cmp, NodeId id);

// ---- matrices (same_matrix.cc)

// [[1, 2], [3, 4]] as a matrix; kNoNode if it is none.
NodeId AsMatrix(Comparison* cmp, NodeId id);
Decision SameMatrix(Comparison* cmp, NodeId g, NodeId a, int depth);

// ---- ratios and times of day (same_ratio.cc)

Decision SameRatio(Comparison* cmp, NodeId g, NodeId a);

// ---- sets of numbers (same_region.cc)

Decision SameRegion(Comparison* cmp, NodeId g, NodeId a, int depth);

// ---- collections (same_collection.cc)

Decision SameCollection(Comparison* cmp, NodeId g, NodeId a, int depth);
// Item by item; in any order, each item once.
Decision Ordered(Comparison* cmp, const Ids& x, const Ids& y, int depth);
Decision Unordered(Comparison* cmp, const Ids& x, const Ids& y, int depth);

// ---- numerals with a base (same_numeral.cc)

bool IsNumeral(const Tree& tree, NodeId id);
// One of the two is a numeral with a base: digit by digit, as the form is what was asked for.
Decision SameNumeral(Comparison* cmp, NodeId g, NodeId a);

// ---- scalars, with units, percent signs and degrees (same_quantity.cc)

// A scalar without what hangs on it.
struct Peeled {
  NodeId value = kNoNode;
  Unit unit;
  bool percent = false;
  bool degree = false;
};

Peeled Peel(Comparison* cmp, NodeId id);
Decision SameQuantity(Comparison* cmp, NodeId g, NodeId a);

}  // namespace assay::math
