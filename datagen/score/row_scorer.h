// RowScorer: the second of a scoring run's three stations. Parses a row's lines, has the rubric score them and writes out the lines that
// answer them. What it gives depends on the row alone. Thread-safe.
#pragma once

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

  // Fills in the row and frees what nobody needs any more.
  void Score(ScoreRow* row) const;

 private:
  Result<Group> ReadLine(const InputLine& line, JsonRepairs* repairs) const;
  void MarkBad(const Error& error, ScoreRow* row) const;
  void ScoreGroup(std::vector<Group> groups, ScoreRow* row) const;

  const ScoreRunOptions& options_;
  const Rubric& rubric_;
  const bool keep_samples_;
};

}  // namespace assay
