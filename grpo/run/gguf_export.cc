#include "grpo/run/gguf_export.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "grpo/config/model_config.h"
#include "grpo/files/float_bits.h"
#include "grpo/files/safetensors.h"
#include "grpo/tokenizer/pretokenizer.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

Error Bad(std::string message, std::string hint = "") {
  return {ErrorCode::kInput, std::move(message), std::move(hint)};
}

Result<Json> ReadJsonFile(const fs::path& path) {
  Result<std::string> text = ReadFile(path.string(), size_t{256} << 20);
  if (!text.ok()) return text.error();
  Result<Json> json = ParseJson(*text);
  if (!json.ok()) return Bad(StrCat(path.string(), ": ", json.error().message));
  return json;
}

// --- weights ---------------------------------------------------------------------------------------------------------

struct Weight {
  std::shared_ptr<const SafetensorsFile> file;
  const SafeTensor* tensor = nullptr;
};
using Weights = std::map<std::string, Weight>;

Status AddFile(const fs::path& path, Weights* weights) {
  Result<std::shared_ptr<const SafetensorsFile>> file = SafetensorsFile::Open(path.string());
  if (!file.ok()) return file.error();
  for (const auto& [name, tensor] : (*file)->tensors()) (*weights)[name] = {*file, &tensor};
  return {};
}

Result<Weights> ReadWeights(const fs::path& folder) {
  Weights weights;
  std::error_code ignored;
  if (fs::exists(folder / "model.safetensors", ignored)) {
    if (Status s = AddFile(folder / "model.safetensors", &weights); !s.ok()) return s.error();
    return weights;
  }
  Result<Json> index = ReadJsonFile(folder / "model.safetensors.index.json");
  if (!index.ok())
    return Bad(StrCat(folder.string(), " has neither model.safetensors nor an index of shards"));
  std::set<std::string> shards;
  const Json* map = index->Find("weight_map");
  if (map == nullptr || !map->IsObject())
    return Bad(StrCat(folder.string(), ": the index of shards has no weight_map"));
  for (const Json::Member& member : *map->AsObject())
    shards.insert(fs::path(member.value.ScalarText()).filename().string());
  for (const std::string& shard : shards) {
    if (Status s = AddFile(folder / shard, &weights); !s.ok()) return s.error();
  }
  return weights;
}

Status ReadNumbers(const SafeTensor& tensor, int64_t first, int64_t count, float* out) {
  const auto element = static_cast<int64_t>(SafeDtypeBytes(tensor.dtype));
  if (element == 0 || (first + count) * element > static_cast<int64_t>(tensor.bytes))
    return Bad("a weight is cut short");
  const uint8_t* at = tensor.data + first * element;
  for (int64_t i = 0; i < count; ++i, at += element) {
    uint16_t half = 0;
    double wide = 0;
    if (tensor.dtype == "F32") {
      std::memcpy(&out[i], at, sizeof(float));
    } else if (tensor.dtype == "F64") {
      std::memcpy(&wide, at, sizeof(wide));
      out[i] = static_cast<float>(wide);
    } else {
      std::memcpy(&half, at, sizeof(half));
      out[i] = tensor.dtype == "F16" ? FloatFromHalf(half) : FloatFromBf16(half);
    }
  }
  return {};
}

constexpr std::pair<const char*, const char*> kLayerNames[] = {
    {"input_layernorm", "attn_norm"},    {"self_attn.q_proj", "attn_q"},
    {"self_attn.k_proj", "attn_k"},      {"self_attn.v_proj", "attn_v"},
    {"self_attn.o_proj", "attn_output"}, {"self_attn.q_norm", "attn_q_norm"},
    {"self_attn.k_norm", "attn_k_norm"}, {"post_attention_layernorm", "ffn_norm"},
    {"mlp.gate_proj", "ffn_gate"},       {"mlp.up_proj", "ffn_up"},
    {"mlp.down_proj", "ffn_down"}};

// "model.layers.3.self_attn.q_proj.weight" -> "blk.3.attn_q.weight"; "" for a name that GGUF has no place for.
std::string NameInGguf(const std::string& name) {
  if (name == "model.embed_tokens.weight") return "token_embd.weight";
  if (name == "model.norm.weight") return "output_norm.weight";
  if (name == "lm_head.weight") return "output.weight";
  constexpr std::string_view kLayers = "model.layers.";
  if (!StartsWith(name, kLayers)) return "";
  const size_t number_end = name.find('.', kLayers.size());
  const size_t kind = name.rfind('.');
  if (number_end == std::string::npos || kind <= number_end) return "";
  const std::string middle = name.substr(number_end + 1, kind - number_end - 1);
  for (const auto& [ours, theirs] : kLayerNames) {
    if (middle == ours)
      return StrCat("blk.", name.substr(kLayers.size(), number_end - kLayers.size()), ".", theirs,
                    name.substr(kind));
  }
  return "";
}

