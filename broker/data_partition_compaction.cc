// The part of DataPartition that compaction is about (design decision D14).
#include <algorithm>
#include <utility>

#include "broker/data_partition.h"
#include "broker/shard.h"
#include "common/mutation.h"
#include "common/status.h"
#include "storage/compaction/cleaning_choice.h"

namespace garam {
namespace {

// Whoever copies segments would have to begin anew.
constexpr Duration kAfterCopy = Millis(10'000);

storage::CleaningPolicy PolicyOf(const TopicConfig& config) {
  return {config.min_cleanable_dirty_ratio, config.min_compaction_lag_ms,
          config.max_compaction_lag_ms};
}

}  // namespace

// Whether a member has been away for so long that nobody waits for it any more.
bool DataPartition::IsLongAway(NodeId node) const {
  const std::optional<MonoTime> since = isr_.UnreachableSince(node);
  return since && shard_.now() - *since >= replica_lag_max_;
}

// As leader: says what every member that is there, or may be soon, has durably. Where a segment
// ends is enough, for nothing less is compacted.
void DataPartition::RaiseCompactBefore() {
  if (!config_->cleanup_compact || !leading() || !confirmed_) return;
  raft::Core& core = replica_.core();
  LogIndex everywhere = core.commit_index();
  for (const auto& [node, peer] : core.progress()) {
    if (!IsLongAway(node)) everywhere = std::min(everywhere, peer.durable);
  }
  if (everywhere < core.compact_before()) return;
  const LogIndex before = replica_.log().SealedBefore(everywhere + 1);
  if (before <= core.compact_before()) return;
  core.RaiseCompactBefore(before, shard_.now());
  replica_.MarkDirty();
}

LogIndex DataPartition::CompactBefore() const {
  if (Mutated(Mutation::kCompactsUncommitted)) return replica_.log().last_index() + 1;
  return replica_.CompactBefore();
}

std::optional<storage::CleaningChoice> DataPartition::OfferCompaction() {
  const bool copied = copied_at_ && shard_.now() - *copied_at_ < kAfterCopy;
  if (!open_ || !config_->cleanup_compact || !producers_.ready() || copied) return std::nullopt;
  RaiseCompactBefore();
  const storage::Log& log = replica_.log();
  if (!log.status().ok()) return std::nullopt;
  return storage::ChooseCleaning(log.SealedSegments(), log.clean_point(), CompactBefore(),
                                 PolicyOf(*config_), shard_.clock().WallMs());
}

void DataPartition::Compact(const CompactionLimits& limits, LogCompaction::DoneFn done) {
  const std::optional<storage::CleaningChoice> choice = OfferCompaction();
  if (!choice || !choice->due) return std::move(done)(absl::AbortedError("nothing is due here"));
  const storage::Log& log = replica_.log();
  storage::CompactionInput input;
  input.dir = log.dir();
  input.segments = log.SealedSegments();
  input.segments.resize(choice->segments);
  input.clean = log.clean_point();
  input.producer_batches = producers_.state().BatchIndexes();
  input.now_ms = shard_.clock().WallMs();
  input.delete_retention_ms = config_->delete_retention_ms;
  input.segment_bytes = config_->segment_bytes;
  input.index_interval_bytes = config_->index_interval_bytes;
  input.map_bytes = limits.map_bytes;
  input.secret = limits.secret;
  compaction_->Start(std::move(input), limits.bytes_per_second, std::move(done));
}

}  // namespace garam
