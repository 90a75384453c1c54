// Writes the cluster's metadata, the controller's messages and what a broker keeps beside its logs,
// as their own encoders make them.
//
//   make_coordinator_corpus METADATA_FOLDER CONTROLLER_FOLDER STATE_FOLDER
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "common/endian.h"
#include "common/random.h"
#include "common/status.h"
#include "coordinator/controller_messages.h"
#include "coordinator/node_identity_file.h"
#include "coordinator/voter_watch.h"
#include "raft/configuration.h"
#include "storage/fake_file_system.h"
#include "storage/fake_kv_store.h"
#include "storage/hard_state_store.h"
#include "storage/log_identity.h"
#include "storage/manifest.h"
#include "tests/fuzz/pieces.h"

namespace garam::fuzz {
namespace {

using std::filesystem::path;

void WriteInput(const path& folder, const std::string& name, const std::string& input) {
  std::ofstream(folder / name, std::ios::binary) << input;
}

BrokerImage BrokerOf(int32_t node) {
  return {.node = NodeId(node),
          .incarnation = Incarnation(static_cast<uint64_t>(node)),
          .endpoints = {{.listener = "PLAINTEXT", .host = "h", .port = 9092},
                        {.listener = "OUT", .host = "o", .port = 9192}},
          .rack = "r" + std::to_string(node),
          .control_address = "h:9093",
          .stream_port = 9094};
}

// Every kind of command in an order in which each has something to do.
class Cluster {
 public:
  Cluster() {
    Take(FormClusterCommand(
        {.cluster_id = "c",
         .voters = {
             {.node = NodeId(1), .incarnation = Incarnation(1), .control_address = "h:9093"}}}));
    for (int32_t node = 1; node <= 4; ++node) {
      Take(*PlanRegisterBroker(*image_, live_, "c", BrokerOf(node)));
    }
    SeededRandom random(3);
    const auto plan =
        PlanCreateTopics(image_, live_, {},
                         {{.name = "a", .num_partitions = 2, .replication_factor = 3},
                          {.name = "b.c",
                           .assignments = {{.partition = 0, .replicas = {NodeId(2), NodeId(1)}}},
                           .configs = {{"retention.ms", "5"}}}},
                         /*validate_only=*/false, random);
    for (const auto& topic : plan.topics) Take(topic->command);
    Take(
        *PlanMove(*image_, {.topic = "b.c", .partition = 0, .replicas = {{NodeId(3), NodeId(4)}}}));
    moving_ = image_->EncodeSnapshot();
    const PartitionImage& moved = image_->FindTopic("b.c")->partitions[0];
    Take(PlanMembersReached(*image_, moved.group, moved.wish));
    Take(*VoterWatch(Duration::zero()).Look(*image_, {NodeId(4)}, MonoTime()));
    Take(*PlanUnregisterBroker(*image_, {}, NodeId(4)));
    topic_ = image_->FindTopic("a")->id;
    Take(*PlanDeleteTopics(*image_, {}, {topic_}).front());
  }

  const std::vector<std::string>& commands() const { return commands_; }
  const std::string& moving() const { return moving_; }
  const TopicId& topic() const { return topic_; }

 private:
  void Take(const std::string& command) {
    const auto applied = image_->ApplyBytes(image_->applied_index() + 1, command);
    if (!applied.ok() || !applied->outcome.ok()) std::abort();
    image_ = applied->image;
    commands_.push_back(command);
  }

