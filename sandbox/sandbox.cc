#include "sandbox/sandbox.h"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "core/hash.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "sandbox/content_cache.h"
#include "sandbox/exchange.h"
#include "sandbox/identity.h"
#include "sandbox/interpreter.h"
#include "sandbox/languages.h"
#include "sandbox/placement.h"
#include "sandbox/weakened.h"
#include "sandbox/worker.h"

namespace assay {

using sandbox::ExchangeJudge;
using sandbox::ExchangeRun;
using sandbox::JudgeExchange;
using sandbox::Language;
using sandbox::LanguageTable;
using sandbox::Placement;
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
  if (bytecodes >= 0) json.Set("bytecodes", bytecodes);
  json.Set("isolation", TierName(tier));
  if (!fault.empty()) json.Set("fault", fault);
  return json;
}

namespace {

constexpr double kRunDelayShareMax = 0.3;
// How many starved jobs are run again alone: so many, or one in ten.
constexpr int64_t kRunsAloneMin = 64;
constexpr int64_t kRunsAlonePart = 10;
constexpr int64_t kCompiledMemoryBytes = int64_t{256} << 20;

struct Slot {
  int64_t index = 0;
  bool busy = false;
  std::thread::id holder;  // who keeps it between calls, too (SameWorkers)
  std::unique_ptr<Worker> candidate;
  std::unique_ptr<Worker> tester;
  std::unique_ptr<Worker> interactor;  // only where a job has one
  std::string tester_key;              // the text that the tester's zygote has
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
  std::optional<Placement> placement;               // of all slots; guarded by mutex
  std::unique_ptr<sandbox::ContentCache> compiled;  // null: every program is compiled anew
  std::string compile_folder_state;                 // for Describe()
  std::mutex identity_mutex;
  std::string machine_identity;  // guarded by identity_mutex, as the next
  std::map<std::string, std::string> tool_identities;

  std::atomic<int64_t> jobs_done{0};
  std::atomic<int64_t> wall_reruns{0};
  // A job that runs alone waits until no slot is busy, and others wait for its end; guarded by mutex.
  int alone_waiting = 0;
  std::thread::id alone;
  bool cancelled = false;  // guarded by mutex, as every slot's workers are where they come and go

  bool WasStarved(const RunResult& result) const;
  bool MayRunAlone();
  void BeginAlone();
  void EndAlone();
  template <typename Result, typename Again, typename Starved>
  void Settle(Result* result, const Starved& starved, const Again& again);
  Slot* Take(const std::string& tester_key);
  void Give(Slot* slot);
  void Hold();
  void Release();
  Result<std::unique_ptr<Worker>> StartWorker(Role role, int64_t index) const;
  Status Ensure(std::unique_ptr<Worker>* place, Role role, int64_t index);
  Status EnsureCandidate(Slot* slot);
  Status EnsureTester(Slot* slot);
  Status EnsureInteractor(Slot* slot);
  void Drop(Slot* slot);

