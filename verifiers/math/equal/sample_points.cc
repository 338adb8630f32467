#include "verifiers/math/equal/sample_points.h"

#include <algorithm>
#include <cmath>

#include "verifiers/math/value/polynomial.h"
#include "verifiers/math/value/real_breaks.h"

namespace assay::math {
namespace {

constexpr slong kExactBits = 4096;  // more than the ends of isolating intervals have

// A random double in the interval.
void RandomBetween(double low, double high, uint64_t random, arb_ptr out) {
  const double t = static_cast<double>(random >> 11) * 0x1.0p-53;
  arb_set_d(out, low + (high - low) * t);
}

// A random number below the first of the intervals, between two of them, or above the last.
void RandomInGap(const std::vector<Real>& breaks, size_t gap, uint64_t random, arb_ptr out) {
  const double t = (static_cast<double>(random >> 11) + 0.5) * 0x1.0p-53;
  const bool inside = gap > 0 && gap < breaks.size();
  Real low;
  Real high;
  if (gap > 0) arb_get_ubound_arf(arb_midref(low.get()), breaks[gap - 1].get(), kExactBits);
  if (gap < breaks.size())
    arb_get_lbound_arf(arb_midref(high.get()), breaks[gap].get(), kExactBits);
  Real width;
  if (inside) {
    arb_sub(width.get(), high.get(), low.get(), ARF_PREC_EXACT);
  } else {
    // 1 + |end| / 4
    arb_abs(width.get(), gap == 0 ? high.get() : low.get());
    arb_mul_2exp_si(width.get(), width.get(), -2);
    arb_add_si(width.get(), width.get(), 1, ARF_PREC_EXACT);
  }
  Real part;
  arb_set_d(part.get(), gap == 0 ? -t : t);
  arb_mul(part.get(), part.get(), width.get(), ARF_PREC_EXACT);
  arb_add(out, gap == 0 ? high.get() : low.get(), part.get(), ARF_PREC_EXACT);
}

bool IsWholeLiteral(const Node& n) { return n.op == Op::kNum && n.den == 1; }

enum class Corner {
  kNone,  // analytic wherever it is defined
  kJump,  // changes its form at zeros and poles of its argument
  kRoot,  // the same, but without repeated factors the form is one wherever it is real
};

Corner CornerOf(const Tree& tree, NodeId id) {
  const Node& n = tree[id];
  switch (n.op) {
    case Op::kAbs:
    case Op::kMax:
    case Op::kMin:
      return Corner::kJump;
    case Op::kRoot:
    case Op::kLog:
      return Corner::kRoot;
    case Op::kPow:
      return IsWholeLiteral(tree[tree.Kid(id, 1)]) ? Corner::kNone : Corner::kRoot;
    case Op::kFunc: {
      const auto f = static_cast<FuncId>(n.aux);
      if (f == FuncId::kLn) return Corner::kRoot;
      const bool inverse = (f >= FuncId::kAsin && f <= FuncId::kAcsc) ||
                           (f >= FuncId::kAsinh && f <= FuncId::kAcoth);
      return f == FuncId::kSign || inverse ? Corner::kJump : Corner::kNone;
    }
    default:
      return Corner::kNone;
  }
}

class Collector {
 public:
  Collector(Tree* tree, Budget* budget, Residues* residues, uint64_t seed)
      : tree_(*tree),
        budget_(*budget),
        residues_(*residues),
        state_(seed ^ 0x2545f4914f6cdd1dull) {}

  SamplePoints Collect(NodeId a, NodeId b, const Traits& ta, const Traits& tb) {
    names_ = ta.symbols;
    for (const std::string_view s : tb.symbols) {
      if (std::find(names_.begin(), names_.end(), s) == names_.end()) names_.push_back(s);
    }
    // A symbol's draws depend on its name's place among all of them, not on where it stands in the texts.
    std::sort(names_.begin(), names_.end());
    const bool positive = ta.symbolic_power || tb.symbolic_power;
    AddRanges(positive);
    AddScales(a, b, positive);
    const bool apart = !ta.steps && !tb.steps && (names_.size() == 1 || (!ta.pieces && !tb.pieces));
    AddGaps(a, b, apart);
    AddComplex();
    return std::move(points_);
  }

 private:
  uint64_t Random() { return state_ = MixHash(state_); }

  // One point with every symbol in the range; `mixed`: of either sign.
  void Add(double low, double high, bool mixed) {
    std::vector<Sample> at;
    for (const std::string_view name : names_) {
      Complex z;
      RandomBetween(low, high, Random(), z.re());
      if (mixed && (Random() & 1) != 0) arb_neg(z.re(), z.re());
      at.push_back({name, z});
    }
    points_.real.push_back(std::move(at));
  }

  void AddRanges(bool positive) {
    static constexpr double kPositive[][2] = {
        {0.5, 2.7}, {5, 19}, {0.05, 0.9}, {1.1, 3.3}, {0.001, 0.01}};
    static constexpr double kNegative[][2] = {{-2.7, -0.5}, {-0.9, -0.1}, {-19, -5}};
    for (const auto& [low, high] : kPositive) Add(low, high, false);
    if (!positive) {
      for (const auto& [low, high] : kNegative) Add(low, high, false);
      Add(0.3, 4, true);
      Add(2, 9, true);
    }
  }

