#include "grpo/model/weights.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "core/jsonl.h"
#include "core/rng.h"
#include "core/text.h"
#include "grpo/files/gguf.h"
#include "grpo/files/safetensors.h"
#include "grpo/model/torch_error.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

Error BadModel(std::string message, std::string hint = "") {
  return Error{ErrorCode::kInput, std::move(message), std::move(hint)};
}

std::string ShapeText(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) StrAppend(&text, i == 0 ? "" : ", ", shape[i]);
  return text + "]";
}

// A source of weights by their Hugging Face names: what is there, in which shape, and how to read it.
struct StoredWeight {
  std::vector<int64_t> shape;
  std::string where;                         // file, for messages
  std::function<Result<at::Tensor>()> read;  // on the CPU, in the stored or a wider dtype
};
using StoredWeights = std::map<std::string, StoredWeight>;

// What files carry beside the weights that we use.
bool IsLeftover(const std::string& name, const ModelConfig& config) {
  return EndsWith(name, "rotary_emb.inv_freq") || (name == "lm_head.weight" && config.tied_head);
}

// Every weight of the config from `stored`, checked; nothing is left unset.
Result<Model> Assemble(const ModelConfig& config, const StoredWeights& stored,
                       const std::string& path, const LoadOptions& options, at::Device device) {
  Model model;
  model.config = config;
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
    *tensor = read->to(options.dtype).to(device);
  });
  if (error) return *error;
  for (const auto& [name, weight] : stored) {
    if (used.count(name) == 0 && !IsLeftover(name, config)) {
      return BadModel(StrCat(weight.where, ": unknown weight '", Shorten(name, 120), "'"),
                      "this architecture has no such weight: the model would not compute what it "
                      "was trained to");
    }
  }
  return model;
}

// ---- safetensors ----

std::optional<at::ScalarType> TorchDtype(std::string_view name) {
  if (name == "F32") return at::kFloat;
  if (name == "F64") return at::kDouble;
  if (name == "F16") return at::kHalf;
  if (name == "BF16") return at::kBFloat16;
  return std::nullopt;
}

const char* SafeDtype(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return "F64";
    case at::kHalf:
      return "F16";
    case at::kBFloat16:
      return "BF16";
    default:
      return "F32";
  }
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

