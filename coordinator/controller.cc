#include "coordinator/controller.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "coordinator/drain.h"
#include "coordinator/metadata_codec.h"
#include "proto/metadata.pb.h"

namespace garam {

std::vector<absl::StatusOr<std::string>> PlanDeleteTopics(const MetadataImage& image,
                                                          const ControllerDefaults& defaults,
                                                          const std::vector<TopicId>& topics) {
  std::vector<absl::StatusOr<std::string>> plan;
  std::set<TopicId> seen;
  for (const TopicId& id : topics) {
    if (!defaults.delete_topic_enable) {
      plan.push_back(MakeError(Errc::kTopicDeletionDisabled, "Topic deletion is disabled."));
    } else if (!seen.insert(id).second) {
      plan.push_back(MakeError(Errc::kInvalidRequest, "Duplicate topic id."));
    } else if (image.FindTopic(id) == nullptr) {
      plan.push_back(MakeError(Errc::kUnknownTopicId, "This server does not host this topic ID."));
    } else {
      metadata::Command command = NewCommand();
      command.mutable_delete_topic()->set_id(std::string(id.raw()));
      plan.push_back(command.SerializeAsString());
    }
  }
  return plan;
}

absl::StatusOr<std::string> PlanRegisterBroker(const MetadataImage& image,
                                               const std::set<NodeId>& live,
                                               const std::string& cluster_id,
                                               const BrokerImage& broker) {
  const int32_t node = broker.node.value();
  if (cluster_id != image.cluster_id()) {
    return MakeError(Errc::kInconsistentClusterId,
                     absl::StrCat("broker ", node, " belongs to cluster ", cluster_id,
                                  ", but this is cluster ", image.cluster_id()));
  }
  if (broker.format_min > kMetadataFormatMax || broker.format_max < kMetadataFormatMax) {
    return MakeError(
        Errc::kUnsupportedVersion,
        absl::StrCat("broker ", node, " understands metadata formats ", broker.format_min, " to ",
                     broker.format_max, ", but this cluster writes ", kMetadataFormatMax));
  }
  if (broker.node < NodeId(0) || broker.endpoints.empty()) {
    return MakeError(Errc::kInvalidRequest, "a registration needs a node id and an endpoint");
  }
  if (const BrokerImage* known = image.FindBroker(broker.node); known != nullptr) {
    if (*known == broker) return std::string();
    // Otherwise it has lost its disk, and starts anew with another one (D18).
    if (known->incarnation != broker.incarnation && live.contains(broker.node)) {
      return MakeError(
          Errc::kInvalidRequest,
          absl::StrCat("another broker with node.id ", node, " is running at ",
                       known->control_address, ": give this one a node.id of its own"));
    }
  }
  metadata::Command command = NewCommand();
  *command.mutable_register_broker() = ToProto(broker);
  return command.SerializeAsString();
}

absl::StatusOr<std::string> PlanUnregisterBroker(const MetadataImage& image,
                                                 const std::set<NodeId>& live, NodeId node) {
  const BrokerImage* known = image.FindBroker(node);
  if (known == nullptr) {
    return MakeError(Errc::kBrokerIdNotRegistered,
                     absl::StrCat("Broker ID ", node.value(), " is not currently registered"));
  }
  if (image.brokers().size() == 1) {
    return MakeError(Errc::kInvalidRequest,
                     absl::StrCat("broker ", node.value(), " is the only one of the cluster"));
  }
  const size_t partitions = LoadOf(image, node).partitions;
  if (live.contains(node) && partitions > 0) {
    return MakeError(Errc::kInvalidRequest,
                     absl::StrCat("broker ", node.value(), " is running and has replicas of ",
                                  partitions, " partitions: drain it first (POST /admin/brokers/",
                                  node.value(), "/drain), or stop it"));
  }
  metadata::Command command = NewCommand();
  command.mutable_unregister_broker()->set_node(node.value());
  command.mutable_unregister_broker()->set_incarnation(known->incarnation.value());
  return command.SerializeAsString();
}

absl::StatusOr<std::string> PlanProducerIds(uint32_t count) {
  constexpr uint32_t kCountMax = 1'000'000;
  if (count == 0 || count > kCountMax) {
    return MakeError(Errc::kInvalidRequest,
                     absl::StrCat("blocks of producer ids have 1 to ", kCountMax, " of them"));
  }
  metadata::Command command = NewCommand();
  command.mutable_allocate_producer_ids()->set_count(count);
  return command.SerializeAsString();
}

std::string FormClusterCommand(const FormationProposal& proposal) {
  metadata::Command command = NewCommand();
  metadata::FormCluster& form = *command.mutable_form_cluster();
  form.set_cluster_id(proposal.cluster_id);
  for (const FormationVoter& voter : proposal.voters) *form.add_voters() = ToProto(voter);
  return command.SerializeAsString();
}

}  // namespace garam
