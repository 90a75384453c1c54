#include "common/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <future>

namespace garam {
namespace {

TEST(ThreadPoolTest, StopRunsWhatWasSubmittedFirst) {
  std::atomic<int> ran = 0;
  ThreadPool pool("test", 3);
  for (int i = 0; i < 100; ++i) pool.Submit([&ran] { ++ran; });
  pool.Stop();
  EXPECT_EQ(ran, 100);
}

TEST(ThreadPoolTest, AJobThatBlocksDoesNotHoldUpAnother) {
  std::promise<void> release;
  std::promise<void> second_ran;
  ThreadPool pool("test", 2);
  pool.Submit([&release] { release.get_future().wait(); });
  pool.Submit([&second_ran] { second_ran.set_value(); });
  second_ran.get_future().wait();
  release.set_value();
}

TEST(ThreadPoolTest, BackgroundWorkHasThreadsOfItsOwnThatGiveWay) {
  std::promise<void> release;
  std::promise<int> background;
  std::promise<int> normal;
  const auto policy = [] { return sched_getscheduler(0); };
  ThreadPool pool("test", 1, 1);
  pool.Submit([&release] { release.get_future().wait(); });
  pool.SubmitBackground([&] { background.set_value(policy()); });
  EXPECT_EQ(background.get_future().get(), SCHED_IDLE) << "while the other thread is held";
  release.set_value();
  pool.Submit([&] { normal.set_value(policy()); });
  EXPECT_EQ(normal.get_future().get(), policy());
}

TEST(ThreadPoolTest, AJobAfterStopIsDestroyedUnrun) {
  auto token = std::make_shared<int>(0);
  ThreadPool pool("test", 1);
  pool.Stop();
  pool.Submit([token] { ++*token; });
  EXPECT_EQ(*token, 0);
  EXPECT_EQ(token.use_count(), 1);
}

}  // namespace
}  // namespace garam
