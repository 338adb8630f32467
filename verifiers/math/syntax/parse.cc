// Parse(): one text, its readings, its choice letter.
#include <re2/re2.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/text.h"
#include "verifiers/math/syntax/chars.h"
#include "verifiers/math/syntax/lexer.h"
#include "verifiers/math/syntax/parsed_answer.h"
#include "verifiers/math/syntax/parser.h"
#include "verifiers/math/syntax/remark.h"
#include "verifiers/math/syntax/respell.h"
#include "verifiers/math/syntax/rewrite.h"
#include "verifiers/math/syntax/spelled.h"
#include "verifiers/math/syntax/tree.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

// White space and layout removed: two texts with one source are the same answer, whatever they mean. A blank stays where it
// parts two words, two numbers or a command and a letter.
std::string Source(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && i + 1 < text.size() && !IsSpace(text[i + 1])) {
      // Delimiters of formulas say nothing; `\\[` ends a row.
      if (std::string_view("()[]").find(text[i + 1]) == std::string_view::npos)
        out.append(text, i, text[i + 1] == '\\' ? 2 : 1);
      if (std::string_view("()[]\\").find(text[i + 1]) != std::string_view::npos) ++i;
      continue;
    }
    if (!IsSpace(c)) {
      if (c != '$') out.push_back(c);
      continue;
    }
    while (i + 1 < text.size() && IsSpace(text[i + 1])) ++i;
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    const auto word = [](char x) {
      return IsAlpha(x) || (x >= '0' && x <= '9') || static_cast<unsigned char>(x) >= 0x80 ||
             x == '\\';
    };
    const bool sign = next == '-' && i + 2 < text.size() && IsDigit(text[i + 2]);
    if (!out.empty() && next != '\0' && word(out.back()) &&
        (word(next) || (sign && IsAlpha(out.back()))))
      out.push_back(' ');
    if (!out.empty() && out.back() == '\\' && next != '\0') out.push_back(' ');
  }
  while (!out.empty() && (out.back() == '.' || out.back() == ',' || out.back() == ' '))
    out.pop_back();
  return out;
}

// **4** as Markdown means it.
std::string_view WithoutEmphasis(std::string_view text) {
  const std::string_view trimmed = Trim(text);
  const bool emphasis = trimmed.size() > 4 && StartsWith(trimmed, "**") && EndsWith(trimmed, "**");
  return emphasis ? trimmed.substr(2, trimmed.size() - 4) : text;
}

// The text without \text{..} and its like, Markdown stars, blanks and brackets at its ends, for choice letters.
std::string ChoiceFrame(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size() && out.size() < 200; ++i) {
    const char c = text[i];
    if (c == '\\') {
      size_t j = i + 1;
      while (j < text.size() && IsAlpha(text[j])) ++j;
      const std::string_view name = std::string_view(text).substr(i + 1, j - i - 1);
      if (name.empty()) {
        if (j < text.size()) ++j;
        out.push_back(' ');
      } else if (name.substr(0, 4) != "text" && name.substr(0, 4) != "math" && name != "mbox" &&
                 name != "boxed" && name != "left" && name != "right" && name != "quad" &&
                 name != "qquad" && name != "bf" && name != "rm") {
        out.push_back('\\');  // a command of mathematics: no plain choice
      }
      i = j - 1;
    } else if (c != '{' && c != '}' && c != '*' && c != '$' && c != '~' && c != '`') {
      out.push_back(IsSpace(c) ? ' ' : c);
    }
  }
  const size_t first = out.find_first_not_of(' ');
  if (first == std::string::npos) return "";
  return out.substr(first, out.find_last_not_of(' ') - first + 1);
}

struct Choice {
  char32_t letter = 0;
  bool framed = false;
};

