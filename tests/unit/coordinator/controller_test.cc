#include "coordinator/controller.h"

#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using testing::HasSubstr;

class ControllerTest : public ClusterFixture {
 protected:
  absl::StatusOr<std::string> PlanRegister(const BrokerImage& broker,
                                           const std::string& cluster_id = "cluster-a") {
    return PlanRegisterBroker(*image_, live_, cluster_id, broker);
  }
};

TEST_F(ControllerTest, DeletingAnUnknownTopicIsRefused) {
  StartCluster(1);
  EXPECT_THAT(PlanDeleteTopics(*image_, defaults_, {TopicId::Generate(random_)})[0].status(),
              HasErrc(Errc::kUnknownTopicId));
}

TEST_F(ControllerTest, DeletingATopicTwiceInOneRequestIsRefusedOnce) {
  StartCluster(1);
  const TopicId id = Create({.name = "t"})->id;
  const auto plan = PlanDeleteTopics(*image_, defaults_, {id, id});
  EXPECT_TRUE(plan[0].ok());
  EXPECT_THAT(plan[1].status(), HasErrc(Errc::kInvalidRequest));
}

TEST_F(ControllerTest, DeletionCanBeSwitchedOff) {
  StartCluster(1);
  const TopicId id = Create({.name = "t"})->id;
  defaults_.delete_topic_enable = false;
  EXPECT_THAT(PlanDeleteTopics(*image_, defaults_, {id})[0].status(),
              HasErrc(Errc::kTopicDeletionDisabled));
}

TEST_F(ControllerTest, RegisteringAgainUnchangedNeedsNoCommand) {
  StartCluster(1);
  const auto plan = PlanRegister(BrokerOf(1));
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(*plan, "");
}

TEST_F(ControllerTest, ABrokerOfAnotherClusterIsRefused) {
  StartCluster(1);
  EXPECT_THAT(PlanRegister(BrokerOf(2), "cluster-b").status(),
              HasErrc(Errc::kInconsistentClusterId));
}

TEST_F(ControllerTest, ASecondProcessWithTheIdOfALiveBrokerIsRefused) {
  StartCluster(2);
  BrokerImage twin = BrokerOf(2);
  twin.incarnation = Incarnation(77);
  const absl::Status status = PlanRegister(twin).status();
  EXPECT_THAT(status, HasErrc(Errc::kInvalidRequest));
  EXPECT_THAT(std::string(status.message()), HasSubstr("is running at broker-2:9093"));
}

TEST_F(ControllerTest, AWipedBrokerComesBackAsAnother) {
  StartCluster(2);
  live_.erase(NodeId(2));
  BrokerImage wiped = BrokerOf(2);
  wiped.incarnation = Incarnation(77);
  Apply(PlanRegister(wiped));
  EXPECT_EQ(image_->FindBroker(NodeId(2))->incarnation, Incarnation(77));
}

TEST_F(ControllerTest, AnIdIsFreeAgainAfterItsBrokerWasUnregistered) {
  StartCluster(2);
  Apply(PlanUnregisterBroker(*image_, live_, NodeId(2)));
  BrokerImage fresh = BrokerOf(2);
  fresh.incarnation = Incarnation(77);
  Register(fresh);
  EXPECT_EQ(image_->FindBroker(NodeId(2))->incarnation, Incarnation(77));
}

TEST_F(ControllerTest, ABrokerThatDoesNotUnderstandTheMetadataIsRefused) {
  StartCluster(1);
  BrokerImage newer = BrokerOf(2);
  newer.format_min = kMetadataFormatMax + 1;
  newer.format_max = kMetadataFormatMax + 3;
  EXPECT_THAT(PlanRegister(newer).status(), HasErrc(Errc::kUnsupportedVersion));
}

TEST_F(ControllerTest, ARunningBrokerWithReplicasIsNotUnregistered) {
  StartCluster(3);
  Create({.name = "t", .num_partitions = 4, .replication_factor = 3});
  const absl::Status status = PlanUnregisterBroker(*image_, live_, NodeId(2)).status();
  EXPECT_THAT(status, HasErrc(Errc::kInvalidRequest));
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("broker 2 is running and has replicas of 4 partitions: drain it first"));
}

TEST_F(ControllerTest, WhatADeadBrokerHadStaysAssignedWhenItIsUnregistered) {
  StartCluster(3);
  Create({.name = "t", .replication_factor = 3});
  live_.erase(NodeId(2));
  EXPECT_TRUE(Apply(PlanUnregisterBroker(*image_, live_, NodeId(2))).outcome.ok());
  EXPECT_EQ(image_->FindTopic("t")->partitions[0].replicas.size(), 3u);
}

TEST_F(ControllerTest, TheLastBrokerIsNotUnregistered) {
  StartCluster(1);
  live_.clear();
  EXPECT_THAT(PlanUnregisterBroker(*image_, live_, NodeId(1)).status(),
              HasErrc(Errc::kInvalidRequest));
}

TEST_F(ControllerTest, OnlyRegisteredBrokersCanBeUnregistered) {
  StartCluster(1);
  EXPECT_THAT(PlanUnregisterBroker(*image_, live_, NodeId(9)).status(),
              HasErrc(Errc::kBrokerIdNotRegistered));
}

}  // namespace
}  // namespace garam
