// The red team: runs the corpus against this machine's sandbox and judge and says what was stopped. For each attack there is a
// twin: the same program with the layers that the attack names switched off, which must get through, or the attack shows nothing.
// An attack's programs are our own and touch nothing but what Stage made for them. Not thread-safe: a Team belongs to one thread
// (several may run side by side, each with workers of its own). It prints nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "sandbox/sandbox.h"
#include "verifiers/redteam/corpus.h"
#include "verifiers/verifier.h"

namespace assay::redteam {

enum class Fate : uint8_t {
  kStopped,  // the attack got nothing; of an honest pair: the program passes, its wrong sibling does not
  kBreached,  // it got through; a twin that got nothing is kStopped, which is the bad end for a twin
  kUnavailable,  // this machine lacks what it needs
};
const char* FateName(Fate fate);

struct Finding {
  Fate fate = Fate::kUnavailable;
  std::string how;  // what was seen, or what is missing
  double ms = 0;
};

// What an attack needs and this machine does not have; empty if it can run.
std::string MissingFor(const Attack& attack, const std::vector<LanguageInfo>& languages, Tier tier);

class Team {
 public:
  // `config.slots` is taken as 1: an attack's first and second program must meet the same worker.
  static Result<std::unique_ptr<Team>> Create(const SandboxConfig& config);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  Sandbox* sandbox() { return sandbox_.get(); }
  Finding RunAttack(const Attack& attack);
  // kBreached is what a twin is for. Starts a sandbox without the attack's layers, and keeps it while the next twin wants the same.
  Finding RunTwin(const Attack& attack);

 private:
  Team() = default;
  Result<Sandbox*> Weakened(const Attack& attack);
  Finding RunHonest(const Attack& attack);
  Finding AskJudge(const Attack& attack, const Verifier& verifier, const std::string& program);
  Finding Execute(const Attack& attack, const Json& limits, bool twin, Sandbox* sandbox);

  SandboxConfig config_;
  std::unique_ptr<Sandbox> sandbox_;
  std::unique_ptr<Verifier> judge_;
  std::unique_ptr<Sandbox> weak_;
  std::string weak_key_;
};

}  // namespace assay::redteam
