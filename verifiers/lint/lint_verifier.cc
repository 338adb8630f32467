#include "verifiers/lint/lint_verifier.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "core/text.h"
#include "sandbox/sandbox.h"
#include "verifiers/code/code_task.h"
#include "verifiers/lint/linters.h"

namespace assay {
namespace {

constexpr size_t kMaxProgramBytes = size_t{1} << 20;

struct LintOptions {
  std::string language = "auto";
  double pass_at = 1;
  bool need_ruff = false;
};

Options LintTable(LintOptions* o) {
  Options table = VerifierOptions("lint");
  table.Add("language", &o->language, "the programs' language; auto: the row's, else Python")
      .OneOf({"auto", "python", "c", "c++", "javascript"});
  table.Add("pass_at", &o->pass_at, "from this score on a program passes; 1: nothing was found")
      .Range(0.01, 1);
  table.Add("need_ruff", &o->need_ruff,
            "Python without ruff is a fault; else its syntax alone is looked at");
  return table;
}

// A program with what stands before the reply's own part, which is not the reply's doing.
struct Looked {
  std::string text;
  int64_t own_from = 0;  // lines before its own
};

Looked ProgramOf(const Result<CodeTask>& task, const std::string& language,
                 std::string_view reply) {
  Looked looked;
  // A row without tests is none of ours to blame: the reply's program stands alone.
  if (!task.ok() || task->language != language) {
    looked.text = ExtractProgram(reply, language).text;
    return looked;
  }
  const CodeProgram program = BuildProgram(*task, reply);
  if (program.text.empty()) return looked;
  looked.text = program.text;
  looked.own_from = program.first_line;
  if (language == "python" && !task->setup.empty()) {  // names that it defines are no mistakes
    looked.own_from += std::count(task->setup.begin(), task->setup.end(), '\n') + 1;
    looked.text = StrCat(task->setup, "\n", looked.text);
  }
  return looked;
}

// Python takes 200 brackets in each other, ruff any number. Brackets in texts are counted too: it is asked again for nothing then.
bool MayNestTooDeep(std::string_view program) {
  constexpr int kDepth = 90;
  int depth = 0, deepest = 0;
  for (char c : program) {
    if (c == '(' || c == '[' || c == '{') deepest = std::max(deepest, ++depth);
    if ((c == ')' || c == ']' || c == '}') && depth > 0) --depth;
  }
  return deepest > kDepth;
}

void ConfirmParses(lint::Report compiled, lint::Report* report) {
  if (compiled.parses && compiled.gave_up.empty() && compiled.unavailable.empty()) return;
  compiled.tool = report->tool + " and python";
  *report = std::move(compiled);
}

Verdict Judge(const Looked& looked, const std::string& language, const lint::Report& report,
              double pass_at) {
  if (!report.unavailable.empty()) return Verdict::Fault("lint_unavailable", report.unavailable);
  if (!report.gave_up.empty()) return Verdict::Fail("lint_limit", report.gave_up);
  std::vector<lint::Finding> own;
  for (lint::Finding finding : report.findings) {
    if (finding.line <= looked.own_from && report.parses) continue;
    finding.line = std::max<int64_t>(finding.line - looked.own_from, 0);
    own.push_back(std::move(finding));
  }
  std::string_view own_text = looked.text;
  for (int64_t i = 0; i < looked.own_from; ++i) own_text.remove_prefix(own_text.find('\n') + 1);
  const int64_t lines = lint::CodeLines(own_text, language);
  const double score = report.parses ? lint::LintScore(own, lines) : 0;
  double weight = 0;
  for (const lint::Finding& finding : own) weight += finding.weight;
  Verdict verdict = Verdict::Pass("ok", score);
  if (!report.parses) {
    verdict = Verdict::Fail("syntax_error", StrCat(own[0].message, " (line ", own[0].line, ")"));
  } else if (score < pass_at) {
    const size_t more = own.size() - 1;
    verdict = Verdict::Fail("lint_findings",
                            StrCat(own[0].message, " (line ", own[0].line, ")",
                                   more == 0 ? "" : StrCat(", and ", more, " more")),
                            score);
  }
  verdict.detail = Shorten(SanitizeUtf8(verdict.detail), 400);
  verdict.evidence.Set("tool", report.tool).Set("lines", lines);
  verdict.evidence.Set("weight", weight).Set("findings", lint::FindingsJson(own));
  return verdict;
}

class LintVerifier : public Verifier {
 public:
  LintVerifier(LintOptions options, Sandbox* sandbox)
      : options_(std::move(options)),
        sandbox_(sandbox),
        ruff_(lint::FindRuff()),
        python_version_(sandbox->Describe().python_version) {}

  int64_t BatchSamples() const override { return 1; }

