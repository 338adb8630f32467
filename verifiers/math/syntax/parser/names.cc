// Letters and names: subscripts, differentials, applications such as f(x), accents and styles.
#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "verifiers/math/syntax/parser/grammar.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

NodeId ParseDiff(Parser& p);
NodeId FinishLetter(Parser& p, std::string name, bool greek);
bool PowerBeforeSubscript(const Parser& p);
bool IsHead(const Parser& p);
bool IsApplication(const Parser& p, const std::string& name);
bool ConjugateAhead(const Parser& p);
NodeId ParseStyledArgument(Parser& p);
NodeId TryChoiceScripts(Parser& p, const std::string& name, NodeId* exponent);

// x_iy: TeX takes one letter. Words such as x_max are an index as a whole.
bool SplitsIndex(const Parser& p) {
  static constexpr std::string_view kWords[] = {"max", "min", "eff", "tot", "avg", "rms", "net",
                                                "out", "in",  "ext", "int", "sys", "env", "res"};
  const std::string_view word = p.Now().text;
  return p.Is(Tok::kWord) && !p.in_word && word.size() <= 3 && !IsHigh(word[0]) &&
         std::find(std::begin(kWords), std::end(kWords), word) == std::end(kWords);
}

// n-(k+1) as n-k-1 and 2(n+1) as 2n+2: brackets of one level, with a sign or a number in front. Anything else stays as it is.
std::string WithoutIndexBrackets(const std::string& raw) {
  const size_t open = raw.find('(');
  const size_t close = raw.find(')', open == std::string::npos ? 0 : open);
  if (open == std::string::npos || close == std::string::npos || close < open + 2) return raw;
  if (raw.find('(', open + 1) != std::string::npos || raw.find(')', close + 1) != std::string::npos)
    return raw;
  size_t front = open;
  while (front > 0 && IsDigit(raw[front - 1])) --front;
  const bool minus = front > 0 && raw[front - 1] == '-';
  const bool sign = front == 0 || minus || raw[front - 1] == '+';
  const bool ends = close + 1 == raw.size() || raw[close + 1] == '+' || raw[close + 1] == '-';
  if (!sign || !ends || open - front > 4) return raw;
  const std::string factor = raw.substr(front, open - front);
  std::string out = raw.substr(0, front > 0 ? front - 1 : 0);
  for (size_t i = open + 1; i < close;) {
    bool negative = minus;
    if (raw[i] == '+' || raw[i] == '-') negative = (raw[i++] == '-') != minus;
    const size_t begin = i;
    while (i < close && (IsAlpha(raw[i]) || IsDigit(raw[i]))) ++i;
    std::string term = raw.substr(begin, i - begin);
    if (term.empty()) return raw;
    const bool number = std::all_of(term.begin(), term.end(), IsDigit);
    if (!factor.empty() && (term.size() > 4 || (IsDigit(term[0]) && !number))) return raw;
    if (!factor.empty())
      term = number ? std::to_string(ToInt(factor) * ToInt(term)) : factor + term;
    if (negative || !out.empty()) out += negative ? '-' : '+';
    out += term;
  }
  return out + raw.substr(close + 1);
}

