#include "verifiers/math/reply/boxes.h"

#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/clean_answer.h"
#include "verifiers/math/reply/sentences.h"

namespace assay::math {
namespace {

bool InComment(const Reply& reply, size_t at) {
  const std::string_view text = reply.text;
  size_t line = at;
  while (line > reply.lo && text[line - 1] != '\n' && at - line < kMaxClauseBytes) --line;
  return text[SkipSpace(text, line, at)] == '%';
}

}  // namespace

// One pass with a stack finds every closing brace, whatever the nesting.
std::vector<Box> FindBoxes(const Reply& reply) {
  const std::string_view text = reply.text;
  std::vector<Box> boxes;
  std::vector<Box> open;   // boxes whose brace is not closed yet
  std::vector<int> owner;  // for each open brace: index into `open`, or -1
  size_t at = kNone;
  auto hit = reply.hits.begin();
  const auto next_hit = [&] {
    while (hit != reply.hits.end() && (hit->phrase != Phrase::kBox || hit->begin < reply.lo)) ++hit;
  };
  next_hit();
  if (hit == reply.hits.end() || hit->end > reply.hi) return boxes;
  bool comment = InComment(reply, hit->begin);  // the line at hand begins with %
  bool line_begins = false;
  for (at = hit->begin; at < reply.hi; ++at) {
    if (text[at] == '\n') {
      line_begins = true;
      comment = false;
    } else if (line_begins && !IsSpace(text[at])) {
      line_begins = false;
      comment = text[at] == '%';
    }
    if (hit != reply.hits.end() && at == hit->begin) {
      Box box{at, 0, 0, 0, comment};
      size_t brace = SkipSpace(text, hit->end, reply.hi);
      ++hit;
      next_hit();
      if (brace < reply.hi && text[brace] == '{') {
        box.inner_begin = brace + 1;
        open.push_back(box);
        owner.push_back(static_cast<int>(open.size()) - 1);
        at = brace;
      } else if (brace < reply.hi &&
                 (IsDigit(text[brace]) || (IsLetter(text[brace]) && brace > box.begin + 6))) {
        boxes.push_back({box.begin, brace, brace + 1, brace + 1, comment});
        at = brace;
      }
      continue;
    }
    const char c = text[at];
    if (c == '\\') {
      // `\\boxed`: an over-escaped command, seen as a hit at its second backslash.
      if (hit == reply.hits.end() || hit->begin != at + 1) ++at;
    } else if (c == '{') {
      owner.push_back(-1);
    } else if (c == '}' && !owner.empty()) {
      if (owner.back() >= 0) {
        Box box = open.back();
        open.pop_back();
        box.inner_end = at;
        box.end = at + 1;
        while (!boxes.empty() && boxes.back().begin > box.begin) boxes.pop_back();
        boxes.push_back(box);
      }
      owner.pop_back();
    }
  }
  // The upstream suites of these modes also take a box that the reply's end cuts.
  if (Lenient(reply) && boxes.empty() && !open.empty()) {
    boxes.push_back({open.front().begin, open.front().inner_begin, reply.hi, reply.hi, false});
  }
  std::erase_if(boxes, [text](const Box& box) {
    return IsPlaceholder(text.substr(box.inner_begin, box.inner_end - box.inner_begin)) ||
           box.comment;
  });
  return boxes;
}

}  // namespace assay::math
