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
  bool form = false;
  bool instance = false;
  bool labelled = false;  // "Example:"
  std::string before;
  for (size_t i = begin; i < at;) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, at, &word_end);
    i = std::max(i + 1, word_end);
    if (word.empty()) continue;
    // "An example of the format would be .."
    form = form || OneOf(word, "format", "form", "template");
    instance = instance || word == "example";
    labelled = labelled || (form && instance && !own);
    // "Example of the format: .."
    if (before.empty() && OneOf(word, "example", "format", "template", "sample") && !own)
      labelled = true;
    told = told || OneOf(word, "put", "write", "enclose", "box", "place", "give", "return",
                         "present", "express", "output", "respond", "provide", "wrap", "report",
                         "state", "format", "use", "submit", "end", "finish");
    answer = answer || OneOf(word, "answer", "result", "solution", "response", "answers");
    yours = yours || (word == "your");
    own = own || OneOf(word, "i", "we", "i'll", "let's", "my", "our", "me");
    example = example || OneOf(word, "example", "g", "like", "form", "format", "template", "style",
                               "instance", "such");
    before = word;
  }
  return (told && answer && !own && (yours || example)) || (labelled && !answer && !own);
}

// "例如：\\boxed{280}", "por ejemplo: \\boxed{5}": what a prompt shows of the form.
bool IsForeignExample(std::string_view before) {
  const size_t last = before.find_last_not_of(" $:\n\t(");
  if (last == kNone) return false;
  before = before.substr(0, last + 1);
  if (EndsWith(before, "：")) before.remove_suffix(3);
  for (const std::string_view example :
       {"例如",        "比如",        "形如",        "示例",         "例えば",       "たとえば",
        "예를 들어",   "예:",         "например",    "Например",     "por ejemplo",  "Por ejemplo",
        "por exemplo", "Por exemplo", "par exemple", "Par exemple",  "zum Beispiel", "Zum Beispiel",
        "z. B.",       "z.B.",        "ad esempio",  "bijvoorbeeld", "na przykład",  "örneğin",
        "ví dụ",       "misalnya",    "for example", "For example",  "for instance"}) {
    if (EndsWith(before, example)) return true;
  }
  return false;
}

// What stands before "answer" in its sentence, heard word by word.
class Preface {
 public:
  void HearSign(char sign) {
    // "if n is odd, the answer is 4" depends on it; "..; but n is even, so the answer is 5" does not.
    if (sign == ';') conditional_ = false;
    if (sign == ',' || sign == ';' || sign == ':') {
      negated_before_ = negated_;
      negated_ = false;
    }
  }

  // `distance`: from the word's end to "answer".
  void Hear(const std::string& word, size_t distance) {
    ignored_ = ignored_ || OneOf(word, "ignore", "disregard");
    // "There is a chance that the answer is 4"
    chance_ = OneOf(word, "chance", "probability", "likelihood", "odds", "possibility") ||
              (chance_ && word == "that");
    if (chance_ && word == "that") refusal_ = "hedged";
    // "Had we counted them, the answer would be .."
    if (last_.empty() && word == "had") conditional_ = true;
    if (IsAdversative(word)) said_ = hedged_ = conditional_ = false;
    conditional_ = conditional_ || OpensCondition(word);
    // "Assume that the answer is 4", "it is possible that the answer is 4".
    supposed_ = OneOf(word, "assume", "possible") && distance <= 10;
    if (supposed_) refusal_ = "hedged";
    // "a common answer is", but not "which they have in common, so the answer is"
    if (IsQuoting(word) && distance <= 8 && last_ != "in") refusal_ = "quoted";
    if (OneOf(word, "likely", "probable", "plausible") && distance <= 2) refusal_ = "hedged";
    HearDenial(word, distance);
    HearMistake(word);
    HearSource(word);
    hedged_ =
        hedged_ || IsSentenceHedge(word) || OneOf(word, "guess", "guessing", "tentative", "torn");
    last_ = word;
  }

  const char* refusal() const { return refusal_; }
  bool supposed() const { return supposed_; }
  bool ignored() const { return ignored_; }
  // What the whole of it makes of the announcement; null: nothing.
  const char* Verdict() const {
    if (words_since_ <= 4 || false_ || (no_way_ && since_mistake_ <= 1)) return "negated";
    if (said_) return "quoted";
    return hedged_ || conditional_ ? "hedged" : nullptr;
  }

