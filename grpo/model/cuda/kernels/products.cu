// The matrix products of a decoding step for few rows of a small model, each with what stands before and behind it in one kernel:
// such a step is bound by the number of its kernels, not by their work. bfloat16 only. out = f(A W^T) for A [rows, K], W [N, K].
// Macros as in decode.cu, INNER, and FUSED: 1 if the shapes suit (HIDDEN, INNER, all heads' width multiples of 64).
#if FUSED
#define CHUNK 64  // columns of A and W that a stage holds: 128 bytes a row, eight 16-byte pieces, swizzled by the row

enum Kind { kHeads, kGateUp, kResidual };

__device__ __forceinline__ uint32 SharedAddress(const void* p) {
  return (uint32)__cvta_generic_to_shared(p);
}
__device__ __forceinline__ uint32 Place(int row, int piece) {
  return (uint32)(row * 128 + ((piece ^ (row & 7)) * 16));
}
// 16 bytes without registers; zeros where `valid` is false.
__device__ __forceinline__ void CopyAsync(uint32 to, const void* from, bool valid) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
               "r"(valid ? 16 : 0)
               : "memory");
}
__device__ __forceinline__ void CommitCopies() { asm volatile("cp.async.commit_group;" ::: "memory"); }
template <int LEFT>
__device__ __forceinline__ void WaitCopies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(LEFT) : "memory");
}
__device__ __forceinline__ void LoadMatrix(uint32 address, uint32* r) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(address)
               : "memory");
}
__device__ __forceinline__ void MultiplyAdd(float* c, const uint32* a, uint32 b0, uint32 b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
      "{%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// norm(x) * weight of BM rows as the whole A in shared memory, a chunk of columns after the other. Four rows a warp at a time.
template <int BM, int THREADS>
__device__ __forceinline__ void NormRows(const float* x, const float* weight, int first, int rows,
                                         unsigned char* a) {
  const int lane = threadIdx.x % 32;
  for (int base = threadIdx.x / 32 * 4; base < BM; base += THREADS / 32 * 4) {
    float2 v[4][HIDDEN / 64];
    float scale[4];
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      const bool valid = first + base + r < rows;
      const float* from = x + (int64)(valid ? first + base + r : 0) * HIDDEN;
#pragma unroll
      for (int j = 0; j < HIDDEN / 64; ++j) v[r][j] = *(const float2*)(from + j * 64 + lane * 2);
    }
#pragma unroll
    for (int r = 0; r < 4; ++r) {
      float squares = 0;
#pragma unroll
      for (int j = 0; j < HIDDEN / 64; ++j) squares += v[r][j].x * v[r][j].x + v[r][j].y * v[r][j].y;
      scale[r] = rsqrtf(WarpSum(squares) / HIDDEN + (float)EPS);
    }
#pragma unroll
    for (int j = 0; j < HIDDEN / 64; ++j) {
      const float2 w = *(const float2*)(weight + j * 64 + lane * 2);
#pragma unroll
      for (int r = 0; r < 4; ++r) {
        *(uint32*)(a + j * BM * 128 + Place(base + r, lane / 4) + lane % 4 * 4) =
            Pack2(v[r][j].x * scale[r] * w.x, v[r][j].y * scale[r] * w.y);
      }
    }
  }
}

// One BM x BN tile of the result by 32 * WM * WN * WK threads: warps stand WM x WN over 32 x 32 pieces of it and share the columns of
// each chunk WK ways. The first stages of W are on their way before the kernel in front has ended.
template <int KIND, int BM, int BN, int WM, int WN, int WK, int K>
__device__ __forceinline__ void Product(const float* x_in, const float* norm, const T* a_in,
                                        const T* weight, int rows, int width, float* x_out,
                                        T* out) {
  constexpr int THREADS = 32 * WM * WN * WK, STAGES = 4, TILES = K / CHUNK;
  constexpr bool kNorm = KIND != kResidual;
  extern __shared__ __align__(128) unsigned char memory[];
  unsigned char* const a_whole = memory;  // with a norm: all chunks of A; else its stages
  unsigned char* const b_stages = memory + (kNorm ? TILES : STAGES) * BM * 128;
  const uint32 a_base = SharedAddress(a_whole), b_base = SharedAddress(b_stages);
  const int first_row = blockIdx.y * BM;
  const auto load_b = [&](int tile) {
    const uint32 to = b_base + tile % STAGES * BN * 128;
    for (int i = threadIdx.x; i < BN * 8; i += THREADS) {
      const int n = i / 8;
      // A gate-up tile has its gates left and the same columns of `up` right.
      const int row = KIND == kGateUp
                          ? (n < BN / 2 ? 0 : INNER - BN / 2) + (int)blockIdx.x * (BN / 2) + n
                          : (int)blockIdx.x * BN + n;
      CopyAsync(to + Place(n, i % 8), weight + (int64)row * K + tile * CHUNK + i % 8 * 8, true);
    }
  };
  const auto load_a = [&](int tile) {
    const uint32 to = a_base + tile % STAGES * BM * 128;
    for (int i = threadIdx.x; i < BM * 8; i += THREADS) {
      const bool valid = first_row + i / 8 < rows;
      CopyAsync(to + Place(i / 8, i % 8),
                a_in + (int64)(valid ? first_row + i / 8 : 0) * K + tile * CHUNK + i % 8 * 8, valid);
    }
  };
#pragma unroll
  for (int tile = 0; tile < STAGES - 1 && tile < TILES; ++tile) load_b(tile);
  WaitForLast();
#pragma unroll
  for (int tile = 0; tile < STAGES - 1; ++tile) {
    if (!kNorm && tile < TILES) load_a(tile);
    CommitCopies();
  }
  if (kNorm) NormRows<BM, THREADS>(x_in, norm, first_row, rows, a_whole);

  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
  const int wk = warp % WK, wn = warp / WK % WN, wm = warp / (WK * WN);
  float sum[2][4][4];
#pragma unroll
  for (int i = 0; i < 32; ++i) sum[i / 16][i / 4 % 4][i % 4] = 0;
  for (int tile = 0; tile < TILES; ++tile) {
    WaitCopies<STAGES - 2>();
    __syncthreads();
    if (tile + STAGES - 1 < TILES) {
      load_b(tile + STAGES - 1);
      if (!kNorm) load_a(tile + STAGES - 1);
    }
    CommitCopies();
    const uint32 a = a_base + (kNorm ? tile : tile % STAGES) * BM * 128;
    const uint32 b = b_base + tile % STAGES * BN * 128;
#pragma unroll
    for (int k = wk; k < CHUNK / 16; k += WK) {
      uint32 left[2][4], right[2][4];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        LoadMatrix(a + Place(wm * 32 + i * 16 + lane % 16, k * 2 + lane / 16), left[i]);
        LoadMatrix(b + Place(wn * 32 + i * 16 + lane % 8 + lane / 16 * 8, k * 2 + lane / 8 % 2),
                   right[i]);
      }
#pragma unroll
      for (int i = 0; i < 2; ++i) {
#pragma unroll
        for (int j = 0; j < 4; ++j)
          MultiplyAdd(sum[i][j], left[i], right[j / 2][j % 2 * 2], right[j / 2][j % 2 * 2 + 1]);
      }
    }
  }
  WaitCopies<0>();
  __syncthreads();

  // The shares of the WK warps over one piece come together in shared memory, where A and W no longer stand.
  float* const shares = (float*)memory;  // [WK, BM, BN]
