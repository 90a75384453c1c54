#include "storage/compaction/offset_map.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace garam::storage {
namespace {

// The first of the vectors that the authors of SipHash publish: key 00 01 … 0f, input of no byte,
// of one byte 00.
TEST(KeyHashTest, IsSipHashOf128Bits) {
  const HashSecret secret{0x0706050403020100, 0x0f0e0d0c0b0a0908};
  EXPECT_EQ(HashKey(secret, ""), (KeyHash{0xe6a825ba047f81a3, 0x930255c71472f66d}));
  EXPECT_EQ(HashKey(secret, std::string_view("\0", 1)),
            (KeyHash{0x44af996bd8c187da, 0x45fc229b11597634}));
}

TEST(OffsetMapTest, KeepsTheLatestOffsetOfEachKey) {
  OffsetMap map(1 << 20, 1000, {1, 2});
  for (int64_t i = 0; i < 3000; ++i) {
    ASSERT_TRUE(map.Put(absl::StrCat("key", i % 1000), Offset(i)));
  }
  EXPECT_EQ(map.size(), 1000U);
  for (int64_t i = 0; i < 1000; ++i) {
    EXPECT_EQ(map.Find(absl::StrCat("key", i)), Offset(2000 + i));
  }
  EXPECT_EQ(map.Find("another"), std::nullopt);
}

TEST(OffsetMapTest, TakesNoNewKeyWhenItIsFullButGoesOnWithKnownOnes) {
  OffsetMap map(24 * 100, 1'000'000, {1, 2});
  EXPECT_LE(map.memory_bytes(), 24U * 100);
  ASSERT_EQ(map.capacity(), 90U);
  for (int64_t i = 0; i < 90; ++i) ASSERT_TRUE(map.Put(absl::StrCat(i), Offset(i)));
  EXPECT_FALSE(map.Put("one more", Offset(90)));
  EXPECT_TRUE(map.Put("7", Offset(91)));
  EXPECT_EQ(map.Find("7"), Offset(91));
  EXPECT_EQ(map.Find("one more"), std::nullopt);
}

TEST(OffsetMapTest, IsNoLargerThanItsKeysNeedAndHasRoomForOneAtLeast) {
  EXPECT_LE(OffsetMap(128 << 20, 10, {1, 2}).memory_bytes(), 24U * 20);
  EXPECT_GE(OffsetMap(128 << 20, 10, {1, 2}).capacity(), 10U);
  EXPECT_GE(OffsetMap(128 << 20, 9, {1, 2}).capacity(), 9U);
  EXPECT_GE(OffsetMap(128 << 20, 1000, {1, 2}).capacity(), 1000U);
  EXPECT_TRUE(OffsetMap(0, 0, {1, 2}).Put("key", Offset(1)));
}

}  // namespace
}  // namespace garam::storage