bool IsRotated(const std::string& name) {
  return name.find("self_attn.q_proj") != std::string::npos ||
         name.find("self_attn.k_proj") != std::string::npos;
}

Status CheckWeight(const std::string& name, const SafeTensor& tensor, const ModelConfig& config) {
  if (NameInGguf(name).empty()) return Bad("has no place in GGUF");
  if (tensor.shape.empty() || tensor.shape.size() > 2 || tensor.shape[0] < 1 ||
      tensor.shape.back() < 1)
    return Bad("has an impossible shape");
  if (IsRotated(name) && tensor.shape[0] % config.head_dim != 0)
    return Bad(StrCat("has ", tensor.shape[0], " rows, no multiple of head_dim"));
  const bool known = tensor.dtype == "F32" || tensor.dtype == "F64" || tensor.dtype == "F16" ||
                     tensor.dtype == "BF16";
  return known ? Status() : Bad(StrCat("has dtype ", tensor.dtype, ", which is not supported"));
}

// The row of a query or key matrix that stands at `row` where llama.cpp keeps the pairs of a rotation side by side: ours are half a head
// apart.
int64_t Unrotated(int64_t row, int64_t head_dim) {
  const int64_t in_head = row % head_dim;
  return row - in_head + in_head / 2 + (in_head % 2) * (head_dim / 2);
}

GgufWriter::Tensor TensorOf(const std::string& name, const Weight& weight,
                            const ModelConfig& config, GgufOut type) {
  GgufWriter::Tensor out;
  out.name = NameInGguf(name);
  out.shape = weight.tensor->shape;
  const int64_t columns = out.shape.back();
  const bool matrix = out.shape.size() > 1;
  out.type = !matrix                                       ? GgufOut::kF32
             : type == GgufOut::kQ8_0 && columns % 32 != 0 ? GgufOut::kF16
                                                           : type;
  const bool interleaved = config.family == "llama" || config.family == "mistral";
  const bool rotated = interleaved && IsRotated(name);
  const int64_t head_dim = config.head_dim;
  out.read_row = [weight, columns, matrix, rotated, head_dim](int64_t row, float* to) -> Status {
    const SafeTensor& tensor = *weight.tensor;
    if (matrix)
      return ReadNumbers(tensor, (rotated ? Unrotated(row, head_dim) : row) * columns, columns, to);
    if (Status s = ReadNumbers(tensor, 0, columns, to); !s.ok() || !rotated) return s;
    const std::vector<float> plain(to, to + columns);  // a bias
    for (int64_t i = 0; i < columns; ++i) to[i] = plain[Unrotated(i, head_dim)];
    return {};
  };
  return out;
}

// --- metadata --------------------------------------------------------------------------------------------------------

uint32_t Small(int64_t value) { return static_cast<uint32_t>(value); }

// Llama 3.1's scaling travels as a tensor of divisors, the others as keys.
Status AddRope(const ModelConfig& config, const std::string& arch, GgufWriter* writer) {
  const RopeConfig& rope = config.rope;
  writer->Add(arch + ".rope.dimension_count", Small(config.head_dim));
  writer->Add(arch + ".rope.freq_base", static_cast<float>(rope.theta));
  switch (rope.scaling) {
    case RopeScaling::kNone:
      return {};
    case RopeScaling::kDynamic:
      return Bad("GGUF has no name for RoPE scaling 'dynamic'");
    case RopeScaling::kLongRope:
      return Bad("RoPE scaling 'longrope' is not written as GGUF");
    case RopeScaling::kLinear:
    case RopeScaling::kYarn:
      writer->Add(arch + ".rope.scaling.type",
                  std::string_view(rope.scaling == RopeScaling::kLinear ? "linear" : "yarn"));
      writer->Add(arch + ".rope.scaling.factor", static_cast<float>(rope.factor));
      if (rope.scaling == RopeScaling::kYarn)
        writer->Add(arch + ".rope.scaling.original_context_length",
                    Small(rope.original_max_position));
      return {};
    case RopeScaling::kLlama3:
      break;
  }
  RopeConfig plain;
  plain.theta = rope.theta;
  const auto slow = MakeRopeTable(rope, config.head_dim, 0).inverse_frequencies;
  const auto fast = MakeRopeTable(plain, config.head_dim, 0).inverse_frequencies;
  GgufWriter::Tensor factors{"rope_freqs.weight", {static_cast<int64_t>(slow.size())}, {}, {}};
  factors.read_row = [slow, fast](int64_t, float* row) -> Status {
    for (size_t i = 0; i < slow.size(); ++i) row[i] = static_cast<float>(fast[i] / slow[i]);
    return {};
  };
  writer->Add(std::move(factors));
  return {};
}

