#include "verifiers/own/host_judge.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <system_error>
#include <thread>
#include <utility>

#include "core/text.h"

namespace assay::own {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kDetailBytes = 500;
constexpr size_t kEvidenceBytes = 8192;
constexpr size_t kNoteBytes = 4000;

}  // namespace

void Complaints::Add(const std::string& reason, const std::string& text) {
  std::lock_guard<std::mutex> lock(mutex_);
  Kind& kind = kinds_[reason];
  ++kind.count;
  if (kind.first.empty()) kind.first = Shorten(Trim(text), kNoteBytes);
}

std::vector<std::string> Complaints::Sentences(const std::string& who) const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<std::string> out;
  for (const auto& [reason, kind] : kinds_) {
    out.push_back(StrCat(who, ": ", WithThousands(kind.count),
                         kind.count == 1 ? " sample " : " samples ", reason,
                         "; the first: ", kind.first));
  }
  return out;
}

Verdict ErrorVerdict(const std::string& reason, const std::string& detail, bool fails) {
  const std::string sentence = Shorten(detail, kDetailBytes);
  return fails ? Verdict::Fail(reason, sentence) : Verdict::Fault(reason, sentence);
}

Verdict VerdictOf(const Json& result, const HostJudgeOptions& options, Complaints* complaints) {
  if (result.IsNull()) return Verdict::Abstain("not_applicable", "the function gave None");
  const auto error = [&](const std::string& reason, std::string_view detail,
                         std::string_view traceback) {
    complaints->Add(reason, std::string(traceback.empty() ? detail : traceback));
    return ErrorVerdict(reason, std::string(detail), options.errors_fail);
  };
  if (!result.IsNumber() && !result.IsObject())
    return error("reward_bad_value", "it answered something that is no score", "");
  if (const std::string_view reason = result.StringOr("error", ""); !reason.empty())
    return error(std::string(reason), result.StringOr("detail", ""),
                 result.StringOr("traceback", ""));
  const Json* number = result.IsNumber() ? &result : result.Find("score");
  const double score = number != nullptr && number->IsNumber() ? number->NumberOr(0) : NAN;
  if (!std::isfinite(score)) return error("reward_bad_value", "the score is no finite number", "");
  const std::string_view said = result.StringOr("outcome", "");
  bool passes = score >= options.pass_at;
  if (!said.empty()) passes = said == "pass";
  if (said == "abstain")
    return Verdict::Abstain("not_applicable", std::string(result.StringOr("detail", "")));
  Verdict verdict;
  verdict.outcome = passes ? Outcome::kPass : Outcome::kFail;
  verdict.score = score;
  verdict.reason = result.StringOr("reason", passes ? "ok" : "low_score");
  verdict.detail = Shorten(result.StringOr("detail", ""), kDetailBytes);
  if (const Json* evidence = result.Find("evidence");
      evidence != nullptr && evidence->IsObject() && evidence->Dump().size() <= kEvidenceBytes)
    verdict.evidence = *evidence;
  return verdict;
}

struct HostJudge::Batch {
  std::vector<SampleRef> samples;
  std::vector<Verdict*> into;  // one a sample

  std::vector<size_t> Groups() const {
    std::vector<size_t> sizes;
    for (size_t i = 0; i < samples.size(); ++i) {
      if (i == 0 || samples[i].group != samples[i - 1].group) sizes.push_back(0);
      ++sizes.back();
    }
    return sizes;
  }
};

bool HostJudge::TakeAnswer(const HostPool::Reply& reply, const CallPlan::Call& call,
                           Batch* batch) const {
  if (reply.kind != HostPool::Reply::Kind::kAnswer) return false;
  const Json* results = reply.answer.Find("results");
  if (results == nullptr || !results->IsArray() ||
      results->AsArray()->size() != call.to - call.from)
    return false;
  for (size_t i = call.from; i < call.to; ++i)
    *batch->into[i] = VerdictOf((*results->AsArray())[i - call.from], options_, &complaints_);
  return true;
}

