// The order in which the rules are tried, and the names of modes and rules. The rules themselves: rules.h.
#include "verifiers/math/reply/extract.h"

#include "core/text.h"
#include "verifiers/math/reply/clean_answer.h"
#include "verifiers/math/reply/phrase_search.h"
#include "verifiers/math/reply/rules.h"

namespace assay::math {
namespace {

struct ModeRow {
  Mode mode;
  const char* name;
};
constexpr ModeRow kModes[] = {{Mode::kCompletion, "completion"},
                              {Mode::kBare, "bare"},
                              {Mode::kLatex, "latex"},
                              {Mode::kExpr, "expr"},
                              {Mode::kLatexExpr, "latex+expr"},
                              {Mode::kString, "string"},
                              {Mode::kBoxedAfterThink, "boxed_after_think"},
                              {Mode::kCompletionThink, "completion_think"}};

Extraction Refused(const char* why) {
  Extraction out;
  out.refusal = why;
  return out;
}

// The order of the rules is their meaning: the first that takes an answer decides. Where a rule stands: rules.h.
Extraction FindAnswer(std::string_view text, const ExtractOptions& options) {
  Reply reply(text, options);
  FindAnswerPart(&reply);
  if (Trim(text.substr(reply.lo, reply.hi - reply.lo)).empty()) return Refused("empty");
  const Mode mode = options.mode;
  const bool whole_reply =
      mode == Mode::kCompletion || mode == Mode::kCompletionThink || mode == Mode::kBoxedAfterThink;
  if (reply.think_open && whole_reply) return Refused("unclosed_think");
  if (!reply.think_closed && (mode == Mode::kBoxedAfterThink || mode == Mode::kCompletionThink))
    return Refused("no_think");

  Extraction out;
  if (mode == Mode::kCompletion && ByJson(reply, &out)) return out;
  if (ByBox(&reply, &out)) {
    Extraction later;
    if (whole_reply && mode != Mode::kBoxedAfterThink &&
        ByHash(&reply, out.end, &later, /*last_line=*/true))
      return later;
    return out;
  }
  if (mode == Mode::kBoxedAfterThink)
    return Refused(std::string_view(reply.refusal) == "retracted" ? reply.refusal : "no_box");
  const size_t lo_before = reply.lo;
  const bool plain_text = mode != Mode::kLatex;
  if (plain_text && reply.lo == 0 && ByWhole(reply, &out)) return out;
  if (ByAnchor(&reply, reply.lo, &out, /*final_only=*/false)) {
    Extraction later;
    if (whole_reply && ByHash(&reply, out.end, &later, /*last_line=*/true)) return later;
    return out;
  }
  if (ByHash(&reply, reply.lo, &out, /*last_line=*/false)) return out;
  // Behind a think block anchors come first: "Answer: 4" is no answer as a whole.
  if (plain_text && reply.think_closed && reply.lo == lo_before && ByWhole(reply, &out)) return out;
  if (ByTail(&reply, &out)) return out;
  const bool last_number = options.last_number || mode == Mode::kExpr || mode == Mode::kLatexExpr;
  if (last_number && ByNumber(reply, &out)) return out;
  return Refused(reply.refusal);
}

}  // namespace

bool TakeSpan(const Reply& reply, Rule rule, size_t begin, size_t end, Candidate* out,
              size_t unit) {
  const std::string_view text = reply.text;
  out->rule = rule;
  out->begin = begin;
  out->end = end;
  if (unit > begin && unit < end) {
    out->text =
        StrCat(text.substr(begin, unit - begin), "\\text{ ", text.substr(unit, end - unit), "}");
  } else {
    out->text.assign(text.substr(begin, end - begin));
  }
  return end > begin && !CleanAnswer(out->text).empty();
}

bool Accept(const Candidate& candidate, Extraction* out) {
  out->rule = candidate.rule;
  out->begin = candidate.begin;
  out->end = candidate.end;
  out->text = CleanAnswer(candidate.text);
  out->refusal = "";
  return !out->text.empty();
}

bool Lenient(const Reply& reply) {
  const Mode mode = reply.options.mode;
  return mode == Mode::kLatex || mode == Mode::kExpr || mode == Mode::kLatexExpr;
}

const char* ModeName(Mode mode) {
  for (const ModeRow& row : kModes) {
    if (row.mode == mode) return row.name;
  }
  return "";
}

std::optional<Mode> ModeFromName(std::string_view name) {
  for (const ModeRow& row : kModes) {
    if (name == row.name) return row.mode;
  }
  return std::nullopt;
}

const std::vector<std::string>& ModeNames() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const ModeRow& row : kModes) all.emplace_back(row.name);
    return all;
  }();
  return names;
}

const char* RuleName(Rule rule) {
  static constexpr const char* kNames[] = {"none",    "bare", "whole",  "box",    "anchor", "hash",
                                           "formula", "bold", "equals", "number", "choice"};
  return kNames[static_cast<size_t>(rule)];
}

bool HasAnswerFrame(std::string_view gold) {
  for (const PhraseHit& hit : FindPhrases(gold)) {
    if (hit.phrase == Phrase::kBox) return true;
    if (hit.phrase == Phrase::kHash && (hit.begin == 0 || gold[hit.begin - 1] == '\n')) return true;
  }
  return false;
}

Extraction ExtractAnswer(std::string_view reply, const ExtractOptions& options) {
  if (options.mode == Mode::kBare) {
    const std::string_view text = Trim(reply);
    Extraction out;
    out.rule = Rule::kBare;
    out.text.assign(text);
    out.begin = text.empty() ? 0 : static_cast<size_t>(text.data() - reply.data());
    out.end = out.begin + text.size();
    return out;
  }
  if (options.mode == Mode::kString) return ExtractChoice(reply, options);
  return FindAnswer(reply, options);
}

}  // namespace assay::math
