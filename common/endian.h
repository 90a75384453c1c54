// Big-endian loads and stores at any address: the byte order of Kafka's formats and of ours.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>

namespace garam {

template <std::integral T>
constexpr T SwapBigEndian(T value) {
  if constexpr (sizeof(T) == 1 || std::endian::native == std::endian::big) return value;
  if constexpr (sizeof(T) == 2)
    return static_cast<T>(__builtin_bswap16(static_cast<uint16_t>(value)));
  if constexpr (sizeof(T) == 4)
    return static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
  if constexpr (sizeof(T) == 8)
    return static_cast<T>(__builtin_bswap64(static_cast<uint64_t>(value)));
}

template <std::integral T>
T LoadBigEndian(const char* at) {
  T value;
  std::memcpy(&value, at, sizeof(value));
  return SwapBigEndian(value);
}

template <std::integral T>
void StoreBigEndian(char* at, T value) {
  value = SwapBigEndian(value);
  std::memcpy(at, &value, sizeof(value));
}

}  // namespace garam
