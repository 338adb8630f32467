#include "sandbox/exchange.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "core/text.h"

namespace assay::sandbox {
namespace {

// Beyond the wall limit, which the jail itself enforces: after this it is not believed to be alive.
constexpr int64_t kSilenceMs = 10'000;
// What a pipe holds: a program whose input and output fit never waits for us, whom a busy machine may keep from reading and writing.
constexpr size_t kPipeBytes = 64 << 10;  // the kernel's default
constexpr size_t kInputPipeMax = 1 << 20;
constexpr size_t kOutputPipe = 512 << 10;
// Of the tester's limit on CPU time: tests of honest programs use a hundredth.
constexpr double kTesterAtWork = 0.25;

int64_t NowMs() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

struct Pipe {
  Fd read;
  Fd write;
};

// What a box inherits it cannot open again: it runs as another user.
bool MakePrivatePipe(Pipe* out) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return false;
  out->read = Fd(ends[0]);
  out->write = Fd(ends[1]);
  return true;
}

// A pipe that a box may open again by name (/dev/stdin).
bool MakePipe(Pipe* out) { return MakePrivatePipe(out) && fchmod(out->read.get(), 0666) == 0; }

// As far as the user may; the pipe is as it was where not.
void Widen(const Fd& pipe, size_t bytes) {
  if (bytes > kPipeBytes) fcntl(pipe.get(), F_SETPIPE_SZ, static_cast<int>(bytes));
}

void SetNonBlocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

// stdout or stderr of the box: read until the end, kept up to what is left of the job's allowance.
struct Stream {
  Fd fd;
  std::string bytes;
  bool truncated = false;
};

// Reads once. `left`: what both streams together may still keep.
void Drain(Stream* stream, int64_t* left) {
  char buffer[65536];
  ssize_t n = read(stream->fd.get(), buffer, sizeof(buffer));
  if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
  if (n <= 0) {
    stream->fd.Reset();
    return;
  }
  int64_t kept = std::min<int64_t>(n, *left);
  stream->bytes.append(buffer, static_cast<size_t>(kept));
  *left -= kept;
  if (kept < n) stream->truncated = true;
}

// Reads once and keeps nothing. False at the end.
bool Discard(int fd) {
  char buffer[65536];
  ssize_t n = read(fd, buffer, sizeof(buffer));
  return n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN));
}

// What is there already, without waiting for more.
void DrainRest(Stream* stream, int64_t* left) {
  pollfd wait = {stream->fd.get(), POLLIN, 0};
  while (stream->fd.valid() && !stream->truncated && poll(&wait, 1, 0) > 0) Drain(stream, left);
  stream->fd.Reset();
}

// For one scope: a write to a closed pipe is EPIPE and no signal, whatever the process that we are a library of has set.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    sigset_t pending;
    sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  ~NoSigpipe() {
    timespec now = {};
    if (!was_pending_) {
      while (sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
      }
    }
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_;
  sigset_t before_;
  bool was_pending_;
};

void Feed(Fd* fd, std::string_view* rest) {
  if (rest->empty()) return fd->Reset();
  NoSigpipe guard;
  while (fd->valid() && !rest->empty()) {
    // A program that does not read its input is no error: the pipe's end closes, write fails, and that is all.
    ssize_t n = write(fd->get(), rest->data(), rest->size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) break;
    rest->remove_prefix(static_cast<size_t>(n));
  }
  fd->Reset();
}

void TakeReport(const RunReport& report, RunResult* result) {
  result->cause = static_cast<Cause>(report.cause);
  result->exit_code = static_cast<int>(report.exit_code);
  result->signal = static_cast<int>(report.signal);
  result->cpu_ms = report.cpu_ms;
  result->wall_ms = report.wall_ms;
  result->peak_memory_kib = report.peak_memory_kib;
  result->process_peak = report.process_peak;
  result->run_delay_share = report.run_delay_share;
  result->bytecodes = report.bytecodes;
  result->fault = report.fault;
}

