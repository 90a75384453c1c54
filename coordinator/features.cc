#include "coordinator/features.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "coordinator/metadata_codec.h"

namespace garam {
namespace {

constexpr int16_t kMetadataVersionMin = 7;   // 3.3-IV3
constexpr int16_t kMetadataVersionMax = 30;  // 4.3-IV0

constexpr std::array kFeatures = {
    Feature{kGroupVersionFeature, 0, 1, 1},
    Feature{kMetadataVersionFeature, kMetadataVersionMin, kMetadataVersionMax, kMetadataVersionMax},
};

// Kafka's names of the levels of metadata.version, and which of them changed what its metadata
// holds: it goes back below none of those.
struct MetadataVersion {
  std::string_view name;
  bool changed_metadata;
};
constexpr std::array kMetadataVersions = {
    MetadataVersion{"3.3-IV3", true},  MetadataVersion{"3.4-IV0", true},
    MetadataVersion{"3.5-IV0", false}, MetadataVersion{"3.5-IV1", false},
    MetadataVersion{"3.5-IV2", true},  MetadataVersion{"3.6-IV0", false},
    MetadataVersion{"3.6-IV1", true},  MetadataVersion{"3.6-IV2", true},
    MetadataVersion{"3.7-IV0", true},  MetadataVersion{"3.7-IV1", false},
    MetadataVersion{"3.7-IV2", true},  MetadataVersion{"3.7-IV3", false},
    MetadataVersion{"3.7-IV4", false}, MetadataVersion{"3.8-IV0", false},
    MetadataVersion{"3.9-IV0", false}, MetadataVersion{"4.0-IV0", false},
    MetadataVersion{"4.0-IV1", true},  MetadataVersion{"4.0-IV2", false},
    MetadataVersion{"4.0-IV3", false}, MetadataVersion{"4.1-IV0", false},
    MetadataVersion{"4.1-IV1", false}, MetadataVersion{"4.2-IV0", false},
    MetadataVersion{"4.2-IV1", false}, MetadataVersion{"4.3-IV0", true},
};
static_assert(kMetadataVersions.size() == kMetadataVersionMax - kMetadataVersionMin + 1);

const MetadataVersion& VersionOf(int16_t level) {
  return kMetadataVersions[static_cast<size_t>(level - kMetadataVersionMin)];
}

const Feature* Find(std::string_view name) {
  const auto found = std::find_if(kFeatures.begin(), kFeatures.end(),
                                  [&](const Feature& feature) { return feature.name == name; });
  return found == kFeatures.end() ? nullptr : found;
}

absl::Status Refused(const FeatureUpdate& update, std::string_view why) {
  return MakeError(Errc::kInvalidUpdateVersion,
                   absl::StrCat("Invalid update version ", update.level, " for feature ",
                                update.name, ". ", std::string(why)));
}

absl::Status CheckMetadataDowngrade(const FeatureUpdate& update, int16_t current) {
  current = std::clamp(current, kMetadataVersionMin, kMetadataVersionMax);
  for (int16_t level = current; level > update.level; --level) {
    if (!VersionOf(level).changed_metadata) continue;
    return MakeError(
        Errc::kInvalidUpdateVersion,
        absl::StrCat("Unsupported metadata.version downgrade from ",
                     std::string(VersionOf(current).name), " to ",
                     std::string(VersionOf(update.level).name), ". ",
                     update.kind == FeatureUpdateKind::kUnsafeDowngrade
                         ? "Unsafe metadata downgrade is not supported in this version."
                         : "Refusing to perform the requested downgrade because it might delete "
                           "metadata information."));
  }
  return absl::OkStatus();
}

absl::Status Check(const FeatureUpdate& update, int16_t current) {
  if (update.level < 0) return Refused(update, "A feature version cannot be less than 0.");
  const Feature* feature = Find(update.name);
  if (feature == nullptr) return Refused(update, "This cluster does not support this feature.");
  // Level 0 takes a feature out of force, which metadata.version cannot be.
  if (update.level < feature->min || update.level > feature->max) {
    return Refused(update, absl::StrCat("This cluster only supports versions ", feature->min, "-",
                                        feature->max));
  }
  if (update.level < current && update.kind == FeatureUpdateKind::kUpgrade) {
    return Refused(update,
                   "Can't downgrade the version of this feature without setting the upgrade type "
                   "to either safe or unsafe downgrade.");
  }
  if (update.level > current && update.kind != FeatureUpdateKind::kUpgrade) {
    return Refused(update, "Can't downgrade to a newer version.");
  }
  if (update.name != kMetadataVersionFeature) return absl::OkStatus();
  return CheckMetadataDowngrade(update, current);
}

}  // namespace

std::span<const Feature> SupportedFeatures() { return kFeatures; }

int16_t FeatureLevelOf(const MetadataImage& image, std::string_view name) {
  const auto set = image.feature_levels().find(std::string(name));
  if (set != image.feature_levels().end()) return set->second;
  const Feature* feature = Find(name);
  return feature == nullptr ? int16_t{0} : feature->unset;
}

absl::StatusOr<std::string> PlanFeatureUpdates(const MetadataImage& image,
                                               const std::vector<FeatureUpdate>& updates) {
  metadata::Command command = NewCommand();
  metadata::SetFeatureLevels& set = *command.mutable_set_feature_levels();
  std::set<std::string_view> named;
  for (const FeatureUpdate& update : updates) {
    if (!named.insert(update.name).second) {
      return MakeError(Errc::kInvalidRequest,
                       absl::StrCat("The feature ", update.name, " is named twice."));
    }
    const int16_t current = FeatureLevelOf(image, update.name);
    RETURN_IF_ERROR(Check(update, current));
    if (update.level == current) continue;
    metadata::FeatureLevel& feature = *set.add_features();
    feature.set_name(update.name);
    feature.set_level(update.level);
  }
  if (set.features().empty()) return std::string();
  return command.SerializeAsString();
}

}  // namespace garam
