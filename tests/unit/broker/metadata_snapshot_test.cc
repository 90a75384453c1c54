#include "broker/metadata_snapshot.h"

#include <gtest/gtest.h>

#include "broker/snapshot_keeper.h"
#include "common/testing/fake_executor.h"
#include "storage/fake_kv_store.h"

namespace garam {
namespace {

TEST(MetadataSnapshotTest, ReadsBackWhatItWrote) {
  storage::FakeKvStore kv;
  ASSERT_TRUE(
      SaveMetadataSnapshot(kv, {MetadataImage::Empty()->At(LogIndex(7)), Term(3)}, /*sync=*/false)
          .ok());
  const absl::StatusOr<MetadataSnapshot> loaded = LoadMetadataSnapshot(kv);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->image->applied_index(), LogIndex(7));
  EXPECT_EQ(loaded->term, Term(3));
}

TEST(MetadataSnapshotTest, ANewBrokerHasAnEmptyOne) {
  storage::FakeKvStore kv;
  const absl::StatusOr<MetadataSnapshot> loaded = LoadMetadataSnapshot(kv);
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->image->applied_index(), LogIndex(0));
}

TEST(MetadataSnapshotTest, ALogIsCommittedAsFarAsItHasWhatWasApplied) {
  const MetadataSnapshot snapshot{MetadataImage::Empty()->At(LogIndex(6)), Term(2)};
  TermRows replaced;  // 6 and 7 are of term 2.
  replaced.Append(Term(1), LogIndex(1), Offset(0));
  replaced.Append(Term(2), LogIndex(6), Offset(0));
  EXPECT_EQ(CommittedBy(snapshot, replaced, LogIndex(7)), LogIndex(6));
  EXPECT_EQ(CommittedBy(snapshot, replaced, LogIndex(6)), LogIndex(6));
}

TEST(MetadataSnapshotTest, ALogThatStillHasWhatWasReplacedIsNotTakenForCommitted) {
  const MetadataSnapshot snapshot{MetadataImage::Empty()->At(LogIndex(6)), Term(2)};
  TermRows old;  // The process ended before its disk had dropped entry 6 of term 1.
  old.Append(Term(1), LogIndex(1), Offset(0));
  EXPECT_EQ(CommittedBy(snapshot, old, LogIndex(6)), LogIndex(0));
  EXPECT_EQ(CommittedBy(snapshot, old, LogIndex(5)), LogIndex(0)) << "and may end anywhere";
}

class SnapshotKeeperTest : public ::testing::Test {
 protected:
  static MetadataSnapshot At(int64_t index) {
    return {MetadataImage::Empty()->At(LogIndex(index)), Term(1)};
  }
  LogIndex Stored() { return LoadMetadataSnapshot(kv_)->image->applied_index(); }

  storage::FakeKvStore kv_;
  FakeClock clock_;
  FakeExecutor home_{clock_};
  FakeBlockingPool pool_;
  SnapshotKeeper keeper_{kv_, pool_, home_};
};

TEST_F(SnapshotKeeperTest, AnOlderSnapshotDoesNotReplaceANewerOne) {
  std::optional<absl::Status> kept;
  keeper_.Save(At(5));
  keeper_.Keep(At(9), [&kept](const absl::Status& status) { kept = status; });
  keeper_.Save(At(7));
  Settle(home_, pool_);
  ASSERT_TRUE(kept.has_value());
  EXPECT_TRUE(kept->ok());
  EXPECT_EQ(Stored(), LogIndex(9));
  keeper_.Save(At(8));
  Settle(home_, pool_);
  EXPECT_EQ(Stored(), LogIndex(9));
}

TEST_F(SnapshotKeeperTest, WhatIsKeptSurvivesALossOfPowerThoughANewerOneWasWrittenUnsynced) {
  keeper_.Save(At(9));
  Settle(home_, pool_);
  bool kept = false;
  keeper_.Keep(At(8), [&kept](const absl::Status& status) { kept = status.ok(); });
  Settle(home_, pool_);
  ASSERT_TRUE(kept);
  kv_.Crash();
  EXPECT_EQ(Stored(), LogIndex(9));
}

}  // namespace
}  // namespace garam
