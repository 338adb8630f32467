// Tokenizer: text to token ids and back. Byte-level BPE (from GGUF metadata or a tokenizer.json) with the pre-splits of
// the model families, byte-fallback BPE (Llama 2, TinyLlama, Mistral tokenizer.json), and a small character or word
// tokenizer for toy models. Decode(Encode(x)) == x for any bytes, except where the tokenizer's own normaliser (Qwen: NFC) or its
// leading-space rule changes the text. Time grows as n log n whatever the text. Immutable after loading; safe from
// many threads. Without LibTorch. How chat messages become text is grpo/tokenizer/chat_renderer.h's business.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "core/types.h"

namespace assay {

class GgufFile;      // grpo/files/gguf.h
class ChatRenderer;  // grpo/tokenizer/chat_renderer.h

enum class ChatFormat {
  kNone,      // no template: messages are an error
  kChatMl,    // <|im_start|>role\n..<|im_end|>\n (SmolLM2, Qwen2/2.5/3)
  kLlama3,    // <|start_header_id|>role<|end_header_id|>\n\n..<|eot_id|>
  kDeepSeek,  // <｜User｜>..<｜Assistant｜><think>\n
  kZephyr,    // <|user|>\n..</s>\n (TinyLlama)
  kInst,      // [INST] .. [/INST] (Llama 2, Mistral)
};
const char* ChatFormatName(ChatFormat format);

struct EncodeOptions {
  bool special = true;  // text such as "<|im_end|>" becomes the special token; false: ordinary text
  bool add_bos = false;  // prepend the tokenizer's BOS, if it has one
};

class Tokenizer {
 public:
  // A folder with tokenizer.json (and tokenizer_config.json), such a file itself, or a .gguf file.
  // Errors: kIo, kInput (what is missing or unknown, by name).
  static Result<std::shared_ptr<const Tokenizer>> Load(const std::string& path);
  static Result<std::shared_ptr<const Tokenizer>> FromGguf(const GgufFile& file);
  // `json`: tokenizer.json; `config`: tokenizer_config.json or null (special roles, chat template).
  static Result<std::shared_ptr<const Tokenizer>> FromJson(const Json& json, const Json& config);
  // Toy tokenizers: ids 0 <pad>, 1 <bos>, 2 <eos>, 3 <unk>, 4 <think>, 5 </think>, then one id for each symbol (a UTF-8
  // character; or a word with the white space before it, unknown words being spelled in characters). No chat template: use
  // plain prompts. Saved by Save and loaded by Load like the others.
  static Result<std::shared_ptr<const Tokenizer>> Characters(std::string_view alphabet);
  static Result<std::shared_ptr<const Tokenizer>> Words(const std::vector<std::string>& words);
  virtual ~Tokenizer() = default;

  virtual std::vector<int64_t> Encode(std::string_view text,
                                      const EncodeOptions& options = {}) const = 0;
  // The bytes that one token stands for ("" for an id out of range). Special tokens: their text.
  virtual std::string_view TokenBytes(int64_t id) const = 0;
  virtual bool IsSpecial(int64_t id) const = 0;
  // Concatenated bytes; ids out of range are skipped. Byte-fallback tokenizers drop the one leading space they add.
  virtual std::string Decode(const std::vector<int64_t>& ids, bool skip_special = false) const = 0;
  // The id of a token by its text (as it decodes), special tokens first; -1 if there is none.
  virtual int64_t TokenId(std::string_view text) const = 0;

  virtual int64_t vocab_size() const = 0;
  virtual int64_t bos_id() const = 0;  // -1: none; likewise below
  virtual int64_t eos_id() const = 0;
  virtual int64_t pad_id() const = 0;  // the EOS id where the tokenizer names no padding
  virtual bool adds_bos() const = 0;   // whether this family's prompts start with BOS by default
  // The tokenizer's chat template. Encode its texts with special = true and add_bos = false: they have their own BOS where the family
  // wants one.
  virtual const ChatRenderer& chat() const = 0;
  // The text of these messages, as transformers' apply_chat_template writes it. Errors: ChatRenderer's.
  Result<std::string> ApplyChat(const std::vector<Message>& messages,
                                bool add_generation_prompt) const;

  // Writes tokenizer.json, tokenizer_config.json and special_tokens_map.json (toy tokenizers: assay's own tokenizer.json,
  // which transformers loads too). Errors: kIo.
  virtual Status Save(const std::string& folder) const = 0;
};

// Splits a byte stream into whole UTF-8 characters for streaming: appends `bytes` to `pending`, returns what is complete
// and leaves at most 3 bytes behind. Ill-formed bytes pass through.
std::string TakeWholeUtf8(std::string* pending, std::string_view bytes);

}  // namespace assay
