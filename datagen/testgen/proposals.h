// Tests that somebody proposes for a problem: taken out of replies, out of the prompt's examples, and made up as calls whose values programs
// give. All text is looked at in boxes. Thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/result.h"
#include "core/types.h"
#include "sandbox/sandbox.h"

namespace assay::testgen {

struct Proposal {
  // Python: an assert statement and what stands before it; of a whole program's test JSON (stream_tests.h).
  std::string source;
  std::string origin;  // "prompt", "reply 0", "input"
};

struct Proposals {
  std::vector<Proposal> tests;
  std::map<std::string, int64_t> dropped;  // why others were not even run
  std::vector<std::string> calls;          // "f(1, [2])", or what stands on standard input: to try
};

// Runs one of box_scripts.h on what is asked and reads what it proposes; `source` makes a Proposal's of a test. `replies`: how many were
// handed over. Errors: kInternal where the box has a fault.
Result<Proposals> RunProposer(const char* script, const Json& asked, int64_t replies,
                              const std::function<std::string(const Json& test)>& source,
                              Sandbox* sandbox);

// `replies`: as a model gave them, fences and all. `inputs`: how many calls to make up. Errors: kInternal where the box has a fault.
Result<Proposals> Propose(const Problem& problem, const std::string& entry_point,
                          const std::vector<std::string>& replies, int64_t inputs,
                          Sandbox* sandbox);

// What a program claims each call gives, as Python text; nothing where it gave no plain value or did not get so far.
std::vector<std::optional<std::string>> Observe(const std::string& program,
                                                const std::vector<std::string>& calls,
                                                Sandbox* sandbox);

// A file of replies by problem id: lines {"id", "completions"} (or any form that `assay score` reads), or {"id", "tests": [..]}. What is added
// is written behind them at once, so that nobody asks twice.
class ProposalFile {
 public:
  // A file that is not there is empty. `add`: Add will be called; what a writer that was killed left of its last line goes. Errors: kInput for
  // lines that say no id.
  static Result<std::unique_ptr<ProposalFile>> Open(const std::string& path, bool add);
  // Null: it has none for that problem. Stable until the object ends.
  const std::vector<std::string>* Find(const std::string& id) const;
  Status Add(const std::string& id, const std::vector<std::string>& replies,
             const std::string& model);

 private:
  std::string path_;
  std::map<std::string, std::vector<std::string>>
      replies_;  // as the file had them when it was opened
  std::mutex mutex_;
};

}  // namespace assay::testgen
