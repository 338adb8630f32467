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

std::vector<double> Factors(const Json& json, const char* key) {
  std::vector<double> factors;
  const Json* list = json.Find(key);
  if (list == nullptr || !list->IsArray()) return factors;
  for (const Json& factor : *list->AsArray()) factors.push_back(factor.NumberOr(0));
  return factors;
}

// Phi-3's config.json has the original length beside the scaling, and no factor: the ratio of the lengths is one.
Status ReadLongRope(const Json& json, int64_t max_position, RopeConfig* rope) {
  if (rope->original_max_position < 2)
    return UnusableRope("config.json: original_max_position_embeddings is below 2");
  rope->scaling = RopeScaling::kLongRope;
  rope->short_factor = Factors(json, "short_factor");
  rope->long_factor = Factors(json, "long_factor");
  rope->factor = json.DoubleOr("factor", static_cast<double>(max_position) /
                                             static_cast<double>(rope->original_max_position));
  rope->attention_factor = json.DoubleOr("attention_factor", 0.0);
  if (!(rope->attention_factor > 0))
    rope->attention_factor = LongRopeAttention(rope->factor, rope->original_max_position);
  return {};
}

Status ReadRopeScaling(const Json& json, const std::string& type, int64_t max_position,
                       RopeConfig* rope) {
  if (rope->original_max_position <= 0)
    rope->original_max_position = json.IntOr("original_max_position_embeddings", max_position);
  if (type == "longrope" || type == "su") return ReadLongRope(json, max_position, rope);
  rope->factor = json.DoubleOr("factor", 1.0);
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
                        "known: default, linear, dynamic, llama3, yarn, longrope");
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

namespace {

// `parameters` may be null. A length beside them is longrope's own.
Status ReadRopeFrom(const Json* parameters, const Json& json, int64_t max_position,
                    RopeConfig* rope) {
  rope->share = json.DoubleOr("partial_rotary_factor", 1.0);
  if (parameters == nullptr || !parameters->IsObject()) return {};
  rope->theta = parameters->DoubleOr("rope_theta", rope->theta);
  rope->share = parameters->DoubleOr("partial_rotary_factor", rope->share);
  const std::string type(
      parameters->StringOr("rope_type", parameters->StringOr("type", "default")));
  if (type == "default") return {};
  if (type == "longrope" || type == "su")
    rope->original_max_position = json.IntOr("original_max_position_embeddings", 0);
  return ReadRopeScaling(*parameters, type, max_position, rope);
}

const Json* RopeParameters(const Json& json, const char* layers) {
  const Json* parameters = json.Find("rope_parameters");
  if (parameters == nullptr || !parameters->IsObject()) return nullptr;
  const Json* own = parameters->Find(layers);
  return own != nullptr && own->IsObject() ? own : parameters;
}

}  // namespace

Status ReadRope(const Json& json, double theta, int64_t max_position, RopeConfig* rope) {
  rope->theta = json.DoubleOr("rope_theta", theta);
  const Json* parameters = RopeParameters(json, "full_attention");
  if (parameters == nullptr) parameters = json.Find("rope_scaling");
  return ReadRopeFrom(parameters, json, max_position, rope);
}

Status ReadLocalRope(const Json& json, int64_t max_position, RopeConfig* rope) {
  rope->theta = json.DoubleOr("rope_local_base_freq", 10000.0);
  const Json* parameters = RopeParameters(json, "sliding_attention");
  if (parameters != nullptr && parameters == json.Find("rope_parameters")) parameters = nullptr;
  return ReadRopeFrom(parameters, json, max_position, rope);
}

double LongRopeAttention(double factor, int64_t original) {
  if (factor <= 1.0) return 1.0;
  return std::sqrt(1.0 + std::log(factor) / std::log(static_cast<double>(original)));
}

int64_t RotaryDim(const RopeConfig& rope, int64_t head_dim) {
  return static_cast<int64_t>(static_cast<double>(head_dim) * rope.share);
}

Status CheckRope(const RopeConfig& rope, int64_t head_dim) {
  if (!(rope.theta > 0)) return UnusableRope("model config: rope_theta must be positive");
  const int64_t dim = RotaryDim(rope, head_dim);
  if (!(rope.share > 0 && rope.share <= 1) || dim < 2 || dim % 2 != 0) {
    return UnusableRope(
        StrCat("model config: ", rope.share, " of ", head_dim, " dimensions of a head are rotated"),
        "rotary embedding needs pairs");
  }
  if (rope.scaling != RopeScaling::kLongRope) return {};
  for (const std::vector<double>* factors : {&rope.short_factor, &rope.long_factor}) {
    const bool positive =
        std::all_of(factors->begin(), factors->end(), [](double factor) { return factor > 0; });
    if (static_cast<int64_t>(factors->size()) != dim / 2 || !positive) {
      return UnusableRope(StrCat("model config: longrope's short_factor and long_factor need ",
                                 dim / 2, " positive numbers each"));
    }
  }
  return {};
}

namespace {
Json FactorList(const std::vector<double>& factors) {
  Json list = Json::MakeArray();
  for (double factor : factors) list.Append(factor);
  return list;
}
}  // namespace

Json RopeToJson(const RopeConfig& rope) {
  Json json = Json::MakeObject();
  json.Set("rope_theta", rope.theta);
  if (rope.share != 1.0) json.Set("partial_rotary_factor", rope.share);
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
    case RopeScaling::kLongRope:
      type = "longrope";
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
  if (rope.scaling == RopeScaling::kLongRope) {
    json.Set("attention_factor", rope.attention_factor)
        .Set("short_factor", FactorList(rope.short_factor))
        .Set("long_factor", FactorList(rope.long_factor));
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
  const int64_t rotated = RotaryDim(rope, head_dim);
  const double dim = static_cast<double>(rotated);
  const int64_t length = std::max(sequence_length, rope.least_length);
  double theta = rope.theta;
  if (rope.scaling == RopeScaling::kDynamic && length > rope.original_max_position) {
    const double stretch = rope.factor * static_cast<double>(length) /
                               static_cast<double>(rope.original_max_position) -
                           (rope.factor - 1.0);
    theta *= std::pow(stretch, dim / (dim - 2.0));
  }
  RopeTable table;
  for (int64_t i = 0; i < rotated / 2; ++i) {
    table.inverse_frequencies.push_back(std::pow(theta, -2.0 * static_cast<double>(i) / dim));
  }
  if (rope.scaling == RopeScaling::kLinear) {
    for (double& frequency : table.inverse_frequencies) frequency /= rope.factor;
  }
  if (rope.scaling == RopeScaling::kLlama3) ScaleLlama3(rope, &table.inverse_frequencies);
  if (rope.scaling == RopeScaling::kYarn) ScaleYarn(rope, rotated, &table);
  if (rope.scaling == RopeScaling::kLongRope) {
    const std::vector<double>& factors =
        length > rope.original_max_position ? rope.long_factor : rope.short_factor;
    for (size_t i = 0; i < factors.size(); ++i) table.inverse_frequencies[i] /= factors[i];
    table.scale = rope.attention_factor;
  }
  return table;
}

}  // namespace assay
