#include "grpo/model/cuda/runtime.h"

#include <ATen/ATen.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/Stream.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <sstream>
#include <tuple>

#include "core/hash.h"
#include "core/text.h"

namespace assay::cuda {
namespace {

// The driver's and NVRTC's functions as their documentation has them: handles are pointers, status codes are int, 0 is success.
struct Libraries {
  std::string missing;  // why kernels cannot be used; empty if they can

  int (*device_get)(int* device, int ordinal) = nullptr;
  int (*device_attribute)(int* value, int attribute, int device) = nullptr;
  int (*module_load)(void** module, const void* image) = nullptr;
  int (*module_function)(void** function, void* module, const char* name) = nullptr;
  int (*function_attribute)(void* function, int attribute, int value) = nullptr;
  int (*launch)(void* function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by,
                unsigned bz, unsigned shared, void* stream, void** arguments,
                void** extra) = nullptr;
  int (*launch_with)(const void* config, void* function, void** arguments, void** extra) = nullptr;
  int (*memory_info)(size_t* free, size_t* total) = nullptr;
  int (*error_string)(int code, const char** text) = nullptr;
  int (*begin_capture)(void* stream, int mode) = nullptr;
  int (*end_capture)(void* stream, void** graph) = nullptr;
  int (*graph_instantiate)(void** executable, void* graph, unsigned long long flags) = nullptr;
  int (*graph_launch)(void* executable, void* stream) = nullptr;
  int (*graph_destroy)(void* graph) = nullptr;
  int (*graph_exec_destroy)(void* executable) = nullptr;

  int (*nvrtc_version)(int* major, int* minor) = nullptr;
  int (*nvrtc_create)(void** program, const char* source, const char* name, int headers,
                      const char* const* texts, const char* const* names) = nullptr;
  int (*nvrtc_compile)(void* program, int options, const char* const* texts) = nullptr;
  int (*nvrtc_log_size)(void* program, size_t* size) = nullptr;
  int (*nvrtc_log)(void* program, char* log) = nullptr;
  int (*nvrtc_cubin_size)(void* program, size_t* size) = nullptr;
  int (*nvrtc_cubin)(void* program, char* code) = nullptr;
  int (*nvrtc_destroy)(void** program) = nullptr;
};

template <typename Function>
bool Find(void* library, const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(library, name));
  return *function != nullptr;
}

Libraries LoadLibraries() {
  Libraries l;
  void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_GLOBAL);
  if (driver == nullptr) {
    l.missing = "no NVIDIA driver (libcuda.so.1)";
    return l;
  }
  // LibTorch's own stub knows where its wheel keeps NVRTC.
  dlopen("libcaffe2_nvrtc.so", RTLD_NOW);
  void* nvrtc = nullptr;
  for (const char* name : {"libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so"}) {
    if (nvrtc == nullptr) nvrtc = dlopen(name, RTLD_NOW);
  }
  if (nvrtc == nullptr) {
    l.missing = "NVRTC (libnvrtc.so) is not beside LibTorch";
    return l;
  }
  const bool all = Find(driver, "cuDeviceGet", &l.device_get) &&
                   Find(driver, "cuDeviceGetAttribute", &l.device_attribute) &&
                   Find(driver, "cuModuleLoadData", &l.module_load) &&
                   Find(driver, "cuModuleGetFunction", &l.module_function) &&
                   Find(driver, "cuFuncSetAttribute", &l.function_attribute) &&
                   Find(driver, "cuLaunchKernel", &l.launch) &&
                   Find(driver, "cuLaunchKernelEx", &l.launch_with) &&
                   Find(driver, "cuMemGetInfo_v2", &l.memory_info) &&
                   Find(driver, "cuGetErrorString", &l.error_string) &&
                   Find(driver, "cuStreamBeginCapture_v2", &l.begin_capture) &&
                   Find(driver, "cuStreamEndCapture", &l.end_capture) &&
                   Find(driver, "cuGraphInstantiateWithFlags", &l.graph_instantiate) &&
                   Find(driver, "cuGraphLaunch", &l.graph_launch) &&
                   Find(driver, "cuGraphDestroy", &l.graph_destroy) &&
                   Find(driver, "cuGraphExecDestroy", &l.graph_exec_destroy) &&
                   Find(nvrtc, "nvrtcVersion", &l.nvrtc_version) &&
                   Find(nvrtc, "nvrtcCreateProgram", &l.nvrtc_create) &&
                   Find(nvrtc, "nvrtcCompileProgram", &l.nvrtc_compile) &&
                   Find(nvrtc, "nvrtcGetProgramLogSize", &l.nvrtc_log_size) &&
                   Find(nvrtc, "nvrtcGetProgramLog", &l.nvrtc_log) &&
                   Find(nvrtc, "nvrtcGetCUBINSize", &l.nvrtc_cubin_size) &&
                   Find(nvrtc, "nvrtcGetCUBIN", &l.nvrtc_cubin) &&
                   Find(nvrtc, "nvrtcDestroyProgram", &l.nvrtc_destroy);
  if (!all) l.missing = "the NVIDIA driver or NVRTC is too old";
  return l;
}

