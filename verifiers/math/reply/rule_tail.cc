// Rules "formula", "bold" and "equals": what stands last where an answer would, though nothing announces it.
#include <algorithm>
#include <string>
#include <vector>

#include "core/text.h"
#include "verifiers/math/reply/announced.h"
#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/clean_answer.h"
#include "verifiers/math/reply/denial.h"
#include "verifiers/math/reply/formulas.h"
#include "verifiers/math/reply/language_words.h"
#include "verifiers/math/reply/retraction.h"
#include "verifiers/math/reply/rules.h"
#include "verifiers/math/reply/sentences.h"
#include "verifiers/math/reply/spans.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

// How far before the end of a whole reply a formula may stand and still be its answer.
constexpr size_t kTailBytes = 800;

// Digits, signs and fractions: what a unit may stand behind.
bool IsPlainNumber(std::string_view formula) {
  bool digit = false;
  for (size_t i = 0; i < formula.size(); ++i) {
    if (IsLetter(formula[i])) {
      if (i == 0 || formula[i - 1] != '\\') return false;
      size_t j = i;
      while (j < formula.size() && IsLetter(formula[j])) ++j;
      if (!OneOf(formula.substr(i, j - i), "frac", "dfrac", "tfrac", "sqrt", "pi")) return false;
      i = j - 1;
    } else if (formula[i] == '=' || formula[i] == '<' || formula[i] == '>') {
      return false;
    }
    digit = digit || IsDigit(formula[i]);
  }
  return digit;
}

// Behind a formula and before the next one: "$f(x) = 2x$ for all $x$" has a condition there, not another answer.
bool BeginsCondition(const std::string& gap) {
  if (gap.find(". ") != kNone || gap.find('\n') != kNone) return false;
  const size_t word_begin = gap.find_first_not_of(" ,(");
  if (word_begin == kNone) return false;
  size_t word_end = 0;
  return OneOf(WordAt(gap, word_begin, gap.size(), &word_end), "for", "where", "when", "with", "if",
               "since", "because", "as", "denn", "weil", "da", "wobei", "für", "car", "puisque",
               "où", "pour", "donde", "porque", "pues", "pois", "onde", "perché", "dove", "bo",
               "gdzie", "gdyż", "где", "так", "при", "want", "omdat");
}

// The end of a formula's answer: a unit or a percent sign behind a plain number is what a direct reading takes along. Behind
// other formulas stands prose.
size_t EndWithUnit(const Reply& reply, const Formula& last) {
  const std::string_view text = reply.text;
  if (!IsPlainNumber(text.substr(last.inner_begin, last.inner_end - last.inner_begin)))
    return last.end;
  const size_t with_unit = ReadDirect(text, last.begin, ClauseEnd(text, last.begin, reply.hi)).end;
  const std::string_view unit = text.substr(last.end, std::max(last.end, with_unit) - last.end);
  const bool words =
      std::any_of(unit.begin(), unit.end(), IsLetter) && !ParseUnit(Trim(unit)).known;
  if (reply.options.mode == Mode::kLatex && words) return last.end;
  return std::max(last.end, with_unit);
}

// "$m = 25$, $n = 8$ and $m + n = 33$": an equation whose left side is worked out of what was listed before stands alone.
bool AsksForSum(std::string_view formula) {
  const size_t equals = formula.find('=');
  if (equals == kNone || equals == 0) return false;
  const std::string_view left = Trim(formula.substr(0, equals));
  const size_t sign = left.find_first_of("+-", 1);
  return sign != kNone && sign + 1 < left.size() &&
         std::any_of(left.begin(), left.end(), IsLetter) && left.find_first_of("<>,(") == kNone;
}

// The sign that ends a proof says nothing.
bool EndsProof(std::string_view formula) {
  return OneOf(formula, "\\blacksquare", "\\square", "\\Box", "\\qed", "\\qedsymbol", "∎",
               "\\checkmark", "\\quad\\blacksquare", "\\qquad\\blacksquare", "\\text{QED}",
               "\\text{Q.E.D.}");
}

