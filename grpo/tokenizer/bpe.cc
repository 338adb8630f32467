#include "grpo/tokenizer/bpe.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <queue>
#include <set>
#include <utility>

#include "core/jsonl.h"
#include "core/text.h"
#include "grpo/tokenizer/chat_renderer.h"

namespace assay {
namespace {

constexpr std::string_view kVisibleSpace = "\xE2\x96\x81";  // U+2581

bool IsAscii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// NFC of the well-formed stretches; other bytes stay.
std::string ToNfc(std::string_view text) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = icu::Normalizer2::getNFCInstance(error);
  if (U_FAILURE(error)) return std::string(text);
  std::string out;
  size_t begin = 0;
  auto flush = [&](size_t end) {
    if (end == begin) return;
    icu::StringByteSink<std::string> sink(&out);
    UErrorCode status = U_ZERO_ERROR;
    nfc->normalizeUTF8(0, icu::StringPiece(text.data() + begin, static_cast<int32_t>(end - begin)),
                       sink, nullptr, status);
  };
  constexpr size_t kMostBytes = size_t{1} << 30;  // ICU counts in 32 bits
  for (size_t at = 0; at < text.size();) {
    const size_t length = Utf8Length(text, at);
    if (length == 0) {
      flush(at);
      out.push_back(text[at]);
      begin = ++at;
      continue;
    }
    if (at - begin > kMostBytes) {
      flush(at);
      begin = at;
    }
    at += length;
  }
  flush(text.size());
  return out;
}

std::string ReplaceAll(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  size_t at = 0;
  for (size_t found = text.find(from); found != std::string_view::npos;
       found = text.find(from, at)) {
    StrAppend(&out, text.substr(at, found - at), to);
    at = found + from.size();
  }
  return out.append(text.substr(at));
}

// Symbols of one piece as a doubly linked list; merging joins a symbol with its right neighbour.
class MergeList {
 public:
  MergeList(const BpeData& data, std::vector<int32_t> ids) : data_(data), ids_(std::move(ids)) {
    const auto count = static_cast<int32_t>(ids_.size());
    for (int32_t i = 0; i < count; ++i) {
      next_.push_back(i + 1 < count ? i + 1 : -1);
      previous_.push_back(i - 1);
    }
    for (int32_t i = 0; i + 1 < count; ++i) Push(i);
  }

  void Run() {
    while (!queue_.empty()) {
      const Candidate best = queue_.top();
      queue_.pop();
      const int32_t right = next_[static_cast<size_t>(best.at)];
      // Stale if either side has been merged since.
      if (ids_[static_cast<size_t>(best.at)] != best.left || right < 0 ||
          ids_[static_cast<size_t>(right)] != best.right) {
        continue;
      }
      Join(best.at, right, best.id);
    }
  }

  void AppendTo(std::vector<int64_t>* out) const {
    for (int32_t at = ids_.empty() ? -1 : 0; at >= 0; at = next_[static_cast<size_t>(at)]) {
      out->push_back(ids_[static_cast<size_t>(at)]);
    }
  }

 private:
  struct Candidate {
    int32_t rank, at, left, right, id;
    bool operator>(const Candidate& other) const {
      return rank != other.rank ? rank > other.rank : at > other.at;
    }
  };

  void Push(int32_t at) {
    const int32_t right = at < 0 ? -1 : next_[static_cast<size_t>(at)];
    if (right < 0) return;
    const int32_t left_id = ids_[static_cast<size_t>(at)];
    const int32_t right_id = ids_[static_cast<size_t>(right)];
    const auto key = static_cast<uint64_t>(static_cast<uint32_t>(left_id)) << 32 |
                     static_cast<uint32_t>(right_id);
    const auto found = data_.merges.find(key);
    if (found == data_.merges.end()) return;
    queue_.push({found->second.rank, at, left_id, right_id, found->second.id});
  }

  void Join(int32_t left, int32_t right, int32_t id) {
    ids_[static_cast<size_t>(left)] = id;
    ids_[static_cast<size_t>(right)] = -1;
    const int32_t after = next_[static_cast<size_t>(right)];
    next_[static_cast<size_t>(left)] = after;
    if (after >= 0) previous_[static_cast<size_t>(after)] = left;
    Push(left);
    Push(previous_[static_cast<size_t>(left)]);
  }

