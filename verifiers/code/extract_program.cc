#include "verifiers/code/extract_program.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/text.h"

namespace assay {
namespace {

struct LanguageTags {
  std::string_view language;
  std::vector<std::string_view> tags;
};

const std::vector<LanguageTags>& KnownTags() {
  static const std::vector<LanguageTags> kTags = {
      {"python", {"python", "py", "python3", "python2", "pypy", "pypy3"}},
      {"c++", {"cpp", "c++", "cc", "cxx", "c++17", "c++20", "cpp17", "cpp20"}},
      {"c", {"c"}},
      {"javascript", {"javascript", "js", "node", "nodejs"}},
      {"bash", {"bash", "sh", "shell"}},
  };
  return kTags;
}

bool TagIs(std::string_view tag, std::string_view language) {
  std::string lower = AsciiLower(tag);
  if (lower == AsciiLower(language)) return true;
  for (const LanguageTags& known : KnownTags()) {
    if (known.language != language) continue;
    return std::find(known.tags.begin(), known.tags.end(), lower) != known.tags.end();
  }
  return false;
}

std::string_view NextLine(std::string_view text, size_t* at) {
  size_t end = text.find('\n', *at);
  std::string_view line = text.substr(*at, end == std::string_view::npos ? end : end - *at);
  *at = end == std::string_view::npos ? text.size() : end + 1;
  return line;
}

struct Fence {
  char mark = 0;
  size_t length = 0;
  size_t indent = 0;
  std::string_view info;
};

// A line that opens or closes a block: at least three marks; a backtick fence's info holds no backticks.
bool ReadFence(std::string_view line, Fence* fence) {
  size_t indent = line.find_first_not_of(" \t");
  if (indent == std::string_view::npos || (line[indent] != '`' && line[indent] != '~'))
    return false;
  fence->mark = line[indent];
  size_t end = indent;
  while (end < line.size() && line[end] == fence->mark) ++end;
  fence->length = end - indent;
  fence->indent = indent;
  fence->info = Trim(line.substr(end));
  if (fence->length < 3) return false;
  return fence->mark != '`' || fence->info.find('`') == std::string_view::npos;
}

struct Block {
  std::string_view tag;
  std::string text;
  size_t start = 0;  // of the line that opens it
  bool closed = false;
};

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

// The language of "python title=x", "{.python}", "python3:main.py".
std::string_view TagOf(std::string_view info) {
  if (StartsWith(info, "{")) info.remove_prefix(1);
  if (StartsWith(info, ".")) info.remove_prefix(1);
  size_t end = info.find_first_of(" \t,:{}");
  return info.substr(0, end);
}

bool IsKnownTag(std::string_view tag) {
  for (const LanguageTags& known : KnownTags()) {
    if (TagIs(tag, known.language)) return true;
  }
  return false;
}

// A fence behind words or a tag on one line: "Here:```python", "<answer>```".
bool ReadGluedOpening(std::string_view line, Fence* fence) {
  size_t at = line.find("```");
  if (at == std::string_view::npos || at == 0 || line.find('`') != at) return false;
  std::string_view info = Trim(line.substr(at + 3));
  const bool after_tag = info.empty() && EndsWith(Trim(line.substr(0, at)), ">");
  if (!after_tag && (info.find('`') != std::string_view::npos || !IsKnownTag(info))) return false;
  *fence = Fence{'`', 3, 0, info};
  return true;
}

// Follows Python's triple-quoted texts from line to line.
class Quotes {
 public:
  bool open() const { return !quote_.empty(); }
  void Read(std::string_view line) {
    for (size_t i = 0; i < line.size(); ++i) {
      const char c = line[i];
      if (c == '\\') {
        ++i;
      } else if (open()) {
        if (line.substr(i, 3) != quote_) continue;
        quote_ = std::string_view();
        i += 2;
      } else if (c == '#') {
        return;
      } else if (c == '"' || c == '\'') {
        if (line.substr(i, 3) == (c == '"' ? "\"\"\"" : "'''")) {
          quote_ = c == '"' ? "\"\"\"" : "'''";
          i += 2;
          continue;
        }
        // A text on one line: to its end, or to the line's.
        for (++i; i < line.size() && line[i] != c; ++i) {
          if (line[i] == '\\') ++i;
        }
      }
    }
  }

