// Scores: what came out of one call of score, as Python reads it. Values are made when they are asked for; a million verdicts as Python
// objects would cost more than scoring them. Immutable; read with the GIL held.
#pragma once

#include <nanobind/nanobind.h>

#include <string>
#include <vector>

#include "datagen/store/store.h"
#include "python/score_job.h"

namespace assay::python {

class Scores {
 public:
  Scores(std::vector<ScoredGroup> groups, std::vector<RowPlace> places);

  size_t size() const { return places_.size(); }
  // One entry a row: a float or None for a flat row, a list of them for a group.
  nanobind::list Rewards() const;
  nanobind::list Advantages() const;
  // One entry a sample: row, sample, reward, advantage, reason, and for each term LABEL, LABEL_outcome and LABEL_reason.
  nanobind::dict Columns() const;
  // Of one row: {label: verdict}, or a list of them.
  nanobind::object Verdicts(size_t row) const;
  nanobind::object Parts(size_t row) const;
  // Why a row has no reward, or None; for a group, of its first sample that has none.
  nanobind::object Reason(size_t row) const;
  // What `assay score` writes for the row.
  std::string Line(size_t row, bool with_times) const;
  // Counts by term: {"rows", "samples", "scored", "reward_sum", "terms": {label: ..}}.
  nanobind::object Summary() const;
  // Adds everything as a run. Errors are those of Store.
  Status AddTo(Store* store, const RunInfo& info) const;

 private:
  template <typename Of>
  nanobind::object OfRow(size_t row, Of of) const;
  void CheckRow(size_t row) const;

  std::vector<ScoredGroup> groups_;
  std::vector<RowPlace> places_;
};

}  // namespace assay::python
