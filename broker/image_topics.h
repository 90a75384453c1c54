// The topics of a metadata image, as consumer groups see them.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "coordinator/groups/group_topics.h"
#include "coordinator/metadata_image.h"

namespace garam {

class ImageTopics final : public GroupTopics {
 public:
  explicit ImageTopics(std::shared_ptr<const MetadataImage> image) : image_(std::move(image)) {}

  int64_t version() const override { return image_->applied_index().value(); }
  std::optional<AssignorTopic> Find(const std::string& name) const override;
  std::optional<std::string> NameOf(const TopicId& id) const override;
  void ForEachName(absl::FunctionRef<void(const std::string& name)> visit) const override;

 private:
  const std::shared_ptr<const MetadataImage> image_;
};

}  // namespace garam
