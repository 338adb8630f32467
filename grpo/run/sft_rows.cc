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
#include "grpo/run/turn_spans.h"
#include "grpo/tokenizer/chat_engine.h"
#include "grpo/tokenizer/chat_renderer.h"

namespace assay {
namespace {

using Ids = std::vector<int64_t>;

bool IsPrefix(const Ids& part, const Ids& whole) {
  return part.size() <= whole.size() && std::equal(part.begin(), part.end(), whole.begin());
}

// The text's tokens with what the spans make of them. At once where every border is one between tokens, else piece by piece, as a
// sampler would have them: prompt and reply never share a token.
SftRow EncodeSpans(const Tokenizer& tokenizer, const std::string& text, const ByteRanges& spans) {
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

// A last turn whose generation prompt says more than its written turn does (R1 opens <think>, and cuts thoughts from what was said):
// the reply behind the prompt as it would be sampled. None for what only the template can write: calls, parts, reasoning apart where
// the prompt opens no thought.
std::optional<std::string> ReplyBehind(const std::string& prompt, const Json& message,
                                       const std::string& turn_end) {
  constexpr std::string_view kOpen = "<think>";
  const Json* content = message.Find("content");
  const Json* calls = message.Find("tool_calls");
  if (content == nullptr || !content->IsString() || (calls != nullptr && !calls->IsNull()))
    return std::nullopt;
  std::string_view reply = *content->AsString();
  const bool opens = EndsWith(Trim(prompt), kOpen);
  for (const char* key : {"reasoning_content", "thinking", "reasoning"}) {
    const std::string_view thought = Trim(message.StringOr(key, ""));
    if (thought.empty()) continue;
    if (!opens) return std::nullopt;
    return StrCat(prompt, thought, "\n</think>\n\n", reply, turn_end);
  }
  if (opens && StartsWith(reply, kOpen)) {
    reply.remove_prefix(kOpen.size());
    if (StartsWith(reply, "\n")) reply.remove_prefix(1);
  }
  return StrCat(prompt, reply, turn_end);
}

// True if the template writes more between what was said before and the reply than the generation prompt has there (gpt-oss's channel):
// the model must say it, too.
bool WritesMoreThanPrompt(const Json& messages, const TurnTexts& turn, const std::string& whole) {
  if (turn.index == 0) return false;
  const Json::Array& list = *messages.AsArray();
  const std::string_view said = Trim(list[turn.index - 1].StringOr("content", ""));
  const std::string_view reply = Trim(list[turn.index].StringOr("content", ""));
  const size_t in_prompt = turn.prompt.rfind(said), at = whole.rfind(reply);
  if (said.empty() || reply.empty() || in_prompt == std::string::npos || at == std::string::npos)
    return false;
  const size_t in_whole = whole.substr(0, at).rfind(said);
  if (in_whole == std::string::npos) return false;
  const std::string header = turn.prompt.substr(in_prompt + said.size());
  const std::string written = whole.substr(in_whole + said.size(), at - in_whole - said.size());
  return written.size() > header.size() && StartsWith(written, header);
}

// The last turn is written as it would be sampled: behind its prompt, with the end that other turns have.
void EndAsSampled(const Json& messages, const TurnEnds& ends, std::string* whole,
                  std::vector<TurnTexts>* turns) {
  TurnTexts& last = turns->back();
  std::optional<std::string> reply;
  if (!StartsWith(*whole, last.prompt) && !WritesMoreThanPrompt(messages, last, *whole))
    reply = ReplyBehind(last.prompt, (*messages.AsArray())[last.index], ends.last);
  if (reply) {
    *whole = std::move(*reply);
  } else if (!ends.ends_last) {
    *whole += ends.last;
  }
  last.through = *whole;
}

// Of what the template marks as the assistant's words, what lies in a turn that is learned.
ByteRanges MarkedOf(const ByteRanges& marked, const ByteRanges& turns) {
  ByteRanges learned;
  for (const auto& range : marked) {
    const bool meets = std::any_of(turns.begin(), turns.end(), [&](const auto& turn) {
      return std::max(range.first, turn.first) < std::min(range.second, turn.second);
    });
    if (meets) learned.push_back(range);
  }
  return learned;
}

// True if what is learned last is a special token, with white space behind it at most.
bool EndsInSpecial(const Tokenizer& tokenizer, const SftRow& row) {
  for (size_t i = row.ids.size(); i-- > 0;) {
    if (row.learn[i] == 0) continue;
    if (tokenizer.IsSpecial(row.ids[i])) return true;
    if (!Trim(tokenizer.TokenBytes(row.ids[i])).empty()) return false;
  }
  return false;
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
  Result<TurnEnds> found = TurnEndsOf(tokenizer);
  const TurnEnds ends = found.ok() ? *found : TurnEnds();
  std::string whole = (*texts)[0];
  ByteRanges marked;
  if (tokenizer.chat().marks_replies() && !chat.whole) {
    Result<ByteRanges> replies = tokenizer.chat().Replies(inputs[0]);
    if (!replies.ok()) return replies.error();
    marked = std::move(*replies);
  }
  std::vector<TurnTexts> turns;
  for (size_t k = 0; k < chat.learned.size(); ++k)
    turns.push_back({chat.learned[k], (*texts)[1 + 2 * k], (*texts)[2 + 2 * k]});
  if (marked.empty()) EndAsSampled(chat.messages, ends, &whole, &turns);
  ByteRanges spans = TurnRanges(tokenizer, chat.messages, whole, turns, ends);
  // Where every turn is learned, all that is marked is.
  const bool every = LearnedTurns(chat.messages, 0, false).size() == chat.learned.size() &&
                     chat.learned.back() + 1 == chat.messages.AsArray()->size();
  if (!marked.empty()) spans = every ? marked : MarkedOf(marked, spans);
  if (chat.whole) spans = {{0, whole.size()}};
  SftRow row = EncodeSpans(tokenizer, whole, spans);
  // A template that marks no end leaves nothing to stop at.
  const Ids end = tokenizer.Encode(ends.last);
  if (eos_id >= 0 && !EndsInSpecial(tokenizer, row) &&
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
