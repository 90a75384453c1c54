#include "broker/producer_state.h"

#include <algorithm>
#include <cassert>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/crc32c.h"
#include "common/status.h"

namespace garam {
namespace {

constexpr uint8_t kFormat = 1;
constexpr size_t kHeadBytes = sizeof(uint8_t) + sizeof(int64_t) + sizeof(uint32_t);
constexpr size_t kProducerBytes = sizeof(int64_t) + sizeof(int16_t) + sizeof(uint8_t);
constexpr size_t kBatchBytes = 3 * sizeof(int64_t) + 2 * sizeof(int32_t);

// Estimates of what containers take beside their elements.
constexpr size_t kHeapBlockBytes = 8;
constexpr size_t kOrderBytes = 32;

// Sequences count from 0 to INT32_MAX and begin at 0 again.
int32_t SequenceAfter(int32_t sequence, int32_t steps) {
  return static_cast<int32_t>((int64_t{sequence} + steps) & INT32_MAX);
}

absl::Status Damaged(std::string_view what) {
  return MakeError(Errc::kStorage, absl::StrCat("a snapshot of producers is damaged: ",
                                                absl::string_view(what.data(), what.size())));
}

absl::Status OldEpoch(const ProducerBatch& batch, int16_t epoch) {
  return MakeError(Errc::kInvalidProducerEpoch,
                   absl::StrCat("producer ", batch.producer_id, " has epoch ", epoch, " by now, ",
                                batch.epoch, " is older"));
}

absl::Status OutOfOrder(const ProducerBatch& batch, int32_t expected) {
  return MakeError(
      Errc::kOutOfOrderSequence,
      absl::StrCat("sequence ", batch.base_sequence, " of producer ", batch.producer_id, ", epoch ",
                   batch.epoch, ", is out of order: ", expected, " is the next one"));
}

}  // namespace

ProducerBatch ProducerBatch::Of(const RecordBatchView& batch) {
  return {batch.producer_id(),       batch.producer_epoch(), batch.base_sequence(),
          batch.last_offset_delta(), batch.base_offset(),    batch.max_timestamp_ms()};
}

ProducerState::Batch ProducerState::Batch::Of(LogIndex index, const ProducerBatch& batch) {
  return {index, batch.base_offset + batch.last_offset_delta, batch.timestamp_ms,
          batch.base_sequence, batch.last_offset_delta};
}

int32_t ProducerState::Batch::last_sequence() const {
  return SequenceAfter(base_sequence, last_offset_delta);
}

std::optional<ProducerState::Batch> ProducerState::History::PushNewest(const Batch& batch) {
  std::optional<Batch> dropped;
  if (size_ == kBatchesKept) {
    dropped = At(0);
    first_ = (first_ + 1) % kBatchesKept;
    --size_;
  }
  ring_[(first_ + size_) % kBatchesKept] = batch;
  ++size_;
  return dropped;
}

void ProducerState::History::PushOldest(const Batch& batch) {
  first_ = (first_ + kBatchesKept - 1) % kBatchesKept;
  ring_[first_] = batch;
  ++size_;
}

ProducerState::ProducerState(ProducerLimits limits) : limits_(limits) {
  assert(limits_.producers_max > 0);
}

absl::StatusOr<std::optional<ProducerState::Original>> ProducerState::Check(
    const ProducerBatch& batch) const {
  std::optional<Original> original;
  if (!batch.idempotent()) return original;
  const auto found = producers_.find(batch.producer_id);
  if (found == producers_.end()) return original;
  const History& history = *found->second;
  if (batch.epoch < history.epoch()) return OldEpoch(batch, history.epoch());
  if (batch.epoch > history.epoch()) {
    if (batch.base_sequence != 0) return OutOfOrder(batch, 0);
    return original;
  }
  for (size_t i = 0; i < history.size(); ++i) {
    const Batch& known = history.At(i);
    if (known.base_sequence != batch.base_sequence ||
        known.last_offset_delta != batch.last_offset_delta) {
      continue;
    }
    original = {known.index, known.base_offset(), known.last_offset, known.timestamp_ms};
    return original;
  }
  const int32_t expected = SequenceAfter(history.newest().last_sequence(), 1);
  if (batch.base_sequence != expected) return OutOfOrder(batch, expected);
  return original;
}

void ProducerState::Apply(LogIndex index, const ProducerBatch& batch) {
  assert(index > last_index_);
  last_index_ = index;
  if (!batch.idempotent()) return;
  const Batch entry = Batch::Of(index, batch);
  const auto found = producers_.find(batch.producer_id);
  Undo undo{.index = index,
            .producer_id = batch.producer_id,
            .epoch = batch.epoch,
            .added = entry,
            .dropped = {},
            .before = nullptr};
  if (found != producers_.end()) {
    order_.erase(found->second->newest().index);
    if (found->second->epoch() == batch.epoch) {
      undo.dropped = found->second->PushNewest(entry).value_or(Batch{});
    } else {
      // Sequences of an older epoch say nothing any more.
      undo.whole = true;
      undo.before = std::exchange(found->second, std::make_unique<History>(batch.epoch));
      found->second->PushNewest(entry);
    }
  } else {
    while (producers_.size() >= limits_.producers_max) Forget(index, order_.begin()->second);
    undo.whole = true;
    auto history = std::make_unique<History>(batch.epoch);
    history->PushNewest(entry);
    producers_.emplace(batch.producer_id, std::move(history));
  }
  order_.emplace_hint(order_.end(), index, batch.producer_id);
  Note(std::move(undo));
}

bool ProducerState::Has(LogIndex index, const ProducerBatch& batch) const {
  if (index > last_index_ || index <= released_) return false;
  // The last change of an entry is that of its batch; those before are of whom it made room for.
  const auto after =
      std::upper_bound(undo_.begin(), undo_.end(), index,
                       [](LogIndex at, const Undo& undo) { return at < undo.index; });
  if (after == undo_.begin() || std::prev(after)->index != index) return !batch.idempotent();
  const Undo& change = *std::prev(after);
  return batch.idempotent() && change.producer_id == batch.producer_id &&
         change.epoch == batch.epoch && change.added == Batch::Of(index, batch);
}

void ProducerState::Expire(LogIndex index, LogIndex before) {
  assert(index > last_index_);
  last_index_ = index;
  while (!order_.empty() && order_.begin()->first < before) Forget(index, order_.begin()->second);
}

void ProducerState::Forget(LogIndex index, int64_t producer_id) {
  const auto found = producers_.find(producer_id);
  std::unique_ptr<History> history = std::move(found->second);
  producers_.erase(found);
  order_.erase(history->newest().index);
  Note({.index = index,
        .producer_id = producer_id,
        .whole = true,
        .added = {},
        .dropped = {},
        .before = std::move(history)});
}

void ProducerState::Note(Undo undo) {
  if (undo.before != nullptr) ++undo_histories_;
  undo_.push_back(std::move(undo));
  while (undo_.size() > limits_.undo_max) ReleaseOldest();
}

void ProducerState::ReleaseOldest() {
  released_ = undo_.front().index;
  if (undo_.front().before != nullptr) --undo_histories_;
  undo_.pop_front();
}

void ProducerState::Committed(LogIndex index) {
  while (!undo_.empty() && undo_.front().index <= index) ReleaseOldest();
}

bool ProducerState::TruncateTo(LogIndex from) {
  if (from <= released_) return false;
  while (!undo_.empty() && undo_.back().index >= from) {
    Undo undo = std::move(undo_.back());
    undo_.pop_back();
    if (undo.before != nullptr) --undo_histories_;
    TakeBack(std::move(undo));
  }
  last_index_ = std::min(last_index_, from - 1);
  return true;
}

void ProducerState::TakeBack(Undo undo) {
  const auto found = producers_.find(undo.producer_id);
  if (found != producers_.end()) order_.erase(found->second->newest().index);
  if (undo.whole && undo.before == nullptr) {
    producers_.erase(found);
    return;
  }
  LogIndex last;
  if (undo.whole) {
    last = undo.before->newest().index;
    producers_.insert_or_assign(undo.producer_id, std::move(undo.before));
  } else {
    found->second->PopNewest();
    if (undo.dropped.index > LogIndex(0)) found->second->PushOldest(undo.dropped);
    last = found->second->newest().index;
  }
  order_.emplace(last, undo.producer_id);
}

ProducerState::Undo ProducerState::Undo::Copy() const {
  return {index,
          producer_id,
          epoch,
          whole,
          added,
          dropped,
          before == nullptr ? nullptr : std::make_unique<History>(*before)};
}

std::optional<ProducerState> ProducerState::AsOf(LogIndex through) const {
  if (through < released_) return std::nullopt;
  ProducerState state(limits_);
  state.producers_.reserve(producers_.size());
  for (const auto& [id, history] : producers_) {
    state.producers_.emplace(id, std::make_unique<History>(*history));
  }
  state.order_ = order_;
  for (auto undo = undo_.rbegin(); undo != undo_.rend() && undo->index > through; ++undo) {
    state.TakeBack(undo->Copy());
  }
  state.last_index_ = state.released_ = std::min(last_index_, through);
  return state;
}

// A head, the producers in the order of their last batches, each with its batches from the oldest
// on, and the CRC-32C of all that.
std::string ProducerState::EncodeSnapshot(LogIndex through) const {
  assert(through >= last_index_);
  std::string bytes;
  bytes.reserve(kHeadBytes + order_.size() * (kProducerBytes + kBatchesKept * kBatchBytes) +
                sizeof(uint32_t));
  ByteWriter writer(bytes);
  writer.Put(kFormat);
  writer.Put(through.value());
  writer.Put(static_cast<uint32_t>(order_.size()));
  for (const auto& [index, producer_id] : order_) {
    const History& history = *producers_.at(producer_id);
    writer.Put(producer_id);
    writer.Put(history.epoch());
    writer.Put(static_cast<uint8_t>(history.size()));
    for (size_t i = 0; i < history.size(); ++i) {
      const Batch& batch = history.At(i);
      writer.Put(batch.index.value());
      writer.Put(batch.last_offset.value());
      writer.Put(batch.timestamp_ms);
      writer.Put(batch.base_sequence);
      writer.Put(batch.last_offset_delta);
    }
  }
  writer.Put(Crc32c(bytes));
  return bytes;
}

absl::StatusOr<ProducerState::History> ProducerState::TakeHistory(ByteReader& reader) {
  History history(reader.Get<int16_t>());
  const size_t count = reader.Get<uint8_t>();
  if (count == 0 || count > kBatchesKept) return Damaged("the number of a producer's batches");
  LogIndex last_index;
  Offset next_offset;
  for (size_t i = 0; i < count; ++i) {
    Batch batch;
    batch.index = LogIndex(reader.Get<int64_t>());
    batch.last_offset = Offset(reader.Get<int64_t>());
    batch.timestamp_ms = reader.Get<int64_t>();
    batch.base_sequence = reader.Get<int32_t>();
    batch.last_offset_delta = reader.Get<int32_t>();
    if (!reader.ok()) return Damaged("it is cut short");
    if (batch.base_sequence < 0 || batch.last_offset_delta < 0) return Damaged("a sequence");
    if (batch.index <= last_index || batch.last_offset < next_offset ||
        batch.last_offset - next_offset < batch.last_offset_delta ||
        batch.last_offset == Offset(INT64_MAX)) {
      return Damaged("the order of a producer's batches");
    }
    last_index = batch.index;
    next_offset = batch.last_offset + 1;
    history.PushNewest(batch);
  }
  return history;
}

absl::StatusOr<ProducerState> ProducerState::DecodeSnapshot(std::string_view bytes,
                                                            ProducerLimits limits) {
  if (bytes.size() < kHeadBytes + sizeof(uint32_t)) return Damaged("it is cut short");
  if (static_cast<uint8_t>(bytes[0]) > kFormat) {
    return MakeError(Errc::kUnsupportedVersion,
                     "a snapshot of producers is of a newer format; start the newer build");
  }
  ByteReader crc(bytes.substr(bytes.size() - sizeof(uint32_t)));
  bytes.remove_suffix(sizeof(uint32_t));
  if (crc.Get<uint32_t>() != Crc32c(bytes)) return Damaged("its checksum is wrong");
  ByteReader reader(bytes);
  if (reader.Get<uint8_t>() != kFormat) return Damaged("its format");
  ProducerState state(limits);
  state.last_index_ = state.released_ = LogIndex(reader.Get<int64_t>());
  if (state.last_index_ < LogIndex(0)) return Damaged("its place in the log");
  const size_t count = reader.Get<uint32_t>();
  if (count > limits.producers_max || count > reader.left() / (kProducerBytes + kBatchBytes))
    return Damaged("the number of producers");
  state.producers_.reserve(count);
  LogIndex last_index;
  for (size_t i = 0; i < count; ++i) {
    const auto producer_id = reader.Get<int64_t>();
    ASSIGN_OR_RETURN(const History history, TakeHistory(reader));
    const LogIndex index = history.newest().index;
    if (index <= last_index || index > state.last_index_) return Damaged("the order of producers");
    last_index = index;
    if (producer_id < 0 ||
        !state.producers_.emplace(producer_id, std::make_unique<History>(history)).second) {
      return Damaged("a producer's id");
    }
    state.order_.emplace_hint(state.order_.end(), index, producer_id);
  }
  if (!reader.done()) return Damaged("bytes behind its end");
  return state;
}

std::vector<LogIndex> ProducerState::BatchIndexes() const {
  std::vector<LogIndex> indexes;
  indexes.reserve(producers_.size() * kBatchesKept + undo_.size());
  const auto note = [&indexes](const History& history) {
    for (size_t i = 0; i < history.size(); ++i) indexes.push_back(history.At(i).index);
  };
  for (const auto& [id, history] : producers_) note(*history);
  for (const Undo& undo : undo_) {
    if (undo.dropped.index > LogIndex(0)) indexes.push_back(undo.dropped.index);
    if (undo.before != nullptr) note(*undo.before);
  }
  std::sort(indexes.begin(), indexes.end());
  indexes.erase(std::unique(indexes.begin(), indexes.end()), indexes.end());
  return indexes;
}

void ProducerState::ForEach(absl::FunctionRef<void(const Producer&)> visit) const {
  for (const auto& [index, producer_id] : order_) {
    const History& history = *producers_.at(producer_id);
    const Batch& last = history.newest();
    visit({producer_id, history.epoch(), last.last_sequence(), last.timestamp_ms, index,
           last.last_offset});
  }
}

std::optional<LogIndex> ProducerState::oldest_index() const {
  if (order_.empty()) return std::nullopt;
  return order_.begin()->first;
}

size_t ProducerState::memory_bytes() const {
  // A slot of the hash table has one byte of control.
  constexpr size_t kSlotBytes = sizeof(decltype(producers_)::value_type) + 1;
  return sizeof(*this) + producers_.capacity() * kSlotBytes +
         (producers_.size() + undo_histories_) * (sizeof(History) + kHeapBlockBytes) +
         order_.size() * kOrderBytes + undo_.size() * sizeof(Undo);
}

}  // namespace garam
