#include "grpo/learn/learner.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/check.h"
#include "core/json.h"
#include "core/text.h"
#include "grpo/model/cuda/runtime.h"
#include "grpo/model/shards.h"
#include "grpo/model/torch_error.h"

namespace assay {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

const RolloutRow& RowAt(const GenerationBatch& batch, std::pair<int32_t, int32_t> at) {
  return batch.groups[at.first].rows[at.second];
}

// 1 for each token that counts in the loss.
std::vector<float> LossMask(const RolloutRow& row, const GrpoRecipe& recipe) {
  const bool null = !row.advantage.mask && recipe.null_rows == NullRows::kMask;
  const bool cut = row.truncated && recipe.mask_truncated_completions;
  std::vector<float> mask(row.completion.size(), null || cut ? 0.0f : 1.0f);
  for (size_t t = 0; t < row.own.size() && t < mask.size(); ++t) mask[t] *= row.own[t] != 0;
  return mask;
}

double Sum(const std::vector<float>& values) {
  double sum = 0;
  for (float value : values) sum += value;
  return sum;
}

// Rows as the packed forward wants them: every run of rows of one group shares its prompt.
std::vector<TokenGroup> TokenGroupsOf(const GenerationBatch& batch, const MicroBatch& micro) {
  std::vector<TokenGroup> groups;
  for (size_t i = 0; i < micro.size(); ++i) {
    if (i == 0 || micro[i].first != micro[i - 1].first)
      groups.push_back({batch.groups[micro[i].first].prompt, {}});
    groups.back().completions.push_back(RowAt(batch, micro[i]).completion);
  }
  return groups;
}

// [B,T] on the device, `fill` where a row has no value.
template <typename Get>
at::Tensor Dense(const MicroBatch& micro, int64_t width, float fill, const at::Device& device,
                 Get get) {
  std::vector<float> values(micro.size() * width, fill);
  for (size_t b = 0; b < micro.size(); ++b) {
    const auto& row = get(micro[b]);
    for (size_t t = 0; t < row.size(); ++t) values[b * width + t] = static_cast<float>(row[t]);
  }
  const auto rows = static_cast<int64_t>(micro.size());
  return cuda::ToDevice(values, device).view({rows, width});
}

void SortByGroup(MicroBatch* micro) { std::sort(micro->begin(), micro->end()); }

std::vector<std::vector<float>> SplitRows(const at::Tensor& dense_BT, const GenerationBatch& batch,
                                          const MicroBatch& micro) {
  const at::Tensor host = dense_BT.detach().to(at::kCPU, at::kFloat).contiguous();
  std::vector<std::vector<float>> rows;
  for (size_t b = 0; b < micro.size(); ++b) {
    const float* begin = host.data_ptr<float>() + b * host.size(1);
    rows.emplace_back(begin, begin + RowAt(batch, micro[b]).completion.size());
  }
  return rows;
}

}  // namespace

GrpoLearner::GrpoLearner(Model* policy, const GrpoRecipe& recipe, const Compute& compute,
                         const Model* reference, Processes* processes)
    : policy_(policy),
      processes_(processes != nullptr && !processes->alone() ? processes : nullptr),
      recipe_(recipe),
      compute_(compute),
      optimizer_(*policy, recipe.train.optim, processes),
      compute_policy_(policy, {compute.dtype, compute.checkpoint, CountOf(processes)}) {
  if (recipe.loss.beta != 0) {
    Model start = reference != nullptr ? *reference : *policy;
    // Beside an adapter the frozen weights are the reference.
    const bool frozen = std::exchange(start.lora, nullptr) != nullptr;
    // It is only ever computed with in the compute dtype; a GPU's memory is dearer than the mixing of a moving reference is frequent.
    const bool fixed = policy->device().is_cuda() && !recipe.sync_ref_model;
    if (Shards* const shards = frozen ? nullptr : ShardsOf(start); shards != nullptr) {
      reference_ = start;
      reference_->source = shards->Frozen(fixed ? compute.dtype : at::kFloat);
    } else {
      reference_ = frozen                                    ? start
                   : fixed && compute.dtype != start.dtype() ? CastModel(start, compute.dtype)
                                                             : CloneModel(start);
      SetTrainable(&*reference_, false);
    }
  }
  SetTrainable(policy_, true);
}

