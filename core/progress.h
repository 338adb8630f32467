// Progress: one line on stderr, redrawn at most ten times a second, cut to the terminal's width. Where stderr is no terminal, or one
// that cannot go back (TERM=dumb), a line of its own every 30 seconds. Update and Done may be called from one thread only.
#pragma once

#include <cstdint>
#include <string>

namespace assay {

class Progress {
 public:
  // Nanoseconds of a clock that does not go back.
  using Clock = int64_t (*)();
  static int64_t SteadyClock();

  // `total` <= 0: unknown. `enabled` false: everything is a no-op.
  Progress(std::string label, int64_t total, bool enabled, Clock clock = SteadyClock);
  ~Progress();
  // `note`: a few words behind the bar ("pass 71.3 %, 12,400 samples/s").
  void Update(int64_t done, const std::string& note = "");
  void Done();

  // True if stderr is a terminal.
  static bool StderrIsTerminal();

 private:
  std::string label_;
  int64_t total_;
  bool enabled_;
  Clock clock_;
  bool redraws_ = false;  // else a line now and then
  bool drawn_ = false;
  int64_t start_ns_ = 0;
  int64_t last_draw_ns_ = 0;
};

}  // namespace assay
