#include "grpo/tokenizer/chat_template.h"

#include "core/text.h"

namespace assay {
namespace {

constexpr std::string_view kThinkEnd = "</think>";
constexpr char kUserMark[] = "<｜User｜>";
constexpr char kAssistantMark[] = "<｜Assistant｜>";

bool Has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Templates write newlines as they are or as \n inside a Jinja string.
std::string Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && text[i + 1] == 'n') {
      out.push_back('\n');
      ++i;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

// A system turn spelled out in the template: <|im_start|>system\n some text without quotes or braces <|im_end|>.
std::string DefaultSystem(std::string_view unescaped) {
  constexpr std::string_view kStart = "<|im_start|>system\n";
  for (size_t at = unescaped.find(kStart); at != std::string_view::npos;
       at = unescaped.find(kStart, at + 1)) {
    const size_t begin = at + kStart.size();
    const size_t end = unescaped.find("<|im_end|>", begin);
    if (end == std::string_view::npos) break;
    const std::string_view text = unescaped.substr(begin, end - begin);
    if (!text.empty() && text.find_first_of("'\"{}") == std::string_view::npos)
      return std::string(text);
  }
  return "";
}

// A reply as (thought, rest): what stands before </think>, without <think>, and what stands behind it.
struct Reply {
  std::string thought;
  std::string rest;
};
Reply SplitThought(const std::string& content) {
  const size_t end = content.rfind(kThinkEnd);
  if (end == std::string::npos) return {"", content};
  const size_t first_end = content.find(kThinkEnd);
  std::string thought = content.substr(0, first_end);
  const size_t open = thought.rfind("<think>");
  if (open != std::string::npos) thought.erase(0, open + 7);
  return {thought, content.substr(end + kThinkEnd.size())};
}

std::string StripNewlines(std::string text, bool left, bool right) {
  while (right && !text.empty() && text.back() == '\n') text.pop_back();
  if (left)
    text.erase(0, text.find_first_not_of('\n') == std::string::npos ? text.size()
                                                                    : text.find_first_not_of('\n'));
  return text;
}

bool KnownRole(const std::string& role) {
  return role == "system" || role == "user" || role == "assistant";
}

std::string ChatMlAssistant(const ChatTemplate& chat, const std::string& content,
                            bool after_last_user, bool last) {
  if (!chat.cuts_thoughts) return content;
  const Reply reply = SplitThought(content);
  const bool keep = after_last_user && (chat.empty_thoughts && (last || !reply.thought.empty()));
  if (!keep) return StripNewlines(reply.rest, true, false);
  return StrCat("<think>\n", StripNewlines(reply.thought, true, true), "\n</think>\n\n",
                StripNewlines(reply.rest, true, false));
}

std::string RenderChatMl(const ChatTemplate& chat, const std::vector<Message>& messages) {
  std::string text;
  if (!chat.default_system.empty() && (messages.empty() || messages[0].role != "system")) {
    StrAppend(&text, "<|im_start|>system\n", chat.default_system, "<|im_end|>\n");
  }
  size_t last_user = 0;
  for (size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role == "user") last_user = i;
  }
  for (size_t i = 0; i < messages.size(); ++i) {
    const Message& m = messages[i];
    const std::string content =
        m.role == "assistant"
            ? ChatMlAssistant(chat, m.content, i > last_user, i + 1 == messages.size())
            : m.content;
    StrAppend(&text, "<|im_start|>", m.role, "\n", content, "<|im_end|>\n");
  }
  return text;
}

std::string RenderLlama3(const ChatTemplate& chat, const std::vector<Message>& messages,
                         std::string_view bos) {
  std::string text(bos);
  size_t first = 0;
  if (chat.llama_dates) {
    const bool given = !messages.empty() && messages[0].role == "system";
    StrAppend(&text, "<|start_header_id|>system<|end_header_id|>\n\n",
              "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n",
              given ? Trim(messages[0].content) : std::string_view(), "<|eot_id|>");
    first = given ? 1 : 0;
  }
  for (size_t i = first; i < messages.size(); ++i) {
    StrAppend(&text, "<|start_header_id|>", messages[i].role, "<|end_header_id|>\n\n",
              Trim(messages[i].content), "<|eot_id|>");
  }
  return text;
}

std::string RenderDeepSeek(const ChatTemplate& chat, const std::vector<Message>& messages,
                           std::string_view bos, std::string_view eos) {
  std::string text(bos);
  for (const Message& m : messages) {
    if (m.role == "system") StrAppend(&text, m.content);
  }
  for (const Message& m : messages) {
    if (m.role == "user") StrAppend(&text, kUserMark, m.content);
    if (m.role == "assistant") {
      StrAppend(&text, kAssistantMark,
                chat.cuts_thoughts ? SplitThought(m.content).rest : m.content, eos);
    }
  }
  return text;
}

std::string RenderZephyr(const std::vector<Message>& messages, std::string_view eos) {
  std::string text;
  for (const Message& m : messages) StrAppend(&text, "<|", m.role, "|>\n", m.content, eos, "\n");
  return text;
}

}  // namespace

