#include "verifiers/math/reply/extract.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <initializer_list>
#include <utility>

#include "core/text.h"
#include "verifiers/math/reply/choice_scan.h"
#include "verifiers/math/reply/phrases.h"
#include "verifiers/math/reply/spans.h"
#include "verifiers/math/syntax/words.h"

namespace assay::math {
namespace {

constexpr size_t kNone = std::string_view::npos;
// How many anchors, from the last one backwards, are looked at; and how many candidates are checked for retraction.
constexpr int kMaxAnchors = 64;
constexpr int kMaxRetracted = 4;
// How far before the end of a whole reply a formula may stand and still be its answer.
constexpr size_t kTailBytes = 800;
constexpr size_t kMaxWholeBytes = 400;

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

constexpr const char* kLanguages[][2] = {
    {"english", "en"}, {"chinese", "zh"}, {"spanish", "es"},  {"french", "fr"},
    {"german", "de"},  {"russian", "ru"}, {"japanese", "ja"}, {"portuguese", "pt"},
    {"italian", "it"}, {"korean", "ko"},  {"arabic", "ar"},   {"hindi", "hi"}};

bool OneOf(std::string_view word, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

bool HasAt(std::string_view text, size_t at, std::string_view piece) {
  return text.size() >= at && text.substr(at, piece.size()) == piece;
}

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

bool IsCopula(std::string_view word) {
  return OneOf(word, {"is",     "are",      "was",  "be",  "equals", "becomes", "it's",  "that's",
                      "es",     "son",      "será", "est", "sont",   "vaut",    "ist",   "sind",
                      "lautet", "beträgt",  "é",    "è",   "are:",   "равен",   "равно", "равна",
                      "это",    "является", "是",   "为",  "為",     "は",      "هي",    "هو"});
}

bool IsNegation(std::string_view word) {
  return EndsWith(word, "n't") ||
         OneOf(word, {"not", "isn't", "aren't", "wasn't", "cannot", "can't", "never", "neither",
                      "nicht", "kein", "keine", "keinen", "pas", "не", "不"});
}

bool IsHedge(std::string_view word) {
  return OneOf(word,
               {"might",        "maybe",        "may",      "could", "perhaps",        "possibly",
                "unsure",       "unlikely",     "doubtful", "if",    "whether",        "suppose",
                "supposing",    "assuming",     "unless",   "peut",  "vielleicht",     "quizás",
                "quizá",        "возможно",     "talvez",   "forse", "möglicherweise", "eventuell",
                "posiblemente", "possivelmente"});
}

// Hedges of a whole sentence: "maybe the answer is 4"; not "you may see that the answer is 4".
bool IsSentenceHedge(std::string_view word) {
  return IsHedge(word) && !OneOf(word, {"may", "could", "assuming", "suppose", "supposing", "if",
                                        "whether", "unless", "might"});
}

// Hedges in scripts without spaces, where a word ends nowhere.
bool HasUnspacedHedge(std::string_view text) {
  for (const std::string_view hedge : {"可能", "也许", "或许", "かもし"}) {
    const size_t at = text.find(hedge);
    // 可能的值: the possible values.
    if (at != kNone && !HasAt(text, at + hedge.size(), "的")) return true;
  }
  return false;
}

// "at least", "more than" and questions in these scripts, and 15か16.
bool HasUnspacedBound(std::string_view text) {
  for (const std::string_view bound :
       {"至少", "最多", "大于", "小于", "超过", "不到", "不少于", "不多于", "吗", "以上", "以下",
        "未満", "より", "少なくとも"}) {
    if (text.find(bound) != kNone) return true;
  }
  constexpr std::string_view kOr = "か";
  for (size_t at = text.find(kOr); at != kNone; at = text.find(kOr, at + 1)) {
    const size_t next = at + kOr.size();
    if (at > 0 && IsDigit(text[at - 1]) && next < text.size() && IsDigit(text[next])) return true;
  }
  return false;
}

// "twice 42", "minus 42": words that make another value of the one behind them.
bool IsModifier(std::string_view word) {
  return OneOf(word, {"twice", "thrice", "double", "triple", "half", "square", "cube", "root",
                      "third", "quarter", "reciprocal", "inverse", "negative", "minus", "opposite",
                      "logarithm", "factorial", "quadruple"});
}

// Whose answer is quoted when "answer" follows one of these.
bool IsQuoting(std::string_view word) {
  return OneOf(word, {"reference", "gold", "golden", "truth", "expected", "given", "provided",
                      "sample", "example", "wrong", "incorrect", "previous", "student's", "user's",
                      "common", "tempting", "suggested"});
}

// Words that make of a value something else: "at least 4", "unlikely to be 4".
bool IsQualifier(std::string_view word) {
  return OneOf(
      word, {"less", "greater", "more", "fewer", "least", "most", "under", "over", "above", "below",
             "but", "except", "unlikely", "no", "never", "anything", "other", "than", "larger",
             "smaller", "exceeds", "within", "nowhere", "hardly", "barely", "almost", "nearly",
             "multiple", "divisor", "factor", "close",
             // French, Spanish, Portuguese, Italian, German, Russian
             "supérieur", "supérieure", "inférieur", "inférieure", "moins", "mayor", "menor",
             "menos", "maior", "maggiore", "minore", "almeno", "größer", "kleiner", "mindestens",
             "höchstens", "weniger", "больше", "меньше", "более", "менее"});
}

// "The answer is correct", "the answer is given by ..": no answer follows.
bool SaysNothing(std::string_view word) {
  return OneOf(word, {"correct", "right", "wrong", "incorrect", "valid", "reasonable", "consistent",
                      "verified", "below", "clear", "obvious", "unknown", "unclear", "what", "why",
                      "how", "because", "based"});
}

// Words between a copula and the answer that say nothing.
bool IsFiller(std::string_view word) {
  return OneOf(word,
               {"therefore", "thus",  "simply",  "just",   "exactly", "approximately", "about",
                "equal",     "to",    "clearly", "given",  "by",      "then",          "hence",
                "so",        "for",   "sure",    "either", "indeed",  "also",          "roughly",
                "around",    "only",  "the",     "option", "choice",  "number",        "value",
                "interval",  "set",   "point",   "pair",   "ordered", "that",          "there",
                "a",         "total", "of"});
}

std::string_view TrimView(std::string_view text) { return Trim(text); }

// A box without an answer in it: nothing, dots, underscores, a question mark, or the prompt's "your answer".
bool IsPlaceholder(std::string_view content) {
  std::string plain;
  for (size_t i = 0; i < content.size(); ++i) {
    const char c = content[i];
    if (c == '\\') {
      size_t j = i + 1;
      while (j < content.size() && IsLetter(content[j])) ++j;
      const std::string_view name = content.substr(i + 1, j - i - 1);
      const bool blank =
          name.empty() || OneOf(name, {"text", "mathrm", "textbf", "boxed", "fbox", "quad", "qquad",
                                       "ldots", "dots", "cdots", "mbox", "hspace", "phantom"});
      if (!blank) return false;
      i = name.empty() ? i + 1 : j - 1;
    } else if (!IsSpace(c) && c != '{' && c != '}' && c != '~' && c != '.' && c != '_' &&
               c != '?' && c != '$') {
      plain.push_back(IsLetter(c) ? static_cast<char>(c | 0x20) : c);
    } else if (IsSpace(c) && !plain.empty() && plain.back() != ' ') {
      plain.push_back(' ');
    }
  }
  while (!plain.empty() && plain.back() == ' ') plain.pop_back();
  return plain.empty() ||
         OneOf(plain,
               {"answer", "your answer", "final answer", "your final answer", "the answer", "ans",
                "your answer here", "answer here", "result", "...", "<answer>", "[answer]"});
}

// Digits, signs and fractions: what a unit may stand behind.
bool IsPlainNumber(std::string_view formula) {
  bool digit = false;
  for (size_t i = 0; i < formula.size(); ++i) {
    if (IsLetter(formula[i])) {
      if (i == 0 || formula[i - 1] != '\\') return false;
      size_t j = i;
      while (j < formula.size() && IsLetter(formula[j])) ++j;
      if (!OneOf(formula.substr(i, j - i), {"frac", "dfrac", "tfrac", "sqrt", "pi"})) return false;
      i = j - 1;
    } else if (formula[i] == '=' || formula[i] == '<' || formula[i] == '>') {
      return false;
    }
    digit = digit || IsDigit(formula[i]);
  }
  return digit;
}

struct Box {
  size_t begin = 0;
  size_t inner_begin = 0;
  size_t inner_end = 0;
  size_t end = 0;
  bool comment = false;
};

struct Candidate {
  Rule rule = Rule::kNone;
  size_t begin = 0;
  size_t end = 0;
  std::string text;
};

class Extractor {
 public:
  Extractor(std::string_view reply, const ExtractOptions& options)
      : text_(reply), options_(options), hi_(reply.size()) {}

  Extraction Run();

 private:
  void FindAnswerPart();
  bool ByBox(Extraction* out);
  bool ByAnchor(size_t from, Extraction* out, bool final_only);
  bool ByHash(Extraction* out);
  bool ByTail(Extraction* out);
  bool ByNumber(Extraction* out);
  bool ByWhole(Extraction* out);

  std::vector<Box> Boxes() const;
  bool InComment(size_t at) const;
  bool Listed(const Box& left, const Box& right, std::string* joint) const;
  std::string NameBefore(const Box& box) const;
  std::string BoxText(const Box& box) const;
  std::string_view Glued(const Box& box) const;
  bool Negative(const Box& box) const;
  void JoinBoxes(const std::vector<Box>& boxes, size_t last, Candidate* out) const;

  bool AnchorAt(const PhraseHit& hit, Candidate* out);
  bool AnchorBehind(const PhraseHit& hit, Candidate* out);
  bool AnchorWanted(const PhraseHit& hit) const;
  bool PrefixRefuses(size_t at);
  size_t ContentBegin(const PhraseHit& hit);
  bool StandsAlone(const PhraseHit& hit) const;
  bool ReadContent(size_t at, Candidate* out, int depth);
  bool ReadBullets(size_t at, Candidate* out) const;
  bool ReadTag(size_t at, Candidate* out);
  bool ReadLabel(const PhraseHit& hit, Candidate* out);
  size_t Instead(size_t at, size_t end) const;
  bool ReadProse(size_t at, size_t end, Candidate* out, int depth);
  bool TakeSpan(Rule rule, size_t begin, size_t end, Candidate* out, size_t unit = 0) const;

  bool LastFormula(size_t from, Candidate* out) const;
  bool LastBold(size_t from, Candidate* out) const;
  bool FinalEquals(size_t from, Candidate* out) const;
  size_t SkipFillers(size_t at, size_t end) const;
  bool Denied(const Box& box);

  int RetractionAt(size_t at, bool continued, size_t* next) const;
  bool Retracted(size_t after) const;
  bool Accept(const Candidate& candidate, Extraction* out) const;
  bool Lenient() const {
    return options_.mode == Mode::kLatex || options_.mode == Mode::kExpr ||
           options_.mode == Mode::kLatexExpr;
  }

  std::string_view text_;
  const ExtractOptions& options_;
  size_t lo_ = 0;
  size_t hi_;
  std::vector<PhraseHit> hits_;
  bool think_closed_ = false;
  bool think_open_ = false;
  std::vector<size_t> refused_anchors_;  // where an answer was announced and then refused
  const char* refusal_ = "not_found";
};

// What follows the last closed reasoning; a chat token ends the reply.
void Extractor::FindAnswerPart() {
  hits_ = FindPhrases(text_);
  for (const PhraseHit& hit : hits_) {
    if (hit.phrase == Phrase::kThinkClose) {
      think_closed_ = true;
      think_open_ = false;
      const size_t close = text_.substr(0, size_t{hit.end} + 32).find('>', hit.end - 1);
      lo_ = close != kNone ? close + 1 : hit.end;
      hi_ = text_.size();
    } else if (hit.phrase == Phrase::kThinkOpen) {
      think_open_ = true;
    } else if (hit.phrase == Phrase::kChatEnd && hi_ == text_.size() && hit.begin > lo_ &&
               !TrimView(text_.substr(lo_, hit.begin - lo_)).empty()) {
      hi_ = hit.begin;
    }
  }
}

bool Extractor::InComment(size_t at) const {
  size_t line = at;
  while (line > lo_ && text_[line - 1] != '\n' && at - line < kMaxClauseBytes) --line;
  return text_[SkipSpace(text_, line, at)] == '%';
}

// Outermost boxes of the answer part. One pass with a stack finds every closing brace, whatever the nesting.
std::vector<Box> Extractor::Boxes() const {
  std::vector<Box> boxes;
  std::vector<Box> open;   // boxes whose brace is not closed yet
  std::vector<int> owner;  // for each open brace: index into `open`, or -1
  size_t at = kNone;
  auto hit = hits_.begin();
  const auto next_hit = [&] {
    while (hit != hits_.end() && (hit->phrase != Phrase::kBox || hit->begin < lo_)) ++hit;
  };
  next_hit();
  if (hit == hits_.end() || hit->end > hi_) return boxes;
  bool comment = InComment(hit->begin);  // the line at hand begins with %
  bool line_begins = false;
  for (at = hit->begin; at < hi_; ++at) {
    if (text_[at] == '\n') {
      line_begins = true;
      comment = false;
    } else if (line_begins && !IsSpace(text_[at])) {
      line_begins = false;
      comment = text_[at] == '%';
    }
    if (hit != hits_.end() && at == hit->begin) {
      Box box{at, 0, 0, 0, comment};
      size_t brace = SkipSpace(text_, hit->end, hi_);
      ++hit;
      next_hit();
      if (brace < hi_ && text_[brace] == '{') {
        box.inner_begin = brace + 1;
        open.push_back(box);
        owner.push_back(static_cast<int>(open.size()) - 1);
        at = brace;
      } else if (brace < hi_ &&
                 (IsDigit(text_[brace]) || (IsLetter(text_[brace]) && brace > box.begin + 6))) {
        boxes.push_back({box.begin, brace, brace + 1, brace + 1, comment});
        at = brace;
      }
      continue;
    }
    const char c = text_[at];
    if (c == '\\') {
      // `\\boxed`: an over-escaped command, seen as a hit at its second backslash.
      if (hit == hits_.end() || hit->begin != at + 1) ++at;
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
  if (Lenient() && boxes.empty() && !open.empty()) {
    boxes.push_back({open.front().begin, open.front().inner_begin, hi_, hi_, false});
  }
  std::erase_if(boxes, [this](const Box& box) {
    return IsPlaceholder(text_.substr(box.inner_begin, box.inner_end - box.inner_begin)) ||
           box.comment;
  });
  return boxes;
}

// "not \boxed{5}", "x \ne \boxed{5}", "we rule out \boxed{5}", "maybe \boxed{5}", "is it \boxed{5}?"
bool Extractor::Denied(const Box& box) {
  const size_t begin = ClauseBegin(text_, box.begin, lo_);
  refusal_ = "negated";
  std::string first;
  std::string last;
  std::string before_last;
  bool disbelieved = false;  // "I don't think it is"
  bool unsure = false;       // "I'm not sure, but"
  bool untrue = false;       // "it is not true that"
  for (size_t i = begin; i < box.begin;) {
    size_t word_end = i;
    const std::string word = WordAt(text_, i, box.begin, &word_end);
    if (word.empty() && IsDigit(text_[i])) last = "0";  // what was denied is this number
    i = std::max(i + 1, word_end);
    if (word.empty()) continue;
    if (first.empty()) first = word;
    disbelieved = disbelieved || (IsNegation(last) && OneOf(word, {"think", "believe"}));
    unsure = unsure || word == "unsure" ||
             (IsNegation(last) && OneOf(word, {"sure", "certain", "confident"}));
    untrue =
        word == "that" ? untrue : IsNegation(last) && OneOf(word, {"true", "correct", "right"});
    before_last = last;
    last = word;
  }
  // Only markup between the denial and the box.
  if (disbelieved || untrue || (before_last == "rule" && last == "out") ||
      OneOf(last, {"excludes", "exclude", "eliminate", "reject"}))
    return true;
  size_t sign = box.begin;
  while (sign > begin && (IsSpace(text_[sign - 1]) || text_[sign - 1] == '{')) --sign;
  for (const std::string_view unequal : {"\\neq", "\\ne", "≠", "!="}) {
    if (EndsWith(text_.substr(begin, sign - begin), unequal)) return true;
  }
  if (IsNegation(last) ||
      (OneOf(last, {"be", "equal", "longer"}) && (IsNegation(before_last) || before_last == "no")))
    return true;
  refusal_ = "hedged";
  if (unsure || OneOf(last, {"maybe", "perhaps", "possibly", "guess"}) ||
      (last == "be" && OneOf(before_last, {"might", "may", "could"})))
    return true;
  refusal_ = "question";
  if (!OneOf(first, {"is", "could", "can", "does", "would", "should", "are"})) return false;
  const size_t end = ClauseEnd(text_, box.end, hi_);
  return end < hi_ && text_[end] == '?';
}

// True if nothing but a connective (and a few words before it) stands between two boxes: "\boxed{1} papers and \boxed{2} bins".
bool Extractor::Listed(const Box& left, const Box& right, std::string* joint) const {
  if (right.begin < left.end || right.begin - left.end > 80) return false;
  const size_t name_size = NameBefore(right).size();
  std::string_view gap = text_.substr(left.end, right.begin - left.end);
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
      const bool joins =
          OneOf(word, {"and", "or", "y", "o", "et", "ou", "und", "oder", "и", "или", "和", "或"});
      if (joins) {
        connective = true;
        if (OneOf(word, {"or", "o", "ou", "oder", "или", "或"})) *joint = " or ";
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

// "y_2 =" right before a box.
std::string Extractor::NameBefore(const Box& box) const {
  size_t i = box.begin;
  const size_t stop = i > lo_ + 40 ? i - 40 : lo_;
  const auto skip = [&] {
    while (i > stop && (IsSpace(text_[i - 1]) || text_[i - 1] == '$' || text_[i - 1] == '&')) --i;
  };
  skip();
  if (i == stop || text_[i - 1] != '=') return "";
  --i;
  while (i > stop && (IsSpace(text_[i - 1]) || text_[i - 1] == '&')) --i;
  const size_t name_end = i;
  while (i > stop && (IsLetter(text_[i - 1]) || IsDigit(text_[i - 1]) || text_[i - 1] == '_' ||
                      text_[i - 1] == '{' || text_[i - 1] == '}'))
    --i;
  if (i > stop && text_[i - 1] == '\\') --i;
  const std::string_view name = text_.substr(i, name_end - i);
  if (name.empty() || !(IsLetter(name[0]) || name[0] == '\\')) return "";
  return std::string(name);
}

// "^2", "\pi", "\sqrt{3}", "\cdot 2" glued to the end of a box, up to the formula's end; empty where an equation goes on.
std::string_view Extractor::Glued(const Box& box) const {
  const size_t stop = std::min(hi_, box.end + 48);
  const std::string_view rest = text_.substr(box.end, stop - box.end);
  const bool power = rest.size() > 1 && rest[0] == '^' && rest.find("circ") > 3 &&
                     (IsDigit(rest[1]) || IsLetter(rest[1]) || rest[1] == '{');
  if (!power && !StartsWith(rest, "\\pi") && !StartsWith(rest, "\\sqrt") &&
      !StartsWith(rest, "\\cdot") && !StartsWith(rest, "\\times"))
    return "";
  size_t end = std::min(rest.find_first_of("$\n,.;"), rest.size());
  for (const char* close : {"\\]", "\\)", "\\text"}) end = std::min(end, rest.find(close));
  const std::string_view glued = rest.substr(0, end);
  return glued.find_first_of("=<>~&") == kNone && CountWords(glued) == 0 ? glued : "";
}

// True if a minus sign stands right before the box, at the start of a formula or behind a sign of equality.
bool Extractor::Negative(const Box& box) const {
  size_t i = box.begin;
  if (i <= lo_ || text_[i - 1] != '-') return false;
  --i;
  while (i > lo_ && text_[i - 1] == ' ') --i;
  return i == lo_ || text_[i - 1] == '$' || text_[i - 1] == '=' || text_[i - 1] == '\n' ||
         EndsWith(text_.substr(lo_, i - lo_), "\\[") || EndsWith(text_.substr(lo_, i - lo_), "\\(");
}

// A box's content with what belongs to it: a sign before it; a power, a percent or degree sign, a unit in \text behind it.
std::string Extractor::BoxText(const Box& box) const {
  std::string inner(text_.substr(box.inner_begin, box.inner_end - box.inner_begin));
  const std::string_view glued = Glued(box);
  if (!glued.empty()) inner = StrCat("(", inner, ")", glued);
  if (Negative(box)) inner = StrCat("-(", inner, ")");
  const size_t stop = std::min(hi_, box.end + 48);
  size_t i = box.end;
  while (i < stop && (text_[i] == ' ' || text_[i] == '$' || text_[i] == '~' ||
                      HasAt(text_, i, "\\,") || HasAt(text_, i, "\\ ") || HasAt(text_, i, "\\)"))) {
    i += text_[i] == '\\' ? 2 : 1;
  }
  const std::string_view rest = text_.substr(i, stop - i);
  size_t word_end = i;
  const std::string word = WordAt(text_, i, stop, &word_end);
  if (StartsWith(rest, "%") || StartsWith(rest, "\\%") || word == "percent" || word == "pct")
    return inner + "\\%";
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

void Extractor::JoinBoxes(const std::vector<Box>& boxes, size_t last, Candidate* out) const {
  size_t first = last;
  std::string joint;
  while (first > 0 && last - first < 64 && Listed(boxes[first - 1], boxes[first], &joint)) --first;
  bool named = first < last;
  for (size_t i = first; i <= last; ++i) named = named && !NameBefore(boxes[i]).empty();
  std::vector<std::string> seen;
  out->rule = Rule::kBox;
  out->begin = boxes[first].begin;
  out->end = boxes[last].end;
  out->text.clear();
  for (size_t i = first; i <= last; ++i) {
    std::string piece = BoxText(boxes[i]);
    if (named) piece = NameBefore(boxes[i]) + "=" + piece;
    if (std::find(seen.begin(), seen.end(), piece) != seen.end()) continue;
    seen.push_back(piece);
    if (i > first) Listed(boxes[i - 1], boxes[i], &joint);
    if (!out->text.empty()) out->text += joint;
    out->text += piece;
  }
}

bool Extractor::ByBox(Extraction* out) {
  std::vector<Box> boxes = Boxes();
  for (int looked_at = 0; !boxes.empty() && looked_at < kMaxAnchors && Denied(boxes.back());
       ++looked_at) {
    boxes.pop_back();
  }
  if (boxes.empty()) return false;
  refusal_ = "not_found";
  Candidate candidate;
  JoinBoxes(boxes, boxes.size() - 1, &candidate);
  Extraction later;
  // An explicit final answer behind the last box is the reply's last word.
  if (ByAnchor(candidate.end, &later, /*final_only=*/true)) {
    *out = later;
    return true;
  }
  if (!Retracted(candidate.end)) return Accept(candidate, out);
  refusal_ = "retracted";
  lo_ = candidate.end;  // whatever is taken now must stand behind it
  return false;
}

// 1 if the sentence at `at` retracts what stands before it, -1 if it confirms it, 0 otherwise. *next: the following sentence.
int Extractor::RetractionAt(size_t at, bool continued, size_t* next) const {
  const size_t end = ClauseEnd(text_, at, hi_);
  size_t i = end;
  if (i < hi_ && static_cast<unsigned char>(text_[i]) >= 0xE3) {
    i += 3;  // no blank follows a full stop of this kind
  } else {
    while (i < hi_ && !IsSpace(text_[i])) ++i;
  }
  *next = std::max(SkipSpace(text_, i, hi_), at + 1);
  bool turn = false;
  bool subject = continued;
  bool negated = false;
  bool answer = false;  // "is not the answer"
  int since_negation = 99;
  std::string before;
  bool wrong = false;
  bool right = false;
  bool copula = false;
  bool speaker = false;     // "I made a mistake"
  bool refusal = false;     // "No."
  bool taken_back = false;  // "I take that back"
  bool slip = false;        // "Oops"
  bool forgot = false;
  bool contrary = false;
  i = at;
  for (int words = 0; i < end && words < 14;) {
    size_t word_end = i;
    const std::string word = WordAt(text_, i, end, &word_end);
    if (word.empty()) {
      // "15... actually 16"
      taken_back = taken_back || (words == 1 && before == "actually" && IsDigit(text_[i]));
      i = std::max(i + 1, word_end);
      continue;
    }
    i = word_end;
    ++words;
    turn = turn || OneOf(word, {"wait", "oops", "sorry", "scratch", "disregard", "correction",
                                "kidding", "ignore"});
    speaker = speaker || (words <= 6 && OneOf(word, {"i", "i've", "my"}));
    if (words == 1) refusal = OneOf(word, {"no", "nope", "wrong", "incorrect", "false"});
    // "No, it's 7", "Actually no", but not "No other values work".
    if (words == 2 && refusal)
      refusal =
          before == "no" && OneOf(word, {"it", "it's", "that", "that's", "wait", "i", "sorry"});
    if (words == 2 && before == "actually" && (word == "no" || word == "not")) refusal = true;
    taken_back = taken_back || (speaker && word == "back" && OneOf(before, {"that", "it", "this"}));
    // "Scratch that", "forget it", "never mind".
    taken_back =
        taken_back || (words <= 6 && OneOf(word, {"that", "it", "this"}) &&
                       OneOf(before, {"scratch", "strike", "ignore", "disregard", "forget"}));
    taken_back = taken_back || (words <= 4 && before == "never" && word == "mind");
    slip = slip || (words == 1 && OneOf(word, {"oops", "whoops"})) ||
           (words == 2 && before == "oh" && word == "no");
    if (speaker && StartsWith(word, "mis") && word.size() > 6) wrong = true;  // misread, misjudged
    // "I forgot to divide", but not "I forgot to mention".
    forgot = forgot || (speaker && OneOf(word, {"forgot", "overlooked", "neglected"}));
    if (OneOf(word, {"mention", "say", "add", "note", "state", "write"})) forgot = false;
    if (words <= 6) {
      subject =
          subject || OneOf(word, {"that",  "that's", "this",   "it",       "it's",  "my",   "i",
                                  "above", "answer", "result", "previous", "which", "das",  "dies",
                                  "es",    "c'est",  "cela",   "ça",       "eso",   "esto", "это",
                                  "я",     "isso",   "questo", "我",       "这",    "這"});
      if (word == "a" || word == "common" || word == "many" || word == "some") subject = false;
    }
    if (OneOf(word, {"hope", "if", "check", "checking", "verify", "believe", "otherwise", "would",
                     "unless"}))
      return 0;
    negated = negated || IsNegation(word) || word == "没" || word == "沒";
    // "But I get 16".
    contrary = contrary || (words == 1 && word == "but");
    taken_back = taken_back || (contrary && words == 3 && before == "i" &&
                                OneOf(word, {"get", "got", "find", "found", "obtain"}));
    // "On second thought", and the Japanese "mistaken" if nothing behind it denies it.
    taken_back =
        taken_back || (before == "second" && StartsWith(word, "thought")) ||
        (before == "間" && word == "違" && text_.substr(i, end - i).find("ありません") == kNone);
    since_negation = IsNegation(word) ? 0 : since_negation + 1;
    answer = answer || (word == "answer" && since_negation <= 3 &&
                        OneOf(before, {"the", "my", "our", "an", "correct", "final", "right"}));
    const bool none = OneOf(before, {"no", "any", "without", "common"});
    before = word;
    wrong = wrong ||
            (!none && OneOf(word, {"wrong",      "incorrect", "mistaken",  "mistake", "error",
                                   "invalid",    "falsch",    "faux",      "fausse",  "incorrecto",
                                   "incorrecta", "errado",    "sbagliato", "неверно", "неправильно",
                                   "ошибка",     "ошибся",    "错",        "錯",      "retract",
                                   "kidding"}));
    right = right || (copula && OneOf(word, {"correct", "right", "confirmed"}));
    copula = OneOf(word, {"is", "was", "it's", "that's", "be", "are", "indeed", "isn't", "not"});
  }
  const size_t size = end - at;
  if (turn && (wrong || negated || size < 16)) return 1;
  if (turn && OneOf(WordAt(text_, at, end, &i), {"scratch", "disregard", "correction", "ignore"}))
    return 1;
  if (refusal || taken_back || slip) return 1;
  if ((subject || speaker) && (wrong || forgot) && !negated) return 1;
  if (subject && (right || answer) && negated) return 1;
  if (subject && right && !negated) return -1;
  return 0;
}

bool Extractor::Retracted(size_t after) const {
  if (options_.trusted) return false;
  size_t at = after;
  // The rest of the candidate's own sentence counts as one.
  while (at < hi_ && !IsLetter(text_[at]) && text_[at] != '.' && text_[at] != '\n' &&
         static_cast<unsigned char>(text_[at]) < 0x80)
    ++at;
  bool continued = at < hi_ && text_[at] != '.' && text_[at] != '\n';
  if (at < hi_ && !continued) at = SkipSpace(text_, at + 1, hi_);
  bool retracted = false;
  while (at < hi_) {
    size_t next = at;
    const int said = RetractionAt(at, continued, &next);
    continued = false;
    if (said != 0) retracted = said > 0;
    at = next;
  }
  return retracted;
}

bool Extractor::Accept(const Candidate& candidate, Extraction* out) const {
  out->rule = candidate.rule;
  out->begin = candidate.begin;
  out->end = candidate.end;
  out->text = CleanAnswer(candidate.text);
  out->refusal = "";
  return !out->text.empty();
}

bool Extractor::TakeSpan(Rule rule, size_t begin, size_t end, Candidate* out, size_t unit) const {
  out->rule = rule;
  out->begin = begin;
  out->end = end;
  if (unit > begin && unit < end) {
    out->text =
        StrCat(text_.substr(begin, unit - begin), "\\text{ ", text_.substr(unit, end - unit), "}");
  } else {
    out->text.assign(text_.substr(begin, end - begin));
  }
  return end > begin && !CleanAnswer(out->text).empty();
}

bool Extractor::AnchorWanted(const PhraseHit& hit) const {
  if (hit.language[0] == '\0' || options_.language.empty() ||
      std::string_view(hit.language) == "en")
    return true;
  for (const auto& row : kLanguages) {
    if (options_.language == row[0] || options_.language == row[1])
      return std::string_view(hit.language) == row[1];
  }
  return true;
}

// Looks at the sentence before an anchor: a condition, a doubt or somebody else's answer.
bool Extractor::PrefixRefuses(size_t at) {
  const size_t begin = ClauseBegin(text_, at, lo_);
  bool denied = false;
  bool first_person = false;
  bool said = false;    // by somebody else
  bool hedged = false;  // "maybe the answer is 4"
  for (size_t i = begin; i < at;) {
    size_t word_end = i;
    const std::string word = WordAt(text_, i, at, &word_end);
    if (word.empty()) {
      // A comma after a condition ends it: "if x is even, the answer is 4" still depends on it.
      i = std::max(i + 1, word_end);
      continue;
    }
    if (OneOf(word, {"if", "whether", "suppose", "supposing", "unless", "pretend", "imagine"})) {
      refusal_ = "hedged";
      return true;
    }
    const size_t distance = at - word_end;
    // "Assume that the answer is 4", "it is possible that the answer is 4".
    if (OneOf(word, {"assume", "possible"}) && distance <= 10) {
      const size_t end = ClauseEnd(text_, at, hi_);
      refusal_ = end < hi_ && text_[end] == '?' ? "question" : "hedged";
      return true;
    }
    if (IsQuoting(word) && distance <= 8) {
      refusal_ = "quoted";
      return true;
    }
    // "not the answer", "I don't think the answer ..".
    const bool verb = denied && OneOf(word, {"think", "believe", "agree", "claim", "say", "mean",
                                             "conclude", "see"});
    if ((IsNegation(word) && distance <= 6) || verb ||
        OneOf(word, {"doubt", "deny", "false", "untrue"})) {
      refusal_ = "negated";
      return true;
    }
    denied = IsNegation(word) || EndsWith(word, "n't");
    first_person = first_person || OneOf(word, {"i", "we", "i'd", "i'll", "let's", "us", "me"});
    // What somebody says or fears ends at "but".
    if (OneOf(word, {"but", "however", "yet", "aber", "mais", "pero", "но"})) said = hedged = false;
    hedged = hedged || IsSentenceHedge(word);
    if (!first_person && OneOf(word, {"says", "said", "say", "claims", "claimed", "claim", "thinks",
                                      "thought", "believes", "argues"}))
      said = true;
    i = word_end;
  }
  hedged = hedged || HasUnspacedHedge(text_.substr(begin, at - begin));
  if (said || hedged) refusal_ = said ? "quoted" : "hedged";
  return said || hedged;
}

// "Answer 9", "the answer $9$"; but not "they answer 9 questions".
bool Extractor::StandsAlone(const PhraseHit& hit) const {
  if (SkipMarkup(text_, ClauseBegin(text_, hit.begin, lo_), hit.begin) == hit.begin) return true;
  std::string last;
  for (size_t i = hit.begin > lo_ + 24 ? hit.begin - 24 : lo_; i < hit.begin;) {
    size_t word_end = i;
    const std::string word = WordAt(text_, i, hit.begin, &word_end);
    i = std::max(i + 1, word_end);
    if (!word.empty()) last = word;
  }
  return OneOf(last, {"the", "final", "our", "my", "therefore", "correct", "die", "la"});
}

// Where the answer of an anchor begins; npos if it announces none (refusal_ then says why, if there is more to say).
size_t Extractor::ContentBegin(const PhraseHit& hit) {
  size_t i = size_t{hit.end};
  if (hit.phrase == Phrase::kLetterA || text_[hit.end - 1] == ':' ||
      HasAt(text_, hit.end - 3, "："))
    return i;
  const size_t end = std::min(hi_, size_t{hit.end} + 160);
  bool hedged = false;
  bool after_article = false;
  bool leading = false;
  for (int words = 0; words < 16 && i < end;) {
    i = SkipMarkup(text_, i, end);
    if (i >= end) break;
    const char c = text_[i];
    if (c == ':' || c == '=') return i + 1;
    if (HasAt(text_, i, "：") || HasAt(text_, i, "≈") || HasAt(text_, i, "—")) return i + 3;
    if (c == '\n') {
      // A heading: "**Final Answer**" alone on its line.
      const bool heading = words == 0 || hit.phrase == Phrase::kFinal;
      return heading ? i + 1 : kNone;
    }
    if (c == '.' || c == '?' || c == '!' || c == ';') return kNone;
    if (c == '$' || c == '\\' || IsDigit(c)) return words == 0 && StandsAlone(hit) ? i : kNone;
    size_t word_end = i;
    const std::string word = WordAt(text_, i, end, &word_end);
    if (word.empty()) {
      ++i;
      continue;
    }
    ++words;
    if (IsNegation(word) || OneOf(word, {"no", "non", "não"})) {
      refusal_ = "negated";
      return kNone;
    }
    const bool leads = word == "to" && leading;  // "comes out to", "amounts to"
    leading = OneOf(word, {"out", "down", "up", "amounts", "evaluates", "simplifies"});
    hedged = hedged || IsHedge(word);
    i = word_end;
    const bool noun = after_article;  // "after the equals sign"
    after_article = OneOf(word, {"the", "an"});
    if ((!IsCopula(word) && !leads) || noun) continue;
    if (hedged) {
      refusal_ = "hedged";
      return kNone;
    }
    return i;
  }
  return kNone;
}

// Prose before the answer: behind the last copula, else the last `=`, else the only (or, in the lenient modes, the first) value.
bool Extractor::ReadProse(size_t at, size_t end, Candidate* out, int depth) {
  size_t copula = kNone;
  size_t first_value = kNone;
  int values = 0;
  int words = 0;
  bool qualified = false;
  bool modified = false;
  bool denied = false;
  bool spoken = false;
  bool up = false;  // "up to"
  FormulaReader formulas(text_, end);
  Formula formula;
  for (size_t i = at; i < end;) {
    if (formulas.ReadAt(i, &formula)) {
      if (values++ == 0) first_value = i;
      i = formula.end;
      continue;
    }
    if (IsDigit(text_[i])) {
      const size_t begin = i;
      while (i < end &&
             (IsDigit(text_[i]) || text_[i] == '.' || text_[i] == ',' || text_[i] == '/'))
        ++i;
      if (values++ == 0) first_value = begin;
      continue;
    }
    if (text_[i] == '=') copula = i + 1;
    size_t word_end = i;
    const std::string word = WordAt(text_, i, end, &word_end);
    if (word.empty()) {
      i = std::max(i + 1, word_end);
      continue;
    }
    ++words;
    i = word_end;
    if (IsCopula(word)) copula = i;
    qualified = qualified || (values == 0 && (IsQualifier(word) || (word == "to" && up)));
    up = words == 1 && word == "up";
    if (values == 0) modified = IsModifier(word) || (modified && word == "of");
    denied = denied || IsNegation(word);
    spoken = spoken || (words == 1 && (word == "i" || word == "we" || word == "i'm"));
  }
  if (denied && copula == kNone && values > 0) {
    refusal_ = "negated";
    return false;
  }
  if (copula != kNone && depth < 3 && ReadContent(copula, out, depth + 1)) return true;
  if (qualified || (modified && values > 0)) {
    refusal_ = "hedged";
    return false;
  }
  if (values == 1 || (values > 1 && Lenient())) {
    if (first_value > at && (text_[first_value - 1] == '-' || text_[first_value - 1] == '$'))
      --first_value;
    const DirectSpan span = ReadDirect(text_, first_value, end);
    return span.end > first_value && TakeSpan(Rule::kAnchor, first_value, span.end, out, span.unit);
  }
  if (values == 0 && words > 0 && words <= 6 && !(spoken && denied))
    return TakeSpan(Rule::kAnchor, at, end, out);
  return false;
}

// "The answer is:" and then lines that begin with "- ".
bool Extractor::ReadBullets(size_t at, Candidate* out) const {
  if (at == 0 || text_[at - 1] != '\n') return false;
  out->text.clear();
  size_t i = at;
  for (int items = 0; items < 16 && i + 1 < hi_ && text_[i] == '-' && text_[i + 1] == ' ';
       ++items) {
    const size_t begin = SkipMarkup(text_, i + 2, hi_);
    const size_t end = ClauseEnd(text_, begin, hi_);
    const DirectSpan span = ReadDirect(text_, begin, end);
    if (span.end <= begin) return false;
    StrAppend(&out->text, items == 0 ? "" : ", ", text_.substr(begin, span.end - begin));
    out->end = span.end;
    i = end;
    while (i < hi_ && text_[i] != '\n' && i < end + 8) ++i;
    if (i < hi_ && text_[i] == '\n') ++i;
  }
  out->rule = Rule::kAnchor;
  out->begin = at;
  return !out->text.empty();
}

// Behind "not 42, it is", "not 42 but": where the right answer begins.
size_t Extractor::Instead(size_t at, size_t end) const {
  bool it = false;
  for (size_t i = at; i < end;) {
    size_t word_end = i;
    const std::string word = WordAt(text_, i, end, &word_end);
    i = std::max(i + 1, word_end);
    if (word == "but" || word == "it's" || (it && word == "is")) return word_end;
    it = word == "it" || (it && word.empty());
  }
  return kNone;
}

// Reads the answer that is announced to stand at `at`.
bool Extractor::ReadContent(size_t at, Candidate* out, int depth) {
  size_t i = SkipMarkup(text_, at, hi_);
  for (int lines = 0;
       lines < 3 && i < hi_ && (text_[i] == '\n' || text_[i] == ':' || text_[i] == '\r'); ++lines) {
    i = SkipMarkup(text_, SkipSpace(text_, i + 1, hi_), hi_);
  }
  if (i >= hi_) return false;
  if (ReadBullets(i, out)) return true;
  const size_t end = ClauseEnd(text_, i, hi_);
  if (end < hi_ && text_[end] == '?') {
    refusal_ = "question";
    return false;
  }
  for (int fillers = 0; fillers < 6; ++fillers) {
    size_t word_end = i;
    const std::string word = WordAt(text_, i, end, &word_end);
    if (word.empty()) break;
    if (SaysNothing(word)) return false;
    if (IsNegation(word)) {
      refusal_ = "negated";
      const size_t instead = Instead(word_end, end);
      return instead != kNone && depth < 3 && ReadContent(instead, out, depth + 1);
    }
    if (IsHedge(word)) {
      refusal_ = "hedged";
      return false;
    }
    if (!IsFiller(word)) break;
    // "A" and "a" may be the answer itself.
    if (word == "a") {
      const DirectSpan letter = ReadDirect(text_, i, end);
      if (letter.end != 0) break;
    }
    i = SkipMarkup(text_, word_end, end);
    while (i < end && (text_[i] == ':' || text_[i] == ',')) i = SkipMarkup(text_, i + 1, end);
  }
  if (i >= end) return false;
  const DirectSpan span = ReadDirect(text_, i, end);
  if (span.end <= i) return ReadProse(i, end, out, depth);
  if (span.corrected && depth < 3) return ReadContent(span.resume, out, depth + 1);
  if (span.doubted) {
    refusal_ = "hedged";
    return false;
  }
  const char* const refusal_before = refusal_;
  if (span.turned && depth < 3 && ReadContent(span.resume, out, depth + 3)) return true;
  refusal_ = refusal_before;
  const std::string_view clause = text_.substr(at, end - at);
  if (HasUnspacedHedge(clause) || HasUnspacedBound(clause)) {
    refusal_ = "hedged";
    return false;
  }
  // In Japanese the denial stands at the end.
  const std::string_view rest = text_.substr(span.end, end - span.end);
  if (rest.find("ありません") != kNone || rest.find("ない") != kNone) {
    refusal_ = "negated";
    return false;
  }
  return TakeSpan(Rule::kAnchor, i, span.end, out, span.unit);
}

// "[..] is the answer", "[..] is our answer".
bool Extractor::AnchorBehind(const PhraseHit& hit, Candidate* out) {
  const size_t begin = ClauseBegin(text_, hit.begin, lo_);
  const std::string before = AsciiLower(text_.substr(begin, hit.begin - begin));
  const std::string_view view = before;
  size_t copula = kNone;
  for (const char* verb : {" is ", " are "}) {
    const size_t found = view.rfind(verb);
    if (found != kNone && (copula == kNone || found > copula)) copula = found;
  }
  if (copula == kNone || view.size() - copula > 24) return false;
  if (view.substr(copula).find("not") != kNone) {
    refusal_ = "negated";
    return false;
  }
  const size_t stop = begin + copula;
  // The shortest tail of the sentence that is an answer as a whole: try formulas, then the last number.
  Candidate formula;
  FormulaReader formulas(text_, stop);
  Formula last{};
  for (size_t i = begin; i < stop;) {
    Formula found;
    if (formulas.ReadAt(i, &found)) {
      last = found;
      i = found.end;
    } else {
      ++i;
    }
  }
  if (last.end != 0 && stop - last.end <= 2)
    return TakeSpan(Rule::kAnchor, last.begin, last.end, out);
  const size_t number = LastNumberBegin(text_, begin, stop);
  if (number == kNone) return false;
  const DirectSpan span = ReadDirect(text_, number, stop);
  return span.end == stop && TakeSpan(Rule::kAnchor, number, span.end, out, span.unit);
}

// "<answer>42</answer>": what the tags enclose, read as an announced answer.
bool Extractor::ReadTag(size_t at, Candidate* out) {
  const size_t close = text_.substr(0, hi_).find("</answer", at);
  if (close == kNone && options_.truncated) return false;
  const size_t whole_end = hi_;
  if (close != kNone) hi_ = close;
  const size_t begin = SkipSpace(text_, at, hi_);
  const bool found = begin < hi_ && ReadContent(begin, out, 0);
  hi_ = whole_end;
  return found;
}

// "Result: 42" as the last line.
bool Extractor::ReadLabel(const PhraseHit& hit, Candidate* out) {
  const size_t begin = ClauseBegin(text_, hit.begin, lo_);
  if (SkipMarkup(text_, begin, hit.begin) != hit.begin) return false;
  const size_t content = SkipMarkup(text_, hit.end, hi_);
  const size_t end = ClauseEnd(text_, content, hi_);
  const DirectSpan span = ReadDirect(text_, content, end);
  if (span.end <= content || !CleanAnswer(text_.substr(span.end, hi_ - span.end)).empty())
    return false;
  return TakeSpan(Rule::kAnchor, content, span.end, out, span.unit);
}

bool Extractor::AnchorAt(const PhraseHit& hit, Candidate* out) {
  if (hit.phrase == Phrase::kLetterA) {
    const size_t begin = ClauseBegin(text_, hit.begin, lo_);
    if (SkipMarkup(text_, begin, hit.begin) != hit.begin || text_[hit.begin] != 'A') return false;
  } else if (hit.begin > lo_ && IsLetter(text_[hit.begin]) && IsLetter(text_[hit.begin - 1])) {
    return false;  // inside of a word
  }
  if (hit.end < hi_ && IsLetter(text_[hit.end]) && !WordIs(text_, hit.end, hi_, "s"))
    return false;  // "answered"
  size_t word_end = 0;
  const std::string next = WordAt(text_, SkipSpace(text_, hit.end, hi_), hi_, &word_end);
  if (OneOf(next, {"question", "questions", "choices", "sheet", "key", "all"})) return false;
  if (PrefixRefuses(hit.begin)) return false;
  if (hit.begin > lo_ && text_[hit.begin - 1] == '<' && HasAt(text_, hit.end, ">"))
    return ReadTag(size_t{hit.end} + 1, out);
  if (hit.phrase == Phrase::kLabel) return ReadLabel(hit, out);
  const size_t content = ContentBegin(hit);
  const std::string_view joint = text_.substr(hit.end, content == kNone ? 0 : content - hit.end);
  if (HasUnspacedHedge(joint) || HasUnspacedBound(joint)) {
    refusal_ = "hedged";
    return false;
  }
  if (content == kNone) return hit.phrase == Phrase::kAnswer && AnchorBehind(hit, out);
  if (!ReadContent(content, out, 0)) return false;
  // What the cut end of a reply leaves of an answer is none.
  if (options_.truncated && out->end + 1 >= hi_) return false;
  return true;
}

bool Extractor::ByAnchor(size_t from, Extraction* out, bool final_only) {
  int looked_at = 0;
  int retracted = 0;
  size_t behind = text_.size();
  for (auto hit = hits_.rbegin(); hit != hits_.rend() && looked_at < kMaxAnchors; ++hit) {
    if (hit->begin < from || hit->end > hi_) continue;
    const bool anchor =
        hit->phrase == Phrase::kFinal ||
        (!final_only && (hit->phrase == Phrase::kAnswer || hit->phrase == Phrase::kLetterA ||
                         hit->phrase == Phrase::kLabel));
    if (!anchor || hit->end > behind || !AnchorWanted(*hit)) continue;
    ++looked_at;
    Candidate candidate;
    const char* const refusal_before = refusal_;
    refusal_ = "not_found";
    const bool found = AnchorAt(*hit, &candidate);
    if (!found && std::string_view(refusal_) != "not_found") refused_anchors_.push_back(hit->begin);
    if (std::string_view(refusal_) == "not_found") refusal_ = refusal_before;
    if (!found) continue;
    if (IsPlaceholder(candidate.text)) continue;
    behind = hit->begin;
    out->language = hit->language;
    if (!Retracted(candidate.end)) return Accept(candidate, out);
    refusal_ = "retracted";
    if (!final_only) lo_ = std::max(lo_, candidate.end);
    if (++retracted >= kMaxRetracted) return false;
    if (!final_only) return false;
  }
  return false;
}

bool Extractor::ByHash(Extraction* out) {
  int looked_at = 0;
  for (auto hit = hits_.rbegin(); hit != hits_.rend(); ++hit) {
    if (hit->phrase != Phrase::kHash || hit->begin < lo_ || hit->end > hi_) continue;
    // Of a run of signs only the last hit; of many lines only the last ones.
    if (hit != hits_.rbegin() && std::prev(hit)->phrase == Phrase::kHash &&
        std::prev(hit)->begin == hit->begin + 1) {
      continue;
    }
    if (++looked_at > kMaxAnchors) break;
    const size_t stop = std::min(hi_, size_t{hit->end} + kMaxClauseBytes);
    const size_t line_end = std::min(text_.substr(0, stop).find('\n', hit->end), stop);
    size_t begin = size_t{hit->end};
    begin = SkipMarkup(text_, begin, line_end);
    const DirectSpan span = ReadDirect(text_, begin, line_end);
    Candidate candidate;
    // A heading ("#### Step 2") is none.
    if (span.end > begin ? !TakeSpan(Rule::kHash, begin, span.end, &candidate, span.unit)
                         : (CountWords(text_.substr(begin, line_end - begin)) > 2 ||
                            !TakeSpan(Rule::kHash, begin, line_end, &candidate))) {
      continue;
    }
    if (options_.truncated && line_end == text_.size() && hi_ == text_.size() &&
        line_end == candidate.end && text_.back() != '\n')
      continue;
    if (Retracted(line_end)) {
      refusal_ = "retracted";
      return false;
    }
    return Accept(candidate, out);
  }
  return false;
}

bool Extractor::LastFormula(size_t from, Candidate* out) const {
  FormulaReader formulas(text_, hi_);
  Formula formula;
  Formula first{};  // of the list that the last formula ends
  Formula last{};
  for (size_t i = from; i < hi_;) {
    if ((text_[i] != '$' && text_[i] != '\\') ||
        (i > 0 && text_[i] == '$' && text_[i - 1] == '\\') || !formulas.ReadAt(i, &formula)) {
      i += text_[i] == '\\' ? 2 : 1;
      continue;
    }
    const std::string gap =
        last.end == 0 ? "." : AsciiLower(Trim(text_.substr(last.end, formula.begin - last.end)));
    const bool listed = OneOf(gap, {",", "and", "or", ", and", ", or", ";"});
    // "$f(x) = 2x$ for all $x$": a condition, not the answer.
    size_t word_end = 0;
    const size_t word_begin = gap.find_first_not_of(" ,");
    const std::string after =
        word_begin == kNone ? "" : WordAt(gap, word_begin, gap.size(), &word_end);
    const bool condition = last.end != 0 && gap.find(". ") == kNone && gap.find('\n') == kNone &&
                           OneOf(after, {"for", "where", "when", "with", "if", "since", "because"});
    if (condition) {
      i = formula.end;
      continue;
    }
    if (!TrimView(text_.substr(formula.inner_begin, formula.inner_end - formula.inner_begin))
             .empty()) {
      if (!listed) first = formula;
      last = formula;
    }
    i = formula.end;
  }
  if (last.end == 0) return false;
  // A unit or a percent sign behind a plain number: what a direct reading takes along. Behind other formulas stands prose.
  size_t end = last.end;
  if (IsPlainNumber(text_.substr(last.inner_begin, last.inner_end - last.inner_begin))) {
    const size_t with_unit = ReadDirect(text_, last.begin, ClauseEnd(text_, last.begin, hi_)).end;
    const std::string_view unit = text_.substr(end, std::max(end, with_unit) - end);
    const bool words =
        std::any_of(unit.begin(), unit.end(), IsLetter) && !ParseUnit(Trim(unit)).known;
    if (options_.mode != Mode::kLatex || !words) end = std::max(end, with_unit);
  }
  if (first.begin == last.begin && end == last.end) {
    out->rule = Rule::kFormula;
    out->begin = last.begin;
    out->end = last.end;
    out->text.assign(text_.substr(last.inner_begin, last.inner_end - last.inner_begin));
    return true;
  }
  return TakeSpan(Rule::kFormula, first.begin, end, out);
}

bool Extractor::LastBold(size_t from, Candidate* out) const {
  const std::string_view tail = text_.substr(0, hi_);
  for (const std::string_view mark : {std::string_view("**"), std::string_view("`")}) {
    const size_t close = tail.rfind(mark);
    if (close == kNone || close <= from) continue;
    const size_t open = tail.rfind(mark, close - 1);
    if (open == kNone || open < from || close - open > 200 || open + mark.size() >= close) continue;
    const size_t begin = open + mark.size();
    const DirectSpan span = ReadDirect(text_, SkipSpace(text_, begin, close), close);
    if (span.end == 0 || !TrimView(text_.substr(span.end, close - span.end)).empty()) continue;
    return TakeSpan(Rule::kBold, begin, span.end, out, span.unit);
  }
  return false;
}

// The last sentence that has one: `.. = X.` or ".. is X." with nothing behind X.
bool Extractor::FinalEquals(size_t from, Candidate* out) const {
  size_t end = hi_;
  while (end > from && (IsSpace(text_[end - 1]) || text_[end - 1] == '.' || text_[end - 1] == '*' ||
                        (text_[end - 1] == ']' && end >= from + 2 && text_[end - 2] == ' '))) {
    --end;
  }
  if (end > from + 1 && text_[end - 1] == '!' && IsDigit(text_[end - 2])) --end;  // an exclamation
  const size_t begin = std::max(from, ClauseBegin(text_, end, from));
  std::vector<size_t> values;  // where one may begin
  bool there = false;          // "there are 12 of them" announces nothing
  size_t conclusion = kNone;   // behind "therefore", for want of a verb
  for (size_t i = begin; i < end && values.size() < 16;) {
    size_t word_end = i;
    const std::string word = WordAt(text_, i, end, &word_end);
    if (word.empty()) {
      if (text_[i] == '=') values.push_back(i + 1);
      i = std::max(i + 1, word_end);
      continue;
    }
    i = word_end;
    if (IsNegation(word) || IsHedge(word)) values.clear();
    if (IsCopula(word) && !there) values.push_back(i);
    if (OneOf(word, {"therefore", "thus", "hence"})) conclusion = i;
    there = word == "there";
  }
  if (values.empty() && conclusion != kNone) {
    while (conclusion < end && (text_[conclusion] == ',' || text_[conclusion] == ':')) ++conclusion;
    values.push_back(conclusion);
  }
  // The first one behind which nothing but an answer stands: "x = 4 or x = -4" is one answer, not its last part.
  for (size_t value : values) {
    value = SkipFillers(value, end);
    const DirectSpan span = ReadDirect(text_, value, end);
    if (span.end == 0 || !TrimView(text_.substr(span.end, end - span.end)).empty()) continue;
    return TakeSpan(Rule::kEquals, value, span.end, out, span.unit);
  }
  return false;
}

// Behind markup and adverbs ("is therefore exactly 7").
size_t Extractor::SkipFillers(size_t at, size_t end) const {
  size_t i = SkipMarkup(text_, at, end);
  for (int words = 0; words < 4; ++words) {
    size_t word_end = i;
    const std::string word = WordAt(text_, i, end, &word_end);
    if (!OneOf(word, {"therefore", "thus", "then", "hence", "so", "simply", "exactly", "just",
                      "equal", "to", "also"}))
      break;
    i = SkipMarkup(text_, word_end, end);
  }
  return i;
}

// The last of: formula, bold or code span, sentence-final value.
bool Extractor::ByTail(Extraction* out) {
  const bool whole_reply = !Lenient();
  if (whole_reply && options_.truncated) return false;
  const size_t from = whole_reply && hi_ - lo_ > kTailBytes ? hi_ - kTailBytes : lo_;
  Candidate best;
  Candidate candidate;
  if (options_.mode != Mode::kExpr && LastFormula(from, &candidate)) best = candidate;
  if (options_.mode != Mode::kLatex) {
    if (LastBold(from, &candidate) && (best.rule == Rule::kNone || candidate.begin >= best.end))
      best = candidate;
    if (FinalEquals(from, &candidate) && (best.rule == Rule::kNone || candidate.begin >= best.end))
      best = candidate;
  }
  // Where plain text counts as much as formulas, the later of the two is the answer.
  if (options_.mode == Mode::kLatexExpr && best.rule == Rule::kFormula) {
    const size_t number = LastNumberBegin(text_, best.end, hi_);
    if (number != kNone) return ByNumber(out);
  }
  if (best.rule == Rule::kNone || IsPlaceholder(best.text)) return false;
  const size_t sentence = ClauseBegin(text_, best.begin, lo_);
  for (const size_t refused : refused_anchors_) {
    if (refused >= sentence && refused < best.end) return false;
  }
  for (size_t i = sentence; i < best.begin && whole_reply;) {
    size_t word_end = i;
    const std::string word = WordAt(text_, i, best.begin, &word_end);
    i = std::max(i + 1, word_end);
    if (!IsNegation(word) && !OneOf(word, {"might", "maybe", "perhaps", "possibly", "whether"}))
      continue;
    refusal_ = IsNegation(word) ? "negated" : "hedged";
    return false;
  }
  const size_t end = ClauseEnd(text_, best.end, hi_);
  if (end < hi_ && text_[end] == '?' && whole_reply) {
    refusal_ = "question";
    return false;
  }
  if (Retracted(best.end)) {
    refusal_ = "retracted";
    return false;
  }
  return Accept(best, out);
}

bool Extractor::ByNumber(Extraction* out) {
  const size_t begin = LastNumberBegin(text_, lo_, hi_);
  if (begin == kNone) return false;
  const DirectSpan span = ReadDirect(text_, begin, ClauseEnd(text_, begin, hi_));
  Candidate candidate;
  return span.end > begin && TakeSpan(Rule::kNumber, begin, span.end, &candidate, span.unit) &&
         Accept(candidate, out);
}

// A reply that is nothing but an answer.
bool Extractor::ByWhole(Extraction* out) {
  const size_t begin = SkipMarkup(text_, SkipSpace(text_, lo_, hi_), hi_);
  size_t end = hi_;
  while (end > begin && IsSpace(text_[end - 1])) --end;
  if (begin >= end || end - begin > kMaxWholeBytes) return false;
  const std::string_view whole = text_.substr(begin, end - begin);
  if (whole.find('\n') != kNone || whole.find('?') != kNone) return false;
  const DirectSpan span = ReadDirect(text_, begin, end);
  const bool direct = span.end != 0 && !span.corrected &&
                      CleanAnswer(text_.substr(span.end, end - span.end)).empty();
  const bool words =
      span.end == 0 && whole.size() <= 40 && whole.find_first_of("0123456789$") == kNone;
  if (!direct && !words) return false;
  for (const PhraseHit& hit : hits_) {
    if (hit.begin >= begin && hit.phrase != Phrase::kThinkOpen) return false;  // another rule's
  }
  int count = 0;
  for (size_t i = begin; i < end;) {
    size_t word_end = i;
    const std::string word = WordAt(text_, i, end, &word_end);
    i = std::max(i + 1, word_end);
    count += !word.empty();
    if (IsNegation(word) || IsHedge(word) || (words && count > 3)) return false;
  }
  Candidate candidate;
  return TakeSpan(Rule::kWhole, begin, end, &candidate, direct ? span.unit : 0) &&
         Accept(candidate, out);
}

Extraction Extractor::Run() {
  Extraction out;
  const auto refuse = [&out](const char* why) {
    out = Extraction{};
    out.refusal = why;
    return out;
  };
  FindAnswerPart();
  if (TrimView(text_.substr(lo_, hi_ - lo_)).empty()) return refuse("empty");
  const Mode mode = options_.mode;
  const bool whole_reply =
      mode == Mode::kCompletion || mode == Mode::kCompletionThink || mode == Mode::kBoxedAfterThink;
  if (think_open_ && whole_reply) return refuse("unclosed_think");
  if (!think_closed_ && (mode == Mode::kBoxedAfterThink || mode == Mode::kCompletionThink))
    return refuse("no_think");
  if (ByBox(&out)) return out;
  if (mode == Mode::kBoxedAfterThink)
    return refuse(std::string_view(refusal_) == "retracted" ? refusal_ : "no_box");
  const size_t lo_before = lo_;
  if (lo_ == 0 && mode != Mode::kLatex && ByWhole(&out)) return out;
  if (ByAnchor(lo_, &out, /*final_only=*/false)) return out;
  if (ByHash(&out)) return out;
  if (mode != Mode::kLatex && think_closed_ && lo_ == lo_before && ByWhole(&out)) return out;
  if (ByTail(&out)) return out;
  const bool last_number = options_.last_number || mode == Mode::kExpr || mode == Mode::kLatexExpr;
  if (last_number && ByNumber(&out)) return out;
  return refuse(refusal_);
}

}  // namespace

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
  return Extractor(reply, options).Run();
}

}  // namespace assay::math
