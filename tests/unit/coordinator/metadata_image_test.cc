#include "coordinator/metadata_image.h"

#include "proto/metadata.pb.h"
#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class MetadataImageTest : public ClusterFixture {};

TEST_F(MetadataImageTest, TheFirstCommandGivesTheClusterItsIdOnce) {
  EXPECT_EQ(image_->cluster_id(), "");
  Form("cluster-a");
  EXPECT_EQ(image_->cluster_id(), "cluster-a");
  EXPECT_EQ(image_->voters().size(), 1u);

  Form("cluster-b");
  EXPECT_EQ(image_->cluster_id(), "cluster-a");
}

TEST_F(MetadataImageTest, ARegisteredBrokerCanBeFound) {
  StartCluster(2);
  ASSERT_NE(image_->FindBroker(NodeId(2)), nullptr);
  EXPECT_EQ(*image_->FindBroker(NodeId(2)), BrokerOf(2));
  EXPECT_EQ(image_->FindBroker(NodeId(3)), nullptr);
}

TEST_F(MetadataImageTest, ABrokerIsFoundByTheListenerThatAClientUses) {
  BrokerImage broker = BrokerOf(1);
  broker.endpoints.push_back({.listener = "EXTERNAL", .host = "example.org", .port = 19092});
  EXPECT_EQ(broker.EndpointFor("EXTERNAL").host, "example.org");
  EXPECT_EQ(broker.EndpointFor("PLAINTEXT").host, "broker-1");
  EXPECT_EQ(broker.EndpointFor("OTHER").host, "broker-1");
}

TEST_F(MetadataImageTest, ABrokerMayMoveButNotChangeItsIncarnation) {
  StartCluster(1);
  BrokerImage moved = BrokerOf(1);
  moved.endpoints[0].port = 1234;
  Register(moved);
  EXPECT_EQ(image_->FindBroker(NodeId(1))->endpoints[0].port, 1234);
}

TEST_F(MetadataImageTest, ABrokerWithAnotherDiskTakesItsPlaceEverywhereOnceItHasLearned) {
  StartCluster(3);
  Create({.name = "t", .num_partitions = 2, .replication_factor = 3});
  Create({.name = "without",
          .num_partitions = -1,
          .replication_factor = -1,
          .assignments = {{0, {NodeId(1), NodeId(3)}}}});
  const LogIndex before = image_->members_index();
  live_.erase(NodeId(2));
  BrokerImage wiped = BrokerOf(2);
  wiped.incarnation = Incarnation(77);
  const auto applied = Apply(PlanRegisterBroker(*image_, live_, "cluster-a", wiped));
  const TopicImage topic = *image_->FindTopic("t");
  EXPECT_THAT(applied.changed_topics, ElementsAre(topic.id));
  EXPECT_GT(image_->members_index(), before);
  for (const PartitionImage& partition : topic.partitions) {
    EXPECT_NE(partition.Find(NodeId(2), BrokerOf(2).incarnation), nullptr) << "counts still";
    const ReplicaImage* learns = partition.Find(NodeId(2), Incarnation(77));
    ASSERT_NE(learns, nullptr);
    EXPECT_EQ(learns->since, image_->applied_index());
    EXPECT_EQ(partition.target.size(), 3U);
    EXPECT_EQ(partition.wish, image_->applied_index());
    EXPECT_EQ(partition.founders, partition.replicas);
  }
  EXPECT_TRUE(image_->FindTopic("without")->partitions[0].target.empty());
  const auto again = MetadataImage::DecodeSnapshot(image_->EncodeSnapshot());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ((*again)->members_index(), image_->members_index());
  EXPECT_EQ(*(*again)->FindTopic("t"), topic);
}

TEST_F(MetadataImageTest, ThreeBrokersVoteAndFiveFromFiveOn) {
  auto voters = [this] {
    std::vector<int32_t> nodes;
    for (const FormationVoter& voter : image_->voters()) nodes.push_back(voter.node.value());
    return nodes;
  };
  Form("cluster-a", /*voters=*/1);
  for (int32_t node = 1; node <= 2; ++node) Register(BrokerOf(node));
  EXPECT_THAT(voters(), ElementsAre(1)) << "two are no better than one";
  for (int32_t node = 3; node <= 4; ++node) Register(BrokerOf(node));
  EXPECT_THAT(voters(), ElementsAre(1, 2, 3));
  Apply(PlanUnregisterBroker(*image_, live_, NodeId(2)));
  EXPECT_THAT(voters(), ElementsAre(1, 3, 4));
  for (int32_t node : {2, 5, 6}) Register(BrokerOf(node));
  EXPECT_THAT(voters(), ElementsAre(1, 3, 4, 2, 5));
}

