// lists, strings: "write a function that ..", one operation after another, with tests whose results are computed here and a program
// that passes them. Judged by the verifier `code` in the sandbox.
#include <algorithm>
#include <functional>
#include <set>

#include "core/text.h"
#include "datagen/problems/kinds.h"

namespace assay {
namespace {

using Numbers = std::vector<int64_t>;

// What is done to a list xs: said, written in Python, and done. `n` is a drawn number.
struct ListOperation {
  std::string_view words, python;
  void (*apply)(int64_t n, Numbers* xs);
};

const std::vector<ListOperation>& ListOperations() {
  static const std::vector<ListOperation> kOperations = {
      {"sorts it in ascending order", "xs = sorted(xs)",
       [](int64_t, Numbers* xs) { std::sort(xs->begin(), xs->end()); }},
      {"sorts it in descending order", "xs = sorted(xs, reverse=True)",
       [](int64_t, Numbers* xs) { std::sort(xs->rbegin(), xs->rend()); }},
      {"reverses it", "xs = xs[::-1]",
       [](int64_t, Numbers* xs) { std::reverse(xs->begin(), xs->end()); }},
      {"adds {n} at the start", "xs = [{n}] + xs",
       [](int64_t n, Numbers* xs) { xs->insert(xs->begin(), n); }},
      {"adds {n} at the end", "xs = xs + [{n}]", [](int64_t n, Numbers* xs) { xs->push_back(n); }},
      {"removes all numbers below {n}", "xs = [x for x in xs if x >= {n}]",
       [](int64_t n, Numbers* xs) { std::erase_if(*xs, [n](int64_t x) { return x < n; }); }},
      {"keeps only even numbers", "xs = [x for x in xs if x % 2 == 0]",
       [](int64_t, Numbers* xs) { std::erase_if(*xs, [](int64_t x) { return x % 2 != 0; }); }},
      {"multiplies every number by {n}", "xs = [x * {n} for x in xs]",
       [](int64_t n, Numbers* xs) {
         for (int64_t& x : *xs) x *= n;
       }},
      {"adds {n} to every number", "xs = [x + {n} for x in xs]",
       [](int64_t n, Numbers* xs) {
         for (int64_t& x : *xs) x += n;
       }},
      {"removes repeated numbers, keeping the first of each", "xs = list(dict.fromkeys(xs))",
       [](int64_t, Numbers* xs) {
         std::set<int64_t> seen;
         std::erase_if(*xs, [&](int64_t x) { return !seen.insert(x).second; });
       }},
      {"keeps every second number, beginning with the first", "xs = xs[::2]",
       [](int64_t, Numbers* xs) {
         Numbers kept;
         for (size_t i = 0; i < xs->size(); i += 2) kept.push_back((*xs)[i]);
         *xs = kept;
       }},
      {"replaces it by its running sums",
       "import itertools\n    xs = list(itertools.accumulate(xs))", [](int64_t, Numbers* xs) {
         for (size_t i = 1; i < xs->size(); ++i) (*xs)[i] += (*xs)[i - 1];
       }}};
  return kOperations;
}

struct StringOperation {
  std::string_view words, python;
  void (*apply)(int64_t n, std::string* text);
};

void EachWord(std::string* text, void (*change)(std::string* word)) {
  std::string out;
  for (std::string_view piece : SplitChar(*text, ' ')) {
    if (piece.empty()) continue;  // as Python's split()
    std::string word(piece);
    change(&word);
    StrAppend(&out, out.empty() ? "" : " ", word);
  }
  *text = out;
}

void Upper(std::string* text) {
  for (char& c : *text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

const std::vector<StringOperation>& StringOperations() {
  static const std::vector<StringOperation> kOperations = {
      {"turns it into capital letters", "s = s.upper()",
       [](int64_t, std::string* text) { Upper(text); }},
      {"reverses its letters", "s = s[::-1]",
       [](int64_t, std::string* text) { std::reverse(text->begin(), text->end()); }},
      {"reverses the order of its words", "s = ' '.join(s.split()[::-1])",
       [](int64_t, std::string* text) {
         std::string out;
         for (std::string_view word : SplitChar(*text, ' ')) {
           if (!word.empty()) out = out.empty() ? std::string(word) : StrCat(word, " ", out);
         }
         *text = out;
       }},
      {"reverses each word in its place", "s = ' '.join(w[::-1] for w in s.split())",
       [](int64_t, std::string* text) {
         EachWord(text, [](std::string* word) { std::reverse(word->begin(), word->end()); });
       }},
      {"removes all vowels (a, e, i, o, u in either case)",
       "s = ''.join(c for c in s if c.lower() not in 'aeiou')",
       [](int64_t, std::string* text) {
         std::erase_if(*text, [](char c) {
           return std::string_view("aeiouAEIOU").find(c) != std::string_view::npos;
         });
       }},
      {"replaces every space by a hyphen", "s = s.replace(' ', '-')",
       [](int64_t, std::string* text) { std::replace(text->begin(), text->end(), ' ', '-'); }},
      {"keeps only its first {n} characters", "s = s[:{n}]",
       [](int64_t n, std::string* text) {
         text->resize(std::min(text->size(), static_cast<size_t>(n)));
       }},
      {"puts {n} exclamation marks at its end", "s = s + '!' * {n}",
       [](int64_t n, std::string* text) { text->append(static_cast<size_t>(n), '!'); }}};
  return kOperations;
}

// Operations that change what comes after them, or words at spaces that are gone, still have one meaning: they are done in order.
template <typename Operation>
struct Chain {
  std::vector<const Operation*> operations;
  std::vector<int64_t> numbers;
  std::string words, python;
  std::vector<std::string> lines;
};

template <typename Operation>
Chain<Operation> DrawChain(const std::vector<Operation>& all, int64_t length, int64_t highest,
                           Rng* rng) {
  Chain<Operation> chain;
  for (int64_t i = 0; i < length; ++i) {
    const Operation* operation = &DrawOne(all, rng);
    while (!chain.operations.empty() && operation == chain.operations.back())
      operation = &DrawOne(all, rng);
    const int64_t n = DrawBetween(2, highest, rng);
    chain.operations.push_back(operation);
    chain.numbers.push_back(n);
    StrAppend(&chain.words, i == 0 ? "" : (i + 1 == length ? ", and then " : ", "),
              FillIn(operation->words, {{"n", StrCat(n)}}));
    chain.lines.push_back(FillIn(operation->words, {{"n", StrCat(n)}}));
    StrAppend(&chain.python, "    ", FillIn(operation->python, {{"n", StrCat(n)}}), "\n");
  }
  return chain;
}

std::string PythonList(const Numbers& xs) {
  std::string text = "[";
  for (size_t i = 0; i < xs.size(); ++i) StrAppend(&text, i == 0 ? "" : ", ", xs[i]);
  return text + "]";
}

DrawnProblem ProgramProblem(const std::string& prompt, const std::string& program, Json asserts,
                            const std::vector<std::string>& steps) {
  DrawnProblem problem;
  problem.task = "code";
  problem.prompt = prompt;
  problem.program = program;
  problem.steps = steps;
  problem.content = program;
  problem.verification_info.Set("language", "python")
      .Set("asserts", std::move(asserts))
      .Set("reference", program);
  return problem;
}

}  // namespace

// Level L: L operations one after another.
DrawnProblem DrawListProgram(int64_t level, std::string_view /*language*/, Rng* rng) {
  const auto chain = DrawChain(ListOperations(), level, 9, rng);
  Json asserts = Json::MakeArray();
  for (int test = 0; test < 6; ++test) {
    Numbers xs;
    for (int64_t i = test == 0 ? 0 : DrawBetween(1, 8, rng); i > 0; --i)
      xs.push_back(DrawBetween(-9, 20, rng));
    const std::string before = PythonList(xs);
    for (size_t i = 0; i < chain.operations.size(); ++i)
      chain.operations[i]->apply(chain.numbers[i], &xs);
    asserts.Append(StrCat("assert solve(", before, ") == ", PythonList(xs)));
  }
  return ProgramProblem(
      StrCat("Write a Python function `solve(xs)` that takes a list of integers, ", chain.words,
             ", and returns the result."),
      StrCat("def solve(xs):\n", chain.python, "    return xs\n"), std::move(asserts), chain.lines);
}

DrawnProblem DrawStringProgram(int64_t level, std::string_view /*language*/, Rng* rng) {
  static const std::vector<std::string> kWords = {"red",  "Apple", "stone", "blue", "Quiet",
                                                  "moon", "eel",   "Tiger", "oak",  "winter"};
  const auto chain = DrawChain(StringOperations(), level, 6, rng);
  Json asserts = Json::MakeArray();
  for (int test = 0; test < 6; ++test) {
    std::string text = DrawOne(kWords, rng);
    for (int64_t i = DrawBetween(0, 3, rng); i > 0; --i)
      StrAppend(&text, " ", DrawOne(kWords, rng));
    const std::string before = text;
    for (size_t i = 0; i < chain.operations.size(); ++i)
      chain.operations[i]->apply(chain.numbers[i], &text);
    asserts.Append(StrCat("assert solve('", before, "') == '", text, "'"));
  }
  return ProgramProblem(StrCat("Write a Python function `solve(s)` that takes a text of words with "
                               "single spaces between them, ",
                               chain.words, ", and returns the result."),
                        StrCat("def solve(s):\n", chain.python, "    return s\n"),
                        std::move(asserts), chain.lines);
}

}  // namespace assay
