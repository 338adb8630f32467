// One `assay-jail` process and the socket to it. Started by exec (Boost.Process) and owned: closing the socket ends it and everything
// below it. Not thread-safe; a slot of the pool owns its workers one thread at a time.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>

#include "core/result.h"
#include "sandbox/proto.h"

namespace assay::sandbox {

class Worker {
 public:
  // Starts it and waits for its hello. Errors: kUnavailable, with the jail's own words.
  static Result<std::unique_ptr<Worker>> Start(const std::string& jail_path,
                                               const WorkerConfig& config);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Ends the conversation from any thread: whoever talks with it finds it lost, and it ends with all its boxes.
  void HangUp();
  // In a child that was forked from the owner: closes this copy of the socket, so that the owner's end ends the worker.
  void AbandonAfterFork() { socket_.Reset(); }
  int socket() const { return socket_.get(); }
  pid_t pid() const { return pid_; }
  const WorkerHello& hello() const { return hello_; }

 private:
  Worker() = default;
  void End();
  Fd socket_;
  pid_t pid_ = -1;
  WorkerHello hello_;
};

// The jail's executable: `configured`, else $ASSAY_JAIL, else `assay-jail` beside this executable or in ../libexec/assay.
Result<std::string> FindJail(const std::string& configured);

}  // namespace assay::sandbox
