#include "verifiers/math/syntax/lexer.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>

#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

struct Command {
  Tok kind;
  uint8_t aux = 0;
  const char* text = "";
};

using CommandTable = std::unordered_map<std::string_view, Command>;

constexpr uint8_t kWideSpace = 2;
constexpr uint8_t kThinSpace = 1;

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

void AddOperators(CommandTable* t) {
  const std::pair<const char*, char> relations[] = {{"le", kLe},
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
  for (const auto& [name, op] : relations) (*t)[name] = {Tok::kRel, static_cast<uint8_t>(op)};
  const std::pair<const char*, Command> rest[] = {{"times", {Tok::kStar}},
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
                                                  {"euro", {Tok::kMoney, 'e'}},
                                                  {"pounds", {Tok::kMoney, 'p'}},
                                                  {"yen", {Tok::kMoney, 'y'}},
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
  for (const auto& [name, command] : rest) (*t)[name] = command;
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

// Commands whose argument is words: 1; upright or styled mathematics: 2; double-struck: 3.
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

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool IsHigh(char c) { return static_cast<unsigned char>(c) >= 0x80; }

class Lexer {
 public:
  Lexer(CommaStyle commas, Lexed* out) : commas_(commas), out_(*out) {}

  void Run() {
    end_ = out_.text.size();
    LexRange(0, end_, 0);
    Push(Tok::kEnd, 0, {});
  }

 private:
  static constexpr int kMaxNested = 8;  // \text in \mathrm in ..
  static constexpr int kPointGroups = 7;

  char At(size_t i) const { return i < end_ ? out_.text[i] : '\0'; }
  std::string_view View(size_t a, size_t b) const {
    return std::string_view(out_.text).substr(a, b - a);
  }

  void Push(Tok kind, uint8_t aux, std::string_view text) {
    if (out_.tokens.size() > static_cast<size_t>(kMaxNodes)) {
      out_.error = ParseError::kLimit;
      pos_ = end_;
      return;
    }
    Token t;
    t.kind = kind;
    t.aux = aux;
    t.space = space_ != 0;
    t.wide = space_ >= kWideSpace;
    t.pos = static_cast<uint32_t>(pos_);
    t.text = text;
    out_.tokens.push_back(t);
    space_ = 0;
  }

  Tok Last() const { return out_.tokens.empty() ? Tok::kEnd : out_.tokens.back().kind; }

  void LexRange(size_t begin, size_t end, int nested) {
    const size_t saved_end = end_;
    end_ = end;
    pos_ = begin;
    while (pos_ < end_ && out_.error == ParseError::kNone) LexOne(nested);
    pos_ = end;
    end_ = saved_end;
  }

  void LexOne(int nested) {
    const char c = At(pos_);
    if (IsSpace(c)) {
      space_ = std::max<uint8_t>(space_, kThinSpace);
      ++pos_;
    } else if (IsDigit(c) || (c == '.' && IsDigit(At(pos_ + 1)) && !IsDigit(Before()))) {
      LexNumber();
    } else if (IsAlpha(c) || IsHigh(c)) {
      LexWord();
    } else if (c == '\\') {
      LexCommand(nested);
    } else {
      LexSign();
    }
  }

  char Before() const { return pos_ == 0 ? '\0' : out_.text[pos_ - 1]; }

  // ---- numbers

  size_t DigitsEnd(size_t i) const {
    while (IsDigit(At(i))) ++i;
    return i;
  }

  // Length of a thousands separator at i, or 0; `kind` tells separators apart. A plain comma counts only outside of
  // brackets, where it could part the items of a list.
  size_t Separator(size_t i, int* kind) const {
    size_t j = i;
    if (At(i) == ',' && commas_ == CommaStyle::kThousands && depth_ == 0 && IsDigit(At(i + 1))) {
      *kind = 1;
      return 1;
    }
    for (const std::string_view comma : {std::string_view("{,}"), std::string_view("\\text{,}")}) {
      if (out_.text.compare(i, comma.size(), comma) != 0) continue;
      *kind = 2;
      j = i + comma.size();
      while (IsSpace(At(j))) ++j;
      if (At(j) == '\\' && At(j + 1) == '!') j += 2;
      return j - i;
    }
    // 1.234.567, 1'234'567, 1_234_567
    if ((At(i) == '.' || At(i) == '\'' || At(i) == '_') && IsDigit(At(i + 1))) {
      *kind = At(i) == '.' ? kPointGroups : 8;
      return 1;
    }
    if (At(i) == ',' && At(i + 1) == '\\' && (At(i + 2) == '!' || At(i + 2) == ',')) {
      *kind = At(i + 2) == '!' ? 3 : 4;
      j = i + 3;
      while (IsSpace(At(j))) ++j;
      return *kind == 4 ? 0 : j - i;
    }
    if (At(i) == ',' && IsSpace(At(i + 1)) && At(i + 2) == '\\' && At(i + 3) == '!') {
      *kind = 3;
      j = i + 4;
      while (IsSpace(At(j))) ++j;
      return j - i;
    }
    if (At(i) == '\\' &&
        (At(i + 1) == ',' || At(i + 1) == ' ' || At(i + 1) == ';' || At(i + 1) == ':')) {
      *kind = 5;
      return 2;
    }
    if ((At(i) == ' ' || At(i) == '~') && IsDigit(At(i + 1))) {
      *kind = 6;
      return 1;
    }
    return 0;
  }

  // 12,34,567: groups of two, then one of three.
  size_t IndianGroups(size_t begin, size_t first_end, std::string* digits) {
    if (commas_ != CommaStyle::kThousands || depth_ != 0 || first_end - begin > 2) return first_end;
    std::string all(View(begin, first_end));
    int pairs = 0;
    for (size_t i = first_end; At(i) == ',';) {
      const size_t e = DigitsEnd(i + 1);
      const size_t size = e - i - 1;
      all += View(i + 1, e);
      if (size == 3 && pairs > 0 && !(At(e) == ',' && IsDigit(At(e + 1)))) {
        out_.thousands_comma = true;
        *digits = all;
        return e;
      }
      if (size != 2) return first_end;
      ++pairs;
      i = e;
    }
    return first_end;
  }

  // Reads groups of three after a first group of one to three digits; returns the end, with the digits in *digits.
  size_t Thousands(size_t begin, size_t first_end, std::string* digits) {
    const size_t first = first_end - begin;
    if (first > 3 || At(begin) == '0') return first_end;
    if (const size_t end = IndianGroups(begin, first_end, digits); end != first_end) return end;
    int kind = 0;
    size_t i = first_end;
    std::string all(View(begin, first_end));
    int groups = 0;
    while (true) {
      int k = 0;
      const size_t length = Separator(i, &k);
      if (length == 0 || (kind != 0 && k != kind)) break;
      const size_t e = DigitsEnd(i + length);
      if (e - (i + length) != 3) {
        if (e > i + length && (k <= 2 || groups > 0))
          return first_end;  // 1,000,00: no thousands at all
        break;
      }
      kind = k;
      all += View(i + length, e);
      i = e;
      ++groups;
    }
    if (groups == 0) return first_end;
    // One point alone is a decimal point, unless a decimal comma follows.
    if (kind == kPointGroups && groups == 1 &&
        (commas_ != CommaStyle::kDecimal || At(i) != ',' || !IsDigit(At(i + 1))))
      return first_end;
    if (kind == 1) out_.thousands_comma = true;
    *digits = all;
    return i;
  }

  // Digits in braces, or one digit; returns the end, or `at` if there are none.
  size_t Marked(size_t at, std::string* digits) const {
    size_t open = at;
    while (At(open) == ' ') ++open;
    const bool braces = At(open) == '{';
    const size_t a = open + (braces ? 1 : 0);
    const size_t b = braces ? DigitsEnd(a) : a + (IsDigit(At(a)) ? 1 : 0);
    if (b == a || (braces && At(b) != '}')) return at;
    digits->assign(View(a, b));
    return b + (braces ? 1 : 0);
  }

  // The repetend behind a decimal: \overline{6}, \bar{6}, \dot{3}, (6) or an ellipsis after repeated digits.
  size_t Repetend(size_t i, std::string* digits) {
    for (const char* name : {"\\overline", "\\bar", "\\dot"}) {
      const size_t n = std::strlen(name);
      if (out_.text.compare(i, n, name) != 0) continue;
      std::string repeated;
      size_t end = Marked(i + n, &repeated);
      if (end == i + n) continue;
      // Dots above the first and the last digit of the repetend.
      if (out_.text.compare(i, 4, "\\dot") == 0) {
        const size_t inner = DigitsEnd(end);
        std::string last;
        if (out_.text.compare(inner, 4, "\\dot") == 0) {
          const size_t last_end = Marked(inner + 4, &last);
          if (last_end > inner + 4) {
            repeated += std::string(View(end, inner)) + last;
            end = last_end;
          }
        }
      }
      *digits += "(" + repeated + ")";
      return end;
    }
    if (At(i) == '(') {
      const size_t b = DigitsEnd(i + 1);
      if (b > i + 1 && At(b) == ')') {
        *digits += "(" + std::string(View(i + 1, b)) + ")";
        return b + 1;
      }
    }
    return Ellipsis(i, digits);
  }

  // 0.333.. and 0.1666\ldots: the last digit at least three times; 0.121212..: a block at least three times.
  size_t Ellipsis(size_t i, std::string* digits) {
    size_t e = i;
    if (out_.text.compare(i, 3, "...") == 0) e = i + 3;
    for (const char* name : {"\\ldots", "\\dots", "\\cdots"}) {
      if (out_.text.compare(i, std::strlen(name), name) == 0) e = i + std::strlen(name);
    }
    if (e == i) return i;
    const size_t point = digits->find('.');
    constexpr size_t kTail = 60;
    const std::string tail =
        digits->substr(std::max(point + 1, digits->size() - std::min(digits->size(), kTail)));
    for (size_t block = 1; block * 3 <= tail.size(); ++block) {
      const std::string last = tail.substr(tail.size() - block);
      size_t copies = 0;
      while ((copies + 1) * block <= tail.size() &&
             tail.compare(tail.size() - (copies + 1) * block, block, last) == 0) {
        ++copies;
      }
      if (copies < 3) continue;
      digits->resize(digits->size() - copies * block);
      *digits += "(" + last + ")";
      return e;
    }
    return i;
  }

  size_t Exponent(size_t i, std::string* digits) const {
    if (At(i) != 'e' && At(i) != 'E') return i;
    size_t j = i + 1;
    std::string sign;
    if (At(j) == '+' || At(j) == '-') sign = At(j++) == '-' ? "-" : "";
    const size_t e = DigitsEnd(j);
    if (e == j || IsAlpha(At(e))) return i;
    *digits += "e" + sign + std::string(View(j, e));
    return e;
  }

  // 0xFF and 0b1010 as programs write them.
  bool LexPrefixed() {
    const char mark = At(pos_ + 1);
    if (At(pos_) != '0' || (mark != 'x' && mark != 'b' && mark != 'o')) return false;
    const int base = mark == 'x' ? 16 : mark == 'b' ? 2 : 8;
    uint64_t value = 0;
    size_t i = pos_ + 2;
    for (; IsDigit(At(i)) || IsAlpha(At(i)); ++i) {
      const char c = At(i);
      const int digit = IsDigit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
      if (digit >= base || i > pos_ + 16) return false;
      value = value * static_cast<uint64_t>(base) + static_cast<uint64_t>(digit);
    }
    if (i < pos_ + 4 || value >> 62 != 0) return false;  // 0x1 is as well a product
    out_.extra.push_back(std::to_string(value));
    Push(Tok::kNumber, 0, out_.extra.back());
    pos_ = i;
    return true;
  }

  void LexNumber() {
    if (LexPrefixed()) return;
    const size_t begin = pos_;
    size_t i = DigitsEnd(pos_);
    std::string digits(View(begin, i));
    bool decimal = false;
    const size_t grouped = Thousands(begin, i, &digits);
    i = grouped;
    if (At(i) == ',' && IsDigit(At(i + 1)) && depth_ == 0) {
      ++out_.digit_commas;
      if (commas_ == CommaStyle::kDecimal) {
        const size_t e = DigitsEnd(i + 1);
        digits += "." + std::string(View(i + 1, e));
        decimal = true;
        i = e;
      }
    }
    if (!decimal && At(i) == '.' && At(i + 1) != '.') {
      const size_t e = DigitsEnd(i + 1);
      if (e > i + 1 || At(i + 1) == '\\' || At(i + 1) == '(') {
        std::string with = digits + "." + std::string(View(i + 1, e));
        const size_t r = Repetend(e, &with);
        if (e > i + 1 || r > e) {
          digits = with;
          decimal = true;
          i = r;
        }
      }
      if (!decimal && !IsAlpha(At(i + 1))) ++i;  // "5." and "-1./3"
      if (decimal && At(i) == ',' && IsDigit(At(i + 1)) && depth_ == 0) ++out_.digit_commas;
    }
    const size_t e = Exponent(i, &digits);
    decimal = decimal || e > i;
    i = e;
    out_.extra.push_back(std::move(digits));
    Push(Tok::kNumber, decimal ? 1 : 0, out_.extra.back());
    pos_ = i;
    TimesLetter();
  }

  // "1.5 x 10^3": the letter x between two numbers is a times sign.
  void TimesLetter() {
    size_t i = pos_;
    while (At(i) == ' ') ++i;
    if (At(i) != 'x') return;
    size_t j = i + 1;
    while (At(j) == ' ') ++j;
    if (At(j) == '1' && At(j + 1) == '0' &&
        (At(j + 2) == '^' || (At(j + 2) == '*' && At(j + 3) == '*'))) {
      pos_ = i;
      Push(Tok::kStar, 0, {});
      pos_ = j;
    }
  }

  // ---- words

  void LexWord() {
    const size_t begin = pos_;
    size_t i = pos_;
    size_t letters = 0;
    while (i < end_ && (IsAlpha(At(i)) || IsHigh(At(i)))) {
      if ((static_cast<unsigned char>(At(i)) & 0xC0) != 0x80) ++letters;
      ++i;
    }
    const std::string_view word = View(begin, i);
    if (PushSignWord(word, i)) return;
    // (0, 1) U (2, 3)
    if (word == "U" && Last() == Tok::kClose) {
      size_t next = i;
      while (IsSpace(At(next))) ++next;
      if (At(next) == '(' || At(next) == '[') {
        Push(Tok::kSetOp, 0, {});
        pos_ = i;
        return;
      }
    }
    PushWord(word, letters);
    pos_ = i;
  }

  // "minus 3", "3 plus x": signs spelled out in front of a number or a variable.
  bool PushSignWord(std::string_view word, size_t end) {
    Tok sign = Tok::kEnd;
    if (word == "minus" || word == "negative") sign = Tok::kMinus;
    if (word == "plus") sign = Tok::kPlus;
    if (word == "times") sign = Tok::kStar;
    if (sign == Tok::kEnd || (sign != Tok::kMinus && out_.tokens.empty())) return false;
    size_t next = end;
    while (IsSpace(At(next))) ++next;
    if (sign == Tok::kPlus && out_.text.compare(next, 9, "or minus ") == 0) {
      sign = Tok::kPm;
      next += 9;
      end = next;
    }
    const bool operand = IsDigit(At(next)) || At(next) == '\\' || At(next) == '(' ||
                         (At(next) == '.' && IsDigit(At(next + 1))) ||
                         (IsAlpha(At(next)) && !IsAlpha(At(next + 1)));
    if (!operand || next == end - word.size()) return false;
    Push(sign, 0, {});
    pos_ = end;
    return true;
  }

  void PushWord(std::string_view word, size_t letters) {
    // One letter is a symbol; one ideograph is a word.
    const auto lead = static_cast<unsigned char>(word[0]);
    const bool ideograph = lead >= 0xE3 && lead <= 0xED;
    if (letters == 1 && !ideograph) {
      Push(Tok::kLetter, 0, word);
      return;
    }
    const auto it = Commands().find(word);
    if (it != Commands().end()) {
      const Command& c = it->second;
      // As plain words only functions, Greek letters and the like; "to", "in", "not", "left" are words.
      const bool plain =
          c.kind == Tok::kFunc || c.kind == Tok::kLog || c.kind == Tok::kFn ||
          (c.kind == Tok::kGreek && word != "star" && word != "partial" && word != "ell") ||
          c.kind == Tok::kSqrt || word == "pi" || word == "mod" || word == "infty";
      if (plain && word.size() >= 2 && word != "sh" && word != "ch" && word != "th") {
        Push(c.kind, c.aux, c.kind == Tok::kGreek ? std::string_view(c.text) : word);
        return;
      }
    }
    if (word == "inf" || word == "Inf" || word == "oo" || word == "infinity" ||
        word == "Infinity") {
      Push(Tok::kConst, static_cast<uint8_t>(ConstId::kInf), word);
    } else if (word == "Pi" || word == "PI") {
      Push(Tok::kConst, static_cast<uint8_t>(ConstId::kPi), word);
    } else if (word == "cbrt") {
      Push(Tok::kSqrt, 3, word);
    } else if (!SplitWord(word)) {
      Push(Tok::kWord, 0, word);
    }
  }

  // Words stuck together: "orW" (two answers without a blank), "sinx", "pir".
  bool SplitWord(std::string_view word) {
    for (const std::string_view conjunction : {std::string_view("or"), std::string_view("and")}) {
      if (word.size() > conjunction.size() && word.substr(0, conjunction.size()) == conjunction &&
          word[conjunction.size()] >= 'A' && word[conjunction.size()] <= 'Z') {
        Push(Tok::kWord, 0, conjunction);
        const std::string_view rest = word.substr(conjunction.size());
        PushWord(rest, rest.size());
        return true;
      }
    }
    for (const std::string_view name :
         {std::string_view("arcsin"), std::string_view("arccos"), std::string_view("arctan"),
          std::string_view("sqrt"), std::string_view("sin"), std::string_view("cos"),
          std::string_view("tan"), std::string_view("log"), std::string_view("ln"),
          std::string_view("pi")}) {
      if (word.size() == name.size() + 1 && word.substr(0, name.size()) == name) {
        PushWord(name, name.size());
        PushWord(word.substr(name.size()), 1);
        return true;
      }
    }
    return false;
  }

  // ---- commands

  void LexCommand(int nested) {
    const size_t begin = pos_;
    const char next = At(begin + 1);
    if (next == '\\') {
      if (environments_ == 0 && IsAlpha(At(begin + 2)) && KnownCommand(begin + 1)) {
        ++pos_;  // a command escaped twice
        LexCommand(nested);
        return;
      }
      pos_ += 2;
      if (At(pos_) == '[' && environments_ > 0) SkipTo(']');
      Push(Tok::kRowSep, 0, {});
      return;
    }
    if (!IsAlpha(next)) {
      LexEscapedSign(next);
      return;
    }
    size_t i = begin + 1;
    while (IsAlpha(At(i))) ++i;
    const std::string_view name = View(begin + 1, i);
    pos_ = i;
    if (name == "begin" || name == "end") {
      Environment(name == "begin");
      return;
    }
    if (TextCommand(name) != 0) {
      StyledText(name, nested);
      return;
    }
    const auto it = Commands().find(name);
    if (it != Commands().end()) {
      Known(name, it->second);
      return;
    }
    if (SplitCommand(begin, name)) return;
    Push(Tok::kUnknown, 0, name);
  }

  bool KnownCommand(size_t backslash) const {
    size_t i = backslash + 1;
    while (IsAlpha(At(i))) ++i;
    const std::string_view name = View(backslash + 1, i);
    return name == "begin" || TextCommand(name) != 0 || Commands().count(name) != 0;
  }

  // \quadx and \vertx: the longest known command that the name begins with.
  bool SplitCommand(size_t begin, std::string_view name) {
    for (size_t n = std::min(name.size() - 1, size_t{24}); n >= 3; --n) {
      const auto it = Commands().find(name.substr(0, n));
      if (it == Commands().end()) continue;
      pos_ = begin + 1 + n;
      Known(name.substr(0, n), it->second);
      return true;
    }
    return false;
  }

  void Known(std::string_view name, const Command& c) {
    // m\angle A: the measure of an angle.
    if (name == "angle" && Last() == Tok::kLetter && out_.tokens.back().text == "m")
      out_.tokens.pop_back();
    if (c.kind == Tok::kIgnored) {
      Layout(name, c.aux);
      return;
    }
    if (c.kind == Tok::kBar && sized_ != 0) {
      Push(sized_ == 1 ? Tok::kBarOpen : Tok::kBarClose, 0, {});
    } else if (c.kind == Tok::kOpen || c.kind == Tok::kClose) {
      depth_ = std::max(0, depth_ + (c.kind == Tok::kOpen ? 1 : -1));
      Push(c.kind, c.aux, name);
    } else if (c.kind == Tok::kDegree && Last() == Tok::kCaret) {
      out_.tokens.pop_back();
      Push(Tok::kDegree, c.aux, {});
    } else {
      Push(c.kind, c.aux, c.kind == Tok::kGreek ? std::string_view(c.text) : name);
    }
    sized_ = 0;
  }

  void Layout(std::string_view name, uint8_t aux) {
    if (aux == 3) {
      SkipBlanks();
      if (At(pos_) == '{') SkipGroup();
      return;
    }
    space_ = std::max(space_, aux);
    if (name == "left" || name == "mleft" || name == "right" || name == "mright" ||
        name == "bigl" || name == "bigr" || name == "Bigl" || name == "Bigr" || name == "biggl" ||
        name == "biggr") {
      sized_ = name.find("left") != std::string_view::npos || name.back() == 'l' ? 1 : 2;
      SkipBlanks();
      if (At(pos_) == '.') ++pos_, sized_ = 0;
    }
  }

  void SkipBlanks() {
    while (IsSpace(At(pos_))) ++pos_;
  }

  void SkipTo(char c) {
    const size_t limit = std::min(end_, pos_ + 40);
    for (size_t i = pos_; i < limit; ++i) {
      if (At(i) == c) {
        pos_ = i + 1;
        return;
      }
    }
  }

  // The end of a group in braces that opens at `open` (the index of its closing brace, or the end).
  size_t GroupEnd(size_t open) const {
    int depth = 0;
    for (size_t i = open; i < end_; ++i) {
      if (At(i) == '\\') {
        ++i;
      } else if (At(i) == '{') {
        ++depth;
      } else if (At(i) == '}' && --depth == 0) {
        return i;
      }
    }
    return end_;
  }

  void SkipGroup() { pos_ = std::min(end_, GroupEnd(pos_) + 1); }

  void Environment(bool begin) {
    SkipBlanks();
    if (At(pos_) != '{') return;
    const size_t close = GroupEnd(pos_);
    std::string_view name = View(pos_ + 1, close);
    pos_ = std::min(end_, close + 1);
    while (!name.empty() && name.back() == '*') name.remove_suffix(1);
    environments_ = std::max(0, environments_ + (begin ? 1 : -1));
    if (begin && (name == "array" || name == "tabular")) {
      SkipBlanks();
      if (At(pos_) == '{') SkipGroup();
    } else if (begin && At(pos_) == '[') {
      SkipTo(']');
    }
    Push(begin ? Tok::kBegin : Tok::kEndEnv, 0, name);
  }

  void LexEscapedSign(char next) {
    const size_t begin = pos_;
    pos_ = std::min(end_, begin + 2);
    switch (next) {
      case '{':
        ++depth_;
        Push(Tok::kOpen, '{', {});
        return;
      case '}':
        depth_ = std::max(0, depth_ - 1);
        Push(Tok::kClose, '}', {});
        return;
      case '%':
        Push(Tok::kPercent, 0, {});
        return;
      case '$':
        Push(Tok::kMoney, '$', {});
        return;
      case '|':
        Push(Tok::kNormBar, 0, {});
        return;
      case '&':
        Push(Tok::kAmp, 0, {});
        return;
      case '#':
      case '_':
        return;
      case '[':
      case ']':
      case '(':
      case ')':  // display and inline delimiters
        out_.had_dollar = true;
        space_ = std::max(space_, kThinSpace);
        return;
      case ',':
      case ';':
      case ':':
      case ' ':
      case '>':
      case '~':
      case '/':
      case '\n':
        space_ = std::max(space_, kThinSpace);
        return;
      case '!':
        return;
      default:
        if (begin + 1 < end_) pos_ = begin + 1;  // a lone backslash
        return;
    }
  }

  // \text{..}, \mathrm{..}, \mathbb{..}: short mathematics is read as such, words become one token.
  void StyledText(std::string_view name, int nested) {
    const int kind = TextCommand(name);
    SkipBlanks();
    if (At(pos_) == '*') ++pos_;
    if (name == "textcolor" && At(pos_) == '{') SkipGroup();
    size_t a = pos_;
    size_t b = pos_;
    size_t after = pos_;
    if (At(pos_) == '{') {
      a = pos_ + 1;
      b = GroupEnd(pos_);
      after = std::min(end_, b + 1);
    } else if (At(pos_) == '\\') {
      return;  // \mathbf\alpha: the style says nothing
    } else {
      b = after = std::min(end_, pos_ + 1);
    }
    std::string_view content = View(a, b);
    while (!content.empty() && (IsSpace(content.front()) || content.front() == '~')) {
      content.remove_prefix(1), ++a, space_ = std::max(space_, kThinSpace);
    }
    while (!content.empty() && (IsSpace(content.back()) || content.back() == '~'))
      content.remove_suffix(1);
    if (kind == 3) {
      NamedSetOrLetter(content);
    } else if (!content.empty()) {
      TextContent(content, a, kind, name, nested);
    }
    pos_ = after;
  }

  void NamedSetOrLetter(std::string_view content) {
    if (content.size() == 1 && std::strchr("NZQRC", content[0]) != nullptr) {
      Push(Tok::kNamedSet, static_cast<uint8_t>(content[0]), {});
    } else if (!content.empty()) {
      PushWord(content, content.size());
    }
  }

  void TextContent(std::string_view content, size_t at, int kind, std::string_view name,
                   int nested) {
    // An upright m, s, g.. behind a number is a unit; another upright letter is what the letter is.
    if ((name == "mathrm" || kind == 1) && content.size() == 1 &&
        std::strchr("msgLJNWVAKhTFHl", content[0]) != nullptr &&
        (Last() == Tok::kNumber || Last() == Tok::kGroupClose || Last() == Tok::kClose)) {
      Push(Tok::kText, 0, content);
      return;
    }
    // So is m/s.
    if (content.size() > 1 && content.find('/') != std::string_view::npos &&
        (Last() == Tok::kNumber || Last() == Tok::kGroupClose || Last() == Tok::kClose) &&
        ParseUnit(content).known) {
      Push(Tok::kText, 0, content);
      return;
    }
    if (content == "," || content == ";") {
      Push(content == "," ? Tok::kComma : Tok::kSemi, 0, {});
      return;
    }
    const auto it = kind == 2 || content == "cis" ? Commands().find(content) : Commands().end();
    if (it != Commands().end() && (it->second.kind == Tok::kFunc || it->second.kind == Tok::kLog ||
                                   it->second.kind == Tok::kFn || it->second.kind == Tok::kNary)) {
      Push(it->second.kind, it->second.aux, content);
      return;
    }
    if (nested < kMaxNested && LooksLikeMath(content)) {
      const size_t end = at + content.size();
      // Units of thousands do not start in the middle of a text.
      LexRange(at, end, nested + 1);
      return;
    }
    Push(Tok::kText, static_cast<uint8_t>(kind), content);
  }

  // No two letters in a row: numbers, single letters, signs.
  static bool LooksLikeMath(std::string_view s) {
    bool any = false;
    size_t letters = 0;
    for (size_t i = 0; i < s.size(); ++i) {
      const char c = s[i];
      if (c == '\\') return false;
      if (IsAlpha(c) || IsHigh(c)) {
        if (++letters > 1) return false;
      } else {
        letters = 0;
      }
      if (IsAlpha(c) || IsDigit(c)) any = true;
      if (c == '$' || c == '"' || c == '\'' || c == '?') return false;
      if (c == '.' && i + 1 < s.size() && IsAlpha(s[i + 1])) return false;  // "a.m."
    }
    return any;
  }

  // ---- signs

  void Two(Tok kind, uint8_t aux) {
    pos_ += 2;
    Push(kind, aux, {});
  }

  bool LexRelationSign(char c) {
    const char n = At(pos_ + 1);
    if (c == '=') {
      if (n == '=') {
        Two(Tok::kRel, kEq);
      } else if (n == '>') {
        Two(Tok::kRel, kImplies);
      } else if (n == '<') {
        Two(Tok::kRel, kLe);
      } else {
        ++pos_;
        Push(Tok::kRel, kEq, {});
      }
      return true;
    }
    if (c == '<' || c == '>') {
      if (n == '=') {
        Two(Tok::kRel, c == '<' ? kLe : kGe);
      } else if (c == '<' && n == '>') {
        Two(Tok::kRel, kNe);
      } else {
        ++pos_;
        Push(Tok::kRel, c == '<' ? kLt : kGt, {});
      }
      return true;
    }
    if (c == '!' && n == '=' && At(pos_ + 2) != '=') {
      Two(Tok::kRel, kNe);
      return true;
    }
    if (c == '-' && n == '>') {
      Two(Tok::kRel, kTo);
      return true;
    }
    return false;
  }

  void Single(Tok kind, uint8_t aux = 0) {
    ++pos_;
    Push(kind, aux, {});
    sized_ = 0;
  }

  void LexSign() {
    const char c = At(pos_);
    if (LexRelationSign(c)) return;
    switch (c) {
      case '+':
        if (At(pos_ + 1) == '/' && At(pos_ + 2) == '-') {
          ++pos_;
          return Two(Tok::kPm, 0);
        }
        return At(pos_ + 1) == '-' ? Two(Tok::kPm, 0) : Single(Tok::kPlus);
      case '-':
        return Single(Tok::kMinus);
      case '*':
        return At(pos_ + 1) == '*' ? Two(Tok::kCaret, 0) : Single(Tok::kStar);
      case '/':
        return Single(Tok::kSlash);
      case '^':
        return Single(Tok::kCaret);
      case '_':
        return Single(Tok::kUnder);
      case '!':
        return Single(Tok::kBang);
      case '\'':
        return Single(Tok::kPrime);
      case '%':
        return Single(Tok::kPercent);
      case ',':
        return Single(Tok::kComma);
      case ';':
        return Single(Tok::kSemi);
      case ':':
        return At(pos_ + 1) == '=' ? Two(Tok::kRel, kEq) : Single(Tok::kColon);
      case '(':
      case '[':
        ++depth_;
        return Single(Tok::kOpen, static_cast<uint8_t>(c));
      case ')':
      case ']':
        depth_ = std::max(0, depth_ - 1);
        return Single(Tok::kClose, static_cast<uint8_t>(c));
      case '{':
        return OpenBrace();
      case '}':
        return CloseBrace();
      case '|':
        if (At(pos_ + 1) == '|' && sized_ != 0) return Two(Tok::kNormBar, 0);
        return Single(sized_ == 1 ? Tok::kBarOpen : sized_ == 2 ? Tok::kBarClose : Tok::kBar);
      case '&':
        return Single(Tok::kAmp);
      case '~':
      case '`':
        space_ = std::max(space_, kThinSpace);
        ++pos_;
        return;
      case '$':
        out_.had_dollar = true;
        space_ = std::max(space_, kThinSpace);
        ++pos_;
        return;
      case '.':
        if (At(pos_ + 1) == '.' && At(pos_ + 2) == '.') {
          pos_ += 3;
          Push(Tok::kEllipsis, 0, {});
          return;
        }
        ++pos_;
        space_ = std::max(space_, kThinSpace);
        return;
      default:
        return Single(Tok::kUnknown);
    }
  }

  // Bare braces group; where nothing takes them as an argument they may hold a set, whose commas part items.
  void OpenBrace() {
    if (sized_ != 0) {
      ++depth_;
      Single(Tok::kOpen, '{');
      return;
    }
    const Tok last = Last();
    const bool argument = last == Tok::kFrac || last == Tok::kGroupClose || last == Tok::kSqrt ||
                          last == Tok::kBoxed || last == Tok::kStyled || last == Tok::kBinom;
    braces_.push_back(argument ? 0 : 1);
    if (!argument) ++depth_;
    Single(Tok::kGroupOpen);
  }

  void CloseBrace() {
    if (sized_ != 0) {
      depth_ = std::max(0, depth_ - 1);
      Single(Tok::kClose, '}');
      return;
    }
    if (!braces_.empty()) {
      depth_ = std::max(0, depth_ - braces_.back());
      braces_.pop_back();
    }
    Single(Tok::kGroupClose);
  }

  const CommaStyle commas_;
  Lexed& out_;
  size_t pos_ = 0;
  size_t end_ = 0;
  int depth_ = 0;         // open brackets whose commas part items
  int environments_ = 0;  // open \begin
  uint8_t space_ = 0;
  int sized_ = 0;  // 1 after \left, 2 after \right
  std::vector<int> braces_;
};

}  // namespace

void Lex(std::string normalized, CommaStyle commas, Lexed* out) {
  out->text = std::move(normalized);
  if (out->text.size() > kMaxTextBytes) {
    out->error = ParseError::kLimit;
    out->tokens.push_back({});
    return;
  }
  out->tokens.reserve(out->text.size() / 3 + 8);
  Lexer(commas, out).Run();
}

}  // namespace assay::math
