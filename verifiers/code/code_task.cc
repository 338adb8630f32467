#include "verifiers/code/code_task.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "core/hash.h"
#include "core/text.h"
#include "sandbox/identity.h"
#include "verifiers/verifier.h"

namespace assay {
namespace {

// What LeetCode's own judge imports before a Solution class, by name: star imports would hide `pow` and the like.
constexpr std::string_view kLeetCodeImports =
    "import bisect, collections, copy, datetime, functools, heapq, itertools, math, operator, "
    "random, re, string, sys\n"
    "from bisect import bisect_left, bisect_right, insort, insort_left, insort_right\n"
    "from collections import ChainMap, Counter, OrderedDict, defaultdict, deque, namedtuple\n"
    "from copy import deepcopy\n"
    "from functools import cache, cmp_to_key, lru_cache, partial, reduce\n"
    "from heapq import heapify, heappop, heappush, heappushpop, heapreplace, merge, nlargest, "
    "nsmallest\n"
    "from itertools import (accumulate, chain, combinations, combinations_with_replacement, count, "
    "cycle, groupby, islice,\n"
    "    pairwise, permutations, product, repeat, starmap, takewhile, zip_longest)\n"
    "from math import ceil, comb, factorial, floor, gcd, hypot, inf, isqrt, lcm, log, log10, log2, "
    "perm, "
    "pi, prod, sqrt\n"
    "from operator import add, and_, itemgetter, mul, or_, sub, xor\n"
    "from string import ascii_letters, ascii_lowercase, ascii_uppercase, digits\n"
    "from typing import *\n"
    // Both `bisect.bisect_left(a, x)` and `bisect(a, x)` are written without an import.
    "bisect.__class__ = type('module', (type(bisect),), {'__call__': lambda self, *a, **k: "
    "self.bisect_right(*a, **k)})\n";

constexpr std::string_view kListNode =
    "class ListNode:\n"
    "    def __init__(self, val=0, next=None):\n"
    "        self.val = val\n"
    "        self.next = next\n";
constexpr std::string_view kTreeNode =
    "class TreeNode:\n"
    "    def __init__(self, val=0, left=None, right=None):\n"
    "        self.val = val\n"
    "        self.left = left\n"
    "        self.right = right\n";

std::string CanonicalLanguage(std::string_view name) {
  std::string language = AsciiLower(name);
  for (auto [alias, known] :
       {std::pair{"python3", "python"}, std::pair{"py", "python"}, std::pair{"cpp", "c++"},
        std::pair{"cc", "c++"}, std::pair{"cxx", "c++"}, std::pair{"js", "javascript"},
        std::pair{"node", "javascript"}, std::pair{"sh", "bash"}, std::pair{"shell", "bash"}}) {
    if (language == alias) return known;
  }
  return language;
}

// One letter too many, too few, another, or two in each other's place; case and '-' for '_' count as none.
bool IsSlip(std::string_view word, std::string_view known) {
  std::string a = AsciiLower(word);
  std::replace(a.begin(), a.end(), '-', '_');
  const std::string b(known);
  if (a == b) return true;
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) > 1) return false;
  const size_t front = static_cast<size_t>(
      std::mismatch(a.begin(), a.begin() + static_cast<ptrdiff_t>(std::min(a.size(), b.size())),
                    b.begin())
          .first -
      a.begin());
  const std::string rest_a = a.substr(front), rest_b = b.substr(front);
  if (a.size() > b.size()) return rest_a.substr(1) == rest_b;
  if (a.size() < b.size()) return rest_a == rest_b.substr(1);
  if (rest_a.substr(1) == rest_b.substr(1)) return true;
  return rest_a.size() > 1 && rest_a[0] == rest_b[1] && rest_a[1] == rest_b[0] &&
         rest_a.substr(2) == rest_b.substr(2);
}

// What the interpreter itself may need: no program could run with less.
constexpr int64_t kPythonMemoryMib = 32;

Error Bad(std::string message) { return {ErrorCode::kInput, std::move(message), ""}; }

