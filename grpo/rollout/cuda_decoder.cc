#include "grpo/rollout/cuda_decoder.h"

#include <ATen/ATen.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "core/check.h"
#include "core/text.h"
#include "grpo/model/attention.h"
#include "grpo/model/cuda/kernels.h"
#include "grpo/model/ops.h"

namespace assay {
namespace {

// Rows of a graph; a batch takes the next larger.
constexpr int64_t kBuckets[] = {1,   2,   4,   8,   16,  32,   48,   64,   96,   128,
                                192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096};
constexpr double kMemoryShare = 0.8;  // of what is free, for rows
constexpr int kNormThreads = 128, kSampleThreads = 512, kProductThreads = 256;
// Where rows and heads leave multiprocessors idle, blocks share a row's keys: about so many blocks a multiprocessor, at most so
// many to a row and head, each with at least so many keys (LEAST_SHARE of kernels/decode.cu).
constexpr int64_t kAttendBlocks = 6, kMostShares = 16, kLeastShare = 256;

const c10::impl::DeviceGuardImplInterface* Guard() {
  return c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA);
}

template <typename T>
T* Pointer(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<T*>(tensor.data_ptr()) : nullptr;
}
void* Raw(const at::Tensor& tensor) { return Pointer<void>(tensor); }

// As kernels/sample.cu has it.
struct Drawing {
  float temperature, top_p;
  int32_t top_k;
  float min_p, penalty;
  int32_t min_new, max_new, stops, tokens;
};

// What runs on `second` waits for what was launched on `first` so far.
void Order(const c10::Stream& first, const c10::Stream& second) {
  c10::Event event(c10::DeviceType::CUDA);
  event.record(first);
  event.block(second);
}

bool PowerOfTwo(int64_t x) { return x > 0 && (x & (x - 1)) == 0; }

// Attention of a step as kernels/decode.cu lays it out.
struct AttendShape {
  int threads = 0, shared = 0;
};
AttendShape AttendShapeOf(const ModelConfig& c, at::ScalarType dtype) {
  const bool tensor_cores = dtype == at::kBFloat16 && c.head_dim % 32 == 0;
  const int64_t element = dtype == at::kBFloat16 ? 2 : 4;
  AttendShape shape;
  shape.threads = tensor_cores && c.head_dim <= 64 ? 64 : 128;
  const int64_t warps = shape.threads / 32, stages = 8 / warps;
  // Keys on their way, and in the same place what each warp found.
  const int64_t round =
      tensor_cores ? warps * 16 * 2 * c.head_dim * element : 2 * 2 * shape.threads * 8 * element;
  const int64_t found = warps * (c.num_heads / c.num_kv_heads) * (c.head_dim + 2) * 4;
  shape.shared = static_cast<int>(std::max(stages * round, found));
  return shape;
}

// The products of a step as kernels/products.cu lays them out.
int64_t OutTile(int64_t hidden) { return hidden % 48 == 0 ? 48 : 64; }
int64_t GateTile(int64_t inner) { return inner % 48 == 0 ? 48 : 32; }

// Shared memory of a block that computes down x across of a product over k columns, `ways` warps sharing the columns.
int ProductShared(int64_t k, int64_t down, int64_t across, int64_t ways) {
  constexpr int64_t kRoom = 188416;
  const int64_t columns = k % 192 == 0 ? 192 : k % 128 == 0 ? 128 : 64;
  const int64_t stage = (down + across) * columns * 2;
  const int64_t stages = std::min(k / columns, kRoom / stage);
  return static_cast<int>(std::max(stages * stage, ways * down * (across + 8) * 4));
}

// `Stream` of kernels/products.cu.
struct StreamPointers {
  void *x, *scaled, *squares, *weight;
};

int64_t Tiles(int64_t count, int64_t size) { return (count + size - 1) / size; }

// True if products.cu takes the model's matrices.
bool HasProducts(const Model& model) {
  const ModelConfig& c = model.config;
  const int64_t heads = c.num_heads * c.head_dim, width = heads + 2 * c.num_kv_heads * c.head_dim;
  return model.dtype() == at::kBFloat16 && c.hidden_size % 64 == 0 && c.hidden_size <= 1024 &&
         c.intermediate_size % 64 == 0 && heads % 64 == 0 && width % 64 == 0;
}

// True if each product's blocks are on the device at one time: then cuBLAS's kernels and those between them take longer.
bool FewRows(const ModelConfig& c, int64_t rows) {
  const int64_t width = (c.num_heads + 2 * c.num_kv_heads) * c.head_dim;
  const int64_t most = std::max(
      {Tiles(rows, 32) * (width / 64), Tiles(rows, 32) * (c.hidden_size / OutTile(c.hidden_size)),
       Tiles(rows, 64) * (c.intermediate_size / GateTile(c.intermediate_size))});
  return most <= cuda::MultiprocessorCount();
}

}  // namespace

