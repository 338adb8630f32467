// The decoder on tiny random models: packing, shared prompts, padding, checkpoints and bf16 change nothing but rounding; log-probs
// and their gradients against a plain softmax; files there and back, and broken ones named.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "core/jsonl.h"
#include "core/rng.h"
#include "core/text.h"
#include "grpo/files/remove_tree.h"
#include "grpo/model/compute_policy.h"
#include "grpo/model/model.h"
#include "grpo/model/weights.h"
#include "grpo/run/memory_plan.h"
#include "tests/grpo/tiny_model.h"

namespace assay {
namespace {

ModelConfig Tiny(const std::string& family = "llama") {
  ModelConfig c = TinyConfig(family, 61);
  c.max_position = 128;
  c.tied_head = family != "qwen2";
  c.eos_ids = {2};
  return c;
}

Model MakeTiny(const std::string& family = "llama", at::ScalarType dtype = at::kFloat) {
  Result<Model> model = RandomModel(Tiny(family), 5, 0.3, dtype);
  EXPECT_TRUE(model.ok());
  return *model;
}

std::vector<int64_t> RandomIds(uint64_t seed, int64_t count) {
  Rng rng(seed);
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back(static_cast<int64_t>(rng.Below(61)));
  return ids;
}

double Difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

TEST(Forward, PackedRowsAreTheRowsAlone) {
  for (const std::string& family : TinyFamilies()) {
    const Model model = MakeTiny(family);
    // Lengths that make several blocks, in an order that must be restored.
    const std::vector<int64_t> lengths = {3, 17, 16, 4, 1, 15};
    std::vector<std::vector<int64_t>> rows;
    for (size_t i = 0; i < lengths.size(); ++i) rows.push_back(RandomIds(i + 1, lengths[i]));
    const at::Tensor all = Forward(model, PackRows(rows, at::kCPU));
    int64_t start = 0;
    for (const std::vector<int64_t>& row : rows) {
      const at::Tensor alone = Forward(model, PackRows({row}, at::kCPU));
      EXPECT_LT(Difference(all.narrow(0, start, alone.size(0)), alone), 1e-5) << family;
      start += alone.size(0);
    }
  }
}

TEST(Forward, PaddingOnEitherSideChangesNothing) {
  const Model model = MakeTiny();
  const std::vector<int64_t> row = RandomIds(3, 5);
  const at::Tensor alone = Forward(model, PackRows({row}, at::kCPU));
  const at::Tensor ids = at::zeros({3, 9}, at::kLong);
  const at::Tensor mask = at::zeros({3, 9}, at::kLong);
  const std::vector<int64_t> starts = {0, 4, 2};
  for (int64_t b = 0; b < 3; ++b) {
    const int64_t start = starts[static_cast<size_t>(b)];
    ids[b].narrow(0, start, 5).copy_(at::tensor(row, at::kLong));
    mask[b].narrow(0, start, 5).fill_(1);
  }
  const at::Tensor hidden = ForwardPadded(model, ids, mask);
  for (int64_t b = 0; b < 3; ++b) {
    EXPECT_LT(Difference(hidden[b].narrow(0, starts[static_cast<size_t>(b)], 5), alone), 1e-5);
  }
  EXPECT_EQ(hidden[0][8].abs().sum().item<double>(), 0.0);
}

std::vector<TokenGroup> Groups() {
  return {{RandomIds(11, 7), {RandomIds(12, 5), RandomIds(13, 2), {}, RandomIds(14, 5)}},
          {RandomIds(15, 3), {RandomIds(16, 4), RandomIds(17, 4)}}};
}

// Gradients of every weight from a weighted sum of log-probs and entropies.
std::vector<at::Tensor> Gradients(const Model& source, bool share, bool checkpoint, int64_t chunk,
                                  TokenLogprobs* scores) {
  Model model = CloneModel(source);
  TieHead(&model);
  SetTrainable(&model, true);
  const ScoredBatch batch = PackGroups(Groups(), at::kCPU, share);
  ForwardOptions forward;
  forward.checkpoint = checkpoint;
  LogprobOptions options;
  options.temperature = 0.7;
  options.chunk = chunk;
  options.entropy_grad = true;
  *scores = ScoreTokens(model, batch, forward, options);
  const at::Tensor weight = at::arange(scores->logp_M.size(0), at::kFloat).add_(1).sin_();
  ((scores->logp_M * weight).sum() + (scores->entropy_M * weight.cos()).sum()).backward();
  std::vector<at::Tensor> grads;
  for (const NamedTensor& w : NamedWeights(model)) {
    EXPECT_TRUE(w.tensor.grad().defined()) << w.name;
    grads.push_back(w.tensor.grad());
  }
  return grads;
}

TEST(Training, SharedPromptsCheckpointsAndSlicesAreExact) {
  for (const std::string& family : TinyFamilies()) {
    const Model model = MakeTiny(family, at::kDouble);
    TokenLogprobs plain;
    const std::vector<at::Tensor> expected = Gradients(model, false, false, 100000, &plain);
    for (const bool share : {false, true}) {
      for (const bool checkpoint : {false, true}) {
        TokenLogprobs scores;
        const std::vector<at::Tensor> grads = Gradients(model, share, checkpoint, 3, &scores);
        // Norms are float32 inside float64 models.
        EXPECT_LT(Difference(scores.logp_M, plain.logp_M), 1e-5);
        EXPECT_LT(Difference(scores.entropy_M, plain.entropy_M), 1e-5);
        for (size_t i = 0; i < grads.size(); ++i) {
          EXPECT_LT(Difference(grads[i], expected[i]),
                    2e-4 * (1 + expected[i].abs().max().item<double>()))
              << i;
        }
      }
    }
  }
}

TEST(Training, ScoredTokensStandWhereTheyBelong) {
  const ScoredBatch batch = PackGroups(Groups(), at::kCPU);
  EXPECT_EQ(batch.num_rows, 6);
  EXPECT_EQ(batch.max_length, 5);
  const at::Tensor table = ScatterScored(batch, batch.targets_M.to(at::kFloat), 6, -1);
  EXPECT_EQ(table.sizes(), (std::vector<int64_t>{6, 6}));
  EXPECT_EQ(table[1][1].item<int64_t>(), Groups()[0].completions[1][1]);
  EXPECT_EQ(table[1][2].item<double>(), -1);
  EXPECT_EQ(table[2].sum().item<double>(), -6);
  EXPECT_EQ(table[5][3].item<int64_t>(), Groups()[1].completions[1][3]);
}

// A plain log-softmax and its gradient by autograd.
void CheckLogprobs(at::ScalarType dtype, int64_t vocab, double tolerance) {
  const at::Tensor hidden =
      (at::sin(at::arange(20 * 16, at::kFloat)).view({20, 16}) * 2).to(dtype).requires_grad_(true);
  const at::Tensor head = at::cos(at::arange(vocab * 16, at::kFloat) * 0.7)
                              .view({vocab, 16})
                              .to(dtype)
                              .requires_grad_(true);
  const at::Tensor targets = at::arange(20, at::kLong) * 37 % vocab;
  const at::Tensor weight = at::arange(20, at::kFloat).sub_(9);
  const at::Tensor wide_hidden = hidden.detach().to(at::kDouble).requires_grad_(true);
  const at::Tensor wide_head = head.detach().to(at::kDouble).requires_grad_(true);
  const at::Tensor z = at::mm(wide_hidden, wide_head.t()) / 0.8;
  const at::Tensor logp = at::log_softmax(z, 1);
  const at::Tensor chosen = logp.gather(1, targets.unsqueeze(1)).squeeze(1);
  const at::Tensor entropy = -(logp.exp() * logp).sum(1);
  ((chosen + 0.3 * entropy) * weight).sum().backward();
  LogprobOptions options;
  options.temperature = 0.8;
  options.chunk = 1;
  options.entropy_grad = true;
  options.top1 = true;
  const TokenLogprobs got = ComputeTokenLogprobs(hidden, head, targets, options);
  EXPECT_LT(Difference(got.logp_M, chosen), tolerance);
  // The difference of two numbers as large as the logits, some 40: an ulp of those is 4e-6 in float32, and each is off by a few.
  const double rounding = dtype == at::kFloat ? 2e-5 : 0;
  EXPECT_LT(Difference(got.entropy_M, entropy), tolerance + rounding);
  if (dtype != at::kBFloat16) EXPECT_EQ(Difference(got.top1_M, z.argmax(1).eq(targets)), 0);
  ((got.logp_M + 0.3 * got.entropy_M) * weight).sum().backward();
  EXPECT_LT(Difference(hidden.grad(), wide_hidden.grad()), tolerance * 20);
  EXPECT_LT(Difference(head.grad(), wide_head.grad()), tolerance * 20);
}

TEST(Logprobs, AgainstPlainSoftmax) {
  CheckLogprobs(at::kDouble, 50, 1e-9);
  CheckLogprobs(at::kFloat, 50, 1e-5);
  CheckLogprobs(at::kFloat, 5000, 1e-5);  // several slices
  CheckLogprobs(at::kBFloat16, 5000, 0.1);
}

TEST(Logprobs, ExtremeLogitsStayFinite) {
  const at::Tensor hidden = at::tensor({1.0f, 0.0f}).view({1, 2}).requires_grad_(true);
  const at::Tensor head = at::zeros({2000, 2});
  head[3][0] = 5000.0;
  head[4][0] = -5000.0;
  LogprobOptions options;
  options.entropy_grad = true;
  for (int64_t target : {3, 4}) {
    const TokenLogprobs got =
        ComputeTokenLogprobs(hidden, head, at::tensor({target}, at::kLong), options);
    EXPECT_NEAR(got.logp_M.item<double>(), target == 3 ? 0.0 : -10000.0, 1e-3);
    EXPECT_NEAR(got.entropy_M.item<double>(), 0.0, 1e-3);
    (got.logp_M.sum() + got.entropy_M.sum()).backward();
    EXPECT_TRUE(hidden.grad().isfinite().all().item<bool>());
  }
}

TEST(Model, ParametersAreCountedFromTheConfigToo) {
  for (const std::string& family : TinyFamilies()) {
    const Model model = MakeTiny(family);
    EXPECT_EQ(CountParameters(model.config), CountParameters(model)) << family;
  }
}

TEST(Model, WhatTheFastPathDoesNotKnowIsNamed) {
  const std::pair<const char*, const char*> parts[] = {
      {"llama", ""},
      {"qwen3", ""},
      {"mistral", "sliding windows"},
      {"qwen3_moe", "experts"},
      {"gemma3_text", "GELU"},
      {"phi3", "rotary embedding of a part of each head"},
      {"olmo2", "norms over all heads"},
      {"smollm3", "layers without rotary embedding"},
      {"granite", "multipliers"}};
  for (const auto& [family, part] : parts) {
    const std::string words = NotFused(Tiny(family));
    EXPECT_NE(words.find(part), std::string::npos) << family << ": " << words;
    EXPECT_EQ(words.empty(), std::string(part).empty()) << family << ": " << words;
  }
}

// A token within the window changes what follows, one out of it nothing.
TEST(Forward, WindowsEndWhereTheyShould) {
  ModelConfig config = Tiny("mistral");
  config.num_layers = 1;
  config.layers.resize(1);
  const Model model = *RandomModel(config, 5, 0.3);
  const std::vector<int64_t> row = RandomIds(21, 12);
  const at::Tensor plain = Forward(model, PackRows({row}, at::kCPU));
  for (int64_t changed = 0; changed < 12; ++changed) {
    std::vector<int64_t> other = row;
    other[static_cast<size_t>(changed)] = (row[static_cast<size_t>(changed)] + 1) % 61;
    const at::Tensor hidden = Forward(model, PackRows({other}, at::kCPU));
    for (int64_t t = 0; t < 12; ++t) {
      const bool seen = changed <= t && t - changed < config.window;
      EXPECT_EQ(Difference(hidden[t], plain[t]) > 1e-6, seen) << changed << " " << t;
    }
  }
}

TEST(Bf16, ComputesWithFloat32MasterWeights) {
  Model master = MakeTiny();
  SetTrainable(&master, true);
  const Model model = CastModel(master, at::kBFloat16);
  EXPECT_EQ(model.dtype(), at::kBFloat16);
  EXPECT_EQ(model.norm.scalar_type(), at::kFloat);
  const ScoredBatch batch = PackGroups(Groups(), at::kCPU);
  const TokenLogprobs half = ScoreTokens(model, batch, {}, {});
  const TokenLogprobs full = ScoreTokens(master, batch, {}, {});
  EXPECT_LT(Difference(half.logp_M, full.logp_M), 0.2);
}

TEST(Model, WeightsCastWhereTheyAreUsedGiveTheNumbersOfACastModel) {
  for (const std::string& family : TinyFamilies()) {
    const Model master = MakeTiny(family);
    const ScoredBatch batch = PackGroups(Groups(), at::kCPU);
    const TokenLogprobs copied = ScoreTokens(CastModel(master, at::kBFloat16), batch, {}, {});
    ForwardOptions forward;
    forward.compute_dtype = at::kBFloat16;
    const TokenLogprobs cast = ScoreTokens(master, batch, forward, {});
    EXPECT_TRUE(cast.logp_M.equal(copied.logp_M)) << family;
    EXPECT_TRUE(cast.entropy_M.equal(copied.entropy_M)) << family;
  }
}

// Gradients that ComputePolicy collects are those of plain autograd, in float32 for a bfloat16 computation too.
TEST(ComputePolicy, CollectsTheGradientsOfAutograd) {
  for (const std::string& family : TinyFamilies()) {
    Model plain = MakeTiny(family);
    Model master = CloneModel(plain);
    SetTrainable(&plain, true);
    SetTrainable(&master, true);
    const ScoredBatch batch = PackGroups(Groups(), at::kCPU);
    for (int i = 0; i < 2; ++i) ScoreTokens(plain, batch, {}, {}).logp_M.sum().backward();
    for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
      for (const bool checkpoint : {false, true}) {
        ComputePolicy policy(&master, {dtype, checkpoint});
        for (int i = 0; i < 2; ++i) {
          ForwardOptions forward;
          LogprobOptions logprobs;
          const Model& model = policy.Prepare(&forward, &logprobs);
          EXPECT_EQ(model.dtype(), checkpoint ? at::kFloat : dtype);  // no copy beside the masters
          ScoreTokens(model, batch, forward, logprobs).logp_M.sum().backward();
        }
        const std::vector<NamedTensor> want = NamedWeights(plain);
        const std::vector<NamedTensor> got = NamedWeights(master);
        for (size_t w = 0; w < want.size(); ++w) {
          const at::Tensor expected = want[w].tensor.grad();
          const at::Tensor found = got[w].tensor.grad();
          ASSERT_TRUE(found.defined()) << want[w].name;
          EXPECT_EQ(found.scalar_type(), at::kFloat);
          const double scale = expected.abs().max().item<double>() + 1e-3;
          EXPECT_LT(Difference(found, expected) / scale, dtype == at::kFloat ? 1e-5 : 0.1)
              << want[w].name;
        }
        policy.Drop();
        EXPECT_FALSE(master.embed.grad().defined());
      }
    }
  }
}

// ---- files ----

class Files : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "/assay_model_files";
    RemoveTree(folder_);
  }
  void TearDown() override { RemoveTree(folder_); }
  std::string Path(const char* name) const { return folder_ + "/" + name; }
  std::string LoadError() const {
    Result<Model> loaded = LoadWeights(folder_);
    return loaded.ok() ? "" : loaded.error().message;
  }
  void EditConfig(const char* key, Json value) const {
    Json config = *ParseJson(*ReadFile(Path("config.json")));
    config.Set(key, std::move(value));
    ASSERT_TRUE(WriteFileAtomic(Path("config.json"), config.Dump()).ok());
  }
  std::string folder_;
};