// The candidate's side of an exchange, shared by both kinds of job.
class BoxIo {
 public:
  BoxIo(int socket, const Limits& limits, std::string_view stdin_bytes)
      : socket_(socket), stdin_rest_(stdin_bytes), left_(limits.output_bytes) {}

  // Pipes, and the request with their far ends (and those of the tester's pipes, for a judge).
  bool Start(const RunRequest& request, int requests = -1, int answers = -1) {
    Pipe in, out, err;
    if (!MakePipe(&in) || !MakePipe(&out) || !MakePipe(&err)) {
      fault_ = StrCat("pipe: ", strerror(errno));
      return false;
    }
    SetNonBlocking(in.write.get());
    Widen(in.write, std::min(stdin_rest_.size(), kInputPipeMax));
    Widen(out.write, kOutputPipe);
    int fds[5] = {in.read.get(), out.write.get(), err.write.get(), requests, answers};
    lost_ = !SendFrame(socket_, FrameType::kRun, request.Encode(), fds, requests >= 0 ? 5 : 3);
    out_.fd = std::move(out.read);
    err_.fd = std::move(err.read);
    stdin_ = std::move(in.write);
    in.read.Reset();
    Feed(&stdin_, &stdin_rest_);
    return !lost_;
  }

  // Its standard input and output are given: the other end is another box.
  bool StartTalking(const RunRequest& request, int stdin_fd, int stdout_fd) {
    Pipe err;
    if (!MakePipe(&err)) {
      fault_ = StrCat("pipe: ", strerror(errno));
      return false;
    }
    int fds[3] = {stdin_fd, stdout_fd, err.write.get()};
    lost_ = !SendFrame(socket_, FrameType::kRun, request.Encode(), fds, 3);
    err_.fd = std::move(err.read);
    return !lost_;
  }

  // Appends what to wait for.
  void AddPolls(std::vector<pollfd>* polls) {
    first_ = polls->size();
    polls->push_back({done_ ? -1 : socket_, POLLIN, 0});
    polls->push_back({out_.fd.valid() ? out_.fd.get() : -1, POLLIN, 0});
    polls->push_back({err_.fd.valid() ? err_.fd.get() : -1, POLLIN, 0});
    polls->push_back({stdin_.valid() ? stdin_.get() : -1, POLLOUT, 0});
  }

  void Handle(const std::vector<pollfd>& polls) {
    if (polls[first_ + 1].revents != 0) Drain(&out_, &left_);
    if (polls[first_ + 2].revents != 0) Drain(&err_, &left_);
    if (polls[first_ + 3].revents != 0) Feed(&stdin_, &stdin_rest_);
    if ((out_.truncated || err_.truncated) && !end_sent_) End(EndReason::kOutputLimit);
    if (polls[first_].revents == 0) return;
    Frame frame;
    if (!ReceiveFrame(socket_, &frame) || frame.type != FrameType::kRunDone ||
        !RunReport::Decode(frame.payload, &report_)) {
      lost_ = true;
    }
    done_ = true;
    stdin_.Reset();
    if (!report_.ended_by_us) return;
    // The verdict stands. Some of its processes may not be gone yet, and hold the pipes.
    DrainRest(&out_, &left_);
    DrainRest(&err_, &left_);
  }

  void End(EndReason reason) {
    char byte = static_cast<char>(reason);
    if (!done_) SendFrame(socket_, FrameType::kEnd, std::string_view(&byte, 1));
    end_sent_ = true;
  }

  bool reported() const { return done_; }
  bool finished() const { return lost_ || (done_ && !out_.fd.valid() && !err_.fd.valid()); }
  bool lost() const { return lost_; }
  void SetLost() { lost_ = true; }
  const std::string& fault() const { return fault_; }
  RunReport& report() { return report_; }

