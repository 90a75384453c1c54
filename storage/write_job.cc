#include "storage/write_job.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/logging.h"
#include "common/mutation.h"
#include "common/status.h"
#include "storage/file_reaper.h"

namespace garam::storage {
namespace {

// Larger jobs gain less from blocks written ahead than the extra write costs (measured: from 128
// KiB up the throughput falls by a third).
constexpr size_t kZeroedJobBytesMax = 64 << 10;

// A sync is final whatever its reason: what it left behind is unknown.
absl::Status Final(const absl::Status& status) {
  if (!IsDiskFull(status)) return status;
  return MakeError(Errc::kStorage, std::string(status.message()));
}

}  // namespace

void WriteJob::NoteDirty(const std::shared_ptr<SegmentFile>& file) {
  if (std::find(dirty.begin(), dirty.end(), file) == dirty.end()) dirty.push_back(file);
}

absl::Status WriteJob::Append(WriteOp& op) {
  ASSIGN_OR_RETURN(std::shared_ptr<File> file, op.file->Get());
  const bool zeroed = sync && op.bytes <= kZeroedJobBytesMax;
  NoteDirty(op.file);
  RETURN_IF_ERROR(op.file->Reserve(op.position + static_cast<int64_t>(op.bytes), zeroed));
  std::vector<std::string_view> pieces;
  pieces.reserve(op.pieces.size());
  for (const Bytes& piece : op.pieces) pieces.push_back(piece.view());
  return file->Write(op.position, pieces);
}

// A large file that loses its only name is kept open until it has been freed piece by piece.
absl::Status WriteJob::TakeName(const std::shared_ptr<SegmentFile>& from,
                                absl::FunctionRef<absl::Status()> take) {
  std::shared_ptr<File> file = from->Get().value_or(nullptr);
  RETURN_IF_ERROR(take());
  if (file != nullptr && file->Size().value_or(0) > FileReaper::kPieceBytes) {
    given_up.push_back({"", std::move(file), from});
  }
  return absl::OkStatus();
}

absl::Status WriteJob::RunOp(FileSystem& fs, KvStore& kv, const std::string& dir, WriteOp& op,
                             bool* names_changed) {
  switch (op.kind) {
    case WriteOp::Kind::kAppend:
      return Append(op);
    case WriteOp::Kind::kCreate:
      *names_changed = true;
      return op.file->Create();
    case WriteOp::Kind::kTruncate:
      NoteDirty(op.file);
      return op.file->Truncate(op.position);
    case WriteOp::Kind::kRemove: {
      *names_changed = true;
      std::erase(dirty, op.file);
      const absl::Status removed = TakeName(op.file, [&] { return fs.Remove(op.file->path()); });
      return absl::IsNotFound(removed) ? absl::OkStatus() : removed;
    }
    case WriteOp::Kind::kGiveUp: {
      *names_changed = true;
      std::erase(dirty, op.file);
      given_up.push_back({GivenUpPath(op.file->path()), nullptr, op.file});
      absl::Status renamed = fs.Rename(op.file->path(), given_up.back().path);
      return absl::IsNotFound(renamed) ? absl::OkStatus() : renamed;
    }
    case WriteOp::Kind::kReplace:
      RETURN_IF_ERROR(TakeName(op.replaced, [&] { return fs.Rename(op.from, op.file->path()); }));
      return Final(fs.SyncDirectory(dir));
    case WriteOp::Kind::kRows:
      return kv.Write(op.rows, /*sync=*/true);
  }
  return absl::OkStatus();
}

absl::Status WriteJob::RunOps(FileSystem& fs, KvStore& kv, const std::string& dir,
                              bool* names_changed) {
  while (!ops.empty()) {
    RETURN_IF_ERROR(RunOp(fs, kv, dir, ops.front(), names_changed));
    ops.pop_front();
  }
  return absl::OkStatus();
}

absl::Status WriteJob::Run(FileSystem& fs, LogRows& rows, KvStore& kv, const std::string& dir) {
  bool names_changed = false;
  absl::Status status = RunOps(fs, kv, dir, &names_changed);
  // Also after an error: a later attempt would not know of the names that this one changed.
  if (names_changed && !Mutated(Mutation::kNamesNotSynced)) {
    if (absl::Status synced = fs.SyncDirectory(dir); !synced.ok()) return Final(synced);
  }
  RETURN_IF_ERROR(status);
  if (sync) {
    for (const std::shared_ptr<SegmentFile>& file : dirty) {
      if (Mutated(Mutation::kSyncSkipped)) continue;
      ASSIGN_OR_RETURN(std::shared_ptr<File> open, file->Get());
      if (absl::Status synced = open->Sync(); !synced.ok()) return Final(synced);
    }
    dirty.clear();
    if (!mark.empty()) {
      // Without it a restart only looks at more of the log.
      if (absl::Status written = kv.Write(mark, /*sync=*/false); !written.ok()) {
        LogWarn("{}: durable mark not written: {}", dir, std::string(written.message()));
      }
    }
  }
  for (const auto& [base, stamp, index] : sealed) {
    if (absl::Status saved = rows.SaveSealed(base, stamp, *index); !saved.ok()) {
      LogWarn("{}: index rows not written: {}", dir, std::string(saved.message()));
    }
  }
  return absl::OkStatus();
}

}  // namespace garam::storage
