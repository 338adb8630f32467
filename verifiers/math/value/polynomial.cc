#include "verifiers/math/value/polynomial.h"

#include <algorithm>
#include <string>
#include <vector>

#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

constexpr size_t kMaxAtoms = 6;
constexpr slong kMaxTerms = 40;
constexpr slong kMaxDegree = 40;
constexpr ulong kMaxBits = 400;
constexpr slong kMaxBreaks = 16;
constexpr slong kMaxFactored = 8;
constexpr slong kMaxFactoredBits = 250;

// Polynomials over a fixed list of atoms: symbols, and subterms that are no polynomials.
class Ring {
 public:
  explicit Ring(const std::vector<NodeId>& atoms) : atoms_(atoms) {
    fmpz_mpoly_ctx_init(ctx_, static_cast<slong>(std::max<size_t>(1, atoms.size())), ORD_LEX);
  }
  ~Ring() { fmpz_mpoly_ctx_clear(ctx_); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;
  const fmpz_mpoly_ctx_struct* ctx() const { return ctx_; }
  const std::vector<NodeId>& atoms() const { return atoms_; }

 private:
  fmpz_mpoly_ctx_t ctx_;
  std::vector<NodeId> atoms_;
};

class Poly {
 public:
  explicit Poly(const Ring& ring) : ctx_(ring.ctx()) { fmpz_mpoly_init(v_, ctx_); }
  ~Poly() { fmpz_mpoly_clear(v_, ctx_); }
  Poly(const Poly& o) : ctx_(o.ctx_) {
    fmpz_mpoly_init(v_, ctx_);
    fmpz_mpoly_set(v_, o.v_, ctx_);
  }
  Poly& operator=(const Poly& o) {
    fmpz_mpoly_set(v_, o.v_, ctx_);
    return *this;
  }
  fmpz_mpoly_struct* get() { return v_; }
  const fmpz_mpoly_struct* get() const { return v_; }

 private:
  const fmpz_mpoly_ctx_struct* ctx_;
  fmpz_mpoly_t v_;
};

class Univariate {
 public:
  Univariate() { fmpz_poly_init(v_); }
  ~Univariate() { fmpz_poly_clear(v_); }
  Univariate(const Univariate&) = delete;
  Univariate& operator=(const Univariate&) = delete;
  fmpz_poly_struct* get() { return v_; }

 private:
  fmpz_poly_t v_;
};

// num / den, kept as it comes: common factors are taken out only where that is asked for.
struct Quotient {
  explicit Quotient(const Ring& ring) : num(ring), den(ring) {
    fmpz_mpoly_one(den.get(), ring.ctx());
  }
  Poly num;
  Poly den;
};

class Forms {
 public:
  Forms(Tree* tree, Budget* budget) : tree_(*tree), budget_(*budget) {}

  // The atoms of an expression, added to `atoms`. False: too many, or not a scalar.
  bool Atoms(NodeId id, std::vector<NodeId>* atoms) {
    if (!budget_.Spend(2)) return false;
    const Node n = tree_[id];
    switch (n.op) {
      case Op::kNum:
      case Op::kDiff:
        return true;
      case Op::kAdd:
      case Op::kMul:
      case Op::kNeg:
      case Op::kDiv:
        for (uint32_t k = 0; k < n.n; ++k) {
          if (!Atoms(tree_.Kid(id, k), atoms)) return false;
        }
        return true;
      case Op::kPow:
        if (SmallExponent(tree_.Kid(id, 1)) != 0) return Atoms(tree_.Kid(id, 0), atoms);
        break;
      default:
        break;
    }
    Rational q;
    if (ExactEval(tree_, &budget_).Eval(id, &q) == Value::kOk) return true;
    if (Find(*atoms, id) < atoms->size()) return true;
    atoms->push_back(id);
    return atoms->size() <= kMaxAtoms;
  }

