#include "sandbox/sandbox.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>

#include "core/hash.h"
#include "core/text.h"
#include "sandbox/exchange.h"
#include "sandbox/interpreter.h"
#include "sandbox/languages.h"
#include "sandbox/weakened.h"
#include "sandbox/worker.h"

namespace assay {

using sandbox::ExchangeJudge;
using sandbox::ExchangeRun;
using sandbox::JudgeExchange;
using sandbox::Language;
using sandbox::LanguageTable;
using sandbox::Role;
using sandbox::RunExchange;
using sandbox::RunKind;
using sandbox::RunRequest;
using sandbox::Worker;
using sandbox::WorkerConfig;

Json RunResult::ToJson() const {
  Json json = Json::MakeObject();
  json.Set("cause", CauseName(cause));
  json.Set("exit_code",
           cause == Cause::kOk || cause == Cause::kNonzeroExit ? Json(exit_code) : Json());
  json.Set("signal", signal != 0 ? Json(signal) : Json());
  json.Set("stdout", SanitizeUtf8(stdout_bytes));
  json.Set("stderr", SanitizeUtf8(stderr_bytes));
  json.Set("stdout_truncated", stdout_truncated);
  json.Set("stderr_truncated", stderr_truncated);
  json.Set("cpu_ms", cpu_ms);
  json.Set("wall_ms", wall_ms);
  json.Set("peak_memory_kib", peak_memory_kib);
  json.Set("process_peak", process_peak);
  json.Set("run_delay_share", run_delay_share);
  json.Set("isolation", TierName(tier));
  if (!fault.empty()) json.Set("fault", fault);
  return json;
}

namespace {

constexpr double kRunDelayShareMax = 0.3;

struct Slot {
  int64_t index = 0;
  bool busy = false;
  std::unique_ptr<Worker> candidate;
  std::unique_ptr<Worker> tester;
  std::string tester_key;  // the text that the tester's zygote has

  void Drop() {
    candidate.reset();
    tester.reset();
    tester_key.clear();
  }
};

RunResult Fault(std::string message) {
  RunResult result;
  result.cause = Cause::kFault;
  result.fault = std::move(message);
  return result;
}

}  // namespace

struct Sandbox::Impl {
  // A slot for the length of one call.
  class Lease {
   public:
    Lease(Impl* impl, Slot* slot) : impl_(impl), slot_(slot) {}
    ~Lease() { impl_->Give(slot_); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Slot* operator->() const { return slot_; }
    Slot* get() const { return slot_; }

   private:
    Impl* impl_;
    Slot* slot_;
  };

  SandboxConfig config;
  std::string jail_path;
  LanguageTable languages;
  uint8_t isolation = 0;
  uint32_t without = 0;               // of CreateWeakened only
  std::vector<std::string> packages;  // of the interpreter that the user named
  sandbox::WorkerHello hello;         // of the first worker

  std::mutex mutex;
  std::condition_variable freed;
  std::vector<std::unique_ptr<Slot>> slots;
  std::map<Hash128, std::vector<std::string>> compiled;  // guarded by mutex

  std::atomic<int64_t> jobs_done{0};
  std::atomic<int64_t> wall_reruns{0};

  bool MayRunAgain(const RunResult& result);
  Slot* Take(const std::string& tester_key);
  void Give(Slot* slot);
  Result<std::unique_ptr<Worker>> StartWorker(Role role, int64_t index) const;
  Status EnsureCandidate(Slot* slot);
  Status EnsureTester(Slot* slot);

  RunExchange RunOnce(const RunRequest& request, std::string_view stdin_bytes, Error* error);
  RunExchange RunWithRetry(const RunRequest& request, std::string_view stdin_bytes);
  bool ControlJobSucceeds(Slot* slot);
  RunResult Compile(const Language& language, const Job& job, std::vector<std::string>* artifacts);
  JudgeResult JudgeWithRetry(const JudgeJob& job);
  JudgeResult JudgeOnce(const JudgeJob& job, bool last_try, bool* lost);
};

Slot* Sandbox::Impl::Take(const std::string& tester_key) {
  std::unique_lock<std::mutex> lock(mutex);
  for (;;) {
    Slot* best = nullptr;
    for (const auto& slot : slots) {
      if (slot->busy) continue;
      // A slot whose tester already has this problem's text, else one that is warm, else any.
      bool knows = !tester_key.empty() && slot->tester_key == tester_key;
      if (best == nullptr || knows || (best->candidate == nullptr && slot->candidate != nullptr))
        best = slot.get();
      if (knows) break;
    }
    if (best != nullptr) {
      best->busy = true;
      return best;
    }
    freed.wait(lock);
  }
}

void Sandbox::Impl::Give(Slot* slot) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    slot->busy = false;
  }
  freed.notify_one();
}

