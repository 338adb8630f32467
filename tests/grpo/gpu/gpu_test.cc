// The GPU's own path against its plain twins: the same tokens for the same seeds, the same log-probs, the same gradients. Skipped
// by name where there is no CUDA device.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "core/rng.h"
#include "core/text.h"
#include "grpo/learn/learner.h"
#include "grpo/model/cuda/runtime.h"
#include "grpo/model/int8_layers.h"
#include "grpo/model/lora.h"
#include "grpo/model/shards.h"
#include "grpo/model/weights.h"
#include "grpo/rollout/cuda_decoder.h"
#include "grpo/rollout/generate.h"
#include "grpo/tokenizer/tokenizer.h"
#include "tests/grpo/tiny_model.h"

namespace assay {
namespace {

class Gpu : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!at::hasCUDA()) GTEST_SKIP() << "no CUDA device";
    const at::Tensor probe = at::zeros({1}, at::kCUDA);
    if (!cuda::Usable(probe)) GTEST_SKIP() << "no CUDA device: " << cuda::WhyNotUsable();
  }
};

using Groups = std::vector<std::vector<Completion>>;

// Shapes like the real ones: head dimension 64, three query heads a key head, a vocabulary of several tiles.
ModelConfig Wide(const std::string& family = "llama", int64_t vocab = 9000) {
  ModelConfig c = TinyConfig(family, vocab);
  c.hidden_size = 192, c.intermediate_size = 256, c.num_layers = 3;
  c.num_heads = 6, c.num_kv_heads = 2, c.head_dim = 64;
  c.max_position = 512;
  return c;
}

std::vector<GenerateRequest> Requests(int64_t vocab, int64_t prompts, int64_t samples) {
  std::vector<GenerateRequest> requests;
  Rng rng(5);
  for (int64_t i = 0; i < prompts; ++i) {
    GenerateRequest request;
    for (int64_t t = 0; t < 3 + 11 * i % 40; ++t)
      request.prompt_ids.push_back(static_cast<int64_t>(rng.Below(static_cast<uint64_t>(vocab))));
    request.seeds = SampleSeeds(3, static_cast<uint64_t>(i), samples);
    requests.push_back(std::move(request));
  }
  return requests;
}

Groups Must(const Model& model, const std::vector<GenerateRequest>& requests,
            const GenerateOptions& options) {
  Result<Groups> made = Generate(model, nullptr, requests, options);
  EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
  return made.ok() ? *made : Groups();
}

// Rows that are the same token for token, and the largest difference of log-probs in what is the same.
struct Agreement {
  int same = 0, rows = 0;
  double largest = 0;
};
Agreement Compare(const Groups& a, const Groups& b) {
  Agreement found;
  for (size_t r = 0; r < a.size(); ++r) {
    for (size_t s = 0; s < a[r].size(); ++s) {
      const Completion& x = a[r][s];
      const Completion& y = b[r][s];
      ++found.rows;
      found.same += x.ids == y.ids && x.finish_reason == y.finish_reason;
      for (size_t t = 0; t < std::min(x.ids.size(), y.ids.size()) && x.ids[t] == y.ids[t]; ++t)
        found.largest = std::max<double>(found.largest, std::abs(x.logprobs[t] - y.logprobs[t]));
    }
  }
  return found;
}

TEST_F(Gpu, GreedyTokensAreTheCpus) {
  for (const char* family : {"llama", "qwen2", "qwen3"}) {
    for (const int64_t vocab : {int64_t{61}, int64_t{9000}}) {
      const Model model = *RandomModel(vocab == 61 ? TinyConfig(family, 61) : Wide(family), 3, 0.2);
      const Model device = ToDevice(model, at::kCUDA);
      ASSERT_TRUE(CudaDecoder::Supports(device));
      GenerateOptions options;
      options.sampling.temperature = 0;
      options.sampling.max_new_tokens = 70;
      options.sampling.stop_ids = {2, 7};
      options.max_rows = 5;
      const auto requests = Requests(vocab, 9, 1);
      const Agreement found =
          Compare(Must(model, requests, options), Must(device, requests, options));
      EXPECT_EQ(found.same, found.rows) << family << vocab;
      EXPECT_LT(found.largest, 2e-3) << family << vocab;
    }
  }
}

