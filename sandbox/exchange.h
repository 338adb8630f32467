// One job on one slot, seen from this process: pipes, the poll loop that drains output while the program runs, the request and
// the report. Thread-compatible: all state is the call's own. Choosing slots, retries and verdicts are sandbox.cc's.
#pragma once

#include <string>

#include "sandbox/proto.h"
#include "sandbox/sandbox.h"

namespace assay::sandbox {

struct RunExchange {
  RunResult result;
  std::vector<std::string> collected;  // path, bytes, ...
  bool lost = false;                   // the worker died or fell silent: `result` means nothing
};
RunExchange ExchangeRun(int worker_socket, const RunRequest& request, std::string_view stdin_bytes);

// Two programs in two boxes of two workers, each one's output the other's input.
struct TalkExchange {
  RunResult program;
  RunResult interactor;
  bool program_lost = false;
  bool interactor_lost = false;
};
TalkExchange ExchangeTalk(int program_socket, int interactor_socket, const RunRequest& program,
                          const RunRequest& interactor);

struct JudgeExchange {
  JudgeResult result;
  bool candidate_lost = false;
  bool tester_lost = false;
};
// `send_spec`: the tester's zygote does not have the key's text yet. `cpu`: where both run; -1: anywhere.
JudgeExchange ExchangeJudge(int candidate_socket, int tester_socket, const JudgeJob& job,
                            bool send_spec, int64_t cpu);

}  // namespace assay::sandbox
