// assay_bench_gpu WORK [--shape 135m|0.5b|1.5b|3b] [--model FILE] [--prompts 32] [--group 8] [--prompt 61] [--new 256] [--micro 32]
//   [--rows 256] [--steps 4] [--mean TOKENS] [--checkpoint] [--plain] [--float32]
// The trainer on one NVIDIA GPU, part by part; one JSON line. WORK is
//   grpo     whole steps as TRL is measured (256 completions of exactly 256 tokens from 61-token prompts, beta 0.04, micro-batches of
//            32): seconds of sampling, reference log-probs, forward and backward, update; peak memory
//   decode   sampling alone: --prompts x --group rows of --new tokens
//   learn    forward and backward of --micro rows of --new tokens, every token scored
// Weights are random unless --model names a file: speed does not depend on them. --mean: completions end at different times, after so
// many tokens on average (--new at most). --plain: LibTorch's operators only.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/report_line.h"
#include "core/json.h"
#include "core/rng.h"
#include "core/text.h"
#include "grpo/learn/learner.h"
#include "grpo/model/cuda/runtime.h"
#include "grpo/model/torch_error.h"
#include "grpo/model/weights.h"
#include "grpo/rollout/generate.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;

struct Arguments {
  std::string work, shape = "135m", model;
  int64_t prompts = 32, group = 8, prompt = 61, new_tokens = 256, micro = 32, rows = 256, steps = 4;
  int64_t mean = 0;
  bool checkpoint = false, plain = false, float32 = false;
};

Result<Arguments> Parse(int argc, char** argv) {
  Arguments a;
  const std::vector<std::pair<std::string, int64_t*>> numbers = {
      {"--prompts", &a.prompts}, {"--group", &a.group}, {"--prompt", &a.prompt},
      {"--new", &a.new_tokens},  {"--micro", &a.micro}, {"--rows", &a.rows},
      {"--steps", &a.steps},     {"--mean", &a.mean}};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto found = std::find_if(numbers.begin(), numbers.end(),
                                    [&](const auto& entry) { return entry.first == word; });
    const bool more = i + 1 < argc;
    if (found != numbers.end() && more) {
      *found->second = std::strtoll(argv[++i], nullptr, 10);
    } else if (word == "--shape" && more) {
      a.shape = argv[++i];
    } else if (word == "--model" && more) {
      a.model = argv[++i];
    } else if (word == "--checkpoint") {
      a.checkpoint = true;
    } else if (word == "--plain") {
      a.plain = true;
    } else if (word == "--float32") {
      a.float32 = true;
    } else if (a.work.empty() && (word == "grpo" || word == "decode" || word == "learn")) {
      a.work = word;
    } else {
      return Error{ErrorCode::kUsage, StrCat("unknown option '", word, "'"), ""};
    }
  }
  if (a.work.empty()) return Error{ErrorCode::kUsage, "say grpo, decode or learn", ""};
  return a;
}

// The families' own shapes: SmolLM2-135M, Qwen2.5-0.5B, Qwen2.5-1.5B, Qwen2.5-3B.
Result<ModelConfig> ShapeOf(const std::string& name) {
  ModelConfig c;
  c.tied_head = true;
  c.max_position = 32768;
  const auto qwen = [&](int64_t hidden, int64_t inner, int64_t layers, int64_t heads, int64_t kv,
                        int64_t dim) {
    c.family = "qwen2";
    c.qkv_bias = true;
    c.vocab_size = 151936;
    c.hidden_size = hidden, c.intermediate_size = inner, c.num_layers = layers;
    c.num_heads = heads, c.num_kv_heads = kv, c.head_dim = dim;
  };
  if (name == "135m") {
    c.vocab_size = 49152;
    c.hidden_size = 576, c.intermediate_size = 1536, c.num_layers = 30;
    c.num_heads = 9, c.num_kv_heads = 3, c.head_dim = 64;
  } else if (name == "0.5b") {
    qwen(896, 4864, 24, 14, 2, 64);
  } else if (name == "1.5b") {
    qwen(1536, 8960, 28, 12, 2, 128);
  } else if (name == "3b") {
    qwen(2048, 11008, 36, 16, 2, 128);
  } else {
    return Error{ErrorCode::kUsage, StrCat("unknown shape '", name, "'"),
                 "known: 135m, 0.5b, 1.5b, 3b"};
  }
  return c;
}

