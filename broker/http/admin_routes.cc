#include "broker/http/admin_routes.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status.h"

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

void AddAdminRoutes(HttpServer& server, const Broker& broker, Metrics& metrics) {
  metrics.AddSource(CollectProcessMetrics);
  metrics.AddSource([&broker](MetricSink& sink) { CollectBrokerMetrics(broker, sink); });
  server.Route("/health", [] { return HttpResponse{.body = "alive\n"}; });
  server.Route("/ready", [&broker] {
    const absl::Status status = BrokerIsReady(broker);
    if (status.ok()) return HttpResponse{.body = "ready\n"};
    return HttpResponse{.status = 503, .body = absl::StrCat(status.message(), "\n")};
  });
  server.Route("/metrics", [&metrics] {
    return HttpResponse{.content_type = Metrics::kContentType, .body = metrics.Scrape()};
  });
}

}  // namespace garam
