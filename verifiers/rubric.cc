#include "verifiers/rubric.h"

#include <cmath>
#include <map>
#include <mutex>
#include <set>

#include "core/advantage.h"
#include "core/options.h"
#include "core/text.h"
#include "core/toml.h"

namespace assay {
namespace {

const ChoiceNames<RubricSpec::Rule>& RuleNames() {
  static const ChoiceNames<RubricSpec::Rule> kNames = {{"sum", RubricSpec::Rule::kSum},
                                                       {"product", RubricSpec::Rule::kProduct},
                                                       {"gate", RubricSpec::Rule::kGate}};
  return kNames;
}

Options TermTable(RubricTerm* t) {
  Options table;
  table.Add("verifier", &t->verifier, "which verifier judges").Required("verifier = \"math\"");
  table.Add("label", &t->label, "its key in the output; none: the verifier's name");
  table.Add("weight", &t->weight, "what a full score earns").Finite();
  table.Add("gate", &t->gate,
            "if this term does not pass, the reward is what the gates alone earn: 0");
  table.Add("options", &t->options, "the verifier's own options");
  return table;
}

// `terms` gets the [[term]] tables as they stand.
Options RubricTable(RubricSpec* s, Json* terms) {
  RubricTerm term;
  Options table;
  table.Add("name", &s->name, "what the rubric is called; none: its file's name");
  table.Add(
      "rule", &s->rule, RuleNames(),
      "sum of weight * score; product of score^weight; gate: 0 unless every gate passes, else "
      "the sum of the others");
  table.Add("term", terms, "a verifier each, at least one")
      .ListOfTables()
      .Keys(TermTable(&term).Infos());
  return table;
}

Status CheckLabels(const RubricSpec& spec) {
  std::set<std::string> seen;
  for (const RubricTerm& term : spec.terms) {
    if (!seen.insert(term.label).second) {
      return Error{ErrorCode::kUsage,
                   StrCat("two terms of the rubric are called '", term.label, "'"),
                   "give each a 'label' of its own"};
    }
  }
  return {};
}

}  // namespace

Json RubricSpec::ToJson() const {
  Json list = Json::MakeArray();
  for (RubricTerm term : terms) list.Append(TermTable(&term).ToJson());
  return Json()
      .Set("name", name)
      .Set("rule", NameOf(rule, RuleNames()))
      .Set("terms", std::move(list));
}

std::vector<OptionInfo> RubricOptionInfos() {
  RubricSpec spec;
  Json terms;
  return RubricTable(&spec, &terms).Infos();
}

Result<RubricSpec> RubricFromNames(const std::string& comma_separated) {
  RubricSpec spec;
  spec.name = comma_separated;
  for (std::string_view name : SplitChar(comma_separated, ',')) {
    name = Trim(name);
    if (name.empty()) {
      return Error{ErrorCode::kUsage,
                   StrCat("empty name in the list of verifiers '", comma_separated, "'"),
                   "for example --verifier math,format"};
    }
    RubricTerm term;
    term.verifier = term.label = name;
    spec.terms.push_back(std::move(term));
  }
  Status status = CheckLabels(spec);
  if (!status.ok()) return status.error();
  return spec;
}

Result<RubricSpec> RubricFromToml(const std::string& text, const std::string& file_name) {
  const Result<TomlFile> file = ParseToml(text, file_name);
  if (!file.ok()) return Error{ErrorCode::kUsage, file.error().message, ""};
  RubricSpec spec;
  spec.name = file_name;
  Json terms;
  const auto at = [&](std::string_view path) { return file->At(path); };
  if (Status status = RubricTable(&spec, &terms).Read(file->json, at); !status.ok())
    return status.error();
  if (terms.IsNull() || terms.AsArray()->empty()) {
    return Error{ErrorCode::kUsage, StrCat(file_name, ": the rubric has no [[term]]"),
                 "add [[term]] with verifier = \"math\""};
  }
  for (size_t i = 0; i < terms.AsArray()->size(); ++i) {
    const Json& written = (*terms.AsArray())[i];
    const std::string item = StrCat("term[", i, "]");
    const auto inside = [&](std::string_view path) {
      return file->At(path.empty() ? item : StrCat(item, ".", path));
    };
    RubricTerm term;
    if (Status status = TermTable(&term).Read(written, inside); !status.ok()) return status.error();
    if (written.Find("label") == nullptr) term.label = term.verifier;
    spec.terms.push_back(std::move(term));
  }
  if (Status status = CheckLabels(spec); !status.ok()) return status.error();
  return spec;
}

struct Rubric::Impl {
  RubricSpec spec;
  VerifierEnv env;
  std::vector<std::unique_ptr<Verifier>> verifiers;  // one for each term

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
  return rubric;
}

Reward Rubric::Fold(const RubricSpec& spec, const std::vector<RubricTerm>& terms,
                    const std::vector<Verdict>& verdicts) {
  ASSAY_CHECK(terms.size() == verdicts.size());
  bool applied = false, gates_pass = true;
  double sum = 0, product = 1;
  for (size_t i = 0; i < terms.size(); ++i) {
    const Verdict& verdict = verdicts[i];
    if (verdict.outcome == Outcome::kFault) return std::nullopt;
    if (verdict.outcome == Outcome::kAbstain) continue;
    applied = true;
    if (terms[i].gate) {
      gates_pass = gates_pass && verdict.outcome == Outcome::kPass;
      if (spec.rule == RubricSpec::Rule::kGate) continue;  // a pure gate earns nothing of its own
    }
    sum += terms[i].weight * verdict.score;
    product *= std::pow(verdict.score, terms[i].weight);
  }
  if (!applied) return std::nullopt;
  if (!gates_pass) return 0.0;
  return spec.rule == RubricSpec::Rule::kProduct ? product : sum;
}

GroupScore Rubric::Score(const Group& group) const {
  GroupScore out;
  const size_t count = group.samples.size();
  out.samples.resize(count);
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
    std::vector<Verdict> verdicts;
    if (verifiers[t] == nullptr) {
      verdicts.assign(count, impl_->NoVerifier(group.problem.task));
    } else {
      verdicts = verifiers[t]->Verify(group, group.problem.options.Find(terms[t].verifier));
      ASSAY_CHECK(verdicts.size() == count);
    }
    for (size_t i = 0; i < count; ++i) out.samples[i].verdicts.push_back(std::move(verdicts[i]));
  }
  std::vector<Reward> rewards(count);
  for (size_t i = 0; i < count; ++i) {
    rewards[i] = out.samples[i].reward = Fold(impl_->spec, terms, out.samples[i].verdicts);
  }
  const std::vector<Advantage> advantages = GroupAdvantages(rewards);
  for (size_t i = 0; i < count; ++i) out.samples[i].advantage = advantages[i];
  return out;
}

}  // namespace assay
