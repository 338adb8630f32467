#include <string>
#include <vector>

#include "core/text.h"
#include "verifiers/text_verifiers.h"
#include "verifiers/words.h"

namespace assay {
namespace {

std::string OneSpaced(std::string_view text) {
  std::string out;
  for (char c : Trim(text)) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    if (space && !out.empty() && out.back() == ' ') continue;
    out.push_back(space ? ' ' : c);
  }
  return out;
}

// `exact`: the answer is one of the row's answers, to the letter but for white space.
struct ExactJudge {
  struct Settings {
    AnswerPlace from = AnswerPlace::kAuto;
    bool ignore_case = false;
    bool ignore_punctuation = false;
  };

  static Options Table(Settings* s) {
    Options table = VerifierOptions("exact");
    AddAnswerPlace(&s->from, &table);
    table.Add("ignore_case", &s->ignore_case, "Paris meets paris");
    table.Add("ignore_punctuation", &s->ignore_punctuation,
              "only letters and digits count, in any case");
    return table;
  }
  static Status Check(const Settings&) { return {}; }

  ExactJudge(const Settings& s, const Problem& problem) : settings(s) {
    for (const std::string& answer : problem.answers) {
      std::string plain = Plain(answer);
      if (!plain.empty()) golds.push_back(std::move(plain));
    }
  }

  Verdict operator()(const Sample& sample) const {
    if (golds.empty()) return Verdict::Fault("gold_missing", "the row has no reference answer");
    const FoundAnswer found = FindAnswer(sample.text, settings.from);
    if (found.refusal) return *found.refusal;
    const std::string answer = Plain(found.text);
    for (const std::string& gold : golds) {
      if (answer == gold) return Verdict::Pass();
    }
    return Verdict::Fail("wrong_value", StrCat("the answer is ", Shorten(golds[0], 80), ", not ",
                                               Shorten(answer, 80)));
  }

  // What is left of a text where less counts.
  std::string Plain(std::string_view text) const {
    if (!settings.ignore_case && !settings.ignore_punctuation) return OneSpaced(text);
    if (!settings.ignore_punctuation) return LowerCase(OneSpaced(text));
    std::string out;
    for (const std::string& word : WordsOf(text)) StrAppend(&out, out.empty() ? "" : " ", word);
    return out;
  }

  Settings settings;
  std::vector<std::string> golds;
};

}  // namespace

std::vector<OptionInfo> ExactOptionInfos() { return TextVerifierOptionInfos<ExactJudge>(); }
Result<std::unique_ptr<Verifier>> MakeExactVerifier(const Json& options, const VerifierEnv& env) {
  return MakeTextVerifier<ExactJudge>(options, env);
}

}  // namespace assay
