#include "broker/config_registry.h"

#include <algorithm>
#include <set>

#include "tests/unit/broker/config_fixture.h"

namespace garam {
namespace {

TEST(ConfigRegistryTest, EveryDefaultIsAValidValue) {
  for (const ConfigOption& option : BrokerOptions()) {
    if (option.fallback == nullptr || *option.fallback == '\0') continue;
    EXPECT_TRUE(CheckConfigValue(option, option.fallback).ok()) << option.name;
  }
  for (const TopicOption& topic : TopicOptions()) {
    EXPECT_TRUE(CheckConfigValue(topic.option, topic.option.fallback).ok()) << topic.option.name;
  }
}

TEST(ConfigRegistryTest, EveryKeyIsThereOnceAndExplained) {
  std::set<std::string_view> seen;
  for (const ConfigOption& option : BrokerOptions()) {
    EXPECT_TRUE(seen.insert(option.name).second) << option.name;
    EXPECT_FALSE(option.doc.empty()) << option.name;
  }
  for (const TopicOption& topic : TopicOptions()) {
    EXPECT_FALSE(topic.option.doc.empty()) << topic.option.name;
    if (topic.broker_key.empty()) continue;
    EXPECT_TRUE(seen.insert(topic.broker_key).second) << topic.broker_key;
  }
  for (std::string_view key : ForeignKafkaKeys()) {
    EXPECT_TRUE(seen.insert(key).second) << key;
  }
}

TEST(ConfigRegistryTest, TablesAreSortedWhereTheyAreSearched) {
  const auto foreign = ForeignKafkaKeys();
  EXPECT_TRUE(std::is_sorted(foreign.begin(), foreign.end()));
  EXPECT_TRUE(std::is_sorted(
      TopicOptions().begin(), TopicOptions().end(),
      [](const TopicOption& a, const TopicOption& b) { return a.option.name < b.option.name; }));
}

TEST(ConfigRegistryTest, TheNearestKeyDiffersInTheFewestCharacters) {
  EXPECT_EQ(NearestBrokerKey("log.dirz").name, "log.dirs");
  EXPECT_EQ(NearestBrokerKey("garam.shard").name, "garam.shards");
  EXPECT_EQ(NearestTopicKey("segment.byte").name, "segment.bytes");
  EXPECT_EQ(NearestTopicKey("segment.byte").distance, 1u);
}

TEST(ConfigRegistryTest, KeysOfOlderVersionsAndDistributionsAreKnown) {
  for (const char* key : {"zookeeper.connect", "confluent.license", "num.network.threads",
                          "inter.broker.protocol.version", "super.users", "ssl.keystore.location",
                          "listener.name.internal.ssl.keystore.location"}) {
    EXPECT_TRUE(IsForeignKafkaKey(key)) << key;
  }
  EXPECT_FALSE(IsForeignKafkaKey("nonsense"));
}

TEST(ConfigRegistryTest, HelpNamesEveryKey) {
  const std::string help = BrokerConfigHelp();
  for (const char* key : {"node.id", "garam.shards", "log.flush.interval.messages"}) {
    EXPECT_NE(help.find(key), std::string::npos) << key;
  }
}

}  // namespace
}  // namespace garam
