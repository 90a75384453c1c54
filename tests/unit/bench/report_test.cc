#include "bench/report.h"

#include <gtest/gtest.h>

namespace garam::bench {
namespace {

TEST(ReportTest, FieldsStandInTheOrderTheyWereAdded) {
  JsonObject json;
  json.Add("b", int64_t{1});
  json.Add("a", 2.5);
  json.AddRaw("list", JsonArray({"1", "2"}));
  EXPECT_EQ(json.Text(), R"({"b":1,"a":2.5,"list":[1,2]})");
}

TEST(ReportTest, TextIsEscaped) {
  JsonObject json;
  json.Add("text", "say \"hi\" \\ \n");
  EXPECT_EQ(json.Text(), R"({"text":"say \"hi\" \\  "})");
}

}  // namespace
}  // namespace garam::bench
