// What a log finds in its folder: which segments, up to where they are whole, and whether what is
// missing may be missing.
//
// Above the durable mark every frame is checked, and the first bad one is a torn tail: it and all
// behind it is cut. At or below the mark bad bytes are damage: kDataLoss, nothing is changed. Below
// the mark only its own last index interval is looked at, and sealed segments not at all: a restart
// takes as long as what was not flushed is large.
//
// Threads: blocks; run it where that is allowed.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/configuration_rows.h"
#include "common/term_rows.h"
#include "storage/file_system.h"
#include "storage/log_rows.h"
#include "storage/segment.h"

namespace garam::storage {

struct RecoveredLog {
  std::vector<std::shared_ptr<Segment>> segments;  // In order; empty for a new log.
  TermRows terms;
  ConfigurationRows configurations;
  std::optional<Offset> start;      // The persisted log start.
  LogStartRows pending_starts;      // Of entries that may not be committed.
  CleanPoint clean;                 // How far compaction has come.
  std::optional<DurableMark> mark;  // What the key-value store has.
  LogPoint end;                     // Everything before it is durable now. Unset without segments.
};

class LogRecovery {
 public:
  LogRecovery(FileSystem& fs, KvStore& kv, GroupId group, std::string dir,
              int32_t index_interval_bytes)
      : fs_(fs),
        rows_(kv, group),
        group_(group),
        dir_(std::move(dir)),
        index_interval_bytes_(index_interval_bytes) {}

  absl::StatusOr<RecoveredLog> Run();

 private:
  struct Candidate {
    std::string path;
    std::pair<Offset, LogIndex> place;  // By its name.
    std::shared_ptr<SegmentFile> file;
    int64_t size = 0;
    std::optional<SegmentHeader> header;  // Nothing when the first frame is bad.
  };

  absl::StatusOr<std::vector<Candidate>> ListCandidates();
  absl::Status ReadHeader(Candidate& candidate);
  // Takes the segments in order up to the first that does not follow; the rest goes to `cut`.
  absl::Status TakeSegments(std::vector<Candidate> candidates, std::vector<Candidate>& cut);
  // Compaction has replaced it, and was cut short before it could remove it.
  bool IsReplaced(const Candidate& candidate) const;
  // False: it does not continue what was taken before.
  bool Follows(const Candidate& candidate) const;
  absl::StatusOr<std::shared_ptr<Segment>> TakeSegment(Candidate& candidate);
  static bool FooterFits(const Segment& segment, const SegmentFooter& footer);
  bool FooterFollows(const Segment& segment, const SegmentFooter& footer) const;
  absl::Status TakeSealed(Segment& segment, const SegmentFooter& footer);
  absl::Status ScanSegment(Candidate& candidate, Segment& segment);
  // What the walk above the mark need not have seen.
  static absl::Status NoteTimes(File& file, Segment& segment);
  void DropGivenUp();
  absl::StatusOr<SegmentPoint> ScanStart(const Candidate& candidate, Segment& segment);
  void NoteEntry(const Frame& frame, const SegmentPoint& at);
  bool FrameFits(const Frame& frame, const Segment& segment, const SegmentPoint& at) const;
  // Removes what was cut and makes durable what was kept.
  absl::Status Settle(const std::vector<Candidate>& cut);
  // Whether the log reaches from its start to the mark.
  absl::Status CheckMarkReached() const;
  // Rows that are lost cannot tell where the log began: it begins with what is left, and from now
  // on that is missed when it goes.
  absl::Status NoteStart();
  bool BelowMark(const SegmentPoint& at) const;
  absl::Status Damaged(const std::string& path, int64_t position, const char* what) const;

  FileSystem& fs_;
  LogRows rows_;
  const GroupId group_;
  const std::string dir_;
  const int32_t index_interval_bytes_;
  std::optional<DurableMark> mark_;
  std::vector<std::string> replaced_;  // Paths.
  RecoveredLog found_;
  bool tail_bad_ = false;  // The last taken segment ends with bytes that are no frame.
};

}  // namespace garam::storage
