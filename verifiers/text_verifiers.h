// The verifiers that look at nothing but text and the row's answers, a file each: what their tables and makers are called. All are
// thread-safe and linear in the reply's length. docs/rubrics.md has their options, docs/reasons.md what they say.
#pragma once

#include <memory>
#include <vector>

#include "verifiers/text_verifier.h"

namespace assay {

std::vector<OptionInfo> CountdownOptionInfos();
Result<std::unique_ptr<Verifier>> MakeCountdownVerifier(const Json& options,
                                                        const VerifierEnv& env);
std::vector<OptionInfo> ExactOptionInfos();
Result<std::unique_ptr<Verifier>> MakeExactVerifier(const Json& options, const VerifierEnv& env);
std::vector<OptionInfo> InstructionsOptionInfos();
Result<std::unique_ptr<Verifier>> MakeInstructionsVerifier(const Json& options,
                                                           const VerifierEnv& env);
std::vector<OptionInfo> LanguageOptionInfos();
Result<std::unique_ptr<Verifier>> MakeLanguageVerifier(const Json& options, const VerifierEnv& env);
std::vector<OptionInfo> LengthOptionInfos();
Result<std::unique_ptr<Verifier>> MakeLengthVerifier(const Json& options, const VerifierEnv& env);
std::vector<OptionInfo> QaOptionInfos();
Result<std::unique_ptr<Verifier>> MakeQaVerifier(const Json& options, const VerifierEnv& env);
std::vector<OptionInfo> RegexOptionInfos();
Result<std::unique_ptr<Verifier>> MakeRegexVerifier(const Json& options, const VerifierEnv& env);
std::vector<OptionInfo> RepetitionOptionInfos();
Result<std::unique_ptr<Verifier>> MakeRepetitionVerifier(const Json& options,
                                                         const VerifierEnv& env);
std::vector<OptionInfo> ChoiceOptionInfos();
Result<std::unique_ptr<Verifier>> MakeChoiceVerifier(const Json& options, const VerifierEnv& env);
std::vector<OptionInfo> JsonSchemaOptionInfos();
Result<std::unique_ptr<Verifier>> MakeJsonSchemaVerifier(const Json& options,
                                                         const VerifierEnv& env);
std::vector<OptionInfo> NumericOptionInfos();
Result<std::unique_ptr<Verifier>> MakeNumericVerifier(const Json& options, const VerifierEnv& env);
std::vector<OptionInfo> PuzzleOptionInfos();
Result<std::unique_ptr<Verifier>> MakePuzzleVerifier(const Json& options, const VerifierEnv& env);
std::vector<OptionInfo> ReadabilityOptionInfos();
Result<std::unique_ptr<Verifier>> MakeReadabilityVerifier(const Json& options,
                                                          const VerifierEnv& env);
std::vector<OptionInfo> ReflectionOptionInfos();
Result<std::unique_ptr<Verifier>> MakeReflectionVerifier(const Json& options,
                                                         const VerifierEnv& env);

}  // namespace assay
