// Sandbox: runs programs that nobody trusts and says what they did. A pool of slots; each slot is a pair of `assay-jail`
// workers started by exec (one from which candidates are forked, one from which testers are), so nothing untrusted is ever
// forked from this process. Run() is one program in one box; Judge() is one candidate in a box talking to one tester in
// another process, another user and another pid namespace (DESIGN.md, "The judge: five rules").
//
// Thread-safe: Run and Judge may be called from any number of threads; each call takes one slot and waits for one when
// all are taken. What the program did is data (RunResult), never an Error. Not an executor of trusted helpers, and not a
// judge of values: comparing is verifiers/code's. docs/sandbox.md has the threat model.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "sandbox/limits.h"

namespace assay {

// Why a job ended; the first cause wins. Names are stable (CauseName): they are the `reason` values of verdicts.
enum class Cause : uint8_t {
  kOk,            // "ok": exit code 0
  kNonzeroExit,   // "nonzero_exit"
  kSignal,        // "signal": killed by a signal that no limit sent
  kCpuLimit,      // "cpu_limit"
  kWallLimit,     // "wall_limit"
  kMemoryLimit,   // "memory_limit"
  kProcessLimit,  // "process_limit"
  kOutputLimit,   // "output_limit"
  kDiskLimit,     // "disk_limit"
  kPolicy,        // "policy": killed by the system call filter
  kCompileError,  // "compile_error": stderr holds the compiler's words
  kWorkerLost,  // "worker_lost": two workers died on it, and a control job in the same slot succeeded
  kFault,       // "fault": ours; `fault` says what. Never what the program's bytes can bring about
};
const char* CauseName(Cause cause);

// What stands between a job and the machine, best first.
enum class Tier : uint8_t {
  kNone,        // rlimits only; never chosen unless asked for by name ("none")
  kLandlock,    // Landlock + seccomp + rlimits ("landlock")
  kNamespaces,  // all namespaces + seccomp + rlimits (+ cgroup where granted) ("namespaces")
};
const char* TierName(Tier tier);

struct SourceFile {
  std::string path;  // relative to the box's working folder; no "..", no leading '/'
  std::string bytes;
};

struct Job {
  std::string language = "python";  // a name in Sandbox::Languages()
  std::string source;               // the main file's text
  std::vector<SourceFile> files;    // further files beside it
  // Not empty: this command of the machine runs beside the files instead (a compiler that only looks, a linter); what it starts with
  // is argv[0], found in the box's own folders. Nothing is compiled before.
  std::vector<std::string> command;
  std::vector<std::string> args;
  std::string stdin_bytes;
  Limits limits;
  // Named relaxations: "subprocess" (Python may start programs).
  std::vector<std::string> allow;
  bool measure_bytecodes = false;  // Python: count them, at ten times the CPU time or more
  // Files of the working folder to hand back however the program ended: regular ones, together at most `limits.disk_mib`; what is
  // missing or climbs out is left out.
  std::vector<std::string> collect;
  // For figures that are compared: every run begins in a box made for it, and its CPU time is that of all its processes to their end
  // (else it may begin in a box that was made in a pause).
  bool exact_usage = false;
};

struct RunResult {
  Cause cause = Cause::kFault;
  int exit_code = -1;  // valid for kOk and kNonzeroExit
  int signal = 0;      // valid for kSignal and kPolicy
  std::string stdout_bytes;
  std::string stderr_bytes;
  bool stdout_truncated = false;
  bool stderr_truncated = false;
  double cpu_ms = 0;
  double wall_ms = 0;
  int64_t peak_memory_kib = 0;
  int64_t process_peak = 0;    // the most processes and threads seen at once; sampled
  int64_t bytecodes = -1;      // executed, where the job asked and they could be counted; else -1
  double run_delay_share = 0;  // share of the wall time that the scheduler kept it waiting, 0..1
  Tier tier = Tier::kNone;
  std::string fault;                  // kFault: a sentence
  std::vector<SourceFile> collected;  // of those that the job named
  // What became of the compile step: null where the language has none. If it is not ok, the program did not run, and this result
  // says the same.
  std::shared_ptr<const RunResult> compile;

