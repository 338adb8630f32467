// Compare(): what two answers of any kind have to share to be equal. The rules are the table in docs/math.md; scalars are
// decided in scalar.cc, solution sets in region.cc.
#include "verifiers/math/equal/compare.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/hash.h"
#include "verifiers/math/equal/region.h"
#include "verifiers/math/equal/scalar.h"
#include "verifiers/math/equal/unit_vector.h"
#include "verifiers/math/syntax/rewrite.h"
#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/syntax/words.h"
#include "verifiers/math/value/matrix.h"
#include "verifiers/math/value/polynomial.h"

namespace assay::math {
namespace {

constexpr int64_t kBudget = 60000;
constexpr int kMaxCompareDepth = 24;
constexpr size_t kMaxItems = 256;

using Ids = std::vector<NodeId>;

Decision Yes(Method method = Method::kExact) { return {Outcome::kEqual, method, 0, false}; }
Decision No(Method method = Method::kExact) { return {Outcome::kUnequal, method, 0, false}; }
Decision Limit() { return {Outcome::kLimit, Method::kNone, 0, false}; }

// Both have to hold: the weaker method speaks for both.
Decision Both(const Decision& a, const Decision& b) {
  if (!a.yes()) return a;
  if (!b.yes()) return b;
  Decision d = a;
  d.rounded = a.rounded || b.rounded;
  d.bits = std::max(a.bits, b.bits);
  if (b.method == Method::kBall || (b.method == Method::kField && a.method == Method::kExact))
    d.method = b.method;
  return d;
}

bool IsCollection(Op op) {
  return op == Op::kTuple || op == Op::kList || op == Op::kSet || op == Op::kSeq;
}
bool IsRegion(Op op) {
  return op == Op::kInterval || op == Op::kUnion || op == Op::kIntersect || op == Op::kMinus ||
         op == Op::kNamedSet || op == Op::kBuilder;
}

// A scalar without what hangs on it.
struct Peeled {
  NodeId value = kNoNode;
  Unit unit;
  bool percent = false;
  bool degree = false;
};

class Comparer {
 public:
  Comparer(const ParsedAnswer::Impl& gold, const ParsedAnswer::Impl& answer,
           const CompareOptions& options)
      : gold_(gold),
        answer_(answer),
        options_(options),
        budget_(kBudget),
        seed_(MixHash(HashBytes64(gold.source) + HashBytes64(answer.source) + options.salt)),
        scalars_(&tree_, &budget_, seed_, options.float_digits) {}

  CompareResult Run() {
    if (gold_.source == answer_.source) return Result(Yes());
    if (const auto choice = Choices()) return Result(*choice);
    if (const auto words = Words()) return Result(*words);
    Decision best = No(Method::kNone);
    bool first = true;
    for (const Reading& g : gold_.readings) {
      for (const Reading& a : answer_.readings) {
        if (!Admitted(g, a)) continue;
        const Decision d = Readings(g, a);
        if (d.yes()) return Result(d);
        if (first || d.outcome == Outcome::kLimit) best = d;
        first = false;
      }
    }
    return Result(best);
  }

 private:
  CompareResult Result(const Decision& d) {
    CompareResult r;
    r.outcome = d.outcome;
    r.method = d.method;
    r.ball_bits = d.method == Method::kBall ? d.bits : 0;
    if (d.yes() && d.rounded)
      r.detail = "rounded to " + std::to_string(*options_.float_digits) + " decimal places";
    if (!d.yes() && detail_ != nullptr) r.detail = detail_;
    return r;
  }

  // ---- before anything is read as mathematics

  std::optional<Decision> Choices() {
    if (gold_.choice == 0 || answer_.choice == 0) return std::nullopt;
    const bool framed = gold_.choice_framed || answer_.choice_framed || gold_.choice_listed ||
                        answer_.choice_listed;
    if (!framed) return std::nullopt;
    if (gold_.choice == answer_.choice) return Yes(Method::kText);
    return No(Method::kText);
  }

  Op GoldOp() const { return gold_.tree[gold_.readings[0].root].op; }
  Op AnswerOp() const { return answer_.tree[answer_.readings[0].root].op; }

  std::optional<Decision> Words() {
    if (GoldOp() != Op::kText && AnswerOp() != Op::kText) return std::nullopt;
    if (IsPlainWords(gold_.source) && IsPlainWords(answer_.source) &&
        NormalizeWords(gold_.source) == NormalizeWords(answer_.source)) {
      return Yes(Method::kText);
    }
    if (GoldOp() == Op::kText && AnswerOp() == Op::kText) {
      const std::string& g = gold_.tree.Name(gold_.readings[0].root);
      const std::string& a = answer_.tree.Name(answer_.readings[0].root);
      return g == a ? Yes(Method::kText) : No(Method::kText);
    }
    return std::nullopt;
  }

  bool Admitted(const Reading& g, const Reading& a) const {
    if (g.when == Reading::When::kVersusList &&
        !(IsCollection(answer_.tree[a.root].op) && a.when == Reading::When::kAlways))
      return false;
    if (a.when == Reading::When::kVersusList &&
        !(IsCollection(gold_.tree[g.root].op) && g.when == Reading::When::kAlways))
      return false;
    if (g.when == Reading::When::kVersusUnit && answer_.tree[a.root].op != Op::kQuantity)
      return false;
    if (a.when == Reading::When::kVersusUnit && gold_.tree[g.root].op != Op::kQuantity)
      return false;
    return true;
  }

