// What all kernels share. Compiled by NVRTC without a header: BF16 says what T is.
typedef unsigned char uint8;
typedef unsigned int uint32;
typedef unsigned long long uint64;
typedef long long int64;

#if BF16
typedef unsigned short T;  // the bits of a bfloat16
__device__ __forceinline__ float ToFloat(T x) { return __uint_as_float((uint32)x << 16); }
__device__ __forceinline__ T FromFloat(float x) {
  T y;
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x));
  return y;
}
#else
typedef float T;
__device__ __forceinline__ float ToFloat(T x) { return x; }
__device__ __forceinline__ T FromFloat(float x) { return x; }
#endif

// As the value would be after it was stored.
__device__ __forceinline__ float Round(float x) { return ToFloat(FromFloat(x)); }

// Eight neighbours as they lie in memory, for loads that are under way while others are computed with.
struct Pack8 {
  T v[8] __attribute__((aligned(16)));
};

// Eight neighbours at an address that is a multiple of their size.
__device__ __forceinline__ void Load8(const float* p, float* out) {
  const float4 a = *(const float4*)p;
  const float4 b = *(const float4*)(p + 4);
  out[0] = a.x, out[1] = a.y, out[2] = a.z, out[3] = a.w;
  out[4] = b.x, out[5] = b.y, out[6] = b.z, out[7] = b.w;
}
__device__ __forceinline__ void Store8(float* p, const float* in) {
  *(float4*)p = make_float4(in[0], in[1], in[2], in[3]);
  *(float4*)(p + 4) = make_float4(in[4], in[5], in[6], in[7]);
}
__device__ __forceinline__ void Unpack2(uint32 bits, float* out) {
  out[0] = __uint_as_float(bits << 16);
  out[1] = __uint_as_float(bits & 0xffff0000u);
}
__device__ __forceinline__ uint32 Pack2(float a, float b) {
  uint32 bits;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(b), "f"(a));
  return bits;
}
__device__ __forceinline__ void Load8(const unsigned short* p, float* out) {
  const uint4 v = *(const uint4*)p;
  Unpack2(v.x, out), Unpack2(v.y, out + 2), Unpack2(v.z, out + 4), Unpack2(v.w, out + 6);
}
__device__ __forceinline__ void Store8(unsigned short* p, const float* in) {
  *(uint4*)p = make_uint4(Pack2(in[0], in[1]), Pack2(in[2], in[3]), Pack2(in[4], in[5]),
                          Pack2(in[6], in[7]));
}

// A copy of memory in registers.
__device__ __forceinline__ Pack8 Fetch8(const T* p) {
  Pack8 pack;
#pragma unroll
  for (int i = 0; i < (int)sizeof(Pack8) / 16; ++i) ((uint4*)pack.v)[i] = ((const uint4*)p)[i];
  return pack;
}

__device__ __forceinline__ float WarpSum(float x) {
#pragma unroll
  for (int i = 16; i > 0; i >>= 1) x += __shfl_xor_sync(0xffffffffu, x, i);
  return x;
}
__device__ __forceinline__ float WarpMax(float x) {
#pragma unroll
  for (int i = 16; i > 0; i >>= 1) x = fmaxf(x, __shfl_xor_sync(0xffffffffu, x, i));
  return x;
}
// Over the block, the same value in every thread; `scratch` holds 32 floats and may be used again after the call.
__device__ __forceinline__ float BlockSum(float x, float* scratch) {
  x = WarpSum(x);
  const int warps = (blockDim.x + 31) / 32;
  if (warps == 1) return x;
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < warps; ++i) sum += scratch[i];
  __syncthreads();
  return sum;
}
__device__ __forceinline__ float BlockMax(float x, float* scratch) {
  x = WarpMax(x);
  const int warps = (blockDim.x + 31) / 32;
  if (warps == 1) return x;
  if (threadIdx.x % 32 == 0) scratch[threadIdx.x / 32] = x;
  __syncthreads();
  float best = scratch[0];
  for (int i = 1; i < warps; ++i) best = fmaxf(best, scratch[i]);
  __syncthreads();
  return best;
}

// A kernel that is launched while the one before it still runs (Kernel::Overlapping) may touch what that one reads or writes only
// after this; what kernels before that one wrote stands, since each lets the next begin only once it has waited itself.
__device__ __forceinline__ void WaitForLast() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// out = silu(gate) * up for gate_up [rows, 2, inner].
extern "C" __global__ void GateUp(const T* gate_up, int64 rows, int inner, T* out) {
  WaitForLast();
  const int packs = inner / 8;
  const int64 i = (int64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= rows * packs) return;
  const int64 row = i / packs;
  const int column = (int)(i % packs) * 8;
  float gate[8], up[8];
  Load8(gate_up + row * 2 * inner + column, gate);
  Load8(gate_up + row * 2 * inner + inner + column, up);
  for (int k = 0; k < 8; ++k) gate[k] = Round(gate[k] / (1 + __expf(-gate[k]))) * up[k];
  Store8(out + row * inner + column, gate);
}
