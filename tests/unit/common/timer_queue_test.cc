#include "common/timer_queue.h"

#include <gmock/gmock.h>

#include <memory>
#include <vector>

namespace garam {
namespace {

using ::testing::ElementsAre;

class TimerQueueTest : public ::testing::Test {
 protected:
  static MonoTime At(int64_t ms) { return MonoTime(Millis(ms)); }
  TimerId Add(int64_t ms, int name) {
    return timers_.Add(At(ms), [this, name] { ran_.push_back(name); });
  }
  size_t RunDue(int64_t ms) { return timers_.RunDue(At(ms), timers_.newest()); }

  TimerQueue timers_;
  std::vector<int> ran_;
};

TEST_F(TimerQueueTest, RunsWhatIsDueTheEarliestFirst) {
  EXPECT_EQ(timers_.first(), std::nullopt);
  Add(20, 3);
  Add(10, 1);
  Add(10, 2);
  EXPECT_EQ(timers_.first(), At(10));
  EXPECT_EQ(RunDue(9), 0U);
  EXPECT_EQ(RunDue(10), 2U);
  EXPECT_THAT(ran_, ElementsAre(1, 2));
  EXPECT_EQ(timers_.first(), At(20));
  EXPECT_EQ(RunDue(30), 1U);
  EXPECT_EQ(timers_.first(), std::nullopt);
}

TEST_F(TimerQueueTest, ATaskMayCancelAnotherThatIsDue) {
  TimerId second = kNoTimer;
  timers_.Add(At(1), [&] { timers_.Cancel(second); });
  second = Add(1, 2);
  EXPECT_EQ(RunDue(1), 1U);
  timers_.Cancel(second);
  EXPECT_THAT(ran_, ElementsAre());
}

TEST_F(TimerQueueTest, WhatATaskAddsWaitsForTheNextRun) {
  timers_.Add(At(1), [&] { Add(0, 2); });
  Add(2, 3);
  EXPECT_EQ(RunDue(2), 2U);
  EXPECT_THAT(ran_, ElementsAre(3));
  EXPECT_EQ(RunDue(2), 1U);
  EXPECT_THAT(ran_, ElementsAre(3, 2));
}

// As an object does that cancels its timers when it goes.
TEST_F(TimerQueueTest, ATaskThatIsDestroyedMayCancelOthers) {
  const auto canceling = [this](TimerId other) {
    return std::shared_ptr<void>(nullptr, [this, other](void*) { timers_.Cancel(other); });
  };
  const TimerId other = Add(3, 3);
  const TimerId first = timers_.Add(At(2), [held = canceling(other)] {});
  timers_.Cancel(first);
  EXPECT_EQ(timers_.first(), std::nullopt);
  const TimerId last = Add(5, 5);
  timers_.Add(At(4), [held = canceling(last)] {});
  timers_.Clear();
  EXPECT_EQ(RunDue(9), 0U);
  EXPECT_THAT(ran_, ElementsAre());
}

}  // namespace
}  // namespace garam
