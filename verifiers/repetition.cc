#include <algorithm>
#include <string>
#include <vector>

#include "core/hash.h"
#include "core/text.h"
#include "verifiers/text_verifiers.h"
#include "verifiers/words.h"

namespace assay {
namespace {

// A run without a space is cut: "aaaa..." repeats itself, too.
constexpr int kLongestWord = 16;

// `repetition`: the share of a reply's n-grams that are new, as 1 minus the repetition of Yeo et al. (2502.03373, section 4.3).
struct RepetitionJudge {
  struct Settings {
    int64_t ngram = 4;
    double pass_at = 0.5;
    bool answer_only = false;
  };

  static Options Table(Settings* s) {
    Options table = VerifierOptions("repetition");
    table.Add("ngram", &s->ngram, "words in a row that count as one piece").Range(1, 100);
    table.Add("pass_at", &s->pass_at, "from this share of different pieces on a reply passes")
        .Range(0, 1);
    table.Add("answer_only", &s->answer_only, "what stands before </think> is not looked at");
    return table;
  }
  static Status Check(const Settings&) { return {}; }

  RepetitionJudge(const Settings& s, const Problem&) : settings(s) {}

  Verdict operator()(const Sample& sample) const {
    const std::string_view text = settings.answer_only ? AnswerPart(sample.text) : sample.text;
    std::vector<uint64_t> words;
    for (const std::string& word : WordsOf(text, kLongestWord)) words.push_back(HashBytes64(word));
    const auto n = static_cast<size_t>(settings.ngram);
    if (words.size() < n) return Verdict::Pass();
    std::vector<uint64_t> pieces;
    for (size_t i = 0; i + n <= words.size(); ++i) {
      const std::string_view bytes(reinterpret_cast<const char*>(&words[i]), n * sizeof(words[0]));
      pieces.push_back(HashBytes64(bytes));
    }
    const auto all = static_cast<double>(pieces.size());
    std::sort(pieces.begin(), pieces.end());
    pieces.erase(std::unique(pieces.begin(), pieces.end()), pieces.end());
    const double share = static_cast<double>(pieces.size()) / all;
    if (share >= settings.pass_at) return Verdict::Pass("ok", share);
    return Verdict::Fail("repetition",
                         StrCat("only ", FixedDigits(share, 3), " of its pieces differ"), share);
  }

  Settings settings;
};

}  // namespace

std::vector<OptionInfo> RepetitionOptionInfos() {
  return TextVerifierOptionInfos<RepetitionJudge>();
}
Result<std::unique_ptr<Verifier>> MakeRepetitionVerifier(const Json& options,
                                                         const VerifierEnv& env) {
  return MakeTextVerifier<RepetitionJudge>(options, env);
}

}  // namespace assay
