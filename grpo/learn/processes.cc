#include "grpo/learn/processes.h"

#include <ATen/ATen.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "core/check.h"
#include "core/text.h"
#include "grpo/model/torch_error.h"

namespace assay {
namespace {

// A store takes no more than 8 MiB at a time.
constexpr size_t kPiece = size_t{4} << 20;
constexpr int64_t kMostProcesses = 4096;
constexpr std::chrono::minutes kPatience{30};  // with processes that are not heard of

int64_t EnvironmentNumber(const char* name, int64_t fallback) {
  const char* text = std::getenv(name);
  return text == nullptr || *text == 0 ? fallback : std::strtoll(text, nullptr, 10);
}

// NCCL's functions as its documentation has them: 0 is success, a communicator is a pointer.
struct Nccl {
  struct Id {
    char bytes[128];
  };
  int (*get_id)(Id* id) = nullptr;
  int (*init_rank)(void** communicator, int count, Id id, int rank) = nullptr;
  int (*all_reduce)(const void* from, void* to, size_t count, int type, int operation,
                    void* communicator, void* stream) = nullptr;
  int (*reduce_scatter)(const void* from, void* to, size_t count, int type, int operation,
                        void* communicator, void* stream) = nullptr;
  int (*all_gather)(const void* from, void* to, size_t count, int type, void* communicator,
                    void* stream) = nullptr;
  int (*destroy)(void* communicator) = nullptr;
  const char* (*error)(int code) = nullptr;

  void Check(int code, const char* what) const {
    TORCH_CHECK(code == 0, what, ": NCCL error ", code, " (", error(code), ")");
  }
};

const Nccl& NcclLibrary() {
  static const Nccl* const kNccl = [] {
    // Loaded already where LibTorch has CUDA.
    void* library = dlopen("libnccl.so.2", RTLD_NOW);
    TORCH_CHECK(library != nullptr, "several GPUs need NCCL (libnccl.so.2), which is not there");
    auto* nccl = new Nccl();
    const auto find = [&](const char* name, auto* function) {
      *function =
          reinterpret_cast<std::remove_reference_t<decltype(*function)>>(dlsym(library, name));
      TORCH_CHECK(*function != nullptr, "NCCL has no ", name);
    };
    find("ncclGetUniqueId", &nccl->get_id);
    find("ncclCommInitRank", &nccl->init_rank);
    find("ncclAllReduce", &nccl->all_reduce);
    find("ncclReduceScatter", &nccl->reduce_scatter);
    find("ncclAllGather", &nccl->all_gather);
    find("ncclCommDestroy", &nccl->destroy);
    find("ncclGetErrorString", &nccl->error);
    return nccl;
  }();
  return *kNccl;
}

}  // namespace

struct Processes::Meeting {
  std::unique_ptr<c10d::TCPStore> store;
  void* communicator = nullptr;

