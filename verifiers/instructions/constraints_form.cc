#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>

#include "core/json.h"
#include "core/text.h"
#include "verifiers/instructions/constraint.h"
#include "verifiers/words.h"

namespace assay {
namespace {

using Parameters = ConstraintParameters;
constexpr size_t kNone = std::string_view::npos;

// [address]: brackets on one line with something inside.
int64_t Placeholders(std::string_view text) {
  int64_t count = 0;
  for (size_t open = text.find('['); open != kNone; open = text.find('[', open)) {
    const size_t close = text.find_first_of("]\n", open + 1);
    if (close == kNone) break;
    if (text[close] == ']' && !Trim(text.substr(open + 1, close - open - 1)).empty()) ++count;
    open = close;
  }
  return count;
}

// A line's mark of an item, "*" or "-" and a space; 0 if it has none.
char BulletOf(std::string_view line) {
  const size_t at = line.find_first_not_of(" \t");
  if (at == kNone || at + 1 >= line.size() || (line[at] != '*' && line[at] != '-')) return 0;
  if (line[at + 1] != ' ' && line[at + 1] != '\t') return 0;
  return Trim(line.substr(at + 1)).empty() ? 0 : line[at];
}

bool Bullets(const ReplyText& reply, const Parameters& p) {
  const auto count = std::count_if(reply.Lines().begin(), reply.Lines().end(),
                                   [](std::string_view line) { return BulletOf(line) != 0; });
  return count == p.Number("num_bullets");
}

// *so* and **so** on one line: no space inside of the stars, and something between them.
int64_t Highlights(std::string_view text) {
  int64_t count = 0;
  for (size_t open = text.find('*'); open != kNone;) {
    size_t begin = open;
    while (begin < text.size() && text[begin] == '*') ++begin;
    const size_t close = text.find_first_of("*\n", begin);
    if (close == kNone) break;
    const bool stands = close > begin && text[close] == '*' && text[begin] != ' ' &&
                        text[close - 1] != ' ' && begin - open <= 3;
    size_t behind = close;
    while (behind < text.size() && text[behind] == '*') ++behind;
    if (stands && behind - close >= std::min<size_t>(begin - open, 2)) {
      ++count;
      open = text.find('*', behind);
    } else {
      open = text.find('*', text[close] == '*' ? close : close + 1);
    }
  }
  return count;
}

// Lines that begin with the mark and a number: "Section 1", also behind marks of headings. Each number counts once.
bool Sections(const ReplyText& reply, const Parameters& p) {
  const std::string mark = LowerCase(Trim(p.Text("section_spliter")));
  std::vector<int64_t> numbers;
  for (std::string_view line : reply.Lines()) {
    line.remove_prefix(std::min(line.find_first_not_of(" \t#*_>-"), line.size()));
    const std::string small = LowerCase(line.substr(0, mark.size() + 12));
    if (!StartsWith(small, mark)) continue;
    const size_t digits = small.find_first_not_of(' ', mark.size());
    if (digits == kNone || small[digits] < '0' || small[digits] > '9') continue;
    int64_t number = 0;
    for (size_t i = digits; i < small.size() && small[i] >= '0' && small[i] <= '9'; ++i)
      number = number * 10 + (small[i] - '0');
    numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
  return static_cast<int64_t>(numbers.size()) >= p.Number("num_sections");
}

// The marker at the start of a word with something behind it. "P.S." is also written "P. S.", in either case.
bool Postscript(const ReplyText& reply, const Parameters& p) {
  const auto squeezed = [](std::string_view text) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == ' ' && i > 0 && text[i - 1] == '.') continue;
      out.push_back(text[i]);
    }
    return LowerCase(out);
  };
  std::string marker = squeezed(Trim(p.Text("postscript_marker")));
  const std::string text = squeezed(reply.Text());
  for (size_t at = text.rfind(marker); at != kNone;
       at = at == 0 ? kNone : text.rfind(marker, at - 1)) {
    const bool word = at == 0 || std::string_view(" \n\t*_>(.!?\"").find(text[at - 1]) != kNone;
    if (word) return !StripPunctuation(std::string_view(text).substr(at + marker.size())).empty();
  }
  return false;
}

