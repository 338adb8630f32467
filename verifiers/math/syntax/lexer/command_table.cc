// The rows of the table of commands. A name that stands twice has its last row.
#include "verifiers/math/syntax/lexer/command_table.h"

#include "verifiers/math/syntax/words.h"

#include <utility>

namespace assay::math {
namespace {

void AddFunctions(CommandTable* t) {
  const std::pair<const char*, FuncId> functions[] = {
      {"sin", FuncId::kSin},       {"cos", FuncId::kCos},      {"tan", FuncId::kTan},
      {"tg", FuncId::kTan},        {"cot", FuncId::kCot},      {"ctg", FuncId::kCot},
      {"cotg", FuncId::kCot},      {"sec", FuncId::kSec},      {"csc", FuncId::kCsc},
      {"cosec", FuncId::kCsc},     {"arcsin", FuncId::kAsin},  {"asin", FuncId::kAsin},
      {"arccos", FuncId::kAcos},   {"acos", FuncId::kAcos},    {"arctan", FuncId::kAtan},
      {"atan", FuncId::kAtan},     {"arctg", FuncId::kAtan},   {"arccot", FuncId::kAcot},
      {"acot", FuncId::kAcot},     {"arcctg", FuncId::kAcot},  {"arcsec", FuncId::kAsec},
      {"asec", FuncId::kAsec},     {"arccsc", FuncId::kAcsc},  {"acsc", FuncId::kAcsc},
      {"sinh", FuncId::kSinh},     {"sh", FuncId::kSinh},      {"cosh", FuncId::kCosh},
      {"ch", FuncId::kCosh},       {"tanh", FuncId::kTanh},    {"th", FuncId::kTanh},
      {"coth", FuncId::kCoth},     {"sech", FuncId::kSech},    {"csch", FuncId::kCsch},
      {"arcsinh", FuncId::kAsinh}, {"arsinh", FuncId::kAsinh}, {"asinh", FuncId::kAsinh},
      {"arccosh", FuncId::kAcosh}, {"arcosh", FuncId::kAcosh}, {"acosh", FuncId::kAcosh},
      {"arctanh", FuncId::kAtanh}, {"artanh", FuncId::kAtanh}, {"atanh", FuncId::kAtanh},
      {"arccoth", FuncId::kAcoth}, {"arcoth", FuncId::kAcoth}, {"acoth", FuncId::kAcoth},
      {"exp", FuncId::kExp},       {"ln", FuncId::kLn},        {"Re", FuncId::kRe},
      {"Im", FuncId::kIm},         {"arg", FuncId::kArg},      {"sgn", FuncId::kSign},
      {"sign", FuncId::kSign},     {"erf", FuncId::kErf}};
  for (const auto& [name, id] : functions)
    (*t)[name] = {Tok::kFunc, static_cast<uint8_t>(id), name};
  (*t)["cis"] = {Tok::kFunc, kCis, "cis"};
  (*t)["log"] = {Tok::kLog, 0, "log"};
  (*t)["lg"] = {Tok::kLog, 1, "lg"};
  const std::pair<const char*, Op> several[] = {
      {"gcd", Op::kGcd},     {"lcm", Op::kLcm},   {"max", Op::kMax}, {"min", Op::kMin},
      {"floor", Op::kFloor}, {"ceil", Op::kCeil}, {"det", Op::kDet}, {"abs", Op::kAbs}};
  for (const auto& [name, op] : several) (*t)[name] = {Tok::kFn, static_cast<uint8_t>(op), name};
}

void AddGreek(CommandTable* t) {
  for (const char* name :
       {"alpha",   "beta",   "gamma",   "delta", "epsilon", "zeta",  "eta",   "theta",  "iota",
        "kappa",   "lambda", "mu",      "nu",    "xi",      "rho",   "sigma", "tau",    "upsilon",
        "phi",     "chi",    "psi",     "omega", "Gamma",   "Delta", "Theta", "Lambda", "Xi",
        "Pi",      "Sigma",  "Upsilon", "Phi",   "Psi",     "Omega", "hbar",  "ell",    "aleph",
        "partial", "nabla",  "mho",     "odot",  "star"}) {
    (*t)[name] = {Tok::kGreek, 0, name};
  }
  (*t)["varepsilon"] = {Tok::kGreek, 0, "epsilon"};
  (*t)["vartheta"] = {Tok::kGreek, 0, "theta"};
  (*t)["varphi"] = {Tok::kGreek, 0, "phi"};
  (*t)["varrho"] = {Tok::kGreek, 0, "rho"};
  (*t)["varsigma"] = {Tok::kGreek, 0, "sigma"};
  (*t)["imath"] = {Tok::kGreek, 0, "imath"};
  (*t)["jmath"] = {Tok::kGreek, 0, "jmath"};
  (*t)["pi"] = {Tok::kConst, static_cast<uint8_t>(ConstId::kPi)};
  (*t)["infty"] = {Tok::kConst, static_cast<uint8_t>(ConstId::kInf)};
  (*t)["infin"] = {Tok::kConst, static_cast<uint8_t>(ConstId::kInf)};
  (*t)["exponentialE"] = {Tok::kConst, static_cast<uint8_t>(ConstId::kE)};
  (*t)["imaginaryI"] = {Tok::kConst, static_cast<uint8_t>(ConstId::kI)};
}

constexpr std::pair<const char*, char> kRelations[] = {{"le", kLe},
                                                       {"leq", kLe},
                                                       {"leqslant", kLe},
                                                       {"leqq", kLe},
                                                       {"ge", kGe},
                                                       {"geq", kGe},
                                                       {"geqslant", kGe},
                                                       {"geqq", kGe},
                                                       {"lt", kLt},
                                                       {"gt", kGt},
                                                       {"ne", kNe},
                                                       {"neq", kNe},
                                                       {"approx", kApprox},
                                                       {"simeq", kApprox},
                                                       {"thickapprox", kApprox},
                                                       {"doteq", kApprox},
                                                       {"in", kIn},
                                                       {"notin", kNotIn},
                                                       {"subset", kSubset},
                                                       {"subseteq", kSubsetEq},
                                                       {"equiv", kEquiv},
                                                       {"to", kTo},
                                                       {"rightarrow", kTo},
                                                       {"Rightarrow", kImplies},
                                                       {"longrightarrow", kTo},
                                                       {"Longrightarrow", kImplies},
                                                       {"implies", kImplies},
                                                       {"iff", kImplies},
                                                       {"sim", kSim},
                                                       {"cong", kSim},
                                                       {"propto", kPropto},
                                                       {"mapsto", kTo},
                                                       {"gets", kTo},
                                                       {"triangleq", kEq},
                                                       {"coloneqq", kEq},
                                                       {"supseteq", 'P'},
                                                       {"supset", 'Q'},
                                                       {"parallel", 'L'},
                                                       {"perp", 'T'}};

constexpr std::pair<const char*, Command> kOperators[] = {{"times", {Tok::kStar}},
                                                          {"cdot", {Tok::kStar}},
                                                          {"ast", {Tok::kStar}},
                                                          {"cdotp", {Tok::kStar}},
                                                          {"bullet", {Tok::kStar}},
                                                          {"div", {Tok::kSlash}},
                                                          {"pm", {Tok::kPm, 0}},
                                                          {"mp", {Tok::kPm, 1}},
                                                          {"mod", {Tok::kMod}},
                                                          {"bmod", {Tok::kMod}},
                                                          {"pmod", {Tok::kPmod}},
                                                          {"cup", {Tok::kSetOp, 0}},
                                                          {"bigcup", {Tok::kSetOp, 0}},
                                                          {"cap", {Tok::kSetOp, 1}},
                                                          {"bigcap", {Tok::kSetOp, 1}},
                                                          {"setminus", {Tok::kSetOp, 2}},
                                                          {"smallsetminus", {Tok::kSetOp, 2}},
                                                          {"backslash", {Tok::kSetOp, 2}},
                                                          {"frac", {Tok::kFrac}},
                                                          {"dfrac", {Tok::kFrac}},
                                                          {"tfrac", {Tok::kFrac}},
                                                          {"cfrac", {Tok::kFrac}},
                                                          {"sfrac", {Tok::kFrac}},
                                                          {"nicefrac", {Tok::kFrac}},
                                                          {"sqrt", {Tok::kSqrt}},
                                                          {"surd", {Tok::kSqrt}},
                                                          {"binom", {Tok::kBinom}},
                                                          {"dbinom", {Tok::kBinom}},
                                                          {"tbinom", {Tok::kBinom}},
                                                          {"choose", {Tok::kChoose}},
                                                          {"over", {Tok::kOver}},
                                                          {"sum", {Tok::kNary, 0}},
                                                          {"prod", {Tok::kNary, 1}},
                                                          {"int", {Tok::kNary, 2}},
                                                          {"lim", {Tok::kNary, 3}},
                                                          {"langle", {Tok::kOpen, '<'}},
                                                          {"rangle", {Tok::kClose, '>'}},
                                                          {"lfloor", {Tok::kOpen, 'F'}},
                                                          {"rfloor", {Tok::kClose, 'F'}},
                                                          {"lceil", {Tok::kOpen, 'C'}},
                                                          {"rceil", {Tok::kClose, 'C'}},
                                                          {"llcorner", {Tok::kOpen, 'F'}},
                                                          {"lrcorner", {Tok::kClose, 'F'}},
                                                          {"ulcorner", {Tok::kOpen, 'C'}},
                                                          {"urcorner", {Tok::kClose, 'C'}},
                                                          {"lbrace", {Tok::kOpen, '{'}},
                                                          {"rbrace", {Tok::kClose, '}'}},
                                                          {"lbrack", {Tok::kOpen, '['}},
                                                          {"rbrack", {Tok::kClose, ']'}},
                                                          {"lgroup", {Tok::kOpen, '('}},
                                                          {"rgroup", {Tok::kClose, ')'}},
                                                          {"lparen", {Tok::kOpen, '('}},
                                                          {"rparen", {Tok::kClose, ')'}},
                                                          {"vert", {Tok::kBar}},
                                                          {"mid", {Tok::kBar, 1}},
                                                          {"lvert", {Tok::kBarOpen}},
                                                          {"rvert", {Tok::kBarClose}},
                                                          {"Vert", {Tok::kNormBar}},
                                                          {"lVert", {Tok::kNormBar}},
                                                          {"rVert", {Tok::kNormBar}},
                                                          {"emptyset", {Tok::kNamedSet, 0}},
                                                          {"varnothing", {Tok::kNamedSet, 0}},
                                                          {"R", {Tok::kNamedSet, 'R'}},
                                                          {"N", {Tok::kNamedSet, 'N'}},
                                                          {"Z", {Tok::kNamedSet, 'Z'}},
                                                          {"Q", {Tok::kNamedSet, 'Q'}},
                                                          {"ldots", {Tok::kEllipsis}},
                                                          {"dots", {Tok::kEllipsis}},
                                                          {"cdots", {Tok::kEllipsis}},
                                                          {"dotsc", {Tok::kEllipsis}},
                                                          {"circ", {Tok::kDegree, 0}},
                                                          {"degree", {Tok::kDegree, 0}},
                                                          {"prime", {Tok::kPrime}},
                                                          {"land", {Tok::kAmp}},
                                                          {"wedge", {Tok::kAmp}},
                                                          {"colon", {Tok::kColon}},
                                                          {"not", {Tok::kNot}},
                                                          {"lnot", {Tok::kUnknown, 0, "neg"}},
                                                          {"neg", {Tok::kUnknown, 0, "neg"}},
                                                          {"cr", {Tok::kRowSep}},
                                                          {"newline", {Tok::kRowSep}},
                                                          {"vec", {Tok::kStyled, 1}},
                                                          {"overrightarrow", {Tok::kStyled, 1}},
                                                          {"underline", {Tok::kStyled, 1}},
                                                          {"bar", {Tok::kStyled, 2}},
                                                          {"hat", {Tok::kStyled, 3}},
                                                          {"widehat", {Tok::kStyled, 3}},
                                                          {"dot", {Tok::kStyled, 4}},
                                                          {"ddot", {Tok::kStyled, 5}},
                                                          {"tilde", {Tok::kStyled, 6}},
                                                          {"widetilde", {Tok::kStyled, 6}},
                                                          {"overline", {Tok::kStyled, 7}},
                                                          {"boxed", {Tok::kBoxed}},
                                                          {"fbox", {Tok::kBoxed}},
                                                          {"ensuremath", {Tok::kBoxed}},
                                                          {"mathop", {Tok::kBoxed}},
                                                          {"mathrel", {Tok::kBoxed}},
                                                          {"angle", {Tok::kIgnored}},
                                                          {"measuredangle", {Tok::kIgnored}}};

void AddOperators(CommandTable* t) {
  for (const auto& [name, op] : kRelations) (*t)[name] = {Tok::kRel, static_cast<uint8_t>(op)};
  for (const char* name : {"euro", "pounds", "yen", "rupee", "won", "peso", "ruble", "lira", "baht",
                           "dong", "naira", "shekel"})
    (*t)[name] = {Tok::kMoney, CurrencyOf(name)};
  for (const auto& [name, command] : kOperators) (*t)[name] = command;
}

// Layout: aux 0 nothing, 1 space, 2 wide space, 3 nothing and the argument in braces with it.
void AddLayout(CommandTable* t) {
  for (const char* name : {"left",      "right",       "mleft",
                           "mright",    "big",         "Big",
                           "bigg",      "Bigg",        "bigl",
                           "bigr",      "Bigl",        "Bigr",
                           "biggl",     "biggr",       "Biggl",
                           "Biggr",     "middle",      "displaystyle",
                           "textstyle", "scriptstyle", "scriptscriptstyle",
                           "limits",    "nolimits",    "mathstrut",
                           "strut",     "bf",          "rm",
                           "it",        "sf",          "tt",
                           "cal",       "boldmath",    "hfill",
                           "null",      "relax",       "protect",
                           "centering", "hline",       "therefore",
                           "because",   "small",       "large",
                           "Large",     "normalsize",  "nonumber",
                           "notag",     "noindent",    "par"}) {
    (*t)[name] = {Tok::kIgnored, 0};
  }
  for (const char* name : {"quad", "qquad", "hspace", "enspace"})
    (*t)[name] = {Tok::kIgnored, kWideSpace};
  for (const char* name :
       {"thinspace", "negthinspace", "medspace", "thickspace", "space", "nobreakspace"}) {
    (*t)[name] = {Tok::kIgnored, kThinSpace};
  }
  for (const char* name :
       {"phantom", "hphantom", "vphantom", "tag", "label", "color", "vspace", "cline"}) {
    (*t)[name] = {Tok::kIgnored, 3};
  }
  (*t)["hspace"] = {Tok::kIgnored, 3};
}

}  // namespace

const CommandTable& Commands() {
  static const CommandTable table = [] {
    CommandTable t;
    AddFunctions(&t);
    AddGreek(&t);
    AddOperators(&t);
    AddLayout(&t);
    return t;
  }();
  return table;
}

int TextCommand(std::string_view name) {
  for (const char* n : {"text", "textbf", "textit", "textrm", "texttt", "textsf", "textnormal",
                        "textsc", "mbox", "hbox", "emph", "textup", "textmd", "intertext"}) {
    if (name == n) return 1;
  }
  for (const char* n :
       {"mathrm", "mathbf", "mathit", "mathsf", "mathtt", "mathcal", "mathfrak", "mathscr",
        "boldsymbol", "bm", "operatorname", "mathnormal", "pmb", "variable", "textcolor"}) {
    if (name == n) return 2;
  }
  return name == "mathbb" || name == "Bbb" || name == "mathds" ? 3 : 0;
}

}  // namespace assay::math
