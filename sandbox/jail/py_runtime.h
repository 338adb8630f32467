// The interpreter in a zygote: initialised once through the C API, isolated, never finalised; and running a whole program as
// `__main__` in a forked child. Single-threaded. What crosses between a candidate and its tester is py_harness.h's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace assay::jail {

struct PythonConfig {
  std::vector<std::string> paths;      // appended to sys.path (a venv's packages)
  std::vector<std::string> preimport;  // further modules; one that fails is an error
  std::string
      library;  // the standard library, HOME/lib/pythonX.Y; empty: where the interpreter was built for
};

// Starts the interpreter: no environment variables, no user site, no .pth files, hash seed 0, UTF-8. Imports what nearly every
// program imports, then freezes the collector, so that a forked child touches few pages.
Result<std::string> StartPython(const PythonConfig& config);  // the version, "3.11.2"
// After everything else was loaded: what exists now is never looked at by the collector again.
void FreezePython();

// fork() of a process in which the interpreter has exactly one thread.
int ForkWithPython();

// In a child, while nobody waits for it: does what every program does first, so that its pages are the child's own by then.
void WarmUpPython();
// In a child: runs `source` as __main__ with sys.argv = ["main.py", args..]. Ends as the python command does: waits
// for threads, runs exit handlers, flushes. Returns the exit code.
int RunPythonProgram(std::string_view source, const std::vector<std::string_view>& args);
// Threads, exit handlers, flushes; `code` or, when standard output cannot be flushed, 120.
int FinishPython(int code);

}  // namespace assay::jail