TEST_F(MetadataImageTest, AnUnregisteredBrokerIsGone) {
  StartCluster(2);
  EXPECT_TRUE(Apply(PlanUnregisterBroker(*image_, live_, NodeId(2))).brokers_changed);
  EXPECT_EQ(image_->FindBroker(NodeId(2)), nullptr);
}

TEST_F(MetadataImageTest, ACreatedTopicIsFoundByNameIdAndGroup) {
  StartCluster(3);
  const auto topic = Create({.name = "t", .num_partitions = 2});
  ASSERT_NE(topic, nullptr);
  EXPECT_EQ(image_->FindTopic(topic->id), topic);
  const GroupPlace* place = image_->FindGroup(topic->partitions[1].group);
  ASSERT_NE(place, nullptr);
  EXPECT_EQ(place->topic, topic);
  EXPECT_EQ(place->partition, 1);
  EXPECT_EQ(image_->topic_count(), 1u);
  EXPECT_EQ(image_->partition_count(), 2u);
}

TEST_F(MetadataImageTest, EveryReplicaNamesTheIncarnationItWasMadeFor) {
  StartCluster(3);
  const auto topic = Create({.name = "t"});
  for (const ReplicaImage& replica : topic->partitions[0].replicas) {
    EXPECT_EQ(replica.incarnation, Incarnation(1000 + replica.node.value()));
  }
}

TEST_F(MetadataImageTest, ADeletedTopicLeavesNothingBehindButItsGroupIdsStayUsed) {
  StartCluster(1);
  const auto first = Create({.name = "t", .num_partitions = 3});
  const GroupId next = image_->next_group();
  const auto applied = Apply(PlanDeleteTopics(*image_, defaults_, {first->id})[0]);
  EXPECT_THAT(applied.changed_topics, ElementsAre(first->id));
  EXPECT_EQ(image_->FindTopic("t"), nullptr);
  EXPECT_EQ(image_->FindTopic(first->id), nullptr);
  EXPECT_EQ(image_->FindGroup(first->partitions[0].group), nullptr);
  EXPECT_EQ(image_->partition_count(), 0u);

  const auto second = Create({.name = "t"});
  EXPECT_NE(second->id, first->id);
  EXPECT_EQ(second->partitions[0].group, next);
}

TEST_F(MetadataImageTest, GroupIdsBeginAboveTheMetadataGroup) {
  StartCluster(1);
  EXPECT_EQ(Create({.name = "t"})->partitions[0].group, GroupId(1));
}

TEST_F(MetadataImageTest, ACommandPlannedOnAnOldImageCannotReuseAGroup) {
  StartCluster(1);
  const auto a = Plan({.name = "a"});
  const auto b = Plan({.name = "b"});
  EXPECT_TRUE(Apply(a->command).outcome.ok());
  EXPECT_THAT(Apply(b->command).outcome, HasErrc(Errc::kInvalidRequest));
  EXPECT_EQ(image_->FindTopic("b"), nullptr);
}

TEST_F(MetadataImageTest, ATopicOnABrokerThatIsGoneIsRefused) {
  StartCluster(2);
  const auto planned = Plan({.name = "t", .assignments = {{0, {NodeId(1)}}}});
  Apply(PlanUnregisterBroker(*image_, live_, NodeId(1)));
  EXPECT_THAT(Apply(planned->command).outcome, HasErrc(Errc::kBrokerIdNotRegistered));
}

TEST_F(MetadataImageTest, ARefusedCommandMovesTheIndexAndNothingElse) {
  StartCluster(1);
  const std::string before = image_->At(LogIndex(0))->EncodeSnapshot();
  const LogIndex index = image_->applied_index();
  Form("another");
  EXPECT_EQ(image_->applied_index(), index + 1);
  EXPECT_EQ(image_->At(LogIndex(0))->EncodeSnapshot(), before);
}

TEST_F(MetadataImageTest, OlderImagesStayAsTheyWere) {
  StartCluster(1);
  const auto before = image_;
  const auto topic = Create({.name = "t"});
  EXPECT_EQ(before->FindTopic("t"), nullptr);
  EXPECT_EQ(before->FindTopic(topic->id), nullptr);
  EXPECT_EQ(before->topic_count(), 0u);
}

TEST_F(MetadataImageTest, ANewerFormatCannotBeApplied) {
  metadata::Command command;
  command.set_format(kMetadataFormatMax + 1);
  command.mutable_delete_topic();
  const auto applied = image_->Apply(LogIndex(1), command);
  EXPECT_THAT(applied.status(), HasErrc(Errc::kUnsupportedVersion));
  EXPECT_THAT(std::string(applied.status().message()), HasSubstr("newer garamd"));
}

