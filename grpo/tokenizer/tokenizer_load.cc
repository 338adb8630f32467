// Tokenizers out of tokenizer.json, GGUF metadata and toy vocabularies: all become BpeData, and what tokenizer.json would
// say of it is kept for saving.
#include <algorithm>
#include <filesystem>
#include <utility>

#include "core/jsonl.h"
#include "core/text.h"
#include "grpo/files/gguf.h"
#include "grpo/tokenizer/bpe.h"
#include "grpo/tokenizer/tokenizer.h"

namespace assay {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kVisibleSpace = "\xE2\x96\x81";  // U+2581
constexpr int64_t kMaxTokens = int64_t{1} << 21;  // eight times the largest vocabulary known

Error BadTokenizer(std::string message, std::string hint = "") {
  return Error{ErrorCode::kInput, StrCat("tokenizer: ", message), std::move(hint)};
}

// ---- GPT-2's writing of bytes as printable characters ----

struct ByteAlphabet {
  std::unordered_map<std::string, unsigned char> byte;  // a character's byte
};

void AppendUtf8(uint32_t code, std::string* out) {
  if (code < 0x80) {
    out->push_back(static_cast<char>(code));
  } else if (code < 0x800) {
    out->push_back(static_cast<char>(0xC0 | code >> 6));
    out->push_back(static_cast<char>(0x80 | (code & 63)));
  } else {
    out->push_back(static_cast<char>(0xE0 | code >> 12));
    out->push_back(static_cast<char>(0x80 | ((code >> 6) & 63)));
    out->push_back(static_cast<char>(0x80 | (code & 63)));
  }
}

const ByteAlphabet& Alphabet() {
  static const ByteAlphabet* const alphabet = [] {
    auto* made = new ByteAlphabet();
    uint32_t next = 256;
    for (uint32_t byte = 0; byte < 256; ++byte) {
      const bool printable =
          (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
      std::string text;
      AppendUtf8(printable ? byte : next++, &text);
      made->byte.emplace(std::move(text), static_cast<unsigned char>(byte));
    }
    return made;
  }();
  return *alphabet;
}

// The bytes that a byte-level token's text stands for; a text outside of the alphabet stands for itself.
std::string FromByteText(std::string_view text) {
  std::string bytes;
  for (size_t at = 0; at < text.size();) {
    const size_t length = std::max<size_t>(1, Utf8Length(text, at));
    const auto found = Alphabet().byte.find(std::string(text.substr(at, length)));
    if (found == Alphabet().byte.end()) return std::string(text);
    bytes.push_back(static_cast<char>(found->second));
    at += length;
  }
  return bytes;
}

// "<0x0A>" -> 10; -1 for anything else.
int ByteOfFallback(std::string_view text) {
  if (text.size() != 6 || !StartsWith(text, "<0x") || text[5] != '>') return -1;
  int value = 0;
  for (char c : text.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

// ---- vocabulary and merges ----

std::string ReplaceVisibleSpaces(std::string_view text) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (text.substr(at, kVisibleSpace.size()) == kVisibleSpace) {
      out.push_back(' ');
      at += kVisibleSpace.size();
    } else {
      out.push_back(text[at++]);
    }
  }
  return out;
}

std::string PieceBytes(const BpeData& data, std::string_view text) {
  if (data.symbols == BpeData::Symbols::kBytes) return FromByteText(text);
  const int byte = ByteOfFallback(text);
  if (byte >= 0) return std::string(1, static_cast<char>(byte));
  return data.visible_spaces ? ReplaceVisibleSpaces(text) : std::string(text);
}

using TextIds = std::unordered_map<std::string, int32_t>;

Status AddPiece(int64_t id, const std::string& bytes, BpeData* data) {
  if (id < 0 || id >= kMaxTokens) return BadTokenizer(StrCat("token id ", id, " is out of range"));
  if (static_cast<size_t>(id) >= data->pieces.size()) {
    data->pieces.resize(static_cast<size_t>(id) + 1);
    data->present.resize(static_cast<size_t>(id) + 1);
  }
  data->pieces[static_cast<size_t>(id)] = bytes;
  data->present[static_cast<size_t>(id)] = true;
  return {};
}

// Ordinary tokens by text. Single bytes become the starting symbols.
Status SetVocabulary(const TextIds& texts, BpeData* data) {
  data->byte_ids.fill(-1);
  for (const auto& [text, id] : texts) {
    const std::string bytes = PieceBytes(*data, text);
    if (Status s = AddPiece(id, bytes, data); !s.ok()) return s;
    if (data->symbols == BpeData::Symbols::kBytes) {
      if (bytes.size() == 1) data->byte_ids[static_cast<unsigned char>(bytes[0])] = id;
      data->ids.emplace(bytes, id);
    } else if (ByteOfFallback(text) >= 0) {
      data->byte_ids[static_cast<unsigned char>(bytes[0])] = id;
    } else {
      data->ids.emplace(bytes, id);
    }
  }
  return {};
}

Status AddMerge(const TextIds& texts, const std::string& left, const std::string& right,
                int32_t rank, BpeData* data) {
  const auto l = texts.find(left);
  const auto r = texts.find(right);
  const auto both = texts.find(left + right);
  if (l == texts.end() || r == texts.end() || both == texts.end()) {
    return BadTokenizer(StrCat("merge '", Shorten(left, 40), " ", Shorten(right, 40),
                               "' has a part that is no token"));
  }
  const auto key = static_cast<uint64_t>(static_cast<uint32_t>(l->second)) << 32 |
                   static_cast<uint32_t>(r->second);
  data->merges.emplace(key, BpeData::Merge{rank, both->second});
  return {};
}

Status AddMergeLine(const TextIds& texts, std::string_view line, int32_t rank, BpeData* data) {
  const size_t space = line.find(' ');
  if (space == std::string_view::npos)
    return BadTokenizer(StrCat("merge '", Shorten(line, 80), "' has no space"));
  return AddMerge(texts, std::string(line.substr(0, space)), std::string(line.substr(space + 1)),
                  rank, data);
}

Status AddAddedTokens(BpeData* data) {
  for (const AddedToken& token : data->added) {
    if (Status s = AddPiece(token.id, token.text, data); !s.ok()) return s;
  }
  return {};
}

int64_t IdOfText(const BpeData& data, std::string_view text) {
  for (const AddedToken& token : data.added) {
    if (token.text == text) return token.id;
  }
  const auto found = data.ids.find(std::string(text));
  return found == data.ids.end() ? -1 : found->second;
}

// ---- tokenizer.json ----

Status ReadVocabulary(const Json& model, BpeData* data) {
  const Json* vocab = model.Find("vocab");
  const Json* merges = model.Find("merges");
  if (vocab == nullptr || !vocab->IsObject() || merges == nullptr || !merges->IsArray()) {
    return BadTokenizer("tokenizer.json has no model.vocab or model.merges");
  }
  TextIds texts;
  for (const Json::Member& member : *vocab->AsObject()) {
    const int64_t* id = member.value.AsInt();
    if (id == nullptr || *id < 0 || *id >= kMaxTokens) {
      return BadTokenizer(StrCat("token '", Shorten(member.key, 40), "' has an impossible id"));
    }
    texts.emplace(member.key, static_cast<int32_t>(*id));
  }
  if (Status s = SetVocabulary(texts, data); !s.ok()) return s;
  int32_t rank = 0;
  for (const Json& merge : *merges->AsArray()) {
    if (const std::string* line = merge.AsString()) {
      if (Status s = AddMergeLine(texts, *line, rank++, data); !s.ok()) return s;
      continue;
    }
    const Json::Array* pair = merge.AsArray();
    if (pair == nullptr || pair->size() != 2 || !(*pair)[0].IsString() || !(*pair)[1].IsString()) {
      return BadTokenizer("tokenizer.json has a merge that is no pair");
    }
    if (Status s = AddMerge(texts, *(*pair)[0].AsString(), *(*pair)[1].AsString(), rank++, data);
        !s.ok())
      return s;
  }
  return {};
}

Status ReadNormalizer(const Json* json, BpeData* data) {
  if (json == nullptr || json->IsNull()) return {};
  const std::string_view type = json->StringOr("type", "");
  if (type == "Sequence") {
    const Json* steps = json->Find("normalizers");
    if (steps == nullptr || !steps->IsArray()) return {};
    for (const Json& step : *steps->AsArray()) {
      if (Status s = ReadNormalizer(&step, data); !s.ok()) return s;
    }
    return {};
  }
  if (type == "NFC") {
    data->nfc = true;
    return {};
  }
  if (type == "Prepend" && json->StringOr("prepend", "") == kVisibleSpace) {
    data->prepend = BpeData::Prepend::kAlways;
    data->decode_strips_space = true;
    return {};
  }
  const Json* pattern = json->Find("pattern");
  if (type == "Replace" && json->StringOr("content", "") == kVisibleSpace && pattern != nullptr &&
      pattern->StringOr("String", "") == " ") {
    data->visible_spaces = true;
    return {};
  }
  return BadTokenizer(StrCat("normalizer '", Shorten(type, 40), "' is not supported"),
                      "known: NFC, and Llama 2's Prepend and Replace");
}

std::string EscapePattern(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}").find(c) != std::string_view::npos) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

Status ReadSplit(const Json& json, SplitStage* stage) {
  const Json* pattern = json.Find("pattern");
  if (pattern == nullptr) return BadTokenizer("a Split has no pattern");
  const std::string_view regex = pattern->StringOr("Regex", "");
  stage->pattern =
      regex.empty() ? EscapePattern(pattern->StringOr("String", "")) : std::string(regex);
  stage->invert = json.BoolOr("invert", false);
  const std::string_view behavior = json.StringOr("behavior", "Isolated");
  if (behavior == "Isolated") {
    stage->behavior = SplitBehavior::kIsolated;
  } else if (behavior == "Removed") {
    stage->behavior = SplitBehavior::kRemoved;
  } else if (behavior == "MergedWithPrevious") {
    stage->behavior = SplitBehavior::kMergedWithPrevious;
  } else if (behavior == "MergedWithNext") {
    stage->behavior = SplitBehavior::kMergedWithNext;
  } else {
    return BadTokenizer(StrCat("split behavior '", Shorten(behavior, 40), "' is not supported"));
  }
  return {};
}

Status ReadMetaspace(const Json& json, BpeData* data, std::vector<SplitStage>* stages) {
  if (json.StringOr("replacement", kVisibleSpace) != kVisibleSpace) {
    return BadTokenizer("Metaspace with another replacement is not supported");
  }
  data->visible_spaces = true;
  const bool legacy = json.BoolOr("add_prefix_space", true);
  const std::string_view scheme = json.StringOr("prepend_scheme", legacy ? "always" : "never");
  data->prepend = scheme == "always"  ? BpeData::Prepend::kAlways
                  : scheme == "first" ? BpeData::Prepend::kFirst
                                      : BpeData::Prepend::kNever;
  data->prepend_once = true;
  data->decode_strips_space = data->prepend != BpeData::Prepend::kNever;
  // Pieces begin at visible spaces; without `split` the whole text is one.
  if (json.BoolOr("split", true))
    stages->push_back({std::string(kVisibleSpace), SplitBehavior::kMergedWithNext, false});
  return {};
}

Status ReadPreTokenizer(const Json* json, BpeData* data, std::vector<SplitStage>* stages) {
  if (json == nullptr || json->IsNull()) return {};
  const std::string_view type = json->StringOr("type", "");
  if (type == "Sequence") {
    const Json* steps = json->Find("pretokenizers");
    if (steps == nullptr || !steps->IsArray()) return {};
    for (const Json& step : *steps->AsArray()) {
      if (Status s = ReadPreTokenizer(&step, data, stages); !s.ok()) return s;
    }
    return {};
  }
  if (type == "ByteLevel") {
    data->symbols = BpeData::Symbols::kBytes;
    if (json->BoolOr("add_prefix_space", false))
      return BadTokenizer("ByteLevel with add_prefix_space is not supported");
    if (json->BoolOr("use_regex", true))
      stages->push_back({kGpt2Pattern, SplitBehavior::kIsolated, false});
    return {};
  }
  if (type == "Digits") {
    const bool each = json->BoolOr("individual_digits", false);
    stages->push_back({each ? kDigitPattern : R"(\p{N}+)", SplitBehavior::kIsolated, false});
    return {};
  }
  if (type == "Split") {
    SplitStage stage;
    if (Status s = ReadSplit(*json, &stage); !s.ok()) return s;
    stages->push_back(std::move(stage));
    return {};
  }
  if (type == "Metaspace") return ReadMetaspace(*json, data, stages);
  return BadTokenizer(StrCat("pre-tokenizer '", Shorten(type, 40), "' is not supported"),
                      "known: Sequence, ByteLevel, Digits, Split, Metaspace");
}

bool HasByteLevel(const Json* json) {
  if (json == nullptr) return false;
  if (json->StringOr("type", "") == "ByteLevel") return true;
  for (const char* key : {"pretokenizers", "decoders"}) {
    const Json* steps = json->Find(key);
    if (steps == nullptr || !steps->IsArray()) continue;
    for (const Json& step : *steps->AsArray()) {
      if (HasByteLevel(&step)) return true;
    }
  }
  return false;
}

// The id that a post-processor puts in front of a single text, -1 for none.
int64_t LeadingSpecial(const Json* json) {
  if (json == nullptr || json->IsNull()) return -1;
  if (const Json* steps = json->Find("processors"); steps != nullptr && steps->IsArray()) {
    for (const Json& step : *steps->AsArray()) {
      const int64_t id = LeadingSpecial(&step);
      if (id >= 0) return id;
    }
    return -1;
  }
  const Json* single = json->Find("single");
  if (single == nullptr || !single->IsArray() || single->AsArray()->empty()) return -1;
  const Json* special = (*single->AsArray())[0].Find("SpecialToken");
  const Json* known = json->Find("special_tokens");
  if (special == nullptr || known == nullptr) return -1;
  const Json* entry = known->Find(special->StringOr("id", ""));
  const Json* ids = entry == nullptr ? nullptr : entry->Find("ids");
  if (ids == nullptr || !ids->IsArray() || ids->AsArray()->size() != 1) return -1;
  const int64_t* id = (*ids->AsArray())[0].AsInt();
  return id == nullptr ? -1 : *id;
}

void ReadAddedTokens(const Json* json, BpeData* data) {
  if (json == nullptr || !json->IsArray()) return;
  for (const Json& item : *json->AsArray()) {
    AddedToken token;
    token.id = item.IntOr("id", -1);
    token.text = std::string(item.StringOr("content", ""));
    token.special = item.BoolOr("special", false);
    token.lstrip = item.BoolOr("lstrip", false);
    token.rstrip = item.BoolOr("rstrip", false);
    data->added.push_back(std::move(token));
  }
}

// "bos_token": "<s>" or {"content": "<s>", ..}.
std::string RoleText(const Json& config, const char* role) {
  const Json* value = config.Find(role);
  if (value == nullptr) return "";
  if (const std::string* text = value->AsString()) return *text;
  return std::string(value->StringOr("content", ""));
}

std::string TemplateText(const Json& config) {
  const Json* found = config.Find("chat_template");
  if (found == nullptr) return "";
  if (const std::string* text = found->AsString()) return *text;
  if (!found->IsArray()) return "";
  for (const Json& item : *found->AsArray()) {
    if (item.StringOr("name", "") == "default") return std::string(item.StringOr("template", ""));
  }
  return "";
}

void ReadRoles(const Json& config, BpeData* data) {
  auto role = [&](const char* name) {
    const std::string text = RoleText(config, name);
    return text.empty() ? int64_t{-1} : IdOfText(*data, text);
  };
  data->bos_id = role("bos_token");
  data->eos_id = role("eos_token");
  data->pad_id = role("pad_token");
  data->chat = RecognizeChatTemplate(TemplateText(config));
}

// ---- writing tokenizer.json ----

Json SplitJson(const SplitStage& stage) {
  Json json = Json::MakeObject();
  json.Set("type", "Split").Set("pattern", Json(Json::Object{{"Regex", Json(stage.pattern)}}));
  return json.Set("behavior", "Isolated").Set("invert", false);
}

Json ByteLevelJson(bool use_regex) {
  Json json = Json::MakeObject();
  json.Set("type", "ByteLevel").Set("add_prefix_space", false);
  return json.Set("trim_offsets", true).Set("use_regex", use_regex);
}

Json AddedJson(const std::vector<AddedToken>& added) {
  Json array = Json::MakeArray();
  for (const AddedToken& token : added) {
    Json item = Json::MakeObject();
    item.Set("id", token.id)
        .Set("content", token.text)
        .Set("single_word", false)
        .Set("lstrip", token.lstrip);
    item.Set("rstrip", token.rstrip).Set("normalized", false).Set("special", token.special);
    array.Append(std::move(item));
  }
  return array;
}

Json SequenceJson(const char* key, std::vector<Json> steps) {
  if (steps.empty()) return Json();
  if (steps.size() == 1) return steps[0];
  Json json = Json::MakeObject();
  return json.Set("type", "Sequence").Set(key, Json(Json::Array(std::move(steps))));
}

struct VocabularyItem {
  std::string text;
  int64_t id;
};

// How a vocabulary with visible spaces and bytes to fall back on is written and read, as Llama 2's own file says it.
void SetFallbackJson(bool prepend, Json* json) {
  const auto replace = [](std::string_view from, std::string_view to) {
    return Json(Json::Object{{"type", Json("Replace")},
                             {"pattern", Json(Json::Object{{"String", Json(std::string(from))}})},
                             {"content", Json(std::string(to))}});
  };
  std::vector<Json> normalizers, decoders;
  if (prepend) {
    normalizers.push_back(Json(
        Json::Object{{"type", Json("Prepend")}, {"prepend", Json(std::string(kVisibleSpace))}}));
  }
  normalizers.push_back(replace(" ", kVisibleSpace));
  decoders = {replace(kVisibleSpace, " "), Json(Json::Object{{"type", Json("ByteFallback")}}),
              Json(Json::Object{{"type", Json("Fuse")}})};
  if (prepend) {
    decoders.push_back(Json(Json::Object{{"type", Json("Strip")},
                                         {"content", Json(" ")},
                                         {"start", Json(int64_t{1})},
                                         {"stop", Json(int64_t{0})}}));
  }
  json->Set("normalizer", SequenceJson("normalizers", std::move(normalizers)));
  json->Set("decoder", SequenceJson("decoders", std::move(decoders)));
}

// BOS in front of a single text, where the tokenizer puts one there.
Json BosJson(const BpeData& data) {
  if (!data.adds_bos) return Json();
  const std::string& text = data.pieces[static_cast<size_t>(data.bos_id)];
  const auto part = [](const char* kind, const std::string& id, int64_t type) {
    return Json(
        Json::Object{{kind, Json(Json::Object{{"id", Json(id)}, {"type_id", Json(type)}})}});
  };
  const Json bos = part("SpecialToken", text, 0);
  Json special = Json::MakeObject();
  special.Set("id", text)
      .Set("ids", Json(Json::Array{Json(data.bos_id)}))
      .Set("tokens", Json(Json::Array{Json(text)}));
  Json json = Json::MakeObject();
  json.Set("type", "TemplateProcessing");
  json.Set("single", Json(Json::Array{bos, part("Sequence", "A", 0)}));
  json.Set("pair", Json(Json::Array{bos, part("Sequence", "A", 0), part("Sequence", "B", 1)}));
  return json.Set("special_tokens", Json(Json::Object{{text, special}}));
}

// The whole file for data whose vocabulary and merges are given as texts.
Json TokenizerJson(const BpeData& data, const std::vector<VocabularyItem>& vocabulary,
                   const std::vector<std::string>& merges) {
  const bool bytes = data.symbols == BpeData::Symbols::kBytes;
  std::vector<Json> splits;
  for (const SplitStage& stage : data.splitter->stages()) splits.push_back(SplitJson(stage));
  if (bytes) splits.push_back(ByteLevelJson(false));
  Json::Object vocab;
  for (const VocabularyItem& item : vocabulary) vocab.push_back({item.text, Json(item.id)});
  Json::Array merge_lines;
  for (const std::string& line : merges) merge_lines.push_back(Json(line));
  Json model = Json::MakeObject();
  model.Set("type", "BPE").Set("dropout", Json());
  model.Set("unk_token", data.unknown_id >= 0
                             ? Json(data.pieces[static_cast<size_t>(data.unknown_id)])
                             : Json());
  model.Set("continuing_subword_prefix", Json())
      .Set("end_of_word_suffix", Json())
      .Set("fuse_unk", data.visible_spaces);
  model.Set("byte_fallback", data.visible_spaces).Set("ignore_merges", data.ignore_merges);
  model.Set("vocab", Json(std::move(vocab))).Set("merges", Json(std::move(merge_lines)));
  Json json = Json::MakeObject();
  json.Set("version", "1.0")
      .Set("truncation", Json())
      .Set("padding", Json())
      .Set("added_tokens", AddedJson(data.added));
  json.Set("normalizer", data.nfc ? Json(Json::Object{{"type", Json("NFC")}}) : Json());
  json.Set("pre_tokenizer", SequenceJson("pretokenizers", std::move(splits)));
  json.Set("post_processor", BosJson(data));
  json.Set("decoder", bytes ? ByteLevelJson(true) : Json(Json::Object{{"type", Json("Fuse")}}));
  if (data.visible_spaces) SetFallbackJson(data.prepend == BpeData::Prepend::kAlways, &json);
  return json.Set("model", std::move(model));
}

Json ConfigJson(const BpeData& data) {
  Json json = Json::MakeObject();
  json.Set("tokenizer_class", "PreTrainedTokenizerFast").Set("clean_up_tokenization_spaces", false);
  json.Set("model_max_length", int64_t{1000000});
  auto role = [&](const char* name, int64_t id) {
    if (id >= 0) json.Set(name, data.pieces[static_cast<size_t>(id)]);
  };
  role("bos_token", data.bos_id);
  role("eos_token", data.eos_id);
  role("pad_token", data.pad_id);
  role("unk_token", data.unknown_id);
  if (data.adds_bos) json.Set("add_bos_token", true);
  if (!data.chat.source.empty()) json.Set("chat_template", data.chat.source);
  return json;
}

// ---- GGUF ----

// tokenizer.ggml.pre names the pre-split; several names mean the same one.
Status GgufStages(std::string_view pre, BpeData* data, std::vector<SplitStage>* stages) {
  auto add = [&](const char* pattern) {
    stages->push_back({pattern, SplitBehavior::kIsolated, false});
  };
  if (pre == "smollm" || pre == "codeshell" || pre == "exaone" || pre == "minerva-7b") {
    add(kDigitPattern);
    add(kGpt2Pattern);
  } else if (pre == "llama-bpe" || pre == "llama3" || pre == "llama-v3") {
    add(kLlama3Pattern);
    data->ignore_merges = true;
  } else if (pre == "qwen2" || pre == "deepseek-r1-qwen") {
    add(kQwen2Pattern);
    data->nfc = pre == "qwen2";
  } else if (pre == "gpt-2" || pre == "default" || pre.empty()) {
    add(kGpt2Pattern);
  } else {
    return BadTokenizer(
        StrCat("unknown GGUF pre-tokenizer '", Shorten(pre, 40), "'"),
        "known: smollm, llama-bpe, qwen2, deepseek-r1-qwen, gpt-2; or load a tokenizer.json");
  }
  return {};
}

enum GgufTokenType { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kByte = 6 };

// SentencePiece's own rule as merges: two neighbours join if their text is a piece, the piece with the highest score first,
// leftmost first. So every way to cut a piece in two is a merge of that piece's rank.
Status AddScoredMerges(const TextIds& pieces, const std::vector<double>& scores,
                       std::vector<std::string>* lines, BpeData* data) {
  std::vector<const TextIds::value_type*> order;
  for (const auto& piece : pieces) order.push_back(&piece);
  const auto score = [&](const auto* piece) { return scores[static_cast<size_t>(piece->second)]; };
  std::sort(order.begin(), order.end(), [&](const auto* a, const auto* b) {
    return score(a) != score(b) ? score(a) > score(b) : a->second < b->second;
  });
  int32_t rank = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && score(order[i]) != score(order[i - 1])) ++rank;
    const std::string& text = order[i]->first;
    for (size_t at = std::max<size_t>(1, Utf8Length(text, 0)); at < text.size();
         at += std::max<size_t>(1, Utf8Length(text, at))) {
      const std::string left = text.substr(0, at);
      const std::string right = text.substr(at);
      if (pieces.count(left) == 0 || pieces.count(right) == 0) continue;
      if (Status s = AddMerge(pieces, left, right, rank, data); !s.ok()) return s;
      lines->push_back(StrCat(left, " ", right));
    }
  }
  return {};
}