  RunExchange RunOnce(const RunRequest& request, std::string_view stdin_bytes, Error* error);
  RunExchange RunWithRetry(const RunRequest& request, std::string_view stdin_bytes);
  bool ControlJobSucceeds(Slot* slot);
  void OpenCompileCache();
  std::string ToolIdentity(const Language& language);
  RunResult Compile(const Language& language, const Job& job, std::vector<std::string>* artifacts);
  // What to send a worker for a job; false with the result if there is nothing to run.
  bool MakeRequest(const Job& job, RunRequest* request, RunResult* result);
  InteractResult InteractOnce(const RunRequest& program, const RunRequest& interactor,
                              bool last_try, bool* lost);
  JudgeExchange ExchangeInPlace(Slot* slot, const JudgeJob& job, bool send_spec);
  JudgeResult JudgeWithRetry(const JudgeJob& job);
  JudgeResult JudgeOnce(const JudgeJob& job, bool last_try, bool* lost);
};

Slot* Sandbox::Impl::Take(const std::string& tester_key) {
  std::unique_lock<std::mutex> lock(mutex);
  for (;;) {
    Slot* best = nullptr;
    const bool must_wait =
        alone != std::thread::id() ? alone != std::this_thread::get_id() : alone_waiting > 0;
    for (const auto& slot : slots) {
      if (slot->busy || must_wait) continue;
      if (slot->holder == std::this_thread::get_id()) {
        best = slot.get();
        break;
      }
      if (slot->holder != std::thread::id()) continue;
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
  freed.notify_all();  // one may wait for a slot, another to be alone
}

void Sandbox::Impl::Hold() {
  Slot* slot = Take("");
  std::lock_guard<std::mutex> lock(mutex);
  slot->holder = std::this_thread::get_id();
  slot->busy = false;
}

void Sandbox::Impl::Release() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    for (const auto& slot : slots) {
      if (slot->holder == std::this_thread::get_id()) slot->holder = std::thread::id();
    }
  }
  freed.notify_all();
}

Sandbox::SameWorkers::SameWorkers(Sandbox* sandbox) : sandbox_(sandbox) { sandbox_->impl_->Hold(); }
Sandbox::SameWorkers::~SameWorkers() { sandbox_->impl_->Release(); }

Result<std::unique_ptr<Worker>> Sandbox::Impl::StartWorker(Role role, int64_t index) const {
  WorkerConfig worker;
  worker.role = role;
  worker.slot = index;
  worker.isolation = isolation;
  worker.preimport = config.preimport;
  worker.without = without;
  worker.packages = packages;
  worker.python_library = config.python_library;
  return Worker::Start(jail_path, worker);
}

Status Sandbox::Impl::Ensure(std::unique_ptr<Worker>* place, Role role, int64_t index) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    if (cancelled) return Error{ErrorCode::kUnavailable, "the sandbox was told to stop", ""};
    if (*place != nullptr) return {};
  }
  Result<std::unique_ptr<Worker>> worker = StartWorker(role, index);
  if (!worker.ok()) return worker.error();
  std::lock_guard<std::mutex> lock(mutex);
  *place = std::move(worker).value();
  if (cancelled) (*place)->HangUp();
  return {};
}

Status Sandbox::Impl::EnsureCandidate(Slot* slot) {
  return Ensure(&slot->candidate, Role::kCandidate, slot->index);
}

Status Sandbox::Impl::EnsureTester(Slot* slot) {
  if (slot->tester == nullptr) slot->tester_key.clear();
  return Ensure(&slot->tester, Role::kTester, slot->index);
}

// A worker as candidates have it, with users and namespaces of its own: an interactor knows the answers.
Status Sandbox::Impl::EnsureInteractor(Slot* slot) {
  return Ensure(&slot->interactor, Role::kCandidate,
                slot->index + static_cast<int64_t>(slots.size()));
}

void Sandbox::Impl::Drop(Slot* slot) {
  std::unique_ptr<Worker> gone[3];  // a worker's end may take a while: not under the lock
  std::lock_guard<std::mutex> lock(mutex);
  gone[0] = std::move(slot->candidate);
  gone[1] = std::move(slot->tester);
  gone[2] = std::move(slot->interactor);
  slot->tester_key.clear();
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
  if (exchange.lost) Drop(slot.get());
  return exchange;
}

// An honest program in the same slot: tells "this program kills workers" from "this machine has none".
bool Sandbox::Impl::ControlJobSucceeds(Slot* slot) {
  if (!EnsureCandidate(slot).ok()) return false;
  RunRequest control;
  control.source = "print(6 * 7)";
  RunExchange exchange = ExchangeRun(slot->candidate->socket(), control, "");
  if (exchange.lost) Drop(slot);
  return !exchange.lost && exchange.result.ok() && exchange.result.stdout_bytes == "42\n";
}