  bool Build(NodeId id, const Ring& ring, Quotient* out) {
    if (!budget_.Spend(4)) return false;
    const Node n = tree_[id];
    switch (n.op) {
      case Op::kNum:
        fmpz_mpoly_set_si(out->num.get(), n.num, ring.ctx());
        fmpz_mpoly_set_si(out->den.get(), n.den, ring.ctx());
        return true;
      case Op::kDiff:
        fmpz_mpoly_one(out->num.get(), ring.ctx());
        return true;
      case Op::kAdd:
      case Op::kMul: {
        Quotient total(ring);
        if (n.op == Op::kMul) fmpz_mpoly_one(total.num.get(), ring.ctx());
        for (uint32_t k = 0; k < n.n; ++k) {
          Quotient term(ring);
          if (!Build(tree_.Kid(id, k), ring, &term)) return false;
          if (!(n.op == Op::kAdd ? Add(ring, &total, term) : Multiply(ring, &total, term)))
            return false;
        }
        *out = total;
        return true;
      }
      case Op::kNeg:
        if (!Build(tree_.Kid(id, 0), ring, out)) return false;
        fmpz_mpoly_neg(out->num.get(), out->num.get(), ring.ctx());
        return true;
      case Op::kDiv: {
        Quotient below(ring);
        if (n.n != 2 || !Build(tree_.Kid(id, 0), ring, out) ||
            !Build(tree_.Kid(id, 1), ring, &below))
          return false;
        return Invert(ring, &below) && Multiply(ring, out, below);
      }
      case Op::kPow: {
        const int64_t e = SmallExponent(tree_.Kid(id, 1));
        if (e == 0) break;
        Quotient base(ring);
        if (!Build(tree_.Kid(id, 0), ring, &base) || (e < 0 && !Invert(ring, &base))) return false;
        Quotient power = base;
        for (int64_t k = 1; k < std::abs(e); ++k) {
          if (!Multiply(ring, &power, base)) return false;
        }
        *out = power;
        return true;
      }
      default:
        break;
    }
    return Leaf(id, ring, out);
  }

  // Back to a tree.
  NodeId ToNode(const Poly& p, const Ring& ring) {
    std::vector<NodeId> terms;
    const slong length = fmpz_mpoly_length(p.get(), ring.ctx());
    for (slong k = 0; k < length; ++k) {
      Integer c;
      fmpz_mpoly_get_term_coeff_fmpz(c.get(), p.get(), k, ring.ctx());
      if (!fmpz_fits_si(c.get())) return kNoNode;
      std::vector<NodeId> factors = {tree_.Number(fmpz_get_si(c.get()))};
      for (size_t a = 0; a < ring.atoms().size(); ++a) {
        const ulong e =
            fmpz_mpoly_get_term_var_exp_ui(p.get(), k, static_cast<slong>(a), ring.ctx());
        if (e > 0)
          factors.push_back(
              tree_.Add(Op::kPow, {ring.atoms()[a], tree_.Number(static_cast<int64_t>(e))}));
      }
      terms.push_back(tree_.Add(Op::kMul, factors.data(), static_cast<uint32_t>(factors.size())));
    }
    if (terms.empty()) return tree_.Number(0);
    return tree_.Add(Op::kAdd, terms.data(), static_cast<uint32_t>(terms.size()));
  }

  bool Small(const Poly& p, const Ring& ring) {
    const slong length = fmpz_mpoly_length(p.get(), ring.ctx());
    return length <= kMaxTerms && fmpz_mpoly_max_bits(p.get()) < static_cast<slong>(kMaxBits) &&
           fmpz_mpoly_max_bits(p.get()) > -static_cast<slong>(kMaxBits) &&
           (length == 0 || fmpz_mpoly_total_degree_si(p.get(), ring.ctx()) <= kMaxDegree) &&
           budget_.Spend(8 + length * length / 4);
  }

