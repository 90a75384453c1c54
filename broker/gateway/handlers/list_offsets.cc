// ListOffsets: an offset for a time, or for one of the special times below zero.
#include <memory>
#include <optional>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/each_partition.h"
#include "broker/gateway/handlers/handlers.h"
#include "broker/gateway/handlers/partition_calls.h"
#include "proto/kafka/list_offsets.h"

namespace garam {
namespace {

using kafka::ErrorCode;
using kafka::ListOffsetsRequest;
using kafka::ListOffsetsResponse;

constexpr int16_t kFirstVersionWithLeaderEpoch = 4;
constexpr int16_t kFirstVersionWithOffsetNotAvailable = 5;

struct SpecialTime {
  int64_t timestamp;
  int16_t first_version;
  SpecialOffset meaning;
};
constexpr SpecialTime kSpecialTimes[] = {
    {-1, 1, SpecialOffset::kLatest},       {-2, 1, SpecialOffset::kEarliest},
    {-3, 7, SpecialOffset::kMaxTimestamp}, {-4, 8, SpecialOffset::kEarliestLocal},
    {-5, 9, SpecialOffset::kLatestTiered},
};

std::optional<SpecialOffset> SpecialFor(int64_t timestamp, int16_t version) {
  for (const SpecialTime& special : kSpecialTimes) {
    if (special.timestamp == timestamp && version >= special.first_version) return special.meaning;
  }
  return std::nullopt;
}

class ListOffsetsOperation : public std::enable_shared_from_this<ListOffsetsOperation> {
 public:
  explicit ListOffsetsOperation(RequestPtr request) : request_(std::move(request)) {}

  void Start(const ListOffsetsRequest& message) {
    missing_ = LayOutAnswers(message, response_) + 1;  // One for ourselves.
    ForEachAnswer(message, response_,
                  [&](std::string_view topic, const auto& asked, Answer& answer, bool again) {
                    if (message.replica_id >= 0) {
                      Fail(answer, MakeError(Errc::kReplicaNotAllowed, "clients are no replicas"));
                    } else if (again) {
                      Fail(answer,
                           MakeError(Errc::kInvalidRequest, "the partition is asked for twice"));
                    } else {
                      Look(topic, asked, answer);
                    }
                  });
    OneDone();
  }

 private:
  using Answer = ListOffsetsResponse::ListOffsetsPartitionResponse;

  void Look(std::string_view topic, const ListOffsetsRequest::ListOffsetsPartition& asked,
            Answer& answer) {
    const std::optional<SpecialOffset> special = SpecialFor(asked.timestamp, request_->version());
    if (asked.timestamp < 0 && !special.has_value()) {
      return Fail(answer, MakeError(Errc::kUnsupportedVersion,
                                    "this version does not have that special time"));
    }
    absl::StatusOr<std::shared_ptr<Partition>> partition =
        request_->broker().Find(topic, asked.partition_index);
    if (!partition.ok()) return Fail(answer, partition.status());
    std::optional<Term> epoch;
    if (asked.current_leader_epoch >= 0) epoch = Term(asked.current_leader_epoch);
    using Result = absl::StatusOr<FoundOffset>;
    CallPartition<Result>(
        request_->services(), *std::move(partition),
        [special, epoch, time = asked.timestamp](Partition& to,
                                                 absl::AnyInvocable<void(Result) &&> done) mutable {
          if (special.has_value())
            to.FindSpecial(*special, epoch, std::move(done));
          else
            to.FindByTimestamp(time, epoch, std::move(done));
        },
        [self = shared_from_this(), &answer](Result result) {
          self->Done(answer, std::move(result));
        });
  }

  void Done(Answer& answer, absl::StatusOr<FoundOffset> found) {
    if (!found.ok()) return Fail(answer, found.status());
    answer.offset = found->offset.value();
    answer.timestamp = found->timestamp_ms;
    if (request_->version() >= kFirstVersionWithLeaderEpoch) {
      answer.leader_epoch = found->leader_epoch.value();
    }
    OneDone();
  }

  void Fail(Answer& answer, const absl::Status& status) {
    // A fresh leader does not know the end of its log until an entry of its own term has committed.
    const bool fresh = ErrcOf(status) == Errc::kLeaderNotReady &&
                       request_->version() >= kFirstVersionWithOffsetNotAvailable;
    answer.error_code = fresh ? ErrorCode::kOffsetNotAvailable : ToErrorCode(status);
    OneDone();
  }

  void OneDone() {
    if (--missing_ == 0) request_->Answer(response_);
  }

  const RequestPtr request_;
  ListOffsetsResponse response_;
  size_t missing_ = 0;
};

}  // namespace

void HandleListOffsets(RequestPtr request) {
  const std::optional<ListOffsetsRequest> message = request->Decode<ListOffsetsRequest>();
  if (!message.has_value()) return;
  std::make_shared<ListOffsetsOperation>(std::move(request))->Start(*message);
}

}  // namespace garam
