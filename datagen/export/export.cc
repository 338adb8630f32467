#include "datagen/export/export.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <optional>

#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/text.h"
#include "datagen/export/column_shape.h"

namespace assay {
namespace {

constexpr char kTrlSft[] = "trl-sft";
constexpr char kJsonl[] = "jsonl";

// Names that TRL's trainers give a meaning of their own (reward function arguments, and columns by which the SFT trainer
// takes a data set for another type or for tokenized).
constexpr std::array<std::string_view, 18> kReservedColumns = {
    "prompt",         "completion",      "completions",    "prompts",      "completion_ids",
    "trainer_state",  "log_extra",       "log_metric",     "environments", "messages",
    "text",           "chosen",          "rejected",       "input_ids",    "labels",
    "attention_mask", "completion_mask", "assistant_masks"};

// Arrays beside the completions, one entry a sample, and what one entry is called.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kParallel = {
    {{"labels", "label"}, {"models", "model"}, {"seeds", "seed"}, {"token_counts", "token_count"}}};

const std::pair<std::string_view, std::string_view>* FindParallel(std::string_view key,
                                                                  const Json& value,
                                                                  int64_t samples) {
  const Json::Array* array = value.AsArray();
  if (array == nullptr || static_cast<int64_t>(array->size()) != samples) return nullptr;
  for (const auto& pair : kParallel) {
    if (pair.first == key) return &pair;
  }
  return nullptr;
}

// The row's columns that are not the sample's own; of arrays beside the completions, the sample's entry.
Json SampleColumns(const StoredGroup& group) {
  Json out = Json::MakeObject();
  const Json::Object* extra = group.problem.extra.AsObject();
  if (extra == nullptr) return out;
  for (const Json::Member& member : *extra) {
    const auto* parallel =
        group.flat ? nullptr : FindParallel(member.key, member.value, group.sample_count);
    if (parallel == nullptr) {
      out.Set(member.key, member.value);
    } else {
      out.Set(parallel->second, (*member.value.AsArray())[group.samples[0].index]);
    }
  }
  return out;
}

// ------------------------------------------------------------------------------------------------ the file

// Lines that appear under their name only when all are written. What is no regular file (a pipe, /dev/null) is written
// directly: renaming over it would replace the device.
class WholeFile {
 public:
  static Result<WholeFile> Open(const std::string& path, const std::atomic<bool>* interrupted) {
    WholeFile file;
    file.interrupted_ = interrupted;
    file.path_ = path;
    if (path.empty() || path == "-") {
      file.partial_ = path;
    } else {
      std::error_code ignored;
      struct stat info;
      if (::stat(path.c_str(), &info) == 0) {
        // Through a link: the link stays, its target is replaced.
        const std::filesystem::path real = std::filesystem::canonical(path, ignored);
        if (!ignored) file.path_ = real.string();
        file.renames_ = S_ISREG(info.st_mode);
      } else {
        file.renames_ = true;
      }
      file.partial_ = file.renames_
                          ? StrCat(file.path_, ".partial-", static_cast<int64_t>(getpid()))
                          : file.path_;
    }
    Result<std::unique_ptr<LineWriter>> writer = LineWriter::Open(file.partial_);
    if (!writer.ok()) return file.Named(writer.error());
    file.writer_ = std::move(*writer);
    return file;
  }
  WholeFile(WholeFile&&) = default;
  ~WholeFile() {
    if (writer_ == nullptr) return;
    (void)writer_->Close();
    if (renames_) ::unlink(partial_.c_str());
  }

  Status Write(const Json& line) {
    if (interrupted_ != nullptr && *interrupted_)
      return Error{ErrorCode::kUnavailable, "interrupted", ""};
    text_.clear();
    line.AppendTo(&text_);
    Status status = writer_->Write(text_);
    return status.ok() ? status : Named(status.error());
  }
  int64_t bytes() const { return writer_->bytes_written(); }

  Status Finish() {
    Status status = renames_ ? writer_->Sync() : writer_->Flush();
    if (status.ok()) status = writer_->Close();
    if (!status.ok()) return Named(status.error());
    if (renames_ && std::rename(partial_.c_str(), path_.c_str()) != 0) {
      return Error{
          ErrorCode::kIo,
          StrCat("cannot rename '", partial_, "' to '", path_, "': ", std::strerror(errno)),
          "check the permissions of the folder"};
    }
    writer_.reset();
    return {};
  }

