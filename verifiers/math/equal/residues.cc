#include "verifiers/math/equal/residues.h"

#include "core/hash.h"

namespace assay::math {

const Field& Residues::GetField(int index) {
  while (static_cast<int>(fields_.size()) <= index)
    fields_.emplace_back(seed_, static_cast<int>(fields_.size()));
  return fields_[static_cast<size_t>(index)];
}

Decision Residues::Equal(NodeId a, NodeId b, bool* decided) {
  *decided = false;
  for (int k = 0; k < 2; ++k) {
    FieldEval ea(tree_, GetField(k), &budget_);
    FieldEval eb(tree_, GetField(k), &budget_);
    uint64_t x = 0;
    uint64_t y = 0;
    const Value va = ea.Eval(a, &x);
    const Value vb = eb.Eval(b, &y);
    if (va == Value::kLimit || vb == Value::kLimit) return Decision::Undecided();
    if (va == Value::kNo || vb == Value::kNo) return Decision::Unequal(Method::kNone);
    // A denominator that vanishes at a random point vanishes everywhere.
    if (va == Value::kUndefined || vb == Value::kUndefined || x != y) {
      *decided = !ea.opaque() && !eb.opaque();
      return Decision::Unequal();
    }
  }
  *decided = true;
  return Decision::Of(Outcome::kEqual, Method::kField);
}

bool Residues::IsZero(NodeId a) {
  for (int k = 0; k < 2; ++k) {
    FieldEval e(tree_, GetField(k), &budget_);
    uint64_t x = 0;
    if (e.Eval(a, &x) != Value::kOk || x != 0) return false;
  }
  return true;
}

// The residue of a / b where it is the same at four random points; 0 where a and b are zero at all of them.
std::optional<uint64_t> Residues::ConstantResidue(NodeId a, NodeId b) {
  uint64_t ratio = 0;
  const Field& field = GetField(0);
  for (uint64_t k = 0; k < 4; ++k) {
    Field f = field;
    f.seed = MixHash(field.seed + 1000 + k);
    FieldEval ea(tree_, f, &budget_);
    FieldEval eb(tree_, f, &budget_);
    uint64_t x = 0;
    uint64_t y = 0;
    if (ea.Eval(a, &x) != Value::kOk || eb.Eval(b, &y) != Value::kOk) return std::nullopt;
    if (x == 0 && y == 0) continue;
    if (x == 0 || y == 0) return std::nullopt;
    const uint64_t r = f.Mul(x, n_invmod(y, f.p));
    if (ratio == 0) ratio = r;
    if (r != ratio) return std::nullopt;
  }
  return ratio;
}

std::optional<Rational> Residues::ConstantRatio(NodeId a, NodeId b) {
  const std::optional<uint64_t> ratio = ConstantResidue(a, b);
  if (!ratio) return std::nullopt;
  Rational q;
  q.Set(1);
  if (*ratio == 0) return q;
  Integer residue;
  Integer modulus;
  fmpz_set_ui(residue.get(), *ratio);
  fmpz_set_ui(modulus.get(), GetField(0).p);
  if (fmpq_reconstruct_fmpz(q.get(), residue.get(), modulus.get()) == 0) return std::nullopt;
  // Most residues are those of some fraction; only a true ratio holds modulo the other prime, too.
  const Field& other = GetField(1);
  FieldEval ea(tree_, other, &budget_);
  FieldEval eb(tree_, other, &budget_);
  uint64_t x = 0;
  uint64_t y = 0;
  if (ea.Eval(a, &x) != Value::kOk || eb.Eval(b, &y) != Value::kOk) return std::nullopt;
  const uint64_t den = fmpz_fdiv_ui(q.den(), other.p);
  const uint64_t num = fmpz_fdiv_ui(q.num(), other.p);
  if (other.Mul(x, den) != other.Mul(y, num)) return std::nullopt;
  return q;
}

bool Residues::Quadratic(NodeId id, std::string_view symbol, Rational out[3]) {
  Rational values[3];
  static constexpr int kAt[3] = {0, 1, -1};
  for (int k = 0; k < 3; ++k) {
    ExactEval e(tree_, &budget_);
    Rational x;
    x.Set(kAt[k]);
    e.Bind(symbol, x);
    if (e.Eval(id, &values[k]) != Value::kOk) return false;
  }
  // c0 = f(0); c1 = (f(1) - f(-1)) / 2; c2 = (f(1) + f(-1)) / 2 - f(0).
  Rational two;
  two.Set(2);
  out[0] = values[0];
  fmpq_sub(out[1].get(), values[1].get(), values[2].get());
  fmpq_div(out[1].get(), out[1].get(), two.get());
  fmpq_add(out[2].get(), values[1].get(), values[2].get());
  fmpq_div(out[2].get(), out[2].get(), two.get());
  fmpq_sub(out[2].get(), out[2].get(), values[0].get());
  return HasResidues(id, symbol, out);
}

// True if the expression is c0 + c1 x + c2 x^2 as a rational function of x: values at a few known points prove nothing.
bool Residues::HasResidues(NodeId id, std::string_view symbol, const Rational c[3]) {
  for (int k = 0; k < 2; ++k) {
    const Field& f = GetField(k);
    const uint64_t x = f.Random(0, HashBytes64(symbol));
    FieldEval e(tree_, f, &budget_);
    e.Bind(symbol, x);
    uint64_t value = 0;
    if (e.Eval(id, &value) != Value::kOk) return false;
    uint64_t wanted = 0;
    for (int j = 2; j >= 0; --j) {
      const uint64_t den = fmpz_fdiv_ui(c[j].den(), f.p);
      if (den == 0) return false;
      const uint64_t coefficient = f.Mul(fmpz_fdiv_ui(c[j].num(), f.p), n_invmod(den, f.p));
      wanted = f.AddMod(f.Mul(wanted, x), coefficient);
    }
    if (value != wanted) return false;
  }
  return true;
}

}  // namespace assay::math
