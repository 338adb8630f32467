// Counts the bytecodes that a box's Python executes, all of them: the program's, the library's, every thread's. The same program
// does the same number in every run on the same interpreter, whatever else the machine does. What is written in C counts as the
// one instruction that calls it: the CPU limit bounds that.
//
// The count lives in a page that the zygote shares with the box and reads when the box has ended, so nothing that a program
// prints, sends or returns is taken for it. Python code cannot reach the counter, and what would run uncounted (its own
// tracing, profiling or audit functions, other processes, code objects without an entry, native code of its own, /proc) voids
// the count instead of lowering it. Memory errors of the interpreter are not covered. One thread, in a freshly forked box.
#pragma once

#include <cstdint>

namespace assay::jail {

struct BytecodeCount {
  int64_t executed = 0;
  uint8_t voided = 0;
  uint8_t started = 0;
};

// A page for one job; null if there is no memory. FinishCount gives it back and returns the count, or -1.
BytecodeCount* NewBytecodeCount();
int64_t FinishCount(BytecodeCount* count);

// In the box, before any of the program runs. `count` stays mapped as long as the process lives.
void StartCounting(BytecodeCount* count);

}  // namespace assay::jail
