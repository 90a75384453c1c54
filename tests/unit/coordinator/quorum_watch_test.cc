#include "coordinator/quorum_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace garam {
namespace {

class QuorumWatchTest : public ::testing::Test {
 protected:
  QuorumMember Look(int64_t last_index, bool alive, int64_t now_ms, uint64_t incarnation = 1) {
    std::vector<QuorumMember> members = {{.node = NodeId(2),
                                          .incarnation = Incarnation(incarnation),
                                          .last_index = LogIndex(last_index)}};
    std::set<NodeId> live;
    if (alive) live.insert(NodeId(2));
    watch_.Look(members, LogIndex(10), live, now_ms);
    return members.front();
  }

  QuorumWatch watch_;
};

TEST_F(QuorumWatchTest, AMemberThatIsThereAndHasEverythingIsSoNow) {
  EXPECT_EQ(Look(10, true, 500).fetched_ms, 500);
  EXPECT_EQ(Look(10, true, 600).caught_up_ms, 600);
}

TEST_F(QuorumWatchTest, OneThatLagsKeepsWhenItDidNot) {
  Look(10, true, 500);
  const QuorumMember lagging = Look(9, true, 600);
  EXPECT_EQ(lagging.fetched_ms, 600);
  EXPECT_EQ(lagging.caught_up_ms, 500);
}

TEST_F(QuorumWatchTest, OneThatIsGoneKeepsWhenItWasThere) {
  Look(10, true, 500);
  const QuorumMember gone = Look(10, false, 600);
  EXPECT_EQ(gone.fetched_ms, 500);
  EXPECT_EQ(gone.caught_up_ms, 500);
}

TEST_F(QuorumWatchTest, NothingIsKnownOfOneThatWasNeverSeen) {
  EXPECT_EQ(Look(10, false, 500).fetched_ms, std::nullopt);
  EXPECT_EQ(Look(10, false, 500).caught_up_ms, std::nullopt);
}

TEST_F(QuorumWatchTest, AnotherIncarnationIsAnotherMember) {
  Look(10, true, 500);
  EXPECT_EQ(Look(0, false, 600, 2).fetched_ms, std::nullopt);
}

TEST_F(QuorumWatchTest, AnotherLeadershipKnowsNothing) {
  Look(10, true, 500);
  watch_.Reset();
  EXPECT_EQ(Look(10, false, 600).fetched_ms, std::nullopt);
}

}  // namespace
}  // namespace garam
