// ListGroups: those that this broker coordinates, and no others.
#include "proto/kafka/list_groups.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "broker/gateway/handlers/group_calls.h"
#include "broker/gateway/handlers/handlers.h"

namespace garam {
namespace {

using kafka::ListGroupsRequest;
using kafka::ListGroupsResponse;
using Listings = std::vector<GroupListing>;

// Whether `filter` lets `value` through; an empty one lets everything.
bool Lets(const std::vector<std::string>& filter, const std::string& value) {
  return filter.empty() || std::any_of(filter.begin(), filter.end(), [&](const auto& wanted) {
           return absl::EqualsIgnoreCase(wanted, value);
         });
}

class ListGroupsOperation : public std::enable_shared_from_this<ListGroupsOperation> {
 public:
  ListGroupsOperation(RequestPtr request, const ListGroupsRequest& message)
      : request_(std::move(request)),
        states_(message.states_filter.begin(), message.states_filter.end()),
        types_(message.types_filter.begin(), message.types_filter.end()) {}

  void Start() {
    Broker& broker = request_->broker();
    const std::shared_ptr<const TopicImage> topic = broker.image()->FindTopic(kOffsetsTopic);
    const size_t partitions = topic == nullptr ? 0 : topic->partitions.size();
    missing_ = partitions + 1;  // One for ourselves.
    for (size_t i = 0; i < partitions; ++i) {
      auto partition = broker.Find(topic->id, static_cast<int32_t>(i));
      if (!partition.ok()) {
        OneDone();
        continue;
      }
      CallCoordinatorOf<Listings>(
          *request_, *std::move(partition),
          [](GroupCoordinator& groups, absl::AnyInvocable<void(absl::StatusOr<Listings>) &&> done) {
            std::move(done)(groups.List());
          },
          [self = shared_from_this()](const absl::StatusOr<Listings>& listings) {
            // Those that are coordinated elsewhere are listed there.
            if (listings.ok()) self->Add(*listings);
            self->OneDone();
          });
    }
    OneDone();
  }

 private:
  void Add(const Listings& listings) {
    for (const GroupListing& group : listings) {
      if (!Lets(states_, group.state) || !Lets(types_, group.type)) continue;
      response_.groups.push_back({group.group, group.protocol_type, group.state, group.type});
    }
  }

  void OneDone() {
    if (--missing_ > 0) return;
    std::sort(response_.groups.begin(), response_.groups.end(),
              [](const auto& a, const auto& b) { return a.group_id < b.group_id; });
    request_->Answer(response_);
  }

  const RequestPtr request_;
  const std::vector<std::string> states_;
  const std::vector<std::string> types_;
  ListGroupsResponse response_;
  size_t missing_ = 0;
};

}  // namespace

void HandleListGroups(RequestPtr request) {
  const auto message = request->Decode<ListGroupsRequest>();
  if (!message.has_value()) return;
  auto operation = std::make_shared<ListGroupsOperation>(std::move(request), *message);
  operation->Start();
}

}  // namespace garam
