// DeleteRecords: moves the log start of partitions, on all of their replicas.
#include <algorithm>
#include <memory>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/each_partition.h"
#include "broker/gateway/handlers/handlers.h"
#include "broker/gateway/handlers/partition_calls.h"
#include "proto/kafka/delete_records.h"

namespace garam {
namespace {

using kafka::DeleteRecordsRequest;
using kafka::DeleteRecordsResponse;

constexpr int64_t kInvalidWatermark = -1;

class DeleteRecordsOperation : public std::enable_shared_from_this<DeleteRecordsOperation> {
 public:
  explicit DeleteRecordsOperation(RequestPtr request) : request_(std::move(request)) {}

  void Start(const DeleteRecordsRequest& message) {
    deadline_ = request_->broker().clock().Mono() + Millis(std::max(message.timeout_ms, 0));
    missing_ = LayOutAnswers(message, response_) + 1;  // One for ourselves.
    ForEachAnswer(message, response_,
                  [this](std::string_view topic, const auto& asked, Answer& answer, bool again) {
                    if (!again) return Delete(topic, Offset(asked.offset), answer);
                    Done(answer, MakeError(Errc::kInvalidRequest, "the partition is named twice"));
                  });
    OneDone();
  }

 private:
  using Answer = DeleteRecordsResponse::DeleteRecordsPartitionResult;
  using Result = absl::StatusOr<Offset>;

  void Delete(std::string_view topic, Offset before, Answer& answer) {
    if (IsInternalTopic(topic)) {
      return Done(answer, MakeError(Errc::kInvalidTopicName, "records of internal topics stay"));
    }
    absl::StatusOr<std::shared_ptr<Partition>> partition =
        request_->broker().Find(topic, answer.partition_index);
    if (!partition.ok()) return Done(answer, partition.status());
    if (!(*partition)->config()->cleanup_delete) {
      return Done(answer, MakeError(Errc::kPolicyViolation,
                                    "only topics with cleanup.policy=delete lose records"));
    }
    CallPartition<Result>(
        request_->services(), *std::move(partition),
        [before, deadline = deadline_](Partition& to,
                                       absl::AnyInvocable<void(Result) &&> done) mutable {
          to.DeleteRecords(before, deadline, std::move(done));
        },
        [self = shared_from_this(), &answer](Result result) {
          self->Done(answer, std::move(result));
        });
  }

  void Done(Answer& answer, Result result) {
    answer.low_watermark = result.ok() ? result->value() : kInvalidWatermark;
    answer.error_code = ToErrorCode(result.status());
    OneDone();
  }

  void OneDone() {
    if (--missing_ == 0) request_->Answer(response_);
  }

  const RequestPtr request_;
  MonoTime deadline_;
  DeleteRecordsResponse response_;
  size_t missing_ = 0;
};

}  // namespace

void HandleDeleteRecords(RequestPtr request) {
  const std::optional<DeleteRecordsRequest> message = request->Decode<DeleteRecordsRequest>();
  if (!message.has_value()) return;
  std::make_shared<DeleteRecordsOperation>(std::move(request))->Start(*message);
}

}  // namespace garam
