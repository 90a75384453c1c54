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
#include <string_view>

namespace garam::fuzz {

class AllocationLimit {
 public:
  // One at a time. Until its end at most `input_bytes * factor + fixed_bytes` more than now may be
  // held at once.
  AllocationLimit(size_t input_bytes, size_t factor, size_t fixed_bytes);
  ~AllocationLimit();
  AllocationLimit(const AllocationLimit&) = delete;
  AllocationLimit& operator=(const AllocationLimit&) = delete;
};

// The fixed part for what parses `bytes` as a protocol buffer. The library reserves what a string
// in a nested message claims to have, up to 50,000,000 bytes, before it looks whether they are
// there: so a message that is whole, and claims nothing, is held to far less than one that is not.
template <class Message>
size_t FixedBytesOf(std::string_view bytes) {
  constexpr size_t kReservedBytesMax = 50'000'000;
  constexpr size_t kFixedBytes = 64 << 10;
  Message message;
  const bool whole = message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()));
  return whole ? kFixedBytes : kFixedBytes + kReservedBytesMax;
}

}  // namespace garam::fuzz