// "Compute $99^2+99+1$ in your head.": the formula of a task is none's answer.
bool IsTasks(const Reply& reply, size_t at) {
  static const WordSet kTasks = {
      "compute",   "calculate",  "evaluate",  "find",    "determine", "simplify", "solve",
      "express",   "expand",     "factor",    "prove",   "show",      "verify",   "berechne",
      "berechnen", "bestimme",   "finde",     "calcule", "calculez",  "calculer", "trouve",
      "trouver",   "calcula",    "calcular",  "halla",   "encuentra", "encontre", "calcola",
      "trova",     "вычисли",    "вычислите", "найди",   "найдите",   "oblicz",   "bereken",
      "hesapla",   "hesaplayın", "tính",      "hitung"};
  const size_t begin = SkipMarkup(reply.text, ClauseBegin(reply.text, at, reply.lo), at);
  size_t word_end = begin;
  const std::string word = WordAt(reply.text, begin, at, &word_end);
  if (kTasks.Has(word)) return true;
  return HasAt(reply.text, begin, "计算") || HasAt(reply.text, begin, "求") ||
         HasAt(reply.text, begin, "計算");
}

bool LastFormula(const Reply& reply, size_t from, Candidate* out) {
  const std::string_view text = reply.text;
  FormulaReader formulas(text, reply.hi);
  Formula formula;
  Formula first{};  // of the list that the last formula ends
  Formula last{};
  bool condition = false;  // "where .." has begun
  for (size_t i = from; i < reply.hi;) {
    if ((text[i] != '$' && text[i] != '\\') || (i > 0 && text[i] == '$' && text[i - 1] == '\\') ||
        !formulas.ReadAt(i, &formula)) {
      i += text[i] == '\\' ? 2 : 1;
      continue;
    }
    i = formula.end;
    const std::string gap =
        last.end == 0 ? "." : AsciiLower(Trim(text.substr(last.end, formula.begin - last.end)));
    const bool same_sentence = gap.find(". ") == kNone && gap.find('\n') == kNone;
    condition = last.end != 0 && (BeginsCondition(gap) || (condition && same_sentence));
    if (condition) continue;
    const std::string_view inner =
        Trim(text.substr(formula.inner_begin, formula.inner_end - formula.inner_begin));
    if (inner.empty() || EndsProof(inner) || IsTasks(reply, formula.begin)) continue;
    const bool listed = OneOf(gap, ",", "and", "or", ", and", ", or", ";");
    if (!listed || AsksForSum(inner)) first = formula;
    last = formula;
  }
  if (last.end == 0) return false;
  const size_t end = EndWithUnit(reply, last);
  if (first.begin != last.begin || end != last.end)
    return TakeSpan(reply, Rule::kFormula, first.begin, end, out);
  out->rule = Rule::kFormula;
  out->begin = last.begin;
  out->end = last.end;
  out->text.assign(text.substr(last.inner_begin, last.inner_end - last.inner_begin));
  return true;
}

// "The graph is an **ellipse**.": words behind a copula in the last sentence.
bool IsBoldWord(const Reply& reply, size_t open, size_t begin, size_t close) {
  const std::string_view text = reply.text;
  const std::string_view words = text.substr(begin, close - begin);
  if (words.size() > 40 || words.empty() || !std::all_of(words.begin(), words.end(), [](char c) {
        return IsLetter(c) || c == ' ' || c == '-' || static_cast<unsigned char>(c) >= 0x80;
      }))
    return false;
  const size_t after = SkipMarkup(text, close, reply.hi);
  if (after + 1 < reply.hi && !Trim(text.substr(after + 1, reply.hi - after - 1)).empty())
    return false;
  std::string last;
  for (size_t i = ClauseBegin(text, open, reply.lo); i < open;) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, open, &word_end);
    i = std::max(i + 1, word_end);
    if (!word.empty() && !OneOf(word, "a", "an", "the")) last = word;
  }
  return IsCopula(last);
}

// "**16** or more", "**16** squared": what stands behind the emphasis makes another value of it.
bool GoesOnBehind(const Reply& reply, size_t begin, size_t close, size_t mark) {
  const size_t end = ClauseEnd(reply.text, close + mark, reply.hi);
  const std::string plain = StrCat(reply.text.substr(begin, close - begin),
                                   reply.text.substr(close + mark, end - close - mark));
  const DirectSpan span = ReadDirect(plain, 0, plain.size());
  return span.doubted || span.corrected;
}

