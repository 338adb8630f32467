#include "verifiers/format.h"

#include <re2/re2.h>

#include <chrono>

#include "core/text.h"
#include "verifiers/format_template.h"

namespace assay {
namespace {

enum class Truncated { kAuto, kFail, kJudge };

struct FormatOptions {
  bool prefilled = false;
  std::string form = "think";
  AnswerForm answer = AnswerForm::kAny;
  std::string pattern;
  bool partial = false;
  Truncated truncated = Truncated::kAuto;
};

std::vector<std::string> FormNames() {
  std::vector<std::string> names;
  for (const FormTemplate& form : FormTemplates()) names.emplace_back(form.name);
  names.emplace_back("none");
  return names;
}

Options Table(FormatOptions* o) {
  Options table = VerifierOptions("format");
  table.Add("prefilled", &o->prefilled, "the prompt ended with the first tag already");
  table.Add("template", &o->form, "which tags a reply has, in this order, each exactly once")
      .OneOf(FormNames());
  table.Add("answer", &o->answer,
            ChoiceNames<AnswerForm>{{"any", AnswerForm::kAny},
                                    {"boxed", AnswerForm::kBoxed},
                                    {"code", AnswerForm::kCode},
                                    {"json", AnswerForm::kJson}},
            "what the answer must be: one box; one code block; JSON and nothing else");
  table.Add("pattern", &o->pattern, "a regular expression (RE2) that the whole reply must match");
  table.Add("partial", &o->partial, "a reply that fails scores the share of its tags");
  table.Add(
      "truncated", &o->truncated,
      ChoiceNames<Truncated>{
          {"auto", Truncated::kAuto}, {"fail", Truncated::kFail}, {"judge", Truncated::kJudge}},
      "a reply that was cut off: auto judges it under the template think with no more asked, "
      "else it fails");
  return table;
}

// The pattern is bounded, as a row may bring one; RE2's time is linear in the reply.
constexpr size_t kPatternBytesMax = 10000;
constexpr int64_t kPatternMemory = int64_t{1} << 20;

// Null for no pattern; an error for one that is none.
Result<std::shared_ptr<const RE2>> CompilePattern(const std::string& pattern) {
  if (pattern.empty()) return std::shared_ptr<const RE2>();
  RE2::Options options;
  options.set_log_errors(false);
  options.set_dot_nl(true);
  options.set_max_mem(kPatternMemory);
  if (pattern.size() <= kPatternBytesMax) {
    auto compiled = std::make_shared<const RE2>(pattern, options);
    if (compiled->ok()) return std::shared_ptr<const RE2>(std::move(compiled));
    return Error{ErrorCode::kUsage,
                 StrCat("option 'pattern' of verifier 'format': ", compiled->error()),
                 "the syntax is RE2's: no look-around, no back-references"};
  }
  return Error{ErrorCode::kUsage, "option 'pattern' of verifier 'format' is too long",
               StrCat("at most ", kPatternBytesMax, " bytes")};
}

class FormatVerifier : public Verifier {
 public:
  FormatVerifier(FormatOptions options, std::shared_ptr<const RE2> pattern)
      : options_(std::move(options)),
        pattern_(std::move(pattern)),
        tag_("<(/?)think>"),
        space_("[\\s\\x{0B}\\x{85}\\p{Z}]*"),
        // What shows nothing: marks without a letter, fillers and the blank of Braille besides.
        blank_(
            "[\\s\\p{Z}\\p{Cc}\\p{Cf}\\p{M}\\x{115F}\\x{1160}\\x{3164}\\x{FFA0}\\x{2800}\\x{FFFC}"
            "\\x{1D159}]*") {}

  std::vector<Verdict> Verify(const Group& group, const Json* row_options) const override {
    FormatOptions options = options_;
    std::shared_ptr<const RE2> pattern = pattern_;
    if (row_options != nullptr) {
      if (Status status = Table(&options).Read(*row_options); !status.ok())
        return BadRowOptions(status.error(), group.samples.size());
      if (options.pattern != options_.pattern) {
        Result<std::shared_ptr<const RE2>> own = CompilePattern(options.pattern);
        if (!own.ok()) return BadRowOptions(own.error(), group.samples.size());
        pattern = *own;
      }
    }
    std::vector<Verdict> verdicts;
    verdicts.reserve(group.samples.size());
    for (const Sample& sample : group.samples) {
      const auto start = std::chrono::steady_clock::now();
      verdicts.push_back(Judge(sample, options, pattern.get()));
      verdicts.back().ms =
          std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
              .count();
    }
    return verdicts;
  }