 private:
  // "not the answer", "I don't think the answer ..", "it is not true that the answer ..".
  void HearDenial(const std::string& word, size_t distance) {
    const bool verb = denied_ && OneOf(word, "think", "believe", "agree", "claim", "say", "mean",
                                       "conclude", "see");
    const bool doubt = word == "doubt" && !OneOf(last_, "no", "without", "little");
    if ((IsNegation(word) && distance <= 6) || verb || doubt) refusal_ = "negated";
    // "It is false that the answer ..", but not "C is false, hence the answer .."
    false_ = (false_ || OneOf(word, "deny", "false", "untrue")) &&
             !OneOf(word, "so", "hence", "therefore", "thus");
    denied_ = IsNegation(word);
    static const WordSet kThat = {"that", "que", "che",  "dass",  "daß", "что",
                                  "że",   "що",  "dat",  "att",   "at",  "hogy",
                                  "că",   "ότι", "rằng", "bahwa", "कि"};
    // Where a comma stands in front of it.
    const bool behind_comma = OneOf(word, "dass", "daß", "что", "że", "že", "що", "hogy");
    if ((kThat.Has(word) && negated_) || (behind_comma && negated_before_)) words_since_ = 0;
    ++words_since_;
    negated_ =
        (negated_ || denied_ ||
         OneOf(word, "неверно", "неправда", "falsch", "unwahr", "faux", "falso", "incorrecto",
               "errado", "nieprawda", "yanlış", "onjuist", "onwaar", "sai", "salah", "गलत") ||
         OneOf(word, "nobody", "hardly", "barely", "nothing", "assume", "assuming")) &&
        !OneOf(word, "so", "therefore", "hence", "thus", "see", "check", "verify", "show", "hard",
               "difficult", "doubt", "surprising", "only");
  }

  // "It is a common mistake to conclude that the answer ..", "there is no way that the answer ..", "it would be wrong to say ..".
  void HearMistake(const std::string& word) {
    if (OneOf(word, "so", "hence", "therefore", "thus")) since_mistake_ = 99;
    ++since_mistake_;
    const bool concludes =
        OneOf(word, "conclude", "concluding", "say", "saying", "think", "thinking", "believe",
              "believing", "assume", "assuming", "claim", "claiming", "answer", "infer", "suppose",
              "state", "argue", "write", "give", "believing", "that");
    // "without the mistake", "fixing the error" name one that was made.
    if (concludes && OneOf(last_, "we", "i")) since_mistake_ = 99;
    if (concludes && since_mistake_ <= 4) refusal_ = "negated";
    no_way_ = (word == "way" && last_ == "no") || (no_way_ && since_mistake_ < 99);
    if ((OneOf(word, "mistake", "error", "fallacy", "misconception", "wrong", "incorrect", "absurd",
               "impossible", "tempting", "fooled", "misled", "nonsense", "myth", "trap", "unlikely",
               "doubtful", "improbable", "inconceivable") ||
         (word == "way" && last_ == "no")))
      since_mistake_ = 0;
  }

  // Whose answer it is, and that the speaker has none.
  void HearSource(const std::string& word) {
    first_person_ = first_person_ || OneOf(word, "i", "we", "i'd", "i'll", "let's", "us", "me");
    according_ = according_ || word == "according";
    if (first_person_ &&
        ((last_ == "no" && OneOf(word, "idea", "clue")) || (denied_solving_ && word == "solve")))
      hedged_ = true;
    denied_solving_ = first_person_ && (denied_ || (denied_solving_ && last_ != "solve"));
    if (first_person_) return;
    said_ = said_ || IsSaying(word) ||
            // "Some people think the answer is 4"
            (OneOf(word, "think", "believe", "argue", "suspect", "suppose") && !last_.empty() &&
             !OneOf(last_, "to", "and", "now", "then", "let's")) ||
            (OneOf(last_, "might", "may", "could", "would") &&
             OneOf(word, "think", "say", "guess", "expect", "believe")) ||
            (according_ && OneOf(word, "hint", "prompt", "user", "key", "teacher", "textbook",
                                 "chatgpt", "gpt", "friend", "internet"));
  }

  bool false_ = false;
  bool denied_ = false;          // by the word before
  bool denied_solving_ = false;  // "I could not .."
  bool negated_ = false;         // since the last comma
  bool negated_before_ = false;  // before it
  int words_since_ = 99;         // since the "that" of something denied
  int since_mistake_ = 99;       // words since "mistake", "no way"
  bool no_way_ = false;
  bool conditional_ = false;
  bool supposed_ = false;
  bool ignored_ = false;  // "ignore the answer"
  bool chance_ = false;   // "a chance that"
  bool first_person_ = false;
  bool according_ = false;
  bool said_ = false;    // by somebody else
  bool hedged_ = false;  // "maybe the answer is 4"
  std::string last_;
  const char* refusal_ = nullptr;
};

}  // namespace

