// ChatEngine: chat templates rendered as they are written, by Jinja2 with the settings that transformers gives it, in a box of our own
// sandbox: a template comes with a model's weights and is trusted as little as what the model says. The box runs the jail's Python, so
// Jinja2 is the machine's (Debian: python3-jinja2). Thread-safe; a call takes one box, some milliseconds. The clock stands still: a
// template that asks for the day gets 26 July 2024, Llama 3.1's own default, so that a run can be repeated.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace assay {

// One rendering: what transformers' apply_chat_template is given.
struct ChatInput {
  Json
      messages;  // an array of objects with "role", "content" and whatever else a row's message has
  Json tools;    // an array of schemas, or null
  Json kwargs;   // further variables of the template ({"enable_thinking": false}), or null
  bool add_generation_prompt = true;
  // The last message is the start of a reply: the text ends where that does (transformers' continue_final_message), and there is no
  // generation prompt. ChatRenderer's.
  bool continue_last = false;
};

// Half-open ranges of a text's bytes, ascending, none within another.
using ByteRanges = std::vector<std::pair<size_t, size_t>>;

class ChatEngine {
 public:
  // The process's engine, started at the first call. Errors: kUnavailable with a hint (no box, no Jinja2 in it); asked again, they stay.
  static Result<std::shared_ptr<const ChatEngine>> Shared();
  ~ChatEngine();

  // The texts in order; a template that fails on an input (raise_exception among others) gives an error there. `specials`: the special
  // tokens by role ("bos_token"). The outer error: kUnavailable, or kInput where the box was ended (a template that loops): after
  // `cpu_ms` of CPU time.
  Result<std::vector<Result<std::string>>> Render(const std::string& source, const Json& specials,
                                                  const std::vector<ChatInput>& inputs,
                                                  int64_t cpu_ms = kCpuMs) const;
  // What the template marks as the model's words ({% generation %}) in the text that Render gives; none where it marks nothing, or changes
  // what it has marked. Errors: Render's, both.
  Result<ByteRanges> Generated(const std::string& source, const Json& specials,
                               const ChatInput& input) const;

 private:
  static constexpr int64_t kCpuMs = 10'000;
  ChatEngine();
  // An array with an object for each input.
  Result<Json> Ask(const std::string& source, const Json& specials,
                   const std::vector<ChatInput>& inputs, bool ranges, int64_t cpu_ms) const;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
