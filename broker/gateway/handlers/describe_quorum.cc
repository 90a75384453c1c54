// DescribeQuorum: group 0 and its members, which the controller tells. Kafka's offsets of
// __cluster_metadata count its entries from 0, Raft's indexes from 1: the index of the last entry
// is the offset behind it.
#include <algorithm>
#include <string>

#include "absl/strings/numbers.h"
#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "proto/kafka/describe_quorum.h"

namespace garam {
namespace {

using kafka::DescribeQuorumRequest;
using kafka::DescribeQuorumResponse;

constexpr std::string_view kMetadataTopic = "__cluster_metadata";
constexpr std::string_view kListenerName = "CONTROLLER";
constexpr int16_t kFirstVersionWithNodes = 2;
// The request names no limit; Kafka's clients wait twice as long by default.
constexpr Duration kTimeLimit = Millis(15'000);

bool AsksForMetadata(const DescribeQuorumRequest& message) {
  return message.topics.size() == 1 && message.topics[0].topic_name == kMetadataTopic &&
         message.topics[0].partitions.size() == 1 &&
         message.topics[0].partitions[0].partition_index == 0;
}

// There is no other partition that Kafka would tell about, and no question about two.
DescribeQuorumResponse Refusal(const DescribeQuorumRequest& message) {
  DescribeQuorumResponse response;
  response.error_message = std::nullopt;
  for (const auto& topic : message.topics) {
    auto& answer = response.topics.emplace_back();
    answer.topic_name = topic.topic_name;
    for (const auto& partition : topic.partitions) {
      auto& refused = answer.partitions.emplace_back();
      refused.partition_index = partition.partition_index;
      refused.error_code = kafka::ErrorCode::kUnknownTopicOrPartition;
      refused.error_message = "Ask for partition 0 of __cluster_metadata, and nothing else.";
    }
  }
  return response;
}

// Unlike any other: who it is, and which of that node's data folders.
Uuid DirectoryOf(const QuorumMember& member) {
  Uuid id;
  const uint64_t halves[] = {member.incarnation.value(),
                             static_cast<uint64_t>(member.node.value())};
  for (size_t i = 0; i < id.bytes.size(); ++i) {
    id.bytes[i] = static_cast<uint8_t>(halves[i / 8] >> (8 * (7 - i % 8)));
  }
  return id;
}

DescribeQuorumResponse::ReplicaState StateOf(const QuorumMember& member, int16_t version) {
  DescribeQuorumResponse::ReplicaState state;
  state.replica_id = member.node.value();
  if (version >= kFirstVersionWithNodes) state.replica_directory_id = DirectoryOf(member);
  state.log_end_offset = member.last_index.value();
  state.last_fetch_timestamp = member.fetched_ms.value_or(-1);
  state.last_caught_up_timestamp = member.caught_up_ms.value_or(-1);
  return state;
}

// Of the voters that are registered: where the other brokers find them.
void ListNodes(const QuorumState& quorum, const MetadataImage& image,
               DescribeQuorumResponse& response) {
  for (const QuorumMember& member : quorum.members) {
    const BrokerImage* broker = image.FindBroker(member.node);
    if (!member.votes || broker == nullptr) continue;
    const size_t colon = broker->control_address.rfind(':');
    int port = 0;
    if (colon == std::string::npos ||
        !absl::SimpleAtoi(broker->control_address.substr(colon + 1), &port)) {
      continue;
    }
    auto& node = response.nodes.emplace_back();
    node.node_id = member.node.value();
    node.listeners.push_back({std::string(kListenerName), broker->control_address.substr(0, colon),
                              static_cast<uint16_t>(port)});
  }
}

DescribeQuorumResponse AnswerOf(const absl::StatusOr<QuorumState>& quorum,
                                const MetadataImage& image, int16_t version) {
  DescribeQuorumResponse response;
  response.error_message = std::nullopt;
  response.error_code = ToErrorCode(quorum.status());
  if (!quorum.ok()) {
    response.error_message = std::string(quorum.status().message());
    return response;
  }
  auto& topic = response.topics.emplace_back();
  topic.topic_name = kMetadataTopic;
  auto& partition = topic.partitions.emplace_back();
  partition.error_message = std::nullopt;
  partition.leader_id = quorum->leader.value();
  partition.leader_epoch = quorum->term.value();
  partition.high_watermark = quorum->commit.value();
  for (const QuorumMember& member : quorum->members) {
    auto& states = member.votes ? partition.current_voters : partition.observers;
    states.push_back(StateOf(member, version));
  }
  if (version >= kFirstVersionWithNodes) ListNodes(*quorum, image, response);
  return response;
}

}  // namespace

void HandleDescribeQuorum(RequestPtr request) {
  const auto message = request->Decode<DescribeQuorumRequest>();
  if (!message.has_value()) return;
  if (!AsksForMetadata(*message)) return request->Answer(Refusal(*message));
  Broker& broker = request->broker();
  broker.DescribeQuorum(
      broker.clock().Mono() + kTimeLimit, request->services().shard,
      [request](const absl::StatusOr<QuorumState>& quorum) {
        request->Answer(AnswerOf(quorum, *request->broker().image(), request->version()));
      });
}

}  // namespace garam