// The wall clock ran out while others kept the program waiting: that says something of this machine and nothing of the program.
bool Sandbox::Impl::WasStarved(const RunResult& result) const {
  return result.cause == Cause::kWallLimit && result.run_delay_share > kRunDelayShareMax;
}

// Each of them holds up all others, so that there must be an end to it; a machine that starves that many is no judge.
bool Sandbox::Impl::MayRunAlone() {
  const int64_t allowed = std::max(kRunsAloneMin, jobs_done.load() / kRunsAlonePart);
  return wall_reruns.load() < allowed && wall_reruns.fetch_add(1) < allowed;
}

void Sandbox::Impl::BeginAlone() {
  std::unique_lock<std::mutex> lock(mutex);
  ++alone_waiting;
  freed.wait(lock, [this] {
    return alone == std::thread::id() &&
           std::none_of(slots.begin(), slots.end(), [](const auto& slot) { return slot->busy; });
  });
  --alone_waiting;
  alone = std::this_thread::get_id();
}

void Sandbox::Impl::EndAlone() {
  {
    std::lock_guard<std::mutex> lock(mutex);
    alone = std::thread::id();
  }
  freed.notify_all();
}

// What was starved is run again with nothing of ours beside it. Where it is starved even then, or too many were, the verdict is
// nobody's: a fault.
template <typename Result, typename Again, typename Starved>
void Sandbox::Impl::Settle(Result* result, const Starved& starved, const Again& again) {
  jobs_done.fetch_add(1);
  if (starved(*result) == nullptr) return;
  if (MayRunAlone()) {
    BeginAlone();
    *result = again();
    EndAlone();
  }
  if (RunResult* program = starved(*result); program != nullptr)
    *program = Fault("other work on this machine kept the program from running");
}