const char* ChatFormatName(ChatFormat format) {
  switch (format) {
    case ChatFormat::kNone:
      return "none";
    case ChatFormat::kChatMl:
      return "chatml";
    case ChatFormat::kLlama3:
      return "llama3";
    case ChatFormat::kDeepSeek:
      return "deepseek";
    case ChatFormat::kZephyr:
      return "zephyr";
    case ChatFormat::kInst:
      return "inst";
  }
  return "none";
}

ChatTemplate RecognizeChatTemplate(std::string_view source) {
  ChatTemplate chat;
  chat.source = std::string(source);
  const std::string text = Unescape(source);
  if (Has(text, "<|im_start|>")) {
    chat.format = ChatFormat::kChatMl;
    chat.default_system = DefaultSystem(text);
    chat.cuts_thoughts = Has(text, kThinkEnd);
    chat.empty_thoughts = chat.cuts_thoughts && Has(text, "reasoning_content");
  } else if (Has(text, "<|start_header_id|>")) {
    chat.format = ChatFormat::kLlama3;
    chat.llama_dates = Has(text, "Cutting Knowledge Date");
  } else if (Has(text, kAssistantMark)) {
    chat.format = ChatFormat::kDeepSeek;
    chat.cuts_thoughts = Has(text, kThinkEnd);
    chat.prompt_think = Has(text, StrCat(kAssistantMark, "<think>\n"));
  } else if (Has(text, "<|user|>") && Has(text, "<|assistant|>")) {
    chat.format = ChatFormat::kZephyr;
  } else if (std::optional<InstTemplate> inst = ReadInstTemplate(text)) {
    chat.format = ChatFormat::kInst;
    chat.inst = std::move(*inst);
  }
  return chat;
}

Result<std::string> RenderChat(const ChatTemplate& chat, const std::vector<Message>& messages,
                               bool add_generation_prompt, std::string_view bos,
                               std::string_view eos) {
  if (chat.format == ChatFormat::kNone) {
    return Error{ErrorCode::kInput,
                 chat.source.empty() ? "the tokenizer has no chat template"
                                     : "the tokenizer's chat template is of no known family",
                 "give plain-text prompts; known families: ChatML (SmolLM2, Qwen), Llama 3, "
                 "DeepSeek R1, Zephyr (TinyLlama), [INST] (Llama 2, Mistral)"};
  }
  for (const Message& m : messages) {
    if (!KnownRole(m.role)) {
      return Error{ErrorCode::kInput, StrCat("chat message with role '", Shorten(m.role, 40), "'"),
                   "known roles: system, user, assistant"};
    }
  }
  std::string text;
  std::string_view opening;
  switch (chat.format) {
    case ChatFormat::kChatMl:
      text = RenderChatMl(chat, messages);
      opening = "<|im_start|>assistant\n";
      break;
    case ChatFormat::kLlama3:
      text = RenderLlama3(chat, messages, bos);
      opening = "<|start_header_id|>assistant<|end_header_id|>\n\n";
      break;
    case ChatFormat::kDeepSeek:
      text = RenderDeepSeek(chat, messages, bos, eos);
      opening = kAssistantMark;
      break;
    case ChatFormat::kZephyr:
      text = RenderZephyr(messages, eos);
      opening = "<|assistant|>\n";
      break;
    case ChatFormat::kInst:
      return RenderInst(chat.inst, messages, bos, eos);
    case ChatFormat::kNone:
      break;
  }
  if (add_generation_prompt) StrAppend(&text, opening, chat.prompt_think ? "<think>\n" : "");
  return text;
}

}  // namespace assay
