#include "common/memory_budget.h"

#include <gtest/gtest.h>

#include <optional>
#include <vector>

#include "common/testing/fake_executor.h"

namespace garam {
namespace {

class MemoryBudgetTest : public ::testing::Test {
 protected:
  MemoryBudget::Granted Note(std::vector<size_t>& granted) {
    return [&granted](MemoryBudget::Charge charge) { granted.push_back(charge.bytes()); };
  }

  FakeClock clock_;
  FakeExecutor executor_{clock_};
  MemoryBudget budget_{100};
};

TEST_F(MemoryBudgetTest, LetsInWhatFits) {
  MemoryBudget::Charge first;
  MemoryBudget::Charge second;
  EXPECT_TRUE(budget_.TryCharge(60, first));
  EXPECT_FALSE(budget_.TryCharge(41, second));
  EXPECT_TRUE(budget_.TryCharge(40, second));
  EXPECT_EQ(budget_.free_bytes(), 0U);
}

TEST_F(MemoryBudgetTest, GivesBackWhenTheChargeDies) {
  { const MemoryBudget::Charge charge = budget_.ChargeAnyway(70); }
  EXPECT_EQ(budget_.used(), 0U);
}

TEST_F(MemoryBudgetTest, LetsOneOversizedChargeInWhenEmpty) {
  MemoryBudget::Charge charge;
  EXPECT_TRUE(budget_.TryCharge(500, charge));
  EXPECT_FALSE(budget_.Fits(1));
}

TEST_F(MemoryBudgetTest, GrantsAtOnceWhatFitsAtOnce) {
  std::vector<size_t> granted;
  budget_.WhenFits(30, executor_, Note(granted));
  executor_.RunReady();
  EXPECT_EQ(granted, std::vector<size_t>{30});
}

TEST_F(MemoryBudgetTest, GrantsInTheOrderOfTheLine) {
  std::optional<MemoryBudget::Charge> held = budget_.ChargeAnyway(100);
  std::vector<size_t> granted;
  budget_.WhenFits(80, executor_, Note(granted));
  budget_.WhenFits(10, executor_, Note(granted));
  executor_.RunReady();
  EXPECT_TRUE(granted.empty());
  MemoryBudget::Charge pushy;
  EXPECT_FALSE(budget_.TryCharge(1, pushy)) << "nobody overtakes the line";
  held.reset();
  executor_.RunReady();
  EXPECT_EQ(granted, (std::vector<size_t>{80, 10}));
}

TEST_F(MemoryBudgetTest, PassesOnWhatAWaiterNoLongerWants) {
  std::optional<MemoryBudget::Charge> held = budget_.ChargeAnyway(100);
  std::vector<size_t> granted;
  budget_.WhenFits(100, executor_, [](MemoryBudget::Charge) {});  // Its connection has gone.
  budget_.WhenFits(100, executor_, Note(granted));
  held.reset();
  executor_.RunReady();
  EXPECT_EQ(granted, std::vector<size_t>{100});
}

TEST_F(MemoryBudgetTest, SurvivesAnExecutorThatForgets) {
  std::optional<MemoryBudget::Charge> held = budget_.ChargeAnyway(100);
  std::vector<size_t> granted;
  budget_.WhenFits(100, executor_, Note(granted));
  held.reset();
  executor_.Drop();
  EXPECT_EQ(budget_.used(), 0U);
}

}  // namespace
}  // namespace garam
