#include "broker/produce_waiters.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "common/status.h"

namespace garam {
namespace {

// Takes the front waiters that satisfy `ready`, then answers them: a completion may add waiters.
void AnswerFront(std::deque<ProduceWaiters::Waiter>& waiters,
                 const std::function<bool(LogIndex)>& ready) {
  while (!waiters.empty() && ready(waiters.front().index)) {
    ProduceWaiters::Waiter waiter = std::move(waiters.front());
    waiters.pop_front();
    std::move(waiter.done)(waiter.result);
  }
}

void Fail(std::deque<ProduceWaiters::Waiter> waiters, const absl::Status& reason) {
  for (ProduceWaiters::Waiter& waiter : waiters) std::move(waiter.done)(reason);
}

std::deque<ProduceWaiters::Waiter> TakeExpired(std::deque<ProduceWaiters::Waiter>& waiters,
                                               MonoTime now) {
  std::deque<ProduceWaiters::Waiter> expired;
  auto keep = std::stable_partition(
      waiters.begin(), waiters.end(),
      [now](const ProduceWaiters::Waiter& waiter) { return waiter.deadline > now; });
  std::move(keep, waiters.end(), std::back_inserter(expired));
  waiters.erase(keep, waiters.end());
  return expired;
}

}  // namespace

void ProduceWaiters::LeaderHas(LogIndex own) {
  AnswerFront(leader_, [own](LogIndex index) { return index <= own; });
}

void ProduceWaiters::Committed(LogIndex commit, const std::function<bool(LogIndex)>& enough) {
  AnswerFront(all_, [&](LogIndex index) { return index <= commit && enough(index); });
}

void ProduceWaiters::FailEverything(const absl::Status& reason) {
  Fail(std::exchange(leader_, {}), reason);
  FailAll(reason);
}

void ProduceWaiters::FailAll(const absl::Status& reason) { Fail(std::exchange(all_, {}), reason); }

void ProduceWaiters::Expire(MonoTime now) {
  absl::Status late = MakeError(Errc::kTimedOut,
                                "the record was not replicated in the request's time; it may still "
                                "be committed later");
  Fail(TakeExpired(leader_, now), late);
  Fail(TakeExpired(all_, now), late);
}

std::optional<MonoTime> ProduceWaiters::NextDeadline() const {
  std::optional<MonoTime> next;
  for (const std::deque<Waiter>* waiters : {&leader_, &all_}) {
    for (const Waiter& waiter : *waiters) {
      if (!next || waiter.deadline < *next) next = waiter.deadline;
    }
  }
  return next;
}

}  // namespace garam
