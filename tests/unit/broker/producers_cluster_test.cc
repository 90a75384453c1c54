// Idempotent producers and groups on three whole brokers: what a leader knew, the next one knows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"
#include "coordinator/groups/group_coordinator.h"
#include "tests/unit/broker/batch_builder.h"
#include "tests/unit/broker/test_cluster.h"

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pair;

class ProducersTest : public ::testing::Test {
 protected:
  using Answer = std::optional<absl::StatusOr<ProduceResult>>;

  void SetUp() override {
    cluster_.StartAll();
    ASSERT_TRUE(cluster_.CreateTopic("t", {{"min.insync.replicas", "2"}}));
  }

  // Hands a batch to whoever leads; false when nobody does.
  bool Offer(int32_t sequence, const std::string& value, std::shared_ptr<Answer> answer,
             int16_t epoch = 0) {
    const NodeId leader = cluster_.LeaderOf("t");
    if (leader == kNoNode) return false;
    BatchBuilder batch;
    batch.records[0].value = value;
    batch.producer_id = 5;
    batch.producer_epoch = epoch;
    batch.base_sequence = sequence;
    cluster_.PartitionOn(leader, "t")
        ->Produce(batch.Build(), Acks::kAll, cluster_.clock().Mono() + Millis(30'000),
                  [answer](absl::StatusOr<ProduceResult> result) { *answer = std::move(result); });
    return true;
  }
  // Sends it, to the next leader where there is another one by then, until it is answered.
  absl::StatusOr<ProduceResult> Send(int32_t sequence, const std::string& value,
                                     int16_t epoch = 0) {
    for (int attempt = 0; attempt < 100; ++attempt) {
      auto answer = std::make_shared<Answer>();
      const bool offered = cluster_.RunUntil([&] { return Offer(sequence, value, answer, epoch); });
      if (!offered || !cluster_.RunUntil([&] { return answer->has_value(); })) break;
      if ((*answer)->ok() || ErrcOf((*answer)->status()) != Errc::kNotLeader) return **answer;
    }
    return absl::UnknownError("nobody answers");
  }
  int64_t OffsetOf(int32_t sequence, const std::string& value) {
    const absl::StatusOr<ProduceResult> result = Send(sequence, value);
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->base_offset.value() : -1;
  }
  Errc ErrorOf(int32_t sequence, int16_t epoch = 0) {
    return ErrcOf(Send(sequence, "wrong", epoch).status());
  }

  TestCluster cluster_{3};
};

TEST_F(ProducersTest, WhatIsSentAgainIsStoredOnce) {
  EXPECT_EQ(OffsetOf(0, "a"), 0);
  EXPECT_EQ(OffsetOf(1, "b"), 1);
  EXPECT_EQ(OffsetOf(0, "a"), 0);
  EXPECT_EQ(ErrorOf(3), Errc::kOutOfOrderSequence);
  EXPECT_EQ(OffsetOf(2, "c"), 2);
  EXPECT_TRUE(Send(0, "d", 1).ok());
  EXPECT_EQ(ErrorOf(3, 0), Errc::kInvalidProducerEpoch);
  EXPECT_THAT(cluster_.ReadAll("t"),
              ElementsAre(Pair(Offset(0), HasSubstr("a")), Pair(Offset(1), HasSubstr("b")),
                          Pair(Offset(2), HasSubstr("c")), Pair(Offset(3), HasSubstr("d"))));
}

TEST_F(ProducersTest, ADuplicateWaitsForItsOriginal) {
  auto first = std::make_shared<Answer>();
  auto again = std::make_shared<Answer>();
  ASSERT_TRUE(Offer(0, "a", first));
  ASSERT_TRUE(Offer(0, "a", again));
  EXPECT_FALSE(first->has_value());
  EXPECT_FALSE(again->has_value());
  ASSERT_TRUE(cluster_.RunUntil([&] { return again->has_value(); }));
  EXPECT_TRUE(first->has_value());
  EXPECT_EQ((*again)->value().base_offset, Offset(0));
}

TEST_F(ProducersTest, AfterEveryBrokerHasLostPowerTheyStillKnow) {
  for (int32_t sequence = 0; sequence < 5; ++sequence) OffsetOf(sequence, "v");
  cluster_.PowerLoss();
  cluster_.StartAll();
  EXPECT_EQ(OffsetOf(4, "v"), 4);
  EXPECT_EQ(ErrorOf(6), Errc::kOutOfOrderSequence);
  EXPECT_EQ(OffsetOf(5, "v"), 5);
}

// Its core hears of entries that do not come to the log; what is stored at the end lacks them.
TEST_F(ProducersTest, ALogThatTakesNoWritesStoresNoMoreThanItHas) {
  OffsetOf(0, "a");
  const NodeId failing(cluster_.LeaderOf("t").value() % 3 + 1);
  cluster_.files(failing).SetFaults(
      [](storage::FakeFileSystem::Call call, const std::string& path) {
        const bool ours = path.find("/t-0.") != std::string::npos;
        return ours && call == storage::FakeFileSystem::Call::kWrite ? EIO : 0;
      });
  OffsetOf(1, "b");
  OffsetOf(2, "c");
  for (int i = 0; i < 2000; ++i) cluster_.Step();
  bool stopped = false;
  cluster_.core(failing).Stop([&stopped] { stopped = true; });
  ASSERT_TRUE(cluster_.RunUntil([&] { return stopped; }));
  cluster_.files(failing).SetFaults(nullptr);
  cluster_.Kill(failing);
  cluster_.Start(failing);
  ASSERT_TRUE(cluster_.RunUntil([&] { return cluster_.IsrOf("t").size() == 3; }));
  ASSERT_TRUE(cluster_.LetLead("t", failing));
  EXPECT_EQ(OffsetOf(1, "b"), 1) << "sent again";
  EXPECT_EQ(OffsetOf(3, "d"), 3);
}

// The log begins behind all that a producer has sent.
class ProducersOfAShortLogTest : public ProducersTest {
 protected:
  void SetUp() override {
    cluster_.StartAll();
    ASSERT_TRUE(
        cluster_.CreateTopic("t", {{"min.insync.replicas", "2"}, {"segment.bytes", "1048576"}}));
  }
  void Write(int records) {
    for (int i = 0; i < records; ++i) {
      std::optional<Offset> acked;
      ASSERT_TRUE(cluster_.Produce("t", std::string(600'000, '.'), &acked));
      ASSERT_TRUE(cluster_.RunUntil([&] { return acked.has_value(); }));
    }
  }
  void ExpectRemembered() {
    EXPECT_EQ(ErrorOf(5), Errc::kOutOfOrderSequence);
    EXPECT_EQ(OffsetOf(1, "b"), 1) << "sent again";
    EXPECT_TRUE(Send(2, "c").ok());
  }
};

TEST_F(ProducersOfAShortLogTest, ARestartRemembersThem) {
  OffsetOf(0, "a");
  OffsetOf(1, "b");
  Write(4);
  ASSERT_TRUE(cluster_.DeleteRecords("t", Offset(5)));
  for (int node = 1; node <= 3; ++node) {
    ASSERT_TRUE(cluster_.RunUntil([&] {
      auto here = cluster_.PartitionOn(NodeId(node), "t");
      return dynamic_cast<DataPartition&>(*here).replica().log().first_index() > LogIndex(4);
    })) << "what they have sent is gone";
  }
  for (int i = 0; i < 2000; ++i) cluster_.Step();  // And so are their files.
  for (int node = 1; node <= 3; ++node) cluster_.Kill(NodeId(node));
  cluster_.StartAll();
  ExpectRemembered();
}

TEST_F(ProducersOfAShortLogTest, TheLogWaitsUntilTheyAreStored) {
  OffsetOf(0, "a");
  OffsetOf(1, "b");
  Write(4);
  const GroupId group = cluster_.PartitionOn(cluster_.LeaderOf("t"), "t")->group();
  // Every row but this group's producers'.
  for (int node = 1; node <= 3; ++node) {
    cluster_.rows(NodeId(node)).SetFaults([group](const storage::KvBatch& batch, bool) {
      const std::string row = ProducerKeeper::RowKey(group);
      return !batch.changes().empty() && batch.changes().front().key == row ? EIO : 0;
    });
  }
  ASSERT_TRUE(cluster_.DeleteRecords("t", Offset(5)));
  for (int i = 0; i < 2000; ++i) cluster_.Step();
  for (int node = 1; node <= 3; ++node) {
    auto here = cluster_.PartitionOn(NodeId(node), "t");
    auto& log = dynamic_cast<DataPartition&>(*here).replica().log();
    EXPECT_EQ(log.start_offset(), Offset(5));
    EXPECT_EQ(log.first_index(), LogIndex(1)) << "nothing else has what they have sent";
  }
  cluster_.PowerLoss();
  for (int node = 1; node <= 3; ++node) cluster_.rows(NodeId(node)).SetFaults(nullptr);
  cluster_.StartAll();
  ExpectRemembered();
  EXPECT_TRUE(cluster_.RunUntil([&] {
    auto here = cluster_.PartitionOn(cluster_.LeaderOf("t"), "t");
    return dynamic_cast<DataPartition&>(*here).replica().log().first_index() > LogIndex(4);
  })) << "and once they are stored the log goes on";
}

TEST_F(ProducersOfAShortLogTest, WhoeverCopiesTheLogRemembersThem) {
  const NodeId away(cluster_.LeaderOf("t").value() % 3 + 1);
  cluster_.Kill(away);
  OffsetOf(0, "a");
  OffsetOf(1, "b");
  Write(7);
  ASSERT_TRUE(cluster_.DeleteRecords("t", Offset(8)));
  cluster_.Start(away);
  ASSERT_TRUE(cluster_.RunUntil([&] { return cluster_.IsrOf("t").size() == 3; }));
  ASSERT_TRUE(cluster_.LetLead("t", away));
  ExpectRemembered();
}

// Whenever the leader dies, and whatever it has told of the batch by then: sent again, it is there
// once.
TEST(ProducersEverywhereTest, ALeaderThatDiesAtAnyStepOfAProduceMakesNoDuplicate) {
  bool answered = false;
  for (int steps = 0; !answered || steps % 8 != 0; ++steps) {
    ASSERT_LT(steps, 2000) << "the produce is never answered";
    class Once : public ProducersTest {
     public:
      void TestBody() override {}
      bool Run(int before_death) {
        SetUp();
        OffsetOf(0, "first");
        auto answer = std::make_shared<Answer>();
        EXPECT_TRUE(Offer(1, "second", answer));
        for (int i = 0; i < before_death; ++i) cluster_.Step();
        cluster_.Kill(cluster_.LeaderOf("t"));
        EXPECT_EQ(OffsetOf(1, "second"), 1) << "after " << before_death << " steps";
        EXPECT_EQ(OffsetOf(2, "third"), 2) << "after " << before_death << " steps";
        EXPECT_THAT(cluster_.ReadAll("t"), ::testing::SizeIs(3)) << before_death;
        return answer->has_value() && (*answer)->ok();
      }
    };
    answered = Once().Run(steps);
  }
}

class GroupsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    cluster_.StartAll();
    ASSERT_TRUE(cluster_.CreateTopic(kTopic));
  }

  // What the leader says of the group, once it coordinates.
  template <class Result, class Ask>
  Result AtCoordinator(Ask ask) {
    std::optional<Result> result;
    const bool asked = cluster_.RunUntil([&] {
      const NodeId leader = cluster_.LeaderOf(kTopic);
      if (leader == kNoNode) return false;
      cluster_.PartitionOn(leader, kTopic)->WithGroups([&](GroupCoordinator& groups) {
        if (groups.leads()) result.emplace(ask(groups));
      });
      return result.has_value();
    });
    EXPECT_TRUE(asked) << "nobody coordinates";
    return asked ? *std::move(result) : Result();
  }
  absl::Status Commit(int64_t offset) {
    auto done = std::make_shared<std::optional<absl::Status>>();
    AtCoordinator<bool>([&](GroupCoordinator& groups) {
      GroupCoordinator::OffsetCommit commit;
      CommittedOffset committed;
      committed.offset = Offset(offset);
      commit.offsets.push_back({{"t", 0}, committed});
      groups.CommitOffsets("g", std::move(commit),
                           [done](absl::Status status) { *done = std::move(status); });
      return true;
    });
    EXPECT_TRUE(cluster_.RunUntil([&] { return done->has_value(); }));
    return done->value_or(absl::UnknownError("no answer"));
  }
  int64_t Committed() {
    return AtCoordinator<int64_t>([](GroupCoordinator& groups) {
      const auto offsets = groups.OffsetsOf("g");
      if (!offsets.ok() || *offsets == nullptr) return int64_t{-1};
      return (*offsets)->at({"t", 0}).offset.value();
    });
  }

  const std::string kTopic{kOffsetsTopic};
  TestCluster cluster_{3};
};

TEST_F(GroupsTest, TheNextCoordinatorKnowsWhatWasCommitted) {
  EXPECT_TRUE(Commit(7).ok());
  EXPECT_EQ(Committed(), 7);
  const NodeId first = cluster_.LeaderOf(kTopic);
  cluster_.Kill(first);
  EXPECT_EQ(Committed(), 7);
  EXPECT_TRUE(Commit(8).ok());
  cluster_.Start(first);
  EXPECT_EQ(Committed(), 8);
}

TEST_F(GroupsTest, AfterEveryBrokerHasLostPowerTheyStillKnow) {
  for (int64_t offset = 0; offset < 20; ++offset) EXPECT_TRUE(Commit(offset).ok());
  cluster_.PowerLoss();
  cluster_.StartAll();
  EXPECT_EQ(Committed(), 19);
}

TEST_F(GroupsTest, AReplicaThatDoesNotLeadCoordinatesNothing) {
  const NodeId leader = cluster_.LeaderOf(kTopic);
  EXPECT_TRUE(Commit(1).ok());
  const NodeId other(leader.value() % 3 + 1);
  Errc error = Errc::kUnknown;
  cluster_.PartitionOn(other, kTopic)->WithGroups([&](GroupCoordinator& groups) {
    error = ErrcOf(groups.Heartbeat("g", {"m", {}}, 1));
  });
  EXPECT_EQ(error, Errc::kNotCoordinator);
}

}  // namespace
}  // namespace garam