// Rows compute some of them, so a fraction is no error.
Options LimitTable(Limits* l) {
  static_assert(sizeof(Limits) == 12 * sizeof(int64_t), "every limit is listed here");
  Options table("limit");
  const auto add = [&](std::string_view name, int64_t* out, std::string_view help) {
    table.Add(name, out, help).DropFractions().Range(1, 1e12);
  };
  add("cpu_ms", &l->cpu_ms, "user and system time of the whole box");
  add("wall_ms", &l->wall_ms, "time on the clock, waiting included");
  add("memory_mib", &l->memory_mib, "resident memory of the whole box, its files included");
  add("processes", &l->processes, "processes and threads alive at once");
  add("output_bytes", &l->output_bytes, "standard output and error together");
  add("files", &l->files, "files and folders in the box");
  add("disk_mib", &l->disk_mib, "what the box's files take");
  add("stack_mib", &l->stack_mib, "stack of the main thread");
  add("open_files", &l->open_files, "open files of one process");
  add("tester_cpu_ms", &l->tester_cpu_ms, "processor time of the tests for one completion");
  add("tester_memory_mib", &l->tester_memory_mib, "resident memory of the tests");
  add("compile_cpu_ms", &l->compile_cpu_ms, "processor time of the compiler");
  return table;
}

Status ReadLimits(const Json& json, Limits* limits) {
  Status status = LimitTable(limits).Read(json);
  if (status.ok()) return status;
  const Error& error = status.error();
  return Bad(error.hint.empty() ? error.message : StrCat(error.message, " (", error.hint, ")"));
}

// An output may keep a special judge busy for a second and twice what the program itself may use; or as long as is asked for.
int64_t CheckerCpuMs(std::initializer_list<const Json*> given, const Limits& limits) {
  for (const Json* json : given) {
    if (json != nullptr && json->Find("tester_cpu_ms") != nullptr) return limits.tester_cpu_ms;
  }
  return std::min(limits.tester_cpu_ms, 1000 + 2 * limits.cpu_ms);
}

// The JSON values on the lines of `text`, as LiveCodeBench writes the arguments of a call; false if one does not parse.
bool JsonLines(std::string_view text, Json* list) {
  *list = Json::MakeArray();
  for (std::string_view line : SplitChar(text, '\n')) {
    if (Trim(line).empty()) continue;
    Result<Json> value = ParseJson(line);
    if (!value.ok()) return false;
    list->Append(std::move(value).value());
  }
  return true;
}

std::string StdioText(const Json& value) {
  if (const Json::Array* lines = value.AsArray()) {
    std::string text;
    for (const Json& line : *lines) StrAppend(&text, line.ScalarText(), "\n");
    return text;
  }
  return value.ScalarText();
}

// One element of test_cases, into `task->stdio` or `calls`.
Status ReadCase(const Json& test, std::string_view default_name, CodeTask* task, Json* calls) {
  if (!test.IsObject()) return Bad("a test case is not an object");
  const Json* input = test.Find("input");
  const Json* output = test.Find("output");
  // An interactor knows by itself what is right.
  if (output == nullptr && task->interactor.empty()) return Bad("a test case has no 'output'");
  std::string type(test.StringOr("type", test.StringOr("testtype", "")));
  std::string name(test.StringOr("fn_name", default_name));
  if (type.empty()) type = name.empty() ? "stdin_stdout" : "function_call";
  if (type == "stdin_stdout" || type == "stdin") {
    task->stdio.push_back(
        {input == nullptr ? "" : StdioText(*input), output == nullptr ? "" : StdioText(*output)});
    return {};
  }
  if (output == nullptr) return Bad("a test case has no 'output'");
  if (type != "function_call" && type != "functional")
    return Bad(StrCat("unknown type of test case '", type, "'"));
  if (name.empty()) return Bad("a function_call test has no 'fn_name'");
  Json args = input == nullptr ? Json::MakeArray() : *input;
  Json want = *output;
  if (args.IsString()) {  // LiveCodeBench: JSON text, one argument a line
    if (!JsonLines(*input->AsString(), &args))
      return Bad("the input of a function_call test is a string that is not JSON");
    if (const std::string* text = output->AsString()) {
      Result<Json> value = ParseJson(*text);
      if (value.ok()) want = std::move(value).value();
    }
  }
  if (!args.IsArray()) return Bad("the input of a function_call test is not a list of arguments");
  // Eurus' rows put each output into a list, others do not: their harness takes either.
  const bool wrapped =
      test.BoolOr("wrapped", false) && want.IsArray() && want.AsArray()->size() == 1;
  Json call = Json::MakeObject();
  call.Set("fn_name", name).Set("input", std::move(args)).Set("output", std::move(want));
  calls->Append(wrapped ? std::move(call.Set("wrapped", true)) : std::move(call));
  return {};
}

