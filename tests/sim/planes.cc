#include "tests/sim/planes.h"

#include <memory>
#include <utility>

#include "common/status.h"

namespace garam::sim {
namespace {

constexpr Duration kCallTimeout = std::chrono::seconds(1);

absl::Status NotThere(bool refused) {
  return MakeError(refused ? Errc::kNoController : Errc::kTimedOut, "no answer");
}

}  // namespace

template <class Result>
void SimControl::Ask(NodeId node, Duration timeout,
                     std::function<void(PeerEvents&, Reply<Result>)> ask,
                     absl::AnyInvocable<void(Result) &&> done,
                     std::function<Result(bool refused)> lost) {
  auto waiting = std::make_shared<absl::AnyInvocable<void(Result) &&>>(std::move(done));
  auto finish = [waiting](Result result) {
    if (*waiting != nullptr) std::exchange(*waiting, nullptr)(std::move(result));
  };
  // The peer may answer after this plane is gone: what runs there and on the way back holds copies.
  PlaneEnv env = env_;
  const uint64_t own_life = env.life_of(env.self);
  Reply<Result> reply = [env, node, own_life, finish](Result result) {
    env.network.Answer(node, env.self, own_life, [finish, result = std::move(result)]() mutable {
      finish(std::move(result));
    });
  };
  env.network.Call(
      env.self, node, timeout, [env, node, ask, reply] { ask(*env.events(node), reply); },
      [finish, lost](bool refused) { finish(lost(refused)); });
}

void SimControl::Tell(NodeId node, std::function<void(PeerEvents&)> tell) {
  env_.network.Send(env_.self, node, kControlChannel,
                    [events = env_.events, node, tell = std::move(tell)] { tell(*events(node)); });
}

void SimControl::Handshake(NodeId node, Duration timeout,
                           absl::AnyInvocable<void(HandshakeResult) &&> done) {
  Ask<HandshakeResult>(
      node, timeout,
      [own = env_.identity()](PeerEvents& events, Reply<HandshakeResult> reply) {
        absl::StatusOr<NodeIdentity> peer = events.OnHandshake(own);
        if (!peer.ok()) {
          const bool later = ErrcOf(peer.status()) == Errc::kTimedOut;
          return reply({later ? HandshakeOutcome::kTimedOut : HandshakeOutcome::kRejected,
                        {},
                        0,
                        std::string(peer.status().message())});
        }
        reply({HandshakeOutcome::kDone, *peer, 1, ""});
      },
      std::move(done),
      [](bool refused) {
        return HandshakeResult{
            refused ? HandshakeOutcome::kRefused : HandshakeOutcome::kTimedOut, {}, 0, ""};
      });
}

void SimControl::Redial(NodeId node) { env_.network.Redial(env_.self, node); }

void SimControl::SendHeartbeat(NodeId node, const Heartbeat& heartbeat) {
  Tell(node, [from = env_.self, start = env_.identity().start_id, heartbeat](PeerEvents& events) {
    events.OnHeartbeat(from, start, heartbeat);
  });
}

void SimControl::SendRaft(NodeId node, std::vector<GroupMessage> messages) {
  if (env_.network.Duplicates()) messages.insert(messages.end(), messages.begin(), messages.end());
  for (const GroupMessage& message : messages) env_.on_send(env_.self, message);
  Tell(node, [from = env_.self, messages = std::move(messages)](PeerEvents& events) {
    events.OnRaft(from, messages);
  });
}

void SimControl::PushLeaderStates(NodeId node, std::vector<LeaderState> states) {
  Tell(node, [from = env_.self, states = std::move(states)](PeerEvents& events) {
    events.OnLeaderStates(from, states);
  });
}

void SimControl::FetchFullState(NodeId node,
                                absl::AnyInvocable<void(absl::StatusOr<FullState>) &&> done) {
  using Result = absl::StatusOr<FullState>;
  Ask<Result>(
      node, kCallTimeout,
      [](PeerEvents& events, Reply<Result> reply) { reply(events.OnFullStateAsked()); },
      std::move(done), [](bool refused) { return Result(NotThere(refused)); });
}

void SimControl::CallController(NodeId node, std::string request, Duration timeout,
                                absl::AnyInvocable<void(absl::StatusOr<std::string>) &&> done) {
  using Result = absl::StatusOr<std::string>;
  Ask<Result>(
      node, timeout,
      [request](PeerEvents& events, Reply<Result> reply) {
        events.OnControllerCall(request, std::move(reply));
      },
      std::move(done), [](bool refused) { return Result(NotThere(refused)); });
}

void SimControl::FetchFormation(NodeId node,
                                absl::AnyInvocable<void(absl::StatusOr<FormationStatus>) &&> done) {
  using Result = absl::StatusOr<FormationStatus>;
  Ask<Result>(
      node, kCallTimeout,
      [](PeerEvents& events, Reply<Result> reply) { reply(events.OnFormationAsked()); },
      std::move(done), [](bool refused) { return Result(NotThere(refused)); });
}

void SimControl::OfferFormation(NodeId node, FormationProposal proposal,
                                absl::AnyInvocable<void(absl::Status) &&> done) {
  Ask<absl::Status>(
      node, kCallTimeout,
      [proposal](PeerEvents& events, Reply<absl::Status> reply) {
        events.OnFormationOffered(proposal, std::move(reply));
      },
      std::move(done), [](bool refused) { return NotThere(refused); });
}

void SimControl::CopyLog(NodeId node, CopyRequest request, CopyDone done) {
  using Result = absl::StatusOr<CopyReply>;
  Ask<Result>(
      node, kCallTimeout,
      [request](PeerEvents& events, Reply<Result> reply) {
        events.OnCopyAsked(request, std::move(reply));
      },
      std::move(done), [](bool refused) { return Result(NotThere(refused)); });
}

bool SimStreams::Send(NodeId to, size_t shard, std::vector<GroupMessage> messages) {
  if (env_.network.Duplicates()) messages.insert(messages.end(), messages.begin(), messages.end());
  for (const GroupMessage& message : messages) env_.on_send(env_.self, message);
  return env_.network.Send(env_.self, to, 1 + shard,
                           [events = env_.events, to, from = env_.self, shard,
                            messages = std::move(messages)]() mutable {
                             events(to)->OnStreamMessages(from, shard, std::move(messages));
                           });
}

}  // namespace garam::sim
