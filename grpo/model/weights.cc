#include "grpo/model/weights.h"

#include <ATen/ATen.h>

#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "core/rng.h"
#include "core/text.h"
#include "grpo/files/gguf.h"
#include "grpo/model/shards.h"
#include "grpo/model/stored_weights.h"
#include "grpo/model/torch_error.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) StrAppend(&text, i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

// What files carry beside the weights that we use.
bool IsLeftover(const std::string& name, const ModelConfig& config) {
  return EndsWith(name, "rotary_emb.inv_freq") || (name == "lm_head.weight" && config.tied_head);
}

Status CheckVocabulary(const LoadedModel& loaded, const std::string& path) {
  if (loaded.tokenizer == nullptr ||
      loaded.tokenizer->vocab_size() <= loaded.model.config.vocab_size)
    return {};
  return BadModel(
      StrCat(path, ": the tokenizer has ", loaded.tokenizer->vocab_size(),
             " tokens, the model's embedding ", loaded.model.config.vocab_size, " rows"),
      "model and tokenizer do not belong together");
}

}  // namespace

Error BadModel(std::string message, std::string hint) {
  return Error{ErrorCode::kInput, std::move(message), std::move(hint)};
}

namespace {

// The places of a model's weights, which come one by one: in the model, or each process's share of them.
class Holder {
 public:
  Holder(const ModelConfig& config, const LoadOptions& options, at::Device device)
      : options_(options), device_(device) {
    if (options.exchange != nullptr) shards_ = Shards::Make(config, options.exchange, device);
  }
  void Take(const std::string& name, const at::Tensor& whole, at::Tensor* place) const {
    if (shards_ != nullptr) return shards_->Put(name, whole);
    // As a cast model has them.
    const bool half = options_.dtype == at::kBFloat16 || options_.dtype == at::kHalf;
    *place = whole.to(half && IsNorm(name) ? at::kFloat : options_.dtype).to(device_);
  }
  void Finish(Model* model) const { model->source = shards_; }

 private:
  const LoadOptions& options_;
  at::Device device_;
  std::shared_ptr<Shards> shards_;
};

}  // namespace

// --- from files

Result<Model> Assemble(const ModelConfig& config, const StoredWeights& stored,
                       const std::string& path, const LoadOptions& options, at::Device device) {
  Model model;
  model.config = config;
  const Holder holder(config, options, device);
  std::optional<Error> error;
  std::set<std::string> used;
  VisitWeights(&model, [&](const std::string& name, at::Tensor* tensor) {
    if (error) return;
    const auto found = stored.find(name);
    if (found == stored.end()) {
      error = BadModel(StrCat(path, ": weight '", name, "' is missing"),
                       "the file and its config do not belong together");
      return;
    }
    used.insert(name);
    const std::vector<int64_t> wanted = WeightShape(config, name);
    if (found->second.shape != wanted) {
      error = BadModel(
          StrCat(found->second.where, ": weight '", name, "' has shape ",
                 ShapeText(found->second.shape), ", the config asks for ", ShapeText(wanted)),
          "the file and its config do not belong together");
      return;
    }
    Result<at::Tensor> read = found->second.read();
    if (!read.ok()) {
      error = read.error();
      return;
    }
    holder.Take(name, *read, tensor);
  });
  if (error) return *error;
  holder.Finish(&model);
  for (const auto& [name, weight] : stored) {
    if (used.count(name) == 0 && !IsLeftover(name, config)) {
      return BadModel(StrCat(weight.where, ": unknown weight '", Shorten(name, 120), "'"),
                      "this architecture has no such weight: the model would not compute what it "
                      "was trained to");
    }
  }
  return model;
}

Result<Model> LoadWeights(const std::string& path, const LoadOptions& options) {
  Result<at::Device> device = ParseDevice(options.device);
  if (!device.ok()) return device.error();
  return CatchTorch(StrCat("loading ", path), [&]() -> Result<Model> {
    at::NoGradGuard no_grad;
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) return LoadFolder(path, options, *device);
    Result<std::shared_ptr<const GgufFile>> file = GgufFile::Open(path);
    if (!file.ok()) return file.error();
    return LoadGguf(*file, options, *device);
  });
}