  Decision Readings(const Reading& g, const Reading& a) {
    const Node& x = gold_.tree[g.root];
    const Node& y = answer_.tree[a.root];
    if (x.op == Op::kNum && y.op == Op::kNum && !options_.float_digits) {
      return x.num == y.num && x.den == y.den ? Yes() : No();
    }
    const NodeId left = tree_.Import(gold_.tree, g.root);
    const NodeId right = tree_.Import(answer_.tree, a.root);
    Decision d = Same(left, right, 0);
    if (!d.yes() && options_.rename_variables) {
      const NodeId renamed = RenameLike(&tree_, right, left);
      if (renamed != kNoNode) d = Same(left, renamed, 0);
    }
    return budget_.Exhausted() && !d.yes() ? Limit() : d;
  }

  // ---- the dispatch

  Decision Same(NodeId g, NodeId a, int depth) {
    if (depth > kMaxCompareDepth || !budget_.Spend(2)) return Limit();
    g = Shell(g);
    a = Shell(a);
    if (g == kNoNode || a == kNoNode) return Limit();
    const Op x = tree_[g].op;
    const Op y = tree_[a].op;
    if (x == Op::kText || y == Op::kText) return SameText(g, a);
    if (IsRelation(x) && IsRelation(y)) return SameRelation(g, a, depth);
    if (IsRelation(x) || IsRelation(y)) return RelationAndValue(g, a, depth);
    if ((x == Op::kMatrix) != (y == Op::kMatrix)) {
      const NodeId rows = AsMatrix(x == Op::kMatrix ? a : g);
      if (rows != kNoNode)
        return SameMatrix(x == Op::kMatrix ? g : rows, x == Op::kMatrix ? rows : a, depth);
    }
    if (x == Op::kTime || y == Op::kTime || (x == Op::kRatio && y == Op::kRatio))
      return SameRatio(g, a);
    if (AllInequalities(g) && AllInequalities(a)) {
      if (const auto d = RegionsEqual(&tree_, &scalars_, &budget_, g, a)) return *d;
      if (tree_[g].aux != tree_[a].aux) return No(Method::kNone);
    }
    if (IsRegion(x) || IsRegion(y) || (x == Op::kTuple && AllInequalities(a)) ||
        (y == Op::kTuple && AllInequalities(g)))
      return SameRegion(g, a, depth);
    if (IsCollection(x) || IsCollection(y) || x == Op::kMatrix || y == Op::kMatrix)
      return SameCollection(g, a, depth);
    return SameScalar(g, a);
  }

  static bool IsRelation(Op op) { return op == Op::kRel || op == Op::kCongruent; }

  // Matrices computed, plus-minus written out, chains of relations brought to their end.
  NodeId Shell(NodeId id) {
    id = EvaluateMatrices(&tree_, &budget_, id);
    id = EvaluatePolynomials(&tree_, &budget_, id);
    if (ContainsOp(tree_, id, Op::kPm)) id = ExpandSigns(&tree_, id);
    if (id != kNoNode && tree_[id].op == Op::kRel) id = ReduceChain(id);
    return id;
  }

  Decision SameText(NodeId g, NodeId a) {
    const auto name = [this](NodeId id) -> std::string {
      const Op op = tree_[id].op;
      if (op == Op::kText || op == Op::kSym) return NormalizeWords(tree_.Name(id));
      return "";
    };
    const std::string x = name(g);
    return !x.empty() && x == name(a) ? Yes(Method::kText) : No(Method::kText);
  }

  // ---- relations

  // f(1) + f(2): unknown functions at constants, and no other unknown.
  bool IsFunctionValues(NodeId id) {
    const Op op = tree_[id].op;
    if (op != Op::kAdd && op != Op::kMul && op != Op::kDiv && op != Op::kNeg) return false;
    const Traits t = scalars_.TraitsOf(id);
    return t.symbols.empty() && t.opaque && !t.not_scalar && ContainsOp(tree_, id, Op::kApply);
  }

  // What a value may be assigned to: x, f(x), I(0), (x, y), AB, |AB|, NO/BO, S_1 : S_2, words.
  bool IsName(NodeId id) const {
    const Node& n = tree_[id];
    switch (n.op) {
      case Op::kSym:
        return true;
      case Op::kApply:
        return tree_.Name(id)[0] != '\\';
      case Op::kTuple:
      case Op::kRatio:
        for (uint32_t k = 0; k < n.n; ++k) {
          if (!IsName(tree_.Kid(id, k))) return false;
        }
        return true;
      case Op::kMul:
        for (uint32_t k = 0; k < n.n; ++k) {
          if (!IsCapital(tree_.Kid(id, k))) return false;
        }
        return true;
      case Op::kAbs:
      case Op::kNorm:
        return IsSegment(tree_.Kid(id, 0));
      case Op::kDiv:
        return IsSegment(tree_.Kid(id, 0)) && IsSegment(tree_.Kid(id, 1));
      default:
        return false;
    }
  }

  bool IsCapital(NodeId id) const {
    return tree_[id].op == Op::kSym && !tree_.Name(id).empty() && tree_.Name(id)[0] >= 'A' &&
           tree_.Name(id)[0] <= 'Z';
  }

  bool IsSegment(NodeId id) const {
    const Node& n = tree_[id];
    if (n.op != Op::kMul) return false;
    for (uint32_t k = 0; k < n.n; ++k) {
      if (!IsCapital(tree_.Kid(id, k))) return false;
    }
    return true;
  }

  struct Assignment {
    NodeId name = kNoNode;
    NodeId value = kNoNode;
    explicit operator bool() const { return value != kNoNode; }
  };

