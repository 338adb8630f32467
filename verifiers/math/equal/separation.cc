#include "verifiers/math/equal/separation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/hash.h"
#include "verifiers/math/equal/traits.h"

namespace assay::math {
namespace {

double Log2Sum(double a, double b) { return std::max(a, b) + 1; }

struct Bound {
  double u = 0;  // log2
  double l = 0;  // log2
};

// Bounds of several numbers and the degree of the field in which all of them lie.
class AlgebraicBounds {
 public:
  AlgebraicBounds(const Tree& tree, Budget* budget) : tree_(tree), budget_(*budget) {}

  double degree() const { return degree_; }

  bool Find(NodeId id, Bound* out) {
    if (!budget_.Spend(1) || degree_ > 1e6) return false;
    const Node& n = tree_[id];
    switch (n.op) {
      case Op::kNum:
      case Op::kBig:
        *out = LiteralBound(n);
        return true;
      case Op::kConst:
        if (n.aux != static_cast<uint8_t>(ConstId::kI)) return false;
        Adjoin(1, 2);
        *out = {0, 0};
        return true;
      case Op::kNeg:
      case Op::kBased:
      case Op::kQuantity:
        return Find(tree_.Kid(id, 0), out);
      case Op::kPercent:
        if (!Find(tree_.Kid(id, 0), out)) return false;
        out->l += 6.65;
        return true;
      case Op::kAdd:
      case Op::kMul:
        return JoinedBound(id, out);
      case Op::kDiv: {
        Bound a;
        Bound b;
        if (n.n != 2 || !Find(tree_.Kid(id, 0), &a) || !Find(tree_.Kid(id, 1), &b)) {
          return false;
        }
        *out = {a.u + b.l, a.l + b.u};
        return true;
      }
      case Op::kPow:
      case Op::kRoot:
        return PowerBound(id, out);
      case Op::kFunc:
        return TrigonometricBound(id, out);
      case Op::kFact:
      case Op::kBinom:
      case Op::kSum:
      case Op::kProd:
      case Op::kGcd:
      case Op::kLcm:
      case Op::kFloor:
      case Op::kCeil:
      case Op::kMod:
      case Op::kAbs:
      case Op::kLog:
      case Op::kMax:
      case Op::kMin:
        return ExactBound(id, out) || AbsoluteBound(id, out);
      default:
        return false;
    }
  }

 private:
  Value Exact(NodeId id, Rational* out) { return ExactEval(tree_, &budget_).Eval(id, out); }

  // One more root: it multiplies the degree unless it was met before.
  void Adjoin(uint64_t key, double index) {
    if (std::find(keys_.begin(), keys_.end(), key) != keys_.end()) return;
    keys_.push_back(key);
    degree_ *= index;
  }

  // A literal's bound.
  Bound LiteralBound(const Node& n) const {
    if (n.op == Op::kNum) {
      return {std::log2(std::max<double>(1, std::abs(static_cast<double>(n.num)))) + 0.01,
              std::log2(static_cast<double>(n.den)) + 0.01};
    }
    const double digits =
        3.33 * static_cast<double>(tree_.bigs[static_cast<size_t>(n.num)].size()) + 1;
    const double scale = 3.33 * static_cast<double>(std::abs(n.den));
    return {digits + (n.den > 0 ? scale : 0), n.den < 0 ? scale : 0};
  }

  // A rational number's.
  bool ExactBound(NodeId id, Bound* out) {
    Rational q;
    if (Exact(id, &q) != Value::kOk) return false;
    *out = {static_cast<double>(fmpz_bits(q.num())), static_cast<double>(fmpz_bits(q.den()))};
    return true;
  }

  // |x| of a real number is x or -x.
  bool AbsoluteBound(NodeId id, Bound* out) {
    return tree_[id].op == Op::kAbs && !TraitsOf(tree_, &budget_, tree_.Kid(id, 0)).imaginary &&
           Find(tree_.Kid(id, 0), out);
  }

  bool JoinedBound(NodeId id, Bound* out) {
    const Node& n = tree_[id];
    Bound total;
    for (uint32_t k = 0; k < n.n; ++k) {
      Bound b;
      if (!Find(tree_.Kid(id, k), &b)) return false;
      if (k == 0) {
        total = b;
      } else if (n.op == Op::kMul) {
        total = {total.u + b.u, total.l + b.l};
      } else {
        total = {Log2Sum(total.u + b.l, total.l + b.u), total.l + b.l};
      }
    }
    *out = total;
    return true;
  }

