// Compare(): what two answers of any kind have to share to be equal. This page dispatches; the kinds are in comparison.h, the
// rules are the table in docs/math.md.
#include "verifiers/math/equal/compare.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "core/text.h"
#include "verifiers/math/equal/comparison.h"
#include "verifiers/math/equal/log_absolute.h"
#include "verifiers/math/equal/region.h"
#include "verifiers/math/equal/root_factors.h"
#include "verifiers/math/equal/series.h"
#include "verifiers/math/equal/tolerance.h"
#include "verifiers/math/equal/unit_vector.h"
#include "verifiers/math/equal/written_out.h"
#include "verifiers/math/syntax/chars.h"
#include "verifiers/math/syntax/rewrite.h"
#include "verifiers/math/value/matrix.h"
#include "verifiers/math/value/polynomial.h"
#include "verifiers/math/value/tuples.h"

namespace assay::math {
namespace {

constexpr int64_t kBudget = 60000;
constexpr int kMaxCompareDepth = 24;

std::string LeniencyText(Leniency leniency, const CompareOptions& options) {
  switch (leniency) {
    case Leniency::kNone:
      return "";
    case Leniency::kShownDigits:
      return "rounded to the digits shown";
    case Leniency::kFloatDigits:
      return "rounded to " + std::to_string(*options.float_digits) + " decimal places";
    case Leniency::kGoldDigits:
      return "rounded to the digits of the gold";
    case Leniency::kTolerance:
      return "within the tolerance";
    case Leniency::kHundred:
      return "a hundred times the other";
  }
  return "";
}

CompareResult Report(const Comparison& cmp, const Decision& d) {
  CompareResult r;
  r.outcome = d.outcome;
  r.method = d.method;
  r.ball_bits = d.method == Method::kBall ? d.bits : 0;
  if (d.yes()) r.detail = LeniencyText(d.leniency, cmp.options);
  if (!d.yes() && cmp.detail != nullptr) r.detail = cmp.detail;
  return r;
}

// 1,234 may be two items, but it is no point: that has brackets.
bool IsBareList(Op op) { return op == Op::kList || op == Op::kSet; }

bool Admitted(const Comparison& cmp, const Reading& g, const Reading& a) {
  if (g.when == Reading::When::kVersusList &&
      !(IsBareList(cmp.answer.tree[a.root].op) && a.when == Reading::When::kAlways))
    return false;
  if (a.when == Reading::When::kVersusList &&
      !(IsBareList(cmp.gold.tree[g.root].op) && g.when == Reading::When::kAlways))
    return false;
  if (g.when == Reading::When::kVersusUnit && cmp.answer.tree[a.root].op != Op::kQuantity)
    return false;
  if (a.when == Reading::When::kVersusUnit && cmp.gold.tree[g.root].op != Op::kQuantity)
    return false;
  return true;
}

// P(5, 7) where the other side is a point.
NodeId WithoutPointName(const Tree& tree, NodeId id) {
  if (tree[id].op != Op::kMul || tree[id].n != 2) return id;
  const NodeId name = tree.Kid(id, 0);
  const bool capital =
      tree[name].op == Op::kSym && tree.Name(name).size() == 1 && IsUpper(tree.Name(name)[0]);
  return capital && tree[tree.Kid(id, 1)].op == Op::kTuple ? tree.Kid(id, 1) : id;
}

NodeId ImportSide(Comparison* cmp, const Tree& side, NodeId root, bool of_answer) {
  Tree& tree = cmp->tree;
  const size_t before = tree.nodes.size();
  const NodeId id = tree.Import(side, root);
  for (size_t k = before; k < tree.nodes.size(); ++k) {
    if (of_answer && (tree.nodes[k].flags & kDecimal) != 0) tree.nodes[k].flags |= kOfAnswer;
  }
  return id;
}

// The symbol that a notation of a derivative names, with primes: dy/dx and \dot y as y'. Empty: none. *leibniz: which it is.
std::string DerivativeName(const std::string& name, bool* leibniz) {
  *leibniz = name.compare(0, 3, "D:d") == 0;
  const size_t slash = name.find("/d");
  if (*leibniz && slash != std::string::npos) {
    // D:d^2y/dt^2
    const bool power = name.size() > 5 && name[3] == '^' && IsDigit(name[4]);
    const size_t begin = power ? 5 : 3;
    return name.substr(begin, slash - begin) +
           std::string(power ? static_cast<size_t>(name[4] - '0') : 1, '\'');
  }
  for (const std::string& dots : {std::string("dot("), std::string("ddot(")}) {
    const size_t close = name.find(')');
    // \dot{x}_1 is \dot{x_1}.
    if (name.compare(0, dots.size(), dots) == 0 && close != std::string::npos &&
        (close + 1 == name.size() || name[close + 1] == '_'))
      return name.substr(dots.size(), close - dots.size()) + name.substr(close + 1) +
             (dots.size() == 4 ? "'" : "''");
  }
  return name.size() > 1 && name.back() == '\'' ? name : "";
}

// Both sides with primes, where one writes dy/dx and the other y' or \dot y; else kNoNode. Two of Leibniz's kind name what
// they are derived by and are left alone.
std::pair<NodeId, NodeId> DerivativesAlike(Tree* tree, NodeId left, NodeId right) {
  bool leibniz[2] = {false, false};
  bool primes[2] = {false, false};
  NodeId sides[2] = {left, right};
  for (int k = 0; k < 2; ++k) {
    sides[k] = CopyWith(tree, sides[k], [&](NodeId at) -> NodeId {
      const Op op = (*tree)[at].op;
      if (op != Op::kSym && op != Op::kApply) return kNoNode;
      bool of_leibniz = false;
      const std::string name = DerivativeName(tree->Name(at), &of_leibniz);
      if (name.empty()) return kNoNode;
      (of_leibniz ? leibniz : primes)[k] = true;
      return tree->Symbol(name);
    });
  }
  const bool alike = (leibniz[0] && !leibniz[1] && primes[1] && !primes[0]) ||
                     (leibniz[1] && !leibniz[0] && primes[0] && !primes[1]) ||
                     (!leibniz[0] && !leibniz[1] && primes[0] && primes[1]);
  return alike ? std::pair(sides[0], sides[1]) : std::pair(kNoNode, kNoNode);
}

// \text{SRMC} as S R M C where the other side writes those letters without a frame: a name, not a word. `id` itself if there is
// none.
NodeId NamesAsLetters(Tree* tree, NodeId id, std::string_view other_source) {
  return CopyWith(tree, id, [&](NodeId at) -> NodeId {
    const Op op = (*tree)[at].op;
    if (op != Op::kSym && op != Op::kText) return kNoNode;
    std::string_view name = tree->Name(at);
    if (op == Op::kSym && !StartsWith(name, "text:")) return kNoNode;
    if (op == Op::kSym) name.remove_prefix(5);
    if (name.size() < 2 || name.size() > 6 || !std::all_of(name.begin(), name.end(), IsAlpha))
      return kNoNode;
    std::string letters;
    for (const char letter : name) letters += static_cast<char>(letter & ~0x20);
    if (other_source.find(letters) == std::string_view::npos) return kNoNode;
    std::vector<NodeId> factors;
    for (const char letter : letters) factors.push_back(tree->Symbol(std::string_view(&letter, 1)));
    return tree->Add(Op::kMul, factors.data(), static_cast<uint32_t>(factors.size()));
  });
}

Decision SameReadings(Comparison* cmp, const Reading& g, const Reading& a) {
  Tree& tree = cmp->tree;
  const Node& x = cmp->gold.tree[g.root];
  const Node& y = cmp->answer.tree[a.root];
  const uint16_t decimals = (x.flags | y.flags) & kDecimal;
  if (x.op == Op::kNum && y.op == Op::kNum && decimals == 0 && !Tolerates(cmp->options)) {
    return x.num == y.num && x.den == y.den ? Yes() : No();
  }
  const NodeId left =
      CloseSeries(&tree, &cmp->scalars, ImportSide(cmp, cmp->gold.tree, g.root, cmp->answer_first));
  const NodeId right = CloseSeries(&tree, &cmp->scalars,
                                   ImportSide(cmp, cmp->answer.tree, a.root, !cmp->answer_first));
  // Values of unknown functions get names of their own (scalar.h).
  if (ContainsOp(tree, left, Op::kApply) || ContainsOp(tree, right, Op::kApply))
    tree.names.reserve(tree.names.size() + 64);
  Decision d = Same(cmp, left, right, 0);
  if (!d.yes()) {
    const auto [first, second] = DerivativesAlike(&tree, left, right);
    if (first != kNoNode) d = Same(cmp, first, second, 0);
  }
  // 3\mathbf{i} - \mathbf{k} and 3i - k
  if (!d.yes()) {
    const NodeId x = WithoutHats(&tree, left);
    const NodeId y = WithoutHats(&tree, right);
    if ((x != left) != (y != right)) d = Same(cmp, x, y, 0);
  }
  // \text{MR} = \text{MC} and MR = MC
  if (!d.yes()) {
    const NodeId x = NamesAsLetters(&tree, left, cmp->answer.source);
    const NodeId y = NamesAsLetters(&tree, right, cmp->gold.source);
    if ((x != left) != (y != right)) d = Same(cmp, x, y, 0);
  }
  const auto rewritten = [&](const auto& rewrite) {
    const NodeId x = rewrite(&tree, left);
    const NodeId y = rewrite(&tree, right);
    if (x != left || y != right) d = Same(cmp, x, y, 0);
  };
  const auto contain = [&](Op op) {
    return ContainsOp(tree, left, op) || ContainsOp(tree, right, op);
  };
  if (!d.yes() && (contain(Op::kSum) || contain(Op::kProd))) rewritten(SumsWrittenOut);
  if (!d.yes() && contain(Op::kFunc) && contain(Op::kRel))
    rewritten([cmp](Tree* all, NodeId id) { return ExactTrigonometry(all, &cmp->scalars, id); });
  if (!d.yes() && contain(Op::kAbs)) rewritten(SplitAbsoluteLogs);
  if (d.outcome == Outcome::kUndecided && !cmp->budget.Exhausted()) rewritten(NumbersOutOfRoots);
  if (!d.yes() && cmp->options.rename_variables) {
    const NodeId renamed = RenameLike(&tree, right, left);
    if (renamed != kNoNode) d = Same(cmp, left, renamed, 0);
  }
  return cmp->budget.Exhausted() && !d.yes() ? Undecided() : d;
}

// 12, -3/4, 1.5e3, 1.5 x 10^3, 9%, 5 m, x = 12, 5 + 7 = 12: a number that nobody has to work out.
bool IsWorkedOut(const Tree& tree, NodeId id) {
  const Node& n = tree[id];
  switch (n.op) {
    case Op::kNum:
    case Op::kBig:
    case Op::kBased:
      return true;
    case Op::kNeg:
    case Op::kPercent:
    case Op::kDegree:
    case Op::kQuantity:
      return IsWorkedOut(tree, tree.Kid(id, 0));
    case Op::kRel:
      return n.n > 0 && IsWorkedOut(tree, tree.Kid(id, n.n - 1));
    case Op::kDiv:
      return IsWorkedOut(tree, tree.Kid(id, 0)) && tree[tree.Kid(id, 1)].op == Op::kNum;
    case Op::kMul: {
      const NodeId power = tree.Kid(id, n.n - 1);
      const bool of_ten = n.n == 2 && tree[power].op == Op::kPow &&
                          tree[tree.Kid(power, 0)].op == Op::kNum &&
                          tree[tree.Kid(power, 0)].num == 10;
      return of_ten && tree[tree.Kid(id, 0)].op == Op::kNum;
    }
    default:
      return false;
  }
}

bool LeftToWorkOut(const Comparison& cmp) {
  const ParsedAnswer::Impl& gold = cmp.answer_first ? cmp.answer : cmp.gold;
  const ParsedAnswer::Impl& answer = cmp.answer_first ? cmp.gold : cmp.answer;
  return IsWorkedOut(gold.tree, gold.readings[0].root) &&
         !IsWorkedOut(answer.tree, answer.readings[0].root);
}

CompareResult Decide(Comparison* cmp) {
  if (cmp->gold.source == cmp->answer.source) return Report(*cmp, Yes());
  if (const auto choice = SameChoice(cmp)) return Report(*cmp, *choice);
  if (const auto words = SameWords(cmp)) return Report(*cmp, *words);
  if (cmp->options.worked_out && LeftToWorkOut(*cmp)) {
    cmp->detail = "the answer is still to be worked out";
    return Report(*cmp, No(Method::kNone));
  }
  Decision best = No(Method::kNone);
  bool first = true;
  for (const Reading& g : cmp->gold.readings) {
    for (const Reading& a : cmp->answer.readings) {
      if (!Admitted(*cmp, g, a)) continue;
      const Decision d = SameReadings(cmp, g, a);
      if (d.yes()) return Report(*cmp, d);
      if (first || d.outcome == Outcome::kUndecided) best = d;
      first = false;
    }
  }
  return Report(*cmp, best);
}

}  // namespace

Comparison::Comparison(const ParsedAnswer::Impl& gold_answer,
                       const ParsedAnswer::Impl& other_answer, bool swapped,
                       const CompareOptions& compare_options)
    : gold(gold_answer),
      answer(other_answer),
      answer_first(swapped),
      options(compare_options),
      budget(kBudget),
      scalars(&tree, &budget,
              MixHash(HashBytes64(gold.source) + HashBytes64(answer.source) + options.salt),
              options) {}

Decision Both(const Decision& a, const Decision& b) {
  if (!a.yes()) return a;
  if (!b.yes()) return b;
  Decision d = a;
  if (d.leniency == Leniency::kNone) d.leniency = b.leniency;
  d.bits = std::max(a.bits, b.bits);
  if (b.method == Method::kBall || (b.method == Method::kField && a.method == Method::kExact))
    d.method = b.method;
  return d;
}

Decision Same(Comparison* cmp, NodeId g, NodeId a, int depth) {
  Tree& tree = cmp->tree;
  if (depth > kMaxCompareDepth || !cmp->budget.Spend(2)) return Undecided();
  g = Shell(cmp, g);
  a = Shell(cmp, a);
  if (g == kNoNode || a == kNoNode) return Undecided();
  if (tree[g].op == Op::kTuple) a = WithoutPointName(tree, a);
  if (tree[a].op == Op::kTuple) g = WithoutPointName(tree, g);
  const Op x = tree[g].op;
  const Op y = tree[a].op;
  if (x == Op::kText || y == Op::kText) return SameText(cmp, g, a);
  if (const auto pieces = SamePieces(cmp, g, a, depth)) return *pieces;
  if (const auto classes = SameClasses(cmp, g, a)) return *classes;
  if (IsRelation(x) && IsRelation(y)) return SameRelation(cmp, g, a, depth);
  if (IsRelation(x) || IsRelation(y)) return RelationAndValue(cmp, g, a, depth);
  if ((x == Op::kMatrix) != (y == Op::kMatrix)) {
    const NodeId rows = AsMatrix(cmp, x == Op::kMatrix ? a : g);
    if (rows != kNoNode)
      return SameMatrix(cmp, x == Op::kMatrix ? g : rows, x == Op::kMatrix ? rows : a, depth);
  }
  if (x == Op::kTime || y == Op::kTime || (x == Op::kRatio && y == Op::kRatio))
    return SameRatio(cmp, g, a);
  if (AllInequalities(tree, g) && AllInequalities(tree, a)) {
    if (const auto d = RegionsEqual(&tree, &cmp->scalars, &cmp->budget, g, a)) return *d;
    if (tree[g].aux != tree[a].aux) return No(Method::kNone);
  }
  if (IsRegion(x) || IsRegion(y) || (x == Op::kTuple && AllInequalities(tree, a)) ||
      (y == Op::kTuple && AllInequalities(tree, g)))
    return SameRegion(cmp, g, a, depth);
  if (IsCollection(x) || IsCollection(y) || x == Op::kMatrix || y == Op::kMatrix)
    return SameCollection(cmp, g, a, depth);
  return SameQuantity(cmp, g, a);
}

NodeId Shell(Comparison* cmp, NodeId id) {
  Tree& tree = cmp->tree;
  id = EvaluateMatrices(&tree, &cmp->budget, id);
  id = EvaluateTuples(&tree, &cmp->budget, id);
  id = EvaluatePolynomials(&tree, &cmp->budget, id);
  if (ContainsOp(tree, id, Op::kPm)) id = ExpandSigns(&tree, id);
  if (id != kNoNode && tree[id].op == Op::kRel) id = ReduceChain(cmp, id);
  return id;
}

Ids Kids(const Tree& tree, NodeId id) {
  Ids out;
  for (uint32_t k = 0; k < tree[id].n; ++k) out.push_back(tree.Kid(id, k));
  return out;
}

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
  // A letter in lower case is the choice that the gold names; of anything else it is what it reads as, a variable.
  const char32_t choice = gold.impl()->choice;
  if (choice != 0 && answer.impl()->choice == 0 && answer.impl()->small_choice == choice) {
    const Comparison named(*gold.impl(), *answer.impl(), false, options);
    return Report(named, Yes(Method::kText));
  }
  // One order of the two for both questions, so that neither a draw, nor the budget, nor a rule can tell a from b.
  const bool symmetric = options.inequality_for_set;
  const bool swap = symmetric && answer.impl()->source < gold.impl()->source;
  const ParsedAnswer& first = swap ? answer : gold;
  const ParsedAnswer& second = swap ? gold : answer;
  Comparison cmp(*first.impl(), *second.impl(), swap, options);
  return Decide(&cmp);
}

}  // namespace assay::math
