#include <re2/re2.h>

#include <memory>
#include <string>

#include "core/text.h"
#include "verifiers/text_verifiers.h"

namespace assay {
namespace {

// A row may bring a pattern, so its size is bounded; RE2's time is linear in the answer.
constexpr size_t kPatternBytesMax = 10000;
constexpr int64_t kPatternMemory = int64_t{1} << 20;

RE2::Options PatternOptions(bool ignore_case) {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_case_sensitive(!ignore_case);
  options.set_max_mem(kPatternMemory);
  return options;
}

// `regex`: the whole answer matches a pattern, the option's or one of the row's answers.
struct RegexJudge {
  struct Settings {
    AnswerPlace from = AnswerPlace::kAuto;
    std::string pattern;
    bool ignore_case = false;
  };

  static Options Table(Settings* s) {
    Options table = VerifierOptions("regex");
    AddAnswerPlace(&s->from, &table);
    table.Add(
        "pattern", &s->pattern,
        "a regular expression (RE2) that the whole answer must match; none: the row's answers "
        "are patterns");
    table.Add("ignore_case", &s->ignore_case, "small and capital letters are the same");
    return table;
  }

  static Status Check(const Settings& s) {
    if (s.pattern.size() > kPatternBytesMax) {
      return Error{ErrorCode::kUsage, "option 'pattern' of verifier 'regex' is too long",
                   StrCat("at most ", kPatternBytesMax, " bytes")};
    }
    const RE2 compiled(s.pattern, PatternOptions(s.ignore_case));
    if (compiled.ok()) return {};
    return Error{ErrorCode::kUsage,
                 StrCat("option 'pattern' of verifier 'regex': ", compiled.error()),
                 "the syntax is RE2's: no look-around, no back-references"};
  }

  RegexJudge(const Settings& s, const Problem& problem) : from(s.from) {
    const std::vector<std::string> from_row = problem.answers;
    const std::vector<std::string> from_option = {s.pattern};
    for (const std::string& text : s.pattern.empty() ? from_row : from_option) {
      if (text.empty()) continue;
      auto pattern = std::make_unique<RE2>(text.substr(0, kPatternBytesMax + 1),
                                           PatternOptions(s.ignore_case));
      if (text.size() > kPatternBytesMax || !pattern->ok()) {
        fault = Verdict::Fault(
            "gold_bad_pattern",
            StrCat("the row's answer is no regular expression: ", Shorten(pattern->error(), 200)));
        return;
      }
      patterns.push_back(std::move(pattern));
    }
    if (patterns.empty())
      fault = Verdict::Fault("gold_missing", "there is no pattern and the row has no answer");
  }

  Verdict operator()(const Sample& sample) const {
    if (fault) return *fault;
    const FoundAnswer found = FindAnswer(sample.text, from);
    if (found.refusal) return *found.refusal;
    const re2::StringPiece answer(found.text.data(), found.text.size());
    for (const std::unique_ptr<RE2>& pattern : patterns) {
      if (RE2::FullMatch(answer, *pattern)) return Verdict::Pass();
    }
    return Verdict::Fail("pattern_mismatch",
                         StrCat("the whole answer does not match: ", Shorten(found.text, 80)));
  }

  AnswerPlace from;
  std::vector<std::unique_ptr<RE2>> patterns;
  std::optional<Verdict> fault;
};

}  // namespace

std::vector<OptionInfo> RegexOptionInfos() { return TextVerifierOptionInfos<RegexJudge>(); }
Result<std::unique_ptr<Verifier>> MakeRegexVerifier(const Json& options, const VerifierEnv& env) {
  return MakeTextVerifier<RegexJudge>(options, env);
}

}  // namespace assay
