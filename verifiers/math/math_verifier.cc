#include "verifiers/math/math_verifier.h"

#include <re2/re2.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/text.h"
#include "verifiers/math/math.h"
#include "verifiers/math/reply/answer_phrases.h"
#include "verifiers/math/reply/choices.h"
#include "verifiers/math/reply/extract.h"

namespace assay {

namespace {

// A gold longer than this without a frame is a worked solution, where the mode allows one.
constexpr size_t kProseBytes = 400;

struct MathOptions {
  math::ExtractOptions extract;
  std::optional<math::Mode> gold_mode;  // empty: auto
  math::CompareOptions compare;
  bool strict = true;  // the opposite of compare.rename_variables
};

template <typename T>
ChoiceNames<T> Modes(ChoiceNames<T> names) {
  for (const std::string& name : math::ModeNames())
    names.emplace_back(name, *math::ModeFromName(name));
  return names;
}

Options Table(MathOptions* o) {
  Options table = VerifierOptions("math");
  table.Add("mode", &o->extract.mode, Modes<math::Mode>({}), "where the answer stands in a reply");
  table
      .Add("gold_mode", &o->gold_mode, Modes<std::optional<math::Mode>>({{"auto", std::nullopt}}),
           "the same for the gold; auto: the box or #### if the gold has one, else the gold is the "
           "answer")
      .NullUnsets();
  table
      .Add("float_digits", &o->compare.float_digits,
           "numbers that agree when rounded to so many decimal places are equal")
      .Range(0, 1000)
      .NullUnsets();
  table
      .Add("rounded_digits", &o->compare.rounded_digits,
           "an answer's decimal with at least so many significant digits passes if it is the gold "
           "correctly rounded; 0: exact only")
      .Range(0, 1000);
  table
      .Add("rel_tol", &o->compare.rel_tol,
           "numbers whose difference is at most so much of the larger one are equal")
      .Range(0, 1);
  table.Add("abs_tol", &o->compare.abs_tol, "numbers whose difference is at most this are equal")
      .AtLeast(0)
      .Finite();
  table.Add("round_to_gold", &o->compare.round_to_gold,
            "a decimal gold is met by what rounds to it at its last place");
  table.Add("percent_by_100", &o->compare.percent_by_100, "0.09 meets 9, and 9 meets 0.09");
  table.Add("base_value", &o->compare.base_value,
            "a numeral with a base is its value: 1010_2 is 10, and not 1010");
  table.Add("choices", &o->extract.choices, "the choices of a multiple-choice question")
      .AtMostItems(64);
  table.Add(
      "language", &o->extract.language,
      "english, chinese, ..: whose final-answer anchors count besides the English ones; none: all");
  table.Add("last_number", &o->extract.last_number,
            "a reply's last number counts if nothing else is found");
  table.Add("strict", &o->strict, "false lets variables be renamed (f(x) and f(y))");
  table.Add("inequality_for_set", &o->compare.inequality_for_set,
            "an inequality meets a gold that is a set");
  table.Add("percent_optional", &o->compare.percent_optional, "9% meets 9");
  table.Add("worked_out", &o->compare.worked_out,
            "a gold that is a number is met by numbers alone, not by 78+301 or 2^{10}");
  table.Add("ordered_lists", &o->compare.ordered_lists,
            "lists without brackets must agree in order");
  return table;
}

// Overrides what `options` says in *out.
Status ReadOptions(const Json& options, MathOptions* out) {
  if (Status status = Table(out).Read(options); !status.ok()) return status;
  out->extract.language = AsciiLower(out->extract.language);
  out->compare.rename_variables = !out->strict;
  return {};
}

// Languages that write 0,5, by code or name.
bool DecimalComma(std::string_view language) {
  if (language.empty()) return false;
  static constexpr std::string_view kCodes[] = {
      "fr", "de", "es", "ru", "pt", "it", "nl", "pl", "tr", "id", "vi", "uk", "cs",
      "sv", "da", "no", "fi", "ro", "el", "hu", "bg", "hr", "sk", "sr", "ca"};
  const std::string_view named = math::LanguageCode(language);
  const std::string_view code = named.empty() ? language : named;
  return std::find(std::begin(kCodes), std::end(kCodes), code) != std::end(kCodes);
}

math::ParseOptions ParseOptionsFor(const MathOptions& options, std::string_view language = "") {
  math::ParseOptions parse;
  const bool comma = DecimalComma(language) || DecimalComma(options.extract.language);
  if (options.extract.mode == math::Mode::kExpr || comma) parse.grammar = math::Grammar::kPlain;
  parse.choices = options.extract.choices;
  if (!parse.choices.empty()) parse.choices = math::ReadChoices(parse.choices).letters;
  if (options.extract.mode == math::Mode::kString && parse.choices.empty())
    parse.choices = {"A", "B", "C", "D"};
  return parse;
}

// Of a choice's text, which may begin with a letter ("A large city") that names no choice.
math::ParseOptions ParseOptionsWithoutChoices(const MathOptions& options) {
  math::ParseOptions parse = ParseOptionsFor(options);
  parse.choices.clear();
  return parse;
}

// The part of a gold text that is the answer.
std::string GoldText(const std::string& gold, const MathOptions& options) {
  math::ExtractOptions extract = options.extract;
  extract.truncated = false;
  extract.trusted = true;
  if (options.gold_mode) {
    extract.mode = *options.gold_mode;
  } else if (options.extract.mode == math::Mode::kString) {
    extract.mode = math::Mode::kString;
  } else {
    extract.mode = math::HasAnswerFrame(gold) ? math::Mode::kLatexExpr : math::Mode::kBare;
    // The modes that read both sides alike also take prose as a gold.
    const bool alike = options.extract.mode == math::Mode::kLatex ||
                       options.extract.mode == math::Mode::kLatexExpr;
    if (alike && gold.size() > kProseBytes) extract.mode = options.extract.mode;
  }
  const math::Extraction found = math::ExtractAnswer(gold, extract);
  if (found.found()) return found.text;
  return options.gold_mode ? std::string() : std::string(Trim(gold));
}

struct Golds {
  std::vector<math::ParsedAnswer> parsed;
  std::vector<std::string> oversized;  // too large to read: met by the same text only
  Verdict fault;                       // set if parsed is empty
};

Golds ReadGolds(const Problem& problem, const MathOptions& options) {
  Golds golds;
  golds.fault = Verdict::Fault("gold_missing", "the row has no reference answer");
  const math::ParseOptions parse = ParseOptionsFor(options);
  const math::Choices choices = math::ReadChoices(options.extract.choices);
  for (const std::string& answer : problem.answers) {
    const std::string named = GoldText(answer, options);
    if (named.empty()) continue;
    // A choice by its letter, whichever way the data set names it; its text is met as well.
    const std::string letter = choices.LetterOfText(named);
    const std::string& text = letter.empty() ? named : letter;
    const std::string other = choices.TextOfLetter(text);
    if (!other.empty()) {
      math::ParsedAnswer parsed_text = math::Parse(other, ParseOptionsWithoutChoices(options));
      if (parsed_text.ok()) golds.parsed.push_back(std::move(parsed_text));
    }
    math::ParsedAnswer parsed = math::Parse(text, parse);
    if (parsed.ok()) {
      golds.parsed.push_back(std::move(parsed));
    } else if (parsed.limit_reached()) {
      golds.oversized.push_back(text);
      golds.fault = Verdict::Fault(
          "gold_limit", StrCat("the reference answer is too large to read: ", Shorten(text, 200)));
    } else {
      golds.fault = Verdict::Fault(
          "gold_unparseable", StrCat("the reference answer cannot be read: ", Shorten(text, 200)));
    }
  }
  return golds;
}

Verdict Judge(const Golds& golds, const math::ParsedAnswer& answer, const MathOptions& options,
              Json* evidence) {
  math::CompareResult result;
  const math::ParsedAnswer* met = &golds.parsed.front();
  bool undecided = false;
  for (const math::ParsedAnswer& gold : golds.parsed) {
    result = math::Compare(gold, answer, options.compare);
    undecided = undecided || result.outcome == math::Outcome::kUndecided;
    if (result.equal()) {
      met = &gold;
      break;
    }
  }
  evidence->Set("gold", met->ToString());
  evidence->Set("answer", answer.ToString());
  if (result.equal()) {
    evidence->Set("method", result.MethodText());
    if (!result.detail.empty()) evidence->Set("note", result.detail);
    return Verdict::Pass();
  }
  if (undecided)
    return Verdict::Fail("undecided", StrCat("whether ", Shorten(answer.ToString(), 120), " is ",
                                             Shorten(met->ToString(), 120), " was not decided"));
  if (result.method != math::Method::kNone) evidence->Set("method", result.MethodText());
  if (!result.detail.empty()) evidence->Set("note", result.detail);
  return Verdict::Fail("wrong_value", StrCat("the answer is ", Shorten(answer.ToString(), 120),
                                             ", not ", Shorten(met->ToString(), 120)));
}

math::Extraction Extract(std::string_view text, const MathOptions& options, bool truncated) {
  math::ExtractOptions extract = options.extract;
  extract.truncated = truncated;
  math::Extraction found = math::ExtractAnswer(text, extract);
  // A question with choices may be answered by naming one in plain words.
  const std::string_view refusal = found.refusal;
  if (refusal != "retracted" && refusal != "quoted" && !found.found() && !extract.choices.empty() &&
      extract.mode == math::Mode::kCompletion) {
    extract.mode = math::Mode::kString;
    math::Extraction choice = math::ExtractAnswer(text, extract);
    if (choice.rule == math::Rule::kChoice) return choice;
  }
  return found;
}

// "3 quarts" and "2 tiers" are fractions in French only.
std::string InItsLanguage(std::string text, std::string_view language) {
  if (language != "fr") return text;
  static const RE2 quarters("(\\d|un|trois) quarts?\\b");
  static const RE2 thirds("(\\d|un|deux) tiers\\b");
  RE2::Replace(&text, quarters, "\\1 quarters");
  RE2::Replace(&text, thirds, "\\1 thirds");
  return text;
}

Verdict JudgeSample(const Group& group, const Sample& sample, const Golds& golds,
                    const MathOptions& options) {
  // A base model's output may begin with the prompt; what stands there is not the sample's.
  std::string_view text = sample.text;
  const std::string& prompt = group.problem.prompt;
  const size_t skipped = prompt.size() >= 16 && StartsWith(text, prompt) ? prompt.size() : 0;
  text.remove_prefix(skipped);
  const math::Extraction found = Extract(text, options, sample.truncated());
  Json evidence = Json::MakeObject();
  if (!found.found()) {
    if (golds.parsed.empty()) return golds.fault;
    evidence.Set("rule", found.refusal);
    Verdict verdict =
        Verdict::Fail("no_answer", StrCat("no final answer was found (", found.refusal, ")"));
    verdict.evidence = std::move(evidence);
    return verdict;
  }
  evidence.Set("extracted", Shorten(found.text, 500));
  evidence.Set("rule", math::RuleName(found.rule));
  evidence.Set("begin", static_cast<int64_t>(found.begin + skipped));
  evidence.Set("end", static_cast<int64_t>(found.end + skipped));
  const std::string letter = math::ReadChoices(options.extract.choices).LetterOfText(found.text);
  const math::ParsedAnswer answer =
      math::Parse(letter.empty() ? InItsLanguage(found.text, found.language) : letter,
                  ParseOptionsFor(options, found.language));
  Verdict verdict;
  if (std::find(golds.oversized.begin(), golds.oversized.end(), found.text) !=
      golds.oversized.end()) {
    evidence.Set("method", "text");
    verdict = Verdict::Pass();
  } else if (golds.parsed.empty()) {
    return golds.fault;
  } else if (answer.ok()) {
    verdict = Judge(golds, answer, options, &evidence);
  } else if (answer.limit_reached()) {
    verdict = Verdict::Fail("limit_reached", "the answer is too long or too deep to read");
  } else {
    verdict = Verdict::Fail("unparseable",
                            StrCat("the answer cannot be read: ", Shorten(found.text, 120)));
  }
  verdict.evidence = std::move(evidence);
  return verdict;
}

class MathVerifier final : public Verifier {
 public:
  explicit MathVerifier(MathOptions options) : options_(std::move(options)) {}

