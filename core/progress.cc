#include "core/progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core/text.h"

namespace assay {
namespace {

int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

std::string Duration(double seconds) {
  const int64_t whole = static_cast<int64_t>(seconds + 0.5);
  if (whole < 60) return StrCat(whole, " s");
  if (whole < 3600) return StrCat(whole / 60, " min ", whole % 60, " s");
  return StrCat(whole / 3600, " h ", whole % 3600 / 60, " min");
}

}  // namespace

bool Progress::StderrIsTerminal() { return isatty(STDERR_FILENO) == 1; }

Progress::Progress(std::string label, int64_t total, bool enabled)
    : label_(std::move(label)),
      total_(total),
      enabled_(enabled && StderrIsTerminal()),
      start_ns_(NowNs()) {}

Progress::~Progress() { Done(); }

void Progress::Update(int64_t done, const std::string& note) {
  if (!enabled_) return;
  const int64_t now = NowNs();
  if (drawn_ && now - last_draw_ns_ < 100'000'000) return;
  last_draw_ns_ = now;
  drawn_ = true;
  std::string line = StrCat("\r\x1b[K", label_, " ");
  if (total_ > 0) {
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total_));
    const int filled = static_cast<int>(share * 24);
    StrAppend(&line, "[", std::string(filled, '#'), std::string(24 - filled, '.'), "] ",
              FixedDigits(share * 100, 0), " %");
    const double elapsed = static_cast<double>(now - start_ns_) * 1e-9;
    if (share > 0.01 && elapsed > 1)
      StrAppend(&line, ", ", Duration(elapsed * (1 - share) / share), " left");
  } else {
    StrAppend(&line, WithThousands(done));
  }
  if (!note.empty()) StrAppend(&line, ", ", note);
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
}

void Progress::Done() {
  if (drawn_) std::fputs("\r\x1b[K", stderr);
  drawn_ = false;
}

}  // namespace assay
