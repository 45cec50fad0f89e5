#include "tests/api/failing_memory.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <cstdlib>
#include <new>

namespace tidemark::testing {
namespace {

sqlite3_mem_methods system_memory;

void* Allocate(int size) {
  return allocation_countdown.Fails() ? nullptr : system_memory.xMalloc(size);
}
void* Reallocate(void* memory, int size) {
  return allocation_countdown.Fails() ? nullptr : system_memory.xRealloc(memory, size);
}

}  // namespace

void UseFailingMemory() {
  ASSERT_EQ(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &system_memory), SQLITE_OK);
  sqlite3_mem_methods methods = system_memory;
  methods.xMalloc = Allocate;
  methods.xRealloc = Reallocate;
  ASSERT_EQ(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
}

}  // namespace tidemark::testing

// Those for arrays call these.
void* operator new(size_t size) {
  if (!tidemark::testing::allocation_countdown.Fails()) {
    if (void* memory = std::malloc(std::max<size_t>(size, 1))) return memory;
  }
  throw std::bad_alloc();
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  const bool fails = tidemark::testing::allocation_countdown.Fails();
  return fails ? nullptr : std::malloc(std::max<size_t>(size, 1));
}
void* operator new(size_t size, std::align_val_t alignment) {
  const auto to = static_cast<size_t>(alignment);
  if (!tidemark::testing::allocation_countdown.Fails()) {
    if (void* memory = std::aligned_alloc(to, (size + to - 1) / to * to)) return memory;
  }
  throw std::bad_alloc();
}
// Not inlined: g++ would warn that what operator new gave is given to free().
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { operator delete(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { operator delete(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { operator delete(memory); }
