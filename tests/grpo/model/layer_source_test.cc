// Models whose layers are made when they are computed: weights shared out among processes (threads here) have the gradients of whole
// ones, and each process holds its share alone; weights in 8 bits are near what they were, and an adapter on them learns as on the same
// weights held whole.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <gtest/gtest.h>

#include <barrier>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "grpo/model/compute_policy.h"
#include "grpo/model/int8_layers.h"
#include "grpo/model/lora.h"
#include "grpo/model/shards.h"
#include "grpo/model/weights.h"
#include "tests/grpo/tiny_model.h"

namespace assay {
namespace {

// Where threads that play processes lay down what they exchange.
struct Table {
  explicit Table(int64_t count) : places(static_cast<size_t>(count)), all_there(count) {}
  std::vector<at::Tensor> places;
  std::barrier<> all_there;
};

class ThreadExchange : public ShareExchange {
 public:
  ThreadExchange(Table* table, int64_t rank) : table_(table), rank_(rank) {}
  int64_t rank() const override { return rank_; }
  int64_t count() const override { return static_cast<int64_t>(table_->places.size()); }
  void GatherShares(at::Tensor tensor) override {
    LayDown(tensor);
    for (int64_t rank = 0; rank < count(); ++rank)
      if (rank != rank_) Share(tensor, rank).copy_(Share(PlaceOf(rank), rank));
    table_->all_there.arrive_and_wait();
  }
  void SumShare(at::Tensor tensor) override {
    LayDown(tensor);
    at::Tensor sum = at::zeros_like(Share(tensor, rank_));
    for (int64_t rank = 0; rank < count(); ++rank) sum.add_(Share(PlaceOf(rank), rank_));
    table_->all_there.arrive_and_wait();
    Share(tensor, rank_).copy_(sum);
    table_->all_there.arrive_and_wait();
  }

 private:
  void LayDown(const at::Tensor& tensor) {
    table_->places[static_cast<size_t>(rank_)] = tensor;
    table_->all_there.arrive_and_wait();
  }
  const at::Tensor& PlaceOf(int64_t rank) const {
    return table_->places[static_cast<size_t>(rank)];
  }
  at::Tensor Share(const at::Tensor& tensor, int64_t rank) const {
    const int64_t share = tensor.numel() / count();
    return tensor.narrow(0, rank * share, share);
  }

