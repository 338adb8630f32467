#include "datagen/export/table_form.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/rows/group_json.h"
#include "core/text.h"
#include "datagen/export/column_shape.h"
#include "datagen/export/csv_line.h"
#include "datagen/export/export_form.h"
#include "datagen/export/sample_columns.h"
#include "datagen/select/correctness.h"

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
// Of the sample rather than of the problem.
constexpr OwnColumn kOfSample[] = {kReward, kFinishReason, kSource};

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
  Json source = SourceOf(dataset, row);
  if (!sample.score.parts.empty()) source.Set("reward_parts", PartsOf(row.group));
  out[kSource] = source.Dump();
  return out;
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
  // Of what Fit gives.
  Json Type() const { return ShownEarly() ? whole.TypeOf(false) : Json("string"); }
};

struct Column {
  std::string name;    // in the row
  std::string column;  // in the file
  ColumnTypes types;
};

Column* FindColumn(const std::string& name, std::vector<Column>* columns) {
  auto known = std::find_if(columns->begin(), columns->end(),
                            [&](const Column& column) { return column.name == name; });
  if (known == columns->end()) known = columns->insert(known, {name, name, {}});
  return &*known;
}

class TableFile {
 public:
  TableFile(const TableLayout& layout, std::string dataset, const ExportOptions& options)
      : layout_(layout), dataset_(std::move(dataset)), options_(options) {}

  // First pass, every row that has a line.
  Status Learn(const TableRow& row) {
    if (Status status = LearnKind(row.row); !status.ok()) return status;
    const Problem& problem = row.problem();
    many_answers_ = many_answers_ || problem.answers.size() > 1;
    any_info_ = any_info_ || !problem.verification_info.IsNull();
    const bool in_head = head_bytes_ < kHeadBytes;
    const bool may_be_chat = layout_.kind != TableLayout::Kind::kText;
    const Json layout_columns = layout_.columns(row, may_be_chat);
    for (const Json::Member& member : *layout_columns.AsObject())
      FindColumn(member.key, &layout_columns_)->types.Take(member.value, in_head);
    if (HasExtras()) LearnExtras(row, in_head);
    if (in_head) {
      head_bytes_ += problem.prompt.size() + row.sample().text.size();
      if (row.row.rejected) head_bytes_ += row.row.rejected->sample.text.size();
    }
    return {};
  }

  // Between the passes. Reserved names become extra_NAME, or extra_extra_NAME where a column is called that already.
  void NameColumns() {
    for (Column& extra : extra_) {
      if (!IsReserved(extra.name) && !IsLayoutColumn(extra.name)) continue;
      ++renamed_;
      const auto taken = [&] {
        return std::any_of(extra_.begin(), extra_.end(), [&](const Column& other) {
          return &other != &extra && other.column == extra.column;
        });
      };
      do {
        extra.column.insert(0, "extra_");
      } while (taken());
    }
  }

  // Second pass.
  Json Line(const TableRow& row) const {
    Json line = Json::MakeObject();
    const bool chat = IsChat();
    const Json layout_columns = layout_.columns(row, chat);
    // Strings are written as they are (the shape that was learned may be that of messages); messages get the keys that any of them has.
    for (const Column& column : layout_columns_) {
      const Json* value = layout_columns.Find(column.name);
      const Json one = value != nullptr ? *value : Json();
      line.Set(column.column, one.IsString() ? one : column.types.whole.FitParts(one));
    }
    if (HasExtras()) SetExtras(row, &line);
    return Chosen(std::move(line));
  }

  // The types of the columns of a line, by name.
  Json Types(const Json& line) const {
    Json types = Json::MakeObject();
    for (const Column& column : layout_columns_) {
      const Json* value = line.Find(column.column);
      const bool text = value != nullptr && value->IsString();
      types.Set(column.column, text ? Json("string") : column.types.whole.TypeOf(true));
    }
    for (size_t i = 0; i < own_.size(); ++i) {
      if (Has(static_cast<OwnColumn>(i))) types.Set(kOwnNames[i], own_[i].Type());
    }
    for (const Column& extra : extra_) types.Set(extra.column, extra.types.Type());
    Json out = Json::MakeObject();
    for (const Json::Member& member : *line.AsObject())
      out.Set(member.key, *types.Find(member.key));
    return out;
  }

