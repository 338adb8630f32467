// chat_parity TOKENIZER < inputs.jsonl: each line {"messages", "tools"?, "kwargs"?, "add_generation_prompt"} as token ids, or as an error;
// with "learn": true as a supervised row: token ids, and for each whether it is learned. scripts/parity_chat.py compares them with
// transformers.
#include <cstdio>
#include <iostream>
#include <string>

#include "core/json.h"
#include "grpo/run/sft_rows.h"
#include "grpo/tokenizer/chat_renderer.h"
#include "grpo/tokenizer/tokenizer.h"

namespace {

using namespace assay;

// All turns of the assistant are learned.
Json Row(const Tokenizer& tokenizer, const Json& line) {
  SftChat chat;
  if (const Json* messages = line.Find("messages")) chat.messages = *messages;
  if (const Json* tools = line.Find("tools")) chat.tools = *tools;
  if (const Json* kwargs = line.Find("kwargs")) chat.kwargs = *kwargs;
  const Json::Array* turns = chat.messages.AsArray();
  for (size_t i = 0; turns != nullptr && i < turns->size(); ++i) {
    if ((*turns)[i].StringOr("role", "") == "assistant") chat.learned.push_back(i);
  }
  Json answer = Json::MakeObject();
  if (chat.learned.empty()) return answer.Set("error", "no turn of the assistant");
  Result<SftRow> row = EncodeChat(tokenizer, chat, tokenizer.eos_id());
  if (!row.ok()) return answer.Set("error", row.error().message);
  Json ids = Json::MakeArray(), learned = Json::MakeArray();
  for (size_t i = 0; i < row->ids.size(); ++i) {
    ids.Append(row->ids[i]);
    learned.Append(i >= static_cast<size_t>(row->labels_from) &&
                   (row->learn.empty() || row->learn[i] != 0));
  }
  return answer.Set("ids", ids).Set("learned", learned);
}

Json Answer(const Tokenizer& tokenizer, const Json& line) {
  if (line.BoolOr("learn", false)) return Row(tokenizer, line);
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
