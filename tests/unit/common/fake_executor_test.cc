#include "common/testing/fake_executor.h"

#include <gmock/gmock.h>

#include <vector>

namespace garam {
namespace {

using ::testing::ElementsAre;

TEST(FakeExecutorTest, PostedTasksRunInOrderAndTimersAtTheirTime) {
  FakeClock clock;
  FakeExecutor executor(clock);
  std::vector<int> ran;
  executor.PostAt(clock.Mono() + Millis(20), [&] { ran.push_back(3); });
  executor.PostAt(clock.Mono() + Millis(10), [&] { ran.push_back(2); });
  executor.Post([&] { ran.push_back(1); });
  executor.RunFor(Millis(15));
  EXPECT_THAT(ran, ElementsAre(1, 2));
  executor.RunFor(Millis(5));
  EXPECT_THAT(ran, ElementsAre(1, 2, 3));
}

TEST(FakeExecutorTest, ACancelledTimerNeverRuns) {
  FakeClock clock;
  FakeExecutor executor(clock);
  bool ran = false;
  TimerId timer = executor.PostAt(clock.Mono() + Millis(1), [&] { ran = true; });
  executor.Cancel(timer);
  executor.RunFor(Millis(10));
  EXPECT_FALSE(ran);
}

TEST(FakeBlockingPoolTest, RunsTheJobThatTheTestPicks) {
  FakeBlockingPool pool;
  std::vector<int> ran;
  pool.Submit([&] { ran.push_back(1); });
  pool.Submit([&] { ran.push_back(2); });
  EXPECT_TRUE(pool.RunOne(1));
  EXPECT_THAT(ran, ElementsAre(2));
  EXPECT_EQ(pool.RunAll(), 1u);
}

}  // namespace
}  // namespace garam
