#include "grpo/run/evaluate.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/text.h"
#include "grpo/rollout/generate.h"
#include "grpo/run/train_data.h"

namespace assay {
namespace {

// A term that weighs nothing and is no gate is there to be logged: it decides nothing.
bool OnlyLogged(const RubricSpec& rubric, size_t term) {
  return term < rubric.terms.size() && rubric.terms[term].weight == 0 && !rubric.terms[term].gate;
}

bool Passed(const SampleScore& score, const RubricSpec& rubric) {
  bool any = false;
  for (size_t term = 0; term < score.verdicts.size(); ++term) {
    const Verdict& verdict = score.verdicts[term];
    if (verdict.outcome == Outcome::kAbstain || OnlyLogged(rubric, term)) continue;
    if (verdict.outcome != Outcome::kPass) return false;
    any = true;
  }
  return any;
}

// 1 - C(n - c, k) / C(n, k)
double PassAtK(int64_t n, int64_t c, int64_t k) {
  if (n - c < k) return 1.0;
  double miss = 1.0;
  for (int64_t i = n - c + 1; i <= n; ++i) miss *= 1.0 - static_cast<double>(k) / i;
  return 1.0 - miss;
}

// The first groups with what their samples earned, a line each; without token ids, which few readers want.
Status WriteAnswers(const std::string& file, std::vector<Group> groups,
                    const std::vector<GroupScore>& scores, const RubricSpec& rubric) {
  std::string text;
  for (size_t g = 0; g < std::min(groups.size(), kKeptAnswers); ++g) {
    Json rewards = Json::MakeArray(), passed = Json::MakeArray();
    for (const SampleScore& sample : scores[g].samples) {
      rewards.Append(sample.reward ? Json(*sample.reward) : Json());
      passed.Append(Passed(sample, rubric));
    }
    for (Sample& sample : groups[g].samples) sample.token_ids.clear(), sample.logprobs.clear();
    Json line = GroupToJson(groups[g]);
    line.Set("rewards", std::move(rewards)).Set("passed", std::move(passed));
    text += line.Dump() + "\n";
  }
  std::error_code code;
  std::filesystem::create_directories(std::filesystem::path(file).parent_path(), code);
  return WriteFileAtomic(file, text);
}

}  // namespace

Result<NamedValues> Evaluate(const Model& model, const PolicySetup& setup, const TrainSpec& spec,
                             const std::vector<Problem>& problems, const RubricSpec& rubric,
                             RewardPool* pool, const TrainEnv& env, const std::string& answers) {
  c10::NoGradGuard no_grad;
  GenerateOptions options = RolloutOptions(spec, env);
  options.sampling.temperature = spec.eval.temperature;
  // A seed of its own: evaluations do not draw from the training's streams.
  Result<std::vector<Group>> groups =
      GenerateGroups(model, *setup.tokenizer, "policy", problems, spec.eval.samples,
                     static_cast<uint64_t>(spec.seed) ^ 0x6576616cULL, options);
  if (!groups.ok()) return groups.error();
  double length = 0;
  for (Group& group : *groups) {
    for (const Sample& sample : group.samples)
      length += static_cast<double>(sample.token_ids.size());
    Undress(spec.data, &group.problem);
    pool->Submit(group);
  }
  double reward = 0;
  int64_t scored = 0;
  std::vector<int64_t> passes;
  const std::vector<GroupScore> scores = pool->Collect([&env] { return Interrupted(env); });
  if (Interrupted(env)) return Error{ErrorCode::kLimit, "cancelled", ""};
  for (const GroupScore& score : scores) {
    int64_t passed = 0;
    for (const SampleScore& sample : score.samples) {
      passed += Passed(sample, rubric);
      if (sample.reward) reward += *sample.reward, ++scored;
    }
    passes.push_back(passed);
  }
  if (!answers.empty()) {
    if (Status s = WriteAnswers(answers, std::move(*groups), scores, rubric); !s.ok())
      return s.error();
  }
  NamedValues values;
  for (int64_t k = 1; k <= spec.eval.samples; k *= 2) {
    double sum = 0;
    for (int64_t passed : passes) sum += PassAtK(spec.eval.samples, passed, k);
    values.emplace_back(StrCat("eval/pass@", k), sum / std::max<size_t>(1, passes.size()));
  }
  values.emplace_back("eval/reward", scored == 0 ? NAN : reward / scored);
  values.emplace_back("eval/mean_length",
                      length / std::max<double>(1, passes.size() * spec.eval.samples));
  return values;
}

}  // namespace assay
