#include "verifiers/math/value/rational_form.h"

#include <cstdlib>
#include <string>

namespace assay::math {
namespace {

constexpr size_t kMaxAtoms = 6;
constexpr slong kMaxTerms = 40;
constexpr slong kMaxDegree = 40;
constexpr ulong kMaxBits = 400;

}  // namespace

bool Forms::Atoms(NodeId id, std::vector<NodeId>* atoms) {
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

bool Forms::Build(NodeId id, const Ring& ring, Quotient* out) {
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
      if (n.n != 2 || !Build(tree_.Kid(id, 0), ring, out) || !Build(tree_.Kid(id, 1), ring, &below))
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

NodeId Forms::ToNode(const Poly& p, const Ring& ring) {
  std::vector<NodeId> terms;
  const slong length = fmpz_mpoly_length(p.get(), ring.ctx());
  for (slong k = 0; k < length; ++k) {
    Integer c;
    fmpz_mpoly_get_term_coeff_fmpz(c.get(), p.get(), k, ring.ctx());
    if (!fmpz_fits_si(c.get())) return kNoNode;
    std::vector<NodeId> factors = {tree_.Number(fmpz_get_si(c.get()))};
    for (size_t a = 0; a < ring.atoms().size(); ++a) {
      const ulong e = fmpz_mpoly_get_term_var_exp_ui(p.get(), k, static_cast<slong>(a), ring.ctx());
      if (e > 0)
        factors.push_back(
            tree_.Add(Op::kPow, {ring.atoms()[a], tree_.Number(static_cast<int64_t>(e))}));
    }
    terms.push_back(tree_.Add(Op::kMul, factors.data(), static_cast<uint32_t>(factors.size())));
  }
  if (terms.empty()) return tree_.Number(0);
  return tree_.Add(Op::kAdd, terms.data(), static_cast<uint32_t>(terms.size()));
}

bool Forms::Small(const Poly& p, const Ring& ring) {
  const slong length = fmpz_mpoly_length(p.get(), ring.ctx());
  return length <= kMaxTerms && fmpz_mpoly_max_bits(p.get()) < static_cast<slong>(kMaxBits) &&
         fmpz_mpoly_max_bits(p.get()) > -static_cast<slong>(kMaxBits) &&
         (length == 0 || fmpz_mpoly_total_degree_si(p.get(), ring.ctx()) <= kMaxDegree) &&
         budget_.Spend(8 + length * length / 4);
}

bool Forms::Gcd(const Poly& a, const Poly& b, const Ring& ring, Poly* out) {
  return Small(a, ring) && Small(b, ring) && budget_.Spend(200) &&
         fmpz_mpoly_gcd(out->get(), a.get(), b.get(), ring.ctx()) != 0;
}

size_t Forms::Find(const std::vector<NodeId>& atoms, NodeId id) {
  std::string text;
  PrintNode(tree_, id, &text);
  for (size_t k = 0; k < atoms.size(); ++k) {
    std::string other;
    PrintNode(tree_, atoms[k], &other);
    if (other == text) return k;
  }
  return atoms.size();
}

int64_t Forms::SmallExponent(NodeId id) {
  Rational q;
  if (ExactEval(tree_, &budget_).Eval(id, &q) != Value::kOk || !q.IsInteger()) return 0;
  return fmpz_cmpabs(q.num(), Integer(20).get()) > 0 ? 0 : fmpz_get_si(q.num());
}

bool Forms::Leaf(NodeId id, const Ring& ring, Quotient* out) {
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

bool Forms::Times(const Ring& ring, Poly* a, const Poly& b) {
  if (fmpz_mpoly_length(a->get(), ring.ctx()) * fmpz_mpoly_length(b.get(), ring.ctx()) >
      4 * kMaxTerms)
    return false;
  fmpz_mpoly_mul(a->get(), a->get(), b.get(), ring.ctx());
  return Small(*a, ring);
}

bool Forms::Multiply(const Ring& ring, Quotient* a, const Quotient& b) {
  return Times(ring, &a->num, b.num) && Times(ring, &a->den, b.den);
}

bool Forms::Add(const Ring& ring, Quotient* a, const Quotient& b) {
  if (fmpz_mpoly_equal(a->den.get(), b.den.get(), ring.ctx())) {
    fmpz_mpoly_add(a->num.get(), a->num.get(), b.num.get(), ring.ctx());
    return Small(a->num, ring);
  }
  Poly cross = b.num;
  if (!Times(ring, &a->num, b.den) || !Times(ring, &cross, a->den) || !Times(ring, &a->den, b.den))
    return false;
  fmpz_mpoly_add(a->num.get(), a->num.get(), cross.get(), ring.ctx());
  return Small(a->num, ring);
}

bool Forms::Invert(const Ring& ring, Quotient* a) {
  if (fmpz_mpoly_is_zero(a->num.get(), ring.ctx())) return false;
  std::swap(*a->num.get(), *a->den.get());
  return true;
}

bool Forms::SquareFree(const Ring& ring, Poly* p) {
  if (!Small(*p, ring)) return false;
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

}  // namespace assay::math
