// Compares the judge with plain in-process running, in the same box. For each completion of a file of rows whose tests are
// asserts or a check(): the verdict of the `code` verifier, and whether program + tests in one process end without an
// exception. Prints a JSON line for each completion where they differ and a last line {"summary": {..}}; exit 1 if any differs.
//
//   assay_code_compare FILE [--labels FIELD]   with labels, in-process running is asked only where the verdict differs from
//                                              the label: what it confirms is explained (another machine, other packages)
//
// Programs that loop cost what the limit allows, so it is tight at first; where that decides, both are asked again with a wide
// one.
#include <atomic>
#include <cstring>
#include <mutex>

#include "core/rows/group_json.h"
#include "tests/verifiers/code/code_tool.h"
#include "verifiers/code/code_task.h"

namespace assay {
namespace {

constexpr int64_t kTightCpuMs = 600;
constexpr int64_t kWideCpuMs = 5000;

struct Totals {
  int64_t completions = 0, passed = 0, in_process_passed = 0, labelled = 0, differ_from_label = 0,
          faults = 0;
  // The judge and in-process running differ. `stricter`: the judge fails what in-process running passes.
  int64_t stricter = 0, laxer = 0;

  bool good() const { return stricter + laxer + faults == 0; }
  Json ToJson() const {
    Json json = Json::MakeObject();
    for (auto [name, value] : {std::pair{"completions", completions}, std::pair{"passed", passed},
                               std::pair{"faults", faults}, std::pair{"labelled", labelled},
                               std::pair{"differ_from_label", differ_from_label},
                               std::pair{"in_process_passed", in_process_passed},
                               std::pair{"stricter_than_in_process", stricter},
                               std::pair{"laxer_than_in_process", laxer}})
      json.Set(name, value);
    return json;
  }
};

Limits LimitsFor(int64_t cpu_ms) {
  Limits limits;
  limits.cpu_ms = cpu_ms;
  limits.wall_ms = 4 * cpu_ms + 2000;
  limits.memory_mib = 1024;
  return limits;
}

bool EndedByTime(std::string_view cause) { return cause == "cpu_limit" || cause == "wall_limit"; }

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
  Comparison(const CodeTool& tool, std::string labels) : tool_(tool), labels_(std::move(labels)) {}

  void Add(const Json& row) {
    Result<Group> group = GroupFromJson(row);
    if (!group.ok()) return;
    Result<CodeTask> task = ReadCodeTask(group->problem, CodeOptions());
    if (!task.ok()) return;
    std::vector<Verdict> verdicts = Judge(*group, kTightCpuMs);
    const Json* labels = labels_.empty() ? nullptr : row.Find(labels_);
    for (size_t i = 0; i < verdicts.size(); ++i) {
      const bool* label = labels == nullptr ? nullptr : (*labels->AsArray())[i].AsBool();
      One(*group, *task, i, std::move(verdicts[i]), label);
    }
  }

  Totals totals;

 private:
  std::vector<Verdict> Judge(const Group& group, int64_t cpu_ms) const {
    Limits limits = LimitsFor(cpu_ms);
    Json options = Json::MakeObject().Set("limits", Json::MakeObject()
                                                        .Set("cpu_ms", limits.cpu_ms)
                                                        .Set("wall_ms", limits.wall_ms)
                                                        .Set("memory_mib", limits.memory_mib));
    return tool_.verifier->Verify(group, &options);
  }

  // The verdict of one sample with a wide limit.
  Verdict JudgeAgain(const Group& group, size_t i) const {
    Group single;
    single.problem = group.problem;
    single.samples = {group.samples[i]};
    return Judge(single, kWideCpuMs)[0];
  }

  void One(const Group& group, const CodeTask& task, size_t i, Verdict verdict, const bool* label) {
    auto passed = [&verdict] { return verdict.outcome == Outcome::kPass; };
    if (label != nullptr && *label && EndedByTime(verdict.reason)) verdict = JudgeAgain(group, i);
    RunResult run;
    bool replayed = label == nullptr || *label != passed();
    if (replayed) {
      Job job;
      job.source = InOneProcess(group.problem.verification_info,
                                BuildProgram(task, group.samples[i].text).text);
      job.limits = LimitsFor(kTightCpuMs);
      if (job.source.empty()) return;
      run = tool_.sandbox->Run(job);
      if (run.ok() != passed() &&
          (EndedByTime(CauseName(run.cause)) || EndedByTime(verdict.reason))) {
        verdict = JudgeAgain(group, i);
        job.limits = LimitsFor(kWideCpuMs);
        run = tool_.sandbox->Run(job);
      }
    }
    Count(verdict, label, replayed ? &run : nullptr);
    if (replayed && (run.ok() != passed() || label != nullptr))
      Report(group, i, verdict, run, label);
  }

  // `run` is null where in-process running was not asked.
  void Count(const Verdict& verdict, const bool* label, const RunResult* run) {
    const bool passed = verdict.outcome == Outcome::kPass;
    std::lock_guard<std::mutex> lock(mutex_);
    ++totals.completions;
    totals.passed += passed ? 1 : 0;
    totals.faults += verdict.outcome == Outcome::kFault ? 1 : 0;
    totals.labelled += label != nullptr ? 1 : 0;
    totals.differ_from_label += label != nullptr && *label != passed ? 1 : 0;
    if (run == nullptr) return;
    totals.in_process_passed += run->ok() ? 1 : 0;
    (passed ? totals.laxer : totals.stricter) += run->ok() != passed ? 1 : 0;
  }

  void Report(const Group& group, size_t i, const Verdict& verdict, const RunResult& run,
              const bool* label) {
    std::string_view said = Trim(run.stderr_bytes);
    if (size_t start = said.rfind('\n'); start != std::string_view::npos)
      said.remove_prefix(start + 1);
    Json line =
        Json::MakeObject().Set("id", group.problem.id).Set("completion", static_cast<int64_t>(i));
    line.Set("verdict", OutcomeName(verdict.outcome))
        .Set("reason", verdict.reason)
        .Set("detail", verdict.detail)
        .Set("in_process", CauseName(run.cause))
        .Set("differs", run.ok() != (verdict.outcome == Outcome::kPass))
        .Set("in_process_said", SanitizeUtf8(Shorten(said, 200)));
    if (label != nullptr) line.Set("label", *label);
    std::lock_guard<std::mutex> lock(mutex_);
    PrintLine(line);
  }

  const CodeTool& tool_;
  std::string labels_;
  std::mutex mutex_;
};

Result<int> Main(const std::string& file, const std::string& labels) {
  Result<CodeTool> tool = OpenCodeTool(0, /*cache=*/true);
  if (!tool.ok()) return tool.error();
  Result<std::vector<Json>> rows = ReadRows(file);
  if (!rows.ok()) return rows.error();
  Comparison comparison(*tool, labels);
  std::atomic<size_t> next = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < tool->sandbox->slots(); ++i) {
    threads.emplace_back([&] {
      for (size_t at = next++; at < rows->size(); at = next++) comparison.Add((*rows)[at]);
    });
  }
  for (std::thread& thread : threads) thread.join();
  PrintSummary(comparison.totals.ToJson(), *tool);
  return comparison.totals.good() ? 0 : 1;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  if (argc != 2 && !(argc == 4 && strcmp(argv[2], "--labels") == 0)) {
    fprintf(stderr, "usage: assay_code_compare FILE [--labels FIELD]\n");
    return 2;
  }
  return assay::ToolExit(assay::Main(argv[1], argc == 4 ? argv[3] : ""));
}
