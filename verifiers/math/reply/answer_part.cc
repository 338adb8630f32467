#include "verifiers/math/reply/rules.h"

#include "core/text.h"
#include "verifiers/math/reply/characters.h"

namespace assay::math {

void FindAnswerPart(Reply* reply) {
  const std::string_view text = reply->text;
  reply->hits = FindPhrases(text);
  const bool transcript = StartsWith(Trim(text.substr(0, 64)), "<|im_start|>");
  for (const PhraseHit& hit : reply->hits) {
    if (hit.phrase == Phrase::kThinkClose) {
      reply->think_closed = true;
      reply->think_open = false;
      const size_t close = text.substr(0, size_t{hit.end} + 32).find('>', hit.end - 1);
      reply->lo = close != kNone ? close + 1 : hit.end;
      reply->hi = text.size();
    } else if (hit.phrase == Phrase::kThinkOpen) {
      reply->think_open = true;
    } else if (hit.phrase == Phrase::kChatEnd && transcript && HasAt(text, hit.end, "assistant")) {
      reply->lo = size_t{hit.end} + 9;  // its last turn counts
      reply->hi = text.size();
    } else if (hit.phrase == Phrase::kChatEnd && reply->hi == text.size() &&
               hit.begin > reply->lo &&
               !Trim(text.substr(reply->lo, hit.begin - reply->lo)).empty()) {
      reply->hi = hit.begin;
    }
  }
  // What an HTML comment holds is not said.
  size_t open = text.find("<!--");
  for (int comments = 0; open != kNone && comments < kMaxAnchors; ++comments) {
    const size_t close = text.find("-->", open);
    const size_t stop = close == kNone ? text.size() : close;
    std::erase_if(reply->hits, [open, stop](const PhraseHit& hit) {
      return hit.begin > open && hit.begin < stop;
    });
    open = close == kNone ? kNone : text.find("<!--", close);
  }
}

}  // namespace assay::math