Result<Model> LoadFolder(const fs::path& folder, const LoadOptions& options, at::Device device) {
  Result<std::string> text = ReadFile((folder / "config.json").string(), size_t{16} << 20);
  if (!text.ok()) return text.error();
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

// ---- GGUF ----

struct GgufName {
  const char* gguf;
  const char* ours;
};
constexpr GgufName kGgufLayerNames[] = {
    {"attn_norm", "input_layernorm"},    {"attn_q", "self_attn.q_proj"},
    {"attn_k", "self_attn.k_proj"},      {"attn_v", "self_attn.v_proj"},
    {"attn_output", "self_attn.o_proj"}, {"attn_q_norm", "self_attn.q_norm"},
    {"attn_k_norm", "self_attn.k_norm"}, {"ffn_norm", "post_attention_layernorm"},
    {"ffn_gate", "mlp.gate_proj"},       {"ffn_up", "mlp.up_proj"},
    {"ffn_down", "mlp.down_proj"}};

// "blk.3.attn_q.weight" -> "model.layers.3.self_attn.q_proj.weight"; unknown names stay as they are.
std::string NameFromGguf(const std::string& name) {
  if (name == "token_embd.weight") return "model.embed_tokens.weight";
  if (name == "output_norm.weight") return "model.norm.weight";
  if (name == "output.weight") return "lm_head.weight";
  const std::vector<std::string_view> parts = SplitChar(name, '.');
  if (parts.size() != 4 || parts[0] != "blk") return name;
  for (const GgufName& known : kGgufLayerNames) {
    if (parts[2] == known.gguf)
      return StrCat("model.layers.", parts[1], ".", known.ours, ".", parts[3]);
  }
  return name;
}

// Llama 3.1's frequencies are stored as divisors; the parameters behind them are found again and checked.
Status ReadRopeFactors(const GgufFile& file, const GgufTensor& tensor, ModelConfig* config) {
  std::vector<float> factors(static_cast<size_t>(tensor.elements()));
  if (Status s = DequantizeGguf(tensor, factors.data()); !s.ok()) return s;
  const std::vector<double> plain = MakeRopeTable(*config, 0).inverse_frequencies;
  config->rope.scaling = RopeScaling::kLlama3;
  config->rope.factor = factors.empty() ? 1.0 : *std::max_element(factors.begin(), factors.end());
  config->rope.low_freq_factor = 1.0;
  config->rope.high_freq_factor = 4.0;
  config->rope.original_max_position = 8192;
  const std::vector<double> scaled = MakeRopeTable(*config, 0).inverse_frequencies;
  bool same = factors.size() == scaled.size();
  for (size_t i = 0; same && i < scaled.size(); ++i) {
    same = std::abs(plain[i] / factors[i] - scaled[i]) <= 1e-4 * scaled[i];
  }
  if (!same)
    return BadModel(StrCat(file.path(), ": rope_freqs.weight is no Llama 3 scaling"),
                    "load the safetensors instead");
  return {};
}

Status ReadGgufRope(const GgufFile& file, const std::string& arch, ModelConfig* config) {
  RopeConfig* rope = &config->rope;
  rope->theta = file.DoubleOr(arch + ".rope.freq_base", 10000.0);
  const int64_t rotated = file.IntOr(arch + ".rope.dimension_count", config->head_dim);
  if (rotated != config->head_dim)
    return BadModel(StrCat(file.path(), ": only ", rotated, " of ", config->head_dim,
                           " dimensions are rotated"));
  rope->factor = file.DoubleOr(arch + ".rope.scaling.factor", 1.0);
  rope->original_max_position =
      file.IntOr(arch + ".rope.scaling.original_context_length", config->max_position);
  const std::string_view type = file.StringOr(arch + ".rope.scaling.type", "none");
  if (type == "linear") {
    rope->scaling = RopeScaling::kLinear;
  } else if (type == "yarn") {
    rope->scaling = RopeScaling::kYarn;
  } else if (type != "none") {
    return BadModel(StrCat(file.path(), ": unknown rope scaling '", Shorten(type, 40), "'"));
  }
  if (const GgufTensor* factors = file.FindTensor("rope_freqs.weight"))
    return ReadRopeFactors(file, *factors, config);
  return {};
}

Result<ModelConfig> ConfigFromGguf(const GgufFile& file) {
  const std::string arch(file.StringOr("general.architecture", ""));
  if (arch != "llama" && arch != "qwen2" && arch != "qwen3") {
    return BadModel(StrCat(file.path(), ": unknown model architecture '", Shorten(arch, 80), "'"),
                    "known in GGUF: llama (also SmolLM2, TinyLlama, Mistral), qwen2, qwen3");
  }
  ModelConfig config;
  config.family = arch;
  config.hidden_size = file.IntOr(arch + ".embedding_length", 0);
  config.intermediate_size = file.IntOr(arch + ".feed_forward_length", 0);
  config.num_layers = file.IntOr(arch + ".block_count", 0);
  config.num_heads = file.IntOr(arch + ".attention.head_count", 0);
  config.num_kv_heads = file.IntOr(arch + ".attention.head_count_kv", config.num_heads);
  const int64_t split = config.num_heads > 0 ? config.hidden_size / config.num_heads : 0;
  config.head_dim = file.IntOr(arch + ".attention.key_length", split);
  config.max_position = file.IntOr(arch + ".context_length", 2048);
  config.rms_eps = file.DoubleOr(arch + ".attention.layer_norm_rms_epsilon", 1e-6);
  const GgufTensor* embedding = file.FindTensor("token_embd.weight");
  if (embedding == nullptr || embedding->shape.size() != 2)
    return BadModel(StrCat(file.path(), " has no token_embd.weight"));
  config.vocab_size = embedding->shape[0];
  config.tied_head = file.FindTensor("output.weight") == nullptr;
  config.qkv_bias = file.FindTensor("blk.0.attn_q.bias") != nullptr;
  config.o_bias = file.FindTensor("blk.0.attn_output.bias") != nullptr;
  config.mlp_bias = file.FindTensor("blk.0.ffn_down.bias") != nullptr;
  config.qk_norm = arch == "qwen3";
  config.bos_id = file.IntOr("tokenizer.ggml.bos_token_id", -1);
  config.pad_id = file.IntOr("tokenizer.ggml.padding_token_id", -1);
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    const int64_t id = file.IntOr(key, -1);
    if (id >= 0 &&
        std::find(config.eos_ids.begin(), config.eos_ids.end(), id) == config.eos_ids.end()) {
      config.eos_ids.push_back(id);
    }
  }
  if (Status s = CheckModelConfig(config); !s.ok())
    return BadModel(StrCat(file.path(), ": ", s.error().message), s.error().hint);
  if (Status s = ReadGgufRope(file, arch, &config); !s.ok()) return s.error();
  return config;
}