 private:
  std::string_view quote_;
};

// How a line closes a block: not at all, as a fence of its own (perhaps with a tag glued to it), or at the end of a line of code.
enum class Closing : uint8_t { kNone, kFence, kGlued };

Closing ReadClosing(std::string_view line, const Fence& open, std::string_view* code) {
  Fence close;
  if (ReadFence(line, &close) && close.mark == open.mark && close.length >= open.length &&
      (close.info.empty() || close.info[0] == '<')) {
    return Closing::kFence;
  }
  if (open.mark != '`' || open.length != 3) return Closing::kNone;
  size_t at = line.find("```");
  if (at == std::string_view::npos || line.find('`') != at) return Closing::kNone;
  std::string_view rest = Trim(line.substr(at + 3)), before = Trim(line.substr(0, at));
  if (before.empty() || (!rest.empty() && rest[0] != '<')) return Closing::kNone;
  *code = line.substr(0, at);
  return Closing::kGlued;
}

// A block in a list is indented as its fence is.
void AppendLine(std::string_view line, size_t indent, std::string* text) {
  size_t strip = 0;
  while (strip < indent && strip < line.size() && (line[strip] == ' ' || line[strip] == '\t'))
    ++strip;
  text->append(line.substr(strip));
  text->push_back('\n');
}

// The lines after an opening fence. A fence inside of a triple-quoted text closes nothing, unless that text never ends.
Block ReadBlock(std::string_view text, const Fence& open, size_t* at) {
  Block block;
  block.tag = TagOf(open.info);
  Quotes quotes;
  size_t closed_at = 0;  // after the first fence within a quoted text
  size_t size_then = 0;
  while (*at < text.size()) {
    std::string_view line = NextLine(text, at), code;
    Closing closing = ReadClosing(line, open, &code);
    if (closing != Closing::kNone && quotes.open() && closed_at == 0) {
      closed_at = *at;
      size_then = block.text.size();
      if (closing == Closing::kGlued) closing = Closing::kNone;
    }
    if (closing != Closing::kNone && !quotes.open()) {
      if (closing == Closing::kGlued) AppendLine(code, open.indent, &block.text);
      block.closed = true;
      return block;
    }
    AppendLine(line, open.indent, &block.text);
    quotes.Read(line);
    if (!quotes.open()) closed_at = 0;
  }
  if (quotes.open() && closed_at != 0) {
    block.text.resize(size_then);
    block.closed = true;
    *at = closed_at;
  }
  return block;
}

std::vector<Block> FencedBlocks(std::string_view text) {
  std::vector<Block> blocks;
  size_t at = 0;
  while (at < text.size()) {
    Fence open;
    const size_t start = at;
    std::string_view line = NextLine(text, &at);
    if (!ReadFence(line, &open) && !ReadGluedOpening(line, &open)) continue;
    Block block = ReadBlock(text, open, &at);
    block.start = start;
    if (StartsWith(block.text, kByteOrderMark)) block.text.erase(0, kByteOrderMark.size());
    blocks.push_back(std::move(block));
  }
  return blocks;
}

bool IsWordChar(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0;
}

// "def name", "class name", "async def name" at the line's start, whatever the spaces.
bool LineDefines(std::string_view line, std::string_view name) {
  auto eat = [&line](std::string_view word) {
    if (!StartsWith(line, word) || line.size() == word.size() || IsWordChar(line[word.size()]))
      return false;
    line.remove_prefix(word.size());
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    return true;
  };
  eat("async");
  if (!eat("def") && !eat("class")) return false;
  return StartsWith(line, name) && (line.size() == name.size() || !IsWordChar(line[name.size()]));
}

// Whether an unindented line can stand in a program; prose mostly cannot.
bool LooksLikeCode(std::string_view line) {
  static constexpr std::array<std::string_view, 20> kStarts = {
      "import ", "from ", "def ",   "class ", "@",    "#",      "\"",     "'", "if ", "else",
      "elif ",   "try",   "except", "with ",  "for ", "while ", "async ", ")", "]",   "}"};
  for (std::string_view start : kStarts) {
    if (!StartsWith(line, start)) continue;
    if (start == "from ") return line.find(" import") != std::string_view::npos;
    if (start == "import ")
      return line.find('.') == std::string_view::npos || !EndsWith(Trim(line), ".");
    return true;
  }
  size_t end = 0;
  while (end < line.size() &&
         (IsWordChar(line[end]) || line[end] == '.' || line[end] == '[' || line[end] == ']'))
    ++end;
  if (end == 0) return false;
  std::string_view rest = Trim(line.substr(end));
  return StartsWith(rest, "=") || StartsWith(rest, "(") || StartsWith(rest, ",") ||
         StartsWith(rest, "+=") ||
         (StartsWith(rest, ":") && rest.find('=') != std::string_view::npos);
}

// Offset of the line that defines `name` in `code`, or npos; prose before it makes it npos too.
size_t FindDefinition(std::string_view code, std::string_view name, bool code_only) {
  size_t at = 0;
  std::string_view quote;  // inside of a triple-quoted text
  while (at < code.size()) {
    size_t start = at;
    std::string_view line = NextLine(code, &at);
    if (quote.empty() && LineDefines(line, name)) return start;
    bool in_text = !quote.empty();
    for (size_t i = 0; i + 3 <= line.size(); ++i) {
      std::string_view three = line.substr(i, 3);
      if (quote.empty() ? three == "\"\"\"" || three == "'''" : three == quote) {
        quote = quote.empty() ? three : std::string_view();
        i += 2;
      }
    }
    bool indented = !line.empty() && (line[0] == ' ' || line[0] == '\t');
    if (code_only && !in_text && !indented && !Trim(line).empty() && !LooksLikeCode(line)) {
      return std::string_view::npos;
    }
  }
  return std::string_view::npos;
}

// Without the decorators that belong to the definition which follows.
std::string_view DropDecorators(std::string_view before) {
  while (true) {
    std::string_view trimmed = before;
    while (!trimmed.empty() && (trimmed.back() == '\n' || trimmed.back() == '\r'))
      trimmed.remove_suffix(1);
    size_t start = trimmed.rfind('\n');
    start = start == std::string_view::npos ? 0 : start + 1;
    if (start >= trimmed.size() || trimmed[start] != '@') return before;
    before = before.substr(0, start);
  }
}

}  // namespace

namespace {

// Blocks that show something else than a program, where the program bears no label of its language.
bool ShowsSomethingElse(std::string_view tag) {
  static constexpr std::string_view kOther[] = {
      "text", "txt",  "output", "console", "plaintext", "plain", "json",    "diff",
      "log",  "yaml", "xml",    "html",    "markdown",  "md",    "example", "stdout"};
  const std::string lower = AsciiLower(tag);
  return std::find(std::begin(kOther), std::end(kOther), lower) != std::end(kOther);
}

bool IsBlank(std::string_view text) { return Trim(text).empty(); }

std::string_view FirstLine(std::string_view text) {
  size_t at = 0;
  std::string_view line;
  while (at < text.size() && IsBlank(line)) line = NextLine(text, &at);
  return line;
}

std::string_view LastLine(std::string_view text) {
  text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
  size_t at = text.rfind('\n');
  return at == std::string_view::npos ? text : text.substr(at + 1);
}

bool IsCodeLine(std::string_view line) {
  return !line.empty() && (line[0] == ' ' || line[0] == '\t' || LooksLikeCode(line));
}

// From the first line that can stand in a program.
std::string_view DropProse(std::string_view text) {
  for (size_t at = 0; at < text.size();) {
    const size_t start = at;
    if (IsCodeLine(NextLine(text, &at))) return text.substr(start);
  }
  return text;
}

// The program that stands before a closing fence which nothing opened; empty if the fence opens something.
std::string_view BeforeStrayFence(std::string_view reply, const Block& block) {
  if (block.closed || !block.tag.empty() || IsCodeLine(FirstLine(block.text))) return {};
  std::string_view before = reply.substr(0, block.start);
  if (!IsCodeLine(LastLine(before))) return {};
  return DropProse(before);
}

// The block to run: the last of the language, else the last that may be one, else the last. Where the tests call names and the
// last does not define any, the last that does.
Block* ChooseBlock(std::vector<Block>* blocks, std::string_view language,
                   const std::vector<std::string>& names) {
  std::vector<Block*> tagged, others;
  for (Block& block : *blocks) {
    if (IsBlank(block.text)) continue;
    if (TagIs(block.tag, language)) tagged.push_back(&block);
    if (!ShowsSomethingElse(block.tag)) others.push_back(&block);
  }
  const std::vector<Block*>& list = tagged.empty() ? others : tagged;
  if (list.empty()) return &blocks->back();
  for (auto block = list.rbegin(); block != list.rend(); ++block) {
    for (const std::string& name : names) {
      if (DefinesAtTopLevel((*block)->text, name)) return *block;
    }
  }
  return list.back();
}

}  // namespace

ProgramText ExtractProgram(std::string_view reply, std::string_view language,
                           const std::vector<std::string>& names) {
  constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  size_t close = reply.rfind(kClose);
  if (close != std::string_view::npos) {
    reply.remove_prefix(close + kClose.size());
  } else if (StartsWith(Trim(reply), kOpen)) {
    return {};
  }
  if (StartsWith(reply, kByteOrderMark)) reply.remove_prefix(kByteOrderMark.size());
  std::vector<Block> blocks = FencedBlocks(reply);
  if (blocks.empty()) return {std::string(reply), false};
  if (blocks.size() == 1) {
    std::string_view before = BeforeStrayFence(reply, blocks[0]);
    if (!before.empty()) return {std::string(before), false};
  }
  return {std::move(ChooseBlock(&blocks, language, names)->text), true};
}

std::string_view CutAtStopWords(std::string_view text) {
  size_t cut = text.size();
  for (std::string_view word : {"\nclass", "\ndef", "\n#", "\nif", "\nprint"}) {
    cut = std::min(cut, text.find(word));
  }
  return text.substr(0, cut);
}

CodePrompt ReadCodePrompt(std::string_view prompt, std::string_view entry_point) {
  if (entry_point.empty()) return {};
  std::string code;
  for (Block& block : FencedBlocks(prompt)) {
    if (FindDefinition(block.text, entry_point, false) != std::string_view::npos)
      code = std::move(block.text);
  }
  if (code.empty()) {
    if (FindDefinition(prompt, entry_point, true) == std::string_view::npos) return {};
    code = std::string(prompt);
  }
  size_t definition = FindDefinition(code, entry_point, false);
  CodePrompt result;
  result.before = std::string(DropDecorators(std::string_view(code).substr(0, definition)));
  result.code = std::move(code);
  return result;
}

bool IsAllCode(std::string_view text) {
  Quotes quotes;
  for (size_t at = 0; at < text.size();) {
    std::string_view line = NextLine(text, &at);
    if (!quotes.open() && !IsBlank(line) && !IsCodeLine(line)) return false;
    quotes.Read(line);
  }
  return true;
}

bool DefinesAtTopLevel(std::string_view program, std::string_view name) {
  return !name.empty() && FindDefinition(program, name, false) != std::string_view::npos;
}

std::vector<std::string> TopLevelClasses(std::string_view code) {
  std::vector<std::string> names;
  size_t at = 0;
  while (at < code.size()) {
    std::string_view line = NextLine(code, &at);
    bool is_class = StartsWith(line, "class ");
    if (is_class) line.remove_prefix(6);
    line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
    size_t end = 0;
    while (end < line.size() && IsWordChar(line[end])) ++end;
    std::string_view rest = Trim(line.substr(end));
    bool is_tuple =
        !is_class && StartsWith(rest, "=") && rest.find("namedtuple(") != std::string_view::npos;
    if (end > 0 && (is_class || is_tuple)) names.emplace_back(line.substr(0, end));
  }
  return names;
}

bool MentionsWord(std::string_view text, std::string_view word) {
  for (size_t at = text.find(word); at != std::string_view::npos; at = text.find(word, at + 1)) {
    bool starts = at == 0 || !IsWordChar(text[at - 1]);
    size_t end = at + word.size();
    if (starts && (end == text.size() || !IsWordChar(text[end]))) return true;
  }
  return false;
}

std::string JoinPromptAndCompletion(const CodePrompt& prompt, const ProgramText& completion,
                                    std::string_view entry_point, int64_t* first_line) {
  *first_line = 0;
  if (prompt.code.empty()) return completion.text;
  // The first line that says something: indented, it goes on in the body that the prompt opened.
  std::string_view text = completion.text;
  size_t at = 0;
  std::string_view line;
  while (at < text.size() && Trim(line).empty()) line = NextLine(text, &at);
  bool goes_on = !line.empty() && (line[0] == ' ' || line[0] == '\t');
  bool whole = !goes_on && DefinesAtTopLevel(text, entry_point);
  std::string program = whole ? prompt.before : prompt.code;
  *first_line = std::count(program.begin(), program.end(), '\n');
  if (whole && !program.empty() && program.back() != '\n') {
    program.push_back('\n');
    ++*first_line;
  }
  return program + completion.text;
}

}  // namespace assay
