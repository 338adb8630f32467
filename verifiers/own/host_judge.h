// HostJudge: samples to verdicts through a pool of hosts, in batches. Where a process dies or hangs and says at which sample, that one
// is to blame and the others are asked about again. Where a call goes wrong whole (a function over lists raised, hung, or had more to do
// than it has time for), its samples are asked about again in smaller calls, as call_plan.h says: so neither one sample nor the size of a
// batch costs another its verdict. Thread-safe.
//
// An answer is {"results": [one a sample]} or {"failed": {"reason", "detail", "traceback"}}. A result is a number (the score), null
// (does not apply), or an object: "error" (a reason) with "detail" and "traceback"; or "score" with "outcome", "reason", "detail" and
// "evidence", all but the score optional.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/types.h"
#include "verifiers/own/call_plan.h"
#include "verifiers/own/host_pool.h"
#include "verifiers/own/sample_json.h"
#include "verifiers/text_verifier.h"
#include "verifiers/verifier.h"

namespace assay::own {

struct HostJudgeOptions {
  std::string who;      // in sentences: "reward.py: accuracy_reward"
  int64_t batch = 256;  // samples at once, unless a group has more
  double timeout_s =
      60;  // the most that one sample may take; a call with several is asked again in parts
  bool errors_fail = false;  // what goes wrong is a fail with score 0, not a fault
  double pass_at = 1;        // scores from here on pass
  bool with_token_ids = false;
  // Where the answer stands that is judged instead of the whole reply; a reply without one is not asked about.
  std::optional<AnswerPlace> answer;
};

// Counts what went wrong and keeps the first traceback. Thread-safe.
class Complaints {
 public:
  void Add(const std::string& reason, const std::string& text);
  std::vector<std::string> Sentences(const std::string& who) const;

 private:
  struct Kind {
    int64_t count = 0;
    std::string first;
  };
  mutable std::mutex mutex_;
  std::map<std::string, Kind> kinds_;
};

class HostJudge {
 public:
  HostJudge(HostJudgeOptions options, std::unique_ptr<HostPool> pool)
      : options_(std::move(options)), pool_(std::move(pool)), pace_(options_.timeout_s) {}

  std::vector<std::vector<Verdict>> Judge(const std::vector<const Group*>& groups) const;
  std::vector<std::string> Notes() const { return complaints_.Sentences(options_.who); }

 private:
  struct Batch;
  std::vector<Batch> BatchesOf(const std::vector<const Group*>& groups,
                               std::vector<std::vector<Verdict>>* refused) const;
  void JudgeAll(std::vector<Batch>* batches) const;
  void JudgeBatch(Batch* batch) const;
  void AskAbout(Batch* batch) const;
  bool TakeAnswer(const HostPool::Reply& reply, const CallPlan::Call& call, Batch* batch) const;

  const HostJudgeOptions options_;
  const std::unique_ptr<HostPool> pool_;
  mutable Complaints complaints_;
  mutable CallPace pace_;
};

// A result as above to a verdict; `add` hears of errors. Also for functions inside of the box.
Verdict VerdictOf(const Json& result, const HostJudgeOptions& options, Complaints* complaints);
// The verdict of a sample whose judging went wrong.
Verdict ErrorVerdict(const std::string& reason, const std::string& detail, bool fails);

}  // namespace assay::own
