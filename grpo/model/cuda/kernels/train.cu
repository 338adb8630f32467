// What stands between the matrix products of a layer, and the head's log-softmax a slice of the vocabulary at a time, there and
// back. Macros: HIDDEN, HEAD_DIM, HEADS, KV_HEADS, EPS, NORM_THREADS.
#define WIDTH ((HEADS + 2 * KV_HEADS) * HEAD_DIM)
#define HALF (HEAD_DIM / 2)
#define PACKS (HIDDEN / 8)
#define NORM_PACKS ((PACKS + NORM_THREADS - 1) / NORM_THREADS)

// sum = x + y (or x alone); h = norm(sum) * weight. A block a row.
extern "C" __global__ void __launch_bounds__(NORM_THREADS)
AddNorm(const float* x, const T* y, const float* weight, float* sum, T* h, float* rstd) {
  __shared__ float scratch[32];
  const int64 start = (int64)blockIdx.x * HIDDEN;
  float values[NORM_PACKS][8];
  float squares = 0;
#pragma unroll
  for (int k = 0; k < NORM_PACKS; ++k) {
    const int pack = threadIdx.x + k * NORM_THREADS;
    if (pack >= PACKS) continue;
    Load8(x + start + pack * 8, values[k]);
    if (y != nullptr) {
      float add[8];
      Load8(y + start + pack * 8, add);
      for (int i = 0; i < 8; ++i) values[k][i] += add[i];
      Store8(sum + start + pack * 8, values[k]);
    }
    for (int i = 0; i < 8; ++i) squares += values[k][i] * values[k][i];
  }
  const float scale = rsqrtf(BlockSum(squares, scratch) / HIDDEN + (float)EPS);
  if (threadIdx.x == 0) rstd[blockIdx.x] = scale;
#pragma unroll
  for (int k = 0; k < NORM_PACKS; ++k) {
    const int pack = threadIdx.x + k * NORM_THREADS;
    if (pack >= PACKS) continue;
    float w[8];
    Load8(weight + pack * 8, w);
    for (int i = 0; i < 8; ++i) w[i] *= values[k][i] * scale;
    Store8(h + start + pack * 8, w);
  }
}

// dx = residual + rstd * (dh*w - n * mean(dh*w*n)), n = x * rstd; dy is dx in T. partial[block] sums dh * n over the block's rows.
// Without x, n is what the norm gave divided by its weight (of which none may be 0).
extern "C" __global__ void __launch_bounds__(NORM_THREADS)
NormBackward(const T* dh, const float* x, const T* h, const float* rstd, const float* weight,
             const float* residual, int64 rows, float* dx, T* dy, float* partial) {
  __shared__ float scratch[32];
  float w[NORM_PACKS][8], dw[NORM_PACKS][8], to_n[NORM_PACKS][8];
#pragma unroll
  for (int k = 0; k < NORM_PACKS; ++k) {
    const int pack = threadIdx.x + k * NORM_THREADS;
    for (int i = 0; i < 8; ++i) dw[k][i] = 0;
    if (pack >= PACKS) continue;
    Load8(weight + pack * 8, w[k]);
    for (int i = 0; i < 8; ++i) to_n[k][i] = 1 / w[k][i];
  }
  for (int64 row = blockIdx.x; row < rows; row += gridDim.x) {
    const int64 start = row * HIDDEN;
    const float scale = rstd[row];
    float n[NORM_PACKS][8], g[NORM_PACKS][8];
    float dot = 0;
#pragma unroll
    for (int k = 0; k < NORM_PACKS; ++k) {
      const int pack = threadIdx.x + k * NORM_THREADS;
      if (pack >= PACKS) continue;
      if (x != nullptr) {
        Load8(x + start + pack * 8, n[k]);
      } else {
        Load8(h + start + pack * 8, n[k]);
      }
      Load8(dh + start + pack * 8, g[k]);
      for (int i = 0; i < 8; ++i) {
        n[k][i] *= x != nullptr ? scale : to_n[k][i];
        dw[k][i] += g[k][i] * n[k][i];
        g[k][i] *= w[k][i];
        dot += g[k][i] * n[k][i];
      }
    }
    const float mean = BlockSum(dot, scratch) / HIDDEN;
#pragma unroll
    for (int k = 0; k < NORM_PACKS; ++k) {
      const int pack = threadIdx.x + k * NORM_THREADS;
      if (pack >= PACKS) continue;
      float out[8];
      if (residual != nullptr) Load8(residual + start + pack * 8, out);
      for (int i = 0; i < 8; ++i)
        out[i] = (residual != nullptr ? out[i] : 0.0f) + scale * (g[k][i] - n[k][i] * mean);
      Store8(dx + start + pack * 8, out);
      if (dy != nullptr) Store8(dy + start + pack * 8, out);
    }
  }
#pragma unroll
  for (int k = 0; k < NORM_PACKS; ++k) {
    const int pack = threadIdx.x + k * NORM_THREADS;
    if (pack < PACKS) Store8(partial + (int64)blockIdx.x * HIDDEN + pack * 8, dw[k]);
  }
}

