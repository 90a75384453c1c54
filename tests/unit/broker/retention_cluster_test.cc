// Whole brokers that keep no more than they are to: retention, and what becomes of the files.
#include <gtest/gtest.h>

#include <set>

#include "absl/strings/str_cat.h"
#include "storage/file_reaper.h"
#include "tests/unit/broker/test_cluster.h"

namespace garam {
namespace {

class RetentionClusterTest : public ::testing::Test {
 protected:
  RetentionClusterTest() {
    cluster_.adjust = [](BrokerConfig& config) {
      config.retention_check_every = Millis(200);
      config.topic_defaults["segment.bytes"] = "1024";
    };
  }
  void Start(std::map<std::string, std::string> configs) {
    cluster_.StartAll();
    ASSERT_TRUE(cluster_.CreateTopic("t", std::move(configs)));
  }
  // Batches of a record each; with the usual size some four fill a segment.
  void Write(int records, size_t bytes = 130) {
    for (int i = 0; i < records; ++i) {
      std::optional<Offset> acked;
      ASSERT_TRUE(cluster_.Produce("t", std::string(bytes, '.'), &acked));
      ASSERT_TRUE(cluster_.RunUntil([&] { return acked.has_value(); }));
    }
  }
  std::set<int64_t> Starts() {
    std::set<int64_t> starts;
    for (int node = 1; node <= 3; ++node) {
      for (const auto& partition : cluster_.core(NodeId(node)).partitions()) {
        if (partition->topic() == "t") starts.insert(partition->start_offset().value());
      }
    }
    return starts;
  }
  bool AllBeginAt(int64_t start) {
    return cluster_.RunUntil([&] { return Starts() == std::set<int64_t>{start}; });
  }
  void RunFor(int virtual_ms) {
    cluster_.RunUntil([] { return false; }, virtual_ms);
  }
  std::vector<std::string> GivenUp(NodeId node) {
    return *storage::GivenUpIn(cluster_.files(node), "/data");
  }

  TestCluster cluster_{3};
};

TEST_F(RetentionClusterTest, EveryReplicaDropsTheSameRecordsBySize) {
  Start({{"retention.bytes", "2500"}, {"file.delete.delay.ms", "300"}});
  Write(30);
  ASSERT_TRUE(cluster_.RunUntil([&] {
    return Starts().size() == 1 && *Starts().begin() > 0 &&
           cluster_.SegmentsOf(NodeId(1), "t").size() <= 5;
  }));
  const int64_t start = *Starts().begin();
  EXPECT_LT(start, 25);
  RunFor(1000);
  EXPECT_EQ(Starts(), std::set<int64_t>{start});
  for (int node = 1; node <= 3; ++node) {
    EXPECT_EQ(cluster_.SegmentsOf(NodeId(node), "t"), cluster_.SegmentsOf(NodeId(1), "t"));
  }
  EXPECT_EQ(cluster_.ReadAll("t", Offset(start)).size(), static_cast<size_t>(30 - start));
}

TEST_F(RetentionClusterTest, AnIdlePartitionLosesAllThatIsTooOldAndOffsetsGoOn) {
  Start({{"retention.ms", "15000"}});
  Write(7);
  RunFor(5000);
  EXPECT_EQ(Starts(), std::set<int64_t>{0});
  ASSERT_TRUE(AllBeginAt(7));
  RunFor(1000);
  // What is left is one segment without a record.
  EXPECT_EQ(cluster_.SegmentsOf(cluster_.LeaderOf("t"), "t").size(), 1u);
  std::optional<Offset> acked;
  ASSERT_TRUE(cluster_.Produce("t", "next", &acked));
  ASSERT_TRUE(cluster_.RunUntil([&] { return acked.has_value(); }));
  EXPECT_EQ(*acked, Offset(7));
}

TEST_F(RetentionClusterTest, ALimitThatIsSetLaterIsInForceAtOnceAndANewLeaderKeepsToIt) {
  Start({});
  Write(12);
  RunFor(3000);
  EXPECT_EQ(Starts(), std::set<int64_t>{0});
  cluster_.Kill(cluster_.LeaderOf("t"));
  ASSERT_TRUE(cluster_.RunUntil([&] { return cluster_.LeaderOf("t") != kNoNode; }));
  ASSERT_TRUE(
      cluster_.Alter({.topic = "t", .edits = {{"retention.ms", ConfigOp::kSet, "1000"}}}).ok());
  cluster_.StartAll();
  EXPECT_TRUE(AllBeginAt(12));
}

TEST_F(RetentionClusterTest, ACompactedTopicKeepsWhatIsOld) {
  Start({{"retention.ms", "1000"}, {"cleanup.policy", "compact"}});
  Write(12);
  RunFor(5000);
  EXPECT_EQ(Starts(), std::set<int64_t>{0});
}

TEST_F(RetentionClusterTest, BatchesOfOneTurnShareTheNextSegment) {
  Start({});
  Write(1, 700);
  std::vector<std::optional<Offset>> acked(4);
  for (auto& one : acked) ASSERT_TRUE(cluster_.Produce("t", std::string(100, '.'), &one));
  ASSERT_TRUE(cluster_.RunUntil([&] { return acked.back().has_value(); }));
  EXPECT_EQ(cluster_.SegmentsOf(cluster_.LeaderOf("t"), "t").size(), 2u);
}

TEST_F(RetentionClusterTest, ADeletedTopicsFolderGoesAfterTheDelay) {
  Start({{"file.delete.delay.ms", "5000"}});
  Write(3);
  const TopicId id = cluster_.core(NodeId(1)).image()->FindTopic("t")->id;
  cluster_.core(NodeId(1)).DeleteTopics({id}, cluster_.clock().Mono() + Millis(5000), 0,
                                        [](const auto&) {});
  for (int node = 1; node <= 3; ++node) {
    ASSERT_TRUE(cluster_.RunUntil([&] { return GivenUp(NodeId(node)).size() == 1; }));
  }
  EXPECT_TRUE(cluster_.SegmentsOf(NodeId(1), "t").empty());
  RunFor(1000);
  EXPECT_EQ(GivenUp(NodeId(2)).size(), 1u);
  // Who is started anew finishes what it had begun.
  cluster_.Kill(NodeId(2));
  cluster_.Start(NodeId(2));
  ASSERT_TRUE(cluster_.RunUntil([&] { return GivenUp(NodeId(2)).empty(); }, 2000));
  EXPECT_EQ(GivenUp(NodeId(1)).size(), 1u);
  EXPECT_TRUE(cluster_.RunUntil([&] { return GivenUp(NodeId(1)).empty(); }, 6000));
}

}  // namespace
}  // namespace garam
