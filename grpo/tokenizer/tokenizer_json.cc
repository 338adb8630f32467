#include "grpo/tokenizer/tokenizer_json.h"

#include <string_view>
#include <utility>

#include "grpo/tokenizer/vocabulary.h"

namespace assay {
namespace {

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

}  // namespace

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

}  // namespace assay
