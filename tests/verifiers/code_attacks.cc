// Runs a file of attacks through the `code` verifier, each function task asked in three shapes (calls, asserts, HumanEval-style
// check). Prints one JSON line an item and shape, and a last line {"summary": {..}}; exit 1 on any false pass, breach, leftover
// process or honest program that fails. It sets up what items need: a canary file on the host and a listener on an abstract
// socket. Items of risk "never" are not run.
//
//   assay_code_attacks FILE [--only ID-PREFIX]
#include <dirent.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <thread>

#include "core/json.h"
#include "core/jsonl.h"
#include "core/text.h"
#include "sandbox/sandbox.h"
#include "verifiers/code/code_verifier.h"

namespace assay {
namespace {

constexpr const char* kCanaryFolder = "/canary";
constexpr const char* kCanaryFile = "/canary/secret.txt";
constexpr const char* kCanaryText = "assay canary\n";

std::map<int, int> Parents() {
  std::map<int, int> parents;
  DIR* proc = opendir("/proc");
  while (dirent* entry = proc == nullptr ? nullptr : readdir(proc)) {
    int pid = atoi(entry->d_name);
    if (pid <= 0) continue;
    std::ifstream stat(StrCat("/proc/", pid, "/stat"));
    std::string text((std::istreambuf_iterator<char>(stat)), std::istreambuf_iterator<char>());
    size_t close = text.rfind(')');
    int parent = 0;
    char state = 0;
    if (close != std::string::npos &&
        sscanf(text.c_str() + close + 1, " %c %d", &state, &parent) == 2 && state != 'Z') {
      parents[pid] = parent;
    }
  }
  if (proc != nullptr) closedir(proc);
  return parents;
}

// Processes below this one. A box's orphans fall to its zygote, so nothing of ours is elsewhere.
int Descendants() {
  std::map<int, int> parents = Parents();
  int count = 0;
  for (auto [pid, parent] : parents) {
    for (int at = parent; at > 1; at = parents.count(at) ? parents[at] : 0) {
      if (at == getpid()) {
        ++count;
        break;
      }
    }
  }
  return count;
}

struct Surroundings {
  bool canary_file = false;
  int listener = -1;

  Surroundings() {
    mkdir(kCanaryFolder, 0755);
    std::ofstream(kCanaryFile) << kCanaryText;
    canary_file = Intact();
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    constexpr char kName[] = "\0assay-canary";
    memcpy(address.sun_path, kName, sizeof kName - 1);
    socklen_t size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + sizeof kName - 1);
    if (bind(listener, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
        listen(listener, 8) != 0) {
      close(listener);
      listener = -1;
    }
    setenv("ASSAY_CANARY_SECRET", "assay canary", 1);
  }
  ~Surroundings() {
    if (listener >= 0) close(listener);
    if (canary_file) unlink(kCanaryFile), rmdir(kCanaryFolder);
  }
  bool Intact() const {
    std::ifstream file(kCanaryFile);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    return text == kCanaryText;
  }
  // What is missing for an item, or "".
  std::string Missing(std::string_view needs) const {
    if (needs.find("file") != std::string_view::npos && !canary_file)
      return "cannot write /canary on this machine";
    if (needs.find("socket") != std::string_view::npos && listener < 0)
      return "cannot listen on the abstract socket";
#ifndef __x86_64__
    if (needs == "x86-64") return "not an x86-64 machine";
#endif
    return "";
  }
};

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

// (shape, problem) for every way of asking.
std::vector<std::pair<std::string, Problem>> Shapes(const Json& item) {
  std::vector<std::pair<std::string, Problem>> shapes;
  const Json& tests = *item.Find("tests");
  std::string name(item.Find("task")->StringOr("name", ""));
  auto add = [&](const char* shape, Json info) {
    Json limits = Json::MakeObject().Set("cpu_ms", 3000).Set("wall_ms", 6000);
    if (const Json* own = item.Find("limits")) {
      for (const Json::Member& member : *own->AsObject()) limits.Set(member.key, member.value);
    }
    Problem problem;
    problem.verification_info = std::move(info.Set("limits", std::move(limits)));
    shapes.emplace_back(shape, std::move(problem));
  };
  if (const Json* stdio = tests.Find("stdio")) {
    Json cases = Json::MakeArray();
    for (const Json& test : *stdio->AsArray()) {
      cases.Append(Json::MakeObject()
                       .Set("type", "stdin_stdout")
                       .Set("input", *test.Find("in"))
                       .Set("output", *test.Find("out")));
    }
    add("stdio", Json::MakeObject().Set("test_cases", std::move(cases)));
  }
  if (const Json* given = tests.Find("cases")) {
    Json cases = Json::MakeArray();
    for (const Json& test : *given->AsArray()) {
      cases.Append(Json::MakeObject()
                       .Set("fn_name", name)
                       .Set("input", *test.Find("args"))
                       .Set("output", *test.Find("expected")));
    }
    add("calls", Json::MakeObject().Set("test_cases", std::move(cases)));
  }
  if (const Json* asserts = tests.Find("asserts")) {
    add("asserts", Json::MakeObject().Set("asserts", *asserts));
    std::string check = "def check(candidate):\n";
    for (std::string_view line : SplitChar(*asserts->AsString(), '\n')) {
      StrAppend(&check, "    ", Replaced(std::string(line), StrCat(name, "("), "candidate("), "\n");
    }
    add("check", Json::MakeObject().Set("test", check).Set("entry_point", name));
  }
  return shapes;
}

struct Counts {
  int64_t items = 0, asked = 0, false_passes = 0, breaches = 0, leftovers = 0, honest_failed = 0,
          kept_from_tests = 0, faults = 0, skipped = 0;
};

class Runner {
 public:
  Runner(const Verifier* verifier, const Surroundings* around)
      : verifier_(verifier), around_(around) {}

