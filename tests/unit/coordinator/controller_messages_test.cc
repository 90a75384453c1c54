#include "coordinator/controller_messages.h"

#include "proto/controller.pb.h"
#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

template <class Kind>
Kind ThroughTheWire(const Kind& message) {
  if constexpr (std::is_constructible_v<ControllerRequest, Kind>) {
    auto decoded = DecodeControllerRequest(EncodeControllerRequest(message));
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    return std::get<Kind>(*decoded);
  } else {
    auto decoded = DecodeControllerReply(EncodeControllerReply(ControllerReply(message)));
    EXPECT_TRUE(decoded.ok()) << decoded.status();
    return std::get<Kind>(*decoded);
  }
}

TEST(ControllerMessagesTest, CreateTopicsArrivesAsItWasSent) {
  const CreateTopicsRequest sent{
      .topics = {{.name = "a", .num_partitions = 3, .replication_factor = 2},
                 {.name = "b",
                  .assignments = {{.partition = 0, .replicas = {NodeId(1), NodeId(2)}}},
                  .configs = {{"x", "1"}, {"y", std::nullopt}, {"z", ""}}}},
      .validate_only = true};
  const CreateTopicsRequest received = ThroughTheWire(sent);
  EXPECT_EQ(received.topics, sent.topics);
  EXPECT_TRUE(received.validate_only);
}

TEST(ControllerMessagesTest, DeleteTopicsArrivesAsItWasSent) {
  SeededRandom random(1);
  const DeleteTopicsRequest sent{.topics = {TopicId::Generate(random), TopicId::Generate(random)}};
  EXPECT_EQ(ThroughTheWire(sent).topics, sent.topics);
}

TEST(ControllerMessagesTest, RegisterBrokerArrivesAsItWasSent) {
  const RegisterBrokerRequest sent{.cluster_id = "c", .broker = BrokerOf(3, "rack")};
  const RegisterBrokerRequest received = ThroughTheWire(sent);
  EXPECT_EQ(received.cluster_id, "c");
  EXPECT_EQ(received.broker, sent.broker);
}

TEST(ControllerMessagesTest, UnregisterBrokerArrivesAsItWasSent) {
  EXPECT_EQ(ThroughTheWire(UnregisterBrokerRequest{.node = NodeId(7)}).node, NodeId(7));
  EXPECT_EQ(ThroughTheWire(UnregisterBrokerReply{.index = LogIndex(5)}).index, LogIndex(5));
}

TEST(ControllerMessagesTest, ChangesOfQuotasArriveAsTheyWereSent) {
  const AlterQuotasRequest sent{
      .changes = {{.entity = {{"user", "u"}, {"client-id", std::nullopt}, {"user", ""}},
                   .ops = {{"producer_byte_rate", 1000.5}, {"request_percentage"}}},
                  {}},
      .validate_only = true};
  const AlterQuotasRequest received = ThroughTheWire(sent);
  EXPECT_EQ(received.changes, sent.changes);
  EXPECT_TRUE(received.validate_only);
  const AlterQuotasReply reply{.index = LogIndex(3),
                               .statuses = {absl::OkStatus(), MakeError(Errc::kStorage, "s")}};
  EXPECT_EQ(ThroughTheWire(reply).statuses, reply.statuses);
}

TEST(ControllerMessagesTest, UpdatesOfFeaturesArriveAsTheyWereSent) {
  const UpdateFeaturesRequest sent{
      .updates = {{"a", 3}, {"b", -1, FeatureUpdateKind::kUnsafeDowngrade}}, .validate_only = true};
  const UpdateFeaturesRequest received = ThroughTheWire(sent);
  EXPECT_EQ(received.updates, sent.updates);
  EXPECT_TRUE(received.validate_only);
  EXPECT_EQ(ThroughTheWire(UpdateFeaturesReply{.index = LogIndex(4)}).index, LogIndex(4));
}

TEST(ControllerMessagesTest, TheQuorumArrivesAsItWasSent) {
  ThroughTheWire(DescribeQuorumRequest{});
  const DescribeQuorumReply sent{.index = LogIndex(5),
                                 .quorum = {.leader = NodeId(1),
                                            .term = Term(7),
                                            .commit = LogIndex(9),
                                            .members = {{.node = NodeId(1),
                                                         .incarnation = Incarnation(3),
                                                         .votes = true,
                                                         .last_index = LogIndex(10),
                                                         .fetched_ms = 11,
                                                         .caught_up_ms = 0},
                                                        {.node = NodeId(2)}}}};
  const DescribeQuorumReply received = ThroughTheWire(sent);
  EXPECT_EQ(received.quorum, sent.quorum);
  EXPECT_EQ(received.index, LogIndex(5));
}

