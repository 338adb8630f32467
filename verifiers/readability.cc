#include <algorithm>
#include <string>
#include <vector>

#include "core/text.h"
#include "verifiers/text_verifiers.h"
#include "verifiers/words.h"

namespace assay {
namespace {

constexpr size_t kNone = std::string_view::npos;
constexpr size_t kQuotedMax = 4000;  // bytes of code between backticks in a line of text

// Lines outside of fenced blocks, a block as one empty line; whether every block is closed.
struct Unfenced {
  std::string text;
  bool closed = true;
};

Unfenced WithoutFences(std::string_view text) {
  Unfenced out;
  size_t marks = 0;  // of the block that is open
  char mark = 0;
  for (std::string_view line : SplitChar(text, '\n')) {
    const std::string_view bare = Trim(line);
    size_t count = 0;
    while (count < bare.size() && (bare[0] == '`' || bare[0] == '~') && bare[count] == bare[0])
      ++count;
    if (marks == 0 && count >= 3) {
      // ```code``` on one line is no block.
      if (bare[0] == '`' && bare.find('`', count) != kNone) {
        StrAppend(&out.text, line, "\n");
        continue;
      }
      marks = count;
      mark = bare[0];
    } else if (marks > 0) {
      if (count >= marks && count == bare.size() && bare[0] == mark) {
        marks = 0;
        StrAppend(&out.text, "\n");
      }
    } else {
      StrAppend(&out.text, line, "\n");
    }
  }
  out.closed = marks == 0;
  return out;
}

// Text with `code` in backticks taken out; false if a backtick has no partner in its paragraph.
bool WithoutQuotedCode(std::string_view text, std::string* out) {
  bool paired = true;
  for (size_t i = 0; i < text.size();) {
    if (text[i] != '`') {
      out->push_back(text[i++]);
      continue;
    }
    size_t marks = 0;
    while (i + marks < text.size() && text[i + marks] == '`') ++marks;
    const std::string run(marks, '`');
    const std::string_view near = text.substr(i, kQuotedMax);
    const std::string_view paragraph = near.substr(0, near.find("\n\n"));
    const size_t found = paragraph.find(run, marks);
    const size_t close = found == kNone ? kNone : i + found;
    if (close == kNone) {
      paired = false;
      i += marks;
    } else {
      i = close + marks;
    }
  }
  return paired;
}

bool IsSpace(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

// ** in pairs within each paragraph.
bool BoldInBalance(std::string_view text) {
  bool open = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, 2) == "\n\n") {
      if (open) return false;
    } else if (text.substr(i, 2) == "**") {
      size_t marks = 2;
      while (i + marks < text.size() && text[i + marks] == '*') ++marks;
      // A rule, or a power in a program's notation: 2**3.
      const bool before = i > 0 && !IsSpace(text[i - 1]);
      const bool after = i + marks < text.size() && !IsSpace(text[i + marks]);
      if ((before || after) &&
          !(before && after && !open && text[i - 1] != '(' && text[i - 1] != '"'))
        open = !open;
      i += marks - 1;
    }
  }
  return !open;
}

// Formulas are closed as they were opened, environments by name, braces inside of formulas in pairs.
class LatexBalance {
 public:
  explicit LatexBalance(std::string_view text) : text_(text) {}

