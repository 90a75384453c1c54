// OffsetForLeaderEpoch: where an epoch ended, so that a consumer notices that its log was cut.
#include <memory>
#include <optional>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "broker/gateway/handlers/partition_calls.h"
#include "proto/kafka/offset_for_leader_epoch.h"

namespace garam {
namespace {

using kafka::OffsetForLeaderEpochRequest;
using kafka::OffsetForLeaderEpochResponse;

class EpochOperation : public std::enable_shared_from_this<EpochOperation> {
 public:
  explicit EpochOperation(RequestPtr request) : request_(std::move(request)) {}

  void Start(const OffsetForLeaderEpochRequest& message) {
    for (const auto& topic : message.topics) {
      auto& answer = response_.topics.emplace_back();
      answer.topic = topic.topic;
      answer.partitions.resize(topic.partitions.size());
      missing_ += topic.partitions.size();
    }
    ++missing_;  // For ourselves.
    for (size_t t = 0; t < message.topics.size(); ++t) {
      const auto& topic = message.topics[t];
      for (size_t p = 0; p < topic.partitions.size(); ++p) {
        auto& answer = response_.topics[t].partitions[p];
        answer.partition = topic.partitions[p].partition;
        if (message.replica_id >= 0)
          Done(answer, MakeError(Errc::kReplicaNotAllowed, "clients are no replicas"));
        else
          Look(topic.topic, topic.partitions[p], answer);
      }
    }
    OneDone();
  }

 private:
  using Answer = OffsetForLeaderEpochResponse::EpochEndOffset;

  void Look(std::string_view topic,
            const OffsetForLeaderEpochRequest::OffsetForLeaderPartition& asked, Answer& answer) {
    absl::StatusOr<std::shared_ptr<Partition>> partition =
        request_->broker().Find(topic, asked.partition);
    if (!partition.ok()) return Done(answer, partition.status());
    std::optional<Term> current;
    if (asked.current_leader_epoch >= 0) current = Term(asked.current_leader_epoch);
    using Result = absl::StatusOr<EpochEnd>;
    CallPartition<Result>(
        request_->services(), *std::move(partition),
        [current, epoch = Term(asked.leader_epoch)](
            Partition& to, absl::AnyInvocable<void(Result) &&> done) mutable {
          std::move(done)(to.EndOfEpoch(epoch, current));
        },
        [self = shared_from_this(), &answer](Result result) {
          self->Done(answer, std::move(result));
        });
  }

  void Done(Answer& answer, absl::StatusOr<EpochEnd> end) {
    answer.error_code = ToErrorCode(end.status());
    if (end.ok()) {
      answer.leader_epoch = end->epoch.value();
      answer.end_offset = end->end_offset.value();
    }
    OneDone();
  }

  void OneDone() {
    if (--missing_ == 0) request_->Answer(response_);
  }

  const RequestPtr request_;
  OffsetForLeaderEpochResponse response_;
  size_t missing_ = 0;
};

}  // namespace

void HandleOffsetForLeaderEpoch(RequestPtr request) {
  const auto message = request->Decode<OffsetForLeaderEpochRequest>();
  if (!message.has_value()) return;
  std::make_shared<EpochOperation>(std::move(request))->Start(*message);
}

}  // namespace garam
