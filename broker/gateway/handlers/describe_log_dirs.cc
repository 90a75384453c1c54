// DescribeLogDirs: what this broker's replicas take on its disk, whether they lead or not.
#include <map>
#include <memory>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/handlers.h"
#include "broker/gateway/handlers/partition_calls.h"
#include "proto/kafka/describe_log_dirs.h"

namespace garam {
namespace {

using kafka::DescribeLogDirsRequest;
using kafka::DescribeLogDirsResponse;

// Collects from every shard, and from the disk.
class LogDirsOperation : public std::enable_shared_from_this<LogDirsOperation> {
 public:
  explicit LogDirsOperation(RequestPtr request) : request_(std::move(request)) {}

  void Start(const DescribeLogDirsRequest& message) {
    ++missing_;  // For ourselves.
    if (message.topics.has_value()) {
      for (const auto& topic : *message.topics) {
        for (int32_t partition : topic.partitions) Look(topic.topic, partition);
      }
    } else {
      request_->broker().image()->ForEachTopic([this](const auto& topic) {
        for (size_t i = 0; i < topic->partitions.size(); ++i) {
          Look(topic->name, static_cast<int32_t>(i));
        }
      });
    }
    ++missing_;
    request_->broker().DescribeFolder(
        request_->services().shard, [self = shared_from_this()](absl::StatusOr<LogFolder> folder) {
          self->folder_ = std::move(folder);
          self->OneDone();
        });
    OneDone();
  }

 private:
  // What is not here has no place in the answer, as in Kafka's.
  void Look(std::string_view topic, int32_t index) {
    absl::StatusOr<std::shared_ptr<Partition>> partition = request_->broker().Find(topic, index);
    if (!partition.ok()) return;
    ++missing_;
    CallPartition<LogSize>(
        request_->services(), *std::move(partition),
        [](const Partition& of, absl::AnyInvocable<void(LogSize) &&> done) {
          std::move(done)(of.Size());
        },
        [self = shared_from_this(), topic = std::string(topic), index](LogSize size) {
          self->sizes_[topic][index] = size;
          self->OneDone();
        });
  }

  void OneDone() {
    if (--missing_ > 0) return;
    DescribeLogDirsResponse response;
    auto& result = response.results.emplace_back();
    result.error_code = ToErrorCode(folder_.status());
    if (folder_.ok()) {
      result.log_dir = folder_->path;
      result.total_bytes = folder_->total_bytes;
      result.usable_bytes = folder_->usable_bytes;
    }
    for (const auto& [name, partitions] : sizes_) {
      auto& topic = result.topics.emplace_back();
      topic.name = name;
      for (const auto& [index, size] : partitions) {
        auto& partition = topic.partitions.emplace_back();
        partition.partition_index = index;
        partition.partition_size = size.bytes;
        partition.offset_lag = size.lag_offsets;
      }
    }
    request_->Answer(response);
  }

  const RequestPtr request_;
  absl::StatusOr<LogFolder> folder_;
  std::map<std::string, std::map<int32_t, LogSize>> sizes_;
  size_t missing_ = 0;
};

}  // namespace

void HandleDescribeLogDirs(RequestPtr request) {
  const auto message = request->Decode<DescribeLogDirsRequest>();
  if (!message.has_value()) return;
  std::make_shared<LogDirsOperation>(std::move(request))->Start(*message);
}

}  // namespace garam
