// What a low-rank adapter is (Hu et al., 2106.09685), with PEFT's names and its adapter_config.json. Plain values without LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/json.h"
#include "core/result.h"

namespace assay {

struct LoraConfig {
  int64_t rank = 16;
  double alpha = 32;
  bool rslora = false;  // the delta is scaled by alpha / sqrt(rank) (2312.03732), not alpha / rank
  std::vector<std::string> targets = {"q_proj", "v_proj"};  // or "all-linear"

  double scale() const;
  // True if the matrix of this name ("model.layers.0.mlp.up_proj.weight") has an adapter.
  bool Targets(const std::string& weight) const;
};

// The linear layers that an adapter may be on.
const std::vector<std::string>& LoraTargetNames();
// Errors: kUsage for a rank below 1, no targets or one that is no linear layer.
Status CheckLora(const LoraConfig& config);

// adapter_config.json, there and back. Errors: kInput for what is not the plain method on linear layers (other peft_type, DoRA, biases
// that are trained, ranks by pattern), by name.
Json LoraConfigToJson(const LoraConfig& config, const std::string& base_model);
Result<LoraConfig> LoraConfigFromJson(const Json& json);

}  // namespace assay
