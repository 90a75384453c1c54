#include "common/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace garam {
namespace {

TEST(Crc32cTest, MatchesTheCheckValueOfRfc3720) {
  EXPECT_EQ(Crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8A9136AAu);
}

TEST(Crc32cTest, ContinuesFromASeed) {
  EXPECT_EQ(Crc32c("56789", Crc32c("1234")), Crc32c("123456789"));
  EXPECT_EQ(Crc32c(""), 0u);
}

}  // namespace
}  // namespace garam
