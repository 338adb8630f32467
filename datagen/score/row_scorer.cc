#include "datagen/score/row_scorer.h"

#include <string>
#include <utility>
#include <vector>

#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "core/text.h"
#include "datagen/score/score_line.h"

namespace assay {

void RowScorer::Score(ScoreRow* row) const {
  std::vector<Group> groups;  // of each line
  for (const InputLine& line : row->lines) {
    Result<Group> group = ReadLine(line, &row->repairs);
    if (!group.ok()) {
      MarkBad(group.error(), row);
      break;
    }
    groups.push_back(std::move(*group));
  }
  if (!row->bad) ScoreGroup(std::move(groups), row);
  for (InputLine& line : row->lines) line.text = std::string();
  if (!keep_samples_) row->group.samples.clear();
}

Result<Group> RowScorer::ReadLine(const InputLine& line, JsonRepairs* repairs) const {
  if (line.too_long) {
    return Error{ErrorCode::kInput,
                 StrCat("the line is longer than ", HumanBytes(static_cast<double>(kMaxLineBytes))),
                 "split the group into smaller ones"};
  }
  Result<Json> json = ParseJson(line.text, repairs);
  if (!json.ok()) return json.error();
  if (Status status = ToAssayRow(options_.input_format, &*json); !status.ok())
    return status.error();
  return GroupFromJson(*json);
}

// A group with a bad member is bad whole.
void RowScorer::MarkBad(const Error& error, ScoreRow* row) const {
  row->bad = true;
  row->error_message = error.message;
  for (const InputLine& line : row->lines) {
    if (!row->output.empty()) row->output.push_back('\n');
    const bool several = options_.files.size() > 1;
    AppendErrorLine(several ? options_.files[line.file] : "", line.number, error, &row->output);
  }
}

void RowScorer::ScoreGroup(std::vector<Group> groups, ScoreRow* row) const {
  const size_t lines = groups.size();
  row->group = std::move(groups[0]);
  if (lines == 1 && (options_.group_by.empty() || !row->group.flat)) {
    row->score = rubric_.Score(row->group);
    AppendScoreLine(row->group, row->score, options_.with_times, &row->output);
    return;
  }
  // Flat lines of one group: each keeps its own id and extra keys, the problem is that of all (GroupKey).
  std::vector<Json> ids = {IdToJson(row->group.problem)}, extras = {row->group.problem.extra};
  for (size_t i = 1; i < lines; ++i) {
    ids.push_back(IdToJson(groups[i].problem));
    extras.push_back(std::move(groups[i].problem.extra));
    Sample& sample = row->group.samples.emplace_back(std::move(groups[i].samples[0]));
    if (keep_samples_ && (ids[i] != ids[0] || extras[i] != extras[0])) {
      sample.line = Json().Set("id", ids[i]);
      for (const Json::Member& member : *extras[i].AsObject())
        sample.line.Set(member.key, member.value);
    }
  }
  row->score = rubric_.Score(row->group);
  for (size_t i = 0; i < lines; ++i) {
    if (i > 0) row->output.push_back('\n');
    AppendFlatScoreLine(ids[i], extras[i], row->score, i, /*in_group=*/true, options_.with_times,
                        &row->output);
  }
}

}  // namespace assay
