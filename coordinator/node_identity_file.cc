#include "coordinator/node_identity_file.h"

#include <charconv>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/crc32c.h"
#include "common/status.h"

namespace garam {
namespace {

constexpr int kVersion = 1;
constexpr char kVoterPrefix[] = "voter.";
constexpr char kChecksum[] = "crc32c=";

absl::Status Damaged(std::string_view what) {
  return MakeError(Errc::kStorage, absl::StrCat("the identity file ", kNodeIdentityFile,
                                                " is damaged: ", std::string(what)));
}

std::string Hex(uint64_t value) { return absl::StrCat(absl::Hex(value, absl::kZeroPad16)); }

template <class Number>
bool ParseNumber(std::string_view text, int base, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

bool ParseVoter(std::string_view key, std::string_view value, FormationVoter& voter) {
  const size_t at = value.find('@');
  int32_t node = 0;
  uint64_t incarnation = 0;
  if (at == std::string_view::npos ||
      !ParseNumber(key.substr(sizeof(kVoterPrefix) - 1), 10, node) ||
      !ParseNumber(value.substr(0, at), 16, incarnation)) {
    return false;
  }
  voter = {.node = NodeId(node),
           .incarnation = Incarnation(incarnation),
           .control_address = std::string(value.substr(at + 1))};
  return true;
}

// The lines before the checksum, once that is right.
absl::StatusOr<std::string_view> Checked(std::string_view text) {
  const size_t at = text.rfind(kChecksum);
  if (at == std::string_view::npos || text.empty() || text.back() != '\n') {
    return Damaged("it has no checksum");
  }
  const size_t from = at + sizeof(kChecksum) - 1;
  uint32_t stored = 0;
  if (!ParseNumber(text.substr(from, text.size() - from - 1), 16, stored) ||
      stored != Crc32c(text.substr(0, at))) {
    return Damaged("its checksum does not match");
  }
  return text.substr(0, at);
}

absl::Status TakeLine(std::string_view key, std::string_view value, StoredIdentity& identity,
                      FormationProposal& proposal) {
  int32_t node = 0;
  uint64_t incarnation = 0;
  if (key == "node.id" && ParseNumber(value, 10, node)) {
    identity.node = NodeId(node);
  } else if (key == "incarnation" && ParseNumber(value, 16, incarnation)) {
    identity.incarnation = Incarnation(incarnation);
  } else if (key == "cluster.id") {
    proposal.cluster_id = std::string(value);
  } else if (key.starts_with(kVoterPrefix) &&
             ParseVoter(key, value, proposal.voters.emplace_back())) {
    return absl::OkStatus();
  } else {
    return Damaged(absl::StrCat("line ", std::string(key), "=", std::string(value)));
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodeNodeIdentity(const StoredIdentity& identity) {
  std::string text = absl::StrCat(
      "# Who this broker is. Never edit it, never copy it to another node.\nversion=", kVersion,
      "\nnode.id=", identity.node.value(), "\nincarnation=", Hex(identity.incarnation.value()),
      "\n");
  if (identity.proposal.has_value()) {
    absl::StrAppend(&text, "cluster.id=", identity.proposal->cluster_id, "\n");
    for (const FormationVoter& voter : identity.proposal->voters) {
      absl::StrAppend(&text, kVoterPrefix, voter.node.value(), "=", Hex(voter.incarnation.value()),
                      "@", voter.control_address, "\n");
    }
  }
  absl::StrAppend(&text, kChecksum, absl::Hex(Crc32c(text), absl::kZeroPad8), "\n");
  return text;
}

absl::StatusOr<StoredIdentity> DecodeNodeIdentity(std::string_view text) {
  ASSIGN_OR_RETURN(const std::string_view body, Checked(text));
  StoredIdentity identity{.node = kNoNode};
  FormationProposal proposal;
  int version = 0;
  for (absl::string_view line : absl::StrSplit(absl::string_view(body.data(), body.size()), '\n')) {
    if (line.empty() || line.front() == '#') continue;
    const std::pair<std::string, std::string> parts = absl::StrSplit(line, absl::MaxSplits('=', 1));
    if (parts.first == "version") {
      if (!ParseNumber(parts.second, 10, version) || version < 1) return Damaged("its version");
      if (version > kVersion) {
        return MakeError(Errc::kUnsupportedVersion,
                         absl::StrCat("the identity file is of version ", version,
                                      ", this build understands up to ", kVersion));
      }
      continue;
    }
    RETURN_IF_ERROR(TakeLine(parts.first, parts.second, identity, proposal));
  }
  if (version == 0 || identity.node == kNoNode) return Damaged("it has no version or node.id");
  if (!proposal.cluster_id.empty()) identity.proposal = std::move(proposal);
  return identity;
}

absl::Status CheckDataFolder(const StoredIdentity& stored, NodeId node, std::string_view data_dir) {
  if (stored.node == node) return absl::OkStatus();
  return MakeError(Errc::kInvalidConfig,
                   absl::StrCat("the data folder ", std::string(data_dir), " belongs to node.id ",
                                stored.node.value(), ", but this broker is configured as node.id ",
                                node.value()));
}

}  // namespace garam
