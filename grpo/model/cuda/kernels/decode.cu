// One decoding step for rows that live in slots of a cache. slots[i] is row i's slot, or -1 for a row that is only there because the
// graph is wider than the batch. Macros: HIDDEN, HEAD_DIM, HEADS, KV_HEADS, QK_NORM, EPS.
#define GROUP (HEADS / KV_HEADS)        // query heads of one key head
#define LANES (HEAD_DIM / 8)            // lanes that share a key: a power of two, at most 32
#define WIDTH ((HEADS + 2 * KV_HEADS) * HEAD_DIM)
#define PACKS (HIDDEN / 8)
#define NORM_THREADS 128
#define NORM_PACKS ((PACKS + NORM_THREADS - 1) / NORM_THREADS)

// x += y where there is a y; h = norm(x) * weight. A block a row.
__device__ __forceinline__ void NormRow(float (*values)[8], const float* weight, T* h) {
  __shared__ float scratch[32];
  float squares = 0;
#pragma unroll
  for (int k = 0; k < NORM_PACKS; ++k) {
    const int pack = threadIdx.x + k * NORM_THREADS;
    if (pack < PACKS)
      for (int i = 0; i < 8; ++i) squares += values[k][i] * values[k][i];
  }
  const float scale = rsqrtf(BlockSum(squares, scratch) / HIDDEN + (float)EPS);
#pragma unroll
  for (int k = 0; k < NORM_PACKS; ++k) {
    const int pack = threadIdx.x + k * NORM_THREADS;
    if (pack >= PACKS) continue;
    float w[8];
    Load8(weight + pack * 8, w);
    for (int i = 0; i < 8; ++i) w[i] *= values[k][i] * scale;
    Store8(h + pack * 8, w);
  }
}

extern "C" __global__ void __launch_bounds__(NORM_THREADS)
EmbedNorm(const int* slots, const int* tokens, const T* embed, const float* weight, float* x, T* h) {
  WaitForLast();
  const int row = blockIdx.x;
  const int slot = slots[row];
  const T* from = embed + (int64)(slot < 0 ? 0 : tokens[slot]) * HIDDEN;
  float values[NORM_PACKS][8];
#pragma unroll
  for (int k = 0; k < NORM_PACKS; ++k) {
    const int pack = threadIdx.x + k * NORM_THREADS;
    if (pack >= PACKS) continue;
    Load8(from + pack * 8, values[k]);
    Store8(x + (int64)row * HIDDEN + pack * 8, values[k]);
  }
  NormRow(values, weight, h + (int64)row * HIDDEN);
}

extern "C" __global__ void __launch_bounds__(NORM_THREADS)
AddNorm(float* x, const T* y, const float* weight, T* h) {
  WaitForLast();
  const int64 start = (int64)blockIdx.x * HIDDEN;
  float values[NORM_PACKS][8];
#pragma unroll
  for (int k = 0; k < NORM_PACKS; ++k) {
    const int pack = threadIdx.x + k * NORM_THREADS;
    if (pack >= PACKS) continue;
    Load8(x + start + pack * 8, values[k]);
    if (y == nullptr) continue;
    float add[8];
    Load8(y + start + pack * 8, add);
    for (int i = 0; i < 8; ++i) values[k][i] += add[i];
    Store8(x + start + pack * 8, values[k]);
  }
  NormRow(values, weight, h + start);
}

// The query heads of this block's key head, the key itself and its value, with their biases. A warp a head, here and in RotateHeads.
__device__ __forceinline__ void FetchHeads(const T* qkv, const T* bias, float (*heads)[HEAD_DIM]) {
  for (int head = threadIdx.x / 32; head < GROUP + 2; head += blockDim.x / 32) {
    const int which = head < GROUP ? blockIdx.y * GROUP + head
                                   : HEADS + (head - GROUP) * KV_HEADS + blockIdx.y;
    for (int i = threadIdx.x % 32; i < HEAD_DIM; i += 32) {
      const float value = ToFloat(qkv[which * HEAD_DIM + i]);
      heads[head][i] =
          bias == nullptr ? value : Round(value + ToFloat(bias[which * HEAD_DIM + i]));
    }
  }
  __syncwarp();
}