  bool Holds() {
    for (at_ = 0; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '\\') {
        if (!Command()) return false;
      } else if (c == '$') {
        Dollar();
      } else if (c == '{') {
        ++braces_;
      } else if (c == '}') {
        if (--braces_ < 0 && InFormula()) return false;
        braces_ = std::max(braces_, 0);
      }
    }
    return stack_.empty() && !double_dollar_ && !broken_;
  }

 private:
  bool InFormula() const { return !stack_.empty() || double_dollar_ || single_; }

  bool Command() {
    const std::string_view rest = text_.substr(at_);
    const char next = rest.size() > 1 ? rest[1] : 0;
    if (next == '(' || next == '[') {
      stack_.push_back(std::string(1, next));
      braces_ = 0;
    } else if (next == ')' || next == ']') {
      const char open = next == ')' ? '(' : '[';
      if (stack_.empty() || stack_.back() != std::string(1, open) || braces_ != 0) return false;
      stack_.pop_back();
    } else if (StartsWith(rest, "\\begin{") || StartsWith(rest, "\\end{")) {
      const bool begin = rest[1] == 'b';
      const size_t open = begin ? 7 : 5;
      const size_t close = rest.substr(0, 60).find('}', open);
      if (close == kNone) return false;
      const std::string name(rest.substr(open, close - open));
      if (begin) {
        stack_.push_back(name);
        if (stack_.size() > 100) return false;
      } else {
        if (stack_.empty() || stack_.back() != name) return false;
        stack_.pop_back();
      }
      at_ += close;
      return true;
    }
    ++at_;
    return true;
  }

  // $$ in pairs; a single dollar only where it begins a formula as LaTeX is written: prices stand alone.
  void Dollar() {
    if (text_.substr(at_, 2) == "$$") {
      if (double_dollar_ && braces_ != 0) broken_ = true;
      double_dollar_ = !double_dollar_;
      braces_ = 0;
      ++at_;
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<std::string> stack_;
  int braces_ = 0;
  bool double_dollar_ = false, single_ = false, broken_ = false;
};

// Words of the longest run without a blank line, a heading or an item of a list.
size_t LongestBlock(std::string_view text) {
  size_t longest = 0, words = 0;
  for (std::string_view line : SplitChar(text, '\n')) {
    const std::string_view bare = Trim(line);
    const bool item = bare.size() > 1 &&
                      ((bare[0] == '#' || bare[0] == '|' || bare[0] == '>') ||
                       ((bare[0] == '-' || bare[0] == '*' || bare[0] == '+') && bare[1] == ' ') ||
                       (bare[0] >= '0' && bare[0] <= '9' && bare.substr(0, 5).find(". ") != kNone));
    if (bare.empty() || item) words = 0;
    words += WordsOf(bare, 16).size();
    longest = std::max(longest, words);
  }
  return longest;
}

// `readability`: the share of four things that make a reply readable.
struct ReadabilityJudge {
  struct Settings {
    int64_t block_words_max = 250;
    int64_t summary_words_min = 3;
    double pass_at = 1;
  };

  static Options Table(Settings* s) {
    Options table = VerifierOptions("readability");
    table.Add("block_words_max", &s->block_words_max, "more words in one block are a wall of text")
        .Range(10, 100000);
    table
        .Add("summary_words_min", &s->summary_words_min,
             "so many words must stand behind </think>, where there is one; 0: none")
        .Range(0, 100000);
    table.Add("pass_at", &s->pass_at, "from this score on a reply passes").Range(0, 1);
    return table;
  }
  static Status Check(const Settings&) { return {}; }

  ReadabilityJudge(const Settings& s, const Problem&) : settings(s) {}

  Verdict operator()(const Sample& sample) const {
    const Unfenced outside = WithoutFences(sample.text);
    std::string bare;
    const bool quotes = WithoutQuotedCode(outside.text, &bare);
    const size_t longest = LongestBlock(bare);
    if (longest == 0 && WordsOf(std::string_view(sample.text).substr(0, 10000)).empty())
      return Verdict::Fail("no_words", "there are no words to look at");
    std::vector<std::string> findings;
    if (!outside.closed) findings.emplace_back("a code block is not closed");
    if (outside.closed && !quotes) findings.emplace_back("a backtick has no partner");
    if (outside.closed && quotes && !BoldInBalance(bare))
      findings.emplace_back("bold text is not closed");
    double score = findings.empty() ? 1 : 0;
    if (LatexBalance(bare).Holds()) {
      score += 1;
    } else {
      findings.emplace_back("a formula is not closed as it was opened");
    }
    if (static_cast<int64_t>(longest) <= settings.block_words_max) {
      score += 1;
    } else {
      findings.emplace_back(StrCat("a block has ", longest, " words"));
    }
    if (HasSummary(sample.text)) {
      score += 1;
    } else {
      findings.emplace_back("nothing sums up the reasoning");
    }
    return Result(score / 4, findings);
  }

  bool HasSummary(std::string_view reply) const {
    const bool reasons = reply.find("<think>") != kNone || reply.find("</think>") != kNone;
    if (!reasons || settings.summary_words_min == 0) return true;
    return static_cast<int64_t>(WordsOf(AnswerPart(reply)).size()) >= settings.summary_words_min;
  }

  Verdict Result(double score, const std::vector<std::string>& findings) const {
    Verdict verdict = score >= settings.pass_at
                          ? Verdict::Pass("ok", score)
                          : Verdict::Fail("unreadable", findings.empty() ? "" : findings[0], score);
    Json list = Json::MakeArray();
    for (const std::string& finding : findings) list.Append(finding);
    verdict.evidence = Json().Set("findings", std::move(list));
    return verdict;
  }

  Settings settings;
};

}  // namespace

std::vector<OptionInfo> ReadabilityOptionInfos() {
  return TextVerifierOptionInfos<ReadabilityJudge>();
}
Result<std::unique_ptr<Verifier>> MakeReadabilityVerifier(const Json& options,
                                                          const VerifierEnv& env) {
  return MakeTextVerifier<ReadabilityJudge>(options, env);
}

}  // namespace assay
