// What LoadBrokerConfig makes of keys that are not about addresses.
#include "tests/unit/broker/config_fixture.h"

namespace garam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

class ConfigLoadTest : public ConfigFixture {};

TEST_F(ConfigLoadTest, WithoutConfigurationItIsAClusterOfOneInTheWorkingDirectory) {
  const BrokerConfig config = Config("");
  EXPECT_EQ(config.node_id, NodeId(1));
  EXPECT_EQ(config.data_dir, "garam-data");
  EXPECT_TRUE(config.voters.empty());
  EXPECT_EQ(config.num_partitions, 1);
  EXPECT_EQ(config.default_replication_factor, std::nullopt);
  EXPECT_TRUE(config.auto_create_topics);
  EXPECT_TRUE(config.delete_topic_enable);
  EXPECT_EQ(config.shards, 1u);
  EXPECT_EQ(config.replica_lag_time_max, Millis(30000));
  EXPECT_EQ(config.memory_budget_bytes, int64_t{1} << 30);
  EXPECT_TRUE(config.topic_defaults.empty());
}

TEST_F(ConfigLoadTest, TypedFieldsTakeTheirKeys) {
  const BrokerConfig config = Config(
      "default.replication.factor=2\nauto.create.topics.enable=false\ndelete.topic.enable=FALSE\n"
      "connections.max.idle.ms=1000\nqueued.max.request.bytes=5000\ngaram.heartbeat.ms=50\n"
      "garam.suspect.ms=200\ngaram.election.ms=300\ngaram.memory.budget.bytes=77\n"
      "broker.rack=eu\nreplica.lag.time.max.ms=9\ngaram.log.level=debug\n");
  EXPECT_EQ(config.default_replication_factor, 2);
  EXPECT_FALSE(config.auto_create_topics);
  EXPECT_FALSE(config.delete_topic_enable);
  EXPECT_EQ(config.connections_max_idle, Millis(1000));
  EXPECT_EQ(config.queued_max_request_bytes, 5000);
  EXPECT_EQ(config.heartbeat, Millis(50));
  EXPECT_EQ(config.suspect, Millis(200));
  EXPECT_EQ(config.election, Millis(300));
  EXPECT_EQ(config.memory_budget_bytes, 77);
  EXPECT_EQ(config.rack, "eu");
  EXPECT_EQ(config.replica_lag_time_max, Millis(9));
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
}

TEST_F(ConfigLoadTest, ATimeWithoutEndIsForever) {
  EXPECT_EQ(Config("connections.max.idle.ms=-1").connections_max_idle, kForever);
  EXPECT_EQ(Config("connections.max.idle.ms=9223372036854775807").connections_max_idle, kForever);
  EXPECT_EQ(Config("replica.lag.time.max.ms=9223372036854775807").replica_lag_time_max, kForever);
}

TEST_F(ConfigLoadTest, TheOlderNameOfTheNodesIdIsUnderstood) {
  EXPECT_EQ(Config("broker.id=5").node_id, NodeId(5));
  EXPECT_EQ(Config("broker.id=5\nnode.id=5").node_id, NodeId(5));
  EXPECT_THAT(Refusal("broker.id=5\nnode.id=6"), HasSubstr("same as node.id"));
  EXPECT_THAT(Refusal("broker.id=-1"), HasSubstr("set node.id"));
}

TEST_F(ConfigLoadTest, ANodeThatIsOnlyAControllerIsRefused) {
  EXPECT_THAT(Refusal("process.roles=controller"), HasSubstr("every node is a broker"));
  EXPECT_THAT(Refusal("process.roles=king"), HasSubstr("broker, controller"));
}

TEST_F(ConfigLoadTest, TheFirstDataFolderIsUsedAndTheOthersAreNoted) {
  EXPECT_EQ(Config("log.dir=a").data_dir, "a");
  EXPECT_EQ(Config("log.dir=a\nlog.dirs=b").data_dir, "b");
  EXPECT_EQ(Config("log.dirs=b, c").data_dir, "b");
  EXPECT_THAT(Load()->notes, ElementsAre(HasSubstr("only the first folder, b")));
}

TEST_F(ConfigLoadTest, BrokerKeysBecomeDefaultsOfTopics) {
  EXPECT_THAT(
      Config("log.flush.interval.messages=10000\nmessage.max.bytes=5\nmin.insync.replicas=2")
          .topic_defaults,
      ElementsAre(Pair("flush.messages", "10000"), Pair("max.message.bytes", "5"),
                  Pair("min.insync.replicas", "2")));
}