  // What --columns names must be there.
  Status CheckColumns(const Json& line, const Json& all) const {
    for (const std::string& name : options_.columns) {
      if (line.Find(name) != nullptr) continue;
      std::vector<std::string> known;
      for (const Json::Member& member : *all.AsObject()) known.push_back(member.key);
      return Error{ErrorCode::kUsage, StrCat("the rows have no column '", name, "'"),
                   DidYouMean(name, known)};
    }
    return {};
  }
  Json WholeLine(const TableRow& row) const {
    TableFile all = *this;
    all.chosen_ = false;
    return all.Line(row);
  }

  bool IsChat() const {
    return layout_.kind == TableLayout::Kind::kChat ||
           (layout_.kind == TableLayout::Kind::kEither && chat_);
  }
  int64_t renamed() const { return renamed_; }
  // True if chat messages have parts whose type shows too late for a reader that fixes types early.
  bool late_parts() const {
    return IsChat() && std::any_of(layout_columns_.begin(), layout_columns_.end(),
                                   [](const Column& column) { return !column.types.ShownEarly(); });
  }

 private:
  bool HasExtras() const { return layout_.extras == TableLayout::Extras::kAll; }
  bool OfProblem() const { return layout_.lines == TableLayout::Lines::kProblem; }
  bool IsLayoutColumn(const std::string& name) const {
    return std::any_of(layout_columns_.begin(), layout_columns_.end(),
                       [&](const Column& column) { return column.name == name; });
  }

  void LearnExtras(const TableRow& row, bool in_head) {
    const std::array<Json, kOwnColumns> own = OwnColumns(dataset_, row.row);
    for (size_t i = 0; i < own.size(); ++i) own_[i].Take(own[i], in_head);
    const Json given = SampleColumns(row.row.group);
    for (const Json::Member& member : *given.AsObject())
      FindColumn(member.key, &extra_)->types.Take(member.value, in_head);
    if (in_head) head_bytes_ += given.Dump().size();
  }

  void SetExtras(const TableRow& row, Json* line) const {
    const std::array<Json, kOwnColumns> own = OwnColumns(dataset_, row.row);
    for (size_t i = 0; i < own.size(); ++i) {
      if (Has(static_cast<OwnColumn>(i))) line->Set(kOwnNames[i], own_[i].Fit(own[i]));
    }
    const Json given = SampleColumns(row.row.group);
    for (const Column& extra : extra_) {
      const Json* value = given.Find(extra.name);
      line->Set(extra.column, extra.types.Fit(value != nullptr ? *value : Json()));
    }
  }

  Json Chosen(Json line) const {
    if (!chosen_ || options_.columns.empty()) return line;
    Json out = Json::MakeObject();
    for (const std::string& name : options_.columns) {
      if (Json* value = line.Find(name)) out.Set(name, std::move(*value));
    }
    return out;
  }

  Status LearnKind(const DatasetRow& row) {
    const bool chat = !row.group.problem.messages.empty();
    if (layout_.kind == TableLayout::Kind::kEither && any_row_ && chat != chat_prompts_) {
      return Error{
          ErrorCode::kInput,
          StrCat("row ", row.position, " has a prompt of ", chat ? "chat messages" : "plain text",
                 ", rows before it the other kind"),
          "a TRL data set is all one or all the other; export --format jsonl, or select the runs "
          "apart"};
    }
    any_row_ = true;
    chat_prompts_ = chat;
    const auto says_more = [](const Sample& sample) { return !sample.messages.IsNull(); };
    chat_ = chat_ || chat || !options_.system.empty() || says_more(row.group.samples[0].sample) ||
            (row.rejected && says_more(row.rejected->sample));
    return {};
  }

  bool Has(OwnColumn column) const {
    if (OfProblem() &&
        std::find(std::begin(kOfSample), std::end(kOfSample), column) != std::end(kOfSample))
      return false;
    if (column == kAnswer) return !many_answers_ && own_[column].whole.HasType();
    if (column == kAnswers) return many_answers_;
    return column == kInfo ? any_info_ : own_[column].whole.HasType();
  }

