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
  const ScoreLineStyle style = {options_.with_times, options_.keep_input};
  row->group = std::move(groups[0]);
  if (lines == 1 && (options_.group_by.empty() || !row->group.flat)) {
    row->score = rubric_.Score(row->group);
    AppendScoreLine(row->group, row->score, style, &row->output);
    return;
  }
  // Flat lines of one group: each keeps its own id and extra keys, the problem is that of all (GroupKey).
  std::vector<Problem> problems = {row->group.problem};
  for (size_t i = 1; i < lines; ++i) {
    problems.push_back(std::move(groups[i].problem));
    Sample& sample = row->group.samples.emplace_back(std::move(groups[i].samples[0]));
    const Json id = IdToJson(problems[i]);
    if (keep_samples_ && (id != IdToJson(problems[0]) || problems[i].extra != problems[0].extra)) {
      sample.line = Json().Set("id", id);
      for (const Json::Member& member : *problems[i].extra.AsObject())
        sample.line.Set(member.key, member.value);
    }
  }
  row->score = rubric_.Score(row->group);
  for (size_t i = 0; i < lines; ++i) {
    if (i > 0) row->output.push_back('\n');
    AppendFlatScoreLine(problems[i], row->group.samples[i], row->score, i, /*in_group=*/true, style,
                        &row->output);
  }
}

}  // namespace assay
