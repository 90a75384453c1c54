// Whole brokers on disks that rot, fail, fill up and stall.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <limits>

#include "absl/strings/match.h"
#include "common/status.h"
#include "tests/unit/broker/test_cluster.h"

namespace garam {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using Call = storage::FakeFileSystem::Call;

constexpr int kRecords = 12;

class DiskTest : public ::testing::Test {
 protected:
  // A topic on every node, with three segments and all in the files.
  void Fill(int nodes, std::map<std::string, std::string> configs = {}) {
    cluster_ = std::make_unique<TestCluster>(nodes);
    cluster_->adjust = adjust_;
    cluster_->StartAll();
    configs["segment.bytes"] = "1048576";
    ASSERT_TRUE(cluster_->CreateTopic("t", configs));
    for (int i = 0; i < kRecords; ++i) ASSERT_TRUE(Produce());
    ASSERT_TRUE(cluster_->RunUntil(
        [&] { return cluster_->IsrOf("t").size() == static_cast<size_t>(nodes); }));
  }
  bool Produce() {
    std::optional<Offset> acked;
    if (!cluster_->Produce("t", Value(static_cast<int>(produced_)), &acked)) return false;
    ++produced_;
    return cluster_->RunUntil([&] { return acked.has_value(); }, 5000);
  }
  static std::string Value(int number) {
    return "record " + std::to_string(number) + " " + std::string(250'000, 'x');
  }
  bool HasFullIsr(int virtual_ms = 10000) {
    return cluster_->RunUntil([&] { return cluster_->IsrOf("t").size() == 3; }, virtual_ms);
  }
  // Not only in sync: sure of it, so that it votes.
  bool IsSure(NodeId node) {
    return cluster_->RunUntil([&] {
      for (const auto& partition : cluster_->core(node).partitions()) {
        if (!partition->replica().core().in_doubt()) return true;
      }
      return false;
    });
  }
  bool HasKeptAside(NodeId node) {
    const std::vector<std::string> names = *cluster_->files(node).List("/data");
    return std::any_of(names.begin(), names.end(), [](const std::string& name) {
      return absl::StartsWith(name, "t-0.") && absl::EndsWith(name, ".damaged");
    });
  }
  NodeId Follower() { return NodeId(cluster_->LeaderOf("t").value() % 3 + 1); }
  void Flip(NodeId node, size_t segment, int64_t at) {
    const std::vector<std::string> paths = cluster_->SegmentsOf(node, "t");
    ASSERT_GT(paths.size(), segment);
    cluster_->files(node).FlipBit(paths[segment], at, 3);
  }
  // Through `node` as the leader.
  void ExpectAllReadableOn(NodeId node) {
    ASSERT_TRUE(IsSure(node));
    for (int i = 1; i <= 3; ++i) {
      if (NodeId(i) != node && cluster_->running(NodeId(i))) cluster_->Kill(NodeId(i));
    }
    const NodeId other = NodeId(node.value() % 3 + 1);
    cluster_->Start(other);
    ASSERT_TRUE(cluster_->RunUntil([&] { return cluster_->LeaderOf("t") != kNoNode; }));
    if (cluster_->LeaderOf("t") != node) {
      cluster_->Kill(other);
      const NodeId third = NodeId(other.value() % 3 + 1);
      cluster_->Start(third);
      ASSERT_TRUE(cluster_->RunUntil([&] { return cluster_->LeaderOf("t") != kNoNode; }));
    }
    const std::map<Offset, std::string> values = cluster_->ReadAll("t");
    ASSERT_EQ(values.size(), produced_);
    for (const auto& [offset, value] : values) {
      EXPECT_THAT(value, HasSubstr(Value(static_cast<int>(offset.value()))));
    }
  }
  absl::Status ReadOn(NodeId node, Offset from) {
    std::optional<absl::Status> status;
    ReadSpec spec;
    spec.from = from;
    spec.bytes_max = 1;
    cluster_->PartitionOn(node, "t")->Read(
        spec, [&](absl::StatusOr<ReadResult> result) { status = result.status(); });
    EXPECT_TRUE(cluster_->RunUntil([&] { return status.has_value(); }));
    return *status;
  }
  TestCluster& cluster() { return *cluster_; }

  std::unique_ptr<TestCluster> cluster_;
  std::function<void(BrokerConfig&)> adjust_;
  size_t produced_ = 0;
};

TEST_F(DiskTest, ALogThatIsDamagedAtStartIsKeptAsideAndCopiedAgain) {
  Fill(3);
  const NodeId node = Follower();
  cluster().Kill(node);
  ASSERT_TRUE(Produce());
  Flip(node, 1, 20);  // The header of the middle segment.
  cluster().Start(node);
  ASSERT_TRUE(HasFullIsr());
  EXPECT_TRUE(HasKeptAside(node));
  ExpectAllReadableOn(node);
}

TEST_F(DiskTest, ALeadersDamageIsNotServedAndMadeGoodFromTheOthers) {
  Fill(3);
  const NodeId node = cluster().LeaderOf("t");
  // All that is in memory goes.
  for (int i = 1; i <= 3; ++i) cluster().Kill(NodeId(i));
  cluster().StartAll();
  ASSERT_TRUE(cluster().RunUntil([&] { return cluster().LeaderOf("t") == node; }, 30000));
  ASSERT_TRUE(HasFullIsr());
  Flip(node, 1, 300'000);
  const absl::Status read = ReadOn(node, Offset(5));
  EXPECT_EQ(ErrcOf(read), Errc::kStorage) << read;
  ASSERT_TRUE(cluster().RunUntil([&] { return HasKeptAside(node); }));
  ASSERT_TRUE(HasFullIsr());
  ASSERT_TRUE(Produce());
  ExpectAllReadableOn(node);
}

TEST_F(DiskTest, DamageThatNobodyReadsIsFoundAndMadeGood) {
  Fill(3);
  const NodeId node = Follower();
  Flip(node, 1, 300'000);
  ASSERT_TRUE(cluster().RunUntil([&] { return HasKeptAside(node); }));
  ASSERT_TRUE(HasFullIsr());
  ExpectAllReadableOn(node);
}

TEST_F(DiskTest, AReplicaThatWasCopiedAgainMayBeDamagedOnceMore) {
  Fill(3);
  for (int times = 0; times < 3; ++times) {
    const NodeId node = Follower();
    cluster().Kill(node);
    Flip(node, 1, 20);
    cluster().Start(node);
    ASSERT_TRUE(HasFullIsr());
    ASSERT_TRUE(Produce());
  }
}

TEST_F(DiskTest, TheOnlyReplicaStaysClosedWithItsFiles) {
  Fill(1);
  const NodeId node(1);
  cluster().Kill(node);
  Flip(node, 1, 20);
  const std::vector<std::string> segments = cluster().SegmentsOf(node, "t");
  cluster().Start(node);
  EXPECT_FALSE(cluster().RunUntil([&] { return cluster().LeaderOf("t") != kNoNode; }, 3000));
  EXPECT_EQ(cluster().SegmentsOf(node, "t"), segments);
  EXPECT_FALSE(HasKeptAside(node));
  Flip(node, 1, 20);  // And back.
  cluster().Kill(node);
  cluster().Start(node);
  ASSERT_TRUE(cluster().RunUntil([&] { return cluster().LeaderOf("t") != kNoNode; }));
  EXPECT_THAT(cluster().ReadAll("t"), SizeIs(kRecords));
}

TEST_F(DiskTest, TheOnlyReplicaServesWhatItCanReadBesideTheDamage) {
  Fill(1);
  const NodeId node(1);
  cluster().Kill(node);
  cluster().Start(node);
  ASSERT_TRUE(cluster().RunUntil([&] { return cluster().LeaderOf("t") != kNoNode; }));
  Flip(node, 1, 300'000);
  EXPECT_EQ(ErrcOf(ReadOn(node, Offset(5))), Errc::kStorage);
  EXPECT_TRUE(ReadOn(node, Offset(4)).ok());
  EXPECT_TRUE(ReadOn(node, Offset(6)).ok());
  EXPECT_TRUE(Produce());
}

TEST_F(DiskTest, ANodeThatLostItsRowsComesBackAsSomebodyElseWithItsRecords) {
  Fill(3);
  const NodeId node = Follower();
  const Incarnation before = cluster().core(node).identity().incarnation;
  const std::vector<std::string> segments = cluster().SegmentsOf(node, "t");
  cluster().Kill(node);
  cluster().LoseRows(node);
  ASSERT_TRUE(Produce());
  cluster().Start(node);
  const Incarnation after = cluster().core(node).identity().incarnation;
  EXPECT_NE(after, before);
  EXPECT_EQ(cluster().SegmentsOf(node, "t"), segments);
  ASSERT_TRUE(cluster().RunUntil([&] {
    const NodeId leader = cluster().LeaderOf("t");
    if (leader == kNoNode) return false;
    const PartitionImage partition = cluster().core(leader).image()->FindTopic("t")->partitions[0];
    return partition.target.empty() && partition.Find(node, after) != nullptr;
  }));
  ASSERT_TRUE(HasFullIsr());
  // It is known as the new one from now on.
  cluster().Kill(node);
  cluster().Start(node);
  EXPECT_EQ(cluster().core(node).identity().incarnation, after);
  ASSERT_TRUE(Produce());
  ASSERT_TRUE(HasFullIsr());
  ExpectAllReadableOn(node);
}

TEST_F(DiskTest, TheOnlyMemberOfAClusterGoesOnWithoutItsRows) {
  Fill(1);
  const NodeId node(1);
  const Incarnation before = cluster().core(node).identity().incarnation;
  cluster().Kill(node);
  cluster().LoseRows(node);
  cluster().Start(node);
  EXPECT_EQ(cluster().core(node).identity().incarnation, before);
  ASSERT_TRUE(cluster().RunUntil([&] { return cluster().LeaderOf("t") != kNoNode; }));
  EXPECT_THAT(cluster().ReadAll("t"), SizeIs(kRecords));
  EXPECT_TRUE(Produce());
}

TEST_F(DiskTest, AFailedDiskLeavesTheIsrAtOnceAndAcknowledgesNothing) {
  Fill(3);
  const NodeId node = Follower();
  for (Call failing : {Call::kWrite, Call::kSync}) {
    cluster().files(node).SetFaults([failing](Call call, const std::string& path) {
      return call == failing && absl::EndsWith(path, ".log") && absl::StrContains(path, "/t-0.")
                 ? EIO
                 : 0;
    });
    ASSERT_TRUE(Produce());  // By the other two.
    ASSERT_TRUE(cluster().RunUntil([&] { return cluster().IsrOf("t").size() == 2; }, 1000));
    EXPECT_THAT(cluster().IsrOf("t"), Not(Contains(node)));
    cluster().files(node).SetFaults(nullptr);
    EXPECT_FALSE(HasFullIsr(2000)) << "a failed write is final";
    cluster().Kill(node);
    cluster().Start(node);
    ASSERT_TRUE(HasFullIsr());
  }
  ExpectAllReadableOn(node);
}

TEST_F(DiskTest, AFullDiskRefusesAndIsUsedAgainWhenItHasSpace) {
  Fill(3);
  const NodeId leader = cluster().LeaderOf("t");
  for (int i = 1; i <= 3; ++i) {
    constexpr int64_t kLarge = int64_t{1} << 40;
    cluster().files(NodeId(i)).SetQuota(kLarge);
    const int64_t used = kLarge - cluster().files(NodeId(i)).SpaceOf("/data")->usable_bytes;
    cluster().files(NodeId(i)).SetQuota(used + 100'000);
  }
  std::optional<Offset> acked;
  std::optional<Errc> refused;
  Errc failure = Errc::kUnknown;
  ASSERT_TRUE(cluster().Produce("t", Value(0), &acked, &failure));
  ASSERT_TRUE(cluster().RunUntil([&] { return failure != Errc::kUnknown; }));
  EXPECT_EQ(failure, Errc::kStorage);
  EXPECT_TRUE(cluster().running(leader));
  for (int i = 1; i <= 3; ++i) {
    const BrokerCore& core = cluster().core(NodeId(i));
    EXPECT_NE(core.StateOf(*core.image()->FindTopic("t"), 0).leader, kNoNode) << "it can be read";
  }
  for (int i = 1; i <= 3; ++i) cluster().files(NodeId(i)).SetQuota(std::nullopt);
  ASSERT_TRUE(HasFullIsr());
  EXPECT_TRUE(cluster().RunUntil([&] {
    std::optional<Offset> later;
    return cluster().Produce("t", "later", &later) &&
           cluster().RunUntil([&] { return later.has_value(); }, 500);
  }));
}

// No space in any folder whose path contains this.
storage::FakeFileSystem::FaultPlan NoSpaceIn(std::string part) {
  return [part = std::move(part)](Call call, const std::string& path) {
    return call != Call::kRead && absl::StrContains(path, part) ? ENOSPC : 0;
  };
}

// What others have stored is committed, and the leader shows where it ends; it must not send away
// who asks for it, for that one would look for another offset.
TEST_F(DiskTest, ALeaderThatHasNotWrittenWhatIsCommittedHasNothingYet) {
  // Of what comes, a cache keeps one record.
  adjust_ = [](BrokerConfig& config) { config.memory_budget_bytes = 4 * 300'000; };
  Fill(3);
  const NodeId leader = cluster().LeaderOf("t");
  cluster().StallDisk(leader, cluster().clock().Mono() + Millis(400));
  const Offset first(kRecords);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(Produce());
  const auto partition = cluster().PartitionOn(leader, "t");
  for (const Offset from : {first, first + 1}) {
    ReadSpec spec;
    spec.from = from;
    spec.bytes_max = 1 << 20;
    std::optional<absl::StatusOr<ReadResult>> found;
    partition->Read(spec, [&](auto result) { found = std::move(result); });
    ASSERT_TRUE(found.has_value());
    ASSERT_TRUE(found->ok()) << found->status();
    EXPECT_THAT((*found)->batches, IsEmpty());
    EXPECT_EQ((*found)->high_watermark, first + 3);
  }
  std::optional<absl::StatusOr<FoundOffset>> newest;
  partition->FindByTimestamp(std::numeric_limits<int64_t>::max(), std::nullopt,
                             [&](auto result) { newest = std::move(result); });
  ASSERT_TRUE(cluster().RunUntil([&] { return newest.has_value(); }, 300));
  EXPECT_EQ(ErrcOf(newest->status()), Errc::kLeaderNotReady);
  EXPECT_TRUE(cluster().RunUntil([&] { return cluster().ReadAll("t").size() == kRecords + 3; }));
}

TEST_F(DiskTest, AReplicaThatFindsTheDiskFullIsOpenedOnceItHasSpace) {
  Fill(3);
  const NodeId full = Follower();
  cluster().files(full).SetFaults(NoSpaceIn("/late-0."));
  ASSERT_TRUE(cluster().CreateTopic("late"));
  auto in_sync = [&](size_t wanted) {
    return cluster().RunUntil([&] { return cluster().IsrOf("late").size() == wanted; }, 5000);
  };
  ASSERT_TRUE(in_sync(2));
  EXPECT_THAT(cluster().IsrOf("late"), Not(Contains(full)));
  cluster().files(full).SetFaults(nullptr);
  EXPECT_TRUE(in_sync(3));
}

TEST_F(DiskTest, AReplicaThatWasNeverOpenedForAFullDiskGoesWithItsTopic) {
  Fill(3);
  const NodeId full = Follower();
  cluster().files(full).SetFaults(NoSpaceIn("/late-0."));
  ASSERT_TRUE(cluster().CreateTopic("late", {{"file.delete.delay.ms", "0"}}));
  std::optional<absl::Status> deleted;
  BrokerCore& any = cluster().core(cluster().LeaderOf("late"));
  any.DeleteTopics({any.image()->FindTopic("late")->id}, cluster().clock().Mono() + Millis(10000),
                   0, [&](auto statuses) { deleted = statuses.front(); });
  ASSERT_TRUE(cluster().RunUntil([&] { return deleted.has_value(); }));
  ASSERT_TRUE(deleted->ok()) << *deleted;
  cluster().files(full).SetFaults(nullptr);
  EXPECT_TRUE(cluster().RunUntil([&] {
    const std::vector<std::string> names = *cluster().files(full).List("/data");
    return std::none_of(names.begin(), names.end(),
                        [](const std::string& name) { return absl::StartsWith(name, "late-0."); });
  }));
}

// The broker goes on (else the cluster's on_fatal fails), and another one is the controller.
TEST_F(DiskTest, AFullDiskUnderTheMetadataLogEndsNoBroker) {
  Fill(3);
  auto controller = [&] {
    for (int i = 1; i <= 3; ++i) {
      if (cluster().core(NodeId(i)).metadata_replica()->confirmed()) return NodeId(i);
    }
    return kNoNode;
  };
  const NodeId full = controller();
  ASSERT_NE(full, kNoNode);
  cluster().files(full).SetFaults(NoSpaceIn("/__cluster_metadata-0."));
  cluster().CreateTopic("refused-or-made");
  ASSERT_TRUE(cluster().RunUntil([&] { return controller() != full && controller() != kNoNode; }));
  ASSERT_TRUE(cluster().CreateTopic("made"));
  cluster().files(full).SetFaults(nullptr);
  ASSERT_TRUE(cluster().RunUntil([&] { return cluster().PartitionOn(full, "made") != nullptr; }));
  EXPECT_TRUE(cluster().RunUntil([&] { return cluster().IsrOf("made").size() == 3; }));
}

TEST_F(DiskTest, ADiskThatStallsElectsNobodyAndLosesNothing) {
  Fill(3);
  const NodeId leader = cluster().LeaderOf("t");
  const uint64_t elections = cluster().core(leader).elections();
  for (const NodeId slow : {leader, Follower()}) {
    for (int times = 0; times < 3; ++times) {
      cluster().StallDisk(slow, cluster().clock().Mono() + Millis(500));
      const MonoTime began = cluster().clock().Mono();
      ASSERT_TRUE(Produce());
      // The two whose disks are quick are a majority.
      EXPECT_LT(cluster().clock().Mono() - began, Millis(500));
      cluster().RunUntil([] { return false; }, 700);
    }
  }
  EXPECT_EQ(cluster().LeaderOf("t"), leader);
  EXPECT_EQ(cluster().core(leader).elections(), elections);
  ASSERT_TRUE(HasFullIsr());
}

}  // namespace
}  // namespace garam
