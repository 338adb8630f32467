#include <functional>
#include <set>

#include "core/options.h"
#include "core/text.h"
#include "core/toml.h"
#include "verifiers/rubric.h"
#include "verifiers/rubric_json.h"
#include "verifiers/rubric_route.h"

namespace assay {
namespace {

using Relative = RubricTerm::Relative;
using OnFault = RubricTerm::OnFault;

const ChoiceNames<RubricSpec::Rule>& RuleNames() {
  static const ChoiceNames<RubricSpec::Rule> kNames = {{"sum", RubricSpec::Rule::kSum},
                                                       {"product", RubricSpec::Rule::kProduct},
                                                       {"gate", RubricSpec::Rule::kGate},
                                                       {"min", RubricSpec::Rule::kMin}};
  return kNames;
}

// What every rubric has said from the start, and what came later.
void AddFirstKeys(RubricTerm* t, Options* table) {
  table->Add("verifier", &t->verifier, "which verifier judges").Required("verifier = \"math\"");
  table->Add("label", &t->label, "its key in the output; none: the verifier's name");
  table->Add("weight", &t->weight, "what a full score earns").Finite();
  table->Add("gate", &t->gate,
             "if this term does not pass, the reward is gate_reward, whatever the others say");
  table->Add("options", &t->options, "the verifier's own options");
}

void AddLaterKeys(RubricTerm* t, Options* table) {
  table->Add("when", &t->when, "fields of the row that must fit, or the term is left out");
  table->Add("unless", &t->unless, "fields of the row that must not all fit");
  table->Add("relative", &t->relative,
             ChoiceNames<Relative>{{"none", Relative::kNone},
                                   {"rank", Relative::kRank},
                                   {"shortest", Relative::kShortest},
                                   {"fastest", Relative::kFastest}},
             "worth within the group: share of the others that score less; shortest (fastest) "
             "passing reply over its own length (time)");
  table->Add("threshold", &t->threshold, "values from here on are 1, lower ones 0").Range(0, 1);
  table->Add("penalty", &t->penalty, "a full score earns 0, none costs the weight");
  table->Add("min", &t->min, "its part is at least this").Finite();
  table->Add("max", &t->max, "its part is at most this").Finite();
  table->Add("on_fault", &t->on_fault,
             ChoiceNames<OnFault>{
                 {"null", OnFault::kNull}, {"skip", OnFault::kSkip}, {"fail", OnFault::kFail}},
             "what a fault of this term does: null the reward, leave the term out, score 0");
}

Options TermTable(RubricTerm* t) {
  Options table;
  AddFirstKeys(t, &table);
  AddLaterKeys(t, &table);
  return table;
}

void AddLaterKeys(RubricSpec* s, Options* table) {
  table->Add("gate_reward", &s->gate_reward, "the reward if a gate does not pass").Finite();
  table->Add("min", &s->min, "the reward is at least this, if the gates pass").Finite();
  table->Add("max", &s->max, "the reward is at most this, if the gates pass").Finite();
  table->Add("parts", &s->parts, "score's lines say what each term brought (reward_parts)");
}

// `terms` gets the [[term]] tables as they stand.
Options RubricTable(RubricSpec* s, Json* terms) {
  RubricTerm term;
  Options table;
  table.Add("name", &s->name, "what the rubric is called; none: its file's name");
  table.Add(
      "rule", &s->rule, RuleNames(),
      "sum of weight * score; product of score^weight; gate: 0 unless every gate passes, else "
      "the sum of the others; min: the least weight * score of the others");
  AddLaterKeys(s, &table);
  table.Add("term", terms, "a verifier each, at least one")
      .ListOfTables()
      .Keys(TermTable(&term).Infos());
  return table;
}

// The keys of `now` that do not say what `initial` says.
void AppendChanged(const Json& initial, const Json& now, Json* out) {
  for (const Json::Member& member : *now.AsObject()) {
    if (!(member.value == *initial.Find(member.key))) out->Set(member.key, member.value);
  }
}

template <typename T>
Json LaterKeys(T* values) {
  Options table;
  AddLaterKeys(values, &table);
  return table.ToJson();
}

Json TermToJson(RubricTerm term) {
  Options first;
  AddFirstKeys(&term, &first);
  Json out = first.ToJson();
  RubricTerm initial;
  AppendChanged(LaterKeys(&initial), LaterKeys(&term), &out);
  return out;
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

template <typename T>
Status CheckClamp(const T& it) {
  if (!it.min || !it.max || *it.min <= *it.max) return {};
  return Error{ErrorCode::kUsage, "'min' is above 'max'", "a part lies between the two"};
}

// What the keys of one term cannot say together.
Status CheckTerm(const RubricSpec& spec, const RubricTerm& term) {
  if (Status status = CheckRoute("when", term.when); !status.ok()) return status;
  if (Status status = CheckRoute("unless", term.unless); !status.ok()) return status;
  if (Status status = CheckClamp(term); !status.ok()) return status;
  const bool product = spec.rule == RubricSpec::Rule::kProduct;
  if (product && term.penalty) {
    return Error{ErrorCode::kUsage, "'penalty' does not go with the rule 'product'",
                 "the rules sum, gate and min take penalties"};
  }
  if (product && term.weight < 0) {
    return Error{ErrorCode::kUsage, "'weight' is negative under the rule 'product'",
                 "a score of 0 would earn without limit"};
  }
  return {};
}

// `at`: what an error says before its sentence, by the path of what it is about.
Result<RubricSpec> ReadRubric(const Json& keys, const std::string& name,
                              const std::function<std::string(std::string_view)>& at) {
  RubricSpec spec;
  spec.name = name;
  Json terms;
  if (Status status = RubricTable(&spec, &terms).Read(keys, at); !status.ok())
    return status.error();
  if (Status status = CheckClamp(spec); !status.ok())
    return Error{ErrorCode::kUsage, StrCat(name, ": ", status.error().message),
                 status.error().hint};
  if (terms.IsNull() || terms.AsArray()->empty()) {
    return Error{ErrorCode::kUsage, StrCat(name, ": the rubric has no [[term]]"),
                 "add [[term]] with verifier = \"math\""};
  }
  for (size_t i = 0; i < terms.AsArray()->size(); ++i) {
    const Json& written = (*terms.AsArray())[i];
    const std::string item = StrCat("term[", i, "]");
    const auto inside = [&](std::string_view path) {
      return at(path.empty() ? item : StrCat(item, ".", path));
    };
    RubricTerm term;
    if (Status status = TermTable(&term).Read(written, inside); !status.ok()) return status.error();
    if (written.Find("label") == nullptr) term.label = term.verifier;
    // It shows what happens and says nothing of what is right: who wants to pay for it says so.
    if (written.Find("weight") == nullptr && term.verifier == "reflection") term.weight = 0;
    if (Status status = CheckTerm(spec, term); !status.ok()) {
      return Error{status.error().code, StrCat(inside(""), status.error().message),
                   status.error().hint};
    }
    spec.terms.push_back(std::move(term));
  }
  if (Status status = CheckLabels(spec); !status.ok()) return status.error();
  return spec;
}

}  // namespace

Json RubricSpec::ToJson() const {
  Json list = Json::MakeArray();
  for (const RubricTerm& term : terms) list.Append(TermToJson(term));
  Json out =
      Json().Set("name", name).Set("rule", NameOf(rule, RuleNames())).Set("terms", std::move(list));
  RubricSpec initial, now = *this;
  AppendChanged(LaterKeys(&initial), LaterKeys(&now), &out);
  return out;
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

Result<RubricSpec> RubricFromJson(const Json& stored) {
  const auto wrong = [](const std::string& why) {
    return Error{ErrorCode::kInput, StrCat("the stored rubric cannot be read: ", why),
                 "the run was scored by another version of assay"};
  };
  const Json* terms = stored.Find("terms");
  if (terms == nullptr || !terms->IsArray()) return wrong("it has no terms");
  Json keys = stored;
  keys.Erase("terms");
  RubricSpec spec;
  Json none;
  if (Status status = RubricTable(&spec, &none).Read(keys); !status.ok())
    return wrong(status.error().message);
  for (const Json& written : *terms->AsArray()) {
    RubricTerm term;
    if (Status status = TermTable(&term).Read(written); !status.ok())
      return wrong(status.error().message);
    spec.terms.push_back(std::move(term));
  }
  return spec;
}

Result<RubricSpec> RubricFromToml(const std::string& text, const std::string& file_name) {
  const Result<TomlFile> file = ParseToml(text, file_name);
  if (!file.ok()) return Error{ErrorCode::kUsage, file.error().message, ""};
  Result<RubricSpec> spec =
      ReadRubric(file->json, file_name, [&](std::string_view path) { return file->At(path); });
  const size_t slash = file_name.rfind('/');
  if (spec.ok() && slash != std::string::npos) spec->folder = file_name.substr(0, slash + 1);
  return spec;
}

Result<RubricSpec> RubricFromJson(const Json& keys, const std::string& name) {
  return ReadRubric(keys, name, [&](std::string_view path) {
    return path.empty() ? StrCat(name, ": ") : StrCat(name, ": ", path, ": ");
  });
}

}  // namespace assay
