// Pairs of answers made by a generator, truth known by construction: equal ones by rewriting an expression with identities,
// unequal ones by changing a constant, a sign or an operation and seeing (by floating-point evaluation at random points) that
// the value changed. Nothing here knows how the comparison works. The seed is fixed; ASSAY_REWRITE_SEED and
// ASSAY_REWRITE_PAIRS ask for others. ASSAY_REWRITE_DUMP=FILE keeps the pairs as cases, each with both sides in a notation that
// scripts/math_differential.py can evaluate.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/rng.h"
#include "core/text.h"
#include "verifiers/math/math.h"

namespace assay::math {
namespace {

enum class Op {
  kNumber,
  kVariable,
  kPi,
  kAdd,
  kMul,
  kDiv,
  kPow,
  kNeg,
  kSin,
  kCos,
  kExp,
  kLn,
  kSqrt
};

struct Expr;
using Ptr = std::shared_ptr<const Expr>;

struct Expr {
  Op op = Op::kNumber;
  int64_t p = 0;  // kNumber: p / q; kPow: exponent p
  int64_t q = 1;
  char name = 'x';
  std::vector<Ptr> args;
};

Ptr Number(int64_t p, int64_t q = 1) {
  return std::make_shared<Expr>(Expr{Op::kNumber, p, q, 'x', {}});
}
Ptr Variable(char name) { return std::make_shared<Expr>(Expr{Op::kVariable, 0, 1, name, {}}); }
Ptr Pi() { return std::make_shared<Expr>(Expr{Op::kPi, 0, 1, 'x', {}}); }
Ptr Node(Op op, std::vector<Ptr> args, int64_t p = 0) {
  return std::make_shared<Expr>(Expr{op, p, 1, 'x', std::move(args)});
}

using Point = std::map<char, long double>;

long double Eval(const Expr& e, const Point& at) {
  switch (e.op) {
    case Op::kNumber:
      return static_cast<long double>(e.p) / static_cast<long double>(e.q);
    case Op::kVariable:
      return at.at(e.name);
    case Op::kPi:
      return std::acos(-1.0L);
    case Op::kAdd: {
      long double sum = 0;
      for (const Ptr& a : e.args) sum += Eval(*a, at);
      return sum;
    }
    case Op::kMul: {
      long double product = 1;
      for (const Ptr& a : e.args) product *= Eval(*a, at);
      return product;
    }
    case Op::kDiv:
      return Eval(*e.args[0], at) / Eval(*e.args[1], at);
    case Op::kPow:
      return std::pow(Eval(*e.args[0], at), static_cast<long double>(e.p));
    case Op::kNeg:
      return -Eval(*e.args[0], at);
    case Op::kSin:
      return std::sin(Eval(*e.args[0], at));
    case Op::kCos:
      return std::cos(Eval(*e.args[0], at));
    case Op::kExp:
      return std::exp(Eval(*e.args[0], at));
    case Op::kLn:
      return std::log(Eval(*e.args[0], at));
    case Op::kSqrt:
      return std::sqrt(Eval(*e.args[0], at));
  }
  return 0;
}

// How an expression is written down.
struct Style {
  bool latex = true;
  int fraction = 0;  // \frac, \dfrac, \tfrac, a/b
  int times = 0;     // juxtaposed where that is safe, \cdot, \times
  bool left_right = false;
};

class Writer {
 public:
  Writer(const Style& style, Rng* rng) : style_(style), rng_(rng) {}

  std::string Write(const Expr& e) { return Sum(e); }

 private:
  std::string Parens(const std::string& inner) const {
    if (style_.latex && style_.left_right) return StrCat("\\left(", inner, "\\right)");
    return StrCat("(", inner, ")");
  }

  std::string Fraction(const std::string& top, const std::string& bottom, bool simple) const {
    if (!style_.latex || (style_.fraction == 3 && simple))
      return StrCat(simple ? top : Parens(top), "/", simple ? bottom : Parens(bottom));
    static constexpr const char* kNames[] = {"\\frac", "\\dfrac", "\\tfrac", "\\frac"};
    return StrCat(kNames[style_.fraction], "{", top, "}{", bottom, "}");
  }

