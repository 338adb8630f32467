#include "grpo/run/train_data.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/rows/problem_fields.h"
#include "core/text.h"
#include "grpo/tokenizer/chat_renderer.h"

namespace assay {
namespace {

// A problem out of any row that holds one; {"messages"} are a prompt, up to an assistant's last turn.
Result<Problem> ProblemOf(Json row) {
  const Json* messages = row.Find("messages");
  if (row.Find("prompt") == nullptr && messages != nullptr && messages->IsArray()) {
    Json prompt = *messages;
    Json::Array* list = prompt.AsArray();
    if (!list->empty() && list->back().StringOr("role", "") == "assistant") list->pop_back();
    row.Set("prompt", std::move(prompt));
  }
  FillProblem(&row);
  return ProblemFromJson(row);
}

// Prompts as tokens; the chats among them are rendered together.
Result<std::vector<std::vector<int64_t>>> PromptIdsOf(const Tokenizer& tokenizer,
                                                      const std::vector<Problem>& problems) {
  std::vector<std::vector<int64_t>> ids(problems.size());
  std::vector<ChatInput> chats;
  std::vector<size_t> places;
  for (size_t i = 0; i < problems.size(); ++i) {
    if (problems[i].messages.empty()) {
      ids[i] = EncodePlain(tokenizer, problems[i].prompt);
    } else {
      chats.push_back(PromptInput(problems[i]));
      places.push_back(i);
    }
  }
  if (!chats.empty()) {
    Result<std::vector<std::string>> texts = tokenizer.chat().RenderAll(chats);
    if (!texts.ok()) return texts.error();
    for (size_t i = 0; i < chats.size(); ++i) ids[places[i]] = tokenizer.Encode((*texts)[i]);
  }
  for (size_t i = 0; i < problems.size(); ++i) {
    if (ids[i].empty())
      return Error{ErrorCode::kInput, StrCat("problem '", problems[i].id, "': the prompt is empty"),
                   "give the row a 'prompt'"};
  }
  return ids;
}

}  // namespace

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

void DressPrompt(const DataSpec& spec, Problem* problem) {
  if (problem->messages.empty()) {
    problem->prompt = StrCat(spec.prompt_prefix, problem->prompt, spec.prompt_suffix);
    if (!spec.system_prompt.empty()) problem->messages = {{"user", problem->prompt}};
  }
  if (problem->messages.empty()) return;
  if (!spec.system_prompt.empty() && problem->messages[0].role != "system")
    problem->messages.insert(problem->messages.begin(), {"system", spec.system_prompt});
  const Json* own = problem->extra.Find("chat_template_kwargs");
  Json kwargs = MergedKwargs(spec, own == nullptr ? Json() : *own);
  if (!kwargs.IsNull()) problem->extra.Set("chat_template_kwargs", std::move(kwargs));
}

Result<Problem> MakeProblem(const Json& row, const DataSpec& spec) {
  Result<Problem> problem = ProblemOf(row);
  if (problem.ok()) DressPrompt(spec, &*problem);
  return problem;
}

Result<std::vector<Problem>> LoadProblems(const std::vector<std::string>& files,
                                          const DataSpec& spec, int64_t limit) {
  std::vector<Problem> problems;
  Status status = ForEachRow(files, [&](const Json& row) -> Result<bool> {
    Result<Problem> problem = MakeProblem(row, spec);
    if (!problem.ok()) return problem.error();
    if (problem->id.empty()) problem->id = StrCat("row-", static_cast<int64_t>(problems.size()));
    problems.push_back(std::move(*problem));
    return limit <= 0 || static_cast<int64_t>(problems.size()) < limit;
  });
  if (!status.ok()) return status.error();
  if (problems.empty())
    return Error{ErrorCode::kInput, StrCat("no problems in '", files.empty() ? "" : files[0], "'"),
                 ""};
  return problems;
}

void Undress(const DataSpec& spec, Problem* problem) {
  const std::string& prompt = problem->prompt;
  const size_t around = spec.prompt_prefix.size() + spec.prompt_suffix.size();
  if (!problem->messages.empty() || around == 0 || prompt.size() < around) return;
  if (!StartsWith(prompt, spec.prompt_prefix) || !EndsWith(prompt, spec.prompt_suffix)) return;
  problem->prompt = prompt.substr(spec.prompt_prefix.size(), prompt.size() - around);
}

Result<std::vector<Group>> LoadGroups(const std::string& file, const DataSpec& spec) {
  std::vector<Group> groups;
  Status status = ForEachRow({file}, [&](const Json& row) -> Result<bool> {
    Result<Group> group = GroupFromJson(row);
    if (!group.ok()) return group.error();
    DressPrompt(spec, &group->problem);
    groups.push_back(std::move(*group));
    return true;
  });
  if (!status.ok()) return status.error();
  return groups;
}

std::vector<int64_t> EncodePlain(const Tokenizer& tokenizer, const std::string& text) {
  EncodeOptions options;
  const std::string_view bos = tokenizer.TokenBytes(tokenizer.bos_id());
  options.add_bos = tokenizer.adds_bos() && (bos.empty() || !StartsWith(text, bos));
  return tokenizer.Encode(text, options);
}

bool AddSystemPrompt(const DataSpec& spec, Json* messages) {
  Json::Array* list = messages->AsArray();
  if (list == nullptr || spec.system_prompt.empty()) return false;
  if (!list->empty() && list->front().StringOr("role", "") == "system") return false;
  list->insert(list->begin(),
               Json::MakeObject().Set("role", "system").Set("content", spec.system_prompt));
  return true;
}

Json MergedKwargs(const DataSpec& spec, const Json& of_row) {
  Json merged = spec.chat_template_kwargs;
  Json own = of_row;
  if (own.IsString()) {
    Result<Json> parsed = ParseJson(*of_row.AsString());
    own = parsed.ok() ? std::move(*parsed) : Json();
  }
  if (const Json::Object* members = own.AsObject()) {
    for (const Json::Member& member : *members) merged.Set(member.key, member.value);
  }
  return merged;
}

Result<std::vector<std::vector<int64_t>>> EncodePrompts(const Tokenizer& tokenizer,
                                                        const DataSpec& spec, int64_t most,
                                                        std::vector<Problem>* problems,
                                                        PromptLengths* lengths) {
  constexpr size_t kChats = 256;  // rendered in one box
  std::vector<std::vector<int64_t>> all;
  std::vector<Problem> kept;
  for (size_t begin = 0; begin < problems->size(); begin += kChats) {
    const size_t end = std::min(problems->size(), begin + kChats);
    Result<std::vector<std::vector<int64_t>>> some = PromptIdsOf(
        tokenizer, std::vector<Problem>(problems->begin() + begin, problems->begin() + end));
    if (!some.ok()) return some.error();
    for (size_t i = begin; i < end; ++i) {
      Problem& problem = (*problems)[i];
      std::vector<int64_t>& ids = (*some)[i - begin];
      const auto length = static_cast<int64_t>(ids.size());
      if (most > 0 && length > most) {
        if (lengths->first.empty()) lengths->first = problem.id;
        if (spec.overlong_prompts == "error") {
          return Error{ErrorCode::kInput,
                       StrCat("the prompt of problem '", problem.id, "' has ", length,
                              " tokens, more than ", most),
                       "overlong_prompts = \"drop\" or \"left\" (keeps the end), or raise "
                       "max_prompt_length as far as the model goes"};
        }
        if (spec.overlong_prompts == "drop") {
          ++lengths->dropped;
          continue;
        }
        ++lengths->cut;
        ids.erase(ids.begin(), ids.end() - most);
      }
      all.push_back(std::move(ids));
      kept.push_back(std::move(problem));
    }
  }
  *problems = std::move(kept);
  if (problems->empty())
    return Error{ErrorCode::kInput, StrCat("every prompt has more than ", most, " tokens"),
                 "raise max_prompt_length"};
  return all;
}

}  // namespace assay
