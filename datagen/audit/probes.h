// Replies that solve nothing, for asking what a reward pays for them; and frames, in which an answer can be given. Pure; thread-safe.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/types.h"

namespace assay::audit {

struct Frame {
  const char* name;
  const char* before;
  const char* after;
  std::string Around(std::string_view content) const;
};
// For answers in words or formulas, and for Python programs. The first is the plainest.
const std::vector<Frame>& AnswerFrames();
const std::vector<Frame>& ProgramFrames();

struct Probe {
  enum class Kind {
    kNothing,  // must never be right: no answer, all answers, no attempt
    kGuess,    // may be right by luck: what it earns is what guessing earns
    kHang,     // a program on whose word badly written tests wait for ever
  };
  std::string name;
  Kind kind = Kind::kNothing;
  std::string content;  // goes into the frame in which the row's own answer earns most
  bool raw = false;     // it is the whole reply
};

// What is known of all rows together.
struct Guesses {
  std::string frequent;  // the gold that most rows have
  std::string other;     // another row's gold
};

// `gold`: the row's answer.
std::vector<Probe> AnswerProbes(const Problem& problem, const std::string& gold,
                                const Guesses& guesses);
// Python programs for a row with tests: constants, the prompt's examples by heart, early ends, values that equal anything.
std::vector<Probe> ProgramProbes(const Problem& problem);

// Numbers of a text as they stand there ("1,200", "0.5"), each once, in order.
std::vector<std::string> NumbersIn(std::string_view text);

}  // namespace assay::audit
