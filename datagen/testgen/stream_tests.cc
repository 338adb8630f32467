#include "datagen/testgen/stream_tests.h"

#include <algorithm>
#include <utility>

#include "core/text.h"
#include "datagen/testgen/box_scripts.h"

namespace assay::testgen {
namespace {

constexpr size_t kReplyBytesMost = 200'000;
constexpr size_t kOutputBytesMost = 20'000;  // of a value that is proposed
constexpr size_t kLateMost = 3;              // inputs that take too long, then no more are tried

// A line that is a heading of that word: "### Sample Input 2:".
bool IsHeading(std::string_view line, std::string_view word) {
  const auto is_letter = [](char c) { return c >= 'a' && c <= 'z'; };
  while (!line.empty() && !is_letter(line.front())) line.remove_prefix(1);
  for (const std::string_view before : {"sample ", "example "}) {
    if (StartsWith(line, before)) line.remove_prefix(before.size());
  }
  if (!StartsWith(line, word)) return false;
  line.remove_prefix(word.size());
  if (StartsWith(line, "s")) line.remove_prefix(1);
  return line.empty() || !is_letter(line.front());
}

// Text as it is compared: no white space at line ends, no empty lines at the end.
std::string Settled(std::string_view text) {
  std::string out;
  for (std::string_view line : SplitChar(text, '\n')) {
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r'))
      line.remove_suffix(1);
    StrAppend(&out, line, "\n");
  }
  while (EndsWith(out, "\n")) out.pop_back();
  return out;
}

}  // namespace

bool AsksForProgram(const Problem& problem) {
  const Json& info = problem.verification_info;
  for (const Json* where : {&info, &problem.extra}) {
    for (const char* key : {"entry_point", "fn_name", "func_name"}) {
      if (!Trim(where->StringOr(key, "")).empty()) return false;
    }
  }
  if (const Json* cases = info.Find("test_cases"); cases != nullptr && cases->IsArray()) {
    for (const Json& test : *cases->AsArray()) {
      const std::string_view type = test.StringOr("type", test.StringOr("testtype", ""));
      if (!type.empty()) return type == "stdin_stdout" || type == "stdin";
    }
  }
  const std::string prompt = AsciiLower(problem.prompt);
  if (prompt.find("stdin") != std::string::npos ||
      prompt.find("standard input") != std::string::npos)
    return true;
  bool input = false, output = false;
  for (const std::string_view line : SplitChar(prompt, '\n')) {
    input |= IsHeading(line, "input");
    output |= IsHeading(line, "output");
  }
  return input && output;
}

std::string StreamSource(const std::string& input, const std::string& output) {
  return Json().Set("input", input).Set("output", output).Dump();
}

Json StreamCase(const std::string& source) {
  Result<Json> test = ParseJson(source);
  if (!test.ok() || !test->IsObject()) return Json();
  return Json()
      .Set("type", "stdin_stdout")
      .Set("input", std::string(test->StringOr("input", "")))
      .Set("output", std::string(test->StringOr("output", "")));
}

Result<Proposals> ProposeStreams(const Problem& problem, const std::vector<std::string>& replies,
                                 int64_t inputs, Sandbox* sandbox) {
  Json texts = Json::MakeArray();
  for (const std::string& reply : replies) texts.Append(reply.substr(0, kReplyBytesMost));
  const Json asked =
      Json().Set("prompt", problem.prompt).Set("replies", std::move(texts)).Set("inputs", inputs);
  const auto source = [](const Json& test) {
    return StreamSource(std::string(test.StringOr("input", "")),
                        std::string(test.StringOr("output", "")));
  };
  return RunProposer(kProposeStreams, asked, static_cast<int64_t>(replies.size()), source, sandbox);
}

std::vector<std::optional<std::string>> ObserveStreams(const CodeTask& task,
                                                       const std::string& program,
                                                       const std::vector<std::string>& inputs,
                                                       Sandbox* sandbox) {
  std::vector<std::optional<std::string>> values(inputs.size());
  Job job;
  job.language = task.language;
  job.source = program;
  job.limits = task.limits;
  size_t late = 0;
  for (size_t i = 0; i < inputs.size() && late < kLateMost; ++i) {
    job.stdin_bytes = inputs[i];
    const RunResult run = sandbox->Run(job);
    if (run.cause == Cause::kCompileError) break;
    late += run.cause == Cause::kCpuLimit || run.cause == Cause::kWallLimit;
    if (!run.ok() || run.stdout_truncated || run.stdout_bytes.size() > kOutputBytesMost) continue;
    std::string text = Settled(SanitizeUtf8(run.stdout_bytes));
    if (!text.empty()) values[i] = std::move(text);
  }
  return values;
}

}  // namespace assay::testgen
