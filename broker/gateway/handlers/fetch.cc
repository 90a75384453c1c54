// Fetch: from a client's wishes, whole or incremental (KIP-227), to one Fetch over the partitions,
// and back.
#include <algorithm>
#include <limits>
#include <memory>
#include <optional>
#include <utility>

#include "broker/fetch.h"
#include "broker/fetch_sessions.h"
#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "broker/gateway/handlers/leader_hints.h"
#include "proto/kafka/fetch.h"

namespace garam {
namespace {

using kafka::FetchRequest;
using kafka::FetchResponse;

constexpr int16_t kFirstVersionWithTopLevelError = 7;
constexpr int16_t kFirstFetchWithTopicIds = 13;
constexpr int16_t kFirstVersionWithReplicaState = 15;
constexpr int16_t kFirstVersionWithHints = 16;
constexpr int8_t kReadCommitted = 1;

std::optional<Term> EpochOf(int32_t epoch) {
  if (epoch < 0) return std::nullopt;
  return Term(epoch);
}

FetchSessionRequest ToSessionRequest(const FetchRequest& message, int16_t version) {
  FetchSessionRequest request;
  request.session_id = message.session_id;
  request.session_epoch = message.session_epoch;
  request.by_topic_id = version >= kFirstFetchWithTopicIds;
  for (const auto& topic : message.topics) {
    for (const auto& partition : topic.partitions) {
      FetchWish& wish = request.wishes.emplace_back();
      wish.key = {std::string(topic.topic), topic.topic_id, partition.partition};
      wish.fetch_offset = partition.fetch_offset;
      wish.current_leader_epoch = partition.current_leader_epoch;
      wish.last_fetched_epoch = partition.last_fetched_epoch;
      wish.bytes_max = std::max(partition.partition_max_bytes, 0);
    }
  }
  for (const auto& topic : message.forgotten_topics_data) {
    for (const int32_t partition : topic.partitions)
      request.forgotten.push_back({std::string(topic.topic), topic.topic_id, partition});
  }
  return request;
}

class FetchOperation : public std::enable_shared_from_this<FetchOperation> {
 public:
  FetchOperation(RequestPtr request, FetchSessions::Context context, bool read_committed)
      : request_(std::move(request)),
        context_(std::move(context)),
        read_committed_(read_committed),
        hints_(request_->broker(), request_->listener()) {}

  void Start(const FetchRequest& message) {
    Broker& broker = request_->broker();
    FetchPlan plan;
    plan.bytes_min = static_cast<size_t>(std::max(message.min_bytes, 0));
    // A full share of unsent answers leaves each fetch its first batch, which is always whole.
    plan.bytes_max =
        std::min({static_cast<size_t>(std::max(message.max_bytes, 0)),
                  static_cast<size_t>(broker.config().fetch_max_bytes),
                  request_->services().memory->answers.free_bytes(), MostWithinQuota()});
    // A session that is closed asks for nothing, and a consumer that closes waits for the answer.
    const int32_t wait_ms = context_.wishes.empty() ? 0 : std::max(message.max_wait_ms, 0);
    plan.deadline = broker.clock().Mono() + Millis(wait_ms);
    plan.items.reserve(context_.wishes.size());
    for (const FetchWish& wish : context_.wishes) plan.items.push_back(ItemFor(wish));
    // Cancelled with the connection; the closure also keeps the fetch until it is done.
    const std::shared_ptr<FetchOperation> self = shared_from_this();
    fetch_ = Fetch::Start([&broker](size_t shard) -> Executor& { return broker.executor(shard); },
                          request_->services().shard, broker.clock(), std::move(plan),
                          [self](Fetch::Results results) { self->Done(std::move(results)); });
    if (over_) {
      fetch_ = nullptr;
      return;
    }
    request_->OnCancel([self] {
      if (self->fetch_ != nullptr) std::exchange(self->fetch_, nullptr)->Cancel();
    });
  }

 private:
  // More at once would keep the client waiting for longer than its quota is measured over.
  size_t MostWithinQuota() {
    QuotaManager& quotas = request_->services().quotas;
    constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();
    if (!quotas.active(QuotaKind::kFetch)) return kNoLimit;
    const double most = quotas.MostAtOnce(QuotaKind::kFetch, request_->quota_client());
    return most < static_cast<double>(kNoLimit) ? static_cast<size_t>(most) : kNoLimit;
  }

  // Over its quota a client gets an empty answer, and asks again when it may; nothing counts as
  // sent, neither against the quota nor in its session. True: that was the answer. A batch that is
  // larger than a window's worth would never go: it does when the client is not over its quota
  // already, and the client waits afterwards.
  bool Throttled(const Fetch::Results& results) {
    QuotaManager& quotas = request_->services().quotas;
    if (!quotas.active(QuotaKind::kFetch)) return false;
    size_t bytes = 0;
    for (const auto& result : results) bytes += result.ok() ? result->bytes : 0;
    const bool over_before = request_->Charge(QuotaKind::kFetch, 0) > Duration::zero();
    const Duration wait = request_->Charge(QuotaKind::kFetch, bytes);
    request_->Throttle(wait);
    if (wait == Duration::zero()) return false;
    if (!over_before && bytes > MostWithinQuota()) return false;
    quotas.TakeBack(QuotaKind::kFetch, request_->quota_client(), static_cast<double>(bytes),
                    request_->broker().clock().Mono());
    FetchResponse response;
    if (context_.incremental) {
      response.session_id = FetchSessions::IdOf(context_);
    } else {
      request_->services().sessions.Drop(context_);
    }
    request_->Answer(response);
    return true;
  }

