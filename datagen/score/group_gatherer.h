// --group-by: which flat lines make one group: those that agree in the field and in all that decides a verdict (a file may give two
// problems one id). AdjacentLines joins the lines of one key that stand together, as they come;
// GatherGroups joins them wherever they stand, for which it puts the input aside on the disk; GroupsAreSplit says which of the two is
// wanted.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "core/json.h"
#include "core/result.h"
#include "datagen/score/score_row.h"

namespace assay {

// What the lines of one group have in common.
struct GroupKey {
  std::string value;         // of the field, as JSON
  uint64_t problem = 0;      // JudgementHash of the line's problem
  bool lacks_field = false;  // a flat row without that field (it has no key)
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

// Whether any flat line has the field: a name with a slip in it must not score every line for itself. One thread.
class FieldUse {
 public:
  void See(const GroupKey& key, bool grouped, std::string_view line);
  // kUsage, with the nearest name, if there were flat lines and none of them had it.
  Status Check(const GroupField& field) const;

 private:
  bool used_ = false;
  std::string without_;  // the first flat line that lacks it
};

// True if lines of one group stand apart, in one file or in several, or may: a pipe cannot be read twice. Errors: FieldUse's.
Result<bool> GroupsAreSplit(const std::vector<std::string>& files, const GroupField& field,
                            const StopReading& stop);

using EmitRow = std::function<Status(ScoreRow)>;
// True for a line that is to be left out.
using LeaveOut = std::function<bool(std::string_view line)>;

// A line on its way into GatherGroups.
struct SourceLine {
  std::string_view text;
  int64_t number = 0;
  size_t file = 0;
  bool too_long = false;
  bool bad = false;  // of a stored run that could not read it: `text` is why
};
// Hands all lines to `take`, in order, until it says false.
using LineSource = std::function<Status(const std::function<bool(const SourceLine&)>& take)>;
// Of files or pipes.
LineSource LinesOfFiles(std::vector<std::string> files, StopReading stop, LeaveOut leave_out);

// All rows in the order of their first lines, each line with its place. Of the input only some forty bytes a line are in memory; the rest is
// in a SpoolFile `beside`. All is read before the first row. Errors: FieldUse's, the source's, kIo.
Status GatherGroups(const LineSource& source, const GroupField& field, const std::string& beside,
                    const StopReading& stop, const EmitRow& emit);

// The lines of one file in order; rows go to `emit` as soon as they are whole. One thread.
class AdjacentLines {
 public:
  // `split` is counted up for every group that goes on after another had begun. `use` sees every line.
  AdjacentLines(const GroupField& field, EmitRow emit, std::atomic<int64_t>* split, FieldUse* use)
      : field_(field), emit_(std::move(emit)), split_(split), use_(use) {}
  Status Take(InputLine line);
  Status Finish();

 private:
  Status EmitOpen();

  const GroupField& field_;
  EmitRow emit_;
  std::atomic<int64_t>* split_;
  FieldUse* use_;
  ScoreRow open_;  // lines of one key so far; none: nothing is open
  GroupKey open_key_;
  std::unordered_set<uint64_t> closed_keys_;
};

}  // namespace assay
