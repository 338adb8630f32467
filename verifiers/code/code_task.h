// What a row asks of a program: its verification_info and options, read once per group into what the sandbox wants. Pure;
// immutable once made; thread-safe. It runs nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/options.h"
#include "core/result.h"
#include "core/types.h"
#include "sandbox/limits.h"
#include "sandbox/sandbox.h"
#include "verifiers/code/extract_program.h"
#include "verifiers/code/stdio_compare.h"

namespace assay {

enum class CodeJudge { kAuto, kSplit, kInprocess };

// The verifier's options, those of the row laid over those it was made with.
struct CodeOptions {
  bool partial = false;                // the fraction of tests passed is the score
  bool cut_humaneval = false;          // cut base-model text at stop words
  CodeJudge judge = CodeJudge::kAuto;  // what the next two say
  bool inprocess = false;              // tests and candidate in one process: forgeable
  bool beside =
      true;  // so too where the row's tests are about the program's own objects, which two
             // processes cannot carry; a pass is marked
  bool accept_forgeable = false;  // without it, `inprocess` is refused; a row cannot say it
  std::optional<double> float_tol;
  bool unordered = false;
  bool check_reference = true;  // a row's reference must pass its own tests
  bool measure = false;         // count the bytecodes of programs that pass
  OutputMatch match = OutputMatch::kLines;
  Json limits;  // an object or null
};
Options CodeOptionTable(CodeOptions* o);
// `base` with what `json` sets. Errors: kUsage, for names and values that do not exist.
Result<CodeOptions> ReadCodeOptions(const Json& json, const CodeOptions& base);

struct StdioCase {
  std::string input;
  std::string output;
};

struct CodeTask {
  std::string language = "python";
  Limits limits;
  std::vector<std::string> allow;
  CodeOptions options;
  // Either cases for standard streams, or a tester.
  std::vector<StdioCase> stdio;
  bool by_files = false;  // these are input.txt and output.txt of the working folder instead
  std::string checker;    // source of a special judge for `stdio`; may be empty
  std::string checker_language = "python";
  int64_t checker_cpu_ms = 0;  // for the output of one test; for all together limits.tester_cpu_ms
  std::string
      interactor;  // source of a program that talks with the candidate, for `stdio`; may be empty
  std::string interactor_language = "python";
  std::string reference;  // a reply that passes, by what the row says; may be empty
  // For a tester: the JSON text of py_tester.py, and its key.
  std::string tester_spec;
  std::string tester_key;
  std::string entry_point;
  CodePrompt prompt;
  std::string open_prompt;  // the row's prompt, for text that goes on in a body which it opened
  std::string prelude;      // stands before every program
  std::vector<std::string> records;  // classes that cross as records
  std::vector<std::string> called;   // names that the tests call
  bool asks_calls = false;           // cases of calls, as LeetCode's judge has them
  std::string setup;  // trusted text; what of it the program mentions is the program's too

  bool exact_usage = false;  // sandbox/sandbox.h, Job

  bool by_stdio() const { return !stdio.empty(); }
};

// Errors: kInput; the message says what is wrong with the row ("gold_bad_tests").
Result<CodeTask> ReadCodeTask(const Problem& problem, const CodeOptions& options);

// From now on a verdict that is no pass says of each text of the row's `asserts` why it failed, "" where it held: the list `texts` of its
// evidence, which is missing where the program ended before the tests did. For tasks made with `partial`.
void ListTexts(CodeTask* task);

// The program to run for one reply; `text` empty if there is none. `first_line`: lines before the completion's first.
struct CodeProgram {
  std::string text;
  int64_t first_line = 0;
};
CodeProgram BuildProgram(const CodeTask& task, std::string_view reply);

// Names that stand both in the program and in the row's setup.
std::vector<std::string> MentionedSetup(const CodeTask& task, std::string_view program);

// A verdict and what is known beside it.
struct Judged {
  Verdict verdict;
  bool repeatable = true;  // false: a wall clock, a lost worker or a fault of ours had a part in it
  int64_t bytecodes = -1;  // of a measured run; -1: not counted
  // Of each of its runs, one a case of standard streams; to be compared only where the task asked for `exact_usage`.
  std::vector<double> cpu_ms = {};
  int64_t peak_memory_kib = 0;  // the highest of its runs
};
// Whether a run's end says something of the program alone.
bool IsRepeatable(Cause cause);
// Limits, signals, the policy: what the program's own doing ended.
bool EndedByItsOwnFault(Cause cause);

// Everything of the task that a verdict depends on beside the program, as text for keys of caches.
std::string TaskFingerprint(const CodeTask& task);

// What Python wrote last to stderr: "ValueError: bad", and the last line of main.py that its traceback names (0: none).
struct LastWords {
  std::string type;
  std::string sentence;
  int64_t line = 0;
  bool traceback = false;
};
LastWords ReadTraceback(std::string_view text);
bool IsSyntaxErrorName(std::string_view type);

// A failure by the cause that ended a program, in words.
Verdict FailByCause(Cause cause, const Limits& limits);
// `bytes` for people: UTF-8, a few hundred bytes at most.
std::string Shown(std::string_view bytes);

}  // namespace assay
