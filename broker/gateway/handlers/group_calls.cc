#include "broker/gateway/handlers/group_calls.h"

#include "common/status.h"
#include "coordinator/groups/group_errors.h"

namespace garam {

absl::StatusOr<std::shared_ptr<Partition>> FindCoordinatorHere(Broker& broker,
                                                               std::string_view group) {
  const std::shared_ptr<const TopicImage> topic = broker.image()->FindTopic(kOffsetsTopic);
  if (topic == nullptr) {
    return MakeError(Errc::kCoordinatorNotAvailable, "__consumer_offsets is not there yet");
  }
  absl::StatusOr<std::shared_ptr<Partition>> partition =
      broker.Find(topic->id, GroupPartition(group, static_cast<int32_t>(topic->partitions.size())));
  if (!partition.ok()) return NotCoordinator();
  return partition;
}

}  // namespace garam
