#include "broker/fetch_sessions.h"

#include <algorithm>
#include <limits>

#include "common/status.h"

namespace garam {
namespace {

constexpr int32_t kFirstEpoch = 0;   // A full fetch that wants a session.
constexpr int32_t kFinalEpoch = -1;  // A full fetch that wants none, or ends its session.

}  // namespace

void FetchSession::Update(std::vector<FetchWish> wishes, const std::vector<FetchKey>& forgotten) {
  for (FetchWish& wish : wishes) {
    auto known = by_key_.find(wish.key);
    if (known != by_key_.end()) {
      known->second->wish = std::move(wish);
      continue;
    }
    FetchKey key = wish.key;
    order_.push_back(Entry{.wish = std::move(wish)});
    by_key_.emplace(std::move(key), std::prev(order_.end()));
  }
  for (const FetchKey& key : forgotten) {
    auto known = by_key_.find(key);
    if (known == by_key_.end()) continue;
    order_.erase(known->second);
    by_key_.erase(known);
  }
}

std::vector<FetchWish> FetchSession::Wishes() const {
  std::vector<FetchWish> wishes;
  wishes.reserve(order_.size());
  for (const Entry& entry : order_) wishes.push_back(entry.wish);
  return wishes;
}

FetchSessions::FetchSessions(size_t slots, size_t shard, size_t shards, Random& random)
    : slots_(slots), shard_(shard), shards_(shards), random_(random) {}

absl::StatusOr<FetchSessions::Context> FetchSessions::Begin(FetchSessionRequest request,
                                                            MonoTime now) {
  if (request.session_epoch != kFirstEpoch && request.session_epoch != kFinalEpoch)
    return BeginIncremental(std::move(request), now);
  if (request.session_id != 0) Remove(request.session_id);
  if (request.session_epoch == kFinalEpoch)
    return Context{nullptr, false, std::move(request.wishes)};
  return BeginFull(std::move(request), now);
}

FetchSessions::Context FetchSessions::BeginFull(FetchSessionRequest request, MonoTime now) {
  if (request.wishes.empty() || !MakeRoom(request.wishes.size(), now))
    return Context{nullptr, false, std::move(request.wishes)};
  auto session = std::make_shared<FetchSession>(NewId(), request.by_topic_id, now);
  session->Update(std::move(request.wishes), {});
  partitions_ += session->size();
  sessions_.push_back(session);
  by_id_.emplace(session->id(), std::prev(sessions_.end()));
  return Context{session, false, session->Wishes()};
}

absl::StatusOr<FetchSessions::Context> FetchSessions::BeginIncremental(FetchSessionRequest request,
                                                                       MonoTime now) {
  auto found = by_id_.find(request.session_id);
  if (found == by_id_.end())
    return MakeError(Errc::kFetchSessionNotFound, "no such fetch session: start a new one");
  const std::shared_ptr<FetchSession> session = *found->second;
  if (request.session_epoch != session->next_epoch_)
    return MakeError(Errc::kInvalidFetchSessionEpoch, "the fetch session's epoch is out of order");
  if (request.by_topic_id != session->by_topic_id_) {
    return MakeError(Errc::kInconsistentTopicId,
                     "a fetch session names its topics by id or by name, not both");
  }
  if (partitions_ + request.wishes.size() > kPartitionsMax) {
    Remove(session->id());
    return MakeError(Errc::kFetchSessionNotFound, "fetch sessions hold too many partitions");
  }
  partitions_ -= session->size();
  session->Update(std::move(request.wishes), request.forgotten);
  partitions_ += session->size();
  if (session->size() == 0) {
    Remove(session->id());
    return Context{};
  }
  session->next_epoch_ =
      session->next_epoch_ == std::numeric_limits<int32_t>::max() ? 1 : session->next_epoch_ + 1;
  session->last_used_ = now;
  sessions_.splice(sessions_.end(), sessions_, found->second);
  return Context{session, true, session->Wishes()};
}

std::vector<bool> FetchSessions::Select(const Context& context,
                                        const std::vector<Outcome>& outcomes) {
  std::vector<bool> selected(outcomes.size(), true);
  if (context.session == nullptr) return selected;
  FetchSession& session = *context.session;
  for (size_t i = 0; i < outcomes.size(); ++i) {
    auto known = session.by_key_.find(context.wishes[i].key);
    if (known == session.by_key_.end()) continue;  // Forgotten by a later request meanwhile.
    const auto entry = known->second;
    const Outcome& outcome = outcomes[i];
    const bool news = outcome.has_records || outcome.must_tell || outcome.error ||
                      outcome.high_watermark != entry->high_watermark ||
                      outcome.log_start_offset != entry->log_start_offset;
    selected[i] = news || !context.incremental;
    if (!selected[i]) continue;
    // After an error the partition counts as news, even when nothing else has changed.
    entry->high_watermark = outcome.error ? -1 : outcome.high_watermark;
    entry->log_start_offset = outcome.log_start_offset;
    if (outcome.has_records) session.order_.splice(session.order_.end(), session.order_, entry);
  }
  return selected;
}

void FetchSessions::Drop(const Context& context) {
  if (context.session != nullptr) Remove(context.session->id());
}

int32_t FetchSessions::IdOf(const Context& context) {
  return context.session == nullptr ? 0 : context.session->id();
}

bool FetchSessions::MakeRoom(size_t size, MonoTime now) {
  if (size > kPartitionsMax || slots_ == 0) return false;
  while (sessions_.size() >= slots_ || partitions_ + size > kPartitionsMax) {
    auto victim = sessions_.begin();
    if (now - (*victim)->last_used_ <= kEvictableAfter) {
      // Nobody is idle: one that has had its time makes way for a larger one.
      victim =
          std::min_element(sessions_.begin(), sessions_.end(), [&](const auto& a, const auto& b) {
            const bool young_a = now - a->created_ <= kEvictableAfter;
            const bool young_b = now - b->created_ <= kEvictableAfter;
            return std::pair(young_a, a->size()) < std::pair(young_b, b->size());
          });
      if (now - (*victim)->created_ <= kEvictableAfter || (*victim)->size() >= size) return false;
    }
    Remove((*victim)->id());
  }
  return true;
}

void FetchSessions::Remove(int32_t id) {
  auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  partitions_ -= (*found->second)->size();
  sessions_.erase(found->second);
  by_id_.erase(found);
}

int32_t FetchSessions::NewId() {
  const uint64_t groups = std::numeric_limits<int32_t>::max() / shards_ - 1;
  while (true) {
    const auto id = static_cast<int32_t>((1 + random_.Below(groups)) * shards_ + shard_);
    if (!by_id_.contains(id)) return id;
  }
}

}  // namespace garam
