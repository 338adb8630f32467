// chat_parity TOKENIZER < inputs.jsonl: each line {"messages", "tools"?, "kwargs"?, "add_generation_prompt"} as token ids, or as an error;
// scripts/parity_chat.py compares them with transformers.
#include <cstdio>
#include <iostream>
#include <string>

#include "core/json.h"
#include "grpo/tokenizer/chat_renderer.h"
#include "grpo/tokenizer/tokenizer.h"

namespace {

using namespace assay;

Json Answer(const Tokenizer& tokenizer, const Json& line) {
  ChatInput input;
  if (const Json* messages = line.Find("messages")) input.messages = *messages;
  if (const Json* tools = line.Find("tools")) input.tools = *tools;
  if (const Json* kwargs = line.Find("kwargs")) input.kwargs = *kwargs;
  input.add_generation_prompt = line.BoolOr("add_generation_prompt", true);
  input.continue_last = line.BoolOr("continue_final_message", false);
  const Result<std::string> text = tokenizer.chat().Render(input);
  Json answer = Json::MakeObject();
  if (!text.ok()) return answer.Set("error", text.error().message);
  Json ids = Json::MakeArray();
  for (int64_t id : tokenizer.Encode(*text)) ids.Append(id);
  return answer.Set("text", *text).Set("ids", ids);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto tokenizer = Tokenizer::Load(argv[1]);
  if (!tokenizer.ok()) {
    std::cerr << tokenizer.error().message << "\n";
    return 1;
  }
  for (std::string line; std::getline(std::cin, line);) {
    const Result<Json> json = ParseJson(line);
    if (!json.ok()) return 1;
    std::cout << Answer(**tokenizer, *json).Dump() << "\n";
  }
  return 0;
}
