// Ratios (a:b:c up to a factor) and times of day (3 p.m. and 15:00).
#include "verifiers/math/equal/comparison.h"

namespace assay::math {
namespace {

struct Clock {
  Rational hour;
  Rational minute;
  int half = 0;
  bool ok = false;
};

Clock AsClock(Comparison* cmp, NodeId id) {
  Tree& tree = cmp->tree;
  Scalars& scalars = cmp->scalars;
  Clock c;
  const Node& n = tree[id];
  if (n.op == Op::kTime) c.half = n.aux;
  if (n.op == Op::kNum) {
    c.ok = scalars.Exact(id, &c.hour) == Value::kOk;
    return c;
  }
  if ((n.op == Op::kTime || (n.op == Op::kRatio && n.aux != 0)) && n.n >= 2) {
    c.ok = scalars.Exact(tree.Kid(id, 0), &c.hour) == Value::kOk &&
           scalars.Exact(tree.Kid(id, 1), &c.minute) == Value::kOk;
    if (n.n == 3) {
      Rational seconds;
      c.ok = c.ok && scalars.Exact(tree.Kid(id, 2), &seconds) == Value::kOk;
      fmpq_div_fmpz(seconds.get(), seconds.get(), Integer(60).get());
      fmpq_add(c.minute.get(), c.minute.get(), seconds.get());
    }
  }
  return c;
}

// 3 p.m. is 15:00 and 3:00, not 3 a.m.
bool SameHour(const Clock& x, const Clock& y) {
  if (x.half != 0 && y.half != 0 && x.half != y.half) return false;
  if (fmpq_equal(x.hour.get(), y.hour.get())) return true;
  if ((x.half == 0) == (y.half == 0)) return false;
  const Clock& told = x.half != 0 ? x : y;
  const Clock& other = x.half != 0 ? y : x;
  Rational hour;
  const bool twelve = told.hour.IsInteger() && fmpz_equal_si(told.hour.num(), 12) != 0;
  fmpq_set_si(hour.get(), (told.half == 2 ? 12 : 0) - (twelve ? 12 : 0), 1);
  fmpq_add(hour.get(), hour.get(), told.hour.get());
  return fmpq_equal(hour.get(), other.hour.get());
}

}  // namespace

Decision SameRatio(Comparison* cmp, NodeId g, NodeId a) {
  Tree& tree = cmp->tree;
  const bool both_clocks = (tree[g].op == Op::kTime || tree[g].aux != 0) &&
                           (tree[a].op == Op::kTime || tree[a].aux != 0);
  if (tree[g].op == Op::kTime || tree[a].op == Op::kTime || both_clocks) {
    const Clock x = AsClock(cmp, g);
    const Clock y = AsClock(cmp, a);
    if (!x.ok || !y.ok) return No();
    return SameHour(x, y) && fmpq_equal(x.minute.get(), y.minute.get()) ? Yes() : No();
  }
  if (tree[g].n != tree[a].n) return No();
  Decision all = Yes();
  for (uint32_t k = 1; k < tree[g].n && all.yes(); ++k) {
    const NodeId x = tree.Add(Op::kDiv, {tree.Kid(g, 0), tree.Kid(g, k)});
    const NodeId y = tree.Add(Op::kDiv, {tree.Kid(a, 0), tree.Kid(a, k)});
    all = Both(all, cmp->scalars.Equal(x, y));
  }
  return all;
}

}  // namespace assay::math