Result<std::shared_ptr<const Tokenizer>> Finish(BpeData data, std::vector<SplitStage> stages) {
  Result<std::shared_ptr<const PreTokenizer>> splitter = PreTokenizer::Make(std::move(stages));
  if (!splitter.ok()) return splitter.error();
  data.splitter = *splitter;
  return MakeBpeTokenizer(std::move(data));
}

// ---- toys ----

constexpr const char* kToySpecials[] = {"<pad>", "<bos>", "<eos>", "<unk>", "<think>", "</think>"};
constexpr int64_t kToyControls = 4;  // the thought's marks are text

Result<std::shared_ptr<const Tokenizer>> MakeToy(const std::vector<std::string>& symbols,
                                                 bool words) {
  BpeData data;
  data.symbols = BpeData::Symbols::kCharacters;
  data.ignore_merges = words;
  TextIds texts;
  std::vector<VocabularyItem> vocabulary;
  for (const char* special : kToySpecials) {
    const auto id = static_cast<int64_t>(vocabulary.size());
    data.added.push_back({id, special, id < kToyControls, false, false});
    vocabulary.push_back({special, id});
    texts.emplace(special, static_cast<int32_t>(id));
  }
  for (const std::string& symbol : symbols) {
    const auto id = static_cast<int32_t>(vocabulary.size());
    if (symbol.empty() || !texts.emplace(symbol, id).second) continue;
    vocabulary.push_back({symbol, id});
  }
  if (Status s = SetVocabulary(texts, &data); !s.ok()) return s.error();
  for (const char* special : kToySpecials) data.ids.erase(special);
  data.byte_ids.fill(-1);
  if (Status s = AddAddedTokens(&data); !s.ok()) return s.error();
  data.pad_id = 0;
  data.bos_id = 1;
  data.eos_id = 2;
  data.unknown_id = 3;
  std::vector<SplitStage> stages;
  if (words) stages.push_back({R"(\s?[^\s]+|\s)", SplitBehavior::kIsolated, false});
  Result<std::shared_ptr<const PreTokenizer>> splitter = PreTokenizer::Make(std::move(stages));
  if (!splitter.ok()) return splitter.error();
  data.splitter = *splitter;
  data.json = TokenizerJson(data, vocabulary, {});
  data.config = ConfigJson(data);
  return MakeBpeTokenizer(std::move(data));
}