  Table* table_;
  int64_t rank_;
};

// `play` as each of so many processes, at the same time.
void Together(int64_t count, const std::function<void(ThreadExchange*)>& play) {
  Table table(count);
  std::vector<std::unique_ptr<ThreadExchange>> exchanges;
  std::vector<std::thread> threads;
  for (int64_t rank = 0; rank < count; ++rank)
    exchanges.push_back(std::make_unique<ThreadExchange>(&table, rank));
  for (const auto& exchange : exchanges)
    threads.emplace_back([&play, one = exchange.get()] { play(one); });
  for (std::thread& thread : threads) thread.join();
}

constexpr uint64_t kSeed = 3;
constexpr double kDeviation = 0.2;

Model Whole(const ModelConfig& config) { return *RandomModel(config, kSeed, kDeviation); }
Model Shared(const ModelConfig& config, ShareExchange* exchange) {
  LoadOptions options;
  options.exchange = exchange;
  return *RandomModel(config, kSeed, kDeviation, options);
}

// Two batches, one for each of two processes that learn.
ScoredBatch Batch(int64_t which) {
  if (which % 2 == 1) return PackGroups({{{4, 4, 2, 1}, {{11, 12}, {13, 1, 1, 5}}}}, at::kCPU);
  return PackGroups({{{1, 5, 9}, {{3, 4, 2}, {8, 8}}}, {{2}, {{6, 7, 1, 30}}}}, at::kCPU);
}

void Learn(ComputePolicy* compute, const ScoredBatch& batch) {
  ForwardOptions forward;
  LogprobOptions logprobs;
  logprobs.entropy_grad = true;
  const Model& model = compute->Prepare(&forward, &logprobs);
  const TokenLogprobs scores = ScoreTokens(model, batch, forward, logprobs);
  ((scores.logp_M * scores.logp_M.detach().cos()).sum() + scores.entropy_M.sum()).backward();
}

// Of a whole model, from both batches.
std::vector<NamedTensor> WantedGradients(const ModelConfig& config, at::ScalarType dtype) {
  Model master = Whole(config);
  SetTrainable(&master, true);
  ComputePolicy compute(&master, {dtype, true});
  for (const int64_t which : {0, 1}) Learn(&compute, Batch(which));
  std::vector<NamedTensor> wanted;
  for (const NamedTensor& weight : NamedWeights(master))
    wanted.push_back({weight.name, weight.tensor.grad().clone()});
  return wanted;
}

// The greatest difference, and the greatest value, over this process's parts.
std::pair<double, double> Compare(Shards* shards, const std::vector<NamedTensor>& wanted) {
  double worst = 0, largest = 0;
  for (const Shards::Part& part : shards->Parts()) {
    if (part.end == part.begin) continue;
    for (const NamedTensor& want : wanted) {
      if (want.name != part.place->name) continue;
      const int64_t size = part.end - part.begin;
      const at::Tensor theirs = want.tensor.reshape({-1}).narrow(0, part.begin, size);
      const at::Tensor ours = shards->pieces()[part.piece].gradient.narrow(0, part.at, size);
      worst = std::max(worst, (ours - theirs).abs().max().item<double>());
      largest = std::max(largest, theirs.abs().max().item<double>());
    }
  }
  return {worst, largest};
}

std::vector<ModelConfig> Families() {
  std::vector<ModelConfig> configs;
  for (const char* family : {"llama", "qwen2", "qwen3"}) configs.push_back(TinyConfig(family, 31));
  configs[0].tied_head = false;
  configs[0].num_layers = 3;
  return configs;
}

TEST(Shards, HaveTheGradientsOfWholeWeights) {
  for (const ModelConfig& config : Families()) {
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      const std::vector<NamedTensor> wanted = WantedGradients(config, dtype);
      for (const int64_t count : {2, 3, 4}) {
        Together(count, [&](ThreadExchange* exchange) {
          Model master = Shared(config, exchange);
          SetTrainable(&master, true);
          ComputePolicy compute(&master, {dtype, true});
          // Two learn, one batch each; the others go along.
          if (exchange->rank() < 2)
            Learn(&compute, Batch(exchange->rank()));
          else
            compute.Accompany();
          EXPECT_FALSE(compute.Gradients().defined());
          const auto [worst, largest] = Compare(ShardsOf(master), wanted);
          EXPECT_LT(worst, (dtype == at::kFloat ? 2e-6 : 2e-2) * std::max(1.0, largest))
              << config.family << " " << dtype << " of " << count;
          compute.Drop();
          EXPECT_FALSE(ShardsOf(master)->pieces()[0].gradient.defined());
        });
      }
    }
  }
}

TEST(Shards, ComeBackWhole) {
  for (const ModelConfig& config : Families()) {
    const Model whole = Whole(config);
    Together(3, [&](ThreadExchange* exchange) {
      const Model shared = Shared(config, exchange);
      EXPECT_FALSE(shared.embed.defined());
      EXPECT_EQ(CountParameters(shared), CountParameters(whole));
      int64_t held = 0, pieces = 0;
      for (const at::Tensor& tensor : HeldWeights(shared)) held += tensor.numel(), ++pieces;
      EXPECT_GE(held * 3, CountParameters(whole));
      EXPECT_LE(held * 3, CountParameters(whole) + 2 * pieces);
      for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
        const Model again = CastModel(shared, dtype);
        const std::vector<NamedTensor> a = NamedWeights(CastModel(whole, dtype)),
                                       b = NamedWeights(again);
        ASSERT_EQ(a.size(), b.size());
        for (size_t i = 0; i < a.size(); ++i) {
          EXPECT_EQ(b[i].tensor.scalar_type(), a[i].tensor.scalar_type()) << a[i].name;
          EXPECT_TRUE(at::equal(a[i].tensor, b[i].tensor)) << a[i].name;
        }
        EXPECT_EQ(again.source, nullptr);
      }
      const bool first = exchange->rank() == 0;
      EXPECT_EQ(WholeModel(shared, at::kFloat, first, true).embed.defined(), first);
    });
  }
}

TEST(Shards, ScoreAsWholeWeightsDo) {
  const ModelConfig config = Families()[1];
  const Model whole = Whole(config);
  const at::Tensor wanted = ScoreTokens(whole, Batch(0), {}, {}).logp_M.detach();
  Together(2, [&](ThreadExchange* exchange) {
    c10::NoGradGuard no_grad;
    const Model shared = Shared(config, exchange);
    Model frozen = shared;
    frozen.source = ShardsOf(shared)->Frozen(at::kFloat);
    EXPECT_EQ(LearningShards(frozen), nullptr);
    for (const Model& model : {shared, frozen}) {
      const Model compute = model.source->ForComputing(model, at::kFloat);
      EXPECT_TRUE(at::allclose(ScoreTokens(compute, Batch(0), {}, {}).logp_M, wanted, 1e-5, 1e-6));
    }
  });
}

LoraConfig Everything() {
  LoraConfig config;
  config.rank = 4;
  config.alpha = 6;
  config.targets = {"all-linear"};
  return config;
}

// An adapter that changes something, the same for all.
void PutAdapter(Model* model) {
  ASSERT_TRUE(AddLora(Everything(), "tiny", 7, model).ok());
  double next = 0;
  for (LoraPair& pair : model->lora->pairs)
    pair.b.copy_(
        at::linspace(-0.3, 0.3 + (next += 0.01), pair.b.numel()).sin().view(pair.b.sizes()));
}