// "**the boots cost $104**": the one number of emphasised words, at their end.
bool BoldSentence(const Reply& reply, size_t begin, size_t close, Candidate* out) {
  const std::string_view text = reply.text;
  const size_t number = LastNumberBegin(text, begin, close);
  if (number == kNone || Lenient(reply) || LastNumberBegin(text, begin, number) != kNone)
    return false;
  for (size_t i = begin; i < number;) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, number, &word_end);
    i = std::max(i + 1, word_end);
    if (IsNegation(word) || IsHedge(word) || IsQualifier(word) || IsModifier(word)) return false;
  }
  const DirectSpan span = ReadDirect(text, number, close);
  return span.end == close && !span.doubted &&
         TakeSpan(reply, Rule::kBold, number, span.end, out, span.unit);
}

bool LastBold(const Reply& reply, size_t from, Candidate* out) {
  const std::string_view text = reply.text;
  const std::string_view tail = text.substr(0, reply.hi);
  for (const std::string_view mark : {std::string_view("**"), std::string_view("`")}) {
    const size_t close = tail.rfind(mark);
    if (close == kNone || close <= from) continue;
    const size_t open = tail.rfind(mark, close - 1);
    if (tail.substr(open == kNone ? close : open, 16).find("\\boxed") != kNone) continue;
    if (open == kNone || open < from || close - open > 200 || open + mark.size() >= close) continue;
    const size_t begin = open + mark.size();
    const DirectSpan span = ReadDirect(text, SkipSpace(text, begin, close), close);
    if (span.end == 0 && BoldSentence(reply, begin, close, out)) return true;
    if (span.end == 0 && IsBoldWord(reply, open, begin, close))
      return TakeSpan(reply, Rule::kBold, begin, close, out);
    if (span.end == 0 || !Trim(text.substr(span.end, close - span.end)).empty()) continue;
    if (!Lenient(reply) && GoesOnBehind(reply, begin, close, mark.size())) return false;
    return TakeSpan(reply, Rule::kBold, begin, span.end, out, span.unit);
  }
  return false;
}

// Behind markup and adverbs ("is therefore exactly 7").
size_t SkipFillers(const Reply& reply, size_t at, size_t end) {
  const std::string_view text = reply.text;
  size_t i = SkipMarkup(text, at, end);
  for (int words = 0; words < 4; ++words) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, end, &word_end);
    if (!OneOf(word, "therefore", "thus", "then", "hence", "so", "simply", "exactly", "just",
               "equal", "to", "also", "有", "是", "为", "了"))
      break;
    i = SkipMarkup(text, word_end, end);
  }
  return i;
}

// What may stand behind a sentence's last value without changing it: ", altogether", a verb glued to it.
bool SaysNoMore(std::string_view rest) {
  if (rest.empty() || rest == "," || GluedVerbBytes(rest) == rest.size()) return true;
  if (rest.front() == ',') rest = Trim(rest.substr(1));
  return OneOf(AsciiLower(rest), "altogether", "all together", "in total", "total", "overall",
               "in all", "all in all", "です", "となる", "となります", "になります", "である", "だ",
               "है", "हैं", "होगा", "होगी");
}

// "There is no solution", "the limit does not exist": where what it says begins, in text[begin, end).
size_t SaysThereIsNone(std::string_view text, size_t begin, size_t end) {
  const std::string sentence = AsciiLower(text.substr(begin, end - begin));
  for (const std::string_view said :
       {"no solution", "no solutions", "no real solution", "no real solutions", "does not exist"}) {
    if (EndsWith(sentence, said) &&
        (sentence.size() == said.size() || sentence[sentence.size() - said.size() - 1] == ' '))
      return end - said.size();
  }
  return kNone;
}

// Not "from line 12", "divide by 12", "subtract 12".
bool MayCount(std::string_view word) {
  return !OneOf(word, "by", "from", "line", "in", "of", "with", "to", "than", "on", "page",
                "subtract", "add", "divide", "multiply", "over", "under", "exceeds", "use", "try",
                "remains", "question", "problem", "part", "theorem", "lemma", "figure", "table",
                "section");
}

