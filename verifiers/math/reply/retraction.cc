#include "verifiers/math/reply/retraction.h"

#include <algorithm>
#include <string>

#include "core/text.h"
#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/language_words.h"
#include "verifiers/math/reply/sentences.h"

namespace assay::math {
namespace {

// Only a sentence's first words say what it is about.
constexpr int kMaxWords = 20;
constexpr int kMaxSubjectWords = 6;
// A turn of so few bytes ("wait, no") needs no reason.
constexpr size_t kShortTurnBytes = 16;

enum class Said { kNothing, kRetracts, kConfirms };

// What one sentence says about the answer before it, gathered word by word.
class Remark {
 public:
  // `continued`: the rest of the answer's own sentence, whose subject is the answer.
  explicit Remark(bool continued) : subject_(continued), continued_(continued) {}

  // Takes the sentence's next word; `rest` is what stands behind it. False: the sentence hopes, checks or supposes, and so
  // says nothing.
  bool Hear(const std::string& word, std::string_view rest) {
    ++words_;
    // What follows gives a reason, and may call something else wrong.
    if (OneOf(word, "because", "since", "why", "while", "whereas") ||
        (word == "as" && !StartsWith(rest, " for "))) {
      reason_ = true;
      if (continued_ && !wrong_) subject_ = false;
    }
    // What a claim says is not what the reply says.
    if (OneOf(word, "claim", "statement", "assumption", "idea", "hypothesis") &&
        StartsWith(rest, " that "))
      reason_ = true;
    HearSubject(word, rest);
    HearTakenBack(word, rest);
    former_ = former_ || OneOf(word, "corrected", "fixed", "already", "account") ||
              (speaker_ && word == "earlier");
    if (word == "would" && named_) return true;  // "97 would be wrong"
    if (words_ == 1 && word == "if") return supposed_ = true;
    unfit_ =
        unfit_ || (word == "check" && (StartsWith(rest, " fail") || StartsWith(rest, " does not")));
    if (OneOf(word, "hope", "if", "check", "checking", "verify", "believe", "otherwise", "would",
              "unless"))
      return unfit_;
    HearFault(word);
    HearDenial(word);
    HearGivingUp(word);
    before_ = word;
    return true;
  }

  // "15... actually 16": a digit stands where a word might.
  void HearDigit() {
    digit_ = true;
    taken_back_ = taken_back_ || (words_ <= 2 && before_ == "actually");
  }

  // The answer itself is named: "But B is wrong".
  void HearAnswer() { named_ = subject_ = subject_ || !reason_; }

  // The sentence's very beginning is this word.
  void HearFirst(const std::string& word) {
    command_ =
        OneOf(word, "scratch", "disregard", "correction", "ignore", "strike", "discard", "forget");
  }

  // `size`: the sentence's bytes.
  Said Verdict(size_t size) const {
    if (former_) return Said::kNothing;
    // "If that is wrong, the answer is 19."
    if (supposed_) return wrong_ && referred_ && digit_ ? Said::kRetracts : Said::kNothing;
    // "It is not."
    if (subject_ && !continued_ && !digit_ && words_ <= 4 &&
        OneOf(before_, "not", "isn't", "wasn't"))
      return Said::kRetracts;
    if (late_denial_ || unfit_) return Said::kRetracts;
    if (turn_ && (wrong_ || negated_ || command_ || size < kShortTurnBytes)) return Said::kRetracts;
    if (refusal_ || taken_back_ || (gave_up_ && !partly_)) return Said::kRetracts;
    if ((subject_ || speaker_) && (wrong_ || forgot_) && !negated_) return Said::kRetracts;
    if (subject_ && (right_ || answer_) && negated_) return Said::kRetracts;
    if (subject_ && right_ && !negated_) return Said::kConfirms;
    return Said::kNothing;
  }

  bool Full() const { return words_ >= kMaxWords; }

