// Big-endian fields into and out of bytes, for the formats between brokers.
//
// Threads: one.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/endian.h"

namespace garam {

// Appends to a string that the caller owns.
class ByteWriter {
 public:
  explicit ByteWriter(std::string& out) : out_(out) {}

  template <std::integral T>
  void Put(T value) {
    char bytes[sizeof(T)];
    StoreBigEndian(bytes, value);
    out_.append(bytes, sizeof(T));
  }
  // At most 65,535 bytes; the rest is cut.
  void PutText(std::string_view text) {
    text = text.substr(0, UINT16_MAX);
    Put(static_cast<uint16_t>(text.size()));
    out_.append(text);
  }

 private:
  std::string& out_;
};

// Reads from `bytes` and never beyond. After the first read that does not fit, every read gives
// zero and ok() is false: check once, at the end.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <std::integral T>
  T Get() {
    if (rest_.size() < sizeof(T)) {
      ok_ = false;
      rest_ = {};
      return T{};
    }
    const T value = LoadBigEndian<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return value;
  }
  std::string_view GetText() { return GetBytes(Get<uint16_t>()); }
  std::string_view GetBytes(size_t size) {
    if (rest_.size() < size) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  bool ok() const { return ok_; }
  // Whether everything fitted and nothing is left over.
  bool done() const { return ok_ && rest_.empty(); }
  size_t left() const { return rest_.size(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace garam
