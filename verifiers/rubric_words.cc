#include "verifiers/rubric_words.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"
#include "verifiers/rubric_fold.h"
#include "verifiers/rubric_route.h"

namespace assay {
namespace {

using Rule = RubricSpec::Rule;
using Relative = RubricTerm::Relative;

// At most four digits behind the point: 0.3 and not 0.30000000000000004.
std::string Number(double value) {
  std::string text = FixedDigits(value, 4);
  while (EndsWith(text, "0")) text.pop_back();
  if (EndsWith(text, ".")) text.pop_back();
  return text == "-0" ? "0" : text;
}

std::string RewardText(const Reward& reward) { return reward ? Number(*reward) : "null"; }

std::string ClampText(const std::optional<double>& min, const std::optional<double>& max) {
  if (min && max) return StrCat("between ", Number(*min), " and ", Number(*max));
  if (min) return StrCat("at least ", Number(*min));
  return max ? StrCat("at most ", Number(*max)) : "";
}

// "task is "math" and level is one of [4,5]"
std::string RouteText(const Json& route, const std::string& prefix) {
  std::string out;
  for (const Json::Member& member : *route.AsObject()) {
    if (!out.empty()) out += " and ";
    const std::string path = prefix + member.key;
    if (member.value.IsObject()) {
      out += RouteText(member.value, path + ".");
    } else {
      StrAppend(&out, path, member.value.IsArray() ? " is one of " : " is ", member.value.Dump());
    }
  }
  return out;
}

std::string ValueText(const RubricTerm& term) {
  std::string out = "its score";
  if (term.relative == Relative::kRank) out = "the share of its group that scores less";
  if (term.relative == Relative::kShortest)
    out = "if it passes, the shortest passing reply's length over its own";
  if (term.relative == Relative::kFastest)
    out = "if it passes, the fastest passing program's time over its own";
  if (term.threshold)
    out = StrCat("1 if ", term.relative == Relative::kNone ? out : StrCat("that (", out, ")"),
                 " is at least ", Number(*term.threshold), ", else 0");
  return out;
}

std::string TermText(const RubricSpec& spec, const RubricTerm& term) {
  std::string out = StrCat("'", term.label, "'");
  if (term.label != term.verifier) StrAppend(&out, " (verifier ", term.verifier, ")");
  out += ": ";
  if (term.gate) StrAppend(&out, "must pass, or the reward is ", Number(spec.gate_reward), "; ");
  const bool silent = term.gate && (spec.rule == Rule::kGate || spec.rule == Rule::kMin);
  if (silent) {
    out += "brings nothing of its own";
  } else if (term.penalty) {
    StrAppend(&out, "costs ", Number(term.weight), " * (1 - ", ValueText(term), ")");
  } else if (spec.rule == Rule::kProduct) {
    StrAppend(&out, "multiplies by (", ValueText(term), ") to the power ", Number(term.weight));
  } else if (term.weight == 0) {
    out += "is logged and brings nothing";
  } else {
    StrAppend(&out, "brings ", Number(term.weight), " * (", ValueText(term), ")");
  }
  if (const std::string clamp = ClampText(term.min, term.max); !clamp.empty() && !silent)
    StrAppend(&out, ", ", clamp);
  if (term.when.IsObject()) StrAppend(&out, "; only where ", RouteText(term.when, ""));
  if (term.unless.IsObject()) StrAppend(&out, "; not where ", RouteText(term.unless, ""));
  if (term.on_fault == RubricTerm::OnFault::kSkip) out += "; left out on a fault";
  if (term.on_fault == RubricTerm::OnFault::kFail) out += "; a fault scores 0";
  return out;
}

std::string JoinText(const RubricSpec& spec) {
  std::string out = "The reward is the ";
  out += spec.rule == Rule::kProduct ? "product" : spec.rule == Rule::kMin ? "least" : "sum";
  out += " of what the terms bring";
  if (const std::string clamp = ClampText(spec.min, spec.max); !clamp.empty())
    StrAppend(&out, ", ", clamp);
  return out;
}

// The term whose failure a reader asks about first; the number of terms if all are gates.
size_t Heaviest(const RubricSpec& spec) {
  size_t best = spec.terms.size();
  for (size_t i = 0; i < spec.terms.size(); ++i) {
    if (spec.terms[i].gate) continue;
    if (best == spec.terms.size() ||
        std::abs(spec.terms[i].weight) > std::abs(spec.terms[best].weight))
      best = i;
  }
  return best;
}

// Gives the made-up row the fields that `when` asks for; of a list, its first.
void AddFields(const Json& when, Problem* problem) {
  if (!when.IsObject()) return;
  for (const Json::Member& member : *when.AsObject()) {
    const Json::Array* list = member.value.AsArray();
    const Json value = list != nullptr && !list->empty() ? (*list)[0] : member.value;
    if (member.key == "task") problem->task = value.ScalarText();
    problem->extra.Set(member.key, value);
  }
}

// Whether its evidence may hold a time; a reward of the user's own says what it likes.
bool MeasuresTime(const std::string& verifier) {
  return verifier == "timing" || verifier == "code" || verifier == "python" || verifier == "plugin";
}

}  // namespace

std::string RubricInWords(const RubricSpec& spec) {
  std::string out;
  for (const RubricTerm& term : spec.terms) StrAppend(&out, "  ", TermText(spec, term), ".\n");
  StrAppend(&out, JoinText(spec), ".\n");
  const bool null_possible = std::any_of(
      spec.terms.begin(), spec.terms.end(),
      [](const RubricTerm& term) { return term.on_fault == RubricTerm::OnFault::kNull; });
  if (null_possible)
    out += "A fault makes it null: such a reply is neither rewarded nor punished.\n";
  return out;
}

std::vector<MadeUpSample> MadeUpSamples(const RubricSpec& spec) {
  const size_t count = spec.terms.size(), heaviest = Heaviest(spec);
  const RubricTerm& failed = spec.terms[heaviest < count ? heaviest : 0];
  Group row;  // one that the heaviest term is for
  AddFields(failed.when, &row.problem);
  std::vector<MadeUpSample> out(3);
  out[0].what = "passes everything";
  out[1].what = StrCat("fails '", failed.verifier, "', passes the rest");
  out[2].what = "passes nothing";
  for (const RubricTerm& term : spec.terms) {
    const bool routed = RouteFits(term.when, row.problem, Sample()) &&
                        (term.unless.IsNull() || !RouteFits(term.unless, row.problem, Sample()));
    for (size_t i = 0; i < out.size(); ++i) {
      const bool fails = i == 2 || (i == 1 && term.verifier == failed.verifier);
      out[i].verdicts.push_back(!routed ? Verdict::Abstain("not_routed")
                                : fails ? Verdict::Fail("wrong_value")
                                        : Verdict::Pass());
    }
  }
  for (MadeUpSample& sample : out) {
    if (failed.when.IsObject())
      StrAppend(&sample.what, " (a row where ", RouteText(failed.when, ""), ")");
    sample.reward = Rubric::Fold(spec, spec.terms, sample.verdicts);
  }
  return out;
}

std::vector<std::string> RubricWarnings(const RubricSpec& spec) {
  std::vector<std::string> out;
  const RewardRange range = RangeOf(spec);
  const bool gated = std::any_of(spec.terms.begin(), spec.terms.end(),
                                 [](const RubricTerm& term) { return term.gate; });
  if (gated && range.least < spec.gate_reward) {
    out.push_back(StrCat("a reply that passes the gates may earn ", Number(range.least),
                         ", one that fails them earns ", Number(spec.gate_reward),
                         ": failing can pay; lower gate_reward"));
  }
  if (!(range.least < range.most) && !gated)
    out.push_back("no verdict changes the reward: every group is without spread");
  if (spec.rule == RubricSpec::Rule::kGate && !gated)
    out.push_back("no term is a gate: the rule is a plain sum");
  for (const RubricTerm& term : spec.terms) {
    if (term.relative == Relative::kFastest && !MeasuresTime(term.verifier)) {
      out.push_back(StrCat("'", term.label, "': '", term.verifier,
                           "' measures no time, so that the term is always left out"));
    }
    if (term.on_fault == RubricTerm::OnFault::kFail)
      out.push_back(StrCat("'", term.label,
                           "': with on_fault = \"fail\" replies are punished for what is not "
                           "their doing"));
  }
  return out;
}

std::string RewardInWords(const RubricSpec& spec, const std::vector<std::string>& labels,
                          const SampleScore& sample) {
  std::string out = StrCat("reward ", RewardText(sample.reward), "\n");
  for (size_t t = 0; t < labels.size(); ++t) {
    const Verdict& verdict = sample.verdicts[t];
    const bool brought = t < sample.parts.size() && sample.parts[t];
    StrAppend(&out, "  ", labels[t], ": ",
              brought ? StrCat("brought ", Number(*sample.parts[t])) : std::string("left out"),
              "; ", OutcomeName(verdict.outcome), ", score ", Number(verdict.score), " (",
              verdict.reason, ")");
    if (!verdict.detail.empty()) StrAppend(&out, ": ", verdict.detail);
    const bool gate = t < spec.terms.size() && spec.terms[t].gate;
    if (gate)
      StrAppend(&out, verdict.outcome == Outcome::kFail ? "; a gate, and shut" : "; a gate");
    out += "\n";
  }
  return out;
}

}  // namespace assay