__device__ __forceinline__ void AddBias(const T* bias, int at, float* x) {
  if (bias == nullptr) return;
  float b[8];
  Load8(bias + at, b);
  for (int i = 0; i < 8; ++i) x[i] = Round(x[i] + b[i]);
}

// The heads of packed rows apart, queries and keys rotated: blockIdx.y 0 writes q [rows], 1 k and 2 v [places]; place p of k and v
// is row source[p] (or p).
extern "C" __global__ void SplitQkv(const T* qkv, const T* bias, const float* cosine,
                                    const float* sine, const int* source, int64 rows, int64 places,
                                    T* q, T* k, T* v) {
  const int part = blockIdx.y;
  const int heads = part == 0 ? HEADS : KV_HEADS;
  const int pairs = HALF / 8;
  const int64 unit = (int64)blockIdx.x * blockDim.x + threadIdx.x;
  const int64 place = unit / (heads * pairs);
  if (place >= (part == 0 ? rows : places)) return;
  const int head = (int)(unit / pairs % heads), d = (int)(unit % pairs) * 8;
  const int64 row = part == 0 || source == nullptr ? place : source[place];
  const int column = ((part == 0 ? 0 : part == 1 ? HEADS : HEADS + KV_HEADS) + head) * HEAD_DIM + d;
  float a[8], b[8];
  Load8(qkv + row * WIDTH + column, a);
  Load8(qkv + row * WIDTH + column + HALF, b);
  AddBias(bias, column, a);
  AddBias(bias, column + HALF, b);
  if (part < 2) {
    float c[8], s[8];
    Load8(cosine + row * HALF + d, c);
    Load8(sine + row * HALF + d, s);
    for (int i = 0; i < 8; ++i) {
      const float left = a[i] * c[i] - b[i] * s[i];
      b[i] = b[i] * c[i] + a[i] * s[i];
      a[i] = left;
    }
  }
  T* to = (part == 0 ? q : part == 1 ? k : v) + (place * heads + head) * HEAD_DIM + d;
  Store8(to, a);
  Store8(to + HALF, b);
}

// The way back: gradients of k and v are summed over the places of a row, places[first[row] .. first[row + 1]) (or the row alone).
extern "C" __global__ void MergeQkv(const T* dq, const T* dk, const T* dv, const float* cosine,
                                    const float* sine, const int* first, const int* places,
                                    int64 rows, T* dqkv) {
  const int pairs = HALF / 8;
  const int64 unit = (int64)blockIdx.x * blockDim.x + threadIdx.x;
  const int all = HEADS + 2 * KV_HEADS;
  const int64 row = unit / (all * pairs);
  if (row >= rows) return;
  const int which = (int)(unit / pairs % all), d = (int)(unit % pairs) * 8;
  float a[8], b[8];
  if (which < HEADS) {
    const T* from = dq + (row * HEADS + which) * HEAD_DIM + d;
    Load8(from, a);
    Load8(from + HALF, b);
  } else {
    const bool key = which < HEADS + KV_HEADS;
    const int head = which - (key ? HEADS : HEADS + KV_HEADS);
    for (int i = 0; i < 8; ++i) a[i] = b[i] = 0;
    const int begin = first == nullptr ? 0 : first[row];
    const int end = first == nullptr ? 1 : first[row + 1];
    for (int j = begin; j < end; ++j) {
      const int64 place = first == nullptr ? row : places[j];
      const T* from = (key ? dk : dv) + (place * KV_HEADS + head) * HEAD_DIM + d;
      float x[8], y[8];
      Load8(from, x);
      Load8(from + HALF, y);
      for (int i = 0; i < 8; ++i) a[i] += x[i], b[i] += y[i];
    }
  }
  if (which < HEADS + KV_HEADS) {
    float c[8], s[8];
    Load8(cosine + row * HALF + d, c);
    Load8(sine + row * HALF + d, s);
    for (int i = 0; i < 8; ++i) {
      const float left = a[i] * c[i] + b[i] * s[i];
      b[i] = b[i] * c[i] - a[i] * s[i];
      a[i] = left;
    }
  }
  T* to = dqkv + row * WIDTH + (int64)which * HEAD_DIM + d;
  Store8(to, a);
  Store8(to + HALF, b);
}