  bool ok() const { return cause == Cause::kOk; }
  // The record of docs/schemas/run_result.schema.json; bytes as UTF-8 with U+FFFD.
  Json ToJson() const;
};

// A program and the interactor that talks with it, each in a box and a worker of its own.
struct InteractResult {
  RunResult program;  // stdout_bytes is empty: it went to the interactor
  RunResult interactor;
};

// One completion judged by one tester. The three strings are opaque here: verifiers/code writes them, the harness in
// the jail (sandbox/jail/py_harness.h) reads them.
struct JudgeJob {
  // Equal keys: the same trusted text (tests, prompt part, setup, packages), so one tester process may serve both.
  std::string tester_key;
  std::string tester_spec;     // trusted; sent to the tester's side only, when the key changes
  std::string tester_request;  // trusted; per completion
  std::string candidate_spec;  // untrusted program and what the box may know
  Limits limits;
  std::vector<std::string> allow;
  bool measure_bytecodes = false;
  bool exact_usage = false;  // as in Job
};

struct JudgeResult {
  // The box. kOk also when we ended it because the tester was done (`ended_by_us`): then its output and its figures are what was
  // seen until it was killed.
  RunResult candidate;
  bool ended_by_us = false;
  // The tester: kOk if it finished by itself; kCpuLimit, kMemoryLimit, kWallLimit, kSignal, ... else.
  Cause tester_cause = Cause::kFault;
  double tester_cpu_ms = 0;
  // What the tester wrote to its result channel, whole (at most kMaxJudgeResultBytes). Trusted; empty unless kOk.
  std::string result;
};
inline constexpr int64_t kMaxJudgeResultBytes = 4 << 20;

struct SandboxConfig {
  int slots = 1;
  std::string jail_path;  // empty: $ASSAY_JAIL, else `assay-jail` beside this executable
  std::string
      isolation;  // "" = the best tier there is, at least landlock; "namespaces", "landlock", "none"
  std::string
      python;  // an interpreter or venv whose packages are offered read-only; "" = the built-in one's
  std::vector<std::string> preimport;  // further modules imported before the fork ("numpy")
  // The standard library ("../lib/python3.12") of the Python that the jail embeds, where that is not the one it was built beside;
  // readable in every box. Of another minor version it does not start. Empty: $ASSAY_PYTHON_LIBRARY, else the one it was built beside.
  std::string python_library;
  std::string languages_toml;  // text of a TOML file that declares further languages; may be empty
  std::string languages_file;  // such a file, read instead where it is named
  // What compile steps made is kept in memory, and here (sandbox/content_cache.h) where a folder is named. A folder that
  // cannot be used is left out; Describe() says so.
  bool compile_cache = true;
  std::string compile_folder;
};

struct LanguageInfo {
  std::string name;
  std::string version;  // first line of its `--version`; empty if it is not installed
  bool available = false;
  std::string missing;  // what to install
};

// For `assay doctor`: what is in force and how to get more.
struct SandboxReport {
  Tier tier = Tier::kNone;
  std::string python_version;
  std::vector<std::pair<std::string, std::string>>
      layers;                       // ("user namespace", "on"), ("cgroup", "off: ..")
  std::vector<std::string> advice;  // sentences
};

class Sandbox {
 public:
  // Starts the first worker, so that what the machine lacks is known at once. Errors: kUnavailable with a hint.
  static Result<std::unique_ptr<Sandbox>> Create(const SandboxConfig& config);
  ~Sandbox();
  Sandbox(const Sandbox&) = delete;
  Sandbox& operator=(const Sandbox&) = delete;

  RunResult Run(const Job& job);
  JudgeResult Judge(const JudgeJob& job);
  // Each one's standard output is the other's standard input. `interactor` is trusted text (the row's). Neither waits for ever:
  // both have wall clocks.
  InteractResult Interact(const Job& program, const Job& interactor);

  // While it lives, all that this thread runs goes through one slot, which nobody else has: what is measured side by side is measured
  // in the same workers. One at a time in a thread; Interact is for others.
  class SameWorkers {
   public:
    explicit SameWorkers(Sandbox* sandbox);
    ~SameWorkers();
    SameWorkers(const SameWorkers&) = delete;
    SameWorkers& operator=(const SameWorkers&) = delete;

   private:
    Sandbox* sandbox_;
  };

  // For whoever must end soon: what runs is killed and comes back as a fault, as does all that is asked for afterwards. From any
  // thread; for good.
  void Cancel();
  // For a child that was forked from the process whose sandbox this is: lets go of the workers, which stay the parent's, and takes no
  // lock, for whoever held one is not here. After it nothing may be called, not even the destructor: the object is left as it is.
  void AbandonAfterFork();

  // kUsage with "did you mean" for a language that there is not.
  Status CheckLanguage(std::string_view name) const;
  // The language that a name or an alias ("cpp") stands for; empty if there is none.
  std::string CanonicalLanguage(std::string_view name) const;
  Tier tier() const;
  int slots() const;
  // Everything of this machine that the verdict on a program of `language` can depend on, as text for keys of caches: the jail,
  // the tier, the interpreter, its packages, the language's declaration and its compiler.
  std::string Identity(std::string_view language);
  SandboxReport Describe();
  std::vector<LanguageInfo> Languages();
  // The system call policy and the mounts as text, for `assay run --show-policy`.
  Result<std::string> ShowPolicy();

 private:
  friend Result<std::unique_ptr<Sandbox>> CreateWeakened(const SandboxConfig&, uint32_t);
  static Result<std::unique_ptr<Sandbox>> Make(const SandboxConfig& config, uint32_t without);
  Sandbox();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
