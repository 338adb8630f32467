#include "cli/serve/vet.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "core/text.h"
#include "verifiers/row_options.h"

namespace assay {
namespace {

// Not here: `http` and `python`; `sql`, whose option names a folder of this machine.
constexpr std::string_view kHarmless[] = {"choice", "code",         "countdown",   "exact",
                                          "format", "instructions", "json_schema", "language",
                                          "length", "lint",         "math",        "numeric",
                                          "puzzle", "qa",           "readability", "reflection",
                                          "regex",  "repetition",   "timing"};

Error NotForRequests(std::string_view verifier) {
  return {ErrorCode::kUsage, StrCat("requests may not name the verifier '", verifier, "'"),
          "it reaches beyond the sandbox: whoever starts the server may name it with --rubric"};
}

// {"wall_ms": 1e12} -> what the server gives at most. What is no number is left for the verifier to complain about.
void BringDown(const ServeBounds& bounds, Json* limits) {
  if (limits == nullptr || !limits->IsObject()) return;
  const double run_ms = bounds.run_seconds_max * 1000;
  const std::pair<const char*, double> most[] = {
      {"cpu_ms", run_ms},
      {"wall_ms", run_ms},
      {"tester_cpu_ms", run_ms},
      {"compile_cpu_ms", bounds.compile_seconds_max * 1000},
      {"memory_mib", static_cast<double>(bounds.memory_mib_max)},
      {"tester_memory_mib", static_cast<double>(bounds.memory_mib_max)},
      {"disk_mib", static_cast<double>(bounds.memory_mib_max)},
      {"output_bytes", static_cast<double>(bounds.output_bytes)},
      {"processes", 4096},
      {"files", 1 << 20}};
  for (const auto& [name, value] : most) {
    Json* given = limits->Find(name);
    if (given != nullptr && given->IsNumber() && given->NumberOr(0) > value)
      *given = static_cast<int64_t>(value);
  }
}

}  // namespace

bool IsHarmless(std::string_view verifier) {
  return std::find(std::begin(kHarmless), std::end(kHarmless), verifier) != std::end(kHarmless);
}

Status VetRubric(const ServeBounds& bounds, RubricSpec* spec) {
  for (RubricTerm& term : spec->terms) {
    // One that does not exist at all is for MakeVerifier to tell, with the nearest name.
    if (!IsHarmless(term.verifier) && FindVerifier(term.verifier) != nullptr)
      return NotForRequests(term.verifier);
    BringDown(bounds, term.options.Find("limits"));
  }
  return {};
}

Status VetGroup(const ServeBounds& bounds, const RubricSpec& spec, Group* group) {
  Problem& problem = group->problem;
  if (spec.terms.empty() && FindVerifier(problem.task) != nullptr && !IsHarmless(problem.task))
    return NotForRequests(problem.task);
  if (const Json::Object* options = problem.options.AsObject()) {
    for (const Json::Member& member : *options) {
      if (!IsHarmless(member.key) && FindVerifier(member.key) != nullptr)
        return NotForRequests(member.key);
    }
  }
  if (Status status = CheckRowOptions(problem.options); !status.ok()) return status;
  BringDown(bounds, problem.verification_info.Find("limits"));
  if (Json* code = problem.options.Find("code")) BringDown(bounds, code->Find("limits"));
  return {};
}

}  // namespace assay
