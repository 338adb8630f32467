// Text as a list of words, for verifiers that count or compare them. Pure; thread-safe; linear time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

// Words in small letters: runs of letters, marks and digits; of scripts without spaces (Han, Kana, Thai, Lao, Khmer, Burmese) each
// character. Everything else parts words and is dropped. `longest`: a run of more characters is cut into words of so many.
std::vector<std::string> WordsOf(std::string_view text, int longest = 1000);

// Every letter in its small form, character by character.
std::string LowerCase(std::string_view text);

// Characters (code points).
int64_t CharactersOf(std::string_view text);

}  // namespace assay
