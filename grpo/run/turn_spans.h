// Where the assistant's turns stand in the text that a chat template writes: beginnings, ends, and the tokens that end a turn. Templates
// are seen from outside alone, by what they write for conversations. Without LibTorch. Pure but for the template's box.
#pragma once

#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "grpo/tokenizer/chat_engine.h"
#include "grpo/tokenizer/tokenizer.h"

namespace assay {

// What a template writes behind the assistant's words: where the conversation ends with them, and where another turn follows. "" for
// nothing. A template that ends turns only where another follows (`ends_last` false) has that end in both.
struct TurnEnds {
  std::string last, middle;
  bool ends_last = true;
};
Result<TurnEnds> TurnEndsOf(const Tokenizer& tokenizer);

// One turn of the assistant in `whole`, the text of all: `index` among the messages; the texts up to the turn with the generation prompt,
// and through the turn.
struct TurnTexts {
  size_t index = 0;
  std::string prompt, through;
};

// For each turn the half-open range of `whole` from behind its header through its end. A turn that the template writes otherwise than on its
// own (thoughts cut, a system text moved) is followed as far as it can be told; a range never reaches into the next turn's.
ByteRanges TurnRanges(const Tokenizer& tokenizer, const Json& messages, const std::string& whole,
                      const std::vector<TurnTexts>& turns, const TurnEnds& ends);

}  // namespace assay
