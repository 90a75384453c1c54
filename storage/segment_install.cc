#include "storage/segment_install.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/logging.h"
#include "common/status.h"
#include "storage/log_rows.h"
#include "storage/segment.h"
#include "storage/segment_check.h"

namespace garam::storage {
namespace {

constexpr char kPlanFile[] = "/install";
constexpr char kIncoming[] = ".incoming";
constexpr char kLog[] = ".log";

std::string IncomingPath(const std::string& dir, const SegmentHeader& header) {
  std::string name = SegmentFileName(header, /*taken=*/true);
  name.resize(name.size() - (sizeof(kLog) - 1));
  return absl::StrCat(dir, "/", name, kIncoming);
}

absl::StatusOr<std::set<std::string>> ListIncoming(FileSystem& fs, const std::string& dir) {
  ASSIGN_OR_RETURN(std::vector<std::string> names, fs.List(dir));
  std::set<std::string> incoming;
  for (const std::string& name : names) {
    if (absl::EndsWith(name, kIncoming)) incoming.insert(absl::StrCat(dir, "/", name));
  }
  return incoming;
}

// What the file is by its ends; nothing when it is no whole sealed segment.
absl::StatusOr<std::optional<ManifestSegment>> Describe(File& file) {
  ASSIGN_OR_RETURN(const int64_t size, file.Size());
  ASSIGN_OR_RETURN(std::optional<SegmentHeader> header, ReadHeader(file, size));
  ASSIGN_OR_RETURN(std::optional<SegmentFooter> footer, ReadFooter(file, size));
  if (!header || !footer) return std::optional<ManifestSegment>();
  return std::optional<ManifestSegment>({*header, *footer, size});
}

bool IsIn(const std::vector<ManifestSegment>& segments, const ManifestSegment& segment) {
  return std::find(segments.begin(), segments.end(), segment) != segments.end();
}

// What of the manifest is not among `incoming`.
std::vector<ManifestSegment> KeptOf(const Manifest& manifest, const std::string& dir,
                                    const std::set<std::string>& incoming) {
  std::vector<ManifestSegment> kept = manifest.segments;
  std::erase_if(kept, [&](const ManifestSegment& segment) {
    return incoming.contains(IncomingPath(dir, segment.header));
  });
  return kept;
}

// The log may have made by itself what was copied as well: of two that are equal the copy stays,
// which is synced for certain.
absl::Status RemoveOthers(FileSystem& fs, const std::string& dir, const Manifest& manifest,
                          const std::set<std::string>& incoming) {
  const std::vector<ManifestSegment> kept = KeptOf(manifest, dir, incoming);
  ASSIGN_OR_RETURN(std::vector<std::string> names, fs.List(dir));
  for (const std::string& name : names) {
    if (!ParseSegmentFileName(name)) continue;
    const std::string path = absl::StrCat(dir, "/", name);
    ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs.Open(path, FileSystem::Mode::kRead));
    ASSIGN_OR_RETURN(std::optional<ManifestSegment> found, Describe(*file));
    if (!found || !IsIn(kept, *found)) RETURN_IF_ERROR(fs.Remove(path));
  }
  return absl::OkStatus();
}

absl::Status MoveIn(FileSystem& fs, const std::string& dir, const Manifest& manifest,
                    const std::set<std::string>& incoming) {
  for (const ManifestSegment& segment : manifest.segments) {
    const std::string from = IncomingPath(dir, segment.header);
    if (!incoming.contains(from)) continue;
    RETURN_IF_ERROR(
        fs.Rename(from, absl::StrCat(dir, "/", SegmentFileName(segment.header, /*taken=*/true))));
  }
  return absl::OkStatus();
}

// The segment that goes on behind the others: so far a header.
absl::Status MakeNext(FileSystem& fs, const std::string& dir, const SegmentHeader& next) {
  const std::string path = absl::StrCat(dir, "/", SegmentFileName(next, /*taken=*/true));
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs.Open(path, FileSystem::Mode::kCreate));
  const Bytes header = EncodeHeader(next);
  const std::string_view piece = header.view();
  RETURN_IF_ERROR(file->Write(0, {&piece, 1}));
  return file->Sync();
}

