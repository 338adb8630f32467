// ToString: the tree as one line of text.
#include <array>

#include "verifiers/math/syntax/tree.h"

namespace assay::math {
namespace {

constexpr size_t kMaxPrint = 2000;

constexpr const char* kFuncNames[] = {
    "sin",  "cos",  "tan",   "cot",  "sec",  "csc",  "asin", "acos",  "atan",  "acot",  "asec",
    "acsc", "sinh", "cosh",  "tanh", "coth", "sech", "csch", "asinh", "acosh", "atanh", "acoth",
    "exp",  "ln",   "gamma", "re",   "im",   "arg",  "conj", "sign",  "erf",   "zeta"};

class Printer {
 public:
  Printer(const Tree& tree, std::string* out) : tree_(tree), out_(*out) {}

  void Print(NodeId id, int outer) {
    if (out_.size() > kMaxPrint) {
      if (!cut_) out_ += "...";
      cut_ = true;
      return;
    }
    const Node& n = tree_[id];
    const int inner = Precedence(n);
    const bool brackets = inner < outer;
    if (brackets) out_ += '(';
    Body(id, n, inner);
    if (brackets) out_ += ')';
  }

 private:
  static int Precedence(const Node& n) {
    switch (n.op) {
      case Op::kList:
        return 0;
      case Op::kRel:
      case Op::kCongruent:
        return 1;
      case Op::kUnion:
      case Op::kIntersect:
      case Op::kMinus:
      case Op::kRatio:
        return 2;
      case Op::kAdd:
      case Op::kPm:
        return 3;
      case Op::kNeg:
        return 4;
      case Op::kMul:
      case Op::kDiv:
      case Op::kMod:
        return 5;
      case Op::kPow:
      case Op::kFact:
        return 7;
      case Op::kPercent:
      case Op::kDegree:
      case Op::kQuantity:
        return 6;
      case Op::kNum:
        return n.den != 1 ? 5 : n.num < 0 ? 4 : 9;
      default:
        return 9;
    }
  }

  void Children(NodeId id, const char* separator, int precedence) {
    for (uint32_t k = 0; k < tree_[id].n; ++k) {
      if (k > 0) out_ += separator;
      Print(tree_.Kid(id, k), precedence);
    }
  }

  void Call(const char* name, NodeId id) {
    out_ += name;
    out_ += '(';
    Children(id, ", ", 1);
    out_ += ')';
  }

  // As a fraction; what was written with a point, with a point.
  void Number(const Node& n) {
    if ((n.flags & kDecimal) != 0 && n.den != 1) {
      int64_t scale = 1;
      int places = 0;
      while (scale % n.den != 0 && places < 18) scale *= 10, ++places;
      const __int128 shifted = static_cast<__int128>(n.num) * (scale / n.den);
      if (scale % n.den == 0 && n.num >= 0 && shifted < INT64_MAX) {
        std::string digits = std::to_string(static_cast<int64_t>(shifted));
        if (digits.size() <= static_cast<size_t>(places))
          digits.insert(0, static_cast<size_t>(places) + 1 - digits.size(), '0');
        digits.insert(digits.size() - static_cast<size_t>(places), ".");
        out_ += digits;
        return;
      }
    }
    out_ += std::to_string(n.num);
    if (n.den != 1) out_ += "/" + std::to_string(n.den);
  }

  static const char* RelText(char op) {
    switch (op) {
      case kNe:
        return " != ";
      case kLe:
        return " <= ";
      case kGe:
        return " >= ";
      case kApprox:
        return " ~ ";
      case kIn:
        return " in ";
      case kNotIn:
        return " not in ";
      case kLt:
        return " < ";
      case kGt:
        return " > ";
      case kEq:
        return " = ";
      case kTo:
        return " -> ";
      case kEquiv:
        return " == ";
      default:
        return " ? ";
    }
  }

  void Relation(NodeId id) {
    const std::string& ops = tree_.Name(id);
    for (uint32_t k = 0; k < tree_[id].n; ++k) {
      if (k > 0) out_ += RelText(ops[k - 1]);
      Print(tree_.Kid(id, k), 2);
    }
  }

  void Sum(NodeId id) {
    for (uint32_t k = 0; k < tree_[id].n; ++k) {
      const NodeId kid = tree_.Kid(id, k);
      if (k > 0 && tree_[kid].op == Op::kNeg) {
        out_ += " - ";
        Print(tree_.Kid(kid, 0), 4);
      } else {
        if (k > 0) out_ += " + ";
        Print(kid, 3);
      }
    }
  }

