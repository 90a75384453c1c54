// SegmentedLog: reads. Plans are made here, LogReader executes them.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"
#include "storage/segmented_log.h"

namespace garam::storage {
namespace {

constexpr size_t kCursorsMax = 8;
// A reader of old segments mostly stays in one; several readers, in a few.
constexpr size_t kLoadedIndexesMax = 4;

absl::Status OutOfRange(Offset from, Offset start, Offset end) {
  return MakeError(Errc::kOffsetOutOfRange, absl::StrCat("offset ", from.value(), " is outside [",
                                                         start.value(), ", ", end.value(), "]"));
}

}  // namespace

size_t SegmentedLog::SegmentOfOffset(Offset offset) const {
  auto found =
      std::partition_point(segments_.begin(), segments_.end(),
                           [offset](const SegmentPtr& s) { return s->end.offset <= offset; });
  return std::min<size_t>(static_cast<size_t>(found - segments_.begin()), segments_.size() - 1);
}

size_t SegmentedLog::SegmentOfIndex(LogIndex index) const {
  auto found =
      std::partition_point(segments_.begin(), segments_.end(),
                           [index](const SegmentPtr& s) { return s->header.base_index <= index; });
  return found == segments_.begin() ? 0 : static_cast<size_t>(found - segments_.begin()) - 1;
}

SegmentView SegmentedLog::ViewOf(const Segment& segment) const {
  SegmentView view;
  view.file = segment.file;
  view.header = segment.header;
  SegmentPoint end = segment.end;
  if (segment.header.base_index == written_.segment_base) end = written_.at;
  if (segment.header.base_index > written_.segment_base) end = FirstPoint(segment.header);
  view.end_position = end.position;
  if (segment.sealed) view.index = segment.index;
  view.stamp = segment.index_stamp();
  return view;
}

void SegmentedLog::AddView(ReadPlan& plan, const Segment& segment) const {
  SegmentView view = ViewOf(segment);
  // An unsealed segment's index changes: what the plan needs of it is looked up now.
  if (segment.index) PlaceIn(*segment.index, plan, view);
  if (plan.kind == ReadPlan::Kind::kBatches) {
    for (const LogPoint& cursor : cursors_) {
      if (cursor.segment_base != segment.header.base_index || cursor.at.offset != plan.from)
        continue;
      view.start = cursor.at;
      view.slack = 0;
    }
  }
  plan.segments.push_back(std::move(view));
}

void SegmentedLog::Run(std::shared_ptr<ReadPlan> plan, ResultDone done) {
  plan->terms = terms_;
  absl::StatusOr<ReadResult> result = reader_.Execute(*plan, IoMode::kNoWait);
  if (!IsWouldBlock(result.status())) return Finish(std::move(result), std::move(done));
  RunOnPool(std::move(plan), std::move(done));
}

void SegmentedLog::RunOnPool(std::shared_ptr<ReadPlan> plan, ResultDone done) {
  plan->terms = terms_;
  ++in_flight_;
  env_.pool.Submit([this, plan = std::move(plan), done = std::move(done)]() mutable {
    absl::StatusOr<ReadResult> read = reader_.Execute(*plan, IoMode::kWait);
    env_.home.Post([this, read = std::move(read), done = std::move(done)]() mutable {
      Finish(std::move(read), std::move(done));
      FlightEnded();
    });
  });
}

void SegmentedLog::Finish(absl::StatusOr<ReadResult> result, ResultDone done) {
  if (result.ok()) KeepIndexes(*result);
  // Retention removed the segment while the read waited.
  if (absl::IsNotFound(result.status())) {
    result = MakeError(Errc::kOffsetOutOfRange, "below the start of the log");
  }
  std::move(done)(std::move(result));
}

absl::Status SegmentedLog::ReadFailed(const absl::Status& status) {
  if (IsDamaged(status) && !std::exchange(damage_told_, true)) {
    Notify([status](LogObserver& observer) { observer.OnDamaged(status); });
  }
  return status;
}

void SegmentedLog::KeepIndexes(const ReadResult& result) {
  for (const auto& [base, file, index] : result.loaded) {
    Segment& segment = *segments_[SegmentOfIndex(base)];
    if (segment.file != file || segment.index != nullptr) continue;
    segment.index = std::const_pointer_cast<SegmentIndex>(index);
    loaded_.push_back(base);
  }
  TrimIndexes();
}

void SegmentedLog::TrimIndexes() {
  while (loaded_.size() > kLoadedIndexesMax) {
    Segment& segment = *segments_[SegmentOfIndex(loaded_.front())];
    if (segment.header.base_index == loaded_.front() && segment.sealed) segment.index = nullptr;
    loaded_.pop_front();
  }
}

void SegmentedLog::Read(Offset from, Offset end, size_t bytes_max, ReadDone done) {
  if (from < start_offset_ || from > written_offset()) {
    return std::move(done)(OutOfRange(from, start_offset_, written_offset()));
  }
  end = std::min(end, written_offset());
  if (from >= end) return std::move(done)(std::vector<Bytes>());
  auto plan = std::make_shared<ReadPlan>();
  plan->kind = ReadPlan::Kind::kBatches;
  plan->from = from;
  plan->end = end;
  plan->bytes_max = bytes_max;
  AddView(*plan, *segments_[SegmentOfOffset(from)]);
  Run(std::move(plan), [this, from, end, bytes_max, cuts = truncations_,
                        done = std::move(done)](absl::StatusOr<ReadResult> result) mutable {
    // The file changed under the read: what it saw may be half of each.
    if (cuts != truncations_) return Read(from, end, bytes_max, std::move(done));
    if (!result.ok()) return std::move(done)(ReadFailed(result.status()));
    cursors_.push_front(result->stopped);
    if (cursors_.size() > kCursorsMax) cursors_.pop_back();
    std::move(done)(std::move(result->batches));
  });
}

std::shared_ptr<ReadPlan> SegmentedLog::PlanEntries(LogIndex from, LogIndex last,
                                                    size_t bytes_max) const {
  auto plan = std::make_shared<ReadPlan>();
  plan->kind = ReadPlan::Kind::kEntries;
  plan->first = from;
  plan->last = last;
  plan->bytes_max = bytes_max;
  AddView(*plan, *segments_[SegmentOfIndex(from)]);
  return plan;
}

void SegmentedLog::ReadEntries(LogIndex from, LogIndex last, size_t bytes_max, EntriesDone done) {
  if (from < first_index() || from > written_index() + 1) {
    return std::move(done)(
        MakeError(Errc::kOffsetOutOfRange,
                  absl::StrCat("entry ", from.value(), " is outside [", first_index().value(), ", ",
                               written_index().value() + 1, "]")));
  }
  last = std::min(last, written_index());
  if (from > last) return std::move(done)(std::vector<LogEntry>());
  Run(PlanEntries(from, last, bytes_max),
      [this, from, last, bytes_max, cuts = truncations_,
       done = std::move(done)](absl::StatusOr<ReadResult> result) mutable {
        if (cuts != truncations_) return ReadEntries(from, last, bytes_max, std::move(done));
        if (!result.ok()) return std::move(done)(ReadFailed(result.status()));
        std::move(done)(std::move(result->entries));
      });
}

void SegmentedLog::Check(LogIndex from, size_t bytes_max, CheckDone done) {
  from = std::max(from, first_index());
  const LogIndex last = std::min(durable_index(), written_index());
  if (from > last) return std::move(done)(LogCheck{from, 0});
  RunOnPool(PlanEntries(from, last, bytes_max),
            [this, from, cuts = truncations_,
             done = std::move(done)](absl::StatusOr<ReadResult> result) mutable {
              if (cuts != truncations_) return std::move(done)(LogCheck{from, 1});
              if (!result.ok()) return std::move(done)(ReadFailed(result.status()));
              LogCheck check{from, 0};
              if (!result->entries.empty()) check.next = result->entries.back().index + 1;
              for (const LogEntry& entry : result->entries) {
                check.bytes += entry.bytes.size() + kPrivateFrameBytes;
              }
              std::move(done)(check);
            });
}

void SegmentedLog::FindBatchByTimestamp(int64_t timestamp_ms, Offset from, Offset end,
                                        BatchDone done) {
  auto plan = std::make_shared<ReadPlan>();
  plan->kind = ReadPlan::Kind::kTimestamp;
  plan->from = std::max(from, start_offset_);
  plan->end = std::min(end, written_offset());
  plan->timestamp_ms = timestamp_ms;
  for (const SegmentPtr& segment : segments_) {
    if (segment->header.base_offset >= plan->end) break;
    if (segment->end.offset > plan->from && segment->end.max_timestamp_ms >= timestamp_ms) {
      AddView(*plan, *segment);
    }
  }
  Run(std::move(plan), [this, timestamp_ms, from, end, cuts = truncations_,
                        done = std::move(done)](absl::StatusOr<ReadResult> result) mutable {
    if (cuts != truncations_) return FindBatchByTimestamp(timestamp_ms, from, end, std::move(done));
    if (!result.ok()) return std::move(done)(ReadFailed(result.status()));
    if (result->batches.empty()) return std::move(done)(std::optional<Bytes>());
    std::move(done)(std::optional<Bytes>(std::move(result->batches.front())));
  });
}

void SegmentedLog::FindMaxTimestampBatch(Offset end, BatchDone done) {
  auto plan = std::make_shared<ReadPlan>();
  plan->kind = ReadPlan::Kind::kMaxTimestamp;
  plan->from = start_offset_;
  plan->end = std::min(end, written_offset());
  Offset best{-1};
  const auto consider = [&](const SegmentPoint& so_far) {
    if (so_far.max_timestamp_ms <= plan->timestamp_ms) return;
    plan->timestamp_ms = so_far.max_timestamp_ms;
    best = so_far.max_timestamp_offset;
  };
  plan->timestamp_ms = -1;
  for (const SegmentPtr& segment : segments_) {
    if (segment->header.base_offset >= plan->end) break;
    if (segment->end.offset <= plan->from) continue;
    const bool from_start = segment->header.base_offset >= plan->from;
    if (from_start && segment->end.offset <= plan->end) {
      consider(segment->end);
      continue;
    }
    AddView(*plan, *segment);
    if (!from_start || !segment->index) continue;
    // All before the last row below the end is known by that row.
    const SegmentPoint& row = segment->index->FindOffset(plan->end);
    consider(row);
    plan->segments.back().start = row;
  }
  Run(std::move(plan), [this, end, best, cuts = truncations_,
                        done = std::move(done)](absl::StatusOr<ReadResult> result) mutable {
    if (cuts != truncations_) return FindMaxTimestampBatch(end, std::move(done));
    if (!result.ok()) return std::move(done)(ReadFailed(result.status()));
    if (!result->batches.empty()) {
      return std::move(done)(std::optional<Bytes>(std::move(result->batches.front())));
    }
    if (best < Offset(0)) return std::move(done)(std::optional<Bytes>());
    Read(best, end, 1,
         [done = std::move(done)](absl::StatusOr<std::vector<Bytes>> batches) mutable {
           if (!batches.ok()) return std::move(done)(batches.status());
           std::move(done)(batches->empty() ? std::optional<Bytes>()
                                            : std::optional<Bytes>(std::move(batches->front())));
         });
  });
}

int64_t SegmentedLog::PositionOf(Offset offset, Rounding rounding) const {
  int64_t before = 0;
  for (const SegmentPtr& segment : segments_) {
    const SegmentPoint& end = segment->end;
    const Offset base = segment->header.base_offset;
    if (offset >= end.offset) {
      before += end.position;
      continue;
    }
    if (offset <= base) break;
    if (segment->index) {
      const SegmentPoint& row = segment->index->FindOffset(offset);
      if (rounding == Rounding::kDown || offset == row.offset) return before + row.position;
      return before + segment->index->PositionAfter(row).value_or(end.position);
    }
    // Not in memory: as if all records were equally long.
    return before + static_cast<int64_t>(static_cast<double>(end.position) *
                                         static_cast<double>(offset - base) /
                                         static_cast<double>(end.offset - base));
  }
  return before;
}

// Never 0 where there is something: a fetch would wait for more, for good.
int64_t SegmentedLog::EstimateBytes(Offset from, Offset end) const {
  if (from >= std::min(end, written_offset())) return 0;
  return std::max<int64_t>(1, PositionOf(end, Rounding::kUp) - PositionOf(from, Rounding::kDown));
}

}  // namespace garam::storage