// Exactly one of the three, once.
bool ConstrainedResponse(const ReplyText& reply, const Parameters&) {
  static constexpr std::string_view kAnswers[] = {"My answer is yes.", "My answer is no.",
                                                  "My answer is maybe."};
  int count = 0;
  for (std::string_view answer : kAnswers) {
    for (size_t at = reply.Text().find(answer); at != kNone;
         at = reply.Text().find(answer, at + answer.size()))
      ++count;
  }
  return count == 1;
}

bool Options(const ReplyText& reply, const Parameters& p) {
  const std::string own = LowerCase(StripPunctuation(reply.Text()));
  std::vector<std::string_view> options = p.Texts("options");
  if (options.empty()) {  // "yes/no/maybe", as the published rows write them
    const std::string_view text = p.Text("options");
    options = SplitChar(text, text.find('/') != kNone ? '/' : ',');
  }
  return std::any_of(options.begin(), options.end(), [&](std::string_view option) {
    const std::string one = LowerCase(StripPunctuation(option));
    return !one.empty() && one == own;
  });
}

// An object or a list and nothing else; a fence around it is taken off.
bool IsJson(const ReplyText& reply, const Parameters&) {
  std::string_view text = Trim(reply.Text());
  if (StartsWith(text, "```")) {
    text.remove_prefix(3);
    if (StartsWith(AsciiLower(text.substr(0, 4)), "json")) text.remove_prefix(4);
    if (EndsWith(text, "```")) text.remove_suffix(3);
    text = Trim(text);
  }
  if (text.empty() || (text[0] != '{' && text[0] != '[')) return false;
  JsonRepairs repairs;
  const Result<Json> read = ParseJson(text, &repairs);
  return read.ok() && repairs.nonfinite == 0 && repairs.invalid_utf8 == 0;
}

bool Title(const ReplyText& reply, const Parameters&) {
  const std::string_view text = reply.Text();
  for (size_t open = text.find("<<"); open != kNone; open = text.find("<<", open + 1)) {
    const size_t line_end = std::min(text.find('\n', open), text.size());
    const size_t close = text.substr(0, line_end).find(">>", open + 2);
    if (close == kNone) {
      open = line_end - 1;
      continue;
    }
    if (!Trim(text.substr(open + 2, close - open - 2)).empty()) return true;
  }
  return false;
}

bool EndsWithPhrase(const ReplyText& reply, const Parameters& p) {
  std::string_view text = Trim(reply.Text());
  while (EndsWith(text, "\"")) text.remove_suffix(1);
  const std::string phrase = LowerCase(Trim(p.Text("end_phrase")));
  const std::string small = LowerCase(text);
  if (!EndsWith(small, phrase)) return false;
  // The phrase begins where a word does.
  const size_t at = small.size() - phrase.size();
  return at == 0 ||
         WordRunsOf(std::string_view(small).substr(at - 1)).size() != WordRunsOf(phrase).size() ||
         small[at - 1] == ' ' || IsAsciiPunctuation(small[at - 1]) || small[at - 1] == '\n';
}

bool Quoted(const ReplyText& reply, const Parameters&) {
  const std::string_view text = Trim(reply.Text());
  return text.size() > 2 && text.front() == '"' && text.back() == '"';
}

bool NoComma(const ReplyText& reply, const Parameters&) {
  static constexpr std::string_view kCommas[] = {",", "\uFF0C", "\u3001", "\u060C"};
  return std::none_of(std::begin(kCommas), std::end(kCommas),
                      [&](std::string_view comma) { return reply.Text().find(comma) != kNone; });
}

// "¿" .. "?" with something between.
bool HasBetween(std::string_view text, std::string_view open, std::string_view close) {
  for (size_t at = text.find(open); at != kNone; at = text.find(open, at + open.size())) {
    const size_t end = text.find(close, at);
    if (end == kNone) return false;
    if (!StripPunctuation(text.substr(at + open.size(), end - at - open.size())).empty())
      return true;
  }
  return false;
}

bool AllPunctuation(const ReplyText& reply, const Parameters&) {
  const std::string_view text = reply.Text();
  size_t at = std::min(text.find("?!"), text.find("!?"));
  size_t size = 2;
  if (at == kNone) {
    at = text.find("\u203D");
    size = 3;
  }
  if (at == kNone) return false;
  const std::string rest =
      StrCat(text.substr(0, at), text.substr(std::min(at + size, text.size())));
  return std::string_view(".,!?;:").end() ==
         std::find_if(std::string_view(".,!?;:").begin(), std::string_view(".,!?;:").end(),
                      [&](char c) { return rest.find(c) == std::string::npos; });
}

