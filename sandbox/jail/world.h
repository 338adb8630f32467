// The worker's world: what one `assay-jail` worker enters once, before it runs anything: namespaces, mounts, user ids. Single-
// threaded; called once per process. What each job enters on top of it is box.h. Theory of operation: box.cc.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "core/result.h"
#include "sandbox/proto.h"
#include "sandbox/sandbox.h"

namespace assay::jail {

struct World {
  Tier tier = Tier::kNone;
  uid_t box_uid = 0;           // as seen inside
  bool separate_user = false;  // the box's user is not the zygote's
  bool own_pids = false;       // the zygote is pid 1 of a pid namespace of its own
  bool has_proc = false;
  bool private_tmp = false;         // /tmp is a tmpfs of our own, remade between jobs
  std::vector<std::string> layers;  // "name=state"
};

// Forks the zygote into its world. In the zygote, `body` runs and its value is the exit status. In the caller: the zygote's
// pid as this process sees it. Errors: what the kernel refused, with what to do about it. The caller has become a child subreaper.
Result<pid_t> StartZygote(const sandbox::WorkerConfig& config,
                          const std::function<int(const World&)>& body);

}  // namespace assay::jail
