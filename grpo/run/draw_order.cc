#include "grpo/run/draw_order.h"

#include "core/rng.h"

namespace assay {

int64_t DrawOrder::At(int64_t draw) {
  const int64_t epoch = draw / count_;
  if (epoch != epoch_) {
    order_.resize(count_);
    for (int64_t i = 0; i < count_; ++i) order_[i] = i;
    Rng rng(seed_, "draw-order", static_cast<uint64_t>(epoch));
    if (shuffle_) rng.Shuffle(&order_);
    epoch_ = epoch;
  }
  return order_[draw % count_];
}

}  // namespace assay