TEST_F(Gpu, SeedsDrawWhatTheyDrawOnTheCpu) {
  const Model model = *RandomModel(Wide(), 3, 0.2);
  const Model device = ToDevice(model, at::kCUDA);
  const auto requests = Requests(9000, 8, 4);
  // Far from flat: among 9,000 tokens of one probability every rounding of the running sum would tip some draw.
  SamplingParams base;
  base.temperature = 0.4;
  std::vector<SamplingParams> kinds(6, base);
  kinds[1].temperature = 0.3;
  kinds[2].top_k = 20;
  kinds[3].top_p = 0.8;
  kinds[4].min_p = 0.1, kinds[4].top_k = 50, kinds[4].top_p = 0.95;
  kinds[5].repetition_penalty = 1.3, kinds[5].min_new_tokens = 10;
  for (size_t i = 0; i < kinds.size(); ++i) {
    GenerateOptions options;
    options.sampling = kinds[i];
    options.sampling.max_new_tokens = 40;
    options.sampling.stop_ids = {2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    options.max_rows = 32;
    const Agreement found =
        Compare(Must(model, requests, options), Must(device, requests, options));
    // A draw on the edge between two tokens may tip by rounding.
    EXPECT_GE(found.same, found.rows - 2) << i;
    EXPECT_LT(found.largest, 5e-3) << i;
  }
}

// Ids beyond the tokenizer's vocabulary are not drawn, and log-probs are of the whole vocabulary, as on the CPU.
TEST_F(Gpu, IdsBeyondTheTokensAreNeverDrawn) {
  const auto tokenizer = *Tokenizer::Characters("0123456789");
  for (const int64_t vocab : {int64_t{61}, int64_t{9000}}) {
    const Model model = *RandomModel(vocab == 61 ? TinyConfig("llama", 61) : Wide(), 3, 0.2);
    const Model device = ToDevice(model, at::kCUDA);
    for (const double temperature : {0.0, 1.0}) {
      for (const double penalty : {1.0, 1.3}) {
        for (const double top_p : {1.0, 0.9}) {
          GenerateOptions options;
          options.sampling.temperature = temperature;
          options.sampling.repetition_penalty = penalty;
          options.sampling.top_p = top_p;
          options.sampling.max_new_tokens = 30;
          options.sampling.stop_ids = {2};
          const auto requests = Requests(tokenizer->vocab_size(), 6, 2);
          const auto sample = [&](const Model& who) {
            return *Generate(who, tokenizer.get(), requests, options);
          };
          const Groups theirs = sample(device);
          for (const auto& group : theirs) {
            for (const Completion& completion : group) {
              for (const int64_t id : completion.ids) EXPECT_LT(id, tokenizer->vocab_size());
            }
          }
          const Agreement found = Compare(sample(model), theirs);
          EXPECT_GE(found.same, found.rows - 2) << vocab << " " << temperature << " " << penalty;
          EXPECT_LT(found.largest, 5e-3) << vocab << " " << temperature << " " << penalty;
        }
      }
    }
  }
}

TEST_F(Gpu, RowsDoNotDependOnTheBatch) {
  const Model device = ToDevice(*RandomModel(Wide(), 3, 0.2), at::kCUDA);
  const auto requests = Requests(9000, 6, 4);
  GenerateOptions options;
  options.sampling.temperature = 0.4;
  options.sampling.max_new_tokens = 50;
  options.sampling.stop_ids = {2, 3, 4, 5, 6, 7, 8};
  options.max_rows = 24;
  const Groups together = Must(device, requests, options);
  for (const int64_t rows : {1, 3, 7}) {
    options.max_rows = rows;
    const Agreement found = Compare(together, Must(device, requests, options));
    EXPECT_GE(found.same, found.rows - 1) << rows;
  }
}

// log-probs of what was drawn, from a forward pass over the whole.
TEST_F(Gpu, Bfloat16LogprobsAreNearTheForwardPasss) {
  at::NoGradGuard no_grad;
  const Model device = CastModel(ToDevice(*RandomModel(Wide(), 3, 0.1), at::kCUDA), at::kBFloat16);
  const auto requests = Requests(9000, 4, 3);
  GenerateOptions options;
  options.sampling.max_new_tokens = 60;
  options.max_rows = 12;
  const Groups made = Must(device, requests, options);
  cuda::PlainOnly plain;
  double sum = 0, count = 0;
  for (size_t r = 0; r < made.size(); ++r) {
    for (const Completion& c : made[r]) {
      const ScoredBatch batch = PackGroups({{requests[r].prompt_ids, {c.ids}}}, at::kCUDA);
      const at::Tensor logp = ScoreTokens(device, batch, {}, {}).logp_M.cpu();
      for (size_t t = 0; t < c.ids.size(); ++t) {
        sum += std::abs(logp[static_cast<int64_t>(t)].item<double>() - c.logprobs[t]);
        count += 1;
      }
    }
  }
  std::printf("mean difference of log-probs %.4f\n", sum / count);
  EXPECT_LT(sum / count, 0.02);
}

// Loss and gradients of a whole micro-batch, ours against LibTorch's operators.
struct Learned {
  double loss = 0;
  std::vector<at::Tensor> gradients;
};
Learned Learn(const Model& start, at::ScalarType dtype, bool checkpoint, bool share,
              bool equal = false, int passes = 1) {
  Model policy = CloneModel(start);
  SetTrainable(&policy, true);
  ComputePolicy compute(&policy, {dtype, checkpoint});
  std::vector<TokenGroup> groups;
  Rng rng(11);
  for (const int64_t given : {40, 3, 90}) {
    const int64_t length = equal ? 63 : given;
    TokenGroup group;
    const auto ids = [&](int64_t count) {
      std::vector<int64_t> made;
      for (int64_t t = 0; t < count; ++t)
        made.push_back(
            static_cast<int64_t>(rng.Below(static_cast<uint64_t>(policy.config.vocab_size))));
      return made;
    };
    group.prompt = ids(equal ? 65 : length / 2 + 1);
    for (int64_t i = 0; i < 3; ++i)
      group.completions.push_back(ids(equal ? length : length + 7 * i));
    groups.push_back(std::move(group));
  }
  const ScoredBatch batch = PackGroups(groups, policy.device(), share);
  Learned learned;
  for (int pass = 0; pass < passes; ++pass) {
    ForwardOptions forward;
    LogprobOptions logprobs;
    logprobs.entropy_grad = true;
    logprobs.temperature = 0.9;
    const Model& model = compute.Prepare(&forward, &logprobs);
    const TokenLogprobs scores = ScoreTokens(model, batch, forward, logprobs);
    const at::Tensor loss =
        (scores.logp_M * scores.logp_M.detach().sin()).mean() + 0.1 * scores.entropy_M.mean();
    loss.backward();
    learned.loss = loss.item<double>();
  }
  for (const NamedTensor& weight : NamedWeights(policy))
    learned.gradients.push_back(weight.tensor.grad().clone());
  return learned;
}

double RelativeError(const Learned& a, const Learned& b) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.gradients.size(); ++i) {
    difference += (a.gradients[i] - b.gradients[i]).to(at::kDouble).square().sum().item<double>();
    norm += b.gradients[i].to(at::kDouble).square().sum().item<double>();
  }
  return std::sqrt(difference / norm);
}

