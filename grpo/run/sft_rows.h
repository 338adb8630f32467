// Rows of supervised fine-tuning: from JSON Lines or a store's data set to tokens with what is learned of them. Without LibTorch. Errors name
// file and line.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "grpo/config/recipe.h"
#include "grpo/learn/sft_row.h"
#include "grpo/tokenizer/tokenizer.h"

namespace assay {

struct SftData {
  std::vector<SftRow> rows;
  int64_t read = 0;     // rows of the files
  int64_t cut = 0;      // longer than max_length: their ends are lost
  int64_t dropped = 0;  // nothing to learn is left of them
  int64_t chats = 0;    // went through the chat template
};

// {"prompt", "completion"}, {"messages"} or {"text"}, or any form that `assay score` reads; the store's data set where the recipe names
// one. Plain pairs end in `eos_id`; chats are the template's text, its end of turn included, and learn what `assistant_turns` says.
Result<SftData> LoadSftRows(const SftRecipe& recipe, const Tokenizer& tokenizer, int64_t eos_id);

// A conversation as the template writes it. `learned`: places of the assistant turns that earn loss, ascending, not empty; what stands
// behind the last of them is left out. `tools` and `kwargs` as in ChatInput. `whole`: every token is learned. Of a turn all that is not its
// header is learned, or, where the template marks the assistant's words ({% generation %}), what it marks.
struct SftChat {
  Json messages;
  Json tools, kwargs;
  std::vector<size_t> learned;
  bool whole = false;
};
Result<SftRow> EncodeChat(const Tokenizer& tokenizer, const SftChat& chat, int64_t eos_id);

}  // namespace assay
