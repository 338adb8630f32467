// A tokenizer out of a GGUF file's metadata: byte-level BPE with merges, or SentencePiece's pieces with scores.
#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text.h"
#include "grpo/files/gguf.h"
#include "grpo/tokenizer/bpe.h"
#include "grpo/tokenizer/tokenizer.h"
#include "grpo/tokenizer/tokenizer_json.h"
#include "grpo/tokenizer/vocabulary.h"

namespace assay {
namespace {

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

enum GgufTokenType {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

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

// Tokens by kind: all of them, those that may be merged, and (in data->added) those that are matched whole.
struct GgufTokens {
  TextIds texts, pieces;
  std::vector<VocabularyItem> vocabulary;
};

GgufTokens ReadTokens(const GgufValue& tokens, const GgufValue* types, bool scored, BpeData* data) {
  GgufTokens out;
  // Names for a padded embedding's last rows are no tokens.
  size_t count = tokens.strings.size();
  while (types != nullptr && count > 0 && count <= types->ints.size() &&
         types->ints[count - 1] == kUnused)
    --count;
  for (size_t i = 0; i < count; ++i) {
    const std::string text(tokens.strings[i]);
    const int64_t type =
        types != nullptr && i < types->ints.size() ? types->ints[i] : int64_t{kNormal};
    out.vocabulary.push_back({text, static_cast<int64_t>(i)});
    const bool unknown = scored && type == kUnknown;
    if (type == kControl || type == kUserDefined || unknown) {
      data->added.push_back({static_cast<int64_t>(i), text, type != kUserDefined, false, false});
    } else if (type == kNormal) {
      out.pieces.emplace(text, static_cast<int32_t>(i));
    }
    if (unknown) data->unknown_id = static_cast<int32_t>(i);
    out.texts.emplace(text, static_cast<int32_t>(i));
  }
  return out;
}

void ReadRoles(const GgufFile& file, bool scored, BpeData* data) {
  const auto role = [&](const char* key) {
    const int64_t id = file.IntOr(key, -1);
    return id >= 0 && static_cast<size_t>(id) < data->pieces.size() ? id : int64_t{-1};
  };
  data->bos_id = role("tokenizer.ggml.bos_token_id");
  data->eos_id = role("tokenizer.ggml.eos_token_id");
  data->pad_id = role("tokenizer.ggml.padding_token_id");
  data->adds_bos = file.BoolOr("tokenizer.ggml.add_bos_token", scored) && data->bos_id >= 0;
  data->chat = RecognizeChatTemplate(file.StringOr("tokenizer.chat_template", ""));
}

// SentencePiece's rules for spaces (Llama 2), or the pre-split that the file names.
Status ReadSplitting(const GgufFile& file, bool scored, BpeData* data,
                     std::vector<SplitStage>* stages) {
  if (!scored) return GgufStages(file.StringOr("tokenizer.ggml.pre", ""), data, stages);
  data->symbols = BpeData::Symbols::kCharacters;
  data->visible_spaces = true;
  const bool prefix = file.BoolOr("tokenizer.ggml.add_space_prefix", true);
  data->prepend = prefix ? BpeData::Prepend::kAlways : BpeData::Prepend::kNever;
  data->decode_strips_space = prefix;
  return {};
}

}  // namespace

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
  const GgufValue* scores = file.Find("tokenizer.ggml.scores");
  if (tokens == nullptr || tokens->strings.empty() || (merges == nullptr && !scored)) {
    return BadTokenizer(StrCat(file.path(), " has no tokens or no merges"));
  }
  if (scored && (scores == nullptr || scores->floats.size() != tokens->strings.size())) {
    return BadTokenizer(StrCat(file.path(), " has not one score for each token"));
  }
  BpeData data;
  std::vector<SplitStage> stages;
  if (Status s = ReadSplitting(file, scored, &data, &stages); !s.ok()) return s.error();
  const GgufTokens read =
      ReadTokens(*tokens, file.Find("tokenizer.ggml.token_type"), scored, &data);
  if (Status s = SetVocabulary(read.texts, &data); !s.ok()) return s.error();
  for (const AddedToken& token : data.added) data.ids.erase(PieceBytes(data, token.text));
  std::vector<std::string> lines;
  if (scored) {
    if (Status s = AddScoredMerges(read.pieces, scores->floats, &lines, &data); !s.ok())
      return s.error();
  }
  for (std::string_view line : scored ? std::vector<std::string_view>() : merges->strings) {
    if (Status s = AddMergeLine(read.texts, line, static_cast<int32_t>(lines.size()), &data);
        !s.ok())
      return s.error();
    lines.emplace_back(line);
  }
  if (Status s = AddAddedTokens(&data); !s.ok()) return s.error();
  ReadRoles(file, scored, &data);
  Result<std::shared_ptr<const PreTokenizer>> splitter = PreTokenizer::Make(std::move(stages));
  if (!splitter.ok()) return splitter.error();
  data.splitter = *splitter;
  data.json = TokenizerJson(data, read.vocabulary, lines);
  data.config = ConfigJson(data);
  return MakeBpeTokenizer(std::move(data));
}

}  // namespace assay
