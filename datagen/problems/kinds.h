// What the generators give to problems.cc, one function a kind. Each draws until the problem is a proper one; all randomness comes
// from the Rng that it is handed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/rng.h"

namespace assay {

struct DrawnProblem {
  std::string content;  // what makes it this problem, whatever the language: decides its split
  std::string task;     // the verifier
  std::string prompt;
  std::string answer;              // empty: verification_info says what is right
  Json verification_info;          // an object, or null
  Json options;                    // of the verifier, or null
  std::vector<std::string> steps;  // "27+38=65": the way to the answer, if the kind knows it
  std::string program;             // the solution of a program's problem
};

// level from 1 to the kind's highest; language is one of the kind's.
DrawnProblem DrawArithmetic(int64_t level, std::string_view language, Rng* rng);
DrawnProblem DrawCountdown(int64_t level, std::string_view language, Rng* rng);
DrawnProblem DrawWordProblem(int64_t level, std::string_view language, Rng* rng);
DrawnProblem DrawListProgram(int64_t level, std::string_view language, Rng* rng);
DrawnProblem DrawStringProgram(int64_t level, std::string_view language, Rng* rng);
DrawnProblem DrawUnits(int64_t level, std::string_view language, Rng* rng);
DrawnProblem DrawLogic(int64_t level, std::string_view language, Rng* rng);
DrawnProblem DrawTable(int64_t level, std::string_view language, Rng* rng);

// lowest .. highest, both taken.
inline int64_t DrawBetween(int64_t lowest, int64_t highest, Rng* rng) {
  return lowest + static_cast<int64_t>(rng->Below(static_cast<uint64_t>(highest - lowest + 1)));
}
template <typename T>
const T& DrawOne(const std::vector<T>& items, Rng* rng) {
  return items[rng->Below(items.size())];
}
// "{name} has {count} apples.": each {key} replaced by its value.
std::string FillIn(std::string_view text,
                   const std::vector<std::pair<std::string_view, std::string>>& values);

}  // namespace assay
