#include "grpo/model/shards.h"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <utility>

#include "core/check.h"
#include "core/text.h"

namespace assay {
namespace {

std::string LayerName(int64_t layer, const std::string& name) {
  return StrCat("model.layers.", layer, ".", name);
}

// The precision of the residual stream, in which norms are (grpo/model/model.cc).
at::ScalarType StreamOf(at::ScalarType dtype) {
  return dtype == at::kDouble ? at::kDouble : at::kFloat;
}

}  // namespace

Shards::Piece* Shards::AddPiece(bool vectors) {
  pieces_.emplace_back();
  pieces_.back().vectors = vectors;
  return &pieces_.back();
}

std::shared_ptr<Shards> Shards::Make(const ModelConfig& config, ShareExchange* exchange,
                                     at::Device device) {
  auto shards = std::make_shared<Shards>();
  shards->config_ = config;
  shards->exchange_ = exchange;
  shards->device_ = device;
  const auto add = [&](Piece* piece, const std::string& name) {
    Place place;
    place.name = name;
    place.shape = WeightShape(config, name);
    place.size = c10::multiply_integers(place.shape);
    if (!piece->places.empty())
      place.first = piece->places.back().first + piece->places.back().size;
    piece->places.push_back(std::move(place));
  };
  add(shards->AddPiece(false), "model.embed_tokens.weight");
  add(shards->AddPiece(true), "model.norm.weight");
  if (!config.tied_head) add(shards->AddPiece(false), "lm_head.weight");
  shards->first_layer_ = shards->pieces_.size();
  for (int64_t i = 0; i < config.num_layers; ++i) {
    for (const bool vectors : {false, true}) {
      Piece* const piece = shards->AddPiece(vectors);
      LayerWeights names;
      VisitLayer(config, i, &names, [&](const std::string& name, at::Tensor*) {
        const std::string full = LayerName(i, name);
        if ((WeightShape(config, full).size() < 2) == vectors) add(piece, full);
      });
    }
  }
  for (Piece& piece : shards->pieces_) {
    const int64_t size =
        piece.places.empty() ? 0 : piece.places.back().first + piece.places.back().size;
    piece.share = (size + exchange->count() - 1) / exchange->count();
    piece.mine = at::zeros({piece.share}, at::TensorOptions(device).dtype(at::kFloat));
  }
  return shards;
}

std::vector<Shards::Part> Shards::Parts() const {
  std::vector<Part> parts;
  for (size_t p = 0; p < pieces_.size(); ++p) {
    const Piece& piece = pieces_[p];
    const int64_t mine = piece.share * exchange_->rank();
    for (const Place& place : piece.places) {
      const int64_t begin = std::clamp<int64_t>(mine - place.first, 0, place.size);
      const int64_t end = std::clamp<int64_t>(mine + piece.share - place.first, 0, place.size);
      const int64_t at = end > begin ? place.first + begin - mine : 0;
      parts.push_back({&place, p, begin, end, at});
    }
  }
  return parts;
}

void Shards::Put(const std::string& name, const at::Tensor& whole) {
  c10::NoGradGuard no_grad;
  for (const Part& part : Parts()) {
    if (part.place->name != name) continue;
    ASSAY_CHECK(whole.numel() == part.place->size);
    if (part.end == part.begin) return;
    pieces_[part.piece]
        .mine.narrow(0, part.at, part.end - part.begin)
        .copy_(whole.reshape({-1}).narrow(0, part.begin, part.end - part.begin));
    return;
  }
  ASSAY_CHECK(false);  // every weight of the config has a place
}

std::shared_ptr<Shards> Shards::Frozen(at::ScalarType dtype) const {
  auto frozen = std::make_shared<Shards>(*this);
  frozen->learns_ = false;
  for (Piece& piece : frozen->pieces_) {
    piece.gradient = at::Tensor();
    piece.mine = piece.mine.to(piece.vectors ? StreamOf(dtype) : dtype, /*non_blocking=*/false,
                               /*copy=*/true);
  }
  return frozen;
}

at::Tensor Shards::Gather(const Piece& piece, const at::Tensor& share, at::ScalarType dtype) const {
  c10::NoGradGuard no_grad;
  const at::Tensor all =
      at::zeros({piece.share * exchange_->count()}, share.options().dtype(dtype));
  all.narrow(0, piece.share * exchange_->rank(), piece.share).copy_(share);
  exchange_->GatherShares(all);
  return all;
}

LayerWeights Shards::Layer(int64_t layer, at::ScalarType dtype) {
  LayerWeights made;
  for (const size_t offset : {0, 1}) {
    const Piece& piece = pieces_[first_layer_ + 2 * static_cast<size_t>(layer) + offset];
    const at::Tensor all = Gather(piece, piece.mine, piece.vectors ? StreamOf(dtype) : dtype);
    auto place = piece.places.begin();
    VisitLayer(config_, layer, &made, [&](const std::string& name, at::Tensor* tensor) {
      if (place == piece.places.end() || place->name != LayerName(layer, name)) return;
      *tensor = all.narrow(0, place->first, place->size).view(place->shape);
      if (!IsNorm(name)) *tensor = tensor->to(dtype);
      ++place;
    });
  }
  return made;
}

// Adds the sum over all processes of a piece's whole gradient to this one's share.
void Shards::SumInto(Piece* piece, const at::Tensor& whole) const {
  exchange_->SumShare(whole);
  piece->gradient.add_(whole.narrow(0, piece->share * exchange_->rank(), piece->share));
}

void Shards::AddGradient(int64_t layer, const LayerWeights& gradient) {
  c10::NoGradGuard no_grad;
  LayerWeights given = gradient;
  for (const size_t offset : {0, 1}) {
    Piece& piece = pieces_[first_layer_ + 2 * static_cast<size_t>(layer) + offset];
    const at::Tensor whole =
        at::zeros({piece.share * exchange_->count()}, piece.gradient.options());
    auto place = piece.places.begin();
    VisitLayer(config_, layer, &given, [&](const std::string& name, at::Tensor* tensor) {
      if (place == piece.places.end() || place->name != LayerName(layer, name)) return;
      if (tensor->defined())
        whole.narrow(0, place->first, place->size).view(place->shape).copy_(*tensor);
      ++place;
    });
    SumInto(&piece, whole);
  }
}

at::Tensor Shards::Whole(const std::string& name, at::ScalarType dtype) const {
  for (size_t i = 0; i < first_layer_; ++i) {
    const Place& place = pieces_[i].places[0];
    if (place.name != name) continue;
    const at::Tensor all =
        Gather(pieces_[i], pieces_[i].mine, pieces_[i].vectors ? StreamOf(dtype) : dtype);
    return all.narrow(0, 0, place.size).view(place.shape);
  }
  return {};
}

Model Shards::ForComputing(const Model& model, at::ScalarType dtype) {
  Model made = model;
  made.layers.assign(static_cast<size_t>(config_.num_layers), {});
  made.embed = Whole("model.embed_tokens.weight", dtype);
  made.norm = Whole("model.norm.weight", dtype);
  if (!config_.tied_head) made.head = Whole("lm_head.weight", dtype);
  TieHead(&made);
  return made;
}

void Shards::MakeGradients() {
  int64_t count = 0, first = 0;
  for (const Piece& piece : pieces_) count += piece.share;
  const at::Tensor all = at::zeros({count}, pieces_[0].mine.options().dtype(at::kFloat));
  for (Piece& piece : pieces_) {
    piece.gradient = all.narrow(0, first, piece.share);
    first += piece.share;
  }
}

void Shards::DropGradients() {
  for (Piece& piece : pieces_) piece.gradient = at::Tensor();
}

void Shards::AddWholeGradient(const std::string& name, const at::Tensor& gradient) {
  c10::NoGradGuard no_grad;
  for (size_t i = 0; i < first_layer_; ++i) {
    Piece& piece = pieces_[i];
    if (piece.places[0].name != name) continue;
    const at::Tensor whole =
        at::zeros({piece.share * exchange_->count()}, piece.gradient.options());
    whole.narrow(0, 0, piece.places[0].size).copy_(gradient.reshape({-1}));
    SumInto(&piece, whole);
  }
}

Shards* ShardsOf(const Model& model) { return dynamic_cast<Shards*>(model.source.get()); }

Shards* LearningShards(const Model& model) {
  Shards* const shards = model.lora == nullptr ? ShardsOf(model) : nullptr;
  return shards != nullptr && shards->Learns() ? shards : nullptr;
}

std::vector<at::Tensor> HeldWeights(const Model& model) {
  std::vector<at::Tensor> held;
  if (Shards* shards = ShardsOf(model); shards != nullptr) {
    for (const Shards::Piece& piece : shards->pieces()) held.push_back(piece.mine);
    return held;
  }
  for (const NamedTensor& weight : NamedWeights(model)) held.push_back(weight.tensor);
  return held;
}

}  // namespace assay
