// Rule "whole": a reply, or what follows its think block, that is nothing but an answer.
#include <algorithm>
#include <string>

#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/clean_answer.h"
#include "verifiers/math/reply/language_words.h"
#include "verifiers/math/reply/rules.h"
#include "verifiers/math/reply/sentences.h"
#include "verifiers/math/reply/spans.h"

namespace assay::math {
namespace {

constexpr size_t kMaxWholeBytes = 2000;

// "odd $n$", "all $x > 2$": a value with an adjective that belongs to it.
bool IsDescribed(std::string_view text, size_t begin, size_t end) {
  size_t word_end = begin;
  if (!DescribesValue(WordAt(text, begin, end, &word_end))) return false;
  const size_t value = SkipSpace(text, word_end, end);
  return ReadDirect(text, value, end).end == end;
}

}  // namespace

bool ByWhole(const Reply& reply, Extraction* out) {
  const std::string_view text = reply.text;
  const size_t begin = SkipMarkup(text, SkipSpace(text, reply.lo, reply.hi), reply.hi);
  size_t end = reply.hi;
  while (end > begin && IsSpace(text[end - 1])) --end;
  if (begin >= end || end - begin > kMaxWholeBytes) return false;
  const std::string_view whole = text.substr(begin, end - begin);
  if (whole.find('\n') != kNone || whole.find('?') != kNone) return false;
  const DirectSpan span = ReadDirect(text, begin, end);
  const bool direct = span.end != 0 && !span.corrected &&
                      CleanAnswer(text.substr(span.end, end - span.end)).empty();
  const bool spelled = span.end == 0 && IsSpelledNumber(whole);
  const bool words = !spelled && span.end == 0 && whole.size() <= 40 &&
                     whole.find_first_of("0123456789$") == kNone;
  const bool described = span.end == 0 && IsDescribed(text, begin, end);
  if (!direct && !words && !described && !spelled) return false;
  for (const PhraseHit& hit : reply.hits) {
    if (hit.begin >= begin && hit.phrase != Phrase::kThinkOpen) return false;  // another rule's
  }
  int count = 0;
  for (size_t i = begin; i < end;) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, end, &word_end);
    i = std::max(i + 1, word_end);
    count += !word.empty();
    if (IsNegation(word) || IsHedge(word) || (words && count > 3)) return false;
  }
  Candidate candidate;
  return TakeSpan(reply, Rule::kWhole, begin, end, &candidate, direct ? span.unit : 0) &&
         Accept(candidate, out);
}

}  // namespace assay::math
