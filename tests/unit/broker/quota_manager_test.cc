#include "broker/quota_manager.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace garam {
namespace {

using enum QuotaKind;

class QuotaManagerTest : public ::testing::Test {
 protected:
  void Set(const QuotaEntity& entity, std::string key, double value) {
    table_[entity][std::move(key)] = value;
    quotas_.SetQuotas(table_);
  }
  void SetClient(std::optional<std::string> client, double bytes) {
    Set({{"client-id", std::move(client)}}, "producer_byte_rate", bytes);
  }
  // How many milliseconds the client is to wait.
  int64_t Write(std::string_view client, double bytes, std::string_view user = "ANONYMOUS") {
    return std::chrono::duration_cast<Millis>(quotas_.Record(kProduce, {user, client}, bytes, now_))
        .count();
  }
  void Pass(Duration time) { now_ += time; }

  QuotaTable table_;
  QuotaManager quotas_{{}};
  MonoTime now_{std::chrono::hours(1)};
};

TEST_F(QuotaManagerTest, WhoHasNoQuotaIsNotCounted) {
  EXPECT_FALSE(quotas_.active());
  EXPECT_EQ(Write("c", 1e12), 0);
  SetClient("other", 1);
  EXPECT_TRUE(quotas_.active(kProduce));
  EXPECT_FALSE(quotas_.active(kFetch));
  EXPECT_EQ(Write("c", 1e12), 0);
  EXPECT_EQ(quotas_.clients(), 0U);
}

// Ten full samples and what there is of the eleventh, as Kafka: ten seconds' worth is free.
TEST_F(QuotaManagerTest, AWindowsWorthIsFreeAndWhatIsOverIsWaitedFor) {
  SetClient("c", 1000);
  EXPECT_EQ(Write("c", 10'000), 0);
  EXPECT_EQ(Write("c", 1000), 1000);
  EXPECT_EQ(Write("c", 1000), 2000);
}

TEST_F(QuotaManagerTest, WaitingBringsTheRateDown) {
  SetClient("c", 1000);
  EXPECT_EQ(Write("c", 12'000), 2000);
  Pass(std::chrono::seconds(2));
  EXPECT_EQ(Write("c", 0), 2000) << "what was written is in the window still";
  Pass(std::chrono::seconds(9));
  EXPECT_EQ(Write("c", 10'000), 0) << "it has left the window";
}

TEST_F(QuotaManagerTest, AClientThatWaitsAsItIsToldKeepsItsRate) {
  SetClient("c", 1000);
  double written = 0;
  const MonoTime begin = now_;
  while (now_ - begin < std::chrono::minutes(5)) {
    written += 5000;
    Pass(Millis(Write("c", 5000) + 1));
  }
  const double seconds = std::chrono::duration<double>(now_ - begin).count();
  EXPECT_NEAR(written / seconds, 1000, 100);
}

TEST_F(QuotaManagerTest, EachClientOfADefaultHasItsOwn) {
  SetClient(std::nullopt, 1000);
  EXPECT_EQ(Write("c", 10'000), 0);
  EXPECT_EQ(Write("d", 10'000), 0);
  EXPECT_GT(Write("c", 1000), 0);
  EXPECT_EQ(quotas_.clients(), 2U);
}

TEST_F(QuotaManagerTest, TheClosestQuotaCounts) {
  const std::string user = "ANONYMOUS";
  const std::vector<QuotaEntity> far_to_close = {
      {{"client-id", std::nullopt}},
      {{"client-id", "c"}},
      {{"user", std::nullopt}},
      {{"user", std::nullopt}, {"client-id", std::nullopt}},
      {{"user", std::nullopt}, {"client-id", "c"}},
      {{"user", user}},
      {{"user", user}, {"client-id", std::nullopt}},
      {{"user", user}, {"client-id", "c"}}};
  double bytes = 1;
  for (const QuotaEntity& entity : far_to_close) {
    Set(entity, "producer_byte_rate", bytes);
    EXPECT_EQ(quotas_.MostAtOnce(kProduce, {user, "c"}), 10 * bytes);
    bytes += 1;
  }
}

TEST_F(QuotaManagerTest, ClientsOfAUserShareItsQuota) {
  Set({{"user", "ANONYMOUS"}}, "producer_byte_rate", 1000);
  EXPECT_EQ(Write("c", 10'000), 0);
  EXPECT_EQ(Write("d", 1000), 1000);
}

TEST_F(QuotaManagerTest, NamesThatLookLikeOthersAreNotThose) {
  Set({{"client-id", "*"}}, "producer_byte_rate", 1);
  Set({{"user", "a"}, {"client-id", "b"}}, "producer_byte_rate", 1);
  EXPECT_EQ(Write("c", 1e6), 0);
  EXPECT_EQ(Write("b1:", 1e6, "a1:b"), 0);
  EXPECT_GT(Write("*", 1e6), 0);
  EXPECT_GT(Write("b", 1e6, "a"), 0);
}

TEST_F(QuotaManagerTest, WhatDidNotHappenIsTakenBack) {
  Set({{"client-id", "c"}}, "consumer_byte_rate", 1000);
  const QuotaClient client{"ANONYMOUS", "c"};
  EXPECT_GT(quotas_.Record(kFetch, client, 20'000, now_), Duration::zero());
  quotas_.TakeBack(kFetch, client, 20'000, now_);
  EXPECT_EQ(quotas_.Record(kFetch, client, 10'000, now_), Duration::zero());
}

TEST_F(QuotaManagerTest, TimeIsWaitedForAtMostOneSample) {
  Set({{"client-id", "c"}}, "request_percentage", 1);
  const QuotaClient client{"ANONYMOUS", "c"};
  EXPECT_EQ(quotas_.Record(kRequest, client, 10, now_), Duration::zero());
  EXPECT_EQ(quotas_.Record(kRequest, client, 10'000, now_), std::chrono::seconds(1));
}

TEST_F(QuotaManagerTest, AQuotaThatIsRemovedHoldsNobody) {
  SetClient("c", 1);
  EXPECT_GT(Write("c", 1000), 0);
  quotas_.SetQuotas({});
  EXPECT_FALSE(quotas_.active());
  EXPECT_EQ(Write("c", 1000), 0);
  EXPECT_TRUE(std::isinf(quotas_.MostAtOnce(kProduce, {"ANONYMOUS", "c"})));
}

TEST_F(QuotaManagerTest, AChangedQuotaMeasuresWhatWasDoneBefore) {
  SetClient("c", 1000);
  EXPECT_EQ(Write("c", 10'000), 0);
  SetClient("c", 500);
  EXPECT_EQ(Write("c", 0), 10'000);
}

TEST_F(QuotaManagerTest, WaitsFitTheAnswersThatCarryThem) {
  SetClient("c", 1);
  EXPECT_EQ(Write("c", 1e15), std::numeric_limits<int32_t>::max());
}

TEST_F(QuotaManagerTest, IdleClientsAreForgotten) {
  SetClient(std::nullopt, 1000);
  for (int i = 0; i < 5000; ++i) {
    Write("c" + std::to_string(i), 1);
    Pass(Millis(20));  // 550 of them at once are not idle.
  }
  EXPECT_LT(quotas_.clients(), 2000U);
}

TEST_F(QuotaManagerTest, BeyondTheMostClientsTheRestShareOneWindow) {
  SetClient(std::nullopt, 10);
  for (size_t i = 0; i < QuotaManager::kClientsMax + 100; ++i) Write("c" + std::to_string(i), 1);
  EXPECT_EQ(quotas_.clients(), QuotaManager::kClientsMax + 1);
  EXPECT_EQ(Write("c0", 1), 0) << "has its own still";
  EXPECT_GT(Write("one more", 1), 0);
}

// As Kafka's controller: eleven samples' worth at first, a debt for what was more.
TEST_F(QuotaManagerTest, WhoOwesPartitionsGetsNoMore) {
  Set({{"client-id", "c"}}, "controller_mutation_rate", 2);
  const QuotaClient client{"ANONYMOUS", "c"};
  const auto strict = [&](double count) { return quotas_.Mutate(client, count, true, now_); };
  EXPECT_EQ(strict(20), Duration::zero());
  EXPECT_EQ(strict(8), Duration::zero()) << "there were two left";
  EXPECT_EQ(strict(1), std::chrono::seconds(3));
  EXPECT_EQ(strict(1), std::chrono::seconds(3)) << "what is refused does not count";
  Pass(std::chrono::seconds(3));
  EXPECT_EQ(strict(1), Duration::zero());
  Pass(std::chrono::hours(1));
  EXPECT_EQ(strict(22), Duration::zero()) << "no more than a window's worth is saved";
  EXPECT_EQ(strict(0), Duration::zero());
  EXPECT_EQ(strict(1), Duration::zero());
  EXPECT_GT(strict(1), Duration::zero());
}

TEST_F(QuotaManagerTest, OlderClientsGetTheirPartitionsAndWait) {
  Set({{"client-id", "c"}}, "controller_mutation_rate", 2);
  const QuotaClient client{"ANONYMOUS", "c"};
  EXPECT_EQ(quotas_.Mutate(client, 22, false, now_), Duration::zero());
  EXPECT_EQ(quotas_.Mutate(client, 2, false, now_), std::chrono::seconds(1));
  EXPECT_EQ(quotas_.Mutate(client, 2, false, now_), std::chrono::seconds(2));
  EXPECT_EQ(quotas_.Mutate({"ANONYMOUS", "d"}, 1e6, false, now_), Duration::zero());
}

TEST_F(QuotaManagerTest, AnAddressThatConnectsTooOftenIsHeldBack) {
  Set({{"ip", std::nullopt}}, "connection_creation_rate", 1);
  Set({{"ip", "10.0.0.1"}}, "connection_creation_rate", 2);
  const auto connects = [this](const std::string& address) {
    int taken = 0;
    while (quotas_.Connect(address, now_) == Duration::zero()) ++taken;
    return taken;
  };
  EXPECT_EQ(connects("10.0.0.1"), 20);
  EXPECT_EQ(connects("10.0.0.2"), 10);
  EXPECT_EQ(connects("10.0.0.3"), 10) << "each has its own";
  EXPECT_LE(quotas_.Connect("10.0.0.3", now_), std::chrono::seconds(1));
  Pass(std::chrono::seconds(11));
  EXPECT_EQ(connects("10.0.0.2"), 10);
  EXPECT_FALSE(quotas_.active()) << "clients have none";
}

}  // namespace
}  // namespace garam
