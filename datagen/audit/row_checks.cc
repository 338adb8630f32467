#include "datagen/audit/row_checks.h"

#include <algorithm>
#include <cctype>

#include "core/text.h"

namespace assay::audit {
namespace {

std::string Squeezed(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (std::isspace(static_cast<unsigned char>(c)) == 0)
      out.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  }
  return out;
}

std::string TextAt(const Json& where, std::string_view key) {
  const Json* value = where.Find(key);
  if (value != nullptr && value->IsArray() && !value->AsArray()->empty())
    value = &value->AsArray()->front();
  return value != nullptr && value->IsString() ? *value->AsString() : "";
}

bool IsWordChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || (c & 0x80) != 0;
}

// `answer` at `at` is no piece of a longer word or number.
bool StandsAlone(std::string_view text, size_t at, size_t size) {
  const size_t end = at + size;
  if (at > 0 && IsWordChar(text[at - 1]) && IsWordChar(text[at])) return false;
  if (at > 1 && (text[at - 1] == '.' || text[at - 1] == ',') &&
      std::isdigit(static_cast<unsigned char>(text[at - 2])) != 0)
    return false;
  if (end < text.size() && IsWordChar(text[end]) && IsWordChar(text[end - 1])) return false;
  return !(end + 1 < text.size() && (text[end] == '.' || text[end] == ',') &&
           std::isdigit(static_cast<unsigned char>(text[end + 1])) != 0);
}

// A word that announces an answer stands shortly before, with nothing but signs and small words between.
bool IsAnnounced(std::string_view lower, size_t at) {
  constexpr size_t kFar = 32;
  const std::string_view before = lower.substr(at > kFar ? at - kFar : 0, std::min(at, kFar));
  for (const char* word : {"answer", "solution", "result", "ans", "boxed{", "####", "gold", "hint",
                           "correct", "label"}) {
    const size_t found = before.rfind(word);
    if (found == std::string_view::npos) continue;
    const std::string_view between = before.substr(found + std::string_view(word).size());
    const bool sign = !IsWordChar(word[0]) || word == std::string_view("boxed{");
    if (!sign && (!StandsAlone(before, found, std::string_view(word).size())))
      continue;  // "goldfish"
    if (between.find('?') != std::string_view::npos || between.find('\n') != std::string_view::npos)
      continue;
    int64_t words = 0;
    bool asks = false;
    for (size_t i = 0; i < between.size();) {
      if (!IsWordChar(between[i])) {
        ++i;
        continue;
      }
      size_t end = i;
      while (end < between.size() && IsWordChar(between[end])) ++end;
      const std::string_view one = between.substr(i, end - i);
      asks = asks || one == "in" || one == "as" || one == "to" || one == "form" ||
             one == "nearest" || one == "of";
      ++words;
      i = end;
    }
    if (words <= 3 && !asks) return true;
  }
  return false;
}

}  // namespace

bool HasTests(const Problem& problem) {
  for (const char* key : {"test_cases", "asserts", "assert_case", "test", "inputs"}) {
    const Json* tests = problem.verification_info.Find(key);
    if (tests != nullptr && !tests->IsNull()) return true;
  }
  return false;
}

std::string SolutionOf(const Problem& problem, std::string_view key) {
  if (!key.empty()) return TextAt(problem.extra, key);
  const std::string own = TextAt(problem.verification_info, "reference");
  if (!own.empty()) return own;
  for (const char* name : {"canonical_solution", "reference_solution", "reference", "solutions",
                           "solution", "code", "rationale", "worked_solution"}) {
    std::string text = TextAt(problem.extra, name);
    if (!Trim(text).empty()) return text;
  }
  return "";
}

std::string PlainPrompt(const Problem& problem) { return Squeezed(problem.prompt); }

std::string AnswerInPrompt(std::string_view prompt, std::string_view answer) {
  constexpr size_t kLongAnswer = 12;
  answer = Trim(answer);
  if (answer.empty()) return "";
  const std::string lower = AsciiLower(prompt), wanted = AsciiLower(answer);
  for (size_t at = lower.find(wanted); at != std::string::npos; at = lower.find(wanted, at + 1)) {
    if (StandsAlone(lower, at, wanted.size()) && IsAnnounced(lower, at)) {
      const size_t from = at > 40 ? at - 40 : 0;
      return StrCat("the prompt announces its answer: \"",
                    prompt.substr(from, at - from + wanted.size()), "\"");
    }
  }
  const std::string squeezed = Squeezed(answer);
  if (squeezed.size() >= kLongAnswer && Squeezed(prompt).find(squeezed) != std::string::npos)
    return "the whole answer stands in the prompt";
  return "";
}

std::string ProgramInPrompt(std::string_view prompt, std::string_view program) {
  constexpr size_t kTrivialBytes = 8;
  const std::string squeezed = Squeezed(prompt);
  size_t lines = 0, there = 0;
  for (std::string_view line : SplitChar(program, '\n')) {
    const std::string one = Squeezed(line);
    if (one.size() < kTrivialBytes || StartsWith(one, "def") || StartsWith(one, "class") ||
        StartsWith(one, "import") || StartsWith(one, "from") || StartsWith(one, "#"))
      continue;
    ++lines;
    if (squeezed.find(one) != std::string::npos) ++there;
  }
  if (lines == 0 || there * 10 < lines * 7) return "";
  return StrCat(there, " of the solution's ", lines, " lines stand in the prompt");
}

}  // namespace assay::audit