// Gradients of both from that of their product.
extern "C" __global__ void GateUpBackward(const T* dout, const T* gate_up, int64 rows, int inner,
                                          T* dgate_up) {
  const int packs = inner / 8;
  const int64 i = (int64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= rows * packs) return;
  const int64 row = i / packs;
  const int column = (int)(i % packs) * 8;
  const int64 at = row * 2 * inner + column;
  float gate[8], up[8], d[8], dgate[8], dup[8];
  Load8(gate_up + at, gate);
  Load8(gate_up + at + inner, up);
  Load8(dout + row * inner + column, d);
  for (int k = 0; k < 8; ++k) {
    const float sigmoid = 1 / (1 + __expf(-gate[k]));
    const float silu = gate[k] * sigmoid;
    dup[k] = d[k] * silu;
    dgate[k] = d[k] * up[k] * sigmoid * (1 + gate[k] * (1 - sigmoid));
  }
  Store8(dgate_up + at, dgate);
  Store8(dgate_up + at + inner, dup);
}

struct Stats {
  float max, sum, weighted;
};
__device__ __forceinline__ Stats JoinStats(Stats a, Stats b) {
  const float top = fmaxf(a.max, b.max);
  if (top == __int_as_float(0xff800000)) return a;
  const float keep = __expf(a.max - top), add = __expf(b.max - top);
  return {top, a.sum * keep + b.sum * add, a.weighted * keep + b.weighted * add};
}
__device__ __forceinline__ Stats Shuffle(Stats a, int i) {
  return {__shfl_xor_sync(0xffffffffu, a.max, i), __shfl_xor_sync(0xffffffffu, a.sum, i),
          __shfl_xor_sync(0xffffffffu, a.weighted, i)};
}

// Joins a slice [first, first + width) of each row's logits, tempered by `scale`, into what its softmax needs: the maximum, the sum
// of exp(z - max) and of exp(z - max) * z, and the target's z. A block of 256 threads a row.
extern "C" __global__ void JoinSlice(const T* logits, int64 width, int64 first,
                                     const int64* targets, float scale, float* max, float* sum,
                                     float* weighted, float* chosen) {
  __shared__ Stats parts[8];
  const int64 row = blockIdx.x;
  const T* z = logits + row * width;
  Stats mine = {__int_as_float(0xff800000), 0, 0};
  const int64 whole = width % 8 == 0 ? width : 0;
  for (int64 at = threadIdx.x * 8; at < whole; at += 256 * 8) {
    float x[8];
    Load8(z + at, x);
    Stats piece = {x[0] * scale, 0, 0};
    for (int i = 0; i < 8; ++i) x[i] *= scale, piece.max = fmaxf(piece.max, x[i]);
    for (int i = 0; i < 8; ++i) {
      const float e = __expf(x[i] - piece.max);
      piece.sum += e, piece.weighted += e * x[i];
    }
    mine = JoinStats(mine, piece);
  }
  for (int64 at = whole + threadIdx.x; at < width; at += 256) {
    const float x = ToFloat(z[at]) * scale;
    mine = JoinStats(mine, {x, 1, x});
  }
  for (int i = 16; i > 0; i >>= 1) mine = JoinStats(mine, Shuffle(mine, i));
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = mine;
  __syncthreads();
  if (threadIdx.x != 0) return;
  Stats all = {max[row], sum[row], weighted[row]};
  for (int i = 0; i < 8; ++i) all = JoinStats(all, parts[i]);
  max[row] = all.max, sum[row] = all.sum, weighted[row] = all.weighted;
  const int64 target = targets[row] - first;
  if (target >= 0 && target < width) chosen[row] = ToFloat(z[target]) * scale;
}

// In place: the logits of a slice become the gradient a * dlogp + b * dH with respect to them (grpo/model/logprobs.cc).
extern "C" __global__ void SliceGrad(T* logits, int64 width, int64 first, const int64* targets,
                                     float scale, const float* lse, const float* dlogp,
                                     const float* dentropy, const float* entropy) {
  const int64 row = blockIdx.x;
  T* z = logits + row * width;
  const float a = dlogp[row], total = lse[row];
  const float b = dentropy == nullptr ? 0.0f : dentropy[row];
  const float h = dentropy == nullptr ? 0.0f : entropy[row];
  const int64 target = targets[row] - first;
  const int64 whole = width % 8 == 0 ? width : 0;
  for (int64 at = threadIdx.x * 8; at < whole; at += 256 * 8) {
    float x[8];
    Load8(z + at, x);
    for (int i = 0; i < 8; ++i) {
      const float log_p = x[i] * scale - total;
      x[i] = -scale * __expf(log_p) * (a + b * (log_p + h));
      if (at + i == target) x[i] += a * scale;
    }
    Store8(z + at, x);
  }
  for (int64 at = whole + threadIdx.x; at < width; at += 256) {
    const float log_p = ToFloat(z[at]) * scale - total;
    float x = -scale * __expf(log_p) * (a + b * (fmaxf(log_p, -1e30f) + h));
    if (at == target) x += a * scale;
    z[at] = FromFloat(x);
  }
}
