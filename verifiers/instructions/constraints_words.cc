#include <algorithm>
#include <array>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "core/text.h"
#include "verifiers/instructions/constraint.h"
#include "verifiers/language/language_spans.h"
#include "verifiers/language/prose.h"
#include "verifiers/words.h"

namespace assay {
namespace {

using Parameters = ConstraintParameters;

constexpr double kMostlyInLanguage = 0.8;  // names and quotations are allowed

bool InLanguage(std::string_view text, std::string_view name) {
  const LanguageId language = LanguageFromName(name);
  if (language == kNoLanguage) return false;
  const LanguageShare share = ShareOf(ProseOf(text), language);
  return share.words > 0 && share.foreign <= (1 - kMostlyInLanguage) * share.words;
}

bool IsVowel(char c) { return std::string_view("aeiou").find(c) != std::string_view::npos; }
bool IsLetter(char c) { return c >= 'a' && c <= 'z'; }

int64_t Keyword(const ReplyText& reply, std::string_view word) {
  return CountPhrase(reply.Small(), word, true);
}

bool Existence(const ReplyText& reply, const Parameters& p) {
  const auto words = p.Texts("keywords");
  return std::all_of(words.begin(), words.end(),
                     [&](std::string_view word) { return Keyword(reply, word) > 0; });
}

bool Forbidden(const ReplyText& reply, const Parameters& p) {
  const auto words = p.Texts("forbidden_words");
  return std::none_of(words.begin(), words.end(), [&](std::string_view word) {
    return CountPhrase(reply.Small(), word, false) > 0;
  });
}

// Anywhere, also inside of other words.
bool ForbiddenAnywhere(const ReplyText& reply, const Parameters& p) {
  return reply.Small().find(LowerCase(p.Text("keyword"))) == std::string::npos;
}

int64_t CountLetter(const ReplyText& reply, std::string_view letter) {
  const std::string small = LowerCase(Trim(letter));
  int64_t count = 0;
  for (size_t at = reply.Small().find(small); at != std::string::npos;
       at = reply.Small().find(small, at + small.size()))
    ++count;
  return count;
}

int64_t CountLetters(const ReplyText& reply) {
  const auto letters = std::count_if(reply.Small().begin(), reply.Small().end(), [](char c) {
    return IsLetter(c) || (static_cast<unsigned char>(c) & 0xC0) == 0xC0;
  });
  return letters;
}

bool KeywordsMultiple(const ReplyText& reply, const Parameters& p) {
  static constexpr std::pair<const char*, int64_t> kTimes[] = {
      {"keyword1", 1}, {"keyword2", 2}, {"keyword3", 3}, {"keyword4", 5}, {"keyword5", 7}};
  return std::all_of(std::begin(kTimes), std::end(kTimes), [&](const auto& one) {
    return p.Text(one.first).empty() || Keyword(reply, p.Text(one.first)) == one.second;
  });
}

bool CapitalWords(const ReplyText& reply, const Parameters& p) {
  // A word with hyphens or apostrophes inside is one.
  int64_t count = 0;
  for (std::string_view token : reply.Tokens()) {
    if (AllCapitals(StripPunctuation(token))) ++count;
  }
  return p.Holds("capital_relation", count, "capital_frequency");
}

int64_t SmallWords(const ReplyText& reply) {
  return std::count_if(reply.Words().begin(), reply.Words().end(), AllSmall);
}

template <size_t n>
int64_t CountListed(const ReplyText& reply, const std::array<std::string_view, n>& list,
                    bool different) {
  std::set<std::string_view> found;
  int64_t count = 0;
  for (std::string_view word : WordRunsOf(reply.Small())) {
    if (std::find(list.begin(), list.end(), word) == list.end()) continue;
    ++count;
    found.insert(word);
  }
  return different ? static_cast<int64_t>(found.size()) : count;
}

constexpr std::array<std::string_view, 7> kConjunctions = {"and", "but", "for", "nor",
                                                           "or",  "so",  "yet"};
constexpr std::array<std::string_view, 31> kPronouns = {
    "i",    "me",        "my",      "mine", "myself", "we",       "us",         "our",
    "ours", "ourselves", "you",     "your", "yours",  "yourself", "yourselves", "he",
    "him",  "his",       "himself", "she",  "her",    "hers",     "herself",    "it",
    "its",  "itself",    "they",    "them", "their",  "theirs",   "themselves"};

bool AlphabetLoop(const ReplyText& reply, const Parameters&) {
  const std::vector<std::string>& words = reply.BareTokens();
  if (words.empty()) return false;
  for (size_t i = 0; i < words.size(); ++i) {
    if (!IsLetter(words[i][0])) return false;
    if (i > 0 && (words[i - 1][0] - 'a' + 1) % 26 != words[i][0] - 'a') return false;
  }
  return true;
}

bool ThreeVowels(const ReplyText& reply, const Parameters&) {
  if (reply.Paragraphs().size() != 1 || reply.Paragraphs()[0].find('\n') != std::string_view::npos)
    return false;
  std::set<char> vowels;
  for (char c : reply.Small()) {
    if (IsVowel(c)) vowels.insert(c);
  }
  return vowels.size() <= 3 && !vowels.empty();
}

bool ConsonantClusters(const ReplyText& reply, const Parameters&) {
  return !reply.BareTokens().empty() &&
         std::all_of(reply.BareTokens().begin(), reply.BareTokens().end(),
                     [](const std::string& word) {
                       return std::adjacent_find(word.begin(), word.end(), [](char a, char b) {
                                return IsLetter(a) && IsLetter(b) && !IsVowel(a) && !IsVowel(b);
                              }) != word.end();
                     });
}

bool IsPalindrome(std::string_view word) {
  return std::equal(word.begin(), word.end(), word.rbegin());
}

// Different ones, of letters: a word said ten times, or 11111, is no list of palindromes.
int64_t Palindromes(const ReplyText& reply) {
  std::unordered_set<std::string_view> found;
  for (const std::string& word : reply.BareTokens()) {
    if (word.size() >= 5 && IsPalindrome(word) && std::all_of(word.begin(), word.end(), IsLetter) &&
        word.find_first_not_of(word[0]) != std::string::npos)
      found.insert(word);
  }
  return static_cast<int64_t>(found.size());
}

bool IsPrime(int64_t n) {
  for (int64_t i = 2; i * i <= n; ++i) {
    if (n % i == 0) return false;
  }
  return n > 1;
}

bool PrimeLengths(const ReplyText& reply, const Parameters&) {
  return !reply.BareTokens().empty() &&
         std::all_of(reply.BareTokens().begin(), reply.BareTokens().end(),
                     [](const std::string& word) {
                       return word.size() < 1000 && IsPrime(CharactersOf(word));
                     });
}

bool LimitedRepeats(const ReplyText& reply, const Parameters& p) {
  std::unordered_map<std::string_view, int64_t> counts;
  for (const std::string& word : reply.BareTokens()) {
    if (++counts[word] > p.Number("small_n")) return false;
  }
  return !counts.empty();
}

bool NoSharedFirstLetter(const ReplyText& reply, const Parameters&) {
  const std::vector<std::string>& words = reply.BareTokens();
  return std::adjacent_find(words.begin(), words.end(), [](const auto& a, const auto& b) {
           return a[0] == b[0];
         }) == words.end();
}

bool NoAlphabetNeighbours(const ReplyText& reply, const Parameters&) {
  const std::vector<std::string>& words = reply.BareTokens();
  return std::adjacent_find(words.begin(), words.end(), [](const auto& a, const auto& b) {
           return IsLetter(a[0]) && b[0] == a[0] + 1;
         }) == words.end();
}

bool SecondAndLastButOne(const ReplyText& reply, const Parameters& p) {
  const auto& words = reply.Words();
  return words.size() >= 3 && words[1] == p.Text("keyword") &&
         words[words.size() - 2] == p.Text("keyword");
}

bool JapaneseEvery(const ReplyText& reply, const Parameters& p) {
  const auto every = static_cast<size_t>(std::max<int64_t>(p.Number("N"), 1));
  static const LanguageId japanese = LanguageFromName("ja"), chinese = LanguageFromName("zh");
  for (size_t i = every - 1; i < reply.Tokens().size(); i += every) {
    const std::string_view word = StripPunctuation(reply.Tokens()[i]);
    if (word.empty() || word.find_first_not_of("0123456789") == std::string_view::npos) continue;
    const LanguageId language = MainLanguage({word});
    if (language != japanese && language != chinese) return false;
  }
  return reply.Tokens().size() >= every;
}

// Numbers: 1,000 and 3.14 are one each.
int64_t CountNumbers(const ReplyText& reply) {
  const std::string_view text = reply.Text();
  const auto digit = [&](size_t i) { return i < text.size() && text[i] >= '0' && text[i] <= '9'; };
  int64_t count = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (!digit(i)) continue;
    ++count;
    while (digit(i) || ((text[i] == '.' || text[i] == ',') && digit(i + 1))) ++i;
  }
  return count;
}

int64_t DifferentWords(const ReplyText& reply) {
  std::unordered_set<std::string_view> different;
  for (const std::string& word : reply.BareTokens()) different.insert(word);
  return static_cast<int64_t>(different.size());
}

int64_t WordsWith(const ReplyText& reply, std::initializer_list<std::string_view> letters) {
  return std::count_if(
      reply.BareTokens().begin(), reply.BareTokens().end(), [&](const std::string& word) {
        return std::any_of(letters.begin(), letters.end(), [&](std::string_view one) {
          return word.find(one) != std::string::npos;
        });
      });
}

// A constraint that one expression over the reply `r` and the parameters `p` says.
#define ASSAY_FOLLOWS(...)                              \
  [](const ReplyText& r, const Parameters& p) -> bool { \
    (void)r, (void)p;                                   \
    return __VA_ARGS__;                                 \
  }

}  // namespace