// "So she needs 12 eggs.": a last sentence that concludes and holds one value, which nothing denies, doubts or supposes.
bool Concludes(Reply* reply, size_t begin, size_t end, Candidate* out) {
  const std::string_view text = reply->text;
  size_t word_end = begin;
  begin = SkipMarkup(text, begin, end);
  const std::string first = WordAt(text, begin, end, &word_end);
  if (!OneOf(first, "so", "therefore", "thus", "hence", "consequently", "altogether", "overall",
             "donc", "daher", "somit", "insgesamt", "entonces", "portanto", "quindi"))
    return false;
  std::string before;  // the word in front of the number
  for (size_t i = word_end; i < end;) {
    size_t next = i;
    const std::string word = WordAt(text, i, end, &next);
    if (word.empty() && IsDigit(text[i]) && !MayCount(before)) return false;
    i = std::max(i + 1, next);
    // "a total of 12"
    if (!word.empty()) before = word == "of" && OneOf(before, "total", "sum") ? "" : word;
    if (IsNegation(word) ||
        OneOf(word, "let", "suppose", "assume", "try", "consider", "check", "if", "or", "say",
              "unless", "first", "step", "case", "equation", "number"))
      return false;
  }
  while (word_end < end && (text[word_end] == ',' || text[word_end] == ':')) ++word_end;
  const char* const refusal = reply->refusal;
  const bool found = ReadAnnounced(reply, word_end, out, 0);
  reply->refusal = refusal;
  out->rule = Rule::kEquals;
  return found && LastNumberBegin(text, out->end, end) == kNone;
}

// "They will be 27 miles from City A when they meet.": the one number of the last sentence, right behind a copula.
bool OnlyValue(Reply* reply, size_t begin, size_t end, const std::vector<size_t>& values,
               Candidate* out) {
  const std::string_view text = reply->text;
  const size_t number = LastNumberBegin(text, begin, end);
  if (number == kNone || values.empty() || LastNumberBegin(text, begin, number) != kNone ||
      text.substr(begin, end - begin).find_first_of("$\\=?") != kNone)
    return false;
  if (SkipFillers(*reply, values.back(), end) != number) return false;
  size_t word_end = begin;
  if (OneOf(WordAt(text, SkipMarkup(text, begin, end), end, &word_end), "if", "when", "suppose",
            "assume", "let", "since", "because", "as", "for", "unless", "while"))
    return false;
  const char* const refusal = reply->refusal;
  const bool found = ReadAnnounced(reply, number, out, 0);
  reply->refusal = refusal;
  out->rule = Rule::kEquals;
  return found;
}

// The last sentence that has one: `.. = X.` or ".. is X." with nothing behind X.
bool FinalEquals(Reply* whole, size_t from, Candidate* out) {
  const Reply& reply = *whole;
  const std::string_view text = reply.text;
  size_t end = reply.hi;
  while (end > from && (IsSpace(text[end - 1]) || text[end - 1] == '.' || text[end - 1] == '*' ||
                        (text[end - 1] == ']' && end >= from + 2 && text[end - 2] == ' '))) {
    --end;
  }
  while (end >= from + 3 && ForeignStopBytes(text, end - 3) == 3) end -= 3;
  if (end > from + 1 && text[end - 1] == '!' && IsDigit(text[end - 2])) --end;  // an exclamation
  const size_t begin = std::max(from, ClauseBegin(text, end, from));
  if (const size_t none = SaysThereIsNone(text, begin, end); none != kNone)
    return TakeSpan(reply, Rule::kEquals, none, end, out);
  std::vector<size_t> values;  // where one may begin
  std::string last;
  bool there = false;         // "there are 12 of them" announces nothing
  size_t conclusion = kNone;  // behind "therefore", for want of a verb
  FormulaReader formulas(text, end);
  Formula formula;
  for (size_t i = begin; i < end && values.size() < 16;) {
    // What stands in a formula is for the rule of formulas.
    if (formulas.ReadAt(i, &formula)) {
      i = formula.end;
      continue;
    }
    size_t word_end = i;
    const std::string word = WordAt(text, i, end, &word_end);
    if (word.empty()) {
      if (text[i] == '=') values.push_back(i + 1);
      i = std::max(i + 1, word_end);
      continue;
    }
    // "x = 2, because x = 18 is too large"
    if (!values.empty() &&
        OneOf(word, "because", "since", "denn", "weil", "car", "porque", "perché")) {
      end = i;
      break;
    }
    i = word_end;
    if (IsNegation(word) || IsHedge(word)) values.clear();
    const bool leads = word == "to" && OneOf(last, "comes", "amounts", "evaluates", "simplifies",
                                             "reduces", "up", "out", "down", "leads", "sums");
    last = word;
    if ((IsCopula(word) || IsTotalWord(word) || leads) && !there) values.push_back(i);
    if (OneOf(word, "therefore", "thus", "hence", "overall", "altogether")) conclusion = i;
    there = word == "there";
  }
  if (values.empty() && conclusion != kNone) {
    while (conclusion < end && (text[conclusion] == ',' || text[conclusion] == ':')) ++conclusion;
    values.push_back(conclusion);
  }
  // The first one behind which nothing but an answer stands: "x = 4 or x = -4" is one answer, not its last part.
  for (size_t value : values) {
    value = SkipFillers(reply, value, end);
    if (IsSpelledNumber(text.substr(value, end - value)))
      return TakeSpan(reply, Rule::kEquals, value, end, out);
    const DirectSpan span = ReadDirect(text, value, end);
    if (span.end == 0 || !SaysNoMore(Trim(text.substr(span.end, end - span.end)))) continue;
    return TakeSpan(reply, Rule::kEquals, value, span.end, out, span.unit);
  }
  if (Lenient(reply)) return false;
  return Concludes(whole, begin, end, out) || OnlyValue(whole, begin, end, values, out);
}

