// What is set for one consumer group (KIP-848), over what the broker has for all.
//
// Threads: any; a pure function.
#pragma once

#include <string_view>

#include "coordinator/groups/group_types.h"
#include "coordinator/metadata_image.h"

namespace garam {

ConsumerTimes TimesOf(const MetadataImage& image, std::string_view group, ConsumerTimes unset);

}  // namespace garam
