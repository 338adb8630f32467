// trl-sft: TRL's prompt-completion type (docs/formats.md). Two passes: the first learns what columns there are, of which types.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/rows/group_json.h"
#include "core/rows/messages.h"
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

// `datasets` fixes the types of a JSON Lines file by its first 10 MiB; lines grow when they are fitted.
constexpr size_t kHeadBytes = size_t{4} << 20;

bool IsReserved(std::string_view name) {
  return std::find(kReservedColumns.begin(), kReservedColumns.end(), name) !=
         kReservedColumns.end();
}

// A message as TRL's templates take it: text content is text, arguments of calls are JSON text as in OpenAI's own form (as structs,
// every call would get the keys of all others).
Json TrlMessage(Json message) {
  if (Json* content = message.Find("content"); content != nullptr && content->IsArray()) {
    const Json::Array& parts = *content->AsArray();
    const bool all_text = std::all_of(parts.begin(), parts.end(), [](const Json& part) {
      return part.StringOr("type", "text") == "text";
    });
    if (all_text) *content = Json(MessageText(message));
  }
  Json* calls = message.Find("tool_calls");
  if (calls == nullptr || !calls->IsArray()) return message;
  for (Json& call : *calls->AsArray()) {
    Json* function = call.Find("function");
    Json* arguments = function != nullptr ? function->Find("arguments") : nullptr;
    if (arguments != nullptr && arguments->IsObject()) *arguments = Json(arguments->Dump());
  }
  return message;
}

Json TrlMessages(const Json& messages) {
  Json out = Json::MakeArray();
  for (const Json& message : *messages.AsArray()) out.Append(TrlMessage(message));
  return out;
}

Json PromptMessages(const Problem& problem) {
  if (!problem.messages.empty()) return TrlMessages(MessagesToJson(problem.messages));
  if (problem.prompt.empty()) return Json::MakeArray();
  return Json().Append(Json().Set("role", "user").Set("content", problem.prompt));
}

// Our own columns, in their order; `answer` is a list where any row has several.
enum OwnColumn {
  kId,
  kTask,
  kAnswer,
  kAnswers,
  kInfo,
  kReward,
  kFinishReason,
  kSource,
  kOwnColumns
};
constexpr const char* kOwnNames[kOwnColumns] = {
    "id", "task", "answer", "answer", "verification_info", "reward", "finish_reason", "provenance"};

Json TextOrNull(const std::string& text) { return text.empty() ? Json() : Json(text); }

std::array<Json, kOwnColumns> OwnColumns(const std::string& dataset, const DatasetRow& row) {
  const Problem& problem = row.group.problem;
  const StoredSample& sample = row.group.samples[0];
  std::array<Json, kOwnColumns> out;
  out[kId] = SampleId(row.group);
  out[kTask] = TextOrNull(problem.task);
  if (!problem.answers.empty()) out[kAnswer] = problem.answers[0];
  out[kAnswers] = Json::MakeArray();
  for (const std::string& answer : problem.answers) out[kAnswers].Append(answer);
  // As text: objects of unlike keys would become one struct with nulls.
  out[kInfo] = problem.verification_info.IsNull() ? "{}" : problem.verification_info.Dump();
  if (sample.score.reward) out[kReward] = *sample.score.reward;
  out[kFinishReason] = TextOrNull(sample.sample.finish_reason);
  out[kSource] = SourceOf(dataset, row).Dump();
  return out;
}

Json CompletionMessagesOf(const DatasetRow& row) {
  return TrlMessages(CompletionMessages(row.group.samples[0].sample));
}

// The types of a column over all rows and over the first megabytes.
struct ColumnTypes {
  ColumnShape whole, head;
  void Take(const Json& value, bool in_head) {
    whole.Take(value);
    if (in_head) head.Take(value);
  }
  bool ShownEarly() const { return whole.IsShownBy(head); }
  // A column whose type shows too late has a value from its first line on: "" where it is text, else everything as JSON text.
  Json Fit(const Json& value) const {
    if (ShownEarly()) return whole.Fit(value);
    if (whole.IsText()) return value.IsNull() ? Json("") : value;
    return Json(value.Dump());
  }
};

// `datasets` reads a JSON Lines file as one table: every line gets the same columns, of one type each.
class SftFile {
 public:
  explicit SftFile(std::string dataset) : dataset_(std::move(dataset)) {}

