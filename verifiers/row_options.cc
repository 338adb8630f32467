#include "verifiers/row_options.h"

#include <string>
#include <vector>

#include "core/text.h"
#include "verifiers/verifier.h"

namespace assay {

Status CheckRowOptions(const Json& options) {
  if (!options.IsObject()) return {};
  for (const Json::Member& member : *options.AsObject()) {
    if (!member.value.IsObject() || FindVerifier(member.key) != nullptr) continue;
    std::vector<std::string> names;
    for (const VerifierInfo& info : BuiltinVerifiers()) names.emplace_back(info.name);
    return Error{ErrorCode::kInput,
                 StrCat("'options' are for an unknown verifier '", member.key, "'"),
                 DidYouMean(member.key, names)};
  }
  return {};
}

}  // namespace assay
