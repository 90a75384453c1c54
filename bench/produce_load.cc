#include "bench/produce_load.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "bench/batch_encoder.h"
#include "bench/cluster.h"
#include "bench/report.h"
#include "common/clock.h"

namespace garam::bench {
namespace {

constexpr double kNsPerSecond = 1e9;
constexpr int64_t kDrainNs = 30'000'000'000;
constexpr int64_t kErrorsMax = 10'000;
constexpr int32_t kRequestTimeoutMs = 30'000;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr size_t kUnansweredBurst = 16;

}  // namespace

ProduceLoad::ProduceLoad(ProduceOptions options) : options_(std::move(options)) {}

ProduceLoad::~ProduceLoad() = default;

absl::Status ProduceLoad::Connect() {
  ASSIGN_OR_RETURN(const ClusterState state, DescribeReady(options_.bootstrap, options_.topic));
  const TopicState& topic = *state.Find(options_.topic);
  if (options_.consume) {
    if (topic.partitions.size() != 1 || options_.records_per_batch != 1) {
      return MakeError(Errc::kInvalidRequest, "to consume takes one partition, one record a batch");
    }
    ASSIGN_OR_RETURN(tail_, TailReader::Open(poller_, state.brokers.at(topic.partitions[0].leader),
                                             options_.topic, 0, &arrivals_));
  }
  const auto by_leader = EncodeGroups(topic);
  for (int producer = 0; producer < options_.producers; ++producer) {
    for (const auto& [leader, groups] : by_leader) {
      ASSIGN_OR_RETURN(auto connection, Connection::Open(poller_, state.brokers.at(leader), this));
      // Producers start at different partitions, as independent ones would.
      const size_t turn = static_cast<size_t>(producer) % groups.size();
      lanes_.push_back({producer, std::move(connection), groups, turn, {}});
    }
  }
  return absl::OkStatus();
}

std::map<int32_t, std::vector<const ProduceLoad::Group*>> ProduceLoad::EncodeGroups(
    const TopicState& topic) {
  std::map<int32_t, std::vector<int32_t>> led;
  for (const PartitionState& partition : topic.partitions) {
    led[partition.leader].push_back(partition.index);
  }
  std::map<int32_t, std::vector<const Group*>> by_leader;
  const int64_t now_ms = SystemClock().WallMs();
  for (const auto& [leader, partitions] : led) {
    for (size_t from = 0; from < partitions.size(); from += options_.partitions_per_request) {
      const size_t to = std::min(partitions.size(), from + options_.partitions_per_request);
      std::vector<std::string> encoded;
      for (size_t i = from; i < to; ++i) {
        encoded.push_back(EncodeBatch(options_.records_per_batch, options_.record_bytes, now_ms,
                                      static_cast<uint64_t>(partitions[i]) + 1));
      }
      std::vector<ProduceBatch> batches;
      for (size_t i = from; i < to; ++i) batches.push_back({partitions[i], encoded[i - from]});
      Group& group = groups_.emplace_back();
      for (const ProduceBatch& batch : batches) group.partitions.push_back(batch.partition);
      group.frame = ProduceRequest(options_.topic, options_.acks, kRequestTimeoutMs, batches);
      group.barrier_frame = ProduceRequest(options_.topic, 1, kRequestTimeoutMs, batches);
      by_leader[leader].push_back(&group);
    }
  }
  return by_leader;
}

absl::StatusOr<ProduceResult> ProduceLoad::Run() {
  RETURN_IF_ERROR(Connect());
  const int64_t start = NowNs();
  if (options_.requests_per_s > 0) schedule_.emplace(options_.requests_per_s, start);
  counted_from_ns_ = start + static_cast<int64_t>(options_.warmup_s * kNsPerSecond);
  counted_to_ns_ = counted_from_ns_ + static_cast<int64_t>(options_.measure_s * kNsPerSecond);
  while (broken_.ok() && NowNs() < counted_from_ns_) Turn(NowNs(), counted_from_ns_);
  const Usage before = UsageNow();
  while (broken_.ok() && NowNs() < counted_to_ns_) Turn(NowNs(), counted_to_ns_);
  sending_ = false;
  RETURN_IF_ERROR(broken_);
  RETURN_IF_ERROR(Drain());
  if (tail_ != nullptr) RETURN_IF_ERROR(DrainTail());
  // Without acknowledgements the data has arrived only when the barrier behind it has.
  const int64_t end = options_.acks == 0 ? NowNs() : counted_to_ns_;
  result_.seconds = static_cast<double>(end - counted_from_ns_) / kNsPerSecond;
  result_.client_cpu_seconds = UsageNow().cpu_seconds - before.cpu_seconds;
  result_.records = result_.batches * static_cast<int64_t>(options_.records_per_batch);
  result_.record_bytes = result_.records * static_cast<int64_t>(options_.record_bytes);
  return std::move(result_);
}

void ProduceLoad::Turn(int64_t now_ns, int64_t until_ns) {
  int64_t wake = until_ns;
  if (schedule_) {
    DealDue(now_ns);
    wake = std::min(wake, schedule_->NextDueNs());
  } else {
    for (Lane& lane : lanes_) {
      FillClosed(lane);
      if (options_.acks == 0 && HasRoom(lane)) wake = now_ns;
    }
  }
  poller_.RunOnce(wake);
}

bool ProduceLoad::HasRoom(const Lane& lane) const {
  if (lane.groups.empty()) return false;  // All of them have moved away.
  // Unanswered requests are held back by the socket alone.
  if (options_.acks == 0) return lane.connection->unsent_bytes() == 0;
  return lane.connection->in_flight() < options_.in_flight;
}

void ProduceLoad::FillClosed(Lane& lane) {
  for (size_t sent = 0; HasRoom(lane); ++sent) {
    // Other lanes get their turn too.
    if (options_.acks == 0 && sent == kUnansweredBurst) return;
    SendNext(lane, NowNs());
  }
}

void ProduceLoad::DealDue(int64_t now_ns) {
  while (schedule_->IsDue(now_ns)) {
    Lane& lane = lanes_[next_lane_++ % lanes_.size()];
    if (lane.groups.empty()) continue;
    const int64_t intended = schedule_->Take();
    if (lane.backlog.empty() && HasRoom(lane)) {
      SendNext(lane, intended);
    } else {
      lane.backlog.push_back(intended);
    }
  }
  for (Lane& lane : lanes_) {
    while (!lane.backlog.empty() && HasRoom(lane)) {
      SendNext(lane, lane.backlog.front());
      lane.backlog.pop_front();
    }
  }
}

void ProduceLoad::SendNext(Lane& lane, int64_t intended_ns) {
  const Group& group = *lane.groups[lane.turn++ % lane.groups.size()];
  if (options_.acks == 0) {
    lane.connection->SendUnanswered(group.frame);
    Count(NowNs(), kNever, static_cast<int64_t>(group.partitions.size()));
  } else {
    lane.connection->SendShared(group.frame, intended_ns);
  }
}

void ProduceLoad::Count(int64_t now_ns, int64_t intended_ns, int64_t batches) {
  if (now_ns < counted_from_ns_ || now_ns >= counted_to_ns_) return;
  ++result_.requests;
  result_.batches += batches;
  if (intended_ns != kNever) result_.latency_us.Record((now_ns - intended_ns) / 1000);
  const auto second =
      static_cast<size_t>(static_cast<double>(now_ns - counted_from_ns_) / kNsPerSecond);
  if (result_.megabytes_by_second.size() <= second) result_.megabytes_by_second.resize(second + 1);
  result_.megabytes_by_second[second] +=
      static_cast<double>(batches) *
      static_cast<double>(options_.records_per_batch * options_.record_bytes) / 1e6;
}

void ProduceLoad::OnAnswer(Connection& connection, int64_t cookie, std::string_view body) {
  const int64_t now = NowNs();
  const absl::StatusOr<ProduceAnswer> answer = ParseProduce(body);
  if (!answer.ok()) {
    broken_ = answer.status();
    return;
  }
  if (answer->error != 0) {
    OnRefused(connection, *answer);
  } else if (cookie != kNever) {
    Count(now, cookie, answer->partitions);
    if (tail_ != nullptr && cookie >= counted_from_ns_ && cookie < counted_to_ns_) {
      arrivals_.OnProduced(answer->base_offset, cookie);
    }
  }
  if (!sending_) return;
  if (!schedule_) {
    FillClosed(LaneOf(connection));
  } else {
    DealDue(now);
  }
}

void ProduceLoad::OnRefused(Connection& connection, const ProduceAnswer& answer) {
  if (result_.errors++ == 0) result_.first_error = answer.error;
  if (result_.errors > kErrorsMax) {
    broken_ = MakeError(Errc::kUnknown, absl::StrCat("too many requests refused, the first with ",
                                                     result_.first_error));
  }
  if (answer.leader_hint < 0 || answer.leader_hint == connection.node()) return;
  Lane& from = LaneOf(connection);
  const auto holds = [&answer](const Group* group) {
    return std::count(group->partitions.begin(), group->partitions.end(), answer.partition) > 0;
  };
  const auto group = std::find_if(from.groups.begin(), from.groups.end(), holds);
  if (group == from.groups.end() || (*group)->partitions.size() > 1) return;
  for (Lane& lane : lanes_) {
    if (lane.producer != from.producer || lane.connection->node() != answer.leader_hint) continue;
    lane.groups.push_back(*group);
    from.groups.erase(group);
    return;
  }
}

void ProduceLoad::OnClosed(Connection& connection) {
  if (!broken_.ok()) return;
  broken_ = MakeError(Errc::kUnknown, absl::StrCat("broker ", connection.node(),
                                                   " closed a connection under load"));
}

absl::Status ProduceLoad::Drain() {
  if (options_.acks == 0) {
    for (Lane& lane : lanes_) {
      if (lane.groups.empty()) continue;
      lane.connection->SendShared(lane.groups.front()->barrier_frame, kNever);
    }
  }
  const int64_t deadline = NowNs() + kDrainNs;
  for (Lane& lane : lanes_) {
    while (broken_.ok() && lane.connection->in_flight() > 0 && NowNs() < deadline) {
      poller_.RunOnce(deadline);
    }
    if (lane.connection->in_flight() > 0) {
      return broken_.ok() ? MakeError(Errc::kTimedOut, "requests were left unanswered") : broken_;
    }
  }
  return absl::OkStatus();
}

absl::Status ProduceLoad::DrainTail() {
  const int64_t deadline = NowNs() + kDrainNs;
  while (tail_->status().ok() && arrivals_.missing() > 0 && NowNs() < deadline) {
    poller_.RunOnce(deadline);
  }
  RETURN_IF_ERROR(tail_->status());
  if (arrivals_.missing() > 0) {
    return MakeError(Errc::kTimedOut,
                     absl::StrCat(arrivals_.missing(), " acknowledged records never arrived"));
  }
  result_.end_to_end_us = arrivals_.latency_us();
  return absl::OkStatus();
}

ProduceLoad::Lane& ProduceLoad::LaneOf(const Connection& connection) {
  return *std::find_if(lanes_.begin(), lanes_.end(), [&connection](const Lane& lane) {
    return lane.connection.get() == &connection;
  });
}

}  // namespace garam::bench
