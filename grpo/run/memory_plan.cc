#include "grpo/run/memory_plan.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>

#include "core/text.h"

namespace assay {
namespace {

// A slice of logits on a GPU has about so many elements (grpo/model/logprobs.cc).
constexpr double kLogits = 1 << 27;
// cuBLAS's workspaces of the streams that sample, learn and go back.
constexpr double kWorkspaces = 3 * (32 << 20);
// How far what is reckoned may be from what is taken.
constexpr double kPlanError = 0.05;

struct Widths {
  double hidden, inner, q, kv;
};
Widths WidthsOf(const ModelConfig& c) {
  return {static_cast<double>(c.hidden_size), static_cast<double>(c.intermediate_size),
          static_cast<double>(c.num_heads * c.head_dim),
          static_cast<double>(c.num_kv_heads * c.head_dim)};
}

// Bytes that a layer keeps of a token for its backward pass (Saved in grpo/model/cuda/layer.cc): what both norms gave, queries, keys,
// values, what was attended, gate, up and their product.
double KeptByLayer(const Widths& w) {
  return 4 * w.hidden + 2 * (2 * w.q + 2 * w.kv) + 6 * w.inner;
}
// What the backward pass of one layer takes on top while it lasts, at its widest: the gradients of the product, of gate and up, and of the
// stream from above.
double TakenByBackward(const Widths& w) { return 6 * w.inner + 6 * w.hidden; }

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

namespace {

// Parameters by what becomes of them, and how the recipe holds them.
struct Held {
  double all, layer, matrices, rows,
      outer;  // of one layer the first three; matrices' rows; embedding and head
  double trained;
  double element;    // bytes of the computation's dtype
  double processes;  // that share weights; 1: each has them whole
  bool made;         // layers are made one by one when they are computed
};

Held HeldBy(const ModelConfig& c, const TrainSpec& t, int64_t processes) {
  const Widths w = WidthsOf(c);
  Held h = {};
  h.all = static_cast<double>(CountParameters(c));
  h.rows = w.q + 2 * w.kv + 2 * w.hidden + 2 * w.inner;
  h.outer = static_cast<double>(c.vocab_size) * w.hidden * (c.tied_head ? 1 : 2);
  h.layer = (h.all - h.outer) / static_cast<double>(c.num_layers);
  h.matrices = h.layer - 4 * w.hidden;  // but for its norms
  h.trained = t.use_peft ? static_cast<double>(CountAdapterParameters(c, t.lora)) : h.all;
  h.element = t.model.dtype == "bfloat16" || t.model.dtype == "bf16" ? 2 : 4;
  const bool shared = t.optim.shard == "weights" && processes > 1;
  h.processes = shared ? static_cast<double>(processes) : 1;
  h.made = shared || t.load_in_8bit;
  return h;
}

double WeightBytes(const Held& h, const ModelConfig& c, const TrainSpec& t) {
  if (!t.use_peft) return 4 * h.all / h.processes;
  if (!t.load_in_8bit) return h.element * h.all / h.processes + 4 * h.trained;
  const auto layers = static_cast<double>(c.num_layers);
  return layers * (h.matrices + 4 * h.rows) + h.element * (h.all - layers * h.matrices) +
         4 * h.trained;
}

// What the learner computes with beside the masters, and its gradients.
double CopyAndGradients(const Held& h, const TrainSpec& t) {
  if (!h.made) return h.element * h.all + 4 * h.trained;
  // Embedding and head for the update; a layer at a time, its gradient, and either again in float32 on its way.
  const double outer = h.element * h.outer, layer = (2 * h.element + 4) * h.layer;
  if (t.use_peft) return outer + layer + 4 * h.trained;
  return outer + layer + 4 * h.trained / h.processes + 4 * h.outer;
}

// `tokens` of a micro-batch, of which `scored` have log-probs.
double LearningBytes(const Held& h, const ModelConfig& c, const TrainSpec& t, double tokens,
                     double scored) {
  const Widths w = WidthsOf(c);
  const auto layers = static_cast<double>(c.num_layers);
  // A layer that is made keeps the stream as it stands between two layers: in float32, with the last addition in the compute dtype.
  const double kept = h.made ? layers * (4 + h.element) * w.hidden + KeptByLayer(w)
                      : t.gradient_checkpointing ? layers * 4 * w.hidden + KeptByLayer(w)
                                                 : layers * KeptByLayer(w);
  const double logits = h.element * std::max(kLogits, 1024 * scored) + 6 * scored * w.hidden;
  return kWorkspaces + CopyAndGradients(h, t) + tokens * kept +
         std::max(tokens * TakenByBackward(w), logits);
}

// `rows` side by side, of `prompts` problems at a time.
double SamplingBytes(const Held& h, const ModelConfig& c, const TrainSpec& t, int64_t prompt,
                     double rows, double prompts) {
  const Widths w = WidthsOf(c);
  const auto vocab = static_cast<double>(c.vocab_size);
  const double key = 2 * static_cast<double>(c.num_layers) * w.kv * h.element;  // of a token
  return kWorkspaces + h.element * h.all +
         rows * (key * static_cast<double>(t.max_completion_length) +
                 h.element * (2 * vocab + 4 * w.inner)) +
         prompts * (key * static_cast<double>(prompt) + h.element * vocab);
}

// What both trainers hold all the time.
MemoryPlan Standing(const Held& h, const ModelConfig& c, const TrainSpec& t, int64_t processes) {
  MemoryPlan plan;
  plan.weights = WeightBytes(h, c, t);
  plan.moments = 8 * h.trained / (t.optim.shard == "none" ? 1.0 : static_cast<double>(processes));
  return plan;
}

double RowsSideBySide(const TrainSpec& t, double all) {
  return t.generation_rows > 0 ? std::min(all, static_cast<double>(t.generation_rows)) : all;
}

}  // namespace

MemoryPlan PlanMemory(const ModelConfig& c, const GrpoRecipe& recipe, int64_t prompt,
                      int64_t processes) {
  const TrainSpec& t = recipe.train;
  const Held h = HeldBy(c, t, processes);
  MemoryPlan plan = Standing(h, c, t, processes);
  if (recipe.loss.beta != 0 && !t.use_peft)
    plan.reference = (recipe.sync_ref_model ? 4 : h.element) * h.all / h.processes;
  const auto group = static_cast<double>(recipe.num_generations);
  const auto micro = static_cast<double>(t.per_device_train_batch_size);
  const double batch = micro * static_cast<double>(recipe.steps_per_generation);
  const bool own = t.server.url.empty() && t.data.rollouts.empty();
  if (own || t.eval.steps > 0) {
    const double rows = RowsSideBySide(t, batch);
    plan.sampling =
        SamplingBytes(h, c, t, prompt, rows, std::min(batch / group, 2 * rows / group + 1));
    plan.sampling_least = SamplingBytes(h, c, t, prompt, std::min(rows, group), 1);
  }
  plan.at_once = own && recipe.async_steps > 0;
  const double scored = micro * static_cast<double>(t.max_completion_length);
  const double tokens = scored + std::max(1.0, micro / group) * static_cast<double>(prompt);
  plan.learning = LearningBytes(h, c, t, tokens, scored);
  return plan;
}

MemoryPlan PlanMemory(const ModelConfig& c, const SftRecipe& recipe, int64_t prompt,
                      int64_t processes) {
  const TrainSpec& t = recipe.train;
  const Held h = HeldBy(c, t, processes);
  MemoryPlan plan = Standing(h, c, t, processes);
  if (t.eval.steps > 0) {
    const auto samples = static_cast<double>(t.eval.samples);
    const double rows = RowsSideBySide(t, static_cast<double>(t.eval.limit) * samples);
    plan.sampling = SamplingBytes(h, c, t, prompt, rows, std::ceil(rows / samples));
    plan.sampling_least = SamplingBytes(h, c, t, prompt, std::min(rows, samples), 1);
  }
  const auto tokens = static_cast<double>(t.per_device_train_batch_size * recipe.max_length);
  plan.learning = LearningBytes(h, c, t, tokens, tokens);
  return plan;
}

namespace {

double NeededBesideWeights(const MemoryPlan& plan, bool rows_are_set) {
  const double sampling = rows_are_set ? plan.sampling : plan.sampling_least;
  const double turn = plan.at_once ? sampling + plan.learning : std::max(sampling, plan.learning);
  return plan.moments + plan.reference + turn;
}

}  // namespace

std::string NearlyFullNote(const MemoryPlan& plan, bool rows_are_set, double available_bytes) {
  const double needed = NeededBesideWeights(plan, rows_are_set);
  if (needed > available_bytes || needed <= (1 - kPlanError) * available_bytes) return "";
  return StrCat("of the GPU's memory that is free, ", FixedDigits(available_bytes / 1e9, 1),
                " GB, this run takes ", FixedDigits(100 * needed / available_bytes, 0),
                " % as reckoned: it may run out of it (assay-train plan)");
}

Status CheckPlan(const MemoryPlan& plan, bool rows_are_set, double available_bytes) {
  const double sampling = rows_are_set ? plan.sampling : plan.sampling_least;
  const double needed = NeededBesideWeights(plan, rows_are_set);
  if (available_bytes < 0 || needed <= available_bytes) return {};
  const auto gb = [](double bytes) { return FixedDigits(bytes / 1e9, 1); };
  const bool shows_sampling = rows_are_set || plan.at_once || sampling > plan.learning;
  return Error{
      ErrorCode::kUnavailable,
      StrCat("the run needs ", gb(needed), " GB of the GPU's memory beside its weights (optimiser ",
             gb(plan.moments), ", reference ", gb(plan.reference), ", learning ", gb(plan.learning),
             shows_sampling ? StrCat(", sampling ", gb(sampling)) : "", "), ", gb(available_bytes),
             " GB are free"),
      sampling > plan.learning && sampling > available_bytes
          ? "sampling takes a whole copy of the weights in model.dtype: use bfloat16, or sample "
            "elsewhere (server.url, data.rollouts); assay-train plan shows the parts"
          : "lower per_device_train_batch_size or max_completion_length (more "
            "gradient_accumulation_steps make up for it), set gradient_checkpointing or use_peft, "
            "share weights out among more processes (shard = \"weights\"); assay-train plan shows "
            "the parts"};
}

}  // namespace assay