  void Body(NodeId id, const Node& n, int inner) {
    switch (n.op) {
      case Op::kNum:
        Number(n);
        return;
      case Op::kBig:
        out_ += tree_.bigs[static_cast<size_t>(n.num)].substr(0, 100);
        if (n.den != 0) out_ += "e" + std::to_string(n.den);
        return;
      case Op::kSym:
        out_ += tree_.Name(id);
        return;
      case Op::kConst: {
        static constexpr const char* kNames[] = {"pi", "e", "i", "oo", "gamma", "phi"};
        out_ += kNames[n.aux];
        return;
      }
      case Op::kAdd:
        Sum(id);
        return;
      case Op::kMul:
        Children(id, "*", 5);
        return;
      case Op::kNeg:
        out_ += '-';
        Print(tree_.Kid(id, 0), 5);
        return;
      case Op::kDiv:
      case Op::kMod:
        Print(tree_.Kid(id, 0), 5);
        out_ += n.op == Op::kDiv ? "/" : " mod ";
        Print(tree_.Kid(id, 1), 6);
        return;
      case Op::kPow:
        Print(tree_.Kid(id, 0), 8);
        out_ += '^';
        Print(tree_.Kid(id, 1), 8);
        return;
      case Op::kFact:
        Print(tree_.Kid(id, 0), 7);
        out_ += n.aux == 2 ? "!!" : "!";
        return;
      case Op::kPm:
        out_ += n.aux == 0 ? "+-" : "-+";
        Print(tree_.Kid(id, 0), inner + 1);
        return;
      case Op::kPercent:
        Print(tree_.Kid(id, 0), 6);
        out_ += '%';
        return;
      case Op::kDegree:
        Print(tree_.Kid(id, 0), 6);
        out_ += n.aux == 0 ? " deg" : n.aux == 1 ? " arcmin" : " arcsec";
        return;
      case Op::kBased:
        out_ += tree_.Name(id);
        return;
      case Op::kQuantity:
        Print(tree_.Kid(id, 0), 6);
        out_ += " [" + tree_.Name(id) + "]";
        return;
      default:
        Rest(id, n);
        return;
    }
  }

  void Wrapped(const char* open, NodeId id, const char* close) {
    out_ += open;
    Children(id, ", ", 1);
    out_ += close;
  }

  // What is printed as name(children); null: nothing that is.
  static const char* CallName(Op op) {
    switch (op) {
      case Op::kRoot:
        return "root";
      case Op::kFloor:
        return "floor";
      case Op::kCeil:
        return "ceil";
      case Op::kBinom:
        return "binom";
      case Op::kLog:
        return "log";
      case Op::kGcd:
        return "gcd";
      case Op::kLcm:
        return "lcm";
      case Op::kMax:
        return "max";
      case Op::kMin:
        return "min";
      case Op::kSum:
        return "sum";
      case Op::kProd:
        return "prod";
      case Op::kInt:
        return "integral";
      case Op::kLim:
        return "limit";
      case Op::kDiff:
        return "d";
      case Op::kDet:
        return "det";
      default:
        return nullptr;
    }
  }

  void Rest(NodeId id, const Node& n) {
    if (const char* name = CallName(n.op)) {
      Call(name, id);
      return;
    }
    switch (n.op) {
      case Op::kFunc:
        Call(FuncName(static_cast<FuncId>(n.aux)), id);
        return;
      case Op::kApply:
        Call(tree_.Name(id).c_str(), id);
        return;
      case Op::kDeriv:
        Call(("D " + tree_.Name(id)).c_str(), id);
        return;
      case Op::kAbs:
        Wrapped("|", id, "|");
        return;
      case Op::kNorm:
        Wrapped("||", id, "||");
        return;
      case Op::kRel:
        Relation(id);
        return;
      case Op::kCongruent:
        Print(tree_.Kid(id, 0), 2);
        out_ += " == ";
        Print(tree_.Kid(id, 1), 2);
        out_ += " (mod ";
        Print(tree_.Kid(id, 2), 0);
        out_ += ')';
        return;
      case Op::kTime:
        Children(id, ":", 6);
        if (n.aux != 0) out_ += n.aux == 1 ? " am" : " pm";
        return;
      case Op::kText:
        out_ += "text: " + tree_.Name(id);
        return;
      default:
        Collection(id, n);
        return;
    }
  }

  void Collection(NodeId id, const Node& n) {
    switch (n.op) {
      case Op::kMatrix:
        Matrix(id, n);
        return;
      case Op::kTuple:
        Wrapped("(", id, ")");
        return;
      case Op::kInterval:
        Wrapped((n.aux & 1) != 0 ? "[" : "(", id, (n.aux & 2) != 0 ? "]" : ")");
        return;
      case Op::kList:
        Children(id, ", ", 1);
        return;
      case Op::kSet:
        Wrapped("{", id, "}");
        return;
      case Op::kSeq:
        Wrapped("[", id, "]");
        return;
      case Op::kRatio:
        Children(id, ":", 3);
        return;
      case Op::kUnion:
        Children(id, " u ", 3);
        return;
      case Op::kIntersect:
        Children(id, " n ", 3);
        return;
      case Op::kMinus:
        Children(id, " \\ ", 3);
        return;
      case Op::kNamedSet:
        if (n.aux == 0) {
          out_ += "{}";
        } else {
          out_ += static_cast<char>(n.aux);
        }
        return;
      case Op::kBuilder:
        out_ += '{';
        Print(tree_.Kid(id, 0), 1);
        out_ += " | ";
        Print(tree_.Kid(id, 1), 0);
        out_ += '}';
        return;
      default:
        out_ += "undefined";
        return;
    }
  }

  void Matrix(NodeId id, const Node& n) {
    const uint32_t columns = n.n / n.aux;
    out_ += '[';
    for (uint32_t k = 0; k < n.n; ++k) {
      if (k > 0) out_ += k % columns == 0 ? "; " : ", ";
      Print(tree_.Kid(id, k), 1);
    }
    out_ += ']';
  }

  const Tree& tree_;
  std::string& out_;
  bool cut_ = false;
};

}  // namespace

const char* FuncName(FuncId id) { return kFuncNames[static_cast<size_t>(id)]; }

void PrintNode(const Tree& tree, NodeId id, std::string* out) { Printer(tree, out).Print(id, 0); }

}  // namespace assay::math
