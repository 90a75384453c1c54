// What a broker answers over HTTP:
//   /health   200 while the process serves its loops;
//   /ready    200 once the broker can serve clients, else 503 with the reason;
//   /metrics  Prometheus' text format;
//   /admin/brokers/ID        what broker ID has: registered, alive, partitions, how many of them
//                            are on their way off it, how many it leads (JSON);
//   /admin/brokers/ID/drain  POST: moves every partition of broker ID to the others. Answered when
//                            that is decided: 202, or 409 with the reason why it cannot be; the
//                            route above shows how far it is. To be repeated at will.
// Whoever reaches the listener may do all of it.
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
void AddAdminRoutes(HttpServer& server, Broker& broker, Metrics& metrics);

// Ok once the broker belongs to a cluster that has it registered and has a controller.
absl::Status BrokerIsReady(const Broker& broker);

void CollectBrokerMetrics(const Broker& broker, MetricSink& sink);

}  // namespace garam
