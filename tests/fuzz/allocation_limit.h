// How much memory a decoder may hold for its input: each target states a factor of the input's size
// and a fixed part, and the allocation that goes over them ends the process.
//
// What is counted is operator new, which the programs of the fuzz targets replace. What C libraries
// (zlib, lz4, zstd) take from malloc by themselves is not.
//
// Threads: counts what its own thread takes and gives back.
#pragma once

#include <cstddef>
#include <cstdint>

namespace garam::fuzz {

// The fixed part of whatever parses protocol buffers: the library reserves what a string in a
// nested message claims to have, up to 50,000,000 bytes, before it looks whether they are there;
// besides, its tables are made at the first use.
inline constexpr size_t kProtobufBytes = 50'000'000 + (256 << 10);

class AllocationLimit {
 public:
  // One at a time. Until its end at most `input_bytes * factor + fixed_bytes` more than now may be
  // held at once.
  AllocationLimit(size_t input_bytes, size_t factor, size_t fixed_bytes);
  ~AllocationLimit();
  AllocationLimit(const AllocationLimit&) = delete;
  AllocationLimit& operator=(const AllocationLimit&) = delete;
};

}  // namespace garam::fuzz