// n-1-k as n-k-1: the terms of an index in one order, letters before numbers. Anything else stays as it is.
std::string SortedIndex(const std::string& raw) {
  std::vector<std::pair<std::string, char>> terms;
  int64_t number = 0;
  char sign = '+';
  for (size_t i = 0; i < raw.size();) {
    size_t j = i;
    while (j < raw.size() && (IsAlpha(raw[j]) || IsDigit(raw[j]))) ++j;
    if (j == i) {
      if ((raw[i] != '+' && raw[i] != '-') ||
          (i > 0 && !IsAlpha(raw[i - 1]) && !IsDigit(raw[i - 1])))
        return raw;
      sign = raw[i++];
      continue;
    }
    const std::string term = raw.substr(i, j - i);
    if (IsDigit(term[0]) && std::all_of(term.begin(), term.end(), IsDigit)) {
      if (term.size() > 9 || (i == 0 && j == raw.size())) return raw;
      number += sign == '-' ? -ToInt(term) : ToInt(term);
    } else {
      terms.emplace_back(term, sign);
    }
    i = j;
    sign = '+';
  }
  if (terms.empty() || raw.back() == '+' || raw.back() == '-') return raw;
  // A positive term first, as it is written most often.
  std::sort(terms.begin(), terms.end(), [](const auto& x, const auto& y) {
    return x.second != y.second ? x.second < y.second : x.first < y.first;
  });
  std::string out;
  for (const auto& [term, s] : terms) {
    if (!out.empty() || s == '-') out += s;
    out += term;
  }
  if (number != 0) out += (number > 0 ? "+" : "") + std::to_string(number);
  return out;
}

}  // namespace

NodeId ParseLetter(Parser& p) {
  if (AtDiff(p)) return ParseDiff(p);
  const Token token = p.Now();
  const std::string name(token.text);
  const bool greek = token.kind == Tok::kGreek;
  p.Next();
  // x1 = 2: on the left of an equation an index, where a product would be written 1x.
  if (!p.in_word && !greek && p.Is(Tok::kNumber) && !p.Now().space && p.Now().aux == 0 &&
      p.Ahead(1).kind == Tok::kRel && p.Ahead(1).aux == kEq && p.Now().text.size() <= 2) {
    const NodeId indexed = p.tree.Symbol(name + "_" + std::string(p.Now().text));
    p.Next();
    return indexed;
  }
  return FinishLetter(p, name, greek);
}

NodeId LetterNode(Parser& p, std::string_view letter) {
  if (letter == "e") return p.tree.Const(ConstId::kE);
  if (letter == "i" && p.bound_i == 0) return p.tree.Const(ConstId::kI);
  return p.tree.Symbol(letter);
}

bool AtDiff(const Parser& p) {
  if (p.integrals == 0 || !p.Is(Tok::kLetter) || p.Now().text != "d") return false;
  if (p.in_word) return p.letter_at + 2 == p.tokens[p.at].text.size();
  const Token& n = p.Ahead(1);
  return (n.kind == Tok::kLetter || n.kind == Tok::kGreek);
}

std::string RawScript(Parser& p) {
  std::string raw;
  if (!p.Is(Tok::kGroupOpen)) {
    if (SplitsIndex(p)) {
      p.index_ambiguous = true;
      if (!p.word_index) p.EnterWord();
    }
    raw = Spell(p.Now());
    if (raw.empty()) p.Fail();
    p.Next();
    return raw;
  }
  int level = 0;
  while (!p.AtEnd()) {
    if (p.Is(Tok::kGroupOpen)) {
      ++level;
    } else if (p.Is(Tok::kGroupClose)) {
      if (--level == 0) {
        p.Next();
        return SortedIndex(WithoutIndexBrackets(raw));
      }
    } else {
      raw += Spell(p.Now());
    }
    if (raw.size() > 200) break;
    p.Next();
  }
  p.Fail();
  return raw;
}

std::string Spell(const Token& t) {
  switch (t.kind) {
    case Tok::kText:
      return NormalizeWords(t.text);
    case Tok::kPlus:
      return "+";
    case Tok::kMinus:
      return "-";
    case Tok::kComma:
      return ",";
    case Tok::kStar:
      return "*";
    case Tok::kSlash:
      return "/";
    case Tok::kCaret:
      return "^";
    case Tok::kUnder:
      return "_";
    case Tok::kPrime:
      return "'";
    case Tok::kOpen:
    case Tok::kClose:
      return std::string(1, static_cast<char>(t.aux));
    case Tok::kRel:
      return std::string(1, static_cast<char>(t.aux));
    case Tok::kConst:
      return "const" + std::to_string(t.aux);
    case Tok::kBar:
      return "|";
    case Tok::kFrac:
      return "frac";
    case Tok::kSqrt:
      return "sqrt";
    default:
      return std::string(t.text);
  }
}

