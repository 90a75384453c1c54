// Where replicas are to be: Kafka's checks and messages, and what a move leaves behind.
#include "coordinator/reassignment.h"

#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ReassignmentTest : public ClusterFixture {
 protected:
  ReassignmentTest() {
    StartCluster(5);
    TopicSpec spec{.name = "t"};
    spec.assignments = {{.partition = 0, .replicas = {NodeId(1), NodeId(2), NodeId(3)}}};
    Create(spec);
  }

  static MoveSpec To(std::vector<int> nodes) {
    MoveSpec move{.topic = "t", .partition = 0, .replicas = std::vector<NodeId>()};
    for (int node : nodes) move.replicas->push_back(NodeId(node));
    return move;
  }
  static MoveSpec Undo() { return {.topic = "t", .partition = 0, .replicas = std::nullopt}; }

  void Move(const MoveSpec& spec) { Apply(PlanMove(*image_, spec)); }
  const PartitionImage& partition() const { return image_->FindTopic("t")->partitions[0]; }
  static std::vector<int> Nodes(const std::vector<ReplicaImage>& replicas) {
    std::vector<int> nodes;
    for (const ReplicaImage& replica : replicas) nodes.push_back(replica.node.value());
    return nodes;
  }
  bool Has(int node) const {
    return partition().Find(NodeId(node), image_->FindBroker(NodeId(node))->incarnation) != nullptr;
  }
};

TEST_F(ReassignmentTest, AMoveSetsTheTargetAndItsEndTheReplicas) {
  Move(To({2, 3, 4}));
  EXPECT_THAT(Nodes(partition().replicas), ElementsAre(1, 2, 3));
  EXPECT_THAT(Nodes(partition().target), ElementsAre(2, 3, 4));
  EXPECT_TRUE(Has(4));
  Apply(PlanMembersReached(*image_, partition().group, partition().wish));
  EXPECT_THAT(Nodes(partition().replicas), ElementsAre(2, 3, 4));
  EXPECT_THAT(partition().target, IsEmpty());
  EXPECT_THAT(Nodes(partition().founders), ElementsAre(1, 2, 3));
  EXPECT_FALSE(Has(1));
}

TEST_F(ReassignmentTest, WhoComesBackIsNotWhoLeft) {
  EXPECT_EQ(partition().replicas[0].since, LogIndex(0));
  Move(To({2, 3, 4}));
  const LogIndex moved = image_->applied_index();
  EXPECT_EQ(partition().target[0].since, LogIndex(0));
  EXPECT_EQ(partition().target[2].since, moved);
  Apply(PlanMembersReached(*image_, partition().group, partition().wish));
  EXPECT_EQ(partition().replicas[2].since, moved);
  Move(To({1, 2, 3}));
  EXPECT_EQ(partition().target[0].since, image_->applied_index());
  EXPECT_EQ(partition().target[1].since, LogIndex(0));
}

// The word of an earlier wish may be late, and sound like the present one's.
TEST_F(ReassignmentTest, TheEndOfAnEarlierWishEndsNothing) {
  Move(To({2, 3, 4}));
  const LogIndex first = partition().wish;
  Move(To({2, 3, 5}));
  Move(To({2, 3, 4}));
  EXPECT_EQ(PlanMembersReached(*image_, partition().group, first), "");
  EXPECT_EQ(PlanMembersReached(*image_, GroupId(999), partition().wish), "");
  EXPECT_NE(PlanMembersReached(*image_, partition().group, partition().wish), "");
}

TEST_F(ReassignmentTest, AnotherOrderIsAnotherPreferredLeaderAndMovesNothing) {
  Move(To({3, 1, 2}));
  EXPECT_THAT(Nodes(partition().replicas), ElementsAre(3, 1, 2));
  EXPECT_THAT(partition().target, IsEmpty());
}

TEST_F(ReassignmentTest, WhatIsSoAlreadyNeedsNoCommand) {
  EXPECT_EQ(*PlanMove(*image_, To({1, 2, 3})), "");
  Move(To({2, 3, 4}));
  EXPECT_EQ(*PlanMove(*image_, To({2, 3, 4})), "");
}

TEST_F(ReassignmentTest, UndoingAMoveKeepsItsNewcomersUntilTheGroupIsRidOfThem) {
  Move(To({2, 3, 4}));
  Move(Undo());
  EXPECT_THAT(Nodes(partition().target), ElementsAre(1, 2, 3));
  EXPECT_THAT(Nodes(partition().leaving), ElementsAre(4));
  EXPECT_TRUE(Has(4));
  Move(To({3, 4, 5}));
  EXPECT_THAT(partition().leaving, IsEmpty());  // Wanted again.
  Move(To({1, 2, 5}));
  EXPECT_THAT(Nodes(partition().leaving), ElementsAre(4));
  Apply(PlanMembersReached(*image_, partition().group, partition().wish));
  EXPECT_THAT(partition().leaving, IsEmpty());
}

TEST_F(ReassignmentTest, SnapshotsKeepAMove) {
  Move(To({2, 3, 4}));
  Move(To({2, 3, 5}));
  auto decoded = MetadataImage::DecodeSnapshot(image_->EncodeSnapshot());
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ((*decoded)->FindTopic("t")->partitions[0], partition());
}

TEST_F(ReassignmentTest, WhatCannotBeIsRefusedAsKafkaDoes) {
  EXPECT_THAT(PlanMove(*image_, {"other", 0, std::nullopt}).status(), HasErrc(Errc::kUnknownTopic));
  EXPECT_THAT(PlanMove(*image_, {"t", 7, std::nullopt}).status(), HasErrc(Errc::kUnknownTopic));
  EXPECT_THAT(PlanMove(*image_, Undo()).status(), HasErrc(Errc::kNoReassignment));
  for (const MoveSpec& bad : {To({}), To({1, 1}), To({1, 9})}) {
    EXPECT_THAT(PlanMove(*image_, bad).status(), HasErrc(Errc::kInvalidReplicaAssignment));
  }
  EXPECT_THAT(std::string(PlanMove(*image_, To({1, 9})).status().message()), HasSubstr("broker 9"));
}

}  // namespace
}  // namespace garam
