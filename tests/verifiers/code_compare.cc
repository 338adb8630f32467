// Compares the judge with plain in-process running, in the same box. For each completion of a file of rows whose tests are
// asserts or a check(): the verdict of the `code` verifier, and whether program + tests in one process end without an
// exception. Prints a JSON line for each completion where they differ and a last line {"summary": {..}}; exit 1 if any differs.
//
//   assay_code_compare FILE [--labels FIELD]   with labels, in-process running is asked only where the verdict differs from
//                                              the label: what it confirms is explained (another machine, other packages)
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <thread>

#include "core/group_json.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "sandbox/sandbox.h"
#include "verifiers/code/code_task.h"
#include "verifiers/code/code_verifier.h"

namespace assay {
namespace {

struct Totals {
  int64_t completions = 0, passed = 0, in_process_passed = 0, labelled = 0, differ_from_label = 0,
          faults = 0;
  // The judge and in-process running differ. `stricter`: the judge fails what in-process running passes.
  int64_t stricter = 0, laxer = 0;
};

Json LimitsOf(const Limits& limits) {
  return Json::MakeObject()
      .Set("cpu_ms", limits.cpu_ms)
      .Set("wall_ms", limits.wall_ms)
      .Set("memory_mib", limits.memory_mib);
}

// The program and its tests in one text, as HumanEval's own harness runs them; "" where the row is of another kind.
std::string InOneProcess(const Json& info, const std::string& program) {
  std::string text = StrCat(program, "\n", info.StringOr("setup", ""), "\n");
  if (const Json* test = info.Find("test"); test != nullptr && test->IsString()) {
    StrAppend(&text, *test->AsString(), "\n");
    std::string_view entry = info.StringOr("entry_point", "");
    if (!entry.empty()) StrAppend(&text, "check(", entry, ")\n");
    return text;
  }
  const Json* asserts = info.Find("asserts");
  if (asserts == nullptr) return "";
  if (asserts->IsString()) StrAppend(&text, *asserts->AsString(), "\n");
  if (const Json::Array* list = asserts->AsArray()) {
    for (const Json& item : *list) StrAppend(&text, item.ScalarText(), "\n");
  }
  return text;
}

class Comparison {
 public:
  Comparison(Sandbox* sandbox, const Verifier* verifier, std::string labels)
      : sandbox_(sandbox), verifier_(verifier), labels_(std::move(labels)) {}

  void Add(const Json& row) {
    Result<Group> group = GroupFromJson(row);
    if (!group.ok()) return;
    CodeOptions options;
    options.limits = LimitsOf(limits);
    Result<CodeTask> task = ReadCodeTask(group->problem, options);
    if (!task.ok()) return;
    Json row_options = Json::MakeObject().Set("limits", options.limits);
    std::vector<Verdict> verdicts = verifier_->Verify(*group, &row_options);
    const Json* labels = labels_.empty() ? nullptr : row.Find(labels_);
    for (size_t i = 0; i < verdicts.size(); ++i) {
      const bool* label = labels == nullptr ? nullptr : (*labels->AsArray())[i].AsBool();
      One(*group, *task, i, verdicts[i], label);
    }
  }

  Totals totals;
  Limits limits;

 private:
  void One(const Group& group, const CodeTask& task, size_t i, const Verdict& verdict,
           const bool* label) {
    bool passed = verdict.outcome == Outcome::kPass;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      ++totals.completions;
      totals.passed += passed ? 1 : 0;
      totals.faults += verdict.outcome == Outcome::kFault ? 1 : 0;
      totals.labelled += label != nullptr ? 1 : 0;
      if (label != nullptr && *label != passed) ++totals.differ_from_label;
    }
    if (label != nullptr && *label == passed) return;
    Job job;
    job.source = InOneProcess(group.problem.verification_info,
                              BuildProgram(task, group.samples[i].text).text);
    job.limits = limits;
    if (job.source.empty()) return;
    RunResult run = sandbox_->Run(job);
    std::lock_guard<std::mutex> lock(mutex_);
    totals.in_process_passed += run.ok() ? 1 : 0;
    if (run.ok() == passed && label == nullptr) return;
    (passed ? totals.laxer : totals.stricter) += run.ok() != passed ? 1 : 0;
    Json line =
        Json::MakeObject().Set("id", group.problem.id).Set("completion", static_cast<int64_t>(i));
    line.Set("verdict", OutcomeName(verdict.outcome))
        .Set("reason", verdict.reason)
        .Set("detail", verdict.detail);
    line.Set("in_process", CauseName(run.cause)).Set("differs", run.ok() != passed);
    std::string_view last = Trim(run.stderr_bytes);
    size_t start = last.rfind('\n');
    line.Set("in_process_said",
             SanitizeUtf8(
                 Shorten(start == std::string_view::npos ? last : last.substr(start + 1), 200)));
    if (label != nullptr) line.Set("label", *label);
    printf("%s\n", line.Dump().c_str());
    fflush(stdout);
  }

  Sandbox* sandbox_;
  const Verifier* verifier_;
  std::string labels_;
  std::mutex mutex_;
};

Result<int> Main(const std::string& file, const std::string& labels) {
  SandboxConfig config;
  config.slots = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  auto sandbox = Sandbox::Create(config);
  if (!sandbox.ok()) return sandbox.error();
  VerifierEnv env;
  env.sandbox = sandbox->get();
  auto verifier = MakeCodeVerifier(Json(), env);
  if (!verifier.ok()) return verifier.error();
  auto reader = LineReader::Open(file);
  if (!reader.ok()) return reader.error();
  std::vector<Json> rows;
  LineReader::Line line;
  while (true) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) break;
    Result<Json> row = ParseJson(line.text);
    if (!row.ok()) return row.error();
    rows.push_back(std::move(row).value());
  }
  Comparison comparison(sandbox->get(), verifier->get(), labels);
  comparison.limits.cpu_ms = 3000;
  comparison.limits.wall_ms = 12000;
  comparison.limits.memory_mib = 1024;
  auto started = std::chrono::steady_clock::now();
  std::atomic<size_t> next = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < config.slots; ++i) {
    threads.emplace_back([&] {
      for (size_t at = next++; at < rows.size(); at = next++) comparison.Add(rows[at]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const Totals& t = comparison.totals;
  double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  Json summary = Json::MakeObject()
                     .Set("completions", t.completions)
                     .Set("passed", t.passed)
                     .Set("faults", t.faults);
  summary.Set("labelled", t.labelled).Set("differ_from_label", t.differ_from_label);
  summary.Set("in_process_passed", t.in_process_passed);
  summary.Set("stricter_than_in_process", t.stricter)
      .Set("laxer_than_in_process", t.laxer)
      .Set("seconds", seconds);
  printf("%s\n", Json::MakeObject().Set("summary", std::move(summary)).Dump().c_str());
  return t.stricter + t.laxer + t.faults == 0 ? 0 : 1;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  if (argc != 2 && !(argc == 4 && strcmp(argv[2], "--labels") == 0)) {
    fprintf(stderr, "usage: assay_code_compare FILE [--labels FIELD]\n");
    return 2;
  }
  assay::Result<int> done = assay::Main(argv[1], argc == 4 ? argv[3] : "");
  if (done.ok()) return *done;
  fprintf(stderr, "error: %s\n", done.error().message.c_str());
  return 2;
}
