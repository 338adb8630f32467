// Checkpointer: copies what a large run has committed from the write-ahead log into the store's file, on a thread and a
// connection of its own, so that scoring need not wait for the disk. Only a help: it never blocks the writer, and whatever it
// could not do (another process holds the lock, the disk is full) the writer's own checkpoint does or reports. Part of Store.
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace assay::sqlite {

class Checkpointer {
 public:
  explicit Checkpointer(std::string path) : path_(std::move(path)) {}
  // Ends the thread. To be called before the writer's connection closes: the last one to close removes the log.
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // After a commit. The first call starts the thread.
  void Wake();

 private:
  void Run();

  const std::string path_;
  std::mutex mutex_;
  std::condition_variable woken_;
  bool wanted_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace assay::sqlite
