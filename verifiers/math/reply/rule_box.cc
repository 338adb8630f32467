// Rule "box": the last box that is not denied, with what belongs to it around it; boxes that are listed are one answer.
#include <algorithm>
#include <string>
#include <vector>

#include "core/text.h"
#include "verifiers/math/reply/boxes.h"
#include "verifiers/math/reply/characters.h"
#include "verifiers/math/reply/denial.h"
#include "verifiers/math/reply/formulas.h"
#include "verifiers/math/reply/language_words.h"
#include "verifiers/math/reply/retraction.h"
#include "verifiers/math/reply/rules.h"
#include "verifiers/math/reply/sentences.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

// "y_2 =", "d(16) =" right before a box.
std::string NameBefore(const Reply& reply, const Box& box) {
  const std::string_view text = reply.text;
  size_t i = box.begin;
  const size_t stop = i > reply.lo + 40 ? i - 40 : reply.lo;
  while (i > stop && (IsSpace(text[i - 1]) || text[i - 1] == '$' || text[i - 1] == '&')) --i;
  if (i == stop || text[i - 1] != '=') return "";
  --i;
  while (i > stop && (IsSpace(text[i - 1]) || text[i - 1] == '&')) --i;
  const size_t name_end = i;
  if (i > stop && text[i - 1] == ')') {
    while (i > stop && text[i - 1] != '(' && text[i - 1] != '$' && text[i - 1] != '\n') --i;
    if (i == stop || text[i - 1] != '(') return "";
    --i;
  }
  while (i > stop && (IsLetter(text[i - 1]) || IsDigit(text[i - 1]) || text[i - 1] == '_' ||
                      text[i - 1] == '{' || text[i - 1] == '}'))
    --i;
  if (i > stop && text[i - 1] == '\\') --i;
  const std::string_view name = text.substr(i, name_end - i);
  if (name.empty() || !(IsLetter(name[0]) || name[0] == '\\')) return "";
  return std::string(name);
}

// True if nothing but a connective (and a few words before it) stands between two boxes: "\boxed{1} papers and \boxed{2} bins".
bool Listed(const Reply& reply, const Box& left, const Box& right, std::string* joint) {
  if (right.begin < left.end || right.begin - left.end > 80) return false;
  const size_t name_size = NameBefore(reply, right).size();
  std::string_view gap = reply.text.substr(left.end, right.begin - left.end);
  if (gap.find("\n\n") != kNone) return false;
  int words_before = 0;
  bool connective = false;
  bool other_sign = false;
  *joint = ", ";
  for (size_t i = 0; i < gap.size();) {
    if (gap[i] == '\\') {
      size_t j = i + 1;
      while (j < gap.size() && IsLetter(gap[j])) ++j;
      i = std::max(j, i + 2);
      continue;
    }
    size_t word_end = i;
    const std::string word = WordAt(gap, i, gap.size(), &word_end);
    if (!word.empty()) {
      if (JoinsBoxes(word)) {
        connective = true;
        if (IsOr(word)) *joint = " or ";
      } else if (word.size() >= 2) {
        if (connective) return false;
        ++words_before;
      } else if (name_size == 0 && connective) {
        return false;
      }
      i = word_end;
      continue;
    }
    if (gap[i] == ',' || gap[i] == ';' || gap[i] == '&') connective = true;
    if (HasAt(gap, i, "...")) {  // a list with a gap in it is no less a list
      i += 3;
      continue;
    }
    if (gap[i] == '.' && i >= 2 && HasAt(gap, i - 2, "vs")) {
      ++i;
      continue;
    }
    if (gap[i] == '.' || gap[i] == '?' || gap[i] == ':') return false;
    if (gap[i] == '=' && name_size == 0) return false;
    if (IsDigit(gap[i]) && name_size == 0) return false;
    if (!IsSpace(gap[i]) && gap[i] != '$' && gap[i] != '{' && gap[i] != '}') other_sign = true;
    ++i;
  }
  // Punctuation alone lists, too; words alone do not.
  return words_before <= 4 &&
         (connective || (words_before == 0 && (other_sign || gap.size() <= 4)));
}