// Brackets of all three kinds, closed in order, five deep somewhere.
bool NestedBrackets(const ReplyText& reply, const Parameters&) {
  static constexpr std::string_view kOpen = "([{", kClose = ")]}";
  std::string open;
  size_t deepest = 0;
  for (char c : reply.Text()) {
    if (kOpen.find(c) != kNone) {
      open.push_back(c);
      deepest = std::max(deepest, open.size());
    } else if (kClose.find(c) != kNone) {
      if (open.empty() || kOpen.find(open.back()) != kClose.find(c)) {
        open.clear();
        deepest = 0;
        continue;
      }
      open.pop_back();
      if (deepest >= 5) return true;
    }
  }
  return false;
}

// Quotation marks three deep, double and single in turn.
bool NestedQuotes(const ReplyText& reply, const Parameters&) {
  std::string open;
  size_t deepest = 0, closed = 0;
  const std::string_view text = reply.Text();
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c != '"' && c != '\'') continue;
    // An apostrophe inside of a word is none.
    const auto letter = [&](size_t at) {
      return at < text.size() && !IsAsciiPunctuation(text[at]) && text[at] != ' ' &&
             text[at] != '\n';
    };
    if (c == '\'' && i > 0 && letter(i - 1) && letter(i + 1)) continue;
    if (!open.empty() && open.back() == c) {
      open.pop_back();
      if (++closed >= 3 && deepest >= 3) return true;
    } else {
      open.push_back(c);
      deepest = std::max(deepest, open.size());
      closed = 0;
    }
  }
  return false;
}

bool WordOnEachLine(const ReplyText& reply, const Parameters&) {
  int words = 0;
  for (std::string_view line : reply.Lines()) {
    const size_t count = BareTokensOf(line).size();
    if (count > 1) return false;
    words += static_cast<int>(count);
  }
  return words > 1;
}

bool IsEmoji(UChar32 c) {
  return c > 0xFF && (u_hasBinaryProperty(c, UCHAR_EMOJI_PRESENTATION) ||
                      u_hasBinaryProperty(c, UCHAR_EXTENDED_PICTOGRAPHIC) || c == 0xFE0F);
}

// Behind each sentence's text, before or behind its point, stands an emoji; the next sentence's first characters are this one's last.
bool EmojiEverySentence(const ReplyText& reply, const Parameters&) {
  const std::string_view text = reply.Text();
  for (std::string_view sentence : reply.Sentences()) {
    std::string_view own = StripPunctuation(sentence);
    const auto edge = [](std::string_view piece, bool last) {
      const char* bytes = piece.data();
      auto i = static_cast<int32_t>(last ? piece.size() : 0);
      const auto size = static_cast<int32_t>(piece.size());
      UChar32 c = 0;
      if (size == 0) return c;
      if (last) {
        U8_PREV(bytes, 0, i, c);
      } else {
        U8_NEXT(bytes, i, size, c);
      }
      return c;
    };
    const auto behind = static_cast<size_t>(sentence.data() + sentence.size() - text.data());
    if (!IsEmoji(edge(own, true)) && !IsEmoji(edge(StripPunctuation(text.substr(behind)), false)))
      return false;
  }
  return !reply.Sentences().empty();
}

bool IndentStairs(const ReplyText& reply, const Parameters&) {
  size_t before = 0, lines = 0;
  for (std::string_view line : reply.Lines()) {
    if (Trim(line).empty()) continue;
    const size_t indent = line.find_first_not_of(' ');
    if (lines++ > 0 && indent <= before) return false;
    before = indent;
  }
  return lines > 1;
}

bool MarkedList(const ReplyText& reply, const Parameters& p) {
  const std::string_view mark = Trim(p.Text("sep"));
  const auto items =
      std::count_if(reply.Lines().begin(), reply.Lines().end(), [&](std::string_view line) {
        line = Trim(line);
        return StartsWith(line, mark) && !Trim(line.substr(mark.size())).empty();
      });
  return items >= 2;
}

bool SubBullets(const ReplyText& reply, const Parameters&) {
  bool open = false, any = false;
  for (std::string_view line : reply.Lines()) {
    const char mark = BulletOf(line);
    if (mark == '*') {
      if (open) return false;
      open = any = true;
    } else if (mark == '-') {
      open = false;
    }
  }
  return any && !open;
}

