#include "datagen/audit/mutants.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "core/rng.h"
#include "core/text.h"

namespace assay::audit {
namespace {

struct Token {
  size_t start = 0, end = 0;
  bool word = false;  // a name, a keyword or a number
  int64_t line = 1;
};

bool IsWordChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0;
}

// The end of a text that begins at `at` with a quote.
size_t EndOfText(std::string_view code, size_t at) {
  const std::string_view triple = code.substr(at, 3);
  const bool is_triple = triple == "\"\"\"" || triple == "'''";
  const std::string_view close = is_triple ? triple : code.substr(at, 1);
  for (size_t i = at + close.size(); i < code.size(); ++i) {
    if (code[i] == '\\') {
      ++i;
    } else if (code.substr(i, close.size()) == close) {
      return i + close.size();
    } else if (code[i] == '\n' && !is_triple) {
      return i;
    }
  }
  return code.size();
}

size_t EndOfSign(std::string_view code, size_t at) {
  for (const char* sign :
       {"**=", "//=", ">>=", "<<=", "...", "->", ":=", "**", "//", "<=", ">=", "==",
        "!=",  "+=",  "-=",  "*=",  "/=",  "%=", "&=", "|=", "^=", "<<", ">>"}) {
    if (code.substr(at, std::string_view(sign).size()) == sign)
      return at + std::string_view(sign).size();
  }
  return at + 1;
}

std::vector<Token> Tokens(std::string_view code) {
  std::vector<Token> tokens;
  int64_t line = 1;
  for (size_t at = 0; at < code.size();) {
    const char c = code[at];
    if (c == '\n') {
      ++line;
      ++at;
    } else if (std::isspace(static_cast<unsigned char>(c)) != 0) {
      ++at;
    } else if (c == '#') {
      at = std::min(code.find('\n', at), code.size());
    } else if (c == '"' || c == '\'') {
      const size_t end = EndOfText(code, at);
      tokens.push_back({at, end, false, line});
      line += std::count(code.begin() + static_cast<ptrdiff_t>(at),
                         code.begin() + static_cast<ptrdiff_t>(end), '\n');
      at = end;
    } else if (IsWordChar(c)) {
      size_t end = at;
      while (end < code.size() &&
             (IsWordChar(code[end]) ||
              (code[end] == '.' && std::isdigit(static_cast<unsigned char>(c)) != 0)))
        ++end;
      tokens.push_back({at, end, true, line});
      at = end;
    } else {
      const size_t end = EndOfSign(code, at);
      tokens.push_back({at, end, false, line});
      at = end;
    }
  }
  return tokens;
}

struct Change {
  size_t start = 0, end = 0;
  std::string to;
  int64_t line = 1;
};

bool IsWholeNumber(std::string_view word) {
  return !word.empty() && word.size() <= 9 &&
         word.find_first_not_of("0123456789") == std::string_view::npos;
}

constexpr std::string_view kKeywords[] = {"return", "in",   "and",    "or",     "not",
                                          "if",     "else", "elif",   "while",  "for",
                                          "yield",  "is",   "lambda", "assert", "print"};

bool EndsOperand(std::string_view text, bool word) {
  if (word)
    return std::find(std::begin(kKeywords), std::end(kKeywords), text) == std::end(kKeywords);
  return text == ")" || text == "]" || text == "}";
}

std::string OtherSign(std::string_view sign, bool binary) {
  for (auto [from, to] : {std::pair{"<", "<="}, std::pair{"<=", "<"}, std::pair{">", ">="},
                          std::pair{">=", ">"}, std::pair{"==", "!="}, std::pair{"!=", "=="},
                          std::pair{"+=", "-="}, std::pair{"-=", "+="}, std::pair{"*=", "+="}}) {
    if (sign == from) return to;
  }
  if (!binary) return "";
  for (auto [from, to] : {std::pair{"+", "-"}, std::pair{"-", "+"}, std::pair{"*", "+"},
                          std::pair{"//", "*"}, std::pair{"%", "*"}, std::pair{"/", "*"}}) {
    if (sign == from) return to;
  }
  return "";
}

std::string OtherWord(std::string_view word) {
  for (auto [from, to] : {std::pair{"and", "or"}, std::pair{"or", "and"},
                          std::pair{"True", "False"}, std::pair{"False", "True"}}) {
    if (word == from) return to;
  }
  if (IsWholeNumber(word)) return std::to_string(std::atoll(std::string(word).c_str()) + 1);
  return "";
}

// The name of a builtin that is called: one that takes the same, or says nothing.
std::string OtherCall(std::string_view name) {
  for (auto [from, to] : {std::pair{"sum", "max"}, std::pair{"max", "min"}, std::pair{"min", "max"},
                          std::pair{"sorted", "list"}, std::pair{"any", "all"},
                          std::pair{"all", "any"}, std::pair{"print", "str"}}) {
    if (name == from) return to;
  }
  return "";
}

// `return x` on one line.
std::optional<Change> WithoutReturn(std::string_view code, const Token& token) {
  const size_t end = std::min(code.find('\n', token.end), code.size());
  const std::string_view value = Trim(code.substr(token.end, end - token.end));
  if (value.empty() || value == "None") return std::nullopt;
  if (std::count(value.begin(), value.end(), '(') != std::count(value.begin(), value.end(), ')') ||
      std::count(value.begin(), value.end(), '[') != std::count(value.begin(), value.end(), ']') ||
      std::count(value.begin(), value.end(), '{') != std::count(value.begin(), value.end(), '}') ||
      EndsWith(value, "\\") || value.find("\"\"\"") != std::string_view::npos)
    return std::nullopt;
  return Change{token.start, end, "return None", token.line};
}

std::vector<Change> Changes(std::string_view code) {
  const std::vector<Token> tokens = Tokens(code);
  std::vector<Change> changes;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const Token& token = tokens[i];
    const std::string_view text = code.substr(token.start, token.end - token.start);
    const std::string_view before =
        i == 0 ? "" : code.substr(tokens[i - 1].start, tokens[i - 1].end - tokens[i - 1].start);
    if (before == "import" || before == "from" || before == "." || before == "def") continue;
    if (token.word && text == "return") {
      if (auto change = WithoutReturn(code, token)) changes.push_back(std::move(*change));
      continue;
    }
    if (token.word && text == "not" && before != "is" && i + 1 < tokens.size() &&
        code.substr(tokens[i + 1].start, 3) != "in ") {
      changes.push_back({token.start, token.end, "", token.line});
      continue;
    }
    const bool called = i + 1 < tokens.size() && code[tokens[i + 1].start] == '(';
    std::string to = token.word && called ? OtherCall(text)
                     : token.word
                         ? OtherWord(text)
                         : OtherSign(text, i > 0 && EndsOperand(before, tokens[i - 1].word));
    if (!to.empty()) changes.push_back({token.start, token.end, std::move(to), token.line});
  }
  return changes;
}

}  // namespace

std::vector<Mutant> MakeMutants(std::string_view program, int64_t count, uint64_t seed) {
  std::vector<Change> changes = Changes(program);
  Rng rng(seed, "mutants");
  rng.Shuffle(&changes);
  std::vector<Mutant> mutants;
  for (const Change& change : changes) {
    if (static_cast<int64_t>(mutants.size()) >= count) break;
    const std::string_view old = program.substr(change.start, change.end - change.start);
    mutants.push_back(
        {StrCat(program.substr(0, change.start), change.to, program.substr(change.end)),
         StrCat("line ", change.line, ": ", Shorten(old, 40), " became ",
                change.to.empty() ? "nothing" : change.to)});
  }
  return mutants;
}

}  // namespace assay::audit
