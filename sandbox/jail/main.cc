// assay-jail: one worker of the sandbox (sandbox/sandbox.h), started by exec with its control socket as descriptor 3. This process
// stays outside of the namespaces and does nothing but wait: for its zygote, which does the work, and for its parent, whose
// end must leave nothing behind. Not a tool for people: `assay run` is.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/jail/landlock.h"
#include "sandbox/jail/measure.h"
#include "sandbox/jail/supervise.h"
#include "sandbox/jail/world.h"
#include "sandbox/jail/zygote.h"
#include "sandbox/proto.h"
#include "sandbox/weakened.h"

namespace {

using assay::jail::kControlFd;

// The same environment for every box on every machine.
constexpr const char* kEnvironment[][2] = {{"PATH", "/usr/local/bin:/usr/bin:/bin"},
                                           {"HOME", "/tmp"},
                                           {"TMPDIR", "/tmp"},
                                           {"LANG", "C.UTF-8"},
                                           {"LC_ALL", "C.UTF-8"},
                                           {"TZ", "UTC"},
                                           {"PYTHONHASHSEED", "0"},
                                           {"PYTHONDONTWRITEBYTECODE", "1"},
                                           {"OPENBLAS_NUM_THREADS", "1"},
                                           {"OMP_NUM_THREADS", "1"},
                                           {"MKL_NUM_THREADS", "1"}};

void CleanEnvironment() {
  clearenv();
  for (const auto& [name, value] : kEnvironment) setenv(name, value, 1);
}

// Descriptors 0, 1 and 2 are /dev/null, 3 is the control socket, nothing else is open.
bool CleanDescriptors() {
  int nothing = open("/dev/null", O_RDWR);
  if (nothing < 0) return false;
  for (int fd = 0; fd < 3; ++fd) {
    if (dup2(nothing, fd) < 0) return false;
  }
  return syscall(SYS_close_range, 4U, ~0U, 0) == 0;
}

// Without a pid namespace, what is left of a zygote that was killed: its boxes came to us, a subreaper; and the jobs' folder.
void CleanUpAfter(const assay::jail::World& world) {
  assay::jail::SetOwnPids(false);
  assay::jail::EndEverything(world);
  const std::string& box = world.scratch;
  chmod(box.c_str(), 0700);
  assay::jail::EmptyFolder(box);
  rmdir(box.c_str());
  rmdir(box.substr(0, box.rfind('/')).c_str());
}

// Waits until the zygote has ended, or the parent has: then the zygote gets a moment and is killed. Its whole pid namespace dies
// with it.
int WaitForEnd(const assay::jail::StartedZygote& started) {
  const pid_t zygote = started.pid;
  assay::sandbox::Fd zygote_fd(static_cast<int>(syscall(SYS_pidfd_open, zygote, 0)));
  pollfd waits[2] = {{zygote_fd.get(), POLLIN, 0}, {kControlFd, 0, 0}};
  while (poll(waits, 2, -1) < 0) {
  }
  if (waits[0].revents == 0 && poll(waits, 1, 1000) == 0) kill(zygote, SIGKILL);
  int status = 0;
  waitpid(zygote, &status, 0);
  if (!started.world.own_pids) CleanUpAfter(started.world);
  started.world.groups->Remove();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || std::string_view(argv[1]) != "worker") {
    fprintf(stderr,
            "assay-jail is started by assay; to run a program in the sandbox, use `assay run`\n");
    return 2;
  }
  // A socket that the parent no longer reads is an error value, not a signal.
  signal(SIGPIPE, SIG_IGN);
  assay::sandbox::Frame frame;
  assay::sandbox::WorkerConfig config;
  if (!CleanDescriptors() || !assay::sandbox::ReceiveFrame(kControlFd, &frame)) return 1;
  assay::sandbox::WorkerHello hello;
  if (frame.type != assay::sandbox::FrameType::kConfig ||
      !assay::sandbox::WorkerConfig::Decode(frame.payload, &config)) {
    hello.error = "assay and assay-jail are of different versions";
    assay::sandbox::SendFrame(kControlFd, assay::sandbox::FrameType::kHello, hello.Encode());
    return 1;
  }
  if ((config.without & assay::kWithoutEnvironment) == 0) CleanEnvironment();
  auto body = config.role == assay::sandbox::Role::kTester ? assay::jail::TesterZygoteMain
                                                           : assay::jail::CandidateZygoteMain;
  assay::Result<assay::jail::StartedZygote> zygote = assay::jail::StartZygote(
      config, [&](const assay::jail::World& world) { return body(world, config); });
  if (!zygote.ok()) {
    hello.error = zygote.error().message;
    assay::sandbox::SendFrame(kControlFd, assay::sandbox::FrameType::kHello, hello.Encode());
    return 1;
  }
  return WaitForEnd(*zygote);
}
