#include "verifiers/rubric.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <set>
#include <sstream>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

#include "core/advantage.h"
#include "core/text.h"

namespace assay {
namespace {

const char* RuleName(RubricSpec::Rule rule) {
  switch (rule) {
    case RubricSpec::Rule::kSum:
      return "sum";
    case RubricSpec::Rule::kProduct:
      return "product";
    case RubricSpec::Rule::kGate:
      return "gate";
  }
  return "sum";
}

Json FromToml(const toml::node& node) {
  if (const auto* table = node.as_table()) {
    Json out = Json::MakeObject();
    for (const auto& [key, value] : *table) out.Set(key.str(), FromToml(value));
    return out;
  }
  if (const auto* array = node.as_array()) {
    Json out = Json::MakeArray();
    for (const toml::node& item : *array) out.Append(FromToml(item));
    return out;
  }
  if (const auto* text = node.as_string()) return Json(text->get());
  if (const auto* number = node.as_integer()) return Json(static_cast<int64_t>(number->get()));
  if (const auto* number = node.as_floating_point()) return Json(number->get());
  if (const auto* flag = node.as_boolean()) return Json(flag->get());
  std::ostringstream text;
  if (const auto* date = node.as_date()) text << *date;
  if (const auto* time = node.as_time()) text << *time;
  if (const auto* both = node.as_date_time()) text << *both;
  return Json(text.str());
}

Error RubricError(const std::string& file, const toml::source_region& where, std::string message,
                  std::string hint = "") {
  return {ErrorCode::kUsage,
          StrCat(file, ":", static_cast<int64_t>(where.begin.line), ": ", message),
          std::move(hint)};
}

Status CheckKeys(const toml::table& table, const std::vector<std::string>& known,
                 const std::string& file) {
  for (const auto& [key, value] : table) {
    const std::string name(key.str());
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    return RubricError(file, value.source(), StrCat("unknown key '", name, "'"),
                       DidYouMean(name, known));
  }
  return {};
}

Result<RubricTerm> ReadTerm(const toml::table& table, const std::string& file) {
  Status status = CheckKeys(table, {"verifier", "label", "weight", "gate", "options"}, file);
  if (!status.ok()) return status.error();
  RubricTerm term;
  const auto* verifier = table.get_as<std::string>("verifier");
  if (verifier == nullptr) {
    return RubricError(file, table.source(), "a [[term]] has no 'verifier'",
                       "for example verifier = \"math\"");
  }
  term.verifier = verifier->get();
  term.label = table["label"].value_or(term.verifier);
  if (const toml::node* weight = table.get("weight")) {
    const std::optional<double> value = weight->value<double>();
    if (!value || !std::isfinite(*value))
      return RubricError(file, weight->source(), "'weight' is not a number");
    term.weight = *value;
  }
  if (const toml::node* gate = table.get("gate")) {
    if (!gate->is_boolean())
      return RubricError(file, gate->source(), "'gate' is not true or false");
    term.gate = *gate->value<bool>();
  }
  if (const toml::node* options = table.get("options")) {
    if (!options->is_table())
      return RubricError(file, options->source(), "'options' is not a table");
    term.options = FromToml(*options);
  }
  return term;
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
  Json out = Json::MakeObject();
  out.Set("name", name);
  out.Set("rule", RuleName(rule));
  Json list = Json::MakeArray();
  for (const RubricTerm& term : terms) {
    list.Append(Json()
                    .Set("verifier", term.verifier)
                    .Set("label", term.label)
                    .Set("weight", term.weight)
                    .Set("gate", term.gate)
                    .Set("options", term.options));
  }
  out.Set("terms", std::move(list));
  return out;
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
  const toml::parse_result parsed = toml::parse(text, file_name);
  if (!parsed) {
    return RubricError(file_name, parsed.error().source(),
                       std::string(parsed.error().description()));
  }
  const toml::table& root = parsed.table();
  Status status = CheckKeys(root, {"name", "rule", "term"}, file_name);
  if (!status.ok()) return status.error();
  RubricSpec spec;
  spec.name = root["name"].value_or(file_name);
  const std::string rule = root["rule"].value_or("sum");
  const std::vector<std::string> rules = {"sum", "product", "gate"};
  const auto found = std::find(rules.begin(), rules.end(), rule);
  if (found == rules.end()) {
    return RubricError(file_name, root.get("rule")->source(), StrCat("unknown rule '", rule, "'"),
                       DidYouMean(rule, rules));
  }
  spec.rule = static_cast<RubricSpec::Rule>(found - rules.begin());
  const toml::array* terms = root.get_as<toml::array>("term");
  if (terms == nullptr || terms->empty()) {
    return Error{ErrorCode::kUsage, StrCat(file_name, ": the rubric has no [[term]]"),
                 "add [[term]] with verifier = \"math\""};
  }
  for (const toml::node& node : *terms) {
    if (!node.is_table())
      return RubricError(file_name, node.source(), "a term is not a table", "write [[term]]");
    Result<RubricTerm> term = ReadTerm(*node.as_table(), file_name);
    if (!term.ok()) return term.error();
    spec.terms.push_back(std::move(*term));
  }
  status = CheckLabels(spec);
  if (!status.ok()) return status.error();
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
