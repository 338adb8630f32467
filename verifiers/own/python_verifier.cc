// `python`: a reward function in a file of the user's.
#include <algorithm>
#include <optional>
#include <utility>

#include "core/cores.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "verifiers/own/box_judge.h"
#include "verifiers/own/host_judge.h"
#include "verifiers/own/own_verifiers.h"

namespace assay {
namespace own {

std::string PathFrom(const std::string& folder, const std::string& name) {
  if (folder.empty() || StartsWith(name, "/")) return name;
  return StrCat(folder, EndsWith(folder, "/") ? "" : "/", name);
}

std::vector<Verdict> NoRowOptions(const char* verifier, size_t count) {
  return BadRowOptions(
      Error{ErrorCode::kUsage, StrCat("a row cannot set options of '", verifier, "'"),
            "they stand in the rubric"},
      count);
}

}  // namespace own

namespace {

enum class OnError { kAuto, kNull, kFail };

constexpr double kGraceSeconds = 3;  // the process itself ends a call in time, if it can
constexpr int64_t kProcessesMax = 256;
constexpr size_t kFileBytesMax = size_t{4} << 20;

struct Settings {
  std::string file, module, function;
  std::string form = "auto";
  std::string chat = "auto";
  AnswerPlace from = AnswerPlace::kAuto;
  std::string interpreter = "python3";
  int64_t processes = 0;
  int64_t batch = 256;
  double timeout_s = 60;
  OnError on_error = OnError::kAuto;
  double pass_at = 1;
  bool inside_box = false;
};

Options Table(Settings* s) {
  Options table = VerifierOptions("python");
  table.Add("file", &s->file, "the Python file, from the rubric's folder on");
  table.Add("module", &s->module, "instead of a file, a module that the interpreter can import");
  table.Add("function", &s->function,
            "which of its functions; none: the only one, or one of a usual name");
  table
      .Add("form", &s->form,
           "what it takes: TRL's lists; one sample; verl's compute_score, or that over lists; an "
           "answer and an entry; auto: by the names of its parameters")
      .OneOf({"auto", "trl", "one", "verl", "verl_batch", "reasoning_gym"});
  table
      .Add("chat", &s->chat,
           "prompts and completions are lists of messages; auto: where the row's prompt is one")
      .OneOf({"auto", "always", "never"});
  AddAnswerPlace(&s->from, &table);
  table.Add("interpreter", &s->interpreter, "which Python: a path, or a name on PATH");
  table.Add("processes", &s->processes, "at most so many at once; 0: one a core")
      .Range(0, kProcessesMax);
  table.Add("batch", &s->batch, "samples that a process is given at a time").Range(1, 4096);
  table.Add("timeout_s", &s->timeout_s, "the most that one sample may take, seconds")
      .Range(0.01, 86400);
  table.Add("on_error", &s->on_error,
            ChoiceNames<OnError>{
                {"auto", OnError::kAuto}, {"null", OnError::kNull}, {"fail", OnError::kFail}},
            "what an exception, a hang or a value that is no number does to its samples: no "
            "reward, or a fail with score 0; auto: null, in the box fail");
  table.Add("pass_at", &s->pass_at, "a score from here on passes").Finite();
  table.Add("inside_box", &s->inside_box,
            "call it in the sandbox, a box a sample: for functions that run what the model wrote");
  return table;
}

Status Check(const Settings& s) {
  if (s.file.empty() == s.module.empty()) {
    return Error{ErrorCode::kUsage, "verifier 'python' needs either a 'file' or a 'module'",
                 "file = \"reward.py\""};
  }
  if (s.inside_box && s.file.empty()) {
    return Error{ErrorCode::kUsage, "inside the box, verifier 'python' needs a 'file'",
                 "a module is not there"};
  }
  return {};
}

Json HelloOf(const Settings& s, const std::string& file) {
  return Json()
      .Set("file", file)
      .Set("module", s.module)
      .Set("function", s.function)
      .Set("form", s.form)
      .Set("chat", s.chat)
      .Set("timeout_s", s.timeout_s);
}

class PythonVerifier : public Verifier {
 public:
  explicit PythonVerifier(std::unique_ptr<own::HostJudge> judge, int64_t batch)
      : judge_(std::move(judge)), batch_(batch) {}
  explicit PythonVerifier(std::unique_ptr<own::BoxJudge> judge) : box_(std::move(judge)) {}

