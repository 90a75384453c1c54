#include "broker/http/admin_routes.h"

#include <algorithm>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/logging.h"
#include "common/random.h"
#include "common/status.h"
#include "coordinator/drain.h"

namespace garam {
namespace {

struct PartitionCounts {
  int64_t replicas = 0;  // Here.
  int64_t leaders = 0;   // Here.
  int64_t under_replicated = 0;
  int64_t without_leader = 0;
};

// Of the partitions that have a replica here; what concerns a partition as a whole is counted by
// its leader, so that a sum over brokers is right. One without a leader is counted by its first
// replica.
PartitionCounts Count(const Broker& broker) {
  PartitionCounts counts;
  const NodeId self = broker.config().node_id;
  const std::set<NodeId> live = broker.live_brokers();
  broker.image()->ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const std::vector<ReplicaImage>& replicas = topic->partitions[i].replicas;
      if (std::none_of(replicas.begin(), replicas.end(),
                       [&](const ReplicaImage& replica) { return replica.node == self; })) {
        continue;
      }
      ++counts.replicas;
      const PartitionState state = broker.StateOf(*topic, static_cast<int32_t>(i));
      if (state.leader == kNoNode) {
        const auto first =
            std::find_if(replicas.begin(), replicas.end(),
                         [&](const ReplicaImage& replica) { return live.contains(replica.node); });
        if (first != replicas.end() && first->node == self) ++counts.without_leader;
      }
      if (state.leader != self) continue;
      ++counts.leaders;
      if (state.isr.size() < replicas.size()) ++counts.under_replicated;
    }
  });
  return counts;
}

constexpr Duration kMovesTimeLimit = Millis(10'000);
const std::string kDrain = "/drain";

int64_t LedBy(const Broker& broker, const MetadataImage& image, NodeId node) {
  int64_t led = 0;
  image.ForEachTopic([&](const std::shared_ptr<const TopicImage>& topic) {
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      if (broker.StateOf(*topic, static_cast<int32_t>(i)).leader == node) ++led;
    }
  });
  return led;
}

HttpResponse DescribeBroker(const Broker& broker, NodeId node) {
  const auto image = broker.image();
  const bool registered = image->FindBroker(node) != nullptr;
  const BrokerLoad load = LoadOf(*image, node);
  if (!registered && load.partitions == 0) return {.status = 404, .body = "no such broker\n"};
  const auto boolean = [](bool value) { return value ? "true" : "false"; };
  return {
      .content_type = "application/json",
      .body = absl::StrCat("{\"broker\":", node.value(), ",\"registered\":", boolean(registered),
                           ",\"alive\":", boolean(broker.live_brokers().contains(node)),
                           ",\"partitions\":", load.partitions, ",\"leaving\":", load.leaving,
                           ",\"leading\":", LedBy(broker, *image, node), "}\n")};
}

// The way kafka-reassign-partitions does it: planned here, and each move is the controller's to
// take.
HttpResponse Drain(Broker& broker, NodeId node) {
  SeededRandom random(static_cast<uint64_t>(node.value()));
  absl::StatusOr<std::vector<MoveSpec>> moves =
      PlanDrain(*broker.image(), broker.live_brokers(), node, random);
  if (!moves.ok()) {
    const bool unknown = ErrcOf(moves.status()) == Errc::kBrokerIdNotRegistered;
    return {.status = unknown ? 404U : 409U, .body = absl::StrCat(moves.status().message(), "\n")};
  }
  LogInfo("broker {} is being drained: {} partitions are to move", node.value(), moves->size());
  std::string body = absl::StrCat(moves->size(), " partitions are to move\n");
  if (!moves->empty()) {
    broker.MoveReplicas(*std::move(moves), broker.clock().Mono() + kMovesTimeLimit, 0,
                        [node](const std::vector<absl::Status>& results) {
                          for (const absl::Status& status : results) {
                            if (status.ok()) continue;
                            return LogWarn("a partition of broker {} is not moved: {}; ask again",
                                           node.value(), status.ToString());
                          }
                        });
  }
  return {.status = 202, .body = std::move(body)};
}

HttpResponse AnswerBroker(Broker& broker, const HttpCall& call) {
  std::string rest = call.rest;
  const bool drain = absl::EndsWith(rest, kDrain);
  if (drain) rest.resize(rest.size() - kDrain.size());
  int32_t node = 0;
  if (!absl::SimpleAtoi(rest, &node) || node < 0) return {.status = 404, .body = "not found\n"};
  if (drain != call.post) return {.status = 405, .body = "POST drains, GET describes\n"};
  return drain ? Drain(broker, NodeId(node)) : DescribeBroker(broker, NodeId(node));
}

}  // namespace

absl::Status BrokerIsReady(const Broker& broker) {
  const auto image = broker.image();
  if (image->cluster_id().empty()) {
    return MakeError(Errc::kNoController, "not in a cluster yet");
  }
  if (image->FindBroker(broker.config().node_id) == nullptr) {
    return MakeError(Errc::kBrokerIdNotRegistered, "not registered yet");
  }
  if (broker.controller() == kNoNode) {
    return MakeError(Errc::kNoController, "the cluster has no controller at this moment");
  }
  return absl::OkStatus();
}

void CollectBrokerMetrics(const Broker& broker, MetricSink& sink) {
  const auto image = broker.image();
  const auto gauge = [&](std::string_view name, std::string_view help, auto value) {
    sink.Gauge(name, help, {}, static_cast<double>(value));
  };
  const NodeId self = broker.config().node_id;
  gauge("garam_broker_ready", "1 once this broker serves clients", BrokerIsReady(broker).ok());
  gauge("garam_broker_controller", "1 on the controller", broker.controller() == self);
  gauge("garam_cluster_brokers", "Registered brokers", image->brokers().size());
  gauge("garam_cluster_live_brokers", "Brokers that this one sees alive",
        broker.live_brokers().size());
  gauge("garam_cluster_topics", "Topics", image->topic_count());
  gauge("garam_cluster_partitions", "Partitions", image->partition_count());
  gauge("garam_cluster_metadata_index", "Index of the last metadata command applied here",
        image->applied_index().value());
  gauge("garam_shards", "Event loops", broker.shard_count());
  const PartitionCounts counts = Count(broker);
  gauge("garam_replicas", "Partitions with a replica on this broker", counts.replicas);
  gauge("garam_raft_leaders", "Partitions that this broker leads", counts.leaders);
  gauge("garam_under_replicated_partitions",
        "Partitions led by this broker with replicas out of the ISR", counts.under_replicated);
  gauge("garam_leaderless_partitions",
        "Partitions without a leader, counted by their first live replica", counts.without_leader);
}

void AddAdminRoutes(HttpServer& server, Broker& broker, Metrics& metrics) {
  metrics.AddSource(CollectProcessMetrics);
  metrics.AddSource([&broker](MetricSink& sink) { CollectBrokerMetrics(broker, sink); });
  server.Route("/health", [] { return HttpResponse{.body = "alive\n"}; });
  server.Route("/ready", [&broker] {
    const absl::Status status = BrokerIsReady(broker);
    if (status.ok()) return HttpResponse{.body = "ready\n"};
    return HttpResponse{.status = 503, .body = absl::StrCat(status.message(), "\n")};
  });
  server.RouteUnder("/admin/brokers/",
                    [&broker](const HttpCall& call) { return AnswerBroker(broker, call); });
  server.Route("/metrics", [&metrics] {
    return HttpResponse{.content_type = Metrics::kContentType, .body = metrics.Scrape()};
  });
}

}  // namespace garam
