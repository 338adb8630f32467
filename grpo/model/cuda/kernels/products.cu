// The matrix products of a decoding step for few rows of a small model, each with what stands before and behind it: such a step is
// bound by the number of its kernels and by how long each waits for memory, not by their work. out = f(A W^T) for A [rows, K] and
// W [N, K] in bfloat16. A norm is shared out: who adds to the residual stream leaves bf16(x * weight) and the sums of squares of its
// columns, who multiplies scales a row of its result by 1 / rms. Blocks take their weights to shared memory while the kernel before
// them still runs. Macros: HIDDEN, INNER, HEADS, KV_HEADS, HEAD_DIM, EPS; FUSED: 1 if the shapes suit (CudaDecoder::Fuses).
#if FUSED
#define OUT_TILE (HIDDEN % 48 == 0 ? 48 : 64)   // columns of a block that adds to the stream
#define GATE_TILE (INNER % 48 == 0 ? 48 : 32)   // gates of a block
#define NORM_TILES (HIDDEN / OUT_TILE)          // sums of squares of a row
#define PRODUCT_ROOM 188416                     // bytes of shared memory for stages
#define PRODUCT_THREADS 256

enum Kind { kHeads, kGateUp, kResidual };

// Columns of A and W come in phases, of which so many fit into shared memory at one time (ProductShared in cuda_decoder.cc).
template <int K, int BM, int BN>
struct Stages {
  static constexpr int kColumns = K % 192 == 0 ? 192 : K % 128 == 0 ? 128 : 64;
  static constexpr int kPhases = K / kColumns;
  static constexpr int kBytes = (BM + BN) * kColumns * 2;
  static constexpr int kCount = kPhases < PRODUCT_ROOM / kBytes ? kPhases : PRODUCT_ROOM / kBytes;
};

// 16 bytes without registers; zeros where `valid` is false.
__device__ __forceinline__ void CopyPiece(uint32 to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
               "r"(valid ? 16 : 0)
               : "memory");
}
__device__ __forceinline__ void EndPhase() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int LEFT>
__device__ __forceinline__ void AwaitPhase() {
  asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
}
__device__ __forceinline__ void LoadFour(uint32 address, uint32* r) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}
__device__ __forceinline__ void LoadTwo(uint32 address, uint32* r) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
               : "=r"(r[0]), "=r"(r[1])
               : "r"(address)
               : "memory");
}
__device__ __forceinline__ void MultiplyAdd(float* c, const uint32* a, const uint32* b) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// Where a phase has eight elements of a row: eight rows of one piece lie in eight banks.
template <int COLUMNS>
__device__ __forceinline__ uint32 PieceAt(int row, int piece) {
  return (uint32)(row * COLUMNS * 2 + ((piece & ~7) | ((piece ^ row) & 7)) * 16);
}

// A tile's sums, of the WK warps that share its columns of A; rows are eight floats apart from being side by side, so that what a
// warp writes lies in all banks.
template <int BM, int BN, int WK>
__device__ __forceinline__ float2 TileSum(const float* shares, int row, int column) {
  float2 all = make_float2(0, 0);
#pragma unroll
  for (int share = 0; share < WK; ++share) {
    const float2 part = *(const float2*)(shares + (share * BM + row) * (BN + 8) + column);
    all.x += part.x, all.y += part.y;
  }
  return all;
}

struct Stream {           // the residual stream, by row
  float* x;               // [rows, HIDDEN]
  T* scaled;              // [rows, HIDDEN]: x * weight, without 1 / rms
  float* squares;         // [NORM_TILES, rows]
  const float* weight;    // of the norm that comes next
};

__device__ __forceinline__ float InverseRms(const float* squares, int row, int rows) {
  float sum = 0;
#pragma unroll
  for (int tile = 0; tile < NORM_TILES; ++tile) sum += __ldcg(squares + tile * rows + row);
  return rsqrtf(sum / HIDDEN + (float)EPS);
}