Status GrpoLearner::AssignAdvantages(GenerationBatch* batch,
                                     const std::vector<double>& weights) const {
  GroupAdvantageConfig config;
  config.num_generations = recipe_.num_generations;
  config.aggregation = recipe_.aggregation;
  config.scale = recipe_.scale;
  config.weights = weights;
  RewardTable table;
  for (const RolloutGroup& group : batch->groups) {
    ASSAY_CHECK(static_cast<int64_t>(group.rows.size()) == recipe_.num_generations);
    for (const RolloutRow& row : group.rows) table.push_back(row.rewards);
  }
  batch->stats = ComputeGroupAdvantages(table, config);

  OutcomeAdvantageInput outcome;
  std::vector<RolloutRow*> scored;
  size_t i = 0;
  size_t nulls = 0;
  for (size_t g = 0; g < batch->groups.size(); ++g) {
    for (RolloutRow& row : batch->groups[g].rows) {
      row.reward = batch->stats.rewards[i];
      row.advantage = batch->stats.advantages[i++];
      nulls += !row.advantage.mask;
      outcome.width = std::max<int64_t>(outcome.width, row.completion.size());
      if (!row.advantage.mask) continue;
      scored.push_back(&row);
      outcome.scores.push_back(*row.reward);
      outcome.lengths.push_back(row.completion.size());
      outcome.groups.push_back(g);
    }
  }
  batch->null_rate = i == 0 ? 0.0 : static_cast<double>(nulls) / i;
  ASSAY_CHECK(recipe_.estimator != AdvantageEstimator::kRemax);  // a recipe cannot ask for it
  if (recipe_.estimator != AdvantageEstimator::kGroup && !scored.empty()) {
    const TokenRows tokens = ComputeOutcomeAdvantages(recipe_.estimator, outcome);
    for (size_t r = 0; r < scored.size(); ++r) {
      for (int64_t t = 0; t < outcome.lengths[r]; ++t)
        scored[r]->token_advantages.push_back(tokens.at(r, t));
      scored[r]->advantage.value = outcome.lengths[r] > 0 ? tokens.at(r, 0) : 0.0;
    }
  }
  batch->num_items = 0;
  batch->counted_rows = static_cast<double>(i);
  if (recipe_.null_rows == NullRows::kMask) batch->counted_rows -= static_cast<double>(nulls);
  for (const RolloutGroup& group : batch->groups) {
    for (const RolloutRow& row : group.rows) batch->num_items += Sum(LossMask(row, recipe_));
  }
  return {};
}

bool GrpoLearner::NeedsOld() const {
  return recipe_.train.gradient_accumulation_steps %
             (recipe_.steps_per_generation * recipe_.num_iterations) !=
         0;
}

Result<GrpoLearner::RowScores> GrpoLearner::ScoreRows(const Model& model,
                                                      const GenerationBatch& batch,
                                                      const MicroBatch& micro) const {
  return CatchTorch("scoring completions", [&]() -> Result<RowScores> {
    c10::NoGradGuard no_grad;
    const ScoredBatch scored = PackGroups(TokenGroupsOf(batch, micro), policy_->device());
    LogprobOptions options;
    options.temperature = recipe_.train.temperature;
    const TokenLogprobs scores = ScoreTokens(model, scored, {}, options);
    return RowScores{
        SplitRows(ScatterScored(scored, scores.logp_M, scored.max_length), batch, micro),
        SplitRows(ScatterScored(scored, scores.entropy_M, scored.max_length), batch, micro)};
  });
}

