// Vocabulary and merges of BpeData, filled in from the texts in which files write them: tokenizer.json, GGUF metadata and toy
// vocabularies have them in common. Pure; errors are kInput.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/result.h"
#include "grpo/tokenizer/bpe.h"

namespace assay {

inline constexpr std::string_view kVisibleSpace = "\xE2\x96\x81";  // U+2581
inline constexpr int64_t kMaxTokens = int64_t{1} << 21;  // eight times the largest vocabulary known

// Tokens as they are written, with their ids.
using TextIds = std::unordered_map<std::string, int32_t>;

Error BadTokenizer(std::string message, std::string hint = "");

// The bytes that a written token stands for: GPT-2's byte alphabet, "<0x0A>" or visible spaces, by the data's kind.
std::string PieceBytes(const BpeData& data, std::string_view text);
// Ordinary tokens by text. Single bytes become the starting symbols.
Status SetVocabulary(const TextIds& texts, BpeData* data);
// The merge of two tokens into the one that their texts make up.
Status AddMerge(const TextIds& texts, const std::string& left, const std::string& right,
                int32_t rank, BpeData* data);
// The same from "left right".
Status AddMergeLine(const TextIds& texts, std::string_view line, int32_t rank, BpeData* data);
// Gives data->added their pieces.
Status AddAddedTokens(BpeData* data);
// Added tokens first; -1 if there is none.
int64_t IdOfText(const BpeData& data, std::string_view text);

}  // namespace assay
