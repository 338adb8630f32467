// The expression tree that the parser builds and the comparison reads: an arena of small nodes, children by index, names
// and big literals beside it. A tree is built by one thread and is read-only afterwards. Private to verifiers/math.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "verifiers/math/syntax/parsed_answer.h"

namespace assay::math {

using NodeId = uint32_t;
inline constexpr NodeId kNoNode = 0xffffffffu;

enum class Op : uint8_t {
  kNum,    // num / den
  kBig,    // bigs[num], decimal digits times 10^den
  kSym,    // names[num]
  kConst,  // aux: ConstId
  kAdd,    // n children
  kMul,    // n children
  kNeg,
  kDiv,   // two children
  kPow,   // base, exponent
  kRoot,  // radicand, index
  kAbs,
  kNorm,
  kFloor,
  kCeil,
  kFact,  // aux: number of exclamation marks
  kBinom,
  kFunc,  // aux: FuncId; one child
  kLog,   // argument, base
  kMod,   // dividend, divisor
  kGcd,
  kLcm,
  kMax,
  kMin,
  kApply,  // names[num] applied to the children
  kSum,    // variable, from, to, body
  kProd,   // the same
  kInt,    // body, variable, and from and to if aux is 1
  kLim,    // variable, target, body; aux: direction (0 both, 1 from above, 2 from below)
  kDeriv,  // body, variable
  kDiff,   // the d x inside of an integral: variable
  kPm,     // one child; aux 0: plus-minus, 1: minus-plus
  kPercent,
  kDegree,    // aux 0: degrees, 1: arc minutes, 2: arc seconds
  kQuantity,  // value with unit or annotation names[num]; aux: 1 if money before the number
  kBased,     // a numeral names[num] = "1010_2" with a base; its one child is its value
  kMatrix,    // rows = aux, children row by row
  kDet,       // one child
  kTuple,     // (a, b, ..): at least two children
  kInterval,  // two children; aux bit 0: closed below, bit 1: closed above
  kList,      // a, b, ..: without brackets; aux: Joint
  kSet,       // {a, b, ..}
  kSeq,       // [a, b, c], three or more
  kRatio,     // a : b : c; aux 1 or 2: may be a time, kDayHours: of twenty-four hours
  kUnion,
  kIntersect,
  kMinus,      // set difference
  kNamedSet,   // aux: the letter N, Z, Q, R, C, or 0 for the empty set
  kBuilder,    // element, condition
  kRel,        // operands, n >= 2; the n-1 operators in names[num], one character each (RelOp)
  kCongruent,  // left, right, modulus
  kTime,       // children: hour, minute[, second]; aux 0: none, 1: a.m., 2: p.m.
  kText,       // names[num], normalised words
  kUndef,      // explicitly undefined
};

enum class ConstId : uint8_t { kPi, kE, kI, kInf, kEulerGamma, kPhi };

// Order matters: functions up to kLastElementary have a ball evaluation.
enum class FuncId : uint8_t {
  kSin,
  kCos,
  kTan,
  kCot,
  kSec,
  kCsc,
  kAsin,
  kAcos,
  kAtan,
  kAcot,
  kAsec,
  kAcsc,
  kSinh,
  kCosh,
  kTanh,
  kCoth,
  kSech,
  kCsch,
  kAsinh,
  kAcosh,
  kAtanh,
  kAcoth,
  kExp,
  kLn,
  kGamma,
  kRe,
  kIm,
  kArg,
  kConj,
  kSign,
  kErf,
  kZeta,
};

// What stands between the items of a list.
enum class Joint : uint8_t { kComma, kAnd, kOr };

// Characters of a relation's operators.
enum RelOp : char {
  kEq = '=',
  kNe = '#',
  kLt = '<',
  kLe = 'l',
  kGt = '>',
  kGe = 'g',
  kApprox = '~',
  kIn = 'i',
  kNotIn = 'n',
  kSubset = 's',
  kSubsetEq = 'S',
  kEquiv = 'e',
  kTo = 't',
  kDivides = '|',
  kSim = 'm',
  kPropto = 'p',
  kImplies = 'I',
};

struct Node {
  Op op = Op::kNum;
  uint8_t aux = 0;
  uint16_t flags = 0;
  uint32_t first = 0;  // first child in Tree::kids
  uint32_t n = 0;      // number of children
  int64_t num = 0;
  int64_t den = 1;
};

// aux of a ratio that is a time of the twenty-four-hour clock.
inline constexpr uint8_t kDayHours = 3;

// Node::flags
// A number written with a decimal point; of a literal, aux tells how many digits stand behind it, 255 or more as 255.
inline constexpr uint16_t kDecimal = 1;
inline constexpr uint16_t kGrouped = 2;  // in brackets of its own in the text
inline constexpr uint16_t kLoose =
    4;  // a set written with bare TeX braces: as much a list as a set
inline constexpr uint16_t kOfAnswer = 32;  // a decimal that the answer shows, not the gold
inline constexpr uint16_t kVector = 16;    // a tuple written <a, b>

struct Tree {
  std::vector<Node> nodes;
  std::vector<NodeId> kids;
  std::vector<std::string> names;
  std::vector<std::string> bigs;

