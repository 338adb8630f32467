// The choices of a multiple-choice question as its options name them: letters, texts, or both ("B. Paris"). Pure, thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace assay::math {

struct Choices {
  std::vector<std::string> letters;  // "A", "B", ..: of each choice, given or by its place
  std::vector<std::string> texts;    // "" where only a letter was given

  bool empty() const { return letters.empty(); }
  // Everything by which a reply may name one.
  std::vector<std::string> Names() const;
  // The letter of the only choice whose text this is (case, markup and a full stop aside), else "".
  std::string LetterOfText(std::string_view text) const;
  // The text of the choice with this letter, else "".
  std::string TextOfLetter(std::string_view letter) const;
};

Choices ReadChoices(const std::vector<std::string>& named);

}  // namespace assay::math
