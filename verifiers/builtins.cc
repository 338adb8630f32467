#include <algorithm>

#include "core/text.h"
#include "verifiers/code/code_verifier.h"
#include "verifiers/format.h"
#include "verifiers/lint/lint_verifier.h"
#include "verifiers/math/math_verifier.h"
#include "verifiers/own/own_verifiers.h"
#include "verifiers/sql/sql_verifier.h"
#include "verifiers/text_verifiers.h"
#include "verifiers/timing/timing_verifier.h"
#include "verifiers/verifier.h"

namespace assay {

// One row a verifier. A constant table, because a static library drops registrars that nothing refers to.
const std::vector<VerifierInfo>& BuiltinVerifiers() {
  static const std::vector<VerifierInfo> kTable = {
      {"choice", "the answer names the right choice, by letter or by text", ChoiceOptionInfos,
       false, MakeChoiceVerifier},
      {"code", "runs the program against the row's tests in the sandbox", CodeOptionInfos, true,
       MakeCodeVerifier},
      {"countdown", "arithmetic over the row's numbers that makes the row's target",
       CountdownOptionInfos, false, MakeCountdownVerifier},
      {"exact", "the answer is one of the row's answers, to the letter", ExactOptionInfos, false,
       MakeExactVerifier},
      {"format", "one <think>..</think> pair first, then a non-empty answer; or another template",
       FormatOptionInfos, false, MakeFormatVerifier},
      {"http", "a judge at an endpoint: a chat model, a reward model or plain JSON",
       HttpOptionInfos, false, MakeHttpVerifier},
      {"instructions",
       "whether a reply follows the constraints that its row names (IFEval's kinds)",
       InstructionsOptionInfos, false, MakeInstructionsVerifier},
      {"json_schema", "the answer is JSON that a schema describes", JsonSchemaOptionInfos, false,
       MakeJsonSchemaVerifier},
      {"language", "the share of words in the prompt's language, without code and formulas",
       LanguageOptionInfos, false, MakeLanguageVerifier},
      {"length", "a score by length: soft punishment of what is too long, cosine, a target",
       LengthOptionInfos, false, MakeLengthVerifier},
      {"lint", "what linters find in the program, whether or not it is right", LintOptionInfos,
       true, MakeLintVerifier},
      {"math", "finds the final answer in a reply and compares it with the gold, exactly",
       MathOptionInfos, false, MakeMathVerifier},
      {"numeric", "one number with its unit, within tolerances", NumericOptionInfos, false,
       MakeNumericVerifier},
      {"puzzle", "the answer keeps the rules of the row's puzzle (sudoku, queens, ordering, ..)",
       PuzzleOptionInfos, false, MakePuzzleVerifier},
      {"plugin", "a reward of your own in a shared object with a small C interface",
       PluginOptionInfos, false, MakePluginVerifier},
      {"python", "a reward function of your own in a Python file, as TRL, verl and others take it",
       PythonOptionInfos, false, MakePythonVerifier},
      {"qa", "a short answer in words: normalised match, or F1 over words", QaOptionInfos, false,
       MakeQaVerifier},
      {"readability",
       "markdown and LaTeX in balance, no walls of text, a summary behind the reasoning",
       ReadabilityOptionInfos, false, MakeReadabilityVerifier},
      {"reflection", "how often a reply checks itself, and whether that helped",
       ReflectionOptionInfos, false, MakeReflectionVerifier},
      {"regex", "the whole answer matches a regular expression", RegexOptionInfos, false,
       MakeRegexVerifier},
      {"repetition", "the share of a reply's word n-grams that are new", RepetitionOptionInfos,
       false, MakeRepetitionVerifier},
      {"sql", "what a query gives on the row's databases is what the row's own gives",
       SqlOptionInfos, true, MakeSqlVerifier},
      {"timing", "what a program that passes costs beside the row's reference or its group's best",
       TimingOptionInfos, true, MakeTimingVerifier},
  };
  return kTable;
}

const VerifierInfo* FindVerifier(std::string_view name) {
  for (const VerifierInfo& info : BuiltinVerifiers()) {
    if (name == info.name) return &info;
  }
  return nullptr;
}

Result<std::unique_ptr<Verifier>> MakeVerifier(std::string_view name, const Json& options,
                                               const VerifierEnv& env) {
  if (env.host_verifier) {
    if (std::unique_ptr<Verifier> made = env.host_verifier(name)) return made;
  }
  const VerifierInfo* info = FindVerifier(name);
  if (info == nullptr) {
    std::vector<std::string> names;
    for (const VerifierInfo& other : BuiltinVerifiers()) names.push_back(other.name);
    return Error{ErrorCode::kUsage, StrCat("unknown verifier '", name, "'"),
                 DidYouMean(name, names)};
  }
  if (!info->needs_sandbox || env.sandbox != nullptr) return info->make(options, env);
  if (!env.open_sandbox) {
    return Error{ErrorCode::kUnavailable,
                 StrCat("verifier '", name, "' needs the sandbox, which is not available here"),
                 "run `assay doctor`: it says what is missing"};
  }
  Result<Sandbox*> sandbox = env.open_sandbox();
  if (!sandbox.ok()) return sandbox.error();
  VerifierEnv with_sandbox = env;
  with_sandbox.sandbox = *sandbox;
  return info->make(options, with_sandbox);
}

std::vector<std::vector<Verdict>> Verifier::VerifyGroups(
    const std::vector<VerifyRequest>& requests) const {
  std::vector<std::vector<Verdict>> out;
  out.reserve(requests.size());
  for (const VerifyRequest& request : requests)
    out.push_back(Verify(*request.group, request.row_options));
  return out;
}

Options VerifierOptions(std::string_view verifier) {
  return Options("option", StrCat(" of verifier '", verifier, "'"));
}

std::vector<Verdict> BadRowOptions(const Error& error, size_t count) {
  const std::string sentence =
      error.hint.empty() ? error.message : StrCat(error.message, " (", error.hint, ")");
  return std::vector<Verdict>(count, Verdict::Fault("gold_bad_options", sentence));
}

}  // namespace assay
