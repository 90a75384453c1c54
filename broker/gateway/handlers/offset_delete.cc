// OffsetDelete: forgets committed offsets of topics that nobody in the group reads.
#include "proto/kafka/offset_delete.h"

#include <utility>

#include "broker/gateway/error_map.h"
#include "broker/gateway/handlers/each_partition.h"
#include "broker/gateway/handlers/group_calls.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

using Statuses = std::vector<absl::Status>;

}  // namespace

void HandleOffsetDelete(RequestPtr request) {
  const auto message = request->Decode<kafka::OffsetDeleteRequest>();
  if (!message.has_value()) return;
  auto response = std::make_shared<kafka::OffsetDeleteResponse>();
  LayOutAnswers(*message, *response);
  std::vector<TopicPartition> partitions;
  std::vector<kafka::ErrorCode*> places;  // By partition: where its answer is.
  const std::shared_ptr<const MetadataImage> image = request->broker().image();
  ForEachAnswer(*message, *response,
                [&](std::string_view name, const auto& asked, auto& answer, bool) {
                  const auto topic = image->FindTopic(std::string(name));
                  if (topic == nullptr || topic->Find(asked.partition_index) == nullptr) {
                    answer.error_code = kafka::ErrorCode::kUnknownTopicOrPartition;
                    return;
                  }
                  partitions.emplace_back(name, asked.partition_index);
                  places.push_back(&answer.error_code);
                });
  CallCoordinator<Statuses>(
      *request, message->group_id,
      [group = std::string(message->group_id), partitions](
          GroupCoordinator& groups, absl::AnyInvocable<void(absl::StatusOr<Statuses>) &&> done) {
        groups.DeleteOffsets(group, partitions, std::move(done));
      },
      [request, response, places](const absl::StatusOr<Statuses>& statuses) {
        response->error_code = ToErrorCode(statuses.status());
        if (!statuses.ok()) response->topics.clear();
        for (size_t i = 0; statuses.ok() && i < places.size(); ++i) {
          *places[i] = ToErrorCode((*statuses)[i]);
        }
        request->Answer(*response);
      });
}

}  // namespace garam
