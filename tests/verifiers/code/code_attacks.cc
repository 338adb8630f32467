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

#include <fstream>
#include <map>
#include <set>

#include "tests/verifiers/code/code_tool.h"

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
    // It may end while it is read.
    std::ifstream stat(StrCat("/proc/", pid, "/stat"));
    std::string text;
    std::getline(stat, text);
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
std::set<int> Descendants() {
  std::map<int, int> parents = Parents();
  std::set<int> found;
  for (auto [pid, parent] : parents) {
    for (int at = parent; at > 1; at = parents.count(at) ? parents[at] : 0) {
      if (at != getpid()) continue;
      found.insert(pid);
      break;
    }
  }
  return found;
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
    Json limits = Json::MakeObject().Set("cpu_ms", 1500).Set("wall_ms", 2500);
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

  bool good() const { return false_passes + breaches + leftovers + honest_failed + faults == 0; }
  Json ToJson() const {
    Json json = Json::MakeObject();
    for (auto [name, value] :
         {std::pair{"items", items}, std::pair{"asked", asked},
          std::pair{"false_passes", false_passes}, std::pair{"breaches", breaches},
          std::pair{"leftovers", leftovers}, std::pair{"honest_failed", honest_failed},
          std::pair{"kept_from_tests", kept_from_tests}, std::pair{"faults", faults},
          std::pair{"skipped", skipped}})
      json.Set(name, value);
    return json;
  }
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
      PrintLine(Json::MakeObject().Set("id", id).Set("skipped", missing));
      return;
    }
    ++counts.items;
    for (auto& [shape, problem] : Shapes(item)) {
      if (item.StringOr("category", "") == "timing") TightenLimit(&problem);
      Ask(item, id, shape, problem);
    }
  }

  bool HasNumpy() {
    if (numpy_ < 0) numpy_ = Honest(Json(), "import numpy\n") ? 1 : 0;
    return numpy_ == 1;
  }

  // Starts the pool; its workers stay, whatever else comes and goes.
  void WarmUp() {
    Honest(Json(), "");
    Replace(Json());
  }

  Counts counts;

 private:
  // An attack on the clock hides loops of some millions of rounds from it. What those take is this machine's speed: a limit that a
  // fast machine keeps without cheating says nothing, so it is at most a part of what such a loop takes here.
  void TightenLimit(Problem* problem) {
    if (loop_ms_ <= 0) {
      const std::string loop = "t = 0\nfor i in range(6 * 10 ** 6):\n    t += i\n";
      for (int round = 0; round < 3; ++round) {
        const auto start = std::chrono::steady_clock::now();
        // Equal programs may be judged once.
        Honest(Json(), StrCat("# ", round, "\n", loop));
        const double ms =
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
                .count();
        loop_ms_ = loop_ms_ <= 0 ? ms : std::min(loop_ms_, ms);
      }
    }
    Json limits = *problem->verification_info.Find("limits");
    const double own = limits.DoubleOr("cpu_ms", 0);
    const auto tight = static_cast<int64_t>(std::max(50.0, std::min(own, 0.4 * loop_ms_)));
    problem->verification_info.Set("limits", std::move(limits.Set("cpu_ms", tight)));
  }

  // Whether an honest program passes, under these limits. Tests that import `sys` may leave something behind, so that their tester
  // takes no other problem.
  bool Honest(const Json& limits, const std::string& start, int problem = 0) {
    Group group;
    group.problem.verification_info =
        Json::MakeObject()
            .Set("asserts", StrCat("import sys\nassert f() == 1  # ", problem))
            .Set("limits", limits);
    group.samples.push_back({start + "def f():\n    return 1\n"});
    return verifier_->Verify(group, nullptr)[0].outcome == Outcome::kPass;
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
    const Json* limits = problem.verification_info.Find("limits");
    count(!Quiet(limits == nullptr ? Json() : *limits), "leftover process", &counts.leftovers);
    PrintLine(line);
  }

  bool Unharmed(const Json& item) const {
    std::string left(item.StringOr("leftover", ""));
    if (StartsWith(left, "~"))
      left = StrCat(getenv("HOME") == nullptr ? "/root" : getenv("HOME"), left.substr(1));
    return around_->Intact() == around_->canary_file &&
           (left.empty() || access(left.c_str(), F_OK) != 0) &&
           access("/dev/shm/assay_mark", F_OK) != 0;
  }

  // Honest jobs under the same limits, of two problems: after them every tester and every box, the spare ones too, is another.
  void Replace(const Json& limits) {
    problems_ += 2;
    for (int problem : {problems_, problems_, problems_ + 1, problems_ + 1})
      Honest(limits, "", problem);
  }
  // Whether no more than `most` of these are left within two seconds.
  static bool Stay(const std::set<int>& before, size_t most) {
    for (int i = 0; i < 400; ++i) {
      std::set<int> now = Descendants();
      size_t left = 0;
      for (int pid : before) left += now.count(pid);
      if (left <= most) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }

  // Nothing of the item's is left: of all processes that there are now, honest jobs replace all but four, two zygotes and their
  // parents. By their number alone a leftover could stand in the place of a spare box that is not made yet.
  bool Quiet(const Json& limits) {
    std::set<int> now = Descendants();
    Replace(limits);
    return Stay(now, 4);
  }

  double loop_ms_ = 0;
  const Verifier* verifier_;
  const Surroundings* around_;
  int numpy_ = -1;
  int problems_ = 0;
};

Result<int> Main(const std::string& file, const std::string& only, uint32_t without) {
  Result<CodeTool> tool = OpenCodeTool(1, /*cache=*/false, without);
  if (!tool.ok()) return tool.error();
  Result<std::vector<Json>> items = ReadRows(file);
  if (!items.ok()) return items.error();
  Surroundings around;
  Runner runner(tool->verifier.get(), &around);
  runner.WarmUp();
  for (const Json& item : *items) {
    if (StartsWith(item.StringOr("id", ""), only)) runner.Run(item);
  }
  PrintSummary(runner.counts.ToJson(), *tool);
  return runner.counts.good() ? 0 : 1;
}

}  // namespace
}  // namespace assay

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: assay_code_attacks FILE [--only ID-PREFIX | --without-end]\n");
    return 2;
  }
  // Processes that a job leaves are not ended then: they must be counted.
  const bool without_end = argc > 2 && std::string_view(argv[2]) == "--without-end";
  return assay::ToolExit(assay::Main(argv[1], argc > 3 ? argv[3] : "",
                                     without_end ? uint32_t{assay::kWithoutEnd} : 0));
}
