// One tokenised row of supervised fine-tuning. Plain value.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace assay {

struct SftRow {
  std::vector<int64_t> ids;
  int64_t labels_from =
      1;  // tokens from here on are learned; at least 1 (nothing predicts the first token)
  std::vector<uint8_t>
      learn;  // as long as `ids`: 0 for a token that is not learned; empty: all are
  int64_t num_labels() const {
    const auto size = static_cast<int64_t>(ids.size());
    if (learn.empty() || labels_from >= size) return size - labels_from;
    return std::count(learn.begin() + labels_from, learn.end(), 1);
  }
};

}  // namespace assay
