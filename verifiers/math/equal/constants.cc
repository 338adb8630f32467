#include "verifiers/math/equal/constants.h"

#include <algorithm>

#include "verifiers/math/equal/separation.h"
#include "verifiers/math/equal/tolerance.h"
#include "verifiers/math/value/ball_size.h"

namespace assay::math {
namespace {

constexpr slong kFirstBits = 128;
constexpr slong kMostBits = slong{1} << 16;
constexpr double kMostAlgebraicBits = 60000;

class Constants {
 public:
  Constants(const Tree& tree, Budget* budget, Residues* residues, const CompareOptions& options)
      : tree_(tree), budget_(*budget), residues_(*residues), options_(options) {}

  Decision Equal(NodeId a, NodeId b) {
    Rational qa;
    Rational qb;
    const Value va = ExactEval(tree_, &budget_).Eval(a, &qa);
    const Value vb = ExactEval(tree_, &budget_).Eval(b, &qb);
    if (va == Value::kUndefined || vb == Value::kUndefined) return Decision::Unequal();
    if (va == Value::kOk && vb == Value::kOk) {
      if (fmpq_equal(qa.get(), qb.get())) return Decision::Of(Outcome::kEqual, Method::kExact);
      return CloseEnough(tree_, &budget_, options_, a, b);
    }
    if (budget_.Exhausted()) return Decision::Undecided();
    const Decision d = BallEqual(a, b);
    return d.outcome == Outcome::kUnequal ? CloseEnough(tree_, &budget_, options_, a, b) : d;
  }

 private:
  // a - b to z_, and how large and how deep both are.
  Value Difference(NodeId a, NodeId b, slong prec) {
    BallEval ea(tree_, &budget_, prec);
    BallEval eb(tree_, &budget_, prec);
    Complex x;
    Complex y;
    Value v = ea.Eval(a, &x);
    if (v == Value::kOk) v = eb.Eval(b, &y);
    if (v != Value::kOk) return v;
    acb_sub(z_.get(), x.get(), y.get(), prec);
    largest_ = std::max(ea.largest_log2, eb.largest_log2);
    size_ = std::max({SizeLog2(x), SizeLog2(y), 0.0});
    return v;
  }

  Decision BallEqual(NodeId a, NodeId b) {
    const Value v = Difference(a, b, kFirstBits);
    if (v == Value::kUndefined) return Decision::Unequal();
    if (v == Value::kOk && acb_contains_zero(z_.get()) == 0) return Decision::Unequal();
    if (v == Value::kOk) {
      if (const std::optional<double> need = SeparationBits(tree_, &budget_, a, b)) {
        const double prec = *need + 2 * largest_ + size_ + 64;
        if (prec < kMostAlgebraicBits && Difference(a, b, static_cast<slong>(prec)) == Value::kOk) {
          if (acb_contains_zero(z_.get()) == 0) return Decision::Unequal();
          if (SizeLog2(z_) < -*need) return Decision::Of(Outcome::kEqual, Method::kExact);
        }
      }
    }
    bool decided = false;
    const Decision field = residues_.Equal(a, b, &decided);
    if (decided) return field;
    if (v != Value::kOk) return Decision::Undecided();
    for (slong prec = static_cast<slong>(std::min(2 * largest_ + 320, 1e9)); prec <= 2 * kMostBits;
         prec *= 2) {
      if (2 * largest_ + 256 > static_cast<double>(kMostBits) ||
          Difference(a, b, prec) != Value::kOk)
        break;
      if (acb_contains_zero(z_.get()) == 0) return Decision::Unequal();
      const double wanted = 2 * largest_ + 256;
      if (static_cast<double>(prec) < wanted) continue;  // this look saw more than the last one
      if (RadiusLog2(z_) - size_ < -wanted * 0.75)
        return Decision::Of(Outcome::kEqual, Method::kBall, static_cast<int>(prec));
    }
    return Decision::Undecided();
  }

  const Tree& tree_;
  Budget& budget_;
  Residues& residues_;
  const CompareOptions& options_;
  Complex z_;
  double largest_ = 0;
  double size_ = 0;
};

}  // namespace

Decision ConstantsEqual(const Tree& tree, Budget* budget, Residues* residues,
                        const CompareOptions& options, NodeId a, NodeId b) {
  return Constants(tree, budget, residues, options).Equal(a, b);
}

}  // namespace assay::math
