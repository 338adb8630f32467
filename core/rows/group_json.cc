#include "core/rows/group_json.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "core/hash.h"
#include "core/rows/messages.h"
#include "core/rows/row_edit.h"
#include "core/text.h"

namespace assay {
namespace {

// Keys that become fields of the nouns; everything else is kept in Problem::extra.
constexpr std::array<std::string_view, 13> kProblemKeys = {
    "id",   "task",      "prompt",  "answer", "verification_info", "options",   "entry_point",
    "test", "test_list", "asserts", "setup",  "test_setup_code",   "test_cases"};
constexpr std::array<std::string_view, 10> kSampleKeys = {
    "completion", "completions", "finish_reason", "finish_reasons", "model",
    "models",     "seed",        "seeds",         "token_ids",      "logprobs"};
// Keys that describe the samples in parallel arrays or one by one; kept for the output as well.
constexpr std::array<std::string_view, 4> kEchoedKeys = {"model", "models", "seed", "seeds"};

template <typename Keys>
bool Contains(const Keys& keys, std::string_view key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

const char* KindName(const Json& value) {
  if (value.IsNull()) return "null";
  if (value.IsBool()) return "a boolean";
  if (value.IsString()) return "a string";
  if (value.IsArray()) return "an array";
  if (value.IsObject()) return "an object";
  return "a number";
}

Status ReadPrompt(const Json& value, Problem* problem) {
  if (value.IsNull()) return {};
  if (const std::string* text = value.AsString()) {
    problem->prompt = *text;
    return {};
  }
  const Json::Array* messages = value.AsArray();
  if (messages == nullptr) {
    return InputError(StrCat("'prompt' is ", KindName(value)),
                      "give a string, or a list of {role, content} messages");
  }
  for (const Json& item : *messages) {
    if (!item.IsObject()) {
      return InputError("a message in 'prompt' is not an object",
                        "messages look like {\"role\": \"user\", \"content\": \"...\"}");
    }
    Message message = MessageFromJson(item);
    StrAppend(&problem->prompt, problem->prompt.empty() ? "" : "\n\n", message.content);
    problem->messages.push_back(std::move(message));
  }
  return {};
}

Status ReadAnswers(const Json& value, Problem* problem) {
  if (value.IsNull()) return {};
  if (const Json::Array* list = value.AsArray()) {
    for (const Json& item : *list) {
      if (item.IsArray() || item.IsObject()) {
        return InputError("'answer' holds something that is no text or number",
                          "give a string, or a list of strings");
      }
      if (!item.IsNull()) problem->answers.push_back(item.ScalarText());
    }
    return {};
  }
  if (value.IsObject())
    return InputError("'answer' is an object", "give a string, a number, or a list of them");
  problem->answers.push_back(value.ScalarText());
  return {};
}

Status ReadVerificationInfo(const Json& row, Problem* problem) {
  const Json* given = row.Find("verification_info");
  Json info;
  if (given != nullptr && given->IsString()) {
    if (!Trim(*given->AsString()).empty()) {
      Result<Json> parsed = ParseJson(*given->AsString());
      if (!parsed.ok()) {
        return InputError("'verification_info' is a string that is not JSON",
                          "give an object, or an object as a JSON string");
      }
      info = std::move(*parsed);
    }
  } else if (given != nullptr) {
    info = *given;
  }
  if (!info.IsNull() && !info.IsObject()) {
    return InputError(StrCat("'verification_info' is ", KindName(info)), "give an object");
  }
  // Code sets keep their tests beside the prompt (HumanEval, MBPP); one place for all of them here.
  const std::pair<const char*, const char*> kMoves[] = {{"test", "test"},
                                                        {"entry_point", "entry_point"},
                                                        {"test_list", "asserts"},
                                                        {"asserts", "asserts"},
                                                        {"setup", "setup"},
                                                        {"test_setup_code", "setup"},
                                                        {"test_cases", "test_cases"}};
  for (const auto& [from, to] : kMoves) {
    const Json* value = row.Find(from);
    if (value == nullptr || value->IsNull()) continue;
    if (info.Find(to) == nullptr) info.Set(to, *value);
  }
  problem->verification_info = std::move(info);
  return {};
}

// A parallel array of the row: absent, or as long as the completions.
Status CheckLength(const Json& row, std::string_view key, size_t count, const Json::Array** out) {
  *out = nullptr;
  const Json* value = row.Find(key);
  if (value == nullptr || value->IsNull()) return {};
  const Json::Array* array = value->AsArray();
  if (array == nullptr)
    return InputError(StrCat("'", key, "' is ", KindName(*value)),
                      "give one entry for each completion");
  if (array->size() != count) {
    return InputError(
        StrCat("'", key, "' has ", array->size(), " entries for ", count, " completions"),
        "parallel arrays must be as long as 'completions'");
  }
  *out = array;
  return {};
}

void ReadIds(const Json& value, std::vector<int64_t>* out) {
  if (const Json::Array* ids = value.AsArray()) {
    for (const Json& id : *ids) {
      if (const int64_t* number = id.AsInt()) out->push_back(*number);
    }
  }
}

void ReadDoubles(const Json& value, std::vector<double>* out) {
  if (const Json::Array* numbers = value.AsArray()) {
    for (const Json& number : *numbers) out->push_back(number.NumberOr(0));
  }
}

template <typename Number>
Json NumberArray(const std::vector<Number>& values) {
  Json out = Json::MakeArray();
  for (const Number value : values) out.Append(value);
  return out;
}

Status ReadGroupSamples(const Json& row, const Json::Array& completions, Group* group) {
  const Json::Array *reasons, *models, *seeds, *ids, *logprobs;
  for (auto [key, out] : {std::pair{"finish_reasons", &reasons}, std::pair{"models", &models},
                          std::pair{"seeds", &seeds}, std::pair{"token_ids", &ids},
                          std::pair{"logprobs", &logprobs}}) {
    Status status = CheckLength(row, key, completions.size(), out);
    if (!status.ok()) return status;
  }
  // One model for all of them.
  const std::string_view model = models == nullptr ? row.StringOr("model", "") : "";
  group->samples.resize(completions.size());
  for (size_t i = 0; i < completions.size(); ++i) {
    Sample& sample = group->samples[i];
    if (Status status = ReadCompletion(completions[i], i, &sample); !status.ok()) return status;
    if (reasons != nullptr && (*reasons)[i].IsString())
      sample.finish_reason = *(*reasons)[i].AsString();
    sample.model = model;
    if (models != nullptr && (*models)[i].IsString()) sample.model = *(*models)[i].AsString();
    if (seeds != nullptr && (*seeds)[i].IsInt()) sample.seed = *(*seeds)[i].AsInt();
    if (ids != nullptr) ReadIds((*ids)[i], &sample.token_ids);
    if (logprobs != nullptr) ReadDoubles((*logprobs)[i], &sample.logprobs);
  }
  return {};
}

Status ReadFlatSample(const Json& row, const Json& completion, Group* group) {
  Sample sample;
  if (Status status = ReadCompletion(completion, 0, &sample); !status.ok()) return status;
  sample.finish_reason = row.StringOr("finish_reason", "");
  sample.model = row.StringOr("model", "");
  if (const Json* seed = row.Find("seed"); seed != nullptr && seed->IsInt())
    sample.seed = *seed->AsInt();
  if (const Json* ids = row.Find("token_ids")) ReadIds(*ids, &sample.token_ids);
  if (const Json* logprobs = row.Find("logprobs")) ReadDoubles(*logprobs, &sample.logprobs);
  group->samples.push_back(std::move(sample));
  group->flat = true;
  return {};
}

}  // namespace

Result<Problem> ProblemFromJson(const Json& row) {
  const Json::Object* object = row.AsObject();
  if (object == nullptr)
    return InputError(
        StrCat("the line is ", KindName(row)),
        row.IsArray()
            ? "each line must be a JSON object; `jq -c '.[]' FILE` makes lines of an array"
            : "each line must be a JSON object");
  Problem problem;
  if (const Json* id = row.Find("id"); id != nullptr && !id->IsNull()) {
    if (!id->IsString() && !id->IsNumber())
      return InputError(StrCat("'id' is ", KindName(*id)), "give a string or a number");
    problem.id = id->ScalarText();
    problem.id_is_number = id->IsNumber();
  }
  if (const Json* task = row.Find("task"); task != nullptr && !task->IsNull())
    problem.task = task->ScalarText();
  if (const Json* prompt = row.Find("prompt")) {
    Status status = ReadPrompt(*prompt, &problem);
    if (!status.ok()) return status.error();
  }
  if (const Json* answer = row.Find("answer")) {
    Status status = ReadAnswers(*answer, &problem);
    if (!status.ok()) return status.error();
  }
  Status status = ReadVerificationInfo(row, &problem);
  if (!status.ok()) return status.error();
  // A list of options is a choice question's, not ours: it is passed on.
  const Json* options = row.Find("options");
  const bool choices = options != nullptr && options->IsArray();
  if (options != nullptr && !options->IsNull() && !choices) {
    if (!options->IsObject()) {
      return InputError("'options' is not an object",
                        "it looks like {\"math\": {\"mode\": \"bare\"}}");
    }
    problem.options = *options;
  }
  problem.extra = Json::MakeObject();
  for (const Json::Member& member : *object) {
    const bool understood = Contains(kProblemKeys, member.key) || Contains(kSampleKeys, member.key);
    if (!understood || Contains(kEchoedKeys, member.key) || (choices && member.key == "options"))
      problem.extra.Set(member.key, member.value);
  }
  return problem;
}

Result<Group> GroupFromJson(const Json& row) {
  Result<Problem> problem = ProblemFromJson(row);
  if (!problem.ok()) return problem.error();
  Group group;
  group.problem = std::move(*problem);
  const Json* completions = row.Find("completions");
  const Json* completion = row.Find("completion");
  if (completions != nullptr && completion != nullptr) {
    return InputError("the row has both 'completions' and 'completion'",
                      "a group has the first, a flat sample the second");
  }
  Status status;
  if (completions != nullptr) {
    const Json::Array* array = completions->AsArray();
    if (array == nullptr)
      return InputError(StrCat("'completions' is ", KindName(*completions)),
                        "give a list of strings");
    status = ReadGroupSamples(row, *array, &group);
  } else if (completion != nullptr) {
    status = ReadFlatSample(row, *completion, &group);
  } else {
    if (row.Find("verdicts") != nullptr) {
      return InputError("the row was scored already and has no completions in it",
                        "score it with --keep-input to score its output again");
    }
    return InputError("the row has neither 'completions' nor 'completion'",
                      "a group has \"completions\": [..], a flat sample \"completion\": \"..\"; "
                      "docs/formats.md lists "
                      "what else is read");
  }
  if (!status.ok()) return status.error();
  return group;
}

uint64_t JudgementHash(const Problem& problem) {
  std::string key;
  const auto add = [&key](std::string_view part) { StrAppend(&key, part.size(), ":", part); };
  add(problem.task);
  add(problem.prompt);
  add(MessagesToJson(problem.messages).Dump());
  StrAppend(&key, problem.answers.size(), ";");
  for (const std::string& answer : problem.answers) add(answer);
  add(problem.verification_info.Dump());
  add(problem.options.Dump());
  return HashBytes64(key);
}

Json IdToJson(const Problem& problem) {
  if (problem.id.empty()) return Json();
  if (!problem.id_is_number) return Json(problem.id);
  // As an integer where it is one, so that a column of ids has that type; other numbers as they were written.
  int64_t integer = 0;
  const char* end = problem.id.data() + problem.id.size();
  const auto [at, error] = std::from_chars(problem.id.data(), end, integer);
  if (error == std::errc() && at == end && StrCat(integer) == problem.id) return Json(integer);
  return Json(Json::BigNumber{problem.id});
}

Json GroupToJson(const Group& group) {
  const Problem& problem = group.problem;
  Json out = Json::MakeObject();
  out.Set("id", IdToJson(problem));
  if (!problem.task.empty()) out.Set("task", problem.task);
  if (!problem.messages.empty()) {
    out.Set("prompt", MessagesToJson(problem.messages));
  } else {
    out.Set("prompt", problem.prompt);
  }
  if (problem.answers.size() == 1) {
    out.Set("answer", problem.answers[0]);
  } else if (!problem.answers.empty()) {
    Json answers = Json::MakeArray();
    for (const std::string& answer : problem.answers) answers.Append(answer);
    out.Set("answer", std::move(answers));
  }
  if (!problem.verification_info.IsNull()) out.Set("verification_info", problem.verification_info);
  if (!problem.options.IsNull()) out.Set("options", problem.options);
  if (const Json::Object* extra = problem.extra.AsObject()) {
    for (const Json::Member& member : *extra) out.Set(member.key, member.value);
  }
  if (group.flat && group.samples.size() == 1) {
    const Sample& sample = group.samples[0];
    out.Set("completion", CompletionToJson(sample));
    if (!sample.finish_reason.empty()) out.Set("finish_reason", sample.finish_reason);
    if (!sample.model.empty()) out.Set("model", sample.model);
    if (sample.seed) out.Set("seed", *sample.seed);
    if (!sample.token_ids.empty()) out.Set("token_ids", NumberArray(sample.token_ids));
    if (!sample.logprobs.empty()) out.Set("logprobs", NumberArray(sample.logprobs));
    return out;
  }
  Json texts = Json::MakeArray(), reasons = Json::MakeArray(), models = Json::MakeArray(),
       ids = Json::MakeArray(), logprobs = Json::MakeArray();
  bool any_reason = false, any_model = false, any_ids = false, any_logprobs = false;
  for (const Sample& sample : group.samples) {
    texts.Append(CompletionToJson(sample));
    reasons.Append(sample.finish_reason.empty() ? Json() : Json(sample.finish_reason));
    models.Append(sample.model.empty() ? Json() : Json(sample.model));
    ids.Append(NumberArray(sample.token_ids));
    logprobs.Append(NumberArray(sample.logprobs));
    any_reason |= !sample.finish_reason.empty();
    any_model |= !sample.model.empty();
    any_ids |= !sample.token_ids.empty();
    any_logprobs |= !sample.logprobs.empty();
  }
  out.Set("completions", std::move(texts));
  if (any_reason) out.Set("finish_reasons", std::move(reasons));
  if (any_model) out.Set("models", std::move(models));
  if (any_ids) out.Set("token_ids", std::move(ids));
  if (any_logprobs) out.Set("logprobs", std::move(logprobs));
  return out;
}

}  // namespace assay
