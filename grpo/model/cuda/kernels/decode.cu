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
  float squares = 0, w[NORM_PACKS][8];  // the weights are under way while the squares are added up
#pragma unroll
  for (int k = 0; k < NORM_PACKS; ++k) {
    const int pack = threadIdx.x + k * NORM_THREADS;
    if (pack >= PACKS) continue;
    Load8(weight + pack * 8, w[k]);
    for (int i = 0; i < 8; ++i) squares += values[k][i] * values[k][i];
  }
  const float scale = rsqrtf(BlockSum(squares, scratch) / HIDDEN + (float)EPS);
#pragma unroll
  for (int k = 0; k < NORM_PACKS; ++k) {
    const int pack = threadIdx.x + k * NORM_THREADS;
    if (pack >= PACKS) continue;
    for (int i = 0; i < 8; ++i) w[k][i] *= values[k][i] * scale;
    Store8(h + pack * 8, w[k]);
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

#define NOTHING -1e30f
// Tensor cores take the queries of a key head as the rows of a matrix, and 16 keys at a time.
#define TENSOR_CORES (BF16 && HEAD_DIM % 32 == 0)
#define AT_ONCE 2  // without them: keys that a group of lanes takes a round
#define ATTEND_THREADS (BF16 && HEAD_DIM % 32 == 0 && HEAD_DIM <= 64 ? 64 : 128)
#define WARPS (ATTEND_THREADS / 32)
#define STAGES (8 / WARPS)  // rounds whose keys are on their way at one time
#define KEYS (TENSOR_CORES ? WARPS * 16 : ATTEND_THREADS / LANES * AT_ONCE)  // of a round
// On a multiprocessor: rows times key heads should fit at one time.
#define ATTEND_BLOCKS (HEAD_DIM > 64 || GROUP > 4 ? 2 : BF16 ? 6 : 3)

// The turn of a key that enters at one place: pairs of columns, a half apart, of this lane.
#define PAIRS ((HEAD_DIM / 2 + 31) / 32)
struct Turn {
  float cosine[PAIRS], sine[PAIRS];
};
__device__ __forceinline__ Turn FetchTurn(const float* cosines, const float* sines, int place) {
  Turn turn;
#pragma unroll
  for (int k = 0; k < PAIRS; ++k) {
    const int pair = min((int)threadIdx.x % 32 + k * 32, HEAD_DIM / 2 - 1);
    turn.cosine[k] = __ldg(cosines + (int64)place * (HEAD_DIM / 2) + pair);
    turn.sine[k] = __ldg(sines + (int64)place * (HEAD_DIM / 2) + pair);
  }
  return turn;
}

// A head's two columns of a pair, normalised and rotated as training does; `scale`: 1 / rms of the head.
__device__ __forceinline__ void TurnPair(const float* norm, float scale, int pair, float cosine,
                                         float sine, float* a, float* b) {
  if (QK_NORM) {
    *a = Round(*a * scale * norm[pair]);
    *b = Round(*b * scale * norm[pair + HEAD_DIM / 2]);
  }
  const float left = Round(*a * cosine - *b * sine);
  *b = Round(*b * cosine + *a * sine);
  *a = left;
}

// The query heads of this block's key head, the key itself and its value, with their biases and in their place. A warp a head.
__device__ __forceinline__ void TakeHeads(const T* qkv, const T* bias, const float* q_norm,
                                          const float* k_norm, const Turn& turn,
                                          float (*heads)[HEAD_DIM]) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  constexpr int kEach = (GROUP + 2 + WARPS - 1) / WARPS;
  float values[kEach][PAIRS][2];  // all on their way before the first is looked at
#pragma unroll
  for (int u = 0; u < kEach; ++u) {
    const int head = min(warp + u * WARPS, GROUP + 1);
    const int first = (head < GROUP ? blockIdx.y * GROUP + head
                                    : HEADS + (head - GROUP) * KV_HEADS + blockIdx.y) *
                      HEAD_DIM;
#pragma unroll
    for (int k = 0; k < PAIRS; ++k) {
      for (int half = 0; half < 2; ++half) {
        const int at = first + min(lane + k * 32, HEAD_DIM / 2 - 1) + half * (HEAD_DIM / 2);
        values[u][k][half] = ToFloat(qkv[at]);
        if (bias != nullptr) values[u][k][half] = Round(values[u][k][half] + ToFloat(bias[at]));
      }
    }
  }
#pragma unroll
  for (int u = 0; u < kEach; ++u) {
    const int head = warp + u * WARPS;
    if (head > GROUP + 1) break;
    float scale = 1;
    if (QK_NORM) {
      float squares = 0;
#pragma unroll
      for (int k = 0; k < PAIRS; ++k)
        if (lane + k * 32 < HEAD_DIM / 2)
          squares += values[u][k][0] * values[u][k][0] + values[u][k][1] * values[u][k][1];
      scale = rsqrtf(WarpSum(squares) / HEAD_DIM + (float)EPS);
    }
#pragma unroll
    for (int k = 0; k < PAIRS; ++k) {
      const int pair = lane + k * 32;
      if (pair >= HEAD_DIM / 2) continue;
      float a = values[u][k][0], b = values[u][k][1];
      if (head <= GROUP)
        TurnPair(head < GROUP ? q_norm : k_norm, scale, pair, turn.cosine[k], turn.sine[k], &a, &b);
      heads[head][pair] = a, heads[head][pair + HEAD_DIM / 2] = b;
    }
  }
}

