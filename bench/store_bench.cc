// Store writes: rows of sample + verdict a second, through Store::AddGroup and Commit as scoring does, with all indexes and
// foreign keys, on disk, durable at every commit. One JSON line. Beside it runs the peer, Python's sqlite3 module with
// executemany on the same tables (bench/store_peer.py), alternately, so that both see the same noise.
//
//   assay_bench_store [SAMPLES] [TEXT_BYTES] [ROUNDS] [FOLDER] [keep]
//
// `keep`: no peer, and the last round's store stays in a new folder under FOLDER; the line names it.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string_view>

#include "core/advantage.h"
#include "core/text.h"
#include "datagen/store/store.h"

namespace assay {
namespace {

constexpr int kGroupSize = 8;

double Now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "error: %s\n", status.error().message.c_str());
  std::exit(2);
}

GroupScore MakeScore() {
  GroupScore score;
  score.labels = {"math"};
  std::vector<Reward> rewards;
  for (int i = 0; i < kGroupSize; ++i) {
    SampleScore& sample = score.samples.emplace_back();
    sample.verdicts.push_back(i % 2 == 0 ? Verdict::Pass() : Verdict::Fail("wrong_value"));
    sample.verdicts[0].evidence = Json().Set("answer", "42");
    sample.verdicts[0].ms = 0.1;
    sample.reward = i % 2 == 0 ? 1.0 : 0.0;
    rewards.push_back(sample.reward);
  }
  const std::vector<Advantage> advantages = GroupAdvantages(rewards);
  for (int i = 0; i < kGroupSize; ++i) score.samples[i].advantage = advantages[i];
  return score;
}

struct Timing {
  double wall = 0, cpu = 0;
  int64_t bytes = 0;
};

// Every text is new: the dearest case.
Timing WriteOnce(const std::string& path, int64_t samples, int text_bytes) {
  Group group;
  group.problem.task = "math";
  group.problem.answers = {"42"};
  group.samples.resize(kGroupSize);
  for (Sample& sample : group.samples) sample.finish_reason = "stop";
  const GroupScore score = MakeScore();
  const std::string filler(static_cast<size_t>(text_bytes), 'x');
  const double wall = Now(), cpu = CpuSeconds();
  {
    Result<std::unique_ptr<Store>> store = Store::Open(path, OpenMode::kCreate);
    Must(store.ok() ? Status() : Status(store.error()));
    RunInfo info;
    info.name = "bench";
    Result<RunId> run = (*store)->BeginRun(info, false);
    Must(run.ok() ? Status() : Status(run.error()));
    for (int64_t row = 0; row < samples / kGroupSize; ++row) {
      group.problem.id = StrCat("p", row);
      group.problem.prompt = StrCat("What is ", row, "?");
      for (int i = 0; i < kGroupSize; ++i) {
        std::string& text = group.samples[i].text;
        text.clear();
        StrAppend(&text, row, " ", i, " ");
        if (text.size() < filler.size()) text.append(filler, text.size());
      }
      const RowKey key{"in.jsonl", row + 1, {static_cast<uint64_t>(row), 1}};
      Must((*store)->AddGroup(*run, key, group, score, true));
      if ((*store)->ShouldCommit()) Must((*store)->Commit());
    }
    Must((*store)->FinishRun(*run));
  }  // closing checkpoints the WAL into the file
  return {Now() - wall, CpuSeconds() - cpu, static_cast<int64_t>(std::filesystem::file_size(path))};
}

// The peer's time; zeros where it does not run.
Timing PeerOnce(const std::string& path, int64_t samples, int text_bytes) {
  const char* source = std::getenv("ASSAY_SOURCE_DIR");
  const std::string script =
      StrCat(source != nullptr ? source : ASSAY_BENCH_SOURCE_DIR, "/bench/store_peer.py");
  FILE* pipe = popen(
      StrCat("/usr/bin/python3 '", script, "' '", path, "' ", samples, " ", text_bytes).c_str(),
      "r");
  if (pipe == nullptr) return {};
  Timing timing;
  const bool read = std::fscanf(pipe, "%lf %lf", &timing.wall, &timing.cpu) == 2;
  return pclose(pipe) == 0 && read ? timing : Timing{};
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

int Main(int argc, char** argv) {
  const int64_t samples = argc > 1 ? std::atoll(argv[1]) : 800'000;
  const int text_bytes = argc > 2 ? std::atoi(argv[2]) : 64;
  const int rounds = argc > 3 ? std::atoi(argv[3]) : 3;
  std::string folder = StrCat(argc > 4 ? argv[4] : "/var/tmp", "/assay-bench-store-XXXXXX");
  const bool keep = argc > 5 && std::string_view(argv[5]) == "keep";
  if (samples < kGroupSize || rounds < 1 || mkdtemp(folder.data()) == nullptr) return 2;
  std::vector<double> ours, cpu, peer, peer_cpu;
  int64_t bytes = 0;
  for (int round = 0; round < rounds; ++round) {
    const Timing timing = WriteOnce(StrCat(folder, "/ours", round, ".sqlite"), samples, text_bytes);
    ours.push_back(static_cast<double>(samples) / timing.wall);
    cpu.push_back(static_cast<double>(samples) / timing.cpu);
    bytes = timing.bytes;
    if (keep && round + 1 == rounds) break;
    const Timing other = PeerOnce(StrCat(folder, "/peer", round, ".sqlite"), samples, text_bytes);
    if (other.wall > 0) {
      peer.push_back(static_cast<double>(samples) / other.wall);
      peer_cpu.push_back(static_cast<double>(samples) / other.cpu);
    }
    for (const auto& entry : std::filesystem::directory_iterator(folder))
      std::filesystem::remove(entry.path());
  }
  if (!keep) std::filesystem::remove_all(folder);
  Json out;
  if (keep) out.Set("store", StrCat(folder, "/ours", rounds - 1, ".sqlite"));
  out.Set("bench", "store")
      .Set("samples", samples)
      .Set("text_bytes", text_bytes)
      .Set("rounds", rounds);
  // A row here is a sample with its verdict and its (new) text; with sample and verdict counted one by one it is twice that.
  out.Set("rows_per_s", Median(ours))
      .Set("rows_per_cpu_s", Median(cpu))
      .Set("file_bytes_per_row", static_cast<double>(bytes) / static_cast<double>(samples));
  if (!peer.empty()) {
    out.Set("python_sqlite3_rows_per_s", Median(peer)).Set("ratio", Median(ours) / Median(peer));
    out.Set("python_sqlite3_rows_per_cpu_s", Median(peer_cpu))
        .Set("cpu_ratio", Median(cpu) / Median(peer_cpu));
  }
  std::printf("%s\n", out.Dump().c_str());
  return 0;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) { return assay::Main(argc, argv); }
