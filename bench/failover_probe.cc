#include "bench/failover_probe.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "bench/batch_encoder.h"
#include "bench/cluster.h"
#include "bench/report.h"
#include "common/clock.h"

namespace garam::bench {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;
constexpr int64_t kRetryNs = 2 * kNsPerMs;
// An answer so late that the leader may be gone without a word.
constexpr int64_t kStuckNs = 150 * kNsPerMs;
constexpr int64_t kMetadataEveryNs = 10 * kNsPerMs;
constexpr int64_t kMetadataTimeoutNs = 100 * kNsPerMs;
constexpr int64_t kMetadataCookie = -1;
constexpr int32_t kRequestTimeoutMs = 10'000;
constexpr int16_t kAcksAll = -1;

void PrintLine(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

}  // namespace

// The lines of standard input.
class FailoverProbe::Commands final : public EventHandler {
 public:
  Commands(Poller& poller, std::function<void(std::string_view)> on_line, std::function<void()> end)
      : poller_(poller), on_line_(std::move(on_line)), end_(std::move(end)) {
    poller_.Add(STDIN_FILENO, EPOLLIN, this);
  }
  ~Commands() override { poller_.Remove(STDIN_FILENO); }

  void OnEvents(uint32_t) override {
    std::array<char, 1024> chunk;
    const ssize_t got = read(STDIN_FILENO, chunk.data(), chunk.size());
    if (got <= 0) {
      poller_.Remove(STDIN_FILENO);
      end_();
      return;
    }
    text_.append(chunk.data(), static_cast<size_t>(got));
    for (size_t newline; (newline = text_.find('\n')) != std::string::npos;) {
      const std::string line = text_.substr(0, newline);
      text_.erase(0, newline + 1);
      on_line_(line);
    }
  }

