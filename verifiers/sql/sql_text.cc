#include "verifiers/sql/sql_text.h"

#include <algorithm>
#include <cctype>

#include "core/text.h"
#include "verifiers/code/extract_program.h"

namespace assay::sql {
namespace {

struct Token {
  enum class Kind { kWord, kQuoted, kOther };
  Kind kind = Kind::kOther;
  size_t start = 0, end = 0;
  int depth = 0;  // of brackets around it
};

bool IsWordChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '$' ||
         (c & 0x80) != 0;
}

// The end of what is quoted from `at` on; a doubled quote stays inside.
size_t EndOfQuote(std::string_view text, size_t at) {
  const char close = text[at] == '[' ? ']' : text[at];
  for (size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] != close) continue;
    if (close != ']' && i + 1 < text.size() && text[i + 1] == close) {
      ++i;
      continue;
    }
    return i + 1;
  }
  return text.size();
}

std::vector<Token> Tokens(std::string_view text) {
  std::vector<Token> tokens;
  int depth = 0;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++at;
    } else if (text.substr(at, 2) == "--") {
      at = std::min(text.find('\n', at), text.size());
    } else if (text.substr(at, 2) == "/*") {
      const size_t end = text.find("*/", at + 2);
      at = end == std::string_view::npos ? text.size() : end + 2;
    } else if (c == '\'' || c == '"' || c == '`' || c == '[') {
      const size_t end = EndOfQuote(text, at);
      tokens.push_back({Token::Kind::kQuoted, at, end, depth});
      at = end;
    } else if (IsWordChar(c)) {
      size_t end = at;
      while (end < text.size() && (IsWordChar(text[end]) || text[end] == '.')) ++end;
      tokens.push_back({Token::Kind::kWord, at, end, depth});
      at = end;
    } else {
      if (c == ')') --depth;
      tokens.push_back({Token::Kind::kOther, at, at + 1, depth});
      if (c == '(') ++depth;
      ++at;
    }
  }
  return tokens;
}

class Query {
 public:
  explicit Query(std::string_view text) : text_(text), tokens_(Tokens(text)) {}

  const std::vector<Token>& tokens() const { return tokens_; }
  std::string_view text_of(const Token& token) const {
    return text_.substr(token.start, token.end - token.start);
  }
  bool IsWord(size_t at, std::string_view word) const {
    return at < tokens_.size() && tokens_[at].kind == Token::Kind::kWord &&
           tokens_[at].depth == 0 && AsciiLower(text_of(tokens_[at])) == word;
  }
  // The last (or first) token from `from` on that is this word outside of brackets.
  std::optional<size_t> Find(std::string_view word, size_t from, bool last) const {
    std::optional<size_t> found;
    for (size_t i = from; i < tokens_.size(); ++i) {
      if (!IsWord(i, word)) continue;
      found = i;
      if (!last) break;
    }
    return found;
  }
  std::optional<size_t> FindOrderBy() const {
    std::optional<size_t> at = Find("order", 0, /*last=*/true);
    return at && IsWord(*at + 1, "by") ? at : std::nullopt;
  }
  // What tokens [from, to) say, cut at commas outside of brackets.
  std::vector<std::pair<size_t, size_t>> Items(size_t from, size_t to) const {
    std::vector<std::pair<size_t, size_t>> items;
    size_t start = from;
    for (size_t i = from; i <= to; ++i) {
      const bool comma = i < to && tokens_[i].depth == 0 && text_of(tokens_[i]) == ",";
      if (i != to && !comma) continue;
      if (i > start) items.emplace_back(start, i);
      start = i + 1;
    }
    return items;
  }
  std::string_view TextOf(size_t from, size_t to) const {
    return text_.substr(tokens_[from].start, tokens_[to - 1].end - tokens_[from].start);
  }
  // The same without case and white space, for comparing.
  std::string Plain(size_t from, size_t to) const {
    std::string plain;
    for (size_t i = from; i < to; ++i) {
      std::string word = AsciiLower(text_of(tokens_[i]));
      if (tokens_[i].kind == Token::Kind::kQuoted && word.size() >= 2 && word[0] != '\'')
        word = word.substr(1, word.size() - 2);
      StrAppend(&plain, word, " ");
    }
    return plain;
  }