namespace {

// What went wrong with a whole call.
struct Failure {
  std::string reason, detail, traceback;
  bool may_be_asked_again = true;
};

Failure FailureOf(const HostPool::Reply& reply, double timeout_s) {
  using Kind = HostPool::Reply::Kind;
  switch (reply.kind) {
    case Kind::kAnswer: {
      const Json* failed = reply.answer.Find("failed");
      if (failed == nullptr) return {"reward_bad_length", "not one result a sample", ""};
      return {std::string(failed->StringOr("reason", "reward_raised")),
              std::string(failed->StringOr("detail", "")),
              std::string(failed->StringOr("traceback", ""))};
    }
    case Kind::kTimedOut:
      return {"reward_timeout", StrCat("a call took longer than ", FixedDigits(timeout_s, 1), " s"),
              ""};
    case Kind::kDied:
      return {"reward_died", StrCat("the process that judges ended: ", reply.words), ""};
    default:
      return {"reward_unavailable", reply.words, "", false};
  }
}

}  // namespace

void HostJudge::AskAbout(Batch* batch) const {
  CallPlan plan(&pace_, batch->Groups());
  while (const std::optional<CallPlan::Call> call = plan.Next()) {
    const Clock::time_point start = Clock::now();
    const HostPool::Reply reply =
        pool_->Ask(RequestJson({batch->samples.begin() + static_cast<std::ptrdiff_t>(call->from),
                                batch->samples.begin() + static_cast<std::ptrdiff_t>(call->to)},
                               options_.with_token_ids));
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    if (TakeAnswer(reply, *call, batch)) {
      plan.Answered(seconds);
      continue;
    }
    const Failure failure = FailureOf(reply, options_.timeout_s);
    const auto settle = [&](size_t at) {
      complaints_.Add(failure.reason,
                      failure.traceback.empty() ? failure.detail : failure.traceback);
      *batch->into[at] = ErrorVerdict(failure.reason, failure.detail,
                                      options_.errors_fail && failure.may_be_asked_again);
    };
    if (failure.may_be_asked_again && reply.at > 0 && reply.at <= call->to - call->from) {
      settle(call->from + reply.at - 1);  // the process says whose doing it was
      plan.Blame(call->from + reply.at - 1);
      continue;
    }
    const size_t until = failure.may_be_asked_again
                             ? plan.Failed(seconds, failure.reason == "reward_timeout")
                             : batch->samples.size();
    for (size_t at = call->from; at < until; ++at) {
      if (!plan.Blamed(at)) settle(at);
    }
    if (!failure.may_be_asked_again) return;
  }
}

void HostJudge::JudgeBatch(Batch* batch) const {
  if (batch->samples.empty()) return;
  const Clock::time_point start = Clock::now();
  AskAbout(batch);
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count();
  for (Verdict* verdict : batch->into) verdict->ms = ms / static_cast<double>(batch->into.size());
}

// Whole groups, as many as fit. `verdicts` gets its shape, and those of replies that are not asked about.
std::vector<HostJudge::Batch> HostJudge::BatchesOf(
    const std::vector<const Group*>& groups, std::vector<std::vector<Verdict>>* verdicts) const {
  std::vector<Batch> batches(1);
  for (const Group* group : groups) {
    const size_t count = group->samples.size();
    std::vector<Verdict>& list = verdicts->emplace_back(count);
    if (!batches.back().samples.empty() &&
        batches.back().samples.size() + count > static_cast<size_t>(options_.batch))
      batches.emplace_back();
    for (size_t i = 0; i < count; ++i) {
      SampleRef ref{group, i};
      if (options_.answer) {
        FoundAnswer found = FindAnswer(group->samples[i].text, *options_.answer);
        if (found.refusal) {
          list[i] = std::move(*found.refusal);
          continue;
        }
        ref.answer = found.text;
      }
      batches.back().samples.push_back(ref);
      batches.back().into.push_back(&list[i]);
    }
  }
  return batches;
}

void HostJudge::JudgeAll(std::vector<Batch>* batches) const {
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t at = next++; at < batches->size(); at = next++) JudgeBatch(&(*batches)[at]);
  };
  std::vector<std::thread> helpers;
  const size_t wanted = std::min(batches->size(), static_cast<size_t>(pool_->processes()));
  try {
    while (helpers.size() + 1 < wanted) helpers.emplace_back(work);
  } catch (const std::system_error&) {
    // Fewer threads are slower, that is all.
  }
  work();
  for (std::thread& helper : helpers) helper.join();
}

std::vector<std::vector<Verdict>> HostJudge::Judge(const std::vector<const Group*>& groups) const {
  std::vector<std::vector<Verdict>> verdicts;
  verdicts.reserve(groups.size());  // batches point into it
  std::vector<Batch> batches = BatchesOf(groups, &verdicts);
  JudgeAll(&batches);
  return verdicts;
}

}  // namespace assay::own