  std::string Sum(const Expr& e) {
    if (e.op != Op::kAdd) return Product(e);
    std::string out;
    for (const Ptr& term : e.args) {
      std::string text = Product(*term);
      if (!out.empty()) {
        if (text[0] == '-') {
          StrAppend(&out, " - ", text.substr(1));
          continue;
        }
        out += " + ";
      }
      out += text;
    }
    return out;
  }

  std::string Product(const Expr& e) {
    if (e.op == Op::kNeg) {
      const Expr& inner = *e.args[0];
      const std::string text =
          inner.op == Op::kAdd || inner.op == Op::kNeg || Negative(inner) || StartsNegative(inner)
              ? Parens(Sum(inner))
              : Product(inner);
      return StrCat("-", text);
    }
    if (e.op != Op::kMul) return Factor(e);
    std::string out;
    for (size_t i = 0; i < e.args.size(); ++i) {
      const Expr& arg = *e.args[i];
      std::string text =
          arg.op == Op::kAdd || arg.op == Op::kMul || arg.op == Op::kNeg || (i > 0 && Negative(arg))
              ? Parens(Sum(arg))
              : Factor(arg);
      if (i > 0) {
        const bool juxtapose = style_.times == 0 && text[0] == '(' && style_.latex;
        const bool letter = style_.times == 0 && style_.latex && arg.op == Op::kVariable &&
                            e.args[i - 1]->op == Op::kNumber && e.args[i - 1]->q == 1;
        if (!juxtapose && !letter)
          out += !style_.latex ? "*" : style_.times == 2 ? " \\times " : " \\cdot ";
      }
      out += text;
    }
    return out;
  }

  static bool Negative(const Expr& e) { return e.op == Op::kNumber && e.p < 0; }
  static bool StartsNegative(const Expr& e) { return e.op == Op::kMul && Negative(*e.args[0]); }

  std::string NumberText(const Expr& e) {
    if (e.q == 1) return StrCat(e.p);
    int64_t tens = 10;
    for (int digits = 1; digits <= 4; ++digits, tens *= 10) {
      if (tens % e.q == 0 && rng_->Below(3) == 0) {
        const int64_t scaled = e.p * (tens / e.q);
        std::string fraction = StrCat(std::abs(scaled) % tens);
        while (static_cast<int>(fraction.size()) < digits) fraction.insert(0, "0");
        return StrCat(e.p < 0 ? "-" : "", std::abs(scaled) / tens, ".", fraction);
      }
    }
    return StrCat(e.p < 0 ? "-" : "", Fraction(StrCat(std::abs(e.p)), StrCat(e.q), true));
  }

  std::string Call(const char* name, const Expr& arg) {
    return StrCat(style_.latex ? "\\" : "", name, Parens(Sum(arg)));
  }

  std::string Factor(const Expr& e) {
    switch (e.op) {
      case Op::kNumber: {
        const std::string text = NumberText(e);
        return text.find('/') != std::string::npos ? Parens(text) : text;
      }
      case Op::kVariable:
        return std::string(1, e.name);
      case Op::kPi:
        return style_.latex ? "\\pi" : "pi";
      case Op::kDiv:
        if (style_.latex && style_.fraction != 3)
          return Fraction(Sum(*e.args[0]), Sum(*e.args[1]), false);
        return Parens(StrCat(Parens(Sum(*e.args[0])), "/", Parens(Sum(*e.args[1]))));
      case Op::kPow: {
        const bool plain = e.args[0]->op == Op::kVariable ||
                           (e.args[0]->op == Op::kNumber && e.args[0]->q == 1 && e.args[0]->p >= 0);
        const std::string base = plain ? Factor(*e.args[0]) : Parens(Sum(*e.args[0]));
        return style_.latex ? StrCat(base, "^{", e.p, "}")
                            : StrCat(base, rng_->Below(2) == 0 ? "^" : "**", e.p < 0 ? "(" : "",
                                     e.p, e.p < 0 ? ")" : "");
      }
      case Op::kSin:
        return Call("sin", *e.args[0]);
      case Op::kCos:
        return Call("cos", *e.args[0]);
      case Op::kLn:
        return Call("ln", *e.args[0]);
      case Op::kExp:
        return style_.latex ? StrCat("e^{", Sum(*e.args[0]), "}")
                            : StrCat("exp", Parens(Sum(*e.args[0])));
      case Op::kSqrt:
        return style_.latex ? StrCat("\\sqrt{", Sum(*e.args[0]), "}")
                            : StrCat("sqrt", Parens(Sum(*e.args[0])));
      default:
        return Parens(Sum(e));
    }
  }