  // Around the numbers that occur.
  void AddScales(NodeId a, NodeId b, bool positive) {
    std::vector<double> scales;
    Literals(a, &scales);
    Literals(b, &scales);
    for (const double s : scales) {
      if (!(s < 1e30)) break;
      Add(s * 1.05, s * 1.9, false);
      if (!positive) Add(-s * 1.9, -s * 1.05, false);
      Add(s * 0.5, s * 0.95, false);
    }
  }

  // Between the places where an expression in one symbol may change its form.
  void AddGaps(NodeId a, NodeId b, bool apart) {
    RealBreaks pieces;
    std::vector<Real> breaks;
    const std::string_view only = names_.size() == 1 ? names_[0] : std::string_view();
    points_.complete = apart && PieceBreaks(a, only, &pieces) && PieceBreaks(b, only, &pieces) &&
                       pieces.Isolate(&budget_, &breaks);
    for (size_t gap = 0; gap <= breaks.size() && !breaks.empty(); ++gap) {
      for (int copy = 0; copy < 2; ++copy) {
        std::vector<Sample> at = {{only, Complex()}};
        RandomInGap(breaks, gap, Random(), at[0].value.re());
        points_.real.push_back(std::move(at));
      }
    }
  }

  void AddComplex() {
    for (int k = 0; k < 4; ++k) {
      std::vector<Sample> at;
      for (const std::string_view name : names_) {
        Complex z;
        RandomBetween(-2, 2, Random(), z.re());
        RandomBetween(-2, 2, Random(), z.im());
        at.push_back({name, z});
      }
      points_.complex.push_back(std::move(at));
    }
  }

  void Literals(NodeId id, std::vector<double>* out) {
    const Node& n = tree_[id];
    if (!budget_.Spend(1) || out->size() >= 6) return;
    if (n.op == Op::kNum) {
      const double v = std::abs(static_cast<double>(n.num) / static_cast<double>(n.den));
      if ((v > 4 || (v < 0.2 && v > 0)) && std::find(out->begin(), out->end(), v) == out->end())
        out->push_back(v);
    }
    if (n.op == Op::kBig) {
      const double v = static_cast<double>(tree_.bigs[static_cast<size_t>(n.num)].size()) +
                       static_cast<double>(n.den);
      if (std::abs(v) < 60) out->push_back(std::pow(10, v));
    }
    for (uint32_t k = 0; k < n.n; ++k) Literals(tree_.Kid(id, k), out);
  }

  // Where an expression in one symbol (several: `symbol` empty) may change its form. False: that cannot be told, so samples
  // cannot show equality.
  bool PieceBreaks(NodeId id, std::string_view symbol, RealBreaks* breaks) {
    if (!budget_.Spend(1)) return false;
    const Op op = tree_[id].op;
    const uint32_t count = tree_[id].n;
    if (TraitsOf(tree_, &budget_, id).symbols.empty()) return true;
    if (op == Op::kNorm || (op == Op::kFunc && static_cast<FuncId>(tree_[id].aux) == FuncId::kArg))
      return false;
    // 0^e is 0, 1 or undefined by the sign of e.
    if (op == Op::kPow && !TraitsOf(tree_, &budget_, tree_.Kid(id, 1)).symbols.empty() &&
        residues_.IsZero(tree_.Kid(id, 0)))
      return false;
    const Corner corner = CornerOf(tree_, id);
    std::vector<NodeId> arguments;
    if (op == Op::kMax || op == Op::kMin) {
      for (uint32_t k = 1; k < count; ++k) {
        for (uint32_t j = 0; j < k; ++j)
          arguments.push_back(tree_.Sub(tree_.Kid(id, j), tree_.Kid(id, k)));
      }
    } else if (corner != Corner::kNone) {
      arguments.push_back(tree_.Kid(id, 0));
    }
    for (const NodeId argument : arguments) {
      if (TraitsOf(tree_, &budget_, argument).symbols.empty()) continue;
      if (!symbol.empty() && breaks->Add(&tree_, &budget_, argument, symbol)) continue;
      if (corner == Corner::kJump && tree_[argument].op != Op::kSym) return false;
      if (corner == Corner::kRoot && !IsSquareFree(&tree_, &budget_, argument)) return false;
    }
    for (uint32_t k = 0; k < count; ++k) {
      if (!PieceBreaks(tree_.Kid(id, k), symbol, breaks)) return false;
    }
    return true;
  }

  Tree& tree_;
  Budget& budget_;
  Residues& residues_;
  uint64_t state_;
  std::vector<std::string_view> names_;
  SamplePoints points_;
};

}  // namespace

SamplePoints CollectPoints(Tree* tree, Budget* budget, Residues* residues, uint64_t seed, NodeId a,
                           NodeId b, const Traits& ta, const Traits& tb) {
  return Collector(tree, budget, residues, seed).Collect(a, b, ta, tb);
}

}  // namespace assay::math
