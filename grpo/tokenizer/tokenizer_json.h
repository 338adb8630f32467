// What tokenizer.json and tokenizer_config.json would say of a tokenizer that came from elsewhere (GGUF, a toy vocabulary), for saving. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "grpo/tokenizer/bpe.h"

namespace assay {

struct VocabularyItem {
  std::string text;
  int64_t id;
};

// tokenizer.json for data (its splitter set) whose vocabulary and merges ("left right") are given as texts.
Json TokenizerJson(const BpeData& data, const std::vector<VocabularyItem>& vocabulary,
                   const std::vector<std::string>& merges);
// tokenizer_config.json.
Json ConfigJson(const BpeData& data);

}  // namespace assay
