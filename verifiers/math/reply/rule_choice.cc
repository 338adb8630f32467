// Rule "choice" (mode `string`): the choice that a reply names.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/text.h"
#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/choices.h"
#include "verifiers/math/reply/clean_answer.h"
#include "verifiers/math/reply/language_words.h"
#include "verifiers/math/reply/phrase_search.h"
#include "verifiers/math/reply/rules.h"
#include "verifiers/math/reply/sentences.h"

namespace assay::math {
namespace {

bool IsWordByte(char c) { return IsDigit(c) || IsLetter(c) || c == '_'; }

// Letters count in their own case, words in any.
bool SameAt(std::string_view text, size_t at, const std::string& choice) {
  const std::string_view piece = text.substr(at, choice.size());
  return piece == choice || (choice.size() > 1 && AsciiLower(piece) == AsciiLower(choice));
}

struct Named {
  size_t begin = kNone;
  size_t end = kNone;
  size_t choice = 0;
};

// The next choice that stands as a word of its own in text[at, end).
Named NextNamed(std::string_view text, size_t at, size_t end,
                const std::vector<std::string>& choices) {
  for (size_t i = at; i < end; ++i) {
    if (i > 0 && IsWordByte(text[i - 1]) && IsWordByte(text[i])) continue;
    for (size_t c = 0; c < choices.size(); ++c) {
      const std::string& choice = choices[c];
      if (choice.empty() || i + choice.size() > end || !SameAt(text, i, choice)) continue;
      const size_t after = i + choice.size();
      const bool glued =
          after < text.size() &&
          (IsWordByte(text[after]) ||
           (text[after] == '\'' && after + 1 < text.size() && IsWordByte(text[after + 1])));
      if (!glued) return {i, after, c};
    }
  }
  return {};
}

// "not A", "non A", "isn't A", "can't be A or B".
bool Denied(std::string_view text, size_t at) {
  const size_t from = at > 24 ? at - 24 : 0;
  const std::string before = AsciiLower(text.substr(from, at - from));
  const size_t latest = LastDenial(before);
  return latest != kNone && before.find_first_of(".,;", latest) == kNone &&
         before.find("therefore", latest) == kNone;
}

// "A is wrong", "A, B and C are excluded", "B错误".
bool DeniedBehind(std::string_view text, size_t at) {
  const size_t stop = std::min(text.size(), at + 48);
  bool verb = false;
  for (size_t i = at; i < stop;) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, stop, &word_end);
    if (word.empty()) {
      const char c = text[i];
      if (c != ' ' && c != ',' && c != ')' && c != '(' && c != '*') return false;
      i = std::max(i + 1, word_end);
      continue;
    }
    i = word_end;
    if (IsWrong(word) || word == "不" ||
        (verb && (IsNegation(word) || OneOf(word, "excluded", "eliminated", "out", "false",
                                            "impossible", "ruled", "invalid"))))
      return true;
    const bool letter = word.size() == 1 && IsLetter(word[0]);
    const bool copula = IsCopula(word) || OneOf(word, "can", "both", "all");
    verb = verb || copula;
    if (!letter && !copula && !IsConnector(word)) return false;
  }
  return false;
}

// "A" as an article: "A man ..". A choice is followed by punctuation, an end, or a word that is no noun phrase.
bool IsArticle(std::string_view text, const Named& named, const std::string& choice) {
  if (choice != "A" && choice != "I") return false;
  if (named.end >= text.size() || text[named.end] != ' ') return false;
  if (named.begin > 0 && text[named.begin - 1] == '(') return false;
  size_t word_end = 0;
  const std::string next = WordAt(text, named.end + 1, text.size(), &word_end);
  static constexpr std::array<std::string_view, 14> kVerbs = {
      "is", "because", "and",   "or",    "since",     "as",   "was",
      "it", "are",     "would", "seems", "therefore", "must", "has"};
  const bool lower =
      named.end + 1 < text.size() && text[named.end + 1] >= 'a' && text[named.end + 1] <= 'z';
  return lower && !next.empty() && std::find(kVerbs.begin(), kVerbs.end(), next) == kVerbs.end();
}