absl::Status SaveRows(KvStore& kv, GroupId group, const Manifest& manifest) {
  const LogRows rows(kv, group);
  const LogIndex end = manifest.next.base_index;
  KvBatch batch;
  rows.StageStart(manifest.start_offset, batch);
  rows.StageTerms(manifest.terms, end, batch);
  if (manifest.configuration) rows.StageConfigurations({*manifest.configuration}, end, batch);
  rows.StageMark({{end, FirstPoint(manifest.next)}, 0, 0}, batch);
  return kv.Write(batch, /*sync=*/true);
}

}  // namespace

absl::StatusOr<std::unique_ptr<SegmentInstall>> SegmentInstall::Begin(
    FileSystem& fs, std::string dir, Manifest manifest, const std::vector<ManifestSegment>& own) {
  ASSIGN_OR_RETURN(std::set<std::string> left_over, ListIncoming(fs, dir));
  std::unique_ptr<SegmentInstall> install(
      new SegmentInstall(fs, std::move(dir), std::move(manifest)));
  for (const ManifestSegment& segment : install->manifest_.segments) {
    if (IsIn(own, segment)) continue;
    Incoming incoming{segment, IncomingPath(install->dir_, segment.header), nullptr, 0};
    left_over.erase(incoming.path);
    RETURN_IF_ERROR(install->Open(incoming));
    install->incoming_.push_back(std::move(incoming));
  }
  for (const std::string& path : left_over) RETURN_IF_ERROR(fs.Remove(path));
  while (install->at_ < install->incoming_.size()) {
    Incoming& incoming = install->incoming_[install->at_];
    if (incoming.size < incoming.segment.size_bytes) break;
    absl::Status checked = install->CheckWhole(incoming);
    if (ErrcOf(checked) == Errc::kCorruptRecord) break;  // Fetched anew.
    RETURN_IF_ERROR(checked);
    ++install->at_;
  }
  return install;
}

// Takes over what is there; a file of another segment of this name is begun anew.
absl::Status SegmentInstall::Open(Incoming& incoming) {
  absl::StatusOr<std::unique_ptr<File>> file =
      fs_.Open(incoming.path, FileSystem::Mode::kReadWrite);
  if (absl::IsNotFound(file.status())) {
    file = fs_.Open(incoming.path, FileSystem::Mode::kCreate);
  }
  RETURN_IF_ERROR(file.status());
  incoming.file = *std::move(file);
  ASSIGN_OR_RETURN(incoming.size, incoming.file->Size());
  ASSIGN_OR_RETURN(std::optional<SegmentHeader> header, ReadHeader(*incoming.file, incoming.size));
  if (incoming.size <= incoming.segment.size_bytes && header == incoming.segment.header) {
    return absl::OkStatus();
  }
  incoming.size = 0;
  return incoming.file->Truncate(0);
}

absl::Status SegmentInstall::CheckWhole(Incoming& incoming) {
  absl::Status checked = CheckSegment(*incoming.file, incoming.segment, manifest_.terms);
  if (checked.ok()) return incoming.file->Sync();
  if (ErrcOf(checked) != Errc::kCorruptRecord) return checked;
  incoming.size = 0;
  RETURN_IF_ERROR(incoming.file->Truncate(0));
  return checked;
}

std::optional<SegmentInstall::Piece> SegmentInstall::Next() const {
  if (at_ == incoming_.size()) return std::nullopt;
  const Incoming& incoming = incoming_[at_];
  return Piece{incoming.segment.header.base_index, incoming.size,
               static_cast<size_t>(incoming.segment.size_bytes - incoming.size)};
}