// Pairs (2i, 2i+1) of each head's rows back to (i, i + D/2).
at::Tensor Unpermute(const at::Tensor& weight, int64_t heads) {
  std::vector<int64_t> split = {heads, weight.size(0) / heads / 2, 2};
  if (weight.dim() == 2) split.push_back(weight.size(1));
  return weight.view(split).transpose(1, 2).reshape(weight.sizes()).contiguous();
}

Result<at::Tensor> ReadGgufTensor(const GgufTensor& tensor, int64_t unpermute_heads) {
  at::Tensor out = at::empty(tensor.shape, at::TensorOptions().dtype(at::kFloat));
  if (Status s = DequantizeGguf(tensor, out.data_ptr<float>()); !s.ok()) return s.error();
  return unpermute_heads > 0 ? Unpermute(out, unpermute_heads) : out;
}

Result<Model> LoadGguf(const std::shared_ptr<const GgufFile>& file, const LoadOptions& options,
                       at::Device device) {
  Result<ModelConfig> config = ConfigFromGguf(*file);
  if (!config.ok()) return config.error();
  StoredWeights stored;
  for (const GgufTensor& tensor : file->tensors()) {
    if (tensor.name == "rope_freqs.weight") continue;
    const std::string name = NameFromGguf(tensor.name);
    int64_t heads = 0;  // only the llama architecture is stored for interleaved rotation
    if (config->family == "llama" && name.find("self_attn.q_proj") != std::string::npos)
      heads = config->num_heads;
    if (config->family == "llama" && name.find("self_attn.k_proj") != std::string::npos)
      heads = config->num_kv_heads;
    stored[name] = {tensor.shape, file->path(),
                    [&tensor, heads] { return ReadGgufTensor(tensor, heads); }};
  }
  return Assemble(*config, stored, file->path(), options, device);
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

// ---- saving ----

struct Shard {
  std::string file;
  std::vector<SafeTensorOut> tensors;
};

// Contiguous CPU copies in `dtype` where needed; `keep` owns what the shards point to.
std::vector<Shard> MakeShards(const Model& model, at::ScalarType dtype, int64_t shard_bytes,
                              std::vector<at::Tensor>* keep) {
  std::vector<Shard> shards(1);
  int64_t bytes = 0;
  for (const NamedTensor& weight : NamedWeights(model)) {
    const at::Tensor tensor = weight.tensor.detach().to(at::kCPU).to(dtype).contiguous();
    const int64_t size = static_cast<int64_t>(tensor.nbytes());
    if (bytes > 0 && bytes + size > shard_bytes) {
      shards.emplace_back();
      bytes = 0;
    }
    bytes += size;
    keep->push_back(tensor);
    SafeTensor out{SafeDtype(dtype), tensor.sizes().vec(),
                   static_cast<const uint8_t*>(tensor.data_ptr()), tensor.nbytes()};
    shards.back().tensors.push_back({weight.name, std::move(out)});
  }
  auto number = [](size_t n) {
    std::string digits = StrCat(n);
    return std::string(5 - std::min<size_t>(5, digits.size()), '0') + digits;
  };
  for (size_t i = 0; i < shards.size(); ++i) {
    shards[i].file = shards.size() == 1 ? "model.safetensors"
                                        : StrCat("model-", number(i + 1), "-of-",
                                                 number(shards.size()), ".safetensors");
  }
  return shards;
}

Json ShardIndex(const std::vector<Shard>& shards) {
  Json map = Json::MakeObject();
  int64_t total = 0;
  for (const Shard& shard : shards) {
    for (const SafeTensorOut& out : shard.tensors) {
      map.Set(out.name, shard.file);
      total += static_cast<int64_t>(out.tensor.bytes);
    }
  }
  Json index = Json::MakeObject();
  index.Set("metadata", Json(Json::Object{{"total_size", Json(total)}}));
  index.Set("weight_map", std::move(map));
  return index;
}

Json GenerationConfig(const Json& config) {
  Json json = Json::MakeObject();
  for (const char* key : {"bos_token_id", "eos_token_id", "pad_token_id"}) {
    const Json* value = config.Find(key);
    if (value != nullptr && !value->IsNull()) json.Set(key, *value);
  }
  return json;
}

const char* DtypeName(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return "float64";
    case at::kHalf:
      return "float16";
    case at::kBFloat16:
      return "bfloat16";
    default:
      return "float32";
  }
}

}  // namespace

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

