// The text of the identity file in the data folder: who this node is, and the cluster that it
// belongs to. Versioned and checksummed; reading and writing the file is its owner's business.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "coordinator/formation_types.h"

namespace garam {

// The file's name in the data folder.
inline constexpr char kNodeIdentityFile[] = "node.identity";

struct StoredIdentity {
  NodeId node{};
  Incarnation incarnation{};
  std::optional<FormationProposal> proposal{};  // Unset: blank.
  friend bool operator==(const StoredIdentity&, const StoredIdentity&) = default;
};

std::string EncodeNodeIdentity(const StoredIdentity& identity);
// kStorage when the text is damaged, kUnsupportedVersion when it is of a newer format.
absl::StatusOr<StoredIdentity> DecodeNodeIdentity(std::string_view text);

// Whether a process configured as `node` may use a data folder with this identity; kInvalidConfig
// when the folder belongs to another node.
absl::Status CheckDataFolder(const StoredIdentity& stored, NodeId node, std::string_view data_dir);

}  // namespace garam
