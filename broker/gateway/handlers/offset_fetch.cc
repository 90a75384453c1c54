// OffsetFetch: what groups have committed; of one group before version 8, of several since.
#include "proto/kafka/offset_fetch.h"

#include <memory>
#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/group_calls.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

using kafka::OffsetFetchRequest;
using kafka::OffsetFetchResponse;
using Offsets = GroupStore::Offsets;
using OptionalTopics = std::optional<std::vector<TopicPartition>>;  // Nothing: all there are.

constexpr int16_t kFirstVersionWithError = 2;
constexpr int16_t kFirstVersionWithGroups = 8;
constexpr int16_t kFirstOffsetFetchWithTopicIds = 10;

using AskedBy = std::optional<GroupCoordinator::EpochOfMember>;

// Of the wanted partitions those that have an offset.
absl::StatusOr<Offsets> Collect(const GroupCoordinator& groups, const std::string& group,
                                const AskedBy& by, const OptionalTopics& wanted) {
  ASSIGN_OR_RETURN(const Offsets* const kept, groups.OffsetsOf(group, by));
  if (kept == nullptr) return Offsets();
  if (!wanted) return *kept;
  Offsets found;
  for (const TopicPartition& partition : *wanted) {
    const auto entry = kept->find(partition);
    if (entry != kept->end()) found.insert(*entry);
  }
  return found;
}

class OffsetFetchOperation : public std::enable_shared_from_this<OffsetFetchOperation> {
 public:
  OffsetFetchOperation(RequestPtr request, OffsetFetchRequest message)
      : request_(std::move(request)),
        message_(std::move(message)),
        image_(request_->broker().image()) {}

  void Start() {
    if (request_->version() < kFirstVersionWithGroups) {
      missing_ = 1;
      OptionalTopics wanted;
      if (message_.topics) {
        wanted.emplace();
        for (const auto& topic : *message_.topics) Want(std::string(topic.name), topic, *wanted);
      }
      return Fetch(message_.group_id, std::nullopt, std::move(wanted),
                   [this](const auto& offsets) { AnswerOne(offsets); });
    }
    missing_ = message_.groups.size();
    response_.groups.resize(missing_);
    if (missing_ == 0) return request_->Answer(response_);
    for (size_t i = 0; i < message_.groups.size(); ++i) {
      const auto& group = message_.groups[i];
      OptionalTopics wanted;
      if (group.topics) {
        wanted.emplace();
        for (const auto& topic : *group.topics) Want(NameOf(topic), topic, *wanted);
      }
      Fetch(group.group_id, AskedByOf(group), std::move(wanted),
            [this, i](const auto& offsets) { AnswerGroup(i, offsets); });
    }
  }

 private:
  template <class Topic>
  static void Want(const std::string& name, const Topic& topic,
                   std::vector<TopicPartition>& wanted) {
    for (const int32_t partition : topic.partition_indexes) wanted.emplace_back(name, partition);
  }

  // Administrators are no members.
  static AskedBy AskedByOf(const OffsetFetchRequest::OffsetFetchRequestGroup& group) {
    if (!group.member_id && group.member_epoch < 0) return std::nullopt;
    return GroupCoordinator::EpochOfMember{std::string(group.member_id.value_or("")),
                                           group.member_epoch};
  }

  bool by_id() const { return request_->version() >= kFirstOffsetFetchWithTopicIds; }

  // Empty for an id that nobody knows.
  template <class Topic>
  std::string NameOf(const Topic& topic) const {
    if (!by_id()) return std::string(topic.name);
    const std::shared_ptr<const TopicImage> known = image_->FindTopic(topic.topic_id);
    return known == nullptr ? std::string() : known->name;
  }