 private:
  // Whether it speaks of the answer ("that", "it", "my") or of the speaker ("I made a mistake").
  void HearSubject(const std::string& word, std::string_view rest) {
    if (words_ > kMaxSubjectWords || reason_) return;
    speaker_ = speaker_ || OneOf(word, "i", "i've", "my");
    subject_ =
        subject_ || MeansWhatWasSaid(word) ||
        // "The quoted claim is wrong", but not "The claim that it is 17 is wrong"
        (OneOf(word, "claim", "statement", "quote") &&
         OneOf(before_, "this", "quoted", "above", "the") &&
         (StartsWith(rest, " is ") || StartsWith(rest, " above ") || StartsWith(rest, " was ")));
    referred_ = referred_ || subject_;
    if (OneOf(word, "a", "common", "many", "some")) subject_ = false;
  }

  // Turns of phrase that take something back whatever else is said.
  void HearTakenBack(const std::string& word, std::string_view rest) {
    const bool that = OneOf(word, "that", "it", "this");
    turn_ = turn_ || OneOf(word, "wait", "oops", "sorry", "scratch", "disregard", "correction",
                           "kidding", "ignore");
    HearNo(word);
    contrary_ = contrary_ || (words_ == 1 && word == "but");
    taken_back_ =
        taken_back_ ||
        // "I take that back"
        ((speaker_ || me_) && word == "back" && OneOf(before_, "that", "it", "this")) ||
        // "I reject it", "I do not agree with that"
        (speaker_ && that &&
         (OneOf(before_, "reject", "dispute", "retract") ||
          (OneOf(before_, "accept", "endorse", "support") && since_negation_ <= 2) ||
          (before_ == "with" && disagrees_))) ||
        // "Scratch that", "forget it", "never mind"
        (words_ <= 6 && that &&
         OneOf(before_, "scratch", "strike", "ignore", "disregard", "forget")) ||
        (words_ <= 4 && before_ == "never" && word == "mind") ||
        (words_ <= 3 && word == "disregard") ||
        // "Strike the line above"
        (command_ && OneOf(word, "above", "before") && words_ <= 6) ||
        (speaker_ && word == "withdraw") || (before_ == "a" && word == "guess" && referred_) ||
        (before_ == "am" && word == "torn") ||
        // "I am not sure", "it could equally be 71"
        (speaker_ && since_negation_ <= 2 && OneOf(word, "sure", "certain", "confident") &&
         !StartsWith(rest, " why") && !StartsWith(rest, " how") && !StartsWith(rest, " what")) ||
        (subject_ && OneOf(word, "equally", "as") && OneOf(before_, "could", "may", "might")) ||
        (word == "also" && OneOf(before_, "may", "might", "could") && subject_) ||
        // "Oops", "Oh no"
        (words_ == 1 && OneOf(word, "oops", "whoops")) ||
        (words_ == 2 && before_ == "oh" && word == "no") ||
        // "But I get 16"
        (contrary_ && words_ == 3 && before_ == "i" &&
         OneOf(word, "get", "got", "find", "found", "obtain")) ||
        // "On second thought", and the Japanese "mistaken" if nothing behind it denies it
        (before_ == "second" && StartsWith(word, "thought")) ||
        (before_ == "on" && word == "reflection") ||
        (words_ == 2 && before_ == "mine" && word == "is") ||
        // "I disagree."
        (speaker_ && words_ <= 3 && word == "disagree") ||
        // ".. was the answer to the previous question"
        (continued_ && OneOf(word, "question", "problem", "exercise") &&
         OneOf(before_, "previous", "earlier", "last", "other", "another")) ||
        (before_ == "間" && word == "違" && rest.find("ありません") == kNone);
    disagrees_ = word == "disagree" || (word == "agree" && since_negation_ <= 2) ||
                 (disagrees_ && word == "with");
  }

  // "No.", "No, it's 7", "Actually no", but not "No other values work".
  void HearNo(const std::string& word) {
    if (words_ == 1) refusal_ = OneOf(word, "no", "nope", "wrong", "incorrect", "false");
    if (words_ != 2) return;
    if (refusal_)
      refusal_ =
          before_ == "no" && OneOf(word, "it", "it's", "that", "that's", "wait", "i", "sorry");
    if (OneOf(before_, "아니", "아니요") || (before_ == "不" && OneOf(word, "对", "對")))
      refusal_ = true;
    if (before_ == "actually" && (word == "no" || word == "not")) refusal_ = true;
  }