TEST(ControllerMessagesTest, ChangesOfConfigsArriveAsTheyWereSent) {
  const AlterConfigsRequest sent{.changes = {{.topic = "t",
                                              .edits = {{"a", ConfigOp::kSet, "1"},
                                                        {"b", ConfigOp::kDelete, ""},
                                                        {"c", ConfigOp::kAppend, "x"},
                                                        {"d", ConfigOp::kSubtract, "y"}}},
                                             {.broker = NodeId(3), .replaces = true},
                                             {.broker = kNoNode},
                                             {.group = "g"},
                                             {.client_metrics = "m"}},
                                 .validate_only = true};
  const AlterConfigsRequest received = ThroughTheWire(sent);
  EXPECT_EQ(received.changes, sent.changes);
  EXPECT_TRUE(received.validate_only);
  const AlterConfigsReply reply{
      .index = LogIndex(5), .statuses = {absl::OkStatus(), MakeError(Errc::kInvalidConfig, "n")}};
  EXPECT_EQ(ThroughTheWire(reply).statuses, reply.statuses);
  EXPECT_EQ(ThroughTheWire(reply).index, LogIndex(5));
}

TEST(ControllerMessagesTest, AnUnknownKindOfChangeIsRefused) {
  controller::Request request;
  request.set_format(1);
  request.mutable_alter_configs()->add_changes()->add_edits()->set_op(4);
  EXPECT_THAT(DecodeControllerRequest(request.SerializeAsString()).status(),
              HasErrc(Errc::kInvalidRequest));
}

TEST(ControllerMessagesTest, CreatePartitionsArrivesAsItWasSent) {
  const CreatePartitionsRequest sent{
      .topics = {{.topic = "a", .count = 5},
                 {.topic = "b", .count = 2, .assignments = {{{NodeId(1), NodeId(2)}, {}}}},
                 {.topic = "c", .count = 2, .assignments = {std::vector<std::vector<NodeId>>()}}}};
  EXPECT_EQ(ThroughTheWire(sent).topics, sent.topics);
  EXPECT_FALSE(ThroughTheWire(sent).validate_only);
  const CreatePartitionsReply reply{.index = LogIndex(5),
                                    .statuses = {MakeError(Errc::kInvalidPartitions, "n")}};
  EXPECT_EQ(ThroughTheWire(reply).statuses, reply.statuses);
}

TEST(ControllerMessagesTest, EachTopicHasItsOwnResult) {
  SeededRandom random(1);
  const CreatedTopic created{.name = "a",
                             .id = TopicId::Generate(random),
                             .num_partitions = 3,
                             .replication_factor = 1,
                             .configs = {{.name = "x",
                                          .value = "1",
                                          .source = ConfigSource::kTopic,
                                          .read_only = true,
                                          .sensitive = true},
                                         {.name = "y"}}};
  const CreateTopicsReply received = ThroughTheWire(CreateTopicsReply{
      .index = LogIndex(7), .topics = {created, MakeError(Errc::kTopicExists, "taken")}});
  EXPECT_EQ(received.index, LogIndex(7));
  ASSERT_EQ(received.topics.size(), 2u);
  EXPECT_EQ(*received.topics[0], created);
  EXPECT_EQ(received.topics[1].status(), MakeError(Errc::kTopicExists, "taken"));
}

TEST(ControllerMessagesTest, DeletionsAndRegistrationsAreAnswered) {
  const DeleteTopicsReply deleted = ThroughTheWire(
      DeleteTopicsReply{.index = LogIndex(9),
                        .statuses = {absl::OkStatus(), MakeError(Errc::kUnknownTopicId, "no")}});
  EXPECT_TRUE(deleted.statuses[0].ok());
  EXPECT_EQ(deleted.statuses[1], MakeError(Errc::kUnknownTopicId, "no"));
  EXPECT_EQ(ThroughTheWire(RegisterBrokerReply{.index = LogIndex(4)}).index, LogIndex(4));
}

TEST(ControllerMessagesTest, AFailureOfNoKindOfOursStaysOne) {
  const auto reply = DecodeControllerReply(EncodeControllerReply(absl::InternalError("odd")));
  EXPECT_EQ(ErrcOf(reply.status()), Errc::kUnknown);
  EXPECT_EQ(std::string(reply.status().message()), "odd");
}

TEST(ControllerMessagesTest, AFailureOfTheWholeRequestKeepsItsReason) {
  const auto reply =
      DecodeControllerReply(EncodeControllerReply(MakeError(Errc::kNoController, "not here")));
  EXPECT_EQ(reply.status(), MakeError(Errc::kNoController, "not here"));
}

TEST(ControllerMessagesTest, EveryErrorSurvivesTheWire) {
  for (int code = 1; ErrcName(static_cast<Errc>(code)) != "Unknown"; ++code) {
    const auto errc = static_cast<Errc>(code);
    const auto reply = DecodeControllerReply(EncodeControllerReply(MakeError(errc, "m")));
    EXPECT_EQ(ErrcOf(reply.status()), errc) << ErrcName(errc);
  }
}

TEST(ControllerMessagesTest, GarbageAndNewerFormatsAreRefused) {
  EXPECT_THAT(DecodeControllerRequest("\xff\xff").status(), HasErrc(Errc::kInvalidRequest));
  EXPECT_THAT(DecodeControllerRequest("").status(), HasErrc(Errc::kInvalidRequest));
  EXPECT_THAT(DecodeControllerReply("\xff\xff").status(), HasErrc(Errc::kInvalidRequest));
  controller::Request newer;
  newer.set_format(2);
  newer.mutable_create_topics();
  EXPECT_THAT(DecodeControllerRequest(newer.SerializeAsString()).status(),
              HasErrc(Errc::kUnsupportedVersion));
}

}  // namespace
}  // namespace garam
