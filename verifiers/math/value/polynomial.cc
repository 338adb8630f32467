#include "verifiers/math/value/polynomial.h"

#include <algorithm>
#include <string>
#include <vector>

#include "verifiers/math/syntax/rewrite.h"
#include "verifiers/math/value/rational_form.h"

namespace assay::math {
namespace {

// gcd and lcm of polynomials with whole coefficients, or monic ones over the rationals. One argument after the other.
class Divisors {
 public:
  Divisors(Tree* tree, Budget* budget) : tree_(*tree), forms_(tree, budget) {}

  NodeId Run(NodeId id) {
    std::vector<NodeId> atoms;
    const uint32_t count = tree_[id].n;
    const bool gcd = tree_[id].op == Op::kGcd;
    for (uint32_t k = 0; k < count; ++k) {
      if (!forms_.Atoms(tree_.Kid(id, k), &atoms)) return kNoNode;
    }
    if (atoms.empty()) return kNoNode;
    const Ring ring(atoms);
    std::vector<Poly> args;
    bool whole = true;
    for (uint32_t k = 0; k < count; ++k) {
      Quotient q(ring);
      if (!forms_.Build(tree_.Kid(id, k), ring, &q)) return kNoNode;
      if (!fmpz_mpoly_is_fmpz(q.den.get(), ring.ctx())) return kNoNode;
      Poly reduced(ring);
      if (fmpz_mpoly_divides(reduced.get(), q.num.get(), q.den.get(), ring.ctx()) != 0) {
        args.push_back(reduced);
      } else {
        whole = false;
        args.push_back(q.num);
      }
    }
    const auto constant = [&ring](const Poly& p) {
      return fmpz_mpoly_is_fmpz(p.get(), ring.ctx()) != 0;
    };
    const auto counts = [this](NodeId atom) { return StandsForWhole(atom); };
    // gcd(n, 10) depends on n, while gcd(10 x, 15) is that of polynomials.
    if (std::any_of(args.begin(), args.end(), constant) &&
        std::any_of(atoms.begin(), atoms.end(), counts))
      return kNoNode;
    Poly total = args[0];
    if (!whole) Primitive(ring, &total);
    for (size_t k = 1; k < args.size(); ++k) {
      if (!whole) Primitive(ring, &args[k]);
      Poly g(ring);
      if (!forms_.Gcd(total, args[k], ring, &g)) return kNoNode;
      if (gcd) {
        total = g;
        continue;
      }
      if (fmpz_mpoly_is_zero(g.get(), ring.ctx())) return kNoNode;
      fmpz_mpoly_mul(total.get(), total.get(), args[k].get(), ring.ctx());
      if (fmpz_mpoly_divides(total.get(), total.get(), g.get(), ring.ctx()) == 0 ||
          !forms_.Small(total, ring))
        return kNoNode;
    }
    const NodeId node = forms_.ToNode(total, ring);
    if (whole || node == kNoNode || fmpz_mpoly_is_zero(total.get(), ring.ctx())) return node;
    Integer lead;
    fmpz_mpoly_get_term_coeff_fmpz(lead.get(), total.get(), 0, ring.ctx());
    if (!fmpz_fits_si(lead.get())) return kNoNode;
    return tree_.Add(Op::kDiv, {node, tree_.Number(fmpz_get_si(lead.get()))});
  }

 private:
  // By convention the letters i to n stand for whole numbers.
  bool StandsForWhole(NodeId atom) const {
    return tree_[atom].op == Op::kSym && tree_.Name(atom)[0] >= 'i' && tree_.Name(atom)[0] <= 'n';
  }

  // Divided by the greatest common divisor of the coefficients.
  static void Primitive(const Ring& ring, Poly* p) {
    if (fmpz_mpoly_is_zero(p->get(), ring.ctx())) return;
    Integer content;
    for (slong k = 0; k < fmpz_mpoly_length(p->get(), ring.ctx()); ++k) {
      Integer c;
      fmpz_mpoly_get_term_coeff_fmpz(c.get(), p->get(), k, ring.ctx());
      fmpz_gcd(content.get(), content.get(), c.get());
    }
    fmpz_mpoly_scalar_divexact_fmpz(p->get(), p->get(), content.get(), ring.ctx());
  }

