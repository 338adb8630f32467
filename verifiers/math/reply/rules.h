// The rules by which an answer is found in a reply, in the order in which they are tried; FindAnswer (extract.cc) is that
// order as code. Each rule stands in the file that its comment names and says true where it has taken an answer; what a rule
// leaves behind for later ones is written at Reply. Private to reply/; every reply has its own state, so thread-safe.
//
//   which part of the reply counts   answer_part.cc
//   box                              rule_box.cc (found by boxes.cc)
//   whole                            rule_whole.cc
//   anchor                           rule_anchor.cc (read by announced.cc); its phrases: answer_phrases.cc
//   hash                             rule_hash.cc
//   whole, behind a think block      rule_whole.cc
//   formula, bold, equals            rule_tail.cc: the last one of the three
//   number                           rule_number.cc, if asked for
//   choice                           rule_choice.cc, in mode `string` instead of all these
//
// What every rule asks before it takes something: denial.cc (is it denied, doubted, quoted, asked?), retraction.cc (is it
// taken back behind?). The words of every language that these go by: language_words.cc.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "verifiers/math/reply/extract.h"
#include "verifiers/math/reply/phrase_search.h"

namespace assay::math {

// How many anchors, boxes or `####`, from the last one backwards, are looked at.
inline constexpr int kMaxAnchors = 64;

struct Box {
  size_t begin = 0;
  size_t inner_begin = 0;
  size_t inner_end = 0;
  size_t end = 0;
  bool comment = false;  // in a TeX comment
};

// A reply whose answer is looked for. The answer part is text[lo, hi); a rule that finds a retracted answer moves `lo`
// behind it, so that whatever is taken afterwards is later.
struct Reply {
  Reply(std::string_view reply, const ExtractOptions& extract_options)
      : text(reply), options(extract_options), hi(reply.size()) {}

  std::string_view text;
  const ExtractOptions& options;
  size_t lo = 0;
  size_t hi;
  std::vector<PhraseHit> hits;
  bool think_closed = false;
  bool think_open = false;
  std::vector<size_t> refused_anchors;  // where an answer was announced and then refused
  std::vector<Box> quoted_boxes;        // in \verb or a code span: shown, not said
  size_t none_at =
      0;  // where an announcement says that there is no answer ("Final answer: unknown")
  bool strict = false;  // an announcement counts only if a value stands right behind it
  const char* refusal = "not_found";  // why the last rule that had something to refuse refused it
};

struct Candidate {
  Rule rule = Rule::kNone;
  size_t begin = 0;
  size_t end = 0;
  std::string text;
};

// Sets hits, lo, hi and the think flags: what follows the last closed reasoning counts; a chat token ends the reply.
void FindAnswerPart(Reply* reply);

// ---- the rules, in order

// A JSON object at the end of the reply with the key "answer", "final_answer" or their like.
bool ByJson(const Reply& reply, Extraction* out);
bool ByBox(Reply* reply, Extraction* out);
// A reply that is nothing but an answer.
bool ByWhole(const Reply& reply, Extraction* out);
// The last announcement in text[from, hi); with `final_only` only "final answer" and its like.
bool ByAnchor(Reply* reply, size_t from, Extraction* out, bool final_only);
// The last `#### ..` in text[from, hi); with `last_line` only if it is a value and nothing follows it.
bool ByHash(Reply* reply, size_t from, Extraction* out, bool last_line);
// The last of: formula, bold or code span, sentence-final value.
bool ByTail(Reply* reply, Extraction* out);
bool ByNumber(const Reply& reply, Extraction* out);
// Mode `string`: which of a question's choices the reply names: behind an answer anchor, else as the reply's first word
// ("B. Because .."), else the last one that is named without being denied ("it's not A"). options.choices empty: A, B, C, D.
// Rule::kChoice with the choice as spelt in the options; a reply that names none is taken whole (Rule::kWhole) if it is
// short, for comparison as text.
Extraction ExtractChoice(std::string_view reply, const ExtractOptions& options);

// ---- what the rules share

// The modes of upstream suites that take what stands where an answer would, asserted or not.
bool Lenient(const Reply& reply);
// text[begin, end) as a candidate, from `unit` on (if it is within) as a unit in \text. False if nothing is in it.
bool TakeSpan(const Reply& reply, Rule rule, size_t begin, size_t end, Candidate* out,
              size_t unit = 0);
// The candidate, cleaned, as the answer. False if nothing is left of it.
bool Accept(const Candidate& candidate, Extraction* out);

}  // namespace assay::math
