#include "broker/config_listeners.h"

#include "tests/unit/broker/config_fixture.h"

namespace garam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ConfigListenersTest : public ConfigFixture {};

TEST_F(ConfigListenersTest, AddressesOfAllKindsAreUnderstood) {
  EXPECT_EQ(*ParseHostPort("host:1"), (HostPort{"host", 1}));
  EXPECT_EQ(*ParseHostPort(":1"), (HostPort{"", 1}));
  EXPECT_EQ(*ParseHostPort("[::1]:1"), (HostPort{"::1", 1}));
  EXPECT_EQ(ParseHostPort("[::1]:1")->ToString(), "[::1]:1");
  for (const char* wrong : {"host", "host:", "host:x", "host:65536", "host:-1", "::1:1", ""}) {
    EXPECT_FALSE(ParseHostPort(wrong).ok()) << wrong;
  }
}

TEST_F(ConfigListenersTest, WithoutListenersTheBrokerListensOnPort9092) {
  const BrokerConfig config = Config("");
  EXPECT_THAT(config.listeners, ElementsAre(Listener{"PLAINTEXT", {"", 9092}}));
  EXPECT_THAT(config.advertised_listeners, ElementsAre(Listener{"PLAINTEXT", {"localhost", 9092}}));
}

TEST_F(ConfigListenersTest, AControllersListenerIsForTheOtherBrokers) {
  const BrokerConfig config = Config(
      "node.id=1\nprocess.roles=broker,controller\nlisteners=PLAINTEXT://:9092,CONTROLLER://:9093\n"
      "controller.listener.names=CONTROLLER\ncontroller.quorum.voters=1@a:9093,2@b:9093\n");
  EXPECT_THAT(config.listeners, ElementsAre(Listener{"PLAINTEXT", {"", 9092}}));
  EXPECT_EQ(config.control_listener, (HostPort{"", 9093}));
  EXPECT_EQ(config.control_address, (HostPort{"a", 9093}));
}

TEST_F(ConfigListenersTest, TheConfigurationThatKafkaShipsIsUnderstood) {
  const BrokerConfig config = Config(
      "process.roles=broker,controller\nnode.id=1\n"
      "controller.quorum.bootstrap.servers=localhost:9093\n"
      "listeners=PLAINTEXT://:9092,CONTROLLER://:9093\n"
      "inter.broker.listener.name=PLAINTEXT\n"
      "advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\n"
      "controller.listener.names=CONTROLLER\n"
      "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,"
      "SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL\n"
      "num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\n"
      "socket.receive.buffer.bytes=102400\nsocket.request.max.bytes=104857600\n"
      "log.dirs=/var/lib/kafka\nnum.partitions=1\nnum.recovery.threads.per.data.dir=1\n"
      "offsets.topic.replication.factor=1\nshare.coordinator.state.topic.replication.factor=1\n"
      "share.coordinator.state.topic.min.isr=1\ntransaction.state.log.replication.factor=1\n"
      "transaction.state.log.min.isr=1\nlog.retention.hours=168\nlog.segment.bytes=1073741824\n"
      "log.retention.check.interval.ms=300000\n");
  EXPECT_EQ(config.data_dir, "/var/lib/kafka");
  EXPECT_TRUE(config.voters.empty());
  EXPECT_THAT(config.advertised_listeners, ElementsAre(Listener{"PLAINTEXT", {"localhost", 9092}}));
}

TEST_F(ConfigListenersTest, AClusterDescribedByBootstrapServersIsRefused) {
  EXPECT_THAT(Refusal("node.id=2\ncontroller.quorum.bootstrap.servers=a:9093,b:9093\n"),
              HasSubstr("controller.quorum.voters"));
  EXPECT_THAT(Refusal("node.id=2\ncontroller.quorum.bootstrap.servers=a:9093\n"
                      "listeners=PLAINTEXT://:9092,C://:9093\ncontroller.listener.names=C\n"),
              HasSubstr("controller.quorum.voters"));
}

TEST_F(ConfigListenersTest, SeveralListenersAreAdvertisedByName) {
  const BrokerConfig config = Config(
      "listeners=INTERNAL://:29092,EXTERNAL://0.0.0.0:9092\n"
      "advertised.listeners=EXTERNAL://example.org:9092,INTERNAL://broker:29092\n"
      "listener.security.protocol.map=INTERNAL:PLAINTEXT,EXTERNAL:PLAINTEXT\n");
  EXPECT_THAT(config.advertised_listeners,
              ElementsAre(Listener{"INTERNAL", {"broker", 29092}},
                          Listener{"EXTERNAL", {"example.org", 9092}}));
}