// Behind the signs of `set` at `at`: what closes a formula around a box.
static size_t SkipAny(const Reply& reply, size_t at, std::string_view set) {
  return std::min(reply.text.substr(0, reply.hi).find_first_not_of(set, at), reply.hi);
}

// "$\boxed{42}$ ではありません", "\boxed{42}이 아닙니다": a verb that denies the box, in a language that puts it last.
static bool DeniedBehind(const Reply& reply, size_t box_end) {
  const std::string_view text = reply.text;
  const size_t at = SkipAny(reply, box_end, " $\\)*");
  if (at >= reply.hi || static_cast<unsigned char>(text[at]) < 0x80) return false;
  const size_t end = ClauseEnd(text, at, reply.hi);
  return end - at < 40 && HasFinalDenial(text.substr(at, end - at));
}

bool BoxDenied(Reply* reply, size_t at, size_t box_end) {
  const std::string_view text = reply->text;
  reply->refusal = "negated";
  if (DeniedBehind(*reply, box_end)) return true;
  const size_t begin = ClauseBegin(text, at, reply->lo);
  reply->refusal = "quoted";
  if (IsInstruction(*reply, at) || IsForeignExample(text.substr(begin, at - begin))) return true;
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
  bool ignored = false;      // "please ignore the answer"
  bool often = false;        // "students often answer"
  int since_modal = 99;      // words since "might", "may", "could"
  for (size_t i = begin; i < at;) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, at, &word_end);
    if (word.empty() && IsDigit(text[i])) last = "0";  // what was denied is this number
    i = std::max(i + 1, word_end);
    if (word.empty()) continue;
    if (first.empty()) first = word;
    disbelieved = disbelieved || (IsNegation(last) && OneOf(word, "think", "believe"));
    unsure = unsure || word == "unsure" ||
             (IsNegation(last) && OneOf(word, "sure", "certain", "confident"));
    // Most words are none of these, which their first letters tell.
    ++since_modal;
    switch (word[0]) {
      case 'i':
      case 'd':
        ignored = ignored || OneOf(word, "ignore", "disregard");
        break;
      case 'm':
      case 'c':
        if (OneOf(word, "might", "may", "could")) since_modal = 0;
        often = often || OneOf(word, "commonly", "many", "most");
        break;
      case 'o':
      case 's':
      case 'p':
        often = often || OneOf(word, "often", "students", "people");
        break;
      default:
        break;
    }
    untrue = word == "that" ? untrue : IsNegation(last) && OneOf(word, "true", "correct", "right");
    before_last = last;
    last = word;
  }
  // Only markup between the denial and the box.
  if (disbelieved || untrue || ignored || (before_last == "rule" && last == "out") ||
      OneOf(last, "excludes", "exclude", "eliminate", "reject"))
    return true;
  size_t sign = at;
  while (sign > begin && (IsSpace(text[sign - 1]) || text[sign - 1] == '{')) --sign;
  for (const std::string_view unequal : {"\\neq", "\\ne", "≠", "!="}) {
    const std::string_view until = text.substr(begin, sign - begin);
    // 7!\times 2!=\boxed{10080} is an equation.
    const bool factorial = unequal == "!=" && until.size() > 2 &&
                           (IsDigit(until[until.size() - 3]) || until[until.size() - 3] == ')' ||
                            until[until.size() - 3] == '}');
    if (!factorial && EndsWith(until, unequal)) return true;
  }
  if (IsNegation(last) ||
      (OneOf(last, "be", "equal", "longer") && (IsNegation(before_last) || before_last == "no")))
    return true;
  reply->refusal = "quoted";
  const std::string_view before = Trim(text.substr(reply->lo, at - reply->lo));
  const bool theirs =
      often && OneOf(last, "answer", "say", "get", "write", "choose", "pick", "put");
  if (theirs || last == "expects" || EndsWith(before, "e.g.") || EndsWith(before, "e.g.,"))
    return true;
  reply->refusal = "hedged";
  // "Had we ignored it, the answer would be ..", "Suppose the answer is .."
  if (OneOf(first, "had", "suppose", "supposing", "were")) return true;
  if ((last == "is" && before_last == "guess") || (last == "be" && since_modal <= 3)) return true;
  if (unsure || last == "guess" || last == "likely" || IsSentenceHedge(last) ||
      (last == "be" && OneOf(before_last, "might", "may", "could")))
    return true;
  reply->refusal = "question";
  // "So it is \(\boxed{73}\)?"
  const size_t behind = SkipAny(*reply, box_end, " $}\\)*");
  if (behind < reply->hi && text[behind] == '?') return true;
  if (!OneOf(first, "is", "could", "can", "does", "would", "should", "are")) return false;
  const size_t end = ClauseEnd(text, box_end, reply->hi);
  return end < reply->hi && text[end] == '?';
}

