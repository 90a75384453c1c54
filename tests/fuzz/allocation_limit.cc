#include "tests/fuzz/allocation_limit.h"

#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <limits>
#include <new>

namespace garam::fuzz {
namespace {

constexpr int64_t kNoLimit = std::numeric_limits<int64_t>::max();

// What another thread frees counts there, so this may go below zero.
thread_local int64_t held_bytes = 0;
thread_local int64_t held_bytes_max = kNoLimit;

// Looks before the memory is taken: a hostile length is no matter of what the machine has.
void Foresee(size_t size) {
  if (held_bytes_max == kNoLimit) return;
  if (held_bytes <= held_bytes_max && size <= static_cast<size_t>(held_bytes_max - held_bytes)) {
    return;
  }
  held_bytes_max = kNoLimit;
  std::fprintf(stderr, "an allocation of %zu bytes goes over what the input may cost\n", size);
  std::abort();
}

void* Count(void* memory) {
  if (memory != nullptr) held_bytes += static_cast<int64_t>(malloc_usable_size(memory));
  return memory;
}

void* Take(size_t size) {
  Foresee(size);
  return Count(std::malloc(size > 0 ? size : 1));
}

void* TakeAligned(size_t size, std::align_val_t alignment) {
  Foresee(size);
  const size_t step = static_cast<size_t>(alignment);
  return Count(std::aligned_alloc(step, (size + step - 1) / step * step));
}

void* OrThrow(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void Give(void* memory) {
  if (memory == nullptr) return;
  held_bytes -= static_cast<int64_t>(malloc_usable_size(memory));
  std::free(memory);
}

}  // namespace

AllocationLimit::AllocationLimit(size_t input_bytes, size_t factor, size_t fixed_bytes) {
  held_bytes_max = held_bytes + static_cast<int64_t>(input_bytes * factor + fixed_bytes);
}

AllocationLimit::~AllocationLimit() { held_bytes_max = kNoLimit; }

}  // namespace garam::fuzz

// All of them: a sanitizer's runtime brings the others along, and they do not count.
using garam::fuzz::Give;
using garam::fuzz::OrThrow;
using garam::fuzz::Take;
using garam::fuzz::TakeAligned;

void* operator new(size_t size) { return OrThrow(Take(size)); }
void* operator new[](size_t size) { return OrThrow(Take(size)); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return Take(size); }
void* operator new[](size_t size, const std::nothrow_t&) noexcept { return Take(size); }
void* operator new(size_t size, std::align_val_t a) { return OrThrow(TakeAligned(size, a)); }
void* operator new[](size_t size, std::align_val_t a) { return OrThrow(TakeAligned(size, a)); }
void* operator new(size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return TakeAligned(size, a);
}
void* operator new[](size_t size, std::align_val_t a, const std::nothrow_t&) noexcept {
  return TakeAligned(size, a);
}
void operator delete(void* memory) noexcept { Give(memory); }
void operator delete[](void* memory) noexcept { Give(memory); }
void operator delete(void* memory, size_t) noexcept { Give(memory); }
void operator delete[](void* memory, size_t) noexcept { Give(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { Give(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { Give(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { Give(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { Give(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { Give(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { Give(memory); }