  Style style_;
  Rng* rng_;
};

// The kinds of expressions that answers are made of.
enum class Kind { kRational, kSurd, kPolynomial, kRationalFunction, kTrig, kTranscendental };

class Generator {
 public:
  explicit Generator(Rng* rng) : rng_(rng) {}

  Ptr Make(Kind kind) {
    switch (kind) {
      case Kind::kRational:
        return Combine(3, [this] { return SmallNumber(true); });
      case Kind::kSurd:
        return Combine(2, [this] {
          return rng_->Below(2) == 0 ? SmallNumber(true) : Node(Op::kSqrt, {Number(2 + Pick(30))});
        });
      case Kind::kPolynomial:
        return Combine(3, [this] { return Atom(); });
      case Kind::kRationalFunction:
        return Node(Op::kDiv, {Combine(2, [this] { return Atom(); }), Positive()});
      case Kind::kTrig: {
        const Ptr angle = rng_->Below(2) == 0
                              ? Variable('x')
                              : Node(Op::kMul, {Number(1 + Pick(5), 1 + Pick(5)), Pi()});
        return Combine(2, [this, angle] {
          return rng_->Below(3) == 0 ? SmallNumber(false)
                                     : Node(rng_->Below(2) == 0 ? Op::kSin : Op::kCos, {angle});
        });
      }
      case Kind::kTranscendental:
        return Combine(2, [this] {
          switch (rng_->Below(4)) {
            case 0:
              return Node(Op::kExp, {Atom()});
            case 1:
              return Node(Op::kLn, {Positive()});
            case 2:
              return Node(Op::kSqrt, {Positive()});
            default:
              return Atom();
          }
        });
    }
    return Number(0);
  }

  // Another expression of the same value everywhere.
  Ptr Rewrite(const Ptr& e) {
    std::vector<Ptr> args;
    for (const Ptr& a : e->args) args.push_back(Rewrite(a));
    Expr copy = *e;
    copy.args = args;
    Ptr node = std::make_shared<Expr>(copy);
    switch (e->op) {
      case Op::kNumber:
        return RewriteNumber(node);
      case Op::kAdd:
      case Op::kMul:
        rng_->Shuffle(&args);
        copy.args = args;
        node = std::make_shared<Expr>(copy);
        return e->op == Op::kMul ? RewriteProduct(node) : node;
      case Op::kPow:
        return e->p >= 2 && rng_->Below(2) == 0
                   ? Node(Op::kMul,
                          {args[0], e->p == 2 ? args[0] : Node(Op::kPow, {args[0]}, e->p - 1)})
                   : node;
      case Op::kNeg:
        return rng_->Below(2) == 0 ? Node(Op::kMul, {Number(-1), args[0]}) : node;
      case Op::kDiv:
        return RewriteQuotient(node);
      case Op::kExp:
        if (args[0]->op == Op::kAdd && args[0]->args.size() == 2)
          return Node(Op::kMul,
                      {Node(Op::kExp, {args[0]->args[0]}), Node(Op::kExp, {args[0]->args[1]})});
        return node;
      case Op::kSin:
        if (rng_->Below(3) == 0)
          return Node(Op::kNeg, {Node(Op::kSin, {Node(Op::kNeg, {args[0]})})});
        return node;
      case Op::kCos:
        // cos t = 1 - 2 sin(t/2)^2
        if (rng_->Below(3) == 0) {
          const Ptr half = Node(Op::kSin, {Node(Op::kDiv, {args[0], Number(2)})});
          return Node(Op::kAdd,
                      {Number(1),
                       Node(Op::kNeg, {Node(Op::kMul, {Number(2), Node(Op::kPow, {half}, 2)})})});
        }
        return node;
      case Op::kSqrt: {
        if (rng_->Below(2) != 0) return node;
        const int64_t k = 2 + Pick(4);  // sqrt(a) = sqrt(k^2 a) / k
        return Node(Op::kDiv,
                    {Node(Op::kSqrt, {Node(Op::kMul, {Number(k * k), args[0]})}), Number(k)});
      }
      case Op::kLn: {
        if (rng_->Below(2) != 0) return node;
        const int64_t k = 2 + Pick(4);  // ln a = ln(k a) - ln k
        return Node(Op::kAdd, {Node(Op::kLn, {Node(Op::kMul, {Number(k), args[0]})}),
                               Node(Op::kNeg, {Node(Op::kLn, {Number(k)})})});
      }
      default:
        return node;
    }
  }

