// Rule "hash": the last line `#### ..` that is no heading.
#include <algorithm>
#include <iterator>

#include "core/text.h"
#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/clean_answer.h"
#include "verifiers/math/reply/formulas.h"
#include "verifiers/math/reply/retraction.h"
#include "verifiers/math/reply/rules.h"
#include "verifiers/math/reply/sentences.h"
#include "verifiers/math/reply/spans.h"

namespace assay::math {

bool ByHash(Reply* reply, size_t from, Extraction* out, bool last_line) {
  const std::string_view text = reply->text;
  int looked_at = 0;
  for (auto hit = reply->hits.rbegin(); hit != reply->hits.rend(); ++hit) {
    if (hit->phrase != Phrase::kHash || hit->begin < from || hit->end > reply->hi) continue;
    // Of a run of signs only the last hit; of many lines only the last ones.
    if (hit != reply->hits.rbegin() && std::prev(hit)->phrase == Phrase::kHash &&
        std::prev(hit)->begin == hit->begin + 1) {
      continue;
    }
    if (++looked_at > kMaxAnchors) break;
    const size_t stop = std::min(reply->hi, size_t{hit->end} + kMaxClauseBytes);
    const size_t line_end = std::min(text.substr(0, stop).find('\n', hit->end), stop);
    size_t begin = size_t{hit->end};
    begin = SkipMarkup(text, begin, line_end);
    const DirectSpan span = ReadDirect(text, begin, line_end);
    if (last_line && (span.end == 0 ||
                      (hit->begin > from && text[hit->begin - 1] != '\n' &&
                       !EndsWith(text.substr(from, hit->begin - from), ". ")) ||
                      !CleanAnswer(text.substr(span.end, reply->hi - span.end)).empty()))
      return false;
    // "#### 16 to the power 3", "#### 16 or 17": the line does not stop at the value.
    if (span.end > begin && (span.doubted || span.corrected) && !Lenient(*reply)) {
      reply->refusal = "hedged";
      return false;
    }
    Candidate candidate;
    // A heading ("#### Step 2") is none.
    if (span.end > begin ? !TakeSpan(*reply, Rule::kHash, begin, span.end, &candidate, span.unit)
                         : ((CountWords(text.substr(begin, line_end - begin)) > 2 &&
                             !IsSpelledNumber(text.substr(begin, line_end - begin))) ||
                            !TakeSpan(*reply, Rule::kHash, begin, line_end, &candidate))) {
      continue;
    }
    if (reply->options.truncated && line_end == text.size() && reply->hi == text.size() &&
        line_end == candidate.end && text.back() != '\n')
      continue;
    if (Retracted(*reply, line_end, candidate.text)) {
      reply->refusal = "retracted";
      return false;
    }
    return Accept(candidate, out);
  }
  return false;
}

}  // namespace assay::math
