#include "grpo/model/cpu_kernels.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

// One build runs on every x86-64; the loader picks the widest version that the machine has.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define ASSAY_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define ASSAY_CLONES
#endif

namespace assay::cpu {
namespace {

inline __attribute__((always_inline)) float Load(float value) { return value; }
inline __attribute__((always_inline)) float Load(bf16_t bits) {
  return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}
inline __attribute__((always_inline)) void Store(float value, float* out) { *out = value; }
inline __attribute__((always_inline)) void Store(float value, bf16_t* out) {
  const uint32_t bits = std::bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16;
  const bool nan = (bits & 0x7FFFFFFFu) > 0x7F800000u;
  *out = static_cast<bf16_t>(nan ? 0x7FC0u : rounded);
}

// exp by range reduction and a degree-7 polynomial, below 2 ulp over the clamped range: branch-free, so that loops
// around it vectorise without a math library.
inline __attribute__((always_inline)) float Exp(float x) {
  x = x < -87.0f ? -87.0f : (x > 88.0f ? 88.0f : x);
  const float shifted =
      x * 1.44269504088896341f + 12582912.0f;  // rounds to an integer in the low bits
  const float n = shifted - 12582912.0f;
  float r = x - n * 0.693359375f;
  r = r - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int32_t exponent = std::bit_cast<int32_t>(shifted) - std::bit_cast<int32_t>(12582912.0f);
  return p * std::bit_cast<float>((exponent + 127) << 23);
}

template <typename Out>
inline __attribute__((always_inline)) void RmsNormRows(const float* __restrict x,
                                                       const float* __restrict weight, double eps,
                                                       int64_t rows, int64_t width,
                                                       Out* __restrict out,
                                                       float* __restrict rstd) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* xr = x + row * width;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < width; ++i) sum += xr[i] * xr[i];
    const float scale = 1.0f / std::sqrt(sum / static_cast<float>(width) + static_cast<float>(eps));
    rstd[row] = scale;
    Out* yr = out + row * width;
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) Store(xr[i] * scale * weight[i], yr + i);
  }
}

template <typename Out>
inline __attribute__((always_inline)) void RmsNormBackwardRows(
    const Out* __restrict dy, const float* __restrict x, const float* __restrict weight,
    const float* __restrict rstd, int64_t rows, int64_t width, float* __restrict dx,
    float* __restrict dweight) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* xr = x + row * width;
    const Out* gr = dy + row * width;
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < width; ++i) dot += Load(gr[i]) * weight[i] * xr[i];
    const float scale = rstd[row];
    const float mean = dot / static_cast<float>(width) * scale * scale;
    float* out = dx + row * width;
#pragma omp simd
    for (int64_t i = 0; i < width; ++i) {
      const float g = Load(gr[i]);
      out[i] = scale * (g * weight[i] - xr[i] * mean);
      dweight[i] += g * xr[i] * scale;
    }
  }
}

template <typename T>
inline __attribute__((always_inline)) void SwigluRange(const T* __restrict gate,
                                                       const T* __restrict up, int64_t count,
                                                       T* __restrict out) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float g = Load(gate[i]);
    Store(g / (1.0f + Exp(-g)) * Load(up[i]), out + i);
  }
}

template <typename T>
inline __attribute__((always_inline)) void SwigluBackwardRange(
    const T* __restrict dout, const T* __restrict gate, const T* __restrict up, int64_t count,
    T* __restrict dgate, T* __restrict dup, T* __restrict out) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float g = Load(gate[i]);
    const float u = Load(up[i]);
    const float d = Load(dout[i]);
    const float sigmoid = 1.0f / (1.0f + Exp(-g));
    const float silu = g * sigmoid;
    Store(d * u * (sigmoid + silu * (1.0f - sigmoid)), dgate + i);
    Store(d * silu, dup + i);
    Store(silu * u, out + i);
  }
}

template <typename T>
inline __attribute__((always_inline)) RowStats LogitStatsRow(const T* x, int64_t count,
                                                             float scale) {
  float top = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : top)
  for (int64_t i = 0; i < count; ++i) {
    const float z = Load(x[i]) * scale;
    top = z > top ? z : top;
  }
  float sum = 0;
  float weighted = 0;
#pragma omp simd reduction(+ : sum, weighted)
  for (int64_t i = 0; i < count; ++i) {
    const float z = Load(x[i]) * scale;
    const float p = z - top > -87.0f ? Exp(z - top) : 0.0f;
    sum += p;
    weighted += p > 0 ? p * z : 0.0f;
  }
  return {top, sum, weighted};
}

template <typename T>
inline __attribute__((always_inline)) void LogitGradRow(T* x, int64_t count, float scale, float lse,
                                                        float a, float b, float entropy) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) {
    const float log_p = Load(x[i]) * scale - lse;
    const float p = log_p > -87.0f ? Exp(log_p) : 0.0f;
    const float factor = b == 0.0f ? a : a + b * (log_p + entropy);
    Store(p > 0 ? -scale * p * factor : 0.0f, x + i);
  }
}

template <typename T>
inline __attribute__((always_inline)) void RopeRows(const T* __restrict x, int64_t row_stride,
                                                    const float* __restrict cosine,
                                                    const float* __restrict sine, int64_t rows,
                                                    int64_t heads, int64_t half, float direction,
                                                    T* __restrict out) {
  for (int64_t row = 0; row < rows; ++row) {
    const float* c = cosine + row * half;
    const float* s = sine + row * half;
    for (int64_t head = 0; head < heads; ++head) {
      const T* in = x + row * row_stride + head * 2 * half;
      T* to = out + (row * heads + head) * 2 * half;
#pragma omp simd
      for (int64_t i = 0; i < half; ++i) {
        const float a = Load(in[i]);
        const float b = Load(in[i + half]);
        const float turn = s[i] * direction;
        Store(a * c[i] - b * turn, to + i);
        Store(b * c[i] + a * turn, to + i + half);
      }
    }
  }
}

}  // namespace

