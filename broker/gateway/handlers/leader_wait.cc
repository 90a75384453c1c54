#include "broker/gateway/handlers/leader_wait.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace garam {
namespace {

constexpr Duration kWaitMax = Millis(500);
// Elections and transfers take a few milliseconds; what asks for this is rare.
constexpr Duration kLookAgain = Millis(5);

bool HasLeaders(const Broker& broker, const MetadataImage& image, const std::string& name) {
  const std::shared_ptr<const TopicImage> topic = image.FindTopic(name);
  if (topic == nullptr) return true;
  for (size_t i = 0; i < topic->partitions.size(); ++i) {
    if (broker.StateOf(*topic, static_cast<int32_t>(i)).leader == kNoNode) return false;
  }
  return true;
}

}  // namespace

void WhenHolds(RequestPtr request, MonoTime deadline, absl::AnyInvocable<bool()> holds, Task then) {
  const MonoTime now = request->broker().clock().Mono();
  if (holds() || now >= deadline || request->finished()) return std::move(then)();
  Executor& executor = request->services().executor();
  executor.PostAt(std::min(deadline, now + kLookAgain),
                  [deadline, request = std::move(request), holds = std::move(holds),
                   then = std::move(then)]() mutable {
                    WhenHolds(std::move(request), deadline, std::move(holds), std::move(then));
                  });
}

void WhenLeadersStand(RequestPtr request, std::vector<std::string> topics, Task then) {
  Broker& broker = request->broker();
  const MonoTime deadline = broker.clock().Mono() + kWaitMax;
  auto holds = [&broker, topics = std::move(topics)]() mutable {
    const std::shared_ptr<const MetadataImage> image = broker.image();
    std::erase_if(topics,
                  [&](const std::string& name) { return HasLeaders(broker, *image, name); });
    return topics.empty();
  };
  WhenHolds(std::move(request), deadline, std::move(holds), std::move(then));
}

}  // namespace garam
