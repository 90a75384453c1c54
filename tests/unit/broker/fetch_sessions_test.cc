#include "broker/fetch_sessions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::SizeIs;

class FetchSessionsTest : public ::testing::Test {
 protected:
  static FetchWish Wish(int32_t partition, int64_t offset = 0) {
    FetchWish wish;
    wish.key = {"t", TopicId{}, partition};
    wish.fetch_offset = offset;
    return wish;
  }
  static FetchSessions::Outcome At(int64_t high_watermark, bool records = false) {
    FetchSessions::Outcome outcome;
    outcome.has_records = records;
    outcome.high_watermark = high_watermark;
    outcome.log_start_offset = 0;
    return outcome;
  }
  absl::StatusOr<FetchSessions::Context> Begin(int32_t id, int32_t epoch,
                                               std::vector<FetchWish> wishes = {},
                                               std::vector<FetchKey> forgotten = {}) {
    FetchSessionRequest request;
    request.session_id = id;
    request.session_epoch = epoch;
    request.wishes = std::move(wishes);
    request.forgotten = std::move(forgotten);
    return sessions_.Begin(std::move(request), now_);
  }
  int32_t NewSession(int partitions) {
    std::vector<FetchWish> wishes;
    for (int i = 0; i < partitions; ++i) wishes.push_back(Wish(i));
    auto context = Begin(0, 0, wishes);
    sessions_.Select(*context, std::vector<FetchSessions::Outcome>(partitions, At(0)));
    return FetchSessions::IdOf(*context);
  }
  static std::vector<int32_t> Order(const FetchSessions::Context& context) {
    std::vector<int32_t> order;
    for (const FetchWish& wish : context.wishes) order.push_back(wish.key.partition);
    return order;
  }

  SeededRandom random_{1};
  MonoTime now_{std::chrono::hours(1)};
  FetchSessions sessions_{2, 1, 4, random_};
};

TEST_F(FetchSessionsTest, AFullFetchMakesASessionThatAnswersEverything) {
  auto context = Begin(0, 0, {Wish(0), Wish(1)});
  EXPECT_FALSE(context->incremental);
  EXPECT_GT(FetchSessions::IdOf(*context), 0);
  EXPECT_EQ(FetchSessions::IdOf(*context) % 4, 1) << "the id names the shard";
  EXPECT_THAT(sessions_.Select(*context, {At(0), At(0)}), ElementsAre(true, true));
}

TEST_F(FetchSessionsTest, EpochMinusOneMakesNoSession) {
  auto context = Begin(0, -1, {Wish(0)});
  EXPECT_EQ(FetchSessions::IdOf(*context), 0);
  EXPECT_EQ(sessions_.size(), 0U);
  EXPECT_THAT(sessions_.Select(*context, {At(0)}), ElementsAre(true));
}

TEST_F(FetchSessionsTest, AnIncrementalFetchRemembersWhatWasAsked) {
  const int32_t id = NewSession(3);
  auto context = Begin(id, 1, {Wish(1, 50)});
  EXPECT_THAT(Order(*context), ElementsAre(0, 1, 2));
  EXPECT_EQ(context->wishes[1].fetch_offset, 50);
}

TEST_F(FetchSessionsTest, AnIncrementalAnswerHoldsOnlyNews) {
  const int32_t id = NewSession(4);
  auto context = Begin(id, 1);
  FetchSessions::Outcome start_moved = At(0);
  start_moved.log_start_offset = 5;
  EXPECT_THAT(sessions_.Select(*context, {At(0), At(7), At(0, true), start_moved}),
              ElementsAre(false, true, true, true));
  context = Begin(id, 2);
  // By now partition 2, which gave records, is the last.
  EXPECT_THAT(Order(*context), ElementsAre(0, 1, 3, 2));
  EXPECT_THAT(sessions_.Select(*context, {At(0), At(7), start_moved, At(0)}),
              ElementsAre(false, false, false, false));
}

TEST_F(FetchSessionsTest, AnErrorIsAlwaysNewsAndSoIsItsEnd) {
  const int32_t id = NewSession(1);
  FetchSessions::Outcome error;
  error.error = true;
  EXPECT_THAT(sessions_.Select(*Begin(id, 1), {error}), ElementsAre(true));
  EXPECT_THAT(sessions_.Select(*Begin(id, 2), {error}), ElementsAre(true));
  EXPECT_THAT(sessions_.Select(*Begin(id, 3), {At(0)}), ElementsAre(true));
  EXPECT_THAT(sessions_.Select(*Begin(id, 4), {At(0)}), ElementsAre(false));
}

