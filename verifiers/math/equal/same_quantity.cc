// Scalars and what hangs on them: units are converted or compared as words, percent signs and degrees read both ways.
#include <algorithm>
#include <string>

#include "verifiers/math/equal/comparison.h"

namespace assay::math {
namespace {

bool Hangs(const Tree& tree, NodeId id) {
  const Op op = tree[id].op;
  return op == Op::kQuantity || op == Op::kPercent || op == Op::kDegree;
}

// $5 million: the unit of a factor is the product's.
bool LiftFactor(Comparison* cmp, Peeled* p) {
  Tree& tree = cmp->tree;
  Ids factors = Kids(tree, p->value);
  for (NodeId& f : factors) {
    if (tree[f].op != Op::kQuantity) continue;
    p->unit = ParseUnit(tree.Name(f));
    f = tree.Kid(f, 0);
    p->value = tree.Add(Op::kMul, factors.data(), static_cast<uint32_t>(factors.size()));
    return true;
  }
  return false;
}

NodeId Scale(Comparison* cmp, NodeId id, int64_t num, int64_t den) {
  return cmp->tree.Add(Op::kMul, {id, cmp->tree.Number(num, den)});
}

// One phrase contains the other's words, plural or not: "tickets" and "children tickets".
bool WordsOverlap(const std::string& a, const std::string& b) {
  const auto stems = [](const std::string& s) {
    std::vector<std::string> out;
    std::string word;
    for (const char c : s + " ") {
      if (c != ' ') {
        word += c;
        continue;
      }
      if (word.size() > 3 && word.back() == 's') word.pop_back();
      if (!word.empty()) out.push_back(word);
      word.clear();
    }
    std::sort(out.begin(), out.end());
    return out;
  };
  const std::vector<std::string> x = stems(a);
  const std::vector<std::string> y = stems(b);
  return std::includes(x.begin(), x.end(), y.begin(), y.end()) ||
         std::includes(y.begin(), y.end(), x.begin(), x.end());
}

// £40 and "40 pounds"
bool IsPoundsOfMoney(const Unit& money, const Unit& words) {
  return money.dimension == "gbp" && money.num == money.den &&
         (words.words == "pounds" || words.words == "pound" || words.words == "pounds sterling");
}

// Brings both values to one unit. False: the units contradict each other.
bool UnitsAgree(Comparison* cmp, Peeled* x, Peeled* y) {
  const bool nothing_x = x->unit.Empty() || x->unit.dimension == "unit";
  const bool nothing_y = y->unit.Empty() || y->unit.dimension == "unit";
  if ((x->degree && !y->unit.Empty()) || (y->degree && !x->unit.Empty())) return false;
  if (nothing_x || nothing_y) return true;
  if (x->unit.known && y->unit.known) {
    if (IsPoundsOfMoney(x->unit, y->unit) || IsPoundsOfMoney(y->unit, x->unit)) return true;
    if (x->unit.dimension != y->unit.dimension) return false;
    if (x->unit.num != y->unit.num || x->unit.den != y->unit.den) {
      x->value = Scale(cmp, x->value, x->unit.num, x->unit.den);
      y->value = Scale(cmp, y->value, y->unit.num, y->unit.den);
    }
    return true;
  }
  return WordsOverlap(x->unit.words, y->unit.words);
}

}  // namespace

Peeled Peel(Comparison* cmp, NodeId id) {
  Tree& tree = cmp->tree;
  Peeled p;
  p.value = id;
  bool negative = false;
  for (int guard = 0; guard < 16; ++guard) {
    const Node n = tree[p.value];
    if (n.op == Op::kQuantity) {
      const Unit unit = ParseUnit(tree.Name(p.value));
      if (p.unit.Empty() || !p.unit.known) p.unit = unit;
      p.value = tree.Kid(p.value, 0);
    } else if (n.op == Op::kPercent && !p.percent) {
      p.percent = true;
      p.value = tree.Kid(p.value, 0);
    } else if (n.op == Op::kDegree && n.aux == 0 && !p.degree) {
      p.degree = true;
      p.value = tree.Kid(p.value, 0);
    } else if (n.op == Op::kNeg && Hangs(tree, tree.Kid(p.value, 0))) {
      negative = !negative;
      p.value = tree.Kid(p.value, 0);
    } else if (n.op == Op::kMul && LiftFactor(cmp, &p)) {
      continue;
    } else if (IsCollection(n.op) && n.n == 1) {
      p.value = tree.Kid(p.value, 0);
    } else {
      break;
    }
  }
  if (negative) p.value = tree.Neg(p.value);
  if (p.unit.known && p.unit.dimension == "deg" && !p.degree) {
    p.degree = true;
    p.unit = {};
  }
  return p;
}

Decision SameQuantity(Comparison* cmp, NodeId g, NodeId a) {
  Tree& tree = cmp->tree;
  Scalars& scalars = cmp->scalars;
  if (tree[g].op == Op::kNum && tree[a].op == Op::kNum) return scalars.Equal(g, a);
  if (!cmp->options.base_value && (IsNumeral(tree, g) || IsNumeral(tree, a)))
    return SameNumeral(cmp, g, a);
  Peeled x = Peel(cmp, g);
  Peeled y = Peel(cmp, a);
  // Radians are plain numbers, but 90 degrees are not 90 of them.
  if ((x.degree && y.unit.dimension == "rad") || (y.degree && x.unit.dimension == "rad")) {
    NodeId& degrees = x.degree ? x.value : y.value;
    degrees = tree.Add(Op::kDegree, {degrees});
    return scalars.Equal(x.value, y.value);
  }
  if (!UnitsAgree(cmp, &x, &y)) {
    cmp->detail = "units differ";
    return No();
  }
  // 20% is neither 20 degrees nor 20 dollars, and 3:1 is not 3 apples.
  const auto has_unit = [](const Peeled& p) { return p.degree || !p.unit.Empty(); };
  const bool ratio_x = tree[x.value].op == Op::kRatio;
  const bool ratio_y = tree[y.value].op == Op::kRatio;
  if (((x.percent || ratio_x) && !y.percent && has_unit(y)) ||
      ((y.percent || ratio_y) && !x.percent && has_unit(x))) {
    cmp->detail = "units differ";
    return No();
  }
  const Decision plain = scalars.Equal(x.value, y.value);
  if (x.percent != y.percent) {
    if (plain.yes() && cmp->options.percent_optional) return plain;
    // The side without a sign is scaled, so that decimals of the other stay as they are shown.
    const NodeId in_percent_x = x.percent ? x.value : Scale(cmp, x.value, 100, 1);
    const NodeId in_percent_y = y.percent ? y.value : Scale(cmp, y.value, 100, 1);
    return scalars.Equal(in_percent_x, in_percent_y);
  }
  if (!plain.yes()) {
    if (const auto constants = SameUpToConstants(cmp, x.value, y.value)) return *constants;
  }
  if (x.degree != y.degree && !plain.yes()) {
    const NodeId rx = x.degree ? tree.Add(Op::kDegree, {x.value}) : x.value;
    const NodeId ry = y.degree ? tree.Add(Op::kDegree, {y.value}) : y.value;
    return scalars.Equal(rx, ry);
  }
  return plain;
}

}  // namespace assay::math