  bool Gcd(const Poly& a, const Poly& b, const Ring& ring, Poly* out) {
    return Small(a, ring) && Small(b, ring) && budget_.Spend(200) &&
           fmpz_mpoly_gcd(out->get(), a.get(), b.get(), ring.ctx()) != 0;
  }

 private:
  size_t Find(const std::vector<NodeId>& atoms, NodeId id) {
    std::string text;
    PrintNode(tree_, id, &text);
    for (size_t k = 0; k < atoms.size(); ++k) {
      std::string other;
      PrintNode(tree_, atoms[k], &other);
      if (other == text) return k;
    }
    return atoms.size();
  }

  // A whole exponent between -20 and 20 other than zero; else 0.
  int64_t SmallExponent(NodeId id) {
    Rational q;
    if (ExactEval(tree_, &budget_).Eval(id, &q) != Value::kOk || !q.IsInteger()) return 0;
    return fmpz_cmpabs(q.num(), Integer(20).get()) > 0 ? 0 : fmpz_get_si(q.num());
  }

  bool Leaf(NodeId id, const Ring& ring, Quotient* out) {
    Rational q;
    if (ExactEval(tree_, &budget_).Eval(id, &q) == Value::kOk) {
      fmpz_mpoly_set_fmpz(out->num.get(), q.num(), ring.ctx());
      fmpz_mpoly_set_fmpz(out->den.get(), q.den(), ring.ctx());
      return true;
    }
    const size_t k = Find(ring.atoms(), id);
    if (k == ring.atoms().size()) return false;
    fmpz_mpoly_gen(out->num.get(), static_cast<slong>(k), ring.ctx());
    return true;
  }

  bool Times(const Ring& ring, Poly* a, const Poly& b) {
    if (fmpz_mpoly_length(a->get(), ring.ctx()) * fmpz_mpoly_length(b.get(), ring.ctx()) >
        4 * kMaxTerms)
      return false;
    fmpz_mpoly_mul(a->get(), a->get(), b.get(), ring.ctx());
    return Small(*a, ring);
  }

  bool Multiply(const Ring& ring, Quotient* a, const Quotient& b) {
    return Times(ring, &a->num, b.num) && Times(ring, &a->den, b.den);
  }

  bool Add(const Ring& ring, Quotient* a, const Quotient& b) {
    if (fmpz_mpoly_equal(a->den.get(), b.den.get(), ring.ctx())) {
      fmpz_mpoly_add(a->num.get(), a->num.get(), b.num.get(), ring.ctx());
      return Small(a->num, ring);
    }
    Poly cross = b.num;
    if (!Times(ring, &a->num, b.den) || !Times(ring, &cross, a->den) ||
        !Times(ring, &a->den, b.den))
      return false;
    fmpz_mpoly_add(a->num.get(), a->num.get(), cross.get(), ring.ctx());
    return Small(a->num, ring);
  }

  bool Invert(const Ring& ring, Quotient* a) {
    if (fmpz_mpoly_is_zero(a->num.get(), ring.ctx())) return false;
    std::swap(*a->num.get(), *a->den.get());
    return true;
  }

