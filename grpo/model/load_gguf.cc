// A model out of a GGUF file: names and configuration translated, quantised weights made float32, rows of rotated heads put back in order.
#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text.h"
#include "grpo/files/gguf.h"
#include "grpo/model/stored_weights.h"

namespace assay {
namespace {

// ---- names ----

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

// ---- configuration ----

// Llama 3.1's frequencies are stored as divisors; the parameters behind them are found again and checked.
Status ReadRopeFactors(const GgufFile& file, const GgufTensor& tensor, ModelConfig* config) {
  std::vector<float> factors(static_cast<size_t>(tensor.elements()));
  if (Status s = DequantizeGguf(tensor, factors.data()); !s.ok()) return s;
  const std::vector<double> plain =
      MakeRopeTable(config->rope, config->head_dim, 0).inverse_frequencies;
  config->rope.scaling = RopeScaling::kLlama3;
  config->rope.factor = factors.empty() ? 1.0 : *std::max_element(factors.begin(), factors.end());
  config->rope.low_freq_factor = 1.0;
  config->rope.high_freq_factor = 4.0;
  config->rope.original_max_position = 8192;
  const std::vector<double> scaled =
      MakeRopeTable(config->rope, config->head_dim, 0).inverse_frequencies;
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

// ---- weights ----

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

}  // namespace

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

}  // namespace assay
