#include "broker/fetch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "common/testing/fake_executor.h"
#include "tests/unit/broker/batch_builder.h"
#include "tests/unit/gateway/fake_broker.h"

namespace garam {
namespace {

using ::testing::IsEmpty;
using ::testing::SizeIs;

Bytes BatchOf(size_t value_bytes) {
  BatchBuilder builder;
  builder.records = {{.value = std::string(value_bytes, 'x')}};
  return builder.Build();
}

class FetchTest : public ::testing::Test {
 protected:
  std::shared_ptr<FakePartition> Add(size_t shard = 0) {
    auto partition = std::make_shared<FakePartition>(
        "t", TopicId{}, static_cast<int32_t>(partitions_.size()), shard);
    partitions_.push_back(partition);
    return partition;
  }
  void Ask(std::shared_ptr<FakePartition> partition, int64_t from = 0,
           size_t bytes_max = 1'000'000) {
    ReadSpec spec;
    spec.from = Offset(from);
    spec.bytes_max = bytes_max;
    plan_.items.push_back(FetchItem{std::shared_ptr<Partition>(std::move(partition)), spec});
  }
  void Start(Duration wait = Millis(500)) {
    plan_.deadline = clock_.Mono() + wait;
    fetch_ = Fetch::Start([this](size_t shard) -> Executor& { return shard == 0 ? home_ : away_; },
                          0, clock_, std::move(plan_),
                          [this](Fetch::Results results) {
                            ++answers_;
                            results_ = std::move(results);
                          });
  }
  void Settle() {
    while (home_.RunReady() + away_.RunReady() > 0) {
    }
  }
  size_t BytesOf(size_t item) { return (*results_)[item]->bytes; }