RunExchange Sandbox::Impl::RunWithRetry(const RunRequest& request, std::string_view stdin_bytes) {
  Error error;
  RunExchange exchange;
  for (int attempt = 0; attempt < 2; ++attempt) {
    error = Error();
    exchange = RunOnce(request, stdin_bytes, &error);
    if (!exchange.lost) return exchange;
  }
  if (!error.message.empty()) {  // no worker was there to be lost
    exchange = RunExchange{};
    exchange.result = Fault(error.message);
    return exchange;
  }
  Lease slot(this, Take(""));
  exchange = RunExchange{};
  if (ControlJobSucceeds(slot.get())) {
    exchange.result.cause = Cause::kWorkerLost;
  } else {
    exchange.result = Fault("two workers were lost, and a control job failed too");
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
  request.args = sandbox::FilledIn(language.compile, request.limits);
  request.files = {language.source, job.source};
  for (const SourceFile& file : job.files)
    request.files.insert(request.files.end(), {file.path, file.bytes});
  request.collect = language.artifacts;
  std::string key;
  if (compiled != nullptr) {
    key = sandbox::SizedText(
        {{"compiled", ToolIdentity(language)}, request.args, request.files, request.collect});
    std::optional<std::string> kept = compiled->Find(key);
    if (kept && sandbox::DecodeArtifacts(*kept, language.artifacts, artifacts)) {
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
    if (compiled != nullptr) compiled->Keep(key, sandbox::EncodeArtifacts(*artifacts));
  }
  return std::move(exchange.result);
}

void Sandbox::Impl::OpenCompileCache() {
  if (!config.compile_cache) return;
  sandbox::ContentCacheOptions options;
  options.memory_bytes = kCompiledMemoryBytes;
  options.folder = config.compile_folder;
  Result<std::unique_ptr<sandbox::ContentCache>> opened = sandbox::ContentCache::Open(options);
  compile_folder_state = options.folder.empty() ? "off: in memory only" : "on: " + options.folder;
  if (!opened.ok()) {
    compile_folder_state = "off: " + opened.error().message;
    options.folder.clear();
    opened = sandbox::ContentCache::Open(options);
  }
  if (opened.ok()) compiled = std::move(opened).value();
}

// Which compiler or interpreter of a language this machine has: asked once, in a box.
std::string Sandbox::Impl::ToolIdentity(const Language& language) {
  std::lock_guard<std::mutex> lock(identity_mutex);
  auto [found, fresh] = tool_identities.try_emplace(language.name);
  if (!fresh || language.zygote) return found->second;
  std::string said;
  if (!language.version.empty()) {
    RunRequest request;
    request.kind = RunKind::kExec;
    request.args = language.version;
    RunResult result = std::move(RunWithRetry(request, "").result);
    said = result.stdout_bytes + result.stderr_bytes;
  }
  const std::string& tool = language.compile.empty() ? language.run[0] : language.compile[0];
  found->second = sandbox::SizedText({{language.source, said, sandbox::ProgramIdentity(tool)},
                                      language.compile,
                                      language.artifacts,
                                      language.run});
  return found->second;
}

// On the slot's own CPU.
JudgeExchange Sandbox::Impl::ExchangeInPlace(Slot* slot, const JudgeJob& job, bool send_spec) {
  using Clock = std::chrono::steady_clock;
  const auto number = static_cast<size_t>(slot->index);
  std::unique_lock<std::mutex> lock(mutex);
  const int64_t cpu = placement->CpuOf(number);
  lock.unlock();
  const Clock::time_point start = Clock::now();
  JudgeExchange exchange =
      ExchangeJudge(slot->candidate->socket(), slot->tester->socket(), job, send_spec, cpu);
  const std::chrono::duration<double, std::milli> wall = Clock::now() - start;
  lock.lock();
  placement->Note(number, wall.count(),
                  exchange.result.candidate.cpu_ms + exchange.result.tester_cpu_ms);
  return exchange;
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
  JudgeExchange exchange = ExchangeInPlace(slot.get(), job, send_spec);
  slot->tester_key = job.tester_key;
  *lost = exchange.candidate_lost || exchange.tester_lost;
  if (!*lost) return std::move(exchange.result);
  Drop(slot.get());
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

namespace {

// With too few, workers are lost in the middle of a program and nobody could say whose fault it was.
Status CheckDescriptors(int slots) {
  const auto needed = static_cast<rlim_t>(32 + 4 * std::max(slots, 1));
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed) return {};
  return Error{
      ErrorCode::kUnavailable,
      StrCat("this process may have ", static_cast<int64_t>(limit.rlim_cur), " files open, and ",
             slots, " programs at once need ", static_cast<int64_t>(needed)),
      "raise the limit (ulimit -n), or give a smaller -j"};
}

}  // namespace

Result<std::unique_ptr<Sandbox>> Sandbox::Create(const SandboxConfig& config) {
  return Make(config, 0);
}

Result<std::unique_ptr<Sandbox>> CreateWeakened(const SandboxConfig& config, uint32_t without) {
  return Sandbox::Make(config, without);
}

Result<std::unique_ptr<Sandbox>> Sandbox::Make(const SandboxConfig& config, uint32_t without) {
  if (Status enough = CheckDescriptors(config.slots); !enough.ok()) return enough.error();
  std::unique_ptr<Sandbox> made(new Sandbox);
  Impl& impl = *made->impl_;
  impl.without = without;
  impl.config = config;
  if (const char* named = getenv("ASSAY_PYTHON_LIBRARY"); named && config.python_library.empty())
    impl.config.python_library = named;
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
  Result<std::string> declared = config.languages_file.empty()
                                     ? Result<std::string>(config.languages_toml)
                                     : ReadFile(config.languages_file, size_t{1} << 20);
  if (!declared.ok()) return declared.error();
  Result<LanguageTable> languages = LanguageTable::Make(*declared);
  if (!languages.ok()) return languages.error();
  impl.languages = std::move(languages).value();
  impl.OpenCompileCache();
  for (int i = 0; i < std::max(config.slots, 1); ++i) {
    impl.slots.push_back(std::make_unique<Slot>());
    impl.slots.back()->index = i;
  }
  impl.placement = Placement::OfThisProcess(impl.slots.size());
  if (Status started = impl.EnsureCandidate(impl.slots[0].get()); !started.ok())
    return started.error();
  impl.hello = impl.slots[0]->candidate->hello();
  if (named.has_value()) {
    if (Status same = sandbox::CheckSameMinor(*named, impl.hello.python_version); !same.ok())
      return same.error();
  }
  return made;
}

bool Sandbox::Impl::MakeRequest(const Job& job, RunRequest* request, RunResult* result) {
  const Language* language = languages.Find(job.language);
  if (language == nullptr) {
    *result = Fault(StrCat("unknown language '", job.language, "' (",
                           DidYouMean(job.language, languages.Names()), ")"));
    return false;
  }
  request->limits = job.limits;
  request->measure = job.measure_bytecodes;
  request->exact = job.exact_usage;
  request->allow_exec =
      std::find(job.allow.begin(), job.allow.end(), "subprocess") != job.allow.end();
  request->collect = job.collect;
  for (const SourceFile& file : job.files)
    request->files.insert(request->files.end(), {file.path, file.bytes});
  if (!job.command.empty()) {
    request->kind = RunKind::kExec;
    request->args = job.command;
    request->args.insert(request->args.end(), job.args.begin(), job.args.end());
    if (!job.source.empty())
      request->files.insert(request->files.end(), {language->source, job.source});
    return true;
  }
  if (language->zygote) {
    request->source = job.source;
    request->args = job.args;
    return true;
  }
  request->kind = RunKind::kExec;
  request->args = sandbox::FilledIn(language->run, job.limits);
  request->args.insert(request->args.end(), job.args.begin(), job.args.end());
  if (language->compile.empty()) {
    request->files.insert(request->files.end(), {language->source, job.source});
    return true;
  }
  std::vector<std::string> artifacts;
  *result = Compile(*language, job, &artifacts);
  result->compile = std::make_shared<const RunResult>(*result);
  request->files.insert(request->files.end(), artifacts.begin(), artifacts.end());
  return result->ok();
}

RunResult Sandbox::Run(const Job& job) {
  RunRequest request;
  RunResult result;
  if (impl_->MakeRequest(job, &request, &result)) {
    const auto run = [&] {
      RunExchange exchange = impl_->RunWithRetry(request, job.stdin_bytes);
      for (size_t i = 0; i + 1 < exchange.collected.size(); i += 2) {
        exchange.result.collected.push_back(
            {std::move(exchange.collected[i]), std::move(exchange.collected[i + 1])});
      }
      exchange.result.compile = result.compile;
      return std::move(exchange.result);
    };
    result = run();
    impl_->Settle(
        &result, [&](RunResult& one) { return impl_->WasStarved(one) ? &one : nullptr; }, run);
  }
  result.tier = tier();
  return result;
}

InteractResult Sandbox::Impl::InteractOnce(const RunRequest& program, const RunRequest& interactor,
                                           bool last_try, bool* lost) {
  Lease slot(this, Take(""));
  InteractResult result;
  Status started = EnsureCandidate(slot.get());
  if (started.ok()) started = EnsureInteractor(slot.get());
  if (!started.ok()) {
    result.program = result.interactor = Fault(started.error().message);
    return result;
  }
  sandbox::TalkExchange talk = sandbox::ExchangeTalk(
      slot->candidate->socket(), slot->interactor->socket(), program, interactor);
  *lost = talk.program_lost || talk.interactor_lost;
  if (!*lost) return {std::move(talk.program), std::move(talk.interactor)};
  Drop(slot.get());
  if (!last_try) return result;
  if (ControlJobSucceeds(slot.get())) {
    result.program.cause = result.interactor.cause = Cause::kWorkerLost;
  } else {
    result.program = result.interactor =
        Fault("two workers were lost, and a control job failed too");
  }
  return result;
}

InteractResult Sandbox::Interact(const Job& program, const Job& interactor) {
  InteractResult result;
  RunRequest program_request, interactor_request;
  bool ready = impl_->MakeRequest(interactor, &interactor_request, &result.interactor);
  if (ready && !impl_->MakeRequest(program, &program_request, &result.program)) {
    result.interactor.cause = Cause::kOk;  // nobody has talked with it
    ready = false;
  }
  auto talk = [&] {
    bool lost = false;
    InteractResult once = impl_->InteractOnce(program_request, interactor_request, false, &lost);
    if (!lost) return once;
    return impl_->InteractOnce(program_request, interactor_request, true, &lost);
  };
  if (ready) {
    result = talk();
    impl_->Settle(
        &result,
        [&](InteractResult& both) -> RunResult* {
          if (impl_->WasStarved(both.program)) return &both.program;
          return impl_->WasStarved(both.interactor) ? &both.interactor : nullptr;
        },
        talk);
  }
  result.program.tier = result.interactor.tier = tier();
  return result;
}

JudgeResult Sandbox::Judge(const JudgeJob& job) {
  JudgeResult result = impl_->JudgeWithRetry(job);
  // A tester's own wall clock is far beyond the program's: only a tester that was kept waiting meets it.
  impl_->Settle(
      &result,
      [&](JudgeResult& judged) {
        const bool tester = judged.tester_cause == Cause::kWallLimit &&
                            judged.candidate.run_delay_share > kRunDelayShareMax;
        return tester || impl_->WasStarved(judged.candidate) ? &judged.candidate : nullptr;
      },
      [&] { return impl_->JudgeWithRetry(job); });
  result.candidate.tier = tier();
  return result;
}

void Sandbox::Cancel() {
  std::lock_guard<std::mutex> lock(impl_->mutex);
  impl_->cancelled = true;
  for (const auto& slot : impl_->slots) {
    for (const auto* worker : {&slot->candidate, &slot->tester, &slot->interactor}) {
      if (*worker != nullptr) (*worker)->HangUp();
    }
  }
}

void Sandbox::AbandonAfterFork() {
  for (const auto& slot : impl_->slots) {
    for (const auto* worker : {&slot->candidate, &slot->tester, &slot->interactor}) {
      if (*worker != nullptr) (*worker)->AbandonAfterFork();
    }
  }
}

Status Sandbox::CheckLanguage(std::string_view name) const {
  if (impl_->languages.Find(name) != nullptr) return {};
  return Error{ErrorCode::kUsage, StrCat("unknown language '", name, "'"),
               DidYouMean(name, impl_->languages.Names())};
}

std::string Sandbox::CanonicalLanguage(std::string_view name) const {
  const Language* language = impl_->languages.Find(name);
  return language != nullptr ? language->name : "";
}

std::string Sandbox::Identity(std::string_view name) {
  const Language* language = impl_->languages.Find(name);
  std::string tool = language == nullptr ? std::string(name) : impl_->ToolIdentity(*language);
  std::lock_guard<std::mutex> lock(impl_->identity_mutex);
  if (impl_->machine_identity.empty()) {
    impl_->machine_identity =
        sandbox::SizedText({{TierName(tier()), StrCat(impl_->without), impl_->hello.python_version,
                             sandbox::FileIdentity(impl_->jail_path), impl_->config.python_library},
                            impl_->config.preimport,
                            sandbox::PackagesIdentity(impl_->packages)});
  }
  return sandbox::SizedText({{impl_->machine_identity, std::string(name), tool}});
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
  if (!impl_->compile_folder_state.empty())
    report.layers.emplace_back("compiled programs on disk", impl_->compile_folder_state);
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
