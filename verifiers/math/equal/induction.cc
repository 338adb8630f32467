#include "verifiers/math/equal/induction.h"

#include <algorithm>
#include <string>

#include "verifiers/math/equal/traits.h"
#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

constexpr int kMostNested = 3;
constexpr size_t kMostSums = 8;
constexpr int64_t kMostSlope = 4;
constexpr int64_t kMostOffset = 1000;
constexpr int64_t kMostWritten = 16;
constexpr int kBaseCases = 4;

// A sum or product from `low` to slope * n + offset over terms without n.
struct OpenSum {
  NodeId id = kNoNode;
  int64_t low = 0;
  bool symbolic_low = false;  // then `low` says nothing
  int64_t slope = 1;
  int64_t offset = 0;
  // The least n for which the range is not empty.
  int64_t Start() const {
    const int64_t need = low - offset;
    return need >= 0 ? (need + slope - 1) / slope : -(-need / slope);
  }
};

bool Small(const Rational& q, int64_t* out) {
  if (!q.IsInteger() || fmpz_cmpabs(q.num(), Integer(kMostOffset).get()) > 0) return false;
  *out = fmpz_get_si(q.num());
  return true;
}

class Induction {
 public:
  // `depth` parts this induction's symbols from those of the ones around it.
  Induction(Tree* tree, Budget* budget, Residues* residues, int depth)
      : tree_(*tree),
        budget_(*budget),
        residues_(*residues),
        prefix_("?s" + std::to_string(depth) + "_") {}

  // Finds the outermost open sums of both sides; false if they are not all over one symbol in the plain way.
  bool Prepare(NodeId a, NodeId b) {
    return Find(a) && Find(b) && !sums_.empty() && !Binds(a, n_) && !Binds(b, n_);
  }

  // Both sides at the k-th n from where on no range is empty.
  NodeId BaseCase(NodeId id, int64_t k) {
    if (sums_[0].symbolic_low) return FromSymbolicLow(id, k);
    int64_t start = sums_[0].Start();
    for (const OpenSum& s : sums_) start = std::max(start, s.Start());
    return WrittenOut(SubstituteSymbol(&tree_, id, n_, tree_.Number(start + k)));
  }

  // The expression at n with every open sum as a symbol of its own; at n + 1 if `next`.
  NodeId Opened(NodeId id, bool next) {
    const NodeId n = tree_.Symbol(n_);
    const NodeId shifted = tree_.Add(Op::kAdd, {n, tree_.Number(1)});
    return CopyWith(&tree_, id, [&](NodeId at) -> NodeId {
      for (size_t k = 0; k < sums_.size(); ++k) {
        if (sums_[k].id != at) continue;
        const NodeId whole = tree_.Symbol(prefix_ + std::to_string(k));
        return next ? WithNextTerms(sums_[k], whole) : whole;
      }
      if (next && tree_[at].op == Op::kSym && tree_.Name(at) == n_) return shifted;
      return kNoNode;
    });
  }

 private:
  bool Find(NodeId id) {
    const Op op = tree_[id].op;
    if ((op == Op::kSum || op == Op::kProd) && TraitsOf(tree_, &budget_, id).open_sum) {
      const Traits high = TraitsOf(tree_, &budget_, tree_.Kid(id, 2));
      return high.symbols.size() == 1 && Take(id, std::string(high.symbols[0]));
    }
    for (uint32_t k = 0; k < tree_[id].n; ++k) {
      if (!Find(tree_.Kid(id, k))) return false;
    }
    return true;
  }

  bool Take(NodeId id, const std::string& n) {
    if (sums_.size() >= kMostSums || (!n_.empty() && n_ != n)) return false;
    n_ = n;
    OpenSum sum;
    sum.id = id;
    const NodeId body = tree_.Kid(id, 3);
    Rational high[3];
    Rational low;
    if (!residues_.Quadratic(tree_.Kid(id, 2), n, high) || !high[2].IsZero() ||
        !Small(high[1], &sum.slope) || sum.slope < 1 || sum.slope > kMostSlope ||
        !Small(high[0], &sum.offset))
      return false;
    sum.symbolic_low = !TraitsOf(tree_, &budget_, tree_.Kid(id, 1)).symbols.empty();
    if (sum.symbolic_low ? !FitsSymbolicLow(sum)
                         : ExactEval(tree_, &budget_).Eval(tree_.Kid(id, 1), &low) != Value::kOk ||
                               !Small(low, &sum.low))
      return false;
    if (!sums_.empty() && sums_[0].symbolic_low != sum.symbolic_low) return false;
    if (ContainsSymbol(tree_, body, n) || Binds(body, tree_.Name(tree_.Kid(id, 0)))) return false;
    sums_.push_back(sum);
    return true;
  }

  // m to n + offset: all ranges have to begin and end together.
  bool FitsSymbolicLow(const OpenSum& sum) {
    const NodeId low = tree_.Kid(sum.id, 1);
    if (sum.slope != 1 || ContainsSymbol(tree_, low, n_)) return false;
    for (const std::string_view symbol : TraitsOf(tree_, &budget_, low).symbols) {
      if (Binds(tree_.Kid(sum.id, 3), std::string(symbol))) return false;
    }
    if (sums_.empty()) return true;
    return sums_[0].offset == sum.offset &&
           residues_.IsZero(tree_.Sub(low, tree_.Kid(sums_[0].id, 1)));
  }