// {"inputs": [..], "outputs": [..], "fn_name"?} as test cases.
Result<Json> ZipCases(const Json& info) {
  const Json::Array* inputs = info.Find("inputs")->AsArray();
  const Json* outputs_value = info.Find("outputs");
  const Json::Array* outputs = outputs_value == nullptr ? nullptr : outputs_value->AsArray();
  if (inputs == nullptr || outputs == nullptr || inputs->size() != outputs->size()) {
    return Bad("'inputs' and 'outputs' are not lists of one length");
  }
  Json cases = Json::MakeArray();
  for (size_t i = 0; i < inputs->size(); ++i) {
    cases.Append(Json::MakeObject()
                     .Set("input", (*inputs)[i])
                     .Set("output", (*outputs)[i])
                     .Set("wrapped", true));
  }
  return cases;
}

// `interactor`: the source, or {"language", "source"}.
Status ReadInteractor(const Json& info, CodeTask* task) {
  const Json* given = info.Find("interactor");
  if (given == nullptr || given->IsNull()) return {};
  const Json* source = given->IsObject() ? given->Find("source") : given;
  if (source == nullptr || !source->IsString() || Trim(*source->AsString()).empty())
    return Bad("'interactor' is no program: give its source, or {\"language\", \"source\"}");
  task->interactor = *source->AsString();
  if (given->IsObject()) task->interactor_language = given->StringOr("language", "python");
  return {};
}

// A text, or a list of texts as its lines; absent: "".
Status ReadText(const Json& info, const char* key, std::string* out) {
  const Json* given = info.Find(key);
  if (given == nullptr || given->IsNull()) return {};
  if (given->IsString()) {
    *out = *given->AsString();
    return {};
  }
  const Json::Array* lines = given->AsArray();
  if (lines == nullptr) return Bad(StrCat("'", key, "' is neither a text nor a list of lines"));
  for (const Json& line : *lines) {
    if (!line.IsString()) return Bad(StrCat("'", key, "' holds something that is no text"));
    StrAppend(out, *line.AsString(), "\n");
  }
  return {};
}

// `checker`: the source, or {"language", "source"}.
Status ReadChecker(const Json& info, CodeTask* task) {
  const Json* given = info.Find("checker");
  if (given == nullptr || given->IsNull()) return {};
  const Json* source = given->IsObject() ? given->Find("source") : given;
  if (source == nullptr || !source->IsString())
    return Bad("'checker' is no program: give its source, or {\"language\", \"source\"}");
  if (given->IsObject())
    task->checker_language = CanonicalLanguage(given->StringOr("language", "python"));
  task->checker = *source->AsString();
  return {};
}

// `input_mode`: "stdio", or "file" as Codeforces has it.
Status ReadInputMode(const Json& info, CodeTask* task) {
  const std::string_view mode = info.StringOr("input_mode", "stdio");
  if (mode != "stdio" && mode != "file")
    return Bad(StrCat("'input_mode' is neither stdio nor file: '", Shorten(mode, 40), "'"));
  task->by_files = mode == "file";
  if (task->by_files && !task->interactor.empty())
    return Bad("'interactor' is for tests of standard streams");
  return {};
}

constexpr const char* kInfoKeys[] = {"test_cases", "asserts",    "entry_point", "setup",
                                     "checker",    "interactor", "language",    "limits",
                                     "allow",      "float_tol",  "partial",     "unordered",
                                     "reference",  "records",    "input_mode"};

