#include "bench/cluster.h"

#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "bench/connection.h"
#include "bench/poller.h"

namespace garam::bench {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kAskTimeoutMs = 5'000;
constexpr int64_t kPollMs = 50;
constexpr int64_t kReadyPollMs = 5;
// Asked for when only the brokers matter: it does not exist.
constexpr std::string_view kNoTopic = "no-such-topic";

// Keeps the first answer.
class OneAnswer final : public Connection::Listener {
 public:
  void OnAnswer(Connection&, int64_t, std::string_view body) override { body_ = body; }
  void OnClosed(Connection&) override { closed_ = true; }

  bool closed() const { return closed_; }
  std::optional<std::string>& body() { return body_; }

 private:
  bool closed_ = false;
  std::optional<std::string> body_;
};

void Pause(int64_t ms) {
  Poller poller;
  poller.RunOnce(NowNs() + ms * kNsPerMs);
}

bool IsReady(const ClusterState& state, const CreateTopicSpec& spec) {
  const TopicState* topic = state.Find(spec.name);
  if (topic == nullptr || topic->error != 0) return false;
  if (topic->partitions.size() != static_cast<size_t>(spec.partitions)) return false;
  for (const PartitionState& partition : topic->partitions) {
    if (partition.leader < 0 || partition.isr.size() != partition.replicas.size()) return false;
  }
  return true;
}

// The controller first: not every broker passes the request on.
std::vector<Endpoint> ByAuthority(const ClusterState& state) {
  std::vector<Endpoint> order;
  for (const auto& [node, endpoint] : state.brokers) {
    order.insert(node == state.controller ? order.begin() : order.end(), endpoint);
  }
  return order;
}

// Sends `frame` to one broker after the other until `parse` accepts an answer or time is up.
absl::Status AskAuthority(const std::vector<Endpoint>& bootstrap, const std::string& frame,
                          int64_t deadline_ns, absl::Status (*parse)(std::string_view)) {
  ASSIGN_OR_RETURN(const ClusterState state, Describe(bootstrap, kNoTopic));
  absl::Status done = MakeError(Errc::kNoController, "no broker took the request");
  while (true) {
    for (const Endpoint& endpoint : ByAuthority(state)) {
      const int64_t left_ms = (deadline_ns - NowNs()) / kNsPerMs;
      const absl::StatusOr<std::string> body = Call(endpoint, frame, left_ms);
      done = body.ok() ? parse(*body) : body.status();
      if (done.ok() || NowNs() > deadline_ns) return done;
    }
    Pause(kPollMs);
  }
}

}  // namespace

absl::StatusOr<std::vector<Endpoint>> ParseBootstrap(std::string_view list) {
  std::vector<Endpoint> endpoints;
  const std::vector<std::string> parts = absl::StrSplit(std::string(list), ',');
  for (const std::string& part : parts) {
    const size_t colon = part.rfind(':');
    int port = 0;
    if (colon == std::string::npos || !absl::SimpleAtoi(part.substr(colon + 1), &port) ||
        port < 1 || port > 65535) {
      return MakeError(Errc::kInvalidRequest, absl::StrCat("not host:port: ", part));
    }
    endpoints.push_back({-1, part.substr(0, colon), static_cast<uint16_t>(port)});
  }
  return endpoints;
}

absl::StatusOr<std::string> Call(const Endpoint& endpoint, std::string frame, int64_t timeout_ms) {
  Poller poller;
  OneAnswer answer;
  ASSIGN_OR_RETURN(const auto connection, Connection::Open(poller, endpoint, &answer));
  connection->SendOwned(std::move(frame), 0);
  const int64_t deadline = NowNs() + timeout_ms * kNsPerMs;
  while (!answer.body() && !answer.closed() && NowNs() < deadline) poller.RunOnce(deadline);
  if (answer.body()) return std::move(*answer.body());
  return MakeError(Errc::kTimedOut,
                   absl::StrCat(endpoint.host, ":", endpoint.port,
                                answer.closed() ? " closed the connection" : " did not answer"));
}

absl::StatusOr<ClusterState> Describe(const std::vector<Endpoint>& bootstrap,
                                      std::string_view topic) {
  absl::Status last = MakeError(Errc::kInvalidRequest, "no bootstrap broker is named");
  for (const Endpoint& endpoint : bootstrap) {
    absl::StatusOr<std::string> body = Call(endpoint, MetadataRequest(topic), kAskTimeoutMs);
    if (body.ok()) return ParseMetadata(*body);
    last = body.status();
  }
  return last;
}

absl::Status CreateTopic(const std::vector<Endpoint>& bootstrap, const CreateTopicSpec& spec,
                         int64_t timeout_ms) {
  const int64_t deadline = NowNs() + timeout_ms * kNsPerMs;
  RETURN_IF_ERROR(AskAuthority(bootstrap,
                               CreateTopicRequest(spec, static_cast<int32_t>(timeout_ms)), deadline,
                               ParseCreateTopic));
  ASSIGN_OR_RETURN(const ClusterState state, Describe(bootstrap, spec.name));
  for (const auto& [node, endpoint] : state.brokers) {
    while (true) {
      ASSIGN_OR_RETURN(const ClusterState seen, Describe({endpoint}, spec.name));
      if (IsReady(seen, spec)) break;
      if (NowNs() > deadline) {
        return MakeError(Errc::kTimedOut, absl::StrCat("topic ", spec.name, " is not ready"));
      }
      Pause(kPollMs);
    }
  }
  return absl::OkStatus();
}

absl::Status DeleteTopic(const std::vector<Endpoint>& bootstrap, std::string_view topic,
                         int64_t timeout_ms) {
  return AskAuthority(bootstrap, DeleteTopicRequest(topic, static_cast<int32_t>(timeout_ms)),
                      NowNs() + timeout_ms * kNsPerMs, ParseDeleteTopic);
}

absl::Status WaitReady(const std::vector<Endpoint>& bootstrap, size_t brokers, int64_t timeout_ms) {
  const int64_t deadline = NowNs() + timeout_ms * kNsPerMs;
  for (const Endpoint& endpoint : bootstrap) {
    while (true) {
      const absl::StatusOr<ClusterState> state = Describe({endpoint}, kNoTopic);
      if (state.ok() && state->brokers.size() == brokers && state->controller >= 0) break;
      if (NowNs() > deadline) {
        return MakeError(Errc::kTimedOut,
                         absl::StrCat(endpoint.host, ":", endpoint.port, " is not ready: ",
                                      state.ok() ? absl::StrCat(state->brokers.size(), " brokers")
                                                 : std::string(state.status().message())));
      }
      Pause(kReadyPollMs);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<ClusterState> DescribeReady(const std::vector<Endpoint>& bootstrap,
                                           std::string_view topic) {
  ASSIGN_OR_RETURN(ClusterState state, Describe(bootstrap, topic));
  const TopicState* found = state.Find(topic);
  if (found == nullptr || found->error != 0 || found->partitions.empty()) {
    return MakeError(Errc::kUnknownTopic,
                     absl::StrCat("topic ", std::string(topic), " is not there: create it first"));
  }
  for (const PartitionState& partition : found->partitions) {
    if (!state.brokers.contains(partition.leader)) {
      return MakeError(Errc::kNotLeader,
                       absl::StrCat("partition ", partition.index, " has no leader"));
    }
  }
  return state;
}

}  // namespace garam::bench
