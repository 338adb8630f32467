// Keys that people bring from recipes of TRL and verl, answered with what says the same here. Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace assay {

// "model.dtype = \"bfloat16\"" for "bf16"; "" for a key that is not known from elsewhere.
std::string AnswerToForeignKey(std::string_view key);

}  // namespace assay
