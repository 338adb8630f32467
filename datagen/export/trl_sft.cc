// trl-sft: TRL's prompt-completion type (docs/formats.md). Two passes: the first learns what columns there are, of which types.
#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/text.h"
#include "datagen/export/column_shape.h"
#include "datagen/export/export_form.h"
#include "datagen/export/sample_columns.h"

namespace assay {
namespace {

// Names that TRL's trainers give a meaning of their own (reward function arguments, and columns by which the SFT trainer
// takes a data set for another type or for tokenized).
constexpr std::array<std::string_view, 18> kReservedColumns = {
    "prompt",         "completion",      "completions",    "prompts",      "completion_ids",
    "trainer_state",  "log_extra",       "log_metric",     "environments", "messages",
    "text",           "chosen",          "rejected",       "input_ids",    "labels",
    "attention_mask", "completion_mask", "assistant_masks"};

// `datasets` reads a JSON Lines file as one table: every line gets the same columns, of one type each.
struct SftColumns {
  bool conversational = false;
  bool many_answers = false;
  bool any_row = false;
  bool id = false, task = false, answer = false, info = false;
  struct Extra {
    std::string name;    // in the row
    std::string column;  // in the file
    ColumnShape shape;
  };
  std::vector<Extra> extra;
  int64_t renamed = 0;
};

bool IsReserved(std::string_view name) {
  return std::find(kReservedColumns.begin(), kReservedColumns.end(), name) !=
         kReservedColumns.end();
}

Status NoteColumns(const DatasetRow& row, SftColumns* columns) {
  const Problem& problem = row.group.problem;
  const bool conversational = !problem.messages.empty();
  if (columns->any_row && conversational != columns->conversational) {
    return Error{
        ErrorCode::kInput,
        StrCat("row ", row.position, " has a prompt of ",
               conversational ? "chat messages" : "plain text", ", rows before it the other kind"),
        "a TRL data set is all one or all the other; export --format jsonl, or select the runs "
        "apart"};
  }
  columns->any_row = true;
  columns->conversational = conversational;
  columns->id |= !problem.id.empty();
  columns->task |= !problem.task.empty();
  columns->answer |= !problem.answers.empty();
  columns->many_answers |= problem.answers.size() > 1;
  columns->info |= !problem.verification_info.IsNull();
  const Json own = SampleColumns(row.group);
  for (const Json::Member& member : *own.AsObject()) {
    auto known = std::find_if(columns->extra.begin(), columns->extra.end(),
                              [&](const auto& extra) { return extra.name == member.key; });
    if (known == columns->extra.end())
      known = columns->extra.insert(known, {member.key, member.key, ColumnShape()});
    known->shape.Take(member.value);
  }
  return {};
}

// Reserved names become extra_NAME, or extra_extra_NAME where a column is called that already.
void NameColumns(SftColumns* columns) {
  for (SftColumns::Extra& extra : columns->extra) {
    if (!IsReserved(extra.name)) continue;
    ++columns->renamed;
    const auto taken = [&] {
      return std::any_of(columns->extra.begin(), columns->extra.end(), [&](const auto& other) {
        return &other != &extra && other.column == extra.column;
      });
    };
    do {
      extra.column.insert(0, "extra_");
    } while (taken());
  }
}

Json AnswerColumn(const Problem& problem, bool many) {
  if (!many) return problem.answers.empty() ? Json() : Json(problem.answers[0]);
  Json list = Json::MakeArray();
  for (const std::string& answer : problem.answers) list.Append(answer);
  return list;
}

Json SftLine(const DatasetRow& row, const SftColumns& columns) {
  const Problem& problem = row.group.problem;
  const std::string& text = row.group.samples[0].sample.text;
  Json line = Json::MakeObject();
  if (columns.conversational) {
    Json prompt = Json::MakeArray();
    for (const Message& message : problem.messages)
      prompt.Append(Json().Set("role", message.role).Set("content", message.content));
    line.Set("prompt", std::move(prompt));
    line.Set("completion", Json().Append(Json().Set("role", "assistant").Set("content", text)));
  } else {
    // Joined as they are: white space between prompt and completion is the model's own.
    line.Set("prompt", problem.prompt).Set("completion", text);
  }
  if (columns.id) line.Set("id", problem.id);
  if (columns.task) line.Set("task", problem.task);
  if (columns.answer) line.Set("answer", AnswerColumn(problem, columns.many_answers));
  // As text: objects of unlike keys would become one struct with nulls.
  if (columns.info)
    line.Set("verification_info", problem.verification_info.IsNull()
                                      ? Json("{}")
                                      : Json(problem.verification_info.Dump()));
  const Json own = SampleColumns(row.group);
  for (const SftColumns::Extra& extra : columns.extra) {
    const Json* value = own.Find(extra.name);
    line.Set(extra.column, value != nullptr ? extra.shape.Fit(*value) : Json());
  }
  return line;
}

Status WriteSft(Store* store, const DatasetRecord& dataset, const ExportOptions& /*options*/,
                WholeFile* file, ExportResult* result) {
  SftColumns columns;
  Status status = store->ForEachDatasetRow(
      dataset.id, true, [&](const DatasetRow& row) { return NoteColumns(row, &columns); });
  if (!status.ok()) return status;
  NameColumns(&columns);
  result->renamed_columns = columns.renamed;
  return store->ForEachDatasetRow(dataset.id, true, [&](const DatasetRow& row) {
    ++result->rows;
    ++result->lines;
    return file->Write(SftLine(row, columns));
  });
}

}  // namespace

const ExportForm kTrlSftForm = {"trl-sft", /*groups=*/false, WriteSft};

}  // namespace assay
