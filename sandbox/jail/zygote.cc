#include "sandbox/jail/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>

#include "core/text.h"
#include "sandbox/jail/affinity.h"
#include "sandbox/jail/box.h"
#include "sandbox/jail/measure.h"
#include "sandbox/jail/py_harness.h"
#include "sandbox/jail/py_heap.h"
#include "sandbox/jail/py_measure.h"
#include "sandbox/jail/py_runtime.h"
#include "sandbox/jail/seccomp.h"
#include "sandbox/jail/supervise.h"
#include "sandbox/weakened.h"

extern char** environ;

namespace assay::jail {

using sandbox::Fd;
using sandbox::Frame;
using sandbox::FrameType;
using sandbox::ReceiveFrame;
using sandbox::RunKind;
using sandbox::RunReport;
using sandbox::RunRequestView;
using sandbox::SendFrame;
using sandbox::ServeReport;
using sandbox::ServeRequest;
using sandbox::WorkerHello;

namespace {

// What a box loads, beside what it has from its zygote.
struct Filters {
  Program plain;  // no program may be started
  Program with_exec;
};

// The zygote's own filter is in force afterwards.
Result<Filters> EnterFilter(const World& world) {
  Filters filters;
  Result<Program> plain = BuildBoxProgram(false);
  if (!plain.ok()) return plain.error();
  Result<Program> with_exec = BuildBoxProgram(true);
  if (!with_exec.ok()) return with_exec.error();
  Result<Program> own = BuildZygoteProgram();
  if (!own.ok()) return own.error();
  if ((world.without & kWithoutFilter) == 0 && !LoadProgram(*own))
    return Error{ErrorCode::kUnavailable,
                 StrCat("the system call filter cannot be loaded: ", strerror(errno)), ""};
  filters.plain = std::move(plain).value();
  filters.with_exec = std::move(with_exec).value();
  return filters;
}

// Starts everything a zygote needs; says so (or why not) to the parent.
Result<Filters> Begin(const World& world, const sandbox::WorkerConfig& config, bool (*prepare)()) {
  SetOwnPids(world.own_pids);
  setenv("HOME", world.scratch.c_str(), 1);
  setenv("TMPDIR", world.scratch.c_str(), 1);
  WorkerHello hello;
  hello.tier = static_cast<uint8_t>(world.tier);
  hello.layers = world.layers;
  const char* proc = !world.own_pids  ? "proc=out of reach"
                     : world.has_proc ? "proc=own processes only"
                                      : "proc=off: the kernel refuses a new one here";
  hello.layers.push_back(proc);
  Result<std::string> version =
      StartPython(PythonConfig{world.packages, config.preimport, world.python_library});
  Result<Filters> filters = EnterFilter(world);
  hello.policy = WorldText(world) + PolicyText();
  if (!version.ok()) {
    hello.error = version.error().message;
  } else if (!filters.ok()) {
    hello.error = filters.error().message;
  } else if (!prepare()) {
    hello.error = "the judge's harness cannot start";
  } else {
    hello.python_version = *version;
    FreezePython();
    PackHeap(config.role == sandbox::Role::kCandidate);
  }
  if (!SendFrame(kControlFd, FrameType::kHello, hello.Encode()))
    return Error{ErrorCode::kIo, "the parent is gone", ""};
  if (!hello.error.empty()) return Error{ErrorCode::kUnavailable, hello.error, ""};
  return filters;
}

bool IsSafePath(std::string_view path) {
  if (path.empty() || path[0] == '/' || path.find('\0') != std::string_view::npos) return false;
  for (std::string_view part : SplitChar(path, '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return true;
}

// In the box, as its user, below the working folder.
bool WriteBoxFile(std::string_view path_view, std::string_view bytes) {
  if (!IsSafePath(path_view)) return false;
  std::string path(path_view);
  for (size_t slash = path.find('/'); slash != std::string::npos;
       slash = path.find('/', slash + 1)) {
    mkdir(path.substr(0, slash).c_str(), 0755);
  }
  Fd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755));
  while (fd.valid() && !bytes.empty()) {
    ssize_t n = write(fd.get(), bytes.data(), bytes.size());
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return fd.valid();
}

constexpr int kCannotStartExit = 126;

int ExecProgram(const RunRequestView& request) {
  std::vector<std::string> texts(request.args.begin(), request.args.end());
  std::vector<char*> argv;
  for (std::string& text : texts) argv.push_back(text.data());
  argv.push_back(nullptr);
  for (int number : {SIGPIPE, SIGXFSZ, SIGINT})
    signal(number, SIG_DFL);  // the interpreter's own are not for others
  execvpe(argv[0], argv.data(), environ);
  std::string message =
      StrCat(texts.empty() ? "" : texts[0], ": cannot be started: ", strerror(errno), "\n");
  (void)!write(STDERR_FILENO, message.data(), message.size());
  return kCannotStartExit;
}

int RunRequested(const RunRequestView& request) {
  for (size_t i = 0; i + 1 < request.files.size(); i += 2) {
    if (!WriteBoxFile(request.files[i], request.files[i + 1])) return kCannotStartExit;
  }
  switch (request.kind) {
    case RunKind::kPythonProgram:
      return RunPythonProgram(request.source, request.args);
    case RunKind::kPythonJudge:
      return FinishPython(RunCandidate(kChannelFd, kAnswerFd, request.source));
    case RunKind::kExec:
      return ExecProgram(request);
  }
  return kCannotStartExit;
}

// A regular file that the job left, never through a link, never blocking on a pipe.
bool CollectFile(const std::string& scratch, std::string_view path, int64_t max_bytes,
                 std::string* out) {
  if (!IsSafePath(path)) return false;
  Fd folder(open(scratch.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  open_how how = {};
  how.flags = O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV;
  Fd fd(static_cast<int>(
      syscall(SYS_openat2, folder.get(), std::string(path).c_str(), &how, sizeof(how))));
  struct stat info;
  if (!fd.valid() || fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode) ||
      info.st_size > max_bytes)
    return false;
  out->resize(static_cast<size_t>(info.st_size));
  return pread(fd.get(), out->data(), out->size(), 0) == info.st_size;
}

// Files may have holes and names may be repeated: the limit is on what is handed back.
void Collect(const World& world, const RunRequestView& request, RunReport* report) {
  int64_t left = request.limits.disk_mib << 20;
  for (std::string_view path : request.collect) {
    std::string bytes;
    if (!CollectFile(world.scratch, path, left, &bytes)) continue;
    left -= static_cast<int64_t>(bytes.size());
    report->collected.emplace_back(path);
    report->collected.push_back(std::move(bytes));
  }
}

// What a box is made for: two jobs of one kind can be run in boxes that are made in the same way.
struct BoxKind {
  RunKind kind = RunKind::kExec;
  const Program* filter = nullptr;
  Limits limits;
  int64_t cpu = -1;

  bool operator==(const BoxKind&) const = default;
};

// The jobs of a worker, a box each. When two in a row were of one kind, the box of the next is made while nobody waits for it:
// forked, boxed, and blocked until its only job arrives. There is never a box beside a job's own: a spare one is made when the
// last job has ended wholly, and is either the next job's or ended before that.
class Candidates {
 public:
  Candidates(const World& world, const Filters& filters)
      : world_(world), filters_(filters), scratch_(world), supervisor_(world) {}

  // False: the parent is gone.
  bool RunJob(Frame* frame);
  // Between jobs.
  void MakeSpare();

 private:
  std::string Start(const RunRequestView& request, const BoxKind& kind, Frame* frame);
  std::string ForkFor(const RunRequestView& request, const BoxKind& kind, Frame* frame);
  bool HandOver(Frame* frame);
  void DropSpare();
  int WaitForJob(RunKind kind);
  BoxSpec SpecOf(const BoxKind& kind) const;
  // Empty, or what failed.
  std::string PrepareFor(const Limits& limits);

  const World& world_;
  const Filters& filters_;
  Scratch scratch_;
  Supervisor supervisor_;
  Affinity affinity_;
  BytecodeCount* count_ = nullptr;
  BoxKind last_kind_;
  bool repeated_ = false;
  pid_t child_ = -1;
  // Made for last_kind_.
  pid_t spare_ = -1;
  Fd spare_socket_;
};

// Jobs that follow at once are not served sooner by a box that is made before them, only with more work.
constexpr int kIdleMs = 2;
// A spare box needs some descriptors of its own before it has its job's.
constexpr int64_t kSpareOpenFilesMin = 16;

BoxSpec Candidates::SpecOf(const BoxKind& kind) const {
  BoxSpec spec;
  spec.world = &world_;
  spec.limits = &kind.limits;
  spec.filter = kind.filter;
  spec.ruleset_fd = scratch_.ruleset_fd();
  spec.other_tasks = TasksBeside(world_);
  return spec;
}

std::string Candidates::PrepareFor(const Limits& limits) {
  if (!scratch_.Prepare(limits)) return StrCat("an empty folder: ", strerror(errno));
  // After the folder: what the last job wrote there counted as memory.
  if (!world_.groups->Prepare(limits)) return StrCat("control groups: ", strerror(errno));
  return "";
}

// In the spare box, behind its filter.
int Candidates::WaitForJob(RunKind kind) {
  if (kind != RunKind::kExec) WarmUpPython();
  Frame frame;
  RunRequestView request;
  if (!ReceiveFrame(kChannelFd, &frame) || !RunRequestView::Decode(frame.payload, &request))
    return kBoxFailedExit;
  // They arrived above the socket, in order: no source is a target that an earlier round has overwritten.
  const int count = static_cast<int>(frame.fds.size());
  for (int target = 0; target < count; ++target) {
    if (dup2(frame.fds[static_cast<size_t>(target)].Release(), target) < 0) return kBoxFailedExit;
  }
  if (syscall(SYS_close_range, static_cast<unsigned>(count), ~0U, 0) != 0) return kBoxFailedExit;
  return RunRequested(request);
}

void Candidates::MakeSpare() {
  int pair[2];
  if (spare_ > 0 || !repeated_ || last_kind_.limits.open_files < kSpareOpenFilesMin ||
      !PrepareFor(last_kind_.limits).empty() ||
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
    return;
  Fd outer(pair[0]), inner(pair[1]);
  BoxSpec spec = SpecOf(last_kind_);
  spec.stdin_fd = STDIN_FILENO;  // the zygote's own: /dev/null
  spec.stdout_fd = STDOUT_FILENO;
  spec.stderr_fd = STDERR_FILENO;
  spec.channel_fd = inner.get();
  spare_ = supervisor_.Fork(spec, [&] { return WaitForJob(last_kind_.kind); });
  if (spare_ > 0) spare_socket_ = std::move(outer);
}

void Candidates::DropSpare() {
  if (spare_ > 0) EndEverything(world_);
  spare_ = -1;
  spare_socket_.Reset();
}

// False: it is gone.
bool Candidates::HandOver(Frame* frame) {
  int fds[sandbox::kMaxFrameFds];
  int count = 0;
  for (const Fd& fd : frame->fds) fds[count++] = fd.get();
  if (!SendFrame(spare_socket_.get(), FrameType::kRun, frame->payload, fds, count)) return false;
  child_ = spare_;
  spare_ = -1;
  spare_socket_.Reset();
  return true;
}

std::string Candidates::ForkFor(const RunRequestView& request, const BoxKind& kind, Frame* frame) {
  if (std::string failed = PrepareFor(kind.limits); !failed.empty()) return failed;
  BoxSpec spec = SpecOf(kind);
  spec.stdin_fd = frame->fds[0].get();
  spec.stdout_fd = frame->fds[1].get();
  spec.stderr_fd = frame->fds[2].get();
  if (frame->fds.size() == 5) {
    spec.channel_fd = frame->fds[3].get();
    spec.answer_fd = frame->fds[4].get();
  }
  if (request.measure) count_ = NewBytecodeCount();
  child_ = supervisor_.Fork(spec, [&] {
    if (count_ != nullptr && request.kind != RunKind::kExec) StartCounting(count_);
    return RunRequested(request);
  });
  return child_ > 0 ? "" : StrCat("fork: ", strerror(errno));
}

// Empty, or what failed.
std::string Candidates::Start(const RunRequestView& request, const BoxKind& kind, Frame* frame) {
  const bool same = kind == last_kind_;
  // What is counted is counted from a page that is shared before the fork; what is compared must have begun alike.
  const bool fresh = request.measure || request.exact;
  repeated_ = same && !fresh;
  last_kind_ = kind;
  if (spare_ > 0 && same && !fresh && HandOver(frame)) return "";
  DropSpare();
  return ForkFor(request, kind, frame);
}

bool Candidates::RunJob(Frame* frame) {
  RunRequestView request;
  RunReport report;
  report.cause = static_cast<uint8_t>(Cause::kFault);
  bool go_on = true;
  bool replied = false;
  bool decoded = RunRequestView::Decode(frame->payload, &request);
  size_t fds_wanted = decoded && request.kind == RunKind::kPythonJudge ? 5 : 3;
  if (!decoded || frame->fds.size() != fds_wanted) {
    report.fault = "a malformed request";
  } else {
    const bool exec = request.kind == RunKind::kExec || request.allow_exec;
    BoxKind kind{request.kind, exec ? &filters_.with_exec : &filters_.plain, request.limits,
                 request.cpu};
    affinity_.Stay(request.cpu);
    report.fault = Start(request, kind, frame);
    // The box has its own copies: kept open here, its ends would never be seen to close.
    frame->fds.clear();
    if (report.fault.empty()) {
      auto reply = [&] { replied = SendFrame(kControlFd, FrameType::kRunDone, report.Encode()); };
      // A count is complete when what counts has ended, a time when all that used it has.
      const std::function<void()> settled =
          request.measure || request.exact ? nullptr : std::function<void()>(reply);
      const bool own_image = request.kind == RunKind::kExec;
      go_on = supervisor_.Attend(child_, request.limits, own_image, kControlFd, settled, &report);
      bool full = static_cast<Cause>(report.cause) == Cause::kNonzeroExit && scratch_.IsFull();
      const bool own_end = report.cause == static_cast<uint8_t>(Cause::kOk) ||
                           report.cause == static_cast<uint8_t>(Cause::kNonzeroExit);
      if (full || (own_end && !replied && scratch_.IsOver(request.limits)))
        report.cause = static_cast<uint8_t>(Cause::kDiskLimit);
      if (!replied) Collect(world_, request, &report);
    }
  }
  if (count_ != nullptr) report.bytecodes = FinishCount(count_);
  count_ = nullptr;
  frame->fds.clear();
  // The next job is forked from this memory: nothing of this one may be found in it.
  if ((world_.without & kWithoutWipe) == 0)
    explicit_bzero(frame->payload.data(), frame->payload.size());
  return go_on && (replied || SendFrame(kControlFd, FrameType::kRunDone, report.Encode()));
}

}  // namespace

int CandidateZygoteMain(const World& world, const sandbox::WorkerConfig& config) {
  Result<Filters> filters = Begin(world, config, PrepareCandidateZygote);
  if (!filters.ok()) return 1;
  Candidates candidates(world, *filters);
  Frame frame;
  for (;;) {
    pollfd next = {kControlFd, POLLIN, 0};
    if (poll(&next, 1, kIdleMs) == 0) candidates.MakeSpare();
    if (!ReceiveFrame(kControlFd, &frame)) break;
    // An order to end a job that ended by itself comes late and means nothing.
    if (frame.type == FrameType::kRun && !candidates.RunJob(&frame)) break;
  }
  return 0;
}

namespace {

// A tester process, boxed. Blank until it is given a problem's text; then it serves that problem's completions, one after the other,
// and takes another problem only if it says that its tests can have left nothing behind.
struct Tester {
  pid_t pid = -1;
  Fd pidfd;
  Fd control;
  int64_t first_rss_kib = 0;
  int64_t last_rss_kib = 0;
  int served = 0;
  bool as_new = false;
  int64_t cpu = -1;

  bool valid() const { return pid > 0; }
};

// The current tester, and a blank one made while nobody waits, so that the next problem need not. The last problem's is stopped
// when the next one comes and ended in the next pause: giving back its memory would keep a core from the box.
class Testers {
 public:
  Testers(const World& world, const Filters& filters)
      : world_(world), filters_(filters), scratch_(world) {
    limits_.cpu_ms = 3'600'000;  // its own CPU is watched for each completion
    limits_.processes = 16;
    limits_.open_files = 64;
  }

  // False: the parent is gone.
  bool Serve(const ServeRequest& request, Frame* frame, ServeReport* report);
  // Between requests.
  void MakeSpare();
  // True while problems follow each other without a pause: there is no better moment for a spare than now.
  bool hurried() const { return hurried_; }
  void SawPause() { hurried_ = false; }

 private:
  bool Ready(const ServeRequest& request, ServeReport* report);
  bool TakeAnother();
  bool PromoteSpare();
  bool StartNew();
  bool Fork(Tester* tester, bool is_spare);
  void StopAll();
  void Retire();
  void EndRetired();
  bool LeftNothing() const;
  bool Watch(const ServeRequest& request, ServeReport* report);
  [[noreturn]] void TesterMain(bool is_spare);

  const World& world_;
  const Filters& filters_;
  Scratch scratch_;
  Affinity affinity_;
  Limits limits_;
  BoxProgress progress_ = {};
  std::string key_;
  std::string spec_;
  Tester current_;
  Tester spare_;
  Tester retired_;  // stopped
  bool hurried_ = false;
  bool looked_ = false;  // since the last completion, whether the testers left anything behind
  bool clean_ = false;
};

constexpr int kTesterJobsMax = 1000;
constexpr int kLookedAtEach = 16;  // completions that are done at once
constexpr int64_t kTesterGrowthMaxKib = 128 << 10;
// One that holds more is not kept until the next pause: its memory may be the next one's.
constexpr int64_t kRetiredGrowthMaxKib = 16 << 10;

void Testers::StopAll() {
  if (current_.valid() || spare_.valid() || retired_.valid()) EndEverything(world_);
  current_ = Tester();
  spare_ = Tester();
  retired_ = Tester();
}

// The last problem's tester runs nothing more. One that holds much memory is ended at once, as every one is where there is no
// pause for it.
void Testers::Retire() {
  if (!retired_.valid()) return;
  const bool large = retired_.last_rss_kib > retired_.first_rss_kib + kRetiredGrowthMaxKib;
  kill(-retired_.pid, large || hurried_ ? SIGKILL : SIGSTOP);
  if (large || hurried_) EndRetired();
}

// Whether the tests left no more than their own process behind, and no files.
bool Testers::LeftNothing() const {
  while (waitpid(-1, nullptr, WNOHANG) > 0) {
  }
  const int64_t expected =
      int64_t{current_.valid()} + int64_t{spare_.valid()} + int64_t{retired_.valid()};
  return MeasureAll(false).tasks <= expected && scratch_.LeftNothing();
}

void Testers::EndRetired() {
  if (retired_.valid()) {
    kill(-retired_.pid, SIGKILL);
    waitpid(retired_.pid, nullptr, 0);
  }
  retired_ = Tester();
}

void Testers::TesterMain(bool is_spare) {
  if (is_spare) TesterWarmUp();
  Frame frame;
  while (ReceiveFrame(kChannelFd, &frame)) {
    if (frame.type == FrameType::kConfig) {
      TesterPrepare(frame.payload);
      continue;
    }
    if (frame.fds.size() != 3) break;
    const char done = static_cast<char>(
        TesterServe(frame.fds[0].get(), frame.fds[1].get(), frame.fds[2].get(), frame.payload));
    frame.fds.clear();
    if (!SendFrame(kChannelFd, FrameType::kServeDone, std::string_view(&done, 1))) break;
  }
  _exit(0);
}

bool Testers::Fork(Tester* tester, bool is_spare) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) return false;
  tester->control = Fd(pair[0]);
  Fd inner(pair[1]);
  Fd nothing(open("/dev/null", O_RDWR | O_CLOEXEC));
  const int64_t other_tasks = TasksBeside(world_);
  tester->cpu = affinity_.cpu();
  tester->pid = ForkWithPython();
  if (tester->pid == 0) {
    BoxSpec spec;
    spec.world = &world_;
    spec.limits = &limits_;
    spec.filter = &filters_.plain;
    spec.stdin_fd = spec.stdout_fd = spec.stderr_fd = nothing.get();
    spec.channel_fd = inner.get();
    spec.ruleset_fd = scratch_.ruleset_fd();
    spec.trusted = true;
    spec.other_tasks = other_tasks;
    EnterBox(spec, &progress_);
    TesterMain(is_spare);
  }
  if (tester->pid < 0) return false;
  tester->pidfd = Fd(static_cast<int>(syscall(SYS_pidfd_open, tester->pid, 0)));
  return true;
}

void Testers::MakeSpare() {
  EndRetired();
  // Where /tmp is not a mount of our own, it is made anew for each tester: a spare would lose its own.
  if (!world_.private_tmp || !current_.valid() || current_.as_new) return;
  if (!looked_) clean_ = LeftNothing();
  looked_ = true;
  if (!spare_.valid() && !Fork(&spare_, true)) spare_ = Tester();
}

bool Testers::TakeAnother() {
  if (!current_.valid() || !current_.as_new) return false;
  current_.as_new = false;
  return SendFrame(current_.control.get(), FrameType::kConfig, spec_);
}

// The spare becomes the current tester and is told its problem's text; not if the last tests left anything behind.
bool Testers::PromoteSpare() {
  if (!spare_.valid()) return false;
  EndRetired();
  if (!looked_) clean_ = LeftNothing();
  if (!clean_ || !SendFrame(spare_.control.get(), FrameType::kConfig, spec_)) return false;
  retired_ = std::move(current_);
  current_ = std::move(spare_);
  spare_ = Tester();
  return true;
}

bool Testers::StartNew() {
  hurried_ = current_.valid();
  StopAll();
  return scratch_.Prepare(limits_) && world_.groups->Prepare(limits_) && Fork(&current_, false) &&
         SendFrame(current_.control.get(), FrameType::kConfig, spec_);
}

bool Testers::Ready(const ServeRequest& request, ServeReport* report) {
  bool same_limits = limits_.memory_mib == request.limits.tester_memory_mib;
  if (current_.valid() && key_ == request.key && same_limits) return true;
  if (key_ != request.key) {
    if (!request.has_spec) {
      report->needs_spec = true;
      return false;
    }
    key_ = request.key;
    spec_ = request.spec;
  }
  if (!same_limits) StopAll();
  limits_.memory_mib = request.limits.tester_memory_mib;
  if (TakeAnother() || PromoteSpare() || StartNew()) return true;
  report->fault = StrCat("starting a tester: ", strerror(errno));
  return false;
}

bool Testers::Serve(const ServeRequest& request, Frame* frame, ServeReport* report) {
  report->cause = static_cast<uint8_t>(Cause::kFault);
  int fds[3] = {frame->fds[0].get(), frame->fds[1].get(), frame->fds[2].get()};
  bool sent = false;
  affinity_.Stay(request.cpu);
  for (int attempt = 0; attempt < 2 && !sent; ++attempt) {
    if (!Ready(request, report)) return true;
    if (current_.cpu != request.cpu) affinity_.Take(current_.pid);
    current_.cpu = request.cpu;
    sent = SendFrame(current_.control.get(), FrameType::kServe, request.request, fds, 3);
    if (!sent) StopAll();
  }
  frame->fds.clear();
  looked_ = false;
  // While the next one works already.
  Retire();
  if (!sent) {
    report->fault = "the tester is gone";
    return true;
  }
  return Watch(request, report);
}

// Until the tester says that it is done, ends, or is over a limit.
bool Testers::Watch(const ServeRequest& request, ServeReport* report) {
  const double start_cpu = ProcessCpuMs(current_.pid);
  const double start = NowMs();
  // Most are done before the first look: what a short one has waited or grown counts for nothing, and looking is not free.
  bool looked = false;
  double delay_before_ms = 0;
  // A tester that waits for its candidate uses no CPU; the candidate's own wall clock ends that long before this.
  const double wall_max =
      static_cast<double>(WallMaxMs(request.limits.wall_ms) + 2 * request.limits.tester_cpu_ms) +
      2000;
  Cause cause = Cause::kOk;
  double tick = 5;
  TesterIs left = TesterIs::kWorn;
  while (cause == Cause::kOk) {
    pollfd waits[3] = {{current_.control.get(), POLLIN, 0},
                       {kControlFd, POLLIN, 0},
                       {current_.pidfd.get(), POLLIN, 0}};
    int ready = poll(waits, 3, static_cast<int>(tick));
    report->cpu_ms = ProcessCpuMs(current_.pid) - start_cpu;
    if (ready > 0 && waits[0].revents != 0) {
      Frame done;
      if (!ReceiveFrame(current_.control.get(), &done)) {
        cause = Cause::kSignal;
        break;
      }
      if (!done.payload.empty()) left = static_cast<TesterIs>(done.payload[0]);
      break;
    }
    if (!looked) delay_before_ms = ReadRunTimes(current_.pid).delay_ms;
    looked = true;
    if (ready > 0 && waits[2].revents != 0) cause = Cause::kSignal;
    if (ready > 0 && waits[1].revents != 0) {
      Frame order;
      if (!ReceiveFrame(kControlFd, &order)) return false;
      cause = Cause::kWallLimit;
    }
    if (report->cpu_ms > static_cast<double>(request.limits.tester_cpu_ms))
      cause = Cause::kCpuLimit;
    if (NowMs() - start > wall_max) cause = Cause::kWallLimit;
    if (ResidentKib(current_.pid) > request.limits.tester_memory_mib << 10)
      cause = Cause::kMemoryLimit;
    tick = std::min(tick * 1.5, 20.0);
  }
  if (looked)
    report->run_delay_ms = std::max(ReadRunTimes(current_.pid).delay_ms - delay_before_ms, 0.0);
  if (cause == Cause::kSignal && world_.groups->KilledForMemory()) cause = Cause::kMemoryLimit;
  report->cause = static_cast<uint8_t>(cause);
  int64_t rss = current_.last_rss_kib;
  if (cause != Cause::kOk) rss = 0;
  if (cause == Cause::kOk && (looked || current_.served % kLookedAtEach == 0))
    rss = ResidentKib(current_.pid);
  if (current_.served++ == 0) current_.first_rss_kib = rss;
  current_.last_rss_kib = rss;
  bool worn =
      current_.served >= kTesterJobsMax || rss > current_.first_rss_kib + kTesterGrowthMaxKib;
  current_.as_new = left == TesterIs::kAsNew;
  if (cause != Cause::kOk || left == TesterIs::kWorn || worn) StopAll();
  return true;
}

}  // namespace

int TesterZygoteMain(const World& world, const sandbox::WorkerConfig& config) {
  Result<Filters> filters = Begin(world, config, PrepareTesterZygote);
  if (!filters.ok()) return 1;
  Testers testers(world, *filters);
  Frame frame;
  for (;;) {
    // In a pause: when a tester is done, the box and the parent still need the cores.
    pollfd next = {kControlFd, POLLIN, 0};
    const bool pause = poll(&next, 1, testers.hurried() ? 0 : kIdleMs) == 0;
    if (pause) testers.MakeSpare();
    if (pause && poll(&next, 1, kIdleMs) == 0) testers.SawPause();
    if (!ReceiveFrame(kControlFd, &frame)) break;
    if (frame.type != FrameType::kServe) continue;
    ServeRequest request;
    ServeReport report;
    if (!ServeRequest::Decode(frame.payload, &request) || frame.fds.size() != 3) {
      report.fault = "a malformed request";
    } else if (!testers.Serve(request, &frame, &report)) {
      break;
    }
    frame.fds.clear();
    if (!SendFrame(kControlFd, FrameType::kServeDone, report.Encode())) break;
  }
  return 0;
}

}  // namespace assay::jail
