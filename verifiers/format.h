// `format`: does the reply keep its form? By default R1's: exactly one <think>..</think> pair in the whole reply, nothing but white
// space before it, reasoning and the answer after it not empty. Other families' tags are templates (format_template.h), and the answer
// may have to be a box, a code block, JSON, or the whole reply match a pattern. Only the exact tags count: <Think>, <think id="1">, < think > and
// look-alike letters are ordinary text. Thread-safe; linear time (RE2).
#pragma once

#include <memory>

#include "verifiers/verifier.h"

namespace assay {

std::vector<OptionInfo> FormatOptionInfos();

Result<std::unique_ptr<Verifier>> MakeFormatVerifier(const Json& options, const VerifierEnv& env);

}  // namespace assay
