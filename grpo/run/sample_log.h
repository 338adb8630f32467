// SampleLog: every sample of a GRPO run with its verdicts, reward and advantage, in DIR/samples.sqlite. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"
#include "datagen/store/store.h"
#include "grpo/run/rollout_source.h"
#include "verifiers/rubric.h"

namespace assay {

class SampleLog {
 public:
  static Result<std::unique_ptr<SampleLog>> Open(const std::string& folder,
                                                 const RubricSpec& rubric,
                                                 const std::string& tool_version);
  // After AssignAdvantages; `step` is the first that the batch is used in. A batch that a resumed run draws again is there already and
  // stays as it is.
  Status Add(int64_t step, const Rollouts& rollouts);
  // The run is over.
  Status Finish() { return store_->FinishRun(run_); }

 private:
  SampleLog() = default;
  std::unique_ptr<Store> store_;
  RunId run_ = 0;
};

}  // namespace assay
