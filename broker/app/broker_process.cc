#include "broker/app/broker_process.h"

#include <algorithm>
#include <fstream>
#include <future>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "broker/app/process_events.h"
#include "broker/http/admin_routes.h"
#include "broker/lost_rows.h"
#include "common/logging.h"
#include "common/status.h"
#include "storage/rocks_kv_store.h"

namespace garam {
namespace {

// How many syncs run side by side; threads are started when first needed.
constexpr size_t kPoolThreads = 8;

// Where it cannot be read, every start counts as another run of the machine: that costs a handshake
// and risks nothing.
std::string BootId(Random& random) {
  std::string id;
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  if (std::getline(file, id) && !id.empty()) return id;
  return absl::StrCat("unknown-", random.Next());
}

// RocksDB writes when it opens, and does not bear it well when it cannot.
constexpr int64_t kSpaceBytesMin = 4 << 20;
constexpr int64_t kSpacePart = 64;

absl::Status CheckSpace(storage::FileSystem& files, const std::string& folder) {
  ASSIGN_OR_RETURN(const storage::FileSystem::Space space, files.SpaceOf(folder));
  const int64_t needed = std::min(kSpaceBytesMin, space.total_bytes / kSpacePart);
  if (space.usable_bytes >= needed) return absl::OkStatus();
  return MakeError(Errc::kStorage,
                   absl::StrCat("the disk of ", folder, " has ", space.usable_bytes >> 10,
                                " KiB left: free ", needed >> 10, " KiB and start again"));
}

}  // namespace

BrokerProcess::BrokerProcess(BrokerConfig config, ProcessEvents& events)
    : config_(std::move(config)),
      events_(events),
      pool_("garam-io", kPoolThreads, config_.cleaner.threads) {}

BrokerProcess::~BrokerProcess() = default;

absl::Status BrokerProcess::Start() {
  ASSIGN_OR_RETURN(folder_, DataFolder::Open(files_, config_.data_dir, config_.node_id, random_));
  RETURN_IF_ERROR(CheckSpace(files_, config_.data_dir));
  ASSIGN_OR_RETURN(kv_, storage::OpenRocksKvStore(folder_->kv_path()));
  RETURN_IF_ERROR(CheckForLostRows(files_, *kv_, *folder_, random_));
  std::vector<Executor*> executors;
  for (size_t i = 0; i < config_.shards; ++i) {
    loops_.push_back(std::make_unique<ShardLoop>(absl::StrCat("garam-shard-", i)));
    executors.push_back(loops_.back().get());
  }
  BrokerCore::Env env{std::move(executors),
                      pool_,
                      clock_,
                      random_,
                      files_,
                      *kv_,
                      *folder_,
                      BootId(random_),
                      [this] { events_.Ready(); },
                      [this](absl::Status reason) { events_.Fatal(reason); }};
  core_ = std::make_unique<BrokerCore>(config_, std::move(env));
  for (const auto& loop : loops_) loop->Start();
  RETURN_IF_ERROR(ListenToPeers());
  core_->Start(*control_, *streams_);
  return ListenToMonitors();
}

absl::Status BrokerProcess::ListenToMonitors() {
  if (!config_.http_listener) return absl::OkStatus();
  http_ = std::make_unique<HttpServer>(*loops_[0], *config_.http_listener);
  AddAdminRoutes(*http_, *core_, metrics_);
  metrics_.AddSource([this](MetricSink& sink) {
    sink.Counter("garam_raft_elections_total", "Elections that replicas of this broker stood for",
                 {}, static_cast<double>(core_->elections()));
    const CleanerCounts& cleaner = core_->cleaner_counts();
    const auto count = [&sink](const char* name, const char* help, uint64_t value) {
      sink.Counter(name, help, {}, static_cast<double>(value));
    };
    count("garam_compaction_passes_total", "Passes of compaction that have ended",
          cleaner.passes.load());
    count("garam_compaction_failures_total", "Passes that could not be ended",
          cleaner.failures.load());
    count("garam_compaction_read_bytes_total", "Bytes of log that compaction has read",
          cleaner.bytes_read.load());
    count("garam_compaction_written_bytes_total", "Bytes of log that compaction has written",
          cleaner.bytes_written.load());
    count("garam_compaction_dropped_records_total", "Records that compaction has dropped",
          cleaner.records_dropped.load());
  });
  return http_->Start();
}

absl::Status BrokerProcess::ListenToPeers() {
  ReplicationOptions stream_options;
  stream_options.listen_port = config_.stream_port;
  stream_options.self = [this] { return core_->identity(); };
  std::vector<ShardLoop*> loops;
  for (const auto& loop : loops_) loops.push_back(loop.get());
  streams_ = std::make_unique<ReplicationPlane>(std::move(stream_options), loops, core_->events());

  ControlOptions control_options;
  control_options.self = [this] { return core_->identity(); };
  control_options.stream_port = [this] { return streams_->port(); };
  if (config_.control_listener) {
    if (!config_.control_listener->host.empty()) {
      control_options.listen_host = config_.control_listener->host;
    }
    control_options.listen_port = config_.control_listener->port;
  }
  control_ =
      std::make_unique<ControlPlane>(std::move(control_options), *loops_[0], core_->events());
  // A cluster of one has no peers to listen to.
  if (!config_.control_listener) return absl::OkStatus();
  RETURN_IF_ERROR(streams_->Listen());
  streams_->Start();
  return control_->Listen();
}

absl::Status BrokerProcess::Serve() {
  std::vector<ShardLoop*> loops;
  for (const auto& loop : loops_) loops.push_back(loop.get());
  gateway_ = std::make_unique<Gateway>(*core_, loops);
  RETURN_IF_ERROR(gateway_->Start());
  metrics_.AddSource([this](MetricSink& sink) { gateway_->CollectMetrics(sink); });
  LogInfo("{}", ReadyLine());
  return absl::OkStatus();
}

std::string BrokerProcess::ReadyLine() const {
  std::vector<std::string> addresses;
  for (const Listener& listener : config_.advertised_listeners) {
    addresses.push_back(listener.address.ToString());
  }
  return absl::StrCat("garamd ready: broker ", config_.node_id.value(), " of cluster ",
                      core_->identity().cluster_id, " at ", absl::StrJoin(addresses, ", "));
}

void BrokerProcess::Stop() {
  auto handed_over = std::make_shared<std::promise<void>>();
  core_->HandOver(clock_.Mono() + config_.shutdown_max,
                  [handed_over] { handed_over->set_value(); });
  handed_over->get_future().wait();
  if (http_ != nullptr) http_->Stop();
  if (gateway_ != nullptr) gateway_->Stop();
  control_->Stop();
  streams_->Stop();
  auto closed = std::make_shared<std::promise<void>>();
  core_->Stop([closed] { closed->set_value(); });
  closed->get_future().wait();
  for (auto loop = loops_.rbegin(); loop != loops_.rend(); ++loop) (*loop)->Stop();
  pool_.Stop();
}

}  // namespace garam
