// When a voter of group 0 has been away for so long that another broker is to vote in its place
// (D20): the controller's decision. Whoever comes back later learns like any other broker.
//
// Threads: one at a time. Pure: who is alive, and the time, are passed in.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "common/clock.h"
#include "common/ids.h"
#include "coordinator/metadata_image.h"

namespace garam {

class VoterWatch {
 public:
  explicit VoterWatch(Duration dead_max) : dead_max_(dead_max) {}

  // Looks at the voters; call it every second or so. The command that gives the vote of one that
  // has not been seen alive for `dead_max` to the live broker with the lowest id that has none;
  // nothing while all is well or nobody can take it. `live` is who the controller sees.
  std::optional<std::string> Look(const MetadataImage& image, const std::set<NodeId>& live,
                                  MonoTime now);
  // Another controller has looked meanwhile: what was seen before is forgotten.
  void Reset() { dead_since_.clear(); }

 private:
  const Duration dead_max_;
  std::map<NodeId, MonoTime> dead_since_;  // Voters that are not alive.
};

}  // namespace garam
