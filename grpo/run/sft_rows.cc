#include "grpo/run/sft_rows.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>

#include "core/rows/group_json.h"
#include "core/rows/input_format.h"
#include "core/rows/messages.h"
#include "core/text.h"
#include "datagen/store/store.h"
#include "grpo/run/train_data.h"
#include "grpo/tokenizer/chat_renderer.h"

namespace assay {
namespace {

using Ids = std::vector<int64_t>;

bool IsPrefix(const Ids& part, const Ids& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

// Half-open ranges of the text that are learned, ascending.
using Spans = std::vector<std::pair<size_t, size_t>>;

// The text's tokens with what the spans make of them. At once where every border is one between tokens, else piece by piece, as a
// sampler would have them: prompt and reply never share a token.
SftRow EncodeSpans(const Tokenizer& tokenizer, const std::string& text, const Spans& spans) {
  SftRow row;
  row.ids = tokenizer.Encode(text);
  std::vector<size_t> borders = {0};
  for (const auto& [begin, end] : spans) borders.insert(borders.end(), {begin, end});
  std::vector<size_t> counts;
  for (size_t border : borders) {
    const Ids head = tokenizer.Encode(std::string_view(text).substr(0, border));
    if (!IsPrefix(head, row.ids)) break;
    counts.push_back(head.size());
  }
  if (counts.size() < borders.size()) {
    row.ids.clear();
    counts = {0};
    borders.push_back(text.size());
    for (size_t i = 1; i < borders.size(); ++i) {
      const Ids piece = tokenizer.Encode(
          std::string_view(text).substr(borders[i - 1], borders[i] - borders[i - 1]));
      row.ids.insert(row.ids.end(), piece.begin(), piece.end());
      counts.push_back(row.ids.size());
    }
  }
  row.learn.assign(row.ids.size(), 0);
  for (size_t i = 0; i < spans.size(); ++i)
    std::fill(row.learn.begin() + counts[2 * i + 1], row.learn.begin() + counts[2 * i + 2], 1);
  return row;
}

// Labels begin at the first learned token; a row that learns all from there needs no mask.
void Settle(SftRow* row) {
  const auto first = std::find(row->learn.begin(), row->learn.end(), 1);
  row->labels_from = std::max<int64_t>(1, first - row->learn.begin());
  if (std::find(first, row->learn.end(), 0) == row->learn.end()) row->learn.clear();
}

Json FirstMessages(const Json& messages, size_t count) {
  const Json::Array& list = *messages.AsArray();
  return Json(Json::Array(list.begin(), list.begin() + count));
}

// What is learned of turn k: from where the generation prompt ends to where the template has written the turn out. Templates that write
// earlier turns otherwise (thoughts cut) are followed as far as they agree.
std::pair<size_t, size_t> TurnSpan(const std::string& whole, const std::string& prompt,
                                   const std::string& through, const std::string& turn_end) {
  const auto same = [&](const std::string& other) -> size_t {
    const size_t most = std::min(whole.size(), other.size());
    return std::mismatch(whole.begin(), whole.begin() + most, other.begin()).first - whole.begin();
  };
  const size_t begin = same(prompt);
  if (StartsWith(whole, through)) return {begin, through.size()};
  const size_t end = turn_end.empty() ? std::string::npos : whole.find(turn_end, begin);
  return {begin, end == std::string::npos ? begin : end + turn_end.size()};
}

// A last turn whose generation prompt says more than its written turn does (R1 opens <think>, and cuts thoughts from what was said):
// the reply behind the prompt as it would be sampled.
std::string ReplyBehind(const std::string& prompt, std::string_view reply,
                        const std::string& turn_end) {
  constexpr std::string_view kOpen = "<think>";
  if (EndsWith(Trim(prompt), kOpen) && StartsWith(reply, kOpen)) {
    reply.remove_prefix(kOpen.size());
    if (StartsWith(reply, "\n")) reply.remove_prefix(1);
  }
  return StrCat(prompt, reply, turn_end);
}

// --- rows of files ----------------------------------------------------------------------------------------------------

// prompt and completion tokenised apart and joined, EOS appended, as TRL's prompt-completion data.
SftRow PairRow(const Tokenizer& tokenizer, const std::string& prompt, const std::string& completion,
               int64_t eos_id, bool completion_only) {
  SftRow row;
  row.ids = EncodePlain(tokenizer, prompt);
  row.labels_from = completion_only ? std::max<int64_t>(1, row.ids.size()) : 1;
  const Ids tail = tokenizer.Encode(completion, {});
  row.ids.insert(row.ids.end(), tail.begin(), tail.end());
  if (eos_id >= 0 && (row.ids.empty() || row.ids.back() != eos_id)) row.ids.push_back(eos_id);
  return row;
}

// The assistant's turns from `from` on; the last alone where the recipe says so.
std::vector<size_t> LearnedTurns(const Json& messages, size_t from, bool last_only) {
  std::vector<size_t> turns;
  const Json::Array& list = *messages.AsArray();
  for (size_t i = from; i < list.size(); ++i) {
    if (list[i].StringOr("role", "") == "assistant") turns.push_back(i);
  }
  if (last_only && turns.size() > 1) turns.erase(turns.begin(), turns.end() - 1);
  return turns;
}

// One row on its way: a conversation, or two texts.
struct Example {
  std::optional<Json> messages;
  size_t prompt_messages = 0;  // that many of them are the prompt
  Json tools, kwargs;
  std::string prompt, completion;
};

Json StructOf(const Json& row, const char* key) {
  const Json* value = row.Find(key);
  if (value == nullptr) return Json();
  if (!value->IsString()) return *value;
  Result<Json> parsed = ParseJson(*value->AsString());
  return parsed.ok() ? *parsed : Json();
}

Result<Example> ExampleOf(Json row, const DataSpec& data) {
  const Json* messages = row.Find("messages");
  Example example;
  if (messages != nullptr && messages->IsArray() && row.Find("completion") == nullptr) {
    example.messages = *messages;
  } else {
    if (row.Find("completion") == nullptr) {
      if (Status status = ToAssayRow("", &row); !status.ok()) return status.error();
    }
    const Json* completions = row.Find("completions");
    if (row.Find("completion") == nullptr && completions != nullptr && completions->IsArray() &&
        completions->AsArray()->size() == 1) {
      row.Set("completion", Json(completions->AsArray()->front()));
    }
    const Json* completion = row.Find("completion");
    if (completion == nullptr) {
      return Error{ErrorCode::kInput, "the row has neither 'completion' nor 'messages' nor 'text'",
                   "SFT rows look like {\"prompt\": \"..\", \"completion\": \"..\"}"};
    }
    const Json* prompt = row.Find("prompt");
    const bool chat = (prompt != nullptr && prompt->IsArray()) || completion->IsArray() ||
                      !data.system_prompt.empty();
    const auto turns = [](const Json* value, const char* role) {
      if (value == nullptr || value->IsNull()) return Json::MakeArray();
      if (value->IsArray()) return *value;
      return Json(
          Json::Array{Json::MakeObject().Set("role", role).Set("content", value->ScalarText())});
    };
    if (chat) {
      Json all = turns(prompt, "user");
      example.prompt_messages = all.AsArray()->size();
      const Json tail = turns(completion, "assistant");
      for (const Json& turn : *tail.AsArray()) all.Append(turn);
      example.messages = std::move(all);
    } else {
      example.prompt = prompt == nullptr ? "" : prompt->ScalarText();
      example.prompt = StrCat(data.prompt_prefix, example.prompt, data.prompt_suffix);
      example.completion = completion->ScalarText();
    }
  }
  if (!example.messages) return example;
  if (AddSystemPrompt(data, &*example.messages) && example.prompt_messages > 0)
    ++example.prompt_messages;
  example.tools = StructOf(row, "tools");
  example.kwargs = MergedKwargs(data, StructOf(row, "chat_template_kwargs"));
  return example;
}

class Loader {
 public:
  Loader(const SftRecipe& recipe, const Tokenizer& tokenizer, int64_t eos_id)
      : recipe_(recipe), tokenizer_(tokenizer), eos_id_(eos_id) {}

  Status Add(const Json& row) {
    const Json* text = row.Find("text");
    if (text != nullptr && text->IsString() && row.Find("prompt") == nullptr)
      return Keep(PairRow(tokenizer_, "", *text->AsString(), eos_id_, /*completion_only=*/false));
    Result<Example> example = ExampleOf(row, recipe_.train.data);
    if (!example.ok()) return example.error();
    return AddExample(*example);
  }

  Status AddExample(const Example& example) {
    if (!example.messages) {
      return Keep(PairRow(tokenizer_, example.prompt, example.completion, eos_id_,
                          recipe_.completion_only_loss));
    }
    SftChat chat;
    chat.messages = *example.messages;
    for (const Json& message : *chat.messages.AsArray()) {
      if (!message.IsObject())
        return Error{ErrorCode::kInput, "a message is not an object",
                     "messages look like {\"role\": \"user\", \"content\": \"...\"}"};
    }
    chat.tools = example.tools;
    chat.kwargs = example.kwargs;
    chat.whole = !recipe_.completion_only_loss;
    chat.learned =
        LearnedTurns(chat.messages, example.prompt_messages, recipe_.assistant_turns == "last");
    if (chat.learned.empty()) {
      return Error{ErrorCode::kInput, "no message is the assistant's",
                   "there is nothing to learn in this row"};
    }
    ++data_.chats;
    Result<SftRow> row = EncodeChat(tokenizer_, chat, eos_id_);
    if (!row.ok()) return row.error();
    return Keep(std::move(*row));
  }

  SftData& data() { return data_; }

 private:
  Status Keep(SftRow row) {
    ++data_.read;
    if (static_cast<int64_t>(row.ids.size()) > recipe_.max_length) {
      ++data_.cut;
      row.ids.resize(recipe_.max_length);
      if (!row.learn.empty()) row.learn.resize(recipe_.max_length);
    }
    if (row.num_labels() > 0) {
      data_.rows.push_back(std::move(row));
    } else {
      ++data_.dropped;
    }
    return {};
  }

  const SftRecipe& recipe_;
  const Tokenizer& tokenizer_;
  const int64_t eos_id_;
  SftData data_;
};

Status ReadDataset(const DataSpec& data, Loader* loader) {
  Result<std::unique_ptr<Store>> store = Store::Open(data.store, OpenMode::kReadOnly);
  if (!store.ok()) return store.error();
  Result<DatasetRecord> dataset = (*store)->FindDataset(data.dataset);
  if (!dataset.ok()) return dataset.error();
  return (*store)->ForEachDatasetRow(
      dataset->id, /*with_texts=*/true, [&](const DatasetRow& row) -> Status {
        if (row.group.samples.empty()) return {};
        const Problem& problem = row.group.problem;
        Json line = Json::MakeObject();
        if (problem.messages.empty()) {
          line.Set("prompt", problem.prompt);
        } else {
          line.Set("prompt", ChatMessages(problem.messages));
        }
        for (const char* key : {"tools", "chat_template_kwargs"}) {
          if (const Json* value = problem.extra.Find(key)) line.Set(key, *value);
        }
        line.Set("completion", CompletionToJson(row.group.samples[0].sample));
        return loader->Add(line);
      });
}

}  // namespace

Result<SftRow> EncodeChat(const Tokenizer& tokenizer, const SftChat& chat, int64_t eos_id) {
  std::vector<ChatInput> inputs;
  const auto add = [&](size_t count, bool prompt) {
    inputs.push_back({FirstMessages(chat.messages, count), chat.tools, chat.kwargs, prompt});
  };
  add(chat.learned.back() + 1, false);
  for (size_t turn : chat.learned) {
    add(turn, true);
    add(turn + 1, false);
  }
  Result<std::vector<std::string>> texts = tokenizer.chat().RenderAll(inputs);
  if (!texts.ok()) return texts.error();
  Result<std::string> turn_end = tokenizer.chat().TurnEnd();
  if (!turn_end.ok()) turn_end = std::string();
  std::string whole = (*texts)[0];
  Spans spans;
  for (size_t k = 0; k < chat.learned.size(); ++k) {
    const std::string& prompt = (*texts)[1 + 2 * k];
    const bool last = k + 1 == chat.learned.size();
    if (last && !StartsWith(whole, prompt)) {
      const Json& message = (*chat.messages.AsArray())[chat.learned[k]];
      whole = ReplyBehind(prompt, message.StringOr("content", ""), *turn_end);
      spans.emplace_back(prompt.size(), whole.size());
    } else {
      spans.push_back(TurnSpan(whole, prompt, (*texts)[2 + 2 * k], *turn_end));
    }
  }
  if (chat.whole) spans = {{0, whole.size()}};
  SftRow row = EncodeSpans(tokenizer, whole, spans);
  // A template that marks no end leaves nothing to stop at.
  const Ids end = tokenizer.Encode(*turn_end);
  if (eos_id >= 0 &&
      std::none_of(end.begin(), end.end(), [&](int64_t id) { return tokenizer.IsSpecial(id); })) {
    row.ids.push_back(eos_id);
    row.learn.push_back(1);
  }
  Settle(&row);
  return row;
}

Result<SftData> LoadSftRows(const SftRecipe& recipe, const Tokenizer& tokenizer, int64_t eos_id) {
  Loader loader(recipe, tokenizer, eos_id);
  if (!recipe.train.data.store.empty()) {
    if (Status s = ReadDataset(recipe.train.data, &loader); !s.ok()) return s.error();
  }
  Status status = ForEachRow(recipe.train.data.train, [&](const Json& row) -> Result<bool> {
    if (Status s = loader.Add(row); !s.ok()) return s.error();
    return true;
  });
  if (!status.ok()) return status.error();
  if (loader.data().rows.empty())
    return Error{ErrorCode::kInput, "no training row has a token to learn",
                 "is max_length too small?"};
  return std::move(loader.data());
}

}  // namespace assay