  // The same expression with one constant, sign or operation changed; the value is most likely another one.
  Ptr Mutate(const Ptr& e) {
    if (!e->args.empty() && rng_->Below(4) != 0) {
      Expr copy = *e;
      const size_t i = rng_->Below(copy.args.size());
      copy.args[i] = Mutate(copy.args[i]);
      return std::make_shared<Expr>(copy);
    }
    switch (e->op) {
      case Op::kNumber: {
        static constexpr int64_t kSmall[] = {1, 1, 1, 10, 1000, 1000000};
        const int64_t q = kSmall[rng_->Below(6)];  // p/q + 1/q'
        return q == 1 || e->q > 1000 ? Number(e->p + e->q, e->q)
                                     : Number(e->p * q + e->q, e->q * q);
      }
      case Op::kVariable:
        return Variable(e->name == 'x' ? 'y' : 'x');
      case Op::kSin:
        return Node(Op::kCos, e->args);
      case Op::kCos:
        return Node(Op::kSin, e->args);
      case Op::kPow:
        return Node(Op::kPow, e->args, e->p + 1);
      case Op::kAdd: {
        std::vector<Ptr> args = e->args;
        args[0] = Node(Op::kNeg, {args[0]});
        return Node(Op::kAdd, args);
      }
      default:
        return Node(Op::kNeg, {e});
    }
  }

  int64_t Pick(uint64_t bound) { return static_cast<int64_t>(rng_->Below(bound)); }

 private:
  template <typename Leaf>
  Ptr Combine(int depth, const Leaf& leaf) {
    if (depth == 0) return leaf();
    switch (rng_->Below(depth >= 2 ? 6 : 8)) {
      case 0:
      case 1:
        return Node(Op::kAdd, {Combine(depth - 1, leaf), Combine(depth - 1, leaf)});
      case 2:
      case 3:
        return Node(Op::kMul, {Combine(depth - 1, leaf), Combine(depth - 1, leaf)});
      case 4:
        return Node(Op::kPow, {Combine(depth - 1, leaf)}, 2 + Pick(2));
      case 5:
        return Node(Op::kAdd,
                    {Combine(depth - 1, leaf), Node(Op::kNeg, {Combine(depth - 1, leaf)})});
      default:
        return leaf();
    }
  }

  Ptr SmallNumber(bool fraction) {
    static constexpr int64_t kDenominators[] = {1, 1, 1, 2, 3, 4, 5, 7, 8, 10, 12, 20, 25};
    return Number(1 + Pick(20), fraction ? kDenominators[rng_->Below(13)] : 1);
  }
  Ptr Atom() {
    return rng_->Below(3) == 0 ? SmallNumber(true) : Variable(rng_->Below(3) == 0 ? 'y' : 'x');
  }
  // Positive for every real x.
  Ptr Positive() {
    return Node(Op::kAdd, {Node(Op::kPow, {Variable('x')}, 2), Number(1 + Pick(9))});
  }

