#include "coordinator/groups/consumer_group.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "tests/unit/coordinator/groups/consumer_fixture.h"

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST_F(ConsumerGroupTest, TheFirstMemberHasEverythingAtOnce) {
  topics_.Set("t", 3);
  EXPECT_EQ(group_->StateName(), "Empty");
  const auto answer = Beat(JoinOf("a", {"t", "missing"}));
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->member_id, "a");
  EXPECT_EQ(answer->epoch, 1);
  EXPECT_EQ(answer->heartbeat_interval_ms, 5000);
  EXPECT_THAT(answer->assignment->at(topics_.IdOf("t")), ElementsAre(0, 1, 2));
  EXPECT_EQ(group_->StateName(), "Stable");
  ExpectStored();
  // What it knows it is not told again, unless it asks with all that it can say.
  EXPECT_FALSE(Beat(At("a", 1))->assignment.has_value());
  ConsumerHeartbeat whole = JoinOf("a", {"t", "missing"});
  whole.epoch = 1;
  EXPECT_TRUE(Beat(whole)->assignment.has_value());
  EXPECT_EQ(group_->state().epoch, 1);
}

TEST_F(ConsumerGroupTest, APartitionGoesToItsNewOwnerOnceTheOldOneHasGivenItUp) {
  topics_.Set("t", 2);
  Client& a = Add("a", {"t"});
  Client& b = Add("b", {"t"});
  EXPECT_EQ(b.epoch, 2);
  EXPECT_EQ(CountOf(b), 0U);
  EXPECT_EQ(group_->StateName(), "Reconciling");

  // It is told to give one up, and stays in its epoch until it says that it has.
  const auto told = Beat(At("a", 1));
  EXPECT_EQ(told->epoch, 1);
  ASSERT_TRUE(told->assignment.has_value());
  EXPECT_THAT(told->assignment->at(topics_.IdOf("t")), SizeIs(1));
  EXPECT_EQ(Beat(b), Errc::kUnknown);
  EXPECT_EQ(CountOf(b), 0U);
  ConsumerHeartbeat still = At("a", 1);
  still.owned = a.owns;
  EXPECT_EQ(Beat(still)->epoch, 1);
  EXPECT_EQ(Beat(b), Errc::kUnknown);
  EXPECT_EQ(CountOf(b), 0U);

  ConsumerHeartbeat has_given_up = At("a", 1);
  has_given_up.owned = told->assignment;
  EXPECT_EQ(Beat(has_given_up)->epoch, 2);
  EXPECT_EQ(Beat(b), Errc::kUnknown);
  EXPECT_EQ(CountOf(b), 1U);
  EXPECT_EQ(group_->StateName(), "Stable");
  ExpectStored();
}

TEST_F(ConsumerGroupTest, AMemberThatLeavesFreesWhatItHad) {
  topics_.Set("t", 4);
  Add("a", {"t"});
  Add("b", {"t"});
  Settle();
  EXPECT_EQ(Beat(At("b", kLeaveEpoch))->epoch, kLeaveEpoch);
  clients_.erase("b");
  EXPECT_EQ(group_->StateName(), "Assigning");
  Settle();
  EXPECT_EQ(CountOf(clients_.at("a")), 4U);
  ExpectStored();
  EXPECT_TRUE(Beat(At("a", kLeaveEpoch)).ok());
  EXPECT_EQ(group_->StateName(), "Empty");
  ExpectStored();
  EXPECT_EQ(ErrcOf(Beat(At("a", kLeaveEpoch)).status()), Errc::kUnknownMemberId);
}

TEST_F(ConsumerGroupTest, WrongEpochsAreFenced) {
  topics_.Set("t", 2);
  Add("a", {"t"});
  Add("b", {"t"});
  Settle();
  const Client& a = clients_.at("a");
  const int32_t epoch = a.epoch;
  EXPECT_EQ(ErrcOf(Beat(At("a", epoch + 1)).status()), Errc::kFencedMemberEpoch);
  EXPECT_EQ(ErrcOf(Beat(At("who", 1)).status()), Errc::kUnknownMemberId);
  // An answer that was lost: the epoch before is taken with no more than the member has.
  const int32_t before = group_->state().members.at("a").previous_epoch;
  ASSERT_LT(before, epoch);
  EXPECT_EQ(ErrcOf(Beat(At("a", before)).status()), Errc::kFencedMemberEpoch);
  ConsumerHeartbeat lost = At("a", before);
  lost.owned = TopicPartitions{{topics_.IdOf("t"), {0, 1}}};
  EXPECT_EQ(ErrcOf(Beat(lost).status()), Errc::kFencedMemberEpoch);
  lost.owned = a.owns;
  EXPECT_EQ(Beat(lost)->epoch, epoch);
  // Whoever was fenced joins anew under its id.
  const auto again = Beat(JoinOf("a", {"t"}));
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->epoch, epoch);
  EXPECT_EQ(again->assignment, a.owns);
}