  // First pass, every row.
  Status Learn(const DatasetRow& row) {
    const Problem& problem = row.group.problem;
    if (Status status = LearnKind(row); !status.ok()) return status;
    many_answers_ = many_answers_ || problem.answers.size() > 1;
    any_info_ = any_info_ || !problem.verification_info.IsNull();
    const bool in_head = head_bytes_ < kHeadBytes;
    prompt_.Take(PromptMessages(problem), in_head);
    completion_.Take(CompletionMessagesOf(row), in_head);
    const std::array<Json, kOwnColumns> own = OwnColumns(dataset_, row);
    for (size_t i = 0; i < own.size(); ++i) own_[i].Take(own[i], in_head);
    const Json given = SampleColumns(row.group);
    for (const Json::Member& member : *given.AsObject()) {
      auto known = std::find_if(extra_.begin(), extra_.end(),
                                [&](const auto& extra) { return extra.name == member.key; });
      if (known == extra_.end()) known = extra_.insert(known, {member.key, member.key, {}});
      known->types.Take(member.value, in_head);
    }
    if (in_head) {
      head_bytes_ +=
          given.Dump().size() + problem.prompt.size() + row.group.samples[0].sample.text.size();
    }
    return {};
  }

  // Between the passes. Reserved names become extra_NAME, or extra_extra_NAME where a column is called that already.
  void NameColumns() {
    for (Extra& extra : extra_) {
      if (!IsReserved(extra.name)) continue;
      ++renamed_;
      const auto taken = [&] {
        return std::any_of(extra_.begin(), extra_.end(), [&](const Extra& other) {
          return &other != &extra && other.column == extra.column;
        });
      };
      do {
        extra.column.insert(0, "extra_");
      } while (taken());
    }
  }

  // Second pass.
  Json Line(const DatasetRow& row) const {
    const Problem& problem = row.group.problem;
    Json line = Json::MakeObject();
    if (chat_) {
      line.Set("prompt", prompt_.whole.FitParts(PromptMessages(problem)))
          .Set("completion", completion_.whole.FitParts(CompletionMessagesOf(row)));
    } else {
      // Joined as they are: white space between prompt and completion is the model's own.
      line.Set("prompt", problem.prompt).Set("completion", row.group.samples[0].sample.text);
    }
    const std::array<Json, kOwnColumns> own = OwnColumns(dataset_, row);
    for (size_t i = 0; i < own.size(); ++i) {
      if (Has(static_cast<OwnColumn>(i))) line.Set(kOwnNames[i], own_[i].Fit(own[i]));
    }
    const Json given = SampleColumns(row.group);
    for (const Extra& extra : extra_) {
      const Json* value = given.Find(extra.name);
      line.Set(extra.column, extra.types.Fit(value != nullptr ? *value : Json()));
    }
    return line;
  }

  int64_t renamed() const { return renamed_; }
  // True if chat messages have parts whose type shows too late for a reader that fixes types early.
  bool late_parts() const { return chat_ && !(prompt_.ShownEarly() && completion_.ShownEarly()); }

 private:
  struct Extra {
    std::string name;    // in the row
    std::string column;  // in the file
    ColumnTypes types;
  };

  Status LearnKind(const DatasetRow& row) {
    const bool chat = !row.group.problem.messages.empty();
    if (any_row_ && chat != chat_prompts_) {
      return Error{
          ErrorCode::kInput,
          StrCat("row ", row.position, " has a prompt of ", chat ? "chat messages" : "plain text",
                 ", rows before it the other kind"),
          "a TRL data set is all one or all the other; export --format jsonl, or select the runs "
          "apart"};
    }
    any_row_ = true;
    chat_prompts_ = chat;
    chat_ = chat_ || chat || !row.group.samples[0].sample.messages.IsNull();
    return {};
  }

  bool Has(OwnColumn column) const {
    if (column == kAnswer) return !many_answers_ && own_[column].whole.HasType();
    if (column == kAnswers) return many_answers_;
    return column == kInfo ? any_info_ : own_[column].whole.HasType();
  }

  const std::string dataset_;
  bool any_row_ = false, chat_prompts_ = false, many_answers_ = false, any_info_ = false;
  bool chat_ = false;  // prompts are messages, or some completion says what only messages can
  ColumnTypes prompt_, completion_;
  std::array<ColumnTypes, kOwnColumns> own_;
  std::vector<Extra> extra_;
  size_t head_bytes_ = 0;
  int64_t renamed_ = 0;
};

Status WriteSft(Store* store, const DatasetRecord& dataset, const ExportOptions& /*options*/,
                WholeFile* file, ExportResult* result) {
  SftFile sft(dataset.name);
  Status status = store->ForEachDatasetRow(dataset.id, true,
                                           [&](const DatasetRow& row) { return sft.Learn(row); });
  if (!status.ok()) return status;
  sft.NameColumns();
  result->renamed_columns = sft.renamed();
  result->late_parts = sft.late_parts();
  return store->ForEachDatasetRow(dataset.id, true, [&](const DatasetRow& row) {
    ++result->rows;
    ++result->lines;
    return file->Write(sft.Line(row));
  });
}

}  // namespace

const ExportForm kTrlSftForm = {"trl-sft", /*groups=*/false, WriteSft};

}  // namespace assay