// A pass with the others whose result nobody wants.
Result<GrpoLearner::RowScores> GrpoLearner::ScoreNothing(const Model& model) const {
  return CatchTorch("scoring completions", [&]() -> Result<RowScores> {
    c10::NoGradGuard no_grad;
    const TokenGroup group{{0}, {{0}}};
    ScoreTokens(model, PackGroups({group}, policy_->device()), {}, {});
    return RowScores{};
  });
}

// Whole groups: about as many rows at a time as a micro-batch has, on a GPU as many tokens as keep it busy (nothing is kept for a
// backward pass).
std::vector<MicroBatch> GrpoLearner::ScoringParts(const GenerationBatch& batch) const {
  const size_t most_tokens = 65536 / static_cast<size_t>(processes_ ? processes_->count() : 1);
  const bool gpu = policy_->device().is_cuda();
  std::vector<MicroBatch> parts(1);
  size_t tokens = 0;
  for (size_t g = 0; g < batch.groups.size(); ++g) {
    const bool full = gpu ? tokens >= most_tokens
                          : static_cast<int64_t>(parts.back().size()) >=
                                recipe_.train.per_device_train_batch_size;
    if (full) parts.emplace_back(), tokens = 0;
    tokens += batch.groups[g].prompt.size();
    for (size_t r = 0; r < batch.groups[g].rows.size(); ++r) {
      tokens += batch.groups[g].rows[r].completion.size();
      parts.back().emplace_back(g, r);
    }
  }
  return parts;
}

Status GrpoLearner::ScoreOldAndReference(GenerationBatch* batch) const {
  const bool outside =
      std::any_of(batch->groups.begin(), batch->groups.end(), [](const RolloutGroup& group) {
        return std::any_of(group.rows.begin(), group.rows.end(),
                           [](const RolloutRow& row) { return !row.sampler_logp.empty(); });
      });
  const bool old = NeedsOld() || outside;
  if (!old && !reference_) return {};
  const std::vector<MicroBatch> parts = ScoringParts(*batch);
  if (old) {
    Status status = ScoreParts(*policy_, parts, &RolloutRow::old_logp, batch);
    if (!status.ok()) return status;
  }
  if (!reference_) return {};
  return ScoreParts(*reference_, parts, &RolloutRow::ref_logp, batch);
}

Status GrpoLearner::ScoreParts(const Model& master, const std::vector<MicroBatch>& parts,
                               std::vector<float> RolloutRow::*field,
                               GenerationBatch* batch) const {
  c10::NoGradGuard no_grad;
  const Result<Model> made = CatchTorch("preparing to score", [&]() -> Result<Model> {
    return master.source != nullptr ? master.source->ForComputing(master, compute_.dtype)
                                    : CastModel(master, compute_.dtype);
  });
  if (!made.ok()) return made.error();
  const Model& model = *made;
  size_t passes = parts.size();
  if (processes_ != nullptr && ShardsOf(master) != nullptr) {
    // Who has no part left goes along, for the others need its shares.
    const auto count = static_cast<size_t>(processes_->count());
    passes = (passes + count - 1) / count * count;
  }
  for (size_t p = 0; p < passes; ++p) {
    if (processes_ != nullptr && !processes_->Owns(static_cast<int64_t>(p))) continue;
    Result<RowScores> scores =
        p < parts.size() ? ScoreRows(model, *batch, parts[p]) : ScoreNothing(model);
    if (!scores.ok()) return scores.error();
    for (size_t b = 0; p < parts.size() && b < parts[p].size(); ++b)
      batch->groups[parts[p][b].first].rows[parts[p][b].second].*field = std::move(scores->logp[b]);
  }
  if (processes_ == nullptr) return {};
  return CatchTorch("exchanging log-probs", [&]() -> Status {
    ShareScores(parts, field, batch);
    return {};
  });
}

