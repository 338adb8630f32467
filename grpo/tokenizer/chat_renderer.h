// ChatRenderer: a tokenizer's chat template at work. A recognised family's template (grpo/tokenizer/chat_template.h) is written by our own
// code, once it gave the same bytes as the engine (chat_engine.h) for a set of conversations made to tell templates apart; everything
// else, and every input with tools, tool calls or further variables, is rendered by the engine. Nothing is guessed: where there is no
// engine, messages are an error. Thread-safe.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "core/types.h"
#include "grpo/tokenizer/chat_engine.h"
#include "grpo/tokenizer/chat_template.h"

namespace assay {

// Messages as templates see them: as they came, with tool calls, names and reasoning; contents of text parts alone are one text.
Json ChatMessages(const std::vector<Message>& messages);
// What the template is given for a problem's prompt: its messages, with the row's `tools` and `chat_template_kwargs` (objects, or JSON in
// a string). A prompt that ends in a text of the assistant's is continued.
ChatInput PromptInput(const Problem& problem);

class ChatRenderer {
 public:
  // `tool_source`: the template named "tool_use", used for inputs with tools; "" if there is none. `specials` as in ChatEngine::Render.
  ChatRenderer(ChatTemplate chat, std::string tool_source, Json specials);

  // Errors: kInput (no template, messages that it refuses), kUnavailable (no engine, with what to install).
  Result<std::string> Render(const ChatInput& input) const;
  // Several at one go: one box for all that needs the engine.
  Result<std::vector<std::string>> RenderAll(const std::vector<ChatInput>& inputs) const;
  // True if the template marks what the assistant says ({% generation %}).
  bool marks_replies() const;
  // What it marks so in the text that Render gives. Errors: Render's.
  Result<ByteRanges> Replies(const ChatInput& input) const;
  // What the template writes around the turns of a conversation made to be told from them: before the first user's words, behind the
  // assistant's at the end ("<|im_end|>\n"), and between the assistant's and another user's. "" for what cannot be told. Asked once.
  struct TurnProbe {
    std::string before_user, last, between;
  };
  const Result<TurnProbe>& ProbeTurns() const;

 private:
  enum class Way { kOurs, kEngine };
  // RenderAll, to the end of what the template writes.
  Result<std::vector<std::string>> RenderWhole(const std::vector<ChatInput>& inputs) const;
  Result<TurnProbe> Probe() const;
  // Compares at the first call.
  Result<Way> Decide() const;
  Result<Way> Compare() const;
  // The template for this input: the one for tools where it has some.
  const std::string& SourceFor(const ChatInput& input) const;
  // Empty: this input is the engine's.
  std::optional<Result<std::string>> Ours(const ChatInput& input) const;

  const ChatTemplate chat_;
  const std::string tool_source_;
  const Json specials_;
  std::string bos_, eos_;
  mutable std::once_flag once_;
  mutable std::optional<Result<Way>> way_;
  mutable std::once_flag probe_once_;
  mutable std::optional<Result<TurnProbe>> probe_;
};

}  // namespace assay
