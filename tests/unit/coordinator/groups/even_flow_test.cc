#include "coordinator/groups/even_flow.h"

#include <gtest/gtest.h>

namespace garam {
namespace {

TEST(EvenFlowTest, BinsFillEvenly) {
  EvenFlow flow(4);
  flow.SetSupply(0, 8);
  std::vector<int32_t> arcs;
  for (int32_t bin = 1; bin <= 3; ++bin) {
    arcs.push_back(flow.AddArc(0, bin, 8, 0));
    flow.SetBin(bin);
  }
  flow.Solve();
  EXPECT_EQ(flow.FlowOf(arcs[0]) + flow.FlowOf(arcs[1]) + flow.FlowOf(arcs[2]), 8);
  for (int32_t arc : arcs) EXPECT_GE(flow.FlowOf(arc), 2);
}

TEST(EvenFlowTest, EvennessComesBeforeCost) {
  EvenFlow flow(3);
  flow.SetSupply(0, 4);
  const int32_t cheap = flow.AddArc(0, 1, 4, 0);
  const int32_t dear = flow.AddArc(0, 2, 4, 100);
  flow.SetBin(1);
  flow.SetBin(2);
  flow.Solve();
  EXPECT_EQ(flow.FlowOf(cheap), 2);
  EXPECT_EQ(flow.FlowOf(dear), 2);
}

TEST(EvenFlowTest, OfEqualLoadsTheCheapestAreTaken) {
  // Either source could fill either bin; only crosswise it is free.
  EvenFlow flow(4);
  flow.SetSupply(0, 3);
  flow.SetSupply(1, 3);
  const int32_t straight = flow.AddArc(0, 2, 3, 1);
  const int32_t across = flow.AddArc(0, 3, 3, 0);
  flow.AddArc(1, 2, 3, 0);
  flow.AddArc(1, 3, 3, 1);
  flow.SetBin(2);
  flow.SetBin(3);
  flow.Solve();
  EXPECT_EQ(flow.FlowOf(straight), 0);
  EXPECT_EQ(flow.FlowOf(across), 3);
}

TEST(EvenFlowTest, WhatWasSentIsTakenBackForALaterSource) {
  // Node 0 may fill both bins, node 1 only the one that is cheapest for node 0.
  EvenFlow flow(4);
  flow.SetSupply(0, 2);
  flow.SetSupply(1, 2);
  const int32_t cheap = flow.AddArc(0, 2, 2, 0);
  const int32_t dear = flow.AddArc(0, 3, 2, 5);
  const int32_t only = flow.AddArc(1, 2, 2, 9);
  flow.SetBin(2);
  flow.SetBin(3);
  flow.Solve();
  EXPECT_EQ(flow.FlowOf(cheap), 0);
  EXPECT_EQ(flow.FlowOf(dear), 2);
  EXPECT_EQ(flow.FlowOf(only), 2);
}

TEST(EvenFlowTest, BinsThatCannotGetMoreDoNotHoldBackTheRest) {
  EvenFlow flow(5);
  flow.SetSupply(0, 1);
  flow.SetSupply(1, 2000);
  const int32_t little = flow.AddArc(0, 2, 1, 0);
  const int32_t half = flow.AddArc(1, 3, 2000, 0);
  const int32_t other_half = flow.AddArc(1, 4, 2000, 0);
  for (int32_t bin : {2, 3, 4}) flow.SetBin(bin);
  flow.Solve();
  EXPECT_EQ(flow.FlowOf(little), 1);
  EXPECT_EQ(flow.FlowOf(half), 1000);
  EXPECT_EQ(flow.FlowOf(other_half), 1000);
}

TEST(EvenFlowTest, CapacitiesHold) {
  EvenFlow flow(3);
  flow.SetSupply(0, 10);
  const int32_t narrow = flow.AddArc(0, 1, 2, 0);
  const int32_t wide = flow.AddArc(0, 2, 7, 0);
  flow.SetBin(1);
  flow.SetBin(2);
  flow.Solve();
  EXPECT_EQ(flow.FlowOf(narrow), 2);
  EXPECT_EQ(flow.FlowOf(wide), 7);  // One unit has no way.
}

}  // namespace
}  // namespace garam