std::vector<at::Tensor> FactorGradients(Model* model, const ScoredBatch& batch,
                                        at::ScalarType dtype = at::kFloat) {
  SetTrainable(model, true);
  ComputePolicy compute(model, {dtype, true});
  Learn(&compute, batch);
  std::vector<at::Tensor> gradients;
  for (const NamedTensor& factor : TrainableWeights(*model))
    gradients.push_back(factor.tensor.grad().clone());
  return gradients;
}

void ExpectNear(const std::vector<at::Tensor>& a, const std::vector<at::Tensor>& b) {
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::allclose(a[i], b[i], 1e-4, 1e-5)) << i;
}

TEST(Shards, CarryAnAdapter) {
  const ModelConfig config = Families()[2];
  Model whole = Whole(config);
  PutAdapter(&whole);
  const std::vector<at::Tensor> wanted = FactorGradients(&whole, Batch(0));
  const at::Tensor merged = CastModel(whole, at::kFloat).layers[1].up_proj;
  Together(2, [&](ThreadExchange* exchange) {
    Model shared = Shared(config, exchange);
    shared.source = ShardsOf(shared)->Frozen(at::kFloat);
    PutAdapter(&shared);
    ExpectNear(FactorGradients(&shared, Batch(0)), wanted);
    EXPECT_TRUE(at::allclose(CastModel(shared, at::kFloat).layers[1].up_proj, merged, 1e-6, 1e-6));
  });
}

// As if every matrix had been rounded before, and held whole.
Model Rounded(const Model& model) {
  const Model eight = Int8Layers::Quantize(CloneModel(model), at::kFloat, at::kCPU);
  Model rounded = CastModel(eight, at::kFloat);
  rounded.lora = nullptr;
  return rounded;
}

TEST(Int8Layers, AreNearAndHoldAByteEach) {
  for (const ModelConfig& config : Families()) {
    const Model whole = Whole(config), rounded = Rounded(whole);
    EXPECT_TRUE(at::equal(rounded.embed, whole.embed));
    EXPECT_TRUE(at::equal(rounded.layers[0].input_norm, whole.layers[0].input_norm));
    EXPECT_EQ(CountParameters(Int8Layers::Quantize(CloneModel(whole), at::kFloat, at::kCPU)),
              CountParameters(whole));
    for (const auto field : {&LayerWeights::q_proj, &LayerWeights::down_proj}) {
      const at::Tensor was = whole.layers[1].*field, is = rounded.layers[1].*field;
      const at::Tensor half = was.abs().amax(1, true) / 254 * 1.0001;
      EXPECT_TRUE(at::all((was - is).abs() <= half).item<bool>());
      EXPECT_FALSE(at::equal(was, is));
    }
  }
  // A row of zeros stays one.
  Model zeros = Whole(Families()[0]);
  zeros.layers[0].q_proj[2].zero_();
  EXPECT_EQ(Rounded(zeros).layers[0].q_proj[2].abs().max().item<double>(), 0);
}

TEST(Int8Layers, AnAdapterLearnsAsOnTheRoundedWeights) {
  for (const ModelConfig& config : Families()) {
    Model plain = Rounded(Whole(config));
    PutAdapter(&plain);
    Model eight = Int8Layers::Quantize(Whole(config), at::kFloat, at::kCPU);
    PutAdapter(&eight);
    ExpectNear(FactorGradients(&eight, Batch(0)), FactorGradients(&plain, Batch(0)));
    const Model merged = CastModel(plain, at::kFloat), made = CastModel(eight, at::kFloat);
    for (const auto& [a, b] : {std::pair(merged.layers[1].up_proj, made.layers[1].up_proj),
                               std::pair(merged.embed, made.embed)})
      EXPECT_TRUE(at::allclose(a, b, 1e-6, 1e-6));
    // Beside the adapter the frozen weights are the reference.
    Model reference = eight;
    reference.lora = nullptr;
    c10::NoGradGuard no_grad;
    EXPECT_TRUE(at::allclose(ScoreTokens(reference, Batch(0), {}, {}).logp_M,
                             ScoreTokens(Rounded(Whole(config)), Batch(0), {}, {}).logp_M, 1e-5,
                             1e-6));
  }
}

TEST(Int8Layers, Bfloat16IsNear) {
  const ModelConfig config = Families()[0];
  Model plain = Whole(config);
  PutAdapter(&plain);
  Model eight = Int8Layers::Quantize(Whole(config), at::kBFloat16, at::kCPU);
  EXPECT_EQ(eight.dtype(), at::kBFloat16);
  PutAdapter(&eight);
  const auto exact = FactorGradients(&plain, Batch(0)),
             near = FactorGradients(&eight, Batch(0), at::kBFloat16);
  double difference = 0, norm = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    difference += (exact[i] - near[i]).square().sum().item<double>();
    norm += exact[i].square().sum().item<double>();
  }
  EXPECT_LT(difference, 0.01 * norm);
}

}  // namespace
}  // namespace assay
