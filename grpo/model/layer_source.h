// LayerSource: where the layers' weights come from in a model that does not hold them as it computes with them, because they are shared
// out among processes (shards.h) or held in 8 bits (int8_layers.h). A layer's weights are made when the layer is computed, once for the
// forward pass and once more for the backward pass, which computes the layer again, and are freed after each.
//
// One thread. May throw c10::Error, as grpo/model/model.h says.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>

#include "grpo/model/model.h"

namespace assay {

class LayerSource {
 public:
  virtual ~LayerSource() = default;
  virtual at::Device device() const = 0;
  // The weights of one layer in `dtype` (norms as CastModel has them), without an adapter.
  virtual LayerWeights Layer(int64_t layer, at::ScalarType dtype) = 0;
  // What a backward pass found for them, undefined where nothing; of layers that learn (Learns).
  virtual void AddGradient(int64_t layer, const LayerWeights& gradient) = 0;
  virtual bool Learns() const = 0;
  // `model`, whose source this is, with embedding, last norm and head whole in `dtype`, ready for Forward.
  virtual Model ForComputing(const Model& model, at::ScalarType dtype) = 0;
};

// The layer as Forward computes with it: cast, or made by the source with its adapter merged in. Those that learn want a gradient.
LayerWeights LayerOf(const Model& model, int64_t layer, at::ScalarType dtype);
// Passes the gradient of what LayerOf gave on: to the adapter's factors, or to the source.
void AddLayerGradient(const Model& model, int64_t layer, const LayerWeights& gradient);
// A model with a source made whole: every layer, an adapter merged. `keep` false goes along with the other processes and gives an
// empty model. On the device where the source is, or on the CPU.
Model WholeModel(const Model& model, at::ScalarType dtype, bool keep = true, bool on_cpu = false);

}  // namespace assay