  NodeId FromSymbolicLow(NodeId id, int64_t k) {
    const NodeId low = tree_.Kid(sums_[0].id, 1);
    const NodeId n = tree_.Add(Op::kAdd, {low, tree_.Number(k - sums_[0].offset)});
    return CopyWith(&tree_, id, [&](NodeId at) -> NodeId {
      if (tree_[at].op == Op::kSym && tree_.Name(at) == n_) return n;
      const auto sum =
          std::find_if(sums_.begin(), sums_.end(), [at](const OpenSum& s) { return s.id == at; });
      if (sum == sums_.end()) return kNoNode;
      std::vector<NodeId> terms;
      for (int64_t j = 0; j <= k; ++j)
        terms.push_back(Term(at, tree_.Add(Op::kAdd, {low, tree_.Number(j)})));
      return Joined(tree_[at].op, terms);
    });
  }

  // True if a sum, product, integral or limit has `name` as its own variable.
  bool Binds(NodeId id, const std::string& name) const {
    const Node& node = tree_[id];
    const bool binder =
        node.op == Op::kSum || node.op == Op::kProd || node.op == Op::kLim || node.op == Op::kInt;
    if (binder && ContainsSymbol(tree_, tree_.Kid(id, node.op == Op::kInt ? 1 : 0), name))
      return true;
    for (uint32_t k = 0; k < node.n; ++k) {
      if (Binds(tree_.Kid(id, k), name)) return true;
    }
    return false;
  }

  NodeId Term(NodeId sum, NodeId at) {
    const std::string variable = tree_.Name(tree_.Kid(sum, 0));
    return SubstituteSymbol(&tree_, tree_.Kid(sum, 3), variable, at);
  }

  NodeId WithNextTerms(const OpenSum& sum, NodeId whole) {
    const NodeId n = tree_.Symbol(n_);
    std::vector<NodeId> parts = {whole};
    for (int64_t j = 1; j <= sum.slope; ++j) {
      const NodeId multiple = tree_.Add(Op::kMul, {tree_.Number(sum.slope), n});
      parts.push_back(Term(sum.id, tree_.Add(Op::kAdd, {multiple, tree_.Number(sum.offset + j)})));
    }
    return Joined(tree_[sum.id].op, parts);
  }

  NodeId Joined(Op op, const std::vector<NodeId>& parts) {
    return tree_.Add(op == Op::kSum ? Op::kAdd : Op::kMul, parts.data(),
                     static_cast<uint32_t>(parts.size()));
  }

  // Short constant ranges over terms with open sums of their own, term by term.
  NodeId WrittenOut(NodeId id) {
    return CopyWith(&tree_, id, [&](NodeId at) -> NodeId {
      const Op op = tree_[at].op;
      if (op != Op::kSum && op != Op::kProd) return kNoNode;
      Rational q;
      int64_t low = 0;
      int64_t high = 0;
      if (!TraitsOf(tree_, &budget_, at).open_sum ||
          ExactEval(tree_, &budget_).Eval(tree_.Kid(at, 1), &q) != Value::kOk || !Small(q, &low) ||
          ExactEval(tree_, &budget_).Eval(tree_.Kid(at, 2), &q) != Value::kOk || !Small(q, &high) ||
          high < low || high - low >= kMostWritten ||
          Binds(tree_.Kid(at, 3), tree_.Name(tree_.Kid(at, 0))))
        return kNoNode;
      std::vector<NodeId> parts;
      for (int64_t k = low; k <= high; ++k) parts.push_back(Term(at, tree_.Number(k)));
      return Joined(op, parts);
    });
  }

  Tree& tree_;
  Budget& budget_;
  Residues& residues_;
  const std::string prefix_;
  std::string n_;
  std::vector<OpenSum> sums_;
};

}  // namespace

// Equal at the first few n, not all of them zero, and with the same difference or quotient of neighbours.
Decision EqualByInduction(Tree* tree, Budget* budget, Residues* residues, int depth,
                          const std::function<Decision(NodeId, NodeId)>& equal, NodeId a,
                          NodeId b) {
  Induction induction(tree, budget, residues, depth);
  if (depth >= kMostNested || !induction.Prepare(a, b)) return Decision::Undecided();
  bool zero = true;
  for (int64_t k = 0; k < kBaseCases; ++k) {
    const NodeId left = induction.BaseCase(a, k);
    const Decision d = equal(left, induction.BaseCase(b, k));
    if (!d.yes()) return d;
    zero = zero && residues->IsZero(left);
  }
  const NodeId a0 = induction.Opened(a, false);
  const NodeId a1 = induction.Opened(a, true);
  const NodeId b0 = induction.Opened(b, false);
  const NodeId b1 = induction.Opened(b, true);
  const Decision step = equal(tree->Sub(a1, a0), tree->Sub(b1, b0));
  if (step.yes()) return step;
  if (step.outcome == Outcome::kUndecided || zero) return Decision::Undecided();
  const Decision ratio = equal(tree->Add(Op::kMul, {a1, b0}), tree->Add(Op::kMul, {b1, a0}));
  return ratio.yes() ? ratio : Decision::Undecided();
}

}  // namespace assay::math