 private:
  std::string_view text_;
  std::vector<Token> tokens_;
};

// An order term without its direction.
size_t EndOfTerm(const Query& query, size_t from, size_t to) {
  size_t end = to;
  for (size_t i = from; i < to; ++i) {
    if (query.IsWord(i, "asc") || query.IsWord(i, "desc") || query.IsWord(i, "nulls") ||
        query.IsWord(i, "collate")) {
      end = i;
      break;
    }
  }
  return end;
}

// The name of a column in the select list ("x AS n", "x n"), plain; "" if it has none of its own.
std::string NameOfItem(const Query& query, size_t from, size_t to) {
  if (to - from < 2 || query.tokens()[to - 1].kind == Token::Kind::kOther) return "";
  const bool after_as = query.IsWord(to - 2, "as");
  const Token& before = query.tokens()[to - 2];
  const bool bare = before.kind != Token::Kind::kOther || query.text_of(before) == ")";
  return after_as || bare ? query.Plain(to - 1, to) : "";
}

}  // namespace

std::string FindQuery(std::string_view reply) {
  constexpr std::string_view kOpen = "<answer>", kClose = "</answer>", kThink = "</think>";
  if (const size_t think = reply.rfind(kThink); think != std::string_view::npos) {
    reply.remove_prefix(think + kThink.size());
  } else if (reply.find("<think>") != std::string_view::npos) {
    return "";
  }
  const size_t open = reply.find(kOpen), close = reply.rfind(kClose);
  if (open != std::string_view::npos && close != std::string_view::npos && open < close) {
    if (reply.find(kOpen, open + 1) != std::string_view::npos) return "";  // nobody gets two tries
    reply = reply.substr(open + kOpen.size(), close - open - kOpen.size());
  }
  return std::string(Trim(ExtractProgram(reply, "sql").text));
}

bool IsOrdered(std::string_view query) { return Query(query).FindOrderBy().has_value(); }

std::optional<KeyedQuery> WithOrderKeys(std::string_view text) {
  const Query query(text);
  const std::optional<size_t> order = query.FindOrderBy();
  const std::optional<size_t> select = query.Find("select", 0, /*last=*/true);
  if (!order || !select || *select > *order) return std::nullopt;
  for (const char* word : {"union", "intersect", "except"}) {
    if (query.Find(word, 0, false)) return std::nullopt;
  }
  const std::optional<size_t> from = query.Find("from", *select, false);
  if (!from || *from > *order || query.IsWord(*select + 1, "distinct")) return std::nullopt;
  size_t end = query.tokens().size();
  for (const char* word : {"limit", "offset"}) {
    if (const auto at = query.Find(word, *order, false)) end = std::min(end, *at);
  }
  while (end > *order && query.text_of(query.tokens()[end - 1]) == ";") --end;
  const auto items = query.Items(*select + 1, *from);
  bool star = false;
  for (const auto& [a, b] : items) star = star || EndsWith(query.TextOf(a, b), "*");
  KeyedQuery keyed;
  std::string added;
  for (const auto& [a, b] : query.Items(*order + 2, end)) {
    const size_t stop = EndOfTerm(query, a, b);
    if (stop == a) return std::nullopt;
    const std::string plain = query.Plain(a, stop);
    const bool number =
        stop == a + 1 && plain.find_first_not_of("0123456789 ") == std::string::npos;
    int own = number ? std::atoi(plain.c_str()) - 1 : -1;
    for (size_t i = 0; i < items.size() && own < 0; ++i) {
      const auto [from_item, to_item] = items[i];
      if (NameOfItem(query, from_item, to_item) == plain ||
          query.Plain(from_item, to_item) == plain)
        own = static_cast<int>(i);
    }
    if (own >= 0 && star) return std::nullopt;
    if (own >= 0) {
      keyed.own_columns.push_back(own);
    } else {
      StrAppend(&added, ", ", query.TextOf(a, stop));
      ++keyed.added;
    }
  }
  const size_t place = query.tokens()[*from].start;
  keyed.text = StrCat(text.substr(0, place), added, " ", text.substr(place));
  return keyed;
}

}  // namespace assay::sql
