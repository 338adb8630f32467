// ScoreRunSummary: what a scoring run has to say for itself at its end. One thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.h"
#include "datagen/score/score_row.h"
#include "datagen/score/verdict_tally.h"

namespace assay {

// A row whose every completion fails for one reason that lies in how the row is made, not in what an answer says.
struct SuspectRow {
  std::string id;
  std::string label;
  std::string reason;  // a sentence
  int64_t samples = 0;
};

struct ScoreRunSummary {
  int64_t rows = 0;             // input lines scored or refused in this call
  int64_t resumed = 0;          // rows taken over from the interrupted run
  int64_t resumed_samples = 0;  // of `samples`, those of the interrupted run
  int64_t bad_rows = 0;  // lines that could not be read, those of the interrupted run included
  int64_t samples = 0;
  int64_t scored = 0;    // samples with a reward
  int64_t nulls = 0;     // samples without one
  int64_t faults = 0;    // of these, faults; those of the interrupted run included
  int64_t all_pass = 0;  // samples whose every verdict that applied is a pass
  int64_t cut_off =
      0;  // samples that ended at a length limit; of the interrupted run only where its output says so
  double reward_sum = 0;
  int64_t groups = 0, zero_variance_groups = 0;
  double seconds = 0;
  bool interrupted = false;
  JsonRepairs repairs;
  std::map<std::string, VerdictTally> terms;  // by label
  std::vector<std::string> notes;             // Rubric::Notes()
  int64_t suspects = 0;
  std::vector<SuspectRow> first_suspects;  // a few of them

  // Counts a row that a worker is done with.
  void Add(const ScoreRow& row);
  // Counts a line that the interrupted run wrote, so that a summary is of the whole output. `begins`: the first line of its row. A line that
  // is none of ours counts as bad.
  void AddWritten(const Json& line, bool begins);

  // Likewise a row of the interrupted run that its store keeps.
  void AddStored(const ScoreRow& row);

  // Of the scored samples, 0 if there are none.
  double PassShare() const;
  Json ToJson() const;

 private:
  void AddSample(const GroupScore& group, const SampleScore& sample);
  void AddWrittenSample(const Json* verdicts, const Json* reward);
  void SuspectWritten(const std::string& id, const Json::Array& samples);
  // `verdicts`: of one term, a sample each.
  void Suspect(const std::string& id, const std::string& label,
               const std::vector<const Verdict*>& verdicts);

  std::optional<double> written_reward_;  // AddWritten: the last of the row
  bool written_varies_ = false;
};

}  // namespace assay
