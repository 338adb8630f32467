#include "grpo/tokenizer/inst_template.h"

#include "core/text.h"

namespace assay {
namespace {

using Kind = InstTemplate::Kind;
using Part = InstTemplate::Part;

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// `content.strip()`, `message['content'] | trim`, `system_message`, `bos_token`.
std::optional<Part> NamePart(std::string_view term) {
  Part part{Kind::kContent, "", Has(term, "strip()") || Has(term, "trim")};
  if (term == "bos_token") {
    part.kind = Kind::kBos;
  } else if (term == "eos_token") {
    part.kind = Kind::kEos;
  } else if (Has(term, "system")) {
    part.kind = Kind::kSystem;
  } else if (!Has(term, "content")) {
    return std::nullopt;
  }
  return part;
}

// A sum of string literals and names, as in  '[INST] ' + message['content'] + ' [/INST]'.
std::optional<std::vector<Part>> ReadSum(std::string_view text) {
  std::vector<Part> parts;
  while (true) {
    text = Trim(text);
    if (text.empty()) return std::nullopt;
    if (text[0] == '\'' || text[0] == '"') {
      const size_t end = text.find(text[0], 1);
      if (end == std::string_view::npos) return std::nullopt;
      parts.push_back({Kind::kText, std::string(text.substr(1, end - 1)), false});
      text = Trim(text.substr(end + 1));
      if (!text.empty() && text[0] != '+') return std::nullopt;
    } else {
      const size_t end = text.find('+');
      const std::optional<Part> part = NamePart(Trim(text.substr(0, end)));
      if (!part) return std::nullopt;
      parts.push_back(*part);
      text = end == std::string_view::npos ? std::string_view() : text.substr(end);
    }
    if (text.empty()) return parts;
    text.remove_prefix(1);
  }
}

// "{{- .. }}" without its braces and dashes, or for `{% set content = .. %}` what is assigned.
struct Block {
  std::string_view text;
  bool set = false;
};
std::vector<Block> Blocks(std::string_view source) {
  constexpr std::string_view kSet = "set content =";
  std::vector<Block> blocks;
  for (size_t at = source.find('{'); at != std::string_view::npos; at = source.find('{', at)) {
    const bool write = source.substr(at, 2) == "{{";
    const size_t end = source.find(write ? "}}" : "%}", at);
    if (end == std::string_view::npos) break;
    if (!write && source.substr(at, 2) != "{%") {
      ++at;
      continue;
    }
    std::string_view text = source.substr(at + 2, end - at - 2);
    if (!text.empty() && text.front() == '-') text.remove_prefix(1);
    if (!text.empty() && text.back() == '-') text.remove_suffix(1);
    text = Trim(text);
    at = end + 2;
    if (write) {
      blocks.push_back({text, false});
    } else if (StartsWith(text, kSet)) {
      blocks.push_back({Trim(text.substr(kSet.size())), true});
    }
  }
  return blocks;
}

void Append(const std::vector<Part>& parts, std::string_view content, std::string_view system,
            std::string_view bos, std::string_view eos, std::string* out) {
  for (const Part& part : parts) {
    switch (part.kind) {
      case Kind::kText:
        *out += part.text;
        break;
      case Kind::kContent:
        *out += part.trim ? Trim(content) : content;
        break;
      case Kind::kSystem:
        *out += part.trim ? Trim(system) : system;
        break;
      case Kind::kBos:
        *out += bos;
        break;
      case Kind::kEos:
        *out += eos;
        break;
    }
  }
}

}  // namespace

std::optional<InstTemplate> ReadInstTemplate(std::string_view unescaped) {
  if (!Has(unescaped, "[INST]")) return std::nullopt;
  InstTemplate chat;
  for (const Block& block : Blocks(unescaped)) {
    const bool content = Has(block.text, "content");
    const bool user = Has(block.text, "[INST]");
    const bool answer = !user && content && Has(block.text, "eos_token");
    const bool system = Has(block.text, "system");
    if (block.text == "bos_token") chat.bos_first = true;
    if (block.set ? !(content && system) : !user && !answer) continue;  // tools and the like
    std::optional<std::vector<Part>> parts = ReadSum(block.text);
    if (!parts) return std::nullopt;
    std::vector<Part>& place = block.set ? chat.content_with_system
                               : answer  ? chat.assistant
                               : system  ? chat.user_with_system
                                         : chat.user;
    if (!place.empty() && place != *parts) return std::nullopt;
    place = std::move(*parts);
  }
  if (chat.user.empty() || chat.assistant.empty()) return std::nullopt;
  chat.system_last = Has(unescaped, "loop.last");
  return chat;
}

Result<std::string> RenderInst(const InstTemplate& chat, const std::vector<Message>& messages,
                               std::string_view bos, std::string_view eos) {
  const bool system = !messages.empty() && messages[0].role == "system";
  if (system && chat.user_with_system.empty() && chat.content_with_system.empty()) {
    return Error{ErrorCode::kInput, "the model's chat template knows no system message",
                 "put it into the first user message"};
  }
  const size_t first = system ? 1 : 0;
  const size_t with_system = chat.system_last ? messages.size() - 1 : first;
  const std::string_view system_text = system ? std::string_view(messages[0].content) : "";
  std::string text(chat.bos_first ? bos : "");
  for (size_t i = first; i < messages.size(); ++i) {
    const Message& m = messages[i];
    if (m.role != ((i - first) % 2 == 0 ? "user" : "assistant")) {
      return Error{ErrorCode::kInput,
                   StrCat("chat message ", i + 1, " is the ", Shorten(m.role, 40), "'s"),
                   "turns must alternate, the user's first: the model's chat template wants it"};
    }
    if (m.role == "assistant") {
      Append(chat.assistant, m.content, "", bos, eos, &text);
    } else if (!system || i != with_system) {
      Append(chat.user, m.content, "", bos, eos, &text);
    } else if (chat.user_with_system.empty()) {
      std::string joined;
      Append(chat.content_with_system, m.content, system_text, bos, eos, &joined);
      Append(chat.user, joined, "", bos, eos, &text);
    } else {
      Append(chat.user_with_system, m.content, system_text, bos, eos, &text);
    }
  }
  return text;
}

}  // namespace assay
