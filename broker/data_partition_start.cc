// DataPartition: where its log begins. A log start is an entry like any other (D14), so that every
// replica drops the same records.
#include <utility>

#include "broker/data_partition.h"
#include "broker/retention.h"
#include "broker/shard.h"
#include "common/log_start.h"
#include "common/logging.h"
#include "common/mutation.h"
#include "common/status.h"

namespace garam {
namespace {

LogEntry StartEntry(Term term, Offset start) {
  return {LogIndex(0), term, EntryKind::kSetLogStart, Bytes::Take(EncodeLogStart(start))};
}

}  // namespace

void DataPartition::DeleteRecords(Offset before, MonoTime deadline,
                                  absl::AnyInvocable<void(absl::StatusOr<Offset>) &&> done) {
  if (absl::Status status = CheckLeader(std::nullopt); !status.ok()) {
    return std::move(done)(std::move(status));
  }
  const Offset start = replica_.log().start_offset();
  if (before == kHighWatermark) before = high_watermark_;
  if (before < Offset(0) || before > high_watermark_) {
    return std::move(done)(
        MakeError(Errc::kOffsetOutOfRange, "records are deleted up to the high watermark at most"));
  }
  if (before <= start) return std::move(done)(start);
  const Term term = replica_.core().term();
  absl::StatusOr<LogIndex> index = replica_.Propose(term, {StartEntry(term, before)});
  if (!index.ok()) return std::move(done)(index.status());
  ProduceResult result;
  result.log_start_offset = before;
  Park(Acks::kAll, {*index, deadline, result,
                    [done = std::move(done)](absl::StatusOr<ProduceResult> put) mutable {
                      if (!put.ok()) return std::move(done)(put.status());
                      std::move(done)(put->log_start_offset);
                    }});
}

void DataPartition::ApplyRetention() {
  // What groups have committed goes by the groups' own rules only.
  if (!open_ || !leading() || !confirmed_ || groups_ != nullptr) return;
  const storage::Log& log = replica_.log();
  const Offset end = Mutated(Mutation::kRetentionAboveCommit) ? log.next_offset() : high_watermark_;
  const std::optional<RetentionStep> step =
      DecideRetention(log.Segments(), log.start_offset(), end, RetentionLimits::Of(*config_),
                      shard_.clock().WallMs());
  if (!step || step->start <= retention_start_) return;
  // What was proposed in this turn would be in the segment that is to end.
  if (step->roll && next_offset_ != log.next_offset()) return;
  const Term term = replica_.core().term();
  std::vector<LogEntry> entries;
  if (step->roll) entries.push_back({LogIndex(0), term, EntryKind::kRoll, Bytes()});
  entries.push_back(StartEntry(term, step->start));
  const absl::StatusOr<LogIndex> first = replica_.Propose(term, std::move(entries));
  if (!first.ok()) {  // The next look tries it again.
    return LogDebug("group {}: {}", group().value(), first.status().ToString());
  }
  LogInfo("{}-{}: records below offset {} are past their retention", topic(), index(),
          step->start.value());
  retention_start_ = step->start;
  if (step->roll) BeginPlannedSegment(*first + 1);
}

}  // namespace garam
