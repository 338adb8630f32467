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
};

struct AttentionPlan {
  std::vector<AttentionBlock> blocks;
  at::Tensor restore;  // [N]: the blocks' real tokens back in packed order; undefined if they are
  at::Tensor restore_inverse;  // [N]
};

AttentionPlan MakeAttentionPlan(const std::vector<Segment>& segments, at::Device device);

// q [N, heads, D], k and v [N, kv_heads, D], rotated. Returns [N, heads * D].
at::Tensor PackedAttention(const AttentionPlan& plan, const at::Tensor& q, const at::Tensor& k,
                           const at::Tensor& v);

// Cosines and sines [N, D/2] for positions [N]; `longest`: the longest sequence among them.
struct RotaryTables {
  at::Tensor cosine;
  at::Tensor sine;
};
RotaryTables MakeRotaryTables(const ModelConfig& config, const at::Tensor& positions,
                              int64_t longest, at::ScalarType dtype);

}  // namespace assay