// The block's tile of the sum: x += it, and what the next norm's reader wants. Eight threads a row.
template <int BM, int BN, int WK>
__device__ __forceinline__ void AddToStream(const float* shares, float2 (*before)[BN / 16], int rows,
                                            const Stream& stream) {
  static_assert(BM * 8 == PRODUCT_THREADS, "eight threads a row");
  const int m = threadIdx.x / 8, row = blockIdx.y * BM + m;
  float squares = 0;
#pragma unroll
  for (int i = 0; i < BN / 16; ++i) {
    const int n = i * 16 + threadIdx.x % 8 * 2;
    const int column = blockIdx.x * BN + n;
    const float2 sum = TileSum<BM, BN, WK>(shares, m, n);
    const float2 weight = *(const float2*)(stream.weight + column);
    float2 x = (*before)[i];
    x.x += Round(sum.x), x.y += Round(sum.y);
    squares += x.x * x.x + x.y * x.y;
    if (row >= rows) continue;
    const int64 at = (int64)row * HIDDEN + column;
    *(float2*)(stream.x + at) = x;
    *(uint32*)(stream.scaled + at) = Pack2(x.x * weight.x, x.y * weight.y);
  }
#pragma unroll
  for (int k = 1; k < 8; k <<= 1) squares += __shfl_xor_sync(0xffffffffu, squares, k);
  if (threadIdx.x % 8 == 0 && row < rows) stream.squares[(int64)blockIdx.x * rows + row] = squares;
}

// Queries, keys and values, or silu(gate) * up: a gate-up tile has its gates left and the same columns of `up` right.
template <int KIND, int BM, int BN, int WK>
__device__ __forceinline__ void WriteTile(const float* shares, const float* scale, int rows,
                                          int width, T* out) {
  constexpr int kColumns = KIND == kGateUp ? BN / 2 : BN;
  for (int i = threadIdx.x; i < BM * kColumns / 2; i += PRODUCT_THREADS) {
    const int m = i / (kColumns / 2), n = i % (kColumns / 2) * 2;
    const int64 row = blockIdx.y * BM + m;
    if (row >= rows) continue;
    float2 value = TileSum<BM, BN, WK>(shares, m, n);
    value.x *= scale[m], value.y *= scale[m];
    if (KIND == kGateUp) {
      const float2 up = TileSum<BM, BN, WK>(shares, m, n + BN / 2);
      const float left = Round(value.x), right = Round(value.y);
      value.x = Round(left / (1 + __expf(-left))) * Round(up.x * scale[m]);
      value.y = Round(right / (1 + __expf(-right))) * Round(up.y * scale[m]);
    }
    *(uint32*)(out + row * width + (int64)blockIdx.x * kColumns + n) = Pack2(value.x, value.y);
  }
}

// A block's tile: BM x BN of the result, warps stand WM x WN over its parts and share the columns of a phase WK ways.
template <int KIND_, int K_, int BM_, int BN_, int WM_, int WN_, int WK_>
struct Tiling {
  static constexpr int KIND = KIND_, K = K_, BM = BM_, BN = BN_, WM = WM_, WN = WN_, WK = WK_;
  static constexpr int kDown = BM / WM / 16, kAcross = BN / WN / 8;  // pieces of a warp
  static constexpr int kColumns = Stages<K, BM, BN>::kColumns, kPieces = kColumns / 8;
  static_assert(32 * WM * WN * WK == PRODUCT_THREADS, "all warps");
};

// A phase of W's rows that make this block's columns, or of its rows of A, on the way to shared memory.
template <typename Tile>
__device__ __forceinline__ void LoadWeights(uint32 to, const T* weight, int phase) {
  for (int i = threadIdx.x; i < Tile::BN * Tile::kPieces; i += PRODUCT_THREADS) {
    const int n = i / Tile::kPieces, piece = i % Tile::kPieces;
    const int row = Tile::KIND == kGateUp ? (n < Tile::BN / 2 ? 0 : INNER - Tile::BN / 2) +
                                                (int)blockIdx.x * (Tile::BN / 2) + n
                                          : (int)blockIdx.x * Tile::BN + n;
    CopyPiece(to + PieceAt<Tile::kColumns>(n, piece),
              weight + (int64)row * Tile::K + phase * Tile::kColumns + piece * 8, true);
  }
}
template <typename Tile>
__device__ __forceinline__ void LoadRows(uint32 to, const T* a, int rows, int phase) {
  for (int i = threadIdx.x; i < Tile::BM * Tile::kPieces; i += PRODUCT_THREADS) {
    const int m = i / Tile::kPieces, piece = i % Tile::kPieces;
    const int row = blockIdx.y * Tile::BM + m;
    CopyPiece(to + PieceAt<Tile::kColumns>(m, piece),
              a + (int64)(row < rows ? row : 0) * Tile::K + phase * Tile::kColumns + piece * 8,
              row < rows);
  }
}

