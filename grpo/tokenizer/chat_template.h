// Chat templates by recognition: a template's text (Jinja, which is not run) is looked through for the marks of a known family
// and for what varies inside it (a default system message, thoughts cut from earlier turns). Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "core/types.h"
#include "grpo/tokenizer/inst_template.h"
#include "grpo/tokenizer/tokenizer.h"

namespace assay {

struct ChatTemplate {
  ChatFormat format = ChatFormat::kNone;
  std::string source;  // the template as it was found, for saving
  std::string
      default_system;  // put in front when the first message is no system message; "" for none
  bool cuts_thoughts = false;  // earlier assistant turns lose what stands before </think>
  bool empty_thoughts =
      false;  // Qwen3: the last assistant turn always has a thought, if only an empty one
  bool prompt_think = false;  // the generation prompt opens <think>
  bool llama_dates = false;   // Llama 3.1: the system message starts with two dates
  InstTemplate inst;          // kInst: how its turns are written
};

ChatTemplate RecognizeChatTemplate(std::string_view source);

// `bos` and `eos` are the texts of those tokens. Errors: kInput.
Result<std::string> RenderChat(const ChatTemplate& chat, const std::vector<Message>& messages,
                               bool add_generation_prompt, std::string_view bos,
                               std::string_view eos);

}  // namespace assay