  ~Meeting() {
    if (communicator != nullptr) NcclLibrary().destroy(communicator);
  }
};

Processes::Processes() = default;
Processes::~Processes() = default;

void Processes::Leave() {
  if (alone()) return;
  Gather("");
  // The first one keeps the store: it goes last.
  if (first()) {
    for (int64_t rank = 1; rank < count_; ++rank) Take(StrCat(prefix_, "left/", rank));
  } else {
    Put(StrCat(prefix_, "left/", rank_), "1", 1);
  }
}

Result<std::unique_ptr<Processes>> Processes::FromEnvironment() {
  std::unique_ptr<Processes> made(new Processes());
  made->count_ = EnvironmentNumber("WORLD_SIZE", 1);
  made->rank_ = EnvironmentNumber("RANK", 0);
  made->local_rank_ = EnvironmentNumber("LOCAL_RANK", made->rank_);
  const char* host = std::getenv("MASTER_ADDR");
  const int64_t port = EnvironmentNumber("MASTER_PORT", 29500);
  // torchrun's store outlives the processes that it starts anew after a failure.
  made->prefix_ = StrCat("assay/", EnvironmentNumber("TORCHELASTIC_RESTART_COUNT", 0), "/");
  if (made->count_ < 1 || made->count_ > kMostProcesses || made->rank_ < 0 ||
      made->rank_ >= made->count_ || port < 1 || port > 65535) {
    return Error{ErrorCode::kUsage,
                 StrCat("RANK = ", made->rank_, ", WORLD_SIZE = ", made->count_,
                        ", MASTER_PORT = ", port, " make no sense together"),
                 "they are torchrun's; unset them for a run of one process"};
  }
  if (made->count_ == 1) return made;
  const Status met = CatchTorch("meeting the other processes", [&]() -> Status {
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(port);
    options.isServer = made->first();
    options.numWorkers = static_cast<size_t>(made->count_);
    options.timeout = kPatience;
    // torchrun's own store may stand at that address already, and serves as well.
    if (std::getenv("TORCHELASTIC_USE_AGENT_STORE") != nullptr &&
        std::strcmp(std::getenv("TORCHELASTIC_USE_AGENT_STORE"), "True") == 0)
      options.isServer = false;
    made->meeting_ = std::make_unique<Meeting>();
    made->meeting_->store = std::make_unique<c10d::TCPStore>(
        host == nullptr || *host == 0 ? "127.0.0.1" : host, options);
    return {};
  });
  if (!met.ok()) {
    made->meeting_.reset();
    return Error{ErrorCode::kUnavailable, met.error().message,
                 "every process needs the same MASTER_ADDR, MASTER_PORT and WORLD_SIZE"};
  }
  return made;
}

std::string Processes::Key(int64_t from, int64_t to) const {
  return StrCat(prefix_, exchange_, "/", from, "/", to);
}

// In pieces; the first tells how many bytes there are.
void Processes::Put(const std::string& key, const char* data, size_t bytes) {
  const auto send = [&](const std::string& name, const char* from, size_t size) {
    put_.push_back(name);
    meeting_->store->set(name, std::vector<uint8_t>(from, from + size));
  };
  const std::string size = StrCat(bytes);
  for (size_t at = 0; at < bytes; at += kPiece)
    send(StrCat(key, "/", at / kPiece), data + at, std::min(kPiece, bytes - at));
  send(key, size.data(), size.size());
}

std::string Processes::Take(const std::string& key) {
  const std::vector<uint8_t> size = meeting_->store->get(key);
  const size_t bytes = std::strtoull(std::string(size.begin(), size.end()).c_str(), nullptr, 10);
  std::string data;
  for (size_t at = 0; at < bytes; at += kPiece) {
    const std::vector<uint8_t> piece = meeting_->store->get(StrCat(key, "/", at / kPiece));
    data.append(piece.begin(), piece.end());
  }
  TORCH_CHECK(data.size() == bytes, "another process sent ", data.size(), " bytes of ", bytes);
  return data;
}

// What was put two exchanges ago has been taken by everybody, or they could not have answered in the one before.
void Processes::NextExchange() {
  for (const std::string& key : put_before_) meeting_->store->deleteKey(key);
  put_before_ = std::exchange(put_, {});
  ++exchange_;
}

std::vector<std::string> Processes::Gather(std::string_view mine) {
  if (alone()) return {std::string(mine)};
  NextExchange();
  Put(Key(rank_, -1), mine.data(), mine.size());
  std::vector<std::string> all;
  for (int64_t rank = 0; rank < count_; ++rank)
    all.push_back(rank == rank_ ? std::string(mine) : Take(Key(rank, -1)));
  return all;
}

bool Processes::AllSay(std::string_view word, int64_t seconds) {
  if (alone()) return true;
  try {
    meeting_->store->setTimeout(std::chrono::seconds(seconds));
    const std::vector<std::string> all = Gather(word);
    meeting_->store->setTimeout(kPatience);
    return std::all_of(all.begin(), all.end(),
                       [&](const std::string& said) { return said == word; });
  } catch (const std::exception&) {  // somebody is gone
    return false;
  }
}

std::string Processes::FromFirst(std::string_view mine) {
  return Gather(first() ? mine : std::string_view()).front();
}

namespace {

// Where the share of process `rank` of `count` begins.
int64_t ShareBegin(int64_t size, int64_t rank, int64_t count) { return size * rank / count; }

size_t ShareBytes(int64_t size, int64_t rank, int64_t count, size_t element = sizeof(float)) {
  return static_cast<size_t>(ShareBegin(size, rank + 1, count) - ShareBegin(size, rank, count)) *
         element;
}

constexpr char kOtherSize[] = "another process sums a tensor of another size";
constexpr int kFloat32 = 7, kUint8 = 1, kSum = 0;  // NCCL's

void* StreamOf(const at::Tensor& tensor) {
  const auto* guard = c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA);
  return guard->getStreamNativeHandle(guard->getStream(tensor.device()));
}

}  // namespace