std::vector<std::string> CharactersOf(std::string_view text) {
  std::vector<std::string> characters;
  for (size_t at = 0; at < text.size();) {
    const size_t length = std::max<size_t>(1, Utf8Length(text, at));
    characters.emplace_back(text.substr(at, length));
    at += length;
  }
  return characters;
}

}  // namespace

Result<std::shared_ptr<const Tokenizer>> Tokenizer::FromJson(const Json& json, const Json& config) {
  const Json* model = json.Find("model");
  if (model == nullptr) return BadTokenizer("tokenizer.json has no model");
  if (model->StringOr("type", "BPE") != "BPE") {
    return BadTokenizer(
        StrCat("model type '", Shorten(model->StringOr("type", ""), 40), "' is not supported"),
        "known: BPE");
  }
  BpeData data;
  const bool bytes = HasByteLevel(json.Find("pre_tokenizer")) || HasByteLevel(json.Find("decoder"));
  data.symbols = bytes ? BpeData::Symbols::kBytes : BpeData::Symbols::kCharacters;
  data.ignore_merges = model->BoolOr("ignore_merges", false);
  std::vector<SplitStage> stages;
  if (Status s = ReadNormalizer(json.Find("normalizer"), &data); !s.ok()) return s.error();
  if (Status s = ReadPreTokenizer(json.Find("pre_tokenizer"), &data, &stages); !s.ok())
    return s.error();
  if (Status s = ReadVocabulary(*model, &data); !s.ok()) return s.error();
  ReadAddedTokens(json.Find("added_tokens"), &data);
  if (Status s = AddAddedTokens(&data); !s.ok()) return s.error();
  for (const AddedToken& token : data.added) data.ids.erase(token.text);
  const std::string unknown(model->StringOr("unk_token", ""));
  if (!unknown.empty()) data.unknown_id = static_cast<int32_t>(IdOfText(data, unknown));
  const bool fallback = model->BoolOr("byte_fallback", false);
  if (!bytes && !fallback) data.byte_ids.fill(-1);
  ReadRoles(config, &data);
  const int64_t leading = LeadingSpecial(json.Find("post_processor"));
  if (leading >= static_cast<int64_t>(data.pieces.size())) {
    return BadTokenizer(StrCat("the post-processor's token ", leading, " is not in the vocabulary"),
                        "fetch tokenizer.json again");
  }
  if (leading >= 0 && data.bos_id < 0) data.bos_id = leading;
  data.adds_bos = config.BoolOr("add_bos_token", leading >= 0) && data.bos_id >= 0;
  data.json = json;
  data.config = config.IsObject() ? config : ConfigJson(data);
  return Finish(std::move(data), std::move(stages));
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::FromGguf(const GgufFile& file) {
  const std::string_view kind = file.StringOr("tokenizer.ggml.model", "");
  const bool scored = kind == "llama";  // SentencePiece with scores instead of merges
  if (kind != "gpt2" && !scored) {
    return BadTokenizer(
        StrCat(file.path(), " has a tokenizer of kind '", Shorten(kind, 40), "'"),
        "known in GGUF: gpt2 (byte-level BPE) and llama (SentencePiece); for others "
        "load the safetensors folder with its tokenizer.json");
  }
  const GgufValue* tokens = file.Find("tokenizer.ggml.tokens");
  const GgufValue* merges = file.Find("tokenizer.ggml.merges");
  const GgufValue* types = file.Find("tokenizer.ggml.token_type");
  const GgufValue* scores = file.Find("tokenizer.ggml.scores");
  if (tokens == nullptr || tokens->strings.empty() || (merges == nullptr && !scored)) {
    return BadTokenizer(StrCat(file.path(), " has no tokens or no merges"));
  }
  if (scored && (scores == nullptr || scores->floats.size() != tokens->strings.size())) {
    return BadTokenizer(StrCat(file.path(), " has not one score for each token"));
  }
  BpeData data;
  std::vector<SplitStage> stages;
  if (scored) {
    data.symbols = BpeData::Symbols::kCharacters;
    data.visible_spaces = true;
    const bool prefix = file.BoolOr("tokenizer.ggml.add_space_prefix", true);
    data.prepend = prefix ? BpeData::Prepend::kAlways : BpeData::Prepend::kNever;
    data.decode_strips_space = prefix;
  } else if (Status s = GgufStages(file.StringOr("tokenizer.ggml.pre", ""), &data, &stages);
             !s.ok())
    return s.error();
  TextIds texts, pieces;  // all, and those that may be merged
  std::vector<VocabularyItem> vocabulary;
  for (size_t i = 0; i < tokens->strings.size(); ++i) {
    const std::string text(tokens->strings[i]);
    const int64_t type =
        types != nullptr && i < types->ints.size() ? types->ints[i] : int64_t{kNormal};
    vocabulary.push_back({text, static_cast<int64_t>(i)});
    const bool unknown = scored && type == kUnknown;
    if (type == kControl || type == kUserDefined || unknown) {
      data.added.push_back({static_cast<int64_t>(i), text, type != kUserDefined, false, false});
    } else if (type == kNormal) {
      pieces.emplace(text, static_cast<int32_t>(i));
    }
    if (unknown) data.unknown_id = static_cast<int32_t>(i);
    texts.emplace(text, static_cast<int32_t>(i));
  }
  if (Status s = SetVocabulary(texts, &data); !s.ok()) return s.error();
  for (const AddedToken& token : data.added) data.ids.erase(PieceBytes(data, token.text));
  std::vector<std::string> lines;
  if (scored) {
    if (Status s = AddScoredMerges(pieces, scores->floats, &lines, &data); !s.ok())
      return s.error();
  }
  for (std::string_view line : scored ? std::vector<std::string_view>() : merges->strings) {
    if (Status s = AddMergeLine(texts, line, static_cast<int32_t>(lines.size()), &data); !s.ok())
      return s.error();
    lines.emplace_back(line);
  }
  if (Status s = AddAddedTokens(&data); !s.ok()) return s.error();
  auto role = [&](const char* key) {
    const int64_t id = file.IntOr(key, -1);
    return id >= 0 && static_cast<size_t>(id) < data.pieces.size() ? id : int64_t{-1};
  };
  data.bos_id = role("tokenizer.ggml.bos_token_id");
  data.eos_id = role("tokenizer.ggml.eos_token_id");
  data.pad_id = role("tokenizer.ggml.padding_token_id");
  data.adds_bos = file.BoolOr("tokenizer.ggml.add_bos_token", scored) && data.bos_id >= 0;
  data.chat = RecognizeChatTemplate(file.StringOr("tokenizer.chat_template", ""));
  Result<std::shared_ptr<const PreTokenizer>> splitter = PreTokenizer::Make(stages);
  if (!splitter.ok()) return splitter.error();
  data.splitter = *splitter;
  data.json = TokenizerJson(data, vocabulary, lines);
  data.config = ConfigJson(data);
  return MakeBpeTokenizer(std::move(data));
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::Load(const std::string& path) {
  std::error_code ignored;
  if (EndsWith(path, ".gguf")) {
    Result<std::shared_ptr<const GgufFile>> file = GgufFile::Open(path);
    if (!file.ok()) return file.error();
    return FromGguf(**file);
  }
  const bool folder = fs::is_directory(path, ignored);
  const fs::path base = folder ? fs::path(path) : fs::path(path).parent_path();
  const fs::path main = folder ? base / "tokenizer.json" : fs::path(path);
  Result<std::string> text = ReadFile(main.string());
  if (!text.ok()) return text.error();
  Result<Json> json = ParseJson(*text);
  if (!json.ok())
    return Error{ErrorCode::kInput, StrCat(main.string(), ": ", json.error().message),
                 "fetch the file again"};
  Json config;
  if (Result<std::string> extra = ReadFile((base / "tokenizer_config.json").string()); extra.ok()) {
    Result<Json> parsed = ParseJson(*extra);
    if (!parsed.ok()) {
      return Error{ErrorCode::kInput,
                   StrCat((base / "tokenizer_config.json").string(), ": ", parsed.error().message),
                   ""};
    }
    config = std::move(parsed).value();
  }
  // Newer files keep the chat template beside.
  if (Result<std::string> chat = ReadFile((base / "chat_template.jinja").string()); chat.ok())
    config.Set("chat_template", *chat);
  return FromJson(*json, config);
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::Characters(std::string_view alphabet) {
  return MakeToy(CharactersOf(alphabet), false);
}

Result<std::shared_ptr<const Tokenizer>> Tokenizer::Words(const std::vector<std::string>& words) {
  std::vector<std::string> symbols = words;
  for (const std::string& word : words) {
    for (std::string& character : CharactersOf(word)) symbols.push_back(std::move(character));
  }
  return MakeToy(symbols, true);
}

}  // namespace assay
