// DescribeProducers: the idempotent producers that partitions on this broker remember. There are no
// transactions, so none is open and no coordinator has written.
#include <memory>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "broker/gateway/handlers/partition_calls.h"
#include "proto/kafka/describe_producers.h"

namespace garam {
namespace {

using kafka::DescribeProducersRequest;
using kafka::DescribeProducersResponse;

constexpr int32_t kNoCoordinatorEpoch = -1;

class DescribeProducersOperation : public std::enable_shared_from_this<DescribeProducersOperation> {
 public:
  explicit DescribeProducersOperation(RequestPtr request) : request_(std::move(request)) {}

  void Start(const DescribeProducersRequest& message) {
    ++missing_;  // For ourselves.
    // All places first: completions refer to them, and some run at once.
    response_.topics.reserve(message.topics.size());
    for (const auto& topic : message.topics) {
      auto& answer = response_.topics.emplace_back();
      answer.name = topic.name;
      for (const int32_t index : topic.partition_indexes) {
        answer.partitions.emplace_back().partition_index = index;
      }
      missing_ += answer.partitions.size();
    }
    for (auto& topic : response_.topics) {
      const absl::Status name = CheckTopicName(topic.name);
      for (auto& partition : topic.partitions) {
        name.ok() ? Ask(topic.name, partition) : Done(partition, name);
      }
    }
    OneDone();
  }

 private:
  using Answer = DescribeProducersResponse::PartitionResponse;
  using Result = absl::StatusOr<std::vector<ActiveProducer>>;

  void Ask(const std::string& topic, Answer& answer) {
    absl::StatusOr<std::shared_ptr<Partition>> partition =
        request_->broker().Find(topic, answer.partition_index);
    if (!partition.ok()) return Done(answer, partition.status());
    CallPartition<Result>(
        request_->services(), *std::move(partition),
        [](const Partition& of, absl::AnyInvocable<void(Result) &&> done) {
          std::move(done)(of.Producers());
        },
        [self = shared_from_this(), &answer](const Result& result) { self->Done(answer, result); });
  }

  void Done(Answer& answer, const Result& result) {
    answer.error_code = ToErrorCode(result.status());
    if (!result.ok()) {
      answer.error_message = std::string(result.status().message());
      return OneDone();
    }
    answer.active_producers.reserve(result->size());
    for (const ActiveProducer& from : *result) {
      auto& producer = answer.active_producers.emplace_back();
      producer.producer_id = from.id;
      producer.producer_epoch = from.epoch;
      producer.last_sequence = from.last_sequence;
      producer.last_timestamp = from.last_timestamp_ms;
      producer.coordinator_epoch = kNoCoordinatorEpoch;
    }
    OneDone();
  }

  void OneDone() {
    if (--missing_ == 0) request_->Answer(response_);
  }

  const RequestPtr request_;
  DescribeProducersResponse response_;
  size_t missing_ = 0;
};

}  // namespace

void HandleDescribeProducers(RequestPtr request) {
  const auto message = request->Decode<DescribeProducersRequest>();
  if (!message.has_value()) return;
  std::make_shared<DescribeProducersOperation>(std::move(request))->Start(*message);
}

}  // namespace garam