Status AddShapes(const ModelConfig& config, const std::string& name, GgufOut type,
                 GgufWriter* writer) {
  const std::string arch = config.family == "mistral" ? "llama" : config.family;
  if (arch != "llama" && arch != "qwen2" && arch != "qwen3")
    return Bad(StrCat("models of the kind '", config.family, "' are not written as GGUF"),
               "known: llama, mistral, qwen2, qwen3");
  // What the other families have and these may have, too.
  if (const std::string parts = NotFused(config); !parts.empty())
    return Bad(StrCat("a ", config.family, " model with ", parts, " is not written as GGUF"));
  const std::pair<GgufOut, uint32_t> file_types[] = {
      {GgufOut::kF32, 0}, {GgufOut::kF16, 1}, {GgufOut::kQ8_0, 7}, {GgufOut::kBf16, 32}};
  writer->Add("general.architecture", std::string_view(arch));
  writer->Add("general.name", std::string_view(name));
  for (const auto& [known, number] : file_types) {
    if (known == type) writer->Add("general.file_type", number);
  }
  writer->Add("general.quantization_version", uint32_t{2});
  const std::pair<const char*, int64_t> numbers[] = {
      {".block_count", config.num_layers},
      {".context_length", config.max_position},
      {".embedding_length", config.hidden_size},
      {".feed_forward_length", config.intermediate_size},
      {".attention.head_count", config.num_heads},
      {".attention.head_count_kv", config.num_kv_heads},
      {".attention.key_length", config.head_dim},
      {".attention.value_length", config.head_dim},
      {".vocab_size", config.vocab_size}};
  for (const auto& [key, number] : numbers) writer->Add(arch + key, Small(number));
  writer->Add(arch + ".attention.layer_norm_rms_epsilon", static_cast<float>(config.rms_eps));
  return AddRope(config, arch, writer);
}

// --- the tokenizer ---------------------------------------------------------------------------------------------------

// The steps of a tokenizer.json's list, or the one step that it is.
std::vector<const Json*> Steps(const Json* value, const char* list) {
  std::vector<const Json*> steps;
  if (value == nullptr || value->IsNull()) return steps;
  const Json* several = value->Find(list);
  if (several == nullptr || !several->IsArray()) return {value};
  for (const Json& step : *several->AsArray()) steps.push_back(&step);
  return steps;
}

bool HasStep(const std::vector<const Json*>& steps, std::string_view type) {
  return std::any_of(steps.begin(), steps.end(),
                     [&](const Json* step) { return step->StringOr("type", "") == type; });
}

// llama.cpp's name of a byte-level tokenizer's pre-split; "" where it has none that we know.
std::string PreSplitName(const Json& tokenizer) {
  const auto steps = Steps(tokenizer.Find("pre_tokenizer"), "pretokenizers");
  std::string pattern;
  bool gpt2 = false, digits = false;
  for (const Json* step : steps) {
    const std::string_view type = step->StringOr("type", "");
    if (type == "Split") {
      const Json* regex = step->Find("pattern");
      const std::string_view text = regex == nullptr ? "" : regex->StringOr("Regex", "");
      if (text == kDigitPattern) digits = true;
      if (text == kGpt2Pattern) gpt2 = true;
      if (text != kDigitPattern && text != kGpt2Pattern) pattern += text;
    } else if (type == "Digits") {
      digits = step->BoolOr("individual_digits", false);
    } else if (type == "ByteLevel") {
      gpt2 = gpt2 || step->BoolOr("use_regex", true);
    } else {
      return "";
    }
  }
  if (pattern == kLlama3Pattern) return "llama-bpe";
  if (pattern == kQwen2Pattern)
    return HasStep(Steps(tokenizer.Find("normalizer"), "normalizers"), "NFC") ? "qwen2"
                                                                              : "deepseek-r1-qwen";
  if (!pattern.empty()) return "";
  return digits ? "smollm" : gpt2 ? "gpt-2" : "";
}

enum TokenType : int32_t {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUser = 4,
  kUnused = 5,
  kByte = 6
};

