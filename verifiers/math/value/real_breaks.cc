#include "verifiers/math/value/real_breaks.h"

#include <algorithm>

#include "verifiers/math/value/rational_form.h"

namespace assay::math {
namespace {

constexpr slong kMaxBreaks = 16;
constexpr slong kMaxFactored = 8;
constexpr slong kMaxFactoredBits = 250;

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

}  // namespace

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
    if (!forms.SquareFree(ring, p) ||
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

}  // namespace assay::math