TEST_F(ConsumerGroupTest, SilentMembersAreGone) {
  topics_.Set("t", 2);
  Add("a", {"t"});
  Add("b", {"t"});
  Settle();
  Pass(Millis(44'000));
  EXPECT_EQ(Beat(clients_.at("a")), Errc::kUnknown);
  Pass(Millis(2000));
  EXPECT_EQ(Beat(clients_.at("b")), Errc::kUnknownMemberId);
  clients_.erase("b");
  Settle();
  EXPECT_EQ(CountOf(clients_.at("a")), 2U);
  ExpectStored();
}

// Each piece has to fit in a batch of the log, which takes a megabyte.
TEST_F(ConsumerGroupTest, AMassOfSilentMembersGoesInPieces) {
  topics_.Set("t", 2);
  for (int i = 0; i < 1200; ++i) Add(absl::StrCat("a-member-with-a-name-of-its-own-", i), {"t"});
  most_kept_bytes_ = 0;
  Pass(Millis(46'000));
  EXPECT_TRUE(group_->empty());
  EXPECT_LT(most_kept_bytes_, size_t{128} << 10);
  ExpectStored();
}

TEST_F(ConsumerGroupTest, AMemberThatGivesNothingUpInTimeIsGone) {
  topics_.Set("t", 2);
  ConsumerHeartbeat slow = JoinOf("a", {"t"});
  slow.rebalance_timeout_ms = 10'000;
  Client& a = Add(slow);
  Client& b = Add("b", {"t"});
  for (int second = 0; second < 12; ++second) {
    ConsumerHeartbeat still = At("a", 1);
    still.owned = a.owns;
    const bool known = Beat(still).ok();
    EXPECT_EQ(known, second <= 9) << second;
    EXPECT_EQ(Beat(b), Errc::kUnknown);
    Pass(Millis(1000));
  }
  clients_.erase("a");
  Settle();
  EXPECT_EQ(CountOf(b), 2U);
}

TEST_F(ConsumerGroupTest, AStaticMemberComesBackToWhatItHad) {
  topics_.Set("t", 4);
  ConsumerHeartbeat one = JoinOf("a", {"t"});
  one.instance_id = "i";
  Add(one);
  Add("b", {"t"});
  Settle();
  const TopicPartitions had = clients_.at("a").owns;
  const int32_t epoch = group_->state().epoch;

  ConsumerHeartbeat other = JoinOf("z", {"t"});
  other.instance_id = "i";
  EXPECT_EQ(ErrcOf(Beat(other).status()), Errc::kUnreleasedInstanceId);
  ConsumerHeartbeat fenced = At("z", epoch);
  fenced.instance_id = "i";
  EXPECT_EQ(ErrcOf(Beat(fenced).status()), Errc::kFencedInstanceId);

  ConsumerHeartbeat pause = At("a", kPauseEpoch);
  pause.instance_id = "i";
  EXPECT_EQ(Beat(pause)->epoch, kPauseEpoch);
  ExpectStored();
  EXPECT_EQ(ErrcOf(Beat(At("a", epoch)).status()), Errc::kFencedMemberEpoch);
  EXPECT_EQ(Beat(clients_.at("b")), Errc::kUnknown);
  EXPECT_EQ(CountOf(clients_.at("b")), 2U);  // Nobody takes its place.
  clients_.erase("a");
  const auto back = Beat(other);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->epoch, epoch);
  EXPECT_EQ(back->assignment, had);
  EXPECT_EQ(group_->state().epoch, epoch);
  EXPECT_FALSE(group_->state().members.contains("a"));
  ExpectStored();
}

TEST_F(ConsumerGroupTest, AMemberHasOnePlace) {
  topics_.Set("t", 2);
  ConsumerHeartbeat one = JoinOf("a", {"t"});
  one.instance_id = "i";
  Add(one);
  Add("b", {"t"});
  ConsumerHeartbeat pause = At("a", kPauseEpoch);
  pause.instance_id = "i";
  EXPECT_TRUE(Beat(pause).ok());
  ConsumerHeartbeat greedy = JoinOf("b", {"t"});
  greedy.instance_id = "i";
  EXPECT_EQ(ErrcOf(Beat(greedy).status()), Errc::kUnreleasedInstanceId);
  // Under another name it is that one, and the first is nobody's.
  greedy.instance_id = "j";
  EXPECT_TRUE(Beat(greedy).ok());
  greedy.instance_id = "k";
  EXPECT_TRUE(Beat(greedy).ok());
  EXPECT_TRUE(Beat(At("b", kLeaveEpoch)).ok());
  ConsumerHeartbeat other = JoinOf("c", {"t"});
  other.instance_id = "j";
  EXPECT_TRUE(Beat(other).ok());
  ExpectStored();
}

TEST_F(ConsumerGroupTest, AStaticMemberThatStaysAwayLosesItsPlace) {
  topics_.Set("t", 2);
  ConsumerHeartbeat one = JoinOf("a", {"t"});
  one.instance_id = "i";
  Add(one);
  ConsumerHeartbeat pause = At("a", kPauseEpoch);
  pause.instance_id = "i";
  EXPECT_TRUE(Beat(pause).ok());
  Pass(Millis(46'000));
  EXPECT_TRUE(group_->empty());
  one.member_id = "z";
  EXPECT_EQ(Beat(one)->epoch, 3);
  ExpectStored();
}

TEST_F(ConsumerGroupTest, TopicsThatComeGoAndGrowBeginAnEpoch) {
  topics_.Set("t", 2);
  Add("a", {"t", "u"});
  EXPECT_EQ(group_->state().epoch, 1);
  topics_.Set("another", 2);
  Settle();
  EXPECT_EQ(group_->state().epoch, 1);  // Nobody is subscribed to it.
  topics_.Set("u", 1);
  Beat(clients_.at("a"));
  Settle();
  EXPECT_EQ(group_->state().epoch, 2);
  ExpectAllRead({"t", "u"});
  topics_.Set("t", 5);
  Beat(clients_.at("a"));
  Settle();
  EXPECT_EQ(group_->state().epoch, 3);
  ExpectAllRead({"t", "u"});
  topics_.Delete("t");
  Beat(clients_.at("a"));
  Settle();
  ExpectAllRead({"u"});
  topics_.Set("t", 1);  // Another one of that name.
  Beat(clients_.at("a"));
  Settle();
  ExpectAllRead({"t", "u"});
  ExpectStored();
}

TEST_F(ConsumerGroupTest, AChangedSubscriptionTakesEffectAtOnce) {
  topics_.Set("t", 2);
  topics_.Set("u", 2);
  Client& a = Add("a", {"t", "u"});
  ConsumerHeartbeat fewer = At("a", a.epoch);
  fewer.topics = std::vector<std::string>{"u"};
  const auto answer = Beat(fewer);
  ASSERT_TRUE(answer.ok() && answer->assignment);
  EXPECT_FALSE(answer->assignment->contains(topics_.IdOf("t")));
  Hear(a, *answer);
  Obey(a);
  Settle();
  ExpectAllRead({"u"});
  EXPECT_TRUE(group_->SubscribesTo("u"));
  EXPECT_FALSE(group_->SubscribesTo("t"));
}

TEST_F(ConsumerGroupTest, ARegularExpressionIsASubscription) {
  topics_.Set("red-1", 1);
  topics_.Set("red-2", 1);
  topics_.Set("a-red-3", 1);
  ConsumerHeartbeat request = JoinOf("a", {});
  request.topics.reset();
  request.topic_regex = "red-\\d";
  Client& a = Add(request);
  ExpectAllRead({"red-1", "red-2"});
  EXPECT_TRUE(group_->SubscribesTo("red-1"));
  EXPECT_FALSE(group_->SubscribesTo("a-red-3"));
  topics_.Set("red-3", 2);
  Beat(a);
  Settle();
  ExpectAllRead({"red-1", "red-2", "red-3"});
  ExpectStored();
  // Another expression, and the old one is forgotten.
  ConsumerHeartbeat other = At("a", a.epoch);
  other.topic_regex = "a-.*";
  const auto answer = Beat(other);
  Hear(a, *answer);
  Obey(a);
  Settle();
  ExpectAllRead({"a-red-3"});
  EXPECT_THAT(group_->state().regexes, SizeIs(1));
  ExpectStored();
  EXPECT_TRUE(Beat(At("a", kLeaveEpoch)).ok());
  EXPECT_THAT(group_->state().regexes, IsEmpty());
}

TEST_F(ConsumerGroupTest, WhatIsNoExpressionIsRefusedAndChangesNothing) {
  for (const std::string expression :
       {"[", "(?P<", "a**", "(?=x)", "(((((((x{999}){999}){9}){9}"}) {
    ConsumerHeartbeat request = JoinOf("a", {});
    request.topic_regex = expression;
    EXPECT_EQ(ErrcOf(Beat(request).status()), Errc::kInvalidRegex) << expression;
  }
  EXPECT_TRUE(group_->empty());
  EXPECT_EQ(group_->state().epoch, 0);
}

TEST_F(ConsumerGroupTest, AFullGroupTakesNobodyElse) {
  limits_.consumers.group_size_max = 2;
  topics_.Set("t", 2);
  ConsumerHeartbeat one = JoinOf("a", {"t"});
  one.instance_id = "i";
  Add(one);
  Add("b", {"t"});
  EXPECT_EQ(ErrcOf(Beat(JoinOf("c", {"t"})).status()), Errc::kGroupFull);
  EXPECT_EQ(Beat(clients_.at("b")), Errc::kUnknown);
  // Its own place is free for whoever comes back.
  ConsumerHeartbeat pause = At("a", kPauseEpoch);
  pause.instance_id = "i";
  EXPECT_TRUE(Beat(pause).ok());
  one.member_id = "a2";
  EXPECT_TRUE(Beat(one).ok());
}

TEST_F(ConsumerGroupTest, TheAssignorThatMostAskForAssigns) {
  topics_.Set("t", 2);
  EXPECT_EQ(group_->Describe().assignor, "uniform");
  for (const std::string id : {"a", "b", "c"}) {
    ConsumerHeartbeat request = JoinOf(id, {"t"});
    if (id != "c") request.assignor = "range";
    Add(request);
  }
  EXPECT_EQ(group_->Describe().assignor, "range");
}

TEST_F(ConsumerGroupTest, AssignmentsKeepTheirDistance) {
  limits_.consumers.assignment_interval = Millis(1000);
  topics_.Set("t", 2);
  Add("a", {"t"});
  Client& b = Add("b", {"t"});
  EXPECT_EQ(group_->StateName(), "Assigning");
  EXPECT_EQ(b.epoch, 1);
  EXPECT_EQ(CountOf(b), 0U);
  Pass(Millis(999));
  Beat(b);
  EXPECT_EQ(b.epoch, 1);
  Pass(Millis(1));
  Beat(b);
  EXPECT_EQ(b.epoch, 2);
  Settle();
  ExpectAllRead({"t"});
}

TEST_F(ConsumerGroupTest, TheNextCoordinatorGoesOn) {
  topics_.Set("t", 4);
  Add("a", {"t"});
  Add("b", {"t"});
  Beat(clients_.at("a"));  // In the middle of it.
  Pass(Millis(40'000));
  Open();
  Pass(Millis(40'000));  // Sessions begin anew.
  Settle();
  ExpectAllRead({"t"});
  const int32_t epoch = group_->state().epoch;
  Open();
  Settle();
  EXPECT_EQ(group_->state().epoch, epoch);
  ExpectAllRead({"t"});
}

TEST_F(ConsumerGroupTest, WhoGivesUpSlowlyIsGoneAtTheNextCoordinatorToo) {
  topics_.Set("t", 2);
  ConsumerHeartbeat slow = JoinOf("a", {"t"});
  slow.rebalance_timeout_ms = 10'000;
  Add(slow);
  Add("b", {"t"});
  EXPECT_TRUE(Beat(At("a", 1)).ok());
  Open();
  Pass(Millis(11'000));
  EXPECT_FALSE(group_->state().members.contains("a"));
}

TEST_F(ConsumerGroupTest, CommitsAreOfMembersAndOfWhatTheyHave) {
  topics_.Set("t", 2);
  std::vector<std::pair<TopicPartition, CommittedOffset>> offsets(1);
  offsets[0].first = {"t", 0};
  offsets[0].second.topic_id = topics_.IdOf("t");
  EXPECT_TRUE(group_->CheckCommit("", -1, offsets).ok());
  Client& a = Add("a", {"t"});
  EXPECT_EQ(ErrcOf(group_->CheckCommit("", -1, offsets)), Errc::kUnknownMemberId);
  EXPECT_TRUE(group_->CheckCommit("a", 1, offsets).ok());
  EXPECT_EQ(ErrcOf(group_->CheckCommit("a", 2, offsets)), Errc::kStaleMemberEpoch);
  Add("b", {"t"});
  Settle();
  ASSERT_EQ(a.epoch, 2);
  const int32_t kept = a.owns.at(topics_.IdOf("t"))[0];
  offsets[0].first.second = kept;
  EXPECT_TRUE(group_->CheckCommit("a", 1, offsets).ok());  // It has had it since.
  offsets[0].first.second = 1 - kept;
  EXPECT_EQ(ErrcOf(group_->CheckCommit("a", 1, offsets)), Errc::kStaleMemberEpoch);
  EXPECT_TRUE(group_->CheckFetch("a", 2).ok());
  EXPECT_EQ(ErrcOf(group_->CheckFetch("a", 1)), Errc::kStaleMemberEpoch);
  EXPECT_EQ(ErrcOf(group_->CheckFetch("who", 1)), Errc::kUnknownMemberId);
}

TEST_F(ConsumerGroupTest, IsDescribedWithTheNamesOfItsTopics) {
  topics_.Set("t", 2);
  ConsumerHeartbeat one = JoinOf("a", {"t"});
  one.instance_id = "i";
  one.rack = "r";
  Add(one);
  const ConsumerGroupDescription shown = group_->Describe();
  EXPECT_EQ(shown.state, "Stable");
  EXPECT_EQ(shown.epoch, 1);
  EXPECT_EQ(shown.assignment_epoch, 1);
  ASSERT_THAT(shown.members, SizeIs(1));
  EXPECT_EQ(shown.members[0].facts.instance_id, "i");
  ASSERT_THAT(shown.members[0].assigned, SizeIs(1));
  EXPECT_EQ(shown.members[0].assigned[0].name, "t");
  EXPECT_THAT(shown.members[0].target[0].partitions, ElementsAre(0, 1));
}

TEST_F(ConsumerGroupTest, TombstonesLeaveNothing) {
  topics_.Set("t", 2);
  ConsumerHeartbeat request = JoinOf("a", {"t"});
  request.topic_regex = "x.*";
  Add(request);
  std::vector<GroupRecord> records;
  AddConsumerTombstones("g", group_->state(), records);
  Keep(std::move(records));
  GroupStore store;
  for (const GroupRecord& record : log_) EXPECT_TRUE(store.Apply(record).ok());
  EXPECT_TRUE(store.groups().empty());
  // Nor do they bring back what is gone.
  for (const GroupRecord& record : log_) {
    EXPECT_TRUE(record.value || store.Apply(record).ok());
  }
  EXPECT_TRUE(store.groups().empty());
}

TEST(CheckHeartbeatTest, RefusesWhatKafkaRefuses) {
  const ConsumerGroupLimits limits;
  const auto check = [&](auto change, bool names_itself = true, std::string_view group = "g") {
    ConsumerHeartbeat request;
    request.member_id = "m";
    request.rebalance_timeout_ms = 1000;
    request.topics.emplace();
    request.owned.emplace();
    change(request);
    const absl::Status status = CheckHeartbeat(group, request, names_itself, limits);
    return status.ok() ? Errc::kUnknown : ErrcOf(status);
  };
  const Errc fine = Errc::kUnknown, invalid = Errc::kInvalidRequest;
  EXPECT_EQ(check([](auto&) {}), fine);
  EXPECT_EQ(check([](auto&) {}, true, " "), invalid);
  EXPECT_EQ(check([](auto& r) { r.member_id = ""; }), invalid);
  EXPECT_EQ(check([](auto& r) { r.member_id = ""; }, false), fine);
  EXPECT_EQ(check([](auto& r) { r.member_id = "", r.epoch = 1; }, false), invalid);
  EXPECT_EQ(check([](auto& r) { r.member_id = "", r.epoch = -1; }, false), invalid);
  EXPECT_EQ(check([](auto& r) { r.instance_id = ""; }), invalid);
  EXPECT_EQ(check([](auto& r) { r.rack = " "; }), invalid);
  EXPECT_EQ(check([](auto& r) { r.rebalance_timeout_ms = -1; }), invalid);
  EXPECT_EQ(check([](auto& r) { r.owned.reset(); }), invalid);
  EXPECT_EQ(check([](auto& r) { r.owned->emplace(Uuid(), std::vector<int32_t>{1}); }), invalid);
  EXPECT_EQ(check([](auto& r) { r.topics.reset(); }), invalid);
  EXPECT_EQ(check([](auto& r) { r.topics.reset(), r.topic_regex = ""; }), fine);
  EXPECT_EQ(check([](auto& r) { r.epoch = -2; }), invalid);
  EXPECT_EQ(check([](auto& r) { r.epoch = -2, r.instance_id = "i"; }), fine);
  EXPECT_EQ(check([](auto& r) { r.epoch = -3; }), invalid);
  EXPECT_EQ(check([](auto& r) { r.epoch = 5, r.topics.reset(); }), fine);
  EXPECT_EQ(check([](auto& r) { r.assignor = "best"; }), Errc::kUnsupportedAssignor);
  EXPECT_EQ(check([](auto& r) { r.assignor = "range"; }), fine);
}

}  // namespace
}  // namespace garam