struct Tokens {
  std::vector<std::string> texts;
  std::vector<int32_t> types;
  std::map<std::string, int64_t> ids;  // special tokens by their text
};

Result<Tokens> ReadTokens(const Json& tokenizer, int64_t vocab_size, bool scored) {
  const Json* model = tokenizer.Find("model");
  const Json* vocabulary = model == nullptr ? nullptr : model->Find("vocab");
  if (vocabulary == nullptr || !vocabulary->IsObject())
    return Bad("tokenizer.json has no vocabulary");
  Tokens out;
  out.types.assign(static_cast<size_t>(vocab_size), kUnused);
  for (int64_t id = 0; id < vocab_size; ++id) out.texts.push_back(StrCat("[PAD", id, "]"));
  const auto set = [&](int64_t id, const std::string& text, TokenType type) {
    if (id < 0 || id >= vocab_size) return false;
    out.texts[static_cast<size_t>(id)] = text;
    out.types[static_cast<size_t>(id)] = type;
    out.ids[text] = id;
    return true;
  };
  const std::string unknown(model->StringOr("unk_token", ""));
  for (const Json::Member& member : *vocabulary->AsObject()) {
    const int64_t* id = member.value.AsInt();
    const bool byte = scored && member.key.size() == 6 && StartsWith(member.key, "<0x");
    const TokenType type = byte ? kByte : scored && member.key == unknown ? kUnknown : kNormal;
    if (id == nullptr || !set(*id, member.key, type))
      return Bad(StrCat("token '", Shorten(member.key, 40),
                        "' is beyond the model's vocabulary of ", vocab_size));
  }
  const Json* added = tokenizer.Find("added_tokens");
  if (added == nullptr || !added->IsArray()) return out;
  for (const Json& token : *added->AsArray()) {
    const std::string text(token.StringOr("content", ""));
    const bool stays = scored && text == unknown;
    const TokenType type = stays ? kUnknown : token.BoolOr("special", false) ? kControl : kUser;
    if (!set(token.IntOr("id", -1), text, type))
      return Bad(StrCat("token '", Shorten(text, 40), "' is beyond the model's vocabulary of ",
                        vocab_size));
  }
  return out;
}

// "left right" of each merge, in order.
std::vector<std::string> Merges(const Json& tokenizer) {
  std::vector<std::string> lines;
  const Json* model = tokenizer.Find("model");
  const Json* merges = model == nullptr ? nullptr : model->Find("merges");
  if (merges == nullptr || !merges->IsArray()) return lines;
  for (const Json& merge : *merges->AsArray()) {
    const Json::Array* pair = merge.AsArray();
    lines.push_back(pair != nullptr && pair->size() == 2
                        ? StrCat((*pair)[0].ScalarText(), " ", (*pair)[1].ScalarText())
                        : merge.ScalarText());
  }
  return lines;
}

// SentencePiece joins the pair whose piece scores highest: a piece's score is the rank of the first merge that makes it.
std::vector<float> Scores(const Tokens& tokens, const std::vector<std::string>& merges) {
  std::vector<float> scores(tokens.texts.size(), 0.0f);
  std::set<int64_t> done;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const size_t space = merges[rank].find(' ');
    if (space == std::string::npos) continue;
    const auto made =
        tokens.ids.find(merges[rank].substr(0, space) + merges[rank].substr(space + 1));
    if (made != tokens.ids.end() && done.insert(made->second).second)
      scores[static_cast<size_t>(made->second)] = -static_cast<float>(rank);
  }
  // Pieces that no merge makes come last.
  const auto lowest = -static_cast<float>(merges.size());
  for (size_t id = 0; id < scores.size(); ++id) {
    if (tokens.types[id] == kNormal && done.count(static_cast<int64_t>(id)) == 0)
      scores[id] = lowest;
  }
  return scores;
}

std::string SpecialText(const Json& config, const char* role) {
  const Json* value = config.Find(role);
  if (value == nullptr) return "";
  return value->IsObject() ? std::string(value->StringOr("content", "")) : value->ScalarText();
}

void AddRoles(const fs::path& folder, const Json& config, const Tokens& tokens, bool scored,
              GgufWriter* writer) {
  const std::pair<const char*, const char*> roles[] = {{"bos_token", "bos_token_id"},
                                                       {"eos_token", "eos_token_id"},
                                                       {"unk_token", "unknown_token_id"},
                                                       {"pad_token", "padding_token_id"}};
  for (const auto& [role, key] : roles) {
    const auto found = tokens.ids.find(SpecialText(config, role));
    if (found != tokens.ids.end())
      writer->Add(StrCat("tokenizer.ggml.", key), Small(found->second));
  }
  writer->Add("tokenizer.ggml.add_bos_token", config.BoolOr("add_bos_token", scored));
  std::string chat(config.StringOr("chat_template", ""));
  if (Result<std::string> file = ReadFile((folder / "chat_template.jinja").string()); file.ok())
    chat = *file;
  if (!chat.empty()) writer->Add("tokenizer.chat_template", std::string_view(chat));
}

