// The simulator itself: that it repeats, and that it has something to say.
#include "tests/sim/simulation.h"

#include <gtest/gtest.h>

#include <memory>
#include <string_view>

#include "common/logging.h"
#include "common/testing/seeds.h"
#include "tests/sim/sim_executor.h"
#include "tests/sim/world.h"

namespace garam::sim {
namespace {

class SimTest : public ::testing::Test {
 protected:
  void SetUp() override { SetLogLevel(LogLevel::kOff); }
  void TearDown() override { SetLogLevel(LogLevel::kInfo); }
};

TEST_F(SimTest, TheSameSeedGivesTheSameRun) {
  for (uint64_t seed : {1, 2, 3, 4, 5, 6, 7, 8}) {
    Options options = Options::Draw(seed);
    options.length = Millis(4000);
    const Outcome once = sim::Run(options, false);
    const Outcome again = sim::Run(options, false);
    EXPECT_EQ(once.trace_hash, again.trace_hash) << "seed " << seed;
    EXPECT_EQ(once.events, again.events) << "seed " << seed;
  }
}

// As the loop of a real shard: who sets a timer anew must not be called by the old one.
TEST_F(SimTest, WhatIsDueMayBeCancelledByWhatRunsBeforeIt) {
  World world(1);
  const SimClock clock(world);
  const auto executor = std::make_shared<SimExecutor>(world, clock, nullptr);
  bool first_ran = false;
  bool fired = false;
  const MonoTime due = world.now() + Millis(1);
  TimerId second = kNoTimer;
  executor->PostAt(due, [&] {
    first_ran = true;
    executor->Cancel(second);
  });
  second = executor->PostAt(due, [&] { fired = true; });
  while (world.RunNext(due + Millis(1))) {
  }
  EXPECT_TRUE(first_ran);
  EXPECT_FALSE(fired);
}

TEST_F(SimTest, EveryInvariantHoldsAndWorkIsDone) {
  const uint64_t seeds = SeedsToRun(20);
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const Outcome outcome = sim::Run(Options::Draw(seed), false);
    EXPECT_EQ(outcome.failure, "") << "./dev sim --seed " << seed;
    EXPECT_GT(outcome.committed, 0U) << "seed " << seed;
  }
}

// Seeds that found something once; each names what.
TEST_F(SimTest, WhatWasFoundStaysMended) {
  struct Case {
    uint64_t seed;
    std::string_view profile;
    std::string_view what;
  };
  constexpr Case kFound[] = {
      {3, "", "a core said that it had stopped while its last jobs were under way"},
      {14, "", "a broker that joined while there was no controller never found the next one"},
      {993, "", "a founder without a disk could not find a controller that came later"},
      {9463, "", "the late answer of a process that was gone outlived the first words of the next"},
      {4448, "", "a partition was closed with a batch proposed that was not in its log"},
      {9436, "", "a log was compacted while it was being brought up from another one"},
      {282, "", "two log starts in a row forgot producers"},
      {372, "", "a copy of a log came without its producers"},
      {1909, "", "a log dropped what producers had sent while their state was still being read"},
      {16186, "", "a log dropped what its core did not know to be committed"},
      {16379, "", "a log that took no writes stored producers as of entries that it lacked"},
      {156, "", "a segment that a log had made by itself while it was copied was there twice"},
      {67838, "", "who was taken out of a group in a newer term never knew its leader again"},
      {1007, "", "a leader with a full disk was never known again"},
      {40315, "", "a leader sent readers away who asked for what it had not written yet"},
      {50861, "", "producers were read from a log that had been closed"},
      {74094, "", "a replica that had been silent was read twice at once"},
      {208, "trims", "a leader waited for a read that nobody needed any more"},
      {76, "trims", "an older metadata snapshot replaced a newer one"},
      {268, "trims", "a manifest lacked its members after a restart"},
      {1034, "trims", "a leader just elected gave a manifest without members"},
      {2359, "trims", "who had left a group voted in it by an older image"},
  };
  for (const Case& found : kFound) {
    const Outcome outcome = sim::Run(*Options::Draw(found.seed, found.profile), false);
    EXPECT_EQ(outcome.failure, "") << found.what;
  }
}

TEST_F(SimTest, WithoutFaultsEveryProduceIsAcknowledgedSoon) {
  Options options = Options::Draw(1);
  options.faults = {};
  options.length = Millis(5000);
  const Outcome outcome = sim::Run(options, false);
  EXPECT_EQ(outcome.failure, "");
  EXPECT_GT(outcome.acknowledged, 10U);
  EXPECT_EQ(outcome.faults, 0U);
  EXPECT_LT(outcome.healed_ms, 1000);
}

}  // namespace
}  // namespace garam::sim