// What is spelled almost as a key that would change the verdict would be ignored without a word.
Status CheckSpelling(const Json& info) {
  for (const Json::Member& member : *info.AsObject()) {
    for (const char* known : kInfoKeys) {
      if (member.key != known && info.Find(known) == nullptr && member.key.size() > 3 &&
          IsSlip(member.key, known)) {
        return Bad(StrCat("unknown key '", member.key, "': did you mean '", known, "'?"));
      }
    }
  }
  return {};
}

// What would be read as absent if it had another type.
Status CheckTypes(const Json& info) {
  for (const char* key : {"language", "entry_point", "fn_name", "func_name", "input_mode"}) {
    const Json* value = info.Find(key);
    if (value != nullptr && !value->IsNull() && !value->IsString())
      return Bad(StrCat("'", key, "' is not a text"));
  }
  for (const char* key : {"allow", "records"}) {
    const Json* value = info.Find(key);
    if (value != nullptr && !value->IsNull() && !value->IsArray())
      return Bad(StrCat("'", key, "' is not a list"));
  }
  const Json* reference = info.Find("reference");
  if (reference != nullptr && !reference->IsNull() && !reference->IsString())
    return Bad("'reference' is not a text");
  return CheckSpelling(info);
}

// The tests' part of the tester's specification; null if the row is about standard streams.
Result<Json> ReadTests(const Json& info, CodeTask* task) {
  const Json* asserts = info.Find("asserts");
  if (asserts == nullptr || asserts->IsNull())
    asserts = info.Find("assert_case");  // verl's name for it
  if (asserts != nullptr && !asserts->IsNull()) {
    Json texts = Json::MakeArray();
    if (asserts->IsString()) texts.Append(*asserts);
    if (asserts->IsArray()) texts = *asserts;
    if (!texts.IsArray() || texts.AsArray()->empty()) return Bad("'asserts' holds no test");
    for (const Json& text : *texts.AsArray()) {
      if (!text.IsString()) return Bad("'asserts' holds something that is no text");
    }
    return Json::MakeObject().Set("kind", "asserts").Set("texts", std::move(texts));
  }
  if (const Json* test = info.Find("test");
      test != nullptr && !test->IsNull() && !test->IsString() && !test->IsArray() &&
      info.Find("test_cases") == nullptr && info.Find("inputs") == nullptr) {
    return Bad("'test' is not a text");
  }
  std::string joined;
  if (const Json* list = info.Find("test"); list != nullptr && list->IsArray()) {
    if (Status read = ReadText(info, "test", &joined); !read.ok()) return read.error();
  }
  const Json as_text(joined);
  const Json* test = joined.empty() ? info.Find("test") : &as_text;
  if (test != nullptr && test->IsString()) {
    // Classes of unittest run by themselves; what defines no check() leaves nothing to call.
    const std::string& text = *test->AsString();
    const bool calls_check = text.find("check") != std::string::npos ||
                             info.StringOr("setup", "").find("check") != std::string_view::npos;
    const bool classes = text.find("TestCase") != std::string::npos;
    if (!task->entry_point.empty() && !calls_check && !classes)
      return Bad(
          "'test' defines no check(): define check(candidate), or give the tests as 'asserts'");
    if (task->entry_point.empty() || (!calls_check && classes)) {
      return Json::MakeObject()
          .Set("kind", "asserts")
          .Set("texts", Json::MakeArray().Append(*test));
    }
    return Json::MakeObject().Set("kind", "check").Set("text", *test);
  }
  Json cases;
  if (const Json* given = info.Find("test_cases"); given != nullptr && !given->IsNull()) {
    cases = *given;
  } else if (const Json* inputs = info.Find("inputs"); inputs != nullptr && !inputs->IsNull()) {
    Result<Json> zipped = ZipCases(info);
    if (!zipped.ok()) return zipped.error();
    cases = std::move(zipped).value();
  }
  if (!cases.IsArray() || cases.AsArray()->empty()) {
    return Bad("the row has no tests: give 'test_cases', 'asserts', or 'test' with 'entry_point'");
  }
  std::string_view name = info.StringOr("fn_name", info.StringOr("func_name", ""));
  Json calls = Json::MakeArray();
  for (const Json& test : *cases.AsArray()) {
    Status read = ReadCase(test, name, task, &calls);
    if (!read.ok()) return read.error();
  }
  if (calls.AsArray()->empty()) return Json();
  if (task->by_stdio()) return Bad("test cases of both kinds in one row");
  return Json::MakeObject().Set("kind", "calls").Set("cases", std::move(calls));
}

