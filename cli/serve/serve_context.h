// ServeContext: what every request may use: the sandbox, rubrics by what they say, the languages of this machine, the bounds on what a
// client may ask for, and what is counted. One a process, made before the first request; thread-safe. It is the only door of the
// server to verdicts and runs: all of them come from Rubric::Score and Sandbox::Run, as those of `assay score` and `assay run` do.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "cli/serve/metrics.h"
#include "core/result.h"
#include "sandbox/sandbox.h"
#include "verifiers/rubric.h"
#include "verifiers/verifier.h"

namespace assay {

// The most that a request may ask for, and what it gets where it asks for nothing.
struct ServeBounds {
  double run_seconds_max = 300;
  double compile_seconds_max = 120;
  int64_t memory_mib_max = 4096;
  int64_t output_bytes = 8 << 20;
  int64_t pieces_max = 100'000;  // rows, scripts or tests of one request
};

class ServeContext {
 public:
  // `sandbox` may be null where nothing is run (fuzzers): then every language is taken for one that is there.
  ServeContext(const VerifierEnv& env, Sandbox* sandbox, const ServeBounds& bounds,
               ServeMetrics* metrics, std::string version);

  const ServeBounds& bounds() const { return bounds_; }
  const std::string& version() const { return version_; }
  ServeMetrics& metrics() const { return *metrics_; }
  Sandbox* sandbox() const { return sandbox_; }
  const VerifierEnv& env() const { return env_; }
  // What rows are scored with where a request names nothing; no terms: the row's task decides.
  const RubricSpec& default_rubric() const { return default_rubric_; }
  void SetDefaultRubric(RubricSpec spec) { default_rubric_ = std::move(spec); }

  // The rubric that a spec describes: kept for the next request that says the same. Errors: those of Rubric::Make.
  Result<std::shared_ptr<const Rubric>> RubricFor(const RubricSpec& spec) const;
  // Scores and counts.
  GroupScore Score(const Rubric& rubric, const Group& group) const;
  // Runs and counts.
  RunResult Run(const Job& job) const;
  void CountVerdict(const Verdict& verdict) const;

  // Every language with its version; asked of the machine once.
  const std::vector<LanguageInfo>& Languages() const;
  // Null if there is none of that name or it is not installed; aliases are known.
  const LanguageInfo* FindLanguage(std::string_view name) const;

 private:
  const VerifierEnv env_;
  Sandbox* const sandbox_;
  const ServeBounds bounds_;
  ServeMetrics* const metrics_;
  const std::string version_;
  RubricSpec default_rubric_;
  mutable std::mutex mutex_;
  mutable std::unordered_map<std::string, std::shared_ptr<const Rubric>> rubrics_;
  mutable std::once_flag languages_asked_;
  mutable std::vector<LanguageInfo> languages_;
};

}  // namespace assay
