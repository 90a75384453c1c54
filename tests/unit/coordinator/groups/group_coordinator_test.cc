#include "coordinator/groups/group_coordinator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/coordinator/groups/group_fixture.h"

namespace garam {
namespace {

using ::testing::SizeIs;

class GroupCoordinatorTest : public GroupTest {
 protected:
  Done Delete(const std::string& group = "g") {
    auto done = std::make_shared<std::optional<absl::Status>>();
    coordinator_->DeleteGroup(group, [done](absl::Status status) { *done = std::move(status); });
    return done;
  }
  absl::StatusOr<std::vector<absl::Status>> DeleteOffset(const std::string& topic = "t") {
    auto done = std::make_shared<absl::StatusOr<std::vector<absl::Status>>>();
    coordinator_->DeleteOffsets("g", {{topic, 0}}, [done](auto result) { *done = result; });
    Commit();
    return *done;
  }
};

TEST_F(GroupCoordinatorTest, AnOffsetIsThereOnceItIsCommitted) {
  const Done done = CommitOffset(42);
  EXPECT_FALSE(done->has_value());
  EXPECT_EQ(OffsetOf(), -1);
  Commit();
  EXPECT_TRUE((*done)->ok());
  EXPECT_EQ(OffsetOf(), 42);
  Open();
  EXPECT_EQ(OffsetOf(), 42);
}

TEST_F(GroupCoordinatorTest, CommitsFollowEachOtherWithoutWaiting) {
  CommitOffset(1);
  CommitOffset(2);
  const Done last = CommitOffset(3);
  EXPECT_THAT(waiting_, SizeIs(3));
  Commit();
  EXPECT_TRUE((*last)->ok());
  EXPECT_EQ(OffsetOf(), 3);
}

TEST_F(GroupCoordinatorTest, OnlyMembersCommitWhereThereAreMembers) {
  const auto members = Form(1);
  EXPECT_EQ(ErrcOf(**CommitOffset(1)), Errc::kUnknownMemberId);
  EXPECT_EQ(ErrcOf(**CommitOffset(1, "who", generation_)), Errc::kUnknownMemberId);
  const Done done = CommitOffset(1, members[0], generation_);
  Commit();
  EXPECT_TRUE((*done)->ok());
  EXPECT_EQ(ErrcOf(**CommitOffset(1, "m", 4, "gone")), Errc::kIllegalGeneration);
}

TEST_F(GroupCoordinatorTest, AMemberMayNotCommitBeforeItKnowsWhatItReads) {
  const Joined one = Join(Request());
  Pass(Millis(3000));
  EXPECT_EQ(ErrcOf(**CommitOffset(1, one->answer->member_id, 1)), Errc::kRebalanceInProgress);
}

TEST_F(GroupCoordinatorTest, CommitsOfTheOldGenerationCountWhileTheNextOneGathers) {
  const auto members = Form(1);
  Join(Request());
  const Done done = CommitOffset(9, members[0], generation_);
  Commit();
  EXPECT_TRUE((*done)->ok());
}

TEST_F(GroupCoordinatorTest, WhatALostLeaderAppendedIsNobodys) {
  const Done done = CommitOffset(1);
  coordinator_->Resign();
  Commit();
  EXPECT_EQ(ErrcOf(**done), Errc::kNotCoordinator);
  coordinator_->Lead();
  EXPECT_EQ(OffsetOf(), 1);
}

TEST_F(GroupCoordinatorTest, AnEmptyGroupIsDeletedWithItsOffsets) {
  CommitOffset(1);
  Commit();
  const Done done = Delete();
  EXPECT_EQ(ErrcOf(**CommitOffset(2)), Errc::kCoordinatorLoading);
  Commit();
  EXPECT_TRUE((*done)->ok());
  EXPECT_EQ(State(), "Dead");
  EXPECT_EQ(OffsetOf(), -1);
  EXPECT_TRUE(coordinator_->store().groups().empty());
  EXPECT_EQ(ErrcOf(**Delete()), Errc::kGroupNotFound);
}

TEST_F(GroupCoordinatorTest, AGroupWithMembersIsNotDeleted) {
  Form(1);
  EXPECT_EQ(ErrcOf(**Delete()), Errc::kGroupNotEmpty);
}

TEST_F(GroupCoordinatorTest, AGroupWhoseDeletionFailsGoesOn) {
  CommitOffset(1);
  Commit();
  const Done done = Delete();
  FailAppends(Errc::kTimedOut);
  EXPECT_EQ(ErrcOf(**done), Errc::kTimedOut);
  EXPECT_EQ(State(), "Empty");
  EXPECT_EQ(OffsetOf(), 1);
}

TEST_F(GroupCoordinatorTest, TakesSoManyGroupsAndNoMore) {
  limits_.groups_max = 2;
  Open();
  CommitOffset(1, "", -1, "one");
  CommitOffset(1, "", -1, "two");
  Commit();
  EXPECT_EQ(ErrcOf(**CommitOffset(1, "", -1, "three")), Errc::kGroupFull);
  EXPECT_EQ(Join(Request())->error(), Errc::kGroupFull);
  CommitOffset(2, "", -1, "two");
  Commit();
  EXPECT_EQ(OffsetOf("two"), 2) << "those that are there go on";
  Delete("one");
  Commit();
  EXPECT_FALSE(Join(Request())->there()) << "there is room again";
}

TEST_F(GroupCoordinatorTest, OffsetsOfASubscribedTopicStay) {
  const auto members = Form(1);
  CommitOffset(1, members[0], generation_);
  Commit();
  EXPECT_EQ(ErrcOf((*DeleteOffset())[0]), Errc::kGroupSubscribed);
  EXPECT_TRUE((*DeleteOffset("another"))[0].ok());
  EXPECT_TRUE(coordinator_->Leave("g", {{members[0], {}}}).ok());
  EXPECT_TRUE((*DeleteOffset())[0].ok());
  EXPECT_EQ(OffsetOf(), -1);
}

TEST_F(GroupCoordinatorTest, OffsetsOfADeletedTopicGo) {
  CommitOffset(1);
  CommitOffset(1, "", -1, "h");
  Commit();
  coordinator_->DropTopic("another");
  coordinator_->DropTopic("t");
  Commit();
  EXPECT_EQ(OffsetOf(), -1);
  EXPECT_EQ(OffsetOf("h"), -1);
}

TEST_F(GroupCoordinatorTest, OffsetsThatNobodyUsesExpireAndTheGroupWithThem) {
  const auto members = Form(1);
  CommitOffset(1, members[0], generation_);
  CommitOffset(1, "", -1, "simple");
  Commit();
  Pass(std::chrono::hours(24 * 3));  // The member's session ends, and the group is empty.
  Commit();
  Pass(std::chrono::hours(24 * 4));
  coordinator_->ExpireOffsets();
  Commit();
  EXPECT_EQ(OffsetOf("simple"), -1);  // Seven days after its last commit …
  EXPECT_EQ(OffsetOf(), 1);           // … and this one seven days after its last member.
  Pass(std::chrono::hours(24 * 3));
  coordinator_->ExpireOffsets();
  Commit();
  EXPECT_EQ(State(), "Dead");
  EXPECT_TRUE(coordinator_->store().groups().empty());
}

TEST_F(GroupCoordinatorTest, ListsWhatItCoordinates) {
  Form(1);
  CommitOffset(1, "", -1, "simple");
  const auto listed = coordinator_->List();
  ASSERT_TRUE(listed.ok());
  EXPECT_THAT(*listed, SizeIs(2));
}

TEST_F(GroupCoordinatorTest, RecordsOfAKindThatItDoesNotKnowAreLeftAlone) {
  kafka::Writer writer;
  writer.Int<int16_t>(99);
  EXPECT_TRUE(coordinator_->Apply({writer.FinishContiguous(), Bytes::Copy("x")}).ok());
  EXPECT_EQ(ErrcOf(coordinator_->Apply({Bytes::Copy(std::string("\0\1\0", 3)), Bytes()})),
            Errc::kCorruptRecord);
}

}  // namespace
}  // namespace garam
