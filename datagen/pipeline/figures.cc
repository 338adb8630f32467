#include "datagen/pipeline/figures.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "core/jsonl.h"
#include "core/text.h"

namespace assay {
namespace {

// What one term said of all samples.
struct Tally {
  std::string label;
  int64_t passed = 0, judged = 0;
  double score = 0;
  std::map<std::string, int64_t> reasons;  // of what did not pass
};

void Count(const Json& verdicts, std::vector<Tally>* tallies) {
  for (const Json::Member& member : *verdicts.AsObject()) {
    const std::string_view outcome = member.value.StringOr("outcome", "");
    if (outcome != "pass" && outcome != "fail") continue;
    auto tally = std::find_if(tallies->begin(), tallies->end(),
                              [&](const Tally& t) { return t.label == member.key; });
    if (tally == tallies->end()) tally = tallies->insert(tallies->end(), {member.key});
    tally->passed += outcome == "pass";
    ++tally->judged;
    tally->score += member.value.DoubleOr("score", 0);
    if (outcome == "fail") ++tally->reasons[std::string(member.value.StringOr("reason", ""))];
  }
}

Status EachLine(const std::string& path, const std::function<void(const Json&)>& visit) {
  Result<std::unique_ptr<LineReader>> reader = LineReader::Open(path);
  if (!reader.ok()) return reader.error();
  LineReader::Line line;
  while (true) {
    Result<bool> more = (*reader)->Next(&line);
    if (!more.ok()) return more.error();
    if (!*more) return {};
    if (const Result<Json> json = ParseJson(line.text); json.ok()) visit(*json);
  }
}

}  // namespace

Interval WilsonInterval(int64_t passed, int64_t count) {
  if (count <= 0) return {};
  constexpr double kZ = 1.959963984540054;
  const auto n = static_cast<double>(count);
  const double share = static_cast<double>(passed) / n, z2 = kZ * kZ;
  const double centre = (share + z2 / (2 * n)) / (1 + z2 / n);
  const double half = kZ / (1 + z2 / n) * std::sqrt(share * (1 - share) / n + z2 / (4 * n * n));
  return {std::max(0.0, centre - half), std::min(1.0, centre + half)};
}

Result<Json> EvalFigures(const std::string& scored, const std::string& groups) {
  std::vector<Tally> tallies;
  int64_t samples = 0;
  Status read = EachLine(scored, [&](const Json& line) {
    const Json* verdicts = line.Find("verdicts");
    if (verdicts == nullptr) return;
    if (verdicts->IsObject()) ++samples, Count(*verdicts, &tallies);
    if (!verdicts->IsArray()) return;
    for (const Json& one : *verdicts->AsArray()) {
      if (one.IsObject()) ++samples, Count(one, &tallies);
    }
  });
  if (!read.ok()) return read.error();
  double characters = 0, texts = 0, tokens = 0, counted = 0;
  if (!groups.empty())
    read = EachLine(groups, [&](const Json& line) {
      const Json* completions = line.Find("completions");
      if (completions == nullptr || !completions->IsArray()) return;
      for (const Json& text : *completions->AsArray()) {
        if (text.IsString()) characters += static_cast<double>(text.AsString()->size()), ++texts;
      }
      const Json* ids = line.Find("token_ids");
      if (ids == nullptr || !ids->IsArray()) return;
      for (const Json& of_one : *ids->AsArray()) {
        if (of_one.IsArray()) tokens += static_cast<double>(of_one.AsArray()->size()), ++counted;
      }
    });
  if (!read.ok()) return read.error();
  Json terms = Json::MakeObject();
  for (const Tally& tally : tallies) {
    const Interval interval = WilsonInterval(tally.passed, tally.judged);
    const auto judged = static_cast<double>(tally.judged);
    Json reasons = Json::MakeObject();
    for (const auto& [reason, count] : tally.reasons) reasons.Set(reason, count);
    terms.Set(tally.label, Json()
                               .Set("passed", tally.passed)
                               .Set("judged", tally.judged)
                               .Set("share", static_cast<double>(tally.passed) / judged)
                               .Set("low", interval.low)
                               .Set("high", interval.high)
                               .Set("score", tally.score / judged)
                               .Set("reasons", std::move(reasons)));
  }
  return Json()
      .Set("samples", samples)
      .Set("terms", std::move(terms))
      .Set("mean_bytes", texts > 0 ? characters / texts : 0.0)
      .Set("mean_tokens", counted > 0 ? tokens / counted : 0.0);
}

}  // namespace assay