bool CudaDecoder::Supports(const Model& model) {
  const ModelConfig& c = model.config;
  const int64_t lanes = c.head_dim / 8;
  return cuda::Usable(model.embed) && NotFused(c).empty() &&
         (model.dtype() == at::kFloat || model.dtype() == at::kBFloat16) &&
         model.norm.scalar_type() == at::kFloat && c.hidden_size % 8 == 0 &&
         c.hidden_size <= 16384 && c.intermediate_size % 8 == 0 && c.head_dim % 8 == 0 &&
         PowerOfTwo(lanes) && lanes <= 32 && c.num_heads / c.num_kv_heads <= 8 && !c.o_bias &&
         !c.mlp_bias;
}

int64_t CudaDecoder::RowsThatFit(const Model& model, int64_t prompt, int64_t group,
                                 int64_t max_new) {
  const ModelConfig& c = model.config;
  const auto element = static_cast<double>(model.embed.element_size());
  const auto token = static_cast<double>(2 * c.num_layers * c.num_kv_heads * c.head_dim) * element;
  // A prompt's keys stand twice for each group (Generation::DeviceShape), and each row has logits.
  const double row = token * static_cast<double>(max_new) +
                     2 * token * static_cast<double>(prompt) / static_cast<double>(group) +
                     static_cast<double>(2 * c.vocab_size + 8 * c.intermediate_size) * element;
  constexpr int64_t kMost = kBuckets[std::size(kBuckets) - 1];
  const double fit = kMemoryShare * cuda::AvailableBytes() / row;
  return std::clamp<int64_t>(static_cast<int64_t>(fit), 1, kMost);
}