  Ptr RewriteNumber(const Ptr& e) {
    switch (rng_->Below(6)) {
      case 0: {
        const int64_t k = 2 + Pick(5);
        return Node(Op::kDiv, {Number(e->p * k), Number(e->q * k)});
      }
      case 1:
        return Node(Op::kAdd, {Number(e->p - e->q, e->q), Number(1)});
      case 2:
        return Node(Op::kMul, {Number(2), Number(e->p, e->q * 2)});
      default:
        return e;
    }
  }
  Ptr RewriteProduct(const Ptr& e) {
    for (size_t i = 0; i < e->args.size(); ++i) {
      if (e->args[i]->op != Op::kAdd || rng_->Below(2) == 0) continue;
      std::vector<Ptr> terms;
      for (const Ptr& term : e->args[i]->args) {
        std::vector<Ptr> factors = e->args;
        factors[i] = term;
        terms.push_back(Node(Op::kMul, factors));
      }
      return Node(Op::kAdd, terms);
    }
    return e;
  }
  Ptr RewriteQuotient(const Ptr& e) {
    const Ptr top = e->args[0];
    const Ptr bottom = e->args[1];
    switch (rng_->Below(4)) {
      case 0:
        if (top->op == Op::kAdd) {
          std::vector<Ptr> terms;
          for (const Ptr& term : top->args) terms.push_back(Node(Op::kDiv, {term, bottom}));
          return Node(Op::kAdd, terms);
        }
        return e;
      case 1: {
        const Ptr k = Number(2 + Pick(5));
        return Node(Op::kDiv, {Node(Op::kMul, {k, top}), Node(Op::kMul, {k, bottom})});
      }
      case 2:
        return Node(Op::kMul, {top, Node(Op::kPow, {bottom}, -1)});
      default:
        return e;
    }
  }

