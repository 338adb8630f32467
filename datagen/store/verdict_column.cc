#include "datagen/store/verdict_column.h"

#include <optional>
#include <utility>

#include "core/json.h"
#include "core/text.h"

namespace assay {
namespace {

enum Place { kLabel, kOutcome, kScore, kReason, kDetail, kEvidence, kMs, kPart, kPlaces };

void AppendOrNull(bool known, double value, std::string* out) {
  if (known) {
    AppendJsonNumber(value, out);
  } else {
    out->append("null");
  }
}

void AppendVerdict(const std::string& label, const Verdict& verdict,
                   const std::optional<double>& part, bool with_times, std::string* out) {
  out->push_back('[');
  AppendJsonString(label, out);
  StrAppend(out, ",\"", OutcomeName(verdict.outcome), "\",");
  AppendJsonNumber(verdict.score, out);
  out->push_back(',');
  AppendJsonString(verdict.reason, out);
  out->push_back(',');
  if (verdict.detail.empty()) {
    out->append("null");
  } else {
    AppendJsonString(verdict.detail, out);
  }
  out->push_back(',');
  const Json::Object* evidence = verdict.evidence.AsObject();
  if (verdict.evidence.IsNull() || (evidence != nullptr && evidence->empty())) {
    out->append("null");
  } else {
    verdict.evidence.AppendTo(out);
  }
  out->push_back(',');
  // To a microsecond, as the output has it.
  AppendOrNull(with_times,
               static_cast<double>(static_cast<int64_t>(verdict.ms * 1000 + 0.5)) / 1000, out);
  out->push_back(',');
  AppendOrNull(part.has_value(), part.value_or(0), out);
  out->push_back(']');
}

Error Damaged() {
  return {ErrorCode::kInput, "the store holds verdicts that are none",
          "the file was changed by something else than assay; restore it from a copy"};
}

bool ReadVerdict(Json* from, std::string* label, Verdict* verdict, std::optional<double>* part) {
  Json::Array* places = from->AsArray();
  if (places == nullptr || places->size() != kPlaces) return false;
  for (const Place place : {kLabel, kOutcome, kReason}) {
    if (!(*places)[place].IsString()) return false;
  }
  const std::optional<Outcome> outcome = OutcomeFromName(*(*places)[kOutcome].AsString());
  if (!outcome) return false;
  *label = std::move(*(*places)[kLabel].AsString());
  verdict->outcome = *outcome;
  verdict->score = (*places)[kScore].NumberOr(0);
  verdict->reason = std::move(*(*places)[kReason].AsString());
  if (std::string* detail = (*places)[kDetail].AsString()) verdict->detail = std::move(*detail);
  verdict->evidence = std::move((*places)[kEvidence]);
  verdict->ms = (*places)[kMs].NumberOr(0);
  if ((*places)[kPart].IsNumber()) *part = (*places)[kPart].NumberOr(0);
  return true;
}

}  // namespace

void AppendVerdictColumn(const std::vector<std::string>& labels, const SampleScore& score,
                         bool with_times, std::string* out) {
  if (score.verdicts.empty()) return;
  out->push_back('[');
  for (size_t term = 0; term < score.verdicts.size(); ++term) {
    if (term > 0) out->push_back(',');
    AppendVerdict(labels[term], score.verdicts[term],
                  term < score.parts.size() ? score.parts[term] : std::nullopt, with_times, out);
  }
  out->push_back(']');
}

Status ReadVerdictColumn(std::string_view column, std::vector<std::string>* labels,
                         SampleScore* score) {
  Json::Array none;
  Result<Json> parsed = column.empty() ? Result<Json>(Json(none)) : ParseJson(column);
  if (!parsed.ok()) return Damaged();
  Json::Array* terms = parsed->AsArray();
  if (terms == nullptr || (!labels->empty() && terms->size() != labels->size())) return Damaged();
  labels->resize(terms->size());
  score->verdicts.resize(terms->size());
  score->parts.resize(terms->size());
  for (size_t term = 0; term < terms->size(); ++term) {
    if (!ReadVerdict(&(*terms)[term], &(*labels)[term], &score->verdicts[term],
                     &score->parts[term]))
      return Damaged();
  }
  return {};
}

}  // namespace assay
