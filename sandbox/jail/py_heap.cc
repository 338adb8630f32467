#define PY_SSIZE_T_CLEAN
#include <Python.h>

// After Python.h, which wants to be first.
#include <stdlib.h>

#include <algorithm>
#include <cstdint>
#include <functional>

#include "sandbox/jail/py_heap.h"

namespace assay::jail {
namespace {

// Of CPython's obmalloc.c, which tells them nobody: where they are others, more or fewer holes are filled, and that is all.
constexpr size_t kPoolBytes = 16 << 10;
constexpr size_t kPoolHeader = 48;
constexpr size_t kBlockMax = 512;
constexpr size_t kBlockStep = 16;

constexpr int kHolesMax = 4000;  // of one size
constexpr size_t kLargeHole = 64 << 10;
constexpr size_t kSmallHole = 24;
constexpr size_t kHoleBytesMax = 4 << 20;

// Until a block is the first of a pool of its own.
void FillSmallBlocks(size_t size) {
  for (int i = 0; i < kHolesMax; ++i) {
    void* block = PyObject_Malloc(size);
    if (block == nullptr) return;
    if (reinterpret_cast<uintptr_t>(block) % kPoolBytes == kPoolHeader) return;
  }
}

// Until a block lies behind all that there is. Larger holes first: what is left of them is filled later.
void FillLibcHoles() {
  void* last = malloc(kLargeHole);
  size_t left = kHoleBytesMax;
  for (size_t size = kLargeHole; size >= kSmallHole; size -= std::max<size_t>(size / 16, 16)) {
    for (int i = 0; i < kHolesMax && left > size; ++i) {
      void* block = malloc(size);
      if (std::less<>()(last, block)) {
        free(block);
        break;
      }
      left -= size;
    }
  }
  free(last);
}

}  // namespace

void FillHoles() {
  for (size_t size = kBlockStep; size <= kBlockMax; size += kBlockStep) FillSmallBlocks(size);
  FillLibcHoles();
}

}  // namespace assay::jail
