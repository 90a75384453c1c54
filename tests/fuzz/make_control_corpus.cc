// Writes one message of each kind of the control plane, as brokers send them.
//
//   make_control_corpus FOLDER
#include <filesystem>
#include <fstream>
#include <string>

#include "broker/control/control_convert.h"
#include "broker/wire/stream_codec.h"

namespace garam::fuzz {
namespace {

const NodeIdentity kSelf{NodeId(1), Incarnation(11), StartId(111), "cluster"};

LeaderState StateOf(uint64_t group) {
  return {GroupId(group), Term(3), NodeId(2), 5, {NodeId(1), NodeId(2), NodeId(3)}};
}

FormationProposal Proposal() {
  return {.cluster_id = "cluster",
          .voters = {{NodeId(1), Incarnation(11), "h:1"}, {NodeId(2), Incarnation(12), "h:2"}}};
}

control::Envelope FirstEnvelope() {
  control::Envelope envelope;
  *envelope.mutable_hello() = MakeHello(kSelf, NodeId(2));
  return envelope;
}

control::Envelope FullEnvelope() {
  control::Envelope envelope;
  ToProto(Heartbeat{{2, 0xabcdef, 1, 0x123456}, 3}, *envelope.mutable_heartbeat());
  for (const raft::Message& message :
       {raft::Message(raft::VoteRequest{}), raft::Message(raft::VoteReply{}),
        raft::Message(raft::TimeoutNow{})}) {
    EncodeMessage({GroupId(7), message}, *envelope.mutable_raft());
  }
  for (uint64_t group : {7, 8}) ToProto(StateOf(group), *envelope.add_leader_states());
  return envelope;
}

class Folder {
 public:
  explicit Folder(std::filesystem::path path) : path_(std::move(path)) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  // `kind` as control_fuzzer numbers them.
  template <class Message>
  void Write(const std::string& name, char kind, const Message& message) {
    std::ofstream(path_ / name, std::ios::binary) << kind << message.SerializeAsString();
  }

 private:
  const std::filesystem::path path_;
};

void WriteAll(Folder folder) {
  folder.Write("envelope-hello", 0, FirstEnvelope());
  folder.Write("envelope", 0, FullEnvelope());
  folder.Write("hello", 1, MakeHello(kSelf, NodeId(2)));
  folder.Write("welcome", 2, MakeWelcome(kSelf, 9094));
  control::FullStateReply state;
  ToProto(FullState{{StateOf(7), StateOf(8)}, {GroupId(9)}}, state);
  folder.Write("full-state", 3, state);
  control::FormationReply formation;
  ToProto(FormationStatus{kSelf, /*blank=*/false, Proposal()}, formation);
  folder.Write("formation", 4, formation);
  control::FormationOffer offer;
  ToProto(Proposal(), *offer.mutable_proposal());
  folder.Write("offer", 5, offer);
}

}  // namespace
}  // namespace garam::fuzz

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  garam::fuzz::WriteAll(garam::fuzz::Folder(argv[1]));
  return 0;
}
