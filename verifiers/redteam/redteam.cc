#include "verifiers/redteam/redteam.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <set>

#include "core/text.h"
#include "sandbox/weakened.h"
#include "verifiers/code/code_verifier.h"
#include "verifiers/redteam/careless.h"
#include "verifiers/redteam/layers.h"
#include "verifiers/redteam/stage.h"

namespace assay::redteam {

const char* FateName(Fate fate) {
  switch (fate) {
    case Fate::kStopped:
      return "stopped";
    case Fate::kBreached:
      return "breached";
    case Fate::kUnavailable:
      return "unavailable";
  }
  return "";
}

namespace {

// Small, so that attacks on limits are over soon; a row may say its own.
constexpr int64_t kCpuMs = 2000, kWallMs = 4000, kMemoryMib = 256;
// What must get through, a twin or an honest program, shall not fail for a busy machine.
constexpr int64_t kPatientWallMs = 30'000;

Limits ReadLimits(const Json& json) {
  Limits limits;
  limits.cpu_ms = json.IntOr("cpu_ms", kCpuMs);
  limits.wall_ms = json.IntOr("wall_ms", kWallMs);
  limits.memory_mib = json.IntOr("memory_mib", kMemoryMib);
  limits.processes = json.IntOr("processes", 64);
  limits.output_bytes = json.IntOr("output_bytes", 1 << 20);
  limits.files = json.IntOr("files", 256);
  limits.disk_mib = json.IntOr("disk_mib", 16);
  limits.stack_mib = json.IntOr("stack_mib", limits.stack_mib);
  limits.open_files = json.IntOr("open_files", limits.open_files);
  return limits;
}

Limits Patient(Limits limits) {
  limits.wall_ms = std::max(limits.wall_ms, kPatientWallMs);
  return limits;
}

Json LimitsJson(const Limits& limits) {
  return Json::MakeObject()
      .Set("cpu_ms", limits.cpu_ms)
      .Set("wall_ms", limits.wall_ms)
      .Set("memory_mib", limits.memory_mib)
      .Set("processes", limits.processes)
      .Set("output_bytes", limits.output_bytes)
      .Set("files", limits.files)
      .Set("disk_mib", limits.disk_mib);
}

// The same task asked in every way that rows have: values, asserts, a check function; or standard streams.
std::vector<Json> WaysToAsk(const Attack& attack, const Limits& limits) {
  std::vector<Json> ways;
  auto add = [&](Json way) {
    way.Set("language", attack.language).Set("limits", LimitsJson(limits));
    if (!attack.allow.empty()) {
      Json allow = Json::MakeArray();
      for (const std::string& name : attack.allow) allow.Append(name);
      way.Set("allow", std::move(allow));
    }
    ways.push_back(std::move(way));
  };
  if (const Json* stdio = attack.tests.Find("stdio")) {
    Json cases = Json::MakeArray();
    for (const Json& test : *stdio->AsArray()) {
      cases.Append(Json::MakeObject()
                       .Set("type", "stdin_stdout")
                       .Set("input", (*test.AsArray())[0])
                       .Set("output", (*test.AsArray())[1]));
    }
    add(Json::MakeObject().Set("test_cases", std::move(cases)));
    return ways;
  }
  if (const Json* text = attack.tests.Find("text")) {
    add(Json::MakeObject().Set("test", *text).Set("setup", attack.tests.StringOr("setup", "")));
    return ways;
  }
  const std::string name(attack.tests.StringOr("function", ""));
  Json cases = Json::MakeArray();
  for (const Json& test : *attack.tests.Find("cases")->AsArray()) {
    cases.Append(Json::MakeObject()
                     .Set("type", "function_call")
                     .Set("fn_name", name)
                     .Set("input", (*test.AsArray())[0])
                     .Set("output", (*test.AsArray())[1]));
  }
  add(Json::MakeObject().Set("test_cases", std::move(cases)));
  add(Json::MakeObject().Set("asserts", Asserts(attack.tests)));
  add(Json::MakeObject().Set("test", CheckFunction(attack.tests)).Set("entry_point", name));
  return ways;
}

Group Ask(const Json& way, const std::string& program) {
  Group group;
  group.problem.verification_info = way;
  group.samples.push_back({program});
  return group;
}

bool HasLayer(const Attack& attack, HowOff how) {
  return std::any_of(attack.layers.begin(), attack.layers.end(),
                     [&](const std::string& name) { return FindLayer(name)->how == how; });
}

std::string Joined(const std::set<std::string>& names) {
  std::string text;
  for (const std::string& name : names) StrAppend(&text, text.empty() ? "" : ", ", name);
  return text;
}

// What a run gave away: loot in its output, its own word for a success, or more than a program's bytes may bring about. With a limit,
// its word counts only if its end was no limit's: whether it still spoke before it was ended is a matter of milliseconds.
void Inspect(const RunResult& run, bool limited, std::set<std::string>* seen) {
  if (run.stdout_bytes.find(Loot()) != std::string::npos ||
      run.stderr_bytes.find(Loot()) != std::string::npos)
    seen->insert("loot");
  for (std::string_view line : SplitChar(run.stdout_bytes, '\n')) {
    if (Trim(line) == "BREACHED" && (!limited || run.ok())) seen->insert("says");
  }
  if (run.cause == Cause::kWorkerLost || run.cause == Cause::kFault) seen->insert("worker_lost");
}

class Timer {
 public:
  double Ms() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_)
        .count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

Finding Unavailable(std::string why) { return {Fate::kUnavailable, std::move(why), 0}; }

}  // namespace

std::string MissingFor(const Attack& attack, const std::vector<LanguageInfo>& languages,
                       Tier tier) {
  auto found = std::find_if(languages.begin(), languages.end(), [&](const LanguageInfo& language) {
    return language.name == attack.language;
  });
  if (found == languages.end()) return StrCat("no language '", attack.language, "'");
  if (!found->available) return StrCat(attack.language, " is not installed (", found->missing, ")");
#ifndef __x86_64__
  if (attack.needs == "x86-64") return "not an x86-64 machine";
#endif
  if (attack.needs == "namespaces" && tier != Tier::kNamespaces)
    return StrCat("no namespaces on this machine (isolation '", TierName(tier), "')");
  return "";
}

Result<std::unique_ptr<Team>> Team::Create(const SandboxConfig& config) {
  // Before any worker starts: a worker that kept our environment would hand it on.
  setenv("ASSAY_REDTEAM_LOOT", Loot().c_str(), 1);
  std::unique_ptr<Team> team(new Team);
  team->config_ = config;
  team->config_.slots = 1;
  Result<std::unique_ptr<Sandbox>> sandbox = Sandbox::Create(team->config_);
  if (!sandbox.ok()) return sandbox.error();
  team->sandbox_ = std::move(sandbox).value();
  VerifierEnv env;
  env.sandbox = team->sandbox_.get();
  Result<std::unique_ptr<Verifier>> judge = MakeCodeVerifier(Json(), env);
  if (!judge.ok()) return judge.error();
  team->judge_ = std::move(judge).value();
  return team;
}

Team::~Team() = default;

// Every way of asking must end in a fail; tests of the program's own objects in a fail or a mark.
Finding Team::AskJudge(const Attack& attack, const Verifier& verifier, const std::string& program) {
  Finding finding{Fate::kStopped, "", 0};
  for (const Json& way : WaysToAsk(attack, ReadLimits(attack.limits))) {
    Verdict verdict = verifier.Verify(Ask(way, program), nullptr)[0];
    if (verdict.reason == "compile_error") return Unavailable("its program does not compile here");
    finding.how = verdict.reason;
    // Where the tests are about the program's own objects it may have the last word, and the verdict says that it had.
    const bool marked = attack.category == "objects" && verdict.evidence.BoolOr("forgeable", false);
    if (verdict.outcome == Outcome::kPass && marked) {
      finding.how = "passes, marked as decided by the program";
      continue;
    }
    if (verdict.outcome == Outcome::kPass || verdict.outcome == Outcome::kFault) {
      finding.fate = Fate::kBreached;
      finding.how =
          verdict.outcome == Outcome::kPass
              ? "passes"
              : StrCat("a fault instead of a fail: ", verdict.reason, " ", verdict.detail);
      return finding;
    }
  }
  return finding;
}

Finding Team::RunHonest(const Attack& attack) {
  for (const Json& way : WaysToAsk(attack, Patient(ReadLimits(attack.limits)))) {
    Verdict verdict = judge_->Verify(Ask(way, attack.program), nullptr)[0];
    if (verdict.outcome != Outcome::kPass) {
      return {Fate::kBreached,
              StrCat("an honest program fails: ", verdict.reason, " ", verdict.detail), 0};
    }
  }
  return AskJudge(attack, *judge_, attack.wrong);
}

// A program that is run, not judged: its stage, its first program, itself, and then a look around.
Finding Team::Execute(const Attack& attack, const Json& limits, bool twin, Sandbox* sandbox) {
  Stage stage;
  std::set<std::string> seen;
  std::string causes;
  for (const std::string* source : {&attack.before, &attack.program}) {
    if (source->empty()) continue;
    Result<std::string> filled = stage.Fill(*source);
    if (!filled.ok()) return Unavailable(filled.error().message);
    Job job;
    job.language = source == &attack.before ? attack.before_language : attack.language;
    job.source = std::move(filled).value();
    job.limits = ReadLimits(limits);
    if (twin) job.limits = Patient(job.limits);
    job.allow = attack.allow;
    if (twin && HasLayer(attack, HowOff::kAllow)) job.allow.push_back("subprocess");
    RunResult run = sandbox->Run(job);
    // Where the compiler is what is attacked, its refusal is the stop.
    if (run.cause == Cause::kCompileError && attack.needs != "compiler")
      return Unavailable(
          StrCat("its program does not compile here: ", Shorten(Trim(run.stderr_bytes), 200)));
    Inspect(run, HasLayer(attack, HowOff::kLimit), &seen);
    causes = CauseName(run.cause);
    if (run.cause == Cause::kNonzeroExit && run.stdout_bytes.empty())
      StrAppend(&causes, ": ", Shorten(Trim(run.stderr_bytes), 300));
    if (run.cause == Cause::kFault) StrAppend(&causes, ": ", run.fault);
  }
  const bool awaited = twin && seen.count(attack.breach) == 0;
  for (const std::string& thing : stage.Look(awaited ? attack.breach : std::string()))
    seen.insert(thing);
  Finding finding{seen.empty() ? Fate::kStopped : Fate::kBreached,
                  seen.empty() ? causes : Joined(seen), 0};
  // A twin must show what the row says, not just anything.
  if (twin && seen.count(attack.breach) == 0) {
    finding.fate = Fate::kStopped;
    finding.how = StrCat("not '", attack.breach, "' but ", finding.how, " (", causes, ")");
  }
  return finding;
}

Finding Team::RunAttack(const Attack& attack) {
  Timer timer;
  Finding finding = attack.honest()         ? RunHonest(attack)
                    : attack.tests.IsNull() ? Execute(attack, attack.limits, false, sandbox())
                                            : AskJudge(attack, *judge_, attack.program);
  finding.ms = timer.Ms();
  return finding;
}

Result<Sandbox*> Team::Weakened(const Attack& attack) {
  uint32_t without = 0;
  for (const std::string& name : attack.layers) without |= FindLayer(name)->bit;
  SandboxConfig config = config_;
  if (HasLayer(attack, HowOff::kTier)) config.isolation = "none";
  if (without == 0 && config.isolation == config_.isolation) return sandbox_.get();
  std::string key = StrCat(config.isolation, " ", without);
  // A worker whose jobs leave things behind is of no use to the next twin.
  constexpr uint32_t kLeavesThings = kWithoutEnd | kWithoutFreshFolder | kWithoutWipe;
  if (key != weak_key_ || (without & kLeavesThings) != 0) {
    weak_.reset();
    Result<std::unique_ptr<Sandbox>> made = CreateWeakened(config, without);
    if (!made.ok()) return made.error();
    weak_ = std::move(made).value();
    weak_key_ = key;
  }
  return weak_.get();
}

Finding Team::RunTwin(const Attack& attack) {
  Timer timer;
  Result<Sandbox*> sandbox = Weakened(attack);
  if (!sandbox.ok()) return Unavailable(sandbox.error().message);
  const Json& limits = attack.twin_limits.IsNull() ? attack.limits : attack.twin_limits;
  Finding finding{Fate::kStopped, "the twin fails", 0};
  const std::string& program = attack.honest() ? attack.wrong : attack.program;
  if (attack.tests.IsNull()) {
    finding = Execute(attack, limits, true, *sandbox);
  } else {
    CarelessJob job{
        attack.judge, attack.language, program, attack.tests, Patient(ReadLimits(limits)),
        attack.allow};
    if (CarelessPass(job, *sandbox)) finding = {Fate::kBreached, "passes", 0};
  }
  finding.ms = timer.Ms();
  return finding;
}

}  // namespace assay::redteam
