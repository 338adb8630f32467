// Drawing a token for each row, as grpo/rollout/sampler.h does it: repetition penalty, temperature, top-k, top-p, min-p, then the
// token at which the running sum of weights in the vocabulary's order passes u times the whole. A block a row; sums are taken in
// one fixed order and masses for top-p in whole numbers, so that a row's token depends on nothing but the row. Macro: VOCAB.
#define SAMPLE_THREADS 512
#define TILE (SAMPLE_THREADS * 8)
#define TILES ((VOCAB + TILE - 1) / TILE)
#define MINUS_INFINITY __int_as_float(0xff800000)

struct Drawing {
  float temperature;  // 0: greedy
  float top_p;
  int top_k;
  float min_p, penalty;
  int min_new, max_new;
  int stops;   // how many stop_ids
  int tokens;  // ids from here on are no tokens and are never drawn; log-probs are of all VOCAB
};

struct RowView {
  const T* logits;
  const uint32* seen;  // bits by token, or null
  const int* stop_ids;
  float inverse, penalty;
  int bans;    // stop_ids that cannot be drawn
  int tokens;  // ids from here on cannot be drawn
};

__device__ __forceinline__ int IndexOf(int tile) { return tile * TILE + threadIdx.x * 8; }

// This thread's eight logits of a tile, -infinity beyond the vocabulary.
__device__ __forceinline__ void LoadRaw(const RowView& row, int tile, float* z) {
  const int first = IndexOf(tile);
#if VOCAB % 8 == 0
  if (first < VOCAB) {
    Load8(row.logits + first, z);
    return;
  }
#endif
  for (int i = 0; i < 8; ++i)
    z[i] = first + i < VOCAB ? ToFloat(row.logits[first + i]) : MINUS_INFINITY;
}

__device__ __forceinline__ void Adjust(const RowView& row, int tile, float* z) {
  const int first = IndexOf(tile);
  if (row.seen != nullptr && first < VOCAB) {
    const uint32 bits = row.seen[first / 32] >> (first % 32);
    for (int i = 0; i < 8; ++i)
      if (bits >> i & 1) z[i] = z[i] < 0 ? z[i] * row.penalty : z[i] / row.penalty;
  }
  for (int b = 0; b < row.bans; ++b) {
    const int at = row.stop_ids[b] - first;
    for (int i = 0; i < 8; ++i)
      if (at == i) z[i] = MINUS_INFINITY;
  }
  for (int i = 0; i < 8; ++i)
    if (first + i >= row.tokens) z[i] = MINUS_INFINITY;
}

__device__ __forceinline__ void LoadAdjusted(const RowView& row, int tile, float* z) {
  LoadRaw(row, tile, z);
  Adjust(row, tile, z);
}