TEST_F(Files, SavedAndLoadedTheSame) {
  for (const std::string& family : TinyFamilies()) {
    for (const int64_t shard : {int64_t{1} << 30, int64_t{6000}}) {
      RemoveTree(folder_);
      const Model model = MakeTiny(family);
      ASSERT_TRUE(SaveModel(model, nullptr, folder_, at::kFloat, shard).ok());
      Result<LoadedModel> again = LoadModel(folder_);
      ASSERT_TRUE(again.ok()) << again.error().message;
      EXPECT_EQ(again->model.config.family, family);
      EXPECT_EQ(again->model.config.eos_ids, model.config.eos_ids);
      const std::vector<NamedTensor> a = NamedWeights(model);
      const std::vector<NamedTensor> b = NamedWeights(again->model);
      ASSERT_EQ(a.size(), b.size());
      for (size_t i = 0; i < a.size(); ++i)
        EXPECT_TRUE(a[i].tensor.equal(b[i].tensor)) << a[i].name;
    }
  }
}

TEST_F(Files, ASingleFileReplacesShardsAndBack) {
  const Model first = MakeTiny("llama");
  const Model second = *RandomModel(Tiny(), 6, 0.3);
  ASSERT_TRUE(SaveModel(first, nullptr, folder_).ok());
  ASSERT_TRUE(SaveModel(second, nullptr, folder_, at::kFloat, 6000).ok());
  EXPECT_TRUE(LoadWeights(folder_)->embed.equal(second.embed));
  ASSERT_TRUE(SaveModel(first, nullptr, folder_).ok());
  EXPECT_TRUE(LoadWeights(folder_)->embed.equal(first.embed));
}

