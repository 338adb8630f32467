// Measures programs for one row side by side: the same tests, in turn, in the same workers, as often as it takes. Every run is judged,
// so what is measured is a run that gave the right answers, and begins in a box made for it: nothing is remembered from one to the
// next. Thread-safe; the sandbox must outlive it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "sandbox/sandbox.h"
#include "verifiers/code/code_task.h"

namespace assay::timing {

enum class Measure { kCpu, kMemory, kBytecode };

// What a cost is worth beside another: level 0 up to `full_at` times the other, one more for each factor `step` beyond, at most
// `levels` - 1. A level, and so a score, moves only where noise carries a ratio over an edge.
struct Levels {
  int64_t levels = 5;
  double full_at = 1.25;
  double step = 1.6;

  int64_t LevelOf(double ratio) const;
  // 1 for level 0, 0 for the last.
  double ScoreOf(int64_t level) const;
  // How far the ratio is from the nearest edge: 0.1 is a tenth of it.
  double DistanceToEdge(double ratio) const;
  double LastEdge() const;
};

struct Rules {
  Measure measure = Measure::kCpu;
  Levels levels;
  double min_ms = 50;  // so long the anchor runs at least, all its rounds together
  int64_t rounds_max = 25;
};

struct Standing {
  Verdict verdict;  // of the first round that did not pass, or a pass
  double cost =
      0;  // what it used beyond an empty program: ms, KiB or bytecodes; of its best rounds
  double ratio = 1;  // its cost over the anchor's
  int64_t rounds = 0;
  bool counted = true;  // false: its bytecodes could not be counted
};

struct Contest {
  std::vector<Standing> standings;  // one for each program
  double anchor_cost = 0;
};

// `anchor`: the program that the others are compared with; none: the one that costs least of those that pass.
Contest Compare(const CodeTask& task, const std::vector<CodeProgram>& programs,
                std::optional<size_t> anchor, const Rules& rules, Sandbox* sandbox);

}  // namespace assay::timing
