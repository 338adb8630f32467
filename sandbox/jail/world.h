// The worker's world: what one `assay-jail` worker enters once, before it runs anything: namespaces, mounts, user ids. Single-
// threaded; called once per process. What each job enters on top of it is box.h. Theory of operation: box.cc.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "sandbox/jail/cgroup.h"
#include "sandbox/proto.h"
#include "sandbox/sandbox.h"

namespace assay::jail {

struct World {
  Tier tier = Tier::kNone;
  uid_t box_uid = 0;           // as seen inside
  bool separate_user = false;  // the box's user is not the zygote's
  bool own_pids = false;       // the zygote is pid 1 of a pid namespace of its own
  bool has_proc = false;
  // Where a job may write: "/tmp", a tmpfs of its own; without namespaces a folder of this machine, made for each job.
  std::string scratch = "/tmp";
  bool private_tmp = false;  // it is the tmpfs
  bool landlock = false;     // the box is held by Landlock rules instead of mounts
  std::shared_ptr<ControlGroups> groups = std::make_shared<ControlGroups>();
  uint32_t without = 0;  // layers switched off (sandbox/weakened.h); 0 but for the red team
  std::vector<std::string> packages;  // folders of Python packages, as seen inside
  std::string
      python_library;  // the standard library, as seen inside, if it is not the built-in Python's own place
  std::vector<std::string> layers;  // "name=state"
};

// What the kernel counts against the box's limit of processes though it is not the box's: where it shares our user, all that we
// run, with room for what comes and goes. There the limit itself is watched.
int64_t TasksBeside(const World& world);
// The folders and files that a box may read and execute.
std::vector<std::string> ReadOnlyPaths(const World& world);
// What a box can see and write, as text.
std::string WorldText(const World& world);

struct StartedZygote {
  pid_t pid = -1;  // as this process sees it
  World world;
};

// Forks the zygote into its world. In the zygote, `body` runs and its value is the exit status. Errors: what the kernel refused,
// with what to do about it. The caller has become a child subreaper.
Result<StartedZygote> StartZygote(const sandbox::WorkerConfig& config,
                                  const std::function<int(const World&)>& body);

}  // namespace assay::jail
