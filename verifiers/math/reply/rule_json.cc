// Rule "anchor" in another dress: a JSON object that ends the reply and has an answer's key.
#include <algorithm>
#include <string>

#include "core/json.h"
#include "core/text.h"
#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/rules.h"

namespace assay::math {
namespace {

constexpr size_t kMaxJsonBytes = 8192;
constexpr int kMaxOpenings = 12;

bool IsAnswerKey(std::string_view key) {
  return OneOf(AsciiLower(key), "answer", "final_answer", "final answer", "finalanswer",
               "final-answer", "result", "solution", "ans");
}

// The value under the object's last answer key; null: there is none.
const Json* AnswerIn(const Json& object) {
  const Json* answer = nullptr;
  for (const Json::Member& member : *object.AsObject()) {
    if (IsAnswerKey(member.key)) answer = &member.value;
  }
  const bool scalar = answer != nullptr && (answer->IsNumber() || answer->IsString());
  return scalar || (answer != nullptr && answer->IsArray()) ? answer : nullptr;
}

// A list's items without brackets: it may be a set's as well as a tuple's.
std::string TextOf(const Json& answer) {
  if (!answer.IsArray()) return answer.ScalarText();
  std::string text;
  for (const Json& item : *answer.AsArray()) {
    if (!text.empty()) text += ", ";
    text += item.ScalarText();
  }
  return text;
}

}  // namespace

bool ByJson(const Reply& reply, Extraction* out) {
  std::string_view text = reply.text.substr(0, reply.hi);
  size_t end = reply.hi;
  const auto drop_blanks = [&] {
    while (end > reply.lo && IsSpace(text[end - 1])) --end;
  };
  drop_blanks();
  if (EndsWith(text.substr(0, end), "```")) {
    end -= 3;
    drop_blanks();
  }
  if (end <= reply.lo || text[end - 1] != '}') return false;
  const size_t from = end - reply.lo > kMaxJsonBytes ? end - kMaxJsonBytes : reply.lo;
  size_t open = end;
  for (int tries = 0; tries < kMaxOpenings && open > from; ++tries) {
    open = text.rfind('{', open - 1);
    if (open == kNone || open < from) return false;
    const size_t key = text.find_first_not_of(" \t\r\n", open + 1);
    if (key == kNone || text[key] != '"') continue;
    const Result<Json> object = ParseJson(text.substr(open, end - open));
    if (!object.ok() || !object->IsObject()) continue;
    const Json* answer = AnswerIn(*object);
    if (answer == nullptr) return false;
    Candidate candidate{Rule::kAnchor, open, end, TextOf(*answer)};
    return Accept(candidate, out);
  }
  return false;
}

}  // namespace assay::math