TEST_F(Files, HalfOfTheBitsAreThoseOfACastModel) {
  const Model model = MakeTiny();
  ASSERT_TRUE(SaveModel(model, nullptr, folder_).ok());
  const Result<Model> half = LoadWeights(folder_, {at::kBFloat16});
  ASSERT_TRUE(half.ok());
  const std::vector<NamedTensor> found = NamedWeights(*half),
                                 wanted = NamedWeights(CastModel(model, at::kBFloat16));
  ASSERT_EQ(found.size(), wanted.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].tensor.dtype(), wanted[i].tensor.dtype()) << found[i].name;
    EXPECT_TRUE(found[i].tensor.equal(wanted[i].tensor)) << found[i].name;
  }
}

TEST_F(Files, BrokenFilesAreNamed) {
  ASSERT_TRUE(SaveModel(MakeTiny(), nullptr, folder_).ok());
  const std::string config = *ReadFile(Path("config.json"));
  EditConfig("intermediate_size", 41);
  EXPECT_NE(
      LoadError().find("mlp.gate_proj.weight' has shape [40, 24], the config asks for [41, 24]"),
      std::string::npos);
  ASSERT_TRUE(WriteFileAtomic(Path("config.json"), config).ok());
  EditConfig("model_type", "mamba");
  EXPECT_NE(LoadError().find("unknown model architecture 'mamba'"), std::string::npos);
  ASSERT_TRUE(WriteFileAtomic(Path("config.json"), config).ok());
  EditConfig("num_hidden_layers", 3);
  EXPECT_NE(LoadError().find("weight 'model.layers.2.input_layernorm.weight' is missing"),
            std::string::npos);
  ASSERT_TRUE(WriteFileAtomic(Path("config.json"), config).ok());
  EditConfig("num_hidden_layers", 1);
  EXPECT_NE(LoadError().find("unknown weight 'model.layers.1."), std::string::npos);
  ASSERT_TRUE(WriteFileAtomic(Path("config.json"), config).ok());
  EditConfig("num_key_value_heads", 4);
  EXPECT_NE(LoadError().find("no multiple"), std::string::npos);
  ASSERT_TRUE(WriteFileAtomic(Path("config.json"), config).ok());
  const auto size = std::filesystem::file_size(Path("model.safetensors"));
  for (const auto cut : {size - 1, size / 2, uintmax_t{100}, uintmax_t{3}}) {
    std::filesystem::resize_file(Path("model.safetensors"), cut);
    EXPECT_NE(LoadError().find("cut short"), std::string::npos) << cut << ": " << LoadError();
  }
  std::filesystem::remove(Path("model.safetensors"));
  EXPECT_NE(LoadError().find("neither model.safetensors nor an index"), std::string::npos);
}

