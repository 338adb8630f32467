// Arithmetic progressions over all whole numbers: x = 7k + 3, k in Z; x = pi/6 + 2 pi n; x = 3 (mod 7); several of them together,
// (-1)^k pi/6 + k pi among them. Equal are those that hold the same numbers, whatever their parameters are called and wherever
// they are counted from.
#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <set>
#include <string>

#include "verifiers/math/equal/comparison.h"
#include "verifiers/math/syntax/rewrite.h"

namespace assay::math {
namespace {

constexpr int64_t kMostClasses = 2000;
constexpr size_t kMostFamilies = 64;

struct Progression {
  NodeId offset = kNoNode;
  NodeId step = kNoNode;
};

struct Classes {
  std::vector<Progression> all;
  std::vector<std::string> parameters;  // declared to be whole numbers
  std::string name;                     // of what lies in the classes; empty: not named
  bool declared = false;
};

// k in Z
bool IsMembership(const Tree& tree, NodeId id) {
  return tree[id].op == Op::kRel && tree[id].n == 2 && tree.Name(id)[0] == kIn &&
         tree[tree.Kid(id, 0)].op == Op::kSym && tree[tree.Kid(id, 1)].op == Op::kNamedSet;
}

class Reader {
 public:
  explicit Reader(Comparison* cmp) : cmp_(cmp), tree_(cmp->tree) {}

  bool Read(NodeId id, Classes* out) {
    Ids items = tree_[id].op == Op::kList ? Kids(tree_, id) : Ids{id};
    Ids values;
    for (const NodeId item : items) {
      if (!IsMembership(tree_, item)) {
        values.push_back(item);
        continue;
      }
      if (tree_[tree_.Kid(item, 1)].aux != 'Z') return false;
      out->parameters.push_back(tree_.Name(tree_.Kid(item, 0)));
      out->declared = true;
    }
    for (const NodeId value : values) {
      if (!Item(value, out) || out->all.size() > kMostFamilies) return false;
    }
    return !out->all.empty();
  }

 private:
  bool Item(NodeId id, Classes* out) {
    id = Shell(cmp_, id);
    if (id == kNoNode) return false;
    const Node n = tree_[id];
    if (n.op == Op::kList) {  // both signs
      const Ids kids = Kids(tree_, id);
      return kids.size() <= 16 &&
             std::all_of(kids.begin(), kids.end(), [&](NodeId k) { return Item(k, out); });
    }
    if (n.op == Op::kCongruent) {
      if (!Name(tree_.Kid(id, 0), out)) return false;
      out->declared = true;
      return Constant(tree_.Kid(id, 1)) && Constant(tree_.Kid(id, 2)) &&
             Add({tree_.Kid(id, 1), tree_.Kid(id, 2)}, out);
    }
    if (n.op == Op::kRel) {
      const Assignment assigned = AsAssignment(cmp_, id);
      if (!assigned || tree_.Name(id)[0] != kEq || !Name(assigned.name, out)) return false;
      return Value(assigned.value, out);
    }
    return Value(id, out);
  }

  bool Name(NodeId id, Classes* out) {
    if (tree_[id].op != Op::kSym) return false;
    const std::string& name = tree_.Name(id);
    if (name == "_") return true;
    if (!out->name.empty() && out->name != name) return false;
    out->name = name;
    return true;
  }

  bool Constant(NodeId id) { return cmp_->scalars.TraitsOf(id).constant(); }

  bool Value(NodeId id, Classes* out) {
    const Traits traits = cmp_->scalars.TraitsOf(id);
    if (traits.symbols.size() != 1 || traits.not_scalar || traits.opaque) return false;
    const std::string parameter(traits.symbols[0]);
    const auto& known = out->parameters;
    const bool usual =
        parameter.size() == 1 && std::string("kKnNmMlrpqjtsz").find(parameter) != std::string::npos;
    const bool fits = known.empty()
                          ? usual && parameter != out->name
                          : std::find(known.begin(), known.end(), parameter) != known.end();
    if (!fits) return false;
    for (const int odd : {0, 1}) {
      bool alternates = false;
      const NodeId half = WithoutAlternation(id, parameter, odd, &alternates);
      if (half == kNoNode || !Linear(half, parameter, out)) return false;
      if (!alternates) return true;
    }
    return true;
  }

  // (-1)^k at k = 2m + odd: the value with its sign, in m.
  NodeId WithoutAlternation(NodeId id, const std::string& parameter, int odd, bool* alternates) {
    bool fails = false;
    const NodeId twice = tree_.Add(
        Op::kAdd,
        {tree_.Add(Op::kMul, {tree_.Number(2), tree_.Symbol(parameter)}), tree_.Number(odd)});
    const NodeId copy = CopyWith(&tree_, id, [&](NodeId at) -> NodeId {
      if (tree_[at].op != Op::kPow || !ContainsSymbol(tree_, tree_.Kid(at, 1), parameter))
        return kNoNode;
      *alternates = true;
      Rational base;
      Rational exponent[2];
      fails = fails || cmp_->scalars.Exact(tree_.Kid(at, 0), &base) != assay::math::Value::kOk ||
              !base.IsInteger() || fmpz_equal_si(base.num(), -1) == 0;
      for (const int m : {0, 1}) {
        const NodeId value =
            SubstituteSymbol(&tree_, tree_.Kid(at, 1), parameter, tree_.Number(2 * m + odd));
        fails = fails || cmp_->scalars.Exact(value, &exponent[m]) != assay::math::Value::kOk ||
                !exponent[m].IsInteger();
      }
      fails = fails || fmpz_is_even(exponent[0].num()) != fmpz_is_even(exponent[1].num());
      return tree_.Number(fmpz_is_even(exponent[0].num()) != 0 ? 1 : -1);
    });
    if (fails) return kNoNode;
    return *alternates ? SubstituteSymbol(&tree_, copy, parameter, twice) : id;
  }