// Keys and values [first, last) of a row and key head, STRIDE apart: `shared` of the prompt, then those of the row, whose pointers
// are set back so that both are counted from the prompt's start.
#define STRIDE (KV_HEADS * HEAD_DIM)
struct KeyRange {
  const T *prompt_keys, *prompt_values;
  int shared;
  const T *own_keys, *own_values;
  int first, last;
};

// 2^x for x of at most 0.
__device__ __forceinline__ float Exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

// What is computed with passes through shared memory on its way, so that it is under way without taking registers.
__device__ __forceinline__ void CopyAsync(T* to, const T* from) {
#if __CUDA_ARCH__ >= 800
  const uint32 at = (uint32)__cvta_generic_to_shared(to);
#pragma unroll
  for (int i = 0; i < (int)sizeof(Pack8); i += 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(at + i), "l"((const char*)from + i)
                 : "memory");
#else
  *(Pack8*)to = Fetch8(from);
#endif
}
__device__ __forceinline__ void EndRound() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}
// All rounds but the newest STAGES - 1 are there, as far as this warp copied them.
__device__ __forceinline__ void AwaitRound() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 1) : "memory");
#endif
  __syncwarp();
}

// Copies eight elements of key `t`'s key and value, from `column` on; beyond the end the last one again, which counts nothing.
__device__ __forceinline__ void CopyKey(const KeyRange& range, int t, int column, T* key, T* value) {
  t = min(t, range.last - 1);
  const bool prompt = t < range.shared;
  const int64 at = (int64)t * STRIDE + column;
  CopyAsync(key, (prompt ? range.prompt_keys : range.own_keys) + at);
  CopyAsync(value, (prompt ? range.prompt_values : range.own_values) + at);
}

#if TENSOR_CORES

#define CHUNKS (HEAD_DIM / 8)
#define TILE (16 * HEAD_DIM)  // elements of a warp's keys of a round; its values follow

// Where a tile has its eight elements of a row: columns change places by row, so that eight rows of one column lie in eight banks.
__device__ __forceinline__ int Place(int row, int chunk) {
  return (row * CHUNKS + (chunk ^ (row & (CHUNKS < 8 ? CHUNKS - 1 : 7)))) * 8;
}
__device__ __forceinline__ T* WarpTile(T* room, int round) {
  return room + ((round % STAGES) * WARPS + (int)threadIdx.x / 32) * (2 * TILE);
}

// Each warp sends for 16 keys of its own, if there are any left.
__device__ __forceinline__ void StageRound(const KeyRange& range, int round, T* room) {
  const int base = range.first + round * KEYS + (int)threadIdx.x / 32 * 16;
  T* const tile = WarpTile(room, round);
  if (base < range.last) {
#pragma unroll
    for (int i = threadIdx.x % 32; i < 16 * CHUNKS; i += 32) {
      const int place = Place(i / CHUNKS, i % CHUNKS);
      CopyKey(range, base + i / CHUNKS, i % CHUNKS * 8, tile + place, tile + TILE + place);
    }
  }
  EndRound();
}

