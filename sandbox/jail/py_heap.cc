#define PY_SSIZE_T_CLEAN
#include <Python.h>

// After Python.h, which wants to be first.
#include <link.h>
#include <stdlib.h>
#include <string.h>
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

uintptr_t NextHugePage(uintptr_t address) {
  return (address + kHugeBytes - 1) / kHugeBytes * kHugeBytes;
}

constexpr int kCollapse = 25;  // MADV_COLLAPSE, younger than the headers

// The pages of [begin, end) that fill whole huge pages, or nearly. Where the kernel cannot, they stay what they are.
void Collapse(uintptr_t begin, uintptr_t end) {
  begin = NextHugePage(begin);
  end = (end + kHugeBytes / 2) / kHugeBytes * kHugeBytes;
  for (; begin < end; begin += kHugeBytes)
    (void)madvise(reinterpret_cast<void*>(begin), kHugeBytes, kCollapse);
}

uintptr_t g_heap_begin = 0;

// What libc's heap gets from now on begins with a huge page. Returns where.
uintptr_t AlignHeap() {
  const auto now = reinterpret_cast<uintptr_t>(sbrk(0));
  const uintptr_t next = NextHugePage(now);
  return sbrk(static_cast<intptr_t>(next - now)) == reinterpret_cast<void*>(-1) ? now : next;
}

constexpr size_t kRestBlock = 4000;

// libc's heap goes on behind the next huge page: what the zygote itself writes from now on does not split those that it shares with
// its children.
void LeaveHeap() {
  const uintptr_t end = AlignHeap();
  for (size_t left = kHoleBytesMax; left > kRestBlock; left -= kRestBlock) {
    void* block = malloc(kRestBlock);
    if (reinterpret_cast<uintptr_t>(block) < end && block != nullptr) continue;
    free(block);
    return;
  }
}

struct Part {
  uintptr_t begin;
  uintptr_t end;
  int protection;
};

uintptr_t PageBytes() {
  static const auto bytes = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  return bytes;
}
uintptr_t PageBefore(uintptr_t address) { return address / PageBytes() * PageBytes(); }
uintptr_t PageAfter(uintptr_t address) { return PageBefore(address + PageBytes() - 1); }

// Of the loaded objects that every program runs, what nobody writes to: code, constants, and what was constant when the loader had
// done.
struct Code {
  std::vector<Part> parts;
  std::vector<Part> interpreter;  // the same of its own object, side by side
};

// One loaded object, if it is one of those.
int AddCode(dl_phdr_info* object, size_t, void* code) {
  const uintptr_t wanted[] = {reinterpret_cast<uintptr_t>(&Py_IsInitialized),
                              reinterpret_cast<uintptr_t>(&malloc),
                              reinterpret_cast<uintptr_t>(&PlaceArenas)};
  std::vector<Part> found;
  Part constant = {};  // relocated, and read-only since
  bool holds[3] = {};
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const ElfW(Phdr)& part = object->dlpi_phdr[i];
    const uintptr_t begin = object->dlpi_addr + part.p_vaddr;
    const uintptr_t end = begin + part.p_memsz;
    if (part.p_type == PT_GNU_RELRO) constant = {PageBefore(begin), PageBefore(end), PROT_READ};
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
    for (int w = 0; w < 3; ++w) holds[w] = holds[w] || (wanted[w] >= begin && wanted[w] < end);
    found.push_back({PageBefore(begin), PageAfter(end),
                     PROT_READ | ((part.p_flags & PF_X) != 0 ? PROT_EXEC : 0)});
  }
  auto* all = static_cast<Code*>(code);
  if (holds[0] || holds[1] || holds[2])
    all->parts.insert(all->parts.end(), found.begin(), found.end());
  if (!holds[0]) return 0;
  found.push_back(constant);
  for (const Part& part : found) {
    if (!all->interpreter.empty() && all->interpreter.back().end != part.begin) break;
    all->interpreter.push_back(part);
  }
  return 0;
}