CudaDecoder::CudaDecoder(const Model& model, const Shape& shape, const DrawParams& draw,
                         const std::vector<int64_t>& stop_ids)
    : model_(model),
      shape_(shape),
      draw_(draw),
      ring_(4 * shape.steps_at_once),
      main_(Guard()->getStream(model.device())),
      own_(Guard()->getStreamFromGlobalPool(model.device())),
      lengths_(static_cast<size_t>(shape.places)) {
  at::NoGradGuard no_grad;
  const ModelConfig& c = model.config;
  definitions_ = {{"BF16", model.dtype() == at::kBFloat16 ? "1" : "0"},
                  {"HIDDEN", StrCat(c.hidden_size)},
                  {"HEAD_DIM", StrCat(c.head_dim)},
                  {"HEADS", StrCat(c.num_heads)},
                  {"KV_HEADS", StrCat(c.num_kv_heads)},
                  {"QK_NORM", c.qk_norm ? "1" : "0"},
                  {"EPS", StrCat(c.rms_eps)},
                  {"VOCAB", StrCat(c.vocab_size)},
                  {"INNER", StrCat(c.intermediate_size)},
                  {"FUSED", HasProducts(model) ? "1" : "0"}};
  // All memory belongs to the caller's stream, so that it serves the next phase once this is gone.
  const auto options = model.embed.options().requires_grad(false);
  const auto ints = options.dtype(at::kInt);
  for (const LayerWeights& w : model.layers) {
    Layer layer;
    layer.qkv = JoinRows({w.q_proj, w.k_proj, w.v_proj});
    layer.qkv_bias = JoinRows({w.q_bias, w.k_bias, w.v_bias});
    layer.gate_up = JoinRows({w.gate_proj, w.up_proj});
    layer.prompt_keys =
        at::empty({shape.places * shape.prompt_capacity, c.num_kv_heads, c.head_dim}, options);
    layer.prompt_values = at::empty_like(layer.prompt_keys);
    layer.own_keys = at::empty({shape.slots, shape.max_new, c.num_kv_heads, c.head_dim}, options);
    layer.own_values = at::empty_like(layer.own_keys);
    layers_.push_back(std::move(layer));
  }
  const int64_t longest = shape.prompt_capacity + shape.max_new;
  const RotaryTables tables = MakeRotaryTables(
      c.rope, c.head_dim, at::arange(longest, options.dtype(at::kLong)), longest, at::kFloat);
  cosines_ = tables.cosine;
  sines_ = tables.sine;
  prompt_logits_ = at::empty({shape.places, c.vocab_size}, options);
  for (at::Tensor* state : {&tokens_, &counts_, &done_, &prompt_first_, &prompt_length_})
    *state = at::zeros({shape.slots}, ints);
  streams_ = at::zeros({shape.slots, 4}, options.dtype(at::kLong));
  if (draw.repetition_penalty != 1.0)
    seen_ = at::zeros({shape.slots, (c.vocab_size + 31) / 32}, ints);
  ring_tokens_ = at::zeros({shape.slots, ring_}, ints);
  ring_logprobs_ = at::zeros({shape.slots, ring_}, options.dtype(at::kFloat));
  std::vector<int32_t> stops(stop_ids.begin(), stop_ids.end());
  stops_ = static_cast<int64_t>(stops.size());
  if (stops.empty()) stops.push_back(-1);
  stop_ids_ = cuda::ToDevice(stops, model.device());
  for (Mirror& mirror : mirrors_) {
    const auto pinned = at::TensorOptions().pinned_memory(true);
    mirror.tokens = at::empty({shape.slots, ring_}, pinned.dtype(at::kInt));
    mirror.logprobs = at::empty({shape.slots, ring_}, pinned.dtype(at::kFloat));
    mirror.counts = at::empty({shape.slots}, pinned.dtype(at::kInt));
    mirror.sent.emplace(c10::DeviceType::CUDA);
  }
}

CudaDecoder::~CudaDecoder() {
  // Memory goes back to the caller's stream: nothing of ours may still be running.
  try {
    own_.synchronize();
  } catch (const c10::Error&) {  // the device is lost; the caller hears of it elsewhere
  }
}

cuda::Kernel CudaDecoder::Get(const char* name) const {
  return cuda::GetKernel(cuda::kDecodeSource, definitions_, name).Overlapping();
}

void CudaDecoder::Prefill(const std::vector<std::vector<int64_t>>& prompts,
                          const std::vector<int64_t>& places) {
  at::NoGradGuard no_grad;
  Order(own_, main_);
  const PackedBatch batch = PackRows(prompts, model_.device());
  std::vector<LayerKv> kv;
  ForwardOptions options;
  options.kv = &kv;
  options.longest = shape_.prompt_capacity + shape_.max_new;
  const at::Tensor hidden = Forward(model_, batch, options);
  std::vector<int64_t> last, where;
  for (size_t i = 0; i < prompts.size(); ++i) {
    const Segment& segment = batch.segments[i];
    last.push_back(segment.start + segment.length - 1);
    lengths_[static_cast<size_t>(places[i])] = segment.length;
    for (int64_t t = 0; t < segment.length; ++t)
      where.push_back(places[i] * shape_.prompt_capacity + t);
  }
  const at::Tensor index = cuda::ToDevice(where, model_.device());
  for (size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].prompt_keys.index_copy_(0, index, kv[i].key);
    layers_[i].prompt_values.index_copy_(0, index, kv[i].value);
  }
  const at::Tensor logits =
      at::mm(hidden.index_select(0, cuda::ToDevice(last, model_.device())), model_.head.t());
  prompt_logits_.index_copy_(0, cuda::ToDevice(places, model_.device()), logits);
  Order(main_, own_);
}

