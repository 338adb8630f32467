// [INST] chat templates (Llama 2, Mistral): what stands around a turn differs from release to release in blanks, trimming and where
// the system message goes. So the template's own sums of strings are read: the {{ .. }} that writes a user's turn, the one that
// writes it together with the system message, and the assistant's. Nothing is run. Pure; thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/types.h"

namespace assay {

struct InstTemplate {
  enum class Kind { kText, kContent, kSystem, kBos, kEos };
  struct Part {
    Kind kind;
    std::string text;   // kText
    bool trim = false;  // kContent: white space around it is cut
    bool operator==(const Part&) const = default;
  };
  std::vector<Part> user;
  // One of the two where the template knows system messages: the turn that holds one, or what the content becomes first.
  std::vector<Part> user_with_system;
  std::vector<Part> content_with_system;
  std::vector<Part> assistant;
  bool bos_first = false;    // the text begins with BOS (else each user turn does)
  bool system_last = false;  // the system message goes with the last user turn instead of the first
};

// Nothing where the text holds no [INST], or turns that are more than sums of strings.
std::optional<InstTemplate> ReadInstTemplate(std::string_view unescaped);

// Errors: kInput, turns that do not alternate, a system message that the template has no place for.
Result<std::string> RenderInst(const InstTemplate& chat, const std::vector<Message>& messages,
                               std::string_view bos, std::string_view eos);

}  // namespace assay
