#include "grpo/model/attention.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "grpo/model/ops.h"

namespace assay {
namespace {

// Rows of one block may be padded by at most this share of the longest.
constexpr double kMaxPadding = 0.25;
// With grouped queries, the query heads of one key head are folded into its rows (one small product instead of three)
// while the mask that this takes stays small.
constexpr int64_t kMaxFoldedMask = int64_t{1} << 21;

at::Tensor Int64s(const std::vector<int64_t>& values, at::Device device) {
  return at::tensor(values, at::kLong).to(device);
}

// Segments that may share a block: same prefix, similar length. Each list is one block.
std::vector<std::vector<size_t>> GroupSegments(const std::vector<Segment>& segments) {
  std::map<int64_t, std::vector<size_t>> by_prefix;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (segments[i].length > 0) by_prefix[segments[i].prefix].push_back(i);
  }
  std::vector<std::vector<size_t>> blocks;
  for (auto& [prefix, members] : by_prefix) {
    std::stable_sort(members.begin(), members.end(),
                     [&](size_t a, size_t b) { return segments[a].length > segments[b].length; });
    int64_t width = 0;
    for (size_t member : members) {
      const auto length = static_cast<double>(segments[member].length);
      if (width == 0 || length < (1.0 - kMaxPadding) * static_cast<double>(width)) {
        blocks.emplace_back();
        width = segments[member].length;
      }
      blocks.back().push_back(member);
    }
  }
  for (std::vector<size_t>& block : blocks) std::sort(block.begin(), block.end());
  std::sort(blocks.begin(), blocks.end());
  return blocks;
}

// True if the rows stand one after the other and are of one length.
bool IsDense(const std::vector<Segment>& segments, const std::vector<size_t>& members,
             int64_t width) {
  for (size_t i = 0; i < members.size(); ++i) {
    const Segment& segment = segments[members[i]];
    if (segment.length != width) return false;
    if (segment.start != segments[members[0]].start + static_cast<int64_t>(i) * width) return false;
  }
  return true;
}

AttentionBlock MakeBlock(const std::vector<Segment>& segments, const std::vector<size_t>& members,
                         int64_t tokens, int64_t window, at::Device device,
                         std::vector<int64_t>* order) {
  AttentionBlock block;
  block.rows = static_cast<int64_t>(members.size());
  for (size_t member : members) block.width = std::max(block.width, segments[member].length);
  if (IsDense(segments, members, block.width)) {
    block.start = segments[members[0]].start;
    for (int64_t i = 0; i < block.rows * block.width; ++i) order->push_back(block.start + i);
  } else {
    std::vector<int64_t> gather(static_cast<size_t>(block.rows * block.width),
                                segments[members[0]].start);
    std::vector<int64_t> gather_inverse(static_cast<size_t>(tokens), -1);
    std::vector<int64_t> valid;
    std::vector<int64_t> valid_inverse(gather.size(), -1);
    for (size_t row = 0; row < members.size(); ++row) {
      const Segment& segment = segments[members[row]];
      for (int64_t t = 0; t < segment.length; ++t) {
        const int64_t place = static_cast<int64_t>(row) * block.width + t;
        gather[static_cast<size_t>(place)] = segment.start + t;
        gather_inverse[static_cast<size_t>(segment.start + t)] = place;
        valid_inverse[static_cast<size_t>(place)] = static_cast<int64_t>(valid.size());
        valid.push_back(place);
        order->push_back(segment.start + t);
      }
    }
    block.gather = Int64s(gather, device);
    block.gather_inverse = Int64s(gather_inverse, device);
    block.valid = Int64s(valid, device);
    block.valid_inverse = Int64s(valid_inverse, device);
  }
  const int64_t prefix = segments[members[0]].prefix;
  if (prefix >= 0) {
    block.prefix_start = segments[static_cast<size_t>(prefix)].start;
    block.prefix_length = segments[static_cast<size_t>(prefix)].length;
    block.mask = at::ones({block.width, block.prefix_length + block.width},
                          at::TensorOptions(device).dtype(at::kBool))
                     .tril(block.prefix_length);
  }
  if (window > 0 && block.prefix_length + block.width > window) {
    block.window_mask = at::ones({block.width, block.prefix_length + block.width},
                                 at::TensorOptions(device).dtype(at::kBool))
                            .tril(block.prefix_length)
                            .triu(block.prefix_length - window + 1);
  }
  return block;
}

// The block's tokens of x [N, heads, D] as [rows, width, heads, D].
at::Tensor TakeBlock(const AttentionBlock& block, const at::Tensor& x) {
  const int64_t places = block.rows * block.width;
  const at::Tensor taken = block.start >= 0
                               ? x.narrow(0, block.start, places)
                               : GatherRows(x.flatten(1), block.gather, block.gather_inverse);
  return taken.reshape({block.rows, block.width, x.size(1), x.size(2)});
}

// Keys or values with the prefix in front: [rows, prefix + width, kv_heads, D].
at::Tensor TakeWithPrefix(const AttentionBlock& block, const at::Tensor& x) {
  const at::Tensor own = TakeBlock(block, x);
  if (block.prefix_length == 0) return own;
  const at::Tensor prefix = x.narrow(0, block.prefix_start, block.prefix_length).unsqueeze(0);
  return at::cat({prefix.expand({block.rows, block.prefix_length, x.size(1), x.size(2)}), own}, 1);
}

// q [R, T, heads, D], k and v [R, S, kv_heads, D] -> [R, T, heads, D]. Query row t sees the first S - T + t + 1 keys.
at::Tensor Attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                  const at::Tensor& mask, std::optional<double> scale) {
  const int64_t width = q.size(1);
  const int64_t repeat = q.size(2) / k.size(2);
  const at::Tensor keys = k.transpose(1, 2);
  const at::Tensor values = v.transpose(1, 2);
  if (repeat > 1 && q.is_cpu() && repeat * width * k.size(1) <= kMaxFoldedMask) {
    const std::vector<int64_t> split = {q.size(0), width, k.size(2), repeat, q.size(3)};
    const at::Tensor folded = q.view(split)
                                  .permute({0, 2, 3, 1, 4})
                                  .reshape({q.size(0), k.size(2), repeat * width, q.size(3)});
    const at::Tensor one =
        mask.defined() ? mask : at::ones({width, width}, q.options().dtype(at::kBool)).tril();
    const at::Tensor out =
        at::scaled_dot_product_attention(folded, keys, values, one.repeat({repeat, 1}), 0.0,
                                         /*is_causal=*/false, scale);
    return out.view({q.size(0), k.size(2), repeat, width, q.size(3)})
        .permute({0, 3, 1, 2, 4})
        .reshape(q.sizes());
  }
  const std::optional<at::Tensor> given =
      mask.defined() ? std::optional<at::Tensor>(mask) : std::nullopt;
  return at::scaled_dot_product_attention(q.transpose(1, 2), keys, values, given, 0.0,
                                          /*is_causal=*/!mask.defined(), scale,
                                          /*enable_gqa=*/repeat > 1)
      .transpose(1, 2);
}

}  // namespace