// Classes whose instances cross by value, and the text that defines the well-known ones where the row only mentions them.
void FindRecords(const Json& info, const Problem& problem, const std::string& tests_text,
                 CodeTask* task, Json* trusted) {
  if (!task->prompt.before.empty()) {
    trusted->Append(task->prompt.before);
    task->records = TopLevelClasses(task->prompt.before);
  }
  const std::string& setup = task->setup;
  for (auto [name, text] : {std::pair{"ListNode", kListNode}, std::pair{"TreeNode", kTreeNode}}) {
    bool mentioned = MentionsWord(problem.prompt, name) || MentionsWord(tests_text, name) ||
                     MentionsWord(setup, name);
    if (!mentioned || DefinesAtTopLevel(task->prompt.before, name) ||
        DefinesAtTopLevel(setup, name))
      continue;
    trusted->Append(text);
    task->prelude += text;
    task->records.push_back(name);
  }
  if (const Json* records = info.Find("records"); records != nullptr && records->IsArray()) {
    for (const Json& record : *records->AsArray()) task->records.push_back(record.ScalarText());
  }
  for (const std::string& name : TopLevelClasses(setup)) task->records.push_back(name);
}

// Names that the tests call: what the program defines.
std::vector<std::string> CalledNames(const Json& tests, std::string_view entry_point) {
  std::set<std::string> names = {"Solution"};
  if (!entry_point.empty()) names.emplace(entry_point.substr(0, entry_point.find('(')));
  if (const Json* cases = tests.Find("cases")) {
    for (const Json& test : *cases->AsArray()) names.emplace(test.StringOr("fn_name", ""));
  }
  if (const Json* texts = tests.Find("texts")) {
    for (const Json& text : *texts->AsArray()) {
      const std::string_view code = *text.AsString();
      for (size_t at = code.find('('); at != std::string_view::npos; at = code.find('(', at + 1)) {
        size_t start = at;
        while (start > 0 && (std::isalnum(static_cast<unsigned char>(code[start - 1])) != 0 ||
                             code[start - 1] == '_'))
          --start;
        if (start < at && (start == 0 || code[start - 1] != '.'))
          names.emplace(code.substr(start, at - start));
      }
    }
  }
  names.erase("");
  return {names.begin(), names.end()};
}

Status ReadTester(const Json& info, const Problem& problem, Json tests, CodeTask* task) {
  if (task->language != "python") return Bad("tests that call functions are for Python");
  task->called = CalledNames(tests, task->entry_point);
  std::string tests_text(tests.StringOr("text", ""));
  if (const Json* texts = tests.Find("texts")) {
    for (const Json& text : *texts->AsArray()) StrAppend(&tests_text, text.ScalarText(), "\n");
  }
  task->open_prompt = problem.prompt;
  bool is_check = tests.StringOr("kind", "") == "check";
  task->asks_calls = tests.StringOr("kind", "") == "calls";
  if (is_check) {
    const std::string name = task->entry_point.substr(0, task->entry_point.find('('));
    task->prompt = ReadCodePrompt(problem.prompt, name);
    // "Solution().twoSum": the prompt may be all that stands before the class.
    if (name != task->entry_point && task->prompt.code.empty() && IsAllCode(problem.prompt))
      task->prompt.code = task->prompt.before = problem.prompt;
  }
  Json trusted = Json::MakeArray();
  FindRecords(info, problem, tests_text, task, &trusted);
  Json records = Json::MakeArray();
  for (const std::string& record : task->records) records.Append(record);
  Json spec = Json::MakeObject();
  spec.Set("trusted", std::move(trusted)).Set("setup", task->setup);
  spec.Set("entry_point", task->entry_point).Set("records", std::move(records));
  spec.Set("tests", std::move(tests)).Set("partial", task->options.partial);
  spec.Set("unordered", task->options.unordered).Set("beside", task->options.beside);
  if (task->options.float_tol) spec.Set("float_tol", *task->options.float_tol);
  task->tester_spec = spec.Dump();
  task->tester_key = HashBytes128(task->tester_spec).Hex();
  return {};
}