  Rng* rng_;
};

std::string Text(const Ptr& e, Rng* rng) {
  const Style style{rng->Below(3) != 0, static_cast<int>(rng->Below(4)),
                    static_cast<int>(rng->Below(3)), rng->Below(2) == 0};
  return Writer(style, rng).Write(*e);
}

// The largest relative difference at some points where both have a value; -1 if there is no such point.
long double Difference(const Ptr& a, const Ptr& b) {
  long double worst = -1;
  for (int i = 0; i < 8; ++i) {
    const Point at = {{'x', 0.37L + 0.61L * i}, {'y', 1.91L - 0.43L * i}};
    const long double u = Eval(*a, at);
    const long double v = Eval(*b, at);
    if (!std::isfinite(u) || !std::isfinite(v)) continue;
    worst = std::max(worst, std::abs(u - v) / std::max({1.0L, std::abs(u), std::abs(v)}));
  }
  return worst;
}

uint64_t FromEnvironment(const char* name, uint64_t fallback) {
  const char* value = std::getenv(name);
  return value == nullptr ? fallback : std::strtoull(value, nullptr, 10);
}

// Appends one pair to the file that ASSAY_REWRITE_DUMP names.
void Dump(const std::string& a, const std::string& b, const Ptr& left, const Ptr& right, bool equal,
          const char* kind, Rng* rng) {
  const char* path = std::getenv("ASSAY_REWRITE_DUMP");
  if (path == nullptr) return;
  static int count = 0;
  const Style plain{false, 0, 1, false};
  Json row = Json::MakeObject();
  row.Set("id", StrCat(kind, "-", ++count))
      .Set("source", "assay:rewrite")
      .Set("gold", a)
      .Set("pred", b)
      .Set("expect", equal)
      .Set("mode", "bare");
  row.Set("gold_value", Writer(plain, rng).Write(*left))
      .Set("pred_value", Writer(plain, rng).Write(*right));
  std::ofstream(path, std::ios::app) << row.Dump() << '\n';
}

struct Counts {
  int equal = 0;
  int unequal = 0;
  int false_reject = 0;
  int false_accept = 0;
  int unparsed = 0;
};

void CheckPair(const std::string& a, const std::string& b, bool equal, Counts* counts) {
  const ParsedAnswer left = Parse(a);
  const ParsedAnswer right = Parse(b);
  if (!left.ok() || !right.ok()) {
    ++counts->unparsed;
    ADD_FAILURE() << "not parsed: " << (left.ok() ? b : a);
    return;
  }
  EXPECT_TRUE(Compare(left, left).equal()) << "unequal to itself: " << a;
  const CompareResult forward = Compare(left, right);
  EXPECT_EQ(forward.outcome, Compare(right, left).outcome)
      << "the order matters: " << a << "  |  " << b;
  ++(equal ? counts->equal : counts->unequal);
  if (equal && !forward.equal()) {
    ++counts->false_reject;
    std::printf("FALSE REJECT (%s %s): %s  |  %s\n",
                forward.outcome == Outcome::kUndecided ? "limit" : "unequal",
                forward.MethodText().c_str(), a.c_str(), b.c_str());
  }
  if (!equal && forward.equal()) {
    ++counts->false_accept;
    ADD_FAILURE() << "FALSE ACCEPT by " << forward.MethodText() << ": " << a << "  |  " << b;
  }
}

void RunPairs(Kind kind, const char* name) {
  Rng rng(FromEnvironment("ASSAY_REWRITE_SEED", 20260101), name);
  const int pairs = static_cast<int>(FromEnvironment("ASSAY_REWRITE_PAIRS", 400));
  Generator generator(&rng);
  Counts counts;
  for (int i = 0; i < pairs; ++i) {
    const Ptr e = generator.Make(kind);
    const Ptr same = generator.Rewrite(e);
    const long double drift = Difference(e, same);
    if (drift < 0) continue;  // nowhere defined
    ASSERT_LT(drift, 1e-9L) << "the generator is wrong: " << Text(e, &rng) << "  |  "
                            << Text(same, &rng);
    const std::string text = Text(e, &rng);
    const std::string same_text = Text(same, &rng);
    CheckPair(text, same_text, true, &counts);
    Dump(text, same_text, e, same, true, name, &rng);
    const Ptr other = generator.Rewrite(generator.Mutate(e));
    if (Difference(e, other) <= 1e-12L) continue;
    const std::string other_text = Text(other, &rng);
    CheckPair(text, other_text, false, &counts);
    Dump(text, other_text, e, other, false, name, &rng);
  }
  std::printf(
      "{\"kind\":\"%s\",\"equal\":%d,\"false_reject\":%d,\"unequal\":%d,\"false_accept\":%d}\n",
      name, counts.equal, counts.false_reject, counts.unequal, counts.false_accept);
  EXPECT_GT(counts.equal, pairs / 2);
  EXPECT_GT(counts.unequal, pairs / 3);
  EXPECT_EQ(counts.false_accept, 0);
  EXPECT_LE(counts.false_reject, counts.equal / 100);
}

TEST(MathRewrite, RationalConstants) { RunPairs(Kind::kRational, "rational"); }
TEST(MathRewrite, Surds) { RunPairs(Kind::kSurd, "surd"); }
TEST(MathRewrite, Polynomials) { RunPairs(Kind::kPolynomial, "polynomial"); }
TEST(MathRewrite, RationalFunctions) { RunPairs(Kind::kRationalFunction, "rational_function"); }
TEST(MathRewrite, Trigonometry) { RunPairs(Kind::kTrig, "trig"); }
TEST(MathRewrite, Transcendental) { RunPairs(Kind::kTranscendental, "transcendental"); }

// tests/cases/math_differential.jsonl: where Math-Verify and we once disagreed, settled by evaluation at 60 digits.
TEST(MathRewrite, SettledDisagreements) {
  const std::string path =
      StrCat(std::getenv("ASSAY_SOURCE_DIR"), "/tests/cases/math_differential.jsonl");
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  ASSERT_TRUE(reader.ok()) << reader.error().message;
  LineReader::Line line;
  int count = 0;
  while (*(*reader)->Next(&line)) {
    const Result<Json> row = ParseJson(line.text);
    ASSERT_TRUE(row.ok()) << line.number;
    const bool equal =
        Compare(Parse(row->StringOr("gold", "")), Parse(row->StringOr("pred", ""))).equal();
    EXPECT_EQ(equal, row->BoolOr("expect", false)) << line.text;
    ++count;
  }
  EXPECT_GE(count, 100);
}

// Collections, relations and intervals of integers: truth is what the numbers say.
TEST(MathRewrite, Structures) {
  Rng rng(FromEnvironment("ASSAY_REWRITE_SEED", 20260101), "structures");
  Counts counts;
  const auto pick = [&rng](int64_t bound) {
    return static_cast<int64_t>(rng.Below(static_cast<uint64_t>(bound)));
  };
  for (int i = 0; i < 200; ++i) {
    const int64_t a = pick(20) - 10;
    const int64_t b = a + 1 + pick(9);
    const int64_t c = b + 1 + pick(9);
    const int64_t k = 2 + pick(5);
    CheckPair(StrCat("\\{", a, ", ", b, ", ", c, "\\}"),
              StrCat("\\left\\{", c, ", ", a, ", ", b, "\\right\\}"), true, &counts);
    CheckPair(StrCat("\\{", a, ", ", b, ", ", c, "\\}"),
              StrCat("\\{", c, ", ", a, ", ", b + 20, "\\}"), false, &counts);
    CheckPair(StrCat("(", a, ", ", b, ")"),
              StrCat("\\left(\\frac{", a * k, "}{", k, "}, ", b, "\\right)"), true, &counts);
    CheckPair(StrCat("(", a, ", ", b, ", ", c, ")"), StrCat("(", b, ", ", a, ", ", c, ")"), false,
              &counts);
    CheckPair(StrCat("[", a, ", ", b, ")"), StrCat(a, " \\le x < ", b), true, &counts);
    CheckPair(StrCat("[", a, ", ", b, ")"), StrCat(a, " < x < ", b), false, &counts);
    CheckPair(StrCat("[", a, ", ", b, ") \\cup [", b, ", ", c, "]"), StrCat("[", a, ", ", c, "]"),
              true, &counts);
    CheckPair(StrCat("[", a, ", ", b, ") \\cup (", b, ", ", c, "]"), StrCat("[", a, ", ", c, "]"),
              false, &counts);
    CheckPair(StrCat(k, "x > ", k * a), StrCat("x > ", a), true, &counts);
    CheckPair(StrCat("-", k, "x > ", k * a), StrCat("x < ", -a), true, &counts);
    CheckPair(StrCat("-", k, "x > ", k * a), StrCat("x > ", -a), false, &counts);
    CheckPair(StrCat("y = ", k, "x + ", k + 3), StrCat(k, "x - y = ", -k - 3), true, &counts);
    CheckPair(StrCat("y = ", k, "x + ", k + 3), StrCat(k, "x + y = ", -k - 3), false, &counts);
    CheckPair(StrCat("x = ", a), StrCat(a), true, &counts);
    CheckPair(StrCat("x = ", a), StrCat(b), false, &counts);
    CheckPair(StrCat("\\begin{pmatrix} ", a, " & ", b, " \\\\ ", c, " & ", k, " \\end{pmatrix}"),
              StrCat("\\begin{bmatrix} ", a, " & ", b, " \\\\ \\frac{", 2 * c, "}{2} & ", k,
                     " \\end{bmatrix}"),
              true, &counts);
    CheckPair(StrCat("\\begin{pmatrix} ", a, " & ", b, " \\\\ ", c, " & ", k, " \\end{pmatrix}"),
              StrCat("\\begin{pmatrix} ", b, " & ", a, " \\\\ ", c, " & ", k, " \\end{pmatrix}"),
              false, &counts);
  }
  std::printf(
      "{\"kind\":\"structures\",\"equal\":%d,\"false_reject\":%d,\"unequal\":%d,\"false_accept\":%"
      "d}\n",
      counts.equal, counts.false_reject, counts.unequal, counts.false_accept);
  EXPECT_EQ(counts.false_accept, 0);
  EXPECT_LE(counts.false_reject, counts.equal / 100);
}

}  // namespace
}  // namespace assay::math
