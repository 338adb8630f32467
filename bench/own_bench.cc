// assay_bench_own: how many samples a second a Python reward function judges, in batches of 256 replies of 2,000 characters, by form of
// function and number of processes; wall clock, everything included. Prints one JSON line. Asserts nothing.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "bench/report_line.h"
#include "core/cores.h"
#include "core/text.h"
#include "verifiers/verifier.h"

namespace assay {
namespace {

constexpr int kGroups = 5120;
constexpr int kSamples = 8;
constexpr size_t kCharacters = 2000;

std::vector<Group> MakeGroups() {
  std::vector<Group> groups(kGroups);
  for (int g = 0; g < kGroups; ++g) {
    groups[g].problem.prompt = StrCat("What is ", g, " + 1?");
    groups[g].problem.answers = {StrCat(g + 1)};
    for (int i = 0; i < kSamples; ++i) {
      std::string text = StrCat("<think>", g);
      while (text.size() < kCharacters) text += " and so on";
      groups[g].samples.emplace_back().text = StrCat(text, "</think>\n", g + i % 2);
    }
  }
  return groups;
}

// Samples a second.
Result<double> Rate(const std::string& folder, const char* source, int processes,
                    const std::vector<Group>& groups) {
  std::ofstream(folder + "/reward.py") << source;
  VerifierEnv env;
  env.folder = folder;
  const Json options = Json().Set("file", "reward.py").Set("processes", processes);
  Result<std::unique_ptr<Verifier>> verifier = MakeVerifier("python", options, env);
  if (!verifier.ok()) return verifier.error();
  std::vector<VerifyRequest> requests;
  for (const Group& group : groups) requests.push_back({&group, nullptr});
  (void)(*verifier)->VerifyGroups({requests.begin(), requests.begin() + 512});  // processes start
  const auto start = std::chrono::steady_clock::now();
  if ((*verifier)->VerifyGroups(requests).size() != groups.size())
    return Error{ErrorCode::kInternal, "not as many verdicts as groups", ""};
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return kGroups * kSamples / took.count();
}

Result<Json> Run() {
  char folder[] = "/tmp/assay-own-bench-XXXXXX";
  if (mkdtemp(folder) == nullptr) return Error{ErrorCode::kIo, "no temporary folder", ""};
  const std::pair<const char*, const char*> kForms[] = {
      {"trl",
       "def reward(completions, answer, **kw):\n"
       "  return [float(c.endswith(a)) for c, a in zip(completions, answer)]\n"},
      {"one", "def reward(completion, answer):\n  return float(completion.endswith(answer))\n"}};
  const std::vector<Group> groups = MakeGroups();
  Json out = Json().Set("bench", "own").Set("characters", static_cast<int64_t>(kCharacters));
  for (const auto& [form, source] : kForms) {
    for (const int processes : {1, UsableCores()}) {
      const Result<double> rate = Rate(folder, source, processes, groups);
      if (!rate.ok()) return rate.error();
      out.Set(StrCat(form, "_", processes, "_per_s"), static_cast<int64_t>(*rate));
    }
  }
  return out;
}

}  // namespace
}  // namespace assay

int main() { return assay::ReportLine(assay::Run()); }
