// Any bytes as a request to the controller, or as its answer: what decodes must encode, and decode
// again to the same; and no request may make the controller propose a command that the brokers then
// cannot apply, for that would stop all of them.
//
// The first byte's lowest bit chooses between request and answer.
#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/random.h"
#include "common/status.h"
#include "coordinator/controller_messages.h"
#include "proto/controller.pb.h"
#include "tests/fuzz/allocation_limit.h"
#include "tests/fuzz/require.h"

namespace garam::fuzz {
namespace {

using ImagePtr = std::shared_ptr<const MetadataImage>;

// An empty topic of two bytes becomes a protocol buffer, and a struct with two vectors and a
// string; a vector that grows is there twice.
constexpr size_t kFactor = 256;
constexpr int32_t kBrokers = 3;

// The command must be one that every broker understands; its outcome may be a refusal.
ImagePtr Apply(const ImagePtr& image, const std::string& command) {
  if (command.empty()) return image;
  const auto applied = image->ApplyBytes(image->applied_index() + 1, command);
  Require(applied.ok(), "a command that stops every broker", applied.status().ToString());
  return applied->image;
}

BrokerImage BrokerOf(int32_t node) {
  return {.node = NodeId(node),
          .incarnation = Incarnation(static_cast<uint64_t>(node)),
          .endpoints = {{.listener = "PLAINTEXT", .host = "h", .port = 9092}},
          .control_address = "h:9093",
          .stream_port = 9094};
}

std::set<NodeId> LiveBrokers() { return {NodeId(1), NodeId(2), NodeId(3)}; }

// A cluster of three with a topic "a", as the corpus knows it.
ImagePtr MakeCluster() {
  ImagePtr image =
      Apply(MetadataImage::Empty(), FormClusterCommand({.cluster_id = "c",
                                                        .voters = {{.node = NodeId(1),
                                                                    .incarnation = Incarnation(1),
                                                                    .control_address = "h:1"}}}));
  for (int32_t node = 1; node <= kBrokers; ++node) {
    image = Apply(image, *PlanRegisterBroker(*image, LiveBrokers(), "c", BrokerOf(node)));
  }
  SeededRandom random(1);
  const auto plan = PlanCreateTopics(image, LiveBrokers(), {},
                                     {{.name = "a", .num_partitions = 2, .replication_factor = 2}},
                                     /*validate_only=*/false, random);
  return Apply(image, plan.topics.front()->command);
}

struct Controller {
  Controller() { defaults.partitions_per_request_max = 50; }

  ImagePtr image = MakeCluster();
  ControllerDefaults defaults;

  void Handle(const CreateTopicsRequest& request) {
    SeededRandom random(2);
    const auto plan = PlanCreateTopics(image, LiveBrokers(), defaults, request.topics,
                                       request.validate_only, random);
    Require(plan.topics.size() == request.topics.size(), "a topic without an answer");
    for (const auto& topic : plan.topics) {
      if (topic.ok()) image = Apply(image, topic->command);
    }
  }
  void Handle(const DeleteTopicsRequest& request) {
    const auto commands = PlanDeleteTopics(*image, defaults, request.topics);
    Require(commands.size() == request.topics.size(), "a topic without an answer");
    for (const auto& command : commands) {
      if (command.ok()) image = Apply(image, *command);
    }
  }
  void Handle(const RegisterBrokerRequest& request) {
    const auto command =
        PlanRegisterBroker(*image, LiveBrokers(), request.cluster_id, request.broker);
    if (command.ok()) image = Apply(image, *command);
  }
  void Handle(const MoveReplicasRequest& request) {
    for (const MoveSpec& move : request.moves) {
      const auto command = PlanMove(*image, move);
      if (command.ok()) image = Apply(image, *command);
    }
  }
  void Handle(const MembersReachedRequest& request) {
    image = Apply(image, PlanMembersReached(*image, request.group, request.wish));
  }
  void Handle(const AlterConfigsRequest& request) {
    for (const ConfigChange& change : request.changes) {
      const auto command = PlanConfigChange(*image, defaults, change);
      if (command.ok() && !command->empty()) image = Apply(image, *command);
    }
  }
  void Handle(const CreatePartitionsRequest& request) {
    SeededRandom random(3);
    for (const MorePartitionsSpec& spec : request.topics) {
      const auto command = PlanMorePartitions(*image, LiveBrokers(), defaults, spec, random);
      if (command.ok()) image = Apply(image, *command);
    }
  }
  void Handle(const AllocateProducerIdsRequest& request) {
    const auto command = PlanProducerIds(request.count);
    if (command.ok()) image = Apply(image, *command);
  }
  void Handle(const AlterQuotasRequest& request) {
    for (const QuotaChange& change : request.changes) {
      const auto command = PlanQuotaChange(*image, change);
      if (command.ok()) image = Apply(image, *command);
    }
  }
  void Handle(const UpdateFeaturesRequest& request) {
    const auto command = PlanFeatureUpdates(*image, request.updates);
    if (command.ok()) image = Apply(image, *command);
  }
  void Handle(const DescribeQuorumRequest&) {}
  void Handle(const UnregisterBrokerRequest& request) {
    const auto command = PlanUnregisterBroker(*image, {NodeId(1)}, request.node);
    if (command.ok()) image = Apply(image, *command);
  }
};

void FeedRequest(std::string_view bytes) {
  absl::StatusOr<ControllerRequest> request = absl::UnknownError("");
  {
    const AllocationLimit limit(bytes.size(), kFactor, FixedBytesOf<controller::Request>(bytes));
    request = DecodeControllerRequest(bytes);
  }
  if (!request.ok()) return;
  const std::string once = EncodeControllerRequest(*request);
  const auto again = DecodeControllerRequest(once);
  Require(again.ok(), "a request decodes once only", again.status().ToString());
  Require(EncodeControllerRequest(*again) == once, "a request has changed on its way");

  static const Controller start;
  Controller controller = start;
  std::visit([&controller](const auto& kind) { controller.Handle(kind); }, *request);
  const auto copy = MetadataImage::DecodeSnapshot(controller.image->EncodeSnapshot());
  Require(copy.ok(), "an image whose snapshot is damaged", copy.status().ToString());
}

void FeedReply(std::string_view bytes) {
  absl::StatusOr<ControllerReply> reply = absl::UnknownError("");
  {
    const AllocationLimit limit(bytes.size(), kFactor, FixedBytesOf<controller::Reply>(bytes));
    reply = DecodeControllerReply(bytes);
  }
  const std::string once = EncodeControllerReply(reply);
  const auto again = DecodeControllerReply(once);
  Require(again.ok() == reply.ok(), "a reply has turned");
  Require(EncodeControllerReply(again) == once, "a reply has changed on its way");
  if (reply.ok()) return;
  const Errc errc = ErrcOf(reply.status());
  Require(ErrcName(errc) != "Unknown" || errc == Errc::kUnknown, "an error that is none of ours",
          absl::StrCat(static_cast<int>(errc)));
}

}  // namespace
}  // namespace garam::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  (data[0] & 1) == 0 ? garam::fuzz::FeedRequest(bytes) : garam::fuzz::FeedReply(bytes);
  return 0;
}
