#include "grpo/tokenizer/chat_renderer.h"

#include <algorithm>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

Json Turn(const char* role, const char* content) {
  return Json::MakeObject().Set("role", role).Set("content", content);
}

// Conversations in which templates differ: default system texts, trimming, thoughts, orders that some refuse.
std::vector<ChatInput> Probes() {
  const std::vector<std::vector<Json>> talks = {
      {Turn("user", "1+1?")},
      {Turn("user", "  spaces before and behind \n\n")},
      {Turn("system", " Be \"brief\" {now}. \n"), Turn("user", "a\nb")},
      {Turn("user", "q"), Turn("assistant", " two \n")},
      {Turn("user", "q"), Turn("assistant", "<think>\nt1\n</think>\n\n a1"), Turn("user", "r")},
      {Turn("user", "q"), Turn("assistant", "<think>\nt1\n</think>\n\n a1 ")},
      {Turn("user", "q"), Turn("assistant", "t</think>a</think>b"), Turn("user", "r"),
       Turn("assistant", "\n\n x")},
      {Turn("system", "s"), Turn("user", "q"), Turn("assistant", "a"), Turn("user", "r"),
       Turn("assistant", "b"), Turn("user", "t")},
      {Turn("system", ""), Turn("user", "")},
      {Turn("user", "q"), Turn("system", "late"), Turn("user", "r")},
      {Turn("user", "q"), Turn("user", "r")},
      {Turn("assistant", "first"), Turn("user", "r")},
      {Turn("system", "only")},
      {Turn("user", "<think> of a number"), Turn("assistant", "<think>open")},
      {Turn("user", "<tool_response>\nx\n</tool_response>"), Turn("assistant", "y</think>z")},
  };
  std::vector<ChatInput> probes;
  for (const std::vector<Json>& talk : talks) {
    for (const bool prompt : {true, false}) {
      ChatInput& input = probes.emplace_back();
      input.messages = Json(Json::Array(talk));
      input.add_generation_prompt = prompt;
    }
  }
  return probes;
}

// Messages of nothing but a role and a text.
std::optional<std::vector<Message>> PlainMessages(const Json& messages) {
  const Json::Array* list = messages.AsArray();
  if (list == nullptr) return std::nullopt;
  std::vector<Message> plain;
  for (const Json& item : *list) {
    const Json* role = item.Find("role");
    const Json* content = item.Find("content");
    if (role == nullptr || !role->IsString() || content == nullptr || !content->IsString() ||
        item.AsObject()->size() != 2) {
      return std::nullopt;
    }
    plain.push_back({*role->AsString(), *content->AsString()});
  }
  return plain;
}

bool IsOfTextParts(const Json& message) {
  const Json* content = message.Find("content");
  const Json::Array* parts = content == nullptr ? nullptr : content->AsArray();
  return parts != nullptr && std::all_of(parts->begin(), parts->end(), [](const Json& part) {
           return part.IsString() || part.StringOr("type", "") == "text";
         });
}

// Cuts what the template wrote behind the last message. Templates trim; a message that ends in white space keeps it only where the
// template does.
Status CutBehindLast(const Json& messages, std::string* text) {
  const Json::Array& list = *messages.AsArray();
  const std::string last(list.back().StringOr("content", ""));
  const std::string_view trimmed = Trim(last);
  const size_t at = text->rfind(trimmed);
  if (trimmed.empty() || at == std::string::npos) {
    return Error{ErrorCode::kInput, "the template does not write the start of the reply as it is",
                 "a prompt that ends in the assistant's words is continued; leave them out"};
  }
  const std::string_view with_end = std::string_view(last).substr(last.find(trimmed));
  const bool kept = std::string_view(*text).substr(at, with_end.size()) == with_end;
  text->resize(at + (kept ? with_end.size() : trimmed.size()));
  return {};
}

bool IsEmpty(const Json& value) {
  return value.IsNull() || (value.IsObject() && value.AsObject()->empty()) ||
         (value.IsArray() && value.AsArray()->empty());
}

}  // namespace

