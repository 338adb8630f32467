#include "verifiers/rubric_fold.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"

namespace assay {
namespace {

using Kind = TermValue::Kind;
using Relative = RubricTerm::Relative;
using Rule = RubricSpec::Rule;

double Within(double value, const std::optional<double>& min, const std::optional<double>& max) {
  if (min) value = std::max(value, *min);
  if (max) value = std::min(value, *max);
  return value;
}

// The threshold is the last word on a value.
void ApplyThreshold(const RubricTerm& term, TermValue* value) {
  if (!term.threshold || value->kind != Kind::kValue) return;
  value->passes = value->value >= *term.threshold;
  value->value = value->passes ? 1 : 0;
}

TermValue RawValue(const RubricTerm& term, const Verdict& verdict) {
  if (verdict.outcome == Outcome::kAbstain) return {};
  if (verdict.outcome == Outcome::kFault) {
    if (term.on_fault == RubricTerm::OnFault::kSkip) return {};
    if (term.on_fault == RubricTerm::OnFault::kFail) return {Kind::kValue, 0, false};
    return {Kind::kFault, 0, false};
  }
  return {Kind::kValue, verdict.score, verdict.outcome == Outcome::kPass};
}

int64_t Characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

std::vector<std::optional<double>> Lengths(const std::vector<Sample>& samples) {
  const bool tokens = std::none_of(samples.begin(), samples.end(),
                                   [](const Sample& sample) { return sample.token_ids.empty(); });
  std::vector<std::optional<double>> lengths;
  for (const Sample& sample : samples)
    lengths.emplace_back(static_cast<double>(tokens ? static_cast<int64_t>(sample.token_ids.size())
                                                    : Characters(sample.text)));
  return lengths;
}

std::vector<std::optional<double>> Times(const std::vector<Verdict>& verdicts) {
  std::vector<std::optional<double>> times;
  for (const char* key : {"cpu_ms", "bytecodes"}) {
    times.clear();
    bool any = false;
    for (const Verdict& verdict : verdicts) {
      const Json* time = verdict.evidence.Find(key);
      const bool known = time != nullptr && time->IsNumber();
      times.push_back(known ? std::optional<double>(time->NumberOr(0)) : std::nullopt);
      any = any || known;
    }
    if (any) break;  // never one of the two for some of a group and the other for the rest
  }
  return times;
}

// Least cost of those that pass over each one's own.
void ByCost(const std::vector<std::optional<double>>& costs, std::vector<TermValue>* values) {
  std::optional<double> least;
  for (size_t i = 0; i < costs.size(); ++i) {
    TermValue& value = (*values)[i];
    if (value.kind != Kind::kValue) continue;
    if (value.passes && !costs[i]) value.kind = Kind::kLeftOut;
    if (value.passes && costs[i]) least = std::min(least.value_or(*costs[i]), *costs[i]);
  }
  for (size_t i = 0; i < costs.size(); ++i) {
    TermValue& value = (*values)[i];
    if (value.kind != Kind::kValue) continue;
    value.value = !value.passes ? 0 : *costs[i] > 0 ? *least / *costs[i] : 1;
  }
}

void ByRank(std::vector<TermValue>* values) {
  std::vector<double> scores;
  for (const TermValue& value : *values) {
    if (value.kind == Kind::kValue) scores.push_back(value.value);
  }
  std::sort(scores.begin(), scores.end());
  for (TermValue& value : *values) {
    if (value.kind != Kind::kValue) continue;
    if (scores.size() < 2) {
      value.kind = Kind::kLeftOut;
      continue;
    }
    const auto [low, high] = std::equal_range(scores.begin(), scores.end(), value.value);
    const double below = static_cast<double>(low - scores.begin());
    const double ties = static_cast<double>(high - low) - 1;
    value.value = (below + ties / 2) / static_cast<double>(scores.size() - 1);
  }
}

double Part(const RubricSpec& spec, const RubricTerm& term, double value) {
  double part = term.weight * value;
  if (spec.rule == Rule::kProduct) part = std::pow(std::max(value, 0.0), term.weight);
  if (term.penalty) part = -term.weight * (1 - value);
  return Within(part, term.min, term.max);
}

// A pure gate brings nothing of its own.
bool Earns(const RubricSpec& spec, const RubricTerm& term) {
  return !term.gate || (spec.rule != Rule::kGate && spec.rule != Rule::kMin);
}

double Joined(Rule rule, const std::vector<std::optional<double>>& parts) {
  double sum = 0, product = 1;
  std::optional<double> least;
  for (const std::optional<double>& part : parts) {
    if (!part) continue;
    sum += *part;
    product *= *part;
    least = std::min(least.value_or(*part), *part);
  }
  if (rule == Rule::kProduct) return product;
  if (rule == Rule::kMin) return least.value_or(0);
  return sum;
}

}  // namespace

TermValue ValueOf(const RubricTerm& term, const Verdict& verdict) {
  TermValue value = RawValue(term, verdict);
  ApplyThreshold(term, &value);
  return value;
}

std::vector<TermValue> ValuesOf(const RubricTerm& term, const std::vector<Verdict>& verdicts,
                                const std::vector<Sample>& samples) {
  std::vector<TermValue> values;
  values.reserve(verdicts.size());
  for (const Verdict& verdict : verdicts) values.push_back(RawValue(term, verdict));
  if (term.relative == Relative::kRank) ByRank(&values);
  if (term.relative == Relative::kShortest) ByCost(Lengths(samples), &values);
  if (term.relative == Relative::kFastest) ByCost(Times(verdicts), &values);
  for (TermValue& value : values) ApplyThreshold(term, &value);
  return values;
}

Folded FoldValues(const RubricSpec& spec, const std::vector<RubricTerm>& terms,
                  const std::vector<TermValue>& values) {
  ASSAY_CHECK(terms.size() == values.size());
  Folded out;
  out.parts.resize(terms.size());
  bool applied = false, gates_pass = true;
  for (size_t i = 0; i < terms.size(); ++i) {
    if (values[i].kind == Kind::kFault) {
      out.parts.assign(terms.size(), std::nullopt);
      return out;
    }
    if (values[i].kind == Kind::kLeftOut) continue;
    applied = true;
    if (terms[i].gate) gates_pass = gates_pass && values[i].passes;
    if (Earns(spec, terms[i])) out.parts[i] = Part(spec, terms[i], values[i].value);
  }
  if (!applied) return out;
  if (!gates_pass) {
    for (std::optional<double>& part : out.parts) {
      if (part) part = 0.0;
    }
    out.reward = spec.gate_reward;
    return out;
  }
  out.reward = Within(Joined(spec.rule, out.parts), spec.min, spec.max);
  return out;
}

RewardRange RangeOf(const RubricSpec& spec) {
  std::vector<std::optional<double>> low, high;
  for (const RubricTerm& term : spec.terms) {
    if (!Earns(spec, term)) continue;
    const double at_zero = Part(spec, term, 0), at_one = Part(spec, term, 1);
    // A gate that passes may still score less than 1, but says so by its outcome: it counts as full.
    low.push_back(term.gate ? at_one : std::min(at_zero, at_one));
    high.push_back(term.gate ? at_one : std::max(at_zero, at_one));
  }
  return {Within(Joined(spec.rule, low), spec.min, spec.max),
          Within(Joined(spec.rule, high), spec.min, spec.max)};
}

}  // namespace assay
