#include "broker/config_sources.h"

#include "tests/unit/broker/config_fixture.h"

namespace garam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ConfigSourcesTest : public ConfigFixture {};

TEST_F(ConfigSourcesTest, UnderscoresOfAVariableStandForDotsUnderscoresAndDashes) {
  EXPECT_EQ(ConfigKeyOfVariable("KAFKA_LOG_DIRS"), "log.dirs");
  EXPECT_EQ(ConfigKeyOfVariable("KAFKA_A__B_C___D"), "a_b.c-d");
  EXPECT_EQ(ConfigKeyOfVariable("LOG_DIRS"), std::nullopt);
}

TEST_F(ConfigSourcesTest, AFlagWinsOverTheEnvironmentAndThatOverTheFile) {
  sources_.file_text = "num.partitions=1\nnode.id=1\nbroker.rack=file";
  sources_.environment = {{"KAFKA_NUM_PARTITIONS", "2"}, {"KAFKA_NODE_ID", "2"}};
  sources_.sets = {"num.partitions=3"};
  const auto loaded = Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->config.num_partitions, 3);
  EXPECT_EQ(loaded->config.node_id, NodeId(2));
  EXPECT_EQ(loaded->config.rack, "file");
}

TEST_F(ConfigSourcesTest, AnUnknownKeyIsAnErrorThatNamesTheNearest) {
  EXPECT_EQ(Refusal("num.partition=3"),
            "server.properties line 1: unknown key num.partition, did you mean num.partitions?");
}

TEST_F(ConfigSourcesTest, ATopicsKeyIsAnErrorThatNamesTheBrokersKey) {
  EXPECT_THAT(Refusal("max.message.bytes=3"), HasSubstr("message.max.bytes"));
}

TEST_F(ConfigSourcesTest, AnIllTypedValueIsAnErrorThatSaysWhereItIs) {
  EXPECT_EQ(Refusal("\nnum.partitions=many"),
            "server.properties line 2: Invalid value many for configuration num.partitions: Not a "
            "number of type INT");
  sources_.environment = {{"KAFKA_AUTO_CREATE_TOPICS_ENABLE", "yes"}};
  EXPECT_THAT(Refusal(""), HasSubstr("environment variable KAFKA_AUTO_CREATE_TOPICS_ENABLE"));
  sources_.environment = {};
  sources_.sets = {"log.segment.bytes=1"};
  EXPECT_THAT(Refusal(""), HasSubstr("--set: Invalid value 1 for configuration log.segment.bytes: "
                                     "Value must be at least 1048576"));
}

TEST_F(ConfigSourcesTest, AKeyThatMeansNothingHereIsAcceptedAndNotedOnce) {
  sources_.file_text = "zookeeper.connect=z:2181\nnum.io.threads=8\n";
  const auto loaded = Load();
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_THAT(loaded->notes, ElementsAre("server.properties line 1: zookeeper.connect has no "
                                         "meaning here and is ignored",
                                         "server.properties line 2: num.io.threads has no meaning "
                                         "here and is ignored"));
}

TEST_F(ConfigSourcesTest, VariablesOfScriptsAndOrchestratorsAreIgnored) {
  sources_.environment = {{"KAFKA_HEAP_OPTS", "-Xmx1g"},
                          {"KAFKA_OPTS", ""},
                          {"KAFKA_JMX_PORT", "9999"},
                          {"KAFKA_PORT", "tcp://10.0.0.1:9092"},
                          {"KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"},
                          {"KAFKA_SERVICE_HOST", "10.0.0.1"},
                          {"KAFKA_LOG4J_ROOT_LOGLEVEL", "INFO"},
                          {"KAFKA_ZOOKEEPER_CONNECT", "z:2181"},
                          {"KAFKA_HOME", "/opt/kafka"},
                          {"PATH", "/bin"}};
  EXPECT_TRUE(Load().ok()) << Load().status();
}

TEST_F(ConfigSourcesTest, AMistypedVariableIsAnError) {
  sources_.environment = {{"KAFKA_NUM_PARTITION", "3"}};
  EXPECT_THAT(Refusal(""), HasSubstr("did you mean num.partitions?"));
}

TEST_F(ConfigSourcesTest, OwnKeysCanBeSetByTheEnvironment) {
  sources_.environment = {{"KAFKA_GARAM_SHARDS", "2"}};
  EXPECT_EQ(Config("").shards, 2u);
}

TEST_F(ConfigSourcesTest, AFlagWithoutAnEqualsSignIsAnError) {
  sources_.sets = {"num.partitions"};
  EXPECT_THAT(Refusal(""), HasSubstr("--set key=value"));
}

TEST_F(ConfigSourcesTest, AKeySetToNothingHasItsDefault) {
  EXPECT_EQ(Config("num.partitions=\n").num_partitions, 1);
}

TEST_F(ConfigSourcesTest, WithoutSourcesThereIsNothingToSay) {
  EXPECT_THAT(Load()->notes, IsEmpty());
}

}  // namespace
}  // namespace garam