  void Run(const Json& item) {
    std::string id(item.StringOr("id", ""));
    std::string missing = around_->Missing(item.StringOr("needs", ""));
    if (item.StringOr("risk", "") == "never") missing = "risk: never";
    if (item.StringOr("allows", "") == "numpy" && !HasNumpy()) missing = "numpy is not installed";
    if (!missing.empty()) {
      ++counts.skipped;
      Print(Json::MakeObject().Set("id", id).Set("skipped", missing));
      return;
    }
    ++counts.items;
    for (auto& [shape, problem] : Shapes(item)) Ask(item, id, shape, problem);
  }

  bool HasNumpy() {
    if (numpy_ < 0)
      numpy_ = Judge("import numpy\ndef f():\n    return 1\n").outcome == Outcome::kPass;
    return numpy_ == 1;
  }
  void WarmUp() {
    Judge("def f():\n    return 1\n");
    // A spare tester is made after the verdict, by a slow machine a good while after it.
    for (int same = 0; same < 10; ++same) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      int now = Descendants();
      if (now != baseline_) same = 0;
      baseline_ = now;
    }
  }

  Counts counts;

 private:
  Verdict Judge(const std::string& program) {
    Group group;
    group.problem.verification_info = Json::MakeObject().Set("asserts", "assert f() == 1");
    group.samples.push_back({program});
    return verifier_->Verify(group, nullptr)[0];
  }