AttentionPlan MakeAttentionPlan(const std::vector<Segment>& segments, int64_t window,
                                at::Device device) {
  int64_t tokens = 0;
  for (const Segment& segment : segments) tokens = std::max(tokens, segment.start + segment.length);
  AttentionPlan plan;
  std::vector<int64_t> order;  // packed position of each real token in block order
  for (const std::vector<size_t>& members : GroupSegments(segments)) {
    plan.blocks.push_back(MakeBlock(segments, members, tokens, window, device, &order));
  }
  if (!std::is_sorted(order.begin(), order.end())) {
    std::vector<int64_t> restore(order.size());
    for (size_t i = 0; i < order.size(); ++i)
      restore[static_cast<size_t>(order[i])] = static_cast<int64_t>(i);
    plan.restore = Int64s(restore, device);
    plan.restore_inverse = Int64s(order, device);
  }
  return plan;
}

at::Tensor PackedAttention(const AttentionPlan& plan, const AttentionKind& kind,
                           const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
  const std::optional<double> scale =
      kind.scale > 0 ? std::optional<double>(kind.scale) : std::nullopt;
  std::vector<at::Tensor> parts;
  const int64_t features = q.size(1) * q.size(2);
  for (const AttentionBlock& block : plan.blocks) {
    const at::Tensor& mask =
        kind.windowed && block.window_mask.defined() ? block.window_mask : block.mask;
    at::Tensor out = Attend(TakeBlock(block, q), TakeWithPrefix(block, k), TakeWithPrefix(block, v),
                            mask, scale);
    out = out.reshape({block.rows * block.width, features});
    if (block.start < 0) out = GatherRows(out, block.valid, block.valid_inverse);
    parts.push_back(out);
  }
  at::Tensor all = parts.size() == 1 ? parts[0] : at::cat(parts, 0);
  if (plan.restore.defined()) all = GatherRows(all, plan.restore, plan.restore_inverse);
  return all;
}

}  // namespace assay
