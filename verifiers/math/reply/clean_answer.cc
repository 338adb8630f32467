#include "verifiers/math/reply/clean_answer.h"

#include <algorithm>

#include "verifiers/math/reply/characters.h"

namespace assay::math {
namespace {

// True if a digit stands before `begin` or at `end`, spaces aside.
bool TouchesDigit(std::string_view text, size_t begin, size_t end) {
  while (begin > 0 && text[begin - 1] == ' ') --begin;
  while (end < text.size() && text[end] == ' ') ++end;
  return (begin > 0 && IsDigit(text[begin - 1])) ||
         (end < text.size() && (IsDigit(text[end]) || text[end] == '.'));
}

// Without spaces, closing quotes and punctuation at its ends.
std::string WithoutEnds(const std::string& out) {
  size_t begin = 0;
  size_t end = out.size();
  while (begin < end && (IsSpace(out[begin]) || out[begin] == ':')) ++begin;
  if (end >= 1 && out[end - 1] == '"') {
    --end;
    if (end >= 1 && out[end - 1] == '\\') --end;
  }
  // Emphasis whose opening was skipped: "*36*".
  while (end >= begin + 2 && (out[end - 1] == '*' || (out[end - 1] == '_' && out[end - 2] == '_')))
    end -= out[end - 1] == '*' ? 1 : 2;
  while (end > begin && (IsSpace(out[end - 1]) || out[end - 1] == ',' || out[end - 1] == ';' ||
                         out[end - 1] == ':' ||
                         (out[end - 1] == '.' && !(end >= begin + 2 && out[end - 2] == '\\')))) {
    --end;
  }
  return out.substr(begin, end - begin);
}

}  // namespace

std::string CleanAnswer(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '<' && HasAt(text, i, "<<")) {
      const size_t close = text.substr(0, std::min(text.size(), i + 256)).find(">>", i);
      if (close != kNone) {
        i = close + 1;
        continue;
      }
    }
    if (text[i] == '*' && HasAt(text, i, "**")) {
      const bool power = i > 0 && i + 2 < text.size() && !IsSpace(text[i - 1]) &&
                         !IsSpace(text[i + 2]) && text[i + 2] != '*' && text[i - 1] != '*';
      if (!power) {
        ++i;
        continue;
      }
      out += "**";
      ++i;
      continue;
    }
    if (text[i] == '`') continue;
    if (HasAt(text, i, "\\$") && !TouchesDigit(text, i, i + 2)) {
      // Behind a value it is a unit, elsewhere a stray sign.
      const size_t before = out.find_last_not_of(' ');
      if (before != kNone && (out[before] == '}' || out[before] == ')')) out += "\\text{ dollars}";
      ++i;
      continue;
    }
    out.push_back(text[i]);
  }
  return WithoutEnds(out);
}

bool IsPlaceholder(std::string_view content) {
  std::string plain;
  for (size_t i = 0; i < content.size(); ++i) {
    const char c = content[i];
    if (c == '\\') {
      size_t j = i + 1;
      while (j < content.size() && IsLetter(content[j])) ++j;
      const std::string_view name = content.substr(i + 1, j - i - 1);
      const bool blank =
          name.empty() || OneOf(name, "text", "mathrm", "textbf", "boxed", "fbox", "quad", "qquad",
                                "ldots", "dots", "cdots", "mbox", "hspace", "phantom");
      if (!blank) return false;
      i = name.empty() ? i + 1 : j - 1;
    } else if (!IsSpace(c) && c != '{' && c != '}' && c != '~' && c != '.' && c != '_' &&
               c != '?' && c != '$') {
      plain.push_back(IsLetter(c) ? static_cast<char>(c | 0x20) : c);
    } else if (IsSpace(c) && !plain.empty() && plain.back() != ' ') {
      plain.push_back(' ');
    }
  }
  while (!plain.empty() && plain.back() == ' ') plain.pop_back();
  return plain.empty() ||
         OneOf(plain, "answer", "your answer", "final answer", "your final answer", "the answer",
               "ans", "your answer here", "answer here", "result", "...", "<answer>", "[answer]");
}

}  // namespace assay::math
