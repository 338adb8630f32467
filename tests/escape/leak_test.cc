// Ten thousand jobs leave nothing behind; neither does a killed worker, nor a killed `assay`.
#include <dirent.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/sandbox/sandbox_fixture.h"

namespace assay {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

int CountEntries(const char* folder) {
  int count = 0;
  if (DIR* dir = opendir(folder)) {
    while (readdir(dir) != nullptr) ++count;
    closedir(dir);
  }
  return count;
}

struct Process {
  pid_t pid;
  pid_t parent;
};

// Every process whose executable is an assay-jail, zombies too.
std::vector<Process> Jails() {
  std::vector<Process> list;
  DIR* dir = opendir("/proc");
  while (dirent* entry = readdir(dir)) {
    pid_t pid = atoi(entry->d_name);
    if (pid <= 0) continue;
    std::string stat = ReadFile("/proc/" + std::string(entry->d_name) + "/stat");
    size_t open = stat.find('('), close = stat.rfind(')');
    if (open == std::string::npos || close == std::string::npos ||
        stat.substr(open + 1, close - open - 1) != "assay-jail")
      continue;
    list.push_back({pid, static_cast<pid_t>(atoi(stat.c_str() + close + 4))});
  }
  closedir(dir);
  return list;
}

std::vector<pid_t> Children(pid_t parent) {
  std::vector<pid_t> found;
  for (const Process& process : Jails()) {
    if (process.parent == parent) found.push_back(process.pid);
  }
  return found;
}

// The jails that descend from `root`.
std::vector<pid_t> Descendants(pid_t root) {
  std::vector<Process> all = Jails();
  std::vector<pid_t> found = {root};
  for (size_t i = 0; i < found.size(); ++i) {
    for (const Process& process : all) {
      if (process.parent == found[i]) found.push_back(process.pid);
    }
  }
  found.erase(found.begin());
  return found;
}

bool AllGone(const std::vector<pid_t>& pids, int wait_ms) {
  for (int waited = 0; waited < wait_ms; waited += 20) {
    std::vector<Process> now = Jails();
    bool any = std::any_of(pids.begin(), pids.end(), [&](pid_t pid) {
      return std::any_of(now.begin(), now.end(),
                         [&](const Process& process) { return process.pid == pid; });
    });
    if (!any) return true;
    usleep(20'000);
  }
  return false;
}

// Resident and mapped memory of a process, KiB.
int64_t MemoryKib(pid_t pid) {
  std::string status = ReadFile("/proc/" + std::to_string(pid) + "/status");
  size_t at = status.find("VmRSS:");
  return at == std::string::npos ? 0 : atoll(status.c_str() + at + 6);
}

std::unique_ptr<Sandbox> OnePool(int slots) {
  SandboxConfig config;
  config.slots = slots;
  config.jail_path = JailPath();
  auto made = Sandbox::Create(config);
  return made.ok() ? std::move(made).value() : nullptr;
}

// Each test has a pool of its own and no other process beside it.
class LeakTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (OnePool(1) == nullptr) GTEST_SKIP() << "no sandbox on this machine";
  }
};

// The control groups that a worker of this number has, if any.
std::vector<std::string> GroupsOf(pid_t worker) {
  std::vector<std::string> found;
  std::unique_ptr<Sandbox> pool = OnePool(1);
  if (pool == nullptr) return found;
  for (const auto& [name, state] : pool->Describe().layers) {
    const size_t start = state.find('/'), end = state.rfind("/assay-");
    if (name.find("control group") == std::string::npos || end == std::string::npos) continue;
    const std::string folder =
        state.substr(start, end - start) + "/assay-" + std::to_string(worker);
    if (access(folder.c_str(), F_OK) == 0) found.push_back(folder);
  }
  return found;
}

// The one outside and the zygote; besides them, a box that waits.
constexpr size_t kWorkerProcesses = 2;

