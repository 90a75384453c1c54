#include "broker/scrub_schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class ScrubScheduleTest : public ::testing::Test {
 protected:
  // Takes the next step when it is due; of each group 25 bytes an entry are there. Returns what was
  // read: {group, first entry}, or nothing at the end of a walk.
  std::optional<std::pair<uint64_t, int64_t>> Take() {
    now_ = std::max(now_, schedule_.due());
    const auto step = schedule_.Next(groups_, now_);
    if (!step) return std::nullopt;
    const int64_t left = entries_[step->group] - step->from.value() + 1;
    const auto taken = std::min<int64_t>(left, static_cast<int64_t>(step->bytes_max) / 25);
    if (taken <= 0) {
      schedule_.GroupDone(now_);
      return Take();
    }
    schedule_.Read(step->from + taken, static_cast<size_t>(taken) * 25, now_);
    return std::pair(step->group.value(), step->from.value());
  }

  MonoTime now_{std::chrono::seconds(100)};
  std::vector<GroupId> groups_{GroupId(3), GroupId(5)};
  std::map<GroupId, int64_t> entries_{{GroupId(3), 6}, {GroupId(5), 3}};
  ScrubSchedule schedule_{{.bytes_per_second = 1000, .step_bytes = 100, .walk = Millis(60'000)},
                          now_};
};

TEST_F(ScrubScheduleTest, AWalkReadsEverythingOnceAndThenRests) {
  std::vector<std::pair<uint64_t, int64_t>> read;
  while (auto one = Take()) read.push_back(*one);
  EXPECT_THAT(read, ElementsAre(Pair(3, 1), Pair(3, 5), Pair(5, 1)));
  EXPECT_GE(schedule_.due() - now_, Millis(59'000));
  EXPECT_EQ(Take(), std::pair(uint64_t{3}, int64_t{1}));
}

TEST_F(ScrubScheduleTest, TheRateIsKeptHoweverLongAStepTakes) {
  entries_[GroupId(3)] = 1'000'000;
  Take();
  const MonoTime began = now_;
  for (int i = 0; i < 50; ++i) {
    Take();
    now_ += Millis(30);
  }
  EXPECT_GE(now_ - began, Millis(4900)) << "50 steps of 100 bytes at 1,000 bytes a second";
  EXPECT_LE(now_ - began, Millis(5200));
}

TEST_F(ScrubScheduleTest, AWalkThatTakesLongerThanItsRestBeginsAgainAtOnce) {
  entries_[GroupId(5)] = 4 * 1000;
  while (Take()) {
  }
  EXPECT_LE(schedule_.due() - now_, Millis(10));
}

TEST_F(ScrubScheduleTest, GroupsThatGoAndComeAreNoTrouble) {
  Take();
  groups_ = {GroupId(4), GroupId(9)};
  entries_[GroupId(4)] = entries_[GroupId(9)] = 1;
  EXPECT_EQ(Take(), std::pair(uint64_t{4}, int64_t{1}));
  groups_ = {GroupId(2)};
  EXPECT_EQ(Take(), std::nullopt);
  groups_ = {};
  EXPECT_EQ(Take(), std::nullopt);
}

}  // namespace
}  // namespace garam