TEST_F(FetchSessionsTest, NewAndForgottenPartitionsChangeTheSession) {
  const int32_t id = NewSession(2);
  auto context = Begin(id, 1, {Wish(9)}, {{"t", TopicId{}, 0}, {"t", TopicId{}, 77}});
  EXPECT_THAT(Order(*context), ElementsAre(1, 9));
}

TEST_F(FetchSessionsTest, ASessionThatForgetsEverythingEnds) {
  const int32_t id = NewSession(1);
  auto context = Begin(id, 1, {}, {{"t", TopicId{}, 0}});
  EXPECT_EQ(FetchSessions::IdOf(*context), 0);
  EXPECT_EQ(sessions_.size(), 0U);
}

TEST_F(FetchSessionsTest, RefusesUnknownIdsAndWrongEpochs) {
  const int32_t id = NewSession(1);
  EXPECT_EQ(ErrcOf(Begin(id + 4, 1).status()), Errc::kFetchSessionNotFound);
  EXPECT_EQ(ErrcOf(Begin(id, 2).status()), Errc::kInvalidFetchSessionEpoch);
  EXPECT_TRUE(Begin(id, 1).ok());
  EXPECT_EQ(ErrcOf(Begin(id, 1).status()), Errc::kInvalidFetchSessionEpoch) << "used already";
}

TEST_F(FetchSessionsTest, AFullFetchWithAnIdReplacesThatSession) {
  const int32_t id = NewSession(1);
  auto context = Begin(id, 0, {Wish(5)});
  EXPECT_NE(FetchSessions::IdOf(*context), id);
  EXPECT_EQ(ErrcOf(Begin(id, 1).status()), Errc::kFetchSessionNotFound);
  EXPECT_EQ(sessions_.size(), 1U);
}

TEST_F(FetchSessionsTest, EpochMinusOneWithAnIdEndsThatSession) {
  const int32_t id = NewSession(1);
  ASSERT_TRUE(Begin(id, -1).ok());
  EXPECT_EQ(sessions_.size(), 0U);
  EXPECT_EQ(sessions_.partitions(), 0U);
}

TEST_F(FetchSessionsTest, MixingNamesAndIdsIsRefused) {
  const int32_t id = NewSession(1);
  FetchSessionRequest request;
  request.session_id = id;
  request.session_epoch = 1;
  request.by_topic_id = true;
  EXPECT_EQ(ErrcOf(sessions_.Begin(request, now_).status()), Errc::kInconsistentTopicId);
}

TEST_F(FetchSessionsTest, WithoutASlotAFetchGoesOnWithoutASession) {
  NewSession(3);
  NewSession(3);
  EXPECT_EQ(NewSession(9), 0) << "both others are young";
  EXPECT_THAT(Order(*Begin(0, 0, {Wish(4)})), ElementsAre(4));
}

TEST_F(FetchSessionsTest, AnIdleSessionMakesWay) {
  const int32_t idle = NewSession(5);
  const int32_t busy = NewSession(5);
  now_ += FetchSessions::kEvictableAfter / 2;
  ASSERT_TRUE(Begin(busy, 1).ok());
  now_ += FetchSessions::kEvictableAfter / 2 + Millis(1);
  EXPECT_NE(NewSession(1), 0);
  EXPECT_EQ(ErrcOf(Begin(idle, 1).status()), Errc::kFetchSessionNotFound);
  EXPECT_TRUE(Begin(busy, 2).ok());
}

TEST_F(FetchSessionsTest, ASmallOldSessionMakesWayForALargerOne) {
  const int32_t small = NewSession(2);
  const int32_t large = NewSession(8);
  now_ += FetchSessions::kEvictableAfter + Millis(1);
  ASSERT_TRUE(Begin(small, 1).ok());
  ASSERT_TRUE(Begin(large, 1).ok());
  EXPECT_EQ(NewSession(2), 0) << "not larger than what it would push out";
  EXPECT_NE(NewSession(3), 0);
  EXPECT_EQ(ErrcOf(Begin(small, 2).status()), Errc::kFetchSessionNotFound);
  EXPECT_TRUE(Begin(large, 2).ok());
}

}  // namespace
}  // namespace garam