// This warp's part of a phase that has arrived: A at `a`, W at `b`.
template <typename Tile>
__device__ __forceinline__ void MultiplyPhase(uint32 a, uint32 b,
                                              float (*sum)[Tile::kAcross][4]) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int wk = warp % Tile::WK, wn = warp / Tile::WK % Tile::WN;
  const int down = warp / (Tile::WK * Tile::WN) * Tile::kDown, across = wn * Tile::kAcross;
#pragma unroll
  for (int i = 0; i < Tile::kColumns / 16 / Tile::WK; ++i) {
    const int k = i * Tile::WK + wk;
    uint32 left[Tile::kDown][4], right[Tile::kAcross][2];
#pragma unroll
    for (int m = 0; m < Tile::kDown; ++m)
      LoadFour(a + PieceAt<Tile::kColumns>((down + m) * 16 + lane % 16, k * 2 + lane / 16), left[m]);
#pragma unroll
    for (int n = 0; n + 1 < Tile::kAcross; n += 2)
      LoadFour(b + PieceAt<Tile::kColumns>((across + n) * 8 + lane % 8 + lane / 16 * 8,
                                           k * 2 + lane / 8 % 2),
               right[n]);
    if (Tile::kAcross % 2 == 1)
      LoadTwo(b + PieceAt<Tile::kColumns>((across + Tile::kAcross - 1) * 8 + lane % 8,
                                          k * 2 + lane / 8 % 2),
              right[Tile::kAcross - 1]);
#pragma unroll
    for (int m = 0; m < Tile::kDown; ++m) {
#pragma unroll
      for (int n = 0; n < Tile::kAcross; ++n) MultiplyAdd(sum[m][n], left[m], right[n]);
    }
  }
}

// This warp's sums where TileSum reads them.
template <typename Tile>
__device__ __forceinline__ void LeaveSums(const float (*sum)[Tile::kAcross][4], float* shares) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int wk = warp % Tile::WK, wn = warp / Tile::WK % Tile::WN;
  const int wm = warp / (Tile::WK * Tile::WN);
#pragma unroll
  for (int m = 0; m < Tile::kDown; ++m) {
#pragma unroll
    for (int n = 0; n < Tile::kAcross; ++n) {
      const int row = (wm * Tile::kDown + m) * 16 + lane / 4;
      const int column = (wn * Tile::kAcross + n) * 8 + lane % 4 * 2;
      float* const to = shares + (wk * Tile::BM + row) * (Tile::BN + 8) + column;
      *(float2*)to = make_float2(sum[m][n][0], sum[m][n][1]);
      *(float2*)(to + 8 * (Tile::BN + 8)) = make_float2(sum[m][n][2], sum[m][n][3]);
    }
  }
}