  const BpeData& data_;
  std::vector<int32_t> ids_, next_, previous_;
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue_;
};

// The special tokens by role, as the tokenizer's own configuration names them.
Json SpecialTokens(const Json& config) {
  Json specials = Json::MakeObject();
  const Json::Object* members = config.AsObject();
  if (members == nullptr) return specials;
  for (const Json::Member& member : *members) {
    if (!EndsWith(member.key, "_token")) continue;
    const Json* text = member.value.IsObject() ? member.value.Find("content") : &member.value;
    if (text != nullptr && text->IsString()) specials.Set(member.key, *text);
  }
  return specials;
}

class BpeTokenizer : public Tokenizer {
 public:
  explicit BpeTokenizer(BpeData data)
      : data_(std::move(data)),
        chat_(data_.chat, data_.tool_template, SpecialTokens(data_.config)) {
    special_.assign(data_.pieces.size(), false);
    for (const AddedToken& token : data_.added) {
      if (token.text.empty()) continue;
      added_.emplace(token.text, &token);
      lengths_.insert(token.text.size());
      first_bytes_[static_cast<unsigned char>(token.text[0])] = true;
      if (token.special) special_[static_cast<size_t>(token.id)] = true;
    }
  }

  std::vector<int64_t> Encode(std::string_view text, const EncodeOptions& options) const override {
    std::vector<int64_t> ids;
    if (options.add_bos && data_.bos_id >= 0) ids.push_back(data_.bos_id);
    if (!options.special) {
      EncodeOrdinary(text, true, &ids);
      return ids;
    }
    size_t begin = 0;
    for (size_t at = 0; at < text.size();) {
      const AddedToken* token = AddedAt(text, at);
      if (token == nullptr) {
        ++at;
        continue;
      }
      size_t end = at;
      if (token->lstrip) {
        while (end > begin && IsSpace(text[end - 1])) --end;
      }
      EncodeOrdinary(text.substr(begin, end - begin), begin == 0, &ids);
      ids.push_back(token->id);
      at += token->text.size();
      while (token->rstrip && at < text.size() && IsSpace(text[at])) ++at;
      begin = at;
    }
    EncodeOrdinary(text.substr(begin), begin == 0, &ids);
    return ids;
  }

  std::string_view TokenBytes(int64_t id) const override {
    return id >= 0 && id < vocab_size() ? std::string_view(data_.pieces[static_cast<size_t>(id)])
                                        : std::string_view();
  }
  bool IsSpecial(int64_t id) const override {
    return id >= 0 && id < vocab_size() && special_[static_cast<size_t>(id)];
  }

  std::string Decode(const std::vector<int64_t>& ids, bool skip_special) const override {
    std::string text;
    bool first = data_.decode_strips_space;
    for (int64_t id : ids) {
      if (skip_special && IsSpecial(id)) continue;
      std::string_view piece = TokenBytes(id);
      if (first && !IsSpecial(id) && StartsWith(piece, " ")) piece.remove_prefix(1);
      first = false;
      text += piece;
    }
    return text;
  }

  int64_t TokenId(std::string_view text) const override {
    const std::string key(text);
    if (const auto found = added_.find(key); found != added_.end()) return found->second->id;
    const auto found = data_.ids.find(key);
    return found == data_.ids.end() ? -1 : found->second;
  }

  int64_t vocab_size() const override { return static_cast<int64_t>(data_.pieces.size()); }
  int64_t bos_id() const override { return data_.bos_id; }
  int64_t eos_id() const override { return data_.eos_id; }
  int64_t pad_id() const override { return data_.pad_id >= 0 ? data_.pad_id : data_.eos_id; }
  bool adds_bos() const override { return data_.adds_bos; }
  const ChatRenderer& chat() const override { return chat_; }

  Status Save(const std::string& folder) const override {
    const std::filesystem::path base(folder);
    if (Status s = WriteFileAtomic((base / "tokenizer.json").string(), data_.json.Dump()); !s.ok())
      return s;
    if (Status s = WriteFileAtomic((base / "tokenizer_config.json").string(), data_.config.Dump());
        !s.ok())
      return s;
    Json specials = Json::MakeObject();
    for (const char* role : {"bos_token", "eos_token", "pad_token", "unk_token"}) {
      const Json* value = data_.config.Find(role);
      if (value != nullptr && !value->IsNull()) specials.Set(role, *value);
    }
    return WriteFileAtomic((base / "special_tokens_map.json").string(), specials.Dump());
  }

 private:
  static bool IsSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