bool SentencesThenBullets(const ReplyText& reply, const Parameters&) {
  size_t bullets = 0, first = kNone;
  for (std::string_view line : reply.Lines()) {
    if (BulletOf(line) == '*') {
      if (bullets++ == 0) first = static_cast<size_t>(line.data() - reply.Text().data());
    } else if (bullets > 0 && !Trim(line).empty()) {
      return false;
    }
  }
  if (bullets < 2) return false;
  const ReplyText before(reply.Text().substr(0, first));
  const auto points = std::count_if(before.Sentences().begin(), before.Sentences().end(),
                                    [](std::string_view one) { return EndsWith(one, "."); });
  return points >= 2;
}

// Small words of a title may stay small, but for the first.
bool TitleCase(const ReplyText& reply, const Parameters&) {
  static constexpr std::string_view kMinor[] = {"a",   "an", "and", "as",  "at", "but", "by",
                                                "for", "if", "in",  "nor", "of", "off", "on",
                                                "or",  "so", "the", "to",  "up", "via", "yet"};
  bool first = true;
  for (std::string_view token : reply.Tokens()) {
    const std::string_view word = StripPunctuation(token);
    if (word.empty()) continue;
    const bool minor = std::find(std::begin(kMinor), std::end(kMinor), word) != std::end(kMinor);
    if (AllSmall(word.substr(0, 1)) && (first || !minor)) return false;
    first = false;
  }
  return !first;
}

bool OutputTemplate(const ReplyText& reply, const Parameters&) {
  static constexpr std::string_view kHeads[] = {"My Answer:", "My Conclusion:", "Future Outlook:"};
  std::string_view rest = reply.Text();
  for (size_t i = 0; i < std::size(kHeads); ++i) {
    const size_t at = rest.find(kHeads[i]);
    if (at == kNone) return false;
    const std::string_view before = rest.substr(0, at);
    if (i == 0 ? !Trim(StripPunctuation(before)).empty() : StripPunctuation(before).empty())
      return false;
    rest.remove_prefix(at + kHeads[i].size());
  }
  return !StripPunctuation(rest).empty();
}

bool NoWhitespace(const ReplyText& reply, const Parameters&) {
  return reply.Tokens().size() == 1 && reply.Text().find("\u3000") == kNone &&
         reply.Text().find("\u00A0") == kNone && reply.Tokens()[0].size() == reply.Text().size();
}

// <i> or <em> with text in it, and text behind it.
bool Thesis(const ReplyText& reply, const Parameters&) {
  for (const auto& [open, close] :
       {std::pair<std::string_view, std::string_view>{"<i>", "</i>"}, {"<em>", "</em>"}}) {
    const size_t at = reply.Text().find(open);
    const size_t end = at == kNone ? kNone : reply.Text().find(close, at);
    if (end == kNone) continue;
    const size_t begin = at + open.size();
    return !Trim(reply.Text().substr(begin, end - begin)).empty() &&
           !StripPunctuation(reply.Text().substr(end + close.size())).empty();
  }
  return false;
}

// Every word stands in brackets: [like] [so].
bool SquareBrackets(const ReplyText& reply, const Parameters&) {
  return !reply.Tokens().empty() &&
         std::all_of(reply.Tokens().begin(), reply.Tokens().end(), [](std::string_view token) {
           return token.size() > 2 && token.front() == '[' &&
                  token.find_last_not_of(".,;:!?") != kNone &&
                  token[token.find_last_not_of(".,;:!?")] == ']';
         });
}

// <<I am>> <<at home>>: two words each.
bool BigramWrapping(const ReplyText& reply, const Parameters&) {
  const auto& tokens = reply.Tokens();
  if (tokens.empty() || tokens.size() % 2 != 0) return false;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const bool opens = StartsWith(tokens[i], "<<"), closes = tokens[i].find(">>") != kNone;
    if (i % 2 == 0 ? !opens || closes : opens || !closes) return false;
  }
  return true;
}

// Behind each quotation stands more than its marks.
bool QuoteThenText(const ReplyText& reply, const Parameters&) {
  const std::string_view text = reply.Text();
  bool any = false;
  for (size_t open = text.find('"'); open != kNone;) {
    const size_t close = text.find('"', open + 1);
    if (close == kNone) return any;
    const size_t next = text.find('"', close + 1);
    if (StripPunctuation(text.substr(close + 1, (next == kNone ? text.size() : next) - close - 1))
            .empty())
      return false;
    any = true;
    open = next;
  }
  return any;
}

