#include "common/thread_pool.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

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
  const auto niceness = [] { return getpriority(PRIO_PROCESS, static_cast<id_t>(gettid())); };
  ThreadPool pool("test", 1, 1);
  pool.Submit([&release] { release.get_future().wait(); });
  pool.SubmitBackground([&] { background.set_value(niceness()); });
  EXPECT_GT(background.get_future().get(), niceness()) << "while the other thread is held";
  release.set_value();
  pool.Submit([&] { normal.set_value(niceness()); });
  EXPECT_EQ(normal.get_future().get(), niceness());
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
