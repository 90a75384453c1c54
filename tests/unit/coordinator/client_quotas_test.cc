#include "coordinator/client_quotas.h"

#include <limits>

#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using Kind = QuotaMatch::Kind;

class ClientQuotasTest : public ClusterFixture {
 protected:
  ClientQuotasTest() { StartCluster(1); }

  absl::Status Change(const QuotaChange& change) {
    const auto command = PlanQuotaChange(*image_, change);
    if (command.ok() && !command->empty()) {
      EXPECT_TRUE(Apply(command).client_quotas_changed);
    }
    return command.status();
  }
  std::string Refusal(const QuotaChange& change) {
    const absl::Status status = Change(change);
    EXPECT_THAT(status, HasErrc(Errc::kInvalidRequest));
    return std::string(status.message());
  }
  static QuotaChange Of(std::string key, double value) {
    return {.entity = {{"client-id", "c"}}, .ops = {{std::move(key), value}}};
  }
  size_t Found(const std::vector<QuotaMatch>& matches, bool strict = false) {
    const auto found = FindQuotas(*image_, matches, strict);
    EXPECT_TRUE(found.ok()) << found.status();
    return found.ok() ? found->size() : 0;
  }
};

TEST_F(ClientQuotasTest, KeysThatAreNotNamedStay) {
  EXPECT_TRUE(Change(Of("producer_byte_rate", 1000)).ok());
  EXPECT_TRUE(Change(Of("request_percentage", 12.5)).ok());
  const QuotaEntity entity{{"client-id", "c"}};
  EXPECT_THAT(image_->client_quotas()->at(entity),
              ElementsAre(Pair("producer_byte_rate", 1000), Pair("request_percentage", 12.5)));
  EXPECT_TRUE(
      Change({.entity = {{"client-id", "c"}}, .ops = {{"producer_byte_rate", std::nullopt}}}).ok());
  EXPECT_THAT(image_->client_quotas()->at(entity), ElementsAre(Pair("request_percentage", 12.5)));
}

TEST_F(ClientQuotasTest, AnEntityWithoutAnyIsGone) {
  EXPECT_TRUE(Change(Of("producer_byte_rate", 1000)).ok());
  EXPECT_TRUE(
      Change({.entity = {{"client-id", "c"}}, .ops = {{"producer_byte_rate", std::nullopt}}}).ok());
  EXPECT_THAT(*image_->client_quotas(), IsEmpty());
}

TEST_F(ClientQuotasTest, WhatIsSoAlreadyNeedsNoCommand) {
  EXPECT_TRUE(Change(Of("producer_byte_rate", 1000)).ok());
  EXPECT_EQ(*PlanQuotaChange(*image_, Of("producer_byte_rate", 1000)), "");
}

TEST_F(ClientQuotasTest, EntitiesThatAreNoneAreRefused) {
  const std::vector<QuotaOp> ops = {{"producer_byte_rate", 1.0}};
  EXPECT_EQ(Refusal({.entity = {}, .ops = ops}), "Invalid empty client quota entity");
  EXPECT_EQ(Refusal({.entity = {{"group", "g"}}, .ops = ops}),
            "Unhandled client quota entity type: group");
  EXPECT_EQ(Refusal({.entity = {{"user", ""}}, .ops = ops}), "Empty user not supported");
  EXPECT_EQ(Refusal({.entity = {{"user", "u"}, {"user", "v"}}, .ops = ops}),
            "Invalid client quota entity, duplicate entity entry user");
  EXPECT_EQ(Refusal({.entity = {{"user", "u"}, {"ip", "1.2.3.4"}}, .ops = ops}),
            "Invalid quota entity combination, IP entity should not be combined with User or "
            "ClientId");
  EXPECT_EQ(Refusal({.entity = {{"ip", "nowhere"}}, .ops = {{"connection_creation_rate", 1.0}}}),
            "nowhere is not a valid IP or resolvable host: write its address.");
  EXPECT_EQ(Refusal({.entity = {{"user", std::string(1025, 'u')}}, .ops = ops}),
            "The name of a user has at most 1024 characters here.");
}

