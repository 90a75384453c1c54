// Whole brokers that are asked about the quorum, and told of features and quotas.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "broker/quota_manager.h"
#include "tests/unit/broker/test_cluster.h"

namespace garam {
namespace {

using ::testing::SizeIs;

class AdminClusterTest : public ::testing::Test {
 protected:
  AdminClusterTest() { cluster_.StartAll(); }

  MonoTime Deadline() { return cluster_.clock().Mono() + Millis(10000); }
  absl::StatusOr<QuorumState> Quorum(NodeId asked) {
    std::optional<absl::StatusOr<QuorumState>> told;
    cluster_.core(asked).DescribeQuorum(
        Deadline(), 0, [&told](absl::StatusOr<QuorumState> quorum) { told = std::move(quorum); });
    cluster_.RunUntil([&] { return told.has_value(); });
    return told.value_or(absl::UnknownError("no answer"));
  }
  NodeId Controller() {
    NodeId controller = kNoNode;
    cluster_.RunUntil([&] {
      for (int node = 1; node <= 3 && controller == kNoNode; ++node) {
        if (cluster_.running(NodeId(node))) controller = cluster_.core(NodeId(node)).controller();
      }
      return controller != kNoNode;
    });
    return controller;
  }
  static const QuorumMember* Find(const QuorumState& quorum, NodeId node) {
    for (const QuorumMember& member : quorum.members) {
      if (member.node == node) return &member;
    }
    return nullptr;
  }
  absl::Status SetQuota(NodeId asked, double bytes, bool validate_only = false) {
    std::optional<absl::Status> result;
    cluster_.core(asked).AlterClientQuotas(
        {{.entity = {{"client-id", "c"}}, .ops = {{"producer_byte_rate", bytes}}}}, validate_only,
        Deadline(), 0,
        [&result](const std::vector<absl::Status>& results) { result = results.front(); });
    cluster_.RunUntil([&] { return result.has_value(); });
    return result.value_or(absl::UnknownError("no answer"));
  }
  bool AllHaveTheQuota() {
    for (int node = 1; node <= 3; ++node) {
      BrokerCore& core = cluster_.core(NodeId(node));
      if (!core.quotas().active(QuotaKind::kProduce)) return false;
    }
    return true;
  }
  absl::Status UpdateFeature(int16_t level, FeatureUpdateKind kind, bool validate_only) {
    std::optional<absl::Status> result;
    cluster_.core(NodeId(2)).UpdateFeatures(
        {{"group.version", level, kind}}, validate_only, Deadline(), 0,
        [&result](absl::Status status) { result = std::move(status); });
    cluster_.RunUntil([&] { return result.has_value(); });
    return result.value_or(absl::UnknownError("no answer"));
  }

  TestCluster cluster_{3};
};

TEST_F(AdminClusterTest, EveryBrokerTellsOfTheQuorum) {
  ASSERT_TRUE(cluster_.CreateTopic("t"));
  for (int node = 1; node <= 3; ++node) {
    const auto quorum = Quorum(NodeId(node));
    ASSERT_TRUE(quorum.ok()) << quorum.status();
    EXPECT_EQ(quorum->leader, Controller());
    EXPECT_GT(quorum->term, Term(0));
    EXPECT_GT(quorum->commit, LogIndex(0));
    ASSERT_THAT(quorum->members, SizeIs(3));
    for (const QuorumMember& member : quorum->members) {
      EXPECT_TRUE(member.votes);
      EXPECT_NE(member.incarnation, Incarnation(0));
      EXPECT_TRUE(member.fetched_ms.has_value());
    }
  }
}

TEST_F(AdminClusterTest, ADeadVoterIsToldAsItWasSeenLast) {
  const NodeId controller = Controller();
  const NodeId dead(controller == NodeId(1) ? 2 : 1);
  const NodeId other(6 - controller.value() - dead.value());
  cluster_.Kill(dead);
  ASSERT_TRUE(
      cluster_.RunUntil([&] { return !cluster_.core(other).live_brokers().contains(dead); }));
  const int64_t since_ms = cluster_.clock().WallMs();
  ASSERT_TRUE(SetQuota(other, 1000).ok());
  cluster_.RunUntil([] { return false; }, 2000);
  const auto quorum = Quorum(other);
  ASSERT_TRUE(quorum.ok()) << quorum.status();
  const QuorumMember* gone = Find(*quorum, dead);
  ASSERT_NE(gone, nullptr);
  EXPECT_LT(gone->last_index, quorum->commit);
  EXPECT_LE(gone->fetched_ms.value_or(0), since_ms);
  EXPECT_GT(Find(*quorum, other)->caught_up_ms.value_or(0), since_ms);
}

TEST_F(AdminClusterTest, QuotasHoldOnEveryBroker) {
  EXPECT_EQ(ErrcOf(SetQuota(NodeId(3), -1)), Errc::kInvalidRequest);
  ASSERT_TRUE(SetQuota(NodeId(3), 1000, /*validate_only=*/true).ok());
  EXPECT_FALSE(cluster_.core(NodeId(3)).quotas().active());
  ASSERT_TRUE(SetQuota(Controller(), 1000).ok());
  EXPECT_TRUE(AllHaveTheQuota()) << "who is asked next must not have to be asked again";
}

TEST_F(AdminClusterTest, ASlowBrokerHoldsAnAnswerUpForAMomentOnly) {
  const NodeId slow = Controller() == NodeId(3) ? NodeId(2) : NodeId(3);
  const MonoTime begin = cluster_.clock().Mono();
  cluster_.StallDisk(slow, begin + Millis(5000));
  ASSERT_TRUE(SetQuota(Controller(), 1000).ok());
  EXPECT_FALSE(AllHaveTheQuota());
  EXPECT_LT(cluster_.clock().Mono() - begin, Millis(1000));
  EXPECT_TRUE(cluster_.RunUntil([this] { return AllHaveTheQuota(); }));
}

TEST_F(AdminClusterTest, QuotasHoldAfterARestart) {
  ASSERT_TRUE(SetQuota(NodeId(1), 1000).ok());
  cluster_.PowerLoss();
  cluster_.StartAll();
  EXPECT_TRUE(cluster_.RunUntil([this] { return AllHaveTheQuota(); }));
}

TEST_F(AdminClusterTest, FeaturesAreUpdatedThroughAnyBroker) {
  EXPECT_EQ(ErrcOf(UpdateFeature(0, FeatureUpdateKind::kUpgrade, false)),
            Errc::kInvalidUpdateVersion);
  const auto level = [this] {
    return FeatureLevelOf(*cluster_.core(NodeId(2)).image(), "group.version");
  };
  ASSERT_TRUE(UpdateFeature(0, FeatureUpdateKind::kSafeDowngrade, true).ok());
  EXPECT_EQ(level(), 1);
  ASSERT_TRUE(UpdateFeature(0, FeatureUpdateKind::kSafeDowngrade, false).ok());
  EXPECT_EQ(level(), 0);
}

}  // namespace
}  // namespace garam
