// libFuzzer: a chat template of any text, and messages of any text in it. Nothing is run, so it ends soon; a user's words must all be in
// what comes out, white space at their ends aside.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "core/text.h"
#include "grpo/tokenizer/chat_template.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace assay;
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const size_t zero = all.find('\0');
  const ChatTemplate chat = RecognizeChatTemplate(all.substr(0, zero));
  const std::string words(zero == std::string_view::npos ? "hello" : all.substr(zero + 1));
  const std::vector<Message> user = {{"user", words}};
  const std::vector<Message> talk = {
      {"system", words}, {"user", "a"}, {"assistant", words}, {"user", "b"}};
  for (const std::vector<Message>* messages : {&user, &talk}) {
    const Result<std::string> text = RenderChat(chat, *messages, true, "<s>", "</s>");
    if (!text.ok()) continue;
    if (messages == &user && chat.format != ChatFormat::kInst &&
        text->find(Trim(words)) == std::string::npos)
      abort();
  }
  return 0;
}
