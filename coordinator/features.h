// Features of the cluster with a level each (KIP-584): which this build has, which level is in
// force, and what the controller makes of a request to change them. Pure.
//
// Threads: any. Errors: Errc in Status, with the messages that Kafka's users know.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "common/ids.h"
#include "coordinator/metadata_image.h"

namespace garam {

struct Feature {
  std::string_view name;
  int16_t min = 0;
  int16_t max = 0;
  // In force while the metadata names none. Fixed for good: clusters of older builds rely on it.
  int16_t unset = 0;
};

inline constexpr std::string_view kMetadataVersionFeature = "metadata.version";
inline constexpr std::string_view kGroupVersionFeature = "group.version";

// What this build has, by name.
std::span<const Feature> SupportedFeatures();

// The level in force; 0: none.
int16_t FeatureLevelOf(const MetadataImage& image, std::string_view name);

// The numbers are Kafka's.
enum class FeatureUpdateKind : int8_t { kUpgrade = 1, kSafeDowngrade = 2, kUnsafeDowngrade = 3 };

struct FeatureUpdate {
  std::string name{};
  int16_t level = 0;
  FeatureUpdateKind kind = FeatureUpdateKind::kUpgrade;
  friend bool operator==(const FeatureUpdate&, const FeatureUpdate&) = default;
};

// The command that makes all of them, or none: the first that cannot be is the error
// (kInvalidUpdateVersion). Empty when all is so already.
absl::StatusOr<std::string> PlanFeatureUpdates(const MetadataImage& image,
                                               const std::vector<FeatureUpdate>& updates);

}  // namespace garam
