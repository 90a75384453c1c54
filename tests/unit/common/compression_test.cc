#include "common/compression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <lz4frame.h>

#include "common/status.h"

namespace garam {
namespace {

constexpr Compression kAll[] = {Compression::kGzip, Compression::kSnappy, Compression::kLz4,
                                Compression::kZstd};

std::string SomeText(size_t bytes) {
  std::string text;
  for (int i = 0; text.size() < bytes; ++i) text += "line " + std::to_string(i * 7919) + "\n";
  text.resize(bytes);
  return text;
}

TEST(CompressionTest, GivesBackWhatWasPacked) {
  for (const Compression codec : kAll) {
    for (const size_t size : {size_t{0}, size_t{1}, size_t{1000}, size_t{300'000}}) {
      const std::string text = SomeText(size);
      const absl::StatusOr<std::string> back = Decompress(codec, Compress(codec, text), 1 << 20);
      ASSERT_TRUE(back.ok()) << static_cast<int>(codec) << " " << size << back.status();
      EXPECT_EQ(*back, text);
    }
  }
}

TEST(CompressionTest, ReadsSnappyWithoutFrames) {
  const std::string text = SomeText(100'000);
  EXPECT_EQ(*Decompress(Compression::kSnappy, CompressSnappyRaw(text), 1 << 20), text);
}

TEST(CompressionTest, ReadsSnappyStreamsThatFollowEachOther) {
  const std::string two =
      Compress(Compression::kSnappy, "one ") + Compress(Compression::kSnappy, "two");
  EXPECT_EQ(*Decompress(Compression::kSnappy, two, 100), "one two");
}

TEST(CompressionTest, ReadsGzipMembersThatFollowEachOther) {
  const std::string two =
      Compress(Compression::kGzip, "one ") + Compress(Compression::kGzip, "two");
  EXPECT_EQ(*Decompress(Compression::kGzip, two, 100), "one two");
}

TEST(CompressionTest, StopsAtTheLimit) {
  const std::string zeros(1 << 20, '\0');
  for (const Compression codec : kAll) {
    const std::string packed = Compress(codec, zeros);
    EXPECT_EQ(ErrcOf(Decompress(codec, packed, (1 << 20) - 1).status()), Errc::kRecordTooLarge)
        << static_cast<int>(codec);
    EXPECT_TRUE(Decompress(codec, packed, 1 << 20).ok()) << static_cast<int>(codec);
  }
}

TEST(CompressionTest, RefusesTornInput) {
  for (const Compression codec : kAll) {
    const std::string packed = Compress(codec, SomeText(5000));
    for (size_t size = 0; size < packed.size(); size += size < 64 ? 1 : 97) {
      // A snappy stream may end after any whole frame, its header included.
      if (codec == Compression::kSnappy && size == 16) continue;
      EXPECT_EQ(ErrcOf(Decompress(codec, packed.substr(0, size), 1 << 20).status()),
                Errc::kCorruptRecord)
          << static_cast<int>(codec) << " cut to " << size;
    }
  }
}

TEST(CompressionTest, SurvivesAnyFlippedByte) {
  for (const Compression codec : kAll) {
    const std::string packed = Compress(codec, SomeText(3000));
    for (size_t at = 0; at < packed.size(); ++at) {
      std::string flipped = packed;
      flipped[at] = static_cast<char>(flipped[at] ^ 0xff);
      (void)Decompress(codec, flipped, 1 << 20);
    }
  }
}

TEST(CompressionTest, BelievesNoLengthThatSnappyClaims) {
  const std::string claims_4_gib =
      "\xff\xff\xff\xff\x0f"
      "abc";
  EXPECT_EQ(ErrcOf(Decompress(Compression::kSnappy, claims_4_gib, size_t{1} << 40).status()),
            Errc::kCorruptRecord);
}

}  // namespace
}  // namespace garam
