#include "verifiers/math/reply/formulas.h"

#include <algorithm>
#include <string>
#include <vector>

#include "verifiers/math/reply/characters.h"

namespace assay::math {

bool IsFunctionWord(std::string_view word) {
  return OneOf(word, "sin", "cos", "tan", "cot", "sec", "csc", "arcsin", "arccos", "arctan", "sinh",
               "cosh", "tanh", "log", "ln", "exp", "sqrt", "cbrt", "abs", "floor", "ceil", "gcd",
               "lcm", "max", "min", "mod", "pi", "infinity", "inf", "oo", "union", "cup", "ncr",
               "npr", "binom", "det", "sum", "int", "frac");
}

bool IsTextCommand(std::string_view name) {
  return OneOf(name, "text", "mathrm", "textbf", "textit", "mbox", "operatorname", "textrm",
               "mathbf", "textnormal", "mathit");
}

size_t SkipGroup(std::string_view text, size_t at, size_t end) {
  int depth = 0;
  const size_t stop = std::min(end, at + kMaxFormulaBytes);
  for (size_t i = at; i < stop; ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      return i + 1;
    }
  }
  return at;
}

size_t SkipLetters(std::string_view text, size_t at, size_t end) {
  while (at < end && IsLetter(text[at])) ++at;
  return at;
}

bool FormulaReader::ReadAt(size_t at, Formula* formula) {
  if (at + 1 >= end_) return false;
  if (text_[at] == '$') {
    if (text_[at + 1] == '$') return ReadDelimited(at, 2, "$$", 0, formula);
    return ReadInlineDollar(at, formula);
  }
  if (text_[at] != '\\') return false;
  if (text_[at + 1] == '(') return ReadDelimited(at, 2, "\\)", 1, formula);
  if (text_[at + 1] == '[') return ReadDelimited(at, 2, "\\]", 2, formula);
  if (HasAt(text_, at, "\\begin{")) return ReadEnvironment(at, formula);
  return false;
}

bool FormulaReader::ReadDelimited(size_t at, size_t open_size, std::string_view close, int memo,
                                  Formula* formula) {
  if (at >= none_from_[memo]) return false;
  const size_t inner = at + open_size;
  const size_t found = text_.substr(0, end_).find(close, inner);
  if (found == kNone) {
    none_from_[memo] = at;
    return false;
  }
  if (found - inner > kMaxFormulaBytes) return false;
  // An inline formula does not span lines.
  if (memo == 1 && text_.substr(inner, found - inner).find('\n') != kNone) return false;
  *formula = {at, inner, found, found + close.size()};
  return true;
}

bool FormulaReader::ReadInlineDollar(size_t at, Formula* formula) {
  const size_t stop = std::min(end_, at + 1 + kMaxFormulaBytes);
  size_t i = at + 1;
  for (; i < stop && text_[i] != '$' && text_[i] != '\n'; ++i) {
    if (text_[i] == '\\') ++i;
  }
  if (i >= stop || text_[i] != '$' || i == at + 1) return false;
  // "$5 and $7": the second sign belongs to what follows it. Prose between two signs: both are currency.
  if (i + 1 < end_ && IsDigit(text_[i + 1])) return false;
  const std::string_view inner = text_.substr(at + 1, i - at - 1);
  if (CountWords(inner) >= 2 && inner.find('\\') == kNone && inner.find(' ') != kNone) return false;
  *formula = {at, at + 1, i, i + 1};
  return true;
}

bool FormulaReader::ReadEnvironment(size_t at, Formula* formula) {
  const size_t name_end = SkipGroup(text_, at + 6, end_);
  if (name_end == at + 6 || at >= none_from_[3]) return false;
  const std::string close = "\\end" + std::string(text_.substr(at + 6, name_end - at - 6));
  const size_t found =
      text_.substr(0, std::min(end_, name_end + kMaxFormulaBytes)).find(close, name_end);
  if (found == kNone) {
    if (text_.substr(0, end_).find("\\end{", name_end) == kNone) none_from_[3] = at;
    return false;
  }
  *formula = {at, at, found + close.size(), found + close.size()};
  return true;
}

int CountWords(std::string_view text) {
  int words = 0;
  for (size_t i = 0; i < text.size();) {
    if (text[i] == '\\') {
      const size_t name_end = SkipLetters(text, i + 1, text.size());
      const bool quoted = IsTextCommand(text.substr(i + 1, name_end - i - 1)) &&
                          name_end < text.size() && text[name_end] == '{';
      i = quoted ? std::max(SkipGroup(text, name_end, text.size()), name_end + 1)
                 : std::max(name_end, i + 2);
    } else if (IsLetter(text[i])) {
      const size_t word_end = SkipLetters(text, i, text.size());
      std::string word(text.substr(i, word_end - i));
      std::transform(word.begin(), word.end(), word.begin(),
                     [](char c) { return static_cast<char>(c | 0x20); });
      if (word.size() >= 3 && !IsFunctionWord(word)) ++words;
      i = word_end;
    } else {
      ++i;
    }
  }
  return words;
}

std::string WithoutTextCommands(std::string_view text) {
  std::string out;
  std::vector<size_t> closing;  // of the braces that go with a command
  for (size_t i = 0; i < text.size(); ++i) {
    if (!closing.empty() && i == closing.back()) {
      closing.pop_back();
      continue;
    }
    const size_t name_end = text[i] == '\\' ? SkipLetters(text, i + 1, text.size()) : i;
    if (name_end > i + 1 && IsTextCommand(text.substr(i + 1, name_end - i - 1))) {
      const size_t group_end = SkipGroup(text, name_end, text.size());
      if (group_end > name_end) {
        closing.push_back(group_end - 1);
        i = name_end;
        continue;
      }
    }
    out.push_back(text[i]);
  }
  return out;
}

}  // namespace assay::math