  const std::set<NodeId> live_{NodeId(1), NodeId(2), NodeId(3), NodeId(4)};
  std::shared_ptr<const MetadataImage> image_ = MetadataImage::Empty();
  std::vector<std::string> commands_;
  std::string moving_;
  TopicId topic_;
};

void WriteMetadata(const path& folder, const Cluster& cluster) {
  std::string all;
  AppendPiece("", all);
  int number = 0;
  for (const std::string& command : cluster.commands()) {
    std::string one;
    AppendPiece("", one);
    AppendPiece(command, one);
    WriteInput(folder, "command-" + std::to_string(++number), one);
    AppendPiece(command, all);
    WriteInput(folder, "commands-" + std::to_string(number), all);
  }
  std::string snapshot;
  AppendPiece(cluster.moving(), snapshot);
  WriteInput(folder, "snapshot", snapshot);
  AppendPiece(cluster.commands().back(), snapshot);
  WriteInput(folder, "snapshot-and-command", snapshot);
}

void WriteController(const path& folder, const Cluster& cluster) {
  const std::vector<ControllerRequest> requests = {
      CreateTopicsRequest{.topics = {{.name = "n", .num_partitions = 3, .replication_factor = 2},
                                     {.name = "m",
                                      .assignments = {{.partition = 0, .replicas = {NodeId(1)}}},
                                      .configs = {{"x", "1"}, {"y", std::nullopt}}}}},
      CreateTopicsRequest{.topics = {{.name = "v"}}, .validate_only = true},
      DeleteTopicsRequest{.topics = {cluster.topic(), cluster.topic()}},
      RegisterBrokerRequest{.cluster_id = "c", .broker = BrokerOf(9)},
      MoveReplicasRequest{.moves = {{.topic = "a", .replicas = {{NodeId(1), NodeId(3)}}},
                                    {.topic = "a", .partition = 1}}},
      MembersReachedRequest{.group = GroupId(1), .wish = LogIndex(6)},
      UnregisterBrokerRequest{.node = NodeId(3)},
      AlterConfigsRequest{
          .changes = {{.topic = "a", .edits = {{"x", ConfigOp::kSet, "1"}, {"y"}}},
                      {.broker = NodeId(1), .edits = {{"x", ConfigOp::kDelete, ""}}},
                      {.replaces = true, .edits = {{"x", ConfigOp::kAppend, "1"}}}}},
      CreatePartitionsRequest{
          .topics = {{.topic = "a", .count = 5},
                     {.topic = "a", .count = 3, .assignments = {{{NodeId(1)}}}}},
          .validate_only = true},
      AlterConfigsRequest{.changes = {{.group = "g", .edits = {{"x", ConfigOp::kSet, "1"}}},
                                      {.client_metrics = "m", .edits = {{"metrics"}}}}},
      AlterQuotasRequest{
          .changes = {{.entity = {{"user", "u"}, {"client-id", std::nullopt}},
                       .ops = {{"producer_byte_rate", 1000.0}, {"request_percentage"}}}}},
      UpdateFeaturesRequest{.updates = {{"group.version", 0, FeatureUpdateKind::kSafeDowngrade}}},
      DescribeQuorumRequest{}};
  const absl::Status taken = MakeError(Errc::kTopicExists, "taken");
  const CreatedTopic created{.name = "n",
                             .id = cluster.topic(),
                             .num_partitions = 3,
                             .replication_factor = 2,
                             .configs = {{.name = "x", .value = "1"}, {.name = "y"}}};
  const std::vector<absl::StatusOr<ControllerReply>> replies = {
      CreateTopicsReply{.index = LogIndex(7), .topics = {created, taken}},
      DeleteTopicsReply{.index = LogIndex(8), .statuses = {absl::OkStatus(), taken}},
      RegisterBrokerReply{.index = LogIndex(9)},
      MoveReplicasReply{.index = LogIndex(10), .statuses = {taken, absl::OkStatus()}},
      MembersReachedReply{.index = LogIndex(11)},
      UnregisterBrokerReply{.index = LogIndex(12)},
      AlterConfigsReply{.index = LogIndex(13), .statuses = {taken, absl::OkStatus()}},
      CreatePartitionsReply{.index = LogIndex(14), .statuses = {taken}},
      AlterQuotasReply{.index = LogIndex(15), .statuses = {taken}},
      UpdateFeaturesReply{.index = LogIndex(16)},
      DescribeQuorumReply{.index = LogIndex(17),
                          .quorum = {.leader = NodeId(1),
                                     .term = Term(2),
                                     .commit = LogIndex(3),
                                     .members = {{.node = NodeId(1), .fetched_ms = 5}}}},
      MakeError(Errc::kNoController, "not here"),
      absl::UnknownError("of no kind")};
  int number = 0;
  for (const auto& request : requests) {
    WriteInput(folder, "request-" + std::to_string(++number),
               std::string(1, '\0') + EncodeControllerRequest(request));
  }
  for (const auto& reply : replies) {
    WriteInput(folder, "reply-" + std::to_string(++number),
               std::string(1, '\1') + EncodeControllerReply(reply));
  }
}

void WriteConfigurations(const path& folder) {
  using raft::Member;
  using raft::MemberRole;
  const std::vector<Member> old = {{NodeId(1), Incarnation(1), MemberRole::kVoter},
                                   {NodeId(2), Incarnation(2), MemberRole::kVoter},
                                   {NodeId(3), Incarnation(3), MemberRole::kWitness}};
  const std::vector<Member> next = {old[0], {NodeId(2), Incarnation(9), MemberRole::kVoter}};
  const std::vector<Member> learners = {{NodeId(3), Incarnation(8), MemberRole::kLearner}};
  WriteInput(folder, "configuration",
             std::string(1, '\0') + raft::Configuration{old, {}, {}, 1}.Encode());
  WriteInput(folder, "configuration-joint",
             std::string(1, '\0') + raft::Configuration{next, old, learners, 2}.Encode());
}

void WriteIdentities(const path& folder) {
  StoredIdentity identity{.node = NodeId(2), .incarnation = Incarnation(0xabc)};
  WriteInput(folder, "node-blank", '\1' + EncodeNodeIdentity(identity));
  identity.proposal = {
      .cluster_id = "c",
      .voters = {{NodeId(1), Incarnation(1), "h:1"}, {NodeId(2), Incarnation(0xabc), "[::1]:2"}}};
  WriteInput(folder, "node", '\1' + EncodeNodeIdentity(identity));
  storage::FakeFileSystem fs;
  if (!fs.MakeDirectory("log").ok()) std::abort();
  const storage::LogIdentity log{GroupId(7), "topic", 3, TopicId{{1, 2, 3}}};
  if (!storage::WriteLogIdentity(fs, "log", log).ok()) std::abort();
  WriteInput(folder, "log", '\2' + fs.Content("log/partition.properties"));
}

void WriteRows(const path& folder) {
  storage::FakeKvStore kv;
  storage::HardStateStore store(kv);
  if (!store
           .Save({{GroupId(7), {Term(3), NodeId(2), Incarnation(9)}},
                  {GroupId(8), {Term(1), kNoNode, Incarnation(0)}}})
           .ok() ||
      !store.SaveUnflushed({GroupId(7)}, "boot").ok() ||
      !store.SaveSince(GroupId(7), LogIndex(4)).ok()) {
    std::abort();
  }
  std::string rows(1, '\3');
  for (const auto& [key, value] : kv.Rows(storage::KvFamily::kHardState)) {
    AppendPiece(key, rows);
    AppendPiece(value, rows);
  }
  WriteInput(folder, "hard-states", rows);
}

void WriteManifest(const path& folder) {
  storage::Manifest manifest;
  const auto add = [&manifest](int64_t first, int64_t last, int64_t offset, int32_t before) {
    const Term term(before + 1);
    manifest.terms.Append(term, LogIndex(first), Offset(offset));
    manifest.segments.push_back({{GroupId(7), LogIndex(first), Offset(offset), Term(before)},
                                 {LogIndex(last), term, Offset(offset + 100)},
                                 4096});
    manifest.next = {GroupId(7), LogIndex(last + 1), Offset(offset + 100), term};
  };
  add(1, 40, 0, 0);
  add(41, 90, 100, 1);
  manifest.start_offset = Offset(30);
  manifest.configuration = {LogIndex(12), "members"};
  std::string bytes = storage::EncodeManifest(manifest);
  if (!storage::DecodeManifest(bytes).ok()) std::abort();
  bytes.resize(bytes.size() - sizeof(uint32_t));  // The fuzzer adds the checksum.
  WriteInput(folder, "manifest", '\5' + bytes);
}

void WriteState(const path& folder, const Cluster& cluster) {
  WriteConfigurations(folder);
  WriteIdentities(folder);
  WriteRows(folder);
  WriteManifest(folder);
  // One byte of format, the term, the image: broker/metadata_snapshot.cc.
  WriteInput(folder, "metadata-row", std::string("\4\2\0\0\0\5", 6) + cluster.moving());
}

}  // namespace
}  // namespace garam::fuzz

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  for (int i = 1; i < argc; ++i) {
    std::filesystem::remove_all(argv[i]);
    std::filesystem::create_directories(argv[i]);
  }
  const garam::fuzz::Cluster cluster;
  garam::fuzz::WriteMetadata(argv[1], cluster);
  garam::fuzz::WriteController(argv[2], cluster);
  garam::fuzz::WriteState(argv[3], cluster);
  return 0;
}
