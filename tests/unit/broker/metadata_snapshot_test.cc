#include "broker/metadata_snapshot.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace garam
