// The prompts that the trainer's benchmarks sample from: chats of some 60 tokens, the same as in the measurements of TRL that they are
// put beside.
#pragma once

#include <cstdint>

#include "core/text.h"
#include "core/types.h"

namespace assay {

inline Problem BenchProblem(int64_t i) {
  static const char* const kWords[] = {"apple",  "river",  "stone",  "cloud", "seven", "green",
                                       "quick",  "maple",  "tiger",  "ocean", "lemon", "violet",
                                       "candle", "rocket", "planet", "garden"};
  Problem problem;
  problem.id = StrCat(i);
  problem.messages = {{"system", "You are a careful assistant."},
                      {"user", StrCat("Using the numbers ", i + 3, ", ", 2 * i + 5, " and ",
                                      3 * i + 7, ", write an equation that equals ", 6 * i + 15,
                                      ". Also mention the word ", kWords[i % 16], ".")}};
  return problem;
}

}  // namespace assay