// Whatever is done to a config.json, it is read as one that can be written and read again, or refused in words; and what it asks for is
// bounded before a weight is looked for.
TEST_F(Files, DamagedConfigsAreReadOrRefused) {
  int64_t read = 0, refused = 0;
  for (const std::string& family : TinyFamilies()) {
    const std::string whole = ModelConfigToJson(Tiny(family), "float32").Dump();
    Rng rng(17, family);
    for (int i = 0; i < 400; ++i) {
      std::string text = whole;
      const char* pieces[] = {"-1",    "99999999999", "null", "[]", "{}",
                              "\"x\"", "1e999",       "0",    "0.5"};
      // A value of a key, or any bytes.
      size_t at = rng.Below(text.size());
      if (i % 2 == 0) {
        at = text.find(':', at);
        if (at == std::string::npos) continue;
        const size_t end = text.find_first_of(",}", at);
        text.replace(at + 1, end - at - 1, pieces[rng.Below(std::size(pieces))]);
      } else {
        text[at] = static_cast<char>(rng.Below(256));
      }
      const Result<Json> json = ParseJson(text);
      if (!json.ok()) continue;
      const Result<ModelConfig> config = ModelConfigFromJson(*json);
      if (!config.ok()) {
        EXPECT_FALSE(config.error().message.empty());
        ++refused;
        continue;
      }
      ++read;
      EXPECT_LE(config->num_layers * std::max<int64_t>(1, config->num_experts), 1 << 17);
      EXPECT_GE(CountParameters(*config), 0) << text;
      const Result<ModelConfig> again = ModelConfigFromJson(ModelConfigToJson(*config, "float32"));
      ASSERT_TRUE(again.ok()) << again.error().message << "\n" << text;
      EXPECT_EQ(again->layers.size(), config->layers.size()) << text;
      for (int64_t layer = 0; layer < config->num_layers; ++layer)
        EXPECT_EQ(again->WindowOf(layer), config->WindowOf(layer)) << text;
    }
  }
  EXPECT_GT(read, 100);
  EXPECT_GT(refused, 100);
}

