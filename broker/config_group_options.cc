// The tables of what is set for groups, and for subscriptions to the metrics of clients.
#include <array>

#include "broker/config_registry.h"

namespace garam {
namespace {

using enum ConfigType;

constexpr std::array kOptions = {
    ConfigOption{"consumer.assignment.interval.ms", kInt, "1000",
                 "The shortest time between two assignments of a group", 0},
    ConfigOption{"consumer.heartbeat.interval.ms", kInt, "5000",
                 "How often a member of a consumer group says that it is there", 1},
    ConfigOption{"consumer.session.timeout.ms", kInt, "45000",
                 "The silence after which a member of a consumer group counts as gone", 1},
};

// Nobody here receives such metrics, so clients are never asked for any.
constexpr std::array kClientMetricsOptions = {
    ConfigOption{"interval.ms", kInt, "300000", "How often a client sends its metrics", 100,
                 3600000},
    ConfigOption{"match", kList, "", "Which clients it is for, as name=pattern"},
    ConfigOption{"metrics", kList, "", "Prefixes of the names of metrics; *: all of them"},
};

}  // namespace

std::span<const ConfigOption> GroupOptions() { return kOptions; }

std::span<const ConfigOption> ClientMetricsOptions() { return kClientMetricsOptions; }

}  // namespace garam
