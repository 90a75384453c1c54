// Reads the protocol's types from one frame. The generated Decode functions are its main callers.
//
// Errors: the first failure sticks. From then on every read returns zero or nothing and moves
//   nowhere, so straight-line code need not look after each field; status() says at the end which
//   field it was, at which byte of the frame, and why.
// Bounds: no read passes the end of the frame. A count is believed only when the bytes that are
//   left could hold that many elements, and all vectors of one frame together may take no more
//   memory than ElementBytesMax allows.
// Lifetime: views that String returns die with the frame's memory; what ReadBytes returns shares
// it. Threads: none of its own.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/bytes.h"
#include "common/endian.h"
#include "common/uuid.h"

namespace garam::kafka {

class Reader {
 public:
  // Reads `frame` from byte `from` on, which must lie inside it.
  explicit Reader(Bytes frame, size_t from = 0);

  bool ok() const { return failure_.empty(); }
  // Ok, or kInvalidRequest: "MESSAGE vVERSION: FIELD PATH at byte N: reason".
  absl::Status status(std::string_view message, int16_t version) const;

  // Where the next read begins, counted from the start of the frame.
  size_t position() const { return static_cast<size_t>(at_ - frame_.data()); }
  size_t remaining() const { return static_cast<size_t>(end_ - at_); }
  const Bytes& frame() const { return frame_; }

  // What all vectors of one frame may take. Honest messages stay far below: their elements are
  // seldom more than five times as large in memory as on the wire.
  static constexpr size_t ElementBytesMax(size_t frame_bytes) {
    return (size_t{1} << 20) + 16 * frame_bytes;
  }

  // `field`, here and below, names the field for status(); a literal.
  template <std::integral T>
  T Int(const char* field) {
    if (remaining() < sizeof(T)) [[unlikely]] {
      FailShort(field, sizeof(T));
      return 0;
    }
    const T value = LoadBigEndian<T>(at_);
    at_ += sizeof(T);
    return value;
  }
  bool Bool(const char* field) { return Int<int8_t>(field) != 0; }
  double Float64(const char* field) { return std::bit_cast<double>(Int<int64_t>(field)); }
  Uuid ReadUuid(const char* field) {
    if (remaining() < 16) [[unlikely]] {
      FailShort(field, 16);
      return Uuid{};
    }
    at_ += 16;
    return Uuid::FromRaw({at_ - 16, 16});
  }
  uint32_t UnsignedVarint(const char* field) {
    if (at_ != end_ && static_cast<uint8_t>(*at_) < 0x80) [[likely]]
      return static_cast<uint8_t>(*at_++);
    return LongVarint(field);
  }

  // `flexible` chooses the compact form of a length. Null fails where the Optional form is not
  // used.
  std::string_view String(bool flexible, const char* field);
  std::optional<std::string_view> OptionalString(bool flexible, const char* field);
  Bytes ReadBytes(bool flexible, const char* field);
  std::optional<Bytes> OptionalBytes(bool flexible, const char* field);
  // The marker before a nullable struct: whether one follows.
  bool StructFollows(const char* field);

  // The length of an array whose elements take at least `wire_bytes_min` each on the wire and
  // `memory_bytes` in memory; -1 for null, if that is allowed. 0 after a failure.
  int64_t ArrayCount(bool flexible, bool nullable, size_t wire_bytes_min, size_t memory_bytes,
                     const char* field);

  struct Tag {
    uint32_t number;
    uint32_t size_bytes;
    const char* begin;  // Of the value.
  };
  // The number of tagged fields that follow.
  uint32_t TagCount();
  Tag BeginTag();
  void SkipTag(const Tag& tag) { at_ = tag.begin + tag.size_bytes; }
  // Fails when reading the value did not take the bytes that the tag promised.
  void EndTag(const Tag& tag, const char* field);
  // A tagged section of which nothing is known.
  void SkipTags();

  // Calls `read_one` for each of `count` new elements of `out`.
  template <class T, class ReadOne>
  void ReadArray(std::vector<T>& out, int64_t count, const char* field, ReadOne&& read_one) {
    out.resize(static_cast<size_t>(count));
    for (size_t i = 0; i < out.size(); ++i) {
      read_one(out[i]);
      if (!ok()) [[unlikely]] {
        FailedInElement(field, i);
        return;
      }
    }
  }
  // Calls `read`, which reads the fields of the struct `field`.
  template <class Read>
  void ReadStruct(const char* field, Read&& read) {
    if (!ok()) [[unlikely]]
      return;
    read();
    if (!ok()) [[unlikely]]
      FailedInField(field);
  }

  // Notes that `field`, read just before from byte `begin` on, is not acceptable.
  void Fail(const char* field, std::string reason, const char* begin);

 private:
  void FailShort(const char* field, size_t needed);
  void FailedInField(const char* field);
  void FailedInElement(const char* field, size_t index);
  uint32_t LongVarint(const char* field);
  // -1 for null. Fails on lengths below -1 and beyond the frame.
  int64_t StringLength(bool flexible, const char* field);
  int64_t BytesLength(bool flexible, const char* field);

  Bytes frame_;
  const char* at_;
  const char* end_;
  size_t element_bytes_left_;
  std::string failure_;  // The reason; empty while all is well.
  std::string path_;
  size_t failed_at_ = 0;
};

}  // namespace garam::kafka
