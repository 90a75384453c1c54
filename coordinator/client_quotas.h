// Client quotas (KIP-546): what the controller makes of a request to change them, and which of them
// a question names. Pure.
//
// Threads: any. Errors: Errc in Status, with the messages that Kafka's users know.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/metadata_image.h"

namespace garam {

inline constexpr std::string_view kQuotaUser = "user";
inline constexpr std::string_view kQuotaClientId = "client-id";
inline constexpr std::string_view kQuotaIp = "ip";

inline constexpr std::string_view kProducerByteRate = "producer_byte_rate";
inline constexpr std::string_view kConsumerByteRate = "consumer_byte_rate";
inline constexpr std::string_view kRequestPercentage = "request_percentage";
inline constexpr std::string_view kControllerMutationRate = "controller_mutation_rate";
inline constexpr std::string_view kConnectionCreationRate = "connection_creation_rate";

struct QuotaOp {
  std::string key{};
  std::optional<double> value{};  // None: there is to be none.
  friend bool operator==(const QuotaOp&, const QuotaOp&) = default;
};

// As it was asked for: a type may be there twice, which is refused.
struct QuotaChange {
  std::vector<std::pair<std::string, std::optional<std::string>>> entity{};
  std::vector<QuotaOp> ops{};
  friend bool operator==(const QuotaChange&, const QuotaChange&) = default;
};

// The command for group 0's log; empty when all is so already. kInvalidRequest.
absl::StatusOr<std::string> PlanQuotaChange(const MetadataImage& image, const QuotaChange& change);

// What one type of an entity is to be, for it to be among those that are asked for.
struct QuotaMatch {
  enum class Kind : int8_t { kExact = 0, kDefault = 1, kAny = 2 };  // The numbers are Kafka's.
  std::string type{};
  Kind kind = Kind::kAny;
  std::string name{};  // Of kExact.
};

// Every entity that has all these types, and, where `strict`, no other. kInvalidRequest,
// kUnsupportedVersion for a type that is none.
absl::StatusOr<std::vector<std::pair<QuotaEntity, QuotaValues>>> FindQuotas(
    const MetadataImage& image, const std::vector<QuotaMatch>& matches, bool strict);

}  // namespace garam