Result<std::unique_ptr<Worker>> Sandbox::Impl::StartWorker(Role role, int64_t index) const {
  WorkerConfig worker;
  worker.role = role;
  worker.slot = index;
  worker.isolation = isolation;
  worker.preimport = config.preimport;
  worker.without = without;
  worker.packages = packages;
  return Worker::Start(jail_path, worker);
}

Status Sandbox::Impl::EnsureCandidate(Slot* slot) {
  if (slot->candidate != nullptr) return {};
  Result<std::unique_ptr<Worker>> worker = StartWorker(Role::kCandidate, slot->index);
  if (!worker.ok()) return worker.error();
  slot->candidate = std::move(worker).value();
  return {};
}

Status Sandbox::Impl::EnsureTester(Slot* slot) {
  if (slot->tester != nullptr) return {};
  Result<std::unique_ptr<Worker>> worker = StartWorker(Role::kTester, slot->index);
  if (!worker.ok()) return worker.error();
  slot->tester = std::move(worker).value();
  slot->tester_key.clear();
  return {};
}

RunExchange Sandbox::Impl::RunOnce(const RunRequest& request, std::string_view stdin_bytes,
                                   Error* error) {
  Lease slot(this, Take(""));
  if (Status started = EnsureCandidate(slot.get()); !started.ok()) {
    *error = started.error();
    RunExchange exchange;
    exchange.lost = true;
    return exchange;
  }
  RunExchange exchange = ExchangeRun(slot->candidate->socket(), request, stdin_bytes);
  if (exchange.lost) slot->Drop();
  return exchange;
}

// An honest program in the same slot: tells "this program kills workers" from "this machine has none".
bool Sandbox::Impl::ControlJobSucceeds(Slot* slot) {
  if (!EnsureCandidate(slot).ok()) return false;
  RunRequest control;
  control.source = "print(6 * 7)";
  RunExchange exchange = ExchangeRun(slot->candidate->socket(), control, "");
  if (exchange.lost) slot->Drop();
  return !exchange.lost && exchange.result.ok() && exchange.result.stdout_bytes == "42\n";
}

// The wall clock ran out while the scheduler kept the program waiting: that says something of this machine and nothing of the
// program. Only a few are run again, so that a batch cannot take twice its time.
bool Sandbox::Impl::MayRunAgain(const RunResult& result) {
  int64_t jobs = jobs_done.fetch_add(1) + 1;
  if (result.cause != Cause::kWallLimit || result.run_delay_share <= kRunDelayShareMax)
    return false;
  int64_t allowed = std::max<int64_t>(1, jobs / 100);
  return wall_reruns.load() < allowed && wall_reruns.fetch_add(1) < allowed;
}

RunExchange Sandbox::Impl::RunWithRetry(const RunRequest& request, std::string_view stdin_bytes) {
  Error error;
  RunExchange exchange;
  for (int attempt = 0; attempt < 2; ++attempt) {
    exchange = RunOnce(request, stdin_bytes, &error);
    if (!exchange.lost) return exchange;
  }
  Lease slot(this, Take(""));
  exchange = RunExchange{};
  if (ControlJobSucceeds(slot.get())) {
    exchange.result.cause = Cause::kWorkerLost;
  } else {
    exchange.result =
        Fault(error.message.empty() ? "two workers were lost, and a control job failed too"
                                    : error.message);
  }
  return exchange;
}

RunResult Sandbox::Impl::Compile(const Language& language, const Job& job,
                                 std::vector<std::string>* artifacts) {
  RunRequest request;
  request.kind = RunKind::kExec;
  request.limits = job.limits;
  request.limits.cpu_ms = job.limits.compile_cpu_ms;
  request.limits.wall_ms = 2 * job.limits.compile_cpu_ms;
  request.limits.memory_mib = std::max<int64_t>(job.limits.memory_mib, 1024);
  request.limits.disk_mib = std::max<int64_t>(job.limits.disk_mib, 256);
  request.args = language.compile;
  request.files = {language.source, job.source};
  for (const SourceFile& file : job.files)
    request.files.insert(request.files.end(), {file.path, file.bytes});
  request.collect = language.artifacts;
  std::string key_text;
  for (const std::vector<std::string>* list : {&request.args, &request.files}) {
    for (const std::string& item : *list) StrAppend(&key_text, item.size(), ":", item);
  }
  Hash128 key = HashBytes128(key_text);
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (auto found = compiled.find(key); found != compiled.end()) {
      *artifacts = found->second;
      RunResult ok;
      ok.cause = Cause::kOk;
      return ok;
    }
  }
  RunExchange exchange = RunWithRetry(request, "");
  if (exchange.result.ok() && exchange.collected.size() != 2 * language.artifacts.size())
    exchange.result.cause = Cause::kNonzeroExit;
  if (exchange.result.cause == Cause::kNonzeroExit || exchange.result.cause == Cause::kSignal)
    exchange.result.cause = Cause::kCompileError;
  if (exchange.result.ok()) {
    *artifacts = std::move(exchange.collected);
    std::lock_guard<std::mutex> lock(mutex);
    if (compiled.size() >= 256) compiled.clear();
    compiled[key] = *artifacts;
  }
  return std::move(exchange.result);
}

