#include "broker/asio/asio_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <memory>

namespace garam {
namespace {

using ::testing::ElementsAre;

constexpr auto kDeadline = std::chrono::seconds(20);

MonoTime Now() { return MonoTime::clock::now(); }

// Runs `task` on `loop` and waits for it.
void RunOn(ShardLoop& loop, Task task) {
  std::promise<void> done;
  loop.Post([&] {
    std::move(task)();
    done.set_value();
  });
  ASSERT_EQ(done.get_future().wait_for(kDeadline), std::future_status::ready);
}

TEST(ShardLoopTest, RunsPostedTasksInOrderOnItsOwnThread) {
  ShardLoop loop("shard-0");
  loop.Start();
  std::vector<int> order;
  EXPECT_FALSE(loop.RunningHere());
  for (int i = 0; i < 3; ++i) {
    loop.Post([&order, &loop, i] { order.push_back(loop.RunningHere() ? i : -1); });
  }
  RunOn(loop, [] {});
  EXPECT_THAT(order, ElementsAre(0, 1, 2));
}

TEST(ShardLoopTest, KeepsTheOrderOfPostsOfDifferentThreads) {
  ShardLoop loop("shard-0");
  loop.Start();
  std::vector<int> order;
  RunOn(loop, [&] {
    loop.Post([&] { order.push_back(1); });
    std::thread([&] { loop.Post([&] { order.push_back(2); }); }).join();
    loop.Post([&] { order.push_back(3); });
  });
  RunOn(loop, [] {});
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST(ShardLoopTest, FiresTimersByDeadlineThenByAge) {
  ShardLoop loop("shard-0");
  loop.Start();
  std::vector<int> order;
  std::promise<void> last;
  loop.Post([&] {
    const MonoTime base = Now() + Millis(5);
    loop.PostAt(base + Millis(5), [&] {
      order.push_back(3);
      last.set_value();
    });
    loop.PostAt(base, [&] { order.push_back(1); });
    loop.PostAt(base, [&] { order.push_back(2); });
    loop.PostAt(base - Millis(10), [&] { order.push_back(0); });
  });
  ASSERT_EQ(last.get_future().wait_for(kDeadline), std::future_status::ready);
  EXPECT_THAT(order, ElementsAre(0, 1, 2, 3));
}

TEST(ShardLoopTest, ForgetsACancelledTimerEvenWhenBothAreDue) {
  ShardLoop loop("shard-0");
  loop.Start();
  std::vector<int> order;
  std::promise<void> last;
  loop.Post([&] {
    const MonoTime when = Now() - Millis(1);
    auto victim = std::make_shared<TimerId>();
    loop.PostAt(when, [&, victim] {
      order.push_back(1);
      loop.Cancel(*victim);
      loop.Cancel(*victim);
    });
    *victim = loop.PostAt(when, [&] { order.push_back(2); });
    loop.PostAt(when + Millis(1), [&] {
      order.push_back(3);
      last.set_value();
    });
  });
  ASSERT_EQ(last.get_future().wait_for(kDeadline), std::future_status::ready);
  EXPECT_THAT(order, ElementsAre(1, 3));
}

TEST(ShardLoopTest, ATimerThatRearmsItselfInThePastDoesNotStarveTheLoop) {
  ShardLoop loop("shard-0");
  loop.Start();
  int fired = 0;
  std::promise<void> seen;
  absl::AnyInvocable<void()> rearm = [&] {
    ++fired;
    loop.PostAt(Now() - Millis(1), [&] { rearm(); });
  };
  loop.Post([&] { rearm(); });
  loop.Post([&] { loop.Post([&] { seen.set_value(); }); });
  ASSERT_EQ(seen.get_future().wait_for(kDeadline), std::future_status::ready);
  loop.Stop();
  EXPECT_GE(fired, 1);
}

// Says when it is destroyed.
struct Tracer {
  Tracer(std::vector<int>* to, int as) : log(to), id(as) {}
  ~Tracer() { log->push_back(id); }
  std::vector<int>* log;
  int id;
};

TEST(ShardLoopTest, StopDestroysWhatWaitsInOrderAndRefusesWhatComesLater) {
  std::vector<int> destroyed;
  bool ran = false;
  ShardLoop loop("shard-0");
  for (int i = 0; i < 3; ++i) {
    loop.Post([&ran, t = std::make_unique<Tracer>(&destroyed, i)] { ran = true; });
  }
  loop.PostAt(Now() + std::chrono::hours(2),
              [&ran, t = std::make_unique<Tracer>(&destroyed, 4)] { ran = true; });
  loop.PostAt(Now() + std::chrono::hours(1),
              [&ran, t = std::make_unique<Tracer>(&destroyed, 3)] { ran = true; });
  loop.Stop();
  loop.Post([&ran, t = std::make_unique<Tracer>(&destroyed, 5)] { ran = true; });
  loop.Stop();
  EXPECT_THAT(destroyed, ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace garam
