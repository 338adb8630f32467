// Weights as a file has them, by their Hugging Face names, and the model that they make up. Inside of loading: load_safetensors.cc and
// load_gguf.cc say what is stored, Assemble checks it against the config. May throw c10::Error; LoadWeights catches it.
#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "grpo/files/gguf.h"
#include "grpo/model/model.h"
#include "grpo/model/weights.h"

namespace assay {

// What is there, in which shape, and how to read it.
struct StoredWeight {
  std::vector<int64_t> shape;
  std::string where;                         // file, for messages
  std::function<Result<at::Tensor>()> read;  // on the CPU, in the stored or a wider dtype
};
using StoredWeights = std::map<std::string, StoredWeight>;

Error BadModel(std::string message, std::string hint = "");

// Every weight of the config from `stored`, checked; nothing is left unset, and nothing is there that the config does not know.
Result<Model> Assemble(const ModelConfig& config, const StoredWeights& stored,
                       const std::string& path, const LoadOptions& options, at::Device device);

// A folder with config.json and safetensors (one file or shards).
Result<Model> LoadFolder(const std::filesystem::path& folder, const LoadOptions& options,
                         at::Device device);
Result<Model> LoadGguf(const std::shared_ptr<const GgufFile>& file, const LoadOptions& options,
                       at::Device device);

}  // namespace assay