Result<LoadedModel> LoadModel(const std::string& path, const LoadOptions& options) {
  Result<Model> model = LoadWeights(path, options);
  if (!model.ok()) return model.error();
  LoadedModel loaded;
  loaded.model = std::move(model).value();
  std::error_code ignored;
  const bool folder = fs::is_directory(path, ignored);
  if (!folder || fs::exists(fs::path(path) / "tokenizer.json", ignored)) {
    Result<std::shared_ptr<const Tokenizer>> tokenizer = Tokenizer::Load(path);
    if (!tokenizer.ok()) return tokenizer.error();
    loaded.tokenizer = *tokenizer;
  }
  if (Status s = CheckVocabulary(loaded, path); !s.ok()) return s.error();
  return loaded;
}

// --- from nothing

Result<Model> RandomModel(const ModelConfig& config, uint64_t seed, double stddev,
                          at::ScalarType dtype) {
  LoadOptions options;
  options.dtype = dtype;
  return RandomModel(config, seed, stddev, options);
}

Result<Model> RandomModel(const ModelConfig& config, uint64_t seed, double stddev,
                          const LoadOptions& options) {
  if (Status s = CheckModelConfig(config); !s.ok()) return s.error();
  Result<at::Device> device = ParseDevice(options.device);
  if (!device.ok()) return device.error();
  return CatchTorch("making a random model", [&]() -> Result<Model> {
    at::NoGradGuard no_grad;
    Model model;
    model.config = config;
    const Holder holder(config, options, *device);
    VisitWeights(&model, [&](const std::string& name, at::Tensor* tensor) {
      const at::Tensor whole =
          at::zeros(WeightShape(config, name), at::TensorOptions().dtype(at::kFloat));
      if (IsNorm(name)) {
        whole.fill_(config.unit_norms ? 0.0 : 1.0);
      } else if (EndsWith(name, ".weight")) {
        Rng rng(seed, name);
        float* data = whole.data_ptr<float>();
        for (int64_t i = 0; i < whole.numel(); ++i)
          data[i] = static_cast<float>(rng.Normal() * stddev);
      }
      holder.Take(name, whole, tensor);
    });
    holder.Finish(&model);
    return model;
  });
}

// --- words for devices and dtypes

Result<at::Device> ParseDevice(const std::string& name) {
  if (name.empty() || name == "cpu") return at::Device(at::kCPU);
  const bool cuda =
      name == "cuda" || (StartsWith(name, "cuda:") && name.size() > 5 && name.size() < 9 &&
                         name.find_first_not_of("0123456789", 5) == std::string::npos);
  if (!cuda)
    return Error{ErrorCode::kUsage, StrCat("unknown device '", Shorten(name, 40), "'"),
                 "known: cpu, cuda, cuda:N"};
  if (!at::hasCUDA()) {
    return Error{
        ErrorCode::kUnavailable,
        StrCat("device '", name, "': this LibTorch or this machine has no CUDA GPU"),
        "use device cpu, or a CUDA LibTorch (TORCH_PREFIX) on a machine with an NVIDIA GPU"};
  }
  const int64_t count = static_cast<int64_t>(at::detail::getCUDAHooks().deviceCount());
  const int64_t index = name == "cuda" ? 0 : std::stoll(name.substr(5));
  if (index >= count) {
    return Error{ErrorCode::kUnavailable,
                 StrCat("device '", name, "': this machine has ", count, " GPUs"),
                 count > 0 ? "GPUs count from cuda:0" : "use device cpu"};
  }
  return at::Device(at::kCUDA, static_cast<at::DeviceIndex>(index));
}

Result<at::ScalarType> ParseDtype(const std::string& name) {
  if (name == "float32" || name == "fp32" || name == "f32") return at::kFloat;
  if (name == "bfloat16" || name == "bf16") return at::kBFloat16;
  if (name == "float16" || name == "fp16" || name == "f16") return at::kHalf;
  if (name == "float64" || name == "fp64" || name == "f64") return at::kDouble;
  return Error{ErrorCode::kUsage, StrCat("unknown dtype '", Shorten(name, 40), "'"),
               DidYouMean(name, {"float32", "bfloat16", "float16", "float64"})};
}

}  // namespace assay
