// What a broker answers over HTTP:
//   /health   200 while the process serves its loops;
//   /ready    200 once the broker can serve clients, else 503 with the reason;
//   /metrics  Prometheus' text format.
//
// Threads: BrokerIsReady and CollectBrokerMetrics: any.
#pragma once

#include "absl/status/status.h"
#include "broker/broker.h"
#include "broker/http/http_server.h"
#include "common/metrics.h"

namespace garam {

// Adds the routes, and this broker's and the process's sources to `metrics`. Both must outlive the
// server.
void AddAdminRoutes(HttpServer& server, const Broker& broker, Metrics& metrics);

// Ok once the broker belongs to a cluster that has it registered and has a controller.
absl::Status BrokerIsReady(const Broker& broker);

void CollectBrokerMetrics(const Broker& broker, MetricSink& sink);

}  // namespace garam