// A softmax as far as it has come. Lane l holds of query l / 4 the columns 8 t + 2 (l % 4) and the next.
struct Running {
  float max, sum;  // the sum of this lane's columns' keys alone
  float value[HEAD_DIM / 8][2];
};

// d (16 x 8) += a (16 x 16, whose lower rows are 0) b (16 x 8); the lower rows of d are 0.
__device__ __forceinline__ void Multiply(float* d, uint32 a0, uint32 a2, uint32 b0, uint32 b1) {
  float low0, low1;
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, "
               "{%4, %5, %6, %5}, {%7, %8}, {%0, %1, %9, %9};"
               : "+f"(d[0]), "+f"(d[1]), "=f"(low0), "=f"(low1)
               : "r"(a0), "r"(0), "r"(a2), "r"(b0), "r"(b1), "f"(0.0f));
}

// This warp's 16 keys of a round into its softmax.
__device__ __forceinline__ void AttendRound(const KeyRange& range, int round, T* room,
                                            const uint32 (*query)[2], float scale, Running* state) {
  const int lane = threadIdx.x % 32;
  const int base = range.first + round * KEYS + (int)threadIdx.x / 32 * 16;
  if (base >= range.last) return;
  const T* const keys = WarpTile(room, round);
  float score[2][2];
#pragma unroll
  for (int half = 0; half < 2; ++half) {
    score[half][0] = score[half][1] = 0;
#pragma unroll
    for (int k = 0; k < HEAD_DIM / 32; ++k) {
      uint32 b[4];
      const uint32 at = (uint32)__cvta_generic_to_shared(
          keys + Place(half * 8 + lane % 8, k * 4 + lane / 8));
      asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                   : "=r"(b[0]), "=r"(b[1]), "=r"(b[2]), "=r"(b[3])
                   : "r"(at));
      Multiply(score[half], query[2 * k][0], query[2 * k][1], b[0], b[1]);
      Multiply(score[half], query[2 * k + 1][0], query[2 * k + 1][1], b[2], b[3]);
    }
  }
  float top = state->max;
#pragma unroll
  for (int i = 0; i < 4; ++i) {
    const int t = base + i / 2 * 8 + lane % 4 * 2 + i % 2;
    float* const s = &score[i / 2][i % 2];
    *s = t < range.last ? *s * scale : NOTHING;
    top = fmaxf(top, *s);
  }
  top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 1));
  top = fmaxf(top, __shfl_xor_sync(0xffffffffu, top, 2));
  const float keep = Exp2(state->max - top);
  state->max = top;
#pragma unroll
  for (int i = 0; i < 4; ++i) score[i / 2][i % 2] = Exp2(score[i / 2][i % 2] - top);
  state->sum = state->sum * keep + (score[0][0] + score[0][1]) + (score[1][0] + score[1][1]);
  const uint32 a0 = Pack2(score[0][0], score[0][1]), a2 = Pack2(score[1][0], score[1][1]);
#pragma unroll
  for (int d = 0; d < HEAD_DIM / 16; ++d) {
    uint32 b[4];
    const uint32 at = (uint32)__cvta_generic_to_shared(
        keys + TILE + Place(lane / 8 % 2 * 8 + lane % 8, d * 2 + lane / 16));
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(b[0]), "=r"(b[1]), "=r"(b[2]), "=r"(b[3])
                 : "r"(at));
#pragma unroll
    for (int t = 0; t < 2; ++t) {
      float* const value = state->value[2 * d + t];
      value[0] *= keep, value[1] *= keep;
      Multiply(value, a0, a2, b[2 * t], b[2 * t + 1]);
    }
  }
}

