#include "common/uuid.h"

#include <gtest/gtest.h>

namespace garam {
namespace {

TEST(UuidTest, PrintsAsUrlSafeBase64WithoutPadding) {
  Uuid id;
  id.bytes.fill(0xff);
  EXPECT_EQ(id.ToString(), "_____________________w");
  EXPECT_EQ(Uuid{}.ToString(), "AAAAAAAAAAAAAAAAAAAAAA");
}

TEST(UuidTest, ParsesWhatItPrints) {
  SeededRandom random(7);
  Uuid id = Uuid::Generate(random);
  EXPECT_FALSE(id.IsZero());
  EXPECT_EQ(Uuid::Parse(id.ToString()), id);
  EXPECT_EQ(Uuid::Parse("too short"), std::nullopt);
  EXPECT_EQ(Uuid::Parse("!!!!!!!!!!!!!!!!!!!!!!"), std::nullopt);
}

}  // namespace
}  // namespace garam
