// What a Raft member must not forget: one atomic record, synced before anything it promises leaves.
#pragma once

#include "common/ids.h"

namespace garam {

struct HardState {
  Term term;
  NodeId voted_for = kNoNode;     // Nobody yet in this term: kNoNode.
  Incarnation voted_incarnation;  // The incarnation of voted_for.

  friend bool operator==(const HardState&, const HardState&) = default;
};

}  // namespace garam