// « la réponse est 85 » comme exemple, “答案是91”的格式: an announcement in quotes with which the sentence goes on.
static bool IsInQuotes(const Reply& reply, size_t begin, size_t at) {
  struct Pair {
    std::string_view open;
    std::string_view close;
  };
  static constexpr Pair kQuotes[] = {{"«", "»"},   {"“", "”"},   {"„", "“"},
                                     {"「", "」"}, {"『", "』"}, {"\"", "\""}};
  constexpr size_t kArticleBytes = 12;
  constexpr size_t kMostBytes = 120;
  const std::string_view text = reply.text;
  const std::string_view before = text.substr(begin, at - begin);
  for (const Pair& quote : kQuotes) {
    const size_t open = before.rfind(quote.open);
    if (open == kNone || before.size() - open - quote.open.size() > kArticleBytes) continue;
    const size_t close = text.substr(0, std::min(reply.hi, at + kMostBytes)).find(quote.close, at);
    if (close == kNone || text.substr(at, close - at).find('\n') != kNone) continue;
    // A sentence that ends with its quotation may be the reply's own.
    size_t behind = SkipSpace(text, close + quote.close.size(), reply.hi);
    size_t word_end = behind;
    if (!WordAt(text, behind, reply.hi, &word_end).empty()) return true;
  }
  return false;
}

bool AnnouncementDenied(Reply* reply, size_t at) {
  const std::string_view text = reply->text;
  const size_t begin = ClauseBegin(text, at, reply->lo);
  if (IsInQuotes(*reply, begin, at)) {
    reply->refusal = "quoted";
    return true;
  }
  Preface preface;
  for (size_t i = begin; i < at && preface.refusal() == nullptr;) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, at, &word_end);
    if (word.empty()) {
      preface.HearSign(text[i]);
      i = std::max(i + 1, word_end);
      continue;
    }
    i = word_end;
    // "no, that is not right; the answer is 5": a word of another clause stands far away.
    const bool apart = text.substr(word_end, at - word_end).find_first_of(",;:") != kNone;
    preface.Hear(word, apart ? size_t{99} : at - word_end);
  }
  const char* refusal = preface.refusal() != nullptr ? preface.refusal() : preface.Verdict();
  if (refusal == nullptr && preface.ignored()) refusal = "quoted";
  const std::string_view before = text.substr(begin, at - begin);
  if (refusal == nullptr && HasUnspacedHedge(before)) refusal = "hedged";
  for (const std::string_view source :
       {"所说",     "所說",     "你说",       "你說",       "他说",     "有人说",   "有人认为",
        "有人觉得", "有人以为", "很多人认为", "许多人认为", "他认为",   "同学认为", "题目说",
        "用户说",   "据说",     "声称",       "と言われ",   "だと主張", "라고 주장"}) {
    if (refusal == nullptr && before.find(source) != kNone) refusal = "quoted";
  }
  for (const std::string_view wrong :
       {"错误", "错误的", "錯誤", "間違った", "間違いの", "오", "틀린 "}) {
    if (EndsWith(before, wrong)) refusal = "quoted";
  }
  if (refusal == nullptr) return false;
  reply->refusal = refusal;
  const size_t end = preface.supposed() ? ClauseEnd(text, at, reply->hi) : reply->hi;
  if (end < reply->hi && text[end] == '?') reply->refusal = "question";
  return true;
}

bool ValueDenied(Reply* reply, size_t sentence, size_t at, size_t value_end) {
  for (size_t i = sentence; i < at;) {
    size_t word_end = i;
    const std::string word = WordAt(reply->text, i, at, &word_end);
    i = std::max(i + 1, word_end);
    if (!IsNegation(word) &&
        !OneOf(word, "might", "maybe", "perhaps", "possibly", "whether", "guess"))
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