const Libraries& Libs() {
  static const auto* const libraries = new Libraries(LoadLibraries());
  return *libraries;
}

void Check(int code, const char* what) {
  if (code == 0) return;
  const char* text = nullptr;
  if (Libs().error_string != nullptr) Libs().error_string(code, &text);
  TORCH_CHECK(false, what, ": CUDA error ", code, " (", text == nullptr ? "unknown" : text, ")");
}

std::atomic<int> plain_only{0};

const c10::impl::DeviceGuardImplInterface* Guard() {
  static const c10::impl::DeviceGuardImplInterface* const guard =
      c10::impl::getDeviceGuardImpl(c10::DeviceType::CUDA);
  return guard;
}

void* CurrentStream() {
  const auto* guard = Guard();
  return guard->getStreamNativeHandle(guard->getStream(guard->getDevice()));
}

// Where compiled kernels are kept; empty: nowhere.
std::filesystem::path CacheFolder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache != 0) return std::filesystem::path(cache) / "assay" / "kernels";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == 0) return {};
  return std::filesystem::path(home) / ".cache" / "assay" / "kernels";
}

std::string ReadWhole(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return in ? text.str() : "";
}

// Beside and renamed over: several processes may compile the same kernels at one time. A cache that cannot be written is none.
void KeepOnDisk(const std::filesystem::path& path, const std::string& code) {
  std::error_code ignored;
  std::filesystem::create_directories(path.parent_path(), ignored);
  const std::filesystem::path part = StrCat(path.string(), ".", getpid());
  {
    std::ofstream out(part, std::ios::binary);
    out << code;
    if (!out.good()) return;
  }
  std::filesystem::rename(part, path, ignored);
}

std::string Compile(const char* source, const std::vector<std::string>& options) {
  const Libraries& l = Libs();
  void* program = nullptr;
  TORCH_CHECK(l.nvrtc_create(&program, source, "assay.cu", 0, nullptr, nullptr) == 0,
              "NVRTC cannot make a program");
  std::vector<const char*> texts;
  for (const std::string& option : options) texts.push_back(option.c_str());
  const int code = l.nvrtc_compile(program, static_cast<int>(texts.size()), texts.data());
  std::string result;
  size_t size = 0;
  if (code == 0) {
    if (l.nvrtc_cubin_size(program, &size) == 0) {
      result.resize(size);
      l.nvrtc_cubin(program, result.data());
    }
  } else if (l.nvrtc_log_size(program, &size) == 0) {
    result.resize(size);
    l.nvrtc_log(program, result.data());
  }
  l.nvrtc_destroy(&program);
  TORCH_CHECK(code == 0, "compiling kernels failed: ", result.substr(0, 2000));
  return result;
}

