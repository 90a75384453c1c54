// Members that lack what their leader's log no longer has get it as segments, or as a snapshot
// (D15), and a controller that has been replaced answers nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"
#include "tests/unit/broker/test_cluster.h"

namespace garam {
namespace {

using ::testing::HasSubstr;

class CopyClusterTest : public ::testing::Test {
 protected:
  static constexpr size_t kValueBytes = 600'000;  // Two of them fill a segment.

  void Write(int records) {
    for (int i = 0; i < records; ++i) {
      std::optional<Offset> acked;
      const std::string value = absl::StrCat("number ", ++written_, std::string(kValueBytes, '.'));
      ASSERT_TRUE(cluster_.Produce("t", value, &acked));
      ASSERT_TRUE(cluster_.RunUntil([&] { return acked.has_value(); }));
    }
  }
  NodeId NotLeading() { return NodeId(cluster_.LeaderOf("t").value() % 3 + 1); }
  void ExpectRecords(int from, int last) {
    const std::map<Offset, std::string> values = cluster_.ReadAll("t", Offset(from - 1));
    ASSERT_EQ(values.size(), static_cast<size_t>(last - from + 1));
    int number = from;
    for (const auto& [offset, value] : values) {
      EXPECT_EQ(offset, Offset(number - 1));
      EXPECT_THAT(value, HasSubstr(absl::StrCat("number ", number, ".")));
      ++number;
    }
  }

  TestCluster cluster_{3};
  int written_ = 0;
};

TEST_F(CopyClusterTest, AReplicaThatWasAwayWhileTheLogStartMovedCopiesSegmentsAndLeads) {
  cluster_.StartAll();
  ASSERT_TRUE(cluster_.CreateTopic("t", {{"segment.bytes", "1048576"}}));
  Write(1);
  const NodeId away = NotLeading();
  cluster_.Kill(away);
  Write(7);
  ASSERT_TRUE(cluster_.DeleteRecords("t", Offset(4)));
  cluster_.Start(away);
  ASSERT_TRUE(cluster_.RunUntil([&] { return cluster_.IsrOf("t").size() == 3; }));
  Write(1);
  // The one that stayed goes, and then the leader: only the copy is left to read from.
  ASSERT_TRUE(cluster_.LetLead("t", away));
  ExpectRecords(5, 9);
}

TEST_F(CopyClusterTest, ACopyGoesOnAfterItsReceiverWasKilledInTheMiddle) {
  for (int steps = 0; steps < 600; steps += 37) {
    SCOPED_TRACE(steps);
    TestCluster cluster(3);
    cluster.StartAll();
    ASSERT_TRUE(cluster.CreateTopic("t", {{"segment.bytes", "1048576"}}));
    NodeId away = NodeId(cluster.LeaderOf("t").value() % 3 + 1);
    cluster.Kill(away);
    std::vector<std::optional<Offset>> acked(6);
    for (auto& one : acked) {
      ASSERT_TRUE(cluster.Produce("t", std::string(kValueBytes, 'x'), &one));
      ASSERT_TRUE(cluster.RunUntil([&] { return one.has_value(); }));
    }
    ASSERT_TRUE(cluster.DeleteRecords("t", Offset(3)));
    cluster.Start(away);
    for (int i = 0; i < steps; ++i) cluster.Step();
    cluster.PowerLoss(away);
    cluster.Start(away);
    EXPECT_TRUE(cluster.RunUntil([&] {
      const NodeId leader = cluster.LeaderOf("t");
      auto copy = cluster.core(away).Find("t", 0);
      if (leader == kNoNode || leader == away || !copy.ok()) return false;
      const LogSize size = (*copy)->Size();
      return size.bytes == (*cluster.core(leader).Find("t", 0))->Size().bytes;
    }));
  }
}

TEST_F(CopyClusterTest, ABrokerThatWasAwayWhileTheMetadataLogWasCutGetsASnapshot) {
  cluster_.adjust = [](BrokerConfig& config) { config.metadata_segment_bytes = 1024; };
  cluster_.StartAll();
  ASSERT_TRUE(cluster_.CreateTopic("before"));
  cluster_.Kill(NodeId(3));
  for (int i = 0; i < 40; ++i) ASSERT_TRUE(cluster_.CreateTopic(absl::StrCat("topic-", i)));
  const Replica* metadata = cluster_.core(NodeId(1)).metadata_replica();
  ASSERT_TRUE(cluster_.RunUntil([&] { return metadata->log().first_index() > LogIndex(20); }));
  EXPECT_EQ(metadata->core().first_index(), metadata->log().first_index());
  cluster_.Start(NodeId(3));
  ASSERT_TRUE(cluster_.RunUntil(
      [&] { return cluster_.core(NodeId(3)).image()->FindTopic("topic-39") != nullptr; }));
  EXPECT_EQ(cluster_.core(NodeId(3)).image()->EncodeSnapshot(),
            cluster_.core(NodeId(1)).image()->EncodeSnapshot());
  ASSERT_TRUE(cluster_.CreateTopic("after"));
  EXPECT_TRUE(cluster_.RunUntil([&] { return cluster_.core(NodeId(3)).Find("after", 0).ok(); }));
  // All of it is found again after a loss of power.
  cluster_.PowerLoss();
  cluster_.StartAll();
  ASSERT_TRUE(cluster_.RunUntil([&] { return cluster_.LeaderOf("after") != kNoNode; }));
  EXPECT_NE(cluster_.core(NodeId(3)).image()->FindTopic("topic-39"), nullptr);
}

TEST_F(CopyClusterTest, AControllerThatMayHaveBeenReplacedSaysNothing) {
  cluster_.StartAll();
  ASSERT_TRUE(cluster_.CreateTopic("t"));
  const NodeId controller = cluster_.core(NodeId(1)).controller();
  for (int node = 1; node <= 3; ++node) {
    if (NodeId(node) != controller) cluster_.Kill(NodeId(node));
  }
  TopicSpec exists;
  exists.name = "t";
  std::optional<Errc> outcome;
  BrokerCore& core = cluster_.core(controller);
  core.CreateTopics({exists}, false, cluster_.clock().Mono() + Millis(3000), 0,
                    [&](std::vector<absl::StatusOr<CreatedTopic>> results) {
                      outcome = ErrcOf(results.front().status());
                    });
  ASSERT_TRUE(cluster_.RunUntil([&] { return outcome.has_value(); }));
  EXPECT_NE(*outcome, Errc::kTopicExists);
}

}  // namespace
}  // namespace garam
