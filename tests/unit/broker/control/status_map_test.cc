#include "broker/control/status_map.h"

#include <gtest/gtest.h>

#include "common/status.h"

namespace garam {
namespace {

TEST(StatusMapTest, AnErrcSurvivesTheWay) {
  for (Errc errc : {Errc::kShuttingDown, Errc::kTimedOut, Errc::kUnknownTopic, Errc::kNotLeader,
                    Errc::kNoController, Errc::kInconsistentClusterId, Errc::kTopicExists,
                    Errc::kInvalidConfig, Errc::kThrottled}) {
    const absl::Status back = FromGrpcStatus(ToGrpcStatus(MakeError(errc, "why")));
    EXPECT_EQ(ErrcOf(back), errc) << ErrcName(errc);
    EXPECT_EQ(back, MakeError(errc, "why"));
  }
  EXPECT_TRUE(FromGrpcStatus(ToGrpcStatus(absl::OkStatus())).ok());
}

TEST(StatusMapTest, ATransportErrorKeepsItsCode) {
  EXPECT_EQ(ErrcOf(FromGrpcStatus({grpc::StatusCode::DEADLINE_EXCEEDED, "late"})), Errc::kTimedOut);
  const absl::Status down = FromGrpcStatus({grpc::StatusCode::UNAVAILABLE, "down"});
  EXPECT_EQ(ErrcOf(down), Errc::kUnknown);
  EXPECT_EQ(down.code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace garam