  Assignment AsAssignment(NodeId id) {
    const Node& n = tree_[id];
    if (n.op != Op::kRel || n.n != 2) return {};
    const char op = tree_.Name(id)[0];
    if (op != kEq && op != kIn) return {};
    const NodeId name = tree_.Kid(id, 0);
    const NodeId value = tree_.Kid(id, 1);
    if ((!IsName(name) && !IsFunctionValues(name)) ||
        (tree_[name].op == Op::kSym && ContainsSymbol(tree_, value, tree_.Name(name))))
      return {};
    return {name, value};
  }

  NodeId Relation(NodeId left, NodeId right, char op) {
    return tree_.Named(Op::kRel, std::string(1, op), {left, right});
  }

  // x = 5 + 6 = 11 is x = 11; 2 + 2 = 4 is 4; x = 1/3 ~ 0.33 is x = 1/3; 4 = x is x = 4; what follows an implication counts.
  NodeId ReduceChain(NodeId id) {
    std::string ops = tree_.Name(id);
    Ids parts;
    for (uint32_t k = 0; k < tree_[id].n; ++k) parts.push_back(tree_.Kid(id, k));
    const size_t implied = ops.rfind(static_cast<char>(kImplies));
    if (implied != std::string::npos && implied + 1 < ops.size()) {
      parts.erase(parts.begin(), parts.begin() + static_cast<int64_t>(implied) + 1);
      ops.erase(0, implied + 1);
    }
    const bool cut = implied != std::string::npos;
    const size_t about = ops.find(static_cast<char>(kApprox));
    if (about != std::string::npos) {
      if (about == 0 && IsName(parts[0])) {
        ops[0] = kEq;
      } else {
        parts.resize(about + 1);
        ops.resize(about);
      }
      const size_t next = ops.find(static_cast<char>(kApprox));
      if (next != std::string::npos) parts.resize(next + 1), ops.resize(next);
    }
    if (ops.empty()) return Shell(parts[0]);
    if (ops.find_first_not_of(static_cast<char>(kEq)) != std::string::npos) {
      if (!cut && about == std::string::npos) return id;
      const NodeId shorter = tree_.Add(Op::kRel, parts.data(), static_cast<uint32_t>(parts.size()));
      tree_.nodes[shorter].num = tree_.Intern(ops);
      return shorter;
    }
    return ReduceEqualities(parts);
  }

  NodeId ReduceEqualities(const Ids& parts) {
    const NodeId last = parts.back();
    bool constants = true;
    for (const NodeId p : parts) constants = constants && scalars_.TraitsOf(p).constant();
    if (constants) {
      for (size_t k = 0; k + 1 < parts.size(); ++k) {
        // 4 = 5 is false; 1 ft = 12 in, and other sides of which one has a unit that the other lacks, convert.
        const bool units = Peel(parts[k]).unit.Empty() == Peel(last).unit.Empty();
        if (units && !SameScalar(parts[k], last).yes()) return Relation(parts[k], last, kEq);
      }
      detail_ = nullptr;
      return last;
    }
    if (parts.size() == 2 && IsName(last) && !IsName(parts[0]))
      return Relation(last, parts[0], kEq);
    for (const NodeId p : parts) {
      if (p != last && IsName(p)) return Relation(p, last, kEq);
    }
    return Relation(parts[0], last, kEq);
  }

  Decision RelationAndValue(NodeId g, NodeId a, int depth) {
    const bool gold_is_relation = IsRelation(tree_[g].op);
    const NodeId relation = gold_is_relation ? g : a;
    const NodeId value = gold_is_relation ? a : g;
    if (const Assignment assigned = AsAssignment(relation)) {
      return gold_is_relation ? Same(assigned.value, value, depth + 1)
                              : Same(value, assigned.value, depth + 1);
    }
    if (tree_[relation].op == Op::kCongruent) {
      // The residue as it is written; 10 is not meant where 3 (mod 7) is asked for.
      const bool name = tree_[tree_.Kid(relation, 0)].op == Op::kSym;
      return name ? Same(tree_.Kid(relation, 1), value, depth + 1) : No(Method::kNone);
    }
    if (!gold_is_relation && !options_.inequality_for_set && IsInequality(relation))
      return No(Method::kNone);
    if (IsRegion(tree_[value].op) || tree_[value].op == Op::kTuple || tree_[value].op == Op::kSet ||
        tree_[value].op == Op::kList) {
      if (const auto d = RegionsEqual(&tree_, &scalars_, &budget_, g, a)) return *d;
    }
    // An equation in one unknown against its solutions.
    const NodeId roots = SolutionList(relation);
    if (roots != kNoNode && !IsRegion(tree_[value].op)) return Same(roots, value, depth + 1);
    return No(Method::kNone);
  }

  bool IsInequality(NodeId id) const {
    if (tree_[id].op != Op::kRel) return false;
    return tree_.Name(id).find_first_of("<>lg") != std::string::npos;
  }

  bool AllInequalities(NodeId id) {
    const Ids items = Kids(id);
    return tree_[id].op == Op::kList &&
           std::all_of(items.begin(), items.end(), [this](NodeId k) { return IsInequality(k); });
  }

