#include <algorithm>

#include "core/text.h"
#include "verifiers/instructions/constraint.h"
#include "verifiers/words.h"

namespace assay {
namespace {

using Parameters = ConstraintParameters;

int64_t Size(const std::vector<std::string_view>& pieces) {
  return static_cast<int64_t>(pieces.size());
}

struct Endings {
  int64_t points = 0, questions = 0, exclamations = 0;
};

Endings EndingsOf(const ReplyText& reply) {
  Endings out;
  for (std::string_view sentence : reply.Sentences()) {
    const std::string_view marks = sentence.substr(0, sentence.find_last_of(".?!") + 1);
    if (EndsWith(marks, "?")) {
      ++out.questions;
    } else if (EndsWith(marks, "!")) {
      ++out.exclamations;
    } else if (EndsWith(marks, ".")) {
      ++out.points;
    }
  }
  return out;
}

bool TwoToOne(const ReplyText& reply, const Parameters&) {
  const Endings ends = EndingsOf(reply);
  return ends.questions > 0 && ends.points == 2 * ends.questions;
}

bool Balanced(const ReplyText& reply, const Parameters&) {
  const Endings ends = EndingsOf(reply);
  return ends.points > 0 && ends.points == ends.questions && ends.points == ends.exclamations;
}

const std::string_view* Nth(const std::vector<std::string_view>& pieces, int64_t n) {
  return n < 1 || n > Size(pieces) ? nullptr : &pieces[static_cast<size_t>(n - 1)];
}

bool KeywordInSentence(const ReplyText& reply, const Parameters& p) {
  const std::string_view* sentence = Nth(reply.Sentences(), p.Number("N"));
  return sentence != nullptr && CountPhrase(LowerCase(*sentence), p.Text("word"), true) > 0;
}

bool KeywordAtPlace(const ReplyText& reply, const Parameters& p) {
  const std::string_view* sentence = Nth(reply.Sentences(), p.Number("n"));
  if (sentence == nullptr) return false;
  const std::vector<std::string_view> words = WordRunsOf(*sentence);
  const std::string_view* word = Nth(words, p.Number("m"));
  return word != nullptr && LowerCase(*word) == LowerCase(Trim(p.Text("keyword")));
}

bool IncrementsBy(const ReplyText& reply, const Parameters& p) {
  int64_t before = -1;
  for (std::string_view sentence : reply.Sentences()) {
    const auto words = static_cast<int64_t>(BareTokensOf(sentence).size());
    if (before >= 0 && words != before + p.Number("small_n")) return false;
    before = words;
  }
  return reply.Sentences().size() > 1;
}

bool LastIsFirstOfNext(const ReplyText& reply, const Parameters&) {
  std::string last;
  for (std::string_view sentence : reply.Sentences()) {
    const std::vector<std::string> words = BareTokensOf(sentence);
    if (words.empty() || (!last.empty() && words.front() != last)) return false;
    last = words.back();
  }
  return reply.Sentences().size() > 1;
}

bool ParagraphsEndAsTheyBegin(const ReplyText& reply, const Parameters&) {
  bool any = false;
  for (std::string_view line : reply.Lines()) {
    const std::vector<std::string> words = BareTokensOf(line);
    if (words.empty()) continue;
    if (words.front() != words.back()) return false;
    any = any || words.size() > 1;
  }
  return any;
}

// The longest run of words side by side that begin with one letter grows from sentence to sentence.
bool AlliterationGrows(const ReplyText& reply, const Parameters&) {
  size_t before = 0;
  for (std::string_view sentence : reply.Sentences()) {
    const std::vector<std::string> words = BareTokensOf(sentence);
    size_t longest = 0, run = 0;
    for (size_t i = 0; i < words.size(); ++i) {
      run = i > 0 && words[i][0] == words[i - 1][0] ? run + 1 : 1;
      longest = std::max(longest, run);
    }
    if (longest <= before) return false;
    before = longest;
  }
  return reply.Sentences().size() > 1;
}

bool AlphabetSentences(const ReplyText& reply, const Parameters&) {
  if (reply.Sentences().size() != 26) return false;
  char letter = 'a';
  for (std::string_view sentence : reply.Sentences()) {
    const std::vector<std::string> words = BareTokensOf(sentence);
    if (words.empty() || words[0][0] != letter++) return false;
  }
  return true;
}

bool ThreeEqualSentences(const ReplyText& reply, const Parameters&) {
  if (reply.Sentences().size() != 3) return false;
  const int64_t length = CharactersOf(reply.Sentences()[0]);
  std::vector<std::string> words = reply.BareTokens();
  std::sort(words.begin(), words.end());
  return std::adjacent_find(words.begin(), words.end()) == words.end() &&
         std::all_of(reply.Sentences().begin(), reply.Sentences().end(),
                     [&](std::string_view one) { return CharactersOf(one) == length; });
}

// IF-RLVR's count_increment_word.
bool KeywordOnceAndTwice(const ReplyText& reply, const Parameters& p) {
  return CountPhrase(reply.Small(), p.Text("keyword1"), true) == 1 &&
         CountPhrase(reply.Small(), p.Text("keyword2"), true) == 2;
}

bool HyphensBetween(const ReplyText& reply, const Parameters&) {
  // "One sentence.-The next.": hyphens and no space; what the cutter sees as one sentence then.
  const std::string_view text = Trim(reply.Text());
  int64_t joints = 0;
  for (size_t i = 0; i + 1 < text.size(); ++i) {
    if (text[i] != '.' && text[i] != '?' && text[i] != '!') continue;
    if (text[i + 1] == '-') ++joints;
    if (text[i + 1] == ' ' || text[i + 1] == '\n') return false;
  }
  return joints > 0;
}

}  // namespace

const std::vector<ConstraintKind>& SentenceConstraints() {
  static const std::vector<ConstraintKind> kKinds = {
      {"ratio:sentence_type", "", TwoToOne, "two statements for each question"},
      {"ratio:sentence_balance", "", Balanced, "as many statements as questions as exclamations"},
      {"ratio:sentence_words", "", ThreeEqualSentences,
       "three sentences with as many characters each and no word twice"},
      {"sentence:keyword", "word=text N=number", KeywordInSentence,
       "the keyword stands in the Nth sentence"},
      {"words:keywords_specific_position", "keyword=text n=number m=number", KeywordAtPlace,
       "the keyword is the mth word of the nth sentence"},
      {"keywords:keyword_specific_position", "keyword=text n=number m=number", KeywordAtPlace,
       "the keyword is the mth word of the nth sentence"},
      {"sentence:increment", "small_n=number", IncrementsBy,
       "each sentence has so many words more than the one before"},
      {"sentence:alliteration_increment", "", AlliterationGrows,
       "each sentence has a longer run of words with one first letter"},
      {"words:last_first", "", LastIsFirstOfNext,
       "each sentence begins with the last one's last word"},
      {"words:paragraph_last_first", "", ParagraphsEndAsTheyBegin,
       "each line ends with the word that it begins with"},
      {"custom:sentence_alphabet", "", AlphabetSentences,
       "26 sentences that begin with the letters of the alphabet"},
      {"count:count_increment_word", "keyword1=text keyword2=text", KeywordOnceAndTwice,
       "the first keyword once, the second twice"},
      {"detectable_format:sentence_hyphens", "", HyphensBetween,
       "hyphens without spaces between all sentences"}};
  return kKinds;
}

}  // namespace assay
