// assay_bench_generate MODEL [--dtype float32|bfloat16] [--prompts 8] [--group 8] [--new 64] [--threads 2] [--repeat 3]:
// sampling speed of grpo/generate on the CPU, on the work that TRL's benchmark does (groups of chat prompts, every
// completion of exactly --new tokens). Prints one JSON line.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include "bench/rollout_prompts.h"
#include "core/json.h"
#include "core/text.h"
#include "grpo/model/weights.h"
#include "grpo/rollout/generate.h"

namespace assay {
namespace {

int Run(int argc, char** argv) {
  auto flag = [&](const std::string& name, const std::string& fallback) {
    for (int i = 2; i + 1 < argc; ++i) {
      if (argv[i] == "--" + name) return std::string(argv[i + 1]);
    }
    return fallback;
  };
  LoadOptions load;
  const Result<at::ScalarType> dtype = ParseDtype(flag("dtype", "float32"));
  if (!dtype.ok()) return 2;
  load.dtype = *dtype;
  at::set_num_threads(std::atoi(flag("threads", "2").c_str()));
  Result<LoadedModel> loaded = LoadModel(argv[1], load);
  if (!loaded.ok()) {
    std::fprintf(stderr, "error: %s\n", loaded.error().message.c_str());
    return 2;
  }
  GenerateOptions options;
  options.sampling.max_new_tokens = std::atoll(flag("new", "64").c_str());
  options.sampling.min_new_tokens = options.sampling.max_new_tokens;
  const int64_t group = std::atoll(flag("group", "8").c_str());
  options.max_rows = std::atoll(flag("prompts", "8").c_str()) * group;
  std::vector<Problem> problems;
  for (int64_t i = 0; i < std::atoll(flag("prompts", "8").c_str()); ++i)
    problems.push_back(BenchProblem(i));
  GenerateStats best;
  for (int i = 0; i < std::atoi(flag("repeat", "3").c_str()); ++i) {
    GenerateStats stats;
    Result<std::vector<Group>> groups =
        GenerateGroups(loaded->model, *loaded->tokenizer, "m", problems, group, 1, options, &stats);
    if (!groups.ok()) {
      std::fprintf(stderr, "error: %s\n", groups.error().message.c_str());
      return 2;
    }
    if (i == 0 || stats.prefill_s + stats.decode_s < best.prefill_s + best.decode_s) best = stats;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  Json line = Json::MakeObject();
  line.Set("bench", "generate")
      .Set("dtype", flag("dtype", "float32"))
      .Set("rows", options.max_rows);
  line.Set("new_tokens", best.new_tokens)
      .Set("prompt_tokens", best.prompt_tokens)
      .Set("steps", best.steps);
  line.Set("seconds", best.prefill_s + best.decode_s)
      .Set("prefill_s", best.prefill_s)
      .Set("decode_s", best.decode_s);
  line.Set("tokens_per_s", static_cast<double>(best.new_tokens) / (best.prefill_s + best.decode_s));
  line.Set("threads", static_cast<int64_t>(at::get_num_threads()))
      .Set("peak_rss_mib", static_cast<int64_t>(usage.ru_maxrss / 1024));
  std::printf("%s\n", line.Dump().c_str());
  return 0;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(
        stderr,
        "usage: assay_bench_generate MODEL [--dtype D] [--prompts P] [--group G] [--new N]\n");
    return 2;
  }
  return assay::Run(argc, argv);
}
