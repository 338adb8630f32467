#include "verifiers/math/reply/announced.h"

#include <algorithm>
#include <string>

#include "core/text.h"
#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/formulas.h"
#include "verifiers/math/reply/language_words.h"
#include "verifiers/math/reply/sentences.h"
#include "verifiers/math/reply/spans.h"

namespace assay::math {
namespace {

// How often "4, no, 5" and "which is" may lead on.
constexpr int kMaxDepth = 3;

// What a sentence of prose holds.
struct Prose {
  size_t copula = kNone;  // behind the last copula or `=`
  size_t first_value = kNone;
  int values = 0;
  int words = 0;
  bool qualified = false;  // "at least", "up to" before the first value
  bool hedged = false;     // "it could be"
  bool elsewhere = false;  // "on page 3": the first word
  bool nothing = false;    // "no ..": the first word
  bool property = false;   // "divisible by"
  bool modified = false;   // "twice", "half of" right before it
  bool denied = false;
  bool spoken = false;  // "I ..", "we .."
};

Prose Survey(std::string_view text, size_t at, size_t end) {
  Prose prose;
  bool up = false;  // "up to"
  FormulaReader formulas(text, end);
  Formula formula;
  for (size_t i = at; i < end;) {
    if (formulas.ReadAt(i, &formula)) {
      if (prose.values++ == 0) prose.first_value = i;
      i = formula.end;
      continue;
    }
    if (IsDigit(text[i])) {
      if (prose.values++ == 0) prose.first_value = i;
      while (i < end && (IsDigit(text[i]) || text[i] == '.' || text[i] == ',' || text[i] == '/'))
        ++i;
      continue;
    }
    if (text[i] == '=' || text[i] == ':') prose.copula = i + 1;
    // "the sum, 57"
    if (text[i] == ',' && prose.words > 0 && prose.values == 0 &&
        ReadDirect(text, SkipSpace(text, i + 1, end), end).end == end)
      prose.copula = i + 1;
    size_t word_end = i;
    const std::string word = WordAt(text, i, end, &word_end);
    if (word.empty()) {
      i = std::max(i + 1, word_end);
      continue;
    }
    const bool first = ++prose.words == 1;
    i = word_end;
    prose.nothing = prose.nothing || (first && word == "no");
    if (IsCopula(word) || OneOf(word, "leaving", "leaves", "namely")) prose.copula = i;
    if (word == "i" && HasAt(text, i, ".e.")) prose.copula = i + 3;
    if (prose.values == 0) {
      prose.qualified = prose.qualified || IsQualifier(word) || (word == "to" && up);
      prose.hedged = prose.hedged || DoubtsWhatFollows(word, text, word_end, end);
      prose.elsewhere = prose.elsewhere || (first && OneOf(word, "found", "on", "worth", "located",
                                                           "listed", "shown", "explained"));
      prose.property = prose.property || IsProperty(word);
      prose.modified = IsModifier(word) || (prose.modified && word == "of") ||
                       OneOf(word, "divisors", "divisor", "factors", "multiples", "digits", "part",
                             "question", "figure", "page", "table", "problem", "exercise",
                             "section", "theorem", "lemma", "step", "line", "equation");
    }
    up = first && word == "up";
    prose.denied = prose.denied || IsNegation(word);
    prose.spoken = prose.spoken || (first && OneOf(word, "i", "we", "i'm"));
  }
  return prose;
}

// Where a verb glued to the end of text[at, end) begins ("oddです"), or `end`.
size_t WithoutFinalVerb(std::string_view text, size_t at, size_t end) {
  const std::string_view piece = text.substr(at, end - at);
  for (const std::string_view verb : {"です", "である", "입니다", "이다", " है", " होगा"}) {
    if (EndsWith(piece, verb)) return end - verb.size();
  }
  return end;
}

// "ist durch 5 teilbar", "5'in katıdır": a verb or a noun behind the number makes a property of it.
bool EndsAsProperty(std::string_view rest) {
  static const WordSet kWords = {"teilbar", "deelbaar",    "katı",          "katıdır", "katlarıdır",
                                 "bölünür", "bölünebilir", "bölünmektedir", "विभाज्य",  "গুণিতক",
                                 "বিভাজ্য",  "osztható",    "jaollinen"};
  rest = rest.substr(0, rest.find(','));
  int words = 0;
  for (size_t i = 0; i < rest.size() && words < 4;) {
    const size_t at = i;
    const std::string word = WordAt(rest, at, rest.size(), &i);
    i = std::max(i, at + 1);
    if (word.empty()) continue;
    ++words;
    if (kWords.Has(word)) return true;
  }
  return false;
}

// Prose before the answer: behind the last copula, else the last `=`, else the only (or, in the lenient modes, the first)
// value.
bool ReadProse(Reply* reply, size_t at, size_t end, Candidate* out, int depth) {
  const std::string_view text = reply->text;
  const Prose prose = Survey(text, at, end);
  if (prose.denied && prose.copula == kNone && prose.values > 0) {
    reply->refusal = "negated";
    return false;
  }
  if ((prose.hedged || EndsAsProperty(text.substr(at, end - at))) && prose.values > 0) {
    reply->refusal = "hedged";
    return false;
  }
  if (prose.copula != kNone && depth < kMaxDepth &&
      ReadAnnounced(reply, prose.copula, out, depth + 1))
    return true;
  if (prose.copula != kNone && std::string_view(reply->refusal) == "negated") return false;
  if (prose.elsewhere && prose.values > 0) return false;
  size_t adjective_end = at;
  if (DescribesValue(WordAt(text, at, end, &adjective_end)) && prose.values == 1 &&
      ReadDirect(text, SkipSpace(text, adjective_end, end), end).end >=
          WithoutFinalVerb(text, at, end))
    return TakeSpan(*reply, Rule::kAnchor, at, WithoutFinalVerb(text, at, end), out);
  if (reply->strict) return false;
  if ((prose.qualified && (prose.values > 0 || !prose.nothing)) ||
      ((prose.modified || prose.property) && prose.values > 0)) {
    reply->refusal = "hedged";
    return false;
  }
  if (prose.values == 1 || (prose.values > 1 && Lenient(*reply))) {
    size_t value = prose.first_value;
    if (value > at && (text[value - 1] == '-' || text[value - 1] == '$')) --value;
    const DirectSpan span = ReadDirect(text, value, end);
    return span.end > value && !span.doubted &&
           TakeSpan(*reply, Rule::kAnchor, value, span.end, out, span.unit);
  }
  if (prose.values == 0 && prose.words > 6 &&
      IsSpelledNumber(text.substr(at, WithoutFinalVerb(text, at, end) - at)))
    return TakeSpan(*reply, Rule::kAnchor, at, WithoutFinalVerb(text, at, end), out);
  if (prose.values == 0 && prose.words > 0 && prose.words <= 6 && !(prose.spoken && prose.denied))
    return TakeSpan(*reply, Rule::kAnchor, at, WithoutFinalVerb(text, at, end), out);
  return false;
}

// "The answer is:" and then lines that begin with "- ".
bool ReadBullets(const Reply& reply, size_t at, Candidate* out) {
  const std::string_view text = reply.text;
  if (at == 0 || text[at - 1] != '\n') return false;
  out->text.clear();
  size_t i = at;
  for (int items = 0; items < 16 && i + 1 < reply.hi && text[i] == '-' && text[i + 1] == ' ';
       ++items) {
    const size_t begin = SkipMarkup(text, i + 2, reply.hi);
    const size_t end = ClauseEnd(text, begin, reply.hi);
    const DirectSpan span = ReadDirect(text, begin, end);
    if (span.end <= begin) return false;
    StrAppend(&out->text, items == 0 ? "" : ", ", text.substr(begin, span.end - begin));
    out->end = span.end;
    i = end;
    while (i < reply.hi && text[i] != '\n' && i < end + 8) ++i;
    if (i < reply.hi && text[i] == '\n') ++i;
  }
  out->rule = Rule::kAnchor;
  out->begin = at;
  return !out->text.empty();
}

// Moves *at behind words that say nothing ("therefore exactly"). False: no answer follows, or it is doubted or denied;
// *instead is then where the right one begins, if one is given.
bool SkipSilentWords(Reply* reply, size_t* at, size_t end, size_t* instead) {
  const std::string_view text = reply->text;
  for (int fillers = 0; fillers < 6; ++fillers) {
    size_t word_end = *at;
    const std::string word = WordAt(text, *at, end, &word_end);
    if (word.empty()) break;
    if (OneOf(word, "unknown", "undetermined", "unclear", "unsure") &&
        SkipMarkup(text, word_end, end) >= end)
      reply->none_at = *at;
    if (SaysNothing(word) || OneOf(word, "as", "follows")) {
      // "The answer is correct: 10", "as follows:"
      const bool leads = (word_end < end && text[word_end] == ':') || word == "as";
      if (!leads) return false;
      *at = SkipMarkup(text, word_end + (word == "as" ? 0 : 1), end);
      continue;
    }
    if (IsNegation(word)) {
      reply->refusal = "negated";
      *instead = InsteadOf(text, word_end, end);
      return false;
    }
    if (DoubtsWhatFollows(word, text, word_end, end)) {
      reply->refusal = "hedged";
      return false;
    }
    // "the sum 20 + 37 = 57"
    const size_t operand = SkipSpace(text, word_end, end);
    const bool sum = OneOf(word, "sum", "product", "difference", "quotient", "result") &&
                     operand < end && IsDigit(text[operand]);
    if (!IsFiller(word) && !sum) break;
    // A rounded value behind an exact one says nothing new.
    if (reply->strict && OneOf(word, "approximately", "about", "roughly", "around")) return false;
    // "A" and "a" may be the answer itself.
    if (word == "a" && ReadDirect(text, *at, end).end != 0) break;
    *at = SkipMarkup(text, word_end, end);
    while (*at < end && (text[*at] == ':' || text[*at] == ','))
      *at = SkipMarkup(text, *at + 1, end);
  }
  return true;
}

// " for even n and 6 for odd n", " when n is odd, otherwise 7": what stands before was the value of one case only.
bool IsOneOfSeveral(std::string_view rest) {
  size_t word_end = std::min(rest.find_first_not_of(" ,\t\n"), rest.size());
  const std::string condition = WordAt(rest, word_end, rest.size(), &word_end);
  if (!OpensCase(condition)) return false;
  bool joined = false;  // behind a comma, "and", "or"
  bool value = false;   // a value stood there
  bool again = false;   // the condition's word stood there once more: "; for the second it is 12"
  bool named = false;   // and a copula right before
  for (size_t i = word_end; i < rest.size();) {
    const size_t at = i;
    const std::string word = WordAt(rest, at, rest.size(), &i);
    if (word == "otherwise" || word == "else") return true;
    if (!word.empty()) {
      if (value && word == condition) return true;
      again = again || (joined && word == condition);
      named = again && IsCopula(word);
      joined = IsConnector(word) || OneOf(word, "en", "i", "a", "lub", "ve", "veya", "dan", "và");
      value = false;
      continue;
    }
    i = std::max(i, at + 1);
    if (IsDigit(rest[at]) || rest[at] == '$') {
      if (named) return true;
      value = value || joined;
    } else if (rest[at] == ',' || rest[at] == ';') {
      joined = true;
    } else if (!IsSpace(rest[at]) && rest[at] != '-' && rest[at] != '.') {
      joined = value = false;
    }
  }
  return false;
}

// "、奇数のとき5です", "，n为奇数时是5": another case with another value.
bool HasUnspacedCase(std::string_view rest) {
  constexpr size_t kNear = 24;
  for (const std::string_view when : {"のとき", "の時", "の場合", "时", "時", "일 때", "이면"}) {
    const size_t at = rest.find(when);
    if (at == kNone) continue;
    // 小时, 同时: other words.
    const std::string_view before = rest.substr(0, at);
    if (EndsWith(before, "小") || EndsWith(before, "同") || EndsWith(before, "每")) continue;
    std::string_view behind = rest.substr(at + when.size(), kNear);
    for (bool again = true; again;) {
      again = false;
      for (const std::string_view skipped :
           {"，", "、", ",", " ", "は", "答案", "是", "为", "為", "等于", "答え", "に", "="}) {
        if (!StartsWith(behind, skipped)) continue;
        behind.remove_prefix(skipped.size());
        again = true;
      }
    }
    if (!behind.empty() && (IsDigit(behind[0]) || behind[0] == '$')) return true;
  }
  return false;
}

// "30ではなく36": behind the denial of what stands before; 0: there is none.
size_t InsteadBehind(std::string_view rest) {
  for (const std::string_view denial :
       {"ではなく", "じゃなくて", "이 아니라", "가 아니라", " 아니라"}) {
    if (StartsWith(rest, denial)) return denial.size();
  }
  return 0;
}

// " out of 20", " of 200", ", unless ..", ", give or take 1": the value is part of another one, or not asserted.
bool IsDoubtedBehind(std::string_view rest) {
  std::string before;
  for (size_t i = 0; i < rest.size();) {
    size_t word_end = i;
    const std::string word = WordAt(rest, i, rest.size(), &word_end);
    if (word.empty() && IsDigit(rest[i]) && before == "of") return true;
    i = std::max(i + 1, word_end);
    if (word.empty()) continue;
    if (OneOf(word, "unless", "alternatively", "tentatively") ||
        (before == "with" && OneOf(word, "probability", "chance", "confidence")) ||
        (word == "take" && before == "or"))
      return true;
    // Only what follows at once is part of the value.
    before = before.empty() || before == "out" || before == "percent" || before == "per" ||
                     before == "cent"
                 ? word
             : OneOf(word, "or", "with") ? word
                                         : "-";
  }
  return false;
}

// The next sentence begins with "or": "18... or 19".
bool OrFollows(std::string_view text, size_t at, size_t end) {
  size_t i = at;
  while (i < end && i < at + 16 && (text[i] == '.' || text[i] == '$' || IsSpace(text[i]))) ++i;
  return WordIs(text, i, end, "or");
}

// True if a colon or a tag stands right before `at`.
bool Labelled(std::string_view text, size_t at) {
  while (at > 0 && (text[at - 1] == ' ' || text[at - 1] == '*')) --at;
  const std::string_view before = text.substr(0, at);
  for (const std::string_view label : {":", ">", "：", "】", "〗", "คือ"}) {
    if (EndsWith(before, label)) return true;
  }
  return false;
}

}  // namespace

size_t InsteadOf(std::string_view text, size_t at, size_t end) {
  bool it = false;
  for (size_t i = at; i < end;) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, end, &word_end);
    i = std::max(i + 1, word_end);
    if (word == "而" && !WordIs(text, word_end, end, "是")) continue;
    if (IsInstead(word) || (it && word == "is")) return word_end;
    it = word == "it" || (it && word.empty());
  }
  return kNone;
}

