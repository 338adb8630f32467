#include "verifiers/code/stdio_compare.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "core/text.h"

namespace assay {
namespace {

constexpr std::string_view kSpace = " \t\r\f\v";

std::string_view TrimEnd(std::string_view line) {
  size_t last = line.find_last_not_of(kSpace);
  return last == std::string_view::npos ? std::string_view() : line.substr(0, last + 1);
}

std::vector<std::string_view> Lines(std::string_view text) {
  std::vector<std::string_view> lines = SplitChar(text, '\n');
  for (std::string_view& line : lines) line = TrimEnd(line);
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

// The next word of `line`, which loses it; empty at the end.
std::string_view NextWord(std::string_view* line) {
  size_t start = line->find_first_not_of(kSpace);
  if (start == std::string_view::npos) {
    *line = {};
    return {};
  }
  size_t end = line->find_first_of(kSpace, start);
  std::string_view word = line->substr(start, end == std::string_view::npos ? end : end - start);
  line->remove_prefix(start + word.size());
  return word;
}

std::optional<double> Number(std::string_view word) {
  if (!word.empty() && word[0] == '+') word.remove_prefix(1);
  double value = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

bool WordsMatch(std::string_view got, std::string_view want, std::optional<double> float_tol) {
  if (got == want) return true;
  if (!float_tol) return false;
  std::optional<double> a = Number(got), b = Number(want);
  return a && b && std::fabs(*a - *b) <= *float_tol * std::max({1.0, std::fabs(*a), std::fabs(*b)});
}

bool LineMatches(std::string_view got, std::string_view want, std::optional<double> float_tol) {
  while (true) {
    std::string_view a = NextWord(&got), b = NextWord(&want);
    if (a.empty() || b.empty()) return a.empty() && b.empty();
    if (!WordsMatch(a, b, float_tol)) return false;
  }
}

}  // namespace

bool OutputMatches(std::string_view got, std::string_view want, OutputMatch match,
                   std::optional<double> float_tol) {
  if (match == OutputMatch::kExact) return got == want;
  std::vector<std::string_view> got_lines = Lines(got), want_lines = Lines(want);
  if (got_lines.size() != want_lines.size()) return false;
  bool by_words = match == OutputMatch::kTokens || float_tol.has_value();
  for (size_t i = 0; i < got_lines.size(); ++i) {
    if (got_lines[i] == want_lines[i]) continue;
    if (!by_words || !LineMatches(got_lines[i], want_lines[i], float_tol)) return false;
  }
  return true;
}

}  // namespace assay