  const Node& operator[](NodeId id) const { return nodes[id]; }
  NodeId Kid(NodeId id, uint32_t k) const { return kids[nodes[id].first + k]; }

  NodeId Add(Op op, const NodeId* children, uint32_t n, uint8_t aux = 0, int64_t num = 0);
  NodeId Add(Op op, std::initializer_list<NodeId> children, uint8_t aux = 0, int64_t num = 0) {
    return Add(op, children.begin(), static_cast<uint32_t>(children.size()), aux, num);
  }
  NodeId Number(int64_t num, int64_t den = 1);
  NodeId Symbol(std::string_view name);
  NodeId Named(Op op, std::string_view name, std::initializer_list<NodeId> children = {},
               uint8_t aux = 0);
  NodeId Const(ConstId id) { return Add(Op::kConst, {}, static_cast<uint8_t>(id)); }
  NodeId Func(FuncId id, NodeId arg) { return Add(Op::kFunc, {arg}, static_cast<uint8_t>(id)); }
  NodeId Neg(NodeId x) { return Add(Op::kNeg, {x}); }
  NodeId Sub(NodeId a, NodeId b) { return Add(Op::kAdd, {a, Neg(b)}); }
  const std::string& Name(NodeId id) const { return names[static_cast<size_t>(nodes[id].num)]; }
  int64_t Intern(std::string_view name);
  // Copies another tree's subtree into this one.
  NodeId Import(const Tree& other, NodeId root);
};

// One way to read the text. The first is the most natural one; later ones count where `when` allows.
struct Reading {
  enum class When : uint8_t {
    kAlways,      // a full alternative
    kVersusList,  // `1,234` as a list: only against a list
    kVersusUnit,  // `5 L` as five litres: only against a quantity with a unit
  };
  NodeId root = kNoNode;
  When when = When::kAlways;
};

struct ParsedAnswer::Impl {
  ParseError error = ParseError::kEmpty;
  AnswerKind kind = AnswerKind::kNone;
  Tree tree;
  std::vector<Reading> readings;
  std::string
      source;  // the text without white space and layout commands: identical sources are equal
  char32_t choice = 0;         // 'C' for "(C)", "C. 12", "C"
  bool choice_framed = false;  // brackets, a full stop or text beside the letter
  bool choice_listed = false;  // the options named the choices
  std::string choice_text;     // "choices" may be words
  char32_t small_choice =
      0;  // 'C' for "c", "(c)", "c) 12" where no choices are named: it may be a variable as well
};

// FuncId's name as ToString writes it.
const char* FuncName(FuncId id);
void PrintNode(const Tree& tree, NodeId id, std::string* out);

}  // namespace assay::math
