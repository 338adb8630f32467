#include <map>
#include <optional>
#include <string>

#include "core/text.h"
#include "verifiers/language/language_spans.h"
#include "verifiers/language/prose.h"
#include "verifiers/text_verifiers.h"

namespace assay {
namespace {

constexpr size_t kPromptBytesMax = 20000;  // the start of a prompt says its language

enum class Part { kReasoning, kAnswer, kAll };

// What stands between the first <think> and the last </think>; all of a reply without them.
std::string_view ReasoningPart(std::string_view reply) {
  static constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  const size_t open = reply.find(kOpen);
  const size_t begin = open == std::string_view::npos ? 0 : open + kOpen.size();
  const size_t close = reply.rfind(kClose);
  if (close == std::string_view::npos || close < begin) return reply.substr(begin);
  return reply.substr(begin, close - begin);
}

// `language`: the share of a reply's words that are in the language of the prompt (DeepSeek-R1, 2501.12948, section 2.3.2), as score.
struct LanguageJudge {
  struct Settings {
    std::string language, target;
    Part part = Part::kReasoning;
    double pass_at = 1;
  };

  static Options Table(Settings* s) {
    Options table = VerifierOptions("language");
    table.Add("language", &s->language,
              "the language that the words should be in, by its code (en, pt-BR) or English name; "
              "none: the prompt's");
    table.Add("target", &s->target, "another name of `language`");
    table.Add("part", &s->part,
              ChoiceNames<Part>{
                  {"reasoning", Part::kReasoning}, {"answer", Part::kAnswer}, {"all", Part::kAll}},
              "which words are looked at: those inside of <think>, all if there are no such tags; "
              "those behind </think>; or both");
    table.Add("pass_at", &s->pass_at, "from this share on a reply passes").Range(0, 1);
    return table;
  }
  static Status Check(const Settings& s) {
    if (!s.language.empty() && !s.target.empty() && s.language != s.target) {
      return Error{ErrorCode::kUsage,
                   "options 'language' and 'target' of verifier 'language' are one and differ",
                   "give one of them"};
    }
    const std::string& asked = Asked(s);
    if (asked.empty() || LanguageFromName(asked) != kNoLanguage) return {};
    return Error{ErrorCode::kUsage,
                 StrCat("option '", s.language.empty() ? "target" : "language",
                        "' of verifier 'language': unknown language '", Shorten(asked, 40), "'"),
                 "a code such as en, zh or pt-BR"};
  }

  // The language by either of its option's names; empty: the prompt's.
  static const std::string& Asked(const Settings& s) {
    return s.language.empty() ? s.target : s.language;
  }

  LanguageJudge(const Settings& s, const Problem& problem) : settings(s) {
    if (!Asked(s).empty()) {
      expected = LanguageFromName(Asked(s));
    } else {
      std::string_view prompt = problem.prompt;
      if (!problem.messages.empty()) prompt = AskedLast(problem);
      expected = MainLanguage(ProseOf(prompt.substr(0, kPromptBytesMax)));
    }
  }

  // The last message of the user: what the system says may be in another language.
  static std::string_view AskedLast(const Problem& problem) {
    for (auto message = problem.messages.rbegin(); message != problem.messages.rend(); ++message) {
      if (message->role == "user" && !message->content.empty()) return message->content;
    }
    return problem.prompt;
  }

  Verdict operator()(const Sample& sample) const {
    if (expected == kNoLanguage)
      return Verdict::Abstain("no_language", "the prompt has no words of a language that is known");
    const LanguageShare share = ShareOf(ProseOf(Chosen(sample.text)), expected);
    const std::string code(LanguageCodeOf(expected));
    if (share.words == 0) return Verdict::Fail("no_words", "there are no words to look at");
    const double score = (share.words - share.foreign) / share.words;
    Verdict verdict =
        score >= settings.pass_at
            ? Verdict::Pass("ok", score)
            : Verdict::Fail(
                  "mixed_language",
                  StrCat(FixedDigits(score, 3), " of the words are in ", code,
                         share.spans.empty() ? std::string()
                                             : StrCat("; not: ", Shorten(share.spans[0].text, 60))),
                  score);
    verdict.evidence = Evidence(share, code);
    return verdict;
  }

  std::string_view Chosen(std::string_view reply) const {
    if (settings.part == Part::kAll) return reply;
    return settings.part == Part::kAnswer ? AnswerPart(reply) : ReasoningPart(reply);
  }

  static Json Evidence(const LanguageShare& share, const std::string& code) {
    const auto rounded = [](double words) { return static_cast<int64_t>(words * 10 + 0.5) / 10.0; };
    Json spans = Json::MakeArray();
    for (const ForeignSpan& span : share.spans) {
      spans.Append(Json()
                       .Set("language", span.language)
                       .Set("words", rounded(span.words))
                       .Set("text", span.text));
    }
    return Json()
        .Set("language", code)
        .Set("words", rounded(share.words))
        .Set("foreign_words", rounded(share.foreign))
        .Set("foreign", std::move(spans));
  }

  Settings settings;
  LanguageId expected = kNoLanguage;
};

}  // namespace

std::vector<OptionInfo> LanguageOptionInfos() { return TextVerifierOptionInfos<LanguageJudge>(); }
Result<std::unique_ptr<Verifier>> MakeLanguageVerifier(const Json& options,
                                                       const VerifierEnv& env) {
  return MakeTextVerifier<LanguageJudge>(options, env);
}

}  // namespace assay