const std::vector<ConstraintKind>& WordConstraints() {
  static const std::vector<ConstraintKind> kKinds = {
      {"keywords:existence", "keywords=texts", Existence, "every keyword stands in it"},
      {"keywords:frequency", "keyword=text frequency=number relation=relation",
       ASSAY_FOLLOWS(p.Holds("relation", Keyword(r, p.Text("keyword")), "frequency")),
       "the keyword stands in it so often"},
      {"keywords:word_count_different_numbers", "keyword=text frequency=number relation=relation",
       ASSAY_FOLLOWS(p.Holds("relation", Keyword(r, p.Text("keyword")), "frequency")),
       "the keyword stands in it so often"},
      {"keywords:word_once", "keyword=text", ASSAY_FOLLOWS(Keyword(r, p.Text("keyword")) == 1),
       "the keyword stands in it once"},
      {"keywords:forbidden_words", "forbidden_words=texts", Forbidden, "none of these words"},
      {"keywords:exclude_word_harder", "keyword=text", ForbiddenAnywhere,
       "the keyword stands nowhere, not even inside of a word"},
      {"keywords:letter_frequency", "letter=text let_frequency=number let_relation=relation",
       ASSAY_FOLLOWS(p.Holds("let_relation", CountLetter(r, p.Text("letter")), "let_frequency")),
       "the letter stands in it so often, in either case"},
      {"letters:letter_counting2", "letter=text let_frequency=number let_relation=relation",
       ASSAY_FOLLOWS(p.Holds("let_relation", CountLetter(r, p.Text("letter")), "let_frequency")),
       "the letter stands in it so often, in either case"},
      {"letters:letter_counting", "N=number relation=relation",
       ASSAY_FOLLOWS(p.Holds("relation", CountLetters(r), "N")), "so many letters"},
      {"keywords:no_adjacent_consecutive", "", NoAlphabetNeighbours,
       "no two words side by side begin with letters side by side in the alphabet"},
      {"keywords:palindrome", "", ASSAY_FOLLOWS(Palindromes(r) > 0),
       "a palindrome of five letters or more"},
      {"count:keywords_multiple",
       "keyword1=text keyword2?=text keyword3?=text keyword4?=text keyword5?=text",
       KeywordsMultiple, "the keywords once, twice, three, five and seven times"},
      {"count:conjunctions", "small_n=number",
       ASSAY_FOLLOWS(CountListed(r, kConjunctions, true) >= p.Number("small_n")),
       "so many different ones of and, but, for, nor, or, so, yet"},
      {"count:pronouns", "N=number",
       ASSAY_FOLLOWS(CountListed(r, kPronouns, false) >= p.Number("N")),
       "so many personal pronouns or more"},
      {"count:numbers", "N=number", ASSAY_FOLLOWS(CountNumbers(r) == p.Number("N")),
       "exactly so many numbers"},
      {"count:unique_word_count", "N=number", ASSAY_FOLLOWS(DifferentWords(r) >= p.Number("N")),
       "so many different words or more"},
      {"count:count_unique", "",
       ASSAY_FOLLOWS(!r.BareTokens().empty() &&
                     DifferentWords(r) == static_cast<int64_t>(r.BareTokens().size())),
       "no word twice"},
      {"count:lowercase_counting", "N=number", ASSAY_FOLLOWS(SmallWords(r) <= p.Number("N")),
       "at most so many words in small letters"},
      {"count:words_japanese", "N=number", JapaneseEvery, "every Nth word is Japanese"},
      {"words:alphabet", "", AlphabetLoop, "each word begins with the next letter of the alphabet"},
      {"words:vowel", "", ThreeVowels, "one paragraph with at most three of the five vowels"},
      {"words:consonants", "", ConsonantClusters, "two consonants side by side in every word"},
      {"words:palindrome", "", ASSAY_FOLLOWS(Palindromes(r) >= 10),
       "ten different palindromes of five letters or more"},
      {"words:prime_lengths", "", PrimeLengths, "every word's length is a prime"},
      {"words:repeats", "small_n=number", LimitedRepeats, "no word more often than that"},
      {"words:no_consecutive", "", NoSharedFirstLetter,
       "no two words side by side begin with one letter"},
      {"words:words_position", "keyword=text", SecondAndLastButOne,
       "the second word and the last but one are the keyword"},
      {"language:response_language", "language=text",
       ASSAY_FOLLOWS(InLanguage(r.Text(), p.Text("language"))),
       "four words in five or more are in the language"},
      {"change_case:english_capital", "",
       ASSAY_FOLLOWS(AllCapitals(r.Text()) && InLanguage(r.Small(), "en")),
       "English, in capitals alone"},
      {"change_case:english_lowercase", "",
       ASSAY_FOLLOWS(AllSmall(r.Text()) && InLanguage(r.Small(), "en")),
       "English, in small letters alone"},
      {"change_case:spanish_capital", "",
       ASSAY_FOLLOWS(AllCapitals(r.Text()) && InLanguage(r.Small(), "es")),
       "Spanish, in capitals alone"},
      {"change_case:spanish_lowercase", "",
       ASSAY_FOLLOWS(AllSmall(r.Text()) && InLanguage(r.Small(), "es")),
       "Spanish, in small letters alone"},
      {"change_case:catalan_capital", "",
       ASSAY_FOLLOWS(AllCapitals(r.Text()) && InLanguage(r.Small(), "ca")),
       "Catalan, in capitals alone"},
      {"change_case:catalan_lowercase", "",
       ASSAY_FOLLOWS(AllSmall(r.Text()) && InLanguage(r.Small(), "ca")),
       "Catalan, in small letters alone"},
      {"change_case:capital_word_frequency", "capital_frequency=number capital_relation=relation",
       CapitalWords, "so many words all in capitals"},
      {"special_character:enie", "let_frequency=number",
       ASSAY_FOLLOWS(WordsWith(r, {"ñ"}) == p.Number("let_frequency")),
       "exactly so many words with ñ"},
      {"special_character:dieresis", "let_frequency=number",
       ASSAY_FOLLOWS(WordsWith(r, {"ü"}) == p.Number("let_frequency")),
       "exactly so many words with ü"},
      {"special_character:tildes", "num_words=number relation=relation",
       ASSAY_FOLLOWS(p.Holds("relation", WordsWith(r, {"á", "é", "í", "ó", "ú", "à", "è", "ò"}),
                             "num_words")),
       "so many words with a written accent"}};
  return kKinds;
}

}  // namespace assay
