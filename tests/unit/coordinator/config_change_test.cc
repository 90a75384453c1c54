#include "coordinator/config_change.h"

#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class ConfigChangeTest : public ClusterFixture {
 protected:
  ConfigChangeTest() {
    StartCluster(2);
    Create({.name = "t", .configs = {{"a", "1"}, {"list", "x"}}});
    defaults_.list_default = [](ConfigScope, const std::string& key) {
      return key.ends_with("list") ? std::optional<std::string>("base") : std::nullopt;
    };
  }
  std::map<std::string, std::string> Changed(const ConfigChange& change) {
    EXPECT_TRUE(Apply(PlanConfigChange(*image_, defaults_, change)).outcome.ok());
    return change.topic.empty() ? image_->BrokerConfigs(change.broker)
                                : image_->FindTopic(change.topic)->configs;
  }
  absl::Status Refusal(const ConfigChange& change) {
    return PlanConfigChange(*image_, defaults_, change).status();
  }
};

TEST_F(ConfigChangeTest, WhatIsNotNamedStays) {
  EXPECT_THAT(Changed({.topic = "t", .edits = {{"b", ConfigOp::kSet, "2"}}}),
              ElementsAre(Pair("a", "1"), Pair("b", "2"), Pair("list", "x")));
  EXPECT_THAT(
      Changed({.topic = "t", .edits = {{"a", ConfigOp::kDelete}, {"none", ConfigOp::kDelete}}}),
      ElementsAre(Pair("b", "2"), Pair("list", "x")));
}

TEST_F(ConfigChangeTest, WhatIsNotNamedIsUnsetWhereTheChangeReplaces) {
  EXPECT_THAT(Changed({.topic = "t", .replaces = true, .edits = {{"b", ConfigOp::kSet, "2"}}}),
              ElementsAre(Pair("b", "2")));
}

TEST_F(ConfigChangeTest, ListsGrowAndShrinkByItems) {
  EXPECT_THAT(Changed({.topic = "t", .edits = {{"list", ConfigOp::kAppend, "y, x,z"}}}),
              ElementsAre(Pair("a", "1"), Pair("list", "x,y,z")));
  EXPECT_THAT(Changed({.topic = "t", .edits = {{"list", ConfigOp::kSubtract, "y,none"}}}),
              ElementsAre(Pair("a", "1"), Pair("list", "x,z")));
}

TEST_F(ConfigChangeTest, AListThatIsNotSetBeginsWithItsDefault) {
  EXPECT_THAT(Changed({.broker = NodeId(2), .edits = {{"my.list", ConfigOp::kAppend, "y"}}}),
              ElementsAre(Pair("my.list", "base,y")));
}

TEST_F(ConfigChangeTest, OnlyListsHaveItems) {
  const absl::Status status = Refusal({.topic = "t", .edits = {{"a", ConfigOp::kAppend, "2"}}});
  EXPECT_EQ(status,
            MakeError(Errc::kInvalidConfig, "Can't APPEND to key a because its type is not LIST."));
}

TEST_F(ConfigChangeTest, GroupsAndSubscriptionsHaveConfigsOfTheirOwn) {
  Apply(
      PlanConfigChange(*image_, defaults_, {.group = "g", .edits = {{"a", ConfigOp::kSet, "1"}}}));
  Apply(PlanConfigChange(*image_, defaults_,
                         {.client_metrics = "g", .edits = {{"list", ConfigOp::kAppend, "x"}}}));
  EXPECT_THAT(image_->ConfigsOf(ConfiguredKind::kGroup, "g"), ElementsAre(Pair("a", "1")));
  EXPECT_THAT(image_->ConfigsOf(ConfiguredKind::kClientMetrics, "g"),
              ElementsAre(Pair("list", "base,x")));
  EXPECT_THAT(image_->NamesOf(ConfiguredKind::kGroup), ElementsAre("g"));
  const auto copy = MetadataImage::DecodeSnapshot(image_->EncodeSnapshot());
  ASSERT_TRUE(copy.ok());
  EXPECT_THAT((*copy)->ConfigsOf(ConfiguredKind::kGroup, "g"), ElementsAre(Pair("a", "1")));
  EXPECT_THAT((*copy)->NamesOf(ConfiguredKind::kClientMetrics), ElementsAre("g"));
}

TEST_F(ConfigChangeTest, WhatHasNoConfigsLeftIsNotListed) {
  Apply(
      PlanConfigChange(*image_, defaults_, {.group = "g", .edits = {{"a", ConfigOp::kSet, "1"}}}));
  Apply(PlanConfigChange(*image_, defaults_, {.group = "g", .edits = {{"a", ConfigOp::kDelete}}}));
  EXPECT_THAT(image_->NamesOf(ConfiguredKind::kGroup), IsEmpty());
  EXPECT_THAT(image_->ConfigsOf(ConfiguredKind::kGroup, "g"), IsEmpty());
}

