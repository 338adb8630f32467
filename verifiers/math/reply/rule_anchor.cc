// Rule "anchor": what "the answer is", "Answer:", "X is the answer", `<answer>` tags and their like in other languages
// announce. The phrases are in answer_phrases.cc; what stands behind an announcement is read in announced.cc.
#include <unicode/uchar.h>

#include <algorithm>
#include <string>
#include <utility>

#include "core/text.h"
#include "verifiers/math/reply/announced.h"
#include "verifiers/math/reply/answer_phrases.h"
#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/clean_answer.h"
#include "verifiers/math/reply/denial.h"
#include "verifiers/math/reply/formulas.h"
#include "verifiers/math/reply/language_words.h"
#include "verifiers/math/reply/retraction.h"
#include "verifiers/math/reply/rules.h"
#include "verifiers/math/reply/sentences.h"
#include "verifiers/math/reply/spans.h"

namespace assay::math {
namespace {

// How many candidates are checked for retraction.
constexpr int kMaxRetracted = 4;

bool LanguageWanted(const Reply& reply, const PhraseHit& hit) {
  if (hit.language[0] == '\0' || reply.options.language.empty() ||
      std::string_view(hit.language) == "en")
    return true;
  const std::string_view code = LanguageCode(reply.options.language);
  return code.empty() || hit.language == code;
}

// The last two words of the `window` bytes in front of an announcement.
struct WordsBefore {
  std::string last;
  std::string before_last;
};
WordsBefore LastWords(const Reply& reply, const PhraseHit& hit, size_t window) {
  WordsBefore words;
  for (size_t i = hit.begin > reply.lo + window ? hit.begin - window : reply.lo; i < hit.begin;) {
    size_t word_end = i;
    const std::string word = WordAt(reply.text, i, hit.begin, &word_end);
    i = std::max(i + 1, word_end);
    if (!word.empty()) words.before_last = std::exchange(words.last, word);
  }
  return words;
}

// "Answer 9", "the answer $9$"; but not "they answer 9 questions".
bool StandsAlone(const Reply& reply, const PhraseHit& hit) {
  const std::string_view text = reply.text;
  if (SkipMarkup(text, ClauseBegin(text, hit.begin, reply.lo), hit.begin) == hit.begin) return true;
  return MayStandBeforeAnswer(LastWords(reply, hit, 24).last);
}

// "We may check our answer: .."
bool IsChecked(const Reply& reply, const PhraseHit& hit) {
  const WordsBefore words = LastWords(reply, hit, 32);
  return OneOf(words.last, "our", "the", "my", "this") &&
         OneOf(words.before_last, "check", "checking", "verify", "verifying", "confirm");
}

// What is set right behind the word for "answer" and begins a value: a single letter, a function, a sign; between letters of
// another script any word in Latin ones.
bool BeginsPlainAnswer(std::string_view text, size_t at, size_t end, std::string_view language) {
  size_t word_end = at;
  const std::string word = WordAt(text, at, end, &word_end);
  if (word.empty())
    return std::string_view("-(|{[").find(text[at]) != kNone ||
           (text[at] == '.' && at + 1 < end && IsDigit(text[at + 1]));
  if (!IsLetter(word[0])) return false;
  const bool latin = OneOf(language, "tr", "id", "sw");
  return word.size() == 1 || IsFunctionWord(word) || !latin;
}

// "a final answer", "an answer"; not "my answer".
bool BehindArticle(const Reply& reply, const PhraseHit& hit) {
  std::string last;
  for (size_t i = hit.begin > reply.lo + 12 ? hit.begin - 12 : reply.lo; i < hit.begin;) {
    size_t word_end = i;
    const std::string word = WordAt(reply.text, i, hit.begin, &word_end);
    i = std::max(i + 1, word_end);
    if (!word.empty() && !OneOf(word, "final", "total", "numerical", "exact")) last = word;
  }
  return last == "a" || last == "an";
}

// Where the answer of an anchor begins; npos if it announces none (reply->refusal then says why, if there is more to say).
size_t ContentBegin(Reply* reply, const PhraseHit& hit) {
  const std::string_view text = reply->text;
  size_t i = size_t{hit.end};
  if (hit.phrase == Phrase::kLetterA || text[hit.end - 1] == ':' || text[hit.end - 1] == ']' ||
      HasAt(text, hit.end - 3, "：") || HasAt(text, hit.end - 3, "】") ||
      HasAt(text, hit.end - 3, "〗"))
    return i;
  const bool behind = SetsAnswerBehind(hit.language);
  const size_t end = std::min(reply->hi, size_t{hit.end} + 160);
  bool hedged = false;
  bool after_article = false;
  bool leading = false;
  bool could = false;  // "can be 10", "used to be 10", but "can be written as 10"
  for (int words = 0; words < 16 && i < end;) {
    i = SkipMarkup(text, i, end);
    if (i >= end) break;
    const char c = text[i];
    if (behind && words == 0 && i > hit.end && BeginsPlainAnswer(text, i, end, hit.language))
      return i;
    if (hedged && c == ':') {
      reply->refusal = "hedged";
      return kNone;
    }
    if (c == ':' || c == '=') return i + (HasAt(text, i, "=>") ? 2 : 1);
    if (HasAt(text, i, "：") || HasAt(text, i, "≈") || HasAt(text, i, "—")) return i + 3;
    if (c == '\n') {
      // A heading: "**Final Answer**" alone on its line.
      const bool heading = words == 0 || hit.phrase == Phrase::kFinal;
      return heading ? i + 1 : kNone;
    }
    if (c == '.' || c == '?' || c == '!' || c == ';') return kNone;
    size_t point_size = 1;
    if (c == '$' || c == '\\' || IsDigit(c) ||
        (static_cast<unsigned char>(c) >= 0x80 && u_isdigit(CodePointAt(text, i, &point_size))))
      return words == 0 && (behind || StandsAlone(*reply, hit)) ? i : kNone;
    size_t word_end = i;
    const std::string word = WordAt(text, i, end, &word_end);
    if (word.empty()) {
      ++i;
      continue;
    }
    const size_t of = word == "of" && words == 0 && BehindArticle(*reply, hit)
                          ? SkipMarkup(text, word_end, end)
                          : end;
    if (of < end && !IsLetter(text[of]) && ReadDirect(text, of, end).end > of)
      return word_end;                 // "a final answer of 7"
    const bool ending = i == hit.end;  // "cevab-ımız": of the anchor's own word
    if (!ending) ++words;
    if (IsNegationOf(word, hit.language) || IsNo(word)) {
      reply->refusal = "negated";
      return InsteadOf(text, word_end, ClauseEnd(text, word_end, reply->hi));
    }
    if (IsWrong(word)) {  // "la respuesta incorrecta es"
      reply->refusal = "quoted";
      return kNone;
    }
    const bool leads = word == "to" && leading;  // "comes out to", "amounts to"
    leading = OneOf(word, "out", "down", "up", "amounts", "evaluates", "simplifies");
    hedged = hedged || DoubtsWhatFollows(word, text, word_end, end);
    could = could || OneOf(word, "can", "used", "tentative");
    i = word_end;
    const bool noun = after_article;  // "after the equals sign"
    after_article = OneOf(word, "the", "an");
    if ((!IsCopulaOf(word, hit.language) && !leads) || noun) continue;
    const size_t value = SkipMarkup(text, i, end);
    if (hedged || (could && ReadDirect(text, value, end).end > value)) {
      reply->refusal = "hedged";
      return kNone;
    }
    return i;
  }
  return kNone;
}

// "[..] is the answer", "[..] is our answer".
bool AnchorBehind(Reply* reply, const PhraseHit& hit, Candidate* out) {
  const std::string_view text = reply->text;
  const size_t begin = ClauseBegin(text, hit.begin, reply->lo);
  const std::string before = AsciiLower(text.substr(begin, hit.begin - begin));
  const std::string_view view = before;
  size_t copula = kNone;
  for (const char* verb : {" is ", " are "}) {
    const size_t found = view.rfind(verb);
    if (found != kNone && (copula == kNone || found > copula)) copula = found;
  }
  if (copula == kNone || view.size() - copula > 24) return false;
  if (view.substr(copula).find("not") != kNone) {
    reply->refusal = "negated";
    return false;
  }
  const size_t stop = begin + copula;
  // The shortest tail of the sentence that is an answer as a whole: try formulas, then the last number.
  FormulaReader formulas(text, stop);
  Formula last{};
  for (size_t i = begin; i < stop;) {
    Formula found;
    if (formulas.ReadAt(i, &found)) {
      last = found;
      i = found.end;
    } else {
      ++i;
    }
  }
  if (last.end != 0 && stop - last.end <= 2)
    return TakeSpan(*reply, Rule::kAnchor, last.begin, last.end, out);
  // "C is the correct choice"
  if (stop > begin && text[stop - 1] >= 'A' && text[stop - 1] <= 'J' &&
      (stop - 1 == begin || text[stop - 2] == ' ' || text[stop - 2] == '*'))
    return TakeSpan(*reply, Rule::kAnchor, stop - 1, stop, out);
  const size_t number = LastNumberBegin(text, begin, stop);
  if (number == kNone) return false;
  const DirectSpan span = ReadDirect(text, number, stop);
  return span.end == stop && TakeSpan(*reply, Rule::kAnchor, number, span.end, out, span.unit);
}

// "<answer>42</answer>": what the tags enclose, read as an announced answer.
bool ReadTag(Reply* reply, size_t at, Candidate* out) {
  const size_t close = reply->text.substr(0, reply->hi).find("</answer", at);
  if (close == kNone && reply->options.truncated) return false;
  const size_t whole_end = reply->hi;
  if (close != kNone) reply->hi = close;
  const size_t begin = SkipSpace(reply->text, at, reply->hi);
  const bool found = begin < reply->hi && ReadAnnounced(reply, begin, out, 0);
  reply->hi = whole_end;
  return found;
}

// "Result: 42" as the last line.
bool ReadLabel(const Reply& reply, const PhraseHit& hit, Candidate* out) {
  const std::string_view text = reply.text;
  const size_t begin = ClauseBegin(text, hit.begin, reply.lo);
  if (SkipMarkup(text, begin, hit.begin) != hit.begin) return false;
  const size_t content = SkipMarkup(text, hit.end, reply.hi);
  const size_t end = ClauseEnd(text, content, reply.hi);
  const DirectSpan span = ReadDirect(text, content, end);
  if (span.end <= content || !CleanAnswer(text.substr(span.end, reply.hi - span.end)).empty())
    return false;
  return TakeSpan(reply, Rule::kAnchor, content, span.end, out, span.unit);
}

// "选B", "选择：(B)", "选 A、C": choice letters and nothing else behind them.
bool ReadPick(const Reply& reply, const PhraseHit& hit, Candidate* out) {
  const std::string_view text = reply.text;
  size_t at = SkipMarkup(text, hit.end, reply.hi);
  for (const std::string_view word : {"择", "擇", "项", "項", "答案", "是", "为", "：", ":"}) {
    if (HasAt(text, at, word)) at = SkipMarkup(text, at + word.size(), reply.hi);
  }
  size_t end = at;
  size_t i = at;
  while (i < reply.hi && i < at + 32) {
    const bool letter = text[i] >= 'A' && text[i] <= 'J';
    size_t size = letter || std::string_view("()., $").find(text[i]) != kNone ? 1 : 0;
    for (const std::string_view mark : {"（", "）", "、", "，"}) {
      if (HasAt(text, i, mark)) size = mark.size();
    }
    if (size == 0) break;
    i += size;
    if (letter || text[i - size] == ')' || HasAt(text, i - size, "）")) end = i;
  }
  if (end == at) return false;
  size_t behind = SkipMarkup(text, end, reply.hi);
  for (const std::string_view word : {"项", "項"}) {
    if (HasAt(text, behind, word)) behind += word.size();
  }
  const bool over = behind >= reply.hi || IsSpace(text[behind]) || text[behind] == '.' ||
                    text[behind] == ',' || text[behind] == '<' || HasAt(text, behind, "，") ||
                    HasAt(text, behind, "；") || ForeignStopBytes(text, behind) != 0;
  return over && TakeSpan(reply, Rule::kAnchor, at, end, out);
}

bool AnchorAt(Reply* reply, const PhraseHit& hit, Candidate* out) {
  const std::string_view text = reply->text;
  if (IsChecked(*reply, hit)) return false;
  if (hit.phrase == Phrase::kLetterA) {
    const size_t begin = ClauseBegin(text, hit.begin, reply->lo);
    if (SkipMarkup(text, begin, hit.begin) != hit.begin || text[hit.begin] != 'A') return false;
  } else if (hit.begin > reply->lo && IsLetter(text[hit.begin]) && IsLetter(text[hit.begin - 1])) {
    return false;  // inside of a word
  }
  if (hit.end < reply->hi && IsLetter(text[hit.end - 1]) && IsLetter(text[hit.end]) &&
      !WordIs(text, hit.end, reply->hi, "s") &&
      !(std::string_view(hit.language) == "id" && WordIs(text, hit.end, reply->hi, "nya")))
    return false;  // "answered"
  size_t word_end = 0;
  const std::string next = WordAt(text, SkipSpace(text, hit.end, reply->hi), reply->hi, &word_end);
  if (OneOf(next, "question", "questions", "choices", "sheet", "key", "all")) return false;
  // "Answer 42 questions", "Answer #42: .."
  const size_t number = SkipSpace(text, hit.end, reply->hi);
  if (number < reply->hi && (IsDigit(text[number]) || text[number] == '#')) {
    size_t number_end = number + 1;
    while (number_end < reply->hi && IsDigit(text[number_end])) ++number_end;
    const std::string counted =
        WordAt(text, SkipSpace(text, number_end, reply->hi), reply->hi, &word_end);
    if (text[number] == '#' ||
        OneOf(counted, "question", "questions", "problems", "parts", "items"))
      return false;
  }
  if (EndsWith(text.substr(0, hit.begin), "</")) return false;  // the end of a tag
  if (AnnouncementDenied(reply, hit.begin)) return false;
  if (hit.begin > reply->lo && text[hit.begin - 1] == '<' && HasAt(text, hit.end, ">"))
    return ReadTag(reply, size_t{hit.end} + 1, out);
  if (HasAt(text, hit.begin, "<|begin_of_box|>")) return ReadAnnounced(reply, hit.end, out, 0);
  if (hit.phrase == Phrase::kPick) return ReadPick(*reply, hit, out);
  if (hit.phrase == Phrase::kLabel) return ReadLabel(*reply, hit, out);
  if (hit.phrase == Phrase::kMeant)  // "Oops, I meant 18."
    return ReadDirect(text, SkipMarkup(text, hit.end, reply->hi), reply->hi).end > hit.end &&
           ReadAnnounced(reply, hit.end, out, 0);
  const size_t content = ContentBegin(reply, hit);
  const std::string_view joint = text.substr(hit.end, content == kNone ? 0 : content - hit.end);
  if (HasUnspacedHedge(joint) || HasUnspacedBound(joint)) {
    reply->refusal = "hedged";
    return false;
  }
  if (content == kNone)
    return (hit.phrase == Phrase::kAnswer || hit.phrase == Phrase::kFinal) &&
           AnchorBehind(reply, hit, out);
  // "Răspuns: nu 15"
  const size_t first = SkipMarkup(text, SkipSpace(text, content, reply->hi), reply->hi);
  const std::string opening = WordAt(text, first, reply->hi, &word_end);
  const size_t denied = SkipMarkup(text, SkipSpace(text, word_end, reply->hi), reply->hi);
  if (IsNegationOf(opening, hit.language) && !IsNegation(opening) && denied < reply->hi &&
      (IsDigit(text[denied]) || text[denied] == '$' || text[denied] == '\\')) {
    reply->refusal = "negated";
    return false;
  }
  if (!ReadAnnounced(reply, content, out, 0)) return false;
  // What the cut end of a reply leaves of an answer is none.
  if (reply->options.truncated && out->end + 1 >= reply->hi) return false;
  return true;
}

}  // namespace

bool ByAnchor(Reply* reply, size_t from, Extraction* out, bool final_only) {
  int looked_at = 0;
  int retracted = 0;
  size_t behind = reply->text.size();
  for (auto hit = reply->hits.rbegin(); hit != reply->hits.rend() && looked_at < kMaxAnchors;
       ++hit) {
    if (hit->begin < from || hit->end > reply->hi) continue;
    const bool anchor =
        hit->phrase == Phrase::kFinal ||
        (!final_only && (hit->phrase == Phrase::kAnswer || hit->phrase == Phrase::kLetterA ||
                         hit->phrase == Phrase::kPick || hit->phrase == Phrase::kLabel ||
                         hit->phrase == Phrase::kMeant));
    if (reply->strict && hit->phrase == Phrase::kLetterA &&
        reply->text.substr(from, hit->begin - from).find("Q:") != kNone)
      continue;  // another question's
    if (!anchor || hit->end > behind || !LanguageWanted(*reply, *hit)) continue;
    ++looked_at;
    Candidate candidate;
    const char* const refusal_before = reply->refusal;
    reply->refusal = "not_found";
    const bool found = AnchorAt(reply, *hit, &candidate);
    if (!found && std::string_view(reply->refusal) != "not_found")
      reply->refused_anchors.push_back(hit->begin);
    if (std::string_view(reply->refusal) == "not_found") reply->refusal = refusal_before;
    if (!found) continue;
    if (IsPlaceholder(candidate.text)) continue;
    // "答: 答案不是 4": what a later announcement of the same sentence refused is not taken by an earlier one.
    const bool refused =
        std::any_of(reply->refused_anchors.begin(), reply->refused_anchors.end(),
                    [&](size_t at) { return at > hit->begin && at < candidate.end; });
    if (refused) continue;
    behind = hit->begin;
    out->language = hit->language;
    if (!Retracted(*reply, candidate.end, candidate.text)) return Accept(candidate, out);
    reply->refusal = "retracted";
    if (!final_only) reply->lo = std::max(reply->lo, candidate.end);
    if (++retracted >= kMaxRetracted) return false;
    if (!final_only) return false;
  }
  return false;
}

}  // namespace assay::math
