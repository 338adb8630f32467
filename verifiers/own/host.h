// Host: a process outside of the box that judges for us: the user's own interpreter with their reward function, or the host of a
// plugin. It runs with the user's rights and environment, since what it runs is theirs. Requests and answers are frames (four bytes of
// length, little-endian, then JSON) over a socket that is its descriptor 3. Its descriptor 4 is eight bytes of shared memory in which it
// says what it is at: the place of a sample in the request, counted from 1, or 0. What it prints is read and forgotten but for its last
// words. One thread at a time.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"

namespace assay::own {

inline constexpr size_t kHostAnswerBytesMax = size_t{64} << 20;

class Host {
 public:
  // Errors: kUnavailable (no such program, no more processes).
  static Result<std::unique_ptr<Host>> Start(const std::vector<std::string>& argv);
  // Kills it and whatever it started that is still of its process group; not in a fork of the process that started it.
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  enum class End {
    kAnswered,
    kDied,         // it ended, closed its socket or broke the protocol
    kTimedOut,     // neither an answer nor another sample for so long
    kInterrupted,  // `interrupted` was set meanwhile
  };
  // After anything but kAnswered the process is good for nothing any more.
  End Ask(std::string_view request, double quiet_s_max, const std::atomic<bool>* interrupted,
          std::string* answer);

  // The place of the sample that it is or was at, counted from 1; 0: all of them at once, or none.
  uint64_t At() const;
  // The end of what it printed, and, once it has ended, how.
  std::string LastWords();

 private:
  Host() = default;
  void ReadWords();
  End Exchange(std::string_view out, double quiet_s_max, const std::atomic<bool>* interrupted,
               std::string* answer);

  int owner_ = -1;  // the process that started it
  int pid_ = -1;
  int socket_ = -1;
  int words_fd_ = -1;
  volatile uint64_t* progress_ = nullptr;
  std::string words_;
};

}  // namespace assay::own