void CudaDecoder::Enter(const std::vector<Entry>& entries) {
  if (entries.empty()) return;
  at::NoGradGuard no_grad;
  std::vector<int64_t> slots, streams;
  std::vector<int32_t> rows, first, length, logit_rows;
  for (const Entry& entry : entries) {
    slots.push_back(entry.slot);
    rows.push_back(static_cast<int32_t>(entry.slot));
    first.push_back(static_cast<int32_t>(entry.place * shape_.prompt_capacity));
    length.push_back(static_cast<int32_t>(lengths_[static_cast<size_t>(entry.place)]));
    logit_rows.push_back(static_cast<int32_t>(entry.place));
    for (uint64_t word : entry.stream.words) streams.push_back(static_cast<int64_t>(word));
  }
  const at::Device device = model_.device();
  Order(main_, own_);
  c10::StreamGuard guard(own_);
  const at::Tensor index = cuda::ToDevice(slots, device);
  tokens_.index_fill_(0, index, 0);
  counts_.index_fill_(0, index, 0);
  done_.index_fill_(0, index, 0);
  prompt_first_.index_copy_(0, index, cuda::ToDevice(first, device));
  prompt_length_.index_copy_(0, index, cuda::ToDevice(length, device));
  streams_.index_copy_(0, index, cuda::ToDevice(streams, device).view({-1, 4}));
  if (seen_.defined()) {
    std::vector<int32_t> bits(entries.size() * static_cast<size_t>(seen_.size(1)));
    for (size_t i = 0; i < entries.size(); ++i) {
      int32_t* row = bits.data() + i * static_cast<size_t>(seen_.size(1));
      for (int64_t id : *entries[i].prompt)
        row[id / 32] |= static_cast<int32_t>(uint32_t{1} << (id % 32));
    }
    seen_.index_copy_(0, index, cuda::ToDevice(bits, device).view({-1, seen_.size(1)}));
  }
  DrawTokens(cuda::ToDevice(rows, device), cuda::ToDevice(logit_rows, device), prompt_logits_);
}

void CudaDecoder::DrawTokens(const at::Tensor& slots, const at::Tensor& logit_rows,
                             const at::Tensor& logits) const {
  const Drawing how{
      static_cast<float>(draw_.temperature),
      static_cast<float>(draw_.top_p),
      static_cast<int32_t>(std::min<int64_t>(draw_.top_k, INT32_MAX)),
      static_cast<float>(draw_.min_p),
      static_cast<float>(draw_.repetition_penalty),
      static_cast<int32_t>(shape_.min_new),
      static_cast<int32_t>(shape_.max_new),
      static_cast<int32_t>(stops_),
      static_cast<int32_t>(draw_.tokens > 0 ? std::min(draw_.tokens, model_.config.vocab_size)
                                            : model_.config.vocab_size)};
  Get("Sample")({slots.size(0)}, kSampleThreads, 0, Raw(slots), Raw(logit_rows), Raw(logits), how,
                Raw(stop_ids_), Raw(tokens_), Raw(counts_), Raw(done_), Raw(streams_), Raw(seen_),
                static_cast<int>(seen_.defined() ? seen_.size(1) : 0), Raw(ring_tokens_),
                Raw(ring_logprobs_), static_cast<int>(ring_));
}

CudaDecoder::Bucket* CudaDecoder::BucketFor(int64_t rows) {
  int64_t width = rows;
  for (const int64_t bucket : kBuckets) {
    if (bucket >= rows) {
      width = bucket;
      break;
    }
  }
  std::unique_ptr<Bucket>& made = buckets_[width];
  if (made != nullptr) return made.get();
  made = std::make_unique<Bucket>();
  made->rows = width;
  {
    c10::StreamGuard guard(main_);
    MakeBuffers(made.get());
    Order(main_, own_);
  }
  // Once without recording: cuBLAS takes its workspace and loads its kernels then. No row has a slot yet, so no state changes.
  Step(made.get());
  made->graph.Begin();
  Step(made.get());
  made->graph.End();
  return made.get();
}

