#include "grpo/run/train_data.h"

#include <algorithm>
#include <functional>
#include <memory>

#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/text.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

// Calls `visit` for every row of the files; false ends the reading.
Status ForEachRow(const std::vector<std::string>& files,
                  const std::function<Result<bool>(const Json& row)>& visit) {
  for (const std::string& file : files) {
    Result<std::unique_ptr<LineReader>> reader = LineReader::Open(file);
    if (!reader.ok()) return reader.error();
    LineReader::Line line;
    while (true) {
      Result<bool> more = (*reader)->Next(&line);
      if (!more.ok()) return more.error();
      if (!*more) break;
      const std::string where = StrCat(file, ":", line.number, ": ");
      if (line.too_long) return Error{ErrorCode::kInput, where + "the line is too long", ""};
      Result<Json> row = ParseJson(line.text, nullptr, /*padded=*/true);
      if (!row.ok()) return Error{ErrorCode::kInput, where + row.error().message, row.error().hint};
      Result<bool> go_on = visit(*row);
      if (!go_on.ok())
        return Error{go_on.error().code, where + go_on.error().message, go_on.error().hint};
      if (!*go_on) return {};
    }
  }
  return {};
}

void Dress(const DataSpec& spec, Problem* problem) {
  if (problem->messages.empty())
    problem->prompt = StrCat(spec.prompt_prefix, problem->prompt, spec.prompt_suffix);
}

// prompt and completion tokenised apart and joined, EOS appended, as TRL's prompt-completion data.
Result<SftRow> PairRow(const Tokenizer& tokenizer, const Problem& problem,
                       const std::string& completion, int64_t eos_id, bool completion_only) {
  SftRow row;
  EncodeOptions options;
  if (problem.messages.empty()) {
    options.add_bos = tokenizer.adds_bos();
    row.ids = tokenizer.Encode(problem.prompt, options);
  } else {
    Result<std::string> text =
        tokenizer.ApplyChat(problem.messages, /*add_generation_prompt=*/true);
    if (!text.ok()) return text.error();
    row.ids = tokenizer.Encode(*text, options);
  }
  row.labels_from = completion_only ? std::max<int64_t>(1, row.ids.size()) : 1;
  options.add_bos = false;
  const std::vector<int64_t> tail = tokenizer.Encode(completion, options);
  row.ids.insert(row.ids.end(), tail.begin(), tail.end());
  if (eos_id >= 0 && (row.ids.empty() || row.ids.back() != eos_id)) row.ids.push_back(eos_id);
  return row;
}

// {"messages"}: what comes before the last assistant turn is the prompt.
Result<Problem> SplitMessages(const Json& messages, std::string* completion) {
  Result<Problem> problem = ProblemFromJson(Json::MakeObject().Set("prompt", messages));
  if (!problem.ok()) return problem.error();
  if (problem->messages.empty() || problem->messages.back().role != "assistant") {
    return Error{ErrorCode::kInput, "the last message is not the assistant's",
                 "there is nothing to learn in this row"};
  }
  *completion = problem->messages.back().content;
  problem->messages.pop_back();
  return problem;
}

// {"prompt", "completion"}; the completion may be a list with one message.
Result<Problem> SplitPair(const Json& row, std::string* completion) {
  const Json* value = row.Find("completion");
  if (value == nullptr) {
    return Error{ErrorCode::kInput, "the row has neither 'completion' nor 'messages' nor 'text'",
                 "SFT rows look like {\"prompt\": \"..\", \"completion\": \"..\"}"};
  }
  const Json::Array* list = value->AsArray();
  *completion = list != nullptr && !list->empty()
                    ? std::string(list->back().StringOr("content", ""))
                    : value->ScalarText();
  Json without = row;
  without.Erase("completion");
  return ProblemFromJson(without);
}

