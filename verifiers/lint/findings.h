// What linters find in a program, and what that is worth. Pure; thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"

namespace assay::lint {

// What a finding weighs.
inline constexpr double kMistake =
    1.0;  // a name that nobody defines, a comparison that cannot hold
inline constexpr double kLeftover = 0.3;  // an import or a variable that nobody uses

struct Finding {
  int64_t line = 0;  // of the program that was looked at, from 1
  std::string rule;  // "F401", "-Wunused-variable", "cppcheck:nullPointer"
  double weight = kLeftover;
  std::string message;
};

// What was found in one program.
struct Report {
  std::string tool;    // which linter, with its version
  bool parses = true;  // false: `findings` holds the first syntax error alone
  std::string
      gave_up;  // not empty: the program was more than the linter's limits allow, and this is the sentence
  std::string unavailable;  // not empty: this machine has no such linter; ours
  std::vector<Finding> findings;
};

// Lines that are neither blank nor hold a comment alone.
int64_t CodeLines(std::string_view program, std::string_view language);

// 1 / (1 + w), w the weight of the findings in ten lines. A program counts as 10 lines at least and 40 at most: neither is a short one
// worth nothing for one finding, nor can findings be thinned out by lines that do nothing.
double LintScore(const std::vector<Finding>& findings, int64_t code_lines);

// For evidence: the first 20.
Json FindingsJson(const std::vector<Finding>& findings);

}  // namespace assay::lint
