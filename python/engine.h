// Engine: what one process shares for scoring: the settings, one sandbox that is started when it is first needed, and which rubrics there
// are. No Python in here; whoever calls holds no GIL. Thread-safe. After a fork the child makes an engine of its own and abandons this
// one.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/result.h"
#include "sandbox/sandbox.h"
#include "verifiers/rubric.h"
#include "verifiers/verifier.h"

namespace assay::python {

struct EngineConfig {
  int jobs = 0;  // rows scored at once, and slots of the sandbox; 0: as many as there are cores
  SandboxConfig sandbox;     // `slots` is set from jobs
  bool cache = true;         // equal programs are judged once
  std::string cache_folder;  // verdicts and compiled programs are kept there; empty: in memory
};

class Engine {
 public:
  explicit Engine(EngineConfig config);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  int jobs() const { return jobs_; }
  // Started at the first call. Errors: kUnavailable, kUsage (settings).
  Result<Sandbox*> OpenSandbox();
  VerifierEnv MakeEnv();
  // Ends what runs in the sandbox, for good: the next call needs a new engine. From any thread.
  void Cancel();
  bool cancelled() const { return cancelled_; }
  // In a forked child, before anything else: sandbox.h. The object must then be leaked.
  void AbandonAfterFork();

 private:
  const EngineConfig config_;
  const int jobs_;
  std::mutex mutex_;
  std::unique_ptr<Sandbox> sandbox_;
  std::atomic<bool> cancelled_{false};
};

}  // namespace assay::python
