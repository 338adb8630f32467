// A reply that reasons first: what stands in its think tags, and what it says behind them. Pure; thread-safe.
#pragma once

#include <optional>
#include <string_view>

namespace assay {

struct ReasonedReply {
  std::string_view reasoning, summary;  // without white space at their ends; into the reply
};

// Nothing unless the reply is one block `<think>..</think>`, not empty, with text behind it (the opening tag may be missing, where the prompt
// had it), and no further tag.
std::optional<ReasonedReply> SplitReasoning(std::string_view reply);

}  // namespace assay
