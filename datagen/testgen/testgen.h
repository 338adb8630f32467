// Tests written by a model, for problems that have none (or too weak ones): rows in, rows with a new `verification_info` out, in the order of
// the input. Proposals come from an endpoint or a command (kept in a file, so that an interrupted run asks nobody twice), from such a file
// alone, from the prompts' examples, and from inputs that are made up. Which are kept: test_maker.h. One call at a time a file; it works on
// several threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "datagen/generate/generator.h"
#include "datagen/testgen/test_maker.h"
#include "sandbox/sandbox.h"

namespace assay {

struct TestgenOptions {
  std::vector<std::string> files;
  std::string input_format;
  std::string output;     // "-" or "": standard output
  std::string proposals;  // file of replies with tests; "": none
  GeneratorOptions
      generator;  // asked where it has an endpoint or a command and the file has nothing for a problem
  testgen::TestRules rules;
  bool keep_rows = false;  // rows for which no test was found are written too, without tests
  int jobs = 1;
  int64_t workers = 1;  // requests at once
  std::string tool_version;
  bool progress = false;
  const std::atomic<bool>* interrupted = nullptr;
};

struct TestgenSummary {
  int64_t rows = 0, bad_rows = 0;
  std::string first_error;
  int64_t failed_requests = 0;
  int64_t by_reference = 0, by_agreement = 0;  // rows that got tests
  int64_t proposed = 0, kept = 0;              // tests
  std::map<std::string, int64_t> dropped;      // tests, by reason
  std::map<std::string, int64_t> without;      // rows without tests, by reason
  int64_t prompt_tokens = 0, completion_tokens = 0;
  bool interrupted = false;

  Json ToJson() const;
  std::string ToText() const;
};

// Errors: kIo, kInput (the file of proposals), kUnavailable (a command that cannot be started), kInternal (faults of the sandbox).
Result<TestgenSummary> WriteTests(const TestgenOptions& options, Sandbox* sandbox);

// What a model is asked for each problem. `programs`: for tests of a whole program.
std::string TestRequest(const Problem& problem, bool programs);

}  // namespace assay
