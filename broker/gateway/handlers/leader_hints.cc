#include "broker/gateway/handlers/leader_hints.h"

namespace garam {

bool LeaderHints::Wanted(const absl::Status& status) {
  if (status.ok()) return false;
  const Errc errc = ErrcOf(status);
  return errc == Errc::kNotLeader || errc == Errc::kFencedLeaderEpoch;
}

std::optional<LeaderHint> LeaderHints::Find(const TopicId& id, std::string_view topic,
                                            int32_t partition) {
  const std::shared_ptr<const MetadataImage> image = broker_.image();
  const std::shared_ptr<const TopicImage> found =
      id.IsZero() ? image->FindTopic(topic) : image->FindTopic(id);
  if (found == nullptr || found->Find(partition) == nullptr) return std::nullopt;
  const PartitionState state = broker_.StateOf(*found, partition);
  if (state.leader == kNoNode) return std::nullopt;
  leaders_.insert(state.leader);
  return LeaderHint{state.leader, state.leader_epoch};
}

}  // namespace garam
