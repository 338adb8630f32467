// BoxJudge: a user's Python function on samples, a box of the sandbox each: for functions that run what the model wrote. A program in the
// same process as its judge can forge the judgement, so every verdict says `forgeable`; one sample cannot reach another's. Limits that the
// box enforces are the reply's doing: fails. Thread-safe.
#pragma once

#include <string>
#include <vector>

#include "sandbox/sandbox.h"
#include "verifiers/own/host_judge.h"

namespace assay::own {

class BoxJudge {
 public:
  // `source`: the user's file; `hello`: what python_host.py is told to load, its "file" being "reward.py".
  BoxJudge(HostJudgeOptions options, Sandbox* sandbox, std::string source, Json hello)
      : options_(std::move(options)),
        sandbox_(sandbox),
        source_(std::move(source)),
        hello_(hello.Dump()) {}

  // kUsage if the function cannot be loaded in a box. What is said later of that is the reply's doing, and no fault.
  Status CheckLoads() const;
  std::vector<std::vector<Verdict>> Judge(const std::vector<const Group*>& groups) const;
  std::vector<std::string> Notes() const { return complaints_.Sentences(options_.who); }

 private:
  RunResult RunOn(const std::vector<SampleRef>& samples) const;
  Verdict JudgeOne(const SampleRef& sample) const;
  Verdict ReadResult(const RunResult& run) const;

  const HostJudgeOptions options_;
  Sandbox* const sandbox_;
  const std::string source_;
  const std::string hello_;
  mutable Complaints complaints_;
};

}  // namespace assay::own
