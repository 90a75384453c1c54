#include "broker/counted_pool.h"

#include <gtest/gtest.h>

#include "common/testing/fake_executor.h"

namespace garam {
namespace {

class CountedPoolTest : public ::testing::Test {
 protected:
  void AwaitIdle() {
    pool_.WhenIdle([this] { ++idle_; });
  }

  FakeBlockingPool behind_;
  CountedPool pool_{behind_};
  int idle_ = 0;
};

TEST_F(CountedPoolTest, IsIdleAtOnceWhenThereIsNoJob) {
  AwaitIdle();
  EXPECT_EQ(idle_, 1);
}

TEST_F(CountedPoolTest, IsIdleAfterTheLastJobOnceAndNoMore) {
  int done = 0;
  for (int i = 0; i < 2; ++i) pool_.Submit([&done] { ++done; });
  AwaitIdle();
  behind_.RunOne(1);
  EXPECT_EQ(idle_, 0);
  behind_.RunOne();
  EXPECT_EQ(idle_, 1);
  EXPECT_EQ(done, 2);
  pool_.Submit([] {});
  behind_.RunAll();
  EXPECT_EQ(idle_, 1);
  EXPECT_EQ(pool_.submitted(), 3U);
}

TEST_F(CountedPoolTest, AJobThatAnotherSubmitsIsWaitedForAsWell) {
  pool_.Submit([this] { pool_.Submit([] {}); });
  AwaitIdle();
  behind_.RunOne();
  EXPECT_EQ(idle_, 0);
  behind_.RunOne();
  EXPECT_EQ(idle_, 1);
}

TEST_F(CountedPoolTest, WhatAJobHoldsIsGoneWhenItCountsAsDone) {
  auto held = std::make_shared<int>(0);
  std::weak_ptr<int> watched = held;
  pool_.Submit([held = std::move(held)] {});
  pool_.WhenIdle([&] { EXPECT_TRUE(watched.expired()); });
  behind_.RunAll();
}

}  // namespace
}  // namespace garam
