#include "grpo/model/lora.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <utility>

#include "core/check.h"
#include "core/jsonl.h"
#include "core/rng.h"
#include "core/text.h"
#include "grpo/model/tensor_files.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

// "base_model.model.<module>.lora_A.weight" of "<module>.weight".
std::string FactorName(const LoraPair& pair, const char* factor) {
  const std::string module = pair.weight.substr(0, pair.weight.size() - 7);
  return StrCat("base_model.model.", module, ".", factor, ".weight");
}

// Factors of zeros for every matrix that the config means.
Result<std::shared_ptr<Lora>> EmptyLora(const LoraConfig& config, const Model& model) {
  if (Status status = CheckLora(config); !status.ok()) return status.error();
  auto lora = std::make_shared<Lora>();
  lora->config = config;
  const auto options = at::TensorOptions(model.device()).dtype(at::kFloat);
  for (const NamedTensor& weight : NamedWeights(model)) {
    if (!config.Targets(weight.name)) continue;
    if (weight.name.find(".experts.") != std::string::npos) {
      return Error{ErrorCode::kUsage, "adapters of experts are not supported",
                   "lora_target_modules may name q_proj, k_proj, v_proj and o_proj here"};
    }
    const std::vector<int64_t> shape = WeightShape(model.config, weight.name);
    const int64_t out = shape[0], in = shape[1];
    lora->pairs.push_back({weight.name, at::zeros({config.rank, in}, options),
                           at::zeros({out, config.rank}, options)});
  }
  if (lora->pairs.empty())
    return Error{ErrorCode::kUsage, "lora_target_modules means no matrix of this model",
                 model.config.packed ? "it has qkv_proj, o_proj, gate_up_proj and down_proj" : ""};
  return lora;
}

}  // namespace

const LoraPair* Lora::Find(const std::string& weight) const {
  for (const LoraPair& pair : pairs) {
    if (pair.weight == weight) return &pair;
  }
  return nullptr;
}

Status AddLora(const LoraConfig& config, const std::string& base_model, uint64_t seed,
               Model* model) {
  Result<std::shared_ptr<Lora>> lora = EmptyLora(config, *model);
  if (!lora.ok()) return lora.error();
  (*lora)->base_model = base_model;
  c10::NoGradGuard no_grad;
  for (size_t i = 0; i < (*lora)->pairs.size(); ++i) {
    at::Tensor a = (*lora)->pairs[i].a;
    Rng rng(seed, "lora", i);
    const double bound = 1 / std::sqrt(static_cast<double>(a.size(1)));
    const at::Tensor values = at::empty(a.sizes(), at::kFloat);
    float* data = values.data_ptr<float>();
    for (int64_t k = 0; k < values.numel(); ++k)
      data[k] = static_cast<float>((2 * rng.Uniform() - 1) * bound);
    a.copy_(values);
  }
  model->lora = std::move(*lora);
  return {};
}

at::Tensor MergeLora(const at::Tensor& weight, const LoraPair& pair, double scale) {
  c10::NoGradGuard no_grad;
  const at::ScalarType dtype = weight.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  return at::addmm(weight.detach().to(dtype), pair.b.detach().to(dtype), pair.a.detach().to(dtype),
                   1, scale)
      .to(weight.scalar_type());
}

Model MergedModel(const Model& model) {
  if (model.lora == nullptr) return model;
  ASSAY_CHECK(model.source == nullptr);  // WholeModel merges, too
  Model merged = model;
  merged.lora = nullptr;
  VisitWeights(&merged, [&](const std::string& name, at::Tensor* tensor) {
    if (const LoraPair* pair = model.lora->Find(name); pair != nullptr)
      *tensor = MergeLora(*tensor, *pair, model.lora->config.scale());
  });
  return merged;
}

void AddLoraGradient(const LoraPair& pair, double scale, const at::Tensor& gradient,
                     const at::Tensor& a_grad, const at::Tensor& b_grad) {
  c10::NoGradGuard no_grad;
  const at::Tensor g = gradient.to(a_grad.scalar_type());
  at::Tensor a_sum = a_grad, b_sum = b_grad;
  a_sum.addmm_(pair.b.detach().t(), g, 1, scale);
  b_sum.addmm_(g, pair.a.detach().t(), 1, scale);
}

std::vector<NamedTensor> LoraTensors(const Lora& lora) {
  std::vector<NamedTensor> tensors;
  for (const LoraPair& pair : lora.pairs) {
    tensors.push_back({FactorName(pair, "lora_A"), pair.a});
    tensors.push_back({FactorName(pair, "lora_B"), pair.b});
  }
  return tensors;
}

Status SaveLora(const Lora& lora, const std::string& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  if (code)
    return Error{ErrorCode::kIo, StrCat("cannot make '", folder, "': ", code.message()), ""};
  const fs::path path(folder);
  if (Status s = WriteTensors((path / "adapter_model.safetensors").string(), LoraTensors(lora));
      !s.ok())
    return s;
  return WriteFileAtomic((path / "adapter_config.json").string(),
                         LoraConfigToJson(lora.config, lora.base_model).Dump() + "\n");
}

Status LoadLoraTensors(const std::string& folder, const Lora& lora) {
  const std::string path = (fs::path(folder) / "adapter_model.safetensors").string();
  Result<std::vector<NamedTensor>> stored = ReadTensors(path);
  if (!stored.ok()) return stored.error();
  std::map<std::string, at::Tensor> by_name;
  for (NamedTensor& entry : *stored) by_name[entry.name] = std::move(entry.tensor);
  const std::vector<NamedTensor> wanted = LoraTensors(lora);
  for (const auto& [name, tensor] : by_name) {
    const bool known =
        std::any_of(wanted.begin(), wanted.end(),
                    [&, key = &name](const auto& entry) { return entry.name == *key; });
    if (!known)
      return Error{ErrorCode::kInput,
                   StrCat(path, ": '", Shorten(name, 120), "' fits nothing here"),
                   "the adapter is of another model, or trains more than linear layers"};
  }
  c10::NoGradGuard no_grad;
  for (const NamedTensor& entry : wanted) {
    const auto found = by_name.find(entry.name);
    if (found == by_name.end() || found->second.sizes() != entry.tensor.sizes()) {
      return Error{ErrorCode::kInput, StrCat(path, " lacks '", entry.name, "' in its shape"),
                   "the adapter is of another model"};
    }
    at::Tensor to = entry.tensor;
    to.copy_(found->second);
  }
  return {};
}

Status LoadLora(const std::string& folder, Model* model) {
  const std::string path = (fs::path(folder) / "adapter_config.json").string();
  Result<std::string> text = ReadFile(path, size_t{1} << 20);
  if (!text.ok()) return text.error();
  Result<Json> json = ParseJson(*text);
  if (!json.ok()) return Error{ErrorCode::kInput, StrCat(path, ": ", json.error().message), ""};
  Result<LoraConfig> config = LoraConfigFromJson(*json);
  if (!config.ok())
    return Error{config.error().code, StrCat(path, ": ", config.error().message),
                 config.error().hint};
  Result<std::shared_ptr<Lora>> lora = EmptyLora(*config, *model);
  if (!lora.ok()) return lora.error();
  (*lora)->base_model = json->StringOr("base_model_name_or_path", "");
  if (Status status = LoadLoraTensors(folder, **lora); !status.ok()) return status;
  model->lora = std::move(*lora);
  return {};
}

}  // namespace assay