// Every process sends what it scored, row after row; lengths are known.
void GrpoLearner::ShareScores(const std::vector<MicroBatch>& parts,
                              std::vector<float> RolloutRow::*field, GenerationBatch* batch) const {
  const auto each_row = [&](int64_t process, auto visit) {
    for (size_t p = 0; p < parts.size(); ++p) {
      if (static_cast<int64_t>(p) % processes_->count() != process) continue;
      for (const auto& at : parts[p]) visit(&batch->groups[at.first].rows[at.second]);
    }
  };
  std::string mine;
  each_row(processes_->rank(), [&](RolloutRow* row) {
    const std::vector<float>& logp = row->*field;
    mine.append(reinterpret_cast<const char*>(logp.data()), logp.size() * sizeof(float));
  });
  const std::vector<std::string> all = processes_->Gather(mine);
  for (int64_t process = 0; process < processes_->count(); ++process) {
    if (process == processes_->rank()) continue;
    const std::string& bytes = all[static_cast<size_t>(process)];
    size_t at = 0;
    each_row(process, [&](RolloutRow* row) {
      const size_t size = row->completion.size() * sizeof(float);
      TORCH_CHECK(at + size <= bytes.size(), "process ", process, " scored other rows");
      (row->*field).resize(row->completion.size());
      std::memcpy((row->*field).data(), bytes.data() + at, size);
      at += size;
    });
  }
}

std::vector<MicroBatch> GrpoLearner::Plan(const GenerationBatch& batch, Rng* rng) const {
  // Rows of one group share their prompt's computation when they stand in one micro-batch. Which rows meet in a micro-batch
  // changes nothing where one optimiser step takes in the whole batch and the normaliser does not look at the micro-batch.
  const Aggregation how = recipe_.loss.aggregation.value_or(DefaultAggregation(recipe_.loss.type));
  const bool local_normaliser = how != Aggregation::kSeqMeanTokenMean &&
                                how != Aggregation::kConstant && how != Aggregation::kBatchTokens &&
                                how != Aggregation::kSeqMeanTokenSum;
  const bool whole = recipe_.train.gradient_accumulation_steps % recipe_.steps_per_generation == 0;
  const bool local_masks = recipe_.loss.top_entropy_quantile < 1 || recipe_.loss.entropy_coef != 0;
  const bool by_groups =
      recipe_.shuffle_rows == "groups" ||
      (recipe_.shuffle_rows == "auto" && whole && !local_normaliser && !local_masks);
  std::vector<int32_t> group_order;
  for (size_t g = 0; g < batch.groups.size(); ++g) group_order.push_back(g);
  if (by_groups) rng->Shuffle(&group_order);
  MicroBatch rows;
  for (int32_t g : group_order) {
    for (size_t r = 0; r < batch.groups[g].rows.size(); ++r) rows.emplace_back(g, r);
  }
  if (!by_groups) rng->Shuffle(&rows);
  std::vector<MicroBatch> micros(recipe_.steps_per_generation);
  const size_t each = rows.size() / micros.size();
  ASSAY_CHECK(each * micros.size() == rows.size());
  for (size_t i = 0; i < rows.size(); ++i) micros[i / each].push_back(rows[i]);
  for (MicroBatch& micro : micros) SortByGroup(&micro);
  return micros;
}

