#include "grpo/run/memory_plan.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "core/text.h"

namespace assay {
namespace {

// A slice of logits on a GPU has about so many elements (grpo/model/logprobs.cc).
constexpr double kLogits = 1 << 27;
// cuBLAS's workspaces of the streams that sample, learn and go back.
constexpr double kWorkspaces = 3 * (32 << 20);

struct Widths {
  double hidden, inner, q, kv;
};
Widths WidthsOf(const ModelConfig& c) {
  return {static_cast<double>(c.hidden_size), static_cast<double>(c.intermediate_size),
          static_cast<double>(c.num_heads * c.head_dim),
          static_cast<double>(c.num_kv_heads * c.head_dim)};
}

// Bytes that a layer keeps of a token for its backward pass (Saved in grpo/model/cuda/layer.cc): two float32 streams and their norms,
// queries, keys, values, what was attended, gate and up.
double KeptByLayer(const Widths& w) {
  return 2 * (4 * w.hidden + 2 * w.hidden) + 2 * (2 * w.q + 2 * w.kv) + 4 * w.inner;
}
// What the backward pass of one layer takes on top while it lasts, at its widest: the gate's two gradients and the product that is computed
// again, and the stream's from above.
double TakenByBackward(const Widths& w) { return 8 * w.inner + 6 * w.hidden; }

}  // namespace

int64_t CountParameters(const ModelConfig& c) {
  const int64_t q = c.num_heads * c.head_dim, kv = c.num_kv_heads * c.head_dim, h = c.hidden_size;
  const int64_t norms = 2 * (int64_t{c.norm_before} + int64_t{c.norm_behind});
  int64_t layer = h * (q + 2 * kv) + q * h + norms * h;
  if (c.qkv_bias) layer += q + 2 * kv;
  if (c.o_bias) layer += h;
  if (c.qk_norm) layer += 2 * c.head_dim;
  if (c.qk_norm_wide) layer += q + kv;
  int64_t mlp = 3 * h * c.intermediate_size;
  if (c.mlp_bias) mlp += 2 * c.intermediate_size + h;
  const int64_t experts = c.num_experts * (3 * h * c.expert_size + h);
  int64_t count = h + c.vocab_size * h * (c.tied_head ? 1 : 2);
  for (int64_t i = 0; i < c.num_layers; ++i) count += layer + (c.layer(i).experts ? experts : mlp);
  return count;
}

int64_t CountAdapterParameters(const ModelConfig& c, const LoraConfig& lora) {
  const int64_t q = c.num_heads * c.head_dim, kv = c.num_kv_heads * c.head_dim, h = c.hidden_size;
  const struct {
    const char* name;
    int64_t out, in;
  } kMatrices[] = {{"self_attn.q_proj", q, h},
                   {"self_attn.k_proj", kv, h},
                   {"self_attn.v_proj", kv, h},
                   {"self_attn.qkv_proj", q + 2 * kv, h},
                   {"self_attn.o_proj", h, q},
                   {"mlp.gate_proj", c.intermediate_size, h},
                   {"mlp.up_proj", c.intermediate_size, h},
                   {"mlp.gate_up_proj", 2 * c.intermediate_size, h},
                   {"mlp.down_proj", h, c.intermediate_size}};
  int64_t count = 0;
  for (const auto& matrix : kMatrices) {
    const std::string_view name = matrix.name;
    const bool whole = name == "self_attn.o_proj" || name == "mlp.down_proj";
    const bool joined = name == "self_attn.qkv_proj" || name == "mlp.gate_up_proj";
    if (!whole && joined != c.packed) continue;
    if (lora.Targets(std::string("model.layers.0.") + matrix.name + ".weight"))
      count += lora.rank * (matrix.out + matrix.in);
  }
  return c.num_layers * count;
}

MemoryPlan PlanMemory(const ModelConfig& c, const GrpoRecipe& recipe, int64_t prompt,
                      int64_t processes) {
  const TrainSpec& t = recipe.train;
  const Widths w = WidthsOf(c);
  const auto all = static_cast<double>(CountParameters(c));
  const double trained = t.use_peft ? static_cast<double>(CountAdapterParameters(c, t.lora)) : all;
  const double element = t.model.dtype == "bfloat16" || t.model.dtype == "bf16" ? 2 : 4;
  const auto layers = static_cast<double>(c.num_layers), vocab = static_cast<double>(c.vocab_size);
  const auto group = static_cast<double>(recipe.num_generations);
  const auto longest = static_cast<double>(prompt),
             grown = static_cast<double>(t.max_completion_length);

  MemoryPlan plan;
  plan.weights = t.use_peft ? element * all + 4 * trained : 4 * all;
  plan.moments = 8 * trained / static_cast<double>(processes);
  if (recipe.loss.beta != 0 && !t.use_peft)
    plan.reference = (recipe.sync_ref_model ? 4 : element) * all;
  const double copy = element * all;

  const double batch =
      static_cast<double>(t.per_device_train_batch_size * recipe.steps_per_generation);
  const double rows =
      t.generation_rows > 0 ? std::min(batch, static_cast<double>(t.generation_rows)) : batch;
  const double key = 2 * layers * w.kv * element;  // of a token
  plan.sampling = kWorkspaces + copy + rows * (key * grown + element * (2 * vocab + 4 * w.inner)) +
                  std::min(batch / group, 2 * rows / group + 1) * (key * longest + element * vocab);

  const auto micro = static_cast<double>(t.per_device_train_batch_size);
  const double tokens = micro * grown + std::max(1.0, micro / group) * longest;
  const double activations =
      t.gradient_checkpointing ? layers * 4 * w.hidden + KeptByLayer(w) : layers * KeptByLayer(w);
  const double scored = micro * grown;
  const double logits = element * std::max(kLogits, 1024 * scored) + 6 * scored * w.hidden;
  plan.learning = kWorkspaces + copy + 4 * trained + tokens * activations +
                  std::max(tokens * TakenByBackward(w), logits);
  return plan;
}

Status CheckPlan(const MemoryPlan& plan, bool rows_are_set, double available_bytes) {
  const double turn = rows_are_set ? std::max(plan.sampling, plan.learning) : plan.learning;
  const double needed = plan.moments + plan.reference + turn;
  if (available_bytes < 0 || needed <= available_bytes) return {};
  const auto gb = [](double bytes) { return FixedDigits(bytes / 1e9, 1); };
  return Error{
      ErrorCode::kUnavailable,
      StrCat("the run needs ", gb(needed), " GB of the GPU's memory beside its weights (optimiser ",
             gb(plan.moments), ", reference ", gb(plan.reference), ", learning ", gb(plan.learning),
             rows_are_set ? StrCat(", sampling ", gb(plan.sampling)) : "", "), ",
             gb(available_bytes), " GB are free"),
      "lower per_device_train_batch_size or max_completion_length (more "
      "gradient_accumulation_steps make up for it), set gradient_checkpointing or use_peft; "
      "assay-train plan shows the parts"};
}

}  // namespace assay
