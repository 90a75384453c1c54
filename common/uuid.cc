#include "common/uuid.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/escaping.h"

namespace garam {

Uuid Uuid::Generate(Random& random) {
  Uuid id;
  do {
    for (size_t at = 0; at < id.bytes.size(); at += sizeof(uint64_t)) {
      uint64_t word = random.Next();
      std::memcpy(id.bytes.data() + at, &word, sizeof(word));
    }
    // Version 4, variant 1 of RFC 4122; a leading '-' would look like a flag to command lines.
    id.bytes[6] = static_cast<uint8_t>((id.bytes[6] & 0x0f) | 0x40);
    id.bytes[8] = static_cast<uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  } while (id.ToString().front() == '-');
  return id;
}

std::optional<Uuid> Uuid::Parse(std::string_view text) {
  if (text.size() != 22) return std::nullopt;
  std::string raw;
  if (!absl::WebSafeBase64Unescape(absl::string_view(text.data(), text.size()), &raw) ||
      raw.size() != 16) {
    return std::nullopt;
  }
  return FromRaw(raw);
}

Uuid Uuid::FromRaw(std::string_view raw) {
  Uuid id;
  std::memcpy(id.bytes.data(), raw.data(), std::min(raw.size(), id.bytes.size()));
  return id;
}

std::string Uuid::ToHyphenated() const {
  std::string text = absl::BytesToHexString(absl::string_view(raw().data(), raw().size()));
  for (const size_t at : {20, 16, 12, 8}) text.insert(at, 1, '-');
  return text;
}

std::string Uuid::ToString() const {
  std::string text;
  absl::WebSafeBase64Escape(
      absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()), &text);
  while (!text.empty() && text.back() == '=') text.pop_back();
  return text;
}

}  // namespace garam