TEST_F(MetadataImageTest, DamagedCommandsCannotBeApplied) {
  EXPECT_THAT(image_->ApplyBytes(LogIndex(1), "\xff\xff\xff").status(),
              HasErrc(Errc::kCorruptRecord));
  EXPECT_THAT(image_->ApplyBytes(LogIndex(1), "").status(), HasErrc(Errc::kCorruptRecord));
  metadata::Command command;
  command.set_format(1);
  command.mutable_delete_topic()->set_id("short");
  EXPECT_THAT(image_->Apply(LogIndex(1), command).status(), HasErrc(Errc::kCorruptRecord));
}

TEST_F(MetadataImageTest, ASnapshotHoldsEverything) {
  StartCluster(3);
  Register(BrokerOf(4, "rack-a"));
  Create({.name = "a", .num_partitions = 4, .configs = {{"segment.bytes", "1048576"}}});
  const auto gone = Create({.name = "gone"});
  Apply(PlanDeleteTopics(*image_, defaults_, {gone->id})[0]);

  const auto copy = MetadataImage::DecodeSnapshot(image_->EncodeSnapshot());
  ASSERT_TRUE(copy.ok()) << copy.status();
  EXPECT_EQ((*copy)->EncodeSnapshot(), image_->EncodeSnapshot());
  EXPECT_EQ((*copy)->applied_index(), image_->applied_index());
  EXPECT_EQ((*copy)->next_group(), image_->next_group());
  EXPECT_EQ((*copy)->cluster_id(), "cluster-a");
  EXPECT_EQ((*copy)->FindBroker(NodeId(4))->rack, "rack-a");
  EXPECT_EQ(*(*copy)->FindTopic("a"), *image_->FindTopic("a"));
  EXPECT_EQ((*copy)->FindColliding("a")->name, "a");
}

TEST_F(MetadataImageTest, ADamagedOrNewerSnapshotIsRefused) {
  EXPECT_THAT(MetadataImage::DecodeSnapshot("\xff\xff").status(), HasErrc(Errc::kCorruptRecord));
  metadata::Snapshot snapshot;
  snapshot.set_format(kMetadataFormatMax + 1);
  EXPECT_THAT(MetadataImage::DecodeSnapshot(snapshot.SerializeAsString()).status(),
              HasErrc(Errc::kUnsupportedVersion));
}

TEST_F(MetadataImageTest, ASnapshotWithATopicOrAGroupTwiceIsRefused) {
  StartCluster(1);
  Create({.name = "a.b", .num_partitions = 2});
  metadata::Snapshot snapshot;
  ASSERT_TRUE(snapshot.ParseFromString(image_->EncodeSnapshot()));
  const metadata::CreateTopic topic = snapshot.topics(0);
  const auto with = [&](auto change) {
    metadata::Snapshot changed = snapshot;
    metadata::CreateTopic other = topic;
    other.set_name("c");
    other.set_id(std::string(16, 'i'));
    other.clear_partitions();
    change(other);
    *changed.add_topics() = other;
    return MetadataImage::DecodeSnapshot(changed.SerializeAsString()).status();
  };
  EXPECT_TRUE(with([](auto&) {}).ok());
  EXPECT_THAT(with([](auto& t) { t.set_name("a_b"); }), HasErrc(Errc::kCorruptRecord));
  EXPECT_THAT(with([&](auto& t) { t.set_id(topic.id()); }), HasErrc(Errc::kCorruptRecord));
  EXPECT_THAT(with([&](auto& t) { *t.add_partitions() = topic.partitions(1); }),
              HasErrc(Errc::kCorruptRecord));
}

TEST_F(MetadataImageTest, EqualCommandsGiveEqualImages) {
  StartCluster(3);
  std::vector<std::string> commands;
  std::shared_ptr<const MetadataImage> other = image_;
  for (int i = 0; i < 50; ++i) {
    const auto planned = Plan({.name = "t" + std::to_string(i), .num_partitions = 3});
    Apply(planned->command);
    const auto applied = other->ApplyBytes(other->applied_index() + 1, planned->command);
    other = applied->image;
  }
  EXPECT_EQ(other->EncodeSnapshot(), image_->EncodeSnapshot());
}

TEST_F(MetadataImageTest, TopicsAreVisitedInTheOrderOfTheirNames) {
  StartCluster(1);
  for (const char* name : {"c", "a", "b"}) Create({.name = name});
  std::vector<std::string> names;
  image_->ForEachTopic([&](const auto& topic) { names.push_back(topic->name); });
  EXPECT_THAT(names, ElementsAre("a", "b", "c"));
}

}  // namespace
}  // namespace garam
