#include "grpo/run/weight_push.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <filesystem>
#include <string>

#include "core/text.h"
#include "grpo/files/remove_tree.h"
#include "grpo/model/weights.h"
#include "grpo/rollout/rollout_server.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// Written beside and renamed, so that a server that starts meanwhile reads the one or the other.
Status WriteWeights(const PolicySetup& setup, const fs::path& folder) {
  const fs::path beside = folder.string() + ".writing", before = folder.string() + ".before";
  RemoveTree(beside);
  const at::ScalarType dtype =
      setup.compute.dtype == at::kDouble ? at::kFloat : setup.compute.dtype;
  c10::NoGradGuard no_grad;
  const Status saved = SaveModel(setup.policy, setup.tokenizer.get(), beside.string(), dtype);
  if (!saved.ok()) return saved;
  RemoveTree(before);
  std::error_code code;
  if (fs::exists(folder)) fs::rename(folder, before, code);
  if (!code) fs::rename(beside, folder, code);
  if (code)
    return Error{ErrorCode::kIo, StrCat("cannot replace '", folder.string(), "': ", code.message()),
                 "server.weights_dir must be a folder that the run may replace"};
  RemoveTree(before);
  return {};
}

}  // namespace

Status PushWeights(const ServerSpec& server, const PolicySetup& setup, const TrainEnv& env) {
  // Nothing but a model is ever replaced.
  std::string path = server.weights_dir;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  if (fs::exists(path) && !fs::is_empty(path) && !fs::exists(fs::path(path) / "config.json")) {
    return Error{ErrorCode::kUsage,
                 StrCat("server.weights_dir '", path, "' holds something that is no model"),
                 "name an empty folder, or the one that the server was started on"};
  }
  if (Status s = WriteWeights(setup, path); !s.ok()) return s;
  ServerSampling sampling;
  sampling.interrupted = env.interrupted;
  return LoadServerWeights(server, sampling);
}

}  // namespace assay
