// The fuzzer of requests (tests/fuzz/serve_fuzz.cc) without a fuzzing engine: its corpus, each file changed at random in many ways, so
// that every build tries it. ASSAY_MUTATIONS=ROUNDS[,SEED] makes it longer, or other.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "core/jsonl.h"
#include "core/rng.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace assay {
namespace {

struct Plan {
  int rounds = 400;  // of each file
  uint64_t seed = 20261130;
};

Plan PlanOfEnvironment() {
  Plan plan;
  const char* text = std::getenv("ASSAY_MUTATIONS");
  if (text == nullptr) return plan;
  char* rest = nullptr;
  plan.rounds = static_cast<int>(std::strtol(text, &rest, 10));
  if (*rest == ',') plan.seed = std::strtoull(rest + 1, nullptr, 10);
  return plan;
}

std::string Mutated(std::string text, const std::vector<std::string>& corpus, Rng* rng) {
  const auto below = [&](size_t n) { return n == 0 ? 0 : static_cast<size_t>(rng->Next() % n); };
  const std::string bytes("\"\\{}[],:0-9e.nulltrue\x80\xff\n\0 ", 26);
  for (size_t changes = 1 + below(6); changes > 0; --changes) {
    const size_t at = below(text.size());
    switch (below(6)) {
      case 0:
        if (!text.empty()) text[at] = bytes[below(bytes.size())];
        break;
      case 1:
        text.insert(at, 1, bytes[below(bytes.size())]);
        break;
      case 2:
        text.erase(at, 1 + below(20));
        break;
      case 3:
        text.insert(at, text.substr(below(text.size()), below(60)));
        break;
      case 4:
        text.insert(at, std::string(1 + below(400), below(2) == 0 ? '[' : '9'));
        break;
      default: {
        const std::string& other = corpus[below(corpus.size())];
        text.insert(at, other.substr(below(other.size()), below(80)));
      }
    }
  }
  return text;
}

TEST(ServeMutations, NoRequestIsAnInternalError) {
  const char* source = std::getenv("ASSAY_SOURCE_DIR");
  std::vector<std::string> files, corpus;
  const std::string folder =
      std::string(source != nullptr ? source : ".") + "/tests/fuzz/corpus/serve";
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  for (const std::string& file : files) corpus.push_back(*ReadFile(file));
  ASSERT_GT(corpus.size(), 20u);
  const Plan plan = PlanOfEnvironment();
  Rng rng(plan.seed);
  for (const std::string& text : corpus) {
    for (int round = 0; round < plan.rounds; ++round) {
      const std::string input = Mutated(text, corpus, &rng);
      LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
    }
  }
}

}  // namespace
}  // namespace assay