// " to the power 4", " raised to the power of 4"
static bool IsPowerInWords(std::string_view rest) {
  rest = Trim(rest);
  for (const std::string_view words : {"raised ", "to the power ", "of "}) {
    if (StartsWith(rest, words))
      rest.remove_prefix(words.size());
    else if (words == "to the power ")
      return false;
  }
  return !rest.empty() && rest.size() < 5 && std::all_of(rest.begin(), rest.end(), IsDigit);
}

// "all real x such that 2 < x < 5": the clause as a whole is the answer. 0: it does not stand at `at`; else where its condition begins.
static size_t ConditionOfAll(std::string_view text, size_t at, size_t end) {
  if (!OneOf(WordAt(text, at, end, &at), "all", "any", "every")) return 0;
  for (int words = 0; words < 8 && at < end; ++words) {
    while (at < end && (text[at] == ' ' || text[at] == '$' || text[at] == '*')) ++at;
    size_t word_end = at;
    const std::string word = WordAt(text, at, end, &word_end);
    if (word.empty()) return 0;
    at = word_end;
    if (OneOf(word, "with", "that", "satisfying", "which", "where", "except", "excluding", "but"))
      return SkipSpace(text, at, end);
    if (word.size() > 1 && !OneOf(word, "real", "values", "value", "numbers", "number", "of",
                                  "reals", "the", "such", "for"))
      return 0;
  }
  return 0;
}

