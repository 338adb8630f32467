// assay_bench_score: how fast rows come in, are scored by a trivial verifier (`format`) and go out, on one core.
//   assay_bench_score [MIB=256] [FOLDER=/tmp]
// Prints one JSON line: MB/s (10^6 bytes) of simdjson alone, of our JSON Lines reading, and of the whole of read, score, write.
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "core/jsonl.h"
#include "core/rng.h"
#include "core/text.h"
#include "datagen/score/score_run.h"

namespace assay {
namespace {

double Seconds(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Groups of eight replies of about 1,500 characters, as reasoning models write them.
std::string MakeInput(size_t bytes) {
  Rng rng(1);
  static const char* kWords[] = {"the",          "sum",       "of",    "so",  "we", "get",
                                 "\\frac{1}{2}", "therefore", "x",     "=",   "12", "wait",
                                 "let",          "me",        "check", "\n\n"};
  std::string out;
  for (int64_t id = 0; out.size() < bytes; ++id) {
    Json row = Json::MakeObject();
    row.Set("id", StrCat("row-", id))
        .Set("task", "math")
        .Set("prompt", "What is the sum?")
        .Set("answer", "12");
    Json completions = Json::MakeArray();
    for (int sample = 0; sample < 8; ++sample) {
      std::string text = "<think>\n";
      while (text.size() < 1500) StrAppend(&text, kWords[rng.Below(16)], " ");
      completions.Append(StrCat(text, rng.Below(4) == 0 ? "" : "</think>\n\\boxed{12}"));
    }
    row.Set("completions", std::move(completions));
    row.AppendTo(&out);
    out.push_back('\n');
  }
  return out;
}

double ParseWithSimdjson(const std::string& input) {
  simdjson::dom::parser parser;
  int64_t found = 0;
  const double seconds = Seconds([&] {
    for (size_t at = 0; at < input.size();) {
      const size_t end = input.find('\n', at);
      simdjson::dom::element root;
      if (parser.parse(input.data() + at, end - at, true).get(root) == simdjson::SUCCESS) ++found;
      at = end + 1;
    }
  });
  return found > 0 ? static_cast<double>(input.size()) / seconds / 1e6 : 0;
}

double ParseWithOurs(const std::string& path, size_t bytes) {
  int64_t found = 0;
  const double seconds = Seconds([&] {
    auto reader = LineReader::Open(path);
    LineReader::Line line;
    while (*(*reader)->Next(&line)) {
      if (ParseJson(line.text, nullptr, /*padded=*/true).ok()) ++found;
    }
  });
  return found > 0 ? static_cast<double>(bytes) / seconds / 1e6 : 0;
}

double ScoreAll(const std::string& path, size_t bytes, int jobs) {
  auto rubric = Rubric::Make(*RubricFromNames("format"), {});
  ScoreRunOptions options;
  options.files = {path};
  options.output = path + ".out";
  options.jobs = jobs;
  options.with_times = false;
  const double seconds = Seconds([&] {
    Result<ScoreRunSummary> summary = ScoreFiles(options, **rubric);
    if (!summary.ok() || summary->bad_rows > 0) std::abort();
  });
  unlink(options.output.c_str());
  unlink((options.output + ".resume").c_str());
  return static_cast<double>(bytes) / seconds / 1e6;
}

int Main(int argc, char** argv) {
  const size_t bytes = (argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 256) << 20;
  const std::string path = StrCat(argc > 2 ? argv[2] : "/tmp", "/assay-bench-score.",
                                  static_cast<int64_t>(getpid()), ".jsonl");
  const std::string input = MakeInput(bytes);
  if (!WriteFileAtomic(path, input).ok()) return 1;
  double alone = 0, parse = 0, one = 0, two = 0;
  for (int round = 0; round < 3; ++round) {  // the best of three: the machine is shared
    alone = std::max(alone, ParseWithSimdjson(input));
    parse = std::max(parse, ParseWithOurs(path, input.size()));
    one = std::max(one, ScoreAll(path, input.size(), 1));
    two = std::max(two, ScoreAll(path, input.size(), 2));
  }
  unlink(path.c_str());
  std::printf("%s\n", Json()
                          .Set("bench", "score")
                          .Set("input_mb", static_cast<double>(input.size()) / 1e6)
                          .Set("simdjson_mb_s", alone)
                          .Set("jsonl_parse_mb_s", parse)
                          .Set("parse_ratio", parse / alone)
                          .Set("score_write_mb_s_j1", one)
                          .Set("score_write_mb_s_j2", two)
                          .Dump()
                          .c_str());
  return 0;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) { return assay::Main(argc, argv); }