 private:
  WholeFile() = default;
  // The error under the name that the user gave.
  Error Named(Error error) const {
    const size_t at = renames_ ? error.message.find(partial_) : std::string::npos;
    if (at != std::string::npos) error.message.replace(at, partial_.size(), path_);
    return error;
  }
  std::string path_, partial_, text_;
  bool renames_ = false;
  const std::atomic<bool>* interrupted_ = nullptr;
  std::unique_ptr<LineWriter> writer_;
};

// ------------------------------------------------------------------------------------------------ trl-sft

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

Status WriteSft(Store* store, DatasetId dataset, WholeFile* file, ExportResult* result) {
  SftColumns columns;
  Status status = store->ForEachDatasetRow(
      dataset, true, [&](const DatasetRow& row) { return NoteColumns(row, &columns); });
  if (!status.ok()) return status;
  NameColumns(&columns);
  result->renamed_columns = columns.renamed;
  return store->ForEachDatasetRow(dataset, true, [&](const DatasetRow& row) {
    ++result->rows;
    ++result->lines;
    return file->Write(SftLine(row, columns));
  });
}

// ------------------------------------------------------------------------------------------------ jsonl

Json VerdictsOf(const StoredGroup& group, const StoredSample& sample) {
  Json out = Json::MakeObject();
  for (size_t term = 0; term < sample.score.verdicts.size(); ++term) {
    out.Set(group.labels[term], VerdictToJson(sample.score.verdicts[term], /*with_ms=*/false));
  }
  return out;
}

Json RewardOf(const StoredSample& sample) {
  return sample.score.reward ? Json(*sample.score.reward) : Json();
}

Json AdvantageOf(const StoredSample& sample) {
  return sample.score.advantage.mask ? Json(sample.score.advantage.value) : Json();
}

Json SourceOf(const std::string& dataset, const DatasetRow& row) {
  Result<Json> decision = ParseJson(row.decision);
  return Json()
      .Set("dataset", dataset)
      .Set("position", row.position)
      .Set("decision", decision.ok() ? *decision : Json(row.decision))
      .Set("run", row.run)
      .Set("tool_version", row.run_tool_version)
      .Set("file", row.group.key.file)
      .Set("line", row.group.key.line)
      .Set("line_hash", row.group.key.line_hash.Hex())
      .Set("sample", row.group.samples[0].index);
}

Json NumberArray(const std::vector<double>& values) {
  Json out = Json::MakeArray();
  for (double value : values) out.Append(value);
  return out;
}

Json NumberArray(const std::vector<int64_t>& values) {
  Json out = Json::MakeArray();
  for (int64_t value : values) out.Append(value);
  return out;
}

Json FlatLine(const std::string& dataset, const DatasetRow& row) {
  const StoredSample& stored = row.group.samples[0];
  Group group;
  group.flat = true;
  group.problem = row.group.problem;
  group.problem.extra = SampleColumns(row.group);
  group.samples = {stored.sample};
  Json line = GroupToJson(group);
  if (!stored.sample.token_ids.empty()) line.Set("token_ids", NumberArray(stored.sample.token_ids));
  if (!stored.sample.logprobs.empty()) line.Set("logprobs", NumberArray(stored.sample.logprobs));
  line.Set("reward", RewardOf(stored))
      .Set("advantage", AdvantageOf(stored))
      .Set("verdicts", VerdictsOf(row.group, stored));
  line.Set("provenance", SourceOf(dataset, row));
  return line;
}

// The kept samples of one input row, as one line with parallel arrays.
Json GroupLine(const std::string& dataset, const std::vector<DatasetRow>& rows) {
  Group group;
  group.problem = rows[0].group.problem;
  Json rewards = Json::MakeArray(), advantages = Json::MakeArray(), verdicts = Json::MakeArray(),
       sources = Json::MakeArray();
  for (const DatasetRow& row : rows) {
    const StoredSample& sample = row.group.samples[0];
    group.samples.push_back(sample.sample);
    rewards.Append(RewardOf(sample));
    advantages.Append(AdvantageOf(sample));
    verdicts.Append(VerdictsOf(row.group, sample));
    sources.Append(SourceOf(dataset, row));
  }
  for (Json::Member& member : *group.problem.extra.AsObject()) {
    if (rows[0].group.flat ||
        FindParallel(member.key, member.value, rows[0].group.sample_count) == nullptr)
      continue;
    Json kept = Json::MakeArray();
    for (const DatasetRow& row : rows)
      kept.Append((*member.value.AsArray())[row.group.samples[0].index]);
    member.value = std::move(kept);
  }
  Json line = GroupToJson(group);
  line.Set("rewards", std::move(rewards))
      .Set("advantages", std::move(advantages))
      .Set("verdicts", std::move(verdicts));
  line.Set("provenance", std::move(sources));
  return line;
}

Status WriteJsonl(Store* store, const DatasetRecord& dataset, bool group, WholeFile* file,
                  ExportResult* result) {
  std::vector<DatasetRow> pending;
  const auto flush = [&]() -> Status {
    if (pending.empty()) return {};
    ++result->lines;
    Status status = file->Write(GroupLine(dataset.name, pending));
    pending.clear();
    return status;
  };
  Status status = store->ForEachDatasetRow(dataset.id, true, [&](const DatasetRow& row) -> Status {
    ++result->rows;
    if (!group) {
      ++result->lines;
      return file->Write(FlatLine(dataset.name, row));
    }
    if (!pending.empty() && pending[0].group.row_id != row.group.row_id) {
      if (Status written = flush(); !written.ok()) return written;
    }
    pending.push_back(row);
    return {};
  });
  return status.ok() ? flush() : status;
}

}  // namespace

const std::vector<std::string>& ExportFormats() {
  static const std::vector<std::string> kNames = {kTrlSft, kJsonl};
  return kNames;
}

Result<ExportResult> ExportDataset(Store* store, const ExportOptions& options) {
  const std::vector<std::string>& known = ExportFormats();
  if (std::find(known.begin(), known.end(), options.format) == known.end()) {
    return Error{ErrorCode::kUsage, StrCat("unknown export format '", options.format, "'"),
                 DidYouMean(options.format, known)};
  }
  if (options.group && options.format != kJsonl) {
    return Error{ErrorCode::kUsage, StrCat("--group does not go with ", options.format),
                 "it belongs to --format jsonl"};
  }
  Result<WholeFile> file = WholeFile::Open(options.output, options.interrupted);
  if (!file.ok()) return file.error();
  ExportResult result;
  // The data set may be made anew meanwhile.
  Status status = store->WithSnapshot([&]() -> Status {
    Result<DatasetRecord> dataset = store->FindDataset(options.dataset);
    if (!dataset.ok()) return dataset.error();
    return options.format == kTrlSft ? WriteSft(store, dataset->id, &*file, &result)
                                     : WriteJsonl(store, *dataset, options.group, &*file, &result);
  });
  if (!status.ok()) return status.error();
  result.bytes = file->bytes();
  if (Status finished = file->Finish(); !finished.ok()) return finished.error();
  return result;
}

}  // namespace assay
