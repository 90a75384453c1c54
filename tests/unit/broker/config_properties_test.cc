#include "broker/config_properties.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/status.h"

namespace garam {
namespace {

using testing::ElementsAre;
using testing::Pair;

std::vector<std::pair<std::string, std::string>> Parse(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> pairs;
  const auto properties = ParseProperties(text);
  EXPECT_TRUE(properties.ok()) << properties.status();
  for (const Property& property : *properties) pairs.emplace_back(property.key, property.value);
  return pairs;
}

TEST(ConfigPropertiesTest, SeparatorsAreEqualsColonAndBlank) {
  EXPECT_THAT(
      Parse("a=1\nb: 2\nc 3\n d = 4 \ne"),
      ElementsAre(Pair("a", "1"), Pair("b", "2"), Pair("c", "3"), Pair("d", "4 "), Pair("e", "")));
}

TEST(ConfigPropertiesTest, CommentsAndEmptyLinesAreSkipped) {
  EXPECT_THAT(Parse("# one\n\n  ! two\r\na=1\r\n#"), ElementsAre(Pair("a", "1")));
}

TEST(ConfigPropertiesTest, AValueMayHoldSeparators) {
  EXPECT_THAT(Parse("listeners=PLAINTEXT://h:1,B://h:2"),
              ElementsAre(Pair("listeners", "PLAINTEXT://h:1,B://h:2")));
}

TEST(ConfigPropertiesTest, ABackslashContinuesTheLine) {
  EXPECT_THAT(Parse("a=1,\\\n   2\nb=3\\"), ElementsAre(Pair("a", "1,2"), Pair("b", "3")));
}

TEST(ConfigPropertiesTest, EscapesAreUndone) {
  EXPECT_THAT(Parse("a\\=b=c\\td\\u00e9\\\\"), ElementsAre(Pair("a=b", "c\td\xc3\xa9\\")));
}

TEST(ConfigPropertiesTest, ABrokenEscapeIsNamedByItsLine) {
  const auto broken = ParseProperties("a=1\nb=\\u12\n");
  ASSERT_FALSE(broken.ok());
  EXPECT_THAT(std::string(broken.status().message()), testing::HasSubstr("line 2"));
}

TEST(ConfigPropertiesTest, LinesAreCountedFromOne) {
  const auto properties = ParseProperties("# x\na=1\\\n2\nb=2");
  EXPECT_EQ((*properties)[0].line, 2);
  EXPECT_EQ((*properties)[1].line, 4);
}

}  // namespace
}  // namespace garam
