// Produce. Every batch is judged, then handed to its partition in the order of the request: when
// the handler returns, all have their place in the logs of this shard or are on their way to
// others' in order, so the next request of the connection may start. The answer leaves when the
// last of them is as safe as `acks` asks.
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "broker/batch_validation.h"
#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "broker/gateway/handlers/leader_hints.h"
#include "broker/gateway/handlers/partition_calls.h"
#include "proto/kafka/produce.h"

namespace garam {
namespace {

using kafka::ProduceRequest;
using kafka::ProduceResponse;

constexpr int16_t kFirstVersionWithHints = 10;
constexpr int16_t kFirstProduceWithTopicIds = 13;

std::optional<Acks> ToAcks(int16_t acks) {
  switch (acks) {
    case -1:
      return Acks::kAll;
    case 0:
      return Acks::kNone;
    case 1:
      return Acks::kLeader;
    default:
      return std::nullopt;
  }
}

// One request on its way; kept by the completions it waits for.
class ProduceOperation : public std::enable_shared_from_this<ProduceOperation> {
 public:
  explicit ProduceOperation(RequestPtr request)
      : request_(std::move(request)), hints_(request_->broker(), request_->listener()) {}

  void Start(const ProduceRequest& message) {
    acks_ = ToAcks(message.acks);
    const Clock& clock = request_->broker().clock();
    deadline_ = clock.Mono() + Millis(std::max(message.timeout_ms, 0));
    now_wall_ms_ = clock.WallMs();
    response_.responses.reserve(message.topic_data.size());
    // All places first: completions refer to them by position, and some run at once.
    for (const auto& topic : message.topic_data) {
      auto& answer = response_.responses.emplace_back();
      answer.name = topic.name;
      answer.topic_id = topic.topic_id;
      answer.partition_responses.resize(topic.partition_data.size());
      missing_ += topic.partition_data.size();
    }
    ++missing_;  // For ourselves, so that the answer does not leave before the loop ends.
    for (size_t t = 0; t < message.topic_data.size(); ++t) {
      for (size_t p = 0; p < message.topic_data[t].partition_data.size(); ++p)
        ProduceTo(message.topic_data[t], {t, p});
    }
    OneDone();
  }

 private:
  struct Place {
    size_t topic;
    size_t partition;
  };

  ProduceResponse::PartitionProduceResponse& At(Place place) {
    return response_.responses[place.topic].partition_responses[place.partition];
  }

  void ProduceTo(const ProduceRequest::TopicProduceData& topic, Place place) {
    const auto& data = topic.partition_data[place.partition];
    At(place).index = data.index;
    if (!acks_.has_value())
      return Fail(place, MakeError(Errc::kInvalidAcks, "acks must be -1, 0 or 1"));
    absl::StatusOr<std::shared_ptr<Partition>> partition =
        request_->version() >= kFirstProduceWithTopicIds
            ? request_->broker().Find(topic.topic_id, data.index)
            : request_->broker().Find(topic.name, data.index);
    if (!partition.ok()) return Fail(place, partition.status());
    Bytes batch = data.records.value_or(Bytes());
    const std::shared_ptr<const TopicConfig> config = (*partition)->config();
    BatchVerdict verdict =
        ValidateBatch(batch, BatchRules{*config, request_->version(), now_wall_ms_});
    if (!verdict.status.ok()) {
      for (RecordError& error : verdict.record_errors)
        At(place).record_errors.push_back({error.index, std::move(error.message)});
      return Fail(place, verdict.status);
    }
    CallPartition<absl::StatusOr<ProduceResult>>(
        request_->services(), *std::move(partition),
        [batch = std::move(batch), acks = *acks_, deadline = deadline_](Partition& to,
                                                                        ProduceDone done) mutable {
          to.Produce(std::move(batch), acks, deadline, std::move(done));
        },
        [self = shared_from_this(), place](absl::StatusOr<ProduceResult> result) {
          self->Done(place, std::move(result));
        });
  }

  void Done(Place place, absl::StatusOr<ProduceResult> result) {
    if (!result.ok()) return Fail(place, result.status());
    auto& answer = At(place);
    answer.base_offset = result->base_offset.value();
    answer.log_append_time_ms = result->log_append_time_ms;
    answer.log_start_offset = result->log_start_offset.value();
    OneDone();
  }

  void Fail(Place place, const absl::Status& status) {
    auto& answer = At(place);
    answer.error_code = ToErrorCode(status);
    answer.error_message = std::string(status.message());
    answer.base_offset = -1;
    if (acks_ == Acks::kNone && first_error_.empty())
      first_error_ = absl::StrCat("produce with acks=0 failed: ", status.message());
    if (request_->version() >= kFirstVersionWithHints && LeaderHints::Wanted(status)) {
      const auto& topic = response_.responses[place.topic];
      if (const auto hint = hints_.Find(topic.topic_id, topic.name, answer.index)) {
        answer.current_leader.leader_id = hint->leader.value();
        answer.current_leader.leader_epoch = hint->epoch.value();
      }
    }
    OneDone();
  }

  void OneDone() {
    if (--missing_ > 0) return;
    if (request_->services().quotas.active(QuotaKind::kProduce)) {
      request_->Throttle(request_->Charge(QuotaKind::kProduce, request_->size_bytes()));
    }
    if (acks_ == Acks::kNone) {
      if (first_error_.empty()) return request_->AnswerNothing();
      // There is no answer that could say it.
      return request_->CloseConnection(first_error_);
    }
    response_.node_endpoints = hints_.Endpoints<ProduceResponse::NodeEndpoint>();
    request_->Answer(response_);
  }

  const RequestPtr request_;
  LeaderHints hints_;
  std::optional<Acks> acks_;
  MonoTime deadline_;
  int64_t now_wall_ms_ = 0;
  ProduceResponse response_;
  size_t missing_ = 0;
  std::string first_error_;
};

}  // namespace

void HandleProduce(RequestPtr request) {
  const std::optional<ProduceRequest> message = request->Decode<ProduceRequest>();
  if (!message.has_value()) return;
  auto operation = std::make_shared<ProduceOperation>(std::move(request));
  operation->Start(*message);
}

}  // namespace garam
