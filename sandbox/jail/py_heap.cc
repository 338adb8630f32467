#define PY_SSIZE_T_CLEAN
#include <Python.h>

// After Python.h, which wants to be first.
#include <link.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <vector>

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

struct Part {
  uintptr_t begin;
  uintptr_t end;
  int protection;
};

// Code and constants of one loaded object, if it is one of those that every program runs.
int AddCode(dl_phdr_info* object, size_t, void* parts) {
  const uintptr_t wanted[] = {reinterpret_cast<uintptr_t>(&Py_IsInitialized),
                              reinterpret_cast<uintptr_t>(&malloc),
                              reinterpret_cast<uintptr_t>(&PlaceArenas)};
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  std::vector<Part> found;
  bool is_wanted = false;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = object->dlpi_phdr[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
    const uintptr_t begin = object->dlpi_addr + part.p_vaddr;
    const uintptr_t end = begin + part.p_memsz;
    for (uintptr_t address : wanted) is_wanted = is_wanted || (address >= begin && address < end);
    found.push_back({begin / page * page, (end + page - 1) / page * page,
                     PROT_READ | ((part.p_flags & PF_X) != 0 ? PROT_EXEC : 0)});
  }
  auto* all = static_cast<std::vector<Part>*>(parts);
  if (is_wanted) all->insert(all->end(), found.begin(), found.end());
  return 0;
}

std::vector<Part> Code() {
  std::vector<Part> parts;
  dl_iterate_phdr(AddCode, &parts);
  return parts;
}

// A fork copies the page tables of a mapping of a file only where one of its pages has been written to.
void WriteOnce(const Part& part) {
  void* place = reinterpret_cast<void*>(part.begin);
  if (mprotect(place, part.end - part.begin, part.protection | PROT_WRITE) != 0) return;
  auto* byte = reinterpret_cast<volatile char*>(part.begin);
  *byte = *byte;
  (void)mprotect(place, part.end - part.begin, part.protection);
}

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
  for (const Part& part : Code()) WriteOnce(part);
}

}  // namespace assay::jail
