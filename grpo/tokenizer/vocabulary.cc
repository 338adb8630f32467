#include "grpo/tokenizer/vocabulary.h"

#include <algorithm>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

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

// ---- pieces ----

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

}  // namespace

Error BadTokenizer(std::string message, std::string hint) {
  return Error{ErrorCode::kInput, StrCat("tokenizer: ", message), std::move(hint)};
}

std::string PieceBytes(const BpeData& data, std::string_view text) {
  if (data.symbols == BpeData::Symbols::kBytes) return FromByteText(text);
  const int byte = ByteOfFallback(text);
  if (byte >= 0) return std::string(1, static_cast<char>(byte));
  return data.visible_spaces ? ReplaceVisibleSpaces(text) : std::string(text);
}

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

}  // namespace assay
