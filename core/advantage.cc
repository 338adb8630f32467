#include "core/advantage.h"

#include <cmath>

namespace assay {

std::vector<Advantage> GroupAdvantages(const std::vector<Reward>& rewards, double eps) {
  std::vector<Advantage> out(rewards.size());
  double sum = 0;
  int64_t count = 0;
  for (const Reward& reward : rewards) {
    if (!reward) continue;
    sum += *reward;
    ++count;
  }
  if (count == 0) return out;
  const double mean = sum / static_cast<double>(count);
  double squares = 0;
  for (const Reward& reward : rewards) {
    if (reward) squares += (*reward - mean) * (*reward - mean);
  }
  const double deviation = count > 1 ? std::sqrt(squares / static_cast<double>(count - 1)) : 0;
  for (size_t i = 0; i < rewards.size(); ++i) {
    if (!rewards[i]) continue;
    out[i].mask = true;
    if (count > 1) out[i].value = (*rewards[i] - mean) / (deviation + eps);
  }
  return out;
}

}  // namespace assay
