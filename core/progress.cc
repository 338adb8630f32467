#include "core/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/text.h"

namespace assay {
namespace {

std::string Duration(double seconds) {
  const int64_t whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 60) return StrCat(whole, " s");
  if (whole < 3600) return StrCat(whole / 60, " min ", whole % 60, " s");
  return StrCat(whole / 3600, " h ", whole % 3600 / 60, " min");
}

constexpr int64_t kRedrawNs = 100'000'000;
constexpr int64_t kLogNs = 30'000'000'000;
constexpr int kBar = 24;
constexpr size_t kWide = 60;  // below, figures take the bar's place

bool IsDumb() {
  const char* const terminal = std::getenv("TERM");
  return terminal == nullptr || std::strcmp(terminal, "dumb") == 0 || *terminal == '\0';
}

// The terminal's width; wide where it does not say.
size_t Columns() {
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 8) return 200;
  return size.ws_col;
}

}  // namespace

bool Progress::StderrIsTerminal() { return isatty(STDERR_FILENO) == 1; }

int64_t Progress::SteadyClock() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

Progress::Progress(std::string label, int64_t total, bool enabled, Clock clock)
    : label_(std::move(label)),
      total_(total),
      enabled_(enabled),
      clock_(clock),
      redraws_(StderrIsTerminal() && !IsDumb()),
      start_ns_(clock()) {}

Progress::~Progress() { Done(); }

void Progress::Update(int64_t done, const std::string& note) {
  if (!enabled_) return;
  const int64_t now = clock_();
  const int64_t since = now - (last_draw_ns_ == 0 ? start_ns_ : last_draw_ns_);
  if (redraws_ ? drawn_ && since < kRedrawNs : since < kLogNs) return;
  last_draw_ns_ = now;
  std::string line = StrCat(label_, " ");
  if (total_ > 0) {
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
    const int filled = static_cast<int>(share * kBar);
    if (redraws_ && Columns() >= kWide)
      StrAppend(&line, "[", std::string(filled, '#'), std::string(kBar - filled, '.'), "] ");
    StrAppend(&line, FixedDigits(share * 100, 0), " %");
    const double elapsed = static_cast<double>(now - start_ns_) * 1e-9;
    if (share > 0.01 && elapsed > 1)
      StrAppend(&line, ", ", Duration(elapsed * (1 - share) / share), " left");
  } else {
    StrAppend(&line, WithThousands(done));
  }
  if (!note.empty()) StrAppend(&line, ", ", note);
  if (redraws_) {
    drawn_ = true;
    line.resize(std::min(line.size(), Columns() - 1));  // a line that wraps cannot be drawn over
    line.insert(0, "\r\x1b[K");
  } else {
    line += '\n';
  }
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

void Progress::Done() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

}  // namespace assay