  // The longest added token that starts here.
  const AddedToken* AddedAt(std::string_view text, size_t at) const {
    if (!first_bytes_[static_cast<unsigned char>(text[at])]) return nullptr;
    for (auto length = lengths_.rbegin(); length != lengths_.rend(); ++length) {
      if (*length > text.size() - at) continue;
      const auto found = added_.find(std::string(text.substr(at, *length)));
      if (found != added_.end()) return found->second;
    }
    return nullptr;
  }

  void EncodeOrdinary(std::string_view text, bool first, std::vector<int64_t>* ids) const {
    if (text.empty()) return;
    std::string changed;
    if (data_.nfc && !IsAscii(text)) {
      changed = ToNfc(text);
      text = changed;
    }
    if (data_.visible_spaces) {
      changed = ReplaceAll(text, " ", kVisibleSpace);
      const bool prepend = data_.prepend == BpeData::Prepend::kAlways ||
                           (data_.prepend == BpeData::Prepend::kFirst && first);
      const bool there = data_.prepend_once && StartsWith(changed, kVisibleSpace);
      if (prepend && !there) changed.insert(0, kVisibleSpace);
      text = changed;
    }
    for (std::string_view piece : data_.splitter->Split(text)) EncodePiece(piece, ids);
  }

  void EncodePiece(std::string_view piece, std::vector<int64_t>* ids) const {
    if (data_.ignore_merges) {
      const auto found = data_.ids.find(VocabularyForm(piece));
      if (found != data_.ids.end()) {
        ids->push_back(found->second);
        return;
      }
    }
    MergeList list(data_, Symbols(piece));
    list.Run();
    list.AppendTo(ids);
  }

  // Pieces are looked up as they decode.
  std::string VocabularyForm(std::string_view piece) const {
    return data_.visible_spaces ? ReplaceAll(piece, kVisibleSpace, " ") : std::string(piece);
  }

  std::vector<int32_t> Symbols(std::string_view piece) const {
    std::vector<int32_t> symbols;
    if (data_.symbols == BpeData::Symbols::kBytes) {
      for (char c : piece) AppendByte(c, &symbols);
      return symbols;
    }
    for (size_t at = 0; at < piece.size();) {
      const size_t length = std::max<size_t>(1, Utf8Length(piece, at));
      const std::string_view character = piece.substr(at, length);
      const auto found = data_.ids.find(VocabularyForm(character));
      if (found != data_.ids.end()) {
        symbols.push_back(found->second);
      } else if (data_.byte_ids[static_cast<unsigned char>(character[0])] >= 0) {
        for (char c : character) AppendByte(c, &symbols);
      } else if (data_.unknown_id >= 0) {
        symbols.push_back(data_.unknown_id);
      }
      at += length;
    }
    return symbols;
  }

  void AppendByte(char c, std::vector<int32_t>* symbols) const {
    const int32_t id = data_.byte_ids[static_cast<unsigned char>(c)];
    if (id >= 0) {
      symbols->push_back(id);
    } else if (data_.unknown_id >= 0) {
      symbols->push_back(data_.unknown_id);
    }
  }

  BpeData data_;
  ChatRenderer chat_;
  std::vector<bool> special_;
  std::unordered_map<std::string, const AddedToken*> added_;
  std::set<size_t> lengths_;
  std::array<bool, 256> first_bytes_{};
};

}  // namespace

Result<std::string> Tokenizer::ApplyChat(const std::vector<Message>& messages,
                                         bool add_generation_prompt) const {
  ChatInput input;
  input.messages = ChatMessages(messages);
  input.add_generation_prompt = add_generation_prompt;
  return chat().Render(input);
}

std::shared_ptr<const Tokenizer> MakeBpeTokenizer(BpeData data) {
  return std::make_shared<BpeTokenizer>(std::move(data));
}

std::string TakeWholeUtf8(std::string* pending, std::string_view bytes) {
  pending->append(bytes);
  // At most the last three bytes can be the start of a character that is still to come.
  size_t keep = 0;
  for (size_t back = 1; back <= std::min<size_t>(3, pending->size()); ++back) {
    const auto byte = static_cast<unsigned char>((*pending)[pending->size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const size_t needs = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1;
    if (byte < 0xF5 && needs > back) keep = back;
    break;
  }
  std::string whole = pending->substr(0, pending->size() - keep);
  pending->erase(0, pending->size() - keep);
  return whole;
}

}  // namespace assay
