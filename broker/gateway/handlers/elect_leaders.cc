// ElectLeaders: leaderships to the preferred replicas now. The controller writes down the wish,
// each leader follows it, and the answer waits until this broker has heard of the new leaders. An
// unclean election does not exist where a quorum elects: it is never what is missing.
#include <algorithm>
#include <memory>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "broker/gateway/handlers/leader_wait.h"
#include "proto/kafka/elect_leaders.h"

namespace garam {
namespace {

using kafka::ElectLeadersRequest;
using kafka::ElectLeadersResponse;
using kafka::ErrorCode;

constexpr int8_t kPreferred = 0;
constexpr int8_t kUnclean = 1;

struct Wanted {
  std::string topic;
  int32_t partition;
  ErrorCode error = ErrorCode::kNone;
  std::string message{};
  bool pending = false;  // Neither refused nor done.
};

struct Election {
  RequestPtr request;
  MonoTime deadline;
  bool all = false;  // Everything was asked for: what needs no election is not worth a line.
  std::vector<Wanted> wanted{};
};
using ElectionPtr = std::shared_ptr<Election>;

void Refuse(Wanted& wanted, ErrorCode error, std::string message) {
  wanted.error = error;
  wanted.message = std::move(message);
}

// What can be said before anybody is asked.
void Judge(const Broker& broker, const MetadataImage& image, int8_t type, Wanted& wanted) {
  if (type != kPreferred && type != kUnclean) {
    return Refuse(wanted, ErrorCode::kInvalidRequest, "there is no election of this type");
  }
  const std::shared_ptr<const TopicImage> topic = image.FindTopic(wanted.topic);
  const PartitionImage* partition = topic == nullptr ? nullptr : topic->Find(wanted.partition);
  if (partition == nullptr) {
    return Refuse(wanted, ErrorCode::kUnknownTopicOrPartition,
                  topic == nullptr ? "No such topic as " + wanted.topic
                                   : "No such partition as " + wanted.topic + "-" +
                                         std::to_string(wanted.partition));
  }
  const PartitionState state = broker.StateOf(*topic, wanted.partition);
  if (type == kUnclean) {
    if (state.leader != kNoNode) return Refuse(wanted, ErrorCode::kElectionNotNeeded, "");
    return Refuse(wanted, ErrorCode::kEligibleLeadersNotAvailable,
                  "a majority of the replicas elects a leader: start the missing brokers");
  }
  const NodeId preferred = partition->replicas.front().node;
  if (state.leader == preferred) return Refuse(wanted, ErrorCode::kElectionNotNeeded, "");
  const bool in_sync = std::find(state.isr.begin(), state.isr.end(), preferred) != state.isr.end();
  if (!in_sync || !broker.live_brokers().contains(preferred)) {
    return Refuse(
        wanted, ErrorCode::kPreferredLeaderNotAvailable,
        "the preferred replica, broker " + std::to_string(preferred.value()) + ", is not in sync");
  }
  wanted.pending = true;
}

void Answer(const Election& election) {
  ElectLeadersResponse response;
  for (const Wanted& wanted : election.wanted) {
    if (election.all && wanted.error == ErrorCode::kElectionNotNeeded) continue;
    auto& topics = response.replica_election_results;
    if (topics.empty() || topics.back().topic != wanted.topic) {
      topics.emplace_back().topic = wanted.topic;
    }
    auto& answer = topics.back().partition_result.emplace_back();
    answer.partition_id = wanted.partition;
    answer.error_code = wanted.error;
    answer.error_message = std::nullopt;
    if (!wanted.message.empty()) answer.error_message = wanted.message;
  }
  election.request->Answer(response);
}

bool PreferredLeads(const Broker& broker, const MetadataImage& image, const Wanted& wanted) {
  const std::shared_ptr<const TopicImage> topic = image.FindTopic(wanted.topic);
  const PartitionImage* partition = topic == nullptr ? nullptr : topic->Find(wanted.partition);
  if (partition == nullptr) return true;  // Deleted meanwhile.
  return broker.StateOf(*topic, wanted.partition).leader == partition->replicas.front().node;
}

bool NothingPending(Election& election) {
  const Broker& broker = election.request->broker();
  const std::shared_ptr<const MetadataImage> image = broker.image();
  bool pending = false;
  for (Wanted& wanted : election.wanted) {
    wanted.pending = wanted.pending && !PreferredLeads(broker, *image, wanted);
    pending |= wanted.pending;
  }
  return !pending;
}

void AnswerWhenDone(const ElectionPtr& election) {
  WhenHolds(
      election->request, election->deadline, [election] { return NothingPending(*election); },
      [election] {
        for (Wanted& wanted : election->wanted) {
          if (!wanted.pending) continue;
          Refuse(wanted, ErrorCode::kRequestTimedOut,
                 "the preferred replica does not lead in time");
        }
        Answer(*election);
      });
}

void Ask(const ElectionPtr& election) {
  std::vector<MoveSpec> moves;
  auto asked = std::make_shared<std::vector<size_t>>();
  for (size_t i = 0; i < election->wanted.size(); ++i) {
    const Wanted& wanted = election->wanted[i];
    if (!wanted.pending) continue;
    moves.push_back(
        {.topic = wanted.topic, .partition = wanted.partition, .leadership_only = true});
    asked->push_back(i);
  }
  if (moves.empty()) return Answer(*election);
  election->request->broker().MoveReplicas(
      std::move(moves), election->deadline, election->request->services().shard,
      [election, asked](const std::vector<absl::Status>& results) {
        for (size_t i = 0; i < asked->size(); ++i) {
          Wanted& wanted = election->wanted[(*asked)[i]];
          if (results[i].ok()) continue;
          wanted.pending = false;
          Refuse(wanted, ToErrorCode(results[i]), std::string(results[i].message()));
        }
        AnswerWhenDone(election);
      });
}

}  // namespace

void HandleElectLeaders(RequestPtr request) {
  const auto message = request->Decode<ElectLeadersRequest>();
  if (!message.has_value()) return;
  const Broker& broker = request->broker();
  auto election = std::make_shared<Election>();
  election->request = request;
  election->deadline = broker.clock().Mono() + Millis(std::max(message->timeout_ms, 0));
  election->all = !message->topic_partitions.has_value();
  const std::shared_ptr<const MetadataImage> image = broker.image();
  if (election->all) {
    image->ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
      for (size_t i = 0; i < topic->partitions.size(); ++i) {
        election->wanted.push_back({topic->name, static_cast<int32_t>(i)});
      }
    });
  } else {
    for (const auto& topic : *message->topic_partitions) {
      for (int32_t partition : topic.partitions) {
        election->wanted.push_back({std::string(topic.topic), partition});
      }
    }
  }
  for (Wanted& wanted : election->wanted) Judge(broker, *image, message->election_type, wanted);
  Ask(election);
}

}  // namespace garam
