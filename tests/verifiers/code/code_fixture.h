// Tests of the `code` verifier: one pool of sandboxes for a program, a row in, verdicts out.
#pragma once

#include "core/rows/group_json.h"
#include "tests/sandbox/sandbox_fixture.h"
#include "verifiers/code/code_verifier.h"

namespace assay {

class CodeTest : public SandboxTest {
 protected:
  static VerifierEnv Env() {
    VerifierEnv env;
    env.sandbox = sandbox_.get();
    return env;
  }

  static Json Row(Json verification_info) {
    return Json::MakeObject().Set("verification_info", std::move(verification_info));
  }

  static std::vector<Verdict> Judge(const Json& row, const Json& options = Json()) {
    Result<Group> group = GroupFromJson(row);
    EXPECT_TRUE(group.ok()) << (group.ok() ? "" : group.error().message);
    auto verifier = MakeCodeVerifier(options, Env());
    EXPECT_TRUE(verifier.ok()) << (verifier.ok() ? "" : verifier.error().message);
    if (!group.ok() || !verifier.ok()) return {};
    return (*verifier)->Verify(*group, nullptr);
  }
};

inline std::string Show(const Verdict& verdict) { return VerdictToJson(verdict, false).Dump(); }

}  // namespace assay
