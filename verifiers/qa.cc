#include <algorithm>
#include <string>
#include <vector>

#include "core/text.h"
#include "verifiers/text_verifiers.h"
#include "verifiers/words.h"

namespace assay {
namespace {

enum class Metric { kExact, kF1 };

// An answer to a question is short; what is longer hedges, and its F1 is low anyway.
constexpr size_t kWordsMax = 2000;

// Words without English articles, as SQuAD's evaluation counts them (Rajpurkar et al. 2016, section 6.1).
std::vector<std::string> AnswerWords(std::string_view text) {
  std::vector<std::string> words = WordsOf(text);
  std::vector<std::string> kept;
  for (std::string& word : words) {
    if (word != "a" && word != "an" && word != "the") kept.push_back(std::move(word));
  }
  return kept.empty() ? words : kept;
}

// 2PR/(P+R) over words, each as often as it stands.
double TokenF1(std::vector<std::string> answer, std::vector<std::string> gold) {
  std::sort(answer.begin(), answer.end());
  std::sort(gold.begin(), gold.end());
  std::vector<std::string> common;
  std::set_intersection(answer.begin(), answer.end(), gold.begin(), gold.end(),
                        std::back_inserter(common));
  return 2.0 * static_cast<double>(common.size()) /
         static_cast<double>(answer.size() + gold.size());
}

// `qa`: a short answer in words against the row's answers.
struct QaJudge {
  struct Settings {
    AnswerPlace from = AnswerPlace::kAuto;
    Metric metric = Metric::kExact;
    double pass_at = 1;
  };

  static Options Table(Settings* s) {
    Options table = VerifierOptions("qa");
    AddAnswerPlace(&s->from, &table);
    table.Add("metric", &s->metric,
              ChoiceNames<Metric>{{"exact", Metric::kExact}, {"f1", Metric::kF1}},
              "the score: 1 for the same words in the same order; or F1 over words");
    table.Add("pass_at", &s->pass_at, "from this F1 on an answer passes").Range(0.01, 1);
    return table;
  }
  static Status Check(const Settings&) { return {}; }

  QaJudge(const Settings& s, const Problem& problem) : settings(s) {
    for (const std::string& answer : problem.answers) {
      std::vector<std::string> words = AnswerWords(answer);
      if (!words.empty()) golds.push_back(std::move(words));
    }
  }

  Verdict operator()(const Sample& sample) const {
    if (golds.empty()) return Verdict::Fault("gold_missing", "the row has no reference answer");
    const FoundAnswer found = FindAnswer(sample.text, settings.from);
    if (found.refusal) return *found.refusal;
    const std::vector<std::string> answer = AnswerWords(found.text);
    if (answer.empty()) return Verdict::Fail("no_answer", "the answer has no words");
    if (answer.size() > kWordsMax) return Verdict::Fail("limit_reached", "the answer is too long");
    double best = 0;
    for (const std::vector<std::string>& gold : golds) {
      if (answer == gold) return Verdict::Pass();
      if (settings.metric == Metric::kF1) best = std::max(best, TokenF1(answer, gold));
    }
    if (settings.metric == Metric::kF1 && best >= settings.pass_at)
      return Verdict::Pass("ok", best);
    return Verdict::Fail(
        "wrong_value",
        StrCat("the answer is ", Shorten(found.text, 80), ", F1 ", FixedDigits(best, 3)), best);
  }

  Settings settings;
  std::vector<std::vector<std::string>> golds;
};

}  // namespace

std::vector<OptionInfo> QaOptionInfos() { return TextVerifierOptionInfos<QaJudge>(); }
Result<std::unique_ptr<Verifier>> MakeQaVerifier(const Json& options, const VerifierEnv& env) {
  return MakeTextVerifier<QaJudge>(options, env);
}

}  // namespace assay
