#include "broker/asio/task_group.h"

#include <gtest/gtest.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <stdexcept>

namespace garam {
namespace {

namespace asio = boost::asio;

constexpr auto kDeadline = std::chrono::seconds(20);

asio::awaitable<void> WaitForever(std::promise<void>* started, bool* ended) {
  asio::steady_timer never(co_await asio::this_coro::executor, MonoTime::max());
  if (started != nullptr) started->set_value();
  try {
    co_await never.async_wait(asio::use_awaitable);
  } catch (const boost::system::system_error&) {
    *ended = true;
  }
}

asio::awaitable<void> Fail() {
  throw std::runtime_error("as planned");
  co_return;
}

TEST(TaskGroupTest, JoinEndsEveryWaitAndReturnsAfterTheLastCoroutine) {
  ShardLoop loop("shard-0");
  loop.Start();
  TaskGroup group(loop);
  std::promise<void> started;
  bool first = false;
  bool second = false;
  loop.Post([&] {
    group.Spawn("first", WaitForever(nullptr, &first));
    group.Spawn("second", WaitForever(&started, &second));
  });
  ASSERT_EQ(started.get_future().wait_for(kDeadline), std::future_status::ready);
  group.Join();
  EXPECT_TRUE(first);
  EXPECT_TRUE(second);
  group.Join();  // Again: nothing is left to wait for.
}

TEST(TaskGroupTest, ACoroutineThatThrowsEndsAlone) {
  ShardLoop loop("shard-0");
  loop.Start();
  TaskGroup group(loop);
  std::promise<void> started;
  bool ended = false;
  loop.Post([&] {
    group.Spawn("fails", Fail());
    group.Spawn("waits", WaitForever(&started, &ended));
  });
  ASSERT_EQ(started.get_future().wait_for(kDeadline), std::future_status::ready);
  auto left = [&] {
    std::promise<size_t> size;
    loop.Post([&] { size.set_value(group.size()); });
    return size.get_future().get();
  };
  // The end of a coroutine takes a turn of the loop more than the start of the next one.
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (left() != 1u && std::chrono::steady_clock::now() < deadline) {
  }
  EXPECT_EQ(left(), 1u);
  group.Join();
  EXPECT_TRUE(ended);
}

}  // namespace
}  // namespace garam