// Larger floats have larger keys.
__device__ __forceinline__ uint32 KeyOf(float z) {
  const uint32 bits = __float_as_uint(z);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
__device__ __forceinline__ float FromKey(uint32 key) {
  return __uint_as_float(key & 0x80000000u ? key & 0x7fffffffu : ~key);
}

// Weight of a logit relative to the best, and the same in whole numbers.
__device__ __forceinline__ float Weight(float z, float best, float inverse) {
  return z == MINUS_INFINITY ? 0.0f : __expf((z - best) * inverse);
}
__device__ __forceinline__ uint64 Mass(float weight) {
  return (uint64)((double)weight * 1099511627776.0);  // 2^40
}

// What is kept: logits whose key is above `key`, and the first `ties` of those equal to it.
struct Cut {
  uint32 key;
  int ties;
};

// The cut below which what is above adds up to `target` (counts, or masses with by_mass), looking only at what `outer` keeps.
__device__ Cut FindCut(const RowView& row, float best, uint64 target, bool by_mass, Cut outer,
                       uint64* histogram, uint64* shared) {
  uint32 prefix = 0;
  for (int shift = 24; shift >= 0; shift -= 8) {
    for (int i = threadIdx.x; i < 256; i += SAMPLE_THREADS) histogram[i] = 0;
    __syncthreads();
    for (int tile = 0; tile < TILES; ++tile) {
      float z[8];
      LoadAdjusted(row, tile, z);
      for (int i = 0; i < 8; ++i) {
        const uint32 key = KeyOf(z[i]);
        if (IndexOf(tile) + i >= VOCAB || z[i] == MINUS_INFINITY || key < outer.key) continue;
        if (shift < 24 && (key >> (shift + 8)) != prefix) continue;
        const uint64 add = by_mass ? Mass(Weight(z[i], best, row.inverse)) : 1;
        atomicAdd(&histogram[(key >> shift) & 255], add);
      }
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      int bin = 255;
      while (bin > 0 && histogram[bin] < target) target -= histogram[bin--];
      shared[0] = bin, shared[1] = target;
    }
    __syncthreads();
    prefix = prefix << 8 | (uint32)shared[0];
    target = shared[1];
    __syncthreads();
  }
  Cut cut;
  cut.key = prefix;
  if (by_mass) {
    const uint64 each = Mass(Weight(FromKey(prefix), best, row.inverse));
    const uint64 ties = each == 0 ? 0x7fffffff : (target + each - 1) / each;
    cut.ties = ties > 0x7fffffff ? 0x7fffffff : (int)ties;
  } else {
    cut.ties = target > 0x7fffffff ? 0x7fffffff : (int)target;
  }
  if (cut.key == outer.key && outer.ties < cut.ties) cut.ties = outer.ties;
  return cut;
}

// Exclusive sum over the block's threads; `total` gets the sum of all.
template <typename Number>
__device__ __forceinline__ Number BlockScan(Number x, Number* scratch, Number* total) {
  Number inclusive = x;
  for (int i = 1; i < 32; i <<= 1) {
    const Number before = __shfl_up_sync(0xffffffffu, inclusive, i);
    if (threadIdx.x % 32 >= i) inclusive += before;
  }
  if (threadIdx.x % 32 == 31) scratch[threadIdx.x / 32] = inclusive;
  __syncthreads();
  Number start = 0, sum = 0;
  for (int w = 0; w < SAMPLE_THREADS / 32; ++w) {
    if (w == threadIdx.x / 32) start = sum;
    sum += scratch[w];
  }
  __syncthreads();
  *total = sum;
  return start + inclusive - x;
}

// The weights of this thread's part of a tile after all cuts. `ties` counts equals of the cut's key in the tiles before.
__device__ __forceinline__ void KeptWeights(const RowView& row, int tile, float best, Cut cut,
                                            float min_p, int* ties, int* scratch, float* weights) {
  LoadAdjusted(row, tile, weights);
  int rank = 0;
  if (cut.ties != 0x7fffffff) {
    int mine = 0, all = 0;
    for (int i = 0; i < 8; ++i) mine += KeyOf(weights[i]) == cut.key;
    rank = *ties + BlockScan<int>(mine, scratch, &all);
    *ties += all;
  }
  for (int i = 0; i < 8; ++i) {
    const uint32 key = KeyOf(weights[i]);
    const bool kept = key > cut.key || (key == cut.key && rank < cut.ties);
    rank += key == cut.key;
    const float weight = Weight(weights[i], best, row.inverse);
    weights[i] = kept && weight >= min_p ? weight : 0.0f;
  }
}

// The weights' sum of each tile after all cuts, and how many equals of the cut's key stand in the tiles before.
__device__ void SumTiles(const RowView& row, float best, Cut cut, float min_p, double* sums,
                         int* ties_before) {
  __shared__ float warp_sums[TILES][SAMPLE_THREADS / 32];
  __shared__ int tie_scan[SAMPLE_THREADS / 32];
  int ties = 0;
  for (int tile = 0; tile < TILES; ++tile) {
    if (threadIdx.x == 0) ties_before[tile] = ties;
    float w[8];
    KeptWeights(row, tile, best, cut, min_p, &ties, tie_scan, w);
    float sum = 0;
    for (int i = 0; i < 8; ++i) sum += w[i];
    sum = WarpSum(sum);
    if (threadIdx.x % 32 == 0) warp_sums[tile][threadIdx.x / 32] = sum;
  }
  __syncthreads();
  for (int tile = threadIdx.x; tile < TILES; tile += SAMPLE_THREADS) {
    double sum = 0;
    for (int w = 0; w < SAMPLE_THREADS / 32; ++w) sum += warp_sums[tile][w];
    sums[tile] = sum;
  }
  __syncthreads();
}

// The token at which the running sum passes u * total.
__device__ int PickToken(const RowView& row, float best, Cut cut, float min_p, double u,
                         const double* sums, const int* ties_before) {
  __shared__ double scan[SAMPLE_THREADS / 32];
  __shared__ int tie_scan[SAMPLE_THREADS / 32];
  __shared__ int found, last;
  if (threadIdx.x == 0) found = VOCAB, last = -1;
  __syncthreads();
  double total = 0;
  for (int tile = 0; tile < TILES; ++tile) total += sums[tile];
  const double target = u * total;
  double before = 0;
  int tile = 0, filled = 0;
  for (int t = 0; t < TILES; ++t) {
    if (sums[t] > 0) filled = t;
  }
  while (tile < filled && before + sums[tile] <= target) before += sums[tile++];
  int ties = cut.ties == 0x7fffffff ? 0 : ties_before[tile];
  float w[8];
  KeptWeights(row, tile, best, cut, min_p, &ties, tie_scan, w);
  double sum = 0, all = 0;
  for (int i = 0; i < 8; ++i) sum += w[i];
  double running = before + BlockScan<double>(sum, scan, &all);
  for (int i = 0; i < 8; ++i) {
    if (w[i] <= 0) continue;
    running += w[i];
    atomicMax(&last, IndexOf(tile) + i);  // where rounding carries the target past the end
    if (running > target) {
      atomicMin(&found, IndexOf(tile) + i);
      break;
    }
  }
  __syncthreads();
  return found < VOCAB ? found : (last < 0 ? 0 : last);
}

// The first of the best logits.
__device__ int PickBest(const RowView& row, float best) {
  __shared__ int first;
  if (threadIdx.x == 0) first = VOCAB;
  __syncthreads();
  for (int tile = 0; tile < TILES; ++tile) {
    float z[8];
    LoadAdjusted(row, tile, z);
    for (int i = 0; i < 8; ++i)
      if (z[i] == best && IndexOf(tile) + i < VOCAB) atomicMin(&first, IndexOf(tile) + i);
  }
  __syncthreads();
  return first < VOCAB ? first : 0;
}

// xoshiro256** 1.0 (Blackman, Vigna 2018), as core/rng.h: uniform over [0, 1) with 53 bits.
__device__ double NextUniform(uint64* s) {
  const uint64 five = s[1] * 5;
  const uint64 result = (five << 7 | five >> 57) * 9;
  const uint64 t = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= t;
  s[3] = s[3] << 45 | s[3] >> 19;
  return (double)(result >> 11) * (1.0 / 9007199254740992.0);
}

struct RowStats {
  float best;     // adjusted logit
  float log_sum;  // log-sum-exp of the tempered raw logits
};

// What each warp saw of each tile: its best logit, and its weights relative to that one.
struct Looks {
  float tops[TILES][SAMPLE_THREADS / 32], parts[TILES][SAMPLE_THREADS / 32];
};

__device__ __forceinline__ void LookAtTile(const float* z, float inverse, int tile, Looks* looks) {
  float high = z[0], sum = 0;
  for (int i = 1; i < 8; ++i) high = fmaxf(high, z[i]);
  high = WarpMax(high);
  for (int i = 0; i < 8; ++i) sum += Weight(z[i], high, inverse);
  sum = WarpSum(sum);
  if (threadIdx.x % 32 == 0)
    looks->tops[tile][threadIdx.x / 32] = high, looks->parts[tile][threadIdx.x / 32] = sum;
}

// `sums`: each tile's weights relative to the best logit. Gives both over the whole row.
__device__ RowStats JoinLooks(const Looks& looks, float inverse, double* sums) {
  __shared__ float scratch[32];
  __syncthreads();
  float top = MINUS_INFINITY;
  for (int i = threadIdx.x; i < TILES * (SAMPLE_THREADS / 32); i += SAMPLE_THREADS)
    top = fmaxf(top, looks.tops[0][i]);
  RowStats stats;
  stats.best = BlockMax(top, scratch);
  __syncthreads();
  for (int tile = threadIdx.x; tile < TILES; tile += SAMPLE_THREADS) {
    double sum = 0;
    for (int w = 0; w < SAMPLE_THREADS / 32; ++w)
      sum += (double)(looks.parts[tile][w] * Weight(looks.tops[tile][w], stats.best, inverse));
    sums[tile] = sum;
  }
  __syncthreads();
  double all = 0;
  for (int tile = 0; tile < TILES; ++tile) all += sums[tile];
  stats.log_sum = logf((float)all) + stats.best * inverse;
  return stats;
}

// One look at the row: both, and `sums`, each tile's sum of adjusted weights.
__device__ RowStats LookAt(const RowView& row, double* sums) {
  __shared__ Looks looks;
  __shared__ float scratch[32];
  const bool penalised = row.seen != nullptr;
  float raw_top = MINUS_INFINITY, raw_sum = 0;  // of this thread
#pragma unroll 4
  for (int tile = 0; tile < TILES; ++tile) {
    float z[8];
    LoadRaw(row, tile, z);
    if (penalised) {
      float high = z[0], sum = 0;
      for (int i = 1; i < 8; ++i) high = fmaxf(high, z[i]);
      const float both = fmaxf(high, raw_top);
      for (int i = 0; i < 8; ++i) sum += Weight(z[i], both, row.inverse);
      raw_sum = raw_sum * Weight(raw_top, both, row.inverse) + sum;
      raw_top = both;
      Adjust(row, tile, z);
    }
    LookAtTile(z, row.inverse, tile, &looks);
  }
  RowStats stats = JoinLooks(looks, row.inverse, sums);
  if (penalised) {
    const float raw_best = BlockMax(raw_top, scratch);
    const float all = BlockSum(raw_sum * Weight(raw_top, raw_best, row.inverse), scratch);
    stats.log_sum = logf(all) + raw_best * row.inverse;
  } else if (row.bans > 0 || row.tokens < VOCAB) {
    // Only the tiles of what cannot be drawn are other ones than was seen.
    const int padded = row.tokens < VOCAB ? TILES - row.tokens / TILE : 0;
    __syncthreads();
    for (int i = 0; i < row.bans + padded; ++i) {
      const int tile = i < row.bans ? row.stop_ids[i] / TILE : TILES - 1 - (i - row.bans);
      float z[8];
      LoadAdjusted(row, tile, z);
      LookAtTile(z, row.inverse, tile, &looks);
    }
    stats.best = JoinLooks(looks, row.inverse, sums).best;
  }
  return stats;
}

__device__ Cut FindCuts(const RowView& row, const Drawing& how, float best) {
  __shared__ uint64 histogram[256];
  __shared__ uint64 shared[2];
  __shared__ uint64 whole;
  Cut cut = {0, 0x7fffffff};
  if (how.top_k > 0 && how.top_k < VOCAB)
    cut = FindCut(row, best, (uint64)how.top_k, false, cut, histogram, shared);
  if (how.top_p >= 1) return cut;
  if (threadIdx.x == 0) whole = 0;
  __syncthreads();
  uint64 mass = 0;
  for (int tile = 0; tile < TILES; ++tile) {
    float z[8];
    LoadAdjusted(row, tile, z);
    for (int i = 0; i < 8; ++i) {
      if (IndexOf(tile) + i < VOCAB && KeyOf(z[i]) > cut.key)
        mass += Mass(Weight(z[i], best, row.inverse));
    }
  }
  atomicAdd(&whole, mass);
  __syncthreads();
  uint64 all = whole;
  if (cut.ties != 0x7fffffff)
    all += (uint64)cut.ties * Mass(Weight(FromKey(cut.key), best, row.inverse));
  uint64 target = (uint64)((double)all * how.top_p);
  if (target == 0) target = 1;
  return FindCut(row, best, target, true, cut, histogram, shared);
}

// Row i of the launch is slot slots[i], with the logits of row logit_rows[i] (or i). State and results stand by slot: rings of
// `ring` tokens and log-probs, entry count % ring.
extern "C" __global__ void __launch_bounds__(SAMPLE_THREADS)
Sample(const int* slots, const int* logit_rows, const T* logits, Drawing how, const int* stop_ids,
       int* tokens, int* counts, int* done, uint64* streams, uint32* seen, int seen_words,
       int* ring_tokens, float* ring_logprobs, int ring) {
  __shared__ double u;
  __shared__ double sums[TILES];
  __shared__ int ties_before[TILES];
  WaitForLast();
  const int slot = slots[blockIdx.x];
  if (slot < 0 || done[slot]) return;
  const int count = counts[slot];
  RowView row;
  const int at = logit_rows == nullptr ? blockIdx.x : logit_rows[blockIdx.x];
  row.logits = logits + (int64)at * VOCAB;
  row.seen = seen == nullptr ? nullptr : seen + (int64)slot * seen_words;
  row.stop_ids = stop_ids;
  row.inverse = how.temperature > 0 ? 1 / how.temperature : 1;
  row.penalty = how.penalty;
  row.bans = count < how.min_new ? how.stops : 0;
  row.tokens = how.tokens;
  const RowStats stats = LookAt(row, sums);
  int token;
  if (how.temperature > 0) {
    if (threadIdx.x == 0) u = NextUniform(streams + slot * 4);
    Cut cut = {0, 0x7fffffff};
    if (how.top_k > 0 || how.top_p < 1 || how.min_p > 0) {
      cut = FindCuts(row, how, stats.best);
      SumTiles(row, stats.best, cut, how.min_p, sums, ties_before);
    }
    __syncthreads();
    token = PickToken(row, stats.best, cut, how.min_p, u, sums, ties_before);
  } else {
    token = PickBest(row, stats.best);
  }
  if (threadIdx.x != 0) return;
  tokens[slot] = token;
  ring_tokens[slot * ring + count % ring] = token;
  ring_logprobs[slot * ring + count % ring] = ToFloat(row.logits[token]) * row.inverse - stats.log_sum;
  counts[slot] = count + 1;
  bool stop = count + 1 >= how.max_new;
  for (int i = 0; i < how.stops; ++i) stop |= stop_ids[i] == token;
  if (stop) done[slot] = 1;
  if (seen != nullptr) seen[(int64)slot * seen_words + token / 32] |= 1u << (token % 32);
}
