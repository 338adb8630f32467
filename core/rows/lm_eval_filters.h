// LmEvalFilters: lm-eval writes a document's replies once for each filter of its task (strict-match, flexible-extract, ..). What a filter
// made of them is of no use to verifiers; counted again, the same replies would be samples twice. One thread; memory: a hash a document.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/hash.h"

namespace assay {

class LmEvalFilters {
 public:
  // True for a line of lm-eval's whose replies came before, under another filter. Lines of other forms cost a search for a word.
  bool Repeats(std::string_view line);
  int64_t repeats() const { return repeats_; }
  // What to tell a user; empty where nothing repeated.
  std::string Note() const;

 private:
  struct Low {
    size_t operator()(const Hash128& hash) const { return hash.low; }
  };
  std::unordered_map<Hash128, uint64_t, Low> filter_of_;  // the hash of the filter that came first
  int64_t repeats_ = 0;
};

}  // namespace assay