// "the square root of 7", and nothing else.
static bool IsRootInWords(std::string_view clause) {
  for (const std::string_view words : {"the ", "positive ", "square root of ", "cube root of "}) {
    if (!StartsWith(clause, words)) continue;
    clause.remove_prefix(words.size());
    if (!EndsWith(words, "root of ")) continue;
    while (!clause.empty() && (clause.front() == '$' || clause.front() == ' '))
      clause.remove_prefix(1);
    while (!clause.empty() && (clause.back() == '$' || clause.back() == ' '))
      clause.remove_suffix(1);
    return !clause.empty() && clause.size() <= 12 &&
           std::all_of(clause.begin(), clause.end(), IsDigit);
  }
  return false;
}

// "7 over 12", "4 factorial", and nothing else.
static bool IsOperationInWords(std::string_view clause) {
  size_t i = 0;
  const auto digits = [&] {
    const size_t begin = i;
    while (i < clause.size() && IsDigit(clause[i])) ++i;
    return i > begin && i - begin < 10;
  };
  if (!digits()) return false;
  if (clause.substr(i) == " factorial") return true;
  constexpr std::string_view kOver = " over ";
  if (!StartsWith(clause.substr(i), kOver)) return false;
  i += kOver.size();
  return digits() && i == clause.size();
}

