// One tokenised row of supervised fine-tuning. Plain value.
#pragma once

#include <cstdint>
#include <vector>

namespace assay {

struct SftRow {
  std::vector<int64_t> ids;
  int64_t labels_from =
      1;  // tokens from here on are learned; at least 1 (nothing predicts the first token)
  int64_t num_labels() const { return static_cast<int64_t>(ids.size()) - labels_from; }
};

}  // namespace assay
