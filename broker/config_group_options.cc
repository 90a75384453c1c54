// The table of group settings.
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

}  // namespace

std::span<const ConfigOption> GroupOptions() { return kOptions; }

}  // namespace garam