  void Take(RunResult* result) {
    TakeReport(report_, result);
    result->stdout_bytes = std::move(out_.bytes);
    result->stderr_bytes = std::move(err_.bytes);
    result->stdout_truncated = out_.truncated;
    result->stderr_truncated = err_.truncated;
    // It may have ended by itself before the order arrived; the output was cut all the same.
    bool own_end = result->cause == Cause::kOk || result->cause == Cause::kNonzeroExit ||
                   result->cause == Cause::kSignal;
    if ((out_.truncated || err_.truncated) && own_end) result->cause = Cause::kOutputLimit;
  }

 private:
  int socket_;
  std::string_view stdin_rest_;
  int64_t left_;
  Fd stdin_;
  Stream out_;
  Stream err_;
  RunReport report_;
  std::string fault_;
  size_t first_ = 0;
  bool done_ = false;
  bool lost_ = false;
  bool end_sent_ = false;
};

// The last words by which runtimes say that memory was refused. They can only turn one failure into another.
bool SaysOutOfMemory(std::string_view text) {
  std::string_view tail = text.substr(text.size() > 2000 ? text.size() - 2000 : 0);
  for (std::string_view words : {"MemoryError", "std::bad_alloc", "JavaScript heap out of memory",
                                 "Cannot allocate memory"}) {
    if (tail.find(words) != std::string_view::npos) return true;
  }
  return false;
}

bool SaysNoMoreProcesses(std::string_view text) {
  std::string_view tail = text.substr(text.size() > 2000 ? text.size() - 2000 : 0);
  for (std::string_view words : {"can't start new thread", "Resource temporarily unavailable"}) {
    if (tail.find(words) != std::string_view::npos) return true;
  }
  return false;
}

void NameTheCause(RunResult* result) {
  if (result->cause != Cause::kNonzeroExit && result->cause != Cause::kSignal) return;
  if (SaysOutOfMemory(result->stderr_bytes)) {
    result->cause = Cause::kMemoryLimit;
  } else if (SaysNoMoreProcesses(result->stderr_bytes)) {
    result->cause = Cause::kProcessLimit;
  } else if (result->stderr_bytes.find("No space left on device") != std::string::npos) {
    result->cause = Cause::kDiskLimit;
  }
}

int Wait(std::vector<pollfd>* polls, int64_t deadline) {
  int64_t left = std::clamp<int64_t>(deadline - NowMs(), 0, 1'000'000'000);
  int ready = poll(polls->data(), polls->size(), static_cast<int>(left));
  if (ready < 0 && errno == EINTR) {
    for (pollfd& entry : *polls) entry.revents = 0;
    return 1;
  }
  return ready;
}

RunResult FaultResult(std::string fault) {
  RunResult result;
  result.cause = Cause::kFault;
  result.fault = std::move(fault);
  return result;
}

}  // namespace

RunExchange ExchangeRun(int worker_socket, const RunRequest& request,
                        std::string_view stdin_bytes) {
  RunExchange exchange;
  BoxIo io(worker_socket, request.limits, stdin_bytes);
  if (!io.Start(request) && !io.lost()) {
    exchange.result = FaultResult(io.fault());
    return exchange;
  }
  int64_t deadline = NowMs() + WallMaxMs(request.limits.wall_ms) + kSilenceMs;
  std::vector<pollfd> polls;
  while (!io.finished()) {
    polls.clear();
    io.AddPolls(&polls);
    if (Wait(&polls, deadline) <= 0) io.SetLost();
    io.Handle(polls);
  }
  exchange.lost = io.lost();
  io.Take(&exchange.result);
  NameTheCause(&exchange.result);
  exchange.collected = std::move(io.report().collected);
  return exchange;
}

