// --group-by: which flat lines make one group: those that agree in the field and in all that decides a verdict (a file may give two
// problems one id). AdjacentLines joins the lines of one key that stand together, as they come;
// GatherGroups joins them wherever they stand, for which it holds the whole input; GroupsAreSplit says which of the two is wanted.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "datagen/score/score_row.h"

namespace assay {

// What the lines of one group have in common.
struct GroupKey {
  std::string value;     // of the field, as JSON
  uint64_t problem = 0;  // JudgementHash of the line's problem
  bool operator==(const GroupKey&) const = default;
  // Odd, so that 0 can stand for no key.
  uint64_t Hash() const;
};

// The value of a field in flat rows. Immutable; thread-safe.
class GroupField {
 public:
  // `name` "": no line belongs to a group.
  GroupField(std::string name, std::string input_format)
      : name_(std::move(name)), input_format_(std::move(input_format)) {}
  bool empty() const { return name_.empty(); }
  const std::string& name() const { return name_; }
  // False if the line is no flat row with that field, or one that says no problem: it is a row of its own then.
  bool KeyOf(const std::string& line, GroupKey* key) const;
  // The same of a row as it was parsed.
  bool KeyOfRow(Json row, GroupKey* key) const;

 private:
  std::string name_, input_format_;
};

// True to stop reading in the middle.
using StopReading = std::function<bool()>;

// True if lines of one group stand apart, in one file or in several. Pipes cannot be read twice: with one among the files, all count
// as sorted, and AdjacentLines counts what is not.
Result<bool> GroupsAreSplit(const std::vector<std::string>& files, const GroupField& field,
                            const StopReading& stop);

// All rows in the order of their first lines, each line with its place.
Result<std::vector<ScoreRow>> GatherGroups(const std::vector<std::string>& files,
                                           const GroupField& field, const StopReading& stop);

// The lines of one file in order; rows go to `emit` as soon as they are whole. One thread.
class AdjacentLines {
 public:
  using Emit = std::function<Status(ScoreRow)>;
  // `split` is counted up for every group that goes on after another had begun.
  AdjacentLines(const GroupField& field, Emit emit, std::atomic<int64_t>* split)
      : field_(field), emit_(std::move(emit)), split_(split) {}
  Status Take(InputLine line);
  Status Finish();

 private:
  Status EmitOpen();

  const GroupField& field_;
  Emit emit_;
  std::atomic<int64_t>* split_;
  ScoreRow open_;  // lines of one key so far; none: nothing is open
  GroupKey open_key_;
  std::unordered_set<uint64_t> closed_keys_;
};

}  // namespace assay
