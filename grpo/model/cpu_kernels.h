// Fused elementwise loops for the CPU in float32 and bfloat16: what sits between the matrix products of a decoder layer
// and would otherwise cost a dozen passes over memory. Plain pointers, no LibTorch, no threads of their own: callers hand
// each thread a range of rows. All arithmetic is float32; bfloat16 is rounded to nearest even on store. Pure.
#pragma once

#include <cstdint>

namespace assay::cpu {

using bf16_t = uint16_t;  // the bits of a bfloat16

// RMS norm of rows of `width`: rstd = 1 / sqrt(mean(x^2) + eps), out = x * rstd * weight.
template <typename Out>
void RmsNorm(const float* x, const float* weight, double eps, int64_t rows, int64_t width, Out* out,
             float* rstd);
// dx = rstd * (dy*w - x * rstd^2 * mean(dy*w*x)); dweight += sum over rows of dy * x * rstd.
template <typename Out>
void RmsNormBackward(const Out* dy, const float* x, const float* weight, const float* rstd,
                     int64_t rows, int64_t width, float* dx, float* dweight);

// out = silu(gate) * up.
template <typename T>
void Swiglu(const T* gate, const T* up, int64_t count, T* out);
// Gradients of gate and up from that of the product; also computes the product again.
template <typename T>
void SwigluBackward(const T* dout, const T* gate, const T* up, int64_t count, T* dgate, T* dup,
                    T* out);

// Rotary embedding in the rotate-half layout: x is [rows, heads, 2*half] with `row_stride` elements between rows (heads are
// dense), out is dense; cosines and sines are [rows, half]. `direction` -1 is the transpose (the backward pass).
template <typename T>
void Rope(const T* x, int64_t row_stride, const float* cosine, const float* sine, int64_t rows,
          int64_t heads, int64_t half, float direction, T* out);

// Rows of logits: the largest; the sum; out = exp((x - shift) * scale) and its sum. NaN counts as -infinity.
float Max(const float* x, int64_t count);
double Sum(const float* x, int64_t count);
double ExpSum(const float* x, int64_t count, float shift, float scale, float* out);

// A piece of a row of logits z = x * scale: its maximum, sum of exp(z - max) and sum of exp(z - max) * z. Pieces of one row
// are joined by the caller.
struct RowStats {
  float max;
  float sum;
  float weighted;
};
template <typename T>
RowStats LogitStats(const T* x, int64_t count, float scale);
// In place: the gradient with respect to x of a*log p_target + b*H for the piece, without the target's own a*scale, given
// p = exp(z - lse): -scale * p * (a + b * (z - lse + entropy)).
template <typename T>
void LogitGrad(T* x, int64_t count, float scale, float lse, float a, float b, float entropy);

// to += from.
void AddTo(const bf16_t* from, int64_t count, float* to);

}  // namespace assay::cpu
