// The reading half of DataPartition.
#include <algorithm>
#include <utility>

#include "broker/data_partition.h"
#include "broker/record_reader.h"
#include "broker/shard.h"
#include "common/record_batch.h"
#include "common/status.h"

namespace garam {
namespace {

// Damage is this replica's trouble: the client asks again, here or whoever leads by then.
absl::Status ForClient(const absl::Status& status) {
  if (!storage::IsDamaged(status)) return status;
  return MakeError(Errc::kStorage, "a record is damaged on this broker's disk; see its log");
}

absl::Status StillWriting() {
  return MakeError(Errc::kLeaderNotReady,
                   "the leader is still writing what is committed; try again");
}

}  // namespace

std::optional<DivergingEpoch> DataPartition::Diverges(const ReadSpec& spec) const {
  if (!spec.last_fetched_epoch) return std::nullopt;
  absl::StatusOr<EpochEnd> end = EndOfEpoch(*spec.last_fetched_epoch, std::nullopt);
  if (!end.ok() || end->epoch.value() < 0) return std::nullopt;
  if (end->epoch == *spec.last_fetched_epoch && end->end_offset >= spec.from) return std::nullopt;
  return DivergingEpoch{end->epoch, end->end_offset};
}

void DataPartition::Read(ReadSpec spec,
                         absl::AnyInvocable<void(absl::StatusOr<ReadResult>) &&> done) {
  if (absl::Status status = CheckLeader(spec.current_leader_epoch); !status.ok()) {
    std::move(done)(std::move(status));
    return;
  }
  ReadResult result;
  // A fresh leader knows only a lower bound of the high watermark; it shows no less than what the
  // client has already been given.
  result.high_watermark = confirmed_ ? high_watermark_ : std::max(high_watermark_, spec.from);
  result.last_stable_offset = result.high_watermark;
  result.log_start_offset = replica_.log().start_offset();
  if (spec.from < result.log_start_offset || spec.from > next_offset_) {
    std::move(done)(MakeError(Errc::kOffsetOutOfRange, "the offset is outside the log"));
    return;
  }
  result.diverging = Diverges(spec);
  if (result.diverging || spec.from >= high_watermark_) {
    std::move(done)(std::move(result));
    return;
  }
  if (tail_.Covers(spec.from)) {
    result.batches = tail_.Read(spec.from, high_watermark_, spec.bytes_max, spec.first_batch_whole,
                                &result.bytes);
    std::move(done)(std::move(result));
    return;
  }
  if (spec.from >= replica_.log().written_offset()) {
    // Others have it, and the disk here will: the client asks again.
    std::move(done)(std::move(result));
    return;
  }
  size_t bytes_max = spec.bytes_max;
  bool first_whole = spec.first_batch_whole;
  replica_.log().Read(spec.from, high_watermark_, bytes_max,
                      [result = std::move(result), done = std::move(done), bytes_max,
                       first_whole](absl::StatusOr<std::vector<Bytes>> batches) mutable {
                        if (!batches.ok()) {
                          std::move(done)(ForClient(batches.status()));
                          return;
                        }
                        result.batches = *std::move(batches);
                        for (const Bytes& batch : result.batches) result.bytes += batch.size();
                        if (!first_whole && result.bytes > bytes_max) {
                          result.batches.clear();
                          result.bytes = 0;
                        }
                        std::move(done)(std::move(result));
                      });
}

void DataPartition::ReadVisible(
    Offset from, size_t bytes_max,
    absl::AnyInvocable<void(absl::StatusOr<std::vector<Bytes>>) &&> done) {
  if (tail_.Covers(from)) {
    size_t bytes = 0;
    return std::move(done)(
        tail_.Read(from, high_watermark_, bytes_max, /*first_batch_whole=*/true, &bytes));
  }
  replica_.log().Read(from, high_watermark_, bytes_max, std::move(done));
}

void DataPartition::Check(LogIndex from, size_t bytes_max, storage::Log::CheckDone done) {
  if (!open_) {
    std::move(done)(MakeError(Errc::kNotLeader, "the replica here has been given up"));
    return;
  }
  replica_.log().Check(from, bytes_max, std::move(done));
}

absl::StatusOr<size_t> DataPartition::BytesAvailable(const ReadSpec& spec) const {
  RETURN_IF_ERROR(CheckLeader(spec.current_leader_epoch));
  if (spec.from < replica_.log().start_offset() || spec.from > next_offset_) {
    return MakeError(Errc::kOffsetOutOfRange, "the offset is outside the log");
  }
  if (spec.from >= high_watermark_) return 0;
  if (!tail_.Covers(spec.from)) {
    return static_cast<size_t>(replica_.log().EstimateBytes(spec.from, high_watermark_));
  }
  size_t bytes = 0;
  tail_.Read(spec.from, high_watermark_, spec.bytes_max, spec.first_batch_whole, &bytes);
  return bytes;
}

Partition::WatchId DataPartition::Watch(std::function<void(size_t bytes)> wake) {
  watches_.emplace(++last_watch_, std::move(wake));
  return last_watch_;
}

void DataPartition::Unwatch(WatchId id) { watches_.erase(id); }

void DataPartition::WakeWatchers(size_t bytes) {
  // A woken fetch may unwatch itself or others, and watch anew.
  std::vector<WatchId> ids;
  ids.reserve(watches_.size());
  for (const auto& [id, wake] : watches_) ids.push_back(id);
  for (WatchId id : ids) {
    auto found = watches_.find(id);
    if (found == watches_.end()) continue;
    std::function<void(size_t)> wake = found->second;
    wake(bytes);
  }
}

void DataPartition::FindSpecial(SpecialOffset which, std::optional<Term> current_leader_epoch,
                                absl::AnyInvocable<void(absl::StatusOr<FoundOffset>) &&> done) {
  if (absl::Status status = CheckLeader(current_leader_epoch); !status.ok()) {
    std::move(done)(std::move(status));
    return;
  }
  const storage::Log& log = replica_.log();
  FoundOffset found;
  switch (which) {
    case SpecialOffset::kLatest:
      if (!confirmed_) {
        std::move(done)(MakeError(Errc::kLeaderNotReady, "the leader is new; try again"));
        return;
      }
      found.offset = high_watermark_;
      found.leader_epoch = replica_.core().term();
      break;
    case SpecialOffset::kEarliest:
    case SpecialOffset::kEarliestLocal:
      found.offset = log.start_offset();
      found.leader_epoch = log.terms().TermOfOffset(found.offset);
      break;
    case SpecialOffset::kLatestTiered:
      break;
    case SpecialOffset::kMaxTimestamp:
      if (DiskIsBehind()) {
        std::move(done)(StillWriting());
        return;
      }
      replica_.log().FindMaxTimestampBatch(
          high_watermark_, [self = shared_from_this(), done = std::move(done)](
                               absl::StatusOr<std::optional<Bytes>> batch) mutable {
            absl::StatusOr<std::optional<RecordPosition>> position = std::nullopt;
            if (batch.ok() && batch->has_value()) position = MaxTimestamp(**batch);
            if (!position.ok()) return std::move(done)(std::move(position).status());
            self->AnswerTimestamp(std::move(batch), *position, std::move(done));
          });
      return;
  }
  std::move(done)(found);
}

void DataPartition::FindByTimestamp(int64_t timestamp_ms, std::optional<Term> current_leader_epoch,
                                    absl::AnyInvocable<void(absl::StatusOr<FoundOffset>) &&> done) {
  if (absl::Status status = CheckLeader(current_leader_epoch); !status.ok()) {
    std::move(done)(std::move(status));
    return;
  }
  if (!confirmed_) {
    std::move(done)(MakeError(Errc::kLeaderNotReady, "the leader is new; try again"));
    return;
  }
  SearchTimestamp(timestamp_ms, start_offset(), std::move(done));
}

// Searches look at what is written here, and that is not all that is committed.
bool DataPartition::DiskIsBehind() const {
  return replica_.log().written_offset() < high_watermark_;
}

// A batch's largest timestamp may be that of a record below the log start, or of one that
// compaction took out: then the next batch is looked at.
void DataPartition::SearchTimestamp(int64_t timestamp_ms, Offset from, FoundDone done) {
  replica_.log().FindBatchByTimestamp(
      timestamp_ms, from, high_watermark_,
      [self = shared_from_this(), timestamp_ms, from, behind = DiskIsBehind(),
       done = std::move(done)](absl::StatusOr<std::optional<Bytes>> batch) mutable {
        if (batch.ok() && !batch->has_value() && behind) return std::move(done)(StillWriting());
        if (!batch.ok() || !batch->has_value()) {
          return self->AnswerTimestamp(std::move(batch), std::nullopt, std::move(done));
        }
        absl::StatusOr<std::optional<RecordPosition>> found =
            FirstAtOrAfter(**batch, timestamp_ms, from);
        if (!found.ok()) return std::move(done)(std::move(found).status());
        if (found->has_value()) {
          return self->AnswerTimestamp(std::move(batch), *found, std::move(done));
        }
        const Offset next = RecordBatchView((*batch)->data()).next_offset();
        self->shard_.executor().Post([self, timestamp_ms, next, done = std::move(done)]() mutable {
          if (!self->open_) return std::move(done)(self->NotLeader());
          self->SearchTimestamp(timestamp_ms, next, std::move(done));
        });
      });
}

void DataPartition::AnswerTimestamp(absl::StatusOr<std::optional<Bytes>> batch,
                                    std::optional<RecordPosition> position, FoundDone done) {
  if (!batch.ok()) return std::move(done)(ForClient(batch.status()));
  FoundOffset found;
  if (position) {
    found.offset = position->offset;
    found.timestamp_ms = position->timestamp_ms;
    found.leader_epoch = RecordBatchView((*batch)->data()).leader_epoch();
  }
  std::move(done)(found);
}

LogSize DataPartition::Size() const {
  if (!open_) return {};
  const int64_t lag = high_watermark_.value() - appended_offset_.value();
  return {.bytes = replica_.log().size_bytes(), .lag_offsets = std::max<int64_t>(0, lag)};
}

absl::StatusOr<std::vector<ActiveProducer>> DataPartition::Producers() const {
  if (!open_ || !producers_.ready()) {
    return MakeError(Errc::kNotLeader,
                     "the producers are still being read from the log: ask again");
  }
  std::vector<ActiveProducer> active;
  active.reserve(producers_.state().size());
  producers_.state().ForEach([&active](const ProducerState::Producer& producer) {
    active.push_back(
        {producer.id, producer.epoch, producer.last_sequence, producer.last_timestamp_ms});
  });
  return active;
}

absl::StatusOr<EpochEnd> DataPartition::EndOfEpoch(Term epoch,
                                                   std::optional<Term> current_leader_epoch) const {
  RETURN_IF_ERROR(CheckLeader(current_leader_epoch));
  if (epoch == replica_.core().term()) return EpochEnd{epoch, next_offset_};
  if (epoch > replica_.core().term()) return EpochEnd{};
  // KIP-101: the largest epoch at or below the asked one, and where the next one begins.
  std::optional<TermRow> row = replica_.log().terms().RowAtOrBelow(epoch);
  std::optional<TermRow> above = replica_.log().terms().RowAbove(epoch);
  if (!row) return EpochEnd{};
  return EpochEnd{row->term, above ? above->first_offset : next_offset_};
}

}  // namespace garam
