// Tokenizers of characters or words for toy models.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text.h"
#include "grpo/tokenizer/bpe.h"
#include "grpo/tokenizer/tokenizer.h"
#include "grpo/tokenizer/tokenizer_json.h"
#include "grpo/tokenizer/vocabulary.h"

namespace assay {
namespace {

constexpr const char* kToySpecials[] = {"<pad>", "<bos>", "<eos>", "<unk>", "<think>", "</think>"};
constexpr int64_t kToyControls = 4;  // the thought's marks are text

Result<std::shared_ptr<const Tokenizer>> MakeToy(const std::vector<std::string>& symbols,
                                                 bool words) {
  BpeData data;
  data.symbols = BpeData::Symbols::kCharacters;
  data.ignore_merges = words;
  TextIds texts;
  std::vector<VocabularyItem> vocabulary;
  for (const char* special : kToySpecials) {
    const auto id = static_cast<int64_t>(vocabulary.size());
    data.added.push_back({id, special, id < kToyControls, false, false});
    vocabulary.push_back({special, id});
    texts.emplace(special, static_cast<int32_t>(id));
  }
  for (const std::string& symbol : symbols) {
    const auto id = static_cast<int32_t>(vocabulary.size());
    if (symbol.empty() || !texts.emplace(symbol, id).second) continue;
    vocabulary.push_back({symbol, id});
  }
  if (Status s = SetVocabulary(texts, &data); !s.ok()) return s.error();
  for (const char* special : kToySpecials) data.ids.erase(special);
  data.byte_ids.fill(-1);
  if (Status s = AddAddedTokens(&data); !s.ok()) return s.error();
  data.pad_id = 0;
  data.bos_id = 1;
  data.eos_id = 2;
  data.unknown_id = 3;
  std::vector<SplitStage> stages;
  if (words)
    stages.push_back(
        {R"(\s?[\p{Latin}\p{Cyrillic}\p{Greek}]+|\S|\s)", SplitBehavior::kIsolated, false});
  Result<std::shared_ptr<const PreTokenizer>> splitter = PreTokenizer::Make(std::move(stages));
  if (!splitter.ok()) return splitter.error();
  data.splitter = *splitter;
  data.json = TokenizerJson(data, vocabulary, {});
  data.config = ConfigJson(data);
  return MakeBpeTokenizer(std::move(data));
}

std::vector<std::string> CharactersOf(std::string_view text) {
  std::vector<std::string> characters;
  for (size_t at = 0; at < text.size();) {
    const size_t length = std::max<size_t>(1, Utf8Length(text, at));
    characters.emplace_back(text.substr(at, length));
    at += length;
  }
  return characters;
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::Characters(std::string_view alphabet) {
  return MakeToy(CharactersOf(alphabet), false);
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::Words(const std::vector<std::string>& words) {
  std::vector<std::string> symbols = words;
  for (const std::string& word : words) {
    for (std::string& character : CharactersOf(word)) symbols.push_back(std::move(character));
  }
  return MakeToy(symbols, true);
}

}  // namespace assay
