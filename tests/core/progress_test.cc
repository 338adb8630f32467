// What is drawn where: stderr is a terminal of a width, one that cannot go back, or a file. The clock is the test's own.
#include "core/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <string>

namespace assay {
namespace {

int64_t g_now = 0;
int64_t Now() { return g_now; }
constexpr int64_t kSecond = 1'000'000'000;

// stderr as long as it lives; what was written there comes back.
class Stderr {
 public:
  // `columns` 0: a pipe, else a terminal of that width.
  explicit Stderr(unsigned short columns) : saved_(dup(STDERR_FILENO)) {
    int out = -1;
    if (columns == 0) {
      int ends[2];
      EXPECT_EQ(pipe(ends), 0);
      read_ = ends[0], out = ends[1];
    } else {
      read_ = posix_openpt(O_RDWR | O_NOCTTY);
      EXPECT_EQ(grantpt(read_), 0);
      EXPECT_EQ(unlockpt(read_), 0);
      out = open(ptsname(read_), O_RDWR | O_NOCTTY);
      const winsize size{24, columns, 0, 0};
      EXPECT_EQ(ioctl(out, TIOCSWINSZ, &size), 0);
    }
    EXPECT_GE(dup2(out, STDERR_FILENO), 0);
    close(out);
    fcntl(read_, F_SETFL, O_NONBLOCK);
  }
  ~Stderr() {
    dup2(saved_, STDERR_FILENO);
    close(saved_);
    close(read_);
  }
  std::string Written() {
    char bytes[4096];
    const ssize_t count = read(read_, bytes, sizeof(bytes));
    return count > 0 ? std::string(bytes, static_cast<size_t>(count)) : "";
  }

 private:
  int saved_;
  int read_ = -1;
};

constexpr char kBack[] = "\r\x1b[K";

TEST(Progress, ATerminalsLineIsRedrawnAndKeepsToItsWidth) {
  setenv("TERM", "xterm", 1);
  Stderr err(30);
  g_now = kSecond;
  Progress progress("scored", 100, true, Now);
  progress.Update(50, "pass 71.3 %, 12,400 samples/s");
  const std::string line = err.Written();
  ASSERT_EQ(line.substr(0, 4), kBack);
  EXPECT_EQ(line.size() - 4, 29u) << line;
  g_now += kSecond / 100;
  progress.Update(51);
  EXPECT_EQ(err.Written(), "");  // ten times a second
  g_now += kSecond / 5;
  progress.Update(52);
  EXPECT_EQ(err.Written(), std::string(kBack) + "scored 52 %");  // no room for a bar
  progress.Done();
  EXPECT_EQ(err.Written(), kBack);
}

TEST(Progress, AWideTerminalHasABar) {
  setenv("TERM", "xterm", 1);
  Stderr err(100);
  g_now = kSecond;
  Progress progress("scored", 100, true, Now);
  progress.Update(50);
  EXPECT_EQ(err.Written(), std::string(kBack) + "scored [############............] 50 %");
}

TEST(Progress, WhereNothingCanBeDrawnOverALineComesEveryHalfMinute) {
  for (const unsigned short columns : {0, 80}) {
    setenv("TERM", "dumb", 1);
    Stderr err(columns);
    g_now = kSecond;
    Progress progress("scored", 100, true, Now);
    g_now += 29 * kSecond;
    progress.Update(20);
    EXPECT_EQ(err.Written(), "");
    g_now += 2 * kSecond;
    progress.Update(25, "pass 71.3 %");
    const std::string line = err.Written();
    EXPECT_EQ(line.substr(0, line.find_first_of("\r\n")),
              "scored 25 %, 1 min 33 s left, pass 71.3 %");
    g_now += 29 * kSecond;
    progress.Update(50);
    progress.Done();
    EXPECT_EQ(err.Written(), "");
  }
  setenv("TERM", "xterm", 1);
}

TEST(Progress, NothingIsSaidWhereItIsOff) {
  Stderr err(0);
  g_now = kSecond;
  Progress progress("scored", 100, false, Now);
  g_now += 100 * kSecond;
  progress.Update(50);
  progress.Done();
  EXPECT_EQ(err.Written(), "");
}

}  // namespace
}  // namespace assay
