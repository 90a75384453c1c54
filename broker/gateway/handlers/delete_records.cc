// DeleteRecords: moves the log start of partitions, on all of their replicas.
#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "broker/gateway/error_map.h"
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
    for (const auto& topic : message.topics) {
      auto& answer = response_.topics.emplace_back();
      answer.name = topic.name;
      answer.partitions.resize(topic.partitions.size());
      missing_ += topic.partitions.size();
    }
    ++missing_;  // For ourselves.
    std::set<std::pair<std::string_view, int32_t>> seen;
    for (size_t t = 0; t < message.topics.size(); ++t) {
      const auto& topic = message.topics[t];
      for (size_t p = 0; p < topic.partitions.size(); ++p) {
        Answer& answer = response_.topics[t].partitions[p];
        answer.partition_index = topic.partitions[p].partition_index;
        if (seen.emplace(topic.name, answer.partition_index).second) {
          Delete(topic.name, Offset(topic.partitions[p].offset), answer);
        } else {
          Done(answer, MakeError(Errc::kInvalidRequest, "the partition is named twice"));
        }
      }
    }
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