  void HearFault(const std::string& word) {
    // "I misread", "I misjudged"
    if (speaker_ && StartsWith(word, "mis") && word.size() > 6) wrong_ = true;
    if ((before_ == "made" && word == "up") || OneOf(word, "fabricated", "invented", "bogus"))
      wrong_ = true;  // "the number above is made up"
    // ".. fails the check", ".. gives a contradiction", "that does not satisfy the equation"
    unfit_ = unfit_ ||
             (continued_ && !reason_ &&
              ((words_ <= 2 && OneOf(word, "fails", "contradicts")) ||
               (words_ <= 6 && word == "contradiction"))) ||
             ((subject_ || continued_) && words_ <= 8 && since_negation_ <= 2 &&
              OneOf(word, "satisfy", "work", "fit", "match")) ||
             (subject_ && words_ <= 4 && word == "contradicts") ||
             (subject_ && before_ == "too" &&
              OneOf(word, "large", "big", "small", "high", "low", "long", "short", "great")) ||
             (subject_ && before_ == "a" && OneOf(word, "trap", "decoy", "distractor"));
    // "which is impossible"
    wrong_ = wrong_ || (continued_ && words_ <= 4 && word == "impossible");
    wrong_ = wrong_ || (IsWrong(word) && !OneOf(before_, "no", "any", "without", "common"));
    // "I forgot to divide", but not "I forgot to mention".
    forgot_ = forgot_ || (speaker_ && OneOf(word, "forgot", "overlooked", "neglected"));
    if (OneOf(word, "mention", "say", "add", "note", "state", "write")) forgot_ = false;
  }

  void HearDenial(const std::string& word) {
    const bool negation = IsNegation(word);
    negated_ = negated_ || negation || word == "没" || word == "沒";
    since_negation_ = negation ? 0 : since_negation_ + 1;
    answer_ = answer_ || (subject_ && word == "solution" && since_negation_ <= 3 &&
                          !OneOf(before_, "only", "other", "another", "unique"));
    answer_ = answer_ || (word == "answer" && since_negation_ <= 3 &&
                          OneOf(before_, "the", "my", "our", "an", "correct", "final", "right"));
    right_ =
        right_ || (copula_ && OneOf(word, "correct", "right", "confirmed", "valid")) ||
        (negated_ && copula_ &&
         OneOf(word, "allowed", "possible", "permitted", "acceptable", "admissible", "feasible")) ||
        word == "stimmt";
    // Late in a sentence: "so this result is not valid".
    late_denial_ = late_denial_ || (late_subject_ && since_negation_ <= 2 &&
                                    OneOf(word, "correct", "right", "valid"));
    late_subject_ = late_subject_ || (OneOf(before_, "this", "that", "my", "the") &&
                                      OneOf(word, "result", "answer", "solution", "value"));
    if (OneOf(word, "first", "initial", "original", "earlier") &&
        OneOf(before_, "my", "the", "our"))
      former_ = true;
    copula_ = OneOf(word, "is", "was", "it's", "that's", "be", "are", "indeed", "isn't", "not");
  }

  // "I cannot solve this", "I give up", "this is beyond me"; not "I could find no other solution".
  void HearGivingUp(const std::string& word) {
    me_ = me_ || OneOf(word, "i", "i'm", "i've");  // also late: "As for the problem, I .."
    unable_ = unable_ || ((speaker_ || me_) && (since_negation_ <= 3 || word == "unable"));
    const bool task =
        OneOf(word, "know", "solve", "determine", "answer", "compute", "figure", "confirm",
              "refute", "decide", "tell", "calculate", "proceed", "finish", "computed", "solved",
              "determined", "calculated", "solving", "computing");
    gave_up_ = gave_up_ || (unable_ && task) || (before_ == "beyond" && word == "me") ||
               (speaker_ && word == "up" && OneOf(before_, "give", "gave", "giving")) ||
               ((speaker_ || me_) && before_ == "no" &&
                OneOf(word, "idea", "clue", "opinion", "answer", "solution"));
    partly_ = partly_ || OneOf(word, "other", "another", "any", "mistake", "error", "mistakes",
                               "errors", "further", "more", "else", "why");
  }

