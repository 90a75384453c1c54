#include "broker/gateway/handlers/leader_wait.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace garam {
namespace {

constexpr Duration kWaitMax = Millis(500);
// Elections of new groups take a few milliseconds; this is asked for new topics only.
constexpr Duration kLookAgain = Millis(5);

bool HasLeaders(const Broker& broker, const MetadataImage& image, const std::string& name) {
  const std::shared_ptr<const TopicImage> topic = image.FindTopic(name);
  if (topic == nullptr) return true;
  for (size_t i = 0; i < topic->partitions.size(); ++i) {
    if (broker.StateOf(*topic, static_cast<int32_t>(i)).leader == kNoNode) return false;
  }
  return true;
}

void LookUntil(MonoTime deadline, RequestPtr request, std::vector<std::string> topics, Task then) {
  Broker& broker = request->broker();
  const std::shared_ptr<const MetadataImage> image = broker.image();
  std::erase_if(topics, [&](const std::string& name) { return HasLeaders(broker, *image, name); });
  const MonoTime now = broker.clock().Mono();
  if (topics.empty() || now >= deadline || request->finished()) return std::move(then)();
  Executor& executor = request->services().executor();
  executor.PostAt(std::min(deadline, now + kLookAgain),
                  [deadline, request = std::move(request), topics = std::move(topics),
                   then = std::move(then)]() mutable {
                    LookUntil(deadline, std::move(request), std::move(topics), std::move(then));
                  });
}

}  // namespace

void WhenLeadersStand(RequestPtr request, std::vector<std::string> topics, Task then) {
  const MonoTime deadline = request->broker().clock().Mono() + kWaitMax;
  LookUntil(deadline, std::move(request), std::move(topics), std::move(then));
}

}  // namespace garam
