// Which partition of __consumer_offsets coordinates a group: clients compute it too, so it is
// Kafka's rule, Java's String.hashCode over the name.
#pragma once

#include <cstdint>
#include <string_view>

namespace garam {

// `partitions` > 0. A name that is not UTF-8 gets some partition, always the same.
int32_t GroupPartition(std::string_view group, int32_t partitions);

}  // namespace garam
