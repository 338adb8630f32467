// grpo_parity FILE..: for each file of golden_grpo.json's shape runs the functions that the trainer runs on the file's
// inputs and prints one JSON line a section (section, cases, max_error, failed). Exits 1 if one is out of tolerance, 2
// if a file cannot be used. Sections that a file lacks are left out.
#include <ATen/ATen.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>

#include "core/jsonl.h"
#include "core/rng.h"
#include "core/text.h"
#include "grpo/learn/advantages.h"
#include "grpo/learn/losses.h"
#include "tests/grpo/learn/parity.h"

namespace assay::parity {
namespace {

constexpr double kTol64 = 1e-9;
constexpr double kTol32 = 1e-6;
constexpr double kTolBig = 5e-3;  // float32 on rewards of kind "big"

template <typename T>
T Must(Result<T> result, const std::string& where) {
  if (!result.ok()) BadFile(StrCat(where, ": ", result.error().message));
  return std::move(result).value();
}

std::string Text(const Json& object, const std::string& key) {
  const std::string* text = Need(object, key).AsString();
  if (text == nullptr) BadFile(StrCat("'", key, "' is not a string"));
  return *text;
}

// --- advantages -------------------------------------------------------------------------------------------------------

bool Advantages(const Json& golden) {
  Section section("advantages");
  for (const Json& item : *Need(golden, "advantages").AsArray()) {
    section.Case(Text(item, "id"));
    GroupAdvantageConfig config;
    config.num_generations = static_cast<int64_t>(Number(item, "num_generations"));
    config.scale = Must(RewardScaleFromName(Text(item, "scale_rewards")), "scale_rewards");
    config.aggregation = Must(RewardAggregationFromName(Text(item, "aggregation")), "aggregation");
    config.weights = Numbers(Need(item, "reward_weights"));
    config.eps = Number(item, "eps");
    RewardTable table;
    for (const std::vector<double>& row : Matrix(Need(item, "rewards_per_func"))) {
      std::vector<Reward>& out = table.emplace_back();
      for (double value : row) out.push_back(std::isnan(value) ? Reward() : Reward(value));
    }
    const GroupAdvantageResult result = ComputeGroupAdvantages(table, config);
    std::vector<double> values;
    for (const Advantage& advantage : result.advantages) values.push_back(advantage.value);
    section.Compare("advantages", values, Numbers(Need(item, "advantages")), kTol64);
    if (Has(item, "advantages_f32")) {
      section.Compare("advantages_f32", values, Numbers(Need(item, "advantages_f32")),
                      item.StringOr("kind", "") == "big" ? kTolBig : kTol32);
    }
    for (const Json::Member& metric : *Need(item, "metrics").AsObject()) {
      double ours = 0;
      if (metric.key == "reward") {
        ours = result.reward.mean;
      } else if (metric.key == "reward_std") {
        ours = result.reward.std;
      } else if (metric.key == "frac_reward_zero_std") {
        ours = result.frac_reward_zero_std;
      } else if (StartsWith(metric.key, "rewards/rew")) {
        const size_t k = std::strtoul(metric.key.c_str() + 11, nullptr, 10);
        if (k >= result.per_function.size()) BadFile(metric.key);
        ours = EndsWith(metric.key, "/mean") ? result.per_function[k].mean
                                             : result.per_function[k].std;
      } else {
        section.Fail(metric.key, "unknown metric");
        continue;
      }
      // Fractions and means of 0/1 columns are float32 in the reference.
      section.Compare(metric.key, ours, metric.value.NumberOr(NAN), kTol32);
    }
  }
  return section.Finish();
}

// --- losses -----------------------------------------------------------------------------------------------------------

LossConfig TrlConfig(const Json& item) {
  LossConfig config;
  config.type = Must(LossTypeFromName(Text(item, "loss_type")), "loss_type");
  config.ratio_level = Must(RatioLevelFromName(Text(item, "importance_sampling_level")),
                            "importance_sampling_level");
  config.beta = Number(item, "beta");
  config.epsilon_low = Number(item, "epsilon_low");
  config.epsilon_high = Number(item, "epsilon_high");
  if (Has(item, "delta")) config.delta = Number(item, "delta");
  config.kl_bias_correction = item.BoolOr("use_bias_correction_kl", true);
  config.max_completion_length = static_cast<int64_t>(Number(item, "max_completion_length"));
  config.entropy_coef = Number(item, "entropy_coef");
  config.top_entropy_quantile = Number(item, "top_entropy_quantile");
  if (Has(item, "off_policy_mask_threshold"))
    config.off_policy_threshold = Number(item, "off_policy_mask_threshold");
  config.sapo_tau_pos = Number(item, "sapo_temperature_pos");
  config.sapo_tau_neg = Number(item, "sapo_temperature_neg");
  const std::vector<double> vespo = Numbers(Need(item, "vespo"));
  if (vespo.size() != 4) BadFile("'vespo' has not four numbers");
  config.vespo_k_pos = vespo[0];
  config.vespo_lambda_pos = vespo[1];
  config.vespo_k_neg = vespo[2];
  config.vespo_lambda_neg = vespo[3];
  return config;
}

LossInputs InputsOf(const Json& item, at::ScalarType dtype, bool entropies_need_grad) {
  LossInputs in;
  in.logp_BT = TensorOf(Need(item, "logps"), dtype).requires_grad_();
  in.mask_BT = TensorOf(Need(item, "mask"), dtype);
  in.advantages = TensorOf(Need(item, "advantages"), dtype);
  if (item.BoolOr("has_old", true) && Has(item, "old_logps"))
    in.old_logp_BT = TensorOf(Need(item, "old_logps"), dtype);
  if (Has(item, "ref_logps")) in.ref_logp_BT = TensorOf(Need(item, "ref_logps"), dtype);
  if (Has(item, "entropies")) {
    in.entropy_BT = TensorOf(Need(item, "entropies"), dtype);
    if (entropies_need_grad) in.entropy_BT.requires_grad_();
  }
  if (Has(item, "num_items_in_batch")) in.num_items = Number(item, "num_items_in_batch");
  if (Has(item, "current_gradient_accumulation_steps")) {
    in.accumulation_steps = Number(item, "current_gradient_accumulation_steps");
    in.steps_per_generation = Number(item, "steps_per_generation");
  }
  return in;
}

void CompareMetrics(const Json& expected, const LossOutput& out, double tolerance,
                    Section* section) {
  for (const Json::Member& metric : *expected.AsObject()) {
    const auto found = std::find_if(out.metrics.begin(), out.metrics.end(),
                                    [&](const auto& entry) { return entry.first == metric.key; });
    if (found == out.metrics.end()) {
      section->Fail(metric.key, "metric missing");
      continue;
    }
    section->Compare(metric.key, found->second.item<double>(), metric.value.NumberOr(NAN),
                     tolerance);
  }
}

void CompareLoss(const Json& item, const LossConfig& config, Section* section) {
  LossInputs in = InputsOf(item, at::kDouble, false);
  const LossOutput out = ComputeLoss(config, in);
  out.loss.backward();
  section->Compare("loss", out.loss.item<double>(), Number(item, "loss"), kTol64);
  section->Compare("grad_logps", in.logp_BT.grad(), Need(item, "grad_logps"), kTol64);
  CompareMetrics(Need(item, "metrics"), out, kTol64, section);
  if (Has(item, "loss_f32")) {
    const LossOutput out32 = ComputeLoss(config, InputsOf(item, at::kFloat, false));
    section->Compare("loss_f32", out32.loss.item<double>(), Number(item, "loss_f32"), kTol32);
  }
}

bool Losses(const Json& golden) {
  Section section("losses");
  for (const Json& item : *Need(golden, "losses").AsArray()) {
    section.Case(Text(item, "id"));
    CompareLoss(item, TrlConfig(item), &section);
  }
  return section.Finish();
}

LossConfig VerlConfig(const Json& item) {
  LossConfig config;
  config.type = Must(LossTypeFromName("verl_" + Text(item, "policy_loss")), "policy_loss");
  config.aggregation = Must(AggregationFromName(Text(item, "loss_agg_mode")), "loss_agg_mode");
  config.epsilon_low = Number(item, "clip_ratio_low");
  config.epsilon_high = Number(item, "clip_ratio_high");
  config.dual_clip = Number(item, "clip_ratio_c");
  config.sapo_tau_pos = Number(item, "tau_pos");
  config.sapo_tau_neg = Number(item, "tau_neg");
  return config;
}

bool VerlLosses(const Json& golden) {
  Section section("verl_losses");
  for (const Json& item : *Need(golden, "verl_losses").AsArray()) {
    section.Case(Text(item, "id"));
    CompareLoss(item, VerlConfig(item), &section);
  }
  return section.Finish();
}

// --- verl's advantages and KL -----------------------------------------------------------------------------------------

bool VerlAdvantages(const Json& golden) {
  Section section("verl_advantages");
  for (const Json& item : *Need(golden, "verl_advantages").AsArray()) {
    OutcomeAdvantageInput in;
    in.scores = Numbers(Need(item, "scores"));
    in.lengths = Integers(Need(item, "lengths"));
    in.groups = Integers(Need(item, "group"));
    in.width = static_cast<int64_t>(Number(item, "T"));
    in.eps = Number(item, "epsilon");
    if (Has(item, "remax_baselines")) in.baselines = Numbers(Need(item, "remax_baselines"));
    for (const Json::Member& output : *Need(item, "outputs").AsObject()) {
      section.Case(StrCat(Text(item, "id"), " ", output.key));
      std::string name = output.key;
      in.gamma = 1.0;
      if (const size_t at = name.find("_gamma"); at != std::string::npos) {
        in.gamma = std::strtod(name.c_str() + at + 6, nullptr);
        name.resize(at);
      }
      const AdvantageEstimator estimator = Must(AdvantageEstimatorFromName(name), "outputs");
      const TokenRows ours = ComputeOutcomeAdvantages(estimator, in);
      std::vector<double> theirs;
      for (const std::vector<double>& row : Matrix(output.value))
        theirs.insert(theirs.end(), row.begin(), row.end());
      section.Compare(output.key, ours.values, theirs, kTol64);
    }
  }
  return section.Finish();
}

bool VerlKl(const Json& golden) {
  Section section("verl_kl");
  for (const Json& item : *Need(golden, "verl_kl").AsArray()) {
    for (const Json::Member& output : *Need(item, "outputs").AsObject()) {
      section.Case(StrCat(Text(item, "id"), " ", output.key));
      // verl's k3 (low_var_kl) is the clamped one.
      const std::string name =
          output.key == "k3" || output.key == "low_var_kl" ? "k3_clamped" : output.key;
      const at::Tensor logp = TensorOf(Need(item, "logps"), at::kDouble).requires_grad_();
      const at::Tensor kl = TokenKl(Must(KlKindFromName(name), "outputs"), logp,
                                    TensorOf(Need(item, "ref_logps"), at::kDouble));
      kl.sum().backward();
      section.Compare("value", kl, Need(output.value, "value"), kTol64);
      section.Compare("grad_logp", logp.grad(), Need(output.value, "grad_logp"), kTol64);
    }
  }
  return section.Finish();
}

bool Overlong(const Json& golden) {
  Section section("overlong");
  for (const Json& item : *Need(golden, "overlong").AsArray()) {
    section.Case("overlong");
    std::vector<double> ours;
    for (int64_t length : Integers(Need(item, "lengths"))) {
      ours.push_back(
          SoftOverlongPunishment(length, static_cast<int64_t>(Number(item, "max_completion_len")),
                                 static_cast<int64_t>(Number(item, "soft_punish_cache"))));
    }
    section.Compare("rewards", ours, Numbers(Need(item, "rewards")), kTol64);
  }
  return section.Finish();
}

// --- crosscheck -------------------------------------------------------------------------------------------------------

// "cispo(hi=1.28)" -> name, "hi", 1.28.
struct CrossName {
  std::string name;
  std::string parameter;
  double value = 0;
};
CrossName ParseCrossName(const std::string& text) {
  CrossName out{text, "", 0};
  const size_t open = text.find('(');
  if (open == std::string::npos) return out;
  const size_t equals = text.find('=', open);
  if (equals == std::string::npos) BadFile(text);
  out.name = text.substr(0, open);
  out.parameter = text.substr(open + 1, equals - open - 1);
  out.value = std::strtod(text.c_str() + equals + 1, nullptr);
  return out;
}

// The file gives each pair's two values without their inputs; so the pair must agree for our two functions on inputs of
// our own, drawn from the case's seed, and the file's two values must differ by what it says.
LossInputs DrawInputs(uint64_t seed, int64_t rows, int64_t width) {
  Rng rng(seed, "crosscheck");
  const auto normal = [&](double scale) {
    at::Tensor out = at::empty({rows, width}, at::kDouble);
    for (int64_t i = 0; i < out.numel(); ++i) out.data_ptr<double>()[i] = scale * rng.Normal();
    return out;
  };
  LossInputs in;
  in.old_logp_BT = -normal(1.0).abs();
  in.logp_BT = in.old_logp_BT + normal(0.2);
  in.advantages = normal(1.0).select(1, 0).contiguous();
  in.mask_BT = at::zeros({rows, width}, at::kDouble);
  for (int64_t i = 0; i < rows; ++i) {
    in.mask_BT[i].slice(0, 0, i == 0 ? width : 1 + static_cast<int64_t>(rng.Below(width))).fill_(1);
  }
  in.num_items = in.mask_BT.sum().item<double>();
  return in;
}

bool Crosscheck(const Json& golden) {
  Section section("crosscheck");
  for (const Json& item : *Need(golden, "crosscheck").AsArray()) {
    const std::string trl = Text(item, "trl");
    const std::string verl = Text(item, "verl");
    section.Case(StrCat(trl, " | ", verl, " seed ", static_cast<int64_t>(Number(item, "seed"))));
    section.Compare("the file's own difference",
                    std::abs(Number(item, "trl_value") - Number(item, "verl_value")),
                    Number(item, "abs_diff"), 1e-12);
    const LossInputs in = DrawInputs(static_cast<uint64_t>(Number(item, "seed")), 6, 9);
    LossConfig a;
    LossConfig b;
    a.max_completion_length = in.mask_BT.size(1);
    const CrossName left = ParseCrossName(trl);
    std::string name = left.name;
    const bool times_rows = EndsWith(name, "*B");
    if (times_rows) name.resize(name.size() - 2);
    if (EndsWith(name, "+sequence")) {
      name.resize(name.size() - 9);
      a.ratio_level = RatioLevel::kSequence;
    }
    a.type = Must(LossTypeFromName(name), trl);
    const size_t space = verl.find(' ');
    const CrossName right = ParseCrossName(verl.substr(0, space));
    b.type = Must(LossTypeFromName("verl_" + right.name), verl);
    if (space != std::string::npos)
      b.aggregation = Must(AggregationFromName(verl.substr(space + 1)), verl);
    if (left.parameter == "hi") {  // an absolute cap here, 1 + epsilon there
      a.epsilon_high = left.value;
      b.epsilon_high = left.value - 1;
    }
    if (right.parameter == "low") b.epsilon_low = right.value;
    const double ours_trl =
        ComputeLoss(a, in).loss.item<double>() * (times_rows ? in.mask_BT.size(0) : 1);
    const double ours_verl = ComputeLoss(b, in).loss.item<double>();
    // verl adds 1e-8 to lengths, TRL rounds a temperature to float32: the files' own pairs differ by up to 4e-8.
    section.Compare("our pair", ours_trl, ours_verl, 1e-7);
  }
  return section.Finish();
}

int Run(int argc, char** argv) {
  const std::vector<std::pair<std::string, std::function<bool(const Json&)>>> sections = {
      {"advantages", Advantages},
      {"losses", Losses},
      {"verl_advantages", VerlAdvantages},
      {"verl_losses", VerlLosses},
      {"verl_kl", VerlKl},
      {"overlong", Overlong},
      {"crosscheck", Crosscheck},
      {"tiny_forward", TinyForward},
      {"e2e", EndToEnd},
      {"sft", Sft},
  };
  bool good = true;
  bool any = false;
  for (int i = 1; i < argc; ++i) {
    Result<std::string> text = ReadFile(argv[i]);
    if (!text.ok()) BadFile(text.error().message);
    Result<Json> golden = ParseJson(*text);
    if (!golden.ok()) BadFile(StrCat(argv[i], ": ", golden.error().message));
    for (const auto& [name, run] : sections) {
      if (golden->Find(name) == nullptr) continue;
      any = true;
      good = run(*golden) && good;
    }
  }
  if (!any) BadFile("no section found (usage: grpo_parity FILE..)");
  return good ? 0 : 1;
}

}  // namespace

// --- parity.h ---------------------------------------------------------------------------------------------------------

void BadFile(const std::string& what) {
  std::fprintf(stderr, "error: %s\n", what.c_str());
  std::exit(2);
}

const Json& Need(const Json& object, const std::string& key) {
  const Json* found = object.Find(key);
  if (found == nullptr) BadFile(StrCat("'", key, "' is missing"));
  return *found;
}

double Number(const Json& object, const std::string& key) {
  const Json& value = Need(object, key);
  if (!value.IsNumber()) BadFile(StrCat("'", key, "' is not a number"));
  return value.NumberOr(NAN);
}

bool Has(const Json& object, const std::string& key) {
  const Json* found = object.Find(key);
  return found != nullptr && !found->IsNull();
}

std::vector<double> Numbers(const Json& array) {
  if (!array.IsArray()) BadFile("expected an array of numbers");
  std::vector<double> out;
  for (const Json& value : *array.AsArray()) out.push_back(value.NumberOr(NAN));
  return out;
}

std::vector<int64_t> Integers(const Json& array) {
  std::vector<int64_t> out;
  for (double value : Numbers(array)) out.push_back(static_cast<int64_t>(value));
  return out;
}

std::vector<std::vector<double>> Matrix(const Json& array) {
  if (!array.IsArray()) BadFile("expected an array of arrays");
  std::vector<std::vector<double>> out;
  for (const Json& row : *array.AsArray()) out.push_back(Numbers(row));
  return out;
}

at::Tensor TensorOf(const Json& array, at::ScalarType dtype) {
  if (!array.IsArray()) BadFile("expected an array");
  const Json::Array& items = *array.AsArray();
  if (items.empty() || !items[0].IsArray())
    return at::tensor(Numbers(array), at::kDouble).to(dtype);
  std::vector<double> flat;
  const std::vector<std::vector<double>> rows = Matrix(array);
  for (const std::vector<double>& row : rows) {
    if (row.size() != rows[0].size()) BadFile("rows of unequal length");
    flat.insert(flat.end(), row.begin(), row.end());
  }
  const auto height = static_cast<int64_t>(rows.size());
  return at::tensor(flat, at::kDouble)
      .view({height, static_cast<int64_t>(rows[0].size())})
      .to(dtype);
}

void Section::Case(const std::string& id) {
  id_ = id;
  ++cases_;
  case_failed_ = false;
}

void Section::Fail(const std::string& what, const std::string& why) {
  if (!case_failed_ && !quiet_)
    std::fprintf(stderr, "%s %s: %s: %s\n", name_.c_str(), id_.c_str(), what.c_str(), why.c_str());
  if (!case_failed_) ++failed_;
  case_failed_ = true;
}

void Section::Compare(const std::string& what, double ours, double theirs, double tolerance) {
  if (std::isnan(ours) && std::isnan(theirs)) return;
  const double error = std::abs(ours - theirs) / std::max(1.0, std::abs(theirs));
  if (std::isnan(error) || error > tolerance) {
    Fail(what, StrCat(ours, " instead of ", theirs, ", tolerance ", tolerance));
  }
  if (!(error <= max_error_)) {
    max_error_ = error;
    worst_ = StrCat(id_, " ", what);
  }
}

void Section::Compare(const std::string& what, const std::vector<double>& ours,
                      const std::vector<double>& theirs, double tolerance) {
  if (ours.size() != theirs.size()) {
    Fail(what, StrCat(ours.size(), " values instead of ", theirs.size()));
    return;
  }
  for (size_t i = 0; i < ours.size(); ++i)
    Compare(StrCat(what, "[", i, "]"), ours[i], theirs[i], tolerance);
}

void Section::Compare(const std::string& what, const at::Tensor& ours, const Json& theirs,
                      double tolerance) {
  const at::Tensor expected = TensorOf(theirs, at::kDouble).flatten();
  const at::Tensor flat = ours.detach().to(at::kCPU, at::kDouble).flatten().contiguous();
  const auto values = [](const at::Tensor& t) {
    return std::vector<double>(t.data_ptr<double>(), t.data_ptr<double>() + t.numel());
  };
  Compare(what, values(flat), values(expected), tolerance);
}

bool Section::Finish() const {
  Json line = Json::MakeObject();
  line.Set("section", name_)
      .Set("cases", cases_)
      .Set("max_error", max_error_)
      .Set("failed", failed_)
      .Set("worst", worst_);
  if (undetermined_ > 0)
    line.Set("undetermined", undetermined_).Set("undetermined_max_error", undetermined_error_);
  std::printf("%s\n", line.Dump().c_str());
  std::fflush(stdout);
  return failed_ == 0 && cases_ > 0;
}

}  // namespace assay::parity

int main(int argc, char** argv) { return assay::parity::Run(argc, argv); }
