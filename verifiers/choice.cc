#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/text.h"
#include "verifiers/text_verifiers.h"
#include "verifiers/words.h"

namespace assay {
namespace {

constexpr size_t kChoicesMax = 100;

struct OneChoice {
  std::string letter;  // "A"
  std::string text;    // its words in small letters, parted by one space; may be empty
};

// Without LaTeX's commands for text and its thin spaces.
std::string WithoutTextCommands(std::string_view text) {
  static constexpr std::string_view kCommands[] = {"\\textbf", "\\textrm", "\\text", "\\mathrm",
                                                   "\\mathbf", "\\,",      "\\;",    "\\!"};
  std::string out;
  for (size_t i = 0; i < text.size();) {
    const auto* command =
        std::find_if(std::begin(kCommands), std::end(kCommands),
                     [&](std::string_view one) { return StartsWith(text.substr(i), one); });
    if (command == std::end(kCommands)) {
      out.push_back(text[i++]);
    } else {
      i += command->size();
      out.push_back(' ');
    }
  }
  return out;
}

std::string PlainWords(std::string_view text) {
  std::string out;
  for (const std::string& word : WordsOf(WithoutTextCommands(text)))
    StrAppend(&out, out.empty() ? "" : " ", word);
  return out;
}

// Marks of emphasis, quotation and layout around an answer.
std::string_view Bare(std::string_view text) {
  constexpr std::string_view kMarks = " \t\r\n*_`\"'$.,;:!";
  while (!text.empty() && kMarks.find(text.front()) != std::string_view::npos)
    text.remove_prefix(1);
  while (!text.empty() && kMarks.find(text.back()) != std::string_view::npos) text.remove_suffix(1);
  return text;
}

bool IsLetter(char c) { return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'); }

bool IsWordLetter(char c) { return IsLetter(c) || c == '\''; }

std::string FirstWord(std::string_view text) {
  size_t end = 0;
  while (end < text.size() && IsWordLetter(text[end])) ++end;
  return AsciiLower(text.substr(0, end));
}

// Words of "The correct answer is:", "I would choose option", "So it's"; `next` is the word behind.
bool OnlyAnnounces(std::string_view word, std::string_view next) {
  static constexpr std::string_view kLeadIns[] = {
      "the",  "my",     "so",     "therefore", "thus",   "hence",  "final", "correct", "right",
      "best", "answer", "option", "choice",    "letter", "is",     "would", "be",      "it",
      "it's", "that's", "think",  "believe",   "choose", "select", "pick",  "that"};
  if (word == "i") {
    // It may be a choice.
    return next == "think" || next == "believe" || next == "choose" || next == "select" ||
           next == "pick" || next == "would";
  }
  return std::find(std::begin(kLeadIns), std::end(kLeadIns), word) != std::end(kLeadIns);
}

// Without what only announces before it: "Based on the above, the correct answer is:", "Option", "Answer:".
std::string_view WithoutLeadIn(std::string_view text) {
  text = Bare(text);
  if (const size_t comma = text.find(", ");
      AsciiLower(text.substr(0, 9)) == "based on " && comma != std::string_view::npos)
    text.remove_prefix(comma + 1);
  for (;;) {
    text = Bare(text);
    const std::string word = FirstWord(text);
    // A lone letter or a word behind which nothing stands is the answer itself.
    if (word.empty() || word.size() == text.size()) return text;
    if (!OnlyAnnounces(word, FirstWord(Bare(text.substr(word.size()))))) return text;
    text.remove_prefix(word.size());
  }
}

// Without what only says so behind it: "B is the correct answer" is "B".
std::string_view WithoutLeadOut(std::string_view text) {
  for (std::string_view noun : {" answer", " choice", " option", " one", ""}) {
    for (std::string_view praise : {" is the correct", " is the right", " is the best", " is the",
                                    " is correct", " is right"}) {
      const std::string tail = StrCat(praise, noun);
      const bool says = !noun.empty() == (praise.find(" the") != std::string_view::npos);
      if (says && text.size() > tail.size() &&
          AsciiLower(text.substr(text.size() - tail.size())) == tail)
        return Bare(text.substr(0, text.size() - tail.size()));
    }
  }
  return text;
}

// `choice`: the answer names the right choice (or, where several are right, all of them and no other), by letter, by text, or both.
struct ChoiceJudge {
  struct Settings {
    AnswerPlace from = AnswerPlace::kAuto;
    std::vector<std::string> choices;
  };

  static Options Table(Settings* s) {
    Options table = VerifierOptions("choice");
    AddAnswerPlace(&s->from, &table);
    table.Add("choices", &s->choices,
              "the choices' texts; none: the row's `choices` or `options`, else letters alone");
    return table;
  }
  static Status Check(const Settings&) { return {}; }

  ChoiceJudge(const Settings& s, const Problem& problem) : settings(s) {
    for (const std::string& text : s.choices) Add("", text);
    for (const Json* object : {&problem.verification_info, &problem.extra}) {
      for (const char* key : {"choices", "options"}) {
        if (choices.empty()) ReadChoices(object->Find(key));
      }
    }
    if (problem.answers.empty()) {
      fault = Verdict::Fault("gold_missing", "the row has no reference answer");
      return;
    }
    for (const std::string& answer : problem.answers) {
      std::optional<std::set<std::string>> read = Named(answer);
      if (!read) read = ByPlace(answer);
      if (read) golds.push_back(std::move(*read));
    }
    if (golds.empty()) {
      fault = Verdict::Fault("gold_bad_choices", StrCat("the row's answer is none of its choices: ",
                                                        Shorten(problem.answers[0], 80)));
    }
  }

  void Add(std::string_view letter, std::string_view text) {
    if (choices.size() >= kChoicesMax) return;
    OneChoice one;
    one.letter = letter;
    if (one.letter.empty() && choices.size() < 26)
      one.letter = std::string(1, static_cast<char>('A' + choices.size()));
    // "B. Paris", "(B) Paris" among the choices themselves.
    std::string_view rest = Trim(text);
    const std::string_view inside = StartsWith(rest, "(") ? rest.substr(1) : rest;
    if (inside.size() > 2 && inside.substr(0, 1) == one.letter &&
        std::string_view(".):").find(inside[1]) != std::string_view::npos)
      rest = inside.substr(2);
    one.text = PlainWords(rest);
    if (one.text == AsciiLower(one.letter)) one.text.clear();
    choices.push_back(std::move(one));
  }

  // A list of texts, {"A": "..", ..}, or MMLU-like {"label": [..], "text": [..]}.
  void ReadChoices(const Json* value) {
    if (value == nullptr) return;
    const Json* texts = value->Find("text");
    const Json* labels = value->Find("label");
    if (texts != nullptr && labels != nullptr && texts->AsArray() != nullptr &&
        labels->AsArray() != nullptr && texts->AsArray()->size() == labels->AsArray()->size()) {
      for (size_t i = 0; i < texts->AsArray()->size(); ++i)
        Add((*labels->AsArray())[i].ScalarText(), (*texts->AsArray())[i].ScalarText());
    } else if (value->AsArray() != nullptr) {
      for (const Json& text : *value->AsArray()) Add("", text.ScalarText());
    } else if (value->AsObject() != nullptr) {
      for (const Json::Member& member : *value->AsObject()) {
        if (member.key.size() == 1 && member.value.AsString() != nullptr)
          Add(member.key, *member.value.AsString());
      }
    }
  }

  // Published sets count the choices from 0: "2" is the third, where no choice is called so.
  std::optional<std::set<std::string>> ByPlace(std::string_view answer) const {
    if (answer.empty() || answer.size() > 2) return std::nullopt;
    size_t place = 0;
    for (char c : answer) {
      if (c < '0' || c > '9') return std::nullopt;
      place = place * 10 + static_cast<size_t>(c - '0');
    }
    if (place >= choices.size()) return std::nullopt;
    return std::set<std::string>{choices[place].letter};
  }

  bool Known(std::string_view letter) const {
    if (choices.empty()) return letter.size() == 1 && IsLetter(letter[0]);
    return std::any_of(choices.begin(), choices.end(),
                       [&](const OneChoice& one) { return one.letter == letter; });
  }

  // The letters of the choices that a whole answer names; nothing if it is no such answer.
  std::optional<std::set<std::string>> Named(std::string_view answer) const {
    std::string_view text = Bare(answer);
    if (StartsWith(text, "\\text{") && EndsWith(text, "}"))
      text = Bare(text.substr(6, text.size() - 7));
    if (std::optional<std::string> letter = OneNamed(text)) return std::set{*letter};
    return Several(text);
  }

  // Named, between words that only announce.
  std::optional<std::set<std::string>> Announced(std::string_view answer) const {
    const std::string_view text = WithoutLeadIn(answer);
    std::optional<std::set<std::string>> named = Named(text);
    return named ? named : Named(WithoutLeadOut(text));
  }

  // "B", "(B)", "B.", "B) Paris", "Paris".
  std::optional<std::string> OneNamed(std::string_view text) const {
    const std::string words = PlainWords(text);
    const OneChoice* named = nullptr;
    for (const OneChoice& one : choices) {
      if (one.text.empty() || one.text != words) continue;
      if (named != nullptr) return std::nullopt;  // two choices with one text
      named = &one;
    }
    if (named != nullptr) return named->letter;
    const bool open = StartsWith(text, "(") || StartsWith(text, "[");
    if (open) text.remove_prefix(1);
    if (text.empty() || !IsLetter(text[0])) return std::nullopt;
    const std::string letter(1, static_cast<char>(text[0] & ~0x20));
    if (!Known(letter)) return std::nullopt;
    std::string_view rest = text.substr(1);
    const bool framed =
        !rest.empty() && std::string_view(")].:").find(rest[0]) != std::string_view::npos;
    if (open && !framed) return std::nullopt;
    if (framed) rest.remove_prefix(1);
    const std::string behind = PlainWords(rest);
    if (behind.empty()) return letter;
    if (!framed && !StartsWith(rest, " ")) return std::nullopt;
    // With its own text or none: "B. London" where B is Paris names nothing.
    for (const OneChoice& one : choices) {
      if (one.letter == letter && !one.text.empty() && one.text == behind) return letter;
    }
    return std::nullopt;
  }

  // "A, C and D", "ACD".
  std::optional<std::set<std::string>> Several(std::string_view text) const {
    std::set<std::string> letters;
    std::string run;
    const auto take = [&](const std::string& word) {
      if (word == "and" || word.empty()) return true;
      for (char c : word) {
        const std::string letter(1, static_cast<char>(c & ~0x20));
        if (!IsLetter(c) || !Known(letter) || !letters.insert(letter).second) return false;
        if (word.size() > 1 && (c & 0x20) != 0) return false;  // letters side by side are capitals
      }
      return true;
    };
    for (char c : text) {
      if (IsLetter(c)) {
        run.push_back(c);
      } else {
        if (std::string_view(" ,;&()[]{}").find(c) == std::string_view::npos || !take(run))
          return std::nullopt;
        run.clear();
      }
    }
    if (!take(run) || letters.size() < 2) return std::nullopt;
    return letters;
  }

  Verdict operator()(const Sample& sample) const {
    if (fault) return *fault;
    const FoundAnswer found = FindAnswer(sample.text, settings.from);
    if (found.refusal) return *found.refusal;
    std::optional<std::set<std::string>> named = Named(found.text);
    if (!named) named = Announced(found.text);
    if (!named && settings.from == AnswerPlace::kAuto) {
      // An explanation first: its last line alone says the answer.
      const size_t newline = found.text.rfind('\n');
      if (newline != std::string_view::npos) named = Announced(found.text.substr(newline + 1));
    }
    if (!named) {
      return Verdict::Fail("no_answer", StrCat("it names no choice: ", Shorten(found.text, 80)));
    }
    if (std::find(golds.begin(), golds.end(), *named) != golds.end()) return Verdict::Pass();
    return Verdict::Fail("wrong_value",
                         StrCat("it chooses ", Joined(*named), ", not ", Joined(golds[0])));
  }

  static std::string Joined(const std::set<std::string>& letters) {
    std::string out;
    for (const std::string& letter : letters) StrAppend(&out, out.empty() ? "" : ", ", letter);
    return out;
  }

  Settings settings;
  std::vector<OneChoice> choices;
  std::vector<std::set<std::string>> golds;
  std::optional<Verdict> fault;
};

}  // namespace

std::vector<OptionInfo> ChoiceOptionInfos() { return TextVerifierOptionInfos<ChoiceJudge>(); }
Result<std::unique_ptr<Verifier>> MakeChoiceVerifier(const Json& options, const VerifierEnv& env) {
  return MakeTextVerifier<ChoiceJudge>(options, env);
}

}  // namespace assay
