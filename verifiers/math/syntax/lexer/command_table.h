// The commands of LaTeX that the lexer knows, by name and without their backslash. Constant; any thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "verifiers/math/syntax/lexer.h"

namespace assay::math {

struct Command {
  Tok kind;
  uint8_t aux = 0;
  const char* text = "";
};

using CommandTable = std::unordered_map<std::string_view, Command>;

inline constexpr uint8_t kThinSpace = 1;
inline constexpr uint8_t kWideSpace = 2;

const CommandTable& Commands();

// Commands whose argument is words: 1; upright or styled mathematics: 2; double-struck: 3; any other name: 0.
int TextCommand(std::string_view name);

}  // namespace assay::math
