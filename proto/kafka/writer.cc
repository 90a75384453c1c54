#include "proto/kafka/writer.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace garam::kafka {
namespace {

constexpr size_t kStringBytesMax = 0x7fff;
constexpr size_t kLengthMax = 0x7fffffff;

}  // namespace

Writer::Writer(size_t capacity_bytes)
    : buffer_(std::max<size_t>(capacity_bytes, 16)),
      segment_(buffer_.data()),
      at_(segment_),
      end_(segment_ + buffer_.capacity()) {}

absl::Status Writer::status(std::string_view message, int16_t version) const {
  if (ok()) return absl::OkStatus();
  return MakeError(
      unsupported_ ? Errc::kUnsupportedVersion : Errc::kInvalidRequest,
      absl::StrCat(absl::string_view(message.data(), message.size()), " v", version, ": ",
                   failed_field_, ": ", absl::string_view(failure_.data(), failure_.size())));
}

void Writer::Fail(const char* field, const char* reason, bool unsupported) {
  if (!ok()) return;
  failed_field_ = field;
  failure_ = reason;
  unsupported_ = unsupported;
}

void Writer::FailUnsupported(const char* field) {
  Fail(field, "is set, but this version does not have it", true);
}

void Writer::BeginFrame() {
  framed_ = true;
  Int<int32_t>(0);
}

void Writer::Grow(size_t count) {
  const size_t used = segment_bytes();
  MutableBuffer larger(std::max(2 * (used + count), buffer_.capacity()));
  std::memcpy(larger.data(), segment_, used);
  buffer_ = std::move(larger);
  segment_ = buffer_.data();
  at_ = segment_ + used;
  end_ = segment_ + buffer_.capacity();
}

void Writer::Flush() {
  if (at_ == segment_) return;
  if (framed_ && frame_ == nullptr) frame_ = segment_;
  flushed_bytes_ += segment_bytes();
  pieces_.push_back(buffer_.View(static_cast<size_t>(segment_ - buffer_.data()), segment_bytes()));
  segment_ = at_;
}

std::vector<Bytes> Writer::Finish() {
  Flush();
  // Nobody else has seen the pieces yet, so their bytes may still be written.
  if (framed_) StoreBigEndian(frame_, static_cast<int32_t>(flushed_bytes_ - sizeof(int32_t)));
  return std::move(pieces_);
}

Bytes Writer::FinishContiguous() {
  const size_t size = size_bytes();
  std::vector<Bytes> pieces = Finish();
  if (pieces.empty()) return {};
  if (pieces.size() == 1) return std::move(pieces[0]);
  MutableBuffer all(size);
  size_t filled = 0;
  for (const Bytes& piece : pieces) {
    std::memcpy(all.data() + filled, piece.data(), piece.size());
    filled += piece.size();
  }
  return all.View(0, size);
}

void Writer::Raw(std::string_view data) {
  if (data.empty()) return;
  std::memcpy(Advance(data.size()), data.data(), data.size());
}

void Writer::LongVarint(uint32_t value) {
  for (; value >= 0x80; value >>= 7) *Advance(1) = static_cast<char>(value | 0x80);
  *Advance(1) = static_cast<char>(value);
}

void Writer::Length(bool flexible, size_t count) {
  if (flexible)
    UnsignedVarint(static_cast<uint32_t>(count) + 1);
  else
    Int<int32_t>(static_cast<int32_t>(count));
}

void Writer::NullLength(bool flexible, bool nullable, const char* field) {
  if (!nullable) Fail(field, "is null, which this version cannot say", true);
  if (flexible)
    UnsignedVarint(0);
  else
    Int<int32_t>(-1);
}

void Writer::String(bool flexible, std::string_view value, const char* field) {
  if (value.size() > kStringBytesMax) return Fail(field, "the string is over 32767 bytes", false);
  if (flexible)
    UnsignedVarint(static_cast<uint32_t>(value.size()) + 1);
  else
    Int<int16_t>(static_cast<int16_t>(value.size()));
  Raw(value);
}

void Writer::NullString(bool flexible, bool nullable, const char* field) {
  if (!nullable) Fail(field, "is null, which this version cannot say", true);
  if (flexible)
    UnsignedVarint(0);
  else
    Int<int16_t>(-1);
}

void Writer::Append(const Bytes& slice) {
  if (slice.size() < kSpliceBytesMin) return Raw(slice.view());
  Flush();
  flushed_bytes_ += slice.size();
  pieces_.push_back(slice);
}

void Writer::WriteBytes(bool flexible, const Bytes& value) {
  if (value.size() >= kLengthMax) return Fail("bytes", "over 2 GiB", false);
  Length(flexible, value.size());
  // Bytes may stand in a tagged field, whose size is filled in by moving what follows.
  Raw(value.view());
}

void Writer::OptionalBytes(bool flexible, bool nullable, const std::optional<Bytes>& value,
                           const char* field) {
  if (value.has_value())
    WriteBytes(flexible, *value);
  else
    NullLength(flexible, nullable, field);
}

void Writer::Records(bool flexible, const RecordsList& value) {
  if (value.size_bytes() >= kLengthMax) return Fail("records", "over 2 GiB", false);
  Length(flexible, value.size_bytes());
  for (const Bytes& slice : value.slices()) Append(slice);
}

void Writer::Records(bool flexible, const Bytes& value) {
  if (value.size() >= kLengthMax) return Fail("records", "over 2 GiB", false);
  Length(flexible, value.size());
  Append(value);
}

void Writer::NullArray(bool flexible, bool nullable, const char* field) {
  NullLength(flexible, nullable, field);
}

void Writer::StructFollows(bool follows, bool nullable, const char* field) {
  if (!follows && !nullable) Fail(field, "is null, which this version cannot say", true);
  Int<int8_t>(follows ? 1 : -1);
}

Writer::TagMark Writer::BeginTag(uint32_t number) {
  UnsignedVarint(number);
  Advance(1);  // Nearly every size fits one byte.
  return segment_bytes();
}

void Writer::EndTag(TagMark mark) {
  const size_t size = segment_bytes() - mark;
  if (size < 0x80) {
    segment_[mark - 1] = static_cast<char>(size);
    return;
  }
  size_t more = 0;
  for (size_t rest = size >> 7; rest > 0; rest >>= 7) ++more;
  Advance(more);
  char* value = segment_ + mark;
  std::memmove(value + more, value, size);
  char* at = value - 1;
  size_t rest = size;
  for (; rest >= 0x80; rest >>= 7) *at++ = static_cast<char>(rest | 0x80);
  *at = static_cast<char>(rest);
}

}  // namespace garam::kafka
