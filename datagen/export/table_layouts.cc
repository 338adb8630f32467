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

Json ShareGpt(const TableRow& row, bool /*chat*/) {
  Json turns = Json::MakeArray();
  std::string system;
  const Json chat = WholeChat(row.problem(), row.sample(), row.options);
  for (const Json& message : *chat.AsArray()) {
    const std::string_view role = message.StringOr("role", "user");
    if (role == "system") {
      StrAppend(&system, system.empty() ? "" : "\n\n", ContentOf(message));
    } else {
      turns.Append(Json().Set("from", ShareGptRole(role)).Set("value", ContentOf(message)));
    }
  }
  return Json().Set("conversations", std::move(turns)).Set("system", system);
}

Json Alpaca(const TableRow& row, bool /*chat*/) {
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
  return Json()
      .Set("instruction", question)
      .Set("input", "")
      .Set("output", ReplyText(row.sample(), row.options))
      .Set("system", system)
      .Set("history", std::move(history));
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
constexpr TableLayout kAlpaca{Alpaca, Kind::kChat, Extras::kNone, Lines::kRow};
constexpr TableLayout kCsv{PromptCompletion, Kind::kText, Extras::kAll, Lines::kRow,
                           TableLayout::Syntax::kCsv};

template <const TableLayout& layout>
Status Write(Store* store, const DatasetRecord& dataset, const ExportOptions& options,
             WholeFile* file, ExportResult* result) {
  return WriteTable(layout, store, dataset, options, file, result);
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
                                    Write<kShareGpt>, &kShareGpt};
const ExportForm kAlpacaExport = {"alpaca", "instruction and output, with dataset_info.json", false,
                                  Write<kAlpaca>, &kAlpaca};
const ExportForm kCsvForm = {"csv", "comma-separated values", false, Write<kCsv>, &kCsv};

}  // namespace assay