Json ChatMessages(const std::vector<Message>& messages) {
  Json list = Json::MakeArray();
  for (const Message& message : messages) {
    if (!message.source.IsObject()) {
      list.Append(Turn(message.role.c_str(), "").Set("content", message.content));
      continue;
    }
    Json turn = message.source;
    if (turn.Find("role") == nullptr) turn.Set("role", message.role);
    if (IsOfTextParts(turn)) turn.Set("content", message.content);
    list.Append(std::move(turn));
  }
  return list;
}

ChatInput PromptInput(const Problem& problem) {
  const auto value = [&](const char* key) {
    const Json* found = problem.extra.Find(key);
    if (found == nullptr) return Json();
    if (!found->IsString()) return *found;
    Result<Json> parsed = ParseJson(*found->AsString());
    return parsed.ok() ? *parsed : Json();
  };
  ChatInput input;
  input.messages = ChatMessages(problem.messages);
  input.tools = value("tools");
  if (IsEmpty(input.tools)) input.tools = Json();
  input.kwargs = value("chat_template_kwargs");
  if (problem.messages.empty()) return input;
  const Message& last = problem.messages.back();
  if (last.role == "assistant" && last.source.Find("tool_calls") == nullptr) {
    // An empty one says only whose turn it is.
    if (Trim(last.content).empty()) {
      input.messages.AsArray()->pop_back();
    } else {
      input.continue_last = true;
    }
  }
  return input;
}

ChatRenderer::ChatRenderer(ChatTemplate chat, std::string tool_source, Json specials)
    : chat_(std::move(chat)),
      tool_source_(std::move(tool_source)),
      specials_(specials.IsObject() ? std::move(specials) : Json::MakeObject()),
      bos_(specials_.StringOr("bos_token", "")),
      eos_(specials_.StringOr("eos_token", "")) {}

std::optional<Result<std::string>> ChatRenderer::Ours(const ChatInput& input) const {
  if (chat_.format == ChatFormat::kNone || !IsEmpty(input.tools) || !IsEmpty(input.kwargs))
    return std::nullopt;
  const std::optional<std::vector<Message>> plain = PlainMessages(input.messages);
  if (!plain) return std::nullopt;
  return RenderChat(chat_, *plain, input.add_generation_prompt, bos_, eos_);
}

Result<ChatRenderer::Way> ChatRenderer::Compare() const {
  Result<std::shared_ptr<const ChatEngine>> engine = ChatEngine::Shared();
  if (!engine.ok()) return engine.error();
  if (chat_.format == ChatFormat::kNone) return Way::kEngine;
  const std::vector<ChatInput> probes = Probes();
  Result<std::vector<Result<std::string>>> texts =
      (*engine)->Render(chat_.source, specials_, probes);
  if (!texts.ok()) return texts.error();
  for (size_t i = 0; i < probes.size(); ++i) {
    const std::optional<Result<std::string>> ours = Ours(probes[i]);
    const Result<std::string>& theirs = (*texts)[i];
    if (ours->ok() != theirs.ok() || (theirs.ok() && **ours != *theirs)) return Way::kEngine;
  }
  return Way::kOurs;
}

Result<ChatRenderer::Way> ChatRenderer::Decide() const {
  std::call_once(once_, [this] { way_ = Compare(); });
  return *way_;
}

Result<std::string> ChatRenderer::Render(const ChatInput& input) const {
  Result<std::vector<std::string>> texts = RenderAll({input});
  if (!texts.ok()) return texts.error();
  return std::move((*texts)[0]);
}

Result<std::vector<std::string>> ChatRenderer::RenderAll(
    const std::vector<ChatInput>& given) const {
  std::vector<ChatInput> inputs = given;
  for (ChatInput& input : inputs) {
    const Json::Array* list = input.messages.AsArray();
    input.continue_last = input.continue_last && list != nullptr && !list->empty();
    if (input.continue_last) input.add_generation_prompt = false;
  }
  Result<std::vector<std::string>> texts = RenderWhole(inputs);
  for (size_t i = 0; texts.ok() && i < inputs.size(); ++i) {
    if (!inputs[i].continue_last) continue;
    if (Status s = CutBehindLast(inputs[i].messages, &(*texts)[i]); !s.ok()) return s.error();
  }
  return texts;
}

