// RowScorer: the second of a scoring run's three stations. Parses the lines of some rows, has the rubric score them at once and writes
// out the lines that answer them. What a row gets depends on that row alone. Thread-safe.
#pragma once

#include <vector>

#include "core/result.h"
#include "datagen/score/score_options.h"
#include "datagen/score/score_row.h"
#include "verifiers/rubric.h"

namespace assay {

class RowScorer {
 public:
  // `keep_samples`: someone (a store) wants the samples after they are scored.
  RowScorer(const ScoreRunOptions& options, const Rubric& rubric, bool keep_samples)
      : options_(options), rubric_(rubric), keep_samples_(keep_samples) {}

  // Fills in the rows and frees what nobody needs any more.
  void Score(std::vector<ScoreRow>* rows) const;

 private:
  Result<Group> ReadLine(const InputLine& line, JsonRepairs* repairs) const;
  void MarkBad(const Error& error, ScoreRow* row) const;
  // The problem of each of the row's lines, whose samples are all in row->group then; empty where the row is bad.
  std::vector<Problem> ReadRow(ScoreRow* row) const;
  void WriteLines(const std::vector<Problem>& problems, ScoreRow* row) const;

  const ScoreRunOptions& options_;
  const Rubric& rubric_;
  const bool keep_samples_;
};

}  // namespace assay