// The newest key, which is at hand: the first warp counts it.
__device__ __forceinline__ void AttendNewest(const float (*heads)[HEAD_DIM], float scale,
                                             Running* state) {
  const int lane = threadIdx.x % 32;
  const float* const query = heads[min(lane / 4, GROUP - 1)];
  float dot = 0;
#pragma unroll
  for (int t = 0; t < HEAD_DIM / 8; ++t) {
    const int at = t * 8 + lane % 4 * 2;
    dot += query[at] * heads[GROUP][at] + query[at + 1] * heads[GROUP][at + 1];
  }
  dot += __shfl_xor_sync(0xffffffffu, dot, 1);
  dot += __shfl_xor_sync(0xffffffffu, dot, 2);
  dot *= scale;
  const float top = fmaxf(state->max, dot);
  const float keep = Exp2(state->max - top), add = Exp2(dot - top);
  state->max = top;
  state->sum = state->sum * keep + (lane % 4 == 0 ? add : 0.0f);
#pragma unroll
  for (int t = 0; t < HEAD_DIM / 8; ++t) {
    for (int i = 0; i < 2; ++i) {
      const float value = heads[GROUP + 1][t * 8 + lane % 4 * 2 + i];
      state->value[t][i] = state->value[t][i] * keep + value * add;
    }
  }
}

// This warp's share of the keys, and the newest one if `newest`.
__device__ __forceinline__ void AttendKeys(const KeyRange& range, bool newest, T* room,
                                           const float (*heads)[HEAD_DIM], float scale,
                                           Running* state) {
  const int lane = threadIdx.x % 32;
  uint32 query[HEAD_DIM / 16][2];  // rows that are no query are 0
#pragma unroll
  for (int i = 0; i < HEAD_DIM / 8; ++i) {
    const float* const from = heads[min(lane / 4, GROUP - 1)] + i * 8 + lane % 4 * 2;
    query[i / 2][i % 2] = lane / 4 < GROUP ? Pack2(from[0], from[1]) : 0;
  }
  state->max = NOTHING, state->sum = 0;
#pragma unroll
  for (int t = 0; t < HEAD_DIM / 8; ++t) state->value[t][0] = state->value[t][1] = 0;
  for (int round = 0; range.first + round * KEYS < range.last; ++round) {
    StageRound(range, round + STAGES - 1, room);
    AwaitRound();
    AttendRound(range, round, room, query, scale, state);
    __syncwarp();
  }
  if (newest && threadIdx.x < 32) AttendNewest(heads, scale, state);
}

// This warp's state as the part that JoinWarps reads.
__device__ __forceinline__ void WriteState(const Running& state, float (*part)[HEAD_DIM + 2]) {
  const int lane = threadIdx.x % 32, query = lane / 4;
  float sum = state.sum;
  sum += __shfl_xor_sync(0xffffffffu, sum, 1);
  sum += __shfl_xor_sync(0xffffffffu, sum, 2);
  if (query >= GROUP) return;
#pragma unroll
  for (int t = 0; t < HEAD_DIM / 8; ++t) {
    part[query][t * 8 + lane % 4 * 2] = state.value[t][0];
    part[query][t * 8 + lane % 4 * 2 + 1] = state.value[t][1];
  }
  if (lane % 4 == 0) part[query][HEAD_DIM] = state.max, part[query][HEAD_DIM + 1] = sum;
}

#else  // a key for every LANES lanes

typedef T Staged[AT_ONCE][2][ATTEND_THREADS][8];  // [key of a round][key or value][thread]

__device__ __forceinline__ void StageRound(const KeyRange& range, int round, T* room) {
  const int base = range.first + round * KEYS;
  Staged& staged = ((Staged*)room)[round % STAGES];
  if (base < range.last) {
#pragma unroll
    for (int u = 0; u < AT_ONCE; ++u)
      CopyKey(range, base + u * (ATTEND_THREADS / LANES) + (int)threadIdx.x / LANES,
              threadIdx.x % LANES * 8, staged[u][0][threadIdx.x], staged[u][1][threadIdx.x]);
  }
  EndRound();
}

// A softmax as far as it has come, for GROUP queries and this lane's eight columns.
struct Running {
  float max[GROUP], sum[GROUP], value[GROUP][8];
};

