#include "broker/controller_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr MonoTime kBegin{Millis(1000)};

class ControllerAnswersTest : public ::testing::Test {
 protected:
  void Add(int64_t index, bool tell, uint64_t round = 0) {
    const std::string reply = absl::StrCat("reply ", index);
    answers_.Add({LogIndex(index), round, tell, reply,
                  [this](absl::StatusOr<std::string> bytes) { given_.push_back(*bytes); }});
  }
  // What is given when entries below `known` are known everywhere.
  std::vector<std::string> Give(int64_t applied, int64_t known, Duration after = Duration(0),
                                uint64_t round = 0) {
    answers_.Give(LogIndex(applied), round, kBegin + after,
                  [known](LogIndex index) { return index <= LogIndex(known); });
    return std::exchange(given_, {});
  }

  ControllerAnswers answers_;
  std::vector<std::string> given_;
};

TEST_F(ControllerAnswersTest, WhatIsAppliedIsGivenInOrder) {
  Add(5, false);
  Add(6, false);
  Add(9, false);
  EXPECT_THAT(Give(4, 0), IsEmpty());
  EXPECT_THAT(Give(6, 0), ElementsAre("reply 5", "reply 6"));
  EXPECT_EQ(answers_.deadline(), std::nullopt);
}

TEST_F(ControllerAnswersTest, AReplyOfNothingNewWaitsForItsQuestion) {
  Add(5, false, 7);
  EXPECT_THAT(Give(5, 0, Duration(0), 6), IsEmpty());
  EXPECT_THAT(Give(5, 0, Duration(0), 7), ElementsAre("reply 5"));
}

TEST_F(ControllerAnswersTest, AChangeIsToldAndHoldsNobodyElseUp) {
  Add(5, true);
  Add(6, true);
  Add(7, false);
  EXPECT_THAT(Give(7, 4), ElementsAre("reply 7"));
  EXPECT_THAT(Give(7, 5), ElementsAre("reply 5"));
  EXPECT_THAT(Give(7, 6), ElementsAre("reply 6"));
}

TEST_F(ControllerAnswersTest, WhoDoesNotHearOfItIsWaitedForNoLonger) {
  Add(5, true);
  EXPECT_THAT(Give(5, 4), IsEmpty());
  EXPECT_EQ(answers_.deadline(), kBegin + ControllerAnswers::kTellMax);
  EXPECT_THAT(Give(5, 4, ControllerAnswers::kTellMax - Millis(1)), IsEmpty());
  EXPECT_THAT(Give(5, 4, ControllerAnswers::kTellMax), ElementsAre("reply 5"));
  EXPECT_EQ(answers_.deadline(), std::nullopt);
}

TEST_F(ControllerAnswersTest, WhoNoLongerLeadsStandsByWhatIsCommittedOnly) {
  Add(5, true);
  Add(6, true);
  EXPECT_THAT(Give(5, 4), IsEmpty());
  answers_.GiveUp("lost");
  EXPECT_THAT(given_, ElementsAre("reply 5", "lost"));
  EXPECT_EQ(answers_.deadline(), std::nullopt);
}

}  // namespace
}  // namespace garam
