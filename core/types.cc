#include "core/types.h"

#include <cmath>

namespace assay {

const char* OutcomeName(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPass:
      return "pass";
    case Outcome::kFail:
      return "fail";
    case Outcome::kAbstain:
      return "abstain";
    case Outcome::kFault:
      return "fault";
  }
  return "fault";
}

std::optional<Outcome> OutcomeFromName(std::string_view name) {
  for (Outcome outcome : {Outcome::kPass, Outcome::kFail, Outcome::kAbstain, Outcome::kFault}) {
    if (name == OutcomeName(outcome)) return outcome;
  }
  return std::nullopt;
}

Verdict Verdict::Pass(std::string reason, double score) {
  Verdict verdict;
  verdict.outcome = Outcome::kPass;
  verdict.score = score;
  verdict.reason = std::move(reason);
  return verdict;
}

Verdict Verdict::Fail(std::string reason, std::string detail, double score) {
  Verdict verdict;
  verdict.outcome = Outcome::kFail;
  verdict.score = score;
  verdict.reason = std::move(reason);
  verdict.detail = std::move(detail);
  return verdict;
}

Verdict Verdict::Abstain(std::string reason, std::string detail) {
  Verdict verdict = Fail(std::move(reason), std::move(detail));
  verdict.outcome = Outcome::kAbstain;
  return verdict;
}

Verdict Verdict::Fault(std::string reason, std::string detail) {
  Verdict verdict = Fail(std::move(reason), std::move(detail));
  verdict.outcome = Outcome::kFault;
  return verdict;
}

Json VerdictToJson(const Verdict& verdict, bool with_ms) {
  Json out = Json::MakeObject();
  out.Set("outcome", OutcomeName(verdict.outcome));
  out.Set("score", verdict.score);
  out.Set("reason", verdict.reason);
  out.Set("detail", verdict.detail);
  if (with_ms) out.Set("ms", std::round(verdict.ms * 1000) / 1000);
  if (verdict.evidence.IsObject()) out.Set("evidence", verdict.evidence);
  return out;
}

}  // namespace assay