// "(C)", "C.", "C) 12", "(C) twelve", "C: 12"; with a list of choices also "c" and "C twelve".
Choice FindChoice(const std::string& frame, bool listed) {
  Choice none;
  size_t i = 0;
  const bool open = i < frame.size() && frame[i] == '(';
  if (open) ++i;
  while (i < frame.size() && frame[i] == ' ') ++i;
  if (i >= frame.size()) return none;
  char letter = frame[i];
  if (listed && letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 32);
  if (letter < 'A' || letter > (listed ? 'Z' : 'J')) return none;
  ++i;
  if (i == frame.size()) return open ? none : Choice{static_cast<char32_t>(letter), false};
  while (open && i < frame.size() && frame[i] == ' ') ++i;
  const char after = i < frame.size() ? frame[i] : '\0';
  if (open) {
    if (after != ')') return none;
    return Choice{static_cast<char32_t>(letter), true};
  }
  const bool more = i + 1 < frame.size();
  if (after == ')' || (after == '.' && (!more || frame[i + 1] == ' ')) ||
      (after == ':' && (!more || frame[i + 1] == ' '))) {
    return Choice{static_cast<char32_t>(letter), true};
  }
  if (listed && after == ' ' && more && frame[i] == ' ')
    return Choice{static_cast<char32_t>(letter), true};
  if (listed && (static_cast<unsigned char>(after) >= 0x80 || after == ','))
    return Choice{static_cast<char32_t>(letter), true};
  return none;
}

// The bytes of "option", "choice" and their like in front of a choice's letter.
size_t ChoiceLabelBytes(const std::string& frame) {
  for (const std::string_view label :
       {"option", "choice", "answer", "letter", "选项", "選項", "opción", "opção"}) {
    if (frame.size() <= label.size()) continue;
    bool same = true;
    for (size_t i = 0; i < label.size() && same; ++i) {
      const char c = frame[i];
      same = (c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) == label[i];
    }
    if (!same) continue;
    size_t at = label.size();
    while (at < frame.size() && (frame[at] == ' ' || frame[at] == ':')) ++at;
    const bool parted =
        at > label.size() || frame[at] == '(' || static_cast<unsigned char>(label[0]) >= 0x80;
    if (parted && at < frame.size()) return at;
  }
  return 0;
}

bool NamesAnother(const std::string& rest, char32_t letter, bool listed) {
  const std::string padded = " " + rest;
  for (const std::string_view joint :
       {" or ", " and ", ", ", ",", "/", ";", "&", "+", "、", "，"}) {
    for (size_t at = padded.find(joint); at != std::string::npos; at = padded.find(joint, at + 1)) {
      const std::string behind = padded.substr(std::min(padded.size(), at + joint.size()));
      const size_t first = behind.find_first_not_of(' ');
      if (first == std::string::npos) continue;
      const Choice second = FindChoice(behind.substr(first), listed);
      const bool capital = behind[first] == '(' || (behind[first] >= 'A' && behind[first] <= 'Z');
      if (second.letter != 0 && second.letter != letter && capital && (second.framed || at <= 1))
        return true;
    }
  }
  return false;
}

// What stands behind the letter and its frame.
std::string ChoiceRest(const std::string& frame) {
  size_t i = 0;
  while (i < frame.size() && (frame[i] == '(' || frame[i] == ' ')) ++i;
  ++i;
  while (i < frame.size() &&
         (frame[i] == ')' || frame[i] == '.' || frame[i] == ':' || frame[i] == ' '))
    ++i;
  return i < frame.size() ? frame.substr(i) : "";
}

AnswerKind KindOf(const Tree& tree, NodeId root);

bool HasSymbols(const Tree& tree, NodeId root) {
  std::vector<NodeId> stack = {root};
  while (!stack.empty()) {
    const NodeId id = stack.back();
    stack.pop_back();
    if (tree[id].op == Op::kSym || tree[id].op == Op::kApply) return true;
    for (uint32_t k = 0; k < tree[id].n; ++k) stack.push_back(tree.Kid(id, k));
  }
  return false;
}

AnswerKind KindOf(const Tree& tree, NodeId root) {
  switch (tree[root].op) {
    case Op::kRel:
    case Op::kCongruent:
      return AnswerKind::kRelation;
    case Op::kTuple:
    case Op::kInterval:
    case Op::kList:
    case Op::kSet:
    case Op::kSeq:
    case Op::kUnion:
    case Op::kIntersect:
    case Op::kMinus:
    case Op::kNamedSet:
    case Op::kBuilder:
    case Op::kMatrix:
      return AnswerKind::kCollection;
    case Op::kText:
      return AnswerKind::kText;
    default:
      return HasSymbols(tree, root) ? AnswerKind::kExpression : AnswerKind::kNumber;
  }
}

