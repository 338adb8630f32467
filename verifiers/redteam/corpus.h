// The red team's corpus: attacks on the sandbox and the judge, written for this project (datasets/redteam/*.jsonl, built into the
// library), one JSON object a line; docs/redteam.md says what the fields mean. Plain values; thread-safe. It runs nothing.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace assay::redteam {

// The 17 categories, in the order in which they are reported.
const std::vector<std::string>& Categories();

struct Attack {
  std::string id;
  std::string category;
  std::string language;
  std::string program;
  std::string before;           // a program of the same worker that runs first; may be empty
  std::string before_language;  // the same as `language` where a row does not say
  std::string wrong;  // category "honest": the same program with one flaw, which must not pass
  std::vector<std::string> layers;  // what stops it: the twin has all of them switched off
  std::string judge;                // with `tests`: the careless judge that the twin asks
  std::string breach;               // what is seen when it gets through (kBreaches)
  std::string why;
  std::string needs;  // "x86-64", "namespaces", "compiler" (which is attacked); empty: its language
  std::vector<std::string> allow;
  Json
      tests;  // {"function", "cases": [[args, value]..]}, {"text", "setup"?} or {"stdio": [[in, out]..]};
              // null: it is only run
  Json limits;       // an object or null
  Json twin_limits;  // the same for the twin, whose layer is a limit

  bool honest() const { return category == "honest"; }
};

// Errors: kInput, naming the line and what is wrong with it.
Result<std::vector<Attack>> ReadCorpus(std::string_view jsonl);
std::string_view BuiltInCorpus();

}  // namespace assay::redteam