  std::vector<Verdict> Verify(const Group& group, const Json* row_options) const override {
    if (row_options == nullptr || row_options->IsNull()) return VerifyWith(group, options_);
    MathOptions merged = options_;
    if (const Status status = ReadOptions(*row_options, &merged); !status.ok())
      return BadRowOptions(status.error(), group.samples.size());
    return VerifyWith(group, merged);
  }

 private:
  static std::vector<Verdict> VerifyWith(const Group& group, const MathOptions& options) {
    const Golds golds = ReadGolds(group.problem, options);
    if (golds.parsed.empty() && golds.oversized.empty())
      return std::vector<Verdict>(group.samples.size(), golds.fault);
    std::vector<Verdict> verdicts;
    verdicts.reserve(group.samples.size());
    for (const Sample& sample : group.samples) {
      const auto start = std::chrono::steady_clock::now();
      verdicts.push_back(JudgeSample(group, sample, golds, options));
      verdicts.back().ms =
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
              .count();
    }
    return verdicts;
  }

  MathOptions options_;
};

}  // namespace

std::vector<OptionInfo> MathOptionInfos() {
  MathOptions defaults;
  return Table(&defaults).Infos();
}

Result<std::unique_ptr<Verifier>> MakeMathVerifier(const Json& options, const VerifierEnv& env) {
  (void)env;
  MathOptions read;
  if (const Status status = ReadOptions(options, &read); !status.ok()) return status.error();
  return std::unique_ptr<Verifier>(std::make_unique<MathVerifier>(std::move(read)));
}

}  // namespace assay
