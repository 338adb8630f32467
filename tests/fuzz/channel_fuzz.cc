// The result channel with a hostile box at its other end: the input is everything that the box writes to its tester, from its first
// word to the last. The whole tester runs on it (frames, values, handles, callbacks, exceptions, the tests themselves) and must
// end with a verdict: never a pass, for what the tests expect is made of numbers drawn at the start, and never a fault, for
// that would blame the data set for what a box said.
//
// Input: the first byte picks the tests; its high bit says that the rest is a plain stream, else it is cut into frames by
// two-byte lengths, so that a mutation needs not to keep four-byte ones right.
// To record seeds from honest programs:  ASSAY_FUZZ_RECORD=FOLDER channel_fuzz -runs=0
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/text.h"
#include "sandbox/jail/judge_spec.h"
#include "sandbox/jail/py_harness.h"
#include "sandbox/jail/py_runtime.h"

namespace {

using assay::Json;
using assay::StrCat;

uint64_t g_secret = 0;

std::string Secret() { return StrCat("\"no box can know ", g_secret, "\""); }

std::vector<std::string> Specs() {
  auto asserts = [](const std::string& text, const char* entry_point = "f") {
    return Json::MakeObject()
        .Set("entry_point", entry_point)
        .Set("trusted", Json::MakeArray())
        .Set("setup", "")
        .Set("tests",
             Json::MakeObject().Set("kind", "asserts").Set("texts", Json::MakeArray().Append(text)))
        .Dump();
  };
  const std::string check = StrCat(
      "def check(candidate):\n  a = [3, {'k': (1, 2.5)}, {4}]\n  try:\n    candidate(a, key=abs)\n"
      "  except ValueError as e:\n    str(e)\n  for x in candidate('it'):\n    len(x)\n"
      "  h = candidate(lambda y: [y, a])\n  h.attr\n  h[0]\n  h.m(1)\n  bool(h)\n"
      "  assert candidate(a) == ",
      Secret(), "\n");
  std::string as_check =
      Json::MakeObject()
          .Set("entry_point", "f")
          .Set("trusted", Json::MakeArray())
          .Set("setup", "")
          .Set("tests", Json::MakeObject().Set("kind", "check").Set("text", check))
          .Dump();
  return {asserts(StrCat("assert f([1, 2]) == ", Secret())), as_check,
          asserts(StrCat("s = Solution()\nassert s.f({'a': [1]}, (2, 3)) == ", Secret()), ""),
          asserts(StrCat("assert sorted(f([[3], [1]]), key=str) == [", Secret(), "]"))};
}

struct Ends {
  int read = -1, write = -1;
  Ends() {
    int fds[2];
    if (pipe(fds) != 0) std::abort();
    read = fds[0];
    write = fds[1];
  }
};

std::string ReadAll(int fd) {
  std::string all;
  char buffer[4096];
  for (ssize_t n; (n = read(fd, buffer, sizeof buffer)) > 0;)
    all.append(buffer, static_cast<size_t>(n));
  return all;
}

std::string Serve(int answers, int requests) {
  int result = memfd_create("result", MFD_CLOEXEC);
  assay::jail::TesterServe(answers, requests, result, "{}");
  lseek(result, 0, SEEK_SET);
  std::string said = ReadAll(result);
  close(result);
  return said;
}

// What an honest box writes, with the frames' lengths as this target's inputs have them.
std::string AsInput(size_t spec, const std::string& stream) {
  std::string input(1, static_cast<char>(spec));
  for (size_t at = 0; at + 4 <= stream.size();) {
    uint32_t size;
    memcpy(&size, stream.data() + at, 4);
    uint16_t small = static_cast<uint16_t>(size);
    input.append(reinterpret_cast<const char*>(&small), 2);
    input += stream.substr(at + 4, size);
    at += 4 + size;
  }
  return input;
}

void Record(const std::string& folder, const std::vector<std::string>& specs) {
  const char* programs[] = {
      "def f(x):\n    return [1, 2.5, 'a', b'b', None, True, 10**30, {1: {2}}, (3,)]\n",
      "class H:\n    attr = [1]\n    def __getitem__(self, i): return {'i': i}\n"
      "    def m(self, x): raise KeyError(x)\n"
      "def f(x, key=None):\n    if key: raise ValueError('no', 3)\n"
      "    if x == 'it': return iter([[1], 'ab'])\n    if callable(x): x(5); return H()\n"
      "    x.append(1)\n    return x\n",
      "class Solution:\n    def f(self, a, b):\n        a['a'].append(b)\n        return a\n",
      "def f(x):\n    return iter(x)\n"};
  for (size_t spec = 0; spec < specs.size(); ++spec) {
    for (size_t program = 0; program < std::size(programs); ++program) {
      Ends requests, box, answers;
      if (fork() == 0) {
        close(requests.write);
        assay::jail::CandidateSpec candidate;
        candidate.program = programs[program];
        candidate.module_name = "solution";
        _exit(assay::jail::RunCandidate(requests.read, box.write, candidate.Encode()));
      }
      std::string name = StrCat(folder, "/seed", spec, "_", program);
      if (fork() == 0) {  // passes on and keeps what the box says
        close(requests.write);
        close(box.write);
        std::string stream;
        char buffer[4096];
        for (ssize_t n; (n = read(box.read, buffer, sizeof buffer)) > 0;) {
          stream.append(buffer, static_cast<size_t>(n));
          if (write(answers.write, buffer, static_cast<size_t>(n)) != n) break;
        }
        FILE* file = fopen(name.c_str(), "w");
        std::string input = AsInput(spec, stream);
        fwrite(input.data(), 1, input.size(), file);
        fclose(file);
        _exit(0);
      }
      close(box.write);
      close(box.read);
      close(answers.write);
      close(requests.read);
      assay::jail::TesterPrepare(specs[spec]);
      fprintf(stderr, "%s: %s\n", name.c_str(), Serve(answers.read, requests.write).c_str());
      close(requests.write);
      close(answers.read);
      while (wait(nullptr) > 0) {
      }
    }
  }
}

std::vector<std::string>* Start() {
  signal(SIGPIPE, SIG_IGN);
  std::random_device device;
  g_secret = (uint64_t{device()} << 32) | device();
  if (!assay::jail::StartPython({}).ok() || !assay::jail::PrepareCandidateZygote() ||
      !assay::jail::PrepareTesterZygote())
    std::abort();
  auto* specs = new std::vector<std::string>(Specs());
  if (const char* folder = getenv("ASSAY_FUZZ_RECORD")) Record(folder, *specs);
  return specs;
}

// A descriptor from which the box's words can be read, and then the end.
int Stream(const uint8_t* data, size_t size, bool plain) {
  int fd = memfd_create("answers", MFD_CLOEXEC);
  std::string stream;
  if (plain) stream.assign(reinterpret_cast<const char*>(data), size);
  while (!plain && size >= 2) {
    uint16_t wanted;
    memcpy(&wanted, data, 2);
    uint32_t length = std::min<uint32_t>(wanted, static_cast<uint32_t>(size - 2));
    stream.append(reinterpret_cast<const char*>(&length), 4);
    stream.append(reinterpret_cast<const char*>(data + 2), length);
    data += 2 + length;
    size -= 2 + length;
  }
  if (write(fd, stream.data(), stream.size()) != static_cast<ssize_t>(stream.size())) std::abort();
  lseek(fd, 0, SEEK_SET);
  return fd;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::vector<std::string>* specs = Start();
  static const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
  static size_t prepared = SIZE_MAX;
  if (size == 0) return 0;
  const size_t spec = (data[0] & 0x7f) % specs->size();
  if (spec != prepared) assay::jail::TesterPrepare((*specs)[spec]);
  prepared = spec;
  int answers = Stream(data + 1, size - 1, (data[0] & 0x80) != 0);
  const std::string said = Serve(answers, nowhere);
  close(answers);
  assay::Result<Json> verdict = assay::ParseJson(said);
  if (!verdict.ok() || verdict->StringOr("outcome", "") != "fail" ||
      verdict->StringOr("reason", "").empty()) {
    fprintf(stderr, "verdict: %s\n", said.c_str());
    std::abort();
  }
  return 0;
}
