// Preloaded into a program under test, for scripts/kill_resume.py only. Counts the writes to files whose name ends in
// KILL_FILE and kills the program with SIGKILL inside number KILL_AT_WRITE, after half of that write's bytes. With KILL_STEPS
// instead it counts files whose name contains that being renamed or removed, and dies just before number KILL_AT_WRITE. If the
// program lives to its end, the count goes to the file KILL_REPORT.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

typedef ssize_t (*WriteFn)(int, const void*, size_t);
typedef ssize_t (*PwriteFn)(int, const void*, size_t, off64_t);

static atomic_long calls;

static int IsWatched(int fd) {
  const char* suffix = getenv("KILL_FILE");
  if (suffix == NULL) return 0;
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path);
  const size_t wanted = strlen(suffix);
  return length >= (ssize_t)wanted && memcmp(path + length - wanted, suffix, wanted) == 0;
}

// True if this call is the one to die in.
static int IsDue(int fd) {
  if (!IsWatched(fd)) return 0;
  const char* at = getenv("KILL_AT_WRITE");
  return atomic_fetch_add(&calls, 1) + 1 == (at == NULL ? -1 : atol(at));
}

static void CountStep(const char* path) {
  const char* part = getenv("KILL_STEPS");
  const char* at = getenv("KILL_AT_WRITE");
  if (part == NULL || strstr(path, part) == NULL) return;
  if (atomic_fetch_add(&calls, 1) + 1 == (at == NULL ? -1 : atol(at))) kill(getpid(), SIGKILL);
}

int rename(const char* from, const char* to) {
  CountStep(from);
  return ((int (*)(const char*, const char*))dlsym(RTLD_NEXT, "rename"))(from, to);
}

int unlink(const char* path) {
  CountStep(path);
  return ((int (*)(const char*))dlsym(RTLD_NEXT, "unlink"))(path);
}

ssize_t write(int fd, const void* bytes, size_t size) {
  const WriteFn real = (WriteFn)dlsym(RTLD_NEXT, "write");
  if (!IsDue(fd)) return real(fd, bytes, size);
  (void)!real(fd, bytes, size / 2);
  kill(getpid(), SIGKILL);
  return -1;
}

ssize_t pwrite64(int fd, const void* bytes, size_t size, off64_t offset) {
  const PwriteFn real = (PwriteFn)dlsym(RTLD_NEXT, "pwrite64");
  if (!IsDue(fd)) return real(fd, bytes, size, offset);
  (void)!real(fd, bytes, size / 2, offset);
  kill(getpid(), SIGKILL);
  return -1;
}

ssize_t pwrite(int fd, const void* bytes, size_t size, off_t offset) { return pwrite64(fd, bytes, size, offset); }

__attribute__((destructor)) static void Report(void) {
  const char* path = getenv("KILL_REPORT");
  FILE* report = path == NULL ? NULL : fopen(path, "w");
  if (report == NULL) return;
  fprintf(report, "%ld", atomic_load(&calls));
  fclose(report);
}
