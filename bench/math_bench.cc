// assay_bench_math: how many answers the math verifier checks on one core. Nothing is cached: every case is a group of
// its own, gold and reply are read and compared anew. Prints one JSON line: short cases (mode bare; built in, or --short
// FILE), long replies (mode completion; --long FILE, or built in), the slowest single case of each. Asserts nothing.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "verifiers/math/math_verifier.h"

namespace assay {
namespace {

struct Case {
  Group group;
  std::string id;
};

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

Case MakeCase(std::string_view gold, std::string_view reply, std::string_view id) {
  Case made;
  made.id = id;
  made.group.problem.answers = {std::string(gold)};
  made.group.samples.resize(1);
  made.group.samples[0].text = reply;
  return made;
}

// The everyday answers of mathematics sets, equal and unequal ones.
std::vector<Case> BuiltInShort() {
  static constexpr const char* kPairs[][2] = {
      {"18", "18"},
      {"18", "19"},
      {"\\frac{3}{4}", "0.75"},
      {"\\frac{3}{4}", "\\dfrac{6}{8}"},
      {"1,234", "1234"},
      {"3\\sqrt{13}", "\\sqrt{117}"},
      {"\\left( 3, \\frac{\\pi}{2} \\right)", "(3, \\pi/2)"},
      {"p - q", "-q + p"},
      {"x^2+2x+1", "(x+1)^2"},
      {"[-2, 7]", "-2 \\le x \\le 7"},
      {"2 \\sin b \\cos a", "2\\cos a\\sin b"},
      {"\\begin{pmatrix} 1 & 2 \\\\ 3 & 4 \\end{pmatrix}",
       "\\begin{bmatrix}1&2\\\\3&4\\end{bmatrix}"},
      {"\\text{Evelyn}", "Evelyn"},
      {"90^\\circ", "90"},
      {"y = 2x + 3", "2x - y + 3 = 0"},
      {"1 \\pm \\sqrt{19}", "1+\\sqrt{19}, 1-\\sqrt{19}"},
  };
  std::vector<Case> cases;
  for (const auto& pair : kPairs) cases.push_back(MakeCase(pair[0], pair[1], pair[0]));
  return cases;
}

std::vector<Case> BuiltInLong() {
  std::vector<Case> cases;
  for (int i = 0; i < 50; ++i) {
    std::string reply;
    for (int step = 1; reply.size() < 1900; ++step) {
      StrAppend(&reply, "Step ", step, ": we add $", i + step, "$ to the total, so that $S_{", step,
                "} = \\frac{", step * (i + step), "}{2}$ holds. ");
    }
    StrAppend(&reply, "Therefore the answer is $\\boxed{\\frac{", i + 1, "}{7}}$.");
    cases.push_back(MakeCase(StrCat("\\frac{", i + 1, "}{7}"), reply, StrCat("built-in ", i)));
  }
  return cases;
}

Result<std::vector<Case>> ReadCases(const std::string& path) {
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  if (!reader.ok()) return reader.error();
  std::vector<Case> cases;
  LineReader::Line line;
  for (;;) {
    const Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) return cases;
    const Result<Json> row = ParseJson(line.text);
    if (!row.ok()) return row.error();
    cases.push_back(
        MakeCase(row->StringOr("gold", ""), row->StringOr("pred", ""), row->StringOr("id", "")));
  }
}

// Rounds over all cases until `seconds` have gone by; the slowest case is the slowest of its fastest rounds.
Json Measure(const char* mode, const std::vector<Case>& cases, double seconds) {
  Json options = Json::MakeObject();
  options.Set("mode", mode);
  const Result<std::unique_ptr<Verifier>> verifier = MakeMathVerifier(options, VerifierEnv{});
  std::vector<double> fastest(cases.size(), 1e9);
  int64_t done = 0;
  int64_t passed = 0;
  int64_t bytes = 0;
  double spent = 0;
  while (spent < seconds) {
    const double round = CpuSeconds();
    for (size_t i = 0; i < cases.size(); ++i) {
      const double start = CpuSeconds();
      const Verdict verdict = (*verifier)->Verify(cases[i].group, nullptr).front();
      fastest[i] = std::min(fastest[i], CpuSeconds() - start);
      passed += verdict.outcome == Outcome::kPass;
      bytes += static_cast<int64_t>(cases[i].group.samples[0].text.size());
      ++done;
    }
    spent += CpuSeconds() - round;
  }
  const size_t slowest =
      static_cast<size_t>(std::max_element(fastest.begin(), fastest.end()) - fastest.begin());
  Json json = Json::MakeObject();
  json.Set("cases", static_cast<int64_t>(cases.size()))
      .Set("cases_per_cpu_second", static_cast<double>(done) / spent)
      .Set("mb_per_cpu_second", static_cast<double>(bytes) / spent * 1e-6)
      .Set("pass_share", static_cast<double>(passed) / static_cast<double>(done))
      .Set("slowest_ms", fastest[slowest] * 1e3)
      .Set("slowest_id", cases[slowest].id);
  return json;
}

int Main(int argc, char** argv) {
  std::vector<Case> short_cases = BuiltInShort();
  std::vector<Case> long_cases = BuiltInLong();
  double seconds = 2;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view word = argv[i];
    if (word == "--seconds") {
      seconds = std::max(0.01, std::atof(argv[i + 1]));
      continue;
    }
    Result<std::vector<Case>> cases = ReadCases(argv[i + 1]);
    if (!cases.ok() || cases->empty() || (word != "--short" && word != "--long")) {
      std::fprintf(stderr, "usage: assay_bench_math [--short FILE] [--long FILE] [--seconds S]\n");
      return 2;
    }
    (word == "--short" ? short_cases : long_cases) = std::move(*cases);
  }
  Json json = Json::MakeObject();
  json.Set("bench", "math")
      .Set("short", Measure("bare", short_cases, seconds))
      .Set("long", Measure("completion", long_cases, seconds));
  std::printf("%s\n", json.Dump().c_str());
  return 0;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) { return assay::Main(argc, argv); }