  std::vector<Verdict> Verify(const Group& group, const Json* row_options) const override {
    const auto start = std::chrono::steady_clock::now();
    LintOptions options = options_;
    if (row_options != nullptr) {
      if (Status read = LintTable(&options).Read(*row_options); !read.ok())
        return BadRowOptions(read.error(), group.samples.size());
    }
    const Result<CodeTask> task = ReadCodeTask(group.problem, CodeOptions());
    std::string language = options.language;
    if (language == "auto") {
      const Json& info = group.problem.verification_info;
      language = task.ok() ? task->language : std::string(info.StringOr("language", "python"));
    }
    std::vector<Verdict> verdicts = JudgeAll(group, task, language, options);
    const auto end = std::chrono::steady_clock::now();
    const double ms = std::chrono::duration<double, std::milli>(end - start).count();
    for (Verdict& verdict : verdicts)
      verdict.ms = ms / static_cast<double>(std::max<size_t>(verdicts.size(), 1));
    return verdicts;
  }

 private:
  // Equal programs are looked at once.
  std::vector<Verdict> JudgeAll(const Group& group, const Result<CodeTask>& task,
                                const std::string& language, const LintOptions& options) const {
    std::map<std::string, size_t> known;
    std::vector<Looked> looked;
    std::vector<std::optional<size_t>> place;  // of a sample's program; none: it has none
    std::vector<Verdict> verdicts(group.samples.size());
    for (size_t i = 0; i < group.samples.size(); ++i) {
      Looked one = ProgramOf(task, language, group.samples[i].text);
      place.emplace_back();
      if (Trim(one.text).empty()) {
        verdicts[i] = Verdict::Fail("no_code", "the reply holds no program");
      } else if (one.text.size() > kMaxProgramBytes) {
        verdicts[i] = Verdict::Fail("lint_limit", "the program is too long");
      } else {
        auto [found, fresh] = known.emplace(one.text, looked.size());
        if (fresh) looked.push_back(std::move(one));
        place[i] = found->second;
      }
    }
    const std::vector<Verdict> of_programs = JudgePrograms(looked, language, options);
    for (size_t i = 0; i < verdicts.size(); ++i) {
      if (place[i]) verdicts[i] = of_programs[*place[i]];
    }
    return verdicts;
  }

  std::vector<Verdict> JudgePrograms(const std::vector<Looked>& looked, const std::string& language,
                                     const LintOptions& options) const {
    if (language == "python" && ruff_.empty() && options.need_ruff) {
      return std::vector<Verdict>(
          looked.size(), Verdict::Fault("lint_unavailable", "ruff is not installed (PyPI: ruff)"));
    }
    std::vector<lint::Report> reports;
    if (language == "python" && !ruff_.empty()) {
      std::vector<std::string> texts;
      for (const Looked& one : looked) texts.push_back(one.text);
      reports = lint::LintByRuff(ruff_, python_version_, texts);
      for (size_t i = 0; i < texts.size(); ++i) {
        if (reports[i].parses && MayNestTooDeep(texts[i]))
          ConfirmParses(lint::LintByCompiling(texts[i], sandbox_), &reports[i]);
      }
    } else {
      for (const Looked& one : looked) {
        if (language == "python") {
          reports.push_back(lint::LintByCompiling(one.text, sandbox_));
        } else if (language == "c" || language == "c++") {
          reports.push_back(lint::LintByCompiler(language, one.text, sandbox_));
        } else if (language == "javascript") {
          reports.push_back(lint::LintByNode(one.text, sandbox_));
        } else {
          return std::vector<Verdict>(
              looked.size(),
              Verdict::Abstain("lint_language", StrCat("no linter for '", language, "'")));
        }
      }
    }
    std::vector<Verdict> verdicts;
    for (size_t i = 0; i < looked.size(); ++i)
      verdicts.push_back(Judge(looked[i], language, reports[i], options.pass_at));
    return verdicts;
  }

  const LintOptions options_;
  Sandbox* const sandbox_;
  const std::string ruff_;
  const std::string python_version_;
};

}  // namespace

std::vector<OptionInfo> LintOptionInfos() {
  LintOptions defaults;
  return LintTable(&defaults).Infos();
}

Result<std::unique_ptr<Verifier>> MakeLintVerifier(const Json& options, const VerifierEnv& env) {
  LintOptions read;
  if (Status status = LintTable(&read).Read(options); !status.ok()) return status.error();
  if (env.sandbox == nullptr) {
    return Error{ErrorCode::kUnavailable, "verifier 'lint' needs the sandbox",
                 "run `assay doctor`: it says what is missing"};
  }
  return std::unique_ptr<Verifier>(std::make_unique<LintVerifier>(std::move(read), env.sandbox));
}

}  // namespace assay
