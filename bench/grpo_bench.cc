// assay_bench_grpo MODEL [--steps 2] [--prompts 8] [--group 8] [--new 64] [--micro 8] [--threads 2] [--bf16] [--no-gc] [--no-share]:
// whole GRPO steps (generate, reward, learn) in the shapes that TRL is measured in: chat prompts of some 60 tokens, exactly
// --new sampled tokens each, micro-batches of --micro rows, one optimiser step a generation batch; as a recipe has it by default,
// so with activation checkpointing. Prints one JSON line.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/report_line.h"
#include "bench/rollout_prompts.h"
#include "core/json.h"
#include "core/text.h"
#include "grpo/learn/learner.h"
#include "grpo/model/weights.h"
#include "grpo/rollout/generate.h"

namespace assay {
namespace {

using Clock = std::chrono::steady_clock;
double Seconds(Clock::time_point since) {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

// The most memory since the last call, where the kernel can tell.
double PhasePeakMib() {
  double peak = 0;
  if (std::FILE* status = std::fopen("/proc/self/status", "r")) {
    char line[256];
    while (std::fgets(line, sizeof line, status) != nullptr) {
      if (std::sscanf(line, "VmHWM: %lf", &peak) == 1) break;
    }
    std::fclose(status);
  }
  if (std::FILE* clear = std::fopen("/proc/self/clear_refs", "w")) {
    std::fputs("5", clear);
    std::fclose(clear);
  }
  return peak / 1024;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         1e-6 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

struct Arguments {
  std::string model;
  int64_t steps = 2, prompts = 8, group = 8, new_tokens = 64, micro = 8, threads = 2;
  bool bf16 = false, checkpoint = GrpoRecipe().train.gradient_checkpointing, share = true;
};

Result<Arguments> Parse(int argc, char** argv) {
  Arguments a;
  const std::vector<std::pair<std::string, int64_t*>> numbers = {
      {"--steps", &a.steps},    {"--prompts", &a.prompts}, {"--group", &a.group},
      {"--new", &a.new_tokens}, {"--micro", &a.micro},     {"--threads", &a.threads}};
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto found = std::find_if(numbers.begin(), numbers.end(),
                                    [&](const auto& entry) { return entry.first == word; });
    if (found != numbers.end() && i + 1 < argc)
      *found->second = std::strtoll(argv[++i], nullptr, 10);
    else if (word == "--bf16")
      a.bf16 = true;
    else if (word == "--no-gc")
      a.checkpoint = false;
    else if (word == "--no-share")
      a.share = false;
    else if (a.model.empty() && word[0] != '-')
      a.model = word;
    else
      return Error{ErrorCode::kUsage, StrCat("unknown option '", word, "'"), ""};
  }
  if (a.model.empty()) a.model = "models/SmolLM2-135M-Instruct.Q4_1.gguf";
  return a;
}

struct StepTimes {
  double generate = 0, learn = 0, total = 0, cpu = 0;
  double generate_peak_mib = 0, backward_peak_mib = 0, update_peak_mib = 0;
  int64_t tokens = 0, prompt_tokens = 0;
};

Result<StepTimes> RunStep(const Arguments& a, int64_t step, const LoadedModel& loaded,
                          Model* policy, GrpoLearner* learner) {
  StepTimes times;
  const Clock::time_point begun = Clock::now();
  const double cpu = CpuSeconds();
  GenerationBatch batch;
  std::vector<GenerateRequest> requests;
  for (int64_t i = 0; i < a.prompts; ++i) {
    Result<std::vector<int64_t>> ids =
        PromptIds(*loaded.tokenizer, BenchProblem(step * a.prompts + i));
    if (!ids.ok()) return ids.error();
    times.prompt_tokens += static_cast<int64_t>(ids->size()) * a.group;
    batch.groups.push_back({*ids, {}});
    requests.push_back(
        {*ids, SampleSeeds(1, static_cast<uint64_t>(step * a.prompts + i), a.group)});
  }
  {
    c10::NoGradGuard no_grad;
    const Model model = CastModel(*policy, a.bf16 ? at::kBFloat16 : at::kFloat);
    GenerateOptions options;
    options.sampling.max_new_tokens = options.sampling.min_new_tokens = a.new_tokens;
    options.max_rows = a.prompts * a.group;
    Result<std::vector<std::vector<Completion>>> sampled =
        Generate(model, loaded.tokenizer.get(), requests, options);
    if (!sampled.ok()) return sampled.error();
    for (size_t g = 0; g < sampled->size(); ++g) {
      for (const Completion& completion : (*sampled)[g]) {
        RolloutRow row;
        row.completion = completion.ids;
        const auto digits = std::count_if(completion.text.begin(), completion.text.end(),
                                          [](char c) { return c >= '0' && c <= '9'; });
        row.rewards = {static_cast<double>(digits) / 10};
        times.tokens += static_cast<int64_t>(row.completion.size());
        batch.groups[g].rows.push_back(std::move(row));
      }
    }
  }
  times.generate = Seconds(begun);
  times.generate_peak_mib = PhasePeakMib();
  for (const Status& status :
       {learner->AssignAdvantages(&batch), learner->ScoreOldAndReference(&batch)}) {
    if (!status.ok()) return status.error();
  }
  Rng rng(1, "rows", static_cast<uint64_t>(step));
  for (const MicroBatch& micro : learner->Plan(batch, &rng)) {
    if (Status status = learner->Accumulate(batch, micro); !status.ok()) return status.error();
  }
  times.backward_peak_mib = PhasePeakMib();
  Result<StepOutcome> outcome = learner->Step(1e-6);
  if (!outcome.ok()) return outcome.error();
  times.update_peak_mib = PhasePeakMib();
  times.total = Seconds(begun);
  times.learn = times.total - times.generate;
  times.cpu = CpuSeconds() - cpu;
  return times;
}

Result<Json> Run(const Arguments& a) {
  at::set_num_threads(static_cast<int>(a.threads));
  Result<LoadedModel> loaded = LoadModel(a.model);
  if (!loaded.ok()) return loaded.error();
  GrpoRecipe recipe;
  recipe.num_generations = a.group;
  recipe.train.per_device_train_batch_size = a.micro;
  recipe.train.gradient_accumulation_steps = recipe.steps_per_generation =
      a.prompts * a.group / a.micro;
  recipe.shuffle_rows = a.share ? "auto" : "rows";
  Model policy = PackModel(std::move(loaded->model));
  GrpoLearner learner(&policy, recipe, {a.bf16 ? at::kBFloat16 : at::kFloat, a.checkpoint});
  Json line = Json::MakeObject();
  line.Set("bench", "grpo")
      .Set("params", CountParameters(policy))
      .Set("dtype", a.bf16 ? "bfloat16" : "float32");
  line.Set("prompts", a.prompts)
      .Set("group", a.group)
      .Set("new_tokens", a.new_tokens)
      .Set("micro_batch", a.micro);
  line.Set("threads", a.threads).Set("share_prompts", a.share).Set("grad_ckpt", a.checkpoint);
  Json steps = Json::MakeArray();
  StepTimes best;
  double peak = PhasePeakMib();
  line.Set("load_peak_mb", peak);
  for (int64_t step = 0; step < a.steps; ++step) {
    Result<StepTimes> times = RunStep(a, step, *loaded, &policy, &learner);
    if (!times.ok()) return times.error();
    if (step == 0 || times->total < best.total) best = *times;
    steps.Append(Json::MakeObject()
                     .Set("step_s", times->total)
                     .Set("gen_s", times->generate)
                     .Set("train_s", times->learn)
                     .Set("step_cpu_s", times->cpu)
                     .Set("gen_peak_mb", times->generate_peak_mib)
                     .Set("backward_peak_mb", times->backward_peak_mib)
                     .Set("update_peak_mb", times->update_peak_mib));
    peak = std::max(
        {peak, times->generate_peak_mib, times->backward_peak_mib, times->update_peak_mib});
  }
  line.Set("steps", steps)
      .Set("best_step_s", best.total)
      .Set("gen_s", best.generate)
      .Set("train_s", best.learn);
  line.Set("step_cpu_s", best.cpu);
  line.Set("gen_tok_s", static_cast<double>(best.tokens) / best.generate);
  line.Set("train_tok_s", static_cast<double>(best.tokens + best.prompt_tokens) / best.learn);
  line.Set("peak_rss_mb", peak);
  return line;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  const assay::Result<assay::Arguments> arguments = assay::Parse(argc, argv);
  return assay::ReportLine(arguments.ok() ? assay::Run(*arguments)
                                          : assay::Result<assay::Json>(arguments.error()));
}
