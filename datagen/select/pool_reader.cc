#include "datagen/select/pool_reader.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

// Texts that are looked at together.
constexpr size_t kJobsMost = 4096;
constexpr size_t kJobBytesMost = size_t{16} << 20;
constexpr size_t kJobsAtOnce = 64;

// What a pass cost by the evidence: processor time, else bytecodes, else how long judging it took; NaN: unknown.
double CostOf(const std::vector<Verdict>& verdicts) {
  for (const char* key : {"cpu_ms", "bytecodes"}) {
    for (const Verdict& verdict : verdicts) {
      const Json* cost = verdict.evidence.Find(key);
      if (cost != nullptr && cost->IsNumber()) return cost->NumberOr(0);
    }
  }
  double ms = 0;
  for (const Verdict& verdict : verdicts) ms = std::max(ms, verdict.ms);
  return ms > 0 ? ms : std::nan("");
}

// The answer that a sample gave, as its verifiers found it; empty if none says so.
std::string AnswerOf(const StoredSample& sample) {
  for (const char* key : {"answer", "extracted"}) {
    for (const Verdict& verdict : sample.score.verdicts) {
      const Json* answer = verdict.evidence.Find(key);
      if (answer != nullptr && !answer->IsNull()) return answer->ScalarText();
    }
  }
  return "";
}

// The column `name` of a row, "metadata.difficulty" within an object; "" if it has none.
std::string ColumnOf(const StoredGroup& group, const std::string& name) {
  const Json* value = &group.problem.extra;
  for (const std::string_view part : SplitChar(name, '.')) {
    value = value->Find(part);
    if (value == nullptr) return "";
  }
  return value->IsNull() ? "" : value->ScalarText();
}

class PoolReader {
 public:
  PoolReader(const SelectOptions& options, const SampleFilter& filter, Pool* pool)
      : options_(options), filter_(filter), pool_(pool), with_texts_(options.NeedsTexts()) {}

  Status ReadRun(Store* store, const RunRecord& run) {
    Result<Json> rubric = ParseJson(run.rubric_json);
    const Deciders deciders(rubric.ok() ? *rubric : Json());
    return store->ForEachGroup(run.id, with_texts_, [&](const StoredGroup& group) -> Status {
      if (options_.Interrupted()) return Error{ErrorCode::kUnavailable, "interrupted", ""};
      if (group.error.empty()) Take(deciders, group);
      return {};
    });
  }

  void Finish() { LookAtTexts(); }

 private:
  void Take(const Deciders& deciders, const StoredGroup& group) {
    const uint32_t problem_place = pool_->ProblemPlace(group.problem_id);
    PooledProblem& problem = pool_->problems[problem_place];
    const bool is_new = problem.samples.empty() && problem.prompt_id == 0;
    if (is_new) {
      problem.prompt_id = group.prompt_id;
      problem.task = group.problem.task;
      if (!options_.balance.empty()) problem.bucket = BucketOf(group);
      if (filter_.wants_prompts()) QueuePrompt(problem_place, group);
    }
    for (const StoredSample& sample : group.samples) {
      const auto place = static_cast<uint32_t>(pool_->samples.size());
      problem.samples.push_back(place);
      Candidate& candidate = pool_->samples.emplace_back();
      candidate.sample_id = sample.id;
      candidate.text_id = sample.text_id;
      candidate.problem = problem_place;
      candidate.scored = sample.score.reward.has_value();
      candidate.reward = sample.score.reward.value_or(0);
      candidate.truncated = sample.sample.truncated();
      candidate.right = candidate.scored && deciders.Pass(group.labels, sample.score);
      candidate.length = sample.text_bytes;
      problem.scored += candidate.scored;
      problem.right += candidate.right;
      Reason reason = filter_.CheckScore(group, sample, deciders, candidate.right);
      if (reason == Reason::kKept && with_texts_) {
        reason = filter_.CheckLength(group, sample);
        if (reason == Reason::kKept) TakeTexts(group, sample, place);
      }
      candidate.reason = reason;
    }
  }