__device__ __forceinline__ void Join(Running* a, int g, float max, float sum, const float* value) {
  const float top = fmaxf(a->max[g], max);
  const float keep = Exp2(a->max[g] - top), add = Exp2(max - top);
  a->max[g] = top;
  a->sum[g] = a->sum[g] * keep + sum * add;
  for (int i = 0; i < 8; ++i) a->value[g][i] = a->value[g][i] * keep + value[i] * add;
}

// Over the lanes that share a key.
__device__ __forceinline__ float SumLanes(float x) {
#pragma unroll
  for (int k = 1; k < LANES; k <<= 1) x += __shfl_xor_sync(0xffffffffu, x, k);
  return x;
}

// One round's keys and values into the softmax.
__device__ __forceinline__ void AttendRound(const KeyRange& range, int round, T* room,
                                            const float (*query)[8], Running* state) {
  const int base = range.first + round * KEYS + (int)threadIdx.x / LANES;
  const Staged& staged = ((const Staged*)room)[round % STAGES];
  float score[AT_ONCE][GROUP];
#pragma unroll
  for (int u = 0; u < AT_ONCE; ++u) {
    float k8[8];
    Load8(staged[u][0][threadIdx.x], k8);
#pragma unroll
    for (int g = 0; g < GROUP; ++g) {
      float dot = 0;
      for (int i = 0; i < 8; ++i) dot += query[g][i] * k8[i];
      dot = SumLanes(dot);
      score[u][g] = base + u * (ATTEND_THREADS / LANES) < range.last ? dot : NOTHING;
    }
  }
#pragma unroll
  for (int g = 0; g < GROUP; ++g) {
    float top = state->max[g];
    for (int u = 0; u < AT_ONCE; ++u) top = fmaxf(top, score[u][g]);
    const float keep = Exp2(state->max[g] - top);
    state->max[g] = top;
    state->sum[g] *= keep;
    for (int i = 0; i < 8; ++i) state->value[g][i] *= keep;
    for (int u = 0; u < AT_ONCE; ++u) {
      score[u][g] = score[u][g] == NOTHING ? 0.0f : Exp2(score[u][g] - top);
      state->sum[g] += score[u][g];
    }
  }
#pragma unroll
  for (int u = 0; u < AT_ONCE; ++u) {
    float v8[8];
    Load8(staged[u][1][threadIdx.x], v8);
#pragma unroll
    for (int g = 0; g < GROUP; ++g)
      for (int i = 0; i < 8; ++i) state->value[g][i] += score[u][g] * v8[i];
  }
}

// This thread's share of the keys, and the newest one if `newest`: it is at hand, and the first group of lanes counts it.
__device__ __forceinline__ void AttendKeys(const KeyRange& range, bool newest, T* room,
                                           const float (*heads)[HEAD_DIM], float scale,
                                           Running* state) {
  const int offset = threadIdx.x % LANES * 8;
  float query[GROUP][8];
#pragma unroll
  for (int g = 0; g < GROUP; ++g) {
    state->max[g] = NOTHING, state->sum[g] = 0;
    for (int i = 0; i < 8; ++i) query[g][i] = heads[g][offset + i] * scale, state->value[g][i] = 0;
  }
  for (int round = 0; range.first + round * KEYS < range.last; ++round) {
    StageRound(range, round + STAGES - 1, room);
    AwaitRound();
    AttendRound(range, round, room, query, state);
  }
#pragma unroll
  for (int g = 0; g < GROUP; ++g) {
    float dot = 0;
    for (int i = 0; i < 8; ++i) dot += query[g][i] * heads[GROUP][offset + i];
    dot = SumLanes(dot);
    if (newest && threadIdx.x < LANES) Join(state, g, dot, 1, heads[GROUP + 1] + offset);
  }
#pragma unroll
  for (int k = LANES; k < 32; k <<= 1) {
#pragma unroll
    for (int g = 0; g < GROUP; ++g) {
      const float max = __shfl_xor_sync(0xffffffffu, state->max[g], k);
      const float sum = __shfl_xor_sync(0xffffffffu, state->sum[g], k);
      float value[8];
      for (int i = 0; i < 8; ++i)
        value[i] = __shfl_xor_sync(0xffffffffu, state->value[g][i], k);
      Join(state, g, max, sum, value);
    }
  }
}

