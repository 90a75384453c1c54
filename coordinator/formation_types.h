// Who a node is, and what nodes tell each other before they belong to a cluster (D18, D19).
#pragma once

#include <string>
#include <vector>

#include "common/ids.h"

namespace garam {

// Who a process is. `incarnation` changes with the data folder, `start_id` with every start.
struct NodeIdentity {
  NodeId node{};
  Incarnation incarnation{};
  StartId start_id{};
  std::string cluster_id{};  // Empty while blank: no cluster has been formed or joined.
};

// Formation (D19): what a node tells of itself before it belongs to a cluster.
struct FormationVoter {
  NodeId node{};
  Incarnation incarnation{};
  std::string control_address{};
  friend bool operator==(const FormationVoter&, const FormationVoter&) = default;
};
struct FormationProposal {
  std::string cluster_id{};
  std::vector<FormationVoter> voters{};
  friend bool operator==(const FormationProposal&, const FormationProposal&) = default;
};
struct FormationStatus {
  NodeIdentity self{};
  bool blank = true;             // Holds no proposal and belongs to no cluster.
  FormationProposal proposal{};  // Empty when blank.
};

}  // namespace garam
