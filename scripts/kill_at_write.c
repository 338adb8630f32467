// Preloaded into a program under test: kills it with SIGKILL inside its Nth write to a regular file (KILL_AT_WRITE=N), after
// half of that write's bytes. What was hit goes to the file KILL_REPORT. For scripts/kill_resume.py only.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;

static void Report(int fd) {
  char link[64] = "/proc/self/fd/", path[512], digits[16];
  int n = 0;
  do {
    digits[n++] = (char)('0' + fd % 10);
    fd /= 10;
  } while (fd > 0);
  size_t at = strlen(link);
  while (n > 0) link[at++] = digits[--n];
  ssize_t length = readlink(link, path, sizeof path);
  int report = open(getenv("KILL_REPORT"), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  ssize_t (*real_write)(int, const void*, size_t) = (ssize_t(*)(int, const void*, size_t))dlsym(RTLD_NEXT, "write");
  if (report >= 0 && length > 0) (void)!real_write(report, path, (size_t)length);
}

// True if this call is the one to die in.
static int Due(int fd) {
  const char* at = getenv("KILL_AT_WRITE");
  struct stat info;
  if (at == NULL || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return 0;
  return atomic_fetch_add(&calls, 1) + 1 == atol(at);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  ssize_t (*real)(int, const void*, size_t) = (ssize_t(*)(int, const void*, size_t))dlsym(RTLD_NEXT, "write");
  if (!Due(fd)) return real(fd, bytes, size);
  (void)!real(fd, bytes, size / 2);
  Report(fd);
  kill(getpid(), SIGKILL);
  return -1;
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  ssize_t (*real)(int, const void*, size_t, off64_t) =
      (ssize_t(*)(int, const void*, size_t, off64_t))dlsym(RTLD_NEXT, "pwrite64");
  if (!Due(fd)) return real(fd, bytes, size, offset);
  (void)!real(fd, bytes, size / 2, offset);
  Report(fd);
  kill(getpid(), SIGKILL);
  return -1;
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) { return pwrite64(fd, bytes, size, offset); }