int64_t IndexOf(const Model& model, const std::string& name) {
  const std::vector<NamedTensor> weights = NamedWeights(model);
  const auto found = std::find_if(weights.begin(), weights.end(),
                                  [&](const NamedTensor& weight) { return weight.name == name; });
  return found - weights.begin();
}

TEST_F(Gpu, GradientsAreThePlainTwins) {
  for (const char* family : {"llama", "qwen2", "qwen3"}) {
    const Model start = ToDevice(*RandomModel(Wide(family), 3, 0.05), at::kCUDA);
    Learned exact;
    {
      cuda::PlainOnly plain;
      exact = Learn(start, at::kFloat, false, true);
    }
    for (const bool share : {true, false}) {
      for (const bool checkpoint : {false, true}) {
        Learned twin;
        {
          cuda::PlainOnly plain;
          twin = Learn(start, at::kBFloat16, checkpoint, share);
        }
        const Learned ours = Learn(start, at::kBFloat16, checkpoint, share);
        const double error = RelativeError(ours, exact), theirs = RelativeError(twin, exact);
        std::printf("%s share %d checkpoint %d: ours %.4f, plain bf16 %.4f of float32\n", family,
                    share, checkpoint, error, theirs);
        EXPECT_LT(error, 1.3 * theirs + 0.002) << family << share << checkpoint;
        EXPECT_NEAR(ours.loss, exact.loss, 0.01 * std::abs(exact.loss) + 0.01);
      }
    }
    const Learned single = Learn(start, at::kFloat, false, true);
    EXPECT_LT(RelativeError(single, exact), 1e-3) << family;
  }
}

// Micro-batches of one update: each adds its gradient to the one before.
TEST_F(Gpu, GradientsOfMicroBatchesAddUp) {
  for (const char* family : {"llama", "qwen2"}) {
    const Model start = ToDevice(*RandomModel(Wide(family), 3, 0.05), at::kCUDA);
    const Learned once = Learn(start, at::kBFloat16, false, true);
    Learned thrice = Learn(start, at::kBFloat16, false, true, false, 3);
    for (at::Tensor& gradient : thrice.gradients) gradient /= 3;
    EXPECT_LT(RelativeError(thrice, once), 0.01) << family;
  }
}

