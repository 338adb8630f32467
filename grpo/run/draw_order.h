// DrawOrder: which problem or row comes next. A pure function of seed and draw number, so a resumed run needs only the number.
#pragma once

#include <cstdint>
#include <vector>

namespace assay {

// The order in which problems are drawn: draw number `draw` of `count` problems, shuffled anew each epoch.
class DrawOrder {
 public:
  DrawOrder(uint64_t seed, int64_t count, bool shuffle)
      : seed_(seed), count_(count), shuffle_(shuffle) {}
  int64_t At(int64_t draw);

 private:
  uint64_t seed_;
  int64_t count_;
  bool shuffle_;
  int64_t epoch_ = -1;
  std::vector<int64_t> order_;
};

}  // namespace assay
