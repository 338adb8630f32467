// VerdictCache: what a program earned from the same tests before, on the same machine. Its key is the whole program beside a
// fingerprint of everything else that a verdict depends on (tests, limits, options, jail, tier, interpreter, packages,
// compiler, seed, version of this tool), so a program cannot reach another's verdict. It never holds faults, what a wall clock
// or a lost worker had a part in, or times. Thread-safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/result.h"
#include "core/types.h"
#include "sandbox/content_cache.h"
#include "verifiers/code/code_task.h"

namespace assay {

class VerdictCache {
 public:
  // `folder`: on disk too, in its "verdicts"; "" = in memory. Errors: kUnavailable, as ContentCache::Open.
  static Result<std::unique_ptr<VerdictCache>> Open(const std::string& folder);

  // For all programs of a task. `identity`: Sandbox::Identity of its language.
  std::string TaskKey(const CodeTask& task, std::string_view identity) const;

  // `ms` of what is found is 0.
  std::optional<Verdict> Find(std::string_view task_key, const CodeProgram& program);
  void Keep(std::string_view task_key, const CodeProgram& program, const Judged& judged);

 private:
  explicit VerdictCache(std::unique_ptr<sandbox::ContentCache> cache) : cache_(std::move(cache)) {}

  std::unique_ptr<sandbox::ContentCache> cache_;
  std::string tool_;  // which build of this program; "" in memory
};

}  // namespace assay
