#include "cli/questions.h"

#include <utility>
#include <vector>

#include "core/text.h"

namespace assay {

RubricSpec CheckRubric(const std::string& verifier, Json options) {
  if (verifier == "math" && options.Find("mode") == nullptr) options.Set("mode", "bare");
  RubricSpec spec;
  spec.name = "check";
  RubricTerm& term = spec.terms.emplace_back();
  term.verifier = term.label = verifier;
  term.options = std::move(options);
  return spec;
}

Result<Group> CheckGroup(const std::string& verifier, const Json& gold, const std::string& answer) {
  Group group;
  if (verifier == "code") {
    const std::string* text = gold.AsString();
    const Result<Json> info = text != nullptr ? ParseJson(*text) : Result<Json>(gold);
    if (!info.ok() || !info->IsObject()) {
      return Error{ErrorCode::kUsage, "for 'code', GOLD is the verification_info as JSON",
                   "for example '{\"asserts\": \"assert f(1) == 2\"}'"};
    }
    group.problem.verification_info = *info;
  }
  const Json golds = gold.IsArray() ? gold : Json::MakeArray().Append(gold);
  for (const Json& one : *golds.AsArray()) {
    if (!one.IsNull()) group.problem.answers.push_back(one.ScalarText());
  }
  group.samples.resize(1);
  group.samples[0].text = answer;
  return group;
}

Status ApplyOptions(const Json& by_verifier, RubricSpec* spec) {
  if (!by_verifier.IsObject()) return {};
  for (const Json::Member& member : *by_verifier.AsObject()) {
    std::vector<std::string> names;
    bool found = false;
    for (RubricTerm& term : spec->terms) {
      names.push_back(term.verifier);
      if (term.verifier != member.key) continue;
      found = true;
      if (!member.value.IsObject())
        return Error{ErrorCode::kUsage, StrCat("--options: '", member.key, "' is not an object"),
                     ""};
      if (term.options.IsNull()) term.options = Json::MakeObject();
      for (const Json::Member& option : *member.value.AsObject())
        term.options.Set(option.key, option.value);
    }
    if (!found) {
      return Error{ErrorCode::kUsage,
                   StrCat("--options names '", member.key, "', which is not scored with"),
                   names.empty() ? "say --verifier first" : DidYouMean(member.key, names)};
    }
  }
  return {};
}

}  // namespace assay