NodeId IndexTerms(Parser& p, std::string_view raw) {
  Ids terms;
  for (size_t i = 0; i < raw.size();) {
    const bool minus = raw[i] == '-';
    if (raw[i] == '-' || (raw[i] == '+' && i > 0)) ++i;
    size_t j = i;
    while (j < raw.size() && IsDigit(raw[j])) ++j;
    const bool letter = j < raw.size() && IsAlpha(raw[j]);
    if ((j == i && !letter) || j - i > 8) return kNoNode;
    NodeId term = j > i ? p.tree.Number(ToInt(raw.substr(i, j - i))) : kNoNode;
    if (letter) {
      const NodeId symbol = p.tree.Symbol(raw.substr(j, 1));
      term = term == kNoNode ? symbol : p.tree.Add(Op::kMul, {term, symbol});
      ++j;
    }
    if (j < raw.size() && raw[j] != '+' && raw[j] != '-') return kNoNode;
    terms.push_back(minus ? p.tree.Neg(term) : term);
    i = j;
  }
  if (terms.empty()) return kNoNode;
  return terms.size() == 1 ? terms[0] : p.Add(Op::kAdd, terms);
}

NodeId ApplyOrSymbol(Parser& p, const std::string& name, bool primed) {
  const bool braces = p.Is(Tok::kGroupOpen) && p.NextIsA(Tok::kOpen, '(') && !p.Now().space;
  if (!braces && (!p.IsA(Tok::kOpen, '(') || p.Now().space)) return p.tree.Symbol(name);
  if (braces) p.Next();
  if (!primed && !IsApplication(p, name)) {
    if (braces) --p.at;
    return p.tree.Symbol(name);
  }
  p.Next();
  Ids args;
  ParseItems(p, &args);
  if (p.failed || !p.IsA(Tok::kClose, ')') || args.empty()) return p.Fail();
  p.Next();
  if (braces && !p.Accept(Tok::kGroupClose)) return p.Fail();
  if (name == "C" && args.size() == 2) return p.tree.Add(Op::kBinom, {args[0], args[1]});
  if (name == "Gamma" && args.size() == 1) return p.tree.Func(FuncId::kGamma, args[0]);
  const NodeId id = p.Add(Op::kApply, args);
  p.tree.nodes[id].num = p.tree.Intern(name);
  return id;
}

NodeId ParseStyled(Parser& p) {
  const int style = p.Now().aux;
  p.Next();
  if (style == 1) return ParseStyledArgument(p);
  static constexpr const char* kNames[] = {"",    "",     "bar",   "hat",
                                           "dot", "ddot", "tilde", "overline"};
  if (style == 7 && p.Is(Tok::kGroupOpen) && p.Ahead(1).kind == Tok::kWord)
    return ParseStyledArgument(p);
  if ((style == 7 || style == 2) && ConjugateAhead(p)) {
    const NodeId z = ParseGroup(p);
    return p.failed ? kNoNode : p.tree.Func(FuncId::kConj, z);
  }
  std::string raw = RawScript(p);
  if (p.failed) return kNoNode;
  const std::string name = std::string(style == 7 ? "bar" : kNames[style]) + "(" + raw + ")";
  return FinishLetter(p, name, true);
}

