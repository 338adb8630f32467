#include "verifiers/rubric.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "core/advantage.h"
#include "core/text.h"
#include "verifiers/rubric_fold.h"
#include "verifiers/rubric_route.h"

namespace assay {
namespace {

std::vector<size_t> FirstThatAsk(const std::vector<RubricTerm>& terms) {
  const auto same = [](const RubricTerm& a, const RubricTerm& b) {
    return a.verifier == b.verifier && a.options == b.options && a.when == b.when &&
           a.unless == b.unless;
  };
  std::vector<size_t> out;
  for (const RubricTerm& term : terms) {
    size_t at = 0;
    while (!same(terms[at], term)) ++at;
    out.push_back(at);
  }
  return out;
}

bool Routed(const RubricTerm& term, const Problem& problem, const Sample& sample) {
  if (!RouteFits(term.when, problem, sample)) return false;
  return term.unless.IsNull() || !RouteFits(term.unless, problem, sample);
}

// The verdicts of a term on the samples that are routed to it; the others abstain.
std::vector<Verdict> VerifyRouted(const RubricTerm& term, const Verifier& verifier,
                                  const Group& group) {
  const Json* row_options = group.problem.options.Find(term.verifier);
  const size_t count = group.samples.size();
  std::vector<size_t> places;
  for (size_t i = 0; i < count; ++i) {
    if (Routed(term, group.problem, group.samples[i])) places.push_back(i);
  }
  if (places.size() == count) return verifier.Verify(group, row_options);
  std::vector<Verdict> out(count, Verdict::Abstain("not_routed"));
  if (places.empty()) return out;
  Group part;
  part.problem = group.problem;
  part.flat = group.flat;
  for (size_t i : places) part.samples.push_back(group.samples[i]);
  std::vector<Verdict> verdicts = verifier.Verify(part, row_options);
  ASSAY_CHECK(verdicts.size() == places.size());
  for (size_t i = 0; i < places.size(); ++i) out[places[i]] = std::move(verdicts[i]);
  return out;
}

// Rewards, parts and advantages from the verdicts that `out` holds.
void FoldGroup(const RubricSpec& spec, const std::vector<RubricTerm>& terms, const Group& group,
               GroupScore* out) {
  const size_t count = group.samples.size();
  std::vector<std::vector<TermValue>> values(count);
  for (size_t t = 0; t < terms.size(); ++t) {
    std::vector<Verdict> verdicts;
    if (terms[t].relative != RubricTerm::Relative::kNone) {
      for (const SampleScore& sample : out->samples) verdicts.push_back(sample.verdicts[t]);
      const std::vector<TermValue> column = ValuesOf(terms[t], verdicts, group.samples);
      for (size_t i = 0; i < count; ++i) values[i].push_back(column[i]);
    } else {
      for (size_t i = 0; i < count; ++i)
        values[i].push_back(ValueOf(terms[t], out->samples[i].verdicts[t]));
    }
  }
  std::vector<Reward> rewards;
  for (size_t i = 0; i < count; ++i) {
    Folded folded = FoldValues(spec, terms, values[i]);
    rewards.push_back(folded.reward);
    out->samples[i].reward = folded.reward;
    out->samples[i].parts = std::move(folded.parts);
  }
  const std::vector<Advantage> advantages = GroupAdvantages(rewards);
  for (size_t i = 0; i < count; ++i) out->samples[i].advantage = advantages[i];
}

}  // namespace

struct Rubric::Impl {
  RubricSpec spec;
  VerifierEnv env;
  std::vector<std::unique_ptr<Verifier>> verifiers;  // one for each term
  // One for each term: the first that asks the same of the same rows, whose verdicts it shares.
  std::vector<size_t> asks_as;

  // With no terms: verifiers by task name, made on first use.
  mutable std::mutex mutex;
  std::map<std::string, std::unique_ptr<Verifier>, std::less<>> by_task;
  std::optional<Error> failure;

