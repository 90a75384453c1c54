#include "common/status.h"

#include <gtest/gtest.h>

namespace garam {
namespace {

TEST(StatusTest, CarriesItsErrcThroughAStatus) {
  absl::Status status = MakeError(Errc::kNotLeader, "ask broker 2");
  EXPECT_EQ(ErrcOf(status), Errc::kNotLeader);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ErrcName(ErrcOf(status)), "NotLeader");
}

TEST(StatusTest, AForeignStatusIsUnknown) {
  EXPECT_EQ(ErrcOf(absl::NotFoundError("no file")), Errc::kUnknown);
}

absl::StatusOr<int> Doubled(absl::StatusOr<int> input) {
  ASSIGN_OR_RETURN(int value, input);
  return 2 * value;
}

TEST(StatusTest, AssignOrReturnUnwrapsOrPassesTheErrorOn) {
  EXPECT_EQ(*Doubled(21), 42);
  EXPECT_EQ(ErrcOf(Doubled(MakeError(Errc::kTimedOut, "late")).status()), Errc::kTimedOut);
}

}  // namespace
}  // namespace garam
