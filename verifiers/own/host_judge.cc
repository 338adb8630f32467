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

// A batch is asked again in parts for so many times the limit of one call.
constexpr double kSplitLimits = 4;
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
  Clock::time_point give_up;

  // Where the samples [from, to) are best cut in two: between groups, if there are several.
  size_t Middle(size_t from, size_t to) const {
    const size_t middle = from + (to - from) / 2;
    const auto begins = [&](size_t at) { return samples[at].group != samples[at - 1].group; };
    for (size_t off = 0; off < to - from; ++off) {
      if (middle + off < to && begins(middle + off)) return middle + off;
      if (middle >= from + 1 + off && begins(middle - off)) return middle - off;
    }
    return middle;
  }
};

void HostJudge::TakeResults(const Json& answer, Batch* batch, size_t from, size_t to) const {
  const Json::Array* results = answer.Find("results")->AsArray();
  for (size_t i = from; i < to; ++i)
    *batch->into[i] = VerdictOf((*results)[i - from], options_, &complaints_);
}

void HostJudge::AskAbout(Batch* batch, size_t from, size_t to) const {
  using Kind = HostPool::Reply::Kind;
  const HostPool::Reply reply =
      pool_->Ask(RequestJson({batch->samples.begin() + static_cast<std::ptrdiff_t>(from),
                              batch->samples.begin() + static_cast<std::ptrdiff_t>(to)},
                             options_.with_token_ids));
  std::string reason, detail, traceback;
  if (reply.kind == Kind::kAnswer) {
    const Json* results = reply.answer.Find("results");
    const Json* failed = reply.answer.Find("failed");
    if (results != nullptr && results->IsArray() && results->AsArray()->size() == to - from)
      return TakeResults(reply.answer, batch, from, to);
    reason = failed != nullptr ? failed->StringOr("reason", "reward_raised") : "reward_bad_length";
    detail = failed != nullptr ? failed->StringOr("detail", "") : "not one result a sample";
    traceback = failed != nullptr ? failed->StringOr("traceback", "") : "";
  } else if (reply.kind == Kind::kTimedOut) {
    reason = "reward_timeout";
    detail = StrCat("a call took longer than ", FixedDigits(options_.timeout_s, 1), " s");
  } else if (reply.kind == Kind::kDied) {
    reason = "reward_died";
    detail = StrCat("the process that judges ended: ", reply.words);
  } else {
    reason = "reward_unavailable";
    detail = reply.words;
  }
  const bool again = reply.kind != Kind::kNoHost && reply.kind != Kind::kInterrupted;
  if (again && reply.at > 0 && reply.at <= to - from) {
    // The process says whose doing it was.
    const size_t at = from + static_cast<size_t>(reply.at) - 1;
    complaints_.Add(reason, detail);
    *batch->into[at] = ErrorVerdict(reason, detail, options_.errors_fail);
    if (at > from) AskAbout(batch, from, at);
    if (at + 1 < to) AskAbout(batch, at + 1, to);
    return;
  }
  if (again && to - from > 1 && Clock::now() < batch->give_up) {
    const size_t middle = batch->Middle(from, to);
    AskAbout(batch, from, middle);
    AskAbout(batch, middle, to);
    return;
  }
  for (size_t i = from; i < to; ++i) {
    complaints_.Add(reason, traceback.empty() ? detail : traceback);
    const bool fails = options_.errors_fail && again;
    *batch->into[i] = ErrorVerdict(reason, detail, fails);
  }
}

void HostJudge::JudgeBatch(Batch* batch) const {
  if (batch->samples.empty()) return;
  const Clock::time_point start = Clock::now();
  const std::chrono::duration<double> limit(kSplitLimits * options_.timeout_s);
  batch->give_up = start + std::chrono::duration_cast<Clock::duration>(limit);
  AskAbout(batch, 0, batch->samples.size());
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