void* LoadModule(const char* source, const std::vector<std::string>& options) {
  std::string key = source;
  for (const std::string& option : options) key += '\n' + option;
  int major = 0, minor = 0;
  Libs().nvrtc_version(&major, &minor);
  key += StrCat("\nnvrtc ", major, ".", minor);
  const std::filesystem::path folder = CacheFolder();
  const std::filesystem::path file = folder / (HashBytes128(key).Hex() + ".cubin");
  void* module = nullptr;
  const std::string kept = folder.empty() ? "" : ReadWhole(file);
  if (!kept.empty() && Libs().module_load(&module, kept.data()) == 0) return module;
  const std::string code = Compile(source, options);
  Check(Libs().module_load(&module, code.data()), "loading kernels");
  if (!folder.empty()) KeepOnDisk(file, code);
  return module;
}

// One of the driver's CU_DEVICE_ATTRIBUTE_ numbers of LibTorch's current device.
int Attribute(int number) {
  int device = 0, value = 0;
  Check(Libs().device_get(&device, Guard()->getDevice().index()), "finding the device");
  Check(Libs().device_attribute(&value, number, device), "asking the device");
  return value;
}
constexpr int kMultiprocessors = 16, kMajor = 75, kMinor = 76;

// CUlaunchAttribute with CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION, and CUlaunchConfig.
struct LaunchAttribute {
  int id = 6;
  int padding = 0;
  int allowed[16] = {1};
};
struct LaunchConfig {
  unsigned grid_x, grid_y, grid_z, block_x, block_y, block_z, shared;
  void* stream;
  LaunchAttribute* attributes;
  unsigned count;
};

std::vector<std::string> Options(const Definitions& definitions) {
  std::vector<std::string> options = {
      "--std=c++17", StrCat("--gpu-architecture=sm_", Attribute(kMajor), Attribute(kMinor))};
  for (const auto& [name, value] : definitions) options.push_back(StrCat("-D", name, "=", value));
  return options;
}

template <typename T>
at::Tensor Upload(const std::vector<T>& values, at::ScalarType dtype, at::Device device) {
  const auto count = static_cast<int64_t>(values.size());
  const at::Tensor host =
      at::from_blob(const_cast<T*>(values.data()), {count}, at::TensorOptions().dtype(dtype));
  if (!device.is_cuda()) return host.clone();
  const at::Tensor pinned =
      at::empty({count}, at::TensorOptions().dtype(dtype).pinned_memory(true));
  pinned.copy_(host);
  return pinned.to(device, /*non_blocking=*/true);
}

}  // namespace

std::string WhyNotUsable() { return Libs().missing; }

bool Usable(const at::Tensor& tensor) {
  return tensor.is_cuda() && plain_only == 0 && Libs().missing.empty();
}

PlainOnly::PlainOnly() { ++plain_only; }
PlainOnly::~PlainOnly() { --plain_only; }

int MultiprocessorCount() {
  static const int count = Attribute(kMultiprocessors);
  return count;
}

double AvailableBytes() {
  // The driver answers where LibTorch has set the device up, which what runs there does for a thread.
  const at::Tensor touched = at::zeros({1}, at::TensorOptions(Guard()->getDevice()));
  size_t free = 0, total = 0;
  Check(Libs().memory_info(&free, &total), "asking for free memory");
  const auto stats =
      c10::getDeviceAllocator(c10::DeviceType::CUDA)->getDeviceStats(Guard()->getDevice().index());
  return static_cast<double>(free) + static_cast<double>(stats.reserved_bytes[0].current) -
         static_cast<double>(stats.allocated_bytes[0].current);
}

void PreferExpandableMemory() {
  if (std::getenv("PYTORCH_ALLOC_CONF") != nullptr) return;
  setenv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True", /*overwrite=*/0);
}

