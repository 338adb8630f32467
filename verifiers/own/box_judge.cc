#include "verifiers/own/box_judge.h"

#include <utility>

#include "core/text.h"
#include "verifiers/own/own_verifiers.h"

namespace assay::own {
namespace {

Result<Json> LastLine(std::string_view output) {
  const std::string_view text = Trim(output);
  const size_t newline = text.rfind('\n');
  return ParseJson(newline == std::string_view::npos ? text : text.substr(newline + 1));
}

}  // namespace

std::vector<std::vector<Verdict>> BoxJudge::Judge(const std::vector<const Group*>& groups) const {
  std::vector<std::vector<Verdict>> out;
  for (const Group* group : groups) {
    std::vector<Verdict>& verdicts = out.emplace_back();
    for (size_t i = 0; i < group->samples.size(); ++i) {
      SampleRef ref{group, i};
      if (options_.answer) {
        FoundAnswer found = FindAnswer(group->samples[i].text, *options_.answer);
        if (found.refusal) {
          verdicts.push_back(std::move(*found.refusal));
          continue;
        }
        ref.answer = found.text;
      }
      verdicts.push_back(JudgeOne(ref));
    }
  }
  return out;
}

RunResult BoxJudge::RunOn(const std::vector<SampleRef>& samples) const {
  Job job;
  job.source = kPythonHost;
  job.args = {"--box"};
  job.files = {{"reward.py", source_},
               {"config.json", hello_},
               {"request.json", RequestJson(samples, options_.with_token_ids)}};
  job.limits.cpu_ms = static_cast<int64_t>(options_.timeout_s * 1000);
  job.limits.wall_ms = 2 * job.limits.cpu_ms;
  return sandbox_->Run(job);
}

Status BoxJudge::CheckLoads() const {
  const RunResult run = RunOn({});
  if (run.cause == Cause::kFault) return Error{ErrorCode::kUnavailable, run.fault, ""};
  const Result<Json> answer = LastLine(run.stdout_bytes);
  if (run.cause == Cause::kOk && answer.ok() && answer->Find("ok") != nullptr) return {};
  std::string why = StrCat(CauseName(run.cause), " ", Shorten(Trim(run.stderr_bytes), 300));
  if (answer.ok()) why = answer->StringOr("error", why);
  return Error{ErrorCode::kUsage, StrCat("inside the box, ", options_.who, ": ", why),
               "the box has its own interpreter and no other files; --python FILE offers it the "
               "packages of a virtual environment"};
}

Verdict BoxJudge::JudgeOne(const SampleRef& sample) const {
  const RunResult run = RunOn({sample});
  Verdict verdict = ReadResult(run);
  verdict.ms = run.wall_ms;
  if (verdict.outcome != Outcome::kFault) verdict.evidence.Set("forgeable", true);
  return verdict;
}

Verdict BoxJudge::ReadResult(const RunResult& run) const {
  if (run.cause == Cause::kFault) return Verdict::Fault("sandbox_fault", run.fault);
  if (run.cause != Cause::kOk) {
    return Verdict::Fail(CauseName(run.cause),
                         StrCat("the function's box: ", Shorten(Trim(run.stderr_bytes), 300)));
  }
  const Result<Json> answer = LastLine(run.stdout_bytes);
  if (!answer.ok() || !answer->IsObject())
    return Verdict::Fail("early_exit", "the program in the box ended before the function did");
  if (const Json* failed = answer->Find("failed"); failed != nullptr) {
    Json error = *failed;
    error.Set("error", failed->StringOr("reason", "reward_raised"));
    return VerdictOf(error, options_, &complaints_);
  }
  const Json* results = answer->Find("results");
  if (results == nullptr || !results->IsArray() || results->AsArray()->size() != 1)
    return Verdict::Fail("early_exit", "the program in the box did not answer as agreed");
  return VerdictOf((*results->AsArray())[0], options_, &complaints_);
}

}  // namespace assay::own
