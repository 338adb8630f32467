// Processes: the processes that make one run together, one a GPU or one a machine, as torchrun's environment has them (RANK,
// WORLD_SIZE, LOCAL_RANK, MASTER_ADDR, MASTER_PORT). They meet at LibTorch's TCPStore, which carries what is small and, on CPUs,
// everything; sums of tensors on GPUs go through NCCL, which LibTorch's CUDA wheels bring. All must make the same calls in the same
// order. Sums are taken in the order of ranks, so that every process holds the same bits.
//
// One thread. What fails (a process that is gone, a time-out) throws c10::Error, as LibTorch's own operators do.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.h"
#include "grpo/model/shards.h"

namespace assay {

class Processes : public ShareExchange {
 public:
  // Alone where the environment says nothing. Waits for the others. Errors: kUsage for an environment that makes no sense,
  // kUnavailable when the others do not come.
  static Result<std::unique_ptr<Processes>> FromEnvironment();
  ~Processes() override;
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  int64_t rank() const override { return rank_; }
  int64_t count() const override { return count_; }
  int64_t local_rank() const { return local_rank_; }  // which GPU of its machine
  bool alone() const { return count_ == 1; }
  bool first() const { return rank_ == 0; }  // the one that writes files and speaks
  bool Owns(int64_t item) const { return item % count_ == rank_; }

  // What each process says, by rank.
  std::vector<std::string> Gather(std::string_view mine);
  // What the first one says.
  std::string FromFirst(std::string_view mine);
  // True if all processes say the same word now, before `seconds` are over: whether a call that all must make can be made when
  // something went wrong in one of them. After false the processes do not speak to each other any more.
  bool AllSay(std::string_view word, int64_t seconds);
  // At the end of a run that went well: waits for all, so that the first one does not close the meeting before its time.
  void Leave();
  // The sum over all processes in the place of a contiguous float32 tensor of the same size everywhere.
  void Sum(at::Tensor tensor);
  // The two halves of that, for a size that is a multiple of count(): the sum of this process's share (the rank-th of equal ones) in
  // its place, the rest being of no meaning then; and every process's share, of any dtype, for all.
  void SumShare(at::Tensor tensor) override;
  void GatherShares(at::Tensor tensor) override;

 private:
  struct Meeting;  // the store, and NCCL's communicator once there is one
  Processes();
  void Put(const std::string& key, const char* data, size_t bytes);
  std::string Take(const std::string& key);
  std::string Key(int64_t from, int64_t to) const;
  void NextExchange();
  void SumShareOnHost(float* data, int64_t size);
  void GatherSharesOnHost(char* data, int64_t size, size_t element);
  void* Communicator();

  int64_t rank_ = 0, count_ = 1, local_rank_ = 0;
  std::string prefix_;  // of all keys in the store
  int64_t exchange_ = 0;
  std::vector<std::string> put_, put_before_;  // keys of this exchange and of the one before
  std::unique_ptr<Meeting> meeting_;
};

// 1 where there are none.
inline int64_t CountOf(const Processes* processes) {
  return processes == nullptr ? 1 : processes->count();
}

}  // namespace assay
