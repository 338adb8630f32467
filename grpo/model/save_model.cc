// A model into a folder that transformers loads: safetensors (in shards where it is large), config.json, generation_config.json, tokenizer.
#include <ATen/ATen.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "core/jsonl.h"
#include "core/text.h"
#include "grpo/files/safetensors.h"
#include "grpo/model/lora.h"
#include "grpo/model/torch_error.h"
#include "grpo/model/weights.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

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

Status SaveModel(const Model& given, const Tokenizer* tokenizer, const std::string& folder,
                 at::ScalarType dtype, int64_t shard_bytes) {
  return CatchTorch(StrCat("saving ", folder), [&]() -> Status {
    const Model model = MergedModel(given);
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