Result<SftRow> RowOf(const Json& json, const SftRecipe& recipe, const Tokenizer& tokenizer,
                     int64_t eos_id) {
  const Json* text = json.Find("text");
  if (text != nullptr && text->IsString() && json.Find("prompt") == nullptr) {
    return PairRow(tokenizer, Problem{}, *text->AsString(), eos_id, /*completion_only=*/false);
  }
  const Json* messages = json.Find("messages");
  std::string completion;
  Result<Problem> problem = messages != nullptr && messages->IsArray()
                                ? SplitMessages(*messages, &completion)
                                : SplitPair(json, &completion);
  if (!problem.ok()) return problem.error();
  Dress(recipe.train.data, &*problem);
  return PairRow(tokenizer, *problem, completion, eos_id, recipe.completion_only_loss);
}

Status ReadDataset(const SftRecipe& recipe,
                   const std::function<Result<bool>(const Problem&, const std::string&)>& visit) {
  const DataSpec& data = recipe.train.data;
  Result<std::unique_ptr<Store>> store = Store::Open(data.store, OpenMode::kReadOnly);
  if (!store.ok()) return store.error();
  Result<DatasetRecord> dataset = (*store)->FindDataset(data.dataset);
  if (!dataset.ok()) return dataset.error();
  return (*store)->ForEachDatasetRow(
      dataset->id, /*with_texts=*/true, [&](const DatasetRow& row) -> Status {
        if (row.group.samples.empty()) return {};
        Problem problem = row.group.problem;
        Dress(data, &problem);
        Result<bool> done = visit(problem, row.group.samples[0].sample.text);
        return done.ok() ? Status() : Status(done.error());
      });
}

}  // namespace

Result<std::vector<Problem>> LoadProblems(const std::vector<std::string>& files,
                                          const DataSpec& spec, int64_t limit) {
  std::vector<Problem> problems;
  Status status = ForEachRow(files, [&](const Json& row) -> Result<bool> {
    Result<Problem> problem = ProblemFromJson(row);
    if (!problem.ok()) return problem.error();
    if (problem->id.empty()) problem->id = StrCat("row-", static_cast<int64_t>(problems.size()));
    Dress(spec, &*problem);
    problems.push_back(std::move(*problem));
    return limit <= 0 || static_cast<int64_t>(problems.size()) < limit;
  });
  if (!status.ok()) return status.error();
  if (problems.empty())
    return Error{ErrorCode::kInput, StrCat("no problems in '", files.empty() ? "" : files[0], "'"),
                 ""};
  return problems;
}

Result<std::vector<Group>> LoadGroups(const std::string& file, const DataSpec& spec) {
  std::vector<Group> groups;
  Status status = ForEachRow({file}, [&](const Json& row) -> Result<bool> {
    Result<Group> group = GroupFromJson(row);
    if (!group.ok()) return group.error();
    Dress(spec, &group->problem);
    groups.push_back(std::move(*group));
    return true;
  });
  if (!status.ok()) return status.error();
  return groups;
}

Result<std::vector<SftRow>> LoadSftRows(const SftRecipe& recipe, const Tokenizer& tokenizer,
                                        int64_t eos_id) {
  std::vector<SftRow> rows;
  const auto keep = [&](Result<SftRow> row) -> Result<bool> {
    if (!row.ok()) return row.error();
    if (static_cast<int64_t>(row->ids.size()) > recipe.max_length)
      row->ids.resize(recipe.max_length);
    if (row->num_labels() > 0) rows.push_back(std::move(*row));
    return true;
  };
  if (!recipe.train.data.store.empty()) {
    Status status = ReadDataset(recipe, [&](const Problem& problem, const std::string& completion) {
      return keep(PairRow(tokenizer, problem, completion, eos_id, recipe.completion_only_loss));
    });
    if (!status.ok()) return status.error();
  }
  Status status = ForEachRow(recipe.train.data.train, [&](const Json& row) {
    return keep(RowOf(row, recipe, tokenizer, eos_id));
  });
  if (!status.ok()) return status.error();
  if (rows.empty())
    return Error{ErrorCode::kInput, "no training row has a token to learn",
                 "is max_length too small?"};
  return rows;
}

}  // namespace assay