void Processes::SumShareOnHost(float* data, int64_t size) {
  NextExchange();
  for (int64_t rank = 0; rank < count_; ++rank) {
    if (rank != rank_)
      Put(Key(rank_, rank), reinterpret_cast<const char*>(data + ShareBegin(size, rank, count_)),
          ShareBytes(size, rank, count_));
  }
  float* const mine = data + ShareBegin(size, rank_, count_);
  const size_t bytes = ShareBytes(size, rank_, count_);
  std::vector<float> sum(bytes / sizeof(float));
  for (int64_t rank = 0; rank < count_; ++rank) {
    std::string other;
    const float* from = mine;
    if (rank != rank_) {
      other = Take(Key(rank, rank_));
      TORCH_CHECK(other.size() == bytes, kOtherSize);
      from = reinterpret_cast<const float*>(other.data());
    }
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += from[i];
  }
  std::copy(sum.begin(), sum.end(), mine);
}

void Processes::GatherSharesOnHost(char* data, int64_t size, size_t element) {
  const auto begin = [&](int64_t rank) {
    return data + static_cast<size_t>(ShareBegin(size, rank, count_)) * element;
  };
  NextExchange();
  Put(Key(rank_, -1), begin(rank_), ShareBytes(size, rank_, count_, element));
  for (int64_t rank = 0; rank < count_; ++rank) {
    if (rank == rank_) continue;
    const std::string bytes = Take(Key(rank, -1));
    TORCH_CHECK(bytes.size() == ShareBytes(size, rank, count_, element), kOtherSize);
    std::memcpy(begin(rank), bytes.data(), bytes.size());
  }
}

// NCCL's, made at its first use.
void* Processes::Communicator() {
  if (meeting_->communicator != nullptr) return meeting_->communicator;
  const Nccl& nccl = NcclLibrary();
  Nccl::Id id = {};
  if (first()) nccl.Check(nccl.get_id(&id), "NCCL's start");
  const std::string given = FromFirst({id.bytes, sizeof(id.bytes)});
  std::memcpy(id.bytes, given.data(), std::min(given.size(), sizeof(id.bytes)));
  nccl.Check(nccl.init_rank(&meeting_->communicator, static_cast<int>(count_), id,
                            static_cast<int>(rank_)),
             "joining the other GPUs");
  return meeting_->communicator;
}

void Processes::Sum(at::Tensor tensor) {
  ASSAY_CHECK(tensor.is_contiguous() && tensor.scalar_type() == at::kFloat);
  if (alone() || tensor.numel() == 0) return;
  if (!tensor.is_cuda()) {
    SumShareOnHost(tensor.data_ptr<float>(), tensor.numel());
    return GatherSharesOnHost(static_cast<char*>(tensor.data_ptr()), tensor.numel(), sizeof(float));
  }
  void* const communicator = Communicator();
  NcclLibrary().Check(NcclLibrary().all_reduce(tensor.data_ptr(), tensor.data_ptr(),
                                               static_cast<size_t>(tensor.numel()), kFloat32, kSum,
                                               communicator, StreamOf(tensor)),
                      "adding up gradients");
}

void Processes::SumShare(at::Tensor tensor) {
  ASSAY_CHECK(tensor.is_contiguous() && tensor.scalar_type() == at::kFloat);
  ASSAY_CHECK(tensor.numel() % count_ == 0);
  if (alone() || tensor.numel() == 0) return;
  if (!tensor.is_cuda()) return SumShareOnHost(tensor.data_ptr<float>(), tensor.numel());
  void* const communicator = Communicator();
  const int64_t share = tensor.numel() / count_;
  NcclLibrary().Check(
      NcclLibrary().reduce_scatter(tensor.data_ptr(), tensor.data_ptr<float>() + rank_ * share,
                                   static_cast<size_t>(share), kFloat32, kSum, communicator,
                                   StreamOf(tensor)),
      "adding up gradients");
}

void Processes::GatherShares(at::Tensor tensor) {
  ASSAY_CHECK(tensor.is_contiguous());
  ASSAY_CHECK(tensor.numel() % count_ == 0);
  if (alone() || tensor.numel() == 0) return;
  auto* const data = static_cast<char*>(tensor.data_ptr());
  if (!tensor.is_cuda())
    return GatherSharesOnHost(data, tensor.numel(), static_cast<size_t>(tensor.element_size()));
  void* const communicator = Communicator();
  const size_t share = tensor.nbytes() / static_cast<size_t>(count_);  // bytes have every dtype
  NcclLibrary().Check(NcclLibrary().all_gather(data + static_cast<size_t>(rank_) * share, data,
                                               share, kUint8, communicator, StreamOf(tensor)),
                      "handing out shares");
}

}  // namespace assay