  std::vector<Verdict> Verify(const Group& group, const Json* row_options) const override {
    return std::move(VerifyGroups({{&group, row_options}})[0]);
  }

  std::vector<std::vector<Verdict>> VerifyGroups(
      const std::vector<VerifyRequest>& requests) const override {
    return box_ ? own::JudgeAllowed("python", requests, *box_)
                : own::JudgeAllowed("python", requests, *judge_);
  }

  // In the box every sample takes milliseconds; outside, every process wants a batch from whoever comes.
  int64_t BatchSamples() const override { return box_ ? 1 : 4 * batch_; }
  std::vector<std::string> Notes() const override { return box_ ? box_->Notes() : judge_->Notes(); }

 private:
  std::unique_ptr<own::HostJudge> judge_;
  std::unique_ptr<own::BoxJudge> box_;
  int64_t batch_ = 0;
};

own::HostJudgeOptions JudgeOptionsOf(const Settings& s) {
  own::HostJudgeOptions options;
  options.who = s.file.empty() ? s.module : s.file;
  options.batch = s.batch;
  options.timeout_s = s.timeout_s;
  options.errors_fail =
      s.on_error == OnError::kFail || (s.on_error == OnError::kAuto && s.inside_box);
  options.pass_at = s.pass_at;
  return options;
}

Result<std::unique_ptr<Verifier>> MakeInBox(const Settings& s, const std::string& file,
                                            const VerifierEnv& env) {
  if (env.sandbox == nullptr && !env.open_sandbox) {
    return Error{ErrorCode::kUnavailable,
                 "inside_box needs the sandbox, which is not available here",
                 "run `assay doctor`: it says what is missing"};
  }
  Result<Sandbox*> sandbox =
      env.sandbox != nullptr ? Result<Sandbox*>(env.sandbox) : env.open_sandbox();
  if (!sandbox.ok()) return sandbox.error();
  Result<std::string> source = ReadFile(file, kFileBytesMax);
  if (!source.ok()) return source.error();
  own::HostJudgeOptions options = JudgeOptionsOf(s);
  if (s.form == "reasoning_gym") options.answer = s.from;
  auto judge = std::make_unique<own::BoxJudge>(std::move(options), *sandbox, std::move(*source),
                                               HelloOf(s, "reward.py"));
  if (Status status = judge->CheckLoads(); !status.ok()) return status.error();
  return std::unique_ptr<Verifier>(std::make_unique<PythonVerifier>(std::move(judge)));
}

}  // namespace

std::vector<OptionInfo> PythonOptionInfos() {
  Settings settings;
  return Table(&settings).Infos();
}

Result<std::unique_ptr<Verifier>> MakePythonVerifier(const Json& options, const VerifierEnv& env) {
  Settings s;
  if (Status status = Table(&s).Read(options); !status.ok()) return status.error();
  if (Status status = Check(s); !status.ok()) return status.error();
  const std::string file = s.file.empty() ? "" : own::PathFrom(env.folder, s.file);
  if (s.inside_box) return MakeInBox(s, file, env);
  own::HostPoolOptions pool;
  pool.argv = {s.interpreter, "-c", own::kPythonHost};
  pool.hello = HelloOf(s, file).Dump();
  pool.processes =
      static_cast<int>(s.processes > 0 ? s.processes : std::min<int64_t>(UsableCores(), 16));
  pool.quiet_s = s.timeout_s + kGraceSeconds;
  pool.interrupted = env.interrupted;
  Result<std::unique_ptr<own::HostPool>> opened = own::HostPool::Open(std::move(pool));
  if (!opened.ok()) return opened.error();
  own::HostJudgeOptions judge = JudgeOptionsOf(s);
  const Json& greeting = (*opened)->greeting();
  if (greeting.StringOr("form", "") == "reasoning_gym") judge.answer = s.from;
  judge.with_token_ids = greeting.BoolOr("wants_ids", false);
  return std::unique_ptr<Verifier>(std::make_unique<PythonVerifier>(
      std::make_unique<own::HostJudge>(std::move(judge), std::move(*opened)), s.batch));
}

}  // namespace assay
