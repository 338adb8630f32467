#include "verifiers/math/reply/denial.h"

#include <algorithm>
#include <string>

#include "core/text.h"
#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/language_words.h"
#include "verifiers/math/reply/sentences.h"

namespace assay::math {

namespace {

// True if the sentence in front of `at` tells somebody how to write an answer: a prompt that a reply repeats.
bool IsInstruction(const Reply& reply, size_t at) {
  const std::string_view text = reply.text;
  size_t begin = ClauseBegin(text, at, reply.lo);
  // The point of "e.g." ends no sentence.
  if (EndsWith(AsciiLower(Trim(text.substr(reply.lo, begin - reply.lo)
                                   .substr(begin - reply.lo > 8 ? begin - reply.lo - 8 : 0))),
               "e.g."))
    begin = ClauseBegin(text, begin - 2, reply.lo);
  bool told = false;   // "put", "write"
  bool yours = false;  // "your answer"
  bool answer = false;
  bool example = false;  // "like", "in the form"
  bool own = false;      // "I", "we"
  std::string before;
  for (size_t i = begin; i < at;) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, at, &word_end);
    i = std::max(i + 1, word_end);
    if (word.empty()) continue;
    told = told ||
           OneOf(word, {"put",     "write",   "enclose", "box",     "place",   "give",  "return",
                        "present", "express", "output",  "respond", "provide", "wrap",  "report",
                        "state",   "format",  "use",     "submit",  "end",     "finish"});
    answer = answer || OneOf(word, {"answer", "result", "solution", "response", "answers"});
    yours = yours || (word == "your");
    own = own || OneOf(word, {"i", "we", "i'll", "let's", "my", "our", "me"});
    example = example || OneOf(word, {"example", "g", "like", "form", "format", "template", "style",
                                      "instance", "such"});
    before = word;
  }
  return told && answer && !own && (yours || example);
}

}  // namespace

bool BoxDenied(Reply* reply, size_t at, size_t box_end) {
  const std::string_view text = reply->text;
  const size_t begin = ClauseBegin(text, at, reply->lo);
  reply->refusal = "quoted";
  if (IsInstruction(*reply, at)) return true;
  for (const PhraseHit& hit : reply->hits) {
    if (hit.begin >= at) break;
    if (hit.begin < begin || (hit.phrase != Phrase::kAnswer && hit.phrase != Phrase::kFinal))
      continue;
    // A condition or a doubt may belong to the working; a denial does not.
    if (AnnouncementDenied(reply, hit.begin) && std::string_view(reply->refusal) != "hedged" &&
        std::string_view(reply->refusal) != "question")
      return true;
  }
  reply->refusal = "negated";
  std::string first;
  std::string last;
  std::string before_last;
  bool disbelieved = false;  // "I don't think it is"
  bool unsure = false;       // "I'm not sure, but"
  bool untrue = false;       // "it is not true that"
  for (size_t i = begin; i < at;) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, at, &word_end);
    if (word.empty() && IsDigit(text[i])) last = "0";  // what was denied is this number
    i = std::max(i + 1, word_end);
    if (word.empty()) continue;
    if (first.empty()) first = word;
    disbelieved = disbelieved || (IsNegation(last) && OneOf(word, {"think", "believe"}));
    unsure = unsure || word == "unsure" ||
             (IsNegation(last) && OneOf(word, {"sure", "certain", "confident"}));
    untrue =
        word == "that" ? untrue : IsNegation(last) && OneOf(word, {"true", "correct", "right"});
    before_last = last;
    last = word;
  }
  // Only markup between the denial and the box.
  if (disbelieved || untrue || (before_last == "rule" && last == "out") ||
      OneOf(last, {"excludes", "exclude", "eliminate", "reject"}))
    return true;
  size_t sign = at;
  while (sign > begin && (IsSpace(text[sign - 1]) || text[sign - 1] == '{')) --sign;
  for (const std::string_view unequal : {"\\neq", "\\ne", "≠", "!="}) {
    if (EndsWith(text.substr(begin, sign - begin), unequal)) return true;
  }
  if (IsNegation(last) ||
      (OneOf(last, {"be", "equal", "longer"}) && (IsNegation(before_last) || before_last == "no")))
    return true;
  reply->refusal = "hedged";
  if (unsure || OneOf(last, {"maybe", "perhaps", "possibly", "guess"}) ||
      (last == "be" && OneOf(before_last, {"might", "may", "could"})))
    return true;
  reply->refusal = "question";
  if (!OneOf(first, {"is", "could", "can", "does", "would", "should", "are"})) return false;
  const size_t end = ClauseEnd(text, box_end, reply->hi);
  return end < reply->hi && text[end] == '?';
}