TEST_F(LeakTest, TenThousandJobsLeaveNothing) {
  int jobs = 10'000;
  if (const char* fewer = std::getenv("ASSAY_LEAK_JOBS")) jobs = atoi(fewer);
  std::unique_ptr<Sandbox> pool = OnePool(1);
  ASSERT_NE(pool, nullptr);
  auto run = [&](int i) {
    Job job;
    // Now and then a job that leaves files, children or a signal behind.
    job.source = i % 50 == 7    ? "open('left', 'w').write('x' * 5000)"
                 : i % 50 == 19 ? "import os, time\nif os.fork() == 0: time.sleep(99)"
                 : i % 50 == 31 ? "import os\nos.kill(os.getpid(), 11)"
                                : "print(sum(range(100)))";
    RunResult result = pool->Run(job);
    ASSERT_NE(result.cause, Cause::kFault) << Show(result);
  };
  // In a pause there are the worker, its zygote and the box that waits for the next job.
  auto settled = [] {
    std::vector<pid_t> now;
    for (int i = 0; i < 500 && now.size() != kWorkerProcesses + 1; ++i) {
      usleep(10'000);
      now = Descendants(getpid());
    }
    return now;
  };
  // What is allocated once is allocated by then.
  for (int i = 0; i < 200; ++i) run(i);
  std::vector<pid_t> workers = settled();
  ASSERT_EQ(workers.size(), kWorkerProcesses + 1);
  int fds = CountEntries("/proc/self/fd");
  std::vector<int> worker_fds;
  [[maybe_unused]] int64_t own_memory = MemoryKib(getpid());
  int64_t memory = 0, memory_after = 0;
  for (size_t i = 0; i < kWorkerProcesses; ++i) {
    const pid_t pid = workers[i];
    worker_fds.push_back(CountEntries(("/proc/" + std::to_string(pid) + "/fd").c_str()));
    memory += MemoryKib(pid);
  }
  size_t mounts =
      ReadFile("/proc/" + std::to_string(workers[kWorkerProcesses - 1]) + "/mountinfo").size();
  size_t own_mounts = ReadFile("/proc/self/mountinfo").size();
  for (int i = 200; i < jobs; ++i) run(i);
  // The worker and its zygote are the same; the box that waits for the next job is another one after each.
  std::vector<pid_t> workers_after = settled();
  EXPECT_EQ(workers_after.size(), workers.size()) << "processes";
  ASSERT_GE(workers_after.size(), kWorkerProcesses);
  workers_after.resize(kWorkerProcesses);
  workers.resize(kWorkerProcesses);
  EXPECT_EQ(workers_after, workers);
  const size_t groups_alive = GroupsOf(workers[0]).size();
  for (const auto& [name, state] : pool->Describe().layers) {
    const bool on = name.find("control group") != std::string::npos && state.rfind("on", 0) == 0;
    EXPECT_TRUE(!on || groups_alive > 0) << name << " is on, and the search does not find it";
  }
  EXPECT_EQ(CountEntries("/proc/self/fd"), fds) << "descriptors here";
  for (size_t i = 0; i < workers.size(); ++i) {
    EXPECT_EQ(CountEntries(("/proc/" + std::to_string(workers[i]) + "/fd").c_str()), worker_fds[i])
        << "descriptors of worker " << i;
    memory_after += MemoryKib(workers[i]);
  }
  // Mount ids grow, so lines may grow by a digit: what may not grow is their number.
  EXPECT_NEAR(
      static_cast<double>(
          ReadFile("/proc/" + std::to_string(workers[kWorkerProcesses - 1]) + "/mountinfo").size()),
      static_cast<double>(mounts), 40)
      << "mounts";
  EXPECT_EQ(ReadFile("/proc/self/mountinfo").size(), own_mounts);
#ifndef __SANITIZE_ADDRESS__  // it keeps freed memory for a while
  EXPECT_LE(static_cast<double>(memory_after), static_cast<double>(memory) * 1.01)
      << "memory of the workers";
  EXPECT_LE(static_cast<double>(MemoryKib(getpid())), static_cast<double>(own_memory) * 1.01 + 256)
      << "memory here";
#endif
  pool.reset();
  EXPECT_TRUE(AllGone(workers, 60'000));
  EXPECT_EQ(GroupsOf(workers[0]), std::vector<std::string>());
}

TEST_F(LeakTest, AKilledWorkersJobIsRunAgainAndThePoolHeals) {
  std::unique_ptr<Sandbox> pool = OnePool(2);
  ASSERT_NE(pool, nullptr);
  std::atomic<bool> enough = false;
  std::atomic<int> done[2] = {0, 0};
  std::vector<std::string> wrong[2];
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      for (int i = t; !enough; i += 2) {
        Job job;
        job.source = "import time\ntime.sleep(0.05)\nprint(" + std::to_string(i) + ")";
        RunResult result = pool->Run(job);
        if (result.stdout_bytes != std::to_string(i) + "\n") wrong[t].push_back(Show(result));
        ++done[t];
      }
    });
  }
  // A job that loses two workers is no longer run: each thread has finished one job, and begun another, before the next kill.
  auto both_went_on = [&] {
    const int first = done[0], second = done[1];
    while (done[0] < first + 2 || done[1] < second + 2) usleep(5'000);
  };
  int killed = 0;
  for (int i = 0; i < 6; ++i) {
    both_went_on();
    // Both kinds: the waiting outer process and the zygote itself.
    std::vector<pid_t> victims = Children(getpid());
    if (i % 2 == 1 && !victims.empty()) victims = Children(victims[0]);
    if (!victims.empty()) killed += kill(victims[0], SIGKILL) == 0;
  }
  both_went_on();
  enough = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(killed, 2);
  for (const std::vector<std::string>& list : wrong) EXPECT_EQ(list, std::vector<std::string>());
}

TEST_F(LeakTest, AKilledParentLeavesNoProcess) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  pid_t parent = fork();
  ASSERT_GE(parent, 0);
  if (parent == 0) {
    std::unique_ptr<Sandbox> pool = OnePool(1);
    char byte = 'r';
    if (write(ready[1], &byte, 1) != 1) _exit(1);
    Job job;
    job.source = "import os, time\nos.fork(); os.fork()\ntime.sleep(300)";
    job.limits.wall_ms = 300'000;
    if (pool != nullptr) pool->Run(job);
    _exit(0);
  }
  char byte;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  std::vector<pid_t> below;
  for (int i = 0; i < 3000 && below.size() < 6; ++i) {  // worker, zygote, four boxed processes
    usleep(20'000);
    below = Descendants(parent);
  }
  ASSERT_EQ(below.size(), 6u);
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(AllGone(below, 60'000));
  EXPECT_EQ(GroupsOf(below[0]), std::vector<std::string>());
  close(ready[0]);
  close(ready[1]);
}

}  // namespace
}  // namespace assay