// "^2", "\pi", "\sqrt{3}", "\cdot 2" glued to the end of a box, up to the formula's end; empty where an equation goes on.
std::string_view Glued(const Reply& reply, const Box& box) {
  const size_t stop = std::min(reply.hi, box.end + 48);
  const std::string_view rest = reply.text.substr(box.end, stop - box.end);
  const bool power = rest.size() > 1 && rest[0] == '^' && rest.find("circ") > 3 &&
                     (IsDigit(rest[1]) || IsLetter(rest[1]) || rest[1] == '{');
  // "\boxed{42}/7", "$\boxed{42} + 1$"
  const size_t sign = rest.find_first_not_of(' ');
  const bool quotient = rest.size() > 1 && rest[0] == '/' && IsDigit(rest[1]);
  const bool sum =
      sign != kNone && rest[sign] == '+' && reply.text[box.begin - (box.begin > 0)] == '$';
  if (!power && !quotient && !sum && !StartsWith(rest, "\\pi") && !StartsWith(rest, "\\sqrt") &&
      !StartsWith(rest, "\\cdot") && !StartsWith(rest, "\\times"))
    return "";
  size_t end = std::min(rest.find_first_of("$\n,.;"), rest.size());
  for (const char* close : {"\\]", "\\)", "\\text"}) end = std::min(end, rest.find(close));
  const std::string_view glued = rest.substr(0, end);
  return glued.find_first_of("=<>~&") == kNone && CountWords(glued) == 0 ? glued : "";
}

// True if a minus sign stands right before the box, at the start of a formula or behind a sign of equality.
bool Negative(const Reply& reply, const Box& box) {
  const std::string_view text = reply.text;
  size_t i = box.begin;
  if (EndsWith(text.substr(reply.lo, i - reply.lo), "−")) {
    i -= 3;
  } else if (i > reply.lo && text[i - 1] == '-') {
    --i;
  } else {
    return false;
  }
  // In prose: "the answer is -\boxed{5}"; a dash has a blank behind it, too.
  if (i > reply.lo + 1 && text[i - 1] == ' ' && (IsLetter(text[i - 2]) || text[i - 2] == ':'))
    return true;
  while (i > reply.lo && text[i - 1] == ' ') --i;
  return i == reply.lo || text[i - 1] == '$' || text[i - 1] == '=' || text[i - 1] == '\n' ||
         EndsWith(text.substr(reply.lo, i - reply.lo), "\\[") ||
         EndsWith(text.substr(reply.lo, i - reply.lo), "\\(");
}

constexpr std::string_view kKiloUnits[] = {"米", "克", "瓦", "卡", "伏", "赫",
                                           "焦", "帕", "升", "字", "比"};

// A box's content with what belongs to it: a sign before it; a power, a percent or degree sign, a unit in \text behind it.
std::string BoxText(const Reply& reply, const Box& box) {
  const std::string_view text = reply.text;
  std::string inner(text.substr(box.inner_begin, box.inner_end - box.inner_begin));
  const std::string_view glued = Glued(reply, box);
  if (!glued.empty()) inner = StrCat("(", inner, ")", glued);
  if (Negative(reply, box)) inner = StrCat("-(", inner, ")");
  const size_t stop = std::min(reply.hi, box.end + 48);
  size_t i = box.end;
  while (i < stop && (text[i] == ' ' || text[i] == '$' || text[i] == '~' || HasAt(text, i, "\\,") ||
                      HasAt(text, i, "\\ ") || HasAt(text, i, "\\)"))) {
    i += text[i] == '\\' ? 2 : 1;
  }
  const std::string_view rest = text.substr(i, stop - i);
  size_t word_end = i;
  const std::string word = WordAt(text, i, stop, &word_end);
  if (StartsWith(rest, "%") || StartsWith(rest, "\\%") || word == "percent" || word == "pct")
    return inner + "\\%";
  // 千 in front of a unit's name is its kilo.
  const bool kilo = word == "千" &&
                    std::any_of(std::begin(kKiloUnits), std::end(kKiloUnits),
                                [&](std::string_view unit) { return HasAt(text, word_end, unit); });
  if (Multiplier(word) >= 1000 && !kilo)
    return StrCat(inner, "\\text{ ", word, "}");  // \boxed{15} million
  if (StartsWith(rest, "^\\circ") || StartsWith(rest, "^{\\circ}") || StartsWith(rest, "°"))
    return inner + "^\\circ";
  for (const char* command : {"\\text{", "\\mathrm{", "\\textrm{", "\\mbox{"}) {
    if (!StartsWith(rest, command)) continue;
    const size_t close = rest.find('}');
    const std::string_view unit = close == kNone ? "" : rest.substr(0, close + 1);
    if (!unit.empty() && CountWords(unit.substr(unit.find('{') + 1)) <= 2 &&
        unit.find(" and") == kNone && unit.find(" or") == kNone) {
      return inner + std::string(unit);
    }
  }
  return inner;
}

