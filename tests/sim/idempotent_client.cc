#include "tests/sim/idempotent_client.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "tests/sim/sim_executor.h"
#include "tests/unit/broker/batch_builder.h"

namespace garam::sim {
namespace {

// Below what a broker keeps of each producer, so that every duplicate is known.
constexpr int32_t kUnderWayMax = 3;
constexpr Duration kSendAgain = std::chrono::seconds(1);
constexpr Duration kSoon = Millis(20);
constexpr double kRest = 0.02;  // Each time that it could send.

}  // namespace

void IdempotentClient::KeepSending() {
  if (stopped_ && unacked_.empty()) return;
  world_.After(options_.every + Micros(100), [this] { KeepSending(); });
  const MonoTime now = world_.now();
  if (!unacked_.empty() && now >= send_again_at_) {
    send_again_at_ = now + kSendAgain;
    for (const Unacked& batch : std::deque<Unacked>(unacked_)) SendOne(batch);
  }
  if (stopped_ || !MayBegin()) return;
  if (unacked_.empty()) send_again_at_ = now + kSendAgain;
  unacked_.push_back(
      {next_sequence_++, options_.next_value(), kWallStartMs + world_.now_us() / 1000});
  SendOne(unacked_.back());
}

bool IdempotentClient::MayBegin() {
  const bool forgettable = options_.forgotten_after > Duration(0);
  if (world_.now() < rests_until_) return false;
  if (unacked_.empty() && forgettable && world_.Chance(kRest)) {
    rests_until_ = world_.now() + world_.Around(options_.forgotten_after);
    return false;
  }
  // A broker takes the first batch that it sees of a producer, whatever its sequence: requests
  // overtake each other here, as they don't on one connection.
  const bool known = next_sequence_ > 1 || (next_sequence_ == 1 && unacked_.empty());
  const int32_t under_way = unacked_.empty() ? 0 : next_sequence_ - unacked_.front().sequence;
  return under_way < (known && !forgettable ? kUnderWayMax : 1);
}

void IdempotentClient::SendOne(const Unacked& batch) {
  BatchBuilder builder;
  builder.records = {TestRecord{absl::StrCat("value=", batch.value, "#")}};
  builder.base_timestamp_ms = batch.timestamp_ms;
  builder.producer_id = options_.producer_id;
  builder.producer_epoch = 0;
  builder.base_sequence = batch.sequence;
  // All before it are acknowledged: whoever leads now must take it.
  const bool next = batch.sequence == unacked_.front().sequence;
  options_.send(builder.Build(),
                [this, batch, next](const Answer& answer) { Take(batch, next, answer); });
}

void IdempotentClient::Take(const Unacked& batch, bool next, const Answer& answer) {
  const auto waiting = std::find_if(unacked_.begin(), unacked_.end(), [&](const Unacked& other) {
    return other.sequence == batch.sequence;
  });
  if (waiting == unacked_.end()) return;  // An answer to what was sent before.
  if (answer.result.ok()) {
    oracle_.OnAcked(answer.group, answer.result->base_offset, batch.value, options_.min_isr);
    unacked_.erase(waiting);
    return;
  }
  const bool refused = ErrcOf(answer.result.status()) == Errc::kOutOfOrderSequence;
  if (refused && next && !oracle_.may_lose(answer.group)) {
    world_.Fail(absl::StrCat("group ", answer.group.value(), ": sequence ", batch.sequence,
                             " is the next one, and is refused"));
  }
  send_again_at_ = std::min(send_again_at_, world_.now() + kSoon);
}

}  // namespace garam::sim
