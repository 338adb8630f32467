#include "verifiers/math/equal/scalar.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/hash.h"
#include "verifiers/math/syntax/rewrite.h"
#include "verifiers/math/value/polynomial.h"

namespace assay::math {
namespace {

constexpr slong kFirstBits = 128;
constexpr slong kMostBits = slong{1} << 16;
constexpr slong kExactBits = 4096;  // more than the ends of isolating intervals have
constexpr double kMostAlgebraicBits = 60000;

double Log2Sum(double a, double b) { return std::max(a, b) + 1; }

Decision Make(Outcome outcome, Method method, int bits = 0) {
  return {outcome, method, bits, false};
}
Decision Unequal(Method method = Method::kExact) { return Make(Outcome::kUnequal, method); }

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

}  // namespace

const Field& Scalars::GetField(int index) {
  while (static_cast<int>(fields_.size()) <= index)
    fields_.emplace_back(seed_, static_cast<int>(fields_.size()));
  return fields_[static_cast<size_t>(index)];
}

Value Scalars::Exact(NodeId id, Rational* out) {
  ExactEval exact(tree_, &budget_);
  return exact.Eval(id, out);
}

int Scalars::InfinitySign(NodeId id) const {
  const Node& n = tree_[id];
  switch (n.op) {
    case Op::kConst:
      return n.aux == static_cast<uint8_t>(ConstId::kInf) ? 1 : 0;
    case Op::kNeg:
      return -InfinitySign(tree_.Kid(id, 0));
    case Op::kPercent:
    case Op::kQuantity:
    case Op::kDegree:
      return InfinitySign(tree_.Kid(id, 0));
    default:
      return 0;
  }
}

// ---- traits

namespace {

enum class Change { kNone, kSteps, kPieces };

// Whether an operator is one formula throughout, goes in steps, or is made of pieces.
Change ChangeOf(const Node& n) {
  switch (n.op) {
    case Op::kFloor:
    case Op::kCeil:
    case Op::kMod:
    case Op::kGcd:
    case Op::kLcm:
      return Change::kSteps;
    case Op::kAbs:
    case Op::kMax:
    case Op::kMin:
    case Op::kNorm:
      return Change::kPieces;
    case Op::kFunc: {
      const auto f = static_cast<FuncId>(n.aux);
      return f == FuncId::kSign || f == FuncId::kArg ? Change::kPieces : Change::kNone;
    }
    default:
      return Change::kNone;
  }
}

}  // namespace

void Scalars::Collect(NodeId id, std::vector<std::string_view>* bound, Traits* out) {
  if (!budget_.Spend(1)) return;
  const Node& n = tree_[id];
  switch (n.op) {
    case Op::kSym: {
      const std::string_view name = tree_.Name(id);
      if (std::find(bound->begin(), bound->end(), name) != bound->end()) return;
      if (out->symbols.size() < 64 &&
          std::find(out->symbols.begin(), out->symbols.end(), name) == out->symbols.end()) {
        out->symbols.push_back(name);
      }
      return;
    }
    case Op::kConst:
      if (n.aux == static_cast<uint8_t>(ConstId::kI)) out->imaginary = true;
      if (n.aux == static_cast<uint8_t>(ConstId::kInf)) out->opaque = true;
      return;
    case Op::kSum:
    case Op::kProd: {
      Traits bounds;
      for (const uint32_t k : {1u, 2u}) Collect(tree_.Kid(id, k), bound, &bounds);
      if (!bounds.symbols.empty()) out->open_sum = true;
      bound->push_back(tree_.Name(tree_.Kid(id, 0)));
      for (const uint32_t k : {1u, 2u, 3u}) Collect(tree_.Kid(id, k), bound, out);
      bound->pop_back();
      return;
    }
    case Op::kApply:
    case Op::kLim:
    case Op::kInt:
    case Op::kDeriv:
    case Op::kDiff:
      out->opaque = true;
      break;
    case Op::kText:
    case Op::kRel:
    case Op::kCongruent:
    case Op::kTuple:
    case Op::kInterval:
    case Op::kUnion:
    case Op::kIntersect:
    case Op::kMinus:
    case Op::kNamedSet:
    case Op::kBuilder:
    case Op::kMatrix:
    case Op::kTime:
    case Op::kDet:
    case Op::kPm:
      out->not_scalar = true;
      break;
    case Op::kList:
    case Op::kSet:
    case Op::kSeq:
      if (n.n != 1) out->not_scalar = true;
      break;
    case Op::kPow: {
      Traits exponent;
      Collect(tree_.Kid(id, 1), bound, &exponent);
      if (!exponent.symbols.empty()) out->symbolic_power = true;
      break;
    }
    default: {
      const Change change = ChangeOf(n);
      if (change == Change::kNone) break;
      if (n.op != Op::kFunc) {
        Traits inner;
        for (uint32_t k = 0; k < n.n; ++k) Collect(tree_.Kid(id, k), bound, &inner);
        if (inner.symbols.empty() && !inner.opaque) break;
      }
      (change == Change::kSteps ? out->steps : out->pieces) = true;
      break;
    }
  }
  for (uint32_t k = 0; k < n.n; ++k) Collect(tree_.Kid(id, k), bound, out);
}

Traits Scalars::TraitsOf(NodeId id) {
  Traits t;
  std::vector<std::string_view> bound;
  Collect(id, &bound, &t);
  return t;
}

// ---- equality

Decision Scalars::Equal(NodeId a, NodeId b) {
  const Node& x = tree_[a];
  const Node& y = tree_[b];
  if (x.op == Op::kNum && y.op == Op::kNum) {
    if (x.num == y.num && x.den == y.den) return Make(Outcome::kEqual, Method::kExact);
    if (!float_digits_) return Unequal();
  }
  const int ia = InfinitySign(a);
  const int ib = InfinitySign(b);
  if (ia != 0 || ib != 0) return ia == ib ? Make(Outcome::kEqual, Method::kExact) : Unequal();
  const Traits ta = TraitsOf(a);
  const Traits tb = TraitsOf(b);
  if (budget_.Exhausted()) return Make(Outcome::kLimit, Method::kNone);
  if (ta.not_scalar || tb.not_scalar) return Unequal(Method::kNone);
  if ((x.op == Op::kLim) != (y.op == Op::kLim))
    return x.op == Op::kLim ? LimitEqual(a, b) : LimitEqual(b, a);
  Decision d = ta.constant() && tb.constant() ? ConstantEqual(a, b) : SymbolicEqual(a, b);
  if (!d.yes() && budget_.Exhausted()) d = Make(Outcome::kLimit, Method::kNone);
  return d;
}

Decision Scalars::ConstantEqual(NodeId a, NodeId b) {
  Rational qa;
  Rational qb;
  const Value va = Exact(a, &qa);
  const Value vb = Exact(b, &qb);
  if (va == Value::kUndefined || vb == Value::kUndefined) return Unequal();
  if (va == Value::kOk && vb == Value::kOk) {
    if (fmpq_equal(qa.get(), qb.get())) return Make(Outcome::kEqual, Method::kExact);
    return float_digits_ ? Rounded(a, b) : Unequal();
  }
  if (budget_.Exhausted()) return Make(Outcome::kLimit, Method::kNone);
  const Decision d = BallEqual(a, b);
  if (d.outcome == Outcome::kUnequal && float_digits_) return Rounded(a, b);
  return d;
}

Decision Scalars::BallEqual(NodeId a, NodeId b) {
  double largest = 0;
  double size = 0;
  Complex z;
  const auto evaluate = [&](slong prec) {
    BallEval ea(tree_, &budget_, prec);
    BallEval eb(tree_, &budget_, prec);
    Complex x;
    Complex y;
    Value v = ea.Eval(a, &x);
    if (v == Value::kOk) v = eb.Eval(b, &y);
    if (v != Value::kOk) return v;
    acb_sub(z.get(), x.get(), y.get(), prec);
    largest = std::max(ea.largest_log2, eb.largest_log2);
    size = std::max({SizeLog2(x), SizeLog2(y), 0.0});
    return v;
  };
  const Value v = evaluate(kFirstBits);
  if (v == Value::kUndefined) return Unequal();
  if (v == Value::kOk && acb_contains_zero(z.get()) == 0) return Unequal();
  bool decided = false;
  if (v == Value::kOk) {
    Bound ba;
    Bound bb;
    Radicals radicals;
    if (AlgebraicBound(a, &ba, &radicals) && AlgebraicBound(b, &bb, &radicals)) {
      const double need =
          (radicals.degree - 1) * Log2Sum(ba.u + bb.l, ba.l + bb.u) + ba.l + bb.l + 1;
      const double prec = need + 2 * largest + size + 64;
      if (prec < kMostAlgebraicBits && evaluate(static_cast<slong>(prec)) == Value::kOk) {
        if (acb_contains_zero(z.get()) == 0) return Unequal();
        if (SizeLog2(z) < -need) return Make(Outcome::kEqual, Method::kExact);
      }
    }
  }
  const Decision field = FieldEqual(a, b, &decided);
  if (decided) return field;
  if (v != Value::kOk) return Make(Outcome::kLimit, Method::kNone);
  for (slong prec = static_cast<slong>(std::min(2 * largest + 320, 1e9)); prec <= 2 * kMostBits;
       prec *= 2) {
    if (2 * largest + 256 > static_cast<double>(kMostBits) || evaluate(prec) != Value::kOk) break;
    if (acb_contains_zero(z.get()) == 0) return Unequal();
    const double wanted = 2 * largest + 256;
    if (static_cast<double>(prec) < wanted) continue;  // this look saw more than the last one
    if (RadiusLog2(z) - size < -wanted * 0.75)
      return Make(Outcome::kEqual, Method::kBall, static_cast<int>(prec));
  }
  return Make(Outcome::kLimit, Method::kNone);
}

// ---- limits

// A point at distance 2^-bits from the target (2^bits from zero for infinity), below it if `below`.
bool Scalars::NearTarget(NodeId target, bool below, slong bits, slong prec, Complex* out) {
  const int infinity = InfinitySign(target);
  if (infinity == 0) {
    BallEval e(tree_, &budget_, prec);
    if (e.Eval(target, out) != Value::kOk) return false;
  }
  Real distance;
  arb_one(distance.get());
  arb_mul_2exp_si(distance.get(), distance.get(), infinity == 0 ? -bits : bits);
  if (below || infinity < 0) arb_neg(distance.get(), distance.get());
  acb_add_arb(out->get(), out->get(), distance.get(), prec);
  return true;
}

// The largest |log2| of a subterm of the body some way from the target: what is small there already is small by itself.
double Scalars::LimitSize(NodeId limit) {
  constexpr slong kBits = 24;
  constexpr slong kPrec = 256;
  double largest = 0;
  for (const bool below : {false, true}) {
    Complex at;
    if (!NearTarget(tree_.Kid(limit, 1), below, kBits, kPrec, &at)) continue;
    BallEval e(tree_, &budget_, kPrec);
    e.Bind(tree_.Name(tree_.Kid(limit, 0)), at);
    Complex f;
    e.Eval(tree_.Kid(limit, 2), &f);
    largest = std::max(largest, e.largest_log2);
  }
  return largest;
}

// lim f = value, from f at points that close in on the target from the sides that count: at distances 2^-P and 2^-2P the
// difference has to fall below 2^-P/2 and 2^-P, where P is what the value's size asks for. Agreement is no proof.
Decision Scalars::LimitEqual(NodeId limit, NodeId value) {
  const NodeId variable = tree_.Kid(limit, 0);
  const NodeId target = tree_.Kid(limit, 1);
  const NodeId body = tree_.Kid(limit, 2);
  const int direction = tree_[limit].aux;
  if (tree_[variable].op != Op::kSym) return Unequal(Method::kNone);
  const std::string name = tree_.Name(variable);
  const Traits t = TraitsOf(body);
  if (t.opaque || t.not_scalar || !TraitsOf(value).constant() || !TraitsOf(target).symbols.empty())
    return Unequal(Method::kNone);
  if (t.symbols.size() > 1 || (t.symbols.size() == 1 && t.symbols[0] != name))
    return Unequal(Method::kNone);
  BallEval first(tree_, &budget_, 256);
  Complex v;
  if (first.Eval(value, &v) != Value::kOk) return Unequal(Method::kNone);
  const double largest = std::max(first.largest_log2, LimitSize(limit));
  const slong bits = static_cast<slong>(std::min(2 * largest + 256, 1e6));
  if (bits > 4096) return Make(Outcome::kLimit, Method::kNone);
  const int infinity = InfinitySign(target);
  for (int side = 0; side < 2; ++side) {
    if ((direction == 1 && side == 1) || (direction == 2 && side == 0) ||
        (infinity != 0 && side == 1))
      continue;
    for (int step = 1; step <= 2; ++step) {
      const slong prec = 8 * bits;
      Complex at;
      if (!NearTarget(target, side == 1, bits * step, prec, &at)) return Unequal(Method::kNone);
      BallEval ef(tree_, &budget_, prec);
      ef.Bind(name, at);
      BallEval ev(tree_, &budget_, prec);
      Complex f;
      if (ef.Eval(body, &f) != Value::kOk || ev.Eval(value, &v) != Value::kOk)
        return Unequal(Method::kNone);
      acb_sub(f.get(), f.get(), v.get(), prec);
      if (!(SizeLog2(f) < -static_cast<double>(bits * step) / 2)) return Unequal(Method::kBall);
    }
  }
  return Make(Outcome::kEqual, Method::kBall, static_cast<int>(bits));
}

// ---- rounding, where it was asked for

bool Scalars::RoundTo(NodeId a, Integer* re, Integer* im) {
  Integer scale;
  fmpz_ui_pow_ui(scale.get(), 10, static_cast<ulong>(std::clamp(*float_digits_, 0, 100)));
  Rational q;
  if (Exact(a, &q) == Value::kOk) {
    // floor(|q| * scale + 1/2) with q's sign.
    Rational s;
    fmpq_abs(s.get(), q.get());
    fmpq_mul_fmpz(s.get(), s.get(), scale.get());
    Rational half;
    half.Set(1, 2);
    fmpq_add(s.get(), s.get(), half.get());
    fmpz_fdiv_q(re->get(), s.num(), s.den());
    if (q.Sign() < 0) fmpz_neg(re->get(), re->get());
    fmpz_zero(im->get());
    return true;
  }
  for (const slong prec : {192, 1024, 4096}) {
    BallEval balls(tree_, &budget_, prec);
    Complex z;
    if (balls.Eval(a, &z) != Value::kOk) return false;
    bool ok = true;
    for (int part = 0; part < 2 && ok; ++part) {
      arb_ptr x = part == 0 ? z.re() : z.im();
      const bool negative = arb_is_negative(x) != 0;
      Real s;
      arb_abs(s.get(), x);
      arb_mul_fmpz(s.get(), s.get(), scale.get(), prec);
      Real half;
      arb_set_d(half.get(), 0.5);
      arb_add(s.get(), s.get(), half.get(), prec);
      arb_floor(s.get(), s.get(), prec);
      Integer* out = part == 0 ? re : im;
      ok = arb_get_unique_fmpz(out->get(), s.get()) != 0;
      if (negative) fmpz_neg(out->get(), out->get());
    }
    if (ok) return true;
  }
  return false;
}

Decision Scalars::Rounded(NodeId a, NodeId b) {
  Integer ra;
  Integer ia;
  Integer rb;
  Integer ib;
  if (!RoundTo(a, &ra, &ia) || !RoundTo(b, &rb, &ib)) return Unequal();
  if (fmpz_equal(ra.get(), rb.get()) == 0 || fmpz_equal(ia.get(), ib.get()) == 0) return Unequal();
  Decision d = Make(Outcome::kEqual, Method::kExact);
  d.rounded = true;
  return d;
}

// ---- order of real constants

std::optional<int> Scalars::Order(NodeId a, NodeId b) {
  const int ia = InfinitySign(a);
  const int ib = InfinitySign(b);
  if (ia != 0 || ib != 0) return ia == ib ? 0 : ia != 0 ? ia : -ib;
  Rational qa;
  Rational qb;
  const Value va = Exact(a, &qa);
  const Value vb = Exact(b, &qb);
  if (va == Value::kOk && vb == Value::kOk) {
    const int c = fmpq_cmp(qa.get(), qb.get());
    return c < 0 ? -1 : c > 0 ? 1 : 0;
  }
  if (va == Value::kUndefined || vb == Value::kUndefined) return std::nullopt;
  for (const slong prec : {64, 512, 4096}) {
    BallEval ea(tree_, &budget_, prec);
    BallEval eb(tree_, &budget_, prec);
    Complex x;
    Complex y;
    if (ea.Eval(a, &x) != Value::kOk || eb.Eval(b, &y) != Value::kOk || !x.IsReal() || !y.IsReal())
      return std::nullopt;
    if (arb_lt(x.re(), y.re())) return -1;
    if (arb_gt(x.re(), y.re())) return 1;
    if (prec == 64 && Equal(a, b).yes()) return 0;
  }
  return std::nullopt;
}

// ---- algebraic numbers: a separation bound (Burnikel, Funke, Mehlhorn, Schirra, Schmitt 2001)

void Scalars::Radicals::Add(uint64_t key, double index) {
  if (std::find(keys.begin(), keys.end(), key) != keys.end()) return;
  keys.push_back(key);
  degree *= index;
}

uint64_t Scalars::StructureHash(NodeId id) {
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

bool Scalars::AlgebraicBound(NodeId id, Bound* out, Radicals* radicals) {
  if (!budget_.Spend(1) || radicals->degree > 1e6) return false;
  const Node& n = tree_[id];
  switch (n.op) {
    case Op::kNum:
      *out = {std::log2(std::max<double>(1, std::abs(static_cast<double>(n.num)))) + 0.01,
              std::log2(static_cast<double>(n.den)) + 0.01};
      return true;
    case Op::kBig: {
      const double digits =
          3.33 * static_cast<double>(tree_.bigs[static_cast<size_t>(n.num)].size()) + 1;
      const double scale = 3.33 * static_cast<double>(std::abs(n.den));
      *out = {digits + (n.den > 0 ? scale : 0), n.den < 0 ? scale : 0};
      return true;
    }
    case Op::kConst:
      if (n.aux != static_cast<uint8_t>(ConstId::kI)) return false;
      radicals->Add(1, 2);
      *out = {0, 0};
      return true;
    case Op::kNeg:
    case Op::kQuantity:
      return AlgebraicBound(tree_.Kid(id, 0), out, radicals);
    case Op::kPercent:
      if (!AlgebraicBound(tree_.Kid(id, 0), out, radicals)) return false;
      out->l += 6.65;
      return true;
    case Op::kAdd:
    case Op::kMul: {
      Bound total;
      for (uint32_t k = 0; k < n.n; ++k) {
        Bound b;
        if (!AlgebraicBound(tree_.Kid(id, k), &b, radicals)) return false;
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
    case Op::kDiv: {
      Bound a;
      Bound b;
      if (n.n != 2 || !AlgebraicBound(tree_.Kid(id, 0), &a, radicals) ||
          !AlgebraicBound(tree_.Kid(id, 1), &b, radicals)) {
        return false;
      }
      *out = {a.u + b.l, a.l + b.u};
      return true;
    }
    case Op::kPow:
    case Op::kRoot:
      return PowerBound(id, out, radicals);
    case Op::kFunc:
      return TrigonometricBound(id, out, radicals);
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
    case Op::kMin: {
      Rational q;
      if (Exact(id, &q) == Value::kOk) {
        *out = {static_cast<double>(fmpz_bits(q.num())), static_cast<double>(fmpz_bits(q.den()))};
        return true;
      }
      // |x| of a real number is x or -x.
      return n.op == Op::kAbs && !TraitsOf(tree_.Kid(id, 0)).imaginary &&
             AlgebraicBound(tree_.Kid(id, 0), out, radicals);
    }
    default:
      return false;
  }
}

bool Scalars::PowerBound(NodeId id, Bound* out, Radicals* radicals) {
  Rational e;
  if (Exact(tree_.Kid(id, 1), &e) != Value::kOk) return false;
  if (tree_[id].op == Op::kRoot) {
    if (e.IsZero()) return false;
    fmpq_inv(e.get(), e.get());
  }
  if (fmpz_bits(e.num()) > 20 || fmpz_bits(e.den()) > 10) return false;
  Bound b;
  if (!AlgebraicBound(tree_.Kid(id, 0), &b, radicals)) return false;
  if (!e.IsInteger()) {
    const double k = fmpz_get_d(e.den());
    radicals->Add(MixHash(StructureHash(tree_.Kid(id, 0)) + fmpz_get_ui(e.den())), k);
    b = b.u >= b.l ? Bound{(b.u + (k - 1) * b.l) / k, b.l} : Bound{b.u, ((k - 1) * b.u + b.l) / k};
  }
  const double power = fmpz_get_d(e.num());
  if (power < 0) std::swap(b.u, b.l);
  *out = {b.u * std::abs(power), b.l * std::abs(power)};
  return true;
}

// Sines and cosines of rational multiples of pi: (zeta + 1/zeta) / 2 with a root of unity zeta.
bool Scalars::TrigonometricBound(NodeId id, Bound* out, Radicals* radicals) {
  const auto f = static_cast<FuncId>(tree_[id].aux);
  if (f > FuncId::kCsc) {
    Rational q;
    if (Exact(id, &q) != Value::kOk) return false;
    *out = {static_cast<double>(fmpz_bits(q.num())), static_cast<double>(fmpz_bits(q.den()))};
    return true;
  }
  Rational turn;
  if (!PiMultiple(tree_.Kid(id, 0), &turn) || fmpz_cmp_si(turn.den(), 1000) > 0) return false;
  // exp(i pi a/b) is a root of unity of order dividing 2b; sines need the fourth root as well.
  const ulong order = std::lcm<ulong>(4, 2 * fmpz_get_ui(turn.den()));
  radicals->Add(MixHash(order + 77), static_cast<double>(n_euler_phi(order)));
  radicals->Add(1, 2);
  *out = f == FuncId::kSin || f == FuncId::kCos ? Bound{1, 1} : Bound{2, 2};
  return true;
}

// x = q pi with rational q.
bool Scalars::PiMultiple(NodeId id, Rational* out) {
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

// ---- expressions with symbols

// Residues modulo two primes. `decided`: equality was shown, or inequality of two rational functions was.
Decision Scalars::FieldEqual(NodeId a, NodeId b, bool* decided) {
  *decided = false;
  for (int k = 0; k < 2; ++k) {
    FieldEval ea(tree_, GetField(k), &budget_);
    FieldEval eb(tree_, GetField(k), &budget_);
    uint64_t x = 0;
    uint64_t y = 0;
    const Value va = ea.Eval(a, &x);
    const Value vb = eb.Eval(b, &y);
    if (va == Value::kLimit || vb == Value::kLimit) return Make(Outcome::kLimit, Method::kNone);
    if (va == Value::kNo || vb == Value::kNo) return Unequal(Method::kNone);
    // A denominator that vanishes at a random point vanishes everywhere.
    if (va == Value::kUndefined || vb == Value::kUndefined || x != y) {
      *decided = !ea.opaque() && !eb.opaque();
      return Unequal();
    }
  }
  *decided = true;
  return Make(Outcome::kEqual, Method::kField);
}

Decision Scalars::SymbolicEqual(NodeId a, NodeId b) {
  bool decided = false;
  const Decision d = FieldEqual(a, b, &decided);
  if (decided || d.outcome == Outcome::kLimit) return d;
  return SampleEqual(a, b);
}

bool Scalars::IsZero(NodeId a) {
  for (int k = 0; k < 2; ++k) {
    FieldEval e(tree_, GetField(k), &budget_);
    uint64_t x = 0;
    if (e.Eval(a, &x) != Value::kOk || x != 0) return false;
  }
  return true;
}

std::optional<Rational> Scalars::ConstantRatio(NodeId a, NodeId b) {
  uint64_t ratio = 0;
  Rational one;
  one.Set(1);
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
  if (ratio == 0) return one;
  Rational q;
  Integer residue;
  Integer modulus;
  fmpz_set_ui(residue.get(), ratio);
  fmpz_set_ui(modulus.get(), field.p);
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

bool Scalars::Quadratic(NodeId id, std::string_view symbol, Rational out[3]) {
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
bool Scalars::HasResidues(NodeId id, std::string_view symbol, const Rational c[3]) {
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

// ---- sampling

struct Scalars::Points {
  std::vector<std::vector<Sample>> real;
  std::vector<std::vector<Sample>> complex;
  bool complete = false;  // every piece of every absolute value and root is among them
};

void Scalars::Literals(NodeId id, std::vector<double>* out) {
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

namespace {

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

}  // namespace

// Where an expression in one symbol (several: `symbol` empty) may change its form. False: that cannot be told, so samples
// cannot show equality.
bool Scalars::PieceBreaks(NodeId id, std::string_view symbol, RealBreaks* breaks) {
  if (!budget_.Spend(1)) return false;
  const Op op = tree_[id].op;
  const uint32_t count = tree_[id].n;
  if (TraitsOf(id).symbols.empty()) return true;
  if (op == Op::kNorm || (op == Op::kFunc && static_cast<FuncId>(tree_[id].aux) == FuncId::kArg))
    return false;
  // 0^e is 0, 1 or undefined by the sign of e.
  if (op == Op::kPow && !TraitsOf(tree_.Kid(id, 1)).symbols.empty() && IsZero(tree_.Kid(id, 0)))
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
    if (TraitsOf(argument).symbols.empty()) continue;
    if (!symbol.empty() && breaks->Add(&tree_, &budget_, argument, symbol)) continue;
    if (corner == Corner::kJump && tree_[argument].op != Op::kSym) return false;
    if (corner == Corner::kRoot && !IsSquareFree(&tree_, &budget_, argument)) return false;
  }
  for (uint32_t k = 0; k < count; ++k) {
    if (!PieceBreaks(tree_.Kid(id, k), symbol, breaks)) return false;
  }
  return true;
}

bool Scalars::CollectPoints(NodeId a, NodeId b, const Traits& ta, const Traits& tb,
                            Points* points) {
  std::vector<std::string_view> names = ta.symbols;
  for (const std::string_view s : tb.symbols) {
    if (std::find(names.begin(), names.end(), s) == names.end()) names.push_back(s);
  }
  // A symbol's draws depend on its name's place among all of them, not on where it stands in the texts.
  std::sort(names.begin(), names.end());
  uint64_t state = seed_ ^ 0x2545f4914f6cdd1dull;
  const auto random = [&state] { return state = MixHash(state); };
  const bool positive = ta.symbolic_power || tb.symbolic_power;
  const auto add = [&](double low, double high, bool mixed) {
    std::vector<Sample> at;
    for (const std::string_view name : names) {
      Complex z;
      RandomBetween(low, high, random(), z.re());
      if (mixed && (random() & 1) != 0) arb_neg(z.re(), z.re());
      at.push_back({name, z});
    }
    points->real.push_back(std::move(at));
  };
  static constexpr double kPositive[][2] = {
      {0.5, 2.7}, {5, 19}, {0.05, 0.9}, {1.1, 3.3}, {0.001, 0.01}};
  static constexpr double kNegative[][2] = {{-2.7, -0.5}, {-0.9, -0.1}, {-19, -5}};
  for (const auto& [low, high] : kPositive) add(low, high, false);
  if (!positive) {
    for (const auto& [low, high] : kNegative) add(low, high, false);
    add(0.3, 4, true);
    add(2, 9, true);
  }
  std::vector<double> scales;
  Literals(a, &scales);
  Literals(b, &scales);
  for (const double s : scales) {
    if (!(s < 1e30)) break;
    add(s * 1.05, s * 1.9, false);
    if (!positive) add(-s * 1.9, -s * 1.05, false);
    add(s * 0.5, s * 0.95, false);
  }
  RealBreaks pieces;
  std::vector<Real> breaks;
  const std::string_view only = names.size() == 1 ? names[0] : std::string_view();
  points->complete = !ta.steps && !tb.steps && (names.size() == 1 || (!ta.pieces && !tb.pieces)) &&
                     PieceBreaks(a, only, &pieces) && PieceBreaks(b, only, &pieces) &&
                     pieces.Isolate(&budget_, &breaks);
  for (size_t gap = 0; gap <= breaks.size() && !breaks.empty(); ++gap) {
    for (int copy = 0; copy < 2; ++copy) {
      std::vector<Sample> at = {{only, Complex()}};
      RandomInGap(breaks, gap, random(), at[0].value.re());
      points->real.push_back(std::move(at));
    }
  }
  for (int k = 0; k < 4; ++k) {
    std::vector<Sample> at;
    for (const std::string_view name : names) {
      Complex z;
      RandomBetween(-2, 2, random(), z.re());
      RandomBetween(-2, 2, random(), z.im());
      at.push_back({name, z});
    }
    points->complex.push_back(std::move(at));
  }
  return !names.empty();
}

// Both values at one point. `valid`: both are defined there (as reals, if the domain is real).
Decision Scalars::CompareAt(NodeId a, NodeId b, const std::vector<Sample>& at, bool real_domain,
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
      return Make(Outcome::kEqual, Method::kNone);  // neither is defined: says nothing
    if (da != db) return Unequal();                 // the domains differ
    Complex z;
    acb_sub(z.get(), x.get(), y.get(), prec);
    if (acb_contains_zero(z.get()) == 0) {
      *valid = true;
      return Unequal();
    }
    const double wanted = 2 * std::max(ea.largest_log2, eb.largest_log2) + 256;
    if (wanted > static_cast<double>(kMostBits) / 8) break;
    const double size = std::max({SizeLog2(x), SizeLog2(y), 0.0});
    if (prec >= static_cast<slong>(wanted) && RadiusLog2(z) - size < -wanted * 0.75) {
      *valid = true;
      return Make(Outcome::kEqual, Method::kBall, static_cast<int>(prec));
    }
    prec = std::max<slong>(static_cast<slong>(wanted) + 64, prec * (round > 0 ? 2 : 1));
  }
  return Make(Outcome::kLimit, Method::kNone);
}

Decision Scalars::SampleEqual(NodeId a, NodeId b) {
  const Traits ta = TraitsOf(a);
  const Traits tb = TraitsOf(b);
  if (ta.opaque || tb.opaque) return Unequal(Method::kNone);
  if (ta.open_sum || tb.open_sum) return EqualByInduction(a, b);
  Points points;
  if (!CollectPoints(a, b, ta, tb, &points)) return Unequal(Method::kNone);
  const bool real_domain = !ta.imaginary && !tb.imaginary;
  int valid_points = 0;
  int limits = 0;
  int bits = 0;
  bool domains_differ = false;
  const auto visit = [&](const std::vector<std::vector<Sample>>& list, bool real) {
    for (const std::vector<Sample>& at : list) {
      bool valid = false;
      const Decision d = CompareAt(a, b, at, real, &valid);
      if (d.outcome == Outcome::kUnequal && valid) return false;
      domains_differ = domains_differ || d.outcome == Outcome::kUnequal;
      if (d.outcome == Outcome::kLimit) ++limits;
      if (valid) ++valid_points;
      bits = std::max(bits, d.bits);
      if (limits > 4 || budget_.Exhausted()) break;
    }
    return true;
  };
  if (!visit(points.real, real_domain)) return Unequal();
  if (domains_differ) return Unequal();
  if (!real_domain || valid_points < 3) {
    if (!visit(points.complex, false)) return Unequal();
  }
  if (limits > 2 || budget_.Exhausted()) return Make(Outcome::kLimit, Method::kNone);
  if (valid_points < 4 || !points.complete) return Unequal(Method::kNone);
  return Make(Outcome::kEqual, Method::kBall, bits);
}

}  // namespace assay::math