bool Lacks(const ReplyText& reply, char c) { return reply.Text().find(c) == kNone; }

// A constraint that one expression over the reply `r` and the parameters `p` says.
#define ASSAY_FOLLOWS(...)                              \
  [](const ReplyText& r, const Parameters& p) -> bool { \
    (void)r, (void)p;                                   \
    return __VA_ARGS__;                                 \
  }

}  // namespace

const std::vector<ConstraintKind>& FormConstraints() {
  static const std::vector<ConstraintKind> kKinds = {
      {"detectable_content:number_placeholders", "num_placeholders=number",
       ASSAY_FOLLOWS(Placeholders(r.Text()) >= p.Number("num_placeholders")),
       "so many [placeholders] or more"},
      {"detectable_content:postscript", "postscript_marker=text", Postscript,
       "a postscript behind its marker"},
      {"detectable_format:number_bullet_lists", "num_bullets=number", Bullets,
       "exactly so many items marked * or -"},
      {"detectable_format:constrained_response", "", ConstrainedResponse,
       "one of \"My answer is yes.\", \"no.\", \"maybe.\", once"},
      {"detectable_format:number_highlighted_sections", "num_highlights=number",
       ASSAY_FOLLOWS(Highlights(r.Text()) >= p.Number("num_highlights")),
       "so many *highlighted* pieces or more"},
      {"detectable_format:multiple_sections", "section_spliter=text num_sections=number", Sections,
       "so many sections or more, each headed by the mark and its number"},
      {"detectable_format:json_format", "", IsJson,
       "JSON and nothing else; a fence around it may be"},
      {"detectable_format:title", "", Title, "a <<title>>"},
      {"detectable_format:square_brackets", "", SquareBrackets, "every word in [brackets]"},
      {"detectable_format:bigram_wrapping", "", BigramWrapping,
       "<<two words>> in each pair of marks"},
      {"startend:end_checker", "end_phrase=text", EndsWithPhrase, "it ends with the phrase"},
      {"startend:quotation", "", Quoted, "all of it in double quotation marks"},
      {"punctuation:no_comma", "", NoComma, "no comma of any script"},
      {"punctuation:punctuation_dot", "", ASSAY_FOLLOWS(Lacks(r, '.')), "no point"},
      {"punctuation:punctuation_exclamation", "", ASSAY_FOLLOWS(Lacks(r, '!')),
       "no exclamation mark"},
      {"punctuation:question_marks", "", ASSAY_FOLLOWS(HasBetween(r.Text(), "\u00BF", "?")),
       "a question between its two Spanish marks"},
      {"punctuation:exclamation_marks", "", ASSAY_FOLLOWS(HasBetween(r.Text(), "\u00A1", "!")),
       "an exclamation between its two Spanish marks"},
      {"count:punctuation", "", AllPunctuation, "each of ., ! ? ; : and an interrobang"},
      {"format:parentheses", "", NestedBrackets, "brackets five deep"},
      {"format:quotes", "", NestedQuotes, "quotations three deep, double and single in turn"},
      {"format:options", "options=texts", Options, "one of the options and nothing else"},
      {"format:newline", "", WordOnEachLine, "each word on a line of its own"},
      {"format:emoji", "", EmojiEverySentence, "an emoji at the end of every sentence"},
      {"format:line_indent", "", IndentStairs, "each line further in than the one before"},
      {"format:list", "sep=text", MarkedList, "two items or more with this mark"},
      {"format:sub-bullets", "", SubBullets, "items marked * with items marked - below each"},
      {"format:no_bullets_bullets", "", SentencesThenBullets,
       "two sentences or more, then two items or more marked *, nothing behind them"},
      {"format:title_case", "", TitleCase, "capitals as in a title"},
      {"format:output_template", "", OutputTemplate,
       "My Answer:, My Conclusion:, Future Outlook:, in this order, each with text"},
      {"format:no_whitespace", "", NoWhitespace, "no white space"},
      {"format:thesis", "", Thesis, "a thesis in HTML's italics and text behind it"},
      {"format:quote_unquote", "", QuoteThenText, "text behind every quotation"}};
  return kKinds;
}

}  // namespace assay