  const TableLayout& layout_;
  const std::string dataset_;
  const ExportOptions& options_;
  bool chosen_ = true;  // --columns counts
  bool any_row_ = false, chat_prompts_ = false, many_answers_ = false, any_info_ = false;
  bool chat_ = false;  // prompts are messages, or some completion says what only messages can
  std::vector<Column> layout_columns_;
  std::array<ColumnTypes, kOwnColumns> own_;
  std::vector<Column> extra_;
  size_t head_bytes_ = 0;
  int64_t renamed_ = 0;
};

// The lines of a data set under a layout: rows of other splits and problems that were seen are left out, pairs become two.
class TableRows {
 public:
  TableRows(const TableLayout& layout, Store* store, const DatasetRecord& dataset,
            const ExportOptions& options)
      : layout_(layout), store_(store), dataset_(dataset), options_(options) {}

  Status ReadRubrics() {
    Result<std::vector<RunRecord>> runs = store_->Runs();
    if (!runs.ok()) return runs.error();
    for (const RunRecord& run : *runs) {
      Result<Json> rubric = ParseJson(run.rubric_json);
      deciders_.emplace(run.name, rubric.ok() ? *rubric : Json());
    }
    return {};
  }

  template <typename Visit>
  Status ForEach(const Visit& visit) {
    std::unordered_set<int64_t> problems;
    number_ = 0;
    const auto one = [&](const DatasetRow& row) -> Status {
      if (!options_.split.empty() && row.split != options_.split) return {};
      const bool once = layout_.lines == TableLayout::Lines::kProblem;
      if (once && !problems.insert(row.group.problem_id).second) return {};
      if (layout_.lines == TableLayout::Lines::kPair && !row.rejected) {
        return Error{ErrorCode::kUsage,
                     StrCat("data set '", dataset_.name, "' has no preference pairs"),
                     "`assay select --strategy preference` makes them"};
      }
      if (Status status = VisitOne(row, visit); !status.ok()) return status;
      if (layout_.lines != TableLayout::Lines::kBothOfPair || !row.rejected) return {};
      DatasetRow loser = row;
      loser.group.samples[0] = *row.rejected;
      loser.rejected.reset();
      return VisitOne(loser, visit);
    };
    return ForEachInOrder(store_, dataset_, options_, one);
  }

 private:
  template <typename Visit>
  Status VisitOne(const DatasetRow& row, const Visit& visit) {
    const auto deciders = deciders_.find(row.run);
    const StoredSample& sample = row.group.samples[0];
    const bool right = sample.score.reward && deciders != deciders_.end() &&
                       deciders->second.Pass(row.group.labels, sample.score);
    return visit(TableRow{dataset_.name, row, options_, right, number_++});
  }

  const TableLayout& layout_;
  Store* store_;
  const DatasetRecord& dataset_;
  const ExportOptions& options_;
  std::map<std::string, Deciders> deciders_;
  int64_t number_ = 0;
};

// How a line is written: JSON, or comma-separated behind a line of names.
Status WriteLine(const TableLayout& layout, const Json& line, bool first, WholeFile* file) {
  if (layout.syntax == TableLayout::Syntax::kJson) return file->Write(line);
  if (first) {
    if (Status status = file->WriteText(CsvHeader(line)); !status.ok()) return status;
  }
  return file->WriteText(CsvLine(line));
}

}  // namespace

Status WriteTable(const TableLayout& layout, Store* store, const DatasetRecord& dataset,
                  const ExportOptions& options, WholeFile* file, ExportResult* result) {
  TableFile table(layout, dataset.name, options);
  TableRows rows(layout, store, dataset, options);
  if (Status status = rows.ReadRubrics(); !status.ok()) return status;
  Status status = rows.ForEach([&](const TableRow& row) { return table.Learn(row); });
  if (!status.ok()) return status;
  table.NameColumns();
  result->renamed_columns = table.renamed();
  result->late_parts = table.late_parts();
  result->rows = dataset.rows;
  return rows.ForEach([&](const TableRow& row) -> Status {
    const Json line = table.Line(row);
    const bool first = result->lines++ == 0;
    if (first) {
      if (Status fits = table.CheckColumns(line, table.WholeLine(row)); !fits.ok()) return fits;
      for (const Json::Member& member : *line.AsObject())
        result->column_names.push_back(member.key);
      result->schema_json = table.Types(line).Dump();
    }
    CountLicence(row.problem(), result);
    return WriteLine(layout, line, first, file);
  });
}

}  // namespace assay
