#include "coordinator/features.h"

#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using enum FeatureUpdateKind;
using ::testing::HasSubstr;

class FeaturesTest : public ClusterFixture {
 protected:
  FeaturesTest() { StartCluster(1); }

  absl::Status Update(const std::string& name, int16_t level, FeatureUpdateKind kind) {
    const auto command = PlanFeatureUpdates(*image_, {{name, level, kind}});
    if (command.ok() && !command->empty()) Apply(command);
    return command.status();
  }
  int16_t Level(std::string_view name) const { return FeatureLevelOf(*image_, name); }
};

TEST_F(FeaturesTest, AClusterThatHasSetNoneHasThoseOfItsFirstBuild) {
  EXPECT_EQ(Level("metadata.version"), 30);
  EXPECT_EQ(Level("group.version"), 1);
  EXPECT_EQ(Level("transaction.version"), 0);
}

TEST_F(FeaturesTest, ALevelGoesDownOnlyWhenThatIsAskedFor) {
  const absl::Status refused = Update("group.version", 0, kUpgrade);
  EXPECT_THAT(refused, HasErrc(Errc::kInvalidUpdateVersion));
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("Invalid update version 0 for feature group.version. Can't downgrade"));
  EXPECT_EQ(Level("group.version"), 1);
  EXPECT_TRUE(Update("group.version", 0, kSafeDowngrade).ok());
  EXPECT_EQ(Level("group.version"), 0);
}

TEST_F(FeaturesTest, ALevelGoesUpByAnUpgradeOnly) {
  EXPECT_TRUE(Update("group.version", 0, kUnsafeDowngrade).ok());
  EXPECT_THAT(Update("group.version", 1, kSafeDowngrade), HasErrc(Errc::kInvalidUpdateVersion));
  EXPECT_TRUE(Update("group.version", 1, kUpgrade).ok());
  EXPECT_EQ(Level("group.version"), 1);
}

TEST_F(FeaturesTest, LevelsThatThisBuildDoesNotHaveAreRefused) {
  EXPECT_THAT(std::string(Update("metadata.version", 31, kUpgrade).message()),
              HasSubstr("only supports versions 7-30"));
  EXPECT_THAT(std::string(Update("metadata.version", 6, kSafeDowngrade).message()),
              HasSubstr("only supports versions 7-30"));
  EXPECT_THAT(std::string(Update("kraft.version", 1, kUpgrade).message()),
              HasSubstr("does not support this feature"));
  EXPECT_THAT(std::string(Update("group.version", -1, kSafeDowngrade).message()),
              HasSubstr("cannot be less than 0"));
}

TEST_F(FeaturesTest, MetadataIsNotTakenBackBelowWhatChangedIt) {
  const absl::Status refused = Update("metadata.version", 29, kSafeDowngrade);
  EXPECT_THAT(refused, HasErrc(Errc::kInvalidUpdateVersion));
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("downgrade from 4.3-IV0 to 4.2-IV1. Refusing"));
  EXPECT_THAT(std::string(Update("metadata.version", 29, kUnsafeDowngrade).message()),
              HasSubstr("Unsafe metadata downgrade is not supported"));
}

TEST_F(FeaturesTest, AllAreUpdatedOrNone) {
  const auto plan =
      PlanFeatureUpdates(*image_, {{"group.version", 0, kSafeDowngrade}, {"none", 1, kUpgrade}});
  EXPECT_THAT(plan.status(), HasErrc(Errc::kInvalidUpdateVersion));
  const auto twice =
      PlanFeatureUpdates(*image_, {{"group.version", 1, kUpgrade}, {"group.version", 1, kUpgrade}});
  EXPECT_THAT(twice.status(), HasErrc(Errc::kInvalidRequest));
}

TEST_F(FeaturesTest, WhatIsSoAlreadyNeedsNoCommand) {
  const auto command = PlanFeatureUpdates(*image_, {{"metadata.version", 30, kUpgrade}});
  ASSERT_TRUE(command.ok());
  EXPECT_EQ(*command, "");
}

TEST_F(FeaturesTest, LevelsAreInTheSnapshot) {
  EXPECT_TRUE(Update("group.version", 0, kSafeDowngrade).ok());
  const auto copy = MetadataImage::DecodeSnapshot(image_->EncodeSnapshot());
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(FeatureLevelOf(**copy, "group.version"), 0);
  EXPECT_EQ(FeatureLevelOf(**copy, "metadata.version"), 30);
}

}  // namespace
}  // namespace garam
