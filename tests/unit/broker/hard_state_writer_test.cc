#include "broker/hard_state_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"
#include "common/testing/fake_executor.h"

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class HardStateWriterTest : public ::testing::Test {
 protected:
  void Save(uint64_t group, int32_t term) {
    writer_.Save(GroupId(group), {Term(term), kNoNode, Incarnation(0)},
                 [this, group] { durable_.push_back(group); });
  }

  FakeClock clock_;
  FakeExecutor executor_{clock_};
  FakeBlockingPool pool_;
  absl::Status outcome_;
  std::vector<size_t> writes_;
  std::vector<uint64_t> durable_;
  std::vector<absl::Status> failures_;
  HardStateWriter writer_{executor_, pool_, clock_,
                          [this](const HardStateWriter::Records& records) {
                            writes_.push_back(records.states.size() + records.unflushed.size());
                            return outcome_;
                          },
                          [this](absl::Status status) { failures_.push_back(status); }};
};

TEST_F(HardStateWriterTest, AllGroupsOfATurnShareOneWrite) {
  Save(1, 5);
  Save(2, 5);
  Save(3, 5);
  EXPECT_THAT(durable_, IsEmpty());
  Settle(executor_, pool_);
  EXPECT_THAT(writes_, ElementsAre(3));
  EXPECT_THAT(durable_, ElementsAre(1, 2, 3));
}

TEST_F(HardStateWriterTest, RowsOfUnflushedLogsGoWithTheHardStates) {
  Save(1, 5);
  writer_.SaveUnflushed(GroupId(2), [this] { durable_.push_back(2); });
  Settle(executor_, pool_);
  EXPECT_THAT(writes_, ElementsAre(2));
  EXPECT_THAT(durable_, ElementsAre(1, 2));
}

TEST_F(HardStateWriterTest, WhatArrivesDuringAWriteGoesWithTheNext) {
  Save(1, 5);
  executor_.RunReady();
  Save(2, 5);
  Save(3, 5);
  executor_.RunReady();
  EXPECT_EQ(pool_.pending(), 1u);
  pool_.RunOne();
  executor_.RunReady();
  EXPECT_THAT(durable_, ElementsAre(1));
  Settle(executor_, pool_);
  EXPECT_THAT(writes_, ElementsAre(1, 2));
  EXPECT_THAT(durable_, ElementsAre(1, 2, 3));
}

TEST_F(HardStateWriterTest, AFailedWriteIsFinal) {
  outcome_ = MakeError(Errc::kStorage, "disk gone");
  Save(1, 5);
  Settle(executor_, pool_);
  Save(2, 5);
  Settle(executor_, pool_);
  EXPECT_THAT(writes_, ElementsAre(1));
  EXPECT_THAT(durable_, IsEmpty());
  EXPECT_EQ(failures_.size(), 1u);
}

TEST_F(HardStateWriterTest, AFullDiskIsWaitedForAndWhatCameMeanwhileComesLater) {
  outcome_ = MakeError(Errc::kStorage, absl::StatusCode::kResourceExhausted, "no space");
  Save(1, 5);
  Settle(executor_, pool_);
  Save(2, 5);
  writer_.SaveUnflushed(GroupId(3), [this] { durable_.push_back(3); });
  Settle(executor_, pool_);
  EXPECT_THAT(writes_, ElementsAre(1));
  executor_.RunFor(Millis(1000));
  Settle(executor_, pool_);
  EXPECT_THAT(writes_, ElementsAre(1, 3));
  EXPECT_THAT(durable_, IsEmpty());
  outcome_ = absl::OkStatus();
  executor_.RunFor(Millis(1000));
  Settle(executor_, pool_);
  EXPECT_THAT(writes_, ElementsAre(1, 3, 3));
  EXPECT_THAT(durable_, ElementsAre(1, 2, 3));
  EXPECT_THAT(failures_, IsEmpty());
  Save(1, 6);
  Settle(executor_, pool_);
  EXPECT_THAT(durable_, ElementsAre(1, 2, 3, 1));
}

}  // namespace
}  // namespace garam