namespace {

NodeId ParseDiff(Parser& p) {
  p.Next();
  const NodeId variable = p.tree.Symbol(p.Now().text);
  p.Next();
  p.diff_seen = p.integrals;
  p.diff_variable = variable;
  return p.tree.Add(Op::kDiff, {variable});
}

// Subscripts (on either side of a power), then an argument list if the name is a function's.
NodeId FinishLetter(Parser& p, std::string name, bool greek) {
  NodeId exponent = kNoNode;
  if (p.in_word) return greek ? p.tree.Symbol(name) : LetterNode(p, name);
  if (p.Is(Tok::kCaret) && PowerBeforeSubscript(p)) {
    p.Next();
    exponent = ParseScript(p);
    if (p.failed) return kNoNode;
  }
  if (p.Is(Tok::kUnder)) {
    p.Next();
    const std::string script = RawScript(p);
    if (p.failed) return kNoNode;
    if (!script.empty()) name += "_" + script;
  }
  if (const NodeId choice = TryChoiceScripts(p, name, &exponent); choice != kNoNode || p.failed)
    return choice;
  NodeId id;
  const bool head = name.size() == 1 && IsHead(p);  // i(t) = .. is a current
  if (name == "e" && !greek && !head) {
    id = p.tree.Const(ConstId::kE);
  } else if (name == "i" && !greek && p.bound_i == 0 && !head) {
    id = p.tree.Const(ConstId::kI);
  } else {
    id = ApplyOrSymbol(p, name, false);
  }
  if (p.failed) return kNoNode;
  return exponent == kNoNode ? id : p.tree.Add(Op::kPow, {id, exponent});
}

// C_{10}^3 and A_5^2 (also P): numbers of choices and arrangements where both scripts are numbers, and C_n^3 as another reading.
// `exponent`: read already where it stood in front.
NodeId TryChoiceScripts(Parser& p, const std::string& name, NodeId* exponent) {
  const bool named =
      name.size() > 2 && name[1] == '_' && (name[0] == 'C' || name[0] == 'A' || name[0] == 'P');
  if (!named || (*exponent == kNoNode && !p.Is(Tok::kCaret))) return kNoNode;
  const std::string lower = name.substr(2);
  const bool digits = lower.size() < 9 && std::all_of(lower.begin(), lower.end(), IsDigit);
  const NodeId above = name[0] == 'C' && !digits ? IndexTerms(p, lower) : kNoNode;
  const bool letter = above != kNoNode;
  if (!digits && !letter) return kNoNode;
  if (*exponent == kNoNode) {
    p.Next();
    *exponent = ParseScript(p);
    if (p.failed) return kNoNode;
  }
  const Node& k = p.tree[*exponent];
  const bool whole = k.op == Op::kNum && k.den == 1 && k.num >= 0;
  if (digits && (!whole || k.num > ToInt(lower))) return kNoNode;
  if (letter) {
    if (k.op == Op::kNum && !whole) return kNoNode;
    p.choice_ambiguous = true;
    if (!p.choice_scripts) return kNoNode;
  }
  const NodeId n = digits ? p.tree.Number(ToInt(lower)) : above;
  const NodeId choice = p.tree.Add(Op::kBinom, {n, *exponent});
  return name[0] == 'C' ? choice
                        : p.tree.Add(Op::kMul, {choice, p.tree.Add(Op::kFact, {*exponent}, 1)});
}

// x^2_1: is there an underscore behind the exponent?
bool PowerBeforeSubscript(const Parser& p) {
  size_t i = p.at + 1;
  if (p.tokens[i].kind == Tok::kGroupOpen) {
    int level = 0;
    const size_t limit = std::min(p.tokens.size() - 1, i + 40);
    for (; i < limit; ++i) {
      if (p.tokens[i].kind == Tok::kGroupOpen) ++level;
      if (p.tokens[i].kind == Tok::kGroupClose && --level == 0) break;
    }
  }
  return i + 1 < p.tokens.size() && p.tokens[i + 1].kind == Tok::kUnder;
}

// Nothing stands in front of the name that ends before the token at hand, or a sign that parts items.
bool BeginsItem(const Parser& p) {
  size_t i = p.at;
  const auto of_name = [&](Tok kind) {
    return kind == Tok::kLetter || kind == Tok::kGreek || kind == Tok::kPrime ||
           kind == Tok::kUnder || kind == Tok::kNumber || kind == Tok::kGroupOpen ||
           kind == Tok::kGroupClose || kind == Tok::kWord;
  };
  while (i > 0 && of_name(p.tokens[i - 1].kind)) --i;
  if (i + 1 < p.at && p.tokens[i + 1].kind != Tok::kUnder && p.tokens[i + 1].kind != Tok::kPrime &&
      p.tokens[i].text != "nabla")
    return false;  // 2x(t), rx(t)
  if (i == 0) return true;
  const Tok before = p.tokens[i - 1].kind;
  return before == Tok::kComma || before == Tok::kSemi || before == Tok::kOpen ||
         before == Tok::kRel || before == Tok::kText || before == Tok::kRowSep ||
         before == Tok::kBegin || before == Tok::kBoxed;
}

// x(t) = .., u(x, y) = ..: letters in brackets in front of an equals sign. The bracket is at hand.
bool IsHead(const Parser& p) {
  if (!p.IsA(Tok::kOpen, '(') || p.Now().space || !BeginsItem(p)) return false;
  for (size_t k = 1; k < 8; k += 2) {
    const Tok argument = p.Ahead(k).kind;
    if (argument != Tok::kLetter && argument != Tok::kGreek) return false;
    const Tok behind = p.Ahead(k + 1).kind;
    if (behind == Tok::kClose) return p.Ahead(k + 2).kind == Tok::kRel && p.Ahead(k + 2).aux == kEq;
    if (behind != Tok::kComma) return false;
  }
  return false;
}

bool IsApplication(const Parser& p, const std::string& name) {
  static constexpr std::string_view kFunctions[] = {"f", "g", "h", "F", "G", "H", "Gamma", "zeta"};
  const std::string_view stem = std::string_view(name).substr(0, name.find('_'));
  for (const std::string_view f : kFunctions) {
    if (stem == f) return true;
  }
  const Tok first = p.Ahead(1).kind;
  const bool one = p.Ahead(2).kind == Tok::kClose;
  // C(10, 3) is a number of combinations; C(1, 2) names a point.
  if (name == "C" && first == Tok::kNumber && p.Ahead(2).kind == Tok::kComma &&
      p.Ahead(3).kind == Tok::kNumber && p.Ahead(4).kind == Tok::kClose && p.Ahead(1).aux == 0 &&
      p.Ahead(3).aux == 0 && p.Ahead(1).text.size() < 10 &&
      ToInt(p.Ahead(1).text) >= ToInt(p.Ahead(3).text))
    return true;
  // x(0), y(1) and P(2) are values of functions; x(1.2) and n(5) are products.
  if (first == Tok::kNumber && one)
    return IsUpper(name[0]) || p.Ahead(1).text == "0" || p.Ahead(1).text == "1";
  // P(X = 1), P(A | B)
  if (name == "P" && first == Tok::kLetter &&
      (p.Ahead(2).kind == Tok::kRel || p.Ahead(2).kind == Tok::kSetOp))
    return true;
  if (IsHead(p)) return true;
  const bool letter = (first == Tok::kLetter || first == Tok::kGreek) && one;
  return letter && (IsUpper(name[0]) || name == "p" || name == "q" || name == "u" ||
                    name == "delta" || name == "phi" || name == "psi");
}

// \overline{3+4i}: a group with a number, a sign and the imaginary unit.
bool ConjugateAhead(const Parser& p) {
  bool unit = false;
  bool sign = false;
  if (!p.Is(Tok::kGroupOpen)) return false;
  for (size_t i = p.at + 1; i < std::min(p.tokens.size(), p.at + 24); ++i) {
    if (p.tokens[i].kind == Tok::kGroupClose) return unit && sign;
    unit = unit || (p.tokens[i].kind == Tok::kLetter && p.tokens[i].text == "i");
    sign = sign || p.tokens[i].kind == Tok::kPlus || p.tokens[i].kind == Tok::kMinus;
  }
  return false;
}

NodeId ParseStyledArgument(Parser& p) {
  return p.Is(Tok::kGroupOpen) ? ParseGroup(p) : ParsePrimary(p);
}

}  // namespace

}  // namespace assay::math