TEST_F(ConfigListenersTest, InAClusterTheMachinesNameIsAdvertised) {
  EXPECT_EQ(
      Config("node.id=1\ncontroller.quorum.voters=1@a:9093\n").advertised_listeners[0].address.host,
      "machine");
}

TEST_F(ConfigListenersTest, EncryptedListenersAreRefusedForNow) {
  EXPECT_THAT(Refusal("listeners=SSL://:9093"), HasSubstr("only PLAINTEXT is available"));
  EXPECT_THAT(Refusal("listeners=X://:1\nlistener.security.protocol.map=X:SASL_SSL"),
              HasSubstr("asks for SASL_SSL"));
  EXPECT_THAT(Refusal("listeners=X://:1"), HasSubstr("X is not in listener.security.protocol.map"));
}

TEST_F(ConfigListenersTest, ContradictingListenersAreRefused) {
  EXPECT_THAT(Refusal("listeners=PLAINTEXT"), HasSubstr("expected NAME://host:port"));
  EXPECT_THAT(Refusal("listeners=PLAINTEXT://:1,PLAINTEXT://:2"), HasSubstr("name of its own"));
  EXPECT_THAT(
      Refusal("listeners=PLAINTEXT://:1,B://:1\nlistener.security.protocol.map=B:PLAINTEXT"),
      HasSubstr("address of its own"));
  EXPECT_THAT(Refusal("advertised.listeners=PLAINTEXT://0.0.0.0:9092"), HasSubstr("clients"));
  EXPECT_THAT(Refusal("advertised.listeners=OTHER://h:9092"),
              HasSubstr("OTHER is not among the listeners"));
  EXPECT_THAT(Refusal("listeners=C://:1\ncontroller.listener.names=C"), HasSubstr("for clients"));
}

TEST_F(ConfigListenersTest, VotersAreReadAndSorted) {
  const BrokerConfig config =
      Config("node.id=2\ncontroller.quorum.voters=3@c:9093, 1@a:9093,2@127.0.0.1:9193\n");
  EXPECT_THAT(config.voters, ElementsAre(VoterAddress{NodeId(1), {"a", 9093}},
                                         VoterAddress{NodeId(2), {"127.0.0.1", 9193}},
                                         VoterAddress{NodeId(3), {"c", 9093}}));
}

TEST_F(ConfigListenersTest, TheOwnVotersEntryIsWhereOthersAreListenedFor) {
  EXPECT_EQ(Config("node.id=2\ncontroller.quorum.voters=2@127.0.0.1:9193\n").control_listener,
            (HostPort{"127.0.0.1", 9193}));
  EXPECT_EQ(Config("node.id=2\ncontroller.quorum.voters=2@broker-2:9193\n").control_listener,
            (HostPort{"", 9193}));
  EXPECT_EQ(Config("").control_listener, std::nullopt);
}

TEST_F(ConfigListenersTest, AListenerForOtherBrokersCanBeNamed) {
  const BrokerConfig config = Config(
      "node.id=2\ncontroller.quorum.voters=2@outside:9193\ngaram.control.listener=127.0.0.1:7000");
  EXPECT_EQ(config.control_listener, (HostPort{"127.0.0.1", 7000}));
  EXPECT_EQ(config.control_address, (HostPort{"outside", 9193}));
}

TEST_F(ConfigListenersTest, VotersThatDoNotAddUpAreRefused) {
  const std::string voters = "node.id=1\ncontroller.quorum.voters=";
  EXPECT_THAT(Refusal(voters + "a:9093"), HasSubstr("expected id@host:port"));
  EXPECT_THAT(Refusal(voters + "1@a:9093,1@b:9093"), HasSubstr("an id of its own"));
  EXPECT_THAT(Refusal(voters + "1@a:9093,2@a:9093"), HasSubstr("an address of its own"));
  EXPECT_THAT(Refusal(voters + "1@:9093"), HasSubstr("that the others can reach"));
  EXPECT_THAT(Refusal("controller.quorum.voters=1@a:9093"), HasSubstr("node.id: must be set"));
}

TEST_F(ConfigListenersTest, TheHttpListenerIsOffUnlessItIsSet) {
  EXPECT_EQ(Config("").http_listener, std::nullopt);
  EXPECT_EQ(Config("garam.http.listener=127.0.0.1:9600").http_listener,
            (HostPort{"127.0.0.1", 9600}));
  EXPECT_THAT(Refusal("garam.http.listener=9600"), HasSubstr("garam.http.listener: 9600"));
}

}  // namespace
}  // namespace garam