  void Ask(const Json& item, const std::string& id, const std::string& shape,
           const Problem& problem) {
    ++counts.asked;
    Group group;
    group.problem = problem;
    group.samples.push_back({std::string(item.StringOr("code", ""))});
    Verdict verdict = verifier_->Verify(group, nullptr)[0];
    Json line = Json::MakeObject()
                    .Set("id", id)
                    .Set("shape", shape)
                    .Set("expect", item.StringOr("expect", ""));
    line.Set("outcome", OutcomeName(verdict.outcome))
        .Set("reason", verdict.reason)
        .Set("detail", verdict.detail);
    line.Set("ms", verdict.ms);
    bool must_pass = item.StringOr("expect", "") == "pass";
    bool passed = verdict.outcome == Outcome::kPass;
    auto count = [&line](bool bad, const char* what, int64_t* counter) {
      if (!bad) return;
      line.Set("bad", what);
      ++*counter;
    };
    count(passed && item.StringOr("expect", "") == "fail", "false pass", &counts.false_passes);
    // A daemon's program may answer right; what counts is what it leaves behind.
    bool tells = item.StringOr("oracle", "") == "pass_is_breach";
    count(passed && tells && item.StringOr("expect", "") == "contained", "breach",
          &counts.breaches);
    // A program that reads its answers off its caller's constants is right only where the tests are within its reach.
    bool reads_tests = item.StringOr("category", "") == "read_tests";
    count(!passed && must_pass && !reads_tests, "honest program failed", &counts.honest_failed);
    count(!passed && must_pass && reads_tests, "reads the tests: kept from it",
          &counts.kept_from_tests);
    count(verdict.outcome == Outcome::kFault, "fault", &counts.faults);
    count(!Unharmed(item), "host touched", &counts.breaches);
    count(!Quiet(), "leftover process", &counts.leftovers);
    Print(line);
  }

  bool Unharmed(const Json& item) const {
    std::string left(item.StringOr("leftover", ""));
    if (StartsWith(left, "~"))
      left = StrCat(getenv("HOME") == nullptr ? "/root" : getenv("HOME"), left.substr(1));
    return around_->Intact() == around_->canary_file &&
           (left.empty() || access(left.c_str(), F_OK) != 0) &&
           access("/dev/shm/assay_mark", F_OK) != 0;
  }

  // No more processes than an honest job leaves (the workers and a tester), within two seconds.
  bool Quiet() const {
    for (int i = 0; i < 40; ++i) {
      if (Descendants() <= baseline_) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    return false;
  }

  static void Print(const Json& line) {
    printf("%s\n", line.Dump().c_str());
    fflush(stdout);
  }

  const Verifier* verifier_;
  const Surroundings* around_;
  int numpy_ = -1;
  int baseline_ = 0;
};

Result<int> Main(const std::string& file, const std::string& only) {
  SandboxConfig config;
  if (const char* python = getenv("ASSAY_PYTHON_FOR_JAIL")) config.python = python;
  auto sandbox = Sandbox::Create(config);
  if (!sandbox.ok()) return sandbox.error();
  VerifierEnv env;
  env.sandbox = sandbox->get();
  auto verifier = MakeCodeVerifier(Json(), env);
  if (!verifier.ok()) return verifier.error();
  auto reader = LineReader::Open(file);
  if (!reader.ok()) return reader.error();
  Surroundings around;
  Runner runner(verifier->get(), &around);
  runner.WarmUp();
  auto started = std::chrono::steady_clock::now();
  LineReader::Line line;
  while (true) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) break;
    Result<Json> item = ParseJson(line.text);
    if (!item.ok()) return item.error();
    if (StartsWith(item->StringOr("id", ""), only)) runner.Run(*item);
  }
  const Counts& c = runner.counts;
  double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  Json summary = Json::MakeObject()
                     .Set("items", c.items)
                     .Set("asked", c.asked)
                     .Set("false_passes", c.false_passes);
  summary.Set("breaches", c.breaches)
      .Set("leftovers", c.leftovers)
      .Set("honest_failed", c.honest_failed);
  summary.Set("kept_from_tests", c.kept_from_tests)
      .Set("faults", c.faults)
      .Set("skipped", c.skipped)
      .Set("seconds", seconds);
  summary.Set("isolation", TierName((*sandbox)->tier()));
  printf("%s\n", Json::MakeObject().Set("summary", std::move(summary)).Dump().c_str());
  return c.false_passes + c.breaches + c.leftovers + c.honest_failed + c.faults == 0 ? 0 : 1;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: assay_code_attacks FILE [--only ID-PREFIX]\n");
    return 2;
  }
  assay::Result<int> done = assay::Main(argv[1], argc > 3 ? argv[3] : "");
  if (done.ok()) return *done;
  fprintf(stderr, "error: %s\n", done.error().message.c_str());
  return 2;
}