// A norm whose weight holds a zero cannot be divided by: what it took is kept.
TEST_F(Gpu, ZerosInNormsHaveTheSameGradients) {
  Model start = ToDevice(*RandomModel(Wide(), 3, 0.05), at::kCUDA);
  {
    at::NoGradGuard no_grad;
    start.layers[1].post_norm[5] = 0;
    start.layers[0].input_norm.narrow(0, 7, 3).zero_();
  }
  Learned exact, twin;
  {
    cuda::PlainOnly plain;
    exact = Learn(start, at::kFloat, false, true);
    twin = Learn(start, at::kBFloat16, false, true);
  }
  const Learned ours = Learn(start, at::kBFloat16, false, true);
  EXPECT_LT(RelativeError(ours, exact), 1.3 * RelativeError(twin, exact) + 0.002);
  EXPECT_NE(ours.gradients[static_cast<size_t>(
                IndexOf(start, "model.layers.1.post_attention_layernorm.weight"))][5]
                .item<double>(),
            0);
}

// Rows of one length go through other kernels of attention (LayerPlan::dense_rows).
TEST_F(Gpu, RowsOfOneLengthHaveTheSameGradients) {
  const Model start = ToDevice(*RandomModel(Wide(), 3, 0.05), at::kCUDA);
  Learned exact, twin;
  {
    cuda::PlainOnly plain;
    exact = Learn(start, at::kFloat, false, false, true);
    twin = Learn(start, at::kBFloat16, false, false, true);
  }
  for (const bool checkpoint : {false, true}) {
    const Learned ours = Learn(start, at::kBFloat16, checkpoint, false, true);
    const double error = RelativeError(ours, exact), theirs = RelativeError(twin, exact);
    std::printf("equal rows, checkpoint %d: ours %.4f, plain bf16 %.4f of float32\n", checkpoint,
                error, theirs);
    EXPECT_LT(error, 1.3 * theirs + 0.002) << checkpoint;
  }
}

// Few rows with long samples: blocks share a row's keys.
TEST_F(Gpu, LongSamplesAreTheCpus) {
  const Model model = *RandomModel(Wide("llama", 61), 3, 0.2);
  const Model device = ToDevice(model, at::kCUDA);
  GenerateOptions options;
  options.sampling.temperature = 0;
  options.sampling.max_new_tokens = 450;
  options.sampling.min_new_tokens = 450;
  options.sampling.stop_ids = {2};
  options.max_rows = 0;
  const auto requests = Requests(61, 3, 1);
  const Agreement found = Compare(Must(model, requests, options), Must(device, requests, options));
  EXPECT_EQ(found.same, found.rows);
  EXPECT_LT(found.largest, 2e-3);
}

// Gradients of an adapter's factors on the device against float32 on the CPU.
TEST_F(Gpu, AdaptersLearnAsOnTheCpu) {
  Model start = *RandomModel(Wide(), 3, 0.05);
  LoraConfig config;
  config.rank = 8;
  config.targets = {"all-linear"};
  ASSERT_TRUE(AddLora(config, "", 5, &start).ok());
  at::manual_seed(2);
  for (LoraPair& pair : start.lora->pairs) pair.b.normal_(0, 0.05);
  const auto gradients = [&](at::Device device, at::ScalarType dtype) {
    Model policy = ToDevice(start, device);
    policy.lora = std::make_shared<Lora>(*start.lora);
    for (LoraPair& pair : policy.lora->pairs) {
      pair.a = pair.a.detach().clone().to(device);
      pair.b = pair.b.detach().clone().to(device);
    }
    SetTrainable(&policy, true);
    ComputePolicy compute(&policy, {dtype, false});
    ForwardOptions forward;
    LogprobOptions logprobs;
    const Model& model = compute.Prepare(&forward, &logprobs);
    const ScoredBatch batch =
        PackGroups({{{1, 2, 3}, {{4, 5, 6, 7}, {8, 9}}}, {{10, 11}, {{12, 13, 14}}}}, device);
    ScoreTokens(model, batch, forward, logprobs).logp_M.mean().backward();
    std::vector<at::Tensor> found;
    for (const NamedTensor& weight : TrainableWeights(policy))
      found.push_back(weight.tensor.grad().cpu());
    return found;
  };
  const auto exact = gradients(at::kCPU, at::kFloat), ours = gradients(at::kCUDA, at::kBFloat16);
  double difference = 0, norm = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    difference += (exact[i] - ours[i]).square().sum().item<double>();
    norm += exact[i].square().sum().item<double>();
  }
  std::printf("an adapter's gradient in bfloat16: %.4f of float32\n", std::sqrt(difference / norm));
  EXPECT_LT(std::sqrt(difference / norm), 0.05);
}

