#include "broker/batch_cache.h"

#include <gtest/gtest.h>

namespace garam {
namespace {

Bytes Batch(size_t size) { return Bytes::Copy(std::string(size, 'x')); }

TEST(BatchCacheTest, ReadsWholeBatchesFromTheOneThatHoldsTheOffset) {
  BatchCache cache(1000);
  PartitionTail tail(cache);
  tail.Add(Offset(0), Offset(10), Batch(100));
  tail.Add(Offset(10), Offset(12), Batch(50));
  tail.Add(Offset(12), Offset(13), Batch(25));
  size_t bytes = 0;
  EXPECT_EQ(tail.Read(Offset(11), Offset(13), 1000, true, &bytes).size(), 2u);
  EXPECT_EQ(bytes, 75u);
  bytes = 0;
  EXPECT_EQ(tail.Read(Offset(5), Offset(12), 120, true, &bytes).size(), 1u);
  EXPECT_EQ(tail.Read(Offset(5), Offset(12), 10, true, &bytes).size(), 1u);
  EXPECT_EQ(tail.Read(Offset(5), Offset(12), 10, false, &bytes).size(), 0u);
}

TEST(BatchCacheTest, NeverReturnsABatchThatEndsAboveTheLimit) {
  BatchCache cache(1000);
  PartitionTail tail(cache);
  tail.Add(Offset(0), Offset(10), Batch(100));
  size_t bytes = 0;
  EXPECT_TRUE(tail.Read(Offset(0), Offset(9), 1000, true, &bytes).empty());
}

TEST(BatchCacheTest, TheOldestBatchOfAnyPartitionGoesFirst) {
  BatchCache cache(250);
  PartitionTail a(cache);
  PartitionTail b(cache);
  a.Add(Offset(0), Offset(1), Batch(100));
  b.Add(Offset(0), Offset(1), Batch(100));
  b.Add(Offset(1), Offset(2), Batch(100));
  EXPECT_FALSE(a.Covers(Offset(0)));
  EXPECT_TRUE(b.Covers(Offset(0)));
  EXPECT_EQ(cache.bytes(), 200u);
}

TEST(BatchCacheTest, TruncationAndGapsDropWhatIsNoLongerTrue) {
  BatchCache cache(1000);
  PartitionTail tail(cache);
  tail.Add(Offset(0), Offset(1), Batch(100));
  tail.Add(Offset(1), Offset(2), Batch(100));
  tail.TruncateTo(Offset(1));
  EXPECT_FALSE(tail.Covers(Offset(1)));
  tail.Add(Offset(5), Offset(6), Batch(10));
  EXPECT_FALSE(tail.Covers(Offset(0)));
  EXPECT_TRUE(tail.Covers(Offset(5)));
  EXPECT_EQ(cache.bytes(), 10u);
}

TEST(BatchCacheTest, ADeletedPartitionLeavesNothingBehind) {
  BatchCache cache(150);
  {
    PartitionTail gone(cache);
    gone.Add(Offset(0), Offset(1), Batch(100));
  }
  EXPECT_EQ(cache.bytes(), 0u);
  PartitionTail tail(cache);
  tail.Add(Offset(0), Offset(1), Batch(100));
  tail.Add(Offset(1), Offset(2), Batch(100));
  EXPECT_EQ(cache.bytes(), 100u);
}

}  // namespace
}  // namespace garam
