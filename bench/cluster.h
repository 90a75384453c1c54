// Questions to a cluster that may block: what is there before and after a measurement.
//
// Threads: any; every call opens connections of its own.
// Errors:  the last broker's, when none of the bootstrap list answers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "bench/requests.h"
#include "common/status.h"

namespace garam::bench {

// "host:port,host:port".
absl::StatusOr<std::vector<Endpoint>> ParseBootstrap(std::string_view list);

// Sends one frame and waits for its answer's body.
absl::StatusOr<std::string> Call(const Endpoint& endpoint, std::string frame, int64_t timeout_ms);

// The cluster as the first broker of `bootstrap` that answers sees it; every topic when empty.
absl::StatusOr<ClusterState> Describe(const std::vector<Endpoint>& bootstrap,
                                      std::string_view topic);

// Makes the topic, unless it is there, and waits until every broker of the cluster reports a leader
// and a full ISR for each partition.
absl::Status CreateTopic(const std::vector<Endpoint>& bootstrap, const CreateTopicSpec& spec,
                         int64_t timeout_ms);

absl::Status DeleteTopic(const std::vector<Endpoint>& bootstrap, std::string_view topic,
                         int64_t timeout_ms);

// Waits until each broker of `bootstrap` answers, lists `brokers` brokers and knows a controller.
absl::Status WaitReady(const std::vector<Endpoint>& bootstrap, size_t brokers, int64_t timeout_ms);

// The topic's state, with a leader for every partition.
absl::StatusOr<ClusterState> DescribeReady(const std::vector<Endpoint>& bootstrap,
                                           std::string_view topic);

}  // namespace garam::bench