  FetchItem ItemFor(const FetchWish& wish) {
    Broker& broker = request_->broker();
    ReadSpec spec;
    spec.from = Offset(wish.fetch_offset);
    spec.current_leader_epoch = EpochOf(wish.current_leader_epoch);
    spec.last_fetched_epoch = EpochOf(wish.last_fetched_epoch);
    spec.bytes_max = static_cast<size_t>(wish.bytes_max);
    absl::StatusOr<std::shared_ptr<Partition>> partition =
        request_->version() >= kFirstFetchWithTopicIds
            ? broker.Find(wish.key.topic_id, wish.key.partition)
            : broker.Find(wish.key.topic, wish.key.partition);
    return FetchItem{std::move(partition), spec};
  }

  static FetchSessions::Outcome OutcomeOf(const absl::StatusOr<ReadResult>& result) {
    FetchSessions::Outcome outcome;
    if (!result.ok()) {
      outcome.error = true;
      return outcome;
    }
    outcome.has_records = !result->batches.empty();
    outcome.must_tell = result->diverging.has_value();
    outcome.high_watermark = result->high_watermark.value();
    outcome.log_start_offset = result->log_start_offset.value();
    return outcome;
  }

  void Done(Fetch::Results results) {
    over_ = true;
    if (Throttled(results)) {
      fetch_ = nullptr;
      return;
    }
    std::vector<FetchSessions::Outcome> outcomes;
    outcomes.reserve(results.size());
    for (const auto& result : results) outcomes.push_back(OutcomeOf(result));
    const std::vector<bool> selected = request_->services().sessions.Select(context_, outcomes);
    FetchResponse response;
    response.session_id = FetchSessions::IdOf(context_);
    for (size_t i = 0; i < results.size(); ++i) {
      if (selected[i]) Append(response, context_.wishes[i].key, std::move(results[i]));
    }
    response.node_endpoints = hints_.Endpoints<FetchResponse::NodeEndpoint>();
    request_->Answer(response);
    if (fetch_ != nullptr) fetch_ = nullptr;
  }

  void Append(FetchResponse& response, const FetchKey& key, absl::StatusOr<ReadResult> result) {
    if (response.responses.empty() || response.responses.back().topic != key.topic ||
        response.responses.back().topic_id != key.topic_id) {
      auto& topic = response.responses.emplace_back();
      topic.topic = key.topic;
      topic.topic_id = key.topic_id;
    }
    auto& answer = response.responses.back().partitions.emplace_back();
    answer.partition_index = key.partition;
    answer.records.emplace();
    if (!read_committed_) answer.aborted_transactions = std::nullopt;
    if (!result.ok()) return AppendError(answer, key, result.status());
    answer.high_watermark = result->high_watermark.value();
    answer.last_stable_offset = result->last_stable_offset.value();
    answer.log_start_offset = result->log_start_offset.value();
    if (result->diverging.has_value()) {
      answer.diverging_epoch.epoch = result->diverging->epoch.value();
      answer.diverging_epoch.end_offset = result->diverging->end_offset.value();
    }
    for (Bytes& batch : result->batches) answer.records->Add(std::move(batch));
  }

  void AppendError(FetchResponse::PartitionData& answer, const FetchKey& key,
                   const absl::Status& status) {
    answer.error_code = ToErrorCode(status);
    answer.high_watermark = -1;
    if (request_->version() < kFirstVersionWithHints || !LeaderHints::Wanted(status)) return;
    if (const auto hint = hints_.Find(key.topic_id, key.topic, key.partition)) {
      answer.current_leader.leader_id = hint->leader.value();
      answer.current_leader.leader_epoch = hint->epoch.value();
    }
  }

  const RequestPtr request_;
  const FetchSessions::Context context_;
  const bool read_committed_;
  LeaderHints hints_;
  std::shared_ptr<Fetch> fetch_;
  bool over_ = false;
};

// The same error for everything that was asked.
void Refuse(Request& request, const FetchRequest& message, kafka::ErrorCode code) {
  FetchResponse response;
  response.error_code = code;
  if (request.version() < kFirstVersionWithTopLevelError) {
    for (const auto& topic : message.topics) {
      auto& answer = response.responses.emplace_back();
      answer.topic = topic.topic;
      for (const auto& partition : topic.partitions) {
        auto& refused = answer.partitions.emplace_back();
        refused.partition_index = partition.partition;
        refused.error_code = code;
        refused.high_watermark = -1;
        refused.records.emplace();
      }
    }
  }
  request.Answer(response);
}

}  // namespace

void HandleFetch(RequestPtr request) {
  const std::optional<FetchRequest> message = request->Decode<FetchRequest>();
  if (!message.has_value()) return;
  const int32_t replica = request->version() >= kFirstVersionWithReplicaState
                              ? message->replica_state.replica_id
                              : message->replica_id;
  // Brokers do not replicate by Fetch here: who says that it is one is not.
  if (replica >= 0) return Refuse(*request, *message, ToErrorCode(Errc::kReplicaNotAllowed));
  absl::StatusOr<FetchSessions::Context> context = request->services().sessions.Begin(
      ToSessionRequest(*message, request->version()), request->broker().clock().Mono());
  if (!context.ok()) {
    const bool mixed = ErrcOf(context.status()) == Errc::kInconsistentTopicId;
    return Refuse(
        *request, *message,
        mixed ? kafka::ErrorCode::kFetchSessionTopicIdError : ToErrorCode(context.status()));
  }
  const bool read_committed = message->isolation_level == kReadCommitted;
  auto operation =
      std::make_shared<FetchOperation>(std::move(request), *std::move(context), read_committed);
  operation->Start(*message);
}

}  // namespace garam
