#include "grpo/config/rope.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "core/text.h"

namespace assay {
namespace {

Error UnusableRope(std::string message, std::string hint = "") {
  return Error{ErrorCode::kInput, std::move(message), std::move(hint)};
}

Status ReadRopeScaling(const Json& json, const std::string& type, int64_t max_position,
                       RopeConfig* rope) {
  rope->factor = json.DoubleOr("factor", 1.0);
  rope->original_max_position = json.IntOr("original_max_position_embeddings", max_position);
  if (type == "linear") {
    rope->scaling = RopeScaling::kLinear;
  } else if (type == "dynamic") {
    rope->scaling = RopeScaling::kDynamic;
  } else if (type == "llama3") {
    rope->scaling = RopeScaling::kLlama3;
    rope->low_freq_factor = json.DoubleOr("low_freq_factor", 1.0);
    rope->high_freq_factor = json.DoubleOr("high_freq_factor", 4.0);
    if (!(rope->high_freq_factor > rope->low_freq_factor)) {
      return UnusableRope(
          "config.json: rope scaling 'llama3' needs high_freq_factor > low_freq_factor");
    }
  } else if (type == "yarn") {
    rope->scaling = RopeScaling::kYarn;
    rope->beta_fast = json.DoubleOr("beta_fast", 32.0);
    rope->beta_slow = json.DoubleOr("beta_slow", 1.0);
    rope->attention_factor = json.DoubleOr("attention_factor", 0.0);
    rope->mscale = json.DoubleOr("mscale", 0.0);
    rope->mscale_all_dim = json.DoubleOr("mscale_all_dim", 0.0);
    rope->truncate = json.BoolOr("truncate", true);
  } else {
    return UnusableRope(StrCat("config.json: unknown rope scaling '", type, "'"),
                        "known: default, linear, dynamic, llama3, yarn");
  }
  if (!(rope->factor >= 1.0)) {
    return UnusableRope(StrCat("config.json: rope scaling factor ", rope->factor, " is below 1"));
  }
  return {};
}

double YarnMscale(double factor, double mscale) {
  return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

void ScaleLlama3(const RopeConfig& rope, std::vector<double>* frequencies) {
  const double original = static_cast<double>(rope.original_max_position);
  const double low_wavelength = original / rope.low_freq_factor;
  const double high_wavelength = original / rope.high_freq_factor;
  for (double& frequency : *frequencies) {
    const double wavelength = 2.0 * std::numbers::pi / frequency;
    if (wavelength > low_wavelength) {
      frequency /= rope.factor;
    } else if (wavelength >= high_wavelength) {
      const double smooth = (original / wavelength - rope.low_freq_factor) /
                            (rope.high_freq_factor - rope.low_freq_factor);
      frequency = (1.0 - smooth) * frequency / rope.factor + smooth * frequency;
    }
  }
}

// YaRN section 3.2: dimensions that turn more than beta_fast times over the original length are kept, those below
// beta_slow turns are interpolated, a linear ramp between.
void ScaleYarn(const RopeConfig& rope, int64_t head_dim, RopeTable* table) {
  const double dim = static_cast<double>(head_dim);
  const double original = static_cast<double>(rope.original_max_position);
  auto dimension_of = [&](double turns) {
    return dim * std::log(original / (turns * 2.0 * std::numbers::pi)) /
           (2.0 * std::log(rope.theta));
  };
  double low = dimension_of(rope.beta_fast);
  double high = dimension_of(rope.beta_slow);
  if (rope.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1.0);
  if (low == high) high += 0.001;
  for (size_t i = 0; i < table->inverse_frequencies.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    double& frequency = table->inverse_frequencies[i];
    frequency = ramp * frequency / rope.factor + (1.0 - ramp) * frequency;
  }
  if (rope.attention_factor > 0) {
    table->scale = rope.attention_factor;
  } else if (rope.mscale > 0 && rope.mscale_all_dim > 0) {
    table->scale =
        YarnMscale(rope.factor, rope.mscale) / YarnMscale(rope.factor, rope.mscale_all_dim);
  } else {
    table->scale = YarnMscale(rope.factor, 1.0);
  }
}

}  // namespace

Status ReadRope(const Json& json, int64_t max_position, RopeConfig* rope) {
  rope->theta = json.DoubleOr("rope_theta", 10000.0);
  const Json* scaling = json.Find("rope_parameters");
  if (scaling == nullptr || !scaling->IsObject()) scaling = json.Find("rope_scaling");
  if (scaling == nullptr || !scaling->IsObject()) return {};
  rope->theta = scaling->DoubleOr("rope_theta", rope->theta);
  const std::string type(scaling->StringOr("rope_type", scaling->StringOr("type", "default")));
  if (type == "default") return {};
  return ReadRopeScaling(*scaling, type, max_position, rope);
}

Json RopeToJson(const RopeConfig& rope) {
  Json json = Json::MakeObject();
  json.Set("rope_theta", rope.theta);
  const char* type = "default";
  switch (rope.scaling) {
    case RopeScaling::kNone:
      break;
    case RopeScaling::kLinear:
      type = "linear";
      break;
    case RopeScaling::kDynamic:
      type = "dynamic";
      break;
    case RopeScaling::kLlama3:
      type = "llama3";
      break;
    case RopeScaling::kYarn:
      type = "yarn";
      break;
  }
  json.Set("rope_type", type);
  if (rope.scaling == RopeScaling::kNone) return json;
  json.Set("factor", rope.factor);
  if (rope.scaling != RopeScaling::kLinear)
    json.Set("original_max_position_embeddings", rope.original_max_position);
  if (rope.scaling == RopeScaling::kLlama3) {
    json.Set("low_freq_factor", rope.low_freq_factor)
        .Set("high_freq_factor", rope.high_freq_factor);
  }
  if (rope.scaling == RopeScaling::kYarn) {
    json.Set("beta_fast", rope.beta_fast)
        .Set("beta_slow", rope.beta_slow)
        .Set("truncate", rope.truncate);
    if (rope.attention_factor > 0) json.Set("attention_factor", rope.attention_factor);
    if (rope.mscale > 0) json.Set("mscale", rope.mscale);
    if (rope.mscale_all_dim > 0) json.Set("mscale_all_dim", rope.mscale_all_dim);
  }
  return json;
}

RopeTable MakeRopeTable(const RopeConfig& rope, int64_t head_dim, int64_t sequence_length) {
  const double dim = static_cast<double>(head_dim);
  double theta = rope.theta;
  if (rope.scaling == RopeScaling::kDynamic && sequence_length > rope.original_max_position) {
    const double stretch = rope.factor * static_cast<double>(sequence_length) /
                               static_cast<double>(rope.original_max_position) -
                           (rope.factor - 1.0);
    theta *= std::pow(stretch, dim / (dim - 2.0));
  }
  RopeTable table;
  for (int64_t i = 0; i < head_dim / 2; ++i) {
    table.inverse_frequencies.push_back(std::pow(theta, -2.0 * static_cast<double>(i) / dim));
  }
  if (rope.scaling == RopeScaling::kLinear) {
    for (double& frequency : table.inverse_frequencies) frequency /= rope.factor;
  }
  if (rope.scaling == RopeScaling::kLlama3) ScaleLlama3(rope, &table.inverse_frequencies);
  if (rope.scaling == RopeScaling::kYarn) ScaleYarn(rope, head_dim, &table);
  return table;
}

}  // namespace assay
