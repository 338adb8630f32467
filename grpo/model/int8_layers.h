// Int8Layers: frozen layers whose matrices are held in 8 bits, for adapters on models that would not fit otherwise. Each row w is held as
// whole numbers q = round(w / s) from -127 to 127 with its own s = max |w| / 127 (absmax by rows, as in LLM.int8(), Dettmers et al.,
// 2208.07339, without its outliers); the model computes with s q. Norms and biases are held as they are.
//
// Never changed after it is made, so thread-safe as LibTorch's operators are. May throw c10::Error, as grpo/model/model.h says.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "grpo/model/layer_source.h"
#include "grpo/model/model.h"

namespace assay {

class Int8Layers : public LayerSource {
 public:
  // The model with its layers in 8 bits on `device` and the rest in `dtype` there; its own layers are freed one by one. An adapter
  // beside it stays.
  static Model Quantize(Model model, at::ScalarType dtype, at::Device device);

  at::Device device() const override { return device_; }
  LayerWeights Layer(int64_t layer, at::ScalarType dtype) override;
  void AddGradient(int64_t layer, const LayerWeights& gradient) override;
  bool Learns() const override { return false; }
  Model ForComputing(const Model& model, at::ScalarType dtype) override;

 private:
  at::Device device_ = at::kCPU;
  ModelConfig config_;
  // Matrices as int8 with `scales_` [out, 1] float32 beside them under the same name; norms and biases whole.
  std::vector<LayerWeights> layers_, scales_;
};

}  // namespace assay
