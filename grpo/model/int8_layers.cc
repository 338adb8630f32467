#include "grpo/model/int8_layers.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <memory>
#include <string>
#include <utility>

#include "core/check.h"

namespace assay {
namespace {

constexpr double kLargest = 127;

// Which experts a token goes to is not rounded: it is small, and a choice.
bool IsRouter(const std::string& name) { return name == "mlp.gate.weight"; }

// In the precision that CastModel gives it.
at::ScalarType DtypeOf(const std::string& name, at::ScalarType dtype) {
  const bool half = dtype == at::kBFloat16 || dtype == at::kHalf;
  return half && IsNorm(name) ? at::kFloat : dtype;
}

// The matrix as whole numbers, and the [out, 1] that they are multiplied with.
std::pair<at::Tensor, at::Tensor> Rounded(const at::Tensor& matrix) {
  const at::Tensor rows = matrix.detach().to(at::kFloat);
  at::Tensor scale = rows.abs().amax(1, /*keepdim=*/true) / kLargest;
  // A row of zeros has no scale to divide by.
  const at::Tensor divisor = at::where(scale > 0, scale, at::ones_like(scale));
  return {(rows / divisor).round_().clamp_(-kLargest, kLargest).to(at::kChar), std::move(scale)};
}

}  // namespace

Model Int8Layers::Quantize(Model model, at::ScalarType dtype, at::Device device) {
  c10::NoGradGuard no_grad;
  auto source = std::make_shared<Int8Layers>();
  source->device_ = device;
  source->config_ = model.config;
  for (int64_t i = 0; i < model.config.num_layers; ++i) {
    LayerWeights& held = model.layers[static_cast<size_t>(i)];
    LayerWeights layer = std::exchange(held, {}), scales;
    // Both lists of fields are visited in the same order.
    std::vector<at::Tensor*> scale_of;
    VisitLayer(model.config, i, &scales,
               [&](const std::string&, at::Tensor* scale) { scale_of.push_back(scale); });
    size_t next = 0;
    VisitLayer(model.config, i, &layer, [&](const std::string& name, at::Tensor* weight) {
      at::Tensor* const scale = scale_of[next++];
      if (weight->dim() < 2 || IsRouter(name)) {
        *weight = weight->detach().to(device, DtypeOf(name, dtype), /*non_blocking=*/false,
                                      /*copy=*/true);
        return;
      }
      auto [rounded, factor] = Rounded(*weight);
      *weight = rounded.to(device);
      *scale = factor.to(device);
    });
    source->layers_.push_back(std::move(layer));
    source->scales_.push_back(std::move(scales));
  }
  if (model.config.tied_head) model.head = at::Tensor();
  model.embed = model.embed.to(device, dtype, /*non_blocking=*/false, /*copy=*/true);
  model.norm = model.norm.to(device, DtypeOf("norm", dtype), /*non_blocking=*/false, /*copy=*/true);
  if (model.head.defined())
    model.head = model.head.to(device, dtype, /*non_blocking=*/false, /*copy=*/true);
  TieHead(&model);
  model.source = std::move(source);
  return model;
}

LayerWeights Int8Layers::Layer(int64_t layer, at::ScalarType dtype) {
  c10::NoGradGuard no_grad;
  LayerWeights made = layers_[static_cast<size_t>(layer)];
  LayerWeights scales = scales_[static_cast<size_t>(layer)];
  std::vector<at::Tensor> scale_of;
  VisitLayer(config_, layer, &scales,
             [&](const std::string&, at::Tensor* scale) { scale_of.push_back(*scale); });
  size_t next = 0;
  VisitLayer(config_, layer, &made, [&](const std::string& name, at::Tensor* weight) {
    const at::Tensor& scale = scale_of[next++];
    *weight =
        scale.defined() ? at::mul(*weight, scale).to(dtype) : weight->to(DtypeOf(name, dtype));
  });
  return made;
}

void Int8Layers::AddGradient(int64_t, const LayerWeights&) { ASSAY_CHECK(false); }

Model Int8Layers::ForComputing(const Model& model, at::ScalarType dtype) {
  Model made = model;
  made.embed = model.embed.to(dtype);
  made.norm = model.norm.to(DtypeOf("norm", dtype));
  made.head = model.head.defined() ? model.head.to(dtype) : at::Tensor();
  TieHead(&made);
  return made;
}

}  // namespace assay
