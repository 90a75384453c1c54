#include "bench/fetch_load.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/cluster.h"
#include "bench/report.h"
#include "common/record_batch.h"

namespace garam::bench {

FetchLoad::FetchLoad(FetchOptions options) : options_(std::move(options)) {}

FetchLoad::~FetchLoad() = default;

absl::Status FetchLoad::Connect() {
  ASSIGN_OR_RETURN(const ClusterState state, DescribeReady(options_.bootstrap, options_.topic));
  std::map<int32_t, Lane*> by_leader;
  for (const PartitionState& partition : state.Find(options_.topic)->partitions) {
    Lane*& lane = by_leader[partition.leader];
    if (lane == nullptr) {
      lane = lanes_.emplace_back(std::make_unique<Lane>()).get();
      ASSIGN_OR_RETURN(lane->connection,
                       Connection::Open(poller_, state.brokers.at(partition.leader), this));
    }
    lane->next_offset[partition.index] = 0;
  }
  return absl::OkStatus();
}

absl::StatusOr<FetchResult> FetchLoad::Run() {
  RETURN_IF_ERROR(Connect());
  const Usage before = UsageNow();
  const int64_t start = NowNs();
  const int64_t end = start + static_cast<int64_t>(options_.measure_s * 1e9);
  for (auto& lane : lanes_) Ask(*lane);
  const auto reading = [this] {
    return std::any_of(lanes_.begin(), lanes_.end(),
                       [](const auto& lane) { return !lane->next_offset.empty(); });
  };
  while (broken_.ok() && reading() && NowNs() < end) poller_.RunOnce(end);
  asking_ = false;
  RETURN_IF_ERROR(broken_);
  result_.seconds = static_cast<double>(NowNs() - start) / 1e9;
  result_.client_cpu_seconds = UsageNow().cpu_seconds - before.cpu_seconds;
  return result_;
}

void FetchLoad::Ask(Lane& lane) {
  if (lane.next_offset.empty() || !asking_) return;
  std::vector<FetchPosition> positions;
  for (const auto& [partition, offset] : lane.next_offset) positions.push_back({partition, offset});
  // A broker fills an answer in this order, so each partition gets to be first.
  const auto shift =
      static_cast<std::ptrdiff_t>(result_.requests) % static_cast<std::ptrdiff_t>(positions.size());
  std::rotate(positions.begin(), positions.begin() + shift, positions.end());
  ++result_.requests;
  lane.connection->SendOwned(FetchRequest(options_.topic, positions, options_.limits), 0);
}

void FetchLoad::OnAnswer(Connection& connection, int64_t, std::string_view body) {
  const absl::StatusOr<std::vector<FetchedPartition>> fetched = ParseFetch(body);
  if (!fetched.ok()) {
    broken_ = fetched.status();
    return;
  }
  for (auto& lane : lanes_) {
    if (lane->connection.get() != &connection) continue;
    for (const FetchedPartition& partition : *fetched) Take(*lane, partition);
    Ask(*lane);
  }
}

void FetchLoad::Take(Lane& lane, const FetchedPartition& fetched) {
  if (fetched.error != 0) {
    broken_ = MakeError(Errc::kUnknown, absl::StrCat("partition ", fetched.partition,
                                                     " answered error ", fetched.error));
    return;
  }
  int64_t& next = lane.next_offset[fetched.partition];
  std::string_view left = fetched.records;
  // The last batch may be cut short.
  while (left.size() >= RecordBatchView::kHeaderBytes) {
    const RecordBatchView batch(left.data());
    if (batch.batch_length() < 0 || batch.size_bytes() > left.size()) break;
    result_.batch_bytes += static_cast<int64_t>(batch.size_bytes());
    result_.records += batch.record_count();
    next = batch.next_offset().value();
    left.remove_prefix(batch.size_bytes());
  }
  if (next < fetched.high_watermark) return;
  if (options_.again_from_start) {
    next = fetched.log_start;
  } else {
    lane.next_offset.erase(fetched.partition);
  }
}

void FetchLoad::OnClosed(Connection& connection) {
  broken_ =
      MakeError(Errc::kUnknown, absl::StrCat("broker ", connection.node(), " closed a connection"));
}

}  // namespace garam::bench