  // The real or complex solutions of a linear or quadratic equation in one symbol with rational coefficients, as a list.
  NodeId SolutionList(NodeId relation) {
    if (tree_[relation].op != Op::kRel || tree_.Name(relation) != std::string(1, kEq))
      return kNoNode;
    const NodeId difference = tree_.Sub(tree_.Kid(relation, 0), tree_.Kid(relation, 1));
    const Traits traits = scalars_.TraitsOf(difference);
    if (traits.symbols.size() != 1 || traits.opaque || traits.not_scalar || traits.steps ||
        traits.pieces)
      return kNoNode;
    const std::string symbol(traits.symbols[0]);
    const Ids roots = QuadraticRoots(&tree_, &scalars_, difference, symbol);
    if (roots.empty()) return kNoNode;
    return roots.size() == 1
               ? roots[0]
               : tree_.Add(Op::kList, roots.data(), static_cast<uint32_t>(roots.size()));
  }

  bool SameNames(NodeId a, NodeId b) {
    std::string x;
    std::string y;
    PrintNode(tree_, a, &x);
    PrintNode(tree_, b, &y);
    return x == y;
  }

  // x = 5 mod 12, where the other side is a congruence.
  NodeId AsCongruence(NodeId id) {
    if (tree_[id].op != Op::kRel || tree_[id].n != 2 || tree_.Name(id)[0] != kEq) return id;
    const NodeId left = tree_.Kid(id, 0);
    const NodeId right = tree_.Kid(id, 1);
    if (tree_[left].op != Op::kSym || tree_[right].op != Op::kMod) return id;
    return tree_.Add(Op::kCongruent, {left, tree_.Kid(right, 0), tree_.Kid(right, 1)});
  }

  Decision SameRelation(NodeId g, NodeId a, int depth) {
    if (tree_[g].op == Op::kCongruent || tree_[a].op == Op::kCongruent)
      return SameCongruence(AsCongruence(g), AsCongruence(a), depth);
    const Assignment x = AsAssignment(g);
    const Assignment y = AsAssignment(a);
    if (x && y) {
      if (SameNames(x.name, y.name)) {
        const Decision d = Same(x.value, y.value, depth + 1);
        if (d.yes() || d.outcome == Outcome::kLimit) return d;
      } else if (const NodeId renamed = RenameArguments(&tree_, y.name, y.value, x.name);
                 renamed != kNoNode) {
        return Same(x.value, renamed, depth + 1);
      }
    }
    if (!options_.inequality_for_set && tree_.Name(g) == std::string(1, kIn) && IsInequality(a))
      return No(Method::kNone);
    if (const Decision d = SameEquation(g, a); d.yes() || d.outcome == Outcome::kLimit) return d;
    if (const auto d = RegionsEqual(&tree_, &scalars_, &budget_, g, a)) return *d;
    return SameChain(g, a, depth);
  }

  // f = 0 and c f = 0; and, for rational functions, equal numerators up to a factor.
  Decision SameEquation(NodeId g, NodeId a) {
    const std::string eq(1, kEq);
    const std::string ne(1, kNe);
    const std::string& ops = tree_.Name(g);
    if (tree_[g].n != 2 || tree_[a].n != 2 || ops != tree_.Name(a) || (ops != eq && ops != ne))
      return No(Method::kNone);
    for (const NodeId id : {g, a}) {
      for (uint32_t k = 0; k < 2; ++k) {
        if (scalars_.TraitsOf(tree_.Kid(id, k)).not_scalar) return No(Method::kNone);
      }
    }
    const NodeId h = tree_.Sub(tree_.Kid(g, 0), tree_.Kid(g, 1));
    const NodeId k = tree_.Sub(tree_.Kid(a, 0), tree_.Kid(a, 1));
    if (scalars_.TraitsOf(h).constant() || scalars_.TraitsOf(k).constant())
      return No(Method::kNone);
    const auto ratio = scalars_.ConstantRatio(h, k);
    if (ratio && !ratio->IsZero()) return Yes(Method::kField);
    return SameZeros(&tree_, &budget_, h, k) ? Yes() : No(Method::kField);
  }

  static char Flip(char op) {
    switch (op) {
      case kLt:
        return kGt;
      case kGt:
        return kLt;
      case kLe:
        return kGe;
      case kGe:
        return kLe;
      default:
        return op;
    }
  }

  // Link by link, in this order or reversed.
  Decision SameChain(NodeId g, NodeId a, int depth) {
    const uint32_t n = tree_[g].n;
    if (tree_[a].n != n) return No(Method::kNone);
    const std::string ops_g = tree_.Name(g);
    std::string ops_a = tree_.Name(a);
    for (int reversed = 0; reversed < 2; ++reversed) {
      Ids parts;
      for (uint32_t k = 0; k < n; ++k) parts.push_back(tree_.Kid(a, k));
      if (reversed != 0) {
        std::reverse(parts.begin(), parts.end());
        std::reverse(ops_a.begin(), ops_a.end());
        for (char& op : ops_a) {
          if (op == kIn || op == kNotIn || op == kTo || op == kSubset || op == kSubsetEq ||
              op == kDivides)
            return No(Method::kNone);
          op = Flip(op);
        }
      }
      Decision all = Yes();
      for (uint32_t k = 0; k + 1 < n && all.yes(); ++k) {
        all = Both(all, SameLink(tree_.Kid(g, k), tree_.Kid(g, k + 1), ops_g[k], parts[k],
                                 parts[k + 1], ops_a[k], depth));
      }
      if (all.yes() || all.outcome == Outcome::kLimit) return all;
    }
    return No(Method::kField);
  }

