#define PY_SSIZE_T_CLEAN
#include <Python.h>

// After Python.h, which wants to be first.
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

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

// The interpreter's arenas lie side by side in a place of our own, as long as there is room, so that they can be huge pages.
constexpr size_t kHugeBytes = 2 << 20;
constexpr size_t kArenasBytes = 16 << 20;
char* g_arenas = nullptr;
size_t g_arenas_used = 0;

void* TakeArena(void*, size_t size) {
  if (g_arenas != nullptr && size <= kArenasBytes - g_arenas_used) {
    char* arena = g_arenas + g_arenas_used;
    g_arenas_used += size;
    return arena;
  }
  void* arena = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return arena == MAP_FAILED ? nullptr : arena;
}

void GiveArenaBack(void*, void* arena, size_t size) { munmap(arena, size); }

constexpr int kCollapse = 25;  // MADV_COLLAPSE, younger than the headers

// The pages of [begin, end) that fill whole huge pages, or nearly. Where the kernel cannot, they stay what they are.
void Collapse(uintptr_t begin, uintptr_t end) {
  begin = (begin + kHugeBytes - 1) / kHugeBytes * kHugeBytes;
  end = (end + kHugeBytes / 2) / kHugeBytes * kHugeBytes;
  for (; begin < end; begin += kHugeBytes)
    (void)madvise(reinterpret_cast<void*>(begin), kHugeBytes, kCollapse);
}

uintptr_t g_heap_begin = 0;

}  // namespace

void PlaceArenas() {
  g_heap_begin = reinterpret_cast<uintptr_t>(sbrk(0));
  const size_t room = kArenasBytes + kHugeBytes;
  void* place = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) return;
  const auto start = reinterpret_cast<uintptr_t>(place);
  const uintptr_t aligned = (start + kHugeBytes - 1) / kHugeBytes * kHugeBytes;
  if (aligned > start) munmap(place, aligned - start);
  const uintptr_t after = aligned + kArenasBytes;
  if (start + room > after) munmap(reinterpret_cast<void*>(after), start + room - after);
  g_arenas = reinterpret_cast<char*>(aligned);
  PyObjectArenaAllocator allocator = {nullptr, TakeArena, GiveArenaBack};
  PyObject_SetArenaAllocator(&allocator);
}

void PackHeap() {
  for (size_t size = kBlockStep; size <= kBlockMax; size += kBlockStep) FillSmallBlocks(size);
  FillLibcHoles();
  const auto arenas = reinterpret_cast<uintptr_t>(g_arenas);
  Collapse(arenas, arenas + g_arenas_used);
  Collapse(g_heap_begin, reinterpret_cast<uintptr_t>(sbrk(0)));
}

}  // namespace assay::jail
