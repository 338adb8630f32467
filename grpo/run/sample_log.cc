#include "grpo/run/sample_log.h"

#include <filesystem>
#include <utility>

#include "core/hash.h"
#include "core/text.h"

namespace assay {

Result<std::unique_ptr<SampleLog>> SampleLog::Open(const std::string& folder,
                                                   const RubricSpec& rubric,
                                                   const std::string& tool_version) {
  std::unique_ptr<SampleLog> log(new SampleLog);
  Result<std::unique_ptr<Store>> store =
      Store::Open((std::filesystem::path(folder) / "samples.sqlite").string(), OpenMode::kCreate);
  if (!store.ok()) return store.error();
  log->store_ = std::move(*store);
  RunInfo info;
  info.name = "train";
  info.rubric_json = rubric.ToJson().Dump();
  info.config_hash = HashBytes128(info.rubric_json).Hex();
  info.tool_version = tool_version;
  Result<RunId> run = log->store_->BeginRun(info, /*resume=*/true);
  if (!run.ok()) return run.error();
  log->run_ = *run;
  return log;
}

Status SampleLog::Add(int64_t step, const Rollouts& rollouts) {
  for (size_t g = 0; g < rollouts.groups.size(); ++g) {
    const Group& group = rollouts.groups[g].group;
    const RowKey key{StrCat("step-", step, "/batch-", rollouts.first_draw),
                     static_cast<int64_t>(g) + 1, HashBytes128(group.problem.id)};
    GroupScore score = rollouts.groups[g].score;
    for (size_t i = 0; i < score.samples.size(); ++i)
      score.samples[i].advantage = rollouts.batch.groups[g].rows[i].advantage;
    if (Status status = store_->AddGroup(run_, key, group, score, /*with_times=*/false);
        !status.ok())
      return status;
  }
  return store_->Commit();
}

}  // namespace assay
