#include "broker/gateway/frame_assembler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "common/endian.h"
#include "common/status.h"

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string Framed(std::string_view body) {
  std::string out(4, '\0');
  StoreBigEndian<int32_t>(out.data(), static_cast<int32_t>(body.size()));
  return out + std::string(body);
}

class FrameAssemblerTest : public ::testing::Test {
 protected:
  // As a recv would: first into direct(), the rest into scratch.
  absl::Status Receive(std::string_view bytes) {
    const std::span<char> direct = assembler_.direct();
    const size_t head = std::min(direct.size(), bytes.size());
    if (head > 0) std::memcpy(direct.data(), bytes.data(), head);
    return assembler_.Received(head, bytes.substr(head), frames_);
  }
  std::vector<std::string> Bodies() {
    std::vector<std::string> bodies;
    for (const Frame& frame : frames_) bodies.emplace_back(frame.bytes.view());
    return bodies;
  }

  MemoryBudget budget_{1000};
  FrameAssembler assembler_{budget_, 5000};
  std::deque<Frame> frames_;
};

TEST_F(FrameAssemblerTest, CutsManyFramesOfOneRecv) {
  ASSERT_TRUE(Receive(Framed("one") + Framed("two") + Framed("three")).ok());
  EXPECT_THAT(Bodies(), ElementsAre("one", "two", "three"));
}

TEST_F(FrameAssemblerTest, JoinsWhatComesByteByByte) {
  for (const char byte : Framed("hello") + Framed("x")) ASSERT_TRUE(Receive({&byte, 1}).ok());
  EXPECT_THAT(Bodies(), ElementsAre("hello", "x"));
}

TEST_F(FrameAssemblerTest, JoinsAtEveryCut) {
  const std::string stream = Framed("a") + Framed(std::string(300, 'b')) + Framed("ccc");
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    frames_.clear();
    ASSERT_TRUE(Receive(stream.substr(0, cut)).ok());
    ASSERT_TRUE(Receive(stream.substr(cut)).ok());
    EXPECT_THAT(Bodies(), ElementsAre("a", std::string(300, 'b'), "ccc"));
  }
}

TEST_F(FrameAssemblerTest, RefusesLengthsThatAreNotAcceptable) {
  EXPECT_FALSE(Receive(std::string(4, '\0')).ok());
  EXPECT_FALSE(FrameAssembler(budget_, 5000).Received(0, "\xff\xff\xff\xff", frames_).ok());
  EXPECT_FALSE(
      FrameAssembler(budget_, 5000).Received(0, Framed(std::string(5001, 'x')), frames_).ok());
  EXPECT_THAT(frames_, IsEmpty());
}

TEST_F(FrameAssemblerTest, ChargesEachFrameUntilItsChargeDies) {
  ASSERT_TRUE(Receive(Framed("12345678") + Framed("12345678")).ok());
  EXPECT_EQ(budget_.used(), 24U);
  frames_.pop_front();
  EXPECT_EQ(budget_.used(), 12U);
  frames_.clear();
  EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(FrameAssemblerTest, WaitsForMemoryBeforeItTakesALargeFrame) {
  MemoryBudget::Charge others = budget_.ChargeAnyway(900);
  const std::string body(400, 'x');
  ASSERT_TRUE(Receive(Framed(body).substr(0, 100)).ok());
  EXPECT_EQ(assembler_.wanted_bytes(), 400U);
  others = MemoryBudget::Charge();
  MemoryBudget::Charge charge;
  ASSERT_TRUE(budget_.TryCharge(400, charge));
  assembler_.Grant(std::move(charge));
  EXPECT_EQ(assembler_.wanted_bytes(), 0U);
  ASSERT_TRUE(Receive(Framed(body).substr(100) + Framed("next")).ok());
  EXPECT_THAT(Bodies(), ElementsAre(body, "next"));
}

TEST_F(FrameAssemblerTest, HoldsNoMemoryBetweenFrames) {
  ASSERT_TRUE(Receive(Framed(std::string(200, 'x')).substr(0, 50)).ok());
  ASSERT_TRUE(Receive(Framed(std::string(200, 'x')).substr(50)).ok());
  frames_.clear();
  EXPECT_EQ(budget_.used(), 0U);
  EXPECT_TRUE(assembler_.direct().empty());
}

}  // namespace
}  // namespace garam
