#include "datagen/score/score_line.h"

#include <algorithm>
#include <string_view>

#include "core/rows/group_json.h"
#include "core/text.h"

namespace assay {
namespace {

constexpr std::string_view kReserved[] = {"rewards",   "advantages", "verdicts", "reward",
                                          "advantage", "line",       "error",    "reward_parts"};

bool IsReserved(std::string_view key) {
  return std::find(std::begin(kReserved), std::end(kReserved), key) != std::end(kReserved);
}

// Keys of the input that the output uses itself are passed on as input_KEY, in the place of what was called so before.
void AppendExtras(const Json& extra, std::string* out) {
  const Json::Object* object = extra.AsObject();
  if (object == nullptr) return;
  for (const Json::Member& member : *object) {
    const bool reserved = IsReserved(member.key);
    if (StartsWith(member.key, "input_") && IsReserved(member.key.substr(6)) &&
        extra.Find(member.key.substr(6)) != nullptr)
      continue;
    out->push_back(',');
    AppendJsonString(reserved ? StrCat("input_", member.key) : member.key, out);
    out->push_back(':');
    member.value.AppendTo(out);
  }
}

void AppendReward(const SampleScore& score, std::string* out) {
  if (score.reward) {
    AppendJsonNumber(*score.reward, out);
  } else {
    out->append("null");
  }
}

void AppendAdvantage(const SampleScore& score, std::string* out) {
  if (score.advantage.mask) {
    AppendJsonNumber(score.advantage.value, out);
  } else {
    out->append("null");
  }
}

void AppendVerdict(const Verdict& verdict, bool with_times, std::string* out) {
  StrAppend(out, "{\"outcome\":\"", OutcomeName(verdict.outcome), "\",\"score\":");
  AppendJsonNumber(verdict.score, out);
  out->append(",\"reason\":");
  AppendJsonString(verdict.reason, out);
  out->append(",\"detail\":");
  AppendJsonString(verdict.detail, out);
  if (with_times) {
    out->append(",\"ms\":");
    AppendJsonNumber(static_cast<double>(static_cast<int64_t>(verdict.ms * 1000 + 0.5)) / 1000,
                     out);
  }
  if (verdict.evidence.IsObject()) {
    out->append(",\"evidence\":");
    verdict.evidence.AppendTo(out);
  }
  out->push_back('}');
}

void AppendVerdicts(const std::vector<std::string>& labels, const SampleScore& score,
                    bool with_times, std::string* out) {
  out->push_back('{');
  for (size_t t = 0; t < labels.size(); ++t) {
    if (t > 0) out->push_back(',');
    AppendJsonString(labels[t], out);
    out->push_back(':');
    AppendVerdict(score.verdicts[t], with_times, out);
  }
  out->push_back('}');
}

// What each term brought to the reward; null where it was left out.
void AppendParts(const std::vector<std::string>& labels, const SampleScore& score,
                 std::string* out) {
  out->push_back('{');
  for (size_t t = 0; t < labels.size(); ++t) {
    if (t > 0) out->push_back(',');
    AppendJsonString(labels[t], out);
    out->push_back(':');
    if (t < score.parts.size() && score.parts[t]) {
      AppendJsonNumber(*score.parts[t], out);
    } else {
      out->append("null");
    }
  }
  out->push_back('}');
}

// `,"name":[` one entry a sample `]`.
template <typename AppendEntry>
void AppendColumn(std::string_view name, const std::vector<SampleScore>& samples,
                  AppendEntry append_entry, std::string* out) {
  StrAppend(out, ",\"", name, "\":[");
  for (size_t i = 0; i < samples.size(); ++i) {
    if (i > 0) out->push_back(',');
    append_entry(samples[i], out);
  }
  out->push_back(']');
}

// The line's beginning: `{"id":..` and what the input said, as much of it as is wanted.
void AppendInput(const Problem& problem, const std::vector<Sample>& samples, bool flat, bool all,
                 std::string* out) {
  out->append("{\"id\":");
  IdToJson(problem).AppendTo(out);
  if (!all) return AppendExtras(problem.extra, out);
  Group group;
  group.problem = problem;
  group.samples = samples;
  group.flat = flat;
  Json row = GroupToJson(group);
  row.Erase("id");
  AppendExtras(row, out);
}

}  // namespace

void AppendScoreLine(const Group& group, const GroupScore& score, const ScoreLineStyle& style,
                     std::string* out) {
  if (group.flat && score.samples.size() == 1) {
    AppendFlatScoreLine(group.problem, group.samples[0], score, 0, /*in_group=*/false, style, out);
    return;
  }
  AppendInput(group.problem, group.samples, /*flat=*/false, style.keep_input, out);
  AppendColumn("rewards", score.samples, AppendReward, out);
  AppendColumn("advantages", score.samples, AppendAdvantage, out);
  const auto append_verdicts = [&](const SampleScore& sample, std::string* to) {
    AppendVerdicts(score.labels, sample, style.with_times, to);
  };
  AppendColumn("verdicts", score.samples, append_verdicts, out);
  if (score.show_parts) {
    const auto append_parts = [&](const SampleScore& sample, std::string* to) {
      AppendParts(score.labels, sample, to);
    };
    AppendColumn("reward_parts", score.samples, append_parts, out);
  }
  out->push_back('}');
}

void AppendFlatScoreLine(const Problem& problem, const Sample& sample, const GroupScore& group,
                         size_t at, bool in_group, const ScoreLineStyle& style, std::string* out) {
  const SampleScore& score = group.samples[at];
  const std::vector<Sample> samples =
      style.keep_input ? std::vector<Sample>{sample} : std::vector<Sample>();
  AppendInput(problem, samples, /*flat=*/true, style.keep_input, out);
  out->append(",\"reward\":");
  AppendReward(score, out);
  if (in_group) {
    out->append(",\"advantage\":");
    AppendAdvantage(score, out);
  }
  out->append(",\"verdicts\":");
  AppendVerdicts(group.labels, score, style.with_times, out);
  if (group.show_parts) {
    out->append(",\"reward_parts\":");
    AppendParts(group.labels, score, out);
  }
  out->push_back('}');
}

void AppendErrorLine(const std::string& file, int64_t line, const Error& error, std::string* out) {
  Json row = Json::MakeObject();
  if (!file.empty()) row.Set("file", file);
  row.Set("line", line);
  row.Set("error", Json().Set("message", error.message).Set("hint", error.hint));
  row.Set("rewards", Json());
  row.AppendTo(out);
}

}  // namespace assay