  Decision SameLink(NodeId g0, NodeId g1, char og, NodeId a0, NodeId a1, char oa, int depth) {
    const bool order = og == kLt || og == kLe || og == kGt || og == kGe;
    if (order && !scalars_.TraitsOf(g0).not_scalar && !scalars_.TraitsOf(g1).not_scalar &&
        !scalars_.TraitsOf(a0).not_scalar && !scalars_.TraitsOf(a1).not_scalar) {
      const NodeId h = tree_.Sub(g0, g1);
      const NodeId k = tree_.Sub(a0, a1);
      const auto ratio = scalars_.ConstantRatio(h, k);
      if (ratio && !ratio->IsZero() && og == (ratio->Sign() > 0 ? oa : Flip(oa)))
        return Yes(Method::kField);
    }
    if (og != oa) return No(Method::kNone);
    return Both(Same(g0, a0, depth + 1), Same(g1, a1, depth + 1));
  }

  Decision SameCongruence(NodeId g, NodeId a, int depth) {
    if (tree_[g].op != Op::kCongruent || tree_[a].op != Op::kCongruent) return No(Method::kNone);
    const Decision modulus = Same(tree_.Kid(g, 2), tree_.Kid(a, 2), depth + 1);
    // 3 (mod 7) leaves the unknown unnamed.
    const auto unnamed = [this](NodeId x, NodeId y) {
      return tree_[x].op == Op::kSym && tree_.Name(x) == "_" && tree_[y].op == Op::kSym;
    };
    const NodeId x = tree_.Kid(g, 0);
    const NodeId y = tree_.Kid(a, 0);
    const Decision left = unnamed(x, y) || unnamed(y, x) ? Yes() : Same(x, y, depth + 1);
    if (!modulus.yes() || !left.yes()) return Both(modulus, left);
    Rational r;
    const NodeId rest =
        tree_.Add(Op::kMod, {tree_.Sub(tree_.Kid(g, 1), tree_.Kid(a, 1)), tree_.Kid(g, 2)});
    if (scalars_.Exact(rest, &r) == Value::kOk) return r.IsZero() ? Yes() : No();
    return Same(tree_.Kid(g, 1), tree_.Kid(a, 1), depth + 1);
  }

  // ---- ratios and times

  struct Clock {
    Rational hour;
    Rational minute;
    int half = 0;
    bool ok = false;
  };

  Clock AsClock(NodeId id) {
    Clock c;
    const Node& n = tree_[id];
    if (n.op == Op::kTime) c.half = n.aux;
    if (n.op == Op::kNum) {
      c.ok = scalars_.Exact(id, &c.hour) == Value::kOk;
      return c;
    }
    if ((n.op == Op::kTime || (n.op == Op::kRatio && n.aux != 0)) && n.n >= 2) {
      c.ok = scalars_.Exact(tree_.Kid(id, 0), &c.hour) == Value::kOk &&
             scalars_.Exact(tree_.Kid(id, 1), &c.minute) == Value::kOk;
      if (n.n == 3) {
        Rational seconds;
        c.ok = c.ok && scalars_.Exact(tree_.Kid(id, 2), &seconds) == Value::kOk;
        fmpq_div_fmpz(seconds.get(), seconds.get(), Integer(60).get());
        fmpq_add(c.minute.get(), c.minute.get(), seconds.get());
      }
    }
    return c;
  }

