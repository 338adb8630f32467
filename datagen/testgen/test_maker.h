// Tests for one problem: proposes, runs, and keeps those that pass on the reference (or, with none, on the set of samples that agree about
// the most: agreement.h) and that some change to a right solution fails. Never looks at tests that the row has. Safe from many threads.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/types.h"
#include "datagen/testgen/proposals.h"
#include "sandbox/sandbox.h"

namespace assay::testgen {

enum class TestKind : uint8_t {
  kAuto,       // by what the row says
  kFunctions,  // assert statements about a Python function
  kPrograms,   // what a whole program, of any language, reads and prints
};

struct TestRules {
  TestKind kind = TestKind::kAuto;
  int64_t inputs = 0;         // calls to make up for each problem, their values taken from programs
  int64_t mutants = 20;       // changes to the solution, one of which each test must notice
  int64_t min_agreement = 2;  // samples that must agree where there is no reference
  int64_t most_tests = 0;     // of a problem, those that notice most; 0: all
  int64_t cpu_ms = 2000;      // of a program, all tests together; of a whole program each test
  bool ignore_reference = false;
  bool cut_humaneval = false;  // samples are a base model's: cut them at HumanEval's stop words
  std::string reference_key;   // field with the solution; "": the usual names
  uint64_t seed = 0;
};

struct MadeTests {
  std::vector<Proposal> kept;
  std::string setup;    // what the tests need before them
  std::string nothing;  // why the row has no tests: "no_proposal", "no_program", "no_agreement", ..
  int64_t proposed = 0;                    // ran, or might have
  std::map<std::string, int64_t> dropped;  // by reason, tests that were not even run included
  bool streams = false;                    // tests of a whole program
  bool by_reference = false;
  int64_t samples = 0, agreeing = 0, sets = 0;  // without a reference
  int64_t stubs = 0;    // samples without a say: they give one value for everything
  int64_t picked = -1;  // a sample of the agreeing set: of the program that most of its samples are
  int64_t mutants = 0;
};

// `replies`: tests as a model gave them. Errors: kInternal, a fault of the sandbox.
Result<MadeTests> MakeTests(const Group& group, const std::vector<std::string>& replies,
                            const TestRules& rules, Sandbox* sandbox);

// The name under test, by what the row says; "" if it does not.
std::string EntryPointOf(const Problem& problem);
// The row's verification_info with these tests in the place of its own.
Json WithTests(const Problem& problem, const MadeTests& made, const TestRules& rules);

}  // namespace assay::testgen