// Behind "3と2分の1" at `at`; 0: it does not stand there.
static size_t MixedFractionEnd(std::string_view text, size_t at, size_t end) {
  const auto digits = [&](size_t i) {
    while (i < end && IsDigit(text[i])) ++i;
    return i;
  };
  const auto behind = [&](size_t i, std::initializer_list<std::string_view> words) {
    while (i < end && text[i] == ' ') ++i;
    for (const std::string_view word : words) {
      if (HasAt(text, i, word)) return SkipSpace(text, i + word.size(), end);
    }
    return size_t{0};
  };
  const size_t whole = digits(at);
  const size_t joint = whole == at ? 0 : behind(whole, {"と", "又", "과", "와"});
  const size_t den = joint == 0 ? 0 : digits(joint);
  const size_t over = den <= joint ? 0 : behind(den, {"分の", "分之", "분의"});
  const size_t num = over == 0 ? 0 : digits(over);
  return num > over ? num : 0;
}

bool ReadAnnounced(Reply* reply, size_t at, Candidate* out, int depth) {
  const std::string_view text = reply->text;
  size_t i = SkipMarkup(text, at, reply->hi);
  for (int lines = 0; lines < 3 && i < reply->hi; ++lines) {
    const size_t sign = HasAt(text, i, "：") ? 3 : 1;
    if (sign == 1 && text[i] != '\n' && text[i] != ':' && text[i] != '\r') break;
    i = SkipMarkup(text, SkipSpace(text, i + sign, reply->hi), reply->hi);
  }
  if (i >= reply->hi) return false;
  if (ReadBullets(*reply, i, out)) return true;
  const size_t end = ClauseEnd(text, i, reply->hi);
  if (end < reply->hi && text[end] == '?') {
    reply->refusal = "question";
    return false;
  }
  size_t instead = kNone;
  if (!SkipSilentWords(reply, &i, end, &instead)) {
    return instead != kNone && depth < kMaxDepth && ReadAnnounced(reply, instead, out, depth + 1);
  }
  if (i >= end)  // "as follows:" and then a line
    return i > at && text[i - 1] == ':' && depth < kMaxDepth &&
           ReadAnnounced(reply, i, out, depth + 1);
  if (const size_t condition = ConditionOfAll(text, i, end); condition != 0) {
    const DirectSpan span = ReadDirect(text, condition, end);
    if (span.end >= end) return TakeSpan(*reply, Rule::kAnchor, i, end, out);
  }
  if (IsRootInWords(text.substr(i, end - i)) || IsOperationInWords(text.substr(i, end - i)))
    return TakeSpan(*reply, Rule::kAnchor, i, end, out);
  // "3と2分の1です": the word between whole number and fraction ends other answers.
  if (const size_t mixed = MixedFractionEnd(text, i, end); mixed != 0)
    return TakeSpan(*reply, Rule::kAnchor, i, mixed, out);
  DirectSpan span = ReadDirect(text, i, end);
  // A sentence ends with an exclamation; behind a label or in a tag stands the value itself.
  if (span.end == end && HasAt(text, end, "!") && !HasAt(text, end, "!!") && Labelled(text, i))
    ++span.end;
  const std::string_view clause = text.substr(at, end - at);
  if (span.end <= i) {
    if (!HasUnspacedHedge(clause)) return ReadProse(reply, i, end, out, depth);
    reply->refusal = "hedged";
    return false;
  }
  if (span.corrected && depth < kMaxDepth) return ReadAnnounced(reply, span.resume, out, depth + 1);
  if (span.doubted) {
    if (IsPowerInWords(text.substr(span.end, end - span.end)))
      return TakeSpan(*reply, Rule::kAnchor, i, end, out);
    reply->refusal = "hedged";
    return false;
  }
  const char* const refusal_before = reply->refusal;
  if (span.turned && depth < kMaxDepth && ReadAnnounced(reply, span.resume, out, depth + kMaxDepth))
    return true;
  reply->refusal = refusal_before;
  if (HasUnspacedHedge(clause) || HasUnspacedBound(clause)) {
    reply->refusal = "hedged";
    return false;
  }
  const std::string_view rest = text.substr(span.end, end - span.end);
  if (const size_t instead = InsteadBehind(rest); instead != 0 && depth < kMaxDepth)
    return ReadAnnounced(reply, span.end + instead, out, depth + 1);
  if (IsOneOfSeveral(rest) || IsDoubtedBehind(rest) || OrFollows(text, end, reply->hi)) {
    reply->refusal = "hedged";
    return false;
  }
  if (HasFinalDenial(rest)) {
    reply->refusal = "negated";
    return false;
  }
  if (EndsAsProperty(text.substr(i, end - i)) || HasUnspacedCase(rest)) {
    reply->refusal = "hedged";
    return false;
  }
  return TakeSpan(*reply, Rule::kAnchor, i, span.end, out, span.unit);
}

}  // namespace assay::math