// \text{NaHCO}_{3} as NaHCO_3: of what is not understood, how it is set says nothing.
std::string WithoutStyles(std::string_view source) {
  std::string out;
  for (size_t i = 0; i < source.size(); ++i) {
    bool style = false;
    for (const std::string_view name : {"\\text", "\\mathrm", "\\textrm", "\\mathbf", "\\ce"}) {
      if (source.substr(i, name.size()) != name || i + name.size() >= source.size() ||
          source[i + name.size()] != '{')
        continue;
      i += name.size();
      style = true;
      break;
    }
    if (style || source[i] == '{' || source[i] == '}') continue;
    out += source[i];
  }
  return out;
}

class Reader {
 public:
  Reader(const ParseOptions& options, ParsedAnswer::Impl* impl) : options_(options), impl_(*impl) {}

  void Read(std::string_view text) {
    if (text.size() > kMaxTextBytes) {
      impl_.error = ParseError::kLimit;
      return;
    }
    const std::string written = NormalizeUnicode(WithoutEmphasis(text));
    impl_.source = Source(written);
    if (impl_.source.empty() || WholeNumber(written)) return;
    const std::string normal = Respell(written);
    ReadChoice(normal);
    if (SpelledNumber(normal) || HanNumber(normal) || IsoDate(normal) || Compound(normal)) {
      impl_.error = ParseError::kNone;
      impl_.kind = KindOf(impl_.tree, impl_.readings[0].root);
      return;
    }
    // "if x = 6", "if x = 6 then output correct": a condition, or a program's text, is no value.
    const size_t begin = normal.find_first_not_of(" $");
    if (begin != std::string::npos &&
        (normal.compare(begin, 3, "if ") == 0 || normal.compare(begin, 9, "\\text{if ") == 0)) {
      Words(written);
      return;
    }
    Lexed lexed;
    Lex(normal, CommaStyle::kThousands, &lexed);
    if (lexed.tokens.size() <= 1 && impl_.choice == 0) {
      Words(written);
      return;
    }
    const ParserResult main = Attempt(lexed, Ambiguous::kUsual, Reading::When::kAlways);
    if (main.error == ParseError::kLimit) {
      impl_.error = ParseError::kLimit;
      return;
    }
    if (main.slash_ambiguous) Attempt(lexed, Ambiguous::kSlashLeft, Reading::When::kAlways);
    if (main.unit_ambiguous) Attempt(lexed, Ambiguous::kLetterUnits, Reading::When::kVersusUnit);
    if (main.mixed_ambiguous) Attempt(lexed, Ambiguous::kMixedAnd, Reading::When::kAlways);
    if (main.choice_ambiguous) Attempt(lexed, Ambiguous::kChoiceScripts, Reading::When::kAlways);
    if (main.index_ambiguous) Attempt(lexed, Ambiguous::kWordIndex, Reading::When::kAlways);
    if (const std::string unit = LetterUnitFraction(normal); !unit.empty())
      Again(unit, CommaStyle::kThousands, Reading::When::kVersusUnit);
    if (const std::string worked_out = HanThousands(normal); !worked_out.empty()) {
      // Golds of Chinese sets count in 万元; 40万円 is not 40 of something.
      if (normal.find("円") != std::string::npos || normal.find("원") != std::string::npos)
        impl_.readings.clear();
      Again(worked_out, CommaStyle::kThousands, Reading::When::kAlways);
    }
    if (impl_.choice_framed && !impl_.choice_listed) {
      if (const std::string value = ValueBehindChoice(normal); !value.empty())
        Again(value, CommaStyle::kThousands, Reading::When::kAlways);
    }
    if (lexed.thousands_comma) Again(normal, CommaStyle::kList, Reading::When::kVersusList);
    // A decimal comma only where plain text was asked for: elsewhere `0,5` is a list.
    const bool money = std::any_of(lexed.tokens.begin(), lexed.tokens.end(),
                                   [](const Token& t) { return t.kind == Tok::kMoney; });
    if ((options_.grammar == Grammar::kPlain || money) && lexed.digit_commas == 1 &&
        !lexed.thousands_comma) {
      Again(normal, CommaStyle::kDecimal, Reading::When::kAlways);
    }
    // 17.000 in a language that writes 0,5
    static const RE2 dotted("(\\s*\\$?-?\\d{1,3}(?:\\.\\d{3})+)([^\\d.].*|)");
    std::string number;
    std::string behind;
    if (options_.grammar == Grammar::kPlain && normal.size() < 64 &&
        RE2::FullMatch(normal, dotted, &number, &behind)) {
      std::erase(number, '.');
      Again(number + behind, CommaStyle::kThousands, Reading::When::kAlways);
    }
    ProgramConstants(normal);
    if (impl_.readings.empty()) OutwardBrackets(normal);
    if (impl_.readings.empty()) LastLink(normal);
    // Dots alone leave everything out.
    if (!impl_.readings.empty() && impl_.tree[impl_.readings[0].root].op == Op::kSym &&
        impl_.tree.Name(impl_.readings[0].root) == "...")
      impl_.readings.clear();
    if (impl_.readings.empty()) Words(written);
    if (impl_.readings.empty()) {
      impl_.error = ParseError::kSyntax;
      return;
    }
    impl_.error = ParseError::kNone;
    impl_.kind =
        impl_.choice_framed ? AnswerKind::kChoice : KindOf(impl_.tree, impl_.readings[0].root);
  }