void JoinBoxes(const Reply& reply, const std::vector<Box>& boxes, size_t last, Candidate* out) {
  size_t first = last;
  std::string joint;
  while (first > 0 && last - first < 64 && Listed(reply, boxes[first - 1], boxes[first], &joint))
    --first;
  bool named = first < last;
  for (size_t i = first; i <= last; ++i) named = named && !NameBefore(reply, boxes[i]).empty();
  std::vector<std::string> seen;
  out->rule = Rule::kBox;
  out->begin = boxes[first].begin;
  out->end = boxes[last].end;
  out->text.clear();
  for (size_t i = first; i <= last; ++i) {
    std::string piece = BoxText(reply, boxes[i]);
    if (named) piece = NameBefore(reply, boxes[i]) + "=" + piece;
    if (std::find(seen.begin(), seen.end(), piece) != seen.end()) continue;
    seen.push_back(piece);
    if (i > first) Listed(reply, boxes[i - 1], boxes[i], &joint);
    if (!out->text.empty()) out->text += joint;
    out->text += piece;
  }
}

// "\boxed{\text{The answer is 460}}": what a sentence within the box announces is the answer. False if it announces none
// ("the answer is not 460").
bool ReadLabelWithin(Reply* reply, Candidate* candidate) {
  const std::string plain = WithoutTextCommands(candidate->text);
  Reply inner(plain, reply->options);
  inner.hits = FindPhrases(plain);
  const bool announces =
      std::any_of(inner.hits.begin(), inner.hits.end(), [](const PhraseHit& hit) {
        return hit.phrase == Phrase::kAnswer || hit.phrase == Phrase::kFinal;
      });
  if (!announces) return true;
  Extraction found;
  if (ByAnchor(&inner, 0, &found, /*final_only=*/false)) {
    candidate->text = found.text;
  } else if (std::string_view(inner.refusal) != "not_found") {
    reply->refusal = inner.refusal;
    return false;
  }
  return true;
}

}  // namespace

bool ByBox(Reply* reply, Extraction* out) {
  std::vector<Box> boxes = FindBoxes(reply);
  for (int looked_at = 0; !boxes.empty() && looked_at < kMaxAnchors &&
                          BoxDenied(reply, boxes.back().begin, boxes.back().end);
       ++looked_at) {
    // What is denied as a box is no answer of another rule either.
    if (!Lenient(*reply)) reply->quoted_boxes.push_back(boxes.back());
    boxes.pop_back();
  }
  if (boxes.empty()) return false;
  reply->refusal = "not_found";
  Candidate candidate;
  JoinBoxes(*reply, boxes, boxes.size() - 1, &candidate);
  if (!ReadLabelWithin(reply, &candidate)) return false;
  Extraction later;
  // What is announced behind the last box is the reply's last word.
  reply->strict = !Lenient(*reply);
  const bool outdone = ByAnchor(reply, candidate.end, &later, /*final_only=*/!reply->strict);
  reply->strict = false;
  if (outdone) {
    *out = later;
    return true;
  }
  const bool withdrawn = reply->none_at > candidate.end && !Lenient(*reply);
  if (!withdrawn && !Retracted(*reply, candidate.end, candidate.text))
    return Accept(candidate, out);
  reply->refusal = "retracted";
  reply->lo = candidate.end;  // whatever is taken now must stand behind it
  return false;
}

}  // namespace assay::math