TalkExchange ExchangeTalk(int program_socket, int interactor_socket, const RunRequest& program,
                          const RunRequest& interactor) {
  TalkExchange exchange;
  Pipe to_program, to_interactor;
  if (!MakePipe(&to_program) || !MakePipe(&to_interactor)) {
    exchange.program = exchange.interactor = FaultResult(StrCat("pipe: ", strerror(errno)));
    return exchange;
  }
  BoxIo box(program_socket, program.limits, "");
  BoxIo judge(interactor_socket, interactor.limits, "");
  // The interactor first: the program's clock runs from its start.
  bool started = judge.StartTalking(interactor, to_interactor.read.get(), to_program.write.get()) &&
                 box.StartTalking(program, to_program.read.get(), to_interactor.write.get());
  to_program.write.Reset();
  to_interactor = Pipe();
  // What the interactor says last a program need not read: this end stays open, and is drained when nobody else reads it.
  Fd last_words = std::move(to_program.read);
  exchange.program_lost = box.lost() || !started;
  exchange.interactor_lost = judge.lost() || !started;
  if (!started) return exchange;
  int64_t deadline = NowMs() + WallMaxMs(interactor.limits.wall_ms) + kSilenceMs;
  std::vector<pollfd> polls;
  while (!(box.finished() && judge.finished()) && !box.lost() && !judge.lost()) {
    polls.clear();
    box.AddPolls(&polls);
    judge.AddPolls(&polls);
    const size_t last = polls.size();
    polls.push_back({box.reported() ? last_words.get() : -1, POLLIN, 0});
    if (Wait(&polls, deadline) <= 0) {
      if (!box.reported()) box.SetLost();
      if (!judge.reported()) judge.SetLost();
      break;
    }
    box.Handle(polls);
    judge.Handle(polls);
    if (polls[last].revents != 0 && !Discard(last_words.get())) last_words.Reset();
  }
  exchange.program_lost = box.lost();
  exchange.interactor_lost = judge.lost();
  if (box.lost() || judge.lost()) return exchange;
  box.Take(&exchange.program);
  judge.Take(&exchange.interactor);
  NameTheCause(&exchange.program);
  return exchange;
}

namespace {

// The tester's side: its report, and the bytes of its result channel.
struct TesterIo {
  int socket = -1;
  Stream result;
  int64_t left = kMaxJudgeResultBytes;
  ServeReport report;
  bool done = false;
  bool lost = false;

  void AddPolls(std::vector<pollfd>* polls) {
    polls->push_back({done ? -1 : socket, POLLIN, 0});
    polls->push_back({result.fd.valid() ? result.fd.get() : -1, POLLIN, 0});
  }
  void Handle(const std::vector<pollfd>& polls, size_t first) {
    if (polls[first + 1].revents != 0) Drain(&result, &left);
    if (polls[first].revents == 0) return;
    Frame frame;
    lost = !ReceiveFrame(socket, &frame) || frame.type != FrameType::kServeDone ||
           !ServeReport::Decode(frame.payload, &report);
    done = true;
  }
  bool finished() const { return lost || (done && !result.fd.valid()); }
};

bool StartTester(const JudgeJob& job, bool send_spec, int64_t cpu, int answers, int requests,
                 TesterIo* tester) {
  Pipe result;
  if (!MakePipe(&result)) return false;
  ServeRequest request;
  request.key = job.tester_key;
  request.has_spec = send_spec;
  if (send_spec) request.spec = job.tester_spec;
  request.request = job.tester_request;
  request.cpu = cpu;
  request.limits = job.limits;
  int fds[3] = {answers, requests, result.write.get()};
  tester->lost = !SendFrame(tester->socket, FrameType::kServe, request.Encode(), fds, 3);
  tester->result.fd = std::move(result.read);
  return true;
}

void PollBoth(BoxIo* box, TesterIo* tester, int64_t deadline) {
  std::vector<pollfd> polls;
  while (!(box->finished() && tester->finished()) && !box->lost() && !tester->lost) {
    polls.clear();
    box->AddPolls(&polls);
    size_t first = polls.size();
    tester->AddPolls(&polls);
    if (Wait(&polls, deadline) <= 0) {
      // Silence: whichever has not reported is not believed any more.
      if (!box->reported()) box->SetLost();
      if (!tester->done) tester->lost = true;
      return;
    }
    box->Handle(polls);
    bool was_done = tester->done;
    tester->Handle(polls, first);
    if (tester->done && !was_done) box->End(EndReason::kJudged);
  }
}

}  // namespace