 private:
  ParserResult Attempt(const Lexed& lexed, Ambiguous choice, Reading::When when) {
    const ParserResult result = ParseTokens(lexed, options_.grammar, choice, &impl_.tree);
    if (result.root != kNoNode) impl_.readings.push_back({result.root, when});
    return result;
  }

  // The commonest answer, which can be written in no other way.
  bool WholeNumber(const std::string& written) {
    constexpr size_t kMostDigits = 15;
    if (written.size() > kMostDigits || !std::all_of(written.begin(), written.end(), IsDigit) ||
        !options_.choices.empty())
      return false;
    Lexed lexed;
    Lex(written, CommaStyle::kThousands, &lexed);
    if (Attempt(lexed, Ambiguous::kUsual, Reading::When::kAlways).root == kNoNode) return false;
    impl_.error = ParseError::kNone;
    impl_.kind = KindOf(impl_.tree, impl_.readings[0].root);
    return true;
  }

  void Again(const std::string& normal, CommaStyle commas, Reading::When when) {
    Lexed lexed;
    Lex(normal, commas, &lexed);
    Attempt(lexed, Ambiguous::kUsual, when);
  }

  // "lcm + gcd = 84 + 13 = 97": where words stand in a chain of equations that ends in a number, it is that number.
  void LastLink(const std::string& normal) {
    const size_t last = normal.rfind('=');
    if (last == std::string::npos || last == 0 || normal.find("==") != std::string::npos) return;
    const std::string left = normal.substr(0, last);
    if (left.find('=') == std::string::npos ||
        left.find_first_of("<>!?;:|\"`[]") != std::string::npos ||
        left.find("\\ne") != std::string::npos || HasNegation(NormalizeWords(left)))
      return;
    Lexed lexed;
    Lex(normal.substr(last + 1), CommaStyle::kThousands, &lexed);
    const ParserResult link = ParseTokens(lexed, options_.grammar, Ambiguous::kUsual, &impl_.tree);
    if (link.root != kNoNode && KindOf(impl_.tree, link.root) == AnswerKind::kNumber)
      impl_.readings.push_back({link.root, Reading::When::kAlways});
  }

