// Audit: what a policy could earn from a file of problems and a rubric without solving anything, and what is wrong with the rows, before a
// GPU is spent on them. For each row: does its own answer pass, in every frame; what do replies earn that solve nothing; how many
// mutants of the reference do its tests let live; do limits and tests hold; doubles, contradictions, prompts that hold their answer.
// One call reads all rows into memory. Safe from one thread; it scores on `jobs` threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "sandbox/sandbox.h"
#include "verifiers/rubric.h"

namespace assay {

struct AuditOptions {
  std::vector<std::string> files;
  int64_t rows_max = 0;         // 0: all
  int64_t mutants = 10;         // of each reference
  double weak_share = 0.5;      // from this share of living mutants on tests are weak
  int64_t probe_cpu_ms = 1000;  // of a program that solves nothing; references have the row's own
  int64_t hang_cpu_ms = 300;    // of tests that wait for what never ends
  std::string reference_key;    // field of the row with its solution; "" = the usual names
  int jobs = 1;
  uint64_t seed = 0;
  const std::atomic<bool>* interrupted = nullptr;
};

struct AuditFinding {
  std::string kind;  // one of AuditKinds()
  std::string detail;
};

// A kind of finding, and what it says in a sentence.
struct AuditKind {
  const char* name;
  const char* sentence;
};
const std::vector<AuditKind>& AuditKinds();

struct AuditRow {
  std::string id;
  int64_t line = 0;  // of its file, from 1
  std::string file;
  std::vector<AuditFinding> findings;
};

struct ProbeSum {
  int64_t rows = 0;        // that were asked
  int64_t passed = 0;      // its main verdict was a pass
  double reward = 0;       // sum over rows with a reward
  double gold_reward = 0;  // what the rows' own answers earn, over the same
};

struct AuditReport {
  int64_t rows = 0, text_rows = 0, code_rows = 0;
  int64_t with_reference = 0;
  int64_t bad_lines = 0;
  std::map<std::string, int64_t> kinds;  // rows with such a finding
  std::map<std::string, ProbeSum> probes;
  std::map<std::string, ProbeSum> frames;  // of the rows' own answers
  int64_t mutants = 0, mutants_alive = 0;
  int64_t verdicts = 0, undecided = 0;
  std::vector<AuditRow> findings;  // rows that have any, in the input's order
  bool interrupted = false;

  Json ToJson() const;
  std::string ToText() const;
  // One HTML page that needs nothing from elsewhere.
  std::string ToPage(const std::string& title) const;
};

// `sandbox`: for rows with tests; null: their references are not measured. Errors: kInput, kIo (an unreadable file).
Result<AuditReport> Audit(const AuditOptions& options, const Rubric& rubric, Sandbox* sandbox);

}  // namespace assay