Status AddTokenizer(const fs::path& folder, int64_t vocab_size, GgufWriter* writer) {
  Result<Json> tokenizer = ReadJsonFile(folder / "tokenizer.json");
  if (!tokenizer.ok()) return tokenizer.error();
  Json config = Json::MakeObject();
  if (Result<Json> read = ReadJsonFile(folder / "tokenizer_config.json"); read.ok()) config = *read;
  const Json* model = tokenizer->Find("model");
  if (model == nullptr || model->StringOr("type", "") != "BPE")
    return Bad(StrCat(folder.string(), ": the tokenizer is no BPE"));
  const bool scored = model->BoolOr("byte_fallback", false);
  const std::string pre = scored ? "" : PreSplitName(*tokenizer);
  if (!scored && pre.empty()) {
    return Bad(StrCat(folder.string(), ": llama.cpp has no name for the tokenizer's pre-split"),
               "known: those of Llama 3, Qwen2, SmolLM2, DeepSeek R1's distillations, GPT-2");
  }
  Result<Tokens> tokens = ReadTokens(*tokenizer, vocab_size, scored);
  if (!tokens.ok()) return Bad(StrCat(folder.string(), ": ", tokens.error().message));
  const std::vector<std::string> merges = Merges(*tokenizer);
  writer->Add("tokenizer.ggml.model", std::string_view(scored ? "llama" : "gpt2"));
  if (!scored) writer->Add("tokenizer.ggml.pre", std::string_view(pre));
  writer->Add("tokenizer.ggml.tokens", tokens->texts);
  writer->Add("tokenizer.ggml.token_type", tokens->types);
  if (scored) {
    const auto prefix = Steps(tokenizer->Find("normalizer"), "normalizers");
    const auto spaces = Steps(tokenizer->Find("pre_tokenizer"), "pretokenizers");
    writer->Add("tokenizer.ggml.scores", Scores(*tokens, merges));
    writer->Add("tokenizer.ggml.add_space_prefix",
                HasStep(prefix, "Prepend") || HasStep(spaces, "Metaspace"));
  } else {
    writer->Add("tokenizer.ggml.merges", merges);
  }
  AddRoles(folder, config, *tokens, scored, writer);
  return {};
}

}  // namespace

Result<GgufOut> GgufOutFromName(const std::string& name) {
  const std::pair<const char*, GgufOut> known[] = {{"f32", GgufOut::kF32},
                                                   {"f16", GgufOut::kF16},
                                                   {"bf16", GgufOut::kBf16},
                                                   {"q8_0", GgufOut::kQ8_0}};
  for (const auto& [other, type] : known) {
    if (name == other) return type;
  }
  return Error{ErrorCode::kUsage, StrCat("unknown type '", name, "'"),
               "known: f32, f16, bf16, q8_0"};
}

Status ExportGguf(const std::string& path, const std::string& out, GgufOut type) {
  const fs::path folder = path;
  Result<Json> json = ReadJsonFile(folder / "config.json");
  if (!json.ok()) return json.error();
  Result<ModelConfig> config = ModelConfigFromJson(*json);
  if (!config.ok()) return Bad(StrCat(path, ": ", config.error().message), config.error().hint);
  Result<Weights> weights = ReadWeights(folder);
  if (!weights.ok()) return weights.error();
  GgufWriter writer;
  const std::string name = fs::path(fs::absolute(folder).lexically_normal()).filename().string();
  if (Status s = AddShapes(*config, name, type, &writer); !s.ok()) return s;
  if (Status s = AddTokenizer(folder, config->vocab_size, &writer); !s.ok()) return s;
  for (const auto& [weight_name, weight] : *weights) {
    if (weight_name == "lm_head.weight" && config->tied_head) continue;
    if (Status s = CheckWeight(weight_name, *weight.tensor, *config); !s.ok())
      return Bad(StrCat(path, ": weight '", Shorten(weight_name, 80), "' ", s.error().message));
    writer.Add(TensorOf(weight_name, weight, *config, type));
  }
  return writer.Write(out);
}

}  // namespace assay
