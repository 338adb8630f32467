// What this process and `assay-jail` say to each other: length-prefixed frames on a stream socket pair, descriptors attached
// to the frame's first byte, fields little-endian and in a fixed order. Both ends are ours and of one build (the version is
// checked in the first frame); nothing a candidate writes is ever decoded here. Not thread-safe: one owner an end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "sandbox/limits.h"

namespace assay::sandbox {

inline constexpr uint32_t kProtoVersion = 4;
inline constexpr size_t kMaxFrameBytes = size_t{1} << 30;
inline constexpr int kMaxFrameFds = 8;

enum class FrameType : uint8_t {
  kConfig = 1,  // to the worker: WorkerConfig
  kHello,       // back: WorkerHello
  kRun,  // to a candidate zygote: RunRequest; descriptors: stdin, stdout, stderr[, requests, answers]
  kEnd,        // to a zygote: stop the running job (payload: one byte, EndReason)
  kRunDone,    // back: RunReport
  kServe,      // to a tester zygote: ServeRequest; descriptors: answers, requests, result
  kServeDone,  // back: ServeReport
};

enum class EndReason : uint8_t { kJudged = 1, kOutputLimit, kWallLimit, kParentGone };

// Owns one descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(other.Release()) {}
  Fd& operator=(Fd&& other) noexcept;
  ~Fd() { Reset(); }
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int Release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void Reset();

 private:
  int fd_ = -1;
};

class Writer {
 public:
  void U8(uint8_t value) { out_.push_back(static_cast<char>(value)); }
  void I64(int64_t value);
  void F64(double value);
  void Bytes(std::string_view bytes);
  void Strings(const std::vector<std::string>& list);
  const std::string& bytes() const { return out_; }

 private:
  std::string out_;
};

// Views into the frame's bytes. After a short read every further read gives zero or "" and ok() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  uint8_t U8();
  int64_t I64();
  double F64();
  std::string_view Bytes();
  std::vector<std::string> Strings();
  bool ok() const { return ok_; }

 private:
  std::string_view Take(size_t size);
  std::string_view rest_;
  bool ok_ = true;
};

struct Frame {
  FrameType type = FrameType::kEnd;
  std::string payload;
  std::vector<Fd> fds;
};

// Blocking; false when the other end is gone (EPIPE is no signal) or, for reads, on a malformed header.
bool SendFrame(int socket, FrameType type, std::string_view payload, const int* fds = nullptr,
               int fd_count = 0);
bool ReceiveFrame(int socket, Frame* frame);

enum class Role : uint8_t { kCandidate = 1, kTester = 2 };

struct WorkerConfig {
  Role role = Role::kCandidate;
  int64_t slot = 0;
  uint8_t isolation = 0;  // 0: best; else 1 + Tier
  std::vector<std::string>
      packages;  // folders of Python packages: readable in every box, on sys.path
  std::vector<std::string> preimport;
  std::string python_library;  // SandboxConfig::python_library
  uint32_t without = 0;        // layers switched off (sandbox/weakened.h)

  std::string Encode() const;
  static bool Decode(std::string_view bytes, WorkerConfig* out);
};

struct WorkerHello {
  std::string error;  // "" or why no worker
  uint8_t tier = 0;
  std::string python_version;
  std::vector<std::string> layers;  // "name=state", for Describe()
  std::string policy;               // the policy as text

  std::string Encode() const;
  static bool Decode(std::string_view bytes, WorkerHello* out);
};

enum class RunKind : uint8_t {
  kPythonProgram = 1,  // `source` as __main__
  kPythonJudge,        // `source` is RunCandidate's spec; the tester's pipes are attached
  kExec,               // `argv`
};

struct RunRequest {
  RunKind kind = RunKind::kPythonProgram;
  bool allow_exec = false;
  bool measure = false;  // count bytecodes
  bool exact = false;    // a fresh box, and figures of all its processes to their very end
  int64_t cpu = -1;      // where to run; -1: anywhere
  Limits limits;
  std::string source;
  std::vector<std::string> args;     // argv for kExec; sys.argv[1:] else
  std::vector<std::string> files;    // path, bytes, path, bytes, ...
  std::vector<std::string> collect;  // files to hand back after success (compile step)

  std::string Encode() const;
};

// The same, as views into the frame (so that the zygote can wipe the one copy it has).
struct RunRequestView {
  RunKind kind;
  bool allow_exec;
  bool measure;
  bool exact;
  int64_t cpu;
  Limits limits;
  std::string_view source;
  std::vector<std::string_view> args;
  std::vector<std::string_view> files;
  std::vector<std::string_view> collect;

  static bool Decode(std::string_view bytes, RunRequestView* out);
};

struct RunReport {
  std::string fault;  // "" or a step of ours that failed
  uint8_t cause = 0;  // Cause
  int64_t exit_code = -1;
  int64_t signal = 0;
  double cpu_ms = 0;
  double wall_ms = 0;
  int64_t peak_memory_kib = 0;
  int64_t process_peak = 0;
  double run_delay_share = 0;
  int64_t bytecodes = -1;
  bool ended_by_us = false;
  std::vector<std::string> collected;  // path, bytes, ...

  std::string Encode() const;
  static bool Decode(std::string_view bytes, RunReport* out);
};

struct ServeRequest {
  std::string key;
  bool has_spec = false;
  std::string spec;
  std::string request;
  int64_t cpu = -1;  // as in RunRequest
  Limits limits;

  std::string Encode() const;
  static bool Decode(std::string_view bytes, ServeRequest* out);
};

struct ServeReport {
  std::string fault;
  uint8_t cause = 0;
  double cpu_ms = 0;
  double run_delay_ms = 0;  // how long the scheduler kept the tester waiting
  bool needs_spec =
      false;  // the zygote does not know this key: send the spec with the next request

  std::string Encode() const;
  static bool Decode(std::string_view bytes, ServeReport* out);
};

}  // namespace assay::sandbox