  int words_ = 0;
  std::string before_;  // the word before
  bool subject_;
  bool continued_;
  bool supposed_ = false;  // "If .."
  bool referred_ = false;  // to the answer, somewhere in the sentence
  bool reason_ = false;
  bool me_ = false;
  bool unfit_ = false;  // "does not satisfy .."
  bool unable_ = false;
  bool named_ = false;
  bool digit_ = false;
  bool late_subject_ = false;
  bool late_denial_ = false;
  bool former_ = false;  // of an earlier answer: "so my first answer was wrong"
  bool gave_up_ = false;
  bool partly_ = false;
  bool speaker_ = false;
  bool turn_ = false;     // "Wait", "Sorry": a retraction if a reason follows
  bool command_ = false;  // "Scratch that", "Correction: .."
  bool refusal_ = false;  // "No."
  bool contrary_ = false;
  bool disagrees_ = false;  // "I don't agree"
  bool taken_back_ = false;
  bool wrong_ = false;
  bool forgot_ = false;
  bool negated_ = false;
  int since_negation_ = 99;
  bool answer_ = false;  // "is not the answer"
  bool right_ = false;
  bool copula_ = false;
};

// True if the answer, a letter or a number, stands at `at` as a word of its own.
bool NamesAt(std::string_view text, size_t at, size_t end, std::string_view answer) {
  if (answer.empty() || answer.size() > 16 || !HasAt(text, at, answer)) return false;
  const size_t behind = at + answer.size();
  const auto word = [](char c) { return IsLetter(c) || IsDigit(c) || c == '.'; };
  return behind < end && !word(text[behind]) && (at == 0 || !word(text[at - 1]));
}

// What the sentence at `at` says about what stands before it. *next: the following sentence.
Said SaidAt(const Reply& reply, size_t at, std::string_view answer, bool continued, size_t* next) {
  const std::string_view text = reply.text;
  const size_t end = ClauseEnd(text, at, reply.hi);
  size_t i = end;
  if (i < reply.hi && ForeignStopBytes(text, i) != 0) {
    i += ForeignStopBytes(text, i);  // no blank need follow one of these
  } else {
    while (i < reply.hi && !IsSpace(text[i])) ++i;
  }
  *next = std::max(SkipSpace(text, i, reply.hi), at + 1);
  const std::string_view sentence = text.substr(at, end - at);
  if (HasUnspacedWrong(sentence) && std::none_of(sentence.begin(), sentence.end(), IsLetter))
    return Said::kRetracts;
  if (HasUnspacedGivingUp(sentence)) return Said::kRetracts;
  Remark remark(continued);
  for (i = at; i < end && !remark.Full();) {
    size_t word_end = i;
    const std::string word = WordAt(text, i, end, &word_end);
    if (i == at) remark.HearFirst(word);
    if (NamesAt(text, i, end, answer)) remark.HearAnswer();
    if (word.empty()) {
      if (IsDigit(text[i])) remark.HearDigit();
      i = std::max(i + 1, word_end);
      continue;
    }
    i = word_end;
    if (!remark.Hear(word, text.substr(i, end - i))) return Said::kNothing;
  }
  return remark.Verdict(end - at);
}

}  // namespace

bool Retracted(const Reply& reply, size_t after, std::string_view answer) {
  const std::string_view text = reply.text;
  if (reply.options.trusted) return false;
  size_t at = after;
  // The rest of the candidate's own sentence counts as one.
  while (at < reply.hi && !IsLetter(text[at]) && text[at] != '.' && text[at] != '\n' &&
         static_cast<unsigned char>(text[at]) < 0x80)
    ++at;
  bool continued = at < reply.hi && text[at] != '.' && text[at] != '\n';
  if (at < reply.hi && !continued) at = SkipSpace(text, at + 1, reply.hi);
  bool retracted = false;
  while (at < reply.hi) {
    size_t next = at;
    const Said said = SaidAt(reply, at, answer, continued, &next);
    continued = false;
    if (said != Said::kNothing) retracted = said == Said::kRetracts;
    at = next;
  }
  return retracted;
}

}  // namespace assay::math
