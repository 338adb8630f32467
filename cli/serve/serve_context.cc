#include "cli/serve/serve_context.h"

#include <utility>

namespace assay {
namespace {

// Rubrics hold caches of verdicts; a client that makes up new ones for ever must not fill the memory.
constexpr size_t kRubricsMax = 64;

}  // namespace

ServeContext::ServeContext(const VerifierEnv& env, Sandbox* sandbox, const ServeBounds& bounds,
                           ServeMetrics* metrics, std::string version)
    : env_(env),
      sandbox_(sandbox),
      bounds_(bounds),
      metrics_(metrics),
      version_(std::move(version)) {}

Result<std::shared_ptr<const Rubric>> ServeContext::RubricFor(const RubricSpec& spec) const {
  const std::string key = spec.ToJson().Dump();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    const auto found = rubrics_.find(key);
    if (found != rubrics_.end()) return found->second;
  }
  Result<std::unique_ptr<Rubric>> made = Rubric::Make(spec, env_);
  if (!made.ok()) return made.error();
  std::shared_ptr<const Rubric> rubric = std::move(*made);
  std::lock_guard<std::mutex> lock(mutex_);
  if (rubrics_.size() >= kRubricsMax) rubrics_.clear();
  return rubrics_.emplace(key, std::move(rubric)).first->second;
}

void ServeContext::CountVerdict(const Verdict& verdict) const {
  metrics_->samples[static_cast<size_t>(verdict.outcome)].fetch_add(1);
}

GroupScore ServeContext::Score(const Rubric& rubric, const Group& group) const {
  GroupScore score = rubric.Score(group);
  for (const SampleScore& sample : score.samples) {
    for (const Verdict& verdict : sample.verdicts) CountVerdict(verdict);
    if (!sample.reward) metrics_->rewards_null.fetch_add(1);
  }
  return score;
}

RunResult ServeContext::Run(const Job& job) const {
  RunResult result = sandbox_->Run(job);
  metrics_->runs[static_cast<size_t>(result.cause)].fetch_add(1);
  return result;
}

const std::vector<LanguageInfo>& ServeContext::Languages() const {
  std::call_once(languages_asked_, [this] {
    if (sandbox_ != nullptr) languages_ = sandbox_->Languages();
  });
  return languages_;
}

const LanguageInfo* ServeContext::FindLanguage(std::string_view name) const {
  static const LanguageInfo kAny = {"python", "Python 3.0.0", true, ""};
  if (sandbox_ == nullptr) return &kAny;
  const std::string canonical = sandbox_->CanonicalLanguage(name);
  if (canonical.empty()) return nullptr;
  for (const LanguageInfo& info : Languages()) {
    if (info.available && info.name == canonical) return &info;
  }
  return nullptr;
}

}  // namespace assay