// Queries and key normalised and rotated as training does.
__device__ __forceinline__ void RotateHeads(const float* q_norm, const float* k_norm,
                                            const float* cosine, const float* sine,
                                            float (*heads)[HEAD_DIM]) {
  const int lane = threadIdx.x % 32;
  for (int head = threadIdx.x / 32; head <= GROUP; head += blockDim.x / 32) {
    float scale = 1;
    const float* weight = head < GROUP ? q_norm : k_norm;
    if (QK_NORM) {
      float squares = 0;
      for (int i = lane; i < HEAD_DIM; i += 32) squares += heads[head][i] * heads[head][i];
      scale = rsqrtf(WarpSum(squares) / HEAD_DIM + (float)EPS);
    }
    __syncwarp();
    for (int i = lane; i < HEAD_DIM / 2; i += 32) {
      float a = heads[head][i], b = heads[head][i + HEAD_DIM / 2];
      if (QK_NORM) {
        a = Round(a * scale * weight[i]);
        b = Round(b * scale * weight[i + HEAD_DIM / 2]);
      }
      heads[head][i] = Round(a * cosine[i] - b * sine[i]);
      heads[head][i + HEAD_DIM / 2] = Round(b * cosine[i] + a * sine[i]);
    }
  }
}

// A softmax over keys as far as it has come, for GROUP queries and this lane's eight dimensions.
struct Running {
  float max[GROUP], sum[GROUP], value[GROUP][8];
};

__device__ __forceinline__ void Join(Running* a, int g, float max, float sum, const float* value) {
  const float top = fmaxf(a->max[g], max);
  const float keep = exp2f(a->max[g] - top), add = exp2f(max - top);
  a->max[g] = top;
  a->sum[g] = a->sum[g] * keep + sum * add;
  for (int i = 0; i < 8; ++i) a->value[g][i] = a->value[g][i] * keep + value[i] * add;
}

#define NOTHING -1e30f
#define ATTEND_THREADS 128
#define AT_ONCE 2  // keys and values that a group of lanes has in flight
#define ATTEND_BLOCKS (GROUP > 4 ? 2 : BF16 ? 6 : 3)  // on a multiprocessor: rows times key heads should fit at one time

// Keys and values, KV_HEADS * HEAD_DIM apart: `shared` of the prompt, then those of the row, `count` in all. Lanes in groups of LANES
// take a key each.
__device__ __forceinline__ void AttendRange(const T* prompt_keys, const T* prompt_values,
                                            int shared, const T* own_keys, const T* own_values,
                                            int count, const float (*query)[8], Running* state) {
  const int groups = ATTEND_THREADS / LANES;
  const int mine = threadIdx.x / LANES;
  for (int base = 0; base < count; base += groups * AT_ONCE) {
    Pack8 key[AT_ONCE], value[AT_ONCE];
#pragma unroll
    for (int u = 0; u < AT_ONCE; ++u) {
      // Beyond the end the last one is read again and counts nothing.
      const int t = min(base + u * groups + mine, count - 1);
      const int64 at = (int64)(t < shared ? t : t - shared) * KV_HEADS * HEAD_DIM;
      key[u] = Fetch8((t < shared ? prompt_keys : own_keys) + at);
      value[u] = Fetch8((t < shared ? prompt_values : own_values) + at);
    }
    float score[AT_ONCE][GROUP];
#pragma unroll
    for (int u = 0; u < AT_ONCE; ++u) {
      float k8[8];
      Load8(key[u].v, k8);
#pragma unroll
      for (int g = 0; g < GROUP; ++g) {
        float dot = 0;
        for (int i = 0; i < 8; ++i) dot += query[g][i] * k8[i];
#pragma unroll
        for (int k = 1; k < LANES; k <<= 1) dot += __shfl_xor_sync(0xffffffffu, dot, k);
        score[u][g] = base + u * groups + mine < count ? dot : NOTHING;
      }
    }
#pragma unroll
    for (int g = 0; g < GROUP; ++g) {
      float top = state->max[g];
      for (int u = 0; u < AT_ONCE; ++u) top = fmaxf(top, score[u][g]);
      const float keep = exp2f(state->max[g] - top);
      state->max[g] = top;
      state->sum[g] *= keep;
      for (int i = 0; i < 8; ++i) state->value[g][i] *= keep;
      for (int u = 0; u < AT_ONCE; ++u) {
        score[u][g] = score[u][g] == NOTHING ? 0.0f : exp2f(score[u][g] - top);
        state->sum[g] += score[u][g];
      }
    }
#pragma unroll
    for (int u = 0; u < AT_ONCE; ++u) {
      float v8[8];
      Load8(value[u].v, v8);
#pragma unroll
      for (int g = 0; g < GROUP; ++g)
        for (int i = 0; i < 8; ++i) state->value[g][i] += score[u][g] * v8[i];
    }
  }
}

