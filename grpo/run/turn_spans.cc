#include "grpo/run/turn_spans.h"

#include <algorithm>

#include "core/text.h"
#include "grpo/tokenizer/chat_renderer.h"

namespace assay {
namespace {

using Ids = std::vector<int64_t>;

size_t CommonPrefix(std::string_view a, std::string_view b) {
  const size_t most = std::min(a.size(), b.size());
  return static_cast<size_t>(std::mismatch(a.begin(), a.begin() + most, b.begin()).first -
                             a.begin());
}

std::string TextOf(const Tokenizer& tokenizer, Ids::const_iterator begin, Ids::const_iterator end) {
  std::string text;
  for (auto id = begin; id != end; ++id) text += tokenizer.TokenBytes(*id);
  return text;
}

// The start of `between` that is the turn's end: what it has in common with the end of a conversation, in whole tokens; else what stands
// before the next turn's header, which `before_user` ends in; else its first token, where that is a special one.
std::string MiddleEnd(const Tokenizer& tokenizer, const ChatRenderer::TurnProbe& probe) {
  const Ids between = tokenizer.Encode(probe.between);
  if (between.empty()) return "";
  std::string end;
  if (!probe.last.empty()) {
    const Ids last = tokenizer.Encode(probe.last);
    const size_t most = std::min(last.size(), between.size());
    end = TextOf(tokenizer, between.begin(),
                 std::mismatch(between.begin(), between.begin() + most, last.begin()).first);
    if (end.empty() && tokenizer.IsSpecial(between[0]))
      end = TextOf(tokenizer, between.begin(), between.begin() + 1);
  } else {
    const Ids before = tokenizer.Encode(probe.before_user);
    size_t header = 0;
    while (header < std::min(before.size(), between.size()) &&
           before[before.size() - 1 - header] == between[between.size() - 1 - header]) {
      ++header;
    }
    end = TextOf(tokenizer, between.begin(), between.end() - static_cast<int64_t>(header));
  }
  return StartsWith(probe.between, end) ? end : std::string();
}

// `at`, or where the token that it lies within begins; for tokenizers whose tokens' bytes are the text.
size_t TokenStart(const Tokenizer& tokenizer, const std::string& text, size_t at) {
  const Ids ids = tokenizer.Encode(text);
  if (TextOf(tokenizer, ids.begin(), ids.end()) != text) return at;
  size_t place = 0;
  for (int64_t id : ids) {
    const size_t size = tokenizer.TokenBytes(id).size();
    if (place + size > at) return place;
    place += size;
  }
  return at;
}

// Where the turn's words begin: behind its prompt, or where the whole text leaves that. A template that writes the prompt otherwise as
// soon as more follows (a system text in the last user's turn) is searched for what others say and for the header behind it.
size_t TurnBegin(const Tokenizer& tokenizer, const Json& messages, const std::string& whole,
                 const TurnTexts& turn, size_t from) {
  if (StartsWith(whole, turn.prompt)) return turn.prompt.size();
  const size_t leaves = TokenStart(tokenizer, whole, CommonPrefix(whole, turn.prompt));
  if (turn.index == 0) return leaves;
  const std::string_view said = Trim((*messages.AsArray())[turn.index - 1].StringOr("content", ""));
  const size_t in_whole = said.empty() ? std::string::npos : whole.find(said, from);
  const size_t in_prompt = said.empty() ? std::string::npos : turn.prompt.rfind(said);
  if (in_whole == std::string::npos || in_prompt == std::string::npos) return leaves;
  const size_t behind = in_whole + said.size();
  if (leaves >= behind) return leaves;
  const std::string header = turn.prompt.substr(in_prompt + said.size());
  const size_t found = header.empty() ? std::string::npos : whole.find(header, behind);
  return found == std::string::npos ? behind : found + header.size();
}

// `next`: the message behind the turn, or null.
size_t TurnStop(const Tokenizer& tokenizer, const std::string& whole, const TurnTexts& turn,
                const TurnEnds& ends, const Json* next, size_t begin, size_t limit) {
  if (whole == turn.through) return whole.size();
  std::string_view body = turn.through;
  if (ends.ends_last && EndsWith(body, ends.last)) body.remove_suffix(ends.last.size());
  if (body.size() >= begin && body.size() <= limit && StartsWith(whole, body)) {
    const bool ended = StartsWith(std::string_view(whole).substr(body.size()), ends.middle);
    return std::min(limit, body.size() + (ended ? ends.middle.size() : 0));
  }
  // Behind a tool's answer within the assistant's turn its end says nothing: only what was written without the answer is the assistant's.
  const bool tool = next != nullptr && next->StringOr("role", "user") != "user";
  const std::string_view answer = tool ? Trim(next->StringOr("content", "")) : std::string_view();
  const size_t at = ends.middle.empty() ? std::string::npos : whole.find(ends.middle, begin);
  const size_t answered = answer.empty() ? std::string::npos : whole.rfind(answer, limit);
  if (at != std::string::npos && at + ends.middle.size() <= limit && at < answered)
    return at + ends.middle.size();
  if (!tool) return begin;
  const size_t agreed = TokenStart(tokenizer, whole, CommonPrefix(whole, body));
  return std::clamp(agreed, begin, std::max(begin, limit));
}

}  // namespace

Result<TurnEnds> TurnEndsOf(const Tokenizer& tokenizer) {
  const Result<ChatRenderer::TurnProbe>& probe = tokenizer.chat().ProbeTurns();
  if (!probe.ok()) return probe.error();
  TurnEnds ends;
  ends.middle = MiddleEnd(tokenizer, *probe);
  ends.ends_last = !probe->last.empty();
  ends.last = ends.ends_last ? probe->last : ends.middle;
  return ends;
}

ByteRanges TurnRanges(const Tokenizer& tokenizer, const Json& messages, const std::string& whole,
                      const std::vector<TurnTexts>& turns, const TurnEnds& ends) {
  std::vector<size_t> begins;
  for (size_t k = 0; k < turns.size(); ++k) {
    const size_t from = k == 0 ? 0 : begins[k - 1];
    begins.push_back(std::max(from, TurnBegin(tokenizer, messages, whole, turns[k], from)));
  }
  ByteRanges ranges;
  for (size_t k = 0; k < turns.size(); ++k) {
    const size_t limit = k + 1 < turns.size() ? begins[k + 1] : whole.size();
    const Json::Array& list = *messages.AsArray();
    const Json* next = turns[k].index + 1 < list.size() ? &list[turns[k].index + 1] : nullptr;
    ranges.emplace_back(begins[k],
                        TurnStop(tokenizer, whole, turns[k], ends, next, begins[k], limit));
  }
  return ranges;
}

}  // namespace assay