// A process that shares weights out with nobody: what is gathered is what it has.
class Alone : public ShareExchange {
 public:
  int64_t rank() const override { return 0; }
  int64_t count() const override { return 1; }
  void GatherShares(at::Tensor) override {}
  void SumShare(at::Tensor) override {}
};

// The gradients of shards through the fused layers, which are computed again when they go back. (That several GPUs exchange their shares
// through NCCL is docs/gpu.md's to show: one process cannot.)
TEST_F(Gpu, SharesHaveTheGradientsOfWholeWeights) {
  for (const char* family : {"llama", "qwen2", "qwen3"}) {
    const ScoredBatch batch =
        PackGroups({{{1, 2, 3}, {{4, 5, 6, 7}, {8, 9}}}, {{10, 11}, {{12, 13, 14}}}}, at::kCUDA);
    const auto learn = [&](Model* policy) {
      SetTrainable(policy, true);
      auto compute = std::make_unique<ComputePolicy>(policy, Compute{at::kBFloat16, true});
      ForwardOptions forward;
      LogprobOptions logprobs;
      const Model& model = compute->Prepare(&forward, &logprobs);
      ScoreTokens(model, batch, forward, logprobs).logp_M.mean().backward();
      compute->Gradients();
      return compute;
    };
    Model whole = ToDevice(*RandomModel(Wide(family), 3, 0.05), at::kCUDA);
    const auto held = learn(&whole);
    Alone alone;
    LoadOptions options;
    options.device = "cuda";
    options.exchange = &alone;
    Model shared = *RandomModel(Wide(family), 3, 0.05, options);
    const auto made = learn(&shared);
    const std::vector<NamedTensor> wanted = NamedWeights(whole);
    double difference = 0, norm = 0;
    for (const Shards::Part& part : ShardsOf(shared)->Parts()) {
      for (const NamedTensor& want : wanted) {
        if (want.name != part.place->name) continue;
        const at::Tensor ours =
            ShardsOf(shared)->pieces()[part.piece].gradient.narrow(0, part.at, part.end);
        difference += (ours - want.tensor.grad().reshape({-1})).square().sum().item<double>();
        norm += want.tensor.grad().square().sum().item<double>();
      }
    }
    EXPECT_LT(std::sqrt(difference / norm), 0.01) << family;
    EXPECT_GT(norm, 0);
  }
}

// An adapter on weights in 8 bits against the same on the weights that they stand for, held whole.
TEST_F(Gpu, AdaptersOnEightBitsLearnAsOnTheRoundedWeights) {
  const auto gradients = [&](bool whole) {
    Model policy = Int8Layers::Quantize(*RandomModel(Wide(), 3, 0.05), at::kBFloat16, at::kCUDA);
    if (whole) policy = CastModel(policy, at::kBFloat16);
    LoraConfig config;
    config.rank = 8;
    config.targets = {"all-linear"};
    EXPECT_TRUE(AddLora(config, "", 5, &policy).ok());
    for (LoraPair& pair : policy.lora->pairs)
      pair.b.copy_(
          at::linspace(-0.05, 0.05, pair.b.numel(), pair.b.options()).view(pair.b.sizes()));
    SetTrainable(&policy, true);
    ComputePolicy compute(&policy, {at::kBFloat16, true});
    ForwardOptions forward;
    LogprobOptions logprobs;
    const Model& model = compute.Prepare(&forward, &logprobs);
    const ScoredBatch batch =
        PackGroups({{{1, 2, 3}, {{4, 5, 6, 7}, {8, 9}}}, {{10, 11}, {{12, 13, 14}}}}, at::kCUDA);
    ScoreTokens(model, batch, forward, logprobs).logp_M.mean().backward();
    std::vector<at::Tensor> found;
    for (const NamedTensor& weight : TrainableWeights(policy))
      found.push_back(weight.tensor.grad().cpu());
    return found;
  };
  const auto held = gradients(true), made = gradients(false);
  double difference = 0, norm = 0;
  for (size_t i = 0; i < held.size(); ++i) {
    difference += (held[i] - made[i]).square().sum().item<double>();
    norm += held[i].square().sum().item<double>();
  }
  EXPECT_LT(std::sqrt(difference / norm), 0.02);
}

}  // namespace
}  // namespace assay