  bool PowerBound(NodeId id, Bound* out) {
    Rational e;
    if (Exact(tree_.Kid(id, 1), &e) != Value::kOk) return false;
    if (tree_[id].op == Op::kRoot) {
      if (e.IsZero()) return false;
      fmpq_inv(e.get(), e.get());
    }
    if (fmpz_bits(e.num()) > 20 || fmpz_bits(e.den()) > 10) return false;
    Bound b;
    if (!Find(tree_.Kid(id, 0), &b)) return false;
    if (!e.IsInteger()) {
      const double k = fmpz_get_d(e.den());
      Adjoin(MixHash(StructureHash(tree_.Kid(id, 0)) + fmpz_get_ui(e.den())), k);
      b = b.u >= b.l ? Bound{(b.u + (k - 1) * b.l) / k, b.l}
                     : Bound{b.u, ((k - 1) * b.u + b.l) / k};
    }
    const double power = fmpz_get_d(e.num());
    if (power < 0) std::swap(b.u, b.l);
    *out = {b.u * std::abs(power), b.l * std::abs(power)};
    return true;
  }

  // Sines and cosines of rational multiples of pi: (zeta + 1/zeta) / 2 with a root of unity zeta.
  bool TrigonometricBound(NodeId id, Bound* out) {
    const auto f = static_cast<FuncId>(tree_[id].aux);
    if (f > FuncId::kCsc) return ExactBound(id, out);
    Rational turn;
    if (!PiMultiple(tree_.Kid(id, 0), &turn) || fmpz_cmp_si(turn.den(), 1000) > 0) return false;
    // exp(i pi a/b) is a root of unity of order dividing 2b; sines need the fourth root as well.
    const ulong order = std::lcm<ulong>(4, 2 * fmpz_get_ui(turn.den()));
    Adjoin(MixHash(order + 77), static_cast<double>(n_euler_phi(order)));
    Adjoin(1, 2);
    *out = f == FuncId::kSin || f == FuncId::kCos ? Bound{1, 1} : Bound{2, 2};
    return true;
  }

  // x = q pi with rational q.
  bool PiMultiple(NodeId id, Rational* out) {
    const Node& n = tree_[id];
    Rational a;
    switch (n.op) {
      case Op::kConst:
        if (n.aux != static_cast<uint8_t>(ConstId::kPi)) return false;
        out->Set(1);
        return true;
      case Op::kNeg:
        if (!PiMultiple(tree_.Kid(id, 0), out)) return false;
        fmpq_neg(out->get(), out->get());
        return true;
      case Op::kDegree:
        if (Exact(tree_.Kid(id, 0), out) != Value::kOk) return false;
        fmpq_div_fmpz(out->get(), out->get(),
                      Integer(n.aux == 0   ? 180
                              : n.aux == 1 ? 10800
                                           : 648000)
                          .get());
        return true;
      case Op::kDiv:
        if (n.n != 2 || !PiMultiple(tree_.Kid(id, 0), out) ||
            Exact(tree_.Kid(id, 1), &a) != Value::kOk || a.IsZero()) {
          return false;
        }
        fmpq_div(out->get(), out->get(), a.get());
        return true;
      case Op::kMul: {
        bool found = false;
        Rational total;
        total.Set(1);
        for (uint32_t k = 0; k < n.n; ++k) {
          if (Exact(tree_.Kid(id, k), &a) != Value::kOk) {
            if (found || !PiMultiple(tree_.Kid(id, k), &a)) return false;
            found = true;
          }
          fmpq_mul(total.get(), total.get(), a.get());
        }
        *out = total;
        return found;
      }
      case Op::kAdd: {
        Rational total;
        for (uint32_t k = 0; k < n.n; ++k) {
          if (!PiMultiple(tree_.Kid(id, k), &a)) return false;
          fmpq_add(total.get(), total.get(), a.get());
        }
        *out = total;
        return true;
      }
      default:
        // Zero is a multiple of pi, too.
        if (Exact(id, &a) != Value::kOk || !a.IsZero()) return false;
        out->Set(0);
        return true;
    }
  }

  uint64_t StructureHash(NodeId id) {
    const Node& n = tree_[id];
    uint64_t h = MixHash(static_cast<uint64_t>(n.op) * 256 + n.aux);
    if (!budget_.Spend(1)) return h;
    if (n.op == Op::kNum)
      h = MixHash(h ^ MixHash(static_cast<uint64_t>(n.num)) ^ static_cast<uint64_t>(n.den));
    if (n.op == Op::kBig)
      h = MixHash(h ^ HashBytes64(tree_.bigs[static_cast<size_t>(n.num)]) ^
                  static_cast<uint64_t>(n.den));
    if (n.op == Op::kSym || n.op == Op::kApply) h = MixHash(h ^ HashBytes64(tree_.Name(id)));
    for (uint32_t k = 0; k < n.n; ++k) h = MixHash(h * 31 + StructureHash(tree_.Kid(id, k)));
    return h;
  }

  const Tree& tree_;
  Budget& budget_;
  std::vector<uint64_t> keys_;
  double degree_ = 1;
};

}  // namespace

std::optional<double> SeparationBits(const Tree& tree, Budget* budget, NodeId a, NodeId b) {
  AlgebraicBounds bounds(tree, budget);
  Bound x;
  Bound y;
  if (!bounds.Find(a, &x) || !bounds.Find(b, &y)) return std::nullopt;
  return (bounds.degree() - 1) * Log2Sum(x.u + y.l, x.l + y.u) + x.l + y.l + 1;
}

}  // namespace assay::math
