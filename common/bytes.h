// The one buffer type: a shared, read-only view of memory that somebody owns.
//
// A slice keeps the whole underlying buffer alive, so a small slice may pin a large buffer; where
// that matters (caches), copy. Copying a Bytes costs one atomic increment.
//
// Threads: distinct Bytes may be used on distinct threads, also when they share a buffer.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace garam {

class Bytes {
 public:
  Bytes() = default;

  // Views `size` bytes at `data`, which live as long as `owner` does.
  Bytes(std::shared_ptr<const void> owner, const char* data, size_t size)
      : owner_(std::move(owner)), data_(data), size_(size) {}

  static Bytes Copy(std::string_view source);
  static Bytes Take(std::string source);

  const char* data() const { return data_; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {data_, size_}; }

  // Bytes [from, from + count) of this one; both must lie inside it.
  Bytes Slice(size_t from, size_t count) const { return Bytes(owner_, data_ + from, count); }

  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  std::shared_ptr<const void> owner_;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

// A buffer while it is being filled. Bytes that a `View` has shared must not be written again.
class MutableBuffer {
 public:
  MutableBuffer() = default;
  // Uninitialised memory of `capacity` bytes.
  explicit MutableBuffer(size_t capacity)
      : memory_(std::make_shared_for_overwrite<char[]>(capacity)), capacity_(capacity) {}

  char* data() { return memory_.get(); }
  const char* data() const { return memory_.get(); }
  size_t capacity() const { return capacity_; }

  // Views bytes [from, from + count) of what was written, sharing the memory.
  Bytes View(size_t from, size_t count) const {
    return Bytes(memory_, memory_.get() + from, count);
  }

 private:
  std::shared_ptr<char[]> memory_;
  size_t capacity_ = 0;
};

}  // namespace garam
