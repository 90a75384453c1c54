// Tells of refused peers once: a peer that does not belong here tries again, twice a second, for as
// long as it runs.
//
// Threads: any.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "common/clock.h"
#include "common/ids.h"

namespace garam {

class RefusalLog {
 public:
  // Logs "refusing `what` of broker `peer`: why", unless it did so, with this reason, in the last
  // minute.
  void Refused(std::string_view what, NodeId peer, const absl::Status& why);

 private:
  struct Last {
    std::string reason;
    MonoTime when;
  };
  std::mutex mutex_;
  std::map<NodeId, Last> last_;  // Guarded by mutex_. Few: the ids are a stranger's claim.
};

}  // namespace garam
