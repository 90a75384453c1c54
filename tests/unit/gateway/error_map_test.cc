#include "broker/gateway/error_map.h"

#include <gtest/gtest.h>

namespace garam {
namespace {

using kafka::ErrorCode;

TEST(ErrorMapTest, SaysWhatKafkaSays) {
  EXPECT_EQ(ToErrorCode(absl::OkStatus()), ErrorCode::kNone);
  EXPECT_EQ(ToErrorCode(MakeError(Errc::kNotLeader, "")), ErrorCode::kNotLeaderOrFollower);
  EXPECT_EQ(ToErrorCode(MakeError(Errc::kUnknownTopic, "")), ErrorCode::kUnknownTopicOrPartition);
  EXPECT_EQ(ToErrorCode(MakeError(Errc::kTimedOut, "")), ErrorCode::kRequestTimedOut);
  EXPECT_EQ(ToErrorCode(MakeError(Errc::kStorage, "")), ErrorCode::kKafkaStorageError);
  EXPECT_EQ(ToErrorCode(MakeError(Errc::kBatchOverSegment, "")), ErrorCode::kRecordListTooLarge);
}

TEST(ErrorMapTest, AStatusOfNobodyIsAnUnknownError) {
  EXPECT_EQ(ToErrorCode(absl::InternalError("?")), ErrorCode::kUnknownServerError);
}

TEST(ErrorMapTest, WhatAClientCannotChangeByItselfButMayRetryIsRetriable) {
  for (const Errc errc : {Errc::kShuttingDown, Errc::kNotLeader, Errc::kLeaderNotReady,
                          Errc::kNotEnoughReplicas, Errc::kStorage, Errc::kNoController,
                          Errc::kTimedOut, Errc::kThrottled, Errc::kFetchSessionNotFound}) {
    EXPECT_TRUE(kafka::IsRetriable(ToErrorCode(errc))) << ErrcName(errc);
  }
}

}  // namespace
}  // namespace garam