// "$1 + 61 = 62$. The answer is therefore not 62.": what an announcement behind the candidate denies is the candidate's value.
bool DeniedLater(const Reply& reply, const Candidate& candidate, size_t refused) {
  const std::string_view text = reply.text;
  const size_t number = LastNumberBegin(candidate.text, 0, candidate.text.size());
  if (number == kNone) return false;
  const std::string_view tail = std::string_view(candidate.text).substr(number);
  const std::string_view value =
      tail.substr(0, std::min(tail.find_first_not_of("-0123456789"), tail.size()));
  const std::string_view said = text.substr(refused, ClauseEnd(text, refused, reply.hi) - refused);
  const size_t at = said.find(value);
  if (at == kNone) return false;
  const size_t behind = at + value.size();
  return (behind >= said.size() || !IsDigit(said[behind])) && (at == 0 || !IsDigit(said[at - 1]));
}

}  // namespace

bool ByTail(Reply* reply, Extraction* out) {
  const std::string_view text = reply->text;
  const bool whole_reply = !Lenient(*reply);
  if (whole_reply && reply->options.truncated) return false;
  const size_t from =
      whole_reply && reply->hi - reply->lo > kTailBytes ? reply->hi - kTailBytes : reply->lo;
  Candidate best;
  Candidate candidate;
  if (reply->options.mode != Mode::kExpr && LastFormula(*reply, from, &candidate)) best = candidate;
  if (reply->options.mode != Mode::kLatex) {
    if (LastBold(*reply, from, &candidate) &&
        (best.rule == Rule::kNone || candidate.begin >= best.end))
      best = candidate;
    if (FinalEquals(reply, from, &candidate) &&
        (best.rule == Rule::kNone || candidate.begin >= best.end))
      best = candidate;
  }
  // Where plain text counts as much as formulas, the later of the two is the answer.
  if (reply->options.mode == Mode::kLatexExpr && best.rule == Rule::kFormula) {
    const size_t number = LastNumberBegin(text, best.end, reply->hi);
    if (number != kNone) return ByNumber(*reply, out);
  }
  if (best.rule == Rule::kNone || IsPlaceholder(best.text)) return false;
  if (reply->none_at > best.end) return false;
  for (const Box& box : reply->quoted_boxes) {
    if (box.begin < best.end && best.begin < box.end) return false;
  }
  const size_t sentence = ClauseBegin(text, best.begin, reply->lo);
  for (const size_t refused : reply->refused_anchors) {
    if (refused > best.end && DeniedLater(*reply, best, refused)) return false;
    if (refused >= sentence && refused < best.end) return false;
  }
  if (whole_reply && ValueDenied(reply, sentence, best.begin, best.end)) return false;
  if (Retracted(*reply, best.end, best.text)) {
    reply->refusal = "retracted";
    return false;
  }
  return Accept(best, out);
}

}  // namespace assay::math
