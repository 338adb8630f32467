// Verifier: looks at the samples of one group and gives one Verdict for each. Every verifier is safe to call from
// many threads at once, keeps no state that a sample could change for the next, never throws, never prints, and
// returns within bounded time and memory whatever the text is. What the candidate's bytes bring about is a kFail,
// never a kFault (core/types.h, Outcome).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/options.h"
#include "core/result.h"
#include "core/types.h"

namespace assay {

class Sandbox;  // sandbox/sandbox.h
class Verifier;

// What verifiers may share: made once per process, outlives every verifier.
struct VerifierEnv {
  Sandbox* sandbox = nullptr;  // set whenever a verifier that needs one is made
  // Starts the sandbox when the first verifier that needs one is made; empty: there is none. Called at most once
  // at a time by MakeVerifier; gives the same Sandbox every time.
  std::function<Result<Sandbox*>()> open_sandbox;
  // Verdicts may be taken over from equal programs that were judged before: in memory, and in this folder where one is
  // named.
  bool cache_verdicts = true;
  std::string cache_folder;
  // Where file names in options start from, unless they are absolute: a rubric file's folder; empty: the current one.
  std::string folder;
  // Set when the run is to end soon: whoever waits for a process or an endpoint stops waiting. May be null.
  const std::atomic<bool>* interrupted = nullptr;
  // Verifiers of the program around this library (callables of the Python package), asked before the built-in table: null for a name
  // that is not its own. May be empty. Safe from any thread.
  std::function<std::unique_ptr<Verifier>(std::string_view name)> host_verifier;
};

// What one group asks of Verifier::VerifyGroups; both outlive the call.
struct VerifyRequest {
  const Group* group;
  const Json* row_options;  // or null
};

class Verifier {
 public:
  virtual ~Verifier() = default;

  // Exactly group.samples.size() verdicts, in order. `row_options`: the row's own options for this verifier, which
  // override those it was made with, or null. A row option that does not exist or does not fit is a fault of
  // the data set: reason "gold_bad_options" for every sample.
  virtual std::vector<Verdict> Verify(const Group& group, const Json* row_options) const = 0;

  // The same for several groups, a list of verdicts each, in order. No group's verdicts depend on which others come with it. For
  // verifiers to whom each call costs something (a process, an endpoint); the others judge one group after the other.
  virtual std::vector<std::vector<Verdict>> VerifyGroups(
      const std::vector<VerifyRequest>& requests) const;
  // How many samples VerifyGroups likes to be given at a time. 0: it makes no difference; 1: it takes milliseconds a sample, so that
  // other groups are better off with other threads.
  virtual int64_t BatchSamples() const { return 0; }
  // What a person should read once when a run ends (the traceback of a reward function that raised); most say nothing.
  virtual std::vector<std::string> Notes() const { return {}; }
};

// A row of the constant table in builtins.cc.
struct VerifierInfo {
  const char* name;
  const char* summary;  // one line for `assay verifiers`
  std::vector<OptionInfo> (*options)();
  bool needs_sandbox;
  // `options` is an object or null; unknown keys are kUsage errors with "did you mean".
  Result<std::unique_ptr<Verifier>> (*make)(const Json& options, const VerifierEnv& env);
};

const std::vector<VerifierInfo>& BuiltinVerifiers();
// Null if there is none of that name.
const VerifierInfo* FindVerifier(std::string_view name);
Result<std::unique_ptr<Verifier>> MakeVerifier(std::string_view name, const Json& options,
                                               const VerifierEnv& env);

// The empty table of a verifier's options: its errors say "unknown option 'mod' of verifier 'math'".
Options VerifierOptions(std::string_view verifier);
// `count` times the fault of a row whose options do not fit.
std::vector<Verdict> BadRowOptions(const Error& error, size_t count);

}  // namespace assay
