// Whether two answers are the same: the options, the verdict and how it was reached. Part of math.h; what counts as equal is
// written in docs/math.md.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "verifiers/math/syntax/parsed_answer.h"

namespace assay::math {

// How answers are compared. Every default is the strict one.
struct CompareOptions {
  // Empty: exact. N: constants also count as equal if they agree when rounded to N decimal places (half away
  // from zero); recorded in CompareResult::detail.
  std::optional<int> float_digits;
  // A decimal of the answer that shows at least so many significant digits counts as equal to a constant of the gold that is
  // correctly rounded to the digits shown (0.666667 for 2/3; neither 0.666666 nor 0.6667). 0: exact only.
  int64_t rounded_digits = 6;
  // Constants also count as equal if |a - b| <= max(rel_tol * max(|a|, |b|), abs_tol), as Python's math.isclose has it.
  double rel_tol = 0;
  double abs_tol = 0;
  // A gold that is a decimal is met by any constant that rounds to it at the gold's last place.
  bool round_to_gold = false;
  // Rational numbers of which one is a hundred times the other count as equal: 9 and 0.09.
  bool percent_by_100 = false;
  // A numeral with a base stands for its value: 1010_2 is 10, and not 1010.
  bool base_value = false;
  // A consistent renaming of variables counts as equal: f(x) and f(y).
  bool rename_variables = false;
  // A gold that names a set (`x \in [-2,7]`, `[-2,7]`) is met by an inequality that says the same. The other
  // direction (gold an inequality, answer a set) is always allowed.
  bool inequality_for_set = true;
  // `9` is met by `9\%` (a percent sign is dropped if one side has it, as units are).
  bool percent_optional = true;
  // Lists without brackets (`4, 10, -2`) must agree in order, too.
  bool ordered_lists = false;
  // A gold that is a number is met by numbers alone, not by what is still to be worked out (78+301, 2^{10}).
  bool worked_out = false;
  // Mixed into everything that is drawn (primes, residues, sample points). No verdict should depend on it: tests compare
  // verdicts under several salts.
  uint64_t salt = 0;
};

enum class Outcome {
  kEqual,
  kUnequal,
  kUndecided,  // given up: out of budget, or a form that is not evaluated; never a pass
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

// Decides. The result does not depend on the order of the two, but for what tells gold from answer: decimals that are rounded,
// and `inequality_for_set`. An argument that is not ok() equals nothing.
CompareResult Compare(const ParsedAnswer& gold, const ParsedAnswer& answer,
                      const CompareOptions& options = {});

}  // namespace assay::math
