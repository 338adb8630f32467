// Kernels of our own on an NVIDIA GPU without CUDA's toolkit: source text is compiled by NVRTC, which LibTorch's CUDA wheels bring,
// at its first use, and kept in the user's cache folder; the driver's few functions are looked up at run time. Nothing here is
// needed to build, and a LibTorch without CUDA simply finds no device. Launches go to LibTorch's current stream.
//
// Thread-safe. What fails throws c10::Error, as LibTorch's own operators do. Not here: which kernels there are (kernels.h).
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace assay::cuda {

// True if kernels can be compiled for the tensor's device and are not switched off. The first call looks for the libraries.
bool Usable(const at::Tensor& tensor);
// Why they cannot, for people; empty if they can.
std::string WhyNotUsable();
// Everything through LibTorch's own operators while this lives: the plain twins, for tests and comparisons. All threads.
class PlainOnly {
 public:
  PlainOnly();
  ~PlainOnly();
  PlainOnly(const PlainOnly&) = delete;
  PlainOnly& operator=(const PlainOnly&) = delete;
};

// Of LibTorch's current device.
int MultiprocessorCount();
// Memory of LibTorch's current device that could be taken: free, or kept by LibTorch's allocator without use.
double AvailableBytes();
// LibTorch's allocator takes address space whose pages it can hand from one phase of a run to the next, whatever sizes they ask for,
// unless PYTORCH_CUDA_ALLOC_CONF or PYTORCH_ALLOC_CONF says what it is to do. To be called by a program before it touches a GPU or
// starts a thread.
void PreferExpandableMemory();
// The most that LibTorch's allocator has had in use, and has taken, on its current device since the program began; GiB.
struct MemoryPeak {
  double allocated_gb = 0, reserved_gb = 0;
};
MemoryPeak PeakMemory();

struct Grid {
  int64_t x = 1, y = 1, z = 1;
};

class Kernel {
 public:
  explicit Kernel(void* function) : function_(function) {}
  // May be set up while the kernel before it on the stream still ends; it waits for that one itself (WaitForLast in common.cu).
  Kernel Overlapping() const {
    Kernel kernel = *this;
    kernel.overlapping_ = true;
    return kernel;
  }
  // Arguments have exactly the types of the kernel's parameters: pointers, int, float, double, int64_t. `shared`: bytes of dynamic
  // shared memory. An empty grid launches nothing.
  template <typename... Args>
  void operator()(Grid grid, int threads, int shared, Args... args) const {
    void* pointers[] = {static_cast<void*>(&args)...};
    Launch(grid, threads, shared, pointers);
  }

 private:
  void Launch(Grid grid, int threads, int shared, void** arguments) const;
  void* function_;
  bool overlapping_ = false;
};

using Definitions = std::vector<std::pair<std::string, std::string>>;
// The kernel `name` of the source text, compiled with these macros for the current device; compiled once in a process and kept
// on disk for the next. `source` is one of the embedded texts, told apart by its address.
Kernel GetKernel(const char* source, const Definitions& definitions, const std::string& name);

// What is launched on a stream between Begin and End, to be launched again as one.
class Graph {
 public:
  Graph() = default;
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;
  // On LibTorch's current stream, which must not be the default one. Nothing may be allocated or read back in between.
  void Begin();
  void End();
  void Launch() const;

 private:
  void* executable_ = nullptr;
};

// A vector's elements on the device. From pinned memory, without waiting for the device.
at::Tensor ToDevice(const std::vector<int64_t>& values, at::Device device);
at::Tensor ToDevice(const std::vector<int32_t>& values, at::Device device);
at::Tensor ToDevice(const std::vector<float>& values, at::Device device);

}  // namespace assay::cuda
