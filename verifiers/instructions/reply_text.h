// A reply with the cuts that constraints look at, each made when it is first asked for. Views point into the text. Not thread-safe: one
// is made for each reply.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace assay {

class ReplyText {
 public:
  explicit ReplyText(std::string_view text) : text_(text) {}

  std::string_view Text() const { return text_; }
  const std::string& Small() const;  // in small letters
  // Runs of letters, marks, digits and underscores; in scripts without spaces each character.
  const std::vector<std::string_view>& Words() const;
  // What stands between white space.
  const std::vector<std::string_view>& Tokens() const;
  // Tokens in small letters without any ASCII punctuation; empty ones are left out.
  const std::vector<std::string>& BareTokens() const;
  const std::vector<std::string_view>& Lines() const;
  // Parted by blank lines; none is blank.
  const std::vector<std::string_view>& Paragraphs() const;
  // Ended by . ! ? and their like elsewhere with what closes behind them, before white space; an abbreviation's point and a number's end
  // none, nor does a new line.
  const std::vector<std::string_view>& Sentences() const;

 private:
  std::string_view text_;
  mutable std::optional<std::string> small_;
  mutable std::optional<std::vector<std::string_view>> words_, tokens_, lines_, paragraphs_,
      sentences_;
  mutable std::optional<std::vector<std::string>> bare_;
};

std::vector<std::string_view> TokensOf(std::string_view text);
std::vector<std::string> BareTokensOf(std::string_view text);
std::vector<std::string_view> WordRunsOf(std::string_view text);

// Without ASCII punctuation and white space at both ends.
std::string_view StripPunctuation(std::string_view text);
bool IsAsciiPunctuation(char c);

// There are letters with case, and all are capitals (small).
bool AllCapitals(std::string_view text);
bool AllSmall(std::string_view text);

// How often `phrase` stands in `text`, small and capital letters alike, beginning where a word begins. `inflected`: the word that it ends
// in may go on with up to three letters (dream, dreams, dreaming); else it must end there. Of scripts without spaces any place will do.
int64_t CountPhrase(std::string_view small_text, std::string_view phrase, bool inflected);

}  // namespace assay