Result<std::vector<std::string>> ChatRenderer::RenderWhole(
    const std::vector<ChatInput>& inputs) const {
  if (chat_.source.empty()) {
    return Error{ErrorCode::kInput, "the tokenizer has no chat template",
                 "give plain-text prompts, or a tokenizer with a chat_template"};
  }
  const Result<Way> way = Decide();
  if (!way.ok()) return way.error();
  std::vector<std::string> texts(inputs.size());
  std::vector<ChatInput> left, left_tools;
  std::vector<size_t> places, places_tools;
  for (size_t i = 0; i < inputs.size(); ++i) {
    std::optional<Result<std::string>> ours;
    if (*way == Way::kOurs) ours = Ours(inputs[i]);
    if (ours) {
      if (!ours->ok()) return ours->error();
      texts[i] = std::move(**ours);
      continue;
    }
    const bool tools = &SourceFor(inputs[i]) == &tool_source_;
    (tools ? left_tools : left).push_back(inputs[i]);
    (tools ? places_tools : places).push_back(i);
  }
  for (const bool tools : {false, true}) {
    const std::vector<ChatInput>& mine = tools ? left_tools : left;
    if (mine.empty()) continue;
    Result<std::shared_ptr<const ChatEngine>> engine = ChatEngine::Shared();
    if (!engine.ok()) return engine.error();
    Result<std::vector<Result<std::string>>> made =
        (*engine)->Render(tools ? tool_source_ : chat_.source, specials_, mine);
    if (!made.ok()) return made.error();
    for (size_t i = 0; i < mine.size(); ++i) {
      if (!(*made)[i].ok()) return (*made)[i].error();
      texts[(tools ? places_tools : places)[i]] = std::move(*(*made)[i]);
    }
  }
  return texts;
}

const std::string& ChatRenderer::SourceFor(const ChatInput& input) const {
  return tool_source_.empty() || IsEmpty(input.tools) ? chat_.source : tool_source_;
}

bool ChatRenderer::marks_replies() const {
  constexpr std::string_view kEnd = "endgeneration";
  return chat_.source.find(kEnd) != std::string::npos ||
         tool_source_.find(kEnd) != std::string::npos;
}

Result<ByteRanges> ChatRenderer::Replies(const ChatInput& input) const {
  Result<std::shared_ptr<const ChatEngine>> engine = ChatEngine::Shared();
  if (!engine.ok()) return engine.error();
  return (*engine)->Generated(SourceFor(input), specials_, input);
}

Result<ChatRenderer::TurnProbe> ChatRenderer::Probe() const {
  constexpr std::string_view kUser = "uniquequestion", kReply = "uniquereply", kNext = "uniquenext";
  ChatInput input;
  input.add_generation_prompt = false;
  input.messages =
      Json(Json::Array{Turn("user", "uniquequestion"), Turn("assistant", "uniquereply")});
  const Result<std::string> ended = Render(input);
  if (!ended.ok()) return ended.error();
  TurnProbe probe;
  const size_t reply = ended->rfind(kReply);
  if (reply == std::string::npos) return probe;
  probe.last = ended->substr(reply + kReply.size());
  probe.before_user = ended->substr(0, std::min(ended->find(kUser), reply));
  input.messages.Append(Turn("user", "uniquenext"));
  const Result<std::string> went_on = Render(input);
  if (!went_on.ok()) return probe;
  const size_t first = went_on->find(kReply), next = went_on->rfind(kNext);
  if (first != std::string::npos && next != std::string::npos && first + kReply.size() <= next)
    probe.between = went_on->substr(first + kReply.size(), next - first - kReply.size());
  return probe;
}

const Result<ChatRenderer::TurnProbe>& ChatRenderer::ProbeTurns() const {
  std::call_once(probe_once_, [this] { probe_ = Probe(); });
  return *probe_;
}

}  // namespace assay
