// PreTokenizer: cuts text into the pieces within which byte-pair merges may happen: a list of stages, each cutting every piece
// of the stage before by a regular expression (PCRE2 with its JIT). White space in patterns is Unicode's White_Space, as in
// the reference's engine. Bytes that are no UTF-8 are pieces of their own. Linear in the text for the families' patterns.
// Immutable once made; safe from many threads.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace assay {

// The pre-split of GPT-2, and that every digit stands alone.
extern const char kGpt2Pattern[];
extern const char kDigitPattern[];
extern const char kLlama3Pattern[];
extern const char kQwen2Pattern[];

enum class SplitBehavior {
  kIsolated,            // matches are pieces, and what lies between them too
  kRemoved,             // matches are dropped
  kMergedWithPrevious,  // a match ends the piece before it
  kMergedWithNext,      // a match starts the piece after it
};

struct SplitStage {
  std::string pattern;
  SplitBehavior behavior = SplitBehavior::kIsolated;
  bool invert = false;  // the pattern describes what lies between
};

class PreTokenizer {
 public:
  // No stages: the text is one piece. Errors: kInput, a pattern that PCRE2 refuses.
  static Result<std::shared_ptr<const PreTokenizer>> Make(std::vector<SplitStage> stages);
  ~PreTokenizer();
  // The pieces in order (views into `text`).
  std::vector<std::string_view> Split(std::string_view text) const;
  const std::vector<SplitStage>& stages() const { return stages_; }

 private:
  PreTokenizer() = default;
  struct Compiled;
  std::vector<SplitStage> stages_;
  std::vector<std::unique_ptr<Compiled>> compiled_;
};

// Length of the well-formed UTF-8 character at text[at], or 0.
size_t Utf8Length(std::string_view text, size_t at);

}  // namespace assay
