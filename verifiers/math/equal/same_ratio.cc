// Ratios (a:b:c up to a factor) and times of day (3 p.m. and 15:00).
#include "verifiers/math/equal/comparison.h"

namespace assay::math {
namespace {

struct Clock {
  Rational hour;
  Rational minute;
  int half = 0;            // 1 before noon, 2 after it, 0 not told
  bool day_hours = false;  // of the twenty-four-hour clock
  bool ok = false;
};

Clock AsClock(Comparison* cmp, NodeId id) {
  Tree& tree = cmp->tree;
  Scalars& scalars = cmp->scalars;
  Clock c;
  const Node& n = tree[id];
  if (n.op == Op::kTime) c.half = n.aux;
  c.day_hours = n.op == Op::kRatio && n.aux == kDayHours;
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

// Twelve hours and a half of the day, where the time tells it: 15:00 and 03:00 do, 3:00 does not.
void TwelveHours(Clock* c) {
  const int hour = c->hour.IsInteger() ? static_cast<int>(fmpz_get_si(c->hour.num())) : -1;
  if (hour < 0 || hour > 24) return;
  if (c->half == 0 && (hour > 12 || hour == 0 || c->day_hours))
    c->half = hour >= 12 && hour < 24 ? 2 : 1;
  c->hour.Set(hour % 12);
}

// 3 p.m. is 15:00 and 3:00, neither 3 a.m. nor 03:00; 3:00 is not 15:00.
bool SameHour(Clock x, Clock y) {
  if (x.half == 0 && y.half == 0) return fmpq_equal(x.hour.get(), y.hour.get()) != 0;
  TwelveHours(&x);
  TwelveHours(&y);
  return fmpq_equal(x.hour.get(), y.hour.get()) != 0 &&
         (x.half == 0 || y.half == 0 || x.half == y.half);
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
