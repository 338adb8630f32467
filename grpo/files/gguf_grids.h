// The codebooks of ggml's IQ1, IQ2 and IQ3 types: lists of points, eight weights each (IQ3: four), of which a block names one by its
// number. Made from bitmaps at first use; thread-safe after that as while it happens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace assay {

class GgufGrid {
 public:
  // The points over `values` whose bits are set, `width` coordinates each.
  GgufGrid(std::string_view bitmap, std::span<const int8_t> values, int width);

  // The coordinates of a point, width() of them. `index` is below the codebook's size.
  const int8_t* At(size_t index) const { return &points_[index * static_cast<size_t>(width_)]; }
  int width() const { return width_; }
  size_t size() const { return points_.size() / static_cast<size_t>(width_); }

 private:
  int width_;
  std::vector<int8_t> points_;
};

const GgufGrid& Iq1Grid();     // 2,048 points; of IQ1_S and IQ1_M
const GgufGrid& Iq2XxsGrid();  // 256
const GgufGrid& Iq2XsGrid();   // 512
const GgufGrid& Iq2SGrid();    // 1,024
const GgufGrid& Iq3XxsGrid();  // 256
const GgufGrid& Iq3SGrid();    // 512

}  // namespace assay