constexpr size_t kShownBytes = 400;

// The sentence for a limit that ended a program.
std::string LimitSentence(Cause cause, const Limits& limits) {
  switch (cause) {
    case Cause::kCpuLimit:
      return StrCat("used more than ", limits.cpu_ms, " ms of CPU");
    case Cause::kWallLimit:
      return StrCat("took longer than ", limits.wall_ms, " ms");
    case Cause::kMemoryLimit:
      return StrCat("used more than ", limits.memory_mib, " MiB of memory");
    case Cause::kProcessLimit:
      return StrCat("started more than ", limits.processes, " processes");
    case Cause::kOutputLimit:
      return StrCat("wrote more than ", limits.output_bytes, " bytes");
    case Cause::kDiskLimit:
      return StrCat("filled its ", limits.disk_mib, " MiB of disk");
    case Cause::kPolicy:
      return "made a system call that is not allowed";
    case Cause::kSignal:
      return "was killed by a signal";
    case Cause::kWorkerLost:
      return "took the worker down";
    default:
      return "ended before it was tested";
  }
}

}  // namespace

std::string Shown(std::string_view bytes) {
  std::string text = Shorten(SanitizeUtf8(bytes.substr(0, 4 * kShownBytes)), kShownBytes);
  // Addresses differ from one run to the next; a verdict does not.
  for (size_t at = text.find("0x"); at != std::string::npos; at = text.find("0x", at + 2)) {
    size_t end = text.find_first_not_of("0123456789abcdef", at + 2);
    if (end == std::string::npos) end = text.size();
    if (end - at >= 8) text.replace(at + 2, end - at - 2, "..");
  }
  return text;
}

LastWords ReadTraceback(std::string_view text) {
  LastWords words;
  constexpr std::string_view kFile = "File \"main.py\", line ";
  if (size_t at = text.rfind(kFile); at != std::string_view::npos) {
    words.line = std::strtoll(std::string(text.substr(at + kFile.size(), 12)).c_str(), nullptr, 10);
  }
  words.traceback = text.find("Traceback (most recent call last)") != std::string_view::npos;
  std::string_view trimmed = Trim(text);
  size_t start = trimmed.rfind('\n');
  std::string_view last = start == std::string_view::npos ? trimmed : trimmed.substr(start + 1);
  words.sentence = Shown(last);
  words.type = std::string(last.substr(0, last.find_first_of(": ")));
  return words;
}

bool IsSyntaxErrorName(std::string_view type) {
  return type == "SyntaxError" || type == "IndentationError" || type == "TabError";
}

bool EndedByItsOwnFault(Cause cause) {
  switch (cause) {
    case Cause::kOk:
    case Cause::kNonzeroExit:
    case Cause::kFault:
    case Cause::kCompileError:
      return false;
    default:
      return true;
  }
}

bool IsRepeatable(Cause cause) {
  return cause != Cause::kWallLimit && cause != Cause::kWorkerLost && cause != Cause::kFault;
}

std::vector<std::string> MentionedSetup(const CodeTask& task, std::string_view program) {
  if (task.setup.empty()) return {};
  auto is_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0;
  };
  auto words_of = [&is_word](std::string_view text) {
    std::set<std::string_view> words;
    for (size_t at = 0, end = 0; at < text.size(); at = end + 1) {
      for (end = at; end < text.size() && is_word(text[end]);) ++end;
      if (end > at) words.insert(text.substr(at, end - at));
    }
    return words;
  };
  const std::set<std::string_view> of_setup = words_of(task.setup), of_program = words_of(program);
  std::vector<std::string> common;
  for (std::string_view word : of_setup) {
    if (of_program.count(word) != 0) common.emplace_back(word);
  }
  return common;
}

