// Groups of the consumer protocol as the coordinator runs them: what is answered when, and what
// happens between them and groups of the classic protocol.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/groups/consumer_protocol.h"
#include "coordinator/groups/group_coordinator.h"
#include "tests/unit/coordinator/groups/group_fixture.h"

namespace garam {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

class ConsumerCoordinatorTest : public GroupTest {
 protected:
  using Answer = std::shared_ptr<std::optional<absl::StatusOr<ConsumerHeartbeatAnswer>>>;

  ConsumerCoordinatorTest() {
    limits_.consumers.assignment_interval = Duration(0);
    topics_.Set("t", 2);
    Open();
  }

  static ConsumerHeartbeat At(const std::string& member, int32_t epoch) {
    ConsumerHeartbeat request;
    request.member_id = member;
    request.epoch = epoch;
    return request;
  }
  static ConsumerHeartbeat Joining(const std::string& member) {
    ConsumerHeartbeat request = At(member, kJoinEpoch);
    request.rebalance_timeout_ms = 60'000;
    request.topics = std::vector<std::string>{"t"};
    request.owned.emplace();
    return request;
  }
  Answer Send(const ConsumerHeartbeat& request) {
    auto answer = std::make_shared<std::optional<absl::StatusOr<ConsumerHeartbeatAnswer>>>();
    coordinator_->Heartbeat("g", request, [answer](auto result) { *answer = std::move(result); });
    return answer;
  }
  // Committed; the epoch, or the error.
  int32_t EpochAfter(const ConsumerHeartbeat& request) {
    const Answer answer = Send(request);
    Commit();
    EXPECT_TRUE(answer->has_value() && (*answer)->ok());
    return (**answer)->epoch;
  }
  Errc ErrorOf(const ConsumerHeartbeat& request) {
    const Answer answer = Send(request);
    Commit();
    return (*answer)->ok() ? Errc::kUnknown : ErrcOf((*answer)->status());
  }
  std::string ListedType() const { return coordinator_->List()->at(0).type; }
};

TEST_F(ConsumerCoordinatorTest, ANewGroupNeedsRoom) {
  limits_.groups_max = 1;
  Open();
  CommitOffset(1, "", -1, "another");
  Commit();
  EXPECT_EQ(ErrorOf(Joining("a")), Errc::kGroupFull);
  coordinator_->DeleteGroup("another",
                            [](const absl::Status& status) { EXPECT_TRUE(status.ok()); });
  Commit();
  EXPECT_GT(EpochAfter(Joining("a")), 0);
}

TEST_F(ConsumerCoordinatorTest, AGroupMayHaveTimesOfItsOwn) {
  const int32_t epoch = EpochAfter(Joining("a"));
  times_["g"] = {Millis(10'000), Millis(700), Duration(0)};
  const Answer told = Send(At("a", epoch));
  ASSERT_TRUE(told->has_value() && (*told)->ok());
  EXPECT_EQ((**told)->heartbeat_interval_ms, 700);
  Pass(Millis(9000));
  EXPECT_EQ(ErrorOf(At("a", epoch)), Errc::kUnknown);
  Pass(Millis(11'000));
  EXPECT_EQ(ErrorOf(At("a", epoch)), Errc::kUnknownMemberId);
}

TEST_F(ConsumerCoordinatorTest, AnAnswerWaitsForWhatItSaysToBeCommitted) {
  const Answer joined = Send(Joining("a"));
  EXPECT_FALSE(joined->has_value());
  // One that has nothing to store says nothing that is not stored either.
  const Answer beat = Send(At("a", 1));
  EXPECT_FALSE(beat->has_value());
  EXPECT_THAT(waiting_, SizeIs(1));
  Commit();
  EXPECT_EQ((**joined)->epoch, 1);
  EXPECT_EQ((**beat)->epoch, 1);
  EXPECT_TRUE(Send(At("a", 1))->has_value());
  EXPECT_EQ(ListedType(), "consumer");
  EXPECT_EQ(coordinator_->DescribeConsumers("g")->state, "Stable");
}

TEST_F(ConsumerCoordinatorTest, AMemberWithoutAnIdGetsOne) {
  const Answer joined = Send(Joining(""));
  Commit();
  EXPECT_THAT((**joined)->member_id, SizeIs(22));
}

TEST_F(ConsumerCoordinatorTest, AGroupThatIsNotThereIsOnlyJoined) {
  EXPECT_EQ(ErrorOf(At("a", 1)), Errc::kGroupNotFound);
  EXPECT_EQ(ErrorOf(At("a", kLeaveEpoch)), Errc::kGroupNotFound);
  ConsumerHeartbeat wrong = Joining("a");
  wrong.topic_regex = "[";
  EXPECT_EQ(ErrorOf(wrong), Errc::kInvalidRegex);
  EXPECT_THAT(*coordinator_->List(), IsEmpty());
  EXPECT_EQ(ErrcOf(coordinator_->DescribeConsumers("g").status()), Errc::kGroupNotFound);
}

TEST_F(ConsumerCoordinatorTest, ANewCoordinatorKnowsTheGroup) {
  EXPECT_EQ(EpochAfter(Joining("a")), 1);
  Open();
  Pass(Millis(44'000));
  EXPECT_EQ(EpochAfter(At("a", 1)), 1);
  Pass(Millis(46'000));  // Its session ends, by the timer.
  Commit();
  EXPECT_EQ(coordinator_->DescribeConsumers("g")->state, "Empty");
}

TEST_F(ConsumerCoordinatorTest, AnAppendThatFailsIsTakenBack) {
  EXPECT_EQ(EpochAfter(Joining("a")), 1);
  const Answer joined = Send(Joining("b"));
  FailAppends(Errc::kCoordinatorNotAvailable);
  EXPECT_EQ(ErrcOf((*joined)->status()), Errc::kCoordinatorNotAvailable);
  // Until it is known what the log has, nobody is told anything.
  EXPECT_EQ(ErrcOf((*Send(At("a", 1)))->status()), Errc::kCoordinatorLoading);
  Commit();
  EXPECT_THAT(coordinator_->DescribeConsumers("g")->members, SizeIs(1));
  EXPECT_EQ(EpochAfter(At("a", 1)), 1);
  EXPECT_EQ(EpochAfter(Joining("b")), 2);
}

TEST_F(ConsumerCoordinatorTest, AFirstJoinThatFailsLeavesNoGroup) {
  Send(Joining("a"));
  FailAppends(Errc::kCoordinatorNotAvailable);
  Commit();
  EXPECT_THAT(*coordinator_->List(), IsEmpty());
  EXPECT_EQ(EpochAfter(Joining("a")), 1);
}

TEST_F(ConsumerCoordinatorTest, WhoeverWaitsWhenTheLeadershipGoesIsTold) {
  const Answer joined = Send(Joining("a"));
  coordinator_->Resign();
  Commit();
  EXPECT_EQ(ErrcOf((*joined)->status()), Errc::kNotCoordinator);
  coordinator_->Lead();
  EXPECT_EQ(EpochAfter(At("a", 1)), 1);  // It was committed, all the same.
}

TEST_F(ConsumerCoordinatorTest, OffsetsAreCommittedAndReadByMembers) {
  EXPECT_EQ(EpochAfter(Joining("a")), 1);
  GroupCoordinator::OffsetCommit commit;
  commit.member.id = "a";
  commit.generation = 1;
  CommittedOffset offset;
  offset.offset = Offset(7);
  commit.offsets.push_back({{"t", 0}, offset});
  const auto result = [&](GroupCoordinator::OffsetCommit what) {
    auto done = std::make_shared<absl::Status>();
    coordinator_->CommitOffsets("g", std::move(what), [done](absl::Status s) { *done = s; });
    Commit();
    return *done;
  };
  EXPECT_EQ(ErrcOf(result(commit)), Errc::kUnsupportedVersion);  // Of a version without epochs.
  commit.knows_epochs = true;
  EXPECT_TRUE(result(commit).ok());
  EXPECT_EQ(OffsetOf(), 7);
  commit.generation = 9;
  EXPECT_EQ(ErrcOf(result(commit)), Errc::kStaleMemberEpoch);
  commit.member.id = "who";
  EXPECT_EQ(ErrcOf(result(commit)), Errc::kUnknownMemberId);

  using By = GroupCoordinator::EpochOfMember;
  EXPECT_TRUE(coordinator_->OffsetsOf("g", By{"a", 1}).ok());
  EXPECT_EQ(ErrcOf(coordinator_->OffsetsOf("g", By{"a", 2}).status()), Errc::kStaleMemberEpoch);
  EXPECT_EQ(ErrcOf(coordinator_->OffsetsOf("g", By{"b", 1}).status()), Errc::kUnknownMemberId);
  EXPECT_TRUE(coordinator_->OffsetsOf("g").ok());  // An administrator.
}

TEST_F(ConsumerCoordinatorTest, WithoutMigrationClassicMembersAreTurnedAway) {
  limits_.consumers.upgrades = limits_.consumers.downgrades = false;
  Open();
  EXPECT_EQ(EpochAfter(Joining("a")), 1);
  EXPECT_EQ(Join(Request())->error(), Errc::kInconsistentGroupProtocol);
  EXPECT_EQ(GroupTest::Beat("a", 1), Errc::kUnknownMemberId);
  EXPECT_EQ(Sync("a", 1)->error(), Errc::kUnknownMemberId);
  EXPECT_EQ(ErrcOf(coordinator_->Leave("g", {{"a", {}}})->at(0)), Errc::kUnknownMemberId);
  EXPECT_EQ(State(), "Dead");  // For those who ask for a classic group.
}

TEST_F(ConsumerCoordinatorTest, WithoutMigrationConsumersAreTurnedAway) {
  limits_.consumers.upgrades = false;
  Open();
  Form(1);
  EXPECT_EQ(ErrorOf(Joining("a")), Errc::kGroupNotFound);
  EXPECT_EQ(ErrorOf(At("a", 3)), Errc::kGroupNotFound);
  EXPECT_EQ(State(), "Stable");
}

TEST_F(ConsumerCoordinatorTest, AnEmptyGroupGoesFromOneProtocolToTheOtherWithItsOffsets) {
  const auto members = Form(1);
  CommitOffset(5, members[0], generation_);
  Commit();
  EXPECT_TRUE(coordinator_->Leave("g", {{members[0], {}}})->at(0).ok());
  Commit();
  EXPECT_EQ(EpochAfter(Joining("a")), 1);
  EXPECT_EQ(ListedType(), "consumer");
  EXPECT_EQ(OffsetOf(), 5);
  Open();
  EXPECT_EQ(EpochAfter(At("a", 1)), 1);
  EXPECT_EQ(EpochAfter(At("a", kLeaveEpoch)), kLeaveEpoch);
  Form(1);
  EXPECT_EQ(ListedType(), "classic");
  EXPECT_EQ(OffsetOf(), 5);
  EXPECT_FALSE(coordinator_->store().Find("g")->consumer.has_value());
  Open();
  EXPECT_EQ(State(), "Stable");
}

TEST_F(ConsumerCoordinatorTest, IsDeletedWhenEmptyAndLeavesNothing) {
  EXPECT_EQ(EpochAfter(Joining("a")), 1);
  auto done = std::make_shared<std::optional<absl::Status>>();
  const auto remove = [&] {
    coordinator_->DeleteGroup("g", [done](absl::Status status) { *done = std::move(status); });
    Commit();
    return **done;
  };
  EXPECT_EQ(ErrcOf(remove()), Errc::kGroupNotEmpty);
  Send(At("a", kLeaveEpoch));  // Not committed yet.
  EXPECT_TRUE(remove().ok());
  EXPECT_TRUE(coordinator_->store().groups().empty());
  EXPECT_THAT(*coordinator_->List(), IsEmpty());
}

TEST_F(ConsumerCoordinatorTest, OffsetsOfSubscribedTopicsStay) {
  EXPECT_EQ(EpochAfter(Joining("a")), 1);
  std::vector<absl::Status> statuses;
  coordinator_->DeleteOffsets("g", {{"t", 0}, {"u", 0}},
                              [&](auto result) { statuses = *std::move(result); });
  ASSERT_THAT(statuses, SizeIs(2));
  EXPECT_EQ(ErrcOf(statuses[0]), Errc::kGroupSubscribed);
  EXPECT_TRUE(statuses[1].ok());
}

TEST_F(ConsumerCoordinatorTest, AnEmptyGroupExpiresWithItsOffsets) {
  EXPECT_EQ(EpochAfter(Joining("a")), 1);
  EXPECT_EQ(EpochAfter(At("a", kLeaveEpoch)), kLeaveEpoch);
  CommitOffset(1);
  Commit();
  Pass(std::chrono::hours(24 * 6));
  coordinator_->ExpireOffsets();
  Commit();
  EXPECT_EQ(OffsetOf(), 1);
  Pass(std::chrono::hours(25));
  coordinator_->ExpireOffsets();
  Commit();
  EXPECT_TRUE(coordinator_->store().groups().empty());
}

class MigrationTest : public ConsumerCoordinatorTest {
 protected:
  MigrationTest() {
    topics_.Set("t", 4);
    Open();
  }

  // A classic group of one, which has all of "t".
  std::string FormClassic() {
    const Joined joined = Join(Request());
    while (!joined->there()) Pass(Millis(100));
    const std::string id = joined->answer->member_id;
    Sync(id, joined->answer->generation, {{id, EncodeAssignment(0, {{"t", {0, 1, 2, 3}}})}});
    Commit();
    EXPECT_EQ(State(), "Stable");
    generation_ = joined->answer->generation;
    return id;
  }
  // What the classic member is told to read, in its generation.
  std::vector<int32_t> SyncedPartitions(const std::string& id) {
    const Synced synced = Sync(id, generation_);
    Commit();
    EXPECT_TRUE(synced->there() && synced->answer->status.ok());
    const auto assignment = ParseAssignment(synced->answer->assignment);
    return assignment && assignment->contains("t") ? assignment->at("t") : std::vector<int32_t>();
  }
  // The classic member gives everything up, as eager ones do, and joins again.
  void Rejoin(const std::string& id) {
    const Joined joined = Join(Request(id));
    Commit();
    ASSERT_TRUE(joined->there());
    EXPECT_EQ(joined->error(), Errc::kUnknown) << joined->answer->status;
    EXPECT_EQ(joined->answer->protocol, "range");
    generation_ = joined->answer->generation;
  }
  std::vector<int32_t> Told(const Answer& answer) {
    Commit();
    EXPECT_TRUE(answer->has_value() && (*answer)->ok());
    if (!(**answer)->assignment || (**answer)->assignment->empty()) return {};
    return (**answer)->assignment->at(topics_.IdOf("t"));
  }
};

TEST_F(MigrationTest, AClassicGroupTakesInAConsumer) {
  const std::string classic = FormClassic();
  const Answer joined = Send(Joining("a"));
  EXPECT_THAT(Told(joined), IsEmpty());  // Everything is the other's still.
  EXPECT_EQ(ListedType(), "consumer");
  EXPECT_EQ(coordinator_->DescribeConsumers("g")->members.size(), 2U);
  // The classic member hears that it is to join again, keeps half, and the other half is free.
  EXPECT_EQ(GroupTest::Beat(classic, generation_), Errc::kRebalanceInProgress);
  EXPECT_EQ(GroupTest::Beat(classic, generation_ + 7), Errc::kIllegalGeneration);
  Rejoin(classic);
  EXPECT_EQ(GroupTest::Beat(classic, generation_), Errc::kUnknown);
  EXPECT_THAT(SyncedPartitions(classic), SizeIs(2));
  EXPECT_THAT(Told(Send(At("a", (**joined)->epoch))), SizeIs(2));
  EXPECT_EQ(coordinator_->DescribeConsumers("g")->state, "Stable");
  // It commits in its generation.
  const Done done = CommitOffset(7, classic, generation_);
  Commit();
  EXPECT_TRUE((*done)->ok());
  EXPECT_EQ(ErrcOf(**CommitOffset(7, classic, generation_ + 1)), Errc::kIllegalGeneration);
  // The next coordinator knows both.
  Open();
  EXPECT_EQ(GroupTest::Beat(classic, generation_), Errc::kUnknown);
  EXPECT_THAT(SyncedPartitions(classic), SizeIs(2));
}

TEST_F(MigrationTest, WhenTheLastConsumerLeavesTheGroupIsClassicAgain) {
  const std::string classic = FormClassic();
  EXPECT_GT(EpochAfter(Joining("a")), 0);
  Rejoin(classic);
  EXPECT_EQ(EpochAfter(At("a", kLeaveEpoch)), kLeaveEpoch);
  EXPECT_EQ(ListedType(), "classic");
  EXPECT_FALSE(coordinator_->store().Find("g")->consumer.has_value());
  EXPECT_EQ(State(), "PreparingRebalance");
  EXPECT_EQ(GroupTest::Beat(classic, coordinator_->store().Find("g")->classic->generation),
            Errc::kRebalanceInProgress);
  const Joined again = Join(Request(classic));
  while (!again->there()) Pass(Millis(100));
  EXPECT_EQ(again->answer->leader, classic);
}

TEST_F(MigrationTest, ADowngradeThatIsNotStoredHasNotHappened) {
  const std::string classic = FormClassic();
  const int32_t epoch = EpochAfter(Joining("a"));
  Rejoin(classic);
  Send(At("a", kLeaveEpoch));
  const Joined waits = Join(Request());
  EXPECT_FALSE(waits->there());
  FailAppends(Errc::kCoordinatorNotAvailable);
  Commit();
  EXPECT_TRUE(waits->there());
  EXPECT_EQ(ListedType(), "consumer");
  EXPECT_EQ(EpochAfter(At("a", epoch)), epoch);
}

TEST_F(MigrationTest, WhenTheLastConsumerFallsSilentTheGroupIsClassicAgain) {
  const std::string classic = FormClassic();
  EXPECT_GT(EpochAfter(Joining("a")), 0);
  Rejoin(classic);
  EXPECT_THAT(SyncedPartitions(classic), SizeIs(2));
  for (int beat = 0; beat < 10; ++beat) {
    Pass(Millis(5000));
    GroupTest::Beat(classic, generation_);
  }
  Commit();
  EXPECT_EQ(ListedType(), "classic");
}

TEST_F(MigrationTest, AConsumerGroupTakesInAClassicMember) {
  EXPECT_EQ(EpochAfter(Joining("a")), 1);
  JoinRequest request = Request();
  request.needs_known_id = true;
  const Joined told = Join(request);
  Commit();
  EXPECT_EQ(told->error(), Errc::kMemberIdRequired);
  const std::string classic = told->answer->member_id;
  Rejoin(classic);
  EXPECT_THAT(SyncedPartitions(classic), IsEmpty());  // They are another's still.
  EXPECT_EQ(GroupTest::Beat(classic, generation_), Errc::kUnknown);
  const std::vector<int32_t> kept = Told(Send(At("a", 1)));
  EXPECT_THAT(kept, SizeIs(2));
  ConsumerHeartbeat given_up = At("a", 1);
  given_up.owned = TopicPartitions{{topics_.IdOf("t"), kept}};
  EXPECT_EQ(EpochAfter(given_up), 2);
  // Now it may have more.
  EXPECT_EQ(GroupTest::Beat(classic, generation_), Errc::kRebalanceInProgress);
  Rejoin(classic);
  EXPECT_THAT(SyncedPartitions(classic), SizeIs(2));
  EXPECT_EQ(GroupTest::Beat(classic, generation_), Errc::kUnknown);
  EXPECT_TRUE(coordinator_->Leave("g", {{classic, {}}})->at(0).ok());
  Commit();
  EXPECT_EQ(ListedType(), "consumer");
  EXPECT_EQ(Told(Send(At("a", 2))).size(), 4U);
}

TEST_F(MigrationTest, AMemberChangesItsProtocolInItsPlace) {
  const std::string classic = FormClassic();
  const Answer joined = Send(Joining(classic));
  EXPECT_THAT(Told(joined), SizeIs(4));  // It has had it all along.
  EXPECT_EQ(coordinator_->DescribeConsumers("g")->members.size(), 1U);
  EXPECT_EQ(GroupTest::Beat(classic, generation_), Errc::kUnknownMemberId);
}

TEST_F(MigrationTest, AClassicMemberThatDoesNotJoinOrSyncInTimeIsGone) {
  const std::string classic = FormClassic();
  const int32_t epoch = EpochAfter(Joining("a"));
  ConsumerHeartbeat beat = At("a", epoch);
  for (int second = 0; second < 70; second += 5) {
    GroupTest::Beat(classic, generation_);  // It beats, and does not join.
    EpochAfter(At("a", coordinator_->DescribeConsumers("g")->members.front().epoch));
    Pass(Millis(5000));
  }
  Commit();
  EXPECT_EQ(GroupTest::Beat(classic, generation_), Errc::kUnknownMemberId);
}

TEST_F(MigrationTest, GroupsThatHaveAnotherTypeOrAssignorStayClassic) {
  JoinRequest connect = Request();
  connect.protocol_type = "connect";
  Join(connect);
  Pass(Millis(6000));
  EXPECT_EQ(ErrorOf(Joining("a")), Errc::kGroupNotFound);
}

TEST_F(MigrationTest, AssignmentsWithUserDataAreNotUnderstood) {
  kafka::Writer writer;
  writer.Int<int16_t>(0);
  writer.Int<int32_t>(0);
  writer.Int<int32_t>(1);
  writer.Int<int8_t>(7);
  const Joined joined = Join(Request());
  while (!joined->there()) Pass(Millis(100));
  const std::string id = joined->answer->member_id;
  Sync(id, joined->answer->generation, {{id, writer.FinishContiguous()}});
  Commit();
  EXPECT_EQ(ErrorOf(Joining("a")), Errc::kGroupNotFound);
  EXPECT_EQ(State(), "Stable");
}

}  // namespace
}  // namespace garam
