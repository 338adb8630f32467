// A tokenizer out of tokenizer.json and tokenizer_config.json: each of their parts is read or refused by name.
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text.h"
#include "grpo/tokenizer/bpe.h"
#include "grpo/tokenizer/tokenizer.h"
#include "grpo/tokenizer/tokenizer_json.h"
#include "grpo/tokenizer/vocabulary.h"

namespace assay {
namespace {

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

// The only template, or the one of that name among several.
std::string TemplateText(const Json& config, std::string_view name) {
  const Json* found = config.Find("chat_template");
  if (found == nullptr) return "";
  if (const std::string* text = found->AsString()) return name == "default" ? *text : "";
  if (!found->IsArray()) return "";
  for (const Json& item : *found->AsArray()) {
    if (item.StringOr("name", "") == name) return std::string(item.StringOr("template", ""));
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
  data->chat = RecognizeChatTemplate(TemplateText(config, "default"));
  data->tool_template = TemplateText(config, "tool_use");
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
  Result<std::shared_ptr<const PreTokenizer>> splitter = PreTokenizer::Make(std::move(stages));
  if (!splitter.ok()) return splitter.error();
  data.splitter = *splitter;
  return MakeBpeTokenizer(std::move(data));
}

}  // namespace assay
