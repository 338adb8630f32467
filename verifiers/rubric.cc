#include "verifiers/rubric.h"

#include <algorithm>
#include <deque>
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

// A term's share of the groups: those of their samples that are routed to it, copied where that is not all of them.
class RoutedGroups {
 public:
  RoutedGroups(const RubricTerm& term, const std::vector<const Group*>& groups) : groups_(groups) {
    for (const Group* group : groups) {
      std::vector<size_t>& places = places_.emplace_back();
      for (size_t i = 0; i < group->samples.size(); ++i) {
        if (Routed(term, group->problem, group->samples[i])) places.push_back(i);
      }
      if (places.empty()) continue;
      const Group* asked = group;
      if (places.size() < group->samples.size()) asked = &parts_.emplace_back(Part(*group, places));
      requests.push_back({asked, group->problem.options.Find(term.verifier)});
    }
  }

  // Whose verdicts, in order; the samples that were not asked about abstain.
  std::vector<std::vector<Verdict>> Spread(std::vector<std::vector<Verdict>> verdicts) const {
    ASSAY_CHECK(verdicts.size() == requests.size());
    std::vector<std::vector<Verdict>> out;
    size_t next = 0;
    for (size_t g = 0; g < groups_.size(); ++g) {
      const size_t count = groups_[g]->samples.size();
      if (places_[g].size() == count && count > 0) {
        out.push_back(std::move(verdicts[next++]));
        ASSAY_CHECK(out.back().size() == count);
        continue;
      }
      std::vector<Verdict>& all = out.emplace_back(count, Verdict::Abstain("not_routed"));
      if (places_[g].empty()) continue;
      std::vector<Verdict>& some = verdicts[next++];
      ASSAY_CHECK(some.size() == places_[g].size());
      for (size_t i = 0; i < some.size(); ++i) all[places_[g][i]] = std::move(some[i]);
    }
    return out;
  }

  std::vector<VerifyRequest> requests;

 private:
  static Group Part(const Group& group, const std::vector<size_t>& places) {
    Group part;
    part.problem = group.problem;
    part.flat = group.flat;
    for (size_t i : places) part.samples.push_back(group.samples[i]);
    return part;
  }

  const std::vector<const Group*>& groups_;
  std::vector<std::vector<size_t>> places_;
  std::deque<Group> parts_;
};

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

  void ScoreByTask(const Group& group, GroupScore* out) {
    const std::string& task = group.problem.task;
    std::vector<RubricTerm> terms(1);
    terms[0].verifier = terms[0].label = task.empty() ? "none" : task;
    out->labels.push_back(terms[0].label);
    const size_t count = group.samples.size();
    const Verifier* verifier = ForTask(task);
    std::vector<Verdict> verdicts(count);
    if (verifier == nullptr) {
      verdicts.assign(count, NoVerifier(task));
    } else {
      verdicts = verifier->Verify(group, group.problem.options.Find(task));
      ASSAY_CHECK(verdicts.size() == count);
    }
    for (size_t i = 0; i < count; ++i) out->samples[i].verdicts.push_back(std::move(verdicts[i]));
    FoldGroup(spec, terms, group, out);
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
  if (rubric->impl_->env.folder.empty()) rubric->impl_->env.folder = spec.folder;
  for (const RubricTerm& term : spec.terms) {
    Result<std::unique_ptr<Verifier>> verifier =
        MakeVerifier(term.verifier, term.options, rubric->impl_->env);
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

GroupScore Rubric::Score(const Group& group) const { return std::move(ScoreGroups({&group})[0]); }

std::vector<GroupScore> Rubric::ScoreGroups(const std::vector<const Group*>& groups) const {
  std::vector<GroupScore> out(groups.size());
  for (size_t g = 0; g < groups.size(); ++g) {
    out[g].samples.resize(groups[g]->samples.size());
    out[g].show_parts = impl_->spec.parts;
  }
  if (impl_->spec.terms.empty()) {
    for (size_t g = 0; g < groups.size(); ++g) impl_->ScoreByTask(*groups[g], &out[g]);
    return out;
  }
  const std::vector<RubricTerm>& terms = impl_->spec.terms;
  for (size_t t = 0; t < terms.size(); ++t) {
    const size_t same = impl_->asks_as[t];
    std::vector<std::vector<Verdict>> verdicts;
    if (same == t) {
      const RoutedGroups routed(terms[t], groups);
      verdicts = routed.Spread(impl_->verifiers[t]->VerifyGroups(routed.requests));
    }
    for (size_t g = 0; g < groups.size(); ++g) {
      out[g].labels.push_back(terms[t].label);
      for (size_t i = 0; i < out[g].samples.size(); ++i) {
        std::vector<Verdict>& list = out[g].samples[i].verdicts;
        list.push_back(same == t ? std::move(verdicts[g][i]) : Verdict(list[same]));
      }
    }
  }
  for (size_t g = 0; g < groups.size(); ++g) FoldGroup(impl_->spec, terms, *groups[g], &out[g]);
  return out;
}

int64_t Rubric::BatchSamples() const {
  if (impl_->spec.terms.empty()) return 1;
  int64_t most = 0;
  for (size_t t = 0; t < impl_->verifiers.size(); ++t) {
    const VerifierInfo* info = FindVerifier(impl_->spec.terms[t].verifier);
    const int64_t wish = impl_->verifiers[t]->BatchSamples();
    if (wish == 1 || (info != nullptr && info->needs_sandbox)) return 1;
    most = std::max(most, wish);
  }
  return most;
}

std::vector<std::string> Rubric::Notes() const {
  std::vector<std::string> out;
  for (size_t t = 0; t < impl_->verifiers.size(); ++t) {
    if (impl_->asks_as[t] != t) continue;
    for (const std::string& note : impl_->verifiers[t]->Notes())
      out.push_back(StrCat(impl_->spec.terms[t].label, ": ", note));
  }
  return out;
}

}  // namespace assay