class ChoiceScan {
 public:
  ChoiceScan(std::string_view text, const std::vector<std::string>& choices)
      : text_(text), choices_(choices) {}

  Named Find() const {
    Named found = BehindAnchor();
    if (found.begin == kNone) found = AsFirstWord();
    if (found.begin == kNone) found = LastNotDenied();
    return found;
  }

 private:
  Named FirstAcceptable(size_t at, size_t end) const {
    for (Named named = NextNamed(text_, at, end, choices_); named.begin != kNone;
         named = NextNamed(text_, named.end, end, choices_)) {
      if (!Denied(text_, named.begin) && !DeniedBehind(text_, named.end) &&
          !IsArticle(text_, named, choices_[named.choice]))
        return named;
    }
    return {};
  }

  Named BehindAnchor() const {
    const std::vector<PhraseHit> hits = FindPhrases(text_);
    int looked_at = 0;
    for (auto hit = hits.rbegin(); hit != hits.rend() && looked_at < kMaxAnchors; ++hit) {
      if (hit->phrase != Phrase::kAnswer && hit->phrase != Phrase::kFinal &&
          hit->phrase != Phrase::kBox)
        continue;
      ++looked_at;
      // The anchor's sentence; a colon or an "is" at its end reaches into the next line.
      size_t end = ClauseEnd(text_, hit->end, text_.size());
      const std::string_view between = Trim(text_.substr(hit->end, end - hit->end));
      if (between.empty() || between == "is" || EndsWith(between, ":") || EndsWith(between, "is")) {
        end = ClauseEnd(text_, SkipSpace(text_, end, text_.size()), text_.size());
      }
      const Named named = FirstAcceptable(hit->end, end);
      if (named.begin != kNone) return named;
    }
    return {};
  }

  Named AsFirstWord() const {
    size_t at = SkipSpace(text_, 0, text_.size());
    while (at < text_.size() &&
           (text_[at] == '(' || text_[at] == '*' || text_[at] == '[' || text_[at] == '"'))
      ++at;
    const Named named = NextNamed(text_, at, text_.size(), choices_);
    return named.begin == at && !DeniedBehind(text_, named.end) &&
                   !IsArticle(text_, named, choices_[named.choice])
               ? named
               : Named{};
  }

  Named LastNotDenied() const {
    Named last;
    for (Named named = NextNamed(text_, 0, text_.size(), choices_); named.begin != kNone;
         named = NextNamed(text_, named.end, text_.size(), choices_)) {
      if (!Denied(text_, named.begin) && !DeniedBehind(text_, named.end) &&
          !IsArticle(text_, named, choices_[named.choice]))
        last = named;
    }
    return last;
  }

  std::string_view text_;
  const std::vector<std::string>& choices_;
};

}  // namespace

Extraction ExtractChoice(std::string_view reply, const ExtractOptions& options) {
  static const std::vector<std::string> kLetters = {"A", "B", "C", "D"};
  const std::vector<std::string> choices =
      options.choices.empty() ? kLetters : ReadChoices(options.choices).Names();
  Extraction out;
  const std::string_view trimmed = Trim(reply);
  Named named = ChoiceScan(reply, choices).Find();
  // A choice in lower case counts only if it is all there is.
  if (named.begin == kNone) {
    const std::string bare = AsciiLower(Trim(CleanAnswer(trimmed)));
    for (size_t c = 0; c < choices.size(); ++c) {
      const std::string choice = AsciiLower(choices[c]);
      if (bare == choice || bare == "(" + choice + ")")
        named = {static_cast<size_t>(trimmed.data() - reply.data()),
                 static_cast<size_t>(trimmed.data() - reply.data()) + trimmed.size(), c};
    }
  }
  if (named.begin != kNone) {
    out.rule = Rule::kChoice;
    out.text = choices[named.choice];
    out.begin = named.begin;
    out.end = named.end;
    return out;
  }
  if (trimmed.empty() || trimmed.size() > 200) {
    out.refusal = trimmed.empty() ? "empty" : "not_found";
    return out;
  }
  out.rule = Rule::kWhole;
  out.text.assign(trimmed);
  out.begin = static_cast<size_t>(trimmed.data() - reply.data());
  out.end = out.begin + trimmed.size();
  return out;
}

}  // namespace assay::math