// This warp's state as the part that JoinWarps reads.
__device__ __forceinline__ void WriteState(const Running& state, float (*part)[HEAD_DIM + 2]) {
  const int offset = threadIdx.x % LANES * 8;
  if (threadIdx.x % 32 >= LANES) return;
#pragma unroll
  for (int g = 0; g < GROUP; ++g) {
    for (int i = 0; i < 8; ++i) part[g][offset + i] = state.value[g][i];
    if (threadIdx.x % 32 == 0)
      part[g][HEAD_DIM] = state.max[g], part[g][HEAD_DIM + 1] = state.sum[g];
  }
}

#endif

// What one block found, joined over its warps: GROUP rows of HEAD_DIM weighted values, then the maximum and the sum of weights.
#define PART (GROUP * (HEAD_DIM + 2))

// A row and key head whose keys are shared out among `shares` blocks: each leaves its part in memory, and the one that comes last
// joins them all. `arrived` is 0 before and after. True in the threads of the last block.
__device__ __forceinline__ bool LeavePart(const float* mine, float* parts, int share, int shares,
                                          int* arrived) {
  __shared__ int before;
  for (int i = threadIdx.x; i < PART; i += ATTEND_THREADS) parts[share * PART + i] = mine[i];
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0) before = atomicAdd(arrived, 1);
  __syncthreads();
  if (before != shares - 1) return false;
  if (threadIdx.x == 0) *arrived = 0;
  __threadfence();
  return true;
}

// Joins `count` parts in global memory, which other multiprocessors wrote, PART apart, and writes the attended values of GROUP heads.
__device__ __forceinline__ void WriteParts(const float* parts, int count, T* out) {
  for (int i = threadIdx.x; i < GROUP * HEAD_DIM; i += ATTEND_THREADS) {
    const int g = i / HEAD_DIM, d = i % HEAD_DIM;
    const float* mine = parts + g * (HEAD_DIM + 2);
    float top = NOTHING, sum = 0, value = 0;
    for (int p = 0; p < count; ++p) top = fmaxf(top, __ldcg(mine + p * PART + HEAD_DIM));
    for (int p = 0; p < count; ++p) {
      const float share = Exp2(__ldcg(mine + p * PART + HEAD_DIM) - top);
      sum += share * __ldcg(mine + p * PART + HEAD_DIM + 1);
      value += share * __ldcg(mine + p * PART + d);
    }
    out[g * HEAD_DIM + d] = FromFloat(value / sum);
  }
}
typedef float Parts[GROUP][HEAD_DIM + 2];  // of a warp

// The attended values of GROUP heads from this block's warps alone.
__device__ __forceinline__ void WriteWhole(const Parts* parts, T* out) {
  for (int i = threadIdx.x * 2; i < GROUP * HEAD_DIM; i += ATTEND_THREADS * 2) {
    const int g = i / HEAD_DIM, d = i % HEAD_DIM;
    float top = NOTHING, sum = 0, left = 0, right = 0;
#pragma unroll
    for (int w = 0; w < WARPS; ++w) top = fmaxf(top, parts[w][g][HEAD_DIM]);
#pragma unroll
    for (int w = 0; w < WARPS; ++w) {
      const float share = Exp2(parts[w][g][HEAD_DIM] - top);
      sum += share * parts[w][g][HEAD_DIM + 1];
      left += share * parts[w][g][d];
      right += share * parts[w][g][d + 1];
    }
    const float scale = 1 / sum;
    out[i] = FromFloat(left * scale);
    out[i + 1] = FromFloat(right * scale);
  }
}

// This block's warps' states, joined into `joined`, which is shared memory that may hold what was read up to here.
__device__ __forceinline__ void JoinWarps(const Parts* parts, float* joined) {
  for (int i = threadIdx.x; i < PART; i += ATTEND_THREADS) {
    const int g = i / (HEAD_DIM + 2), d = i % (HEAD_DIM + 2);
    float top = NOTHING, value = 0;
    for (int w = 0; w < WARPS; ++w) top = fmaxf(top, parts[w][g][HEAD_DIM]);
    for (int w = 0; w < WARPS; ++w)
      value += Exp2(parts[w][g][HEAD_DIM] - top) * parts[w][g][d];
    joined[i] = d == HEAD_DIM ? top : value;
  }
  __syncthreads();
}