  const Verifier* ForTask(const std::string& task) {
    if (task.empty() || FindVerifier(task) == nullptr) return nullptr;
    std::lock_guard<std::mutex> lock(mutex);
    const auto found = by_task.find(task);
    if (found != by_task.end()) return found->second.get();
    Result<std::unique_ptr<Verifier>> made = MakeVerifier(task, Json(), env);
    if (!made.ok() && !failure) failure = made.error();
    std::unique_ptr<Verifier> verifier = made.ok() ? std::move(*made) : nullptr;
    return by_task.emplace(task, std::move(verifier)).first->second.get();
  }

  Verdict NoVerifier(const std::string& task) const {
    if (task.empty())
      return Verdict::Abstain("no_task",
                              "the row names no task, and no verifier or rubric was given");
    if (FindVerifier(task) == nullptr) {
      return Verdict::Abstain("no_task", StrCat("no verifier is called '", task, "'"));
    }
    std::lock_guard<std::mutex> lock(mutex);
    return Verdict::Fault("verifier_unavailable", failure ? failure->message : "");
  }
};

Rubric::Rubric() : impl_(std::make_unique<Impl>()) {}
Rubric::~Rubric() = default;
const RubricSpec& Rubric::spec() const { return impl_->spec; }

std::optional<Error> Rubric::failure() const {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  return impl_->failure;
}

Result<std::unique_ptr<Rubric>> Rubric::Make(const RubricSpec& spec, const VerifierEnv& env) {
  std::unique_ptr<Rubric> rubric(new Rubric());
  rubric->impl_->spec = spec;
  rubric->impl_->env = env;
  for (const RubricTerm& term : spec.terms) {
    Result<std::unique_ptr<Verifier>> verifier = MakeVerifier(term.verifier, term.options, env);
    if (!verifier.ok()) return verifier.error();
    rubric->impl_->verifiers.push_back(std::move(*verifier));
  }
  rubric->impl_->asks_as = FirstThatAsk(spec.terms);
  return rubric;
}

Reward Rubric::Fold(const RubricSpec& spec, const std::vector<RubricTerm>& terms,
                    const std::vector<Verdict>& verdicts) {
  ASSAY_CHECK(terms.size() == verdicts.size());
  std::vector<TermValue> values;
  for (size_t i = 0; i < terms.size(); ++i) values.push_back(ValueOf(terms[i], verdicts[i]));
  return FoldValues(spec, terms, values).reward;
}

GroupScore Rubric::Score(const Group& group) const {
  GroupScore out;
  const size_t count = group.samples.size();
  out.samples.resize(count);
  out.show_parts = impl_->spec.parts;
  std::vector<RubricTerm> task_term;
  std::vector<const Verifier*> verifiers;
  for (const auto& verifier : impl_->verifiers) verifiers.push_back(verifier.get());
  if (verifiers.empty()) {
    task_term.emplace_back();
    task_term[0].verifier = task_term[0].label =
        group.problem.task.empty() ? "none" : group.problem.task;
    verifiers.push_back(impl_->ForTask(group.problem.task));
  }
  const std::vector<RubricTerm>& terms = task_term.empty() ? impl_->spec.terms : task_term;
  for (size_t t = 0; t < terms.size(); ++t) {
    out.labels.push_back(terms[t].label);
    const size_t same = task_term.empty() ? impl_->asks_as[t] : t;
    if (same < t) {
      for (SampleScore& sample : out.samples)
        sample.verdicts.push_back(Verdict(sample.verdicts[same]));
      continue;
    }
    std::vector<Verdict> verdicts;
    if (verifiers[t] == nullptr) {
      verdicts.assign(count, impl_->NoVerifier(group.problem.task));
    } else {
      verdicts = VerifyRouted(terms[t], *verifiers[t], group);
      ASSAY_CHECK(verdicts.size() == count);
    }
    for (size_t i = 0; i < count; ++i) out.samples[i].verdicts.push_back(std::move(verdicts[i]));
  }
  FoldGroup(impl_->spec, terms, group, &out);
  return out;
}

}  // namespace assay
