// assay_bench_text: how many replies of about 2,000 characters each verifier that looks at text alone judges on one core. Every reply is
// a group of its own and differs from the others. Prints one JSON line: replies a second of CPU by verifier. Asserts nothing.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/rng.h"
#include "core/text.h"
#include "verifiers/verifier.h"

namespace assay {
namespace {

constexpr int kReplies = 2000;
constexpr size_t kCharacters = 2000;

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Reasoning of made-up words, then `answer`.
Group MakeGroup(Rng* rng, const std::string& answer) {
  std::string text = "<think>";
  // Without an answer of its own the text is the answer.
  if (answer.empty()) text.clear();
  while (text.size() + answer.size() + 10 < kCharacters) {
    const uint64_t letters = 2 + rng->Below(8);
    for (uint64_t i = 0; i < letters; ++i) text.push_back(static_cast<char>('a' + rng->Below(26)));
    text += rng->Below(9) == 0 ? ". " : " ";
  }
  Group group;
  group.samples.emplace_back().text = answer.empty() ? text : StrCat(text, "</think>", answer);
  group.problem.answers = {answer == "5.01 km" ? "5 km" : "the Eiffel Tower"};
  group.problem.verification_info =
      Json()
          .Set("kind", "subset_sum")
          .Set("choices", Json::MakeArray().Append("the Louvre").Append("the Eiffel Tower"))
          .Set("schema",
               Json().Set("type", "object").Set("required", Json::MakeArray().Append("a")))
          .Set("numbers", Json::MakeArray().Append(25).Append(4))
          .Set("target", 100)
          .Set("instruction_id_list", Json::MakeArray()
                                          .Append("keywords:existence")
                                          .Append("length_constraints:number_words")
                                          .Append("detectable_format:number_bullet_lists"))
          .Set("kwargs", Json::MakeArray()
                             .Append(Json().Set("keywords", Json::MakeArray().Append("tower")))
                             .Append(Json().Set("num_words", 100).Set("relation", "at least"))
                             .Append(Json().Set("num_bullets", 1)));
  return group;
}

struct Subject {
  const char* label;
  const char* verifier;
  const char* options;
  const char* answer;
};

constexpr Subject kSubjects[] = {
    {"choice", "choice", "{}", "the Eiffel Tower"},
    {"countdown", "countdown", "{}", "<answer>25 * 4</answer>"},
    {"exact", "exact", "{}", "the Eiffel Tower"},
    {"format", "format", "{}", "the Eiffel Tower"},
    {"format_template", "format", R"({"template":"think_answer"})", "<answer>25 * 4</answer>"},
    {"instructions", "instructions", R"({"mode":"loose"})", ""},
    {"json_schema", "json_schema", "{}", R"({"a": [1, 2, {"b": "c"}]})"},
    {"language", "language", R"({"language":"en"})", "the Eiffel Tower"},
    {"length", "length", R"({"unit":"words"})", "the Eiffel Tower"},
    {"numeric", "numeric", R"({"rel_tol":0.01})", "5.01 km"},
    {"puzzle", "puzzle", "{}", "[25, 4]"},
    {"qa", "qa", R"({"metric":"f1"})", "it is the Eiffel Tower"},
    {"readability", "readability", "{}", "the Eiffel Tower"},
    {"reflection", "reflection", "{}", "the Eiffel Tower"},
    {"repetition", "repetition", "{}", "the Eiffel Tower"}};

double RepliesPerSecond(const Subject& subject) {
  Result<std::unique_ptr<Verifier>> verifier =
      MakeVerifier(subject.verifier, *ParseJson(subject.options), {});
  if (!verifier.ok()) return 0;
  Rng rng(1);
  std::vector<Group> groups;
  for (int i = 0; i < kReplies; ++i) groups.push_back(MakeGroup(&rng, subject.answer));
  double best = 0;
  for (int round = 0; round < 5; ++round) {
    const double start = CpuSeconds();
    for (const Group& group : groups) {
      if ((*verifier)->Verify(group, nullptr).size() != 1) return 0;
    }
    best = std::max(best, kReplies / (CpuSeconds() - start));
  }
  return best;
}

}  // namespace
}  // namespace assay

int main() {
  assay::Json out;
  out.Set("bench", "text").Set("characters", static_cast<int64_t>(assay::kCharacters));
  for (const assay::Subject& subject : assay::kSubjects) {
    const double rate = assay::RepliesPerSecond(subject);
    out.Set(assay::StrCat(subject.label, "_per_s"), static_cast<int64_t>(rate));
  }
  return std::puts(out.Dump().c_str()) < 0 ? 1 : 0;
}