#pragma unroll
  for (int i = 0; i < 2; ++i) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {
      const int row = wm * 32 + i * 16 + lane / 4, column = wn * 32 + j * 8 + lane % 4 * 2;
      float* to = shares + (wk * BM + row) * BN + column;
      *(float2*)to = make_float2(sum[i][j][0], sum[i][j][1]);
      *(float2*)(to + 8 * BN) = make_float2(sum[i][j][2], sum[i][j][3]);
    }
  }
  __syncthreads();
  const auto total = [&](int row, int column) {
    float2 all = make_float2(0, 0);
#pragma unroll
    for (int share = 0; share < WK; ++share) {
      const float2 part = *(const float2*)(shares + (share * BM + row) * BN + column);
      all.x += part.x, all.y += part.y;
    }
    return all;
  };
  constexpr int COLUMNS = KIND == kGateUp ? BN / 2 : BN;
  for (int i = threadIdx.x; i < BM * COLUMNS / 2; i += THREADS) {
    const int m = i / (COLUMNS / 2), n = i % (COLUMNS / 2) * 2;
    const int64 row = first_row + m;
    if (row >= rows) continue;
    const int64 at = row * width + (int64)blockIdx.x * COLUMNS + n;
    const float2 value = total(m, n);
    if (KIND == kHeads) {
      *(uint32*)(out + at) = Pack2(value.x, value.y);
    } else if (KIND == kResidual) {
      float2 x = *(float2*)(x_out + at);
      x.x += Round(value.x), x.y += Round(value.y);
      *(float2*)(x_out + at) = x;
    } else {
      const float2 up = total(m, n + BN / 2);
      const float left = Round(value.x), right = Round(value.y);
      *(uint32*)(out + at) = Pack2(Round(left / (1 + __expf(-left))) * Round(up.x),
                                   Round(right / (1 + __expf(-right))) * Round(up.y));
    }
  }
}

// Queries, keys and values of norm(x).
extern "C" __global__ void __launch_bounds__(256)
HeadsProduct(const float* x, const float* norm, const T* weight, int rows, T* out) {
  Product<kHeads, 32, 64, 1, 2, 4, HIDDEN>(x, norm, nullptr, weight, rows, WIDTH, nullptr, out);
}
// silu(gate) * up of norm(x); weight [2 * INNER, HIDDEN].
extern "C" __global__ void __launch_bounds__(256)
GateUpProduct(const float* x, const float* norm, const T* weight, int rows, T* out) {
  Product<kGateUp, 64, 64, 2, 2, 2, HIDDEN>(x, norm, nullptr, weight, rows, INNER, nullptr, out);
}
// x += A W^T.
extern "C" __global__ void __launch_bounds__(128)
AttentionOut(const T* a, const T* weight, int rows, float* x) {
  Product<kResidual, 32, 32, 1, 1, 4, HEADS * HEAD_DIM>(nullptr, nullptr, a, weight, rows, HIDDEN,
                                                        x, nullptr);
}
extern "C" __global__ void __launch_bounds__(128)
MlpOut(const T* a, const T* weight, int rows, float* x) {
  Product<kResidual, 32, 32, 1, 1, 4, INNER>(nullptr, nullptr, a, weight, rows, HIDDEN, x,
                                             nullptr);
}
#endif
