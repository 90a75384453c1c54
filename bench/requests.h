// The requests that the load generator sends and what it reads from their answers.
//
// A request here is a whole frame: size, header, body. The correlation id sits at kCorrelationAt
// and is 0 until the connection fills it in. Response bodies begin after the correlation id.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/status.h"

namespace garam::bench {

inline constexpr size_t kCorrelationAt = 8;
// Size, API key, version and correlation id: the part of a frame that differs between two sends.
inline constexpr size_t kFramePrefixBytes = 12;

struct Endpoint {
  int32_t node = -1;
  std::string host;
  uint16_t port = 0;
};

struct PartitionState {
  int32_t index = -1;
  int32_t leader = -1;
  int32_t leader_epoch = -1;
  int16_t error = 0;
  std::vector<int32_t> replicas;
  std::vector<int32_t> isr;
};

struct TopicState {
  std::string name;
  int16_t error = 0;
  std::vector<PartitionState> partitions;  // By index.
};

struct ClusterState {
  std::map<int32_t, Endpoint> brokers;
  int32_t controller = -1;
  std::vector<TopicState> topics;

  // Null when the answer did not hold it.
  const TopicState* Find(std::string_view topic) const;
};

struct CreateTopicSpec {
  std::string name;
  int32_t partitions = 1;
  int16_t replication_factor = 3;
  std::vector<std::pair<std::string, std::string>> configs;
};

struct ProduceBatch {
  int32_t partition = 0;
  std::string_view bytes;
};

// Of one partition: the first that was refused, else the first.
struct ProduceAnswer {
  int32_t partition = -1;
  int16_t error = 0;
  int64_t base_offset = -1;
  int64_t partitions = 1;  // How many were answered for.
  // The new leader where the broker hinted at one (KIP-951); else -1.
  int32_t leader_hint = -1;
  int32_t leader_hint_epoch = -1;
  std::vector<Endpoint> endpoints;
};

struct FetchPosition {
  int32_t partition = 0;
  int64_t offset = 0;
};

struct FetchedPartition {
  int32_t partition = -1;
  int16_t error = 0;
  int64_t high_watermark = 0;
  int64_t log_start = 0;
  std::string_view records;  // Views the answer.
};

// An empty `topic` asks for all of them. Never creates topics.
std::string MetadataRequest(std::string_view topic);
absl::StatusOr<ClusterState> ParseMetadata(std::string_view body);

std::string CreateTopicRequest(const CreateTopicSpec& spec, int32_t timeout_ms);
// Ok when the topic was made or was there.
absl::Status ParseCreateTopic(std::string_view body);

std::string DeleteTopicRequest(std::string_view topic, int32_t timeout_ms);
// Ok when the topic is gone, or was never there.
absl::Status ParseDeleteTopic(std::string_view body);

// At most one batch a partition; `acks` is 0, 1 or -1 for all.
std::string ProduceRequest(std::string_view topic, int16_t acks, int32_t timeout_ms,
                           const std::vector<ProduceBatch>& batches);
absl::StatusOr<ProduceAnswer> ParseProduce(std::string_view body);

struct FetchLimits {
  int32_t wait_ms = 500;
  int32_t bytes_min = 1;
  int32_t bytes_max = 8 << 20;
  int32_t partition_bytes_max = 1 << 20;
};
std::string FetchRequest(std::string_view topic, const std::vector<FetchPosition>& positions,
                         const FetchLimits& limits);
absl::StatusOr<std::vector<FetchedPartition>> ParseFetch(std::string_view body);

// The offset after the partition's last visible record.
std::string EndOffsetRequest(std::string_view topic, int32_t partition);
absl::StatusOr<int64_t> ParseEndOffset(std::string_view body);

}  // namespace garam::bench
