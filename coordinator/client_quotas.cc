#include "coordinator/client_quotas.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "coordinator/metadata_codec.h"

namespace garam {
namespace {

constexpr size_t kNameCharactersMax = 1024;
// Above it a value is not that of one whole number any more.
constexpr double kFractionMax = 1e-6;

struct QuotaKey {
  std::string_view name;
  bool of_ip = false;
  bool whole = false;
  double max = std::numeric_limits<double>::max();
  std::string_view type{};
};
constexpr std::array kKeys = {
    QuotaKey{kProducerByteRate, false, true, 9223372036854775807.0, "a LONG"},
    QuotaKey{kConsumerByteRate, false, true, 9223372036854775807.0, "a LONG"},
    QuotaKey{kRequestPercentage},
    QuotaKey{kControllerMutationRate},
    QuotaKey{kConnectionCreationRate, true, true, 2147483647.0, "an INT"},
};

absl::Status Refused(std::string_view why) { return MakeError(Errc::kInvalidRequest, why); }

bool IsType(std::string_view type) {
  return type == kQuotaUser || type == kQuotaClientId || type == kQuotaIp;
}

bool IsAddress(const std::string& text) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return inet_pton(AF_INET, text.c_str(), address.data()) == 1 ||
         inet_pton(AF_INET6, text.c_str(), address.data()) == 1;
}

absl::StatusOr<QuotaEntity> EntityOf(const QuotaChange& change) {
  if (change.entity.empty()) return Refused("Invalid empty client quota entity");
  QuotaEntity entity;
  for (const auto& [type, name] : change.entity) {
    if (!entity.emplace(type, name).second) {
      return Refused(absl::StrCat("Invalid client quota entity, duplicate entity entry ", type));
    }
    if (!IsType(type)) return Refused(absl::StrCat("Unhandled client quota entity type: ", type));
    if (!name.has_value()) continue;
    if (name->empty()) return Refused(absl::StrCat("Empty ", type, " not supported"));
    if (name->size() > kNameCharactersMax) {
      return Refused(absl::StrCat("The name of a ", type, " has at most ", kNameCharactersMax,
                                  " characters here."));
    }
  }
  const auto ip = entity.find(std::string(kQuotaIp));
  if (ip == entity.end()) return entity;
  if (entity.size() > 1) {
    return Refused(
        "Invalid quota entity combination, IP entity should not be combined with User or ClientId");
  }
  if (ip->second.has_value() && !IsAddress(*ip->second)) {
    return Refused(
        absl::StrCat(*ip->second, " is not a valid IP or resolvable host: write its address."));
  }
  return entity;
}

absl::Status CheckValue(bool of_ip, const QuotaOp& op) {
  const auto key = std::find_if(kKeys.begin(), kKeys.end(), [&](const QuotaKey& each) {
    return each.name == op.key && each.of_ip == of_ip;
  });
  if (key == kKeys.end()) return Refused(absl::StrCat("Invalid configuration key ", op.key));
  if (!op.value.has_value()) return absl::OkStatus();
  // Also what is no number at all.
  if (!(*op.value > 0)) return Refused(absl::StrCat("Quota ", op.key, " must be greater than 0"));
  if (*op.value > key->max) {
    return Refused(absl::StrCat("Proposed value for ", op.key, " is too large for ",
                                std::string(key->type), "."));
  }
  if (key->whole && std::abs(*op.value - std::round(*op.value)) > kFractionMax) {
    return Refused(absl::StrCat(op.key, " cannot be a fractional value."));
  }
  return absl::OkStatus();
}

absl::Status CheckMatches(const std::vector<QuotaMatch>& matches) {
  std::set<std::string_view> types;
  for (const QuotaMatch& match : matches) {
    if (match.type.empty()) return Refused("Invalid empty entity type.");
    if (!types.insert(match.type).second) {
      return Refused(
          absl::StrCat("Entity type ", match.type, " cannot appear more than once in the filter."));
    }
    if (!IsType(match.type)) {
      return MakeError(Errc::kUnsupportedVersion,
                       absl::StrCat("Unsupported entity type ", match.type));
    }
  }
  if (types.contains(kQuotaIp) && types.size() > 1) {
    return Refused(
        "Invalid entity filter component combination. IP filter component should not be used with "
        "user or clientId filter component.");
  }
  return absl::OkStatus();
}

bool Matches(const QuotaEntity& entity, const QuotaMatch& match) {
  const auto found = entity.find(match.type);
  if (found == entity.end()) return false;
  switch (match.kind) {
    case QuotaMatch::Kind::kExact:
      return found->second == match.name;
    case QuotaMatch::Kind::kDefault:
      return !found->second.has_value();
    case QuotaMatch::Kind::kAny:
      return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::string> PlanQuotaChange(const MetadataImage& image, const QuotaChange& change) {
  ASSIGN_OR_RETURN(const QuotaEntity entity, EntityOf(change));
  const bool of_ip = entity.contains(std::string(kQuotaIp));
  const auto known = image.client_quotas()->find(entity);
  const QuotaValues before = known == image.client_quotas()->end() ? QuotaValues() : known->second;
  QuotaValues after = before;
  std::set<std::string_view> keys;
  for (const QuotaOp& op : change.ops) {
    if (!keys.insert(op.key).second) {
      return Refused(
          absl::StrCat("Duplicate quota key ", op.key, " not updating quota for this entity"));
    }
    RETURN_IF_ERROR(CheckValue(of_ip, op));
    if (op.value.has_value()) {
      after[op.key] = *op.value;
    } else {
      after.erase(op.key);
    }
  }
  if (after == before) return std::string();
  metadata::Command command = NewCommand();
  *command.mutable_set_client_quotas() = ToProto(entity, after);
  return command.SerializeAsString();
}

absl::StatusOr<std::vector<std::pair<QuotaEntity, QuotaValues>>> FindQuotas(
    const MetadataImage& image, const std::vector<QuotaMatch>& matches, bool strict) {
  RETURN_IF_ERROR(CheckMatches(matches));
  std::vector<std::pair<QuotaEntity, QuotaValues>> found;
  for (const auto& [entity, values] : *image.client_quotas()) {
    if (strict && entity.size() != matches.size()) continue;
    if (std::all_of(matches.begin(), matches.end(),
                    [&e = entity](const QuotaMatch& match) { return Matches(e, match); })) {
      found.emplace_back(entity, values);
    }
  }
  return found;
}

}  // namespace garam
