#include "verifiers/math/equal/samples.h"

#include <algorithm>

#include "verifiers/math/equal/sample_points.h"
#include "verifiers/math/value/ball_size.h"

namespace assay::math {
namespace {

constexpr slong kFirstBits = 128;
constexpr double kMostBits = 8192;

class Samples {
 public:
  Samples(const Tree& tree, Budget* budget) : tree_(tree), budget_(*budget) {}

  Decision Equal(NodeId a, NodeId b, const SamplePoints& points, bool real_domain) {
    if (!Visit(a, b, points.real, real_domain)) return Decision::Unequal();
    if (domains_differ_) return Decision::Unequal();
    if (!real_domain || valid_points_ < 3) {
      if (!Visit(a, b, points.complex, false)) return Decision::Unequal();
    }
    if (limits_ > 2 || budget_.Exhausted()) return Decision::Undecided();
    if (valid_points_ < 4 || !points.complete) return Decision::Undecided();
    return Decision::Of(Outcome::kEqual, Method::kBall, bits_);
  }

 private:
  // False at the first point where both have values and these differ.
  bool Visit(NodeId a, NodeId b, const std::vector<std::vector<Sample>>& list, bool real) {
    for (const std::vector<Sample>& at : list) {
      bool valid = false;
      const Decision d = CompareAt(a, b, at, real, &valid);
      if (d.outcome == Outcome::kUnequal && valid) return false;
      domains_differ_ = domains_differ_ || d.outcome == Outcome::kUnequal;
      if (d.outcome == Outcome::kUndecided) ++limits_;
      if (valid) ++valid_points_;
      bits_ = std::max(bits_, d.bits);
      if (limits_ > 4 || budget_.Exhausted()) break;
    }
    return true;
  }

  // Both values at one point. `valid`: both are defined there (as reals, if the domain is real).
  Decision CompareAt(NodeId a, NodeId b, const std::vector<Sample>& at, bool real_domain,
                     bool* valid) {
    *valid = false;
    slong prec = kFirstBits;
    for (int round = 0; round < 4; ++round) {
      BallEval ea(tree_, &budget_, prec);
      BallEval eb(tree_, &budget_, prec);
      ea.Bind(at);
      eb.Bind(at);
      Complex x;
      Complex y;
      const Value va = ea.Eval(a, &x);
      const Value vb = eb.Eval(b, &y);
      if (va == Value::kLimit || vb == Value::kLimit || va == Value::kNo || vb == Value::kNo) break;
      const bool da = va == Value::kOk && !(real_domain && (ea.left_reals || !x.IsReal()));
      const bool db = vb == Value::kOk && !(real_domain && (eb.left_reals || !y.IsReal()));
      if (!da && !db)
        return Decision::Of(Outcome::kEqual, Method::kNone);  // neither is defined: says nothing
      if (da != db) return Decision::Unequal();               // the domains differ
      Complex z;
      acb_sub(z.get(), x.get(), y.get(), prec);
      if (acb_contains_zero(z.get()) == 0) {
        *valid = true;
        return Decision::Unequal();
      }
      const double wanted = 2 * std::max(ea.largest_log2, eb.largest_log2) + 256;
      if (wanted > kMostBits) break;
      const double size = std::max({SizeLog2(x), SizeLog2(y), 0.0});
      if (prec >= static_cast<slong>(wanted) && RadiusLog2(z) - size < -wanted * 0.75) {
        *valid = true;
        return Decision::Of(Outcome::kEqual, Method::kBall, static_cast<int>(prec));
      }
      prec = std::max<slong>(static_cast<slong>(wanted) + 64, prec * (round > 0 ? 2 : 1));
    }
    return Decision::Undecided();
  }

  const Tree& tree_;
  Budget& budget_;
  int valid_points_ = 0;
  int limits_ = 0;
  int bits_ = 0;
  bool domains_differ_ = false;
};

}  // namespace

Decision SamplesEqual(Tree* tree, Budget* budget, Residues* residues, uint64_t seed, NodeId a,
                      NodeId b, const Traits& ta, const Traits& tb) {
  const SamplePoints points = CollectPoints(tree, budget, residues, seed, a, b, ta, tb);
  if (ta.symbols.empty() && tb.symbols.empty()) return Decision::Undecided();
  return Samples(*tree, budget).Equal(a, b, points, !ta.imaginary && !tb.imaginary);
}

}  // namespace assay::math
