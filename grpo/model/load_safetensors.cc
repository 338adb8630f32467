// A model out of a folder as transformers writes it: config.json, generation_config.json, safetensors.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "core/jsonl.h"
#include "core/text.h"
#include "grpo/files/safetensors.h"
#include "grpo/model/stored_weights.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

std::optional<at::ScalarType> TorchDtype(std::string_view name) {
  if (name == "F32") return at::kFloat;
  if (name == "F64") return at::kDouble;
  if (name == "F16") return at::kHalf;
  if (name == "BF16") return at::kBFloat16;
  return std::nullopt;
}

Result<at::Tensor> ReadSafeTensor(const SafeTensor& tensor, const std::string& name,
                                  const std::string& path) {
  const std::optional<at::ScalarType> dtype = TorchDtype(tensor.dtype);
  if (!dtype) {
    return BadModel(
        StrCat(path, ": weight '", name, "' has dtype ", tensor.dtype, ", which is not supported"),
        "known: F32, F64, F16, BF16");
  }
  at::Tensor out = at::empty(tensor.shape, at::TensorOptions().dtype(*dtype));
  if (tensor.bytes > 0) std::memcpy(out.data_ptr(), tensor.data, tensor.bytes);
  return out;
}

Status AddSafetensors(const std::string& path, StoredWeights* stored) {
  Result<std::shared_ptr<const SafetensorsFile>> opened = SafetensorsFile::Open(path);
  if (!opened.ok()) return opened.error();
  const std::shared_ptr<const SafetensorsFile> file = *opened;
  for (const auto& entry : file->tensors()) {
    const std::string& name = entry.first;
    const SafeTensor& tensor = entry.second;
    StoredWeight weight{tensor.shape, path,
                        [file, &tensor, name, path] { return ReadSafeTensor(tensor, name, path); }};
    if (!stored->emplace(name, std::move(weight)).second) {
      return BadModel(StrCat(path, ": weight '", Shorten(name, 120), "' is in two files"));
    }
  }
  return {};
}

// The files of a folder: model.safetensors, or the shards that the index names.
Result<std::vector<std::string>> SafetensorsPaths(const fs::path& folder) {
  const fs::path single = folder / "model.safetensors";
  std::error_code ignored;
  if (fs::exists(single, ignored)) return std::vector<std::string>{single.string()};
  const fs::path index = folder / "model.safetensors.index.json";
  Result<std::string> text = ReadFile(index.string(), size_t{64} << 20);
  if (!text.ok()) {
    return Error{ErrorCode::kIo,
                 StrCat(folder.string(), " has neither model.safetensors nor an index of shards"),
                 "PyTorch .bin files are not read: convert them to safetensors"};
  }
  Result<Json> json = ParseJson(*text);
  const Json* map = json.ok() ? json->Find("weight_map") : nullptr;
  if (map == nullptr || !map->IsObject())
    return BadModel(StrCat(index.string(), " has no weight_map"));
  std::set<std::string> names;
  for (const Json::Member& member : *map->AsObject()) {
    const std::string* name = member.value.AsString();
    if (name == nullptr || name->empty() || name->find('/') != std::string::npos || *name == "..") {
      return BadModel(StrCat(index.string(), " names a shard that is no plain file name"));
    }
    names.insert(*name);
  }
  std::vector<std::string> paths;
  for (const std::string& name : names) paths.push_back((folder / name).string());
  return paths;
}

// Every EOS id of generation_config.json ends a completion too.
void AddGenerationConfig(const fs::path& folder, ModelConfig* config) {
  Result<std::string> text =
      ReadFile((folder / "generation_config.json").string(), size_t{1} << 20);
  if (!text.ok()) return;
  Result<Json> json = ParseJson(*text);
  const Json* eos = json.ok() ? json->Find("eos_token_id") : nullptr;
  if (eos == nullptr) return;
  std::vector<Json> ids;
  if (eos->IsArray()) ids = *eos->AsArray();
  if (eos->IsInt()) ids.push_back(*eos);
  for (const Json& id : ids) {
    if (!id.IsInt()) continue;
    std::vector<int64_t>& known = config->eos_ids;
    if (std::find(known.begin(), known.end(), *id.AsInt()) == known.end())
      known.push_back(*id.AsInt());
  }
}

}  // namespace

Result<Model> LoadFolder(const fs::path& folder, const LoadOptions& options, at::Device device) {
  Result<std::string> text = ReadFile((folder / "config.json").string(), size_t{16} << 20);
  if (!text.ok()) {
    std::error_code ignored;
    const bool run = fs::exists(folder / "model" / "config.json", ignored);
    return Error{
        text.error().code, text.error().message,
        run ? StrCat("the model of this run is ", (folder / "model").string()) : text.error().hint};
  }
  Result<Json> json = ParseJson(*text);
  if (!json.ok())
    return BadModel(StrCat((folder / "config.json").string(), ": ", json.error().message));
  Result<ModelConfig> config = ModelConfigFromJson(*json);
  if (!config.ok())
    return BadModel(StrCat(folder.string(), ": ", config.error().message), config.error().hint);
  AddGenerationConfig(folder, &*config);
  Result<std::vector<std::string>> paths = SafetensorsPaths(folder);
  if (!paths.ok()) return paths.error();
  StoredWeights stored;
  for (const std::string& path : *paths) {
    if (Status s = AddSafetensors(path, &stored); !s.ok()) return s.error();
  }
  return Assemble(*config, stored, folder.string(), options, device);
}

}  // namespace assay