template <typename Tile>
__device__ __forceinline__ void Product(const T* a_in, const T* weight, int rows, int width,
                                        const Stream& stream, T* out) {
  constexpr int BM = Tile::BM, BN = Tile::BN, WK = Tile::WK;
  using S = Stages<Tile::K, BM, BN>;
  extern __shared__ __align__(128) unsigned char memory[];
  __shared__ float scale[BM];
  const uint32 base = (uint32)__cvta_generic_to_shared(memory);
  const auto rows_at = [&](int phase) { return base + phase % S::kCount * S::kBytes; };
  const auto weights_at = [&](int phase) { return rows_at(phase) + BM * S::kColumns * 2; };
  for (int phase = 0; phase < S::kCount; ++phase)
    LoadWeights<Tile>(weights_at(phase), weight, phase);
  float2 before[BN / 16];  // of the stream, which the kernel in front does not write
  if (Tile::KIND == kResidual) {
    const int row = min((int)blockIdx.y * BM + (int)threadIdx.x / 8, rows - 1);
#pragma unroll
    for (int i = 0; i < BN / 16; ++i)
      before[i] = __ldcg((const float2*)(stream.x + (int64)row * HIDDEN + blockIdx.x * BN + i * 16 +
                                         threadIdx.x % 8 * 2));
  }
  WaitForLast();
  for (int phase = 0; phase < S::kCount; ++phase)
    LoadRows<Tile>(rows_at(phase), a_in, rows, phase), EndPhase();
  if (Tile::KIND != kResidual && threadIdx.x < BM)
    scale[threadIdx.x] =
        InverseRms(stream.squares, min((int)blockIdx.y * BM + (int)threadIdx.x, rows - 1), rows);

  float sum[Tile::kDown][Tile::kAcross][4];
#pragma unroll
  for (int i = 0; i < Tile::kDown * Tile::kAcross * 4; ++i)
    sum[i / (Tile::kAcross * 4)][i / 4 % Tile::kAcross][i % 4] = 0;
  for (int phase = 0; phase < S::kPhases; ++phase) {
    AwaitPhase<S::kCount - 1>();
    __syncthreads();
    MultiplyPhase<Tile>(rows_at(phase), weights_at(phase), sum);
    const int next = phase + S::kCount;
    if (next < S::kPhases) {
      __syncthreads();
      LoadWeights<Tile>(weights_at(next), weight, next), LoadRows<Tile>(rows_at(next), a_in, rows, next);
    }
    EndPhase();
  }
  __syncthreads();
  // The sums come together where A and W no longer stand.
  LeaveSums<Tile>(sum, (float*)memory);
  __syncthreads();
  if constexpr (Tile::KIND == kResidual)
    AddToStream<BM, BN, WK>((float*)memory, &before, rows, stream);
  else
    WriteTile<Tile::KIND, BM, BN, WK>((float*)memory, scale, rows, width, out);
}

// x = embedding of each row's newest token, and what the first norm's reader wants. A block a row.
extern "C" __global__ void __launch_bounds__(128)
EmbedStream(const int* slots, const int* tokens, const T* embed, Stream stream) {
  __shared__ float scratch[32];
  WaitForLast();
  const int row = blockIdx.x, rows = gridDim.x;
  const int slot = slots[row];
  const T* const from = embed + (int64)(slot < 0 ? 0 : tokens[slot]) * HIDDEN;
  float squares = 0;
  for (int i = threadIdx.x * 8; i < HIDDEN; i += 128 * 8) {
    float x[8], weight[8];
    Load8(from + i, x);
    Load8(stream.weight + i, weight);
    Store8(stream.x + (int64)row * HIDDEN + i, x);
    for (int k = 0; k < 8; ++k) squares += x[k] * x[k], weight[k] *= x[k];
    Store8(stream.scaled + (int64)row * HIDDEN + i, weight);
  }
  squares = BlockSum(squares, scratch);
  if (threadIdx.x < NORM_TILES)
    stream.squares[(int64)threadIdx.x * rows + row] = threadIdx.x == 0 ? squares : 0;
}

extern "C" __global__ void __launch_bounds__(PRODUCT_THREADS)
HeadsProduct(Stream stream, const T* weight, int rows, T* out) {
  constexpr int kWidth = (HEADS + 2 * KV_HEADS) * HEAD_DIM;
  Product<Tiling<kHeads, HIDDEN, 32, 64, 1, 2, 4>>(stream.scaled, weight, rows, kWidth, stream, out);
}
// Of weight [2 * INNER, HIDDEN].
extern "C" __global__ void __launch_bounds__(PRODUCT_THREADS)
GateUpProduct(Stream stream, const T* weight, int rows, T* out) {
  Product<Tiling<kGateUp, HIDDEN, 64, 2 * GATE_TILE, 2, 2, 2>>(stream.scaled, weight, rows, INNER,
                                                               stream, out);
}
extern "C" __global__ void __launch_bounds__(PRODUCT_THREADS)
AttentionOut(Stream stream, const T* attended, const T* weight, int rows) {
  Product<Tiling<kResidual, HEADS * HEAD_DIM, 32, OUT_TILE, 1, 2, 4>>(attended, weight, rows, HIDDEN,
                                                                      stream, nullptr);
}
extern "C" __global__ void __launch_bounds__(PRODUCT_THREADS)
MlpOut(Stream stream, const T* inner, const T* weight, int rows) {
  Product<Tiling<kResidual, INNER, 32, OUT_TILE, 1, 2, 4>>(inner, weight, rows, HIDDEN, stream,
                                                           nullptr);
}
#endif
