#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/text.h"
#include "verifiers/math/math.h"
#include "verifiers/text_verifiers.h"

namespace assay {
namespace {

constexpr size_t kNumberBytesMax = 500;

enum class UnitRule { kOptional, kRequired };

// Letters and signs beside a number: "5 km", "$5", "20%". An exponent's e and commands of multiplication are none.
bool HasUnit(std::string_view text) {
  static constexpr std::string_view kNone[] = {"\\times", "\\cdot", "\\frac", "\\left", "\\right",
                                               "\\dfrac", "\\,",    "\\!",    "\\;"};
  for (size_t i = 0; i < text.size(); ++i) {
    const auto* command =
        std::find_if(std::begin(kNone), std::end(kNone),
                     [&](std::string_view one) { return StartsWith(text.substr(i), one); });
    if (command != std::end(kNone)) {
      i += command->size() - 1;
      continue;
    }
    const char c = text[i];
    const bool digit_before = i > 0 && text[i - 1] >= '0' && text[i - 1] <= '9';
    if ((c == 'e' || c == 'E') && digit_before && i + 1 < text.size() &&
        std::string_view("+-0123456789").find(text[i + 1]) != std::string_view::npos)
      continue;
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '%') return true;
    if (c == '$' && i + 1 < text.size() && text.find('$', i + 1) == std::string_view::npos)
      return true;
    if (static_cast<unsigned char>(c) >= 0xC2 && !StartsWith(text.substr(i), "\u2212") &&
        !StartsWith(text.substr(i), "\u00D7") && !StartsWith(text.substr(i), "\u00B7"))
      return true;
  }
  return false;
}

// "9.8 m/s^2": what stands behind the number as text, since letters alone would be variables. Others are as they were.
std::string UnitAsText(std::string_view text) {
  text = Trim(text);
  size_t end = 0;
  while (end < text.size() &&
         std::string_view("+-$ 0123456789.,/").find(text[end]) != std::string_view::npos)
    ++end;
  // An exponent: 6.02e23.
  if (end > 0 && end + 1 < text.size() && (text[end] == 'e' || text[end] == 'E') &&
      std::string_view("+-0123456789").find(text[end + 1]) != std::string_view::npos) {
    ++end;
    while (end < text.size() &&
           std::string_view("+- 0123456789").find(text[end]) != std::string_view::npos)
      ++end;
  }
  const std::string_view number = text.substr(0, end), unit = text.substr(end);
  const bool digits = number.find_first_of("0123456789") != std::string_view::npos;
  if (!digits || unit.empty() || unit.find_first_of("\\=$%()[]") != std::string_view::npos)
    return std::string(text);
  return StrCat(number, "\\text{ ", unit, "}");
}

// `numeric`: one number, with its unit, within tolerances.
struct NumericJudge {
  struct Settings {
    AnswerPlace from = AnswerPlace::kAuto;
    double rel_tol = 0;
    double abs_tol = 0;
    UnitRule unit = UnitRule::kRequired;
  };

  static Options Table(Settings* s) {
    Options table = VerifierOptions("numeric");
    AddAnswerPlace(&s->from, &table);
    table.Add("rel_tol", &s->rel_tol, "so far off still counts, as a part of the larger one")
        .Range(0, 1);
    table.Add("abs_tol", &s->abs_tol, "so far off still counts, in the reference's unit")
        .AtLeast(0)
        .Finite();
    table.Add(
        "unit", &s->unit,
        ChoiceNames<UnitRule>{{"required", UnitRule::kRequired}, {"optional", UnitRule::kOptional}},
        "whether the answer to a reference with a unit needs one, too; one that is there must "
        "be of the same dimension in any case");
    return table;
  }
  static Status Check(const Settings&) { return {}; }

  NumericJudge(const Settings& s, const Problem& problem) : settings(s) {
    compare.rel_tol = s.rel_tol;
    compare.abs_tol = s.abs_tol;
    compare.percent_optional = s.unit == UnitRule::kOptional;
    for (const std::string& answer : problem.answers) {
      if (Trim(answer).empty()) continue;
      Gold gold;
      gold.text = answer;
      const std::string framed =
          UnitAsText(std::string_view(answer).substr(0, kNumberBytesMax + 1));
      gold.value = math::Parse(framed);
      gold.unit = HasUnit(answer);
      const bool number =
          gold.value.kind() == math::AnswerKind::kNumber ||
          (gold.value.kind() == math::AnswerKind::kExpression && framed != Trim(answer));
      if (answer.size() > kNumberBytesMax || !number) {
        fault = Verdict::Fault("gold_unparseable",
                               StrCat("the row's answer is no number: ", Shorten(answer, 80)));
        return;
      }
      golds.push_back(std::move(gold));
    }
    if (golds.empty()) fault = Verdict::Fault("gold_missing", "the row has no reference answer");
  }

  Verdict operator()(const Sample& sample) const {
    if (fault) return *fault;
    const FoundAnswer found = FindAnswer(sample.text, settings.from);
    if (found.refusal) return *found.refusal;
    if (found.text.size() > kNumberBytesMax)
      return Verdict::Fail("unparseable", "the answer is too long for a number");
    // Where the reference has no unit, "5 x" stays a product.
    const bool with_units = golds[0].unit;
    const math::ParsedAnswer answer =
        with_units ? math::Parse(UnitAsText(found.text)) : math::Parse(found.text);
    const bool with_unit = answer.kind() == math::AnswerKind::kExpression && with_units;
    if (answer.kind() != math::AnswerKind::kNumber && !with_unit) {
      return Verdict::Fail("unparseable",
                           StrCat("the answer is no number: ", Shorten(found.text, 80)));
    }
    const bool unit = HasUnit(found.text);
    bool missing = false, undecided = false;
    for (const Gold& gold : golds) {
      const math::CompareResult result = math::Compare(gold.value, answer, compare);
      undecided = undecided || result.outcome == math::Outcome::kUndecided;
      if (!result.equal()) continue;
      if (!gold.unit || unit || settings.unit == UnitRule::kOptional) return Verdict::Pass();
      missing = true;
    }
    if (missing) return Verdict::Fail("unit_missing", "the number is right and has no unit");
    if (undecided)
      return Verdict::Fail("undecided", "whether the numbers are equal was not decided");
    return Verdict::Fail("wrong_value", StrCat("the answer is ", Shorten(golds[0].text, 80),
                                               ", not ", Shorten(found.text, 80)));
  }

  struct Gold {
    std::string text;
    math::ParsedAnswer value;
    bool unit = false;
  };
  Settings settings;
  math::CompareOptions compare;
  std::vector<Gold> golds;
  std::optional<Verdict> fault;
};

}  // namespace

std::vector<OptionInfo> NumericOptionInfos() { return TextVerifierOptionInfos<NumericJudge>(); }
Result<std::unique_ptr<Verifier>> MakeNumericVerifier(const Json& options, const VerifierEnv& env) {
  return MakeTextVerifier<NumericJudge>(options, env);
}

}  // namespace assay
