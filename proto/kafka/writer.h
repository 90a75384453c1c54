// Writes the protocol's types. Small fields gather in a buffer of the writer's own; long records
// are spliced in as shared slices, so that what Finish returns is a list for one writev.
//
// Errors: the first failure sticks; status() reports it. What was written is then of no use.
// Ownership: the pieces share the writer's memory and that of the records given to it.
// Threads: none of its own.
#pragma once

#include <bit>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "common/bytes.h"
#include "common/endian.h"
#include "common/uuid.h"
#include "proto/kafka/records_list.h"

namespace garam::kafka {

class Writer {
 public:
  // Shorter bytes are cheaper to copy than to send as a piece of their own.
  static constexpr size_t kSpliceBytesMin = 1024;

  // `capacity_bytes`: what to allocate at first; it grows as needed.
  explicit Writer(size_t capacity_bytes = 512);
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  bool ok() const { return failure_.empty(); }
  // Ok, or kUnsupportedVersion or kInvalidRequest: "MESSAGE vVERSION: FIELD: reason".
  absl::Status status(std::string_view message, int16_t version) const;

  // Reserves the 4 bytes of a frame's length, which Finish fills in. Only as the first write.
  void BeginFrame();
  // What was written so far, spliced records included.
  size_t size_bytes() const { return flushed_bytes_ + segment_bytes(); }
  // What was written, in order. Ends the writer's use.
  std::vector<Bytes> Finish();
  // The same as one buffer, copied only when there are several pieces. Ends the writer's use.
  Bytes FinishContiguous();

  template <std::integral T>
  void Int(T value) {
    StoreBigEndian<T>(Advance(sizeof(T)), value);
  }
  void Bool(bool value) { Int<int8_t>(value ? 1 : 0); }
  void Float64(double value) { Int(std::bit_cast<int64_t>(value)); }
  void WriteUuid(const Uuid& value) { Raw(value.raw()); }
  void UnsignedVarint(uint32_t value) {
    if (value < 0x80) [[likely]]
      *Advance(1) = static_cast<char>(value);
    else
      LongVarint(value);
  }

  // `flexible` chooses the compact form of a length; null fails unless `nullable`. `field` names
  // the field for status(); a literal.
  void String(bool flexible, std::string_view value, const char* field);
  template <class Text>
  void OptionalString(bool flexible, bool nullable, const std::optional<Text>& value,
                      const char* field) {
    if (value.has_value())
      String(flexible, *value, field);
    else
      NullString(flexible, nullable, field);
  }
  void WriteBytes(bool flexible, const Bytes& value);
  void OptionalBytes(bool flexible, bool nullable, const std::optional<Bytes>& value,
                     const char* field);
  void Records(bool flexible, const RecordsList& value);
  void Records(bool flexible, const Bytes& value);
  template <class Slices>
  void OptionalRecords(bool flexible, bool nullable, const std::optional<Slices>& value,
                       const char* field) {
    if (value.has_value())
      Records(flexible, *value);
    else
      NullLength(flexible, nullable, field);
  }
  void ArrayCount(bool flexible, size_t count) { Length(flexible, count); }
  void NullArray(bool flexible, bool nullable, const char* field);
  // The marker before a nullable struct.
  void StructFollows(bool follows, bool nullable, const char* field);

  // Around the value of a tagged field; the size between is filled in at the end. No records
  // inside.
  using TagMark = size_t;
  TagMark BeginTag(uint32_t number);
  void EndTag(TagMark mark);

  // A field that this version does not have, cannot be left out silently, and was set.
  void FailUnsupported(const char* field);

 private:
  size_t segment_bytes() const { return static_cast<size_t>(at_ - segment_); }
  char* Advance(size_t count) {
    if (static_cast<size_t>(end_ - at_) < count) [[unlikely]]
      Grow(count);
    at_ += count;
    return at_ - count;
  }
  void Grow(size_t count);
  void Raw(std::string_view data);
  void LongVarint(uint32_t value);
  void Length(bool flexible, size_t count);
  void NullLength(bool flexible, bool nullable, const char* field);
  void NullString(bool flexible, bool nullable, const char* field);
  void Append(const Bytes& slice);
  void Fail(const char* field, const char* reason, bool unsupported);
  // Makes a piece of what was written since the last one.
  void Flush();

  MutableBuffer buffer_;
  char* segment_;  // Begins what is not yet a piece; in buffer_, like the next two.
  char* at_;
  char* end_;
  std::vector<Bytes> pieces_;
  size_t flushed_bytes_ = 0;
  char* frame_ = nullptr;  // The frame's length, once its segment is a piece.
  bool framed_ = false;
  const char* failed_field_ = "";
  std::string_view failure_;
  bool unsupported_ = false;
};

}  // namespace garam::kafka
