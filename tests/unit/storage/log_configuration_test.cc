// What a restarted member is told of who belongs to its group: the kConfiguration entries.
#include "tests/unit/storage/log_fixture.h"

namespace garam::storage {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LogConfigurationTest : public LogFixture {
 protected:
  void AppendConfiguration(std::string_view payload) {
    Write({Private(EntryKind::kConfiguration, payload)});
    Settle();
  }
  std::vector<std::string> Found() {
    std::vector<std::string> payloads;
    for (const ConfigurationRow& row : log_->configurations()) payloads.push_back(row.payload);
    return payloads;
  }
};

TEST_F(LogConfigurationTest, ARestartFindsThemAboveTheMark) {
  Open();
  Append("a");
  AppendConfiguration("one");
  AppendConfiguration("two");
  Crash();
  Open();
  EXPECT_THAT(Found(), ElementsAre("one", "two"));
  EXPECT_EQ(log_->configurations()[0].index, LogIndex(2));
}

TEST_F(LogConfigurationTest, ARestartFindsThemBelowTheMarkAndInSealedSegments) {
  Open();
  AppendConfiguration("one");
  AppendRoll();
  log_->OnCommitted(log_->last_index());
  Settle();
  Append("b");
  Close();
  Open();
  EXPECT_THAT(Found(), ElementsAre("one"));
}

TEST_F(LogConfigurationTest, ACutTakesThemAway) {
  Open();
  AppendConfiguration("one");
  AppendConfiguration("two");
  Close();
  Open();
  PlanFrom(LogIndex(2), Offset(0));
  Write({Batch("b")}, LogIndex(2));
  Settle();
  EXPECT_THAT(Found(), ElementsAre("one"));
  Crash();
  Open();
  EXPECT_THAT(Found(), ElementsAre("one"));
}

TEST_F(LogConfigurationTest, OnlyTheNewestOfTheSealedSegmentsIsKept) {
  Open();
  AppendConfiguration("one");
  AppendConfiguration("two");
  AppendRoll();
  AppendConfiguration("three");
  log_->OnCommitted(LogIndex(2));
  EXPECT_THAT(Found(), ElementsAre("one", "two", "three"));
  EXPECT_FALSE(log_->ConfigurationAt(LogIndex(0)).has_value());
  EXPECT_EQ(log_->ConfigurationAt(LogIndex(1))->payload, "one");
  log_->OnCommitted(LogIndex(4));
  EXPECT_THAT(Found(), ElementsAre("two", "three"));
  EXPECT_EQ(*log_->ConfigurationAt(LogIndex(1)), (ConfigurationRow{LogIndex(1), "two"}));
  Close();
  Open();
  EXPECT_EQ(log_->ConfigurationAt(LogIndex(1))->payload, "two");
}

TEST_F(LogConfigurationTest, ADeletedLogLeavesNone) {
  Open();
  AppendConfiguration("one");
  Close();
  ASSERT_TRUE(Log::Remove(fs_, kv_, GroupId(7), kDir).ok());
  PlanFrom(LogIndex(1), Offset(0));
  Open();
  EXPECT_THAT(Found(), IsEmpty());
}

}  // namespace
}  // namespace garam::storage