  bool Linear(NodeId id, const std::string& parameter, Classes* out) {
    const NodeId offset = SubstituteSymbol(&tree_, id, parameter, tree_.Number(0));
    const NodeId step = tree_.Sub(SubstituteSymbol(&tree_, id, parameter, tree_.Number(1)), offset);
    const NodeId line =
        tree_.Add(Op::kAdd, {offset, tree_.Add(Op::kMul, {step, tree_.Symbol(parameter)})});
    return cmp_->scalars.IsZero(tree_.Sub(id, line)) && Add({offset, step}, out);
  }

  bool Add(const Progression& p, Classes* out) {
    if (cmp_->scalars.IsZero(p.step)) return false;
    out->all.push_back(p);
    return true;
  }

  Comparison* cmp_;
  Tree& tree_;
};

// a / unit as a rational number.
bool RatioTo(Comparison* cmp, NodeId a, NodeId unit, Rational* out) {
  if (cmp->scalars.IsZero(a)) {
    out->Set(0);
    return true;
  }
  const auto ratio = cmp->scalars.ConstantRatio(a, unit);
  if (ratio) *out = *ratio;
  return ratio.has_value();
}

bool Fits(const Rational& q, int64_t scale, int64_t* out) {
  Rational scaled;
  Integer s(scale);
  fmpq_mul_fmpz(scaled.get(), q.get(), s.get());
  if (!scaled.IsInteger() || fmpz_cmpabs(scaled.num(), Integer(1000000).get()) > 0) return false;
  *out = fmpz_get_si(scaled.num());
  return true;
}

// The progressions of both sides in whole numbers of one unit, counted from one place. False: they have none in common.
bool InUnits(Comparison* cmp, const std::vector<Progression>& all, std::vector<int64_t>* offsets,
             std::vector<int64_t>* steps) {
  std::vector<Rational> ratios;
  int64_t scale = 1;
  for (const Progression& p : all) {
    for (const NodeId id : {cmp->tree.Sub(p.offset, all[0].offset), p.step}) {
      Rational q;
      if (!RatioTo(cmp, id, all[0].step, &q) || fmpz_cmp_si(q.den(), 10000) > 0) return false;
      scale = std::lcm(scale, static_cast<int64_t>(fmpz_get_si(q.den())));
      if (scale > 1000000) return false;
      ratios.push_back(q);
    }
  }
  for (size_t k = 0; k < ratios.size(); k += 2) {
    int64_t offset = 0;
    int64_t step = 0;
    if (!Fits(ratios[k], scale, &offset) || !Fits(ratios[k + 1], scale, &step) || step == 0)
      return false;
    offsets->push_back(offset);
    steps->push_back(std::abs(step));
  }
  return true;
}

}  // namespace

std::optional<Decision> SameClasses(Comparison* cmp, NodeId g, NodeId a) {
  const auto hint = [cmp](NodeId id) {
    const Tree& tree = cmp->tree;
    if (tree[id].op == Op::kCongruent) return true;
    if (tree[id].op != Op::kList || tree[id].n > 2 * kMostFamilies) return false;
    const Ids kids = Kids(tree, id);
    return std::any_of(kids.begin(), kids.end(), [&tree](NodeId k) {
      return tree[k].op == Op::kCongruent || IsMembership(tree, k);
    });
  };
  if (!hint(g) && !hint(a)) return std::nullopt;
  Classes x;
  Classes y;
  if (!Reader(cmp).Read(g, &x) || !Reader(cmp).Read(a, &y)) return std::nullopt;
  if (!x.declared && !y.declared) return std::nullopt;
  if (!x.name.empty() && !y.name.empty() && x.name != y.name) return No(Method::kNone);
  const size_t split = x.all.size();
  std::vector<Progression> all = x.all;
  all.insert(all.end(), y.all.begin(), y.all.end());
  std::vector<int64_t> offsets;
  std::vector<int64_t> steps;
  if (!InUnits(cmp, all, &offsets, &steps)) return std::nullopt;
  int64_t period = 1;
  for (const int64_t step : steps) {
    period = std::lcm(period, step);
    if (period > 1000000000) return Undecided();
  }
  std::set<int64_t> sides[2];
  int64_t count = 0;
  for (size_t k = 0; k < all.size(); ++k) {
    for (int64_t at = ((offsets[k] % steps[k]) + steps[k]) % steps[k]; at < period;
         at += steps[k]) {
      if (++count > kMostClasses || !cmp->budget.Spend(4)) return Undecided();
      sides[k < split ? 0 : 1].insert(at);
    }
  }
  return sides[0] == sides[1] ? Yes(Method::kField) : No(Method::kField);
}

}  // namespace assay::math
