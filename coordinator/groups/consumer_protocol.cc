#include "coordinator/groups/consumer_protocol.h"

#include "proto/kafka/reader.h"
#include "proto/kafka/writer.h"

namespace garam {
namespace {

constexpr int16_t kFirstVersionWithOwned = 1;
constexpr int16_t kFirstVersionWithGeneration = 2;
constexpr int16_t kFirstVersionWithRack = 3;

PartitionsByName ReadPartitions(kafka::Reader& reader) {
  PartitionsByName partitions;
  // The least that a topic takes: an empty name, no partitions.
  const int64_t topics = reader.ArrayCount(false, false, 6, sizeof(std::string), "topics");
  for (int64_t i = 0; i < topics && reader.ok(); ++i) {
    std::vector<int32_t>& of = partitions[std::string(reader.String(false, "topic"))];
    const int64_t count = reader.ArrayCount(false, false, 4, sizeof(int32_t), "partitions");
    for (int64_t j = 0; j < count && reader.ok(); ++j) {
      of.push_back(reader.Int<int32_t>("partition"));
    }
  }
  return partitions;
}

}  // namespace

std::vector<std::string> SubscribedTopics(const Bytes& metadata) {
  kafka::Reader reader(metadata);
  reader.Int<int16_t>("version");
  // Every version begins with the topics: an int32 count and int16-length strings.
  const int64_t count = reader.ArrayCount(false, false, 2, sizeof(std::string), "topics");
  std::vector<std::string> topics;
  for (int64_t i = 0; i < count && reader.ok(); ++i) {
    topics.emplace_back(reader.String(false, "topic"));
  }
  return reader.ok() ? topics : std::vector<std::string>();
}

std::optional<Subscription> ParseSubscription(const Bytes& metadata) {
  kafka::Reader reader(metadata);
  Subscription subscription;
  subscription.version = reader.Int<int16_t>("version");
  if (subscription.version < 0) return std::nullopt;
  const int64_t count = reader.ArrayCount(false, false, 2, sizeof(std::string), "topics");
  for (int64_t i = 0; i < count && reader.ok(); ++i) {
    subscription.topics.emplace_back(reader.String(false, "topic"));
  }
  reader.OptionalBytes(false, "user data");
  if (subscription.version >= kFirstVersionWithOwned) subscription.owned = ReadPartitions(reader);
  if (subscription.version >= kFirstVersionWithGeneration) reader.Int<int32_t>("generation");
  if (subscription.version >= kFirstVersionWithRack) {
    const std::optional<std::string_view> rack = reader.OptionalString(false, "rack");
    if (rack) subscription.rack = std::string(*rack);
  }
  return reader.ok() ? std::optional(std::move(subscription)) : std::nullopt;
}

std::optional<PartitionsByName> ParseAssignment(const Bytes& assignment) {
  if (assignment.empty()) return PartitionsByName();
  kafka::Reader reader(assignment);
  const auto version = reader.Int<int16_t>("version");
  PartitionsByName partitions = ReadPartitions(reader);
  const std::optional<Bytes> user_data = reader.OptionalBytes(false, "user data");
  if (!reader.ok() || version < 0 || (user_data && !user_data->empty())) return std::nullopt;
  return partitions;
}

Bytes EncodeAssignment(int16_t version, const PartitionsByName& partitions) {
  kafka::Writer writer;
  writer.Int<int16_t>(version);
  writer.Int<int32_t>(static_cast<int32_t>(partitions.size()));
  for (const auto& [topic, numbers] : partitions) {
    writer.String(false, topic, "topic");
    writer.Int<int32_t>(static_cast<int32_t>(numbers.size()));
    for (const int32_t number : numbers) writer.Int<int32_t>(number);
  }
  writer.Int<int32_t>(-1);  // No user data.
  return writer.FinishContiguous();
}

}  // namespace garam