// target_clones does not work on templates: one plain function for each type, and the template forwards.
#define ASSAY_KERNELS(T, Suffix)                                                                   \
  ASSAY_CLONES void RmsNorm##Suffix(const float* x, const float* w, double eps, int64_t rows,      \
                                    int64_t width, T* out, float* rstd) {                          \
    RmsNormRows<T>(x, w, eps, rows, width, out, rstd);                                             \
  }                                                                                                \
  ASSAY_CLONES void RmsNormBackward##Suffix(const T* dy, const float* x, const float* w,           \
                                            const float* rstd, int64_t rows, int64_t width,        \
                                            float* dx, float* dw) {                                \
    RmsNormBackwardRows<T>(dy, x, w, rstd, rows, width, dx, dw);                                   \
  }                                                                                                \
  ASSAY_CLONES void Swiglu##Suffix(const T* gate, const T* up, int64_t count, T* out) {            \
    SwigluRange<T>(gate, up, count, out);                                                          \
  }                                                                                                \
  ASSAY_CLONES void SwigluBackward##Suffix(const T* dout, const T* gate, const T* up,              \
                                           int64_t count, T* dgate, T* dup, T* out) {              \
    SwigluBackwardRange<T>(dout, gate, up, count, dgate, dup, out);                                \
  }                                                                                                \
  ASSAY_CLONES void Rope##Suffix(const T* x, int64_t row_stride, const float* cosine,              \
                                 const float* sine, int64_t rows, int64_t heads, int64_t half,     \
                                 float direction, T* out) {                                        \
    RopeRows<T>(x, row_stride, cosine, sine, rows, heads, half, direction, out);                   \
  }                                                                                                \
  ASSAY_CLONES RowStats LogitStats##Suffix(const T* x, int64_t count, float scale) {               \
    return LogitStatsRow<T>(x, count, scale);                                                      \
  }                                                                                                \
  ASSAY_CLONES void LogitGrad##Suffix(T* x, int64_t count, float scale, float lse, float a,        \
                                      float b, float entropy) {                                    \
    LogitGradRow<T>(x, count, scale, lse, a, b, entropy);                                          \
  }                                                                                                \
  template <>                                                                                      \
  RowStats LogitStats<T>(const T* x, int64_t count, float scale) {                                 \
    return LogitStats##Suffix(x, count, scale);                                                    \
  }                                                                                                \
  template <>                                                                                      \
  void LogitGrad<T>(T * x, int64_t count, float scale, float lse, float a, float b,                \
                    float entropy) {                                                               \
    LogitGrad##Suffix(x, count, scale, lse, a, b, entropy);                                        \
  }                                                                                                \
  template <>                                                                                      \
  void RmsNorm<T>(const float* x, const float* w, double eps, int64_t rows, int64_t width, T* out, \
                  float* rstd) {                                                                   \
    RmsNorm##Suffix(x, w, eps, rows, width, out, rstd);                                            \
  }                                                                                                \
  template <>                                                                                      \
  void RmsNormBackward<T>(const T* dy, const float* x, const float* w, const float* rstd,          \
                          int64_t rows, int64_t width, float* dx, float* dw) {                     \
    RmsNormBackward##Suffix(dy, x, w, rstd, rows, width, dx, dw);                                  \
  }                                                                                                \
  template <>                                                                                      \
  void Swiglu<T>(const T* gate, const T* up, int64_t count, T* out) {                              \
    Swiglu##Suffix(gate, up, count, out);                                                          \
  }                                                                                                \
  template <>                                                                                      \
  void SwigluBackward<T>(const T* dout, const T* gate, const T* up, int64_t count, T* dgate,       \
                         T* dup, T* out) {                                                         \
    SwigluBackward##Suffix(dout, gate, up, count, dgate, dup, out);                                \
  }                                                                                                \
  template <>                                                                                      \
  void Rope<T>(const T* x, int64_t row_stride, const float* cosine, const float* sine,             \
               int64_t rows, int64_t heads, int64_t half, float direction, T* out) {               \
    Rope##Suffix(x, row_stride, cosine, sine, rows, heads, half, direction, out);                  \
  }

ASSAY_KERNELS(float, F32)
ASSAY_KERNELS(bf16_t, Bf16)

ASSAY_CLONES float Max(const float* x, int64_t count) {
  float best = -std::numeric_limits<float>::infinity();
#pragma omp simd reduction(max : best)
  for (int64_t i = 0; i < count; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

ASSAY_CLONES double Sum(const float* x, int64_t count) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) sum += static_cast<double>(x[i]);
  return sum;
}

ASSAY_CLONES void AddTo(const bf16_t* from, int64_t count, float* to) {
#pragma omp simd
  for (int64_t i = 0; i < count; ++i) to[i] += Load(from[i]);
}

ASSAY_CLONES double ExpSum(const float* x, int64_t count, float shift, float scale, float* out) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < count; ++i) {
    const float z = (x[i] - shift) * scale;
    const float value = z > -87.0f ? Exp(z) : 0.0f;
    out[i] = value;
    sum += static_cast<double>(value);
  }
  return sum;
}

}  // namespace assay::cpu
