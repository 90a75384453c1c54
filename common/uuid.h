// A 128-bit id as Kafka prints it: url-safe base64 without padding. All zero means none.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/hash/hash.h"
#include "common/random.h"

namespace garam {

struct Uuid {
  std::array<uint8_t, 16> bytes{};

  static Uuid Generate(Random& random);
  // Nothing when `text` is not 22 characters of url-safe base64.
  static std::optional<Uuid> Parse(std::string_view text);
  // From 16 raw bytes.
  static Uuid FromRaw(std::string_view raw);

  bool IsZero() const { return *this == Uuid{}; }
  std::string ToString() const;
  // 8-4-4-4-12 hexadecimal digits, as RFC 4122 writes it.
  std::string ToHyphenated() const;
  std::string_view raw() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }

  friend auto operator<=>(const Uuid&, const Uuid&) = default;
  template <class H>
  friend H AbslHashValue(H state, const Uuid& id) {
    return H::combine(std::move(state), id.bytes);
  }
};

using TopicId = Uuid;

}  // namespace garam
