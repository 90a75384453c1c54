#include "broker/image_topics.h"

namespace garam {

std::optional<AssignorTopic> ImageTopics::Find(const std::string& name) const {
  const std::shared_ptr<const TopicImage> topic = image_->FindTopic(name);
  if (topic == nullptr) return std::nullopt;
  AssignorTopic found;
  found.id = topic->id;
  found.name = topic->name;
  found.partition_count = static_cast<int32_t>(topic->partitions.size());
  for (const PartitionImage& partition : topic->partitions) {
    std::vector<std::string>& racks = found.racks.emplace_back();
    for (const ReplicaImage& replica : partition.replicas) {
      const BrokerImage* const broker = image_->FindBroker(replica.node);
      if (broker != nullptr && broker->rack) racks.push_back(*broker->rack);
    }
  }
  return found;
}

std::optional<std::string> ImageTopics::NameOf(const TopicId& id) const {
  const std::shared_ptr<const TopicImage> topic = image_->FindTopic(id);
  return topic == nullptr ? std::nullopt : std::optional(topic->name);
}

void ImageTopics::ForEachName(absl::FunctionRef<void(const std::string& name)> visit) const {
  image_->ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) { visit(topic->name); });
}

}  // namespace garam
