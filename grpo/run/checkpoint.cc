#include "grpo/run/checkpoint.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "core/jsonl.h"
#include "core/text.h"
#include "grpo/files/remove_tree.h"
#include "grpo/model/lora.h"
#include "grpo/model/shards.h"
#include "grpo/model/tensor_files.h"
#include "grpo/model/torch_error.h"
#include "grpo/model/weights.h"

namespace assay {
namespace {

namespace fs = std::filesystem;
constexpr char kPrefix[] = "checkpoint-";

Status CopyWeights(const std::vector<NamedTensor>& from, const Model& to,
                   const std::string& where) {
  c10::NoGradGuard no_grad;
  Shards* const shards = ShardsOf(to);
  for (const NamedTensor& weight : NamedWeights(to)) {
    const auto found = std::find_if(from.begin(), from.end(), [&](const NamedTensor& entry) {
      return entry.name == weight.name;
    });
    const std::vector<int64_t> shape = WeightShape(to.config, weight.name);
    if (found == from.end() || found->tensor.sizes() != at::IntArrayRef(shape)) {
      return Error{ErrorCode::kInput, StrCat(where, " lacks '", weight.name, "' in its shape"),
                   "the checkpoint is of another model; use an empty --out"};
    }
    if (shards != nullptr) {
      shards->Put(weight.name, found->tensor);
      continue;
    }
    at::Tensor target = weight.tensor;
    target.copy_(found->tensor);
  }
  return {};
}

void SyncFolder(const fs::path& folder) {
  const int fd = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)fsync(fd);
  (void)close(fd);
}

enum class Kind { kWhole, kModelAlone };

// Whole ones have this file; it is the last that is written and the first to go.
bool IsOf(Kind kind, const fs::path& path) {
  return fs::exists(path / "state.json") == (kind == Kind::kWhole);
}

// Step of "checkpoint-000123", or -1.
int64_t StepOf(const fs::path& path, Kind kind) {
  const std::string name = path.filename().string();
  if (!StartsWith(name, kPrefix)) return -1;
  char* end = nullptr;
  const int64_t step = std::strtoll(name.c_str() + sizeof(kPrefix) - 1, &end, 10);
  return *end == '\0' && IsOf(kind, path) ? step : -1;
}

std::vector<std::pair<int64_t, fs::path>> Checkpoints(const std::string& folder,
                                                      Kind kind = Kind::kWhole) {
  std::vector<std::pair<int64_t, fs::path>> found;
  std::error_code code;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, code)) {
    if (const int64_t step = StepOf(entry.path(), kind); step >= 0)
      found.emplace_back(step, entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

fs::path CheckpointPath(const std::string& folder, int64_t step) {
  std::string digits = StrCat(step);
  digits.insert(0, std::max<int>(0, 6 - static_cast<int>(digits.size())), '0');
  return fs::path(folder) / (kPrefix + digits);
}

// The folder that is written before it has its name, empty.
Result<fs::path> Temporary(const std::string& folder) {
  const fs::path temporary = fs::path(folder) / ".checkpoint-writing";
  std::error_code code;
  RemoveTree(temporary);
  fs::create_directories(temporary, code);
  if (!code) return temporary;
  return Error{ErrorCode::kIo, StrCat("cannot make '", temporary.string(), "': ", code.message()),
               ""};
}

Status PutInPlace(const fs::path& temporary, const fs::path& target) {
  std::error_code code;
  SyncFolder(temporary);
  RemoveTree(target);
  fs::rename(temporary, target, code);
  if (code)
    return Error{ErrorCode::kIo,
                 StrCat("cannot rename to '", target.string(), "': ", code.message()), ""};
  SyncFolder(target.parent_path());
  return {};
}

void DropOld(const std::string& folder, int64_t keep, Kind kind) {
  std::error_code code;
  const std::vector<std::pair<int64_t, fs::path>> all = Checkpoints(folder, kind);
  for (size_t i = 0; i + static_cast<size_t>(keep) < all.size(); ++i) {
    // Unmade first: a half-deleted folder without state.json is no checkpoint.
    fs::remove(all[i].second / "state.json", code);
    RemoveTree(all[i].second);
  }
}

// What is trained: the model in one file whatever its size (LoadCheckpoint reads no shards), or the adapter alone.
Status SavePolicy(const Model& policy, const Tokenizer* tokenizer, const std::string& folder) {
  if (policy.lora != nullptr) return SaveLora(*policy.lora, folder);
  return SaveModel(policy, tokenizer, folder, at::kFloat, INT64_MAX);
}

Status LoadPolicy(const std::string& folder, const Model& policy) {
  if (policy.lora != nullptr) return LoadLoraTensors(folder, *policy.lora);
  // Not LoadModel: the folder holds the optimiser's tensors beside the model's.
  Result<std::vector<NamedTensor>> weights =
      ReadTensors((fs::path(folder) / "model.safetensors").string());
  if (!weights.ok()) return weights.error();
  return CopyWeights(*weights, policy, folder);
}

}  // namespace

Status SaveCheckpoint(const std::string& folder, int64_t step, const Json& state,
                      const Model& policy, const std::vector<NamedTensor>& moments,
                      const Model* reference, const Tokenizer* tokenizer, int64_t keep) {
  return CatchTorch("saving a checkpoint", [&]() -> Status {
    c10::NoGradGuard no_grad;
    const Result<fs::path> made = Temporary(folder);
    if (!made.ok()) return made.error();
    const fs::path& temporary = *made;
    if (Status s = SavePolicy(policy, tokenizer, temporary.string()); !s.ok()) return s;
    if (Status s = WriteTensors((temporary / "optimizer.safetensors").string(), moments); !s.ok())
      return s;
    if (reference != nullptr) {
      if (Status s = WriteTensors((temporary / "reference.safetensors").string(),
                                  NamedWeights(*reference));
          !s.ok())
        return s;
    }
    if (Status s = WriteFileAtomic((temporary / "state.json").string(), state.Dump() + "\n");
        !s.ok())
      return s;
    if (Status s = PutInPlace(temporary, CheckpointPath(folder, step)); !s.ok()) return s;
    DropOld(folder, keep, Kind::kWhole);
    return {};
  });
}

Status SaveModelCheckpoint(const std::string& folder, int64_t step, int64_t keep,
                           const std::function<Status(const std::string& folder)>& write) {
  const Result<fs::path> temporary = Temporary(folder);
  if (!temporary.ok()) return temporary.error();
  if (Status s = write(temporary->string()); !s.ok()) return s;
  if (Status s = PutInPlace(*temporary, CheckpointPath(folder, step)); !s.ok()) return s;
  DropOld(folder, keep, Kind::kModelAlone);
  return {};
}

std::vector<std::string> CheckpointFolders(const std::string& folder) {
  std::vector<std::string> folders;
  for (const auto& [step, path] : Checkpoints(folder)) folders.push_back(path.string());
  std::reverse(folders.begin(), folders.end());
  return folders;
}

void SetAside(const std::string& checkpoint) {
  std::error_code code;
  RemoveTree(checkpoint + ".unreadable");
  fs::rename(checkpoint, checkpoint + ".unreadable", code);
}

std::string LatestCheckpoint(const std::string& folder) {
  const std::vector<std::pair<int64_t, fs::path>> all = Checkpoints(folder);
  return all.empty() ? "" : all.back().second.string();
}

Result<Json> LoadCheckpoint(const std::string& checkpoint, Model* policy, AdamW* optimizer,
                            const Model* reference) {
  return CatchTorch("loading a checkpoint", [&]() -> Result<Json> {
    if (Status s = LoadPolicy(checkpoint, *policy); !s.ok()) return s.error();
    Result<std::vector<NamedTensor>> state =
        ReadTensors((fs::path(checkpoint) / "optimizer.safetensors").string());
    if (!state.ok()) return state.error();
    if (Status s = optimizer->LoadState(*state); !s.ok()) return s.error();
    if (reference != nullptr) {
      Result<std::vector<NamedTensor>> saved =
          ReadTensors((fs::path(checkpoint) / "reference.safetensors").string());
      if (!saved.ok()) return saved.error();
      if (Status s = CopyWeights(*saved, *reference, checkpoint); !s.ok()) return s.error();
    }
    const std::string file = (fs::path(checkpoint) / "state.json").string();
    Result<std::string> text = ReadFile(file);
    if (!text.ok()) return text.error();
    Result<Json> counters = ParseJson(*text);
    if (!counters.ok() || counters->IntOr("step", -1) < 0)
      return Error{ErrorCode::kInput, StrCat(file, " is damaged"), ""};
    return counters;
  });
}

}  // namespace assay
