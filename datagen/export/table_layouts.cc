// The layouts of TRL, verl, OpenAI, LLaMA-Factory (ShareGPT, Alpaca) and CSV: which columns a line has (docs/datasets.md).
#include <string>
#include <string_view>
#include <utility>

#include "core/text.h"
#include "datagen/export/chat_columns.h"
#include "datagen/export/export_form.h"
#include "datagen/export/table_form.h"

namespace assay {
namespace {

using Kind = TableLayout::Kind;
using Extras = TableLayout::Extras;
using Lines = TableLayout::Lines;

Json Prompt(const TableRow& row, bool chat) {
  return chat ? PromptMessages(row.problem(), row.options)
              : Json(PromptText(row.problem(), row.options));
}
Json Reply(const Sample& sample, const TableRow& row, bool chat) {
  return chat ? ReplyMessages(sample, row.options) : Json(ReplyText(sample, row.options));
}

Json PromptCompletion(const TableRow& row, bool chat) {
  return Json().Set("prompt", Prompt(row, chat)).Set("completion", Reply(row.sample(), row, chat));
}

Json Messages(const TableRow& row, bool /*chat*/) {
  return Json().Set("messages", WholeChat(row.problem(), row.sample(), row.options));
}

// Strings joined as they are: white space between prompt and completion is the model's own.
Json Text(const TableRow& row, bool /*chat*/) {
  return Json().Set(
      "text", StrCat(PromptText(row.problem(), row.options), ReplyText(row.sample(), row.options)));
}

Json PromptOnly(const TableRow& row, bool chat) { return Json().Set("prompt", Prompt(row, chat)); }

Json Preference(const TableRow& row, bool chat) {
  const StoredSample& rejected = *row.row.rejected;
  return Json()
      .Set("prompt", Prompt(row, chat))
      .Set("chosen", Reply(row.sample(), row, chat))
      .Set("rejected", Reply(rejected.sample, row, chat))
      .Set("chosen_reward", row.row.group.samples[0].score.reward.value_or(0))
      .Set("rejected_reward", rejected.score.reward.value_or(0));
}

Json Unpaired(const TableRow& row, bool chat) {
  return PromptCompletion(row, chat).Set("label", row.right);
}

// verl picks a scorer by the data source: the row's own, else one of ours by the task.
std::string DataSource(const Problem& problem) {
  for (const char* key : {"data_source", "source", "dataset"}) {
    const std::string_view source = problem.extra.StringOr(key, "");
    if (!source.empty()) return std::string(source);
  }
  return StrCat("assay/", problem.task.empty() ? "none" : problem.task);
}

std::string GroundTruth(const Problem& problem) {
  if (!problem.answers.empty()) return problem.answers[0];
  return problem.verification_info.IsNull() ? "" : problem.verification_info.Dump();
}

Json VerlRl(const TableRow& row, bool /*chat*/) {
  const Problem& problem = row.problem();
  const Json extra_info = Json()
                              .Set("split", row.row.split.empty() ? "train" : row.row.split)
                              .Set("index", row.number)
                              .Set("id", problem.id)
                              .Set("answer", problem.answers.empty() ? "" : problem.answers[0])
                              .Set("question", problem.prompt);
  return Json()
      .Set("data_source", DataSource(problem))
      .Set("prompt", PromptMessages(problem, row.options))
      .Set("ability", problem.task.empty() ? "none" : problem.task)
      .Set("reward_model", Json().Set("style", "rule").Set("ground_truth", GroundTruth(problem)))
      .Set("extra_info", extra_info);
}

// LLaMA-Factory's roles; a system prompt is a column of its own.
std::string_view ShareGptRole(std::string_view role) {
  if (role == "user") return "human";
  if (role == "tool") return "observation";
  return role == "assistant" ? "gpt" : role;
}

std::string ContentOf(const Json& message) {
  const Json* content = message.Find("content");
  return content == nullptr || content->IsNull() ? "" : content->ScalarText();
}

// A message's calls of tools as the text of a turn `function_call`: one object, or a list of several; "" if it has none.
std::string FunctionCalls(const Json& message) {
  const Json* calls = message.Find("tool_calls");
  if (calls == nullptr || !calls->IsArray() || calls->AsArray()->empty()) return "";
  Json out = Json::MakeArray();
  for (const Json& call : *calls->AsArray()) {
    const Json* function = call.Find("function");
    if (function == nullptr) continue;
    const Json* arguments = function->Find("arguments");
    Json given = arguments != nullptr ? *arguments : Json::MakeObject();
    if (const std::string* text = given.AsString()) {
      Result<Json> parsed = ParseJson(*text);
      if (parsed.ok()) given = std::move(*parsed);
    }
    out.Append(Json()
                   .Set("name", std::string(function->StringOr("name", "")))
                   .Set("arguments", std::move(given)));
  }
  return out.AsArray()->size() == 1 ? (*out.AsArray())[0].Dump() : out.Dump();
}

// Turns of a chat, its system prompts put aside.
Json ShareGptTurns(const Json& chat, std::string* system) {
  Json turns = Json::MakeArray();
  for (const Json& message : *chat.AsArray()) {
    const std::string_view role = message.StringOr("role", "user");
    const std::string content = ContentOf(message), calls = FunctionCalls(message);
    if (role == "system") {
      StrAppend(system, system->empty() ? "" : "\n\n", content);
      continue;
    }
    // A call takes the place of an answer, whose words have none beside it.
    turns.Append(calls.empty() ? Json().Set("from", ShareGptRole(role)).Set("value", content)
                               : Json().Set("from", "function_call").Set("value", calls));
  }
  return turns;
}

Json WithTools(const TableRow& row, Json columns) {
  const Json* tools = row.problem().extra.Find("tools");
  if (tools == nullptr || tools->IsNull()) return columns;
  return columns.Set("tools", tools->IsString() ? *tools->AsString() : tools->Dump());
}

Json ShareGpt(const TableRow& row, bool /*chat*/) {
  std::string system;
  Json turns = ShareGptTurns(WholeChat(row.problem(), row.sample(), row.options), &system);
  return WithTools(row, Json().Set("conversations", std::move(turns)).Set("system", system));
}

Json ShareGptReply(const Sample& sample, const TableRow& row) {
  return Json().Set("from", "gpt").Set("value", ReplyText(sample, row.options));
}

Json ShareGptPairs(const TableRow& row, bool /*chat*/) {
  std::string system;
  Json turns = ShareGptTurns(PromptMessages(row.problem(), row.options), &system);
  return WithTools(row, Json()
                            .Set("conversations", std::move(turns))
                            .Set("chosen", ShareGptReply(row.sample(), row))
                            .Set("rejected", ShareGptReply(row.row.rejected->sample, row))
                            .Set("system", system));
}

// Without what is answered.
Json AlpacaQuestion(const TableRow& row, Json replies) {
  Json history = Json::MakeArray();
  std::string system, question, asked;
  const Json prompt = PromptMessages(row.problem(), row.options);
  for (const Json& message : *prompt.AsArray()) {
    const std::string_view role = message.StringOr("role", "user");
    const std::string content = ContentOf(message);
    if (role == "system") {
      StrAppend(&system, system.empty() ? "" : "\n\n", content);
    } else if (role == "assistant") {
      history.Append(Json().Append(question).Append(content));
      question.clear();
    } else {
      StrAppend(&question, question.empty() ? "" : "\n\n", content);
    }
  }
  Json line = Json().Set("instruction", question).Set("input", "");
  for (const Json::Member& reply : *replies.AsObject()) line.Set(reply.key, reply.value);
  return line.Set("system", system).Set("history", std::move(history));
}

Json Alpaca(const TableRow& row, bool /*chat*/) {
  return AlpacaQuestion(row, Json().Set("output", ReplyText(row.sample(), row.options)));
}

Json AlpacaPairs(const TableRow& row, bool /*chat*/) {
  return AlpacaQuestion(row,
                        Json()
                            .Set("chosen", ReplyText(row.sample(), row.options))
                            .Set("rejected", ReplyText(row.row.rejected->sample, row.options)));
}

constexpr TableLayout kSft{PromptCompletion, Kind::kEither, Extras::kAll, Lines::kRow};
constexpr TableLayout kConversational{Messages, Kind::kChat, Extras::kAll, Lines::kRow};
constexpr TableLayout kText{Text, Kind::kText, Extras::kAll, Lines::kRow};
constexpr TableLayout kPromptOnly{PromptOnly, Kind::kEither, Extras::kAll, Lines::kProblem};
constexpr TableLayout kPreference{Preference, Kind::kEither, Extras::kAll, Lines::kPair};
constexpr TableLayout kUnpaired{Unpaired, Kind::kEither, Extras::kAll, Lines::kBothOfPair};
constexpr TableLayout kVerlRl{VerlRl, Kind::kChat, Extras::kNone, Lines::kProblem};
constexpr TableLayout kVerlSft{Messages, Kind::kChat, Extras::kNone, Lines::kRow};
constexpr TableLayout kShareGpt{ShareGpt, Kind::kChat, Extras::kNone, Lines::kRow};
constexpr TableLayout kShareGptPairs{ShareGptPairs, Kind::kChat, Extras::kNone, Lines::kPair};
constexpr TableLayout kAlpaca{Alpaca, Kind::kChat, Extras::kNone, Lines::kRow};
constexpr TableLayout kAlpacaPairs{AlpacaPairs, Kind::kChat, Extras::kNone, Lines::kPair};
constexpr TableLayout kCsv{PromptCompletion, Kind::kText, Extras::kAll, Lines::kRow,
                           TableLayout::Syntax::kCsv};

template <const TableLayout& layout>
Status Write(Store* store, const DatasetRecord& dataset, const ExportOptions& options,
             WholeFile* file, ExportResult* result) {
  return WriteTable(layout, store, dataset, options, file, result);
}

// Data sets of pairs have a layout of their own.
template <const TableLayout& layout, const TableLayout& pairs>
Status WriteEither(Store* store, const DatasetRecord& dataset, const ExportOptions& options,
                   WholeFile* file, ExportResult* result) {
  const bool paired = dataset.strategy == "preference";
  return WriteTable(paired ? pairs : layout, store, dataset, options, file, result);
}

}  // namespace

const ExportForm kTrlSftForm = {"trl-sft", "prompt and completion, as TRL's SFT trainer takes them",
                                false, Write<kSft>, &kSft};
const ExportForm kTrlPromptCompletionForm = {"trl-prompt-completion", "the same", false,
                                             Write<kSft>, &kSft};
const ExportForm kTrlConversationalForm = {"trl-conversational", "messages", false,
                                           Write<kConversational>, &kConversational};
const ExportForm kTrlTextForm = {"trl-text", "text: language modelling", false, Write<kText>,
                                 &kText};
const ExportForm kTrlPromptOnlyForm = {"trl-prompt-only", "each problem's prompt once: GRPO", false,
                                       Write<kPromptOnly>, &kPromptOnly};
const ExportForm kTrlPreferenceForm = {"trl-preference", "prompt, chosen, rejected: DPO", false,
                                       Write<kPreference>, &kPreference};
const ExportForm kTrlUnpairedForm = {"trl-unpaired", "prompt, completion, label: KTO", false,
                                     Write<kUnpaired>, &kUnpaired};
const ExportForm kVerlRlForm = {"verl-rl", "each problem once, with its ground truth", false,
                                Write<kVerlRl>, &kVerlRl};
const ExportForm kVerlSftForm = {"verl-sft", "messages", false, Write<kVerlSft>, &kVerlSft};
const ExportForm kOpenAiChatForm = {"openai-chat", "messages: OpenAI's fine-tuning", false,
                                    Write<kVerlSft>, &kVerlSft};
const ExportForm kShareGptExport = {"sharegpt", "conversations, with dataset_info.json", false,
                                    WriteEither<kShareGpt, kShareGptPairs>, &kShareGpt};
const ExportForm kAlpacaExport = {"alpaca", "instruction and output, with dataset_info.json", false,
                                  WriteEither<kAlpaca, kAlpacaPairs>, &kAlpaca};
const ExportForm kCsvForm = {"csv", "comma-separated values", false, Write<kCsv>, &kCsv};

}  // namespace assay