TEST_F(Files, HostileHeadersAreRefused) {
  ASSERT_TRUE(SaveModel(MakeTiny(), nullptr, folder_).ok());
  auto write = [&](const std::string& header, uint64_t length) {
    std::ofstream out(Path("model.safetensors"), std::ios::binary);
    out.write(reinterpret_cast<const char*>(&length), 8);
    out << header << std::string(64, '\0');
  };
  for (const char* header :
       {"{", "[]", R"({"a": 1})",
        R"({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}})",
        R"({"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}})",
        R"({"a": {"dtype": "F32", "shape": [4611686018427387904, 4], "data_offsets": [0, 0]}})",
        R"({"a": {"dtype": "F32", "shape": [1000000], "data_offsets": [0, 4000000]}})"}) {
    write(header, std::string(header).size());
    EXPECT_NE(LoadError(), "") << header;
  }
  write("{}", ~uint64_t{0});
  EXPECT_NE(LoadError(), "");
}

TEST_F(Files, ATokenizerWithMoreTokensThanRowsIsRefused) {
  ModelConfig config = Tiny();
  config.vocab_size = 8;
  const auto tokenizer = *Tokenizer::Characters("0123456789");
  ASSERT_TRUE(SaveModel(*RandomModel(config, 1), tokenizer.get(), folder_).ok());
  Result<LoadedModel> loaded = LoadModel(folder_);
  ASSERT_FALSE(loaded.ok());
  EXPECT_NE(loaded.error().message.find("16 tokens"), std::string::npos) << loaded.error().message;
}

TEST(Devices, AreParsedOrNamed) {
  EXPECT_TRUE(ParseDevice("cpu").ok());
  EXPECT_EQ(ParseDevice("tpu").error().code, ErrorCode::kUsage);
  EXPECT_FALSE(ParseDevice("cuda:99").ok());
  EXPECT_TRUE(ParseDtype("bf16").ok());
  EXPECT_FALSE(ParseDtype("int4").ok());
}

}  // namespace
}  // namespace assay
