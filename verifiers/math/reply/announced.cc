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

// Prose before the answer: behind the last copula, else the last `=`, else the only (or, in the lenient modes, the first) value.
bool ReadProse(Reply* reply, size_t at, size_t end, Candidate* out, int depth) {
  const std::string_view text = reply->text;
  size_t copula = kNone;
  size_t first_value = kNone;
  int values = 0;
  int words = 0;
  bool qualified = false;
  bool modified = false;
  bool denied = false;
  bool spoken = false;
  bool up = false;  // "up to"
  FormulaReader formulas(text, end);
  Formula formula;
  for (size_t i = at; i < end;) {
    if (formulas.ReadAt(i, &formula)) {
      if (values++ == 0) first_value = i;
      i = formula.end;
      continue;
    }
    if (IsDigit(text[i])) {
      const size_t begin = i;
      while (i < end && (IsDigit(text[i]) || text[i] == '.' || text[i] == ',' || text[i] == '/'))
        ++i;
      if (values++ == 0) first_value = begin;
      continue;
    }
    if (text[i] == '=') copula = i + 1;
    size_t word_end = i;
    const std::string word = WordAt(text, i, end, &word_end);
    if (word.empty()) {
      i = std::max(i + 1, word_end);
      continue;
    }
    ++words;
    i = word_end;
    if (IsCopula(word)) copula = i;
    qualified = qualified || (values == 0 && (IsQualifier(word) || (word == "to" && up)));
    up = words == 1 && word == "up";
    if (values == 0) modified = IsModifier(word) || (modified && word == "of");
    denied = denied || IsNegation(word);
    spoken = spoken || (words == 1 && (word == "i" || word == "we" || word == "i'm"));
  }
  if (denied && copula == kNone && values > 0) {
    reply->refusal = "negated";
    return false;
  }
  if (copula != kNone && depth < 3 && ReadAnnounced(reply, copula, out, depth + 1)) return true;
  if (qualified || (modified && values > 0)) {
    reply->refusal = "hedged";
    return false;
  }
  if (values == 1 || (values > 1 && Lenient(*reply))) {
    if (first_value > at && (text[first_value - 1] == '-' || text[first_value - 1] == '$'))
      --first_value;
    const DirectSpan span = ReadDirect(text, first_value, end);
    return span.end > first_value &&
           TakeSpan(*reply, Rule::kAnchor, first_value, span.end, out, span.unit);
  }
  if (values == 0 && words > 0 && words <= 6 && !(spoken && denied))
    return TakeSpan(*reply, Rule::kAnchor, at, end, out);
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

// Behind "not 42, it is", "not 42 but": where the right answer begins.
size_t Instead(std::string_view text, size_t at, size_t end) {
  bool it = false;
  for (size_t i = at; i < end;) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, end, &word_end);
    i = std::max(i + 1, word_end);
    if (word == "but" || word == "it's" || (it && word == "is")) return word_end;
    it = word == "it" || (it && word.empty());
  }
  return kNone;
}

}  // namespace

bool ReadAnnounced(Reply* reply, size_t at, Candidate* out, int depth) {
  const std::string_view text = reply->text;
  size_t i = SkipMarkup(text, at, reply->hi);
  for (int lines = 0;
       lines < 3 && i < reply->hi && (text[i] == '\n' || text[i] == ':' || text[i] == '\r');
       ++lines) {
    i = SkipMarkup(text, SkipSpace(text, i + 1, reply->hi), reply->hi);
  }
  if (i >= reply->hi) return false;
  if (ReadBullets(*reply, i, out)) return true;
  const size_t end = ClauseEnd(text, i, reply->hi);
  if (end < reply->hi && text[end] == '?') {
    reply->refusal = "question";
    return false;
  }
  for (int fillers = 0; fillers < 6; ++fillers) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, end, &word_end);
    if (word.empty()) break;
    if (SaysNothing(word)) return false;
    if (IsNegation(word)) {
      reply->refusal = "negated";
      const size_t instead = Instead(text, word_end, end);
      return instead != kNone && depth < 3 && ReadAnnounced(reply, instead, out, depth + 1);
    }
    if (IsHedge(word)) {
      reply->refusal = "hedged";
      return false;
    }
    if (!IsFiller(word)) break;
    // "A" and "a" may be the answer itself.
    if (word == "a") {
      const DirectSpan letter = ReadDirect(text, i, end);
      if (letter.end != 0) break;
    }
    i = SkipMarkup(text, word_end, end);
    while (i < end && (text[i] == ':' || text[i] == ',')) i = SkipMarkup(text, i + 1, end);
  }
  if (i >= end) return false;
  const DirectSpan span = ReadDirect(text, i, end);
  if (span.end <= i) return ReadProse(reply, i, end, out, depth);
  if (span.corrected && depth < 3) return ReadAnnounced(reply, span.resume, out, depth + 1);
  if (span.doubted) {
    reply->refusal = "hedged";
    return false;
  }
  const char* const refusal_before = reply->refusal;
  if (span.turned && depth < 3 && ReadAnnounced(reply, span.resume, out, depth + 3)) return true;
  reply->refusal = refusal_before;
  const std::string_view clause = text.substr(at, end - at);
  if (HasUnspacedHedge(clause) || HasUnspacedBound(clause)) {
    reply->refusal = "hedged";
    return false;
  }
  const std::string_view rest = text.substr(span.end, end - span.end);
  if (HasFinalDenial(rest)) {
    reply->refusal = "negated";
    return false;
  }
  return TakeSpan(*reply, Rule::kAnchor, i, span.end, out, span.unit);
}

}  // namespace assay::math