void CudaDecoder::MakeBuffers(Bucket* b) const {
  const ModelConfig& c = model_.config;
  const auto options = model_.embed.options().requires_grad(false);
  const auto rows_of = [&](int64_t size) { return at::empty({b->rows, size}, options); };
  b->slots = at::full({b->rows}, -1, options.dtype(at::kInt));
  b->x = at::zeros({b->rows, c.hidden_size}, options.dtype(at::kFloat));
  b->h = rows_of(c.hidden_size);
  b->y = rows_of(c.hidden_size);
  b->qkv = rows_of((c.num_heads + 2 * c.num_kv_heads) * c.head_dim);
  b->attended = rows_of(c.num_heads * c.head_dim).zero_();
  b->gate_up = rows_of(2 * c.intermediate_size);
  b->inner = rows_of(c.intermediate_size);
  b->logits = rows_of(c.vocab_size);
  if (HasProducts(model_) && FewRows(c, b->rows))
    b->squares = at::zeros({c.hidden_size / OutTile(c.hidden_size), b->rows}, b->x.options());
  const int64_t most =
      std::clamp<int64_t>((shape_.prompt_capacity + shape_.max_new) / kLeastShare, 1, kMostShares);
  b->shares = std::clamp<int64_t>(
      kAttendBlocks * cuda::MultiprocessorCount() / (b->rows * c.num_kv_heads), 1, most);
  if (b->shares == 1) return;
  const int64_t part = c.num_heads / c.num_kv_heads * (c.head_dim + 2);
  b->parts = at::empty({b->rows, c.num_kv_heads, b->shares, part}, b->x.options());
  b->arrived = at::zeros({b->rows, c.num_kv_heads}, b->slots.options());
}

void CudaDecoder::Attend(const LayerWeights& w, const Layer& layer, const Bucket& b) const {
  const ModelConfig& c = model_.config;
  const auto scale =
      static_cast<float>(1.0 / std::sqrt(static_cast<double>(c.head_dim)) * 1.4426950408889634);
  const AttendShape shape = AttendShapeOf(c, model_.dtype());
  Get("Attend")({b.rows, c.num_kv_heads, b.shares}, shape.threads, shape.shared, Raw(b.slots),
                Raw(counts_), Raw(done_), Raw(prompt_first_), Raw(prompt_length_), Raw(b.qkv),
                Raw(layer.qkv_bias), Raw(w.q_norm), Raw(w.k_norm), Raw(cosines_), Raw(sines_),
                Raw(layer.prompt_keys), Raw(layer.prompt_values), Raw(layer.own_keys),
                Raw(layer.own_values), static_cast<int>(shape_.max_new), scale, Raw(b.parts),
                Raw(b.arrived), Raw(b.attended));
}

// A layer in five kernels: whoever adds to the stream leaves what the next norm's reader wants.
void CudaDecoder::FusedLayerStep(size_t index, Bucket* b) const {
  const ModelConfig& c = model_.config;
  const LayerWeights& w = model_.layers[index];
  const Layer& layer = layers_[index];
  const bool last = index + 1 == layers_.size();
  const at::Tensor& next = last ? model_.norm : model_.layers[index + 1].input_norm;
  const auto rows = static_cast<int>(b->rows);
  const int64_t heads = c.num_heads * c.head_dim, inner = c.intermediate_size;
  const int64_t out = OutTile(c.hidden_size), gate = GateTile(inner);
  const auto stream = [&](const at::Tensor& weight) {
    return StreamPointers{Raw(b->x), Raw(b->h), Raw(b->squares), Raw(weight)};
  };
  const int64_t few = Tiles(b->rows, 32);
  Get("HeadsProduct")({b->qkv.size(1) / 64, few}, kProductThreads,
                      ProductShared(c.hidden_size, 32, 64, 4), stream(w.input_norm), Raw(layer.qkv),
                      rows, Raw(b->qkv));
  Attend(w, layer, *b);
  Get("AttentionOut")({c.hidden_size / out, few}, kProductThreads, ProductShared(heads, 32, out, 4),
                      stream(w.post_norm), Raw(b->attended), Raw(w.o_proj), rows);
  Get("GateUpProduct")({inner / gate, Tiles(b->rows, 64)}, kProductThreads,
                       ProductShared(c.hidden_size, 64, 2 * gate, 2), stream(w.post_norm),
                       Raw(layer.gate_up), rows, Raw(b->inner));
  Get("MlpOut")({c.hidden_size / out, few}, kProductThreads, ProductShared(inner, 32, out, 4),
                stream(next), Raw(b->inner), Raw(w.down_proj), rows);
}