Result<Model> MakeModel(const Arguments& a) {
  if (!a.model.empty()) return LoadWeights(a.model, {at::kFloat, "cuda"});
  Result<ModelConfig> config = ShapeOf(a.shape);
  if (!config.ok()) return config.error();
  Model model;
  model.config = *config;
  at::manual_seed(1);
  VisitWeights(&model, [&](const std::string& name, at::Tensor* tensor) {
    const at::TensorOptions options = at::TensorOptions(at::kCUDA).dtype(at::kFloat);
    const std::vector<int64_t> shape = WeightShape(model.config, name);
    *tensor = name.find("norm") != std::string::npos ? at::ones(shape, options)
                                                     : at::randn(shape, options).mul_(0.02);
  });
  TieHead(&model);
  return PackModel(std::move(model));
}

void Synchronize() { c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA)->synchronizeDevice(0); }

// Seconds of what `body` does, the device's part included.
template <typename Body>
double Timed(Body&& body) {
  Synchronize();
  const Clock::time_point begun = Clock::now();
  body();
  Synchronize();
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

std::vector<GenerateRequest> Requests(const Arguments& a, const ModelConfig& config, int64_t step) {
  std::vector<GenerateRequest> requests;
  for (int64_t i = 0; i < a.prompts; ++i) {
    Rng rng(7, "prompt", static_cast<uint64_t>(step * a.prompts + i));
    GenerateRequest request;
    for (int64_t t = 0; t < a.prompt; ++t)
      request.prompt_ids.push_back(
          static_cast<int64_t>(rng.Below(static_cast<uint64_t>(config.vocab_size))));
    request.seeds = SampleSeeds(1, static_cast<uint64_t>(step * a.prompts + i), a.group);
    requests.push_back(std::move(request));
  }
  return requests;
}

// Random weights draw any token alike: so many of them as stop tokens end a completion after --mean tokens on average.
GenerateOptions LengthsOf(const Arguments& a, const ModelConfig& config) {
  GenerateOptions options;
  options.sampling.max_new_tokens = a.new_tokens;
  options.sampling.stop_ids = {2};
  if (a.mean > 0) {
    for (int64_t id = 3; id < 2 + config.vocab_size / a.mean; ++id)
      options.sampling.stop_ids.push_back(id);
  } else {
    options.sampling.min_new_tokens = a.new_tokens;
  }
  options.max_rows = a.rows;
  return options;
}

at::ScalarType ComputeDtype(const Arguments& a) { return a.float32 ? at::kFloat : at::kBFloat16; }

// Floating-point operations of one token's forward and backward, attention's products aside.
double TrainFlops(const Model& model) {
  double parameters = static_cast<double>(CountParameters(model));
  if (!model.config.tied_head) parameters -= static_cast<double>(model.embed.numel());
  return 6 * parameters;
}

struct StepParts {
  double sample = 0, reference = 0, backward = 0, update = 0, total = 0, loss = 0;
};

Result<StepParts> GrpoStep(const Arguments& a, int64_t step, Model* policy, GrpoLearner* learner) {
  StepParts parts;
  GenerationBatch batch;
  Status status;
  const std::vector<GenerateRequest> requests = Requests(a, policy->config, step);
  parts.sample = Timed([&] {
    c10::NoGradGuard no_grad;
    const Model model = CastModel(*policy, ComputeDtype(a));
    auto sampled = Generate(model, nullptr, requests, LengthsOf(a, policy->config));
    if (!sampled.ok()) {
      status = sampled.error();
      return;
    }
    for (size_t g = 0; g < sampled->size(); ++g) {
      batch.groups.push_back({requests[g].prompt_ids, {}});
      for (const Completion& completion : (*sampled)[g]) {
        RolloutRow row;
        row.completion = completion.ids;
        row.rewards = {static_cast<double>(completion.ids[5] % 7)};
        batch.groups.back().rows.push_back(std::move(row));
      }
    }
  });
  if (!status.ok()) return status.error();
  if (status = learner->AssignAdvantages(&batch); !status.ok()) return status.error();
  parts.reference = Timed([&] { status = learner->ScoreOldAndReference(&batch); });
  if (!status.ok()) return status.error();
  Rng rng(1, "rows", static_cast<uint64_t>(step));
  parts.backward = Timed([&] {
    for (const MicroBatch& micro : learner->Plan(batch, &rng)) {
      if (status.ok()) status = learner->Accumulate(batch, micro);
    }
  });
  if (!status.ok()) return status.error();
  Result<StepOutcome> outcome = StepOutcome();
  parts.update = Timed([&] { outcome = learner->Step(1e-6); });
  if (!outcome.ok()) return outcome.error();
  parts.loss = outcome->loss;
  parts.total = parts.sample + parts.reference + parts.backward + parts.update;
  return parts;
}

Status RunGrpoWork(const Arguments& a, Model* policy, Json* line) {
  GrpoRecipe recipe;
  recipe.num_generations = a.group;
  recipe.loss.beta = 0.04;
  recipe.train.per_device_train_batch_size = a.micro;
  recipe.train.gradient_accumulation_steps = recipe.steps_per_generation =
      a.prompts * a.group / a.micro;
  GrpoLearner learner(policy, recipe, {ComputeDtype(a), a.checkpoint});
  std::vector<StepParts> steps;
  for (int64_t step = 0; step < a.steps; ++step) {
    Result<StepParts> parts = GrpoStep(a, step, policy, &learner);
    if (!parts.ok()) return parts.error();
    steps.push_back(*parts);
    std::fprintf(
        stderr,
        "step %lld: %.3f s (sample %.3f, reference %.3f, backward %.3f, update %.3f) loss %g\n",
        static_cast<long long>(step), parts->total, parts->sample, parts->reference,
        parts->backward, parts->update, parts->loss);
  }
  line->Set("first_step_s", steps[0].total);
  std::sort(steps.begin(), steps.end(),
            [](const StepParts& x, const StepParts& y) { return x.total < y.total; });
  const StepParts& median = steps[(steps.size() - 1) / 2];
  const double rows = static_cast<double>(a.prompts * a.group);
  const double trained = rows * static_cast<double>(a.prompt + a.new_tokens);
  line->Set("step_s", median.total)
      .Set("sample_s", median.sample)
      .Set("reference_s", median.reference)
      .Set("backward_s", median.backward)
      .Set("update_s", median.update)
      .Set("loss", median.loss);
  line->Set("sample_tok_s", rows * static_cast<double>(a.new_tokens) / median.sample)
      .Set("learn_tok_s", trained / (median.reference + median.backward + median.update))
      .Set("backward_tok_s", trained / median.backward);
  return {};
}

Status RunDecodeWork(const Arguments& a, const Model& policy, Json* line) {
  c10::NoGradGuard no_grad;
  const Model model = CastModel(policy, ComputeDtype(a));
  double best = 1e9, first = 0;
  GenerateStats stats;
  for (int64_t step = 0; step < a.steps; ++step) {
    Status status;
    const double seconds = Timed([&] {
      stats = {};
      auto sampled = Generate(model, nullptr, Requests(a, model.config, step),
                              LengthsOf(a, model.config), &stats);
      if (!sampled.ok()) status = sampled.error();
    });
    if (!status.ok()) return status;
    if (step == 0) first = seconds;
    best = std::min(best, seconds);
  }
  line->Set("first_s", first).Set("seconds", best).Set("new_tokens", stats.new_tokens);
  line->Set("admit_s", stats.prefill_s)
      .Set("token_steps", stats.steps)
      .Set("ms_per_step", 1e3 * best / static_cast<double>(stats.steps))
      .Set("sample_tok_s", static_cast<double>(stats.new_tokens) / best);
  return {};
}

Status RunLearnWork(const Arguments& a, Model* policy, Json* line) {
  SetTrainable(policy, true);
  ComputePolicy compute(policy, {ComputeDtype(a), a.checkpoint});
  std::vector<TokenGroup> groups;
  Rng rng(3);
  const auto draw = [&] {
    return static_cast<int64_t>(rng.Below(static_cast<uint64_t>(policy->config.vocab_size)));
  };
  for (int64_t i = 0; i < a.micro; ++i) {
    TokenGroup group{{draw()}, {{}}};
    for (int64_t t = 1; t < a.new_tokens; ++t) group.completions[0].push_back(draw());
    groups.push_back(std::move(group));
  }
  const auto pass = [&](double* forward_s, double* backward_s) {
    at::Tensor loss;
    *forward_s = Timed([&] {
      const ScoredBatch batch = PackGroups(groups, policy->device(), /*share_prompts=*/false);
      ForwardOptions forward;
      LogprobOptions logprobs;
      const Model& model = compute.Prepare(&forward, &logprobs);
      loss = ScoreTokens(model, batch, forward, logprobs).logp_M.mean();
    });
    *backward_s = Timed([&] { loss.backward(); });
  };
  double forward_s = 0, backward_s = 0, best = 1e9;
  for (int64_t step = 0; step < a.steps + 1; ++step) {
    double there = 0, back = 0;
    pass(&there, &back);
    if (step == 0) line->Set("first_s", there + back);
    if (step > 0 && there + back < best) best = there + back, forward_s = there, backward_s = back;
  }
  const double tokens = static_cast<double>(a.micro * a.new_tokens);
  line->Set("tokens", a.micro * a.new_tokens)
      .Set("forward_s", forward_s)
      .Set("backward_s", backward_s)
      .Set("train_tok_s", tokens / best);
  line->Set("utilisation", TrainFlops(*policy) * tokens / best / 790e12);
  return {};
}

Result<Json> Run(const Arguments& a) {
  if (!at::hasCUDA()) return Error{ErrorCode::kUnavailable, "no CUDA device", ""};
  std::unique_ptr<cuda::PlainOnly> plain;
  if (a.plain) plain = std::make_unique<cuda::PlainOnly>();
  return CatchTorch("the benchmark", [&]() -> Result<Json> {
    const Clock::time_point begun = Clock::now();
    Result<Model> model = MakeModel(a);
    if (!model.ok()) return model.error();
    Synchronize();
    Json line = Json::MakeObject();
    line.Set("bench", StrCat("gpu_", a.work)).Set("shape", a.model.empty() ? a.shape : a.model);
    line.Set("ready_s", std::chrono::duration<double>(Clock::now() - begun).count());
    line.Set("params", CountParameters(*model))
        .Set("dtype", a.float32 ? "float32" : "bfloat16")
        .Set("plain", a.plain)
        .Set("checkpoint", a.checkpoint);
    line.Set("prompts", a.prompts).Set("group", a.group).Set("prompt_tokens", a.prompt);
    line.Set("completion_tokens", a.new_tokens).Set("micro", a.micro).Set("rows", a.rows);
    if (a.mean > 0) line.Set("mean_tokens", a.mean);
    Status status = a.work == "grpo"     ? RunGrpoWork(a, &*model, &line)
                    : a.work == "decode" ? RunDecodeWork(a, *model, &line)
                                         : RunLearnWork(a, &*model, &line);
    if (!status.ok()) return status.error();
    const cuda::MemoryPeak peak = cuda::PeakMemory();
    line.Set("peak_allocated_gb", peak.allocated_gb).Set("peak_reserved_gb", peak.reserved_gb);
    return line;
  });
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  assay::cuda::PreferExpandableMemory();
  const assay::Result<assay::Arguments> arguments = assay::Parse(argc, argv);
  return assay::ReportLine(arguments.ok() ? assay::Run(*arguments)
                                          : assay::Result<assay::Json>(arguments.error()));
}
