#include "datagen/score/verdict_tally.h"

namespace assay {

void VerdictTally::Add(const Verdict& verdict) {
  switch (verdict.outcome) {
    case Outcome::kPass:
      ++pass;
      break;
    case Outcome::kFail:
      ++fail;
      break;
    case Outcome::kAbstain:
      ++abstain;
      break;
    case Outcome::kFault:
      ++fault;
      break;
  }
  ++reasons[verdict.reason];
}

Json VerdictTally::ToJson() const {
  Json counts = Json::MakeObject();
  for (const auto& [reason, count] : reasons) counts.Set(reason, count);
  return Json()
      .Set("pass", pass)
      .Set("fail", fail)
      .Set("abstain", abstain)
      .Set("fault", fault)
      .Set("reasons", std::move(counts));
}

}  // namespace assay
