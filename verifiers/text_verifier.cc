#include "verifiers/text_verifier.h"

#include <algorithm>

#include "core/text.h"

namespace assay {
namespace {

enum class Found { kNone, kOne, kSeveral };

// What stands between the only `open` and the only `close`.
Found Between(std::string_view text, std::string_view open, std::string_view close,
              std::string_view* inside) {
  const size_t begin = text.find(open);
  if (begin == std::string_view::npos) return Found::kNone;
  const size_t from = begin + open.size();
  const size_t end = text.find(close, from);
  if (end == std::string_view::npos) return Found::kNone;
  if (text.find(open, from) != std::string_view::npos ||
      text.find(close, end + close.size()) != std::string_view::npos)
    return Found::kSeveral;
  *inside = text.substr(from, end - from);
  return Found::kOne;
}

// The content of the only \boxed{..}, its braces in balance.
Found Boxed(std::string_view text, std::string_view* inside) {
  static constexpr std::string_view kBox = "\\boxed{";
  const size_t at = text.find(kBox);
  if (at == std::string_view::npos) return Found::kNone;
  const size_t begin = at + kBox.size();
  if (text.find(kBox, begin) != std::string_view::npos) return Found::kSeveral;
  int depth = 1;
  for (size_t i = begin; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '{') {
      ++depth;
    } else if (text[i] == '}' && --depth == 0) {
      *inside = text.substr(begin, i - begin);
      return Found::kOne;
    }
  }
  return Found::kNone;
}

FoundAnswer Refused(const char* why) { return {{}, Verdict::Fail("no_answer", why)}; }

std::string_view LastLine(std::string_view text) {
  const size_t newline = text.rfind('\n');
  return newline == std::string_view::npos ? text : Trim(text.substr(newline + 1));
}

}  // namespace

std::string_view AnswerPart(std::string_view reply) {
  static constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  const size_t close = reply.rfind(kClose);
  const size_t open = reply.rfind(kOpen);
  if (close != std::string_view::npos) {
    // Reasoning that is opened once more behind it and not closed hides all that follows.
    if (open != std::string_view::npos && open > close) return {};
    return Trim(reply.substr(close + kClose.size()));
  }
  if (open != std::string_view::npos) return {};
  return Trim(reply);
}

FoundAnswer FindAnswer(std::string_view reply, AnswerPlace place) {
  const std::string_view part = AnswerPart(reply);
  if (part.empty()) return Refused("there is no answer part");
  if (place == AnswerPlace::kPart) return {part, {}};
  if (place == AnswerPlace::kLine) return {LastLine(part), {}};
  std::string_view inside;
  Found found = Found::kNone;
  if (place != AnswerPlace::kBox) found = Between(part, "<answer>", "</answer>", &inside);
  if (found == Found::kNone && place != AnswerPlace::kTag) found = Boxed(part, &inside);
  if (found == Found::kSeveral) return Refused("there are several answers");
  if (found == Found::kNone) {
    if (place == AnswerPlace::kAuto) return {part, {}};
    return Refused("the answer is not where it should be");
  }
  inside = Trim(inside);
  if (inside.empty()) return Refused("the answer is empty");
  return {inside, {}};
}

void AddAnswerPlace(AnswerPlace* place, Options* table) {
  table->Add("from", place,
             ChoiceNames<AnswerPlace>{{"auto", AnswerPlace::kAuto},
                                      {"part", AnswerPlace::kPart},
                                      {"tag", AnswerPlace::kTag},
                                      {"box", AnswerPlace::kBox},
                                      {"line", AnswerPlace::kLine}},
             "where the answer stands: <answer>, the box, the whole part behind </think>, its last "
             "line; auto: the first of the tag, the box and the part that is there");
}

}  // namespace assay