void CudaDecoder::LayerStep(size_t index, Bucket* b) const {
  const ModelConfig& c = model_.config;
  const LayerWeights& w = model_.layers[index];
  const Layer& layer = layers_[index];
  const bool last = index + 1 == layers_.size();
  at::mm_out(b->qkv, b->h, layer.qkv.t());
  Attend(w, layer, *b);
  at::mm_out(b->y, b->attended, w.o_proj.t());
  Get("AddNorm")({b->rows}, kNormThreads, 0, Raw(b->x), Raw(b->y), Raw(w.post_norm), Raw(b->h));
  at::mm_out(b->gate_up, b->h, layer.gate_up.t());
  const int64_t packs = b->rows * c.intermediate_size / 8;
  Get("GateUp")({(packs + 255) / 256}, 256, 0, Raw(b->gate_up), b->rows,
                static_cast<int>(c.intermediate_size), Raw(b->inner));
  at::mm_out(b->y, b->inner, w.down_proj.t());
  const at::Tensor& next = last ? model_.norm : model_.layers[index + 1].input_norm;
  Get("AddNorm")({b->rows}, kNormThreads, 0, Raw(b->x), Raw(b->y), Raw(next), Raw(b->h));
}

void CudaDecoder::Step(Bucket* b) const {
  const at::Tensor& first = model_.layers[0].input_norm;
  if (b->squares.defined()) {
    Get("EmbedStream")({b->rows}, kNormThreads, 0, Raw(b->slots), Raw(tokens_), Raw(model_.embed),
                       StreamPointers{Raw(b->x), Raw(b->h), Raw(b->squares), Raw(first)});
    for (size_t i = 0; i < layers_.size(); ++i) FusedLayerStep(i, b);
    Get("AddNorm")({b->rows}, kNormThreads, 0, Raw(b->x), Raw({}), Raw(model_.norm), Raw(b->h));
  } else {
    Get("EmbedNorm")({b->rows}, kNormThreads, 0, Raw(b->slots), Raw(tokens_), Raw(model_.embed),
                     Raw(first), Raw(b->x), Raw(b->h));
    for (size_t i = 0; i < layers_.size(); ++i) LayerStep(i, b);
  }
  at::mm_out(b->logits, b->h, model_.head.t());
  DrawTokens(b->slots, {}, b->logits);
}

void CudaDecoder::Launch(const std::vector<int64_t>& slots, int64_t steps) {
  ASSAY_CHECK(launched_ - read_ < 2 && steps <= shape_.steps_at_once);
  at::NoGradGuard no_grad;
  Order(main_, own_);
  c10::StreamGuard guard(own_);
  if (!slots.empty() && steps > 0) {
    Bucket* bucket = BucketFor(static_cast<int64_t>(slots.size()));
    std::vector<int32_t> rows(static_cast<size_t>(bucket->rows), -1);
    std::copy(slots.begin(), slots.end(), rows.begin());
    bucket->slots.copy_(cuda::ToDevice(rows, model_.device()));
    for (int64_t i = 0; i < steps; ++i) bucket->graph.Launch();
  }
  Send();
}

void CudaDecoder::Send() {
  Mirror& mirror = mirrors_[launched_ % 2];
  mirror.tokens.copy_(ring_tokens_, /*non_blocking=*/true);
  mirror.logprobs.copy_(ring_logprobs_, /*non_blocking=*/true);
  mirror.counts.copy_(counts_, /*non_blocking=*/true);
  mirror.sent->record(own_);
  ++launched_;
}

CudaDecoder::Look CudaDecoder::Read() {
  ASSAY_CHECK(read_ < launched_);
  const Mirror& mirror = mirrors_[read_ % 2];
  mirror.sent->synchronize();
  ++read_;
  return {mirror.tokens.data_ptr<int32_t>(), mirror.logprobs.data_ptr<float>(),
          mirror.counts.data_ptr<int32_t>(), ring_};
}

}  // namespace assay