LossInputs GrpoLearner::MakeInputs(const GenerationBatch& batch, const MicroBatch& micro,
                                   const ScoredBatch& scored) const {
  int64_t width = scored.max_length;
  for (const RolloutGroup& group : batch.groups) {
    for (const RolloutRow& row : group.rows)
      width = std::max<int64_t>(width, row.completion.size());
  }
  const at::Device device = policy_->device();
  LossInputs in;
  in.mask_BT =
      Dense(micro, width, 0, device, [&](auto at) { return LossMask(RowAt(batch, at), recipe_); });
  const bool by_token = std::any_of(micro.begin(), micro.end(), [&](auto at) {
    return !RowAt(batch, at).token_advantages.empty();
  });
  if (by_token) {
    in.advantages =
        Dense(micro, width, 0, device, [&](auto at) { return RowAt(batch, at).token_advantages; });
  } else {
    in.advantages = Dense(micro, 1, 0, device, [&](auto at) {
                      return std::vector<double>{RowAt(batch, at).advantage.value};
                    }).squeeze(1);
  }
  const RolloutRow& first = RowAt(batch, micro.front());
  if (!first.old_logp.empty()) {
    in.old_logp_BT =
        Dense(micro, width, 0, device, [&](auto at) { return RowAt(batch, at).old_logp; });
  }
  if (!first.ref_logp.empty()) {
    in.ref_logp_BT =
        Dense(micro, width, 0, device, [&](auto at) { return RowAt(batch, at).ref_logp; });
  }
  const bool outside = std::any_of(micro.begin(), micro.end(),
                                   [&](auto at) { return !RowAt(batch, at).sampler_logp.empty(); });
  if (outside && in.old_logp_BT.defined()) {
    in.sampler_logp_BT =
        Dense(micro, width, kNaN, device, [&](auto at) { return RowAt(batch, at).sampler_logp; });
    in.importance_ratio =
        ImportanceCorrection(recipe_.correction, in.old_logp_BT, in.sampler_logp_BT, in.mask_BT,
                             recipe_.correction_min, recipe_.correction_max);
  }
  in.num_items = batch.num_items;
  in.accumulation_steps = static_cast<double>(recipe_.train.gradient_accumulation_steps);
  in.steps_per_generation = static_cast<double>(recipe_.steps_per_generation);
  in.counted_rows = batch.counted_rows / static_cast<double>(recipe_.steps_per_generation);
  return in;
}

namespace {

// How far another sampler's log-probs are from the policy's before the update, and what the correction makes of it.
void AddSamplingMetrics(const LossInputs& in, LossOutput* out) {
  if (!in.importance_ratio.defined()) return;
  const at::Tensor known = in.mask_BT.gt(0).logical_and(in.sampler_logp_BT.isnan().logical_not());
  const at::Tensor difference = (in.old_logp_BT - in.sampler_logp_BT).abs().masked_select(known);
  if (difference.numel() == 0) return;
  out->metrics.emplace_back("sampling/sampling_logp_difference/mean", difference.mean());
  out->metrics.emplace_back("sampling/sampling_logp_difference/max", difference.max());
  const at::Tensor ratio =
      in.importance_ratio.expand_as(in.mask_BT).masked_select(in.mask_BT.gt(0));
  out->metrics.emplace_back("sampling/importance_sampling_ratio/min", ratio.min());
  out->metrics.emplace_back("sampling/importance_sampling_ratio/mean", ratio.mean());
  out->metrics.emplace_back("sampling/importance_sampling_ratio/max", ratio.max());
}

}  // namespace

Status GrpoLearner::Accumulate(const GenerationBatch& batch, const MicroBatch& micro) {
  // Rows without a token that counts add nothing to loss or gradient; the means still divide by them (counted_rows).
  MicroBatch live;
  for (const auto& at : micro) {
    if (Sum(LossMask(RowAt(batch, at), recipe_)) > 0) live.push_back(at);
  }
  return CatchTorch("a training step", [&]() -> Status {
    if (live.empty()) {
      if (ShardsOf(*policy_) != nullptr) compute_policy_.Accompany();
      return {};
    }
    const ScoredBatch scored = PackGroups(TokenGroupsOf(batch, live), policy_->device());
    ForwardOptions forward;
    LogprobOptions options;
    options.temperature = recipe_.train.temperature;
    options.entropy_grad = recipe_.loss.entropy_coef != 0;
    const Model& model = compute_policy_.Prepare(&forward, &options);
    const TokenLogprobs scores = ScoreTokens(model, scored, forward, options);
    LossInputs in = MakeInputs(batch, live, scored);
    const int64_t width = in.mask_BT.size(1);
    in.logp_BT = ScatterScored(scored, scores.logp_M, width);
    in.entropy_BT = ScatterScored(scored, scores.entropy_M, width);
    LossOutput out = ComputeLoss(recipe_.loss, in);
    AddSamplingMetrics(in, &out);
    out.loss.backward();
    pending_losses_.push_back(out.loss.detach());
    for (const auto& [name, value] : out.metrics) {
      auto found =
          std::find_if(pending_metrics_.begin(), pending_metrics_.end(),
                       [&, key = &name](const auto& entry) { return entry.first == *key; });
      if (found == pending_metrics_.end()) found = pending_metrics_.insert(found, {name, {}});
      found->second.push_back(value.to(at::kFloat));
    }
    return {};
  });
}