  Tree& tree_;
  Budget& budget_;
};

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

// The definite integral of a polynomial in its variable: the antiderivative term by term, at both ends.
NodeId Integrate(Tree* tree, Budget* budget, NodeId id) {
  if ((*tree)[id].aux != 1) return kNoNode;
  const NodeId variable = tree->Kid(id, 1);
  if ((*tree)[variable].op != Op::kSym) return kNoNode;
  const std::string name = tree->Name(variable);
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

// The product of the distinct factors of a squarefree factorisation, up to a constant.
bool SquareFree(Forms* forms, const Ring& ring, Poly* p) {
  if (!forms->Small(*p, ring)) return false;
  fmpz_mpoly_factor_t factors;
  fmpz_mpoly_factor_init(factors, ring.ctx());
  bool ok = fmpz_mpoly_factor_squarefree(factors, p->get(), ring.ctx()) != 0;
  if (ok) {
    fmpz_mpoly_one(p->get(), ring.ctx());
    for (slong k = 0; k < factors->num; ++k)
      fmpz_mpoly_mul(p->get(), p->get(), factors->poly + k, ring.ctx());
  }
  fmpz_mpoly_factor_clear(factors, ring.ctx());
  return ok;
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
    if (!SquareFree(&forms, ring, &q->num)) return false;
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

NodeId WholeNode(Tree* tree, const fmpz* z) {
  if (fmpz_fits_si(z)) return tree->Number(fmpz_get_si(z));
  char* digits = fmpz_get_str(nullptr, 10, z);
  const bool negative = digits[0] == '-';
  tree->bigs.emplace_back(digits + (negative ? 1 : 0));
  flint_free(digits);
  const NodeId big = tree->Add(Op::kBig, {}, 0, static_cast<int64_t>(tree->bigs.size()) - 1);
  tree->nodes[big].den = 0;
  return negative ? tree->Neg(big) : big;
}

bool RealBreaks::Add(Tree* tree, Budget* budget, NodeId id, std::string_view symbol) {
  Forms forms(tree, budget);
  std::vector<NodeId> atoms;
  if (!forms.Atoms(id, &atoms) || atoms.size() != 1 || (*tree)[atoms[0]].op != Op::kSym ||
      tree->Name(atoms[0]) != symbol)
    return false;
  const Ring ring(atoms);
  Quotient q(ring);
  if (!forms.Build(id, ring, &q)) return false;
  for (Poly* p : {&q.num, &q.den}) {
    if (fmpz_mpoly_is_fmpz(p->get(), ring.ctx()) != 0) continue;
    if (!SquareFree(&forms, ring, p) ||
        !budget->Spend(20 * (1 + fmpz_mpoly_total_degree_si(p->get(), ring.ctx()))))
      return false;
    Univariate poly;
    const slong length = fmpz_mpoly_length(p->get(), ring.ctx());
    for (slong k = 0; k < length; ++k) {
      Integer c;
      fmpz_mpoly_get_term_coeff_fmpz(c.get(), p->get(), k, ring.ctx());
      fmpz_poly_set_coeff_fmpz(
          poly.get(),
          static_cast<slong>(fmpz_mpoly_get_term_var_exp_ui(p->get(), k, 0, ring.ctx())), c.get());
    }
    Univariate common;
    fmpz_poly_gcd(common.get(), &product_, poly.get());
    fmpz_poly_div(poly.get(), poly.get(), common.get());
    if (fmpz_poly_degree(&product_) + fmpz_poly_degree(poly.get()) > kMaxBreaks) return false;
    fmpz_poly_mul(&product_, &product_, poly.get());
  }
  return true;
}

bool RealBreaks::Isolate(Budget* budget, std::vector<Real>* out) const {
  const slong degree = fmpz_poly_degree(&product_);
  if (degree < 1) return true;
  if (!budget->Spend(40 * (1 + degree))) return false;
  acb_ptr roots = _acb_vec_init(degree);
  arb_fmpz_poly_complex_roots(roots, &product_, 0, 64);
  for (slong k = 0; k < degree; ++k) {
    if (!arb_is_zero(acb_imagref(roots + k))) continue;
    out->emplace_back();
    arb_set(out->back().get(), acb_realref(roots + k));
  }
  _acb_vec_clear(roots, degree);
  std::sort(out->begin(), out->end(), [](const Real& x, const Real& y) {
    return arf_cmp(arb_midref(x.get()), arb_midref(y.get())) < 0;
  });
  return true;
}

namespace {

// Real zeros of a x^2 + b x + c.
void QuadraticZeros(Tree* tree, const fmpz_poly_struct* f, std::vector<NodeId>* out) {
  Integer discriminant;
  fmpz_poly_discriminant(discriminant.get(), f);
  if (fmpz_sgn(discriminant.get()) < 0) return;
  const NodeId a = WholeNode(tree, fmpz_poly_get_coeff_ptr(f, 2));
  const fmpz* middle = fmpz_poly_get_coeff_ptr(f, 1);
  const NodeId b = WholeNode(tree, middle);
  const NodeId d = WholeNode(tree, discriminant.get());
  const NodeId root = tree->Add(Op::kRoot, {d, tree->Number(2)});
  const NodeId below = tree->Add(Op::kMul, {tree->Number(2), a});
  for (const NodeId offset : {root, tree->Neg(root)}) {
    const NodeId above = tree->Add(Op::kAdd, {tree->Neg(b), offset});
    out->push_back(tree->Add(Op::kDiv, {above, below}));
  }
}

// Real zeros of a x^n + c; false if there are other terms.
bool BinomialZeros(Tree* tree, const fmpz_poly_struct* f, std::vector<NodeId>* out) {
  const slong n = fmpz_poly_degree(f);
  for (slong k = 1; k < n; ++k) {
    if (fmpz_is_zero(fmpz_poly_get_coeff_ptr(f, k)) == 0) return false;
  }
  const fmpz* a = fmpz_poly_get_coeff_ptr(f, n);
  const fmpz* c = fmpz_poly_get_coeff_ptr(f, 0);
  const bool positive = fmpz_sgn(a) != fmpz_sgn(c);  // of -c / a
  if (n % 2 == 0 && !positive) return true;
  const NodeId above = WholeNode(tree, c);
  const NodeId below = WholeNode(tree, a);
  const NodeId size = tree->Add(Op::kAbs, {tree->Add(Op::kDiv, {above, below})});
  const NodeId root = tree->Add(Op::kRoot, {size, tree->Number(n)});
  if (positive) out->push_back(root);
  if (n % 2 == 0 || !positive) out->push_back(tree->Neg(root));
  return true;
}

bool FactorZeros(Tree* tree, const fmpz_poly_struct* f, std::vector<NodeId>* out) {
  const slong degree = fmpz_poly_degree(f);
  if (degree > 2) return BinomialZeros(tree, f, out) || fmpz_poly_num_real_roots(f) == 0;
  if (degree == 2) {
    QuadraticZeros(tree, f, out);
    return true;
  }
  const NodeId above = WholeNode(tree, fmpz_poly_get_coeff_ptr(f, 0));
  const NodeId below = WholeNode(tree, fmpz_poly_get_coeff_ptr(f, 1));
  out->push_back(tree->Neg(tree->Add(Op::kDiv, {above, below})));
  return true;
}

}  // namespace

bool RealBreaks::Exactly(Tree* tree, Budget* budget, std::vector<NodeId>* out) const {
  const slong degree = fmpz_poly_degree(&product_);
  if (degree < 1) return true;
  if (degree > kMaxFactored || FLINT_ABS(fmpz_poly_max_bits(&product_)) > kMaxFactoredBits ||
      !budget->Spend(100 * (1 + degree)))
    return false;
  fmpz_poly_factor_t factors;
  fmpz_poly_factor_init(factors);
  fmpz_poly_factor(factors, &product_);
  bool ok = true;
  for (slong k = 0; k < factors->num && ok; ++k) ok = FactorZeros(tree, factors->p + k, out);
  fmpz_poly_factor_clear(factors);
  return ok;
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
    if (!SquareFree(&forms, ring, &free)) return false;
    if (fmpz_mpoly_is_fmpz(p->get(), ring.ctx()) == 0 &&
        fmpz_mpoly_total_degree_si(free.get(), ring.ctx()) !=
            fmpz_mpoly_total_degree_si(p->get(), ring.ctx())) {
      return false;
    }
  }
  return true;
}

}  // namespace assay::math