Result<Model> RandomModel(const ModelConfig& config, uint64_t seed, double stddev,
                          at::ScalarType dtype) {
  if (Status s = CheckModelConfig(config); !s.ok()) return s.error();
  return CatchTorch("making a random model", [&]() -> Result<Model> {
    at::NoGradGuard no_grad;
    Model model;
    model.config = config;
    VisitWeights(&model, [&](const std::string& name, at::Tensor* tensor) {
      *tensor = at::zeros(WeightShape(config, name), at::TensorOptions().dtype(at::kFloat));
      if (name.find("norm") != std::string::npos) {
        tensor->fill_(1.0);
      } else if (EndsWith(name, ".weight")) {
        Rng rng(seed, name);
        float* data = tensor->data_ptr<float>();
        for (int64_t i = 0; i < tensor->numel(); ++i)
          data[i] = static_cast<float>(rng.Normal() * stddev);
      }
      *tensor = tensor->to(dtype);
    });
    return model;
  });
}

Status SaveModel(const Model& model, const Tokenizer* tokenizer, const std::string& folder,
                 at::ScalarType dtype, int64_t shard_bytes) {
  return CatchTorch(StrCat("saving ", folder), [&]() -> Status {
    std::error_code error;
    fs::create_directories(folder, error);
    if (error)
      return Error{ErrorCode::kIo, StrCat("cannot create ", folder, ": ", error.message()), ""};
    std::vector<at::Tensor> keep;
    const std::vector<Shard> shards = MakeShards(model, dtype, shard_bytes, &keep);
    for (const Shard& shard : shards) {
      if (Status s = WriteSafetensors((fs::path(folder) / shard.file).string(), shard.tensors);
          !s.ok())
        return s;
    }
    // What an earlier save left in the other form would be read first, or beside.
    const std::string index = (fs::path(folder) / "model.safetensors.index.json").string();
    if (shards.size() > 1) {
      if (Status s = WriteFileAtomic(index, ShardIndex(shards).Dump()); !s.ok()) return s;
      fs::remove(fs::path(folder) / "model.safetensors", error);
    } else {
      fs::remove(index, error);
    }
    const Json config = ModelConfigToJson(model.config, DtypeName(dtype));
    if (Status s = WriteFileAtomic((fs::path(folder) / "config.json").string(), config.Dump());
        !s.ok())
      return s;
    const std::string generation = (fs::path(folder) / "generation_config.json").string();
    if (Status s = WriteFileAtomic(generation, GenerationConfig(config).Dump()); !s.ok()) return s;
    return tokenizer != nullptr ? tokenizer->Save(folder) : Status();
  });
}

}  // namespace assay
