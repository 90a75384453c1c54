#include "proto/kafka/reader.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace garam::kafka {
namespace {

// Kafka refuses longer ones even where the compact form could carry them.
constexpr int64_t kStringBytesMax = 0x7fff;

absl::string_view Absl(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

Reader::Reader(Bytes frame, size_t from)
    : frame_(std::move(frame)),
      at_(frame_.data() + from),
      end_(frame_.data() + frame_.size()),
      element_bytes_left_(ElementBytesMax(frame_.size())) {}

absl::Status Reader::status(std::string_view message, int16_t version) const {
  if (ok()) return absl::OkStatus();
  return MakeError(Errc::kInvalidRequest, absl::StrCat(Absl(message), " v", version, ": ", path_,
                                                       " at byte ", failed_at_, ": ", failure_));
}

void Reader::Fail(const char* field, std::string reason, const char* begin) {
  if (!ok()) return;
  failure_ = std::move(reason);
  path_ = field;
  failed_at_ = static_cast<size_t>(begin - frame_.data());
  at_ = end_;  // So that the fast paths need no check of their own.
}

void Reader::FailShort(const char* field, size_t needed) {
  if (!ok()) return;
  Fail(field, absl::StrCat("needs ", needed, " bytes, ", remaining(), " are left"), at_);
}

void Reader::FailedInField(const char* field) { path_ = absl::StrCat(field, ".", path_); }

void Reader::FailedInElement(const char* field, size_t index) {
  // A plain element reports under the name of its array.
  if (path_ == field)
    path_ = absl::StrCat(field, "[", index, "]");
  else
    path_ = absl::StrCat(field, "[", index, "].", path_);
}

uint32_t Reader::LongVarint(const char* field) {
  const char* begin = at_;
  uint64_t value = 0;
  for (int shift = 0; shift < 35; shift += 7) {
    if (at_ == end_) {
      Fail(field, "the varint goes on past the end", begin);
      return 0;
    }
    const auto byte = static_cast<uint8_t>(*at_++);
    value |= uint64_t{byte & 0x7fU} << shift;
    if (byte < 0x80) {
      if (value <= UINT32_MAX) return static_cast<uint32_t>(value);
      break;
    }
  }
  Fail(field, "the varint is over 32 bits", begin);
  return 0;
}

int64_t Reader::StringLength(bool flexible, const char* field) {
  const char* begin = at_;
  const int64_t length =
      flexible ? int64_t{UnsignedVarint(field)} - 1 : int64_t{Int<int16_t>(field)};
  if (length < -1 || length > kStringBytesMax) {
    Fail(field, absl::StrCat("a string cannot have ", length, " bytes"), begin);
    return 0;
  }
  if (length > static_cast<int64_t>(remaining())) {
    FailShort(field, static_cast<size_t>(length));
    return 0;
  }
  return length;
}

int64_t Reader::BytesLength(bool flexible, const char* field) {
  const char* begin = at_;
  const int64_t length =
      flexible ? int64_t{UnsignedVarint(field)} - 1 : int64_t{Int<int32_t>(field)};
  if (length < -1) {
    Fail(field, absl::StrCat("there cannot be ", length, " bytes"), begin);
    return 0;
  }
  if (length > static_cast<int64_t>(remaining())) {
    FailShort(field, static_cast<size_t>(length));
    return 0;
  }
  return length;
}

std::optional<std::string_view> Reader::OptionalString(bool flexible, const char* field) {
  const int64_t length = StringLength(flexible, field);
  if (length < 0 || !ok()) return std::nullopt;
  at_ += length;
  return std::string_view(at_ - length, static_cast<size_t>(length));
}

std::string_view Reader::String(bool flexible, const char* field) {
  const char* begin = at_;
  const std::optional<std::string_view> value = OptionalString(flexible, field);
  if (value.has_value()) return *value;
  Fail(field, "null where a string must be", begin);
  return {};
}

std::optional<Bytes> Reader::OptionalBytes(bool flexible, const char* field) {
  const int64_t length = BytesLength(flexible, field);
  if (length < 0 || !ok()) return std::nullopt;
  at_ += length;
  return frame_.Slice(position() - static_cast<size_t>(length), static_cast<size_t>(length));
}

Bytes Reader::ReadBytes(bool flexible, const char* field) {
  const char* begin = at_;
  std::optional<Bytes> value = OptionalBytes(flexible, field);
  if (value.has_value()) return *std::move(value);
  Fail(field, "null where bytes must be", begin);
  return {};
}

bool Reader::StructFollows(const char* field) {
  const char* begin = at_;
  const auto marker = Int<int8_t>(field);
  if (!ok()) return false;
  if (marker != 1 && marker != -1) {
    Fail(field, absl::StrCat("the marker of a struct is 1 or -1, not ", marker), begin);
    return false;
  }
  return marker == 1;
}

int64_t Reader::ArrayCount(bool flexible, bool nullable, size_t wire_bytes_min, size_t memory_bytes,
                           const char* field) {
  const char* begin = at_;
  const int64_t count =
      flexible ? int64_t{UnsignedVarint(field)} - 1 : int64_t{Int<int32_t>(field)};
  if (!ok()) return 0;
  if (count <= 0) {
    if (count == 0 || (count == -1 && nullable)) return count;
    Fail(field, absl::StrCat("an array cannot have ", count, " elements here"), begin);
    return 0;
  }
  const auto elements = static_cast<size_t>(count);
  if (elements > remaining() / wire_bytes_min) {
    Fail(field, absl::StrCat(elements, " elements cannot be in ", remaining(), " bytes"), begin);
    return 0;
  }
  if (elements > element_bytes_left_ / memory_bytes) {
    Fail(field, absl::StrCat(elements, " elements would take too much memory"), begin);
    return 0;
  }
  element_bytes_left_ -= elements * memory_bytes;
  return count;
}

uint32_t Reader::TagCount() {
  const char* begin = at_;
  const uint32_t count = UnsignedVarint("tagged fields");
  if (count == 0 || !ok()) return 0;
  // Each has at least a number and a size.
  if (count <= remaining() / 2) return count;
  Fail("tagged fields", absl::StrCat(count, " of them cannot be in ", remaining(), " bytes"),
       begin);
  return 0;
}

Reader::Tag Reader::BeginTag() {
  const uint32_t number = UnsignedVarint("tagged fields");
  const uint32_t size_bytes = UnsignedVarint("tagged fields");
  if (size_bytes > remaining()) FailShort("tagged fields", size_bytes);
  if (!ok()) return Tag{.number = UINT32_MAX, .size_bytes = 0, .begin = end_};
  return Tag{.number = number, .size_bytes = size_bytes, .begin = at_};
}

void Reader::EndTag(const Tag& tag, const char* field) {
  const auto taken = static_cast<size_t>(at_ - tag.begin);
  if (ok() && taken == tag.size_bytes) return;
  Fail(field, absl::StrCat("its tag says ", tag.size_bytes, " bytes, it took ", taken), tag.begin);
}

void Reader::SkipTags() {
  for (uint32_t left = TagCount(); left > 0 && ok(); --left) SkipTag(BeginTag());
}

}  // namespace garam::kafka
