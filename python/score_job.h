// ScoreJob: rows of one call, read and scored on several threads as `assay score` reads and scores its lines. No Python in here. One
// thread owns it; the results are read when Finish has returned.
#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "core/types.h"
#include "datagen/score/group_gatherer.h"
#include "verifiers/rubric.h"

namespace assay::python {

// One group that was scored: a row of its own, or flat rows that agree in the field to group by.
struct ScoredGroup {
  Group group;
  GroupScore score;
  std::vector<size_t> rows;       // which rows these are, as numbered by the caller
  std::vector<Problem> problems;  // where several rows are joined: each one's own
  bool in_group = false;          // flat rows that were gathered: their advantages count
};

// Where the results of one row are.
struct RowPlace {
  int64_t group = -1;   // -1: the row could not be read, or was not scored
  int64_t sample = -1;  // -1: all of the group's
  std::string error;    // why
};

struct ScoreJobOptions {
  std::string input_format;  // core/rows/input_format.h
  std::string group_by;      // flat rows of one value make a group; ""
  int threads = 1;
  bool keep_texts = false;  // prompts and completions are wanted afterwards (a store, keep_input)
};

class ScoreJob {
 public:
  ScoreJob(const Rubric& rubric, ScoreJobOptions options);
  ~ScoreJob();
  ScoreJob(const ScoreJob&) = delete;
  ScoreJob& operator=(const ScoreJob&) = delete;

  // Takes the next rows and starts on them. Nothing may be running.
  void Start(std::vector<Json> rows);
  // True when all is done. Waits no longer than `ms`.
  bool WaitFor(int ms);
  // Leaves out what has not been begun.
  void Stop() { stopped_ = true; }
  // Joins the threads and sorts what they made into the results.
  void Finish();

  std::vector<ScoredGroup>& groups() { return groups_; }
  const std::vector<ScoredGroup>& groups() const { return groups_; }
  const std::vector<RowPlace>& places() const { return places_; }

 private:
  struct Unit;  // a group on its way
  void ReadUnits(std::vector<Json> rows);
  void Gather(std::vector<Unit>* units) const;
  void Work();
  bool ReadUnit(Unit* unit) const;
  void ScoreUnits(Unit* units, size_t count) const;
  size_t BatchUnits() const;
  void Keep(Unit* unit);

  const Rubric& rubric_;
  const ScoreJobOptions options_;
  const GroupField group_field_;
  std::vector<Unit> units_;
  std::vector<std::thread> threads_;
  size_t batch_ = 1;  // units that a thread takes at a time
  std::atomic<size_t> next_{0};
  std::atomic<bool> stopped_{false};
  std::mutex mutex_;
  std::condition_variable done_;
  int working_ = 0;  // guarded by mutex_
  std::vector<ScoredGroup> groups_;
  std::vector<RowPlace> places_;
};

}  // namespace assay::python