  Tree& tree_;
  Forms forms_;
};

// c x^n times a differential, n as large as it may be: c to *factors and n; false: the body is something else.
bool IsMonomial(const Tree& tree, NodeId body, const std::string& name, int64_t* degree,
                std::vector<NodeId>* factors) {
  const Node& n = tree[body];
  if (n.op == Op::kDiff) return true;
  if (n.op == Op::kMul) {
    for (uint32_t k = 0; k < n.n; ++k) {
      if (!IsMonomial(tree, tree.Kid(body, k), name, degree, factors)) return false;
    }
    return true;
  }
  constexpr int64_t kMostDegree = 10000;
  int64_t power = 0;
  if (n.op == Op::kSym && tree.Name(body) == name) power = 1;
  if (n.op == Op::kPow && tree[tree.Kid(body, 0)].op == Op::kSym &&
      tree.Name(tree.Kid(body, 0)) == name && tree[tree.Kid(body, 1)].op == Op::kNum &&
      tree[tree.Kid(body, 1)].den == 1)
    power = tree[tree.Kid(body, 1)].num;
  if (power > 0 && power <= kMostDegree) {
    *degree += power;
    return *degree <= kMostDegree;
  }
  if (ContainsSymbol(tree, body, name)) return false;
  factors->push_back(body);
  return true;
}

// The definite integral of a polynomial in its variable: the antiderivative term by term, at both ends.
NodeId Integrate(Tree* tree, Budget* budget, NodeId id) {
  if ((*tree)[id].aux != 1) return kNoNode;
  const NodeId variable = tree->Kid(id, 1);
  if ((*tree)[variable].op != Op::kSym) return kNoNode;
  const std::string name = tree->Name(variable);
  int64_t degree = 0;
  std::vector<NodeId> factors;
  if (IsMonomial(*tree, tree->Kid(id, 0), name, &degree, &factors)) {
    const NodeId exponent = tree->Number(degree + 1);
    factors.push_back(tree->Sub(tree->Add(Op::kPow, {tree->Kid(id, 3), exponent}),
                                tree->Add(Op::kPow, {tree->Kid(id, 2), exponent})));
    factors.push_back(tree->Number(1, degree + 1));
    return tree->Add(Op::kMul, factors.data(), static_cast<uint32_t>(factors.size()));
  }
  Forms forms(tree, budget);
  std::vector<NodeId> atoms = {variable};
  if (!forms.Atoms(tree->Kid(id, 0), &atoms)) return kNoNode;
  for (size_t k = 1; k < atoms.size(); ++k) {
    if (ContainsSymbol(*tree, atoms[k], name)) return kNoNode;
  }
  const Ring ring(atoms);
  Quotient q(ring);
  if (!forms.Build(tree->Kid(id, 0), ring, &q) ||
      fmpz_mpoly_degree_si(q.den.get(), 0, ring.ctx()) != 0)
    return kNoNode;
  const NodeId below = forms.ToNode(q.den, ring);
  std::vector<NodeId> terms;
  for (slong k = 0; k < fmpz_mpoly_length(q.num.get(), ring.ctx()); ++k) {
    Poly term(ring);
    fmpz_mpoly_get_term(term.get(), q.num.get(), k, ring.ctx());
    const auto degree =
        static_cast<int64_t>(fmpz_mpoly_get_term_var_exp_ui(term.get(), 0, 0, ring.ctx()));
    const NodeId factor = forms.ToNode(term, ring);
    if (factor == kNoNode || below == kNoNode) return kNoNode;
    terms.push_back(tree->Add(Op::kMul, {factor, variable, tree->Number(1, degree + 1)}));
  }
  if (terms.empty()) return tree->Number(0);
  const NodeId sum = tree->Add(Op::kAdd, terms.data(), static_cast<uint32_t>(terms.size()));
  const NodeId high = SubstituteSymbol(tree, sum, name, tree->Kid(id, 3));
  const NodeId low = SubstituteSymbol(tree, sum, name, tree->Kid(id, 2));
  return tree->Add(Op::kDiv, {tree->Sub(high, low), below});
}

}  // namespace

NodeId EvaluatePolynomials(Tree* tree, Budget* budget, NodeId id) {
  if (!ContainsOp(*tree, id, Op::kGcd) && !ContainsOp(*tree, id, Op::kLcm) &&
      !ContainsOp(*tree, id, Op::kInt))
    return id;
  return CopyWith(tree, id, [&](NodeId at) -> NodeId {
    const Op op = (*tree)[at].op;
    if (!budget->Spend(2)) return kNoNode;
    if (op == Op::kInt) return Integrate(tree, budget, at);
    if (op != Op::kGcd && op != Op::kLcm) return kNoNode;
    return Divisors(tree, budget).Run(at);
  });
}

bool SameZeros(Tree* tree, Budget* budget, NodeId a, NodeId b) {
  Forms forms(tree, budget);
  std::vector<NodeId> atoms;
  if (!forms.Atoms(a, &atoms) || !forms.Atoms(b, &atoms) || atoms.empty()) return false;
  const Ring ring(atoms);
  Quotient x(ring);
  Quotient y(ring);
  if (!forms.Build(a, ring, &x) || !forms.Build(b, ring, &y)) return false;
  for (Quotient* q : {&x, &y}) {
    if (fmpz_mpoly_is_zero(q->num.get(), ring.ctx())) return false;
    Poly g(ring);
    if (!forms.Gcd(q->num, q->den, ring, &g)) return false;
    if (fmpz_mpoly_divides(q->num.get(), q->num.get(), g.get(), ring.ctx()) == 0) return false;
    if (!forms.SquareFree(ring, &q->num)) return false;
  }
  // Each divides a constant multiple of the other.
  Poly g(ring);
  if (!forms.Gcd(x.num, y.num, ring, &g)) return false;
  for (const Quotient* q : {&x, &y}) {
    Poly rest(ring);
    if (fmpz_mpoly_divides(rest.get(), q->num.get(), g.get(), ring.ctx()) == 0 ||
        !fmpz_mpoly_is_fmpz(rest.get(), ring.ctx()))
      return false;
  }
  return true;
}

bool IsSquareFree(Tree* tree, Budget* budget, NodeId id) {
  Forms forms(tree, budget);
  std::vector<NodeId> atoms;
  if (!forms.Atoms(id, &atoms)) return false;
  if (atoms.empty()) return true;
  const Ring ring(atoms);
  Quotient q(ring);
  if (!forms.Build(id, ring, &q)) return false;
  for (Poly* p : {&q.num, &q.den}) {
    Poly free = *p;
    if (!forms.SquareFree(ring, &free)) return false;
    if (fmpz_mpoly_is_fmpz(p->get(), ring.ctx()) == 0 &&
        fmpz_mpoly_total_degree_si(free.get(), ring.ctx()) !=
            fmpz_mpoly_total_degree_si(p->get(), ring.ctx())) {
      return false;
    }
  }
  return true;
}

}  // namespace assay::math
