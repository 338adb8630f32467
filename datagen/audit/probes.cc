#include "datagen/audit/probes.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "core/text.h"
#include "verifiers/code/code_task.h"

namespace assay::audit {
namespace {

using Kind = Probe::Kind;

constexpr size_t kNumbersMax = 40;

// What tests call that Python has by itself: a program that defines it would break the tests.
const std::set<std::string_view>& BuiltinNames() {
  static const std::set<std::string_view> kNames = {
      "abs",     "all",       "any",        "bool",      "bytes",   "callable",  "chr",
      "complex", "dict",      "divmod",     "enumerate", "float",   "frozenset", "getattr",
      "hasattr", "int",       "isinstance", "iter",      "len",     "list",      "map",
      "max",     "min",       "next",       "open",      "ord",     "pow",       "print",
      "range",   "repr",      "reversed",   "round",     "set",     "sorted",    "str",
      "sum",     "super",     "tuple",      "type",      "zip",     "Exception", "ValueError",
      "check",   "candidate", "deepcopy",   "Counter",   "isclose", "assert",    "in",
      "and",     "or",        "not",        "if"};
  return kNames;
}

// A program in which all that the tests may call gives `value`; `first` is what stands before.
std::string Gives(const std::vector<std::string>& names, std::string_view value,
                  std::string_view first = "") {
  std::string program(first);
  for (const std::string& name : names) {
    if (name == "Solution" || BuiltinNames().count(name) != 0) continue;
    StrAppend(&program, "def ", name, "(*args, **kwargs):\n    return ", value, "\n");
  }
  StrAppend(
      &program,
      "class Solution:\n    def __getattr__(self, name):\n        return lambda *args, **kwargs: ",
      value, "\n");
  return program;
}

// "f(1, 2)" -> "1, 2"; "" if it is no call.
std::string_view ArgumentsOf(std::string_view call) {
  call = Trim(call);
  const size_t open = call.find('(');
  if (open == std::string_view::npos || !EndsWith(call, ")")) return "";
  return call.substr(open + 1, call.size() - open - 2);
}

// The prompt's examples (">>> f(1)" and the line behind it, "assert f(1) == 2") as pairs of a dictionary's text.
std::string ExamplesTable(std::string_view prompt) {
  std::string table;
  const std::vector<std::string_view> lines = SplitChar(prompt, '\n');
  for (size_t i = 0; i < lines.size(); ++i) {
    std::string_view line = Trim(lines[i]), call, result;
    if (StartsWith(line, ">>>") && i + 1 < lines.size()) {
      call = line.substr(3);
      result = Trim(lines[i + 1]);
    } else if (StartsWith(line, "assert ")) {
      const size_t equal = line.rfind("==");
      if (equal == std::string_view::npos) continue;
      call = line.substr(7, equal - 7);
      result = Trim(line.substr(equal + 2));
    }
    const std::string_view arguments = ArgumentsOf(call);
    if (arguments.empty() || result.empty() || table.size() > 20000) continue;
    StrAppend(&table, "_add(lambda: _args(", arguments, "), lambda: ", result, ")\n");
  }
  return table;
}

std::string ByHeart(const std::vector<std::string>& names, std::string_view table) {
  const std::string first = StrCat(
      "_known = []\ndef _args(*args, **kwargs):\n    return repr((args, kwargs))\n"
      "def _add(args, value):\n    try:\n        _known.append((args(), value()))\n    except "
      "Exception:\n        pass\n",
      table,
      "def _answer(args, kwargs):\n    for known, value in _known:\n        if known == "
      "repr((args, kwargs)):\n"
      "            return value\n    return _known[0][1] if _known else None\n");
  return Gives(names, "_answer(args, kwargs)", first);
}

// What the prompt shows of the row's cases for standard streams.
std::string StreamsByHeart(const CodeTask& task, std::string_view prompt) {
  Json table = Json::MakeObject();
  std::string first;
  for (const StdioCase& test : task.stdio) {
    const std::string_view input = Trim(test.input), output = Trim(test.output);
    if (input.empty() || output.empty() || prompt.find(input) == std::string_view::npos ||
        prompt.find(output) == std::string_view::npos)
      continue;
    table.Set(input, test.output);  // as it is: blank lines before it may count
    if (first.empty()) first = test.output;
  }
  return StrCat("import json, sys\nknown = json.loads(", Json(table.Dump()).Dump(),
                ")\nprint(known.get(sys.stdin.read().strip(), ", Json(first).Dump(),
                "), end='')\n");
}

void AddStreamProbes(const CodeTask& task, const Problem& problem, std::vector<Probe>* probes) {
  for (const char* text : {"0", "1", "-1", "2", "YES", "NO", "Yes", "No"})
    probes->push_back({StrCat("prints ", text), Kind::kGuess, StrCat("print(\"", text, "\")")});
  probes->push_back({"echoes its input", Kind::kNothing, "import sys\nprint(sys.stdin.read())"});
  probes->push_back({"ends early", Kind::kNothing, "import os\nos._exit(0)"});
  probes->push_back({"prints the examples", Kind::kNothing, StreamsByHeart(task, problem.prompt)});
}

void AddCallProbes(const CodeTask& task, const Problem& problem, std::vector<Probe>* probes) {
  std::vector<std::string> names = task.called;
  for (const char* value :
       {"None", "0", "1", "-1", "True", "False", "''", "[]", "{}", "()", "0.0", "set()"})
    probes->push_back({StrCat("returns ", value), Kind::kGuess, Gives(names, value)});
  probes->push_back(
      {"returns its argument", Kind::kGuess, Gives(names, "args[0] if args else None")});
  probes->push_back(
      {"prints the examples", Kind::kNothing, ByHeart(names, ExamplesTable(problem.prompt))});
  probes->push_back(
      {"equals anything", Kind::kNothing,
       Gives(names, "_Any(args[0]) if args else _Any()",
             "class _Any(int):\n    def __new__(cls, *args):\n        return int.__new__(cls, 0)\n"
             "    def __eq__(self, other):\n        return True\n    def __ne__(self, other):\n    "
             "    return False\n"
             "    def __lt__(self, other):\n        return True\n    __gt__ = __le__ = __ge__ = "
             "__lt__\n"
             "    def __bool__(self):\n        return True\n    def __hash__(self):\n        "
             "return 0\n")});
  probes->push_back({"ends early", Kind::kNothing,
                     Gives(names, "_end()", "import os\ndef _end():\n    os._exit(0)\n")});
  probes->push_back({"exits", Kind::kNothing,
                     Gives(names, "_end()", "import sys\ndef _end():\n    sys.exit(0)\n")});
  probes->push_back({"never ends its answer", Kind::kHang,
                     Gives(names, "itertools.repeat(0)", "import itertools\n")});
}

}  // namespace

std::string Frame::Around(std::string_view content) const { return StrCat(before, content, after); }

const std::vector<Frame>& AnswerFrames() {
  static const std::vector<Frame> kFrames = {
      {"box", "The answer is \\boxed{", "}."},
      {"sentence", "The answer is ", "."},
      {"bare", "", ""},
      {"hash", "So it is done.\n#### ", ""},
      {"think, box", "<think>\nStep by step.\n</think>\nThe answer is \\boxed{", "}."},
      {"think, answer", "<think>\nStep by step.\n</think>\n<answer>", "</answer>"},
      {"think, answer, box", "<think>\nStep by step.\n</think>\n<answer>\\boxed{", "}</answer>"},
      {"answer", "<answer>", "</answer>"}};
  return kFrames;
}

const std::vector<Frame>& ProgramFrames() {
  static const std::vector<Frame> kFrames = {
      {"block", "```python\n", "\n```"},
      {"think, block", "<think>\nStep by step.\n</think>\n```python\n", "\n```"},
      {"think, answer", "<think>\nStep by step.\n</think>\n<answer>\n```python\n",
       "\n```\n</answer>"},
      {"bare", "", ""}};
  return kFrames;
}

std::vector<std::string> NumbersIn(std::string_view text) {
  std::vector<std::string> numbers;
  for (size_t at = 0; at < text.size();) {
    if (std::isdigit(static_cast<unsigned char>(text[at])) == 0) {
      ++at;
      continue;
    }
    size_t end = at;
    while (end < text.size() && (std::isdigit(static_cast<unsigned char>(text[end])) != 0 ||
                                 ((text[end] == ',' || text[end] == '.') && end + 1 < text.size() &&
                                  std::isdigit(static_cast<unsigned char>(text[end + 1])) != 0)))
      ++end;
    std::string number(text.substr(at, std::min<size_t>(end - at, 40)));
    if (std::find(numbers.begin(), numbers.end(), number) == numbers.end() &&
        numbers.size() < kNumbersMax)
      numbers.push_back(std::move(number));
    at = end;
  }
  return numbers;
}

std::vector<Probe> AnswerProbes(const Problem& problem, const std::string& gold,
                                const Guesses& guesses) {
  std::vector<Probe> probes = {{"empty", Kind::kNothing, "", true},
                               {"does not know", Kind::kNothing, "I don't know", true},
                               {"the form alone", Kind::kNothing, "..."},
                               {"echoes the prompt", Kind::kNothing, problem.prompt, true},
                               {"all choices", Kind::kNothing, "A, B, C, D, E"},
                               {"says 0", Kind::kGuess, "0"},
                               {"says 1", Kind::kGuess, "1"},
                               {"says 2", Kind::kGuess, "2"}};
  if (!guesses.frequent.empty())
    probes.push_back({"the most frequent answer", Kind::kGuess, guesses.frequent});
  if (!guesses.other.empty()) {
    probes.push_back({"another row's answer", Kind::kGuess, guesses.other});
    probes.push_back(
        {"hedges", Kind::kNothing,
         StrCat("The answer is either \\boxed{", gold, "} or \\boxed{", guesses.other, "}."),
         true});
    probes.push_back({"hedges in one box", Kind::kNothing, StrCat(guesses.other, " or ", gold)});
  }
  const std::vector<std::string> numbers = NumbersIn(problem.prompt);
  if (!numbers.empty())
    probes.push_back({"the prompt's last number", Kind::kGuess, numbers.back()});
  if (numbers.size() > 1) {
    std::string all;
    for (const std::string& number : numbers) StrAppend(&all, all.empty() ? "" : ", ", number);
    probes.push_back({"every number of the prompt", Kind::kNothing, all});
  }
  return probes;
}

std::vector<Probe> ProgramProbes(const Problem& problem) {
  std::vector<Probe> probes = {{"empty", Kind::kNothing, "", true},
                               {"does not know", Kind::kNothing, "I don't know", true},
                               {"the form alone", Kind::kNothing, "pass"},
                               {"echoes the prompt", Kind::kNothing, problem.prompt, true}};
  const Result<CodeTask> task = ReadCodeTask(problem, CodeOptions());
  if (!task.ok() || task->language != "python") return probes;
  if (task->by_stdio()) {
    AddStreamProbes(*task, problem, &probes);
  } else {
    AddCallProbes(*task, problem, &probes);
  }
  return probes;
}

}  // namespace assay::audit