  std::string BucketOf(const StoredGroup& group) const {
    if (options_.balance == "difficulty") return "";
    return options_.balance == "task" ? group.problem.task : ColumnOf(group, options_.balance);
  }

  void TakeTexts(const StoredGroup& group, const StoredSample& sample, uint32_t place) {
    Candidate& candidate = pool_->samples[place];
    if (options_.strategy == "fastest-correct") candidate.cost = CostOf(sample.score.verdicts);
    if (options_.length_unit == SelectOptions::Unit::kTokens)
      candidate.length = TokensOf(group, sample).value_or(0);
    if (options_.strategy == "majority") {
      // All that pass are one answer, however they write it.
      const std::string answer = candidate.right ? "" : AnswerOf(sample);
      if (candidate.right || !answer.empty())
        candidate.answer = AnswerClass(candidate.problem, candidate.right, answer);
    }
    TextJob& job = jobs_.emplace_back();
    job.place = place;
    job.text = sample.sample.text;
    if (options_.language == "prompt") job.prompt = group.problem.prompt;
    NoteBytes(job);
  }

  uint32_t AnswerClass(uint32_t problem, bool right, const std::string& answer) {
    const std::string key = right ? StrCat(problem, "+") : StrCat(problem, "-", answer);
    return answers_.try_emplace(key, static_cast<uint32_t>(answers_.size())).first->second;
  }

  void QueuePrompt(uint32_t problem, const StoredGroup& group) {
    TextJob& job = jobs_.emplace_back();
    job.place = problem;
    job.prompt = group.problem.prompt;
    job.check_prompt = true;
    NoteBytes(job);
  }

  void NoteBytes(const TextJob& job) {
    job_bytes_ += job.text.size() + job.prompt.size();
    if (jobs_.size() >= kJobsMost || job_bytes_ >= kJobBytesMost) LookAtTexts();
  }

  void LookAtTexts() {
    std::atomic<size_t> next{0};
    const auto work = [&] {
      for (size_t begin; (begin = next.fetch_add(kJobsAtOnce)) < jobs_.size();) {
        const size_t end = std::min(jobs_.size(), begin + kJobsAtOnce);
        for (size_t i = begin; i < end; ++i) filter_.LookAtText(&jobs_[i]);
      }
    };
    std::vector<std::thread> threads;
    if (jobs_.size() > kJobsAtOnce) {
      for (int i = 1; i < options_.jobs; ++i) threads.emplace_back(work);
    }
    work();
    for (std::thread& thread : threads) thread.join();
    for (TextJob& job : jobs_) TakeResult(&job);
    jobs_.clear();
    job_bytes_ = 0;
  }

  void TakeResult(TextJob* job) {
    if (job->check_prompt) {
      pool_->problems[job->place].contamination = std::move(job->prompt_hit);
      return;
    }
    Candidate& candidate = pool_->samples[job->place];
    if (job->reason != Reason::kKept) {
      pool_->Drop(job->place, job->reason, std::move(job->detail));
      return;
    }
    if (!job->text_hit.empty()) pool_->contaminated[job->place] = std::move(job->text_hit);
    if (job->signature.empty()) return;
    candidate.signature = static_cast<uint32_t>(pool_->signatures.size() / job->signature.size());
    pool_->signatures.insert(pool_->signatures.end(), job->signature.begin(), job->signature.end());
  }

  const SelectOptions& options_;
  const SampleFilter& filter_;
  Pool* pool_;
  const bool with_texts_;
  std::vector<TextJob> jobs_;
  size_t job_bytes_ = 0;
  std::unordered_map<std::string, uint32_t> answers_;
};

}  // namespace

Status ReadPool(Store* store, const std::vector<RunRecord>& runs, const SelectOptions& options,
                const SampleFilter& filter, Pool* pool) {
  PoolReader reader(options, filter, pool);
  for (const RunRecord& run : runs) {
    if (Status status = reader.ReadRun(store, run); !status.ok()) return status;
  }
  reader.Finish();
  return {};
}

}  // namespace assay
