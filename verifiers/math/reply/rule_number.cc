// Rule "number": the last number, whatever stands around it.
#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/rules.h"
#include "verifiers/math/reply/sentences.h"
#include "verifiers/math/reply/spans.h"

namespace assay::math {

bool ByNumber(const Reply& reply, Extraction* out) {
  const std::string_view text = reply.text;
  const size_t begin = LastNumberBegin(text, reply.lo, reply.hi);
  if (begin == kNone) return false;
  const DirectSpan span = ReadDirect(text, begin, ClauseEnd(text, begin, reply.hi));
  Candidate candidate;
  return span.end > begin &&
         TakeSpan(reply, Rule::kNumber, begin, span.end, &candidate, span.unit) &&
         Accept(candidate, out);
}

}  // namespace assay::math