bool AnnouncementDenied(Reply* reply, size_t at) {
  const std::string_view text = reply->text;
  const size_t begin = ClauseBegin(text, at, reply->lo);
  bool denied = false;
  bool first_person = false;
  bool said = false;  // by somebody else
  std::string last;
  bool hedged = false;   // "maybe the answer is 4"
  bool negated = false;  // since the last comma: "it is not true that the answer is 4"
  int words_since = 99;
  for (size_t i = begin; i < at;) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, at, &word_end);
    if (word.empty()) {
      // A comma after a condition ends it: "if x is even, the answer is 4" still depends on it.
      if (text[i] == ',' || text[i] == ';' || text[i] == ':') negated = false;
      i = std::max(i + 1, word_end);
      continue;
    }
    if (OneOf(word, {"if", "whether", "suppose", "supposing", "unless", "pretend", "imagine"})) {
      reply->refusal = "hedged";
      return true;
    }
    const size_t distance = at - word_end;
    // "Assume that the answer is 4", "it is possible that the answer is 4".
    if (OneOf(word, {"assume", "possible"}) && distance <= 10) {
      const size_t end = ClauseEnd(text, at, reply->hi);
      reply->refusal = end < reply->hi && text[end] == '?' ? "question" : "hedged";
      return true;
    }
    if (IsQuoting(word) && distance <= 8) {
      reply->refusal = "quoted";
      return true;
    }
    // "not the answer", "I don't think the answer ..".
    const bool verb = denied && OneOf(word, {"think", "believe", "agree", "claim", "say", "mean",
                                             "conclude", "see"});
    if ((IsNegation(word) && distance <= 6) || verb ||
        (word == "doubt" && !OneOf(last, {"no", "without", "little"})) ||
        OneOf(word, {"deny", "false", "untrue"})) {
      reply->refusal = "negated";
      return true;
    }
    denied = IsNegation(word) || EndsWith(word, "n't");
    if (word == "that" && negated) words_since = 0;
    ++words_since;
    negated = (negated || denied || OneOf(word, {"nobody", "hardly", "barely", "nothing"})) &&
              !OneOf(word, {"so", "therefore", "hence", "thus", "see", "check", "verify", "show",
                            "hard", "difficult", "doubt", "surprising", "only"});
    last = word;
    first_person = first_person || OneOf(word, {"i", "we", "i'd", "i'll", "let's", "us", "me"});
    // What somebody says or fears ends at "but".
    if (IsAdversative(word)) said = hedged = false;
    hedged = hedged || IsSentenceHedge(word);
    if (!first_person &&
        OneOf(word,
              {"says",    "said",     "say",      "claims",    "claimed", "claim",    "thinks",
               "thought", "believes", "argues",   "told",      "tells",   "asserts",  "asserted",
               "states",  "stated",   "insists",  "insisted",  "reports", "reported", "wrote",
               "guessed", "guesses",  "suggests", "suggested", "nobody"}))
      said = true;
    i = word_end;
  }
  if (words_since <= 4) {
    reply->refusal = "negated";
    return true;
  }
  hedged = hedged || HasUnspacedHedge(text.substr(begin, at - begin));
  if (said || hedged) reply->refusal = said ? "quoted" : "hedged";
  return said || hedged;
}

bool ValueDenied(Reply* reply, size_t sentence, size_t at, size_t value_end) {
  for (size_t i = sentence; i < at;) {
    size_t word_end = i;
    const std::string word = WordAt(reply->text, i, at, &word_end);
    i = std::max(i + 1, word_end);
    if (!IsNegation(word) && !OneOf(word, {"might", "maybe", "perhaps", "possibly", "whether"}))
      continue;
    reply->refusal = IsNegation(word) ? "negated" : "hedged";
    return true;
  }
  const size_t end = ClauseEnd(reply->text, value_end, reply->hi);
  if (end >= reply->hi || reply->text[end] != '?') return false;
  reply->refusal = "question";
  return true;
}

}  // namespace assay::math