std::string TaskFingerprint(const CodeTask& task) {
  const CodeOptions& options = task.options;
  std::vector<std::string> flags;
  for (bool flag :
       {options.partial, options.inprocess, options.beside, options.unordered, options.measure})
    flags.push_back(StrCat(flag));
  flags.push_back(options.float_tol ? StrCat(*options.float_tol) : "");
  flags.push_back(StrCat(static_cast<int64_t>(options.match)));
  Limits limits = task.limits;
  flags.push_back(LimitTable(&limits).ToJson().Dump());
  flags.push_back(StrCat(task.by_files));
  std::vector<std::string> cases;
  for (const StdioCase& test : task.stdio) cases.insert(cases.end(), {test.input, test.output});
  return sandbox::SizedText({{task.language, task.checker, task.interactor,
                              task.interactor_language, task.tester_spec, task.entry_point},
                             flags,
                             task.allow,
                             task.records,
                             cases});
}

Verdict FailByCause(Cause cause, const Limits& limits) {
  return Verdict::Fail(CauseName(cause), StrCat("the program ", LimitSentence(cause, limits)));
}

Options CodeOptionTable(CodeOptions* o) {
  Options table = VerifierOptions("code");
  table.Add("partial", &o->partial, "the score is the fraction of tests passed");
  table.Add("cut", &o->cut_humaneval, {{"none", false}, {"humaneval", true}},
            "cut base-model text at HumanEval's stop words");
  table.Add("match", &o->match,
            {{"lines", OutputMatch::kLines},
             {"tokens", OutputMatch::kTokens},
             {"exact", OutputMatch::kExact}},
            "how standard output is compared");
  table.Add("float_tol", &o->float_tol, "how far numbers may differ").AtLeast(0).Below(1);
  table.Add("unordered", &o->unordered, "lists match in any order");
  Limits limits;
  table.Add("limits", &o->limits, "what a program may use").Keys(LimitTable(&limits).Infos());
  table.Add("check_reference", &o->check_reference,
            "a row whose `reference` fails its tests is a fault");
  table.Add("measure", &o->measure, {{"none", false}, {"bytecode", true}},
            "count the bytecodes of Python programs that pass");
  table.Add("judge", &o->judge,
            {{"auto", CodeJudge::kAuto},
             {"split", CodeJudge::kSplit},
             {"inprocess", CodeJudge::kInprocess}},
            "split: tests apart from the program; auto: beside it where they are about its own "
            "objects, marked `decided_by`; inprocess: always beside it, forgeable");
  table.Add("accept_forgeable", &o->accept_forgeable, "needed for judge = inprocess");
  return table;
}

Result<CodeOptions> ReadCodeOptions(const Json& json, const CodeOptions& base) {
  CodeOptions options = base;
  if (Status status = CodeOptionTable(&options).Read(json); !status.ok()) return status.error();
  options.inprocess = options.judge == CodeJudge::kInprocess;
  options.beside = options.judge != CodeJudge::kSplit;
  return options;
}

