#include "bench/requests.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/bytes.h"
#include "proto/kafka/create_topics.h"
#include "proto/kafka/delete_topics.h"
#include "proto/kafka/fetch.h"
#include "proto/kafka/frame.h"
#include "proto/kafka/list_offsets.h"
#include "proto/kafka/metadata.h"
#include "proto/kafka/produce.h"

namespace garam::bench {
namespace {

// Produce and Fetch: the last versions that name topics by name, new enough for leader hints.
constexpr int16_t kProduceVersion = 12;
constexpr int16_t kFetchVersion = 12;
constexpr int16_t kMetadataVersion = 12;
constexpr int16_t kListOffsetsVersion = 7;
constexpr int16_t kCreateTopicsVersion = 7;
constexpr int16_t kDeleteTopicsVersion = 5;

// What is asked for here is always within the versions above, so encoding cannot fail.
template <class Request>
std::string Frame(const Request& request, int16_t version) {
  std::string frame;
  const absl::StatusOr<std::vector<Bytes>> pieces =
      kafka::EncodeRequest(request, version, 0, "garam-bench");
  for (const Bytes& piece : *pieces) frame.append(piece.view());
  return frame;
}

// Views `body`; all these versions have the flexible header.
template <class Response>
absl::StatusOr<Response> Parse(std::string_view body, int16_t version) {
  kafka::Reader reader(Bytes(nullptr, body.data(), body.size()));
  reader.SkipTags();
  return Response::Decode(reader, version);
}

Endpoint EndpointOf(int32_t node, std::string host, int32_t port) {
  return {node, std::move(host), static_cast<uint16_t>(port)};
}

TopicState TopicStateOf(kafka::MetadataResponse::MetadataResponseTopic topic) {
  TopicState state;
  state.name = topic.name.value_or("");
  state.error = static_cast<int16_t>(topic.error_code);
  for (auto& partition : topic.partitions) {
    state.partitions.push_back({.index = partition.partition_index,
                                .leader = partition.leader_id,
                                .leader_epoch = partition.leader_epoch,
                                .error = static_cast<int16_t>(partition.error_code),
                                .replicas = std::move(partition.replica_nodes),
                                .isr = std::move(partition.isr_nodes)});
  }
  std::sort(state.partitions.begin(), state.partitions.end(),
            [](const auto& a, const auto& b) { return a.index < b.index; });
  return state;
}

}  // namespace

const TopicState* ClusterState::Find(std::string_view topic) const {
  for (const TopicState& candidate : topics) {
    if (candidate.name == topic) return &candidate;
  }
  return nullptr;
}

std::string MetadataRequest(std::string_view topic) {
  kafka::MetadataRequest request;
  if (topic.empty()) {
    request.topics.reset();
  } else {
    request.topics->push_back({.topic_id = {}, .name = topic});
  }
  request.allow_auto_topic_creation = false;
  return Frame(request, kMetadataVersion);
}

absl::StatusOr<ClusterState> ParseMetadata(std::string_view body) {
  ASSIGN_OR_RETURN(kafka::MetadataResponse response,
                   Parse<kafka::MetadataResponse>(body, kMetadataVersion));
  ClusterState state;
  state.controller = response.controller_id;
  for (auto& broker : response.brokers) {
    state.brokers[broker.node_id] = EndpointOf(broker.node_id, std::move(broker.host), broker.port);
  }
  for (auto& topic : response.topics) state.topics.push_back(TopicStateOf(std::move(topic)));
  return state;
}

std::string CreateTopicRequest(const CreateTopicSpec& spec, int32_t timeout_ms) {
  kafka::CreateTopicsRequest request;
  request.timeout_ms = timeout_ms;
  auto& topic = request.topics.emplace_back();
  topic.name = spec.name;
  topic.num_partitions = spec.partitions;
  topic.replication_factor = spec.replication_factor;
  for (const auto& [name, value] : spec.configs) {
    topic.configs.push_back({.name = name, .value = value});
  }
  return Frame(request, kCreateTopicsVersion);
}

absl::Status ParseCreateTopic(std::string_view body) {
  ASSIGN_OR_RETURN(const kafka::CreateTopicsResponse response,
                   Parse<kafka::CreateTopicsResponse>(body, kCreateTopicsVersion));
  for (const auto& topic : response.topics) {
    const kafka::ErrorCode error = topic.error_code;
    if (error == kafka::ErrorCode::kNone || error == kafka::ErrorCode::kTopicAlreadyExists) {
      continue;
    }
    return MakeError(Errc::kInvalidRequest, absl::StrCat("topic ", topic.name, " was not created: ",
                                                         std::string(kafka::ErrorCodeName(error)),
                                                         " ", topic.error_message.value_or("")));
  }
  return absl::OkStatus();
}

std::string DeleteTopicRequest(std::string_view topic, int32_t timeout_ms) {
  kafka::DeleteTopicsRequest request;
  request.timeout_ms = timeout_ms;
  request.topic_names.push_back(topic);
  return Frame(request, kDeleteTopicsVersion);
}

absl::Status ParseDeleteTopic(std::string_view body) {
  ASSIGN_OR_RETURN(const kafka::DeleteTopicsResponse response,
                   Parse<kafka::DeleteTopicsResponse>(body, kDeleteTopicsVersion));
  for (const auto& topic : response.responses) {
    const kafka::ErrorCode error = topic.error_code;
    if (error == kafka::ErrorCode::kNone || error == kafka::ErrorCode::kUnknownTopicOrPartition) {
      continue;
    }
    return MakeError(Errc::kInvalidRequest, absl::StrCat("topic was not deleted: ",
                                                         std::string(kafka::ErrorCodeName(error))));
  }
  return absl::OkStatus();
}

std::string ProduceRequest(std::string_view topic, int16_t acks, int32_t timeout_ms,
                           const std::vector<ProduceBatch>& batches) {
  kafka::ProduceRequest request;
  request.acks = acks;
  request.timeout_ms = timeout_ms;
  auto& data = request.topic_data.emplace_back();
  data.name = topic;
  for (const ProduceBatch& batch : batches) {
    data.partition_data.push_back(
        {.index = batch.partition,
         .records = Bytes(nullptr, batch.bytes.data(), batch.bytes.size())});
  }
  return Frame(request, kProduceVersion);
}

absl::StatusOr<ProduceAnswer> ParseProduce(std::string_view body) {
  ASSIGN_OR_RETURN(kafka::ProduceResponse response,
                   Parse<kafka::ProduceResponse>(body, kProduceVersion));
  if (response.responses.size() != 1 || response.responses[0].partition_responses.empty()) {
    return MakeError(Errc::kInvalidRequest, "a produce to one topic was answered for others");
  }
  const auto& answered = response.responses[0].partition_responses;
  const auto refused = std::find_if(answered.begin(), answered.end(), [](const auto& each) {
    return each.error_code != kafka::ErrorCode::kNone;
  });
  const auto& partition = refused == answered.end() ? answered.front() : *refused;
  ProduceAnswer answer{.partition = partition.index,
                       .error = static_cast<int16_t>(partition.error_code),
                       .base_offset = partition.base_offset,
                       .partitions = static_cast<int64_t>(answered.size()),
                       .leader_hint = partition.current_leader.leader_id,
                       .leader_hint_epoch = partition.current_leader.leader_epoch,
                       .endpoints = {}};
  for (auto& node : response.node_endpoints) {
    answer.endpoints.push_back(EndpointOf(node.node_id, std::move(node.host), node.port));
  }
  return answer;
}

std::string FetchRequest(std::string_view topic, const std::vector<FetchPosition>& positions,
                         const FetchLimits& limits) {
  kafka::FetchRequest request;
  request.max_wait_ms = limits.wait_ms;
  request.min_bytes = limits.bytes_min;
  request.max_bytes = limits.bytes_max;
  auto& wanted = request.topics.emplace_back();
  wanted.topic = topic;
  for (const FetchPosition& position : positions) {
    auto& partition = wanted.partitions.emplace_back();
    partition.partition = position.partition;
    partition.fetch_offset = position.offset;
    partition.partition_max_bytes = limits.partition_bytes_max;
  }
  return Frame(request, kFetchVersion);
}

absl::StatusOr<std::vector<FetchedPartition>> ParseFetch(std::string_view body) {
  ASSIGN_OR_RETURN(const kafka::FetchResponse response,
                   Parse<kafka::FetchResponse>(body, kFetchVersion));
  if (response.error_code != kafka::ErrorCode::kNone) {
    return MakeError(
        Errc::kInvalidRequest,
        absl::StrCat("fetch refused: ", std::string(kafka::ErrorCodeName(response.error_code))));
  }
  std::vector<FetchedPartition> partitions;
  for (const auto& topic : response.responses) {
    for (const auto& partition : topic.partitions) {
      auto& fetched = partitions.emplace_back();
      fetched.partition = partition.partition_index;
      fetched.error = static_cast<int16_t>(partition.error_code);
      fetched.high_watermark = partition.high_watermark;
      fetched.log_start = partition.log_start_offset;
      // Decoded, so one slice at most, which views the answer.
      if (partition.records && !partition.records->empty()) {
        fetched.records = partition.records->slices()[0].view();
      }
    }
  }
  return partitions;
}

std::string EndOffsetRequest(std::string_view topic, int32_t partition) {
  constexpr int64_t kLatest = -1;
  kafka::ListOffsetsRequest request;
  request.replica_id = -1;
  auto& wanted = request.topics.emplace_back();
  wanted.name = topic;
  auto& where = wanted.partitions.emplace_back();
  where.partition_index = partition;
  where.timestamp = kLatest;
  return Frame(request, kListOffsetsVersion);
}

absl::StatusOr<int64_t> ParseEndOffset(std::string_view body) {
  ASSIGN_OR_RETURN(const kafka::ListOffsetsResponse response,
                   Parse<kafka::ListOffsetsResponse>(body, kListOffsetsVersion));
  if (response.topics.size() != 1 || response.topics[0].partitions.size() != 1) {
    return MakeError(Errc::kInvalidRequest, "a question for one offset was answered otherwise");
  }
  const auto& partition = response.topics[0].partitions[0];
  if (partition.error_code != kafka::ErrorCode::kNone) {
    return MakeError(
        Errc::kUnknown,
        absl::StrCat("no end offset: ", std::string(kafka::ErrorCodeName(partition.error_code))));
  }
  return partition.offset;
}

}  // namespace garam::bench