  // ]1,2[ and [1,2[, where a bracket turned outward leaves the end out.
  void OutwardBrackets(const std::string& normal) {
    std::string turned = normal;
    bool open = false;
    bool any = false;
    for (size_t i = 0; i < turned.size(); ++i) {
      if (turned[i] == '(' || turned[i] == ')') return;
      if (turned[i] != '[' && turned[i] != ']') continue;
      any = any || (turned[i] == '[') == open;
      if ((turned[i] == '[') == open) turned[i] = open ? ')' : '(';
      open = !open;
    }
    if (!any || open) return;
    Again(turned, CommaStyle::kList, Reading::When::kAlways);
    if (impl_.readings.empty()) return;
    const NodeId root = impl_.readings[0].root;
    impl_.readings[0].root = CopyWith(&impl_.tree, root, [this](NodeId at) -> NodeId {
      Tree& tree = impl_.tree;
      if (tree[at].op != Op::kTuple || tree[at].n != 2) return kNoNode;
      return tree.Add(Op::kInterval, {tree.Kid(at, 0), tree.Kid(at, 1)}, 0);
    });
  }

  // "minus twenty-five percent", "a third", "three and a half": words that are a number.
  bool SpelledNumber(const std::string& normal) {
    if (normal.size() > 80 || normal.find_first_of("0123456789$\\") != std::string::npos ||
        normal.find(' ') == normal.find('-'))  // neither a blank nor a hyphen
      return false;
    std::string words = AsciiLower(Trim(normal));
    std::replace(words.begin(), words.end(), '-', ' ');
    while (!words.empty() && (words.back() == '.' || words.back() == ' ')) words.pop_back();
    if (StartsWith(words, "a ")) words.replace(0, 1, "one");
    if (const size_t article = words.find(" a "); article != std::string::npos)
      words.replace(article, 3, " one ");
    const bool negative = StartsWith(words, "minus ") || StartsWith(words, "negative ");
    if (negative) words.erase(0, words.find(' ') + 1);
    const bool percent = EndsWith(words, " percent") || EndsWith(words, " per cent");
    if (percent) words.erase(words.rfind(" per"));
    const auto number = ReadNumberPhrase(words);
    if (!number) return false;
    Tree& tree = impl_.tree;
    NodeId value = tree.Number(number->num, number->den);
    if (negative) value = tree.Neg(value);
    if (percent) value = tree.Add(Op::kPercent, {value});
    impl_.readings.push_back({value, Reading::When::kAlways});
    return true;
  }

  bool HanNumber(const std::string& normal) {
    std::string_view text = Trim(normal);
    constexpr std::string_view kStop = "。";
    if (EndsWith(text, kStop)) text.remove_suffix(kStop.size());
    const auto number = ReadHanNumber(text);
    if (!number) return false;
    impl_.readings.push_back({impl_.tree.Number(number->num, number->den), Reading::When::kAlways});
    return true;
  }

  // 1 h 30 min
  bool Compound(const std::string& normal) {
    const NodeId quantity = ReadCompoundQuantity(normal, &impl_.tree);
    if (quantity == kNoNode) return false;
    impl_.readings.push_back({quantity, Reading::When::kAlways});
    return true;
  }

  // 2000-01-31 with its zeros is a date and no difference.
  bool IsoDate(const std::string& normal) {
    const std::string text(Trim(normal));
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') return false;
    for (const size_t i : {0, 1, 2, 3, 5, 6, 8, 9}) {
      if (text[i] < '0' || text[i] > '9') return false;
    }
    const int month = (text[5] - '0') * 10 + text[6] - '0';
    if (month < 1 || month > 12 || text[0] == '0') return false;
    static constexpr const char* kMonths[] = {"jan", "feb", "mar", "apr", "may", "jun",
                                              "jul", "aug", "sep", "oct", "nov", "dec"};
    const std::string words =
        NormalizeWords(text.substr(8) + " " + kMonths[month - 1] + " " + text.substr(0, 4));
    impl_.readings.push_back({impl_.tree.Named(Op::kText, words), Reading::When::kAlways});
    return true;
  }