MemoryPeak PeakMemory() {
  const auto stats =
      c10::getDeviceAllocator(c10::DeviceType::CUDA)->getDeviceStats(Guard()->getDevice().index());
  return {static_cast<double>(stats.allocated_bytes[0].peak) / (1 << 30),
          static_cast<double>(stats.reserved_bytes[0].peak) / (1 << 30)};
}

Kernel GetKernel(const char* source, const Definitions& definitions, const std::string& name) {
  using Key = std::tuple<const char*, Definitions, int>;
  static std::mutex mutex;
  static auto* const modules = new std::map<Key, void*>();
  static auto* const kernels = new std::map<std::pair<void*, std::string>, void*>();
  const std::lock_guard<std::mutex> lock(mutex);
  const Key key(source, definitions, Guard()->getDevice().index());
  auto module = modules->find(key);
  if (module == modules->end())
    module = modules->emplace(key, LoadModule(source, Options(definitions))).first;
  void*& function = (*kernels)[{module->second, name}];
  if (function == nullptr) {
    Check(Libs().module_function(&function, module->second, name.c_str()), name.c_str());
  }
  return Kernel(function);
}

void Kernel::Launch(Grid grid, int threads, int shared, void** arguments) const {
  if (grid.x <= 0 || grid.y <= 0 || grid.z <= 0) return;
  constexpr int kMaxDynamicShared = 8;  // CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
  if (shared > 32 * 1024)  // static memory counts towards the 48 KiB that need no leave
    Check(Libs().function_attribute(function_, kMaxDynamicShared, shared), "shared memory");
  if (overlapping_ && Attribute(kMajor) >= 9) {
    // A multiprocessor that has to part its memory anew between two kernels runs them one after the other.
    constexpr int kSharedCarveout = 9;  // CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT
    Check(Libs().function_attribute(function_, kSharedCarveout, 100), "shared memory");
    LaunchAttribute attribute;
    const LaunchConfig config{static_cast<unsigned>(grid.x),
                              static_cast<unsigned>(grid.y),
                              static_cast<unsigned>(grid.z),
                              static_cast<unsigned>(threads),
                              1,
                              1,
                              static_cast<unsigned>(shared),
                              CurrentStream(),
                              &attribute,
                              1};
    return Check(Libs().launch_with(&config, function_, arguments, nullptr), "launching a kernel");
  }
  Check(Libs().launch(function_, static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y),
                      static_cast<unsigned>(grid.z), static_cast<unsigned>(threads), 1, 1,
                      static_cast<unsigned>(shared), CurrentStream(), arguments, nullptr),
        "launching a kernel");
}

Graph::~Graph() {
  if (executable_ != nullptr) Libs().graph_exec_destroy(executable_);
}

void Graph::Begin() {
  constexpr int kRelaxed = 2;  // CU_STREAM_CAPTURE_MODE_RELAXED: other threads may go on
  Check(Libs().begin_capture(CurrentStream(), kRelaxed), "recording a graph");
}

void Graph::End() {
  void* graph = nullptr;
  Check(Libs().end_capture(CurrentStream(), &graph), "recording a graph");
  if (executable_ != nullptr) Libs().graph_exec_destroy(executable_);
  executable_ = nullptr;
  const int code = Libs().graph_instantiate(&executable_, graph, 0);
  Libs().graph_destroy(graph);
  Check(code, "making a graph");
}

void Graph::Launch() const {
  Check(Libs().graph_launch(executable_, CurrentStream()), "launching a graph");
}

at::Tensor ToDevice(const std::vector<int64_t>& values, at::Device device) {
  return Upload(values, at::kLong, device);
}
at::Tensor ToDevice(const std::vector<int32_t>& values, at::Device device) {
  return Upload(values, at::kInt, device);
}
at::Tensor ToDevice(const std::vector<float>& values, at::Device device) {
  return Upload(values, at::kFloat, device);
}

}  // namespace assay::cuda
