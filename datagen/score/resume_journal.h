// ResumeJournal: the file FILE.resume beside an output FILE. A header with the configuration's hash and the input files,
// then one 24-byte record for each row: (file and line, hash of the row, number of output lines). Which of the two is
// written first does not matter: after a kill both are cut to the rows that both have whole. A run that finishes removes its
// journal, unless it was told to resume: who always says --resume then finds that nothing is left to do. One thread; one run at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/result.h"

namespace assay {

class ResumeJournal {
 public:
  // Starts a new journal (and an empty output), or with `resume` takes up the old one: cuts output and journal to the rows
  // that both have whole, and no more than `rows_max` (what the store has; -1: no bound). A journal of another
  // configuration or other files is refused (kUsage). Nothing to resume is a new start.
  static Result<std::unique_ptr<ResumeJournal>> Open(const std::string& output,
                                                     const std::string& config_hash,
                                                     const std::vector<std::string>& files,
                                                     bool resume, int64_t rows_max);
  // Takes up the journal of a run that has finished, so that it can be compared with the input: nothing is cut, nothing may be added.
  static Result<std::unique_ptr<ResumeJournal>> OpenFinished(const std::string& output,
                                                             const std::string& config_hash,
                                                             const std::vector<std::string>& files);
  // The error for an output that has no journal.
  static Error Missing(const std::string& output);
  ~ResumeJournal();

  int64_t rows_done() const;
  // Of row `index`, as Matches counts them.
  size_t OutputLines(int64_t index) const;
  // True if row `index` (0-based, in order) of the interrupted run was this one. Indices must come in increasing order.
  bool Matches(int64_t index, size_t file, int64_t line, uint64_t hash);
  struct Row {
    size_t file;
    int64_t line;
    uint64_t hash;
    size_t output_lines;
  };
  // Adds a record through a buffer.
  Status Add(const Row& row);
  Status Flush();
  Status Close();

 private:
  ResumeJournal();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace assay