// How the keys of a row are shared out among the blocks of a launch: at least so many to each, so that short rows take one block.
#define LEAST_SHARE 256

// scale holds log2(e). Attention of one row and key head over its prompt and its own tokens, of which the newest is written to the cache first.
// prompt_keys: this layer's, [.., KV_HEADS, HEAD_DIM] by token; own_keys: [slots, own_capacity, KV_HEADS, HEAD_DIM]. Blocks along
// z share a row's keys: parts [rows, KV_HEADS, gridDim.z, PART], arrived [rows, KV_HEADS].
extern "C" __global__ void __launch_bounds__(ATTEND_THREADS, ATTEND_BLOCKS)
Attend(const int* slots, const int* counts, const int* done, const int* prompt_first,
       const int* prompt_length, const T* qkv, const T* bias, const float* q_norm,
       const float* k_norm, const float* cosines, const float* sines, const T* prompt_keys,
       const T* prompt_values, T* own_keys, T* own_values, int own_capacity, float scale,
       float* parts, int* arrived, T* out) {
  __shared__ __align__(16) float heads[GROUP + 2][HEAD_DIM];
  extern __shared__ __align__(16) char room[];  // keys on their way, then the warps' parts
  float* const joined = heads[0];               // once the heads are no longer needed
  // The kernel in front writes qkv alone: keys are on their way while it still runs.
  const int row = blockIdx.x;
  const int slot = __ldcg(slots + row);
  const bool idle = slot < 0 || __ldcg(done + slot);
  const int own = idle ? 0 : __ldcg(counts + slot) - 1;  // where the newest token goes
  const int length = idle ? 0 : __ldcg(prompt_length + slot);
  const int count = length + own;  // keys in the cache
  const int share = max(LEAST_SHARE, (count + (int)gridDim.z - 1) / (int)gridDim.z);
  const int shares = max(1, (count + share - 1) / share);
  if (idle || blockIdx.z >= shares) return WaitForLast();
  const bool newest_is_mine = blockIdx.z == shares - 1;
  const int64 head = blockIdx.y * HEAD_DIM;
  const int64 first = (int64)slot * own_capacity * KV_HEADS * HEAD_DIM + head;
  const int64 prompt = (int64)__ldcg(prompt_first + slot) * KV_HEADS * HEAD_DIM + head;
  const int64 back = (int64)length * STRIDE;
  const KeyRange range = {prompt_keys + prompt,      prompt_values + prompt,
                          length,                    own_keys + first - back,
                          own_values + first - back, (int)blockIdx.z * share,
                          min(count, (int)(blockIdx.z + 1) * share)};
  for (int round = 0; round < STAGES - 1; ++round) StageRound(range, round, (T*)room);
  const Turn turn = FetchTurn(cosines, sines, count);

  WaitForLast();
  TakeHeads(qkv + (int64)row * WIDTH, bias, q_norm, k_norm, turn, heads);
  __syncthreads();
  const int64 newest = first + (int64)own * KV_HEADS * HEAD_DIM;
  for (int i = threadIdx.x; newest_is_mine && i < HEAD_DIM; i += ATTEND_THREADS) {
    own_keys[newest + i] = FromFloat(heads[GROUP][i]);
    own_values[newest + i] = FromFloat(heads[GROUP + 1][i]);
  }
  Running state;
  AttendKeys(range, newest_is_mine, (T*)room, heads, scale, &state);
  __syncthreads();
  WriteState(state, ((Parts*)room)[threadIdx.x / 32]);
  __syncthreads();
  T* const target = out + ((int64)row * HEADS + blockIdx.y * GROUP) * HEAD_DIM;
  if (shares == 1) return WriteWhole((const Parts*)room, target);
  JoinWarps((const Parts*)room, joined);
  const int64 place = (int64)row * KV_HEADS + blockIdx.y;
  float* const all = parts + place * gridDim.z * PART;
  if (LeavePart(joined, all, blockIdx.z, shares, arrived + place)) WriteParts(all, shares, target);
}
