// Rewards of a user's own as verifiers: a Python function, an endpoint, a shared object. docs/verifiers.md has their options and says
// what runs where. A row cannot set options of theirs: it would choose what is run, or who is asked.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "verifiers/verifier.h"

namespace assay {

std::vector<OptionInfo> HttpOptionInfos();
Result<std::unique_ptr<Verifier>> MakeHttpVerifier(const Json& options, const VerifierEnv& env);
std::vector<OptionInfo> PluginOptionInfos();
Result<std::unique_ptr<Verifier>> MakePluginVerifier(const Json& options, const VerifierEnv& env);
std::vector<OptionInfo> PythonOptionInfos();
Result<std::unique_ptr<Verifier>> MakePythonVerifier(const Json& options, const VerifierEnv& env);

namespace own {

// python_host.py.
extern const char kPythonHost[];

// `name` as it is, if absolute, else from `folder` on.
std::string PathFrom(const std::string& folder, const std::string& name);
// The fault of a row that sets options.
std::vector<Verdict> NoRowOptions(const char* verifier, size_t count);

// What `judge` says of the groups whose rows set none, and that fault for the others.
template <typename Judge>
std::vector<std::vector<Verdict>> JudgeAllowed(const char* verifier,
                                               const std::vector<VerifyRequest>& requests,
                                               const Judge& judge) {
  std::vector<const Group*> asked;
  for (const VerifyRequest& request : requests) {
    if (request.row_options == nullptr) asked.push_back(request.group);
  }
  std::vector<std::vector<Verdict>> judged = judge.Judge(asked);
  std::vector<std::vector<Verdict>> out;
  size_t next = 0;
  for (const VerifyRequest& request : requests) {
    out.push_back(request.row_options == nullptr
                      ? std::move(judged[next++])
                      : NoRowOptions(verifier, request.group->samples.size()));
  }
  return out;
}

}  // namespace own
}  // namespace assay