Result<CodeTask> ReadCodeTask(const Problem& problem, const CodeOptions& options) {
  const Json& info = problem.verification_info;
  if (!info.IsObject()) return Bad("the row has no tests ('verification_info')");
  if (Status types = CheckTypes(info); !types.ok()) return types.error();
  CodeTask task;
  // The row's own wishes come after the options: they are what its tests were written for.
  Json wishes = Json::MakeObject();
  for (const char* name : {"float_tol", "unordered", "partial", "cut", "match"}) {
    if (const Json* value = info.Find(name)) wishes.Set(name, *value);
  }
  Result<CodeOptions> merged = ReadCodeOptions(wishes, options);
  if (!merged.ok()) return merged.error();
  task.options = *merged;
  task.language = CanonicalLanguage(info.StringOr("language", "python"));
  task.entry_point = std::string(Trim(info.StringOr("entry_point", "")));
  if (Status read = ReadChecker(info, &task); !read.ok()) return read.error();
  if (Status read = ReadText(info, "setup", &task.setup); !read.ok()) return read.error();
  for (const Json* limits : {&options.limits, info.Find("limits")}) {
    if (limits == nullptr) continue;
    Status read = ReadLimits(*limits, &task.limits);
    if (!read.ok()) return read.error();
  }
  task.checker_cpu_ms = CheckerCpuMs({&options.limits, info.Find("limits")}, task.limits);
  if (const Json* allow = info.Find("allow"); allow != nullptr && allow->IsArray()) {
    for (const Json& item : *allow->AsArray()) task.allow.push_back(item.ScalarText());
  }
  if (task.language == "python")
    task.limits.memory_mib = std::max(task.limits.memory_mib, kPythonMemoryMib);
  if (Status read = ReadInteractor(info, &task); !read.ok()) return read.error();
  if (Status read = ReadInputMode(info, &task); !read.ok()) return read.error();
  if (const Json* reference = info.Find("reference"); reference != nullptr && reference->IsString())
    task.reference = *reference->AsString();
  Result<Json> tests = ReadTests(info, &task);
  if (!tests.ok()) return tests.error();
  if (!task.interactor.empty() && !task.by_stdio())
    return Bad("'interactor' is for tests of standard streams");
  if (!task.interactor.empty() && !task.checker.empty())
    return Bad("'interactor' and 'checker' are both given");
  if (task.options.inprocess && (tests->IsNull() || tests->StringOr("kind", "") == "calls")) {
    return Bad("judge = inprocess is for tests that are Python text ('test' or 'asserts')");
  }
  if (!tests->IsNull()) {
    Status read = ReadTester(info, problem, std::move(tests).value(), &task);
    if (!read.ok()) return read.error();
  }
  return task;
}

void ListTexts(CodeTask* task) {
  Result<Json> spec = ParseJson(task->tester_spec);
  ASSAY_CHECK(spec.ok());
  task->tester_spec = spec->Set("lists", true).Dump();
  task->tester_key = HashBytes128(task->tester_spec).Hex();
}

namespace {

// Whether a bare function needs what LeetCode's judge imports: most do not, and each import costs time.
bool MentionsImports(std::string_view program) {
  for (const char* name :
       {"List",        "Dict",      "Optional",  "Tuple",        "Set",         "Any",
        "Union",       "Callable",  "Iterable",  "deque",        "Counter",     "defaultdict",
        "heapq",       "heappush",  "heappop",   "heapify",      "bisect",      "math",
        "collections", "itertools", "functools", "lru_cache",    "cache",       "inf",
        "gcd",         "re",        "string",    "OrderedDict",  "accumulate",  "reduce",
        "sqrt",        "random",    "operator",  "permutations", "combinations"}) {
    if (MentionsWord(program, name)) return true;
  }
  return false;
}

}  // namespace

CodeProgram BuildProgram(const CodeTask& task, std::string_view reply) {
  ProgramText found = ExtractProgram(reply, task.language, task.called);
  if (task.options.cut_humaneval && !found.fenced)
    found.text = std::string(CutAtStopWords(found.text));
  if (Trim(found.text).empty()) return {};
  CodeProgram program;
  CodePrompt prompt = task.prompt;
  std::string_view start =
      std::string_view(found.text).substr(found.text.find_first_not_of("\r\n"));
  if (prompt.code.empty() && !found.fenced && (start[0] == ' ' || start[0] == '\t'))
    prompt.code = task.open_prompt;
  program.text = JoinPromptAndCompletion(prompt, found, task.entry_point, &program.first_line);
  std::string prelude = task.prelude;
  if (!task.by_stdio() && task.prompt.code == task.prompt.before &&
      (DefinesAtTopLevel(found.text, "Solution") ||
       (task.asks_calls && MentionsImports(found.text)))) {
    prelude = std::string(kLeetCodeImports) + prelude;
  }
  program.first_line += std::count(prelude.begin(), prelude.end(), '\n');
  program.text = prelude + program.text;
  return program;
}

}  // namespace assay