JudgeResult Sandbox::Impl::JudgeOnce(const JudgeJob& job, bool last_try, bool* lost) {
  Lease slot(this, Take(job.tester_key));
  JudgeResult result;
  Status started = EnsureCandidate(slot.get());
  if (started.ok()) started = EnsureTester(slot.get());
  if (!started.ok()) {
    result.candidate = Fault(started.error().message);
    return result;
  }
  bool send_spec = slot->tester_key != job.tester_key;
  JudgeExchange exchange =
      ExchangeJudge(slot->candidate->socket(), slot->tester->socket(), job, send_spec);
  slot->tester_key = job.tester_key;
  *lost = exchange.candidate_lost || exchange.tester_lost;
  if (!*lost) return std::move(exchange.result);
  slot->Drop();
  if (!last_try) return result;
  if (ControlJobSucceeds(slot.get())) {
    result.candidate.cause = Cause::kWorkerLost;
  } else {
    result.candidate = Fault("two workers were lost, and a control job failed too");
  }
  return result;
}

JudgeResult Sandbox::Impl::JudgeWithRetry(const JudgeJob& job) {
  JudgeResult result;
  for (int attempt = 0; attempt < 2; ++attempt) {
    bool lost = false;
    result = JudgeOnce(job, attempt == 1, &lost);
    if (!lost) break;
  }
  return result;
}

Sandbox::Sandbox() : impl_(std::make_unique<Impl>()) {}
Sandbox::~Sandbox() = default;

Result<std::unique_ptr<Sandbox>> Sandbox::Create(const SandboxConfig& config) {
  return Make(config, 0);
}

Result<std::unique_ptr<Sandbox>> CreateWeakened(const SandboxConfig& config, uint32_t without) {
  return Sandbox::Make(config, without);
}

Result<std::unique_ptr<Sandbox>> Sandbox::Make(const SandboxConfig& config, uint32_t without) {
  std::unique_ptr<Sandbox> made(new Sandbox);
  Impl& impl = *made->impl_;
  impl.without = without;
  impl.config = config;
  if (config.isolation.empty()) {
    impl.isolation = 0;
  } else if (config.isolation == "namespaces" || config.isolation == "landlock" ||
             config.isolation == "none") {
    for (Tier tier : {Tier::kNone, Tier::kLandlock, Tier::kNamespaces}) {
      if (config.isolation == TierName(tier))
        impl.isolation = static_cast<uint8_t>(1 + static_cast<int>(tier));
    }
  } else {
    return Error{ErrorCode::kUsage, StrCat("unknown isolation '", config.isolation, "'"),
                 DidYouMean(config.isolation, {"namespaces", "landlock", "none"})};
  }
  std::optional<sandbox::Interpreter> named;
  if (!config.python.empty()) {
    Result<sandbox::Interpreter> asked = sandbox::AskInterpreter(config.python);
    if (!asked.ok()) return asked.error();
    named = std::move(asked).value();
    impl.packages = named->packages;
  }
  Result<std::string> jail = sandbox::FindJail(config.jail_path);
  if (!jail.ok()) return jail.error();
  impl.jail_path = *jail;
  Result<LanguageTable> languages = LanguageTable::Make(config.languages_toml);
  if (!languages.ok()) return languages.error();
  impl.languages = std::move(languages).value();
  for (int i = 0; i < std::max(config.slots, 1); ++i) {
    impl.slots.push_back(std::make_unique<Slot>());
    impl.slots.back()->index = i;
  }
  if (Status started = impl.EnsureCandidate(impl.slots[0].get()); !started.ok())
    return started.error();
  impl.hello = impl.slots[0]->candidate->hello();
  if (named.has_value()) {
    if (Status same = sandbox::CheckSameMinor(*named, impl.hello.python_version); !same.ok())
      return same.error();
  }
  return made;
}

