#include "datagen/report/distribution.h"

#include <algorithm>
#include <cmath>

#include "core/text.h"

namespace assay {

Distribution Distribution::Of(std::vector<double> values) {
  Distribution out;
  out.count = static_cast<int64_t>(values.size());
  if (values.empty()) return out;
  std::sort(values.begin(), values.end());
  double sum = 0, squares = 0;
  for (double value : values) sum += value;
  out.mean = sum / static_cast<double>(values.size());
  for (double value : values) squares += (value - out.mean) * (value - out.mean);
  if (values.size() > 1)
    out.deviation = std::sqrt(squares / static_cast<double>(values.size() - 1));
  const auto rank = [&](double share) {
    const double place = std::ceil(share * static_cast<double>(values.size()));
    return values[static_cast<size_t>(std::max(place, 1.0)) - 1];
  };
  out.min = values.front();
  out.p10 = rank(0.1);
  out.p50 = rank(0.5);
  out.p90 = rank(0.9);
  out.max = values.back();
  return out;
}

Json Distribution::ToJson() const {
  Json out = Json::MakeObject();
  out.Set("count", count);
  if (count == 0) return out;
  out.Set("mean", mean)
      .Set("deviation", deviation)
      .Set("min", min)
      .Set("p10", p10)
      .Set("p50", p50)
      .Set("p90", p90)
      .Set("max", max);
  return out;
}

std::string Distribution::ToText(int digits) const {
  return StrCat("mean ", FixedDigits(mean, digits), ", deviation ", FixedDigits(deviation, digits),
                ", min ", FixedDigits(min, digits), ", median ", FixedDigits(p50, digits),
                ", 90 % ", FixedDigits(p90, digits), ", max ", FixedDigits(max, digits));
}

}  // namespace assay