TEST_F(ClientQuotasTest, ValuesAreChecked) {
  EXPECT_EQ(Refusal(Of("byte_rate", 1)), "Invalid configuration key byte_rate");
  EXPECT_EQ(Refusal(Of("connection_creation_rate", 1)),
            "Invalid configuration key connection_creation_rate");
  EXPECT_EQ(Refusal(Of("producer_byte_rate", 0)),
            "Quota producer_byte_rate must be greater than 0");
  EXPECT_EQ(Refusal(Of("producer_byte_rate", std::numeric_limits<double>::quiet_NaN())),
            "Quota producer_byte_rate must be greater than 0");
  EXPECT_EQ(Refusal(Of("producer_byte_rate", 1.5)),
            "producer_byte_rate cannot be a fractional value.");
  EXPECT_EQ(Refusal(Of("consumer_byte_rate", 1e20)),
            "Proposed value for consumer_byte_rate is too large for a LONG.");
  EXPECT_EQ(Refusal({.entity = {{"ip", "::1"}}, .ops = {{"connection_creation_rate", 3e9}}}),
            "Proposed value for connection_creation_rate is too large for an INT.");
  QuotaChange twice = Of("producer_byte_rate", 1);
  twice.ops.push_back({"producer_byte_rate", 2.0});
  EXPECT_EQ(Refusal(twice),
            "Duplicate quota key producer_byte_rate not updating quota for this entity");
}

TEST_F(ClientQuotasTest, AddressesHaveAConnectionRate) {
  EXPECT_TRUE(
      Change({.entity = {{"ip", std::nullopt}}, .ops = {{"connection_creation_rate", 10.0}}}).ok());
  EXPECT_EQ(Found({{.type = "ip", .kind = Kind::kDefault}}), 1U);
}

TEST_F(ClientQuotasTest, AreFoundByTypeAndName) {
  const std::vector<QuotaOp> ops = {{"producer_byte_rate", 1.0}};
  EXPECT_TRUE(Change({.entity = {{"user", "u"}}, .ops = ops}).ok());
  EXPECT_TRUE(Change({.entity = {{"user", std::nullopt}}, .ops = ops}).ok());
  EXPECT_TRUE(Change({.entity = {{"user", "u"}, {"client-id", "c"}}, .ops = ops}).ok());
  EXPECT_EQ(Found({}), 3U);
  EXPECT_EQ(Found({{.type = "user"}}), 3U);
  EXPECT_EQ(Found({{.type = "user"}}, /*strict=*/true), 2U);
  EXPECT_EQ(Found({{.type = "user", .kind = Kind::kExact, .name = "u"}}), 2U);
  EXPECT_EQ(Found({{.type = "user", .kind = Kind::kDefault}}), 1U);
  EXPECT_EQ(Found({{.type = "user"}, {.type = "client-id"}}, /*strict=*/true), 1U);
  EXPECT_EQ(Found({{.type = "ip"}}), 0U);
}

TEST_F(ClientQuotasTest, QuestionsThatContradictThemselvesAreRefused) {
  EXPECT_THAT(FindQuotas(*image_, {{.type = ""}}, false).status(), HasErrc(Errc::kInvalidRequest));
  EXPECT_THAT(FindQuotas(*image_, {{.type = "user"}, {.type = "user"}}, false).status(),
              HasErrc(Errc::kInvalidRequest));
  EXPECT_THAT(FindQuotas(*image_, {{.type = "user"}, {.type = "ip"}}, false).status(),
              HasErrc(Errc::kInvalidRequest));
  EXPECT_THAT(FindQuotas(*image_, {{.type = "group"}}, false).status(),
              HasErrc(Errc::kUnsupportedVersion));
}

TEST_F(ClientQuotasTest, AreInTheSnapshot) {
  EXPECT_TRUE(Change({.entity = {{"user", std::nullopt}, {"client-id", "c"}},
                      .ops = {{"request_percentage", 0.5}}})
                  .ok());
  const auto copy = MetadataImage::DecodeSnapshot(image_->EncodeSnapshot());
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(*(*copy)->client_quotas(), *image_->client_quotas());
}

}  // namespace
}  // namespace garam
