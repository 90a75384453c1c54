// A small cluster's metadata, built with the commands that the controller makes.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "common/status.h"
#include "coordinator/controller.h"
#include "coordinator/metadata_image.h"
#include "coordinator/reassignment.h"

namespace garam {

inline BrokerImage BrokerOf(int32_t node, std::optional<std::string> rack = std::nullopt) {
  return {.node = NodeId(node),
          .incarnation = Incarnation(1000 + node),
          .endpoints = {{.listener = "PLAINTEXT",
                         .host = "broker-" + std::to_string(node),
                         .port = 9092}},
          .rack = std::move(rack),
          .control_address = "broker-" + std::to_string(node) + ":9093",
          .stream_port = 9094};
}

class ClusterFixture : public ::testing::Test {
 protected:
  // Applies a command as the next entry of group 0's log.
  MetadataImage::Applied Apply(const absl::StatusOr<std::string>& command) {
    EXPECT_TRUE(command.ok()) << command.status();
    auto applied = image_->ApplyBytes(image_->applied_index() + 1, command.value());
    EXPECT_TRUE(applied.ok()) << applied.status();
    image_ = applied->image;
    return *applied;
  }

  void Form(const std::string& cluster_id = "cluster-a", int32_t voters = 1) {
    FormationProposal proposal{.cluster_id = cluster_id, .voters = {}};
    for (int32_t node = 1; node <= voters; ++node) {
      const BrokerImage broker = BrokerOf(node);
      proposal.voters.push_back({.node = broker.node,
                                 .incarnation = broker.incarnation,
                                 .control_address = broker.control_address});
    }
    Apply(FormClusterCommand(proposal));
  }

  void Register(const BrokerImage& broker) {
    EXPECT_TRUE(
        Apply(PlanRegisterBroker(*image_, live_, image_->cluster_id(), broker)).outcome.ok());
    live_.insert(broker.node);
  }

  // Formed, with brokers 1 to `count`, all alive.
  void StartCluster(int32_t count) {
    Form();
    for (int32_t node = 1; node <= count; ++node) Register(BrokerOf(node));
  }

  std::vector<absl::StatusOr<PlannedTopic>> Plan(const std::vector<TopicSpec>& specs,
                                                 bool validate_only = false) {
    CreateTopicsPlan plan =
        PlanCreateTopics(image_, live_, defaults_, specs, validate_only, random_);
    return std::move(plan.topics);
  }

  absl::StatusOr<PlannedTopic> Plan(const TopicSpec& spec) { return Plan(std::vector{spec})[0]; }

  // Plans and applies; the topic as the image has it.
  std::shared_ptr<const TopicImage> Create(const TopicSpec& spec) {
    absl::StatusOr<PlannedTopic> planned = Plan(spec);
    EXPECT_TRUE(planned.ok()) << planned.status();
    EXPECT_TRUE(Apply(planned->command).outcome.ok());
    return image_->FindTopic(spec.name);
  }

  // The leaders of all groups, or of the first `count_max` that move, say that they are where they
  // are to be.
  void Arrive(size_t count_max = SIZE_MAX) {
    std::vector<std::pair<GroupId, LogIndex>> moving;
    ForEachPartition([&](const PartitionImage& partition) {
      if (partition.target.empty() || moving.size() == count_max) return;
      moving.emplace_back(partition.group, partition.wish);
    });
    for (const auto& [group, wish] : moving) Apply(PlanMembersReached(*image_, group, wish));
  }
  template <class Visit>
  void ForEachPartition(Visit visit) const {
    image_->ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
      for (const PartitionImage& partition : topic->partitions) visit(partition);
    });
  }

  std::shared_ptr<const MetadataImage> image_ = MetadataImage::Empty();
  std::set<NodeId> live_;
  ControllerDefaults defaults_;
  SeededRandom random_{7};
};

MATCHER_P(HasErrc, errc, std::string("is an error ") + std::string(ErrcName(errc))) {
  const absl::Status& status = absl::Status(arg);
  return !status.ok() && ErrcOf(status) == errc;
}

}  // namespace garam
