#define PCRE2_CODE_UNIT_WIDTH 8
#include "grpo/tokenizer/pretokenizer.h"

#include <pcre2.h>

#include <cstdint>
#include <utility>

#include "core/text.h"

namespace assay {

const char kGpt2Pattern[] =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const char kDigitPattern[] = R"(\p{N})";
const char kLlama3Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char kQwen2Pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

namespace {

// PCRE2's own \s also takes U+180E, which Unicode's White_Space no longer has.
constexpr char kSpaceSet[] =
    R"(\x{9}-\x{d}\x{20}\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

std::string WithUnicodeSpaces(std::string_view pattern) {
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\' && i + 1 < pattern.size()) {
      const char escaped = pattern[++i];
      if (escaped == 's') {
        StrAppend(&out, in_class ? "" : "[", kSpaceSet, in_class ? "" : "]");
      } else if (escaped == 'S' && !in_class) {
        StrAppend(&out, "[^", kSpaceSet, "]");
      } else {
        out.push_back('\\');
        out.push_back(escaped);
      }
      continue;
    }
    if (c == '[') in_class = true;
    if (c == ']') in_class = false;
    out.push_back(c);
  }
  return out;
}

bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

}  // namespace

size_t Utf8Length(std::string_view text, size_t at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  if (first < 0x80) return 1;
  size_t length = 0;
  unsigned char low =
      0x80;  // bounds of the second byte: no overlong forms, no surrogates, nothing above U+10FFFF
  unsigned char high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  if (text.size() - at < length || byte(at + 1) < low || byte(at + 1) > high) return 0;
  for (size_t i = 2; i < length; ++i) {
    if (!IsContinuation(byte(at + i))) return 0;
  }
  return length;
}

struct PreTokenizer::Compiled {
  pcre2_code* code = nullptr;
  ~Compiled() { pcre2_code_free(code); }
};

PreTokenizer::~PreTokenizer() = default;

Result<std::shared_ptr<const PreTokenizer>> PreTokenizer::Make(std::vector<SplitStage> stages) {
  std::shared_ptr<PreTokenizer> result(new PreTokenizer());
  for (const SplitStage& stage : stages) {
    const std::string pattern = WithUnicodeSpaces(stage.pattern);
    int error = 0;
    PCRE2_SIZE offset = 0;
    auto compiled = std::make_unique<Compiled>();
    compiled->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr);
    if (compiled->code == nullptr) {
      PCRE2_UCHAR message[256] = {};
      pcre2_get_error_message(error, message, sizeof(message));
      return Error{ErrorCode::kInput,
                   StrCat("the tokenizer's split pattern cannot be used: ",
                          reinterpret_cast<const char*>(message), " at byte ", offset),
                   ""};
    }
    pcre2_jit_compile(compiled->code,
                      PCRE2_JIT_COMPLETE);  // without a JIT the interpreter does the same
    result->compiled_.push_back(std::move(compiled));
  }
  result->stages_ = std::move(stages);
  return std::shared_ptr<const PreTokenizer>(std::move(result));
}

namespace {

struct Span {
  size_t begin;
  size_t end;
};

// Non-empty matches in order; `piece` is well-formed UTF-8.
std::vector<Span> FindMatches(const pcre2_code* code, std::string_view piece,
                              pcre2_match_data* data) {
  std::vector<Span> matches;
  size_t at = 0;
  while (at < piece.size()) {
    const int found = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(piece.data()), piece.size(),
                                  at, PCRE2_NO_UTF_CHECK | PCRE2_NOTEMPTY, data, nullptr);
    if (found < 0) break;  // no match, or a limit of PCRE2: what is left stays one piece
    const PCRE2_SIZE* ends = pcre2_get_ovector_pointer(data);
    matches.push_back({ends[0], ends[1]});
    at = ends[1];
  }
  return matches;
}

void CutPiece(std::string_view piece, const std::vector<Span>& found, const SplitStage& stage,
              std::vector<std::string_view>* out) {
  // Alternating runs: text between matches and matches. With `invert` the two change roles.
  struct Run {
    Span span;
    bool match;
  };
  std::vector<Run> runs;
  size_t at = 0;
  for (const Span& span : found) {
    if (span.begin > at) runs.push_back({{at, span.begin}, stage.invert});
    runs.push_back({span, !stage.invert});
    at = span.end;
  }
  if (at < piece.size()) runs.push_back({{at, piece.size()}, stage.invert});
  std::vector<Span> spans;
  bool open = false;  // kMergedWithNext: the last span is a match that waits for what follows
  for (const Run& run : runs) {
    switch (stage.behavior) {
      case SplitBehavior::kIsolated:
        spans.push_back(run.span);
        break;
      case SplitBehavior::kRemoved:
        if (!run.match) spans.push_back(run.span);
        break;
      case SplitBehavior::kMergedWithPrevious:
        if (run.match && !spans.empty() && !open) {
          spans.back().end = run.span.end;
        } else {
          spans.push_back(run.span);
        }
        open = run.match;
        break;
      case SplitBehavior::kMergedWithNext:
        if (open && !run.match) {
          spans.back().end = run.span.end;
        } else {
          spans.push_back(run.span);
        }
        open = run.match;
        break;
    }
  }
  for (const Span& span : spans) out->push_back(piece.substr(span.begin, span.end - span.begin));
}

// Stretches of well-formed UTF-8, and every other byte by itself.
std::vector<std::string_view> SplitIllFormed(std::string_view text,
                                             std::vector<bool>* well_formed) {
  std::vector<std::string_view> parts;
  size_t begin = 0;
  size_t at = 0;
  while (at < text.size()) {
    const size_t length = Utf8Length(text, at);
    if (length > 0) {
      at += length;
      continue;
    }
    if (at > begin) {
      parts.push_back(text.substr(begin, at - begin));
      well_formed->push_back(true);
    }
    parts.push_back(text.substr(at, 1));
    well_formed->push_back(false);
    begin = ++at;
  }
  if (begin < text.size()) {
    parts.push_back(text.substr(begin));
    well_formed->push_back(true);
  }
  return parts;
}

}  // namespace

std::vector<std::string_view> PreTokenizer::Split(std::string_view text) const {
  if (text.empty()) return {};
  if (compiled_.empty()) return {text};
  std::vector<bool> well_formed;
  const std::vector<std::string_view> parts = SplitIllFormed(text, &well_formed);
  std::vector<std::string_view> result;
  pcre2_match_data* data = pcre2_match_data_create(16, nullptr);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!well_formed[i]) {
      result.push_back(parts[i]);
      continue;
    }
    std::vector<std::string_view> pieces = {parts[i]};
    for (size_t stage = 0; stage < compiled_.size(); ++stage) {
      std::vector<std::string_view> cut;
      for (std::string_view piece : pieces) {
        CutPiece(piece, FindMatches(compiled_[stage]->code, piece, data), stages_[stage], &cut);
      }
      pieces = std::move(cut);
    }
    result.insert(result.end(), pieces.begin(), pieces.end());
  }
  pcre2_match_data_free(data);
  return result;
}

}  // namespace assay