 private:
  Poller& poller_;
  std::function<void(std::string_view)> on_line_;
  std::function<void()> end_;
  std::string text_;
};

FailoverProbe::FailoverProbe(ProbeOptions options) : options_(std::move(options)) {}

FailoverProbe::~FailoverProbe() = default;

absl::Status FailoverProbe::Start() {
  ASSIGN_OR_RETURN(const ClusterState state, DescribeReady(options_.bootstrap, options_.topic));
  brokers_ = state.brokers;
  const int64_t now = NowNs();
  window_start_ns_ = now;
  const std::string batch = EncodeBatch(1, options_.record_bytes, SystemClock().WallMs(), 1);
  for (const PartitionState& partition : state.Find(options_.topic)->partitions) {
    auto probe = std::make_unique<Probe>();
    probe->partition = partition.index;
    probe->leader = partition.leader;
    probe->epoch = partition.leader_epoch;
    probe->replicas = partition.replicas;
    probe->frame =
        ProduceRequest(options_.topic, kAcksAll, kRequestTimeoutMs, {{partition.index, batch}});
    probe->gaps = GapTracker(now);
    // Spread over the interval, so that they do not come in bursts.
    probe->next_ns = now + static_cast<int64_t>(probes_.size()) * options_.interval_us * 1000 /
                               static_cast<int64_t>(state.Find(options_.topic)->partitions.size());
    probes_.push_back(std::move(probe));
  }
  commands_ = std::make_unique<Commands>(
      poller_, [this](std::string_view line) { OnCommand(line); }, [this] { ended_ = true; });
  return absl::OkStatus();
}

absl::Status FailoverProbe::Run() {
  RETURN_IF_ERROR(Start());
  const int64_t end = NowNs() + static_cast<int64_t>(options_.seconds * 1e9);
  while (!ended_ && NowNs() < end) Turn(end);
  PrintWindow("end");
  return absl::OkStatus();
}

void FailoverProbe::Turn(int64_t until_ns) {
  const int64_t now = NowNs();
  int64_t wake = until_ns;
  for (auto& probe : probes_) wake = std::min(wake, SendDue(*probe, now));
  if (metadata_wanted_) {
    WantMetadata(now);
    wake = std::min(wake, now + kMetadataEveryNs / 2);
  }
  poller_.RunOnce(wake);
}

int64_t FailoverProbe::SendDue(Probe& probe, int64_t now_ns) {
  if (probe.waiting) {
    const int64_t stuck = probe.sent_ns + kStuckNs;
    if (now_ns < stuck) return stuck;
    metadata_wanted_ = true;
    return now_ns + kMetadataEveryNs;
  }
  if (now_ns < probe.next_ns) return probe.next_ns;
  if (!Connected(probe)) {
    ++probe.breaks;
    metadata_wanted_ = true;
    MoveToNextReplica(probe, now_ns + kRetryNs);
    return probe.next_ns;
  }
  probe.waiting = true;
  probe.sent_ns = now_ns;
  probe.connection->SendShared(probe.frame, probe.partition);
  return now_ns + kStuckNs;
}

bool FailoverProbe::Connected(Probe& probe) {
  if (probe.connection != nullptr && probe.connection->node() == probe.leader) return true;
  Drop(probe);
  const auto broker = brokers_.find(probe.leader);
  if (broker == brokers_.end()) return false;
  absl::StatusOr<std::unique_ptr<Connection>> opened =
      Connection::Open(poller_, broker->second, this);
  if (opened.ok()) probe.connection = *std::move(opened);
  return probe.connection != nullptr;
}

void FailoverProbe::Drop(Probe& probe) {
  probe.waiting = false;
  if (probe.connection == nullptr) return;
  probe.connection->Abandon();
  poller_.Retire(std::move(probe.connection));
}

void FailoverProbe::MoveTo(Probe& probe, int32_t leader, int32_t epoch, int64_t not_before_ns) {
  if (leader != probe.leader) {
    ++probe.moves;
    Drop(probe);
    probe.leader = leader;
  }
  probe.epoch = std::max(probe.epoch, epoch);
  probe.next_ns = not_before_ns;
}

void FailoverProbe::MoveToNextReplica(Probe& probe, int64_t not_before_ns) {
  if (probe.replicas.empty()) return;
  const auto at = std::find(probe.replicas.begin(), probe.replicas.end(), probe.leader);
  const auto next = at == probe.replicas.end() || std::next(at) == probe.replicas.end()
                        ? probe.replicas.begin()
                        : std::next(at);
  MoveTo(probe, *next, probe.epoch, not_before_ns);
}

void FailoverProbe::OnAnswer(Connection& connection, int64_t cookie, std::string_view body) {
  const int64_t now = NowNs();
  if (cookie == kMetadataCookie) {
    metadata_waiting_ = false;
    const absl::StatusOr<ClusterState> state = ParseMetadata(body);
    if (state.ok()) OnMetadata(*state, now);
    return;
  }
  Probe& probe = *probes_[static_cast<size_t>(cookie)];
  if (probe.connection.get() != &connection) return;
  probe.waiting = false;
  const absl::StatusOr<ProduceAnswer> answer = ParseProduce(body);
  if (answer.ok() && answer->error == 0) {
    OnAcknowledged(probe, now);
  } else if (answer.ok()) {
    OnRefused(probe, *answer, now);
  } else {
    Drop(probe);
  }
}

void FailoverProbe::OnAcknowledged(Probe& probe, int64_t now_ns) {
  probe.gaps.OnAck(now_ns);
  probe.next_ns = std::max(now_ns, probe.sent_ns + options_.interval_us * 1000);
  if (ready_) return;
  ready_ = std::all_of(probes_.begin(), probes_.end(), [this](const auto& each) {
    return each->gaps.last_ack_ns() > window_start_ns_;
  });
  if (ready_) PrintLine("{\"event\":\"ready\"}");
}

void FailoverProbe::OnRefused(Probe& probe, const ProduceAnswer& answer, int64_t now_ns) {
  ++probe.refusals;
  for (const Endpoint& endpoint : answer.endpoints) brokers_[endpoint.node] = endpoint;
  if (options_.follow_hints && answer.leader_hint >= 0 && answer.leader_hint != probe.leader &&
      answer.leader_hint_epoch >= probe.epoch) {
    ++probe.hints;
    // At once, unless hints send the probe in circles.
    const int64_t not_before = probe.moves > 64 ? now_ns + kRetryNs : now_ns;
    return MoveTo(probe, answer.leader_hint, answer.leader_hint_epoch, not_before);
  }
  metadata_wanted_ = true;
  probe.next_ns = now_ns + kRetryNs;
}

void FailoverProbe::OnClosed(Connection& connection) {
  if (&connection == metadata_.get()) return DropMetadata();
  for (auto& probe : probes_) {
    if (probe->connection.get() != &connection) continue;
    ++probe->breaks;
    Drop(*probe);
    metadata_wanted_ = true;
    MoveToNextReplica(*probe, NowNs());
  }
}

void FailoverProbe::WantMetadata(int64_t now_ns) {
  if (metadata_waiting_ && now_ns - metadata_asked_ns_ > kMetadataTimeoutNs) DropMetadata();
  if (metadata_waiting_ || now_ns - metadata_asked_ns_ < kMetadataEveryNs) return;
  metadata_asked_ns_ = now_ns;
  for (size_t tries = 0; metadata_ == nullptr && tries < brokers_.size(); ++tries) {
    const auto broker = std::next(brokers_.begin(),
                                  static_cast<std::ptrdiff_t>(metadata_turn_++ % brokers_.size()));
    absl::StatusOr<std::unique_ptr<Connection>> opened =
        Connection::Open(poller_, broker->second, this);
    if (opened.ok()) metadata_ = *std::move(opened);
  }
  if (metadata_ == nullptr) return;
  metadata_waiting_ = true;
  metadata_->SendOwned(MetadataRequest(options_.topic), kMetadataCookie);
}

void FailoverProbe::OnMetadata(const ClusterState& state, int64_t now_ns) {
  metadata_wanted_ = false;
  for (const auto& [node, endpoint] : state.brokers) brokers_[node] = endpoint;
  const TopicState* topic = state.Find(options_.topic);
  if (topic == nullptr) return;
  for (const PartitionState& partition : topic->partitions) {
    if (static_cast<size_t>(partition.index) >= probes_.size()) continue;
    Probe& probe = *probes_[static_cast<size_t>(partition.index)];
    if (partition.leader < 0 || partition.leader_epoch <= probe.epoch) continue;
    MoveTo(probe, partition.leader, partition.leader_epoch, now_ns);
  }
}

void FailoverProbe::DropMetadata() {
  metadata_waiting_ = false;
  if (metadata_ == nullptr) return;
  metadata_->Abandon();
  poller_.Retire(std::move(metadata_));
}

void FailoverProbe::OnCommand(std::string_view line) {
  constexpr std::string_view kMark = "mark ";
  if (line.starts_with(kMark)) PrintWindow(line.substr(kMark.size()));
}

void FailoverProbe::PrintWindow(std::string_view name) {
  const int64_t now = NowNs();
  std::vector<std::string> partitions;
  for (auto& probe : probes_) {
    const GapTracker::Window window = probe->gaps.Cut(now);
    JsonObject json;
    json.Add("partition", int64_t{probe->partition});
    json.Add("acks", window.acks);
    json.Add("longest_gap_ms", static_cast<double>(window.longest_ns) / kNsPerMs);
    json.Add("gap_from_ms",
             static_cast<double>(window.longest_from_ns - window_start_ns_) / kNsPerMs);
    json.Add("leader", int64_t{probe->leader});
    json.Add("epoch", int64_t{probe->epoch});
    json.Add("refusals", std::exchange(probe->refusals, 0));
    json.Add("breaks", std::exchange(probe->breaks, 0));
    json.Add("hints", std::exchange(probe->hints, 0));
    json.Add("moves", std::exchange(probe->moves, 0));
    partitions.push_back(json.Text());
  }
  JsonObject json;
  json.Add("event", name);
  json.Add("window_ms", static_cast<double>(now - window_start_ns_) / kNsPerMs);
  json.AddRaw("partitions", JsonArray(partitions));
  PrintLine(json.Text());
  window_start_ns_ = now;
}

}  // namespace garam::bench
