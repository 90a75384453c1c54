// Any bytes as one message of the control plane, parsed as gRPC does and taken apart as the service
// and its callers do. What was converted must convert back to a message that converts to the same.
//
// The first byte chooses the message.
#include <cstdint>
#include <string>

#include "broker/control/control_convert.h"
#include "broker/wire/peer_check.h"
#include "broker/wire/stream_codec.h"
#include "tests/fuzz/allocation_limit.h"
#include "tests/fuzz/require.h"

namespace garam::fuzz {
namespace {

// An empty leader state of two bytes becomes a protocol buffer and a struct of ours, in a vector
// that may be there twice while it grows.
constexpr size_t kFactor = 256;

// From a message to our own type and back, twice.
template <class Message>
void CheckConversion(const Message& message) {
  Message once;
  ToProto(FromProto(message), once);
  Message twice;
  ToProto(FromProto(once), twice);
  Require(once.SerializeAsString() == twice.SerializeAsString(), "changed on its way",
          message.DebugString());
}

const NodeIdentity kSelf{NodeId(1), Incarnation(1), StartId(1), "cluster"};

// As the receiver of a stream does, whether or not the sender was met before.
void Take(const control::Envelope& envelope) {
  if (envelope.has_hello()) (void)Meet(envelope.hello(), kSelf);
  const absl::StatusOr<Delivery> delivery = FromProto(envelope);
  if (!delivery.ok()) return;
  if (envelope.has_heartbeat()) CheckConversion(envelope.heartbeat());
  for (const auto& state : envelope.leader_states()) CheckConversion(state);
  std::string again;
  for (const GroupMessage& message : delivery->messages) EncodeMessage(message, again);
  Require(again.size() <= envelope.raft().size(), "encoded more than was decoded");
}
void Take(const control::Hello& hello) {
  (void)Meet(hello, kSelf);
  CheckConversion(hello.self());
}
void Take(const control::Welcome& welcome) {
  (void)CheckPeer(kSelf, FromProto(welcome.self()), ProtocolOf(welcome));
  CheckConversion(welcome.self());
}
void Take(const control::FullStateReply& state) { CheckConversion(state); }
void Take(const control::FormationReply& formation) { CheckConversion(formation); }
void Take(const control::FormationOffer& offer) { CheckConversion(offer.proposal()); }

template <class Message>
void FeedAs(std::string_view bytes) {
  const AllocationLimit limit(bytes.size(), kFactor, FixedBytesOf<Message>(bytes));
  Message message;
  if (message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) Take(message);
}

void FeedMessage(uint8_t kind, std::string_view bytes) {
  switch (kind % 6) {
    case 0:
      return FeedAs<control::Envelope>(bytes);
    case 1:
      return FeedAs<control::Hello>(bytes);
    case 2:
      return FeedAs<control::Welcome>(bytes);
    case 3:
      return FeedAs<control::FullStateReply>(bytes);
    case 4:
      return FeedAs<control::FormationReply>(bytes);
    default:
      return FeedAs<control::FormationOffer>(bytes);
  }
}

}  // namespace
}  // namespace garam::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  garam::fuzz::FeedMessage(data[0], {reinterpret_cast<const char*>(data) + 1, size - 1});
  return 0;
}