TEST_F(ConfigLoadTest, FinerUnitsOfRetentionWinOverCoarserOnes) {
  EXPECT_EQ(Config("log.retention.hours=2").topic_defaults.at("retention.ms"), "7200000");
  EXPECT_EQ(
      Config("log.retention.hours=2\nlog.retention.minutes=3").topic_defaults.at("retention.ms"),
      "180000");
  EXPECT_EQ(Config("log.retention.hours=2\nlog.retention.ms=4").topic_defaults.at("retention.ms"),
            "4");
  EXPECT_EQ(Config("log.retention.hours=-1").topic_defaults.at("retention.ms"), "-1");
  EXPECT_EQ(Config("log.roll.hours=1").topic_defaults.at("segment.ms"), "3600000");
  EXPECT_EQ(Config("log.roll.jitter.hours=0").topic_defaults.at("segment.jitter.ms"), "0");
  EXPECT_EQ(Config("log.retention.check.interval.ms=7").retention_check_every, Millis(7));
  EXPECT_THAT(Refusal("log.retention.hours=0"), HasSubstr("log.retention.hours"));
}

TEST_F(ConfigLoadTest, ATopicDefaultThatIsNotAvailableIsRefused) {
  EXPECT_THAT(Refusal("compression.type=zstd"), HasSubstr("as their producer compressed them"));
}

TEST_F(ConfigLoadTest, AnAuthorizerIsNotSilentlyIgnored) {
  EXPECT_THAT(Refusal("authorizer.class.name=org.example.Strict"),
              HasSubstr("authorization is not available"));
  EXPECT_EQ(Config("authorizer.class.name=").node_id, NodeId(1));
}

TEST_F(ConfigLoadTest, TimingsThatCannotWorkAreRefused) {
  EXPECT_THAT(Refusal("garam.heartbeat.ms=300"), HasSubstr("at least twice garam.heartbeat.ms"));
}

TEST_F(ConfigLoadTest, ConsumerGroupsStayWithinTheirBounds) {
  const ConsumerGroupLimits limits =
      Config("group.consumer.heartbeat.interval.ms=6000\ngroup.consumer.assignors=range")
          .groups.limits.consumers;
  EXPECT_EQ(limits.heartbeat_interval, Millis(6000));
  EXPECT_EQ(limits.session_timeout, Millis(45'000));
  EXPECT_THAT(limits.assignors, ElementsAre("range"));
  EXPECT_THAT(Refusal("group.consumer.session.timeout.ms=6000"),
              HasSubstr("group.consumer.min.session.timeout.ms"));
  EXPECT_THAT(Refusal("group.consumer.min.session.timeout.ms=1\n"
                      "group.consumer.session.timeout.ms=5000"),
              HasSubstr("below group.consumer.session.timeout.ms"));
  EXPECT_TRUE(limits.upgrades && limits.downgrades);
  EXPECT_FALSE(
      Config("group.consumer.migration.policy=UPGRADE").groups.limits.consumers.downgrades);
  EXPECT_FALSE(Config("group.consumer.migration.policy=Disabled").groups.limits.consumers.upgrades);
  EXPECT_THAT(Refusal("group.consumer.migration.policy=maybe"), HasSubstr("bidirectional"));
  EXPECT_THAT(Refusal("group.consumer.assignors=best"), HasSubstr("uniform"));
  EXPECT_THAT(Refusal("group.consumer.assignors=,"), HasSubstr("at least one"));
}

TEST_F(ConfigLoadTest, ShardsAreOneUpToFourCores) {
  for (const auto& [cores, shards] : {std::pair{1, 1}, {4, 1}, {5, 2}, {8, 2}, {16, 4}}) {
    sources_.machine.cores = cores;
    EXPECT_EQ(Config("").shards, static_cast<size_t>(shards)) << cores;
  }
}

TEST_F(ConfigLoadTest, TheMemoryBudgetIsAQuarterOfTheMachineWithinBounds) {
  sources_.machine.memory_bytes = int64_t{1} << 30;
  EXPECT_EQ(Config("").memory_budget_bytes, int64_t{256} << 20);
  sources_.machine.memory_bytes = 0;
  EXPECT_EQ(Config("").memory_budget_bytes, int64_t{64} << 20);
}

}  // namespace
}  // namespace garam
