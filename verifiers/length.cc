#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/text.h"
#include "verifiers/text_verifiers.h"
#include "verifiers/words.h"

namespace assay {
namespace {

enum class Shape { kTarget, kCosine, kOverlong };
enum class Unit { kAuto, kCharacters, kWords, kTokens };

// `length`: a score in [0, 1] by length alone. It says nothing of what is right: give it a gate, or `relative`.
struct LengthJudge {
  struct Settings {
    Shape shape = Shape::kOverlong;
    Unit unit = Unit::kAuto;
    bool answer_only = false;
    double target = 1000, within = 0, slack = 1000;
    double max = 16384, buffer = 4096;
  };

  static Options Table(Settings* s) {
    Options table = VerifierOptions("length");
    table.Add(
        "shape", &s->shape,
        ChoiceNames<Shape>{
            {"overlong", Shape::kOverlong}, {"cosine", Shape::kCosine}, {"target", Shape::kTarget}},
        "overlong: 1, from max - buffer to max down to 0 (DAPO); cosine: from 1 at nothing to "
        "0 at max; target: 1 near target, then down to 0");
    table.Add("unit", &s->unit,
              ChoiceNames<Unit>{{"auto", Unit::kAuto},
                                {"characters", Unit::kCharacters},
                                {"words", Unit::kWords},
                                {"tokens", Unit::kTokens}},
              "what is counted; auto: tokens where the sample has them, else characters");
    table.Add("answer_only", &s->answer_only, "what stands before </think> is not counted");
    table.Add("target", &s->target, "shape target: the length to have").AtLeast(0).Finite();
    table.Add("within", &s->within, "shape target: so far off still scores 1").AtLeast(0).Finite();
    table.Add("slack", &s->slack, "shape target: from there so far to a score of 0")
        .AtLeast(0)
        .Finite();
    table.Add("max", &s->max, "shapes overlong and cosine: a score of 0 from here on")
        .AtLeast(1)
        .Finite();
    table.Add("buffer", &s->buffer, "shape overlong: how far before max the score starts to fall")
        .AtLeast(0)
        .Finite();
    return table;
  }
  static Status Check(const Settings& s) {
    if (s.unit == Unit::kTokens && s.answer_only) {
      return Error{ErrorCode::kUsage,
                   "options 'unit' = tokens and 'answer_only' of verifier "
                   "'length' do not go together",
                   "tokens are counted over the whole reply"};
    }
    return {};
  }

  LengthJudge(const Settings& s, const Problem&) : settings(s) {}

  Verdict operator()(const Sample& sample) const {
    const bool known = !sample.token_ids.empty() && !settings.answer_only;
    if (settings.unit == Unit::kTokens && !known)
      return Verdict::Abstain("no_tokens", "the sample has no token ids");
    const double length = known && settings.unit <= Unit::kAuto
                              ? static_cast<double>(sample.token_ids.size())
                              : Counted(sample);
    const double score = Score(length);
    const Json evidence = Json().Set("length", length);
    Verdict verdict = score > 0 ? Verdict::Pass("ok", score)
                                : Verdict::Fail("length", StrCat("its length is ", length));
    verdict.evidence = evidence;
    return verdict;
  }

  double Counted(const Sample& sample) const {
    if (settings.unit == Unit::kTokens) return static_cast<double>(sample.token_ids.size());
    const std::string_view text = settings.answer_only ? AnswerPart(sample.text) : sample.text;
    if (settings.unit == Unit::kWords) return static_cast<double>(WordsOf(text).size());
    return static_cast<double>(CharactersOf(text));
  }

  double Score(double length) const {
    const Settings& s = settings;
    switch (s.shape) {
      case Shape::kOverlong:  // 1 + DAPO's R_len (2503.14476, equation 13)
        if (length >= s.max) return 0;
        return std::min((s.max - length) / s.buffer, 1.0);
      case Shape::kCosine:  // 2502.03373, section 4.2, between 1 and 0
        return (1 + std::cos(std::numbers::pi * std::min(length / s.max, 1.0))) / 2;
      case Shape::kTarget: {
        const double off = std::max(std::abs(length - s.target) - s.within, 0.0);
        if (off == 0) return 1;
        return off >= s.slack ? 0 : 1 - off / s.slack;
      }
    }
    return 0;
  }

  Settings settings;
};

}  // namespace

std::vector<OptionInfo> LengthOptionInfos() { return TextVerifierOptionInfos<LengthJudge>(); }
Result<std::unique_ptr<Verifier>> MakeLengthVerifier(const Json& options, const VerifierEnv& env) {
  return MakeTextVerifier<LengthJudge>(options, env);
}

}  // namespace assay