// Loss and metrics of the micro-batches that have added up, of all processes.
StepOutcome GrpoLearner::TakeOutcome() {
  StepOutcome outcome;
  Json mine = Json::MakeObject();
  if (!pending_losses_.empty()) outcome.loss = at::stack(pending_losses_).sum().item<double>();
  for (const auto& [name, values] : pending_metrics_) {
    const at::Tensor all = at::stack(values);
    if (processes_ == nullptr) {
      outcome.metrics.emplace_back(name, all.nanmean().item<double>());
      continue;
    }
    Json pair = Json::MakeArray();
    pair.Append(all.nansum().item<double>());
    pair.Append(all.isnan().logical_not().sum().item<double>());
    mine.Set(name, pair);
  }
  if (processes_ == nullptr) return outcome;
  // Not through JSON, which knows no infinity.
  const at::Tensor losses = at::full({1}, outcome.loss, at::kFloat);
  processes_->Sum(losses);
  outcome.loss = losses.item<double>();
  std::vector<std::pair<std::string, std::pair<double, double>>> sums;
  for (const std::string& text : processes_->Gather(mine.Dump())) {
    const Result<Json> theirs = ParseJson(text);
    if (!theirs.ok() || !theirs->IsObject()) continue;
    for (const Json::Member& member : *theirs->AsObject()) {
      auto found = std::find_if(sums.begin(), sums.end(),
                                [&](const auto& entry) { return entry.first == member.key; });
      if (found == sums.end()) found = sums.insert(found, {member.key, {0, 0}});
      found->second.first += (*member.value.AsArray())[0].NumberOr(NAN);
      found->second.second += (*member.value.AsArray())[1].NumberOr(0);
    }
  }
  for (const auto& [name, sum] : sums) outcome.metrics.emplace_back(name, sum.first / sum.second);
  return outcome;
}

Result<StepOutcome> GrpoLearner::Step(double learning_rate) {
  return CatchTorch("an optimiser step", [&]() -> Result<StepOutcome> {
    StepOutcome outcome = TakeOutcome();
    outcome.grad_norm =
        optimizer_.Update(processes_ != nullptr ? compute_policy_.Gradients() : at::Tensor(),
                          outcome.loss, recipe_.train.optim.max_grad_norm, learning_rate);
    outcome.skipped = !std::isfinite(outcome.grad_norm) || !std::isfinite(outcome.loss);
    compute_policy_.Drop();
    pending_losses_.clear();
    pending_metrics_.clear();
    return outcome;
  });
}

void GrpoLearner::MaybeSyncReference(int64_t step) {
  if (!recipe_.sync_ref_model || !reference_ || step % recipe_.ref_model_sync_steps != 0) return;
  c10::NoGradGuard no_grad;
  const double alpha = recipe_.ref_model_mixup_alpha;
  const std::vector<at::Tensor> from = HeldWeights(*policy_);
  const std::vector<at::Tensor> to = HeldWeights(*reference_);
  for (size_t i = 0; i < from.size(); ++i) to[i].mul_(1 - alpha).add_(from[i], alpha);
}

}  // namespace assay