 private:
  Verdict Judge(const Sample& sample, const FormatOptions& options, const RE2* pattern) const {
    const bool plain =
        options.form == "think" && options.answer == AnswerForm::kAny && pattern == nullptr;
    const bool refused =
        options.truncated == Truncated::kFail || (options.truncated == Truncated::kAuto && !plain);
    Verdict verdict = sample.truncated() && refused
                          ? Verdict::Fail("truncated", "the reply was cut off")
                          : JudgeForm(sample.text, options);
    if (verdict.outcome == Outcome::kPass && pattern != nullptr &&
        !RE2::FullMatch(Piece(sample.text), *pattern))
      verdict = Verdict::Fail("pattern_mismatch", "the whole reply does not match the pattern");
    const FormTemplate* form = FindForm(options.form);
    if (options.partial && verdict.outcome == Outcome::kFail && form != nullptr)
      verdict.score = TagShare(WithPrefix(sample.text, *form, options.prefilled), *form);
    return verdict;
  }

  Verdict JudgeForm(std::string_view reply, const FormatOptions& options) const {
    const FormTemplate* form = FindForm(options.form);
    if (form == nullptr) {  // none: all of it is the answer
      if (ShowsNothing(reply)) return Verdict::Fail("empty_answer", "the reply is empty");
      return MatchAnswer(reply, options.answer);
    }
    if (form->name != "think") {
      const std::string whole = WithPrefix(reply, *form, options.prefilled);
      const FormMatch match = MatchForm(whole, *form);
      return match.verdict.outcome == Outcome::kPass ? MatchAnswer(match.answer, options.answer)
                                                     : match.verdict;
    }
    Verdict verdict = JudgeThink(reply, options);
    if (verdict.outcome == Outcome::kPass && options.answer != AnswerForm::kAny)
      verdict = MatchAnswer(reply.substr(reply.find("</think>") + 8), options.answer);
    return verdict;
  }

  static const FormTemplate* FindForm(std::string_view name) {
    for (const FormTemplate& form : FormTemplates()) {
      if (form.name == name) return &form;
    }
    return nullptr;
  }

  static std::string WithPrefix(std::string_view reply, const FormTemplate& form, bool prefilled) {
    return StrCat(prefilled ? form.sections[0].open : std::string_view(), reply);
  }

  Verdict JudgeThink(std::string_view reply, const FormatOptions& options) const {
    size_t open_count = options.prefilled ? 1 : 0, close_count = 0;
    size_t open_start = 0, open_end = 0, close_start = 0, close_end = 0;
    re2::StringPiece rest(reply.data(), reply.size());
    re2::StringPiece slash;
    while (RE2::FindAndConsume(&rest, tag_, &slash)) {
      const size_t end = reply.size() - rest.size();
      if (slash.empty()) {
        if (++open_count == 1) {
          open_start = end - 7;
          open_end = end;
        }
      } else if (++close_count == 1) {
        close_start = end - 8;
        close_end = end;
      }
    }
    if (open_count == 0) return Verdict::Fail("no_think", "there is no <think> tag");
    if (close_count == 0)
      return Verdict::Fail("think_not_closed", "<think> is never closed by </think>");
    if (open_count > 1 || close_count > 1) {
      return Verdict::Fail("think_repeated", StrCat("there are ", open_count, " opening and ",
                                                    close_count, " closing think tags"));
    }
    if (close_start < open_end)
      return Verdict::Fail("think_out_of_order", "</think> comes before <think>");
    if (!RE2::FullMatch(Piece(reply.substr(0, open_start)), space_)) {
      return Verdict::Fail("text_before_think", "the reply does not start with <think>");
    }
    if (RE2::FullMatch(Piece(reply.substr(open_end, close_start - open_end)), blank_)) {
      return Verdict::Fail("empty_reasoning", "nothing stands between <think> and </think>");
    }
    if (RE2::FullMatch(Piece(reply.substr(close_end)), blank_)) {
      return Verdict::Fail("empty_answer", "nothing follows </think>");
    }
    return Verdict::Pass();
  }

  static re2::StringPiece Piece(std::string_view text) { return {text.data(), text.size()}; }

  FormatOptions options_;
  std::shared_ptr<const RE2> pattern_;
  RE2 tag_, space_, blank_;
};

}  // namespace

std::vector<OptionInfo> FormatOptionInfos() {
  FormatOptions defaults;
  return Table(&defaults).Infos();
}

Result<std::unique_ptr<Verifier>> MakeFormatVerifier(const Json& options, const VerifierEnv&) {
  FormatOptions read;
  if (Status status = Table(&read).Read(options); !status.ok()) return status.error();
  Result<std::shared_ptr<const RE2>> pattern = CompilePattern(read.pattern);
  if (!pattern.ok()) return pattern.error();
  return std::unique_ptr<Verifier>(std::make_unique<FormatVerifier>(read, *pattern));
}

}  // namespace assay