  template <class Then>
  void Fetch(std::string_view group, AskedBy by, OptionalTopics wanted, Then then) {
    CallCoordinator<Offsets>(
        *request_, group,
        [group = std::string(group), by = std::move(by), wanted = std::move(wanted)](
            GroupCoordinator& groups, absl::AnyInvocable<void(absl::StatusOr<Offsets>) &&> done) {
          std::move(done)(Collect(groups, group, by, wanted));
        },
        [self = shared_from_this(), then](const absl::StatusOr<Offsets>& offsets) {
          then(offsets);
          if (--self->missing_ == 0) self->request_->Answer(self->response_);
        });
  }

  template <class Partition>
  static void Fill(Partition& answer, int32_t index, const Offsets& offsets,
                   const std::string& topic) {
    answer.partition_index = index;
    const auto found = offsets.find({topic, index});
    answer.committed_offset = found == offsets.end() ? -1 : found->second.offset.value();
    answer.committed_leader_epoch = found == offsets.end() ? -1 : found->second.leader_epoch;
    answer.metadata = found == offsets.end() ? std::string() : found->second.metadata;
  }

  // By topic, as the answer has them.
  template <class Topic, class SetName>
  static void FillAll(std::vector<Topic>& topics, const Offsets& offsets, SetName set_name) {
    const std::string* last = nullptr;
    for (const auto& [partition, offset] : offsets) {
      if (last == nullptr || *last != partition.first) {
        if (!set_name(topics.emplace_back(), partition.first)) {
          topics.pop_back();
          continue;
        }
        last = &partition.first;
      }
      Fill(topics.back().partitions.emplace_back(), partition.second, offsets, partition.first);
    }
  }

  void AnswerOne(const absl::StatusOr<Offsets>& offsets) {
    const kafka::ErrorCode error = ToErrorCode(offsets.status());
    response_.error_code = error;
    if (offsets.ok() && !message_.topics) {
      FillAll(response_.topics, *offsets, [](auto& answer, const std::string& name) {
        answer.name = name;
        return true;
      });
    }
    if (!message_.topics) return;
    for (const auto& topic : *message_.topics) {
      if (!offsets.ok() && request_->version() >= kFirstVersionWithError) return;
      auto& answer = response_.topics.emplace_back();
      answer.name = topic.name;
      for (const int32_t index : topic.partition_indexes) {
        auto& place = answer.partitions.emplace_back();
        Fill(place, index, offsets.ok() ? *offsets : Offsets(), answer.name);
        place.error_code = error;
      }
    }
  }

  void AnswerGroup(size_t at, const absl::StatusOr<Offsets>& offsets) {
    const auto& group = message_.groups[at];
    auto& answer = response_.groups[at];
    answer.group_id = group.group_id;
    answer.error_code = ToErrorCode(offsets.status());
    if (!offsets.ok()) return;
    if (!group.topics) {
      return FillAll(answer.topics, *offsets, [this](auto& topic, const std::string& name) {
        topic.name = name;
        const std::shared_ptr<const TopicImage> known = image_->FindTopic(name);
        if (known != nullptr) topic.topic_id = known->id;
        return known != nullptr || !by_id();
      });
    }
    for (const auto& topic : *group.topics) {
      auto& answered = answer.topics.emplace_back();
      answered.name = topic.name;
      answered.topic_id = topic.topic_id;
      const std::string name = NameOf(topic);
      for (const int32_t index : topic.partition_indexes) {
        auto& place = answered.partitions.emplace_back();
        Fill(place, index, *offsets, name);
        if (name.empty() && by_id()) place.error_code = kafka::ErrorCode::kUnknownTopicId;
      }
    }
  }

  const RequestPtr request_;
  const OffsetFetchRequest message_;
  const std::shared_ptr<const MetadataImage> image_;
  OffsetFetchResponse response_;
  size_t missing_ = 0;
};

}  // namespace

void HandleOffsetFetch(RequestPtr request) {
  auto message = request->Decode<OffsetFetchRequest>();
  if (!message.has_value()) return;
  auto operation = std::make_shared<OffsetFetchOperation>(std::move(request), *std::move(message));
  operation->Start();
}

}  // namespace garam
