// Compaction over replicas: each keeps the last value of every key, none goes ahead of what the
// others have, and who was away copies what is left (D14, D15).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>

#include "broker/data_partition.h"
#include "common/status.h"
#include "storage/frame.h"
#include "tests/unit/broker/test_cluster.h"
#include "tests/unit/storage/compaction/keyed_batch.h"

namespace garam {
namespace {

using storage::KeyedBatch;
using storage::SeenRecord;

class CompactionClusterTest : public ::testing::Test {
 protected:
  CompactionClusterTest() {
    cluster_.adjust = [](BrokerConfig& config) {
      config.cleaner.backoff = Millis(100);
      config.replica_lag_time_max = Millis(1000);
    };
    cluster_.StartAll();
  }
  void CreateTopic() {
    ASSERT_TRUE(cluster_.CreateTopic("t", {{"cleanup.policy", "compact"},
                                           {"segment.bytes", "1048576"},
                                           {"min.cleanable.dirty.ratio", "0.01"},
                                           {"delete.retention.ms", "500"}}));
  }
  // Three of them fill a segment.
  absl::StatusOr<Offset> Put(const std::string& key, bool tombstone = false,
                             int64_t producer_id = -1, int32_t sequence = -1) {
    KeyedBatch batch;
    batch.records = {{key, std::nullopt}};
    if (!tombstone) {
      batch.records[0].value = absl::StrCat(++written_, std::string(300'000, '.'));
    }
    batch.base_timestamp_ms = cluster_.clock().WallMs();
    batch.producer_id = producer_id;
    batch.base_sequence = sequence;
    std::optional<absl::StatusOr<ProduceResult>> result;
    EXPECT_TRUE(cluster_.RunUntil([&] { return cluster_.LeaderOf("t") != kNoNode; }));
    cluster_.PartitionOn(cluster_.LeaderOf("t"), "t")
        ->Produce(batch.Build(), Acks::kAll, cluster_.clock().Mono() + Millis(30'000),
                  [&](absl::StatusOr<ProduceResult> put) { result = std::move(put); });
    EXPECT_TRUE(cluster_.RunUntil([&] { return result.has_value(); }));
    if (!result || !result->ok()) return absl::UnknownError("not produced");
    if (tombstone) {
      values_.erase(key);
    } else {
      values_[key] = *batch.records[0].value;
    }
    return (*result)->base_offset;
  }
  void Write(int updates) {
    for (int i = 0; i < updates; ++i) ASSERT_TRUE(Put(absl::StrCat("key", i % 3)).ok());
  }
  // What the node's disk holds.
  std::vector<SeenRecord> RecordsOn(NodeId node) {
    std::vector<SeenRecord> records;
    for (const std::string& path : cluster_.SegmentsOf(node, "t")) {
      const std::string content = cluster_.files(node).Content(path);
      std::string_view rest = content;
      storage::Frame frame;
      while (storage::PeekFrame(rest, true, &frame) == storage::FrameFound::kFrame) {
        if (frame.size > rest.size()) break;
        if (frame.batch) {
          for (SeenRecord& record : storage::RecordsOf(frame.view())) {
            records.push_back(std::move(record));
          }
        }
        rest.remove_prefix(frame.size);
      }
    }
    return records;
  }
  // The active segment is never compacted: a few more than there are keys may be left.
  bool Compacted(NodeId node) { return RecordsOn(node).size() <= values_.size() + 3; }
  void ExpectValues(NodeId node) {
    EXPECT_EQ(storage::ValuesOf(RecordsOn(node)), values_) << "node " << node.value();
  }
  // Looking at disks is slow: now and then is enough.
  bool Await(const std::function<bool()>& condition, int virtual_ms = 20'000) {
    int steps = 0;
    return cluster_.RunUntil([&] { return ++steps % 500 == 0 && condition(); }, virtual_ms);
  }
  NodeId NotLeading() { return NodeId(cluster_.LeaderOf("t").value() % 3 + 1); }

  TestCluster cluster_{3};
  int written_ = 0;
  std::map<std::string, std::string> values_;
};

TEST_F(CompactionClusterTest, EveryReplicaIsLeftWithTheLastValues) {
  CreateTopic();
  Write(20);
  for (int node = 1; node <= 3; ++node) {
    EXPECT_TRUE(Await([&] { return Compacted(NodeId(node)); })) << "node " << node;
    ExpectValues(NodeId(node));
  }
  // Tombstones go as well, and what they have deleted stays away.
  ASSERT_TRUE(Put("key0", /*tombstone=*/true).ok());
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(Put("key1").ok());
  const auto gone = [this](NodeId node) {
    for (const SeenRecord& record : RecordsOn(node)) {
      if (record.key == "key0") return false;
    }
    return true;
  };
  for (int node = 1; node <= 3; ++node) {
    EXPECT_TRUE(Await([&] { return gone(NodeId(node)); })) << "node " << node;
    ExpectValues(NodeId(node));
  }
}

TEST_F(CompactionClusterTest, NothingIsCompactedThatAMemberDoesNotHaveDurably) {
  CreateTopic();
  const NodeId slow = NotLeading();
  cluster_.StallDisk(slow, cluster_.clock().Mono() + Millis(8'000));
  Write(20);
  EXPECT_FALSE(Await([&] { return Compacted(cluster_.LeaderOf("t")); }, 2'000));
  EXPECT_EQ(RecordsOn(cluster_.LeaderOf("t")).size(), 20U);
  for (int node = 1; node <= 3; ++node) {
    EXPECT_TRUE(Await([&] { return Compacted(NodeId(node)); })) << "node " << node;
    ExpectValues(NodeId(node));
  }
}

TEST_F(CompactionClusterTest, WhoIsAwayForLongIsNotWaitedForAndCopiesWhatIsLeft) {
  CreateTopic();
  Write(4);
  const NodeId away = NotLeading();
  cluster_.Kill(away);
  Write(20);
  const NodeId leader = cluster_.LeaderOf("t");
  ASSERT_TRUE(Await([&] { return Compacted(leader); }));
  cluster_.Start(away);
  ASSERT_TRUE(cluster_.RunUntil([&] { return cluster_.IsrOf("t").size() == 3; }, 60'000));
  ExpectValues(away);
  Write(3);
  for (int node = 1; node <= 3; ++node) {
    EXPECT_TRUE(Await([&] { return Compacted(NodeId(node)); })) << "node " << node;
    ExpectValues(NodeId(node));
  }
}

TEST_F(CompactionClusterTest, ProducersAreKnownAfterARestartThatReadsACompactedLog) {
  CreateTopic();
  const absl::StatusOr<Offset> first = Put("key0", false, 5, 0);
  ASSERT_TRUE(first.ok());
  Write(20);
  for (int node = 1; node <= 3; ++node) {
    ASSERT_TRUE(Await([&] { return Compacted(NodeId(node)); })) << "node " << node;
  }
  for (int node = 1; node <= 3; ++node) cluster_.Kill(NodeId(node));
  cluster_.StartAll();
  // It comes again: its record is long gone, its place is not.
  const std::map<std::string, std::string> before = values_;
  const absl::StatusOr<Offset> again = Put("key0", false, 5, 0);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *first);
  values_ = before;
  for (int node = 1; node <= 3; ++node) ExpectValues(NodeId(node));
}

}  // namespace
}  // namespace garam
