#include "broker/leader_balancer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LeaderBalancerTest : public ::testing::Test {
 protected:
  static constexpr NodeId kB{2};
  static MonoTime At(int64_t ms) { return MonoTime(Millis(ms)); }
  static LeaderBalancer::Stray Stray(uint64_t group) { return {GroupId(group), kB}; }

  LeaderBalancer balancer_{{}};
};

TEST_F(LeaderBalancerTest, APreferredReplicaLeadsAgainOnceItHasBeenInSyncForAWhile) {
  EXPECT_THAT(balancer_.Pick({Stray(1)}, At(0)), IsEmpty());
  EXPECT_THAT(balancer_.Pick({Stray(1)}, At(4999)), IsEmpty());
  EXPECT_THAT(balancer_.Pick({Stray(1)}, At(5000)), ElementsAre(GroupId(1)));
}

TEST_F(LeaderBalancerTest, WhoFallsOutOfSyncStartsAgain) {
  EXPECT_THAT(balancer_.Pick({Stray(1)}, At(0)), IsEmpty());
  EXPECT_THAT(balancer_.Pick({}, At(3000)), IsEmpty());
  EXPECT_THAT(balancer_.Pick({Stray(1)}, At(4000)), IsEmpty());
  EXPECT_THAT(balancer_.Pick({Stray(1)}, At(5000)), IsEmpty());
  EXPECT_THAT(balancer_.Pick({Stray(1)}, At(9000)), ElementsAre(GroupId(1)));
}

TEST_F(LeaderBalancerTest, ATransferThatCameToNothingIsTriedAgainLater) {
  EXPECT_THAT(balancer_.Pick({Stray(1)}, At(0)), IsEmpty());
  EXPECT_THAT(balancer_.Pick({Stray(1)}, At(5000)), SizeIs(1));
  EXPECT_THAT(balancer_.Pick({Stray(1)}, At(6000)), IsEmpty());
  EXPECT_THAT(balancer_.Pick({Stray(1)}, At(11'000)), SizeIs(1));
}

TEST_F(LeaderBalancerTest, ANodeThatFlapsWaitsLongerEachTime) {
  int64_t now = 0;
  for (int64_t wait : {5000, 10'000, 20'000}) {
    EXPECT_THAT(balancer_.Pick({Stray(1)}, At(now)), IsEmpty());
    EXPECT_THAT(balancer_.Pick({Stray(1)}, At(now + wait - 1)), IsEmpty());
    EXPECT_THAT(balancer_.Pick({Stray(1)}, At(now + wait)), SizeIs(1));
    now += wait + 1000;
    balancer_.NodeDown(kB, At(now));
    EXPECT_THAT(balancer_.Pick({}, At(now)), IsEmpty());
  }
}

TEST_F(LeaderBalancerTest, ANodeThatGoesDownMuchLaterDoesNotFlap) {
  balancer_.Pick({Stray(1)}, At(0));
  balancer_.Pick({Stray(1)}, At(5000));
  balancer_.NodeDown(kB, At(70'000));
  balancer_.Pick({Stray(1)}, At(80'000));
  EXPECT_THAT(balancer_.Pick({Stray(1)}, At(85'000)), SizeIs(1));
}

TEST_F(LeaderBalancerTest, ManyGoInPortions) {
  std::vector<LeaderBalancer::Stray> strays;
  for (uint64_t group = 1; group <= 120; ++group) strays.push_back(Stray(group));
  balancer_.Pick(strays, At(0));
  EXPECT_THAT(balancer_.Pick(strays, At(5000)), SizeIs(50));
}

}  // namespace
}  // namespace garam