  // As programs write them: I is the imaginary unit in a constant or where it is multiplied with a star, E is Euler's number in the
  // latter case.
  void ProgramConstants(const std::string& normal) {
    if (impl_.readings.empty() || impl_.readings[0].root == kNoNode || normal.size() < 2) return;
    const NodeId root = impl_.readings[0].root;
    Tree& tree = impl_.tree;
    if (tree[root].op == Op::kSym) return;
    const bool i = ContainsSymbol(tree, root, "I");
    const bool starred_i =
        i && (normal.find("*I") != std::string::npos || normal.find("I*") != std::string::npos);
    const bool e = ContainsSymbol(tree, root, "E") && (normal.find("*E") != std::string::npos ||
                                                       normal.find("E*") != std::string::npos ||
                                                       normal.find("exp(") != std::string::npos);
    if (!i && !e) return;
    const NodeId copy = CopyWith(&tree, root, [&](NodeId at) -> NodeId {
      if (tree[at].op != Op::kSym) return kNoNode;
      if (i && tree.Name(at) == "I") return tree.Const(ConstId::kI);
      return e && tree.Name(at) == "E" ? tree.Const(ConstId::kE) : kNoNode;
    });
    if (copy != root && (starred_i || e || !HasSymbols(tree, copy)))
      impl_.readings.push_back({copy, Reading::When::kAlways});
  }

  void ReadChoice(const std::string& normal) {
    const bool listed = !options_.choices.empty();
    std::string frame = ChoiceFrame(normal);
    const size_t label = ChoiceLabelBytes(frame);
    frame.erase(0, label);
    Choice choice = FindChoice(frame, listed);
    choice.framed = choice.framed || (label != 0 && choice.letter != 0);
    if (choice.letter == 0 && !listed && !frame.empty()) {
      std::string capital = frame;
      char& letter = capital[capital[0] == '(' && capital.size() > 1 ? 1 : 0];
      // Euler's number and the imaginary unit are themselves where they stand alone.
      const bool constant = frame == "e" || frame == "i";
      if (letter >= 'a' && letter <= 'j' && !constant) letter = static_cast<char>(letter - 32);
      const Choice small = FindChoice(capital, listed);
      if (!small.framed || !NamesAnother(ChoiceRest(capital), small.letter, /*listed=*/true))
        impl_.small_choice = small.letter;
    }
    if (choice.letter != 0 && listed) {
      const std::string letter(1, static_cast<char>(choice.letter));
      const auto same = [&letter](const std::string& c) {
        return c.size() == 1 && (c[0] == letter[0] || (c[0] >= 'a' && c[0] - 32 == letter[0]));
      };
      if (std::none_of(options_.choices.begin(), options_.choices.end(), same)) return;
    }
    // "(B) or (C)" chooses nothing.
    if (choice.framed && NamesAnother(ChoiceRest(frame), choice.letter, listed)) return;
    impl_.choice = choice.letter;
    impl_.choice_framed = choice.framed;
    impl_.choice_listed = listed && choice.letter != 0;
    if (choice.framed) impl_.choice_text = ChoiceRest(frame);
  }

  // A formula that is not whole: brackets, \left or \begin that do not close, a command without its arguments, nothing but
  // signs. It is no answer of any kind, not even the same text as itself.
  static bool IsBroken(const std::string& normal) {
    int braces = 0;
    int brackets = 0;
    int pairs = 0;
    int letters = 0;  // of words; not of commands
    bool content = false;
    bool command = false;
    for (size_t i = 0; i < normal.size() && braces >= 0; ++i) {
      const char c = normal[i];
      if (c == '\\') {
        size_t j = i + 1;
        while (j < normal.size() && IsAlpha(normal[j])) ++j;
        const std::string_view name = std::string_view(normal).substr(i + 1, j - i - 1);
        pairs += name == "left" || name == "begin" ? 1 : name == "right" || name == "end" ? -1 : 0;
        if (name == "frac" || name == "sqrt" || name == "dfrac" || name == "tfrac") {
          if (CompleteArguments(normal, j) < (name == "sqrt" ? 1 : 2)) return true;
        } else if (name != "ldots" && name != "dots" && name != "cdots" && name != "text") {
          content = content || !name.empty();
        }
        command = command || !name.empty();
        i = name.empty() ? i + 1 : j - 1;
        continue;
      }
      braces += c == '{' ? 1 : c == '}' ? -1 : 0;
      brackets += c == '(' || c == '[' ? 1 : c == ')' || c == ']' ? -1 : 0;
      letters += IsAlpha(c) ? 1 : 0;
      content =
          content || IsAlpha(c) || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80;
    }
    const bool words = letters > 1 && !command;
    return braces != 0 || pairs != 0 || !content || (brackets != 0 && !words);
  }

