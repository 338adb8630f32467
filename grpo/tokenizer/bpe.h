// BpeTokenizer: the one engine behind every Tokenizer. Symbols are bytes (byte-level BPE) or UTF-8 characters (byte-fallback
// BPE, and toy vocabularies); merges are applied lowest rank first, leftmost first. Built by tokenizer_from_*.cc and
// tokenizer_toy.cc, which fill BpeData; immutable afterwards and safe from many threads.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/json.h"
#include "grpo/tokenizer/chat_template.h"
#include "grpo/tokenizer/pretokenizer.h"
#include "grpo/tokenizer/tokenizer.h"

namespace assay {

struct AddedToken {
  int64_t id = 0;
  std::string text;
  bool special = true;
  bool lstrip = false;  // swallows the white space before it
  bool rstrip = false;  // and behind it
};

struct BpeData {
  enum class Symbols { kBytes, kCharacters };
  // How " " becomes the visible space of byte-fallback tokenizers, and where one is put in front.
  enum class Prepend { kNever, kFirst, kAlways };

  Symbols symbols = Symbols::kBytes;
  std::vector<std::string> pieces;               // by id: the bytes that a token stands for
  std::vector<bool> present;                     // by id
  std::unordered_map<std::string, int32_t> ids;  // bytes of ordinary tokens -> id
  struct Merge {
    int32_t rank;
    int32_t id;
  };
  std::unordered_map<uint64_t, Merge> merges;  // (left id << 32 | right id)
  bool ignore_merges = false;                  // a piece that is a token by itself is taken whole
  std::array<int32_t, 256>
      byte_ids{};  // kBytes: of each byte; kCharacters: <0x..> fallback; -1: none
  int32_t unknown_id = -1;
  bool nfc = false;
  bool visible_spaces = false;  // " " is written U+2581 in the vocabulary
  Prepend prepend = Prepend::kNever;
  bool prepend_once = false;  // Metaspace: none where the text begins with one
  bool decode_strips_space = false;
  std::shared_ptr<const PreTokenizer> splitter;
  std::vector<AddedToken> added;
  int64_t bos_id = -1, eos_id = -1, pad_id = -1;
  bool adds_bos = false;
  ChatTemplate chat;
  std::string tool_template;  // the one named "tool_use", or ""
  Json json;                  // tokenizer.json as it is saved
  Json config;                // tokenizer_config.json as it is saved
};

// Checks the data and builds the look-up of added tokens.
std::shared_ptr<const Tokenizer> MakeBpeTokenizer(BpeData data);

}  // namespace assay