RunResult Sandbox::Run(const Job& job) {
  const Language* language = impl_->languages.Find(job.language);
  RunResult result;
  if (language == nullptr) {
    result = Fault(StrCat("unknown language '", job.language, "' (",
                          DidYouMean(job.language, impl_->languages.Names()), ")"));
    result.tier = tier();
    return result;
  }
  RunRequest request;
  request.limits = job.limits;
  request.allow_exec =
      std::find(job.allow.begin(), job.allow.end(), "subprocess") != job.allow.end();
  for (const SourceFile& file : job.files)
    request.files.insert(request.files.end(), {file.path, file.bytes});
  if (language->zygote) {
    request.source = job.source;
    request.args = job.args;
  } else {
    request.kind = RunKind::kExec;
    request.args = language->run;
    request.args.insert(request.args.end(), job.args.begin(), job.args.end());
    if (language->compile.empty()) {
      request.files.insert(request.files.end(), {language->source, job.source});
    } else {
      std::vector<std::string> artifacts;
      result = impl_->Compile(*language, job, &artifacts);
      result.tier = tier();
      if (!result.ok()) return result;
      request.files.insert(request.files.end(), artifacts.begin(), artifacts.end());
    }
  }
  result = std::move(impl_->RunWithRetry(request, job.stdin_bytes).result);
  if (impl_->MayRunAgain(result))
    result = std::move(impl_->RunWithRetry(request, job.stdin_bytes).result);
  result.tier = tier();
  return result;
}

JudgeResult Sandbox::Judge(const JudgeJob& job) {
  JudgeResult result = impl_->JudgeWithRetry(job);
  if (impl_->MayRunAgain(result.candidate)) result = impl_->JudgeWithRetry(job);
  result.candidate.tier = tier();
  return result;
}

Status Sandbox::CheckLanguage(std::string_view name) const {
  if (impl_->languages.Find(name) != nullptr) return {};
  return Error{ErrorCode::kUsage, StrCat("unknown language '", name, "'"),
               DidYouMean(name, impl_->languages.Names())};
}

Tier Sandbox::tier() const { return static_cast<Tier>(impl_->hello.tier); }

int Sandbox::slots() const { return static_cast<int>(impl_->slots.size()); }

namespace {

// What would give more isolation than is in force, by what is off.
std::vector<std::string> Advice(Tier tier,
                                const std::vector<std::pair<std::string, std::string>>& layers) {
  std::vector<std::string> advice;
  if (tier != Tier::kNamespaces) {
    advice.push_back(
        "User namespaces are blocked here. On Ubuntu 24.04: `sudo sysctl "
        "kernel.apparmor_restrict_unprivileged_userns=0`, or an "
        "AppArmor profile with `userns` for assay-jail. In a container: run it with "
        "`--security-opt seccomp=unconfined "
        "--cap-add SYS_ADMIN`, or on a host that lets containers make user namespaces.");
  }
  if (tier == Tier::kNone)
    advice.push_back(
        "Nothing but the system call filter and limits holds programs: leave out `--isolation "
        "none`.");
  for (const auto& [name, state] : layers) {
    bool off = StartsWith(state, "off");
    if (off && name == "separate users") {
      advice.push_back(
          "Candidates and testers share your user; started as root, each worker runs as users of "
          "its own.");
    }
    if (off && name == "memory control group") {
      advice.push_back(
          "Memory is watched by sampling; for a limit by the kernel start assay with `systemd-run "
          "--user --scope -p Delegate=yes`, or as root.");
    }
    if (off && name == "proc")
      advice.push_back(
          "This machine masks /proc, so boxes have none: some programs miss /proc/self.");
  }
  return advice;
}

}  // namespace

SandboxReport Sandbox::Describe() {
  SandboxReport report;
  report.tier = tier();
  report.python_version = impl_->hello.python_version;
  for (const std::string& layer : impl_->hello.layers) {
    size_t equals = layer.find('=');
    report.layers.emplace_back(layer.substr(0, equals),
                               equals == std::string::npos ? "" : layer.substr(equals + 1));
  }
  report.layers.emplace_back("system call filter",
                             "on: an allow-list, foreign architectures killed");
  report.advice = Advice(report.tier, report.layers);
  return report;
}

std::vector<LanguageInfo> Sandbox::Languages() {
  std::vector<LanguageInfo> list;
  for (const Language& language : impl_->languages.all()) {
    LanguageInfo info;
    info.name = language.name;
    if (language.zygote) {
      info.available = true;
      info.version = StrCat("Python ", impl_->hello.python_version);
    } else {
      RunRequest request;
      request.kind = RunKind::kExec;
      request.args = language.version;
      RunResult result = std::move(impl_->RunWithRetry(request, "").result);
      info.available = result.ok();
      info.version =
          std::string(Trim(result.stdout_bytes.substr(0, result.stdout_bytes.find('\n'))));
      if (!info.available)
        info.missing = language.package.empty() ? language.run[0] : language.package;
    }
    list.push_back(std::move(info));
  }
  return list;
}

Result<std::string> Sandbox::ShowPolicy() { return impl_->hello.policy; }

}  // namespace assay