JudgeExchange ExchangeJudge(int candidate_socket, int tester_socket, const JudgeJob& job,
                            bool send_spec, int64_t cpu) {
  JudgeExchange exchange;
  // Two pipes and no socket: a descriptor cannot be sent over a pipe, and one end alone says which way bytes may go.
  Pipe requests, answers;
  if (!MakePrivatePipe(&requests) || !MakePrivatePipe(&answers)) {
    exchange.result.candidate = FaultResult(StrCat("pipe: ", strerror(errno)));
    return exchange;
  }
  RunRequest request;
  request.kind = RunKind::kPythonJudge;
  request.allow_exec =
      std::find(job.allow.begin(), job.allow.end(), "subprocess") != job.allow.end();
  request.measure = job.measure_bytecodes;
  request.exact = job.exact_usage;
  request.cpu = cpu;
  request.limits = job.limits;
  request.source = job.candidate_spec;
  BoxIo box(candidate_socket, job.limits, "");
  TesterIo tester;
  tester.socket = tester_socket;
  // The tester first: it waits without using CPU, while the candidate's clock runs from its start.
  bool started =
      StartTester(job, send_spec, cpu, answers.read.get(), requests.write.get(), &tester) &&
      !tester.lost && box.Start(request, requests.read.get(), answers.write.get());
  requests = Pipe();
  answers = Pipe();
  exchange.candidate_lost = box.lost();
  exchange.tester_lost = tester.lost;
  if (!started) {
    exchange.result.candidate = FaultResult(StrCat("starting a judge: ", box.fault()));
    exchange.tester_lost = true;  // whatever it is doing, it is not ours any more
    return exchange;
  }
  PollBoth(&box, &tester,
           NowMs() + WallMaxMs(job.limits.wall_ms) + 2 * job.limits.tester_cpu_ms + kSilenceMs);
  exchange.candidate_lost = box.lost();
  exchange.tester_lost = tester.lost;
  if (box.lost() || tester.lost) return exchange;
  box.Take(&exchange.result.candidate);
  exchange.result.ended_by_us = box.report().ended_by_us;
  exchange.result.tester_cause = static_cast<Cause>(tester.report.cause);
  exchange.result.tester_cpu_ms = tester.report.cpu_ms;
  // Whoever waits for a tester that others keep from running is kept waiting too, unless it is the box that does so.
  RunResult& candidate = exchange.result.candidate;
  // A tester that has used a good part of its CPU time was at work on what the program returned: no machine kept it from that.
  const bool at_work =
      tester.report.cpu_ms > kTesterAtWork * static_cast<double>(job.limits.tester_cpu_ms);
  if (at_work && exchange.result.tester_cause == Cause::kWallLimit)
    exchange.result.tester_cause = Cause::kCpuLimit;
  const double tester_ms =
      at_work ? 0 : std::max(tester.report.run_delay_ms - candidate.cpu_ms, 0.0);
  candidate.run_delay_share =
      std::min(1.0, candidate.run_delay_share + tester_ms / std::max(candidate.wall_ms, 1.0));
  if (!tester.report.fault.empty()) exchange.result.candidate = FaultResult(tester.report.fault);
  if (tester.result.truncated) exchange.result.tester_cause = Cause::kOutputLimit;
  if (exchange.result.tester_cause == Cause::kOk)
    exchange.result.result = std::move(tester.result.bytes);
  return exchange;
}

}  // namespace assay::sandbox