  FakeClock clock_;
  FakeExecutor home_{clock_};
  FakeExecutor away_{clock_};
  std::vector<std::shared_ptr<FakePartition>> partitions_;
  FetchPlan plan_{.items = {}, .bytes_min = 1, .bytes_max = 50'000'000, .deadline = {}};
  std::shared_ptr<Fetch> fetch_;
  std::optional<Fetch::Results> results_;
  int answers_ = 0;
};

TEST_F(FetchTest, AnswersAtOnceWhatIsThereWithoutATimerOrAWatch) {
  auto partition = Add();
  partition->Append(BatchOf(10));
  Ask(partition);
  Start();
  ASSERT_TRUE(results_.has_value());
  EXPECT_THAT((*results_)[0]->batches, SizeIs(1));
  EXPECT_EQ(home_.timers(), 0U);
  EXPECT_EQ(partition->watches(), 0U);
}

TEST_F(FetchTest, IsWokenByTheCommitAndNeverReadsBefore) {
  auto partition = Add();
  Ask(partition);
  Start();
  Settle();
  EXPECT_FALSE(results_.has_value());
  EXPECT_EQ(partition->reads, 0);
  partition->Append(BatchOf(10));
  Settle();
  ASSERT_TRUE(results_.has_value());
  EXPECT_THAT((*results_)[0]->batches, SizeIs(1));
  EXPECT_EQ(partition->watches(), 0U);
  EXPECT_EQ(home_.timers(), 0U) << "the deadline is cancelled";
}

TEST_F(FetchTest, AnswersEmptyAtTheDeadline) {
  auto partition = Add();
  Ask(partition);
  Start(Millis(500));
  home_.RunFor(Millis(499));
  EXPECT_FALSE(results_.has_value());
  home_.RunFor(Millis(1));
  ASSERT_TRUE(results_.has_value());
  EXPECT_THAT((*results_)[0]->batches, IsEmpty());
  EXPECT_EQ(partition->watches(), 0U);
}

TEST_F(FetchTest, DoesNotWaitWhenThereIsNoTimeToWait) {
  auto partition = Add();
  Ask(partition);
  Start(Millis(0));
  EXPECT_TRUE(results_.has_value());
}

TEST_F(FetchTest, MinBytesHoldAcrossPartitionsAndShards) {
  auto here = Add(0);
  auto there = Add(1);
  Ask(here);
  Ask(there);
  plan_.bytes_min = 2500;
  Start();
  Settle();
  here->Append(BatchOf(1000));
  Settle();
  there->Append(BatchOf(1000));
  Settle();
  EXPECT_FALSE(results_.has_value());
  there->Append(BatchOf(1000));
  Settle();
  ASSERT_TRUE(results_.has_value());
  EXPECT_THAT((*results_)[0]->batches, SizeIs(1));
  EXPECT_THAT((*results_)[1]->batches, SizeIs(2));
  EXPECT_EQ(there->watches(), 0U);
}

TEST_F(FetchTest, AShardPostsAtMostOneReportAtATime) {
  auto there = Add(1);
  Ask(there);
  plan_.bytes_min = 1'000'000;
  Start();
  Settle();
  for (int i = 0; i < 100; ++i) there->Append(BatchOf(10));
  away_.RunReady();
  EXPECT_EQ(home_.posted(), 1U);
  for (int i = 0; i < 100; ++i) there->Append(BatchOf(10));
  away_.RunReady();
  EXPECT_EQ(home_.posted(), 1U) << "the first one has not been read yet";
  Settle();
  EXPECT_FALSE(results_.has_value());
}

TEST_F(FetchTest, AnErrorOfAnyPartitionAnswersAtOnce) {
  auto good = Add(0);
  auto bad = Add(1);
  bad->error = MakeError(Errc::kNotLeader, "gone");
  Ask(good);
  Ask(bad);
  Start();
  Settle();
  ASSERT_TRUE(results_.has_value());
  EXPECT_TRUE((*results_)[0].ok());
  EXPECT_EQ(ErrcOf((*results_)[1].status()), Errc::kNotLeader);
}

TEST_F(FetchTest, AMissingPartitionAnswersAtOnceBesideOneThatWaits) {
  auto good = Add();
  Ask(good);
  plan_.items.push_back(FetchItem{MakeError(Errc::kUnknownTopic, "none"), ReadSpec{}});
  Start();
  Settle();
  ASSERT_TRUE(results_.has_value());
  EXPECT_EQ(ErrcOf((*results_)[1].status()), Errc::kUnknownTopic);
}

TEST_F(FetchTest, LosingTheLeadershipWakes) {
  auto partition = Add(1);
  Ask(partition);
  Start();
  Settle();
  partition->Fail(MakeError(Errc::kNotLeader, "lost"));
  Settle();
  ASSERT_TRUE(results_.has_value());
  EXPECT_EQ(ErrcOf((*results_)[0].status()), Errc::kNotLeader);
}

TEST_F(FetchTest, ADivergingEpochAnswersAtOnceWithoutRecords) {
  auto partition = Add();
  partition->Append(BatchOf(10));
  Ask(partition, 1);
  plan_.items[0].spec.last_fetched_epoch = Term(9);
  Start();
  Settle();
  ASSERT_TRUE(results_.has_value());
  ASSERT_TRUE((*results_)[0]->diverging.has_value());
  EXPECT_THAT((*results_)[0]->batches, IsEmpty());
}

TEST_F(FetchTest, TheFirstBatchComesWholeEvenAboveEveryLimit) {
  auto first = Add();
  auto second = Add(1);
  first->Append(BatchOf(1000));
  second->Append(BatchOf(1000));
  Ask(first, 0, 10);
  Ask(second, 0, 10);
  plan_.bytes_max = 20;
  Start();
  Settle();
  ASSERT_TRUE(results_.has_value());
  EXPECT_THAT((*results_)[0]->batches, SizeIs(1));
  EXPECT_THAT((*results_)[1]->batches, IsEmpty());
}

TEST_F(FetchTest, AnEmptyPartitionLeavesTheWholeFirstBatchToTheNext) {
  auto empty = Add();
  auto full = Add();
  full->Append(BatchOf(1000));
  Ask(empty, 0, 10);
  Ask(full, 0, 10);
  Start();
  Settle();
  EXPECT_THAT((*results_)[1]->batches, SizeIs(1));
}

TEST_F(FetchTest, MaxBytesAreSharedInTheOrderAsked) {
  const size_t batch_bytes = BatchOf(1000).size();
  for (int i = 0; i < 3; ++i) {
    auto partition = Add(i % 2);
    for (int n = 0; n < 4; ++n) partition->Append(BatchOf(1000));
    Ask(partition);
  }
  plan_.bytes_max = 6 * batch_bytes;
  Start();
  Settle();
  EXPECT_EQ(BytesOf(0), 4 * batch_bytes);
  EXPECT_EQ(BytesOf(1), 2 * batch_bytes);
  EXPECT_EQ(BytesOf(2), 0U);
}

TEST_F(FetchTest, APartitionGivesNoMoreThanItsOwnLimit) {
  auto partition = Add();
  for (int n = 0; n < 4; ++n) partition->Append(BatchOf(1000));
  Ask(partition, 0, 2 * BatchOf(1000).size());
  Start();
  EXPECT_THAT((*results_)[0]->batches, SizeIs(2));
}

TEST_F(FetchTest, CancelLeavesNoWatchAndNoTimerAndNoAnswer) {
  auto here = Add(0);
  auto there = Add(1);
  Ask(here);
  Ask(there);
  Start();
  Settle();
  EXPECT_EQ(here->watches() + there->watches(), 2U);
  fetch_->Cancel();
  Settle();
  EXPECT_EQ(here->watches() + there->watches(), 0U);
  EXPECT_EQ(home_.timers(), 0U);
  here->Append(BatchOf(10));
  Settle();
  EXPECT_EQ(answers_, 0);
}

TEST_F(FetchTest, WakeUpsThatComeTooLateChangeNothing) {
  auto here = Add(0);
  auto there = Add(1);
  Ask(here);
  Ask(there);
  Start();
  Settle();
  here->Append(BatchOf(10));
  there->Append(BatchOf(10));
  away_.RunReady();  // Its report is on the way while the other one collects.
  Settle();
  EXPECT_EQ(answers_, 1);
}

TEST_F(FetchTest, AskingForNothingIsAnsweredAtTheDeadline) {
  Start(Millis(100));
  EXPECT_FALSE(results_.has_value());
  home_.RunFor(Millis(100));
  EXPECT_TRUE(results_.has_value());
}

}  // namespace
}  // namespace garam
