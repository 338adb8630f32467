// Attention over packed rows: the list of segments becomes a plan of a few dense blocks, each one call of scaled dot product
// attention. Pure; a plan is immutable and may be shared by all layers and by the backward pass.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "grpo/model/model.h"

namespace assay {

// `rows` segments of at most `width` tokens that share a prefix (or have none), left-aligned: causal attention alone keeps
// real tokens from seeing the padding behind them.
struct AttentionBlock {
  int64_t rows = 0;
  int64_t width = 0;
  int64_t start =
      -1;  // >= 0: the block is packed tokens [start, start + rows * width) as they stand
  at::Tensor gather;  // else [rows * width]: packed position of each place (padding: any)
  at::Tensor
      gather_inverse;        // [N]: the place of each packed token in this block, -1 if it has none
  at::Tensor valid;          // [real tokens]: the places that are no padding
  at::Tensor valid_inverse;  // [rows * width]: their number, -1 at padding
  int64_t prefix_start = 0;
  int64_t prefix_length = 0;
  at::Tensor
      mask;  // bool [width, prefix_length + width] with a prefix, else undefined (plain causal)
  // bool [width, prefix_length + width]: causal within the plan's window; undefined where no place is out of it.
  at::Tensor window_mask;
};

struct AttentionPlan {
  std::vector<AttentionBlock> blocks;
  at::Tensor restore;  // [N]: the blocks' real tokens back in packed order; undefined if they are
  at::Tensor restore_inverse;  // [N]
};

// `window`: for layers whose tokens see so many, themselves included; 0: there are none.
AttentionPlan MakeAttentionPlan(const std::vector<Segment>& segments, int64_t window,
                                at::Device device);

struct AttentionKind {
  bool windowed = false;
  double scale = 0.0;  // of queries times keys; 0: 1 / sqrt(D)
};

// q [N, heads, D], k and v [N, kv_heads, D], rotated. Returns [N, heads * D].
at::Tensor PackedAttention(const AttentionPlan& plan, const AttentionKind& kind,
                           const at::Tensor& q, const at::Tensor& k, const at::Tensor& v);

// Cosines and sines [N, rotated dimensions / 2] for positions [N]; `longest`: the longest sequence among them.
struct RotaryTables {
  at::Tensor cosine;
  at::Tensor sine;
};
RotaryTables MakeRotaryTables(const RopeConfig& rope, int64_t head_dim, const at::Tensor& positions,
                              int64_t longest, at::ScalarType dtype);

}  // namespace assay
