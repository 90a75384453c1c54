#include "broker/wire/refusal_log.h"

#include <chrono>

#include "common/logging.h"

namespace garam {
namespace {

constexpr auto kSilence = std::chrono::seconds(60);
constexpr size_t kPeersMax = 64;

}  // namespace

void RefusalLog::Refused(std::string_view what, NodeId peer, const absl::Status& why) {
  const std::string reason(why.message());
  const MonoTime now = MonoTime::clock::now();
  {
    std::lock_guard lock(mutex_);
    if (last_.size() >= kPeersMax && !last_.contains(peer)) last_.clear();
    Last& last = last_[peer];
    if (last.reason == reason && now - last.when < kSilence) return;
    last = {reason, now};
  }
  LogWarn("refusing {} of broker {}: {}", what, peer.value(), reason);
}

}  // namespace garam
