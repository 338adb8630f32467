#include "python/engine.h"

#include <utility>

#include "core/cores.h"

namespace assay::python {

Engine::Engine(EngineConfig config)
    : config_(std::move(config)), jobs_(config_.jobs > 0 ? config_.jobs : UsableCores()) {}

Engine::~Engine() = default;

Result<Sandbox*> Engine::OpenSandbox() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (cancelled_) return Error{ErrorCode::kUnavailable, "interrupted", "call again"};
  if (!sandbox_) {
    SandboxConfig config = config_.sandbox;
    config.slots = jobs_;
    Result<std::unique_ptr<Sandbox>> made = Sandbox::Create(config);
    if (!made.ok()) return made.error();
    sandbox_ = std::move(*made);
  }
  return sandbox_.get();
}

VerifierEnv Engine::MakeEnv() {
  VerifierEnv env;
  env.cache_verdicts = config_.cache;
  env.cache_folder = config_.cache_folder;
  env.interrupted = &cancelled_;
  env.open_sandbox = [this] { return OpenSandbox(); };
  return env;
}

void Engine::Cancel() {
  cancelled_ = true;
  std::lock_guard<std::mutex> lock(mutex_);
  if (sandbox_) sandbox_->Cancel();
}

void Engine::AbandonAfterFork() {
  if (sandbox_) sandbox_->AbandonAfterFork();
}

}  // namespace assay::python
