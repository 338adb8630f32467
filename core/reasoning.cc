#include "core/reasoning.h"

#include "core/text.h"

namespace assay {

std::optional<ReasonedReply> SplitReasoning(std::string_view reply) {
  constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  reply = Trim(reply);
  if (StartsWith(reply, kOpen)) reply.remove_prefix(kOpen.size());
  const size_t close = reply.find(kClose);
  if (close == std::string_view::npos || reply.find(kOpen) != std::string_view::npos ||
      reply.find(kClose, close + 1) != std::string_view::npos)
    return std::nullopt;
  const ReasonedReply parts{Trim(reply.substr(0, close)),
                            Trim(reply.substr(close + kClose.size()))};
  if (parts.reasoning.empty() || parts.summary.empty()) return std::nullopt;
  return parts;
}

}  // namespace assay