absl::Status SegmentInstall::Add(std::string_view bytes) {
  Incoming& incoming = incoming_[at_];
  const int64_t end = incoming.size + static_cast<int64_t>(bytes.size());
  if (bytes.empty() || end > incoming.segment.size_bytes) {
    return MakeError(Errc::kCorruptRecord, "a piece of a segment has another size than asked for");
  }
  RETURN_IF_ERROR(incoming.file->Allocate(incoming.size, static_cast<int64_t>(bytes.size())));
  RETURN_IF_ERROR(incoming.file->Write(incoming.size, {&bytes, 1}));
  incoming.size = end;
  if (end < incoming.segment.size_bytes) return absl::OkStatus();
  RETURN_IF_ERROR(CheckWhole(incoming));
  ++at_;
  return absl::OkStatus();
}

absl::Status SegmentInstall::SyncKept() {
  std::set<std::string> incoming;
  for (const Incoming& copied : incoming_) incoming.insert(copied.path);
  std::vector<ManifestSegment> kept = KeptOf(manifest_, dir_, incoming);
  ASSIGN_OR_RETURN(std::vector<std::string> names, fs_.List(dir_));
  for (const std::string& name : names) {
    if (kept.empty() || !ParseSegmentFileName(name)) continue;
    ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                     fs_.Open(absl::StrCat(dir_, "/", name), FileSystem::Mode::kReadWrite));
    ASSIGN_OR_RETURN(std::optional<ManifestSegment> found, Describe(*file));
    if (found && std::erase(kept, *found) > 0) RETURN_IF_ERROR(file->Sync());
  }
  if (kept.empty()) return absl::OkStatus();
  return absl::AbortedError("a segment that was to stay is gone");
}

absl::Status SegmentInstall::Commit() {
  RETURN_IF_ERROR(SyncKept());
  for (Incoming& incoming : incoming_) incoming.file = nullptr;
  RETURN_IF_ERROR(fs_.SyncDirectory(dir_));
  return ReplaceFile(fs_, dir_ + kPlanFile, EncodeManifest(manifest_));
}

absl::Status AbandonInstall(FileSystem& fs, const std::string& dir) {
  ASSIGN_OR_RETURN(std::set<std::string> incoming, ListIncoming(fs, dir));
  for (const std::string& path : incoming) RETURN_IF_ERROR(fs.Remove(path));
  return absl::OkStatus();
}

absl::Status CarryOutInstall(FileSystem& fs, KvStore& kv, GroupId group, const std::string& dir) {
  absl::StatusOr<std::string> plan = ReadWholeFile(fs, dir + kPlanFile);
  if (absl::IsNotFound(plan.status())) return absl::OkStatus();
  RETURN_IF_ERROR(plan.status());
  ASSIGN_OR_RETURN(const Manifest manifest, DecodeManifest(*plan));
  RETURN_IF_ERROR(LogRows(kv, group).RemoveAll());
  ASSIGN_OR_RETURN(const std::set<std::string> incoming, ListIncoming(fs, dir));
  RETURN_IF_ERROR(RemoveOthers(fs, dir, manifest, incoming));
  RETURN_IF_ERROR(MoveIn(fs, dir, manifest, incoming));
  RETURN_IF_ERROR(MakeNext(fs, dir, manifest.next));
  RETURN_IF_ERROR(fs.SyncDirectory(dir));
  RETURN_IF_ERROR(SaveRows(kv, group, manifest));
  // Gone for good before the log may grow: what it has then must not be replaced.
  RETURN_IF_ERROR(fs.Remove(dir + kPlanFile));
  RETURN_IF_ERROR(fs.SyncDirectory(dir));
  LogInfo("{}: now begins with entry {} and was brought up to {}", dir,
          manifest.segments.empty() ? manifest.next.base_index.value()
                                    : manifest.segments.front().header.base_index.value(),
          manifest.last_index().value());
  return absl::OkStatus();
}

}  // namespace garam::storage
