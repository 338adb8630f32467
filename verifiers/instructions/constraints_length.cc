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

// What stands between `mark`s; an empty piece at either end is none. False: one is empty between two marks.
bool PartedBy(std::string_view text, std::string_view mark, std::vector<std::string_view>* parts) {
  std::vector<std::string_view> pieces;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(mark, begin), text.size());
    pieces.push_back(Trim(text.substr(begin, end - begin)));
    begin = end + mark.size();
  }
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (!pieces[i].empty()) {
      parts->push_back(pieces[i]);
    } else if (i > 0 && i + 1 < pieces.size()) {
      return false;
    }
  }
  return true;
}

bool StarParagraphs(const ReplyText& reply, const Parameters& p) {
  std::vector<std::string_view> parts;
  return PartedBy(reply.Text(), "***", &parts) && Size(parts) == p.Number("num_paragraphs");
}

bool TwoStarParagraphs(const ReplyText& reply, const Parameters&) {
  std::vector<std::string_view> parts;
  return PartedBy(reply.Text(), "***", &parts) && parts.size() == 2;
}

bool TwoResponses(const ReplyText& reply, const Parameters&) {
  std::vector<std::string_view> parts;
  return PartedBy(reply.Text(), "******", &parts) && parts.size() == 2 && parts[0] != parts[1];
}

// The first word up to its punctuation, in small letters.
std::string FirstWord(std::string_view text) {
  const std::vector<std::string_view> tokens = TokensOf(text);
  if (tokens.empty()) return "";
  std::string_view word = tokens[0];
  word.remove_prefix(std::min(word.find_first_not_of("'\"*_#"), word.size()));
  return LowerCase(word.substr(0, word.find_first_of(".,?!'\"*_:;")));
}

bool FirstWordOfParagraph(const ReplyText& reply, const Parameters& p) {
  const int64_t which = p.Number("nth_paragraph");
  const auto& paragraphs = reply.Paragraphs();
  if (Size(paragraphs) != p.Number("num_paragraphs") || which < 1 || which > Size(paragraphs))
    return false;
  return FirstWord(paragraphs[static_cast<size_t>(which - 1)]) ==
         LowerCase(Trim(p.Text("first_word")));
}

std::string LastWord(std::string_view text) {
  const std::vector<std::string_view> words = WordRunsOf(text);
  return words.empty() ? "" : LowerCase(words.back());
}

bool EachSentence(const ReplyText& reply, bool (*holds)(std::string_view, std::string_view),
                  std::string_view word) {
  const std::string small = LowerCase(Trim(word));
  return !reply.Sentences().empty() &&
         std::all_of(reply.Sentences().begin(), reply.Sentences().end(),
                     [&](std::string_view sentence) { return holds(sentence, small); });
}

bool BeginsWith(std::string_view text, std::string_view small) { return FirstWord(text) == small; }
bool EndsWithWord(std::string_view text, std::string_view small) { return LastWord(text) == small; }

bool Composition(const ReplyText& reply, const Parameters& p) {
  std::vector<std::string_view> parts;
  if (!PartedBy(reply.Text(), "***", &parts) || parts.size() != 3) return false;
  return std::all_of(parts.begin(), parts.end(), [&](std::string_view part) {
    const ReplyText own(part);
    return Size(own.Sentences()) == p.Number("n_sent") &&
           std::all_of(own.Sentences().begin(), own.Sentences().end(), [&](std::string_view one) {
             return Size(WordRunsOf(one)) == p.Number("n_words");
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

const std::vector<ConstraintKind>& LengthConstraints() {
  static const std::vector<ConstraintKind> kKinds = {
      {"length_constraints:number_words", "num_words=number relation=relation",
       ASSAY_FOLLOWS(p.Holds("relation", Size(r.Words()), "num_words")), "so many words"},
      {"length_constraints:number_sentences", "num_sentences=number relation=relation",
       ASSAY_FOLLOWS(p.Holds("relation", Size(r.Sentences()), "num_sentences")),
       "so many sentences"},
      {"length_constraints:number_paragraphs", "num_paragraphs=number", StarParagraphs,
       "exactly so many paragraphs, parted by ***"},
      {"length_constraints:nth_paragraph_first_word",
       "num_paragraphs=number nth_paragraph=number first_word=text", FirstWordOfParagraph,
       "exactly so many paragraphs, parted by blank lines; the nth begins with the word"},
      {"count:word_count_range", "min_words=number max_words=number",
       ASSAY_FOLLOWS(Size(r.Words()) >= p.Number("min_words") &&
                     Size(r.Words()) <= p.Number("max_words")),
       "from so many words to so many"},
      {"count:counting_composition", "n_sent=number n_words=number", Composition,
       "three paragraphs parted by ***, of so many sentences with so many words each"},
      {"paragraphs:paragraphs", "", TwoStarParagraphs, "two paragraphs, parted by ***"},
      {"paragraphs:paragraphs2", "", ASSAY_FOLLOWS(r.Paragraphs().size() == 2),
       "two paragraphs, parted by a blank line"},
      {"combination:two_responses", "", TwoResponses, "two different answers, parted by ******"},
      {"first_word:first_word_answer", "first_word=text",
       ASSAY_FOLLOWS(BeginsWith(r.Text(), LowerCase(Trim(p.Text("first_word"))))),
       "it begins with the word"},
      {"first_word:first_word_sent", "first_word=text",
       ASSAY_FOLLOWS(EachSentence(r, BeginsWith, p.Text("first_word"))),
       "each sentence begins with the word"},
      {"last_word:last_word_answer", "last_word=text",
       ASSAY_FOLLOWS(EndsWithWord(r.Text(), LowerCase(Trim(p.Text("last_word"))))),
       "it ends with the word"},
      {"last_word:last_word_sent", "last_word=text",
       ASSAY_FOLLOWS(EachSentence(r, EndsWithWord, p.Text("last_word"))),
       "each sentence ends with the word"},
      {"keywords:start_end", "",
       ASSAY_FOLLOWS(r.Words().size() > 1 && FirstWord(r.Text()) == LastWord(r.Text())),
       "its first word is its last, too"}};
  return kKinds;
}

}  // namespace assay
