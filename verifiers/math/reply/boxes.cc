#include "verifiers/math/reply/boxes.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/clean_answer.h"
#include "verifiers/math/reply/sentences.h"

namespace assay::math {
namespace {

// Where the line of `at` begins, or kMaxClauseBytes in front of it.
size_t LineBegin(const Reply& reply, size_t at) {
  const size_t lo = std::max(reply.lo, at - std::min(at, kMaxClauseBytes));
  const char* const text = reply.text.data();
  const void* const newline = memrchr(text + lo, '\n', at - lo);
  return newline == nullptr ? lo
                            : static_cast<size_t>(static_cast<const char*>(newline) - text) + 1;
}

// One walk over the answer part; a stack finds every closing brace, whatever the nesting.
class BoxScan {
 public:
  explicit BoxScan(const Reply& reply)
      : reply_(reply), text_(reply.text), hit_(reply.hits.begin()) {}

  std::vector<Box> Run() {
    SkipToBox();
    if (hit_ == reply_.hits.end() || hit_->end > reply_.hi) return {};
    in_comment_ = LineIsComment(hit_->begin);
    for (size_t at = hit_->begin; at < reply_.hi; ++at) {
      if (hit_ != reply_.hits.end() && at == hit_->begin) {
        at = Open(at);
        continue;
      }
      switch (text_[at]) {
        case '\\':
          // `\\boxed`: an over-escaped command, seen as a hit at its second backslash.
          if (hit_ == reply_.hits.end() || hit_->begin != at + 1) ++at;
          break;
        case '\n':
          at = SkipSpace(text_, at, reply_.hi) - 1;
          in_comment_ = at + 1 < reply_.hi && text_[at + 1] == '%';
          break;
        case '{':
          owner_.push_back(-1);
          break;
        case '}':
          Close(at);
          break;
        default:
          break;
      }
    }
    // The upstream suites of these modes also take a box that the reply's end cuts.
    if (Lenient(reply_) && boxes_.empty() && !open_.empty())
      boxes_.push_back({open_[0].begin, open_[0].inner_begin, reply_.hi, reply_.hi, false});
    return std::move(boxes_);
  }

 private:
  // Moves hit_ to a box of the answer part.
  void SkipToBox() {
    while (hit_ != reply_.hits.end() && (hit_->phrase != Phrase::kBox || hit_->begin < reply_.lo))
      ++hit_;
  }

  bool LineIsComment(size_t at) const {
    return text_[SkipSpace(text_, LineBegin(reply_, at), at)] == '%';
  }

  // The box at hit_: with a brace, or of one digit or letter as TeX allows. The last byte taken.
  size_t Open(size_t at) {
    const size_t inner = SkipSpace(text_, hit_->end, reply_.hi);
    ++hit_;
    SkipToBox();
    if (inner >= reply_.hi) return at;
    if (text_[inner] == '{') {
      open_.push_back({at, inner + 1, 0, 0, in_comment_});
      owner_.push_back(static_cast<int>(open_.size()) - 1);
      return inner;
    }
    if (!IsDigit(text_[inner]) && !(IsLetter(text_[inner]) && inner > at + 6)) return at;
    boxes_.push_back({at, inner, inner + 1, inner + 1, in_comment_});
    return inner;
  }

  void Close(size_t at) {
    if (owner_.empty()) return;
    if (owner_.back() >= 0) {
      Box box = open_.back();
      open_.pop_back();
      box.inner_end = at;
      box.end = at + 1;
      while (!boxes_.empty() && boxes_.back().begin > box.begin) boxes_.pop_back();
      boxes_.push_back(box);
    }
    owner_.pop_back();
  }

  const Reply& reply_;
  const std::string_view text_;
  std::vector<PhraseHit>::const_iterator hit_;
  std::vector<Box> boxes_;
  std::vector<Box> open_;    // boxes whose brace is not closed yet
  std::vector<int> owner_;   // for each open brace: index into open_, or -1
  bool in_comment_ = false;  // the line at hand begins with %
};

// True if the box stands in `\verb|..|` or in a code span of its line.
bool IsShown(const Reply& reply, const Box& box) {
  const std::string_view text = reply.text;
  const size_t line = LineBegin(reply, box.begin);
  const std::string_view before = text.substr(line, box.begin - line);
  if (before.find('`') == kNone && before.find("\\verb") == kNone) return false;
  const size_t verb = before.rfind("\\verb");
  if (verb != kNone) {
    size_t mark = verb + 5;
    if (mark < before.size() && before[mark] == '*') ++mark;
    if (mark < before.size() && before.find(before[mark], mark + 1) == kNone) return true;
  }
  int ticks = 0;
  for (const char c : before) ticks += c == '`';
  const size_t stop = std::min(reply.hi, box.end + kMaxClauseBytes);
  const std::string_view behind = text.substr(box.end, stop - box.end);
  return ticks % 2 == 1 && behind.find('`') < behind.find('\n');
}

}  // namespace

std::vector<Box> FindBoxes(Reply* reply) {
  std::vector<Box> boxes = BoxScan(*reply).Run();
  std::erase_if(boxes, [reply](const Box& box) {
    if (box.comment ||
        IsPlaceholder(reply->text.substr(box.inner_begin, box.inner_end - box.inner_begin)))
      return true;
    if (!IsShown(*reply, box)) return false;
    reply->quoted_boxes.push_back(box);
    return true;
  });
  return boxes;
}

}  // namespace assay::math
