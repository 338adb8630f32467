#include "datagen/score/row_scorer.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "core/text.h"
#include "datagen/score/score_line.h"
#include "datagen/score/stored_rows.h"
#include "verifiers/row_options.h"

namespace assay {

void RowScorer::Score(std::vector<ScoreRow>* rows) const {
  std::vector<std::vector<Problem>> problems;
  std::vector<const Group*> groups;
  for (ScoreRow& row : *rows) {
    problems.push_back(ReadRow(&row));
    if (!row.bad) groups.push_back(&row.group);
    for (InputLine& line : row.lines) line.text = std::string();
  }
  std::vector<GroupScore> scores = rubric_.ScoreGroups(groups);
  size_t next = 0;
  for (size_t i = 0; i < rows->size(); ++i) {
    ScoreRow& row = (*rows)[i];
    if (!row.bad) {
      row.score = std::move(scores[next++]);
      row.cut_off = std::count_if(row.group.samples.begin(), row.group.samples.end(),
                                  [](const Sample& sample) { return sample.truncated(); });
      WriteLines(problems[i], &row);
    }
    if (!keep_samples_) row.group.samples.clear();
    if (keep_samples_ && !row.bad) row.hashes = HashesOf(row.group);
  }
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
  Result<Group> group = GroupFromJson(*json);
  if (!group.ok()) return group;
  if (Status status = CheckRowOptions(group->problem.options); !status.ok()) return status.error();
  return group;
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

std::vector<Problem> RowScorer::ReadRow(ScoreRow* row) const {
  if (row->stored) {
    if (!row->bad) return ProblemsOfStoredRow(row->group);
    MarkBad({ErrorCode::kInput, row->error_message, "the run could not read it either"}, row);
    return {};
  }
  std::vector<Problem> problems;
  for (const InputLine& line : row->lines) {
    Result<Group> group = ReadLine(line, &row->repairs);
    if (!group.ok()) {
      MarkBad(group.error(), row);
      return {};
    }
    problems.push_back(group->problem);
    if (problems.size() == 1) {
      row->group = std::move(*group);
      continue;
    }
    // Flat lines of one group: each keeps its own id and extra keys, the problem is that of all (GroupKey).
    Sample& sample = row->group.samples.emplace_back(std::move(group->samples[0]));
    const Problem& problem = problems.back();
    const Json id = IdToJson(problem);
    if (keep_samples_ && (id != IdToJson(problems[0]) || problem.extra != problems[0].extra)) {
      sample.line = Json().Set("id", id);
      for (const Json::Member& member : *problem.extra.AsObject())
        sample.line.Set(member.key, member.value);
    }
  }
  return problems;
}

void RowScorer::WriteLines(const std::vector<Problem>& problems, ScoreRow* row) const {
  const ScoreLineStyle style = {options_.with_times, options_.keep_input};
  if (problems.size() == 1 && (options_.group_by.empty() || !row->group.flat)) {
    AppendScoreLine(row->group, row->score, style, &row->output);
    return;
  }
  for (size_t i = 0; i < problems.size(); ++i) {
    if (i > 0) row->output.push_back('\n');
    AppendFlatScoreLine(problems[i], row->group.samples[i], row->score, i, /*in_group=*/true, style,
                        &row->output);
  }
}

}  // namespace assay