TEST_F(ConfigChangeTest, TheConfigsOfGroupsAreCheckedAsWell) {
  defaults_.check_resource_configs = [](ConfiguredKind kind, const ConfigMap& configs) {
    EXPECT_EQ(kind, ConfiguredKind::kGroup);
    EXPECT_THAT(configs, ElementsAre(Pair("a", "1")));
    return MakeError(Errc::kInvalidConfig, "no");
  };
  EXPECT_THAT(Refusal({.group = "g", .edits = {{"a", ConfigOp::kSet, "1"}}}),
              HasErrc(Errc::kInvalidConfig));
  EXPECT_THAT(Refusal({.group = std::string(1025, 'g')}), HasErrc(Errc::kInvalidRequest));
}

TEST_F(ConfigChangeTest, WhatIsSoAlreadyNeedsNoCommand) {
  const auto command =
      PlanConfigChange(*image_, defaults_, {.topic = "t", .edits = {{"a", ConfigOp::kSet, "1"}}});
  ASSERT_TRUE(command.ok());
  EXPECT_EQ(*command, "");
}

TEST_F(ConfigChangeTest, TheConfigsAsTheyWouldBeAreChecked) {
  std::map<std::string, std::string> checked;
  defaults_.check_configs = [&](const std::map<std::string, std::string>& configs)
      -> absl::StatusOr<std::vector<EffectiveConfig>> {
    checked = configs;
    return MakeError(Errc::kInvalidConfig, "no");
  };
  EXPECT_THAT(Refusal({.topic = "t", .edits = {{"a", ConfigOp::kSet, "9"}}}),
              HasErrc(Errc::kInvalidConfig));
  EXPECT_THAT(checked, ElementsAre(Pair("a", "9"), Pair("list", "x")));
  defaults_.check_broker_configs = [](const auto&) {
    return MakeError(Errc::kInvalidRequest, "no");
  };
  EXPECT_THAT(Refusal({.edits = {{"a", ConfigOp::kSet, "9"}}}), HasErrc(Errc::kInvalidRequest));
}

TEST_F(ConfigChangeTest, OfWhatIsNotThereNothingCanBeChanged) {
  EXPECT_EQ(Refusal({.topic = "none"}),
            MakeError(Errc::kUnknownTopic, "The topic 'none' does not exist."));
  EXPECT_THAT(Refusal({.broker = NodeId(9)}), HasErrc(Errc::kBrokerIdNotRegistered));
}

TEST_F(ConfigChangeTest, ABrokerAndAllOfThemHaveConfigsOfTheirOwn) {
  Changed({.broker = NodeId(2), .edits = {{"k", ConfigOp::kSet, "2"}}});
  Changed({.edits = {{"k", ConfigOp::kSet, "all"}}});
  EXPECT_THAT(image_->BrokerConfigs(NodeId(1)), IsEmpty());
  EXPECT_THAT(image_->BrokerConfigs(NodeId(2)), ElementsAre(Pair("k", "2")));
  EXPECT_THAT(image_->BrokerConfigs(kNoNode), ElementsAre(Pair("k", "all")));
  const auto copy = MetadataImage::DecodeSnapshot(image_->EncodeSnapshot());
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ((*copy)->EncodeSnapshot(), image_->EncodeSnapshot());
  EXPECT_THAT((*copy)->BrokerConfigs(NodeId(2)), ElementsAre(Pair("k", "2")));
  EXPECT_THAT(Changed({.edits = {{"k", ConfigOp::kDelete}}}), IsEmpty());
}

TEST_F(ConfigChangeTest, TheImageSaysWhatChanged) {
  const auto topic = Apply(
      PlanConfigChange(*image_, defaults_, {.topic = "t", .edits = {{"a", ConfigOp::kSet, "2"}}}));
  EXPECT_THAT(topic.changed_topics, ElementsAre(image_->FindTopic("t")->id));
  EXPECT_FALSE(topic.broker_configs_changed);
  const auto broker =
      Apply(PlanConfigChange(*image_, defaults_, {.edits = {{"a", ConfigOp::kSet, "2"}}}));
  EXPECT_THAT(broker.changed_topics, IsEmpty());
  EXPECT_TRUE(broker.broker_configs_changed);
}

TEST_F(ConfigChangeTest, ATopicThatWasMadeAnewIsNotHit) {
  const auto command =
      PlanConfigChange(*image_, defaults_, {.topic = "t", .edits = {{"a", ConfigOp::kSet, "2"}}});
  Apply(PlanDeleteTopics(*image_, defaults_, {image_->FindTopic("t")->id})[0]);
  Create({.name = "t"});
  EXPECT_THAT(Apply(command).outcome, HasErrc(Errc::kUnknownTopicId));
  EXPECT_THAT(image_->FindTopic("t")->configs, IsEmpty());
}

}  // namespace
}  // namespace garam