  // 3 p.m. is 15:00 and 3:00, not 3 a.m.
  static bool SameHour(const Clock& x, const Clock& y) {
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

  Decision SameRatio(NodeId g, NodeId a) {
    const bool both_clocks = (tree_[g].op == Op::kTime || tree_[g].aux != 0) &&
                             (tree_[a].op == Op::kTime || tree_[a].aux != 0);
    if (tree_[g].op == Op::kTime || tree_[a].op == Op::kTime || both_clocks) {
      const Clock x = AsClock(g);
      const Clock y = AsClock(a);
      if (!x.ok || !y.ok) return No();
      return SameHour(x, y) && fmpq_equal(x.minute.get(), y.minute.get()) ? Yes() : No();
    }
    if (tree_[g].n != tree_[a].n) return No();
    Decision all = Yes();
    for (uint32_t k = 1; k < tree_[g].n && all.yes(); ++k) {
      const NodeId x = tree_.Add(Op::kDiv, {tree_.Kid(g, 0), tree_.Kid(g, k)});
      const NodeId y = tree_.Add(Op::kDiv, {tree_.Kid(a, 0), tree_.Kid(a, k)});
      all = Both(all, scalars_.Equal(x, y));
    }
    return all;
  }

  // ---- sets of numbers

  Decision SameRegion(NodeId g, NodeId a, int depth) {
    if (options_.float_digits) {
      if (const Decision d = SameForm(g, a, depth); d.yes()) return d;  // ends may be rounded
    }
    if (const auto d = RegionsEqual(&tree_, &scalars_, &budget_, g, a)) return *d;
    return SameForm(g, a, depth);
  }

  // Without numbers at the ends: part by part.
  Decision SameForm(NodeId g, NodeId a, int depth) {
    const Node x = tree_[g];
    const Node y = tree_[a];
    const auto pair = [](const Node& n) {
      return n.op == Op::kInterval || (n.op == Op::kTuple && n.n == 2);
    };
    if (pair(x) && pair(y)) {
      const int closed_x = x.op == Op::kInterval ? x.aux : 0;
      const int closed_y = y.op == Op::kInterval ? y.aux : 0;
      if (closed_x != closed_y) return No(Method::kNone);
      return Both(Same(tree_.Kid(g, 0), tree_.Kid(a, 0), depth + 1),
                  Same(tree_.Kid(g, 1), tree_.Kid(a, 1), depth + 1));
    }
    if (x.op != y.op || x.n != y.n) return No(Method::kNone);
    if (x.op == Op::kNamedSet) return x.aux == y.aux ? Yes() : No();
    if (x.op == Op::kUnion || x.op == Op::kIntersect) return Unordered(Kids(g), Kids(a), depth);
    Decision all = Yes();
    for (uint32_t k = 0; k < x.n && all.yes(); ++k)
      all = Both(all, Same(tree_.Kid(g, k), tree_.Kid(a, k), depth + 1));
    return all;
  }

  // ---- collections

  Ids Kids(NodeId id) const {
    Ids out;
    for (uint32_t k = 0; k < tree_[id].n; ++k) out.push_back(tree_.Kid(id, k));
    return out;
  }

  // Items of a set or list with plus-minus written out.
  Ids Items(NodeId id) {
    Ids out;
    for (const NodeId kid : Kids(id)) {
      const NodeId item = Shell(kid);
      if (item != kid && item != kNoNode && tree_[item].op == Op::kList &&
          ContainsOp(tree_, kid, Op::kPm)) {
        const Ids variants = Kids(item);
        out.insert(out.end(), variants.begin(), variants.end());
      } else {
        out.push_back(item == kNoNode ? kid : item);
      }
    }
    return out;
  }

  // Names dropped where the other side has none; in the order of the names if `sorted`.
  void DropNames(Ids* items, bool sorted) {
    std::vector<std::pair<std::string, NodeId>> named;
    for (const NodeId id : *items) {
      const Assignment x = AsAssignment(id);
      if (!x) return;
      std::string name;
      if (tree_[x.name].op == Op::kSym) PrintNode(tree_, x.name, &name);
      named.emplace_back(name, x.value);
    }
    const bool all_symbols =
        std::none_of(named.begin(), named.end(), [](const auto& p) { return p.first.empty(); });
    if (sorted && all_symbols) {
      std::stable_sort(named.begin(), named.end(),
                       [](const auto& p, const auto& q) { return p.first < q.first; });
    }
    for (size_t k = 0; k < items->size(); ++k) (*items)[k] = named[k].second;
  }

  bool AllAssignments(const Ids& items) {
    return std::all_of(items.begin(), items.end(),
                       [this](NodeId id) { return static_cast<bool>(AsAssignment(id)); });
  }

  // p = 5, q = 2, p = 7, q = 2: a name that comes again begins a new tuple.
  void Regroup(Ids* items) {
    std::vector<std::string> seen;
    Ids group;
    Ids groups;
    const auto close = [&] {
      groups.push_back(tree_.Add(Op::kTuple, group.data(), static_cast<uint32_t>(group.size())));
      group.clear();
      seen.clear();
    };
    for (const NodeId id : *items) {
      std::string name;
      PrintNode(tree_, AsAssignment(id).name, &name);
      if (std::find(seen.begin(), seen.end(), name) != seen.end()) close();
      seen.push_back(name);
      group.push_back(id);
    }
    close();
    const uint32_t width = tree_[groups[0]].n;
    const bool even = std::all_of(groups.begin(), groups.end(),
                                  [this, width](NodeId id) { return tree_[id].n == width; });
    if (groups.size() > 1 && width > 1 && even) *items = groups;
  }

  bool AllTuples(const Ids& items) const {
    return std::all_of(items.begin(), items.end(),
                       [this](NodeId id) { return tree_[id].op == Op::kTuple; });
  }

  bool NoRelations(const Ids& items) const {
    return std::none_of(items.begin(), items.end(),
                        [this](NodeId id) { return IsRelation(tree_[id].op); });
  }

  // How a node behaves as a collection.
  struct Shape {
    Ids items;
    bool ordered = false;  // a tuple or vector
    bool loose = false;    // no brackets: a list that may stand for a tuple
    bool set = false;
    bool collection = false;
  };

  Shape ShapeOf(NodeId id) {
    Shape s;
    const Node& n = tree_[id];
    s.collection = true;
    switch (n.op) {
      case Op::kTuple:
        s.ordered = true;
        break;
      case Op::kSeq:
        s.loose = true;
        break;
      case Op::kList:
        s.loose = true;
        break;
      case Op::kSet:
        s.set = true;
        s.loose = (n.flags & kLoose) != 0;
        break;
      case Op::kMatrix:
        s.ordered = true;
        break;
      default:
        s.collection = false;
        break;
    }
    s.items = s.collection ? Items(id) : Ids{id};
    return s;
  }

  Decision SameCollection(NodeId g, NodeId a, int depth) {
    for (NodeId* side : {&g, &a}) {
      // A set or list of one thing is that thing.
      while ((tree_[*side].op == Op::kSet || tree_[*side].op == Op::kList ||
              tree_[*side].op == Op::kMatrix) &&
             tree_[*side].n == 1) {
        *side = Shell(tree_.Kid(*side, 0));
        if (*side == kNoNode) return Limit();
      }
    }
    const bool mg = tree_[g].op == Op::kMatrix;
    const bool ma = tree_[a].op == Op::kMatrix;
    if (mg && ma) return SameMatrix(g, a, depth);
    if (mg || ma) {
      // A vector may be written as a tuple.
      const NodeId m = mg ? g : a;
      if (tree_[m].aux != tree_[m].n && tree_[m].aux != 1) return No(Method::kNone);
      if (tree_[mg ? a : g].op == Op::kSet) return No(Method::kNone);
    }
    Shape x = ShapeOf(g);
    Shape y = ShapeOf(a);
    if (x.items.size() > kMaxItems || y.items.size() > kMaxItems) return Limit();
    if (!x.collection && !y.collection) return Same(g, a, depth + 1);
    if (!x.collection || !y.collection) return VectorAndSum(x, y, depth);
    const bool in_order = x.ordered || y.ordered || (options_.ordered_lists && x.loose && y.loose);
    if (AllAssignments(x.items) != AllAssignments(y.items)) {
      if (AllAssignments(x.items) && NoRelations(y.items)) DropNames(&x.items, y.ordered);
      if (AllAssignments(y.items) && NoRelations(x.items)) DropNames(&y.items, x.ordered);
    }
    if (AllTuples(x.items) != AllTuples(y.items)) {
      if (AllAssignments(x.items)) Regroup(&x.items);
      if (AllAssignments(y.items)) Regroup(&y.items);
    }
    if (in_order) {
      if ((x.set && !x.loose) || (y.set && !y.loose)) return No(Method::kNone);
      return Ordered(x.items, y.items, depth);
    }
    // Sets hold an element once; so do lists of tuples, which are lists of solutions. Lists of numbers keep repetitions.
    if ((x.set && !x.loose) || AllTuples(x.items)) Distinct(&x.items, depth);
    if ((y.set && !y.loose) || AllTuples(y.items)) Distinct(&y.items, depth);
    return Unordered(x.items, y.items, depth);
  }

  // (3, 4) and 3i + 4j: a vector against what is no collection.
  Decision VectorAndSum(const Shape& x, const Shape& y, int depth) {
    const Shape& vector = x.collection ? x : y;
    if (!vector.ordered) return No(Method::kNone);
    const NodeId sum = AsUnitVectorSum(&tree_, &scalars_, (x.collection ? y : x).items[0],
                                       static_cast<uint32_t>(vector.items.size()));
    return sum == kNoNode ? No(Method::kNone) : Ordered(vector.items, Kids(sum), depth);
  }

  // [[1, 2], [3, 4]] as a matrix; kNoNode if it is none.
  NodeId AsMatrix(NodeId id) {
    const auto row = [this](NodeId at) {
      const Node& n = tree_[at];
      return n.op == Op::kSeq || n.op == Op::kTuple || (n.op == Op::kInterval && n.aux == 3);
    };
    const uint32_t rows = tree_[id].n;
    if (!row(id) || rows > 255) return kNoNode;
    Ids cells;
    for (const NodeId kid : Kids(id)) {
      if (!row(kid) || tree_[kid].n != tree_[tree_.Kid(id, 0)].n) return kNoNode;
      const Ids in_row = Kids(kid);
      cells.insert(cells.end(), in_row.begin(), in_row.end());
    }
    return tree_.Add(Op::kMatrix, cells.data(), static_cast<uint32_t>(cells.size()),
                     static_cast<uint8_t>(rows));
  }

  Decision SameMatrix(NodeId g, NodeId a, int depth) {
    if (tree_[g].aux != tree_[a].aux || tree_[g].n != tree_[a].n) return No();
    return Ordered(Kids(g), Kids(a), depth);
  }

  Decision Ordered(const Ids& x, const Ids& y, int depth) {
    if (x.size() != y.size()) return No();
    Decision all = Yes();
    for (size_t k = 0; k < x.size() && all.yes(); ++k) all = Both(all, Same(x[k], y[k], depth + 1));
    return all;
  }

  void Distinct(Ids* items, int depth) {
    Ids kept;
    for (const NodeId id : *items) {
      const auto same = [this, id, depth](NodeId other) {
        return Same(id, other, depth + 1).yes();
      };
      if (std::none_of(kept.begin(), kept.end(), same)) kept.push_back(id);
    }
    *items = kept;
  }

  // Equality is transitive, so that the first partner is as good as any.
  Decision Unordered(const Ids& x, const Ids& y, int depth) {
    if (x.size() != y.size()) return No();
    std::vector<bool> used(y.size(), false);
    Decision all = Yes();
    for (size_t k = 0; k < x.size(); ++k) {
      bool found = false;
      bool limit = false;
      // Most lists come in the same order: look at the own place first.
      for (size_t step = 0; step < y.size() && !found; ++step) {
        const size_t j = (k + step) % y.size();
        if (used[j]) continue;
        const Decision d = Same(x[k], y[j], depth + 1);
        limit = limit || d.outcome == Outcome::kLimit;
        if (!d.yes()) continue;
        used[j] = true;
        found = true;
        all = Both(all, d);
      }
      if (!found) return limit ? Limit() : No();
    }
    return all;
  }

  // ---- scalars with units

  Peeled Peel(NodeId id) {
    Peeled p;
    p.value = id;
    bool negative = false;
    for (int guard = 0; guard < 16; ++guard) {
      const Node n = tree_[p.value];
      if (n.op == Op::kQuantity) {
        const Unit unit = ParseUnit(tree_.Name(p.value));
        if (p.unit.Empty() || !p.unit.known) p.unit = unit;
        p.value = tree_.Kid(p.value, 0);
      } else if (n.op == Op::kPercent && !p.percent) {
        p.percent = true;
        p.value = tree_.Kid(p.value, 0);
      } else if (n.op == Op::kDegree && n.aux == 0 && !p.degree) {
        p.degree = true;
        p.value = tree_.Kid(p.value, 0);
      } else if (n.op == Op::kNeg && Hangs(tree_.Kid(p.value, 0))) {
        negative = !negative;
        p.value = tree_.Kid(p.value, 0);
      } else if (n.op == Op::kMul && LiftFactor(&p)) {
        continue;
      } else if (IsCollection(n.op) && n.n == 1) {
        p.value = tree_.Kid(p.value, 0);
      } else {
        break;
      }
    }
    if (negative) p.value = tree_.Neg(p.value);
    if (p.unit.known && p.unit.dimension == "deg" && !p.degree) {
      p.degree = true;
      p.unit = {};
    }
    return p;
  }

  bool Hangs(NodeId id) const {
    const Op op = tree_[id].op;
    return op == Op::kQuantity || op == Op::kPercent || op == Op::kDegree;
  }

  // $5 million: the unit of a factor is the product's.
  bool LiftFactor(Peeled* p) {
    Ids factors = Kids(p->value);
    for (NodeId& f : factors) {
      if (tree_[f].op != Op::kQuantity) continue;
      p->unit = ParseUnit(tree_.Name(f));
      f = tree_.Kid(f, 0);
      p->value = tree_.Add(Op::kMul, factors.data(), static_cast<uint32_t>(factors.size()));
      return true;
    }
    return false;
  }

  NodeId Scale(NodeId id, int64_t num, int64_t den) {
    return tree_.Add(Op::kMul, {id, tree_.Number(num, den)});
  }

  Decision SameScalar(NodeId g, NodeId a) {
    if (tree_[g].op == Op::kNum && tree_[a].op == Op::kNum) return scalars_.Equal(g, a);
    Peeled x = Peel(g);
    Peeled y = Peel(a);
    // Radians are plain numbers, but 90 degrees are not 90 of them.
    if ((x.degree && y.unit.dimension == "rad") || (y.degree && x.unit.dimension == "rad")) {
      NodeId& degrees = x.degree ? x.value : y.value;
      degrees = tree_.Add(Op::kDegree, {degrees});
      return scalars_.Equal(x.value, y.value);
    }
    if (!UnitsAgree(&x, &y)) {
      detail_ = "units differ";
      return No();
    }
    // 20% is neither 20 degrees nor 20 dollars, and 3:1 is not 3 apples.
    const auto has_unit = [](const Peeled& p) { return p.degree || !p.unit.Empty(); };
    const bool ratio_x = tree_[x.value].op == Op::kRatio;
    const bool ratio_y = tree_[y.value].op == Op::kRatio;
    if (((x.percent || ratio_x) && !y.percent && has_unit(y)) ||
        ((y.percent || ratio_y) && !x.percent && has_unit(x))) {
      detail_ = "units differ";
      return No();
    }
    const Decision plain = scalars_.Equal(x.value, y.value);
    if (x.percent != y.percent) {
      if (plain.yes() && options_.percent_optional) return plain;
      const NodeId hundredth_x = x.percent ? Scale(x.value, 1, 100) : x.value;
      const NodeId hundredth_y = y.percent ? Scale(y.value, 1, 100) : y.value;
      return scalars_.Equal(hundredth_x, hundredth_y);
    }
    if (x.degree != y.degree && !plain.yes()) {
      const NodeId rx = x.degree ? tree_.Add(Op::kDegree, {x.value}) : x.value;
      const NodeId ry = y.degree ? tree_.Add(Op::kDegree, {y.value}) : y.value;
      return scalars_.Equal(rx, ry);
    }
    return plain;
  }

  // Brings both values to one unit. False: the units contradict each other.
  bool UnitsAgree(Peeled* x, Peeled* y) {
    const bool nothing_x = x->unit.Empty() || x->unit.dimension == "unit";
    const bool nothing_y = y->unit.Empty() || y->unit.dimension == "unit";
    if ((x->degree && !y->unit.Empty()) || (y->degree && !x->unit.Empty())) return false;
    if (nothing_x || nothing_y) return true;
    if (x->unit.known && y->unit.known) {
      if (x->unit.dimension != y->unit.dimension) return false;
      if (x->unit.num != y->unit.num || x->unit.den != y->unit.den) {
        x->value = Scale(x->value, x->unit.num, x->unit.den);
        y->value = Scale(y->value, y->unit.num, y->unit.den);
      }
      return true;
    }
    return WordsOverlap(x->unit.words, y->unit.words);
  }

  // One phrase contains the other's words, plural or not: "tickets" and "children tickets".
  static bool WordsOverlap(const std::string& a, const std::string& b) {
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

  const ParsedAnswer::Impl& gold_;
  const ParsedAnswer::Impl& answer_;
  const CompareOptions& options_;
  Tree tree_;
  Budget budget_;
  const uint64_t seed_;
  Scalars scalars_;
  const char* detail_ = nullptr;
};

}  // namespace

const char* MethodName(Method method) {
  switch (method) {
    case Method::kNone:
      return "none";
    case Method::kExact:
      return "exact";
    case Method::kField:
      return "field";
    case Method::kBall:
      return "ball";
    case Method::kText:
      return "text";
  }
  return "";
}

std::string CompareResult::MethodText() const {
  if (method != Method::kBall) return MethodName(method);
  return "ball(" + std::to_string(ball_bits) + ")";
}

CompareResult Compare(const ParsedAnswer& gold, const ParsedAnswer& answer,
                      const CompareOptions& options) {
  if (!gold.ok() || !answer.ok()) return {};
  // One order of the two for both questions, so that neither a draw, nor the budget, nor a rule can tell a from b.
  const bool symmetric = options.inequality_for_set;
  const bool swap = symmetric && answer.impl()->source < gold.impl()->source;
  const ParsedAnswer& first = swap ? answer : gold;
  const ParsedAnswer& second = swap ? gold : answer;
  return Comparer(*first.impl(), *second.impl(), options).Run();
}

}  // namespace assay::math