  // How many arguments, up to two, stand behind a command.
  static int CompleteArguments(const std::string& text, size_t at) {
    int count = 0;
    while (count < 2) {
      while (at < text.size() && IsSpace(text[at])) ++at;
      if (at >= text.size() || text[at] == '}' || text[at] == ',') return count;
      if (text[at] == '[') {
        at = std::min(text.size(), text.find(']', at));
        if (at < text.size()) ++at;
        continue;
      }
      if (text[at] == '{') {
        if (at + 1 < text.size() && text[at + 1] == '}') return count;
        int depth = 0;
        for (; at < text.size(); ++at) {
          depth += text[at] == '{' ? 1 : text[at] == '}' ? -1 : 0;
          if (depth == 0) break;
        }
      }
      ++at;
      ++count;
    }
    return count;
  }

  void Words(const std::string& normal) {
    // A formula that cannot be read equals only itself.
    std::string words = NormalizeWords(normal);
    if (words.empty()) return;
    if (const auto number = ReadNumberPhrase(words)) {
      impl_.readings.push_back(
          {impl_.tree.Number(number->num, number->den), Reading::When::kAlways});
      return;
    }
    if (!impl_.choice_framed && impl_.small_choice == 0 && IsBroken(normal)) return;
    if (!IsPlainWords(normal)) words = "unread: " + WithoutStyles(impl_.source);
    const NodeId id = impl_.tree.Named(Op::kText, words);
    impl_.readings.push_back({id, Reading::When::kAlways});
    impl_.error = ParseError::kNone;
    impl_.kind = AnswerKind::kText;
  }

  const ParseOptions& options_;
  ParsedAnswer::Impl& impl_;
};

}  // namespace

const char* ParseErrorName(ParseError error) {
  switch (error) {
    case ParseError::kNone:
      return "none";
    case ParseError::kEmpty:
      return "empty";
    case ParseError::kSyntax:
      return "syntax";
    case ParseError::kLimit:
      return "limit";
  }
  return "";
}

const char* AnswerKindName(AnswerKind kind) {
  switch (kind) {
    case AnswerKind::kNone:
      return "none";
    case AnswerKind::kNumber:
      return "number";
    case AnswerKind::kExpression:
      return "expression";
    case AnswerKind::kRelation:
      return "relation";
    case AnswerKind::kCollection:
      return "collection";
    case AnswerKind::kChoice:
      return "choice";
    case AnswerKind::kText:
      return "text";
  }
  return "";
}

ParsedAnswer::ParsedAnswer() = default;
ParsedAnswer::~ParsedAnswer() = default;
ParsedAnswer::ParsedAnswer(const ParsedAnswer&) = default;
ParsedAnswer::ParsedAnswer(ParsedAnswer&&) noexcept = default;
ParsedAnswer& ParsedAnswer::operator=(const ParsedAnswer&) = default;
ParsedAnswer& ParsedAnswer::operator=(ParsedAnswer&&) noexcept = default;
ParsedAnswer::ParsedAnswer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

ParseError ParsedAnswer::error() const { return impl_ ? impl_->error : ParseError::kEmpty; }
AnswerKind ParsedAnswer::kind() const { return impl_ ? impl_->kind : AnswerKind::kNone; }

std::string ParsedAnswer::ToString() const {
  std::string out;
  if (ok() && !impl_->readings.empty()) PrintNode(impl_->tree, impl_->readings[0].root, &out);
  return out;
}

ParsedAnswer Parse(std::string_view text, const ParseOptions& options) {
  auto impl = std::make_shared<ParsedAnswer::Impl>();
  Reader(options, impl.get()).Read(text);
  return ParsedAnswer(std::move(impl));
}

}  // namespace assay::math
