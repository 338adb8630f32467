#include "verifiers/math/reply/choices.h"

#include "core/text.h"
#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/clean_answer.h"
#include "verifiers/math/reply/formulas.h"

namespace assay::math {
namespace {

// Lower case, without text commands, dollars, emphasis, repeated blanks and a final full stop.
std::string Plain(std::string_view text) {
  std::string out;
  const std::string clean = CleanAnswer(WithoutTextCommands(text));
  for (const char c : clean) {
    if (c == '$' || c == '*' || c == '"') continue;
    if (IsSpace(c) && (out.empty() || out.back() == ' ')) continue;
    out.push_back(IsSpace(c) ? ' ' : c);
  }
  return AsciiLower(Trim(out));
}

// "B. Paris", "(B) Paris", "B: Paris" where B is the letter of this place: where the text begins; else 0.
size_t LetterFrame(std::string_view choice, char letter) {
  const size_t open = !choice.empty() && choice[0] == '(' ? 1 : 0;
  if (choice.size() < open + 2 || choice[open] != letter) return 0;
  const char mark = choice[open + 1];
  if (open == 1 ? mark != ')' : mark != '.' && mark != ')' && mark != ':') return 0;
  const size_t text = choice.find_first_not_of(' ', open + 2);
  return text == kNone ? choice.size() : text;
}

}  // namespace

Choices ReadChoices(const std::vector<std::string>& named) {
  Choices choices;
  for (size_t i = 0; i < named.size(); ++i) {
    const std::string& choice = named[i];
    if (choice.size() == 1 && IsLetter(choice[0])) {
      choices.letters.push_back(choice);
      choices.texts.emplace_back();
      continue;
    }
    const char letter = i < 26 ? static_cast<char>('A' + i) : '\0';
    choices.letters.push_back(letter == '\0' ? std::string() : std::string(1, letter));
    choices.texts.push_back(choice.substr(letter == '\0' ? 0 : LetterFrame(choice, letter)));
  }
  return choices;
}

std::vector<std::string> Choices::Names() const {
  std::vector<std::string> names;
  for (const std::string& text : texts) {
    if (!text.empty()) names.push_back(text);
  }
  for (const std::string& letter : letters) {
    if (!letter.empty()) names.push_back(letter);
  }
  return names;
}

std::string Choices::LetterOfText(std::string_view text) const {
  std::string letter;
  if (texts.empty()) return letter;
  const std::string plain = Plain(text);
  if (plain.empty()) return letter;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].empty() || Plain(texts[i]) != plain) continue;
    if (!letter.empty()) return "";  // two choices with one text
    letter = letters[i];
  }
  return letter;
}

std::string Choices::TextOfLetter(std::string_view letter) const {
  for (size_t i = 0; i < letters.size(); ++i) {
    if (!letter.empty() && letters[i] == letter) return texts[i];
  }
  return "";
}

}  // namespace assay::math