Code FindCode() {
  Code code;
  dl_iterate_phdr(AddCode, &code);
  return code;
}

// A copy of [begin, begin + kHugeBytes) in one huge page takes its place. False: the kernel has none.
bool MoveToHugePage(uintptr_t begin, int protection) {
  void* room =
      mmap(nullptr, 2 * kHugeBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return false;
  const auto start = reinterpret_cast<uintptr_t>(room);
  void* copy = reinterpret_cast<void*>(NextHugePage(start));
  (void)madvise(copy, kHugeBytes, MADV_HUGEPAGE);
  memcpy(copy, reinterpret_cast<void*>(begin), kHugeBytes);
  const bool moved = madvise(copy, kHugeBytes, kCollapse) == 0 &&
                     mprotect(copy, kHugeBytes, protection) == 0 &&
                     mremap(copy, kHugeBytes, kHugeBytes, MREMAP_MAYMOVE | MREMAP_FIXED,
                            reinterpret_cast<void*>(begin)) != MAP_FAILED;
  munmap(room, 2 * kHugeBytes);
  return moved;
}

// Code and constants of the interpreter, as far as they fill huge pages. Constants that share one with code can be executed then.
// Returns what lies in such pages.
Part MoveInterpreter(const std::vector<Part>& parts) {
  Part moved = {};
  if (parts.empty()) return moved;
  const uintptr_t end = parts.back().end;
  uintptr_t at = NextHugePage(parts.front().begin);
  moved.begin = moved.end = at;
  for (; at + kHugeBytes <= end; at += kHugeBytes) {
    int protection = 0;
    for (const Part& part : parts) {
      if (part.begin < at + kHugeBytes && part.end > at) protection |= part.protection;
    }
    if (!MoveToHugePage(at, protection)) break;
    moved.end = at + kHugeBytes;
  }
  return moved;
}

// A fork copies the page tables of a mapping of a file only where one of its pages has been written to.
void WriteOnce(uintptr_t begin, uintptr_t end, int protection) {
  if (begin >= end) return;
  void* place = reinterpret_cast<void*>(begin);
  if (mprotect(place, end - begin, protection | PROT_WRITE) != 0) return;
  auto* byte = reinterpret_cast<volatile char*>(begin);
  *byte = *byte;
  (void)mprotect(place, end - begin, protection);
}

}  // namespace

void PlaceArenas() {
  g_heap_begin = AlignHeap();
  const size_t room = kArenasBytes + kHugeBytes;
  void* place = mmap(nullptr, room, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) return;
  const auto start = reinterpret_cast<uintptr_t>(place);
  const uintptr_t aligned = NextHugePage(start);
  if (aligned > start) munmap(place, aligned - start);
  const uintptr_t after = aligned + kArenasBytes;
  if (start + room > after) munmap(reinterpret_cast<void*>(after), start + room - after);
  g_arenas = reinterpret_cast<char*>(aligned);
  PyObjectArenaAllocator allocator = {nullptr, TakeArena, GiveArenaBack};
  PyObject_SetArenaAllocator(&allocator);
}

void PackHeap(bool often) {
  for (size_t size = kBlockStep; size <= kBlockMax; size += kBlockStep) FillSmallBlocks(size);
  FillLibcHoles();
  const auto heap_end = reinterpret_cast<uintptr_t>(sbrk(0));
  LeaveHeap();
  const auto arenas = reinterpret_cast<uintptr_t>(g_arenas);
  Collapse(arenas, arenas + g_arenas_used);
  Collapse(g_heap_begin, heap_end);
  const Code code = FindCode();
  const Part moved = often ? MoveInterpreter(code.interpreter) : Part{};
  for (const Part& part : code.parts) {
    WriteOnce(part.begin, std::min(part.end, std::max(part.begin, moved.begin)), part.protection);
    WriteOnce(std::max(part.begin, moved.end), part.end, part.protection);
  }
}

}  // namespace assay::jail
