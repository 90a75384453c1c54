// Topics for groups, under the test's hand.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "coordinator/groups/group_topics.h"

namespace garam {

// Topics that tests make and delete.
class FakeTopics {
 public:
  void Set(const std::string& name, int32_t partitions, std::vector<std::string> racks = {}) {
    AssignorTopic& topic = topics_[name];
    if (topic.name.empty()) topic.id = Uuid::Generate(random_);
    topic.name = name;
    topic.partition_count = partitions;
    topic.racks.assign(racks.empty() ? 0 : static_cast<size_t>(partitions), racks);
    ++version_;
  }
  void Delete(const std::string& name) {
    topics_.erase(name);
    ++version_;
  }
  TopicId IdOf(const std::string& name) const { return topics_.at(name).id; }
  const std::map<std::string, AssignorTopic>& all() const { return topics_; }

  std::shared_ptr<const GroupTopics> Now() const {
    auto snapshot = std::make_shared<Snapshot>();
    snapshot->topics = topics_;
    snapshot->number = version_;
    return snapshot;
  }

 private:
  struct Snapshot final : GroupTopics {
    int64_t version() const override { return number; }
    std::optional<AssignorTopic> Find(const std::string& name) const override {
      const auto found = topics.find(name);
      return found == topics.end() ? std::nullopt : std::optional(found->second);
    }
    std::optional<std::string> NameOf(const TopicId& id) const override {
      for (const auto& [name, topic] : topics) {
        if (topic.id == id) return name;
      }
      return std::nullopt;
    }
    void ForEachName(absl::FunctionRef<void(const std::string&)> visit) const override {
      for (const auto& [name, topic] : topics) visit(name);
    }
    std::map<std::string, AssignorTopic> topics;
    int64_t number = 0;
  };

  SeededRandom random_{11};
  std::map<std::string, AssignorTopic> topics_;
  int64_t version_ = 1;
};

}  // namespace garam
