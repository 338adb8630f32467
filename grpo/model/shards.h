// Shards: weights that are shared out among processes, for what does not fit into one (ZeRO's third stage, Rajbhandari et al., 1910.02054;
// FSDP, Zhao et al., 2304.11277). The model is cut into pieces (the embedding, a layer's matrices, its norms and biases, ..), in which
// weights lie one after the other; of each piece every process holds an equal share in float32, with the share's gradient. A piece is
// gathered when it is computed with; of a layer's gradient each process gets the sum over all for its share. Embedding, last norm and
// head are gathered once for each update, and their gradients are added up at its end.
//
// All processes must make the same calls in the same order. One thread. May throw c10::Error, as grpo/model/model.h says.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "grpo/config/model_config.h"
#include "grpo/model/layer_source.h"
#include "grpo/model/model.h"

namespace assay {

// How the processes of a run exchange their shares (grpo/learn/processes.h).
class ShareExchange {
 public:
  virtual ~ShareExchange() = default;
  virtual int64_t rank() const = 0;
  virtual int64_t count() const = 0;
  // For a contiguous tensor whose size is a multiple of count(): every process's share (the rank-th of equal ones) for all.
  virtual void GatherShares(at::Tensor tensor) = 0;
  // The same for float32: the sum over all processes of this one's share in its place, the rest being of no meaning then.
  virtual void SumShare(at::Tensor tensor) = 0;
};

class Shards : public LayerSource {
 public:
  // A weight's place in its piece, in elements.
  struct Place {
    std::string name;
    std::vector<int64_t> shape;
    int64_t first = 0, size = 0;
  };
  struct Piece {
    std::vector<Place> places;
    int64_t share = 0;  // elements of each process, the last ones' padded with zeros
    bool vectors =
        false;  // norms and biases, which are gathered in the precision of the residual stream
    at::Tensor mine;      // [share]
    at::Tensor gradient;  // [share] float32, or undefined
  };
  // What of a weight is this process's: elements [begin, end) of the flat weight, at `at` in its share of the piece.
  struct Part {
    const Place* place;
    size_t piece;
    int64_t begin, end, at;
  };

  // Zeros. `exchange` outlives the shards.
  static std::shared_ptr<Shards> Make(const ModelConfig& config, ShareExchange* exchange,
                                      at::Device device);
  // Keeps this process's share of a whole weight (on any device, of any dtype).
  void Put(const std::string& name, const at::Tensor& whole);
  // A copy whose matrices are held in `dtype`; one that does not learn (a reference, weights beneath an adapter).
  std::shared_ptr<Shards> Frozen(at::ScalarType dtype) const;

  at::Device device() const override { return device_; }
  LayerWeights Layer(int64_t layer, at::ScalarType dtype) override;
  void AddGradient(int64_t layer, const LayerWeights& gradient) override;
  bool Learns() const override { return learns_; }
  Model ForComputing(const Model& model, at::ScalarType dtype) override;

  // Gradients of zero for the update that begins, and their end.
  void MakeGradients();
  void DropGradients();
  // Adds the sum over all processes of a whole gradient of embedding, last norm or head.
  void AddWholeGradient(const std::string& name, const at::Tensor& gradient);

  std::vector<Piece>& pieces() { return pieces_; }
  // In VisitWeights' order within each piece; parts of nothing included.
  std::vector<Part> Parts() const;
  // All processes' shares of a piece one after the other, in `dtype`; `share` is [piece.share].
  at::Tensor Gather(const Piece& piece, const at::Tensor& share, at::ScalarType dtype) const;
  ShareExchange* exchange() const { return exchange_; }

 private:
  Piece* AddPiece(bool vectors);
  at::Tensor Whole(const std::string& name, at::ScalarType dtype) const;
  void SumInto(Piece* piece, const at::Tensor& whole) const;

  ModelConfig config_;
  ShareExchange* exchange_ = nullptr;
  at::Device device_ = at::kCPU;
  bool learns_ = true;
  std::vector<Piece>
      pieces_;  // embedding, last norm, head if it is not tied, then matrices and vectors of each layer
  size_t first_layer_ = 0;
};

// The model's shards, or null; the second only if they are what is trained.
Shards* ShardsOf(const Model& model);
Shards* LearningShards(const Model& model);
// What this process holds of the weights, in a fixed order (handles).
std::vector<at::Tensor> HeldWeights(const Model& model);

}  // namespace assay
