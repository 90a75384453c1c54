// OffsetCommit: what a group has read up to, kept in __consumer_offsets.
#include "proto/kafka/offset_commit.h"

#include <memory>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/group_calls.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

using kafka::OffsetCommitRequest;
using kafka::OffsetCommitResponse;

constexpr int16_t kFirstVersionWithMemberEpochs = 9;
constexpr int16_t kFirstOffsetCommitWithTopicIds = 10;

class OffsetCommitOperation : public std::enable_shared_from_this<OffsetCommitOperation> {
 public:
  explicit OffsetCommitOperation(RequestPtr request)
      : request_(std::move(request)), image_(request_->broker().image()) {}

  void Start(const OffsetCommitRequest& message) {
    commit_.member = ToMember(message.member_id, message.group_instance_id);
    commit_.generation = message.generation_id_or_member_epoch;
    commit_.knows_epochs = request_->version() >= kFirstVersionWithMemberEpochs;
    now_ms_ = request_->broker().clock().WallMs();
    if (message.retention_time_ms >= 0) expire_ms_ = now_ms_ + message.retention_time_ms;
    for (const auto& topic : message.topics) Take(topic);
    CallCoordinator<Nothing>(
        *request_, message.group_id,
        [group = std::string(message.group_id), commit = std::move(commit_)](
            GroupCoordinator& groups,
            absl::AnyInvocable<void(absl::StatusOr<Nothing>) &&> done) mutable {
          groups.CommitOffsets(group, std::move(commit),
                               [done = std::move(done)](const absl::Status& status) mutable {
                                 std::move(done)(ToNothing(status));
                               });
        },
        [self = shared_from_this()](const absl::StatusOr<Nothing>& result) {
          self->Finish(result.status());
        });
  }

 private:
  using Topic = OffsetCommitRequest::OffsetCommitRequestTopic;
  using Partition = OffsetCommitRequest::OffsetCommitRequestPartition;

  void Take(const Topic& topic) {
    const bool by_id = request_->version() >= kFirstOffsetCommitWithTopicIds;
    const std::shared_ptr<const TopicImage> known =
        by_id ? image_->FindTopic(topic.topic_id) : image_->FindTopic(std::string(topic.name));
    auto& answer = response_.topics.emplace_back();
    answer.name = topic.name;
    answer.topic_id = topic.topic_id;
    for (const Partition& partition : topic.partitions) {
      auto& place = answer.partitions.emplace_back();
      place.partition_index = partition.partition_index;
      const absl::Status status = Check(known.get(), partition, by_id);
      place.error_code = ToErrorCode(status);
      if (status.ok()) Add(*known, partition);
    }
  }

  absl::Status Check(const TopicImage* topic, const Partition& partition, bool by_id) const {
    if (topic == nullptr && by_id) {
      return MakeError(Errc::kUnknownTopicId, "there is no topic with this id");
    }
    if (topic == nullptr || topic->Find(partition.partition_index) == nullptr) {
      return MakeError(Errc::kUnknownTopic, "there is no such partition");
    }
    const GroupLimits& limits = request_->broker().config().groups.limits;
    if (partition.committed_metadata.value_or("").size() > limits.offset_metadata_bytes_max) {
      return MakeError(Errc::kOffsetMetadataTooLarge, "over offset.metadata.max.bytes");
    }
    return absl::OkStatus();
  }

  void Add(const TopicImage& topic, const Partition& partition) {
    CommittedOffset offset;
    offset.offset = Offset(partition.committed_offset);
    offset.leader_epoch = partition.committed_leader_epoch;
    offset.metadata = std::string(partition.committed_metadata.value_or(""));
    offset.commit_timestamp_ms = now_ms_;
    offset.expire_timestamp_ms = expire_ms_;
    offset.topic_id = topic.id;
    commit_.offsets.push_back({{topic.name, partition.partition_index}, std::move(offset)});
  }

  void Finish(const absl::Status& status) {
    for (auto& topic : response_.topics) {
      for (auto& partition : topic.partitions) {
        if (partition.error_code == kafka::ErrorCode::kNone) {
          partition.error_code = ToErrorCode(status);
        }
      }
    }
    request_->Answer(response_);
  }

  const RequestPtr request_;
  const std::shared_ptr<const MetadataImage> image_;
  GroupCoordinator::OffsetCommit commit_;
  int64_t now_ms_ = 0;
  int64_t expire_ms_ = -1;
  OffsetCommitResponse response_;
};

}  // namespace

void HandleOffsetCommit(RequestPtr request) {
  const auto message = request->Decode<OffsetCommitRequest>();
  if (!message.has_value()) return;
  auto operation = std::make_shared<OffsetCommitOperation>(std::move(request));
  operation->Start(*message);
}

}  // namespace garam