// Attention of one row and key head over its prompt and its own tokens, of which the newest is written to the cache first.
// prompt_keys: this layer's, [.., KV_HEADS, HEAD_DIM] by token; own_keys: [slots, own_capacity, KV_HEADS, HEAD_DIM].
extern "C" __global__ void __launch_bounds__(ATTEND_THREADS, ATTEND_BLOCKS)
Attend(const int* slots, const int* counts, const int* done, const int* prompt_first,
       const int* prompt_length, const T* qkv, const T* bias, const float* q_norm,
       const float* k_norm, const float* cosines, const float* sines, const T* prompt_keys,
       const T* prompt_values, T* own_keys, T* own_values, int own_capacity, float scale, T* out) {
  __shared__ __align__(16) float heads[GROUP + 2][HEAD_DIM];
  __shared__ float part[ATTEND_THREADS / 32][GROUP][HEAD_DIM + 2];
  WaitForLast();
  const int row = blockIdx.x;
  FetchHeads(qkv + (int64)row * WIDTH, bias, heads);
  const int slot = slots[row];
  if (slot < 0 || done[slot]) return;
  const int own = counts[slot] - 1;  // where the newest token goes
  const int length = prompt_length[slot];
  const int64 table = (int64)(length + own) * (HEAD_DIM / 2);
  RotateHeads(q_norm, k_norm, cosines + table, sines + table, heads);
  __syncthreads();
  const int64 head = blockIdx.y * HEAD_DIM;
  const int64 first = (int64)slot * own_capacity * KV_HEADS * HEAD_DIM + head;
  const int64 newest = first + (int64)own * KV_HEADS * HEAD_DIM;
  for (int i = threadIdx.x; i < HEAD_DIM; i += ATTEND_THREADS) {
    own_keys[newest + i] = FromFloat(heads[GROUP][i]);
    own_values[newest + i] = FromFloat(heads[GROUP + 1][i]);
  }

  const int offset = threadIdx.x % LANES * 8;
  float query[GROUP][8];
  Running state;
#pragma unroll
  for (int g = 0; g < GROUP; ++g) {
    state.max[g] = NOTHING, state.sum[g] = 0;
    for (int i = 0; i < 8; ++i) {
      query[g][i] = heads[g][offset + i] * scale;  // scale holds log2(e)
      state.value[g][i] = 0;
    }
  }
  const int64 prompt = (int64)prompt_first[slot] * KV_HEADS * HEAD_DIM + head + offset;
  AttendRange(prompt_keys + prompt, prompt_values + prompt, length, own_keys + first + offset,
              own_values + first + offset, length + own, query, &state);
  // The newest key is still at hand; the first group of lanes counts it.
#pragma unroll
  for (int g = 0; g < GROUP; ++g) {
    float dot = 0;
    for (int i = 0; i < 8; ++i) dot += query[g][i] * heads[GROUP][offset + i];
#pragma unroll
    for (int k = 1; k < LANES; k <<= 1) dot += __shfl_xor_sync(0xffffffffu, dot, k);
    if (threadIdx.x < LANES) Join(&state, g, dot, 1, heads[GROUP + 1] + offset);
  }

#pragma unroll
  for (int k = LANES; k < 32; k <<= 1) {
#pragma unroll
    for (int g = 0; g < GROUP; ++g) {
      const float max = __shfl_xor_sync(0xffffffffu, state.max[g], k);
      const float sum = __shfl_xor_sync(0xffffffffu, state.sum[g], k);
      float value[8];
      for (int i = 0; i < 8; ++i)
        value[i] = __shfl_xor_sync(0xffffffffu, state.value[g][i], k);
      Join(&state, g, max, sum, value);
    }
  }
  const int warp = threadIdx.x / 32;
  if (threadIdx.x % 32 < LANES) {
#pragma unroll
    for (int g = 0; g < GROUP; ++g) {
      for (int i = 0; i < 8; ++i) part[warp][g][offset + i] = state.value[g][i];
      if (threadIdx.x % 32 == 0)
        part[warp][g][HEAD_DIM] = state.max[g], part[warp][g][HEAD_DIM + 1] = state.sum[g];
    }
  }
  __syncthreads();
  for (int i = threadIdx.x; i < GROUP * HEAD_DIM; i += ATTEND_THREADS) {
    const int g = i / HEAD_DIM, d = i % HEAD_DIM;
    float top = NOTHING;
    for (int w = 0; w < ATTEND_THREADS / 32; ++w) top = fmaxf(top, part[w][g][HEAD_DIM]);
    float sum = 0, value = 0;
    for (int w = 0; w < ATTEND_THREADS / 32; ++w) {
      const float share = exp2f(part[w][g][HEAD_DIM] - top);
      sum += share * part[w][g][HEAD_DIM + 1];
      value += share * part[w][g][d];
    }
    out[((int64)row * HEADS + blockIdx.y * GROUP + g) * HEAD_DIM + d] = FromFloat(value / sum);
  }
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
