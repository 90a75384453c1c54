#include "broker/produce_waiters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class ProduceWaitersTest : public ::testing::Test {
 protected:
  ProduceWaiters::Waiter At(int64_t index, int deadline_s = 30) {
    ProduceResult result;
    result.base_offset = Offset(index * 10);
    return {LogIndex(index), MonoTime() + std::chrono::seconds(deadline_s), result,
            [this, index](absl::StatusOr<ProduceResult> answer) {
              if (answer.ok()) {
                acked_.push_back(index);
              } else {
                failed_.emplace_back(index, ErrcOf(answer.status()));
              }
            }};
  }

  ProduceWaiters waiters_;
  std::vector<int64_t> acked_;
  std::vector<std::pair<int64_t, Errc>> failed_;
};

TEST_F(ProduceWaitersTest, AcksOneWaitsForTheLeaderOnly) {
  waiters_.AddLeader(At(1));
  waiters_.AddLeader(At(2));
  waiters_.AddAll(At(1));
  waiters_.LeaderHas(LogIndex(1));
  EXPECT_THAT(acked_, ElementsAre(1));
}

TEST_F(ProduceWaitersTest, AcksAllWaitsForTheCommitAndForTheMinimumOfTheIsr) {
  waiters_.AddAll(At(1));
  waiters_.AddAll(At(2));
  waiters_.Committed(LogIndex(2), [](LogIndex index) { return index <= LogIndex(1); });
  EXPECT_THAT(acked_, ElementsAre(1));
  waiters_.Committed(LogIndex(1), [](LogIndex) { return true; });
  EXPECT_THAT(acked_, ElementsAre(1));
  waiters_.Committed(LogIndex(2), [](LogIndex) { return true; });
  EXPECT_THAT(acked_, ElementsAre(1, 2));
}

TEST_F(ProduceWaitersTest, OnlyWhoseTimeHasPassedTimesOut) {
  waiters_.AddAll(At(1, 20));
  waiters_.AddAll(At(2, 10));
  waiters_.AddLeader(At(3, 30));
  EXPECT_EQ(waiters_.NextDeadline(), MonoTime() + std::chrono::seconds(10));
  waiters_.Expire(MonoTime() + std::chrono::seconds(10));
  EXPECT_THAT(failed_, ElementsAre(std::pair<int64_t, Errc>{2, Errc::kTimedOut}));
  EXPECT_EQ(waiters_.NextDeadline(), MonoTime() + std::chrono::seconds(20));
}

TEST_F(ProduceWaitersTest, AShrunkenIsrFailsOnlyAcksAll) {
  waiters_.AddAll(At(1));
  waiters_.AddLeader(At(2));
  waiters_.FailAll(MakeError(Errc::kNotEnoughReplicasAfterAppend, "x"));
  EXPECT_THAT(failed_,
              ElementsAre(std::pair<int64_t, Errc>{1, Errc::kNotEnoughReplicasAfterAppend}));
  EXPECT_FALSE(waiters_.empty());
}

TEST_F(ProduceWaitersTest, ACompletionMayProduceAgain) {
  ProduceWaiters::Waiter chained = At(1);
  chained.done = [this](absl::StatusOr<ProduceResult>) { waiters_.AddAll(At(2)); };
  waiters_.AddAll(std::move(chained));
  waiters_.FailEverything(MakeError(Errc::kNotLeader, "x"));
  EXPECT_THAT(failed_, IsEmpty());
  waiters_.Committed(LogIndex(2), [](LogIndex) { return true; });
  EXPECT_THAT(acked_, ElementsAre(2));
}

}  // namespace
}  // namespace garam
