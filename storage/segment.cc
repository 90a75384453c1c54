#include "storage/segment.h"

#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "common/status.h"

namespace garam::storage {
namespace {

constexpr int64_t kReserveStepMax = 16 << 20;
// Zeros cost a write of their own, and the sync that follows waits for it.
constexpr int64_t kZeroStepMax = 1 << 20;

}  // namespace

absl::StatusOr<std::shared_ptr<File>> SegmentFile::Get() {
  std::lock_guard lock(mutex_);
  if (!file_) {
    ASSIGN_OR_RETURN(file_, fs_.Open(path_, FileSystem::Mode::kReadWrite));
  }
  return file_;
}

std::shared_ptr<File> SegmentFile::GetIfOpen() {
  std::lock_guard lock(mutex_);
  return file_;
}

absl::Status SegmentFile::Create() {
  std::lock_guard lock(mutex_);
  if (file_) return absl::OkStatus();
  ASSIGN_OR_RETURN(file_, fs_.Open(path_, FileSystem::Mode::kCreate));
  return absl::OkStatus();
}

absl::Status SegmentFile::Reserve(int64_t end, bool zeroed) {
  if (zeroed ? end <= zeroed_end_ : end <= reserved_end_) return absl::OkStatus();
  ASSIGN_OR_RETURN(std::shared_ptr<File> file, Get());
  const int64_t step = zeroed ? std::min(step_, kZeroStepMax) : step_;
  int64_t from = std::max(reserved_end_, end - step);
  if (zeroed) {
    ASSIGN_OR_RETURN(from, file->Size());
  }
  step_ = std::min(step_ * 2, kReserveStepMax);
  const int64_t ahead = zeroed ? from + step : end + step;
  absl::Status status = file->Allocate(from, std::max(end, ahead) - from);
  if (IsDiskFull(status)) {
    return end > from ? file->Allocate(from, end - from) : absl::OkStatus();
  }
  RETURN_IF_ERROR(status);
  if (zeroed) {
    static const std::string zeros(kZeroStepMax, '\0');
    const std::string_view piece = std::string_view(zeros).substr(0, static_cast<size_t>(step));
    status = file->Write(from, {&piece, 1});
    if (IsDiskFull(status)) return absl::OkStatus();  // The write itself will tell.
    RETURN_IF_ERROR(status);
    zeroed_end_ = std::max(end, ahead);
  }
  reserved_end_ = std::max({reserved_end_, end, ahead});
  return absl::OkStatus();
}

absl::Status SegmentFile::Truncate(int64_t size) {
  ASSIGN_OR_RETURN(std::shared_ptr<File> file, Get());
  reserved_end_ = 0;
  zeroed_end_ = 0;
  return file->Truncate(size);
}

SegmentInfo InfoOf(const Segment& segment) {
  SegmentInfo info;
  info.base_index = segment.header.base_index;
  info.next_index = segment.end.index;
  info.base_offset = segment.header.base_offset;
  info.next_offset = segment.end.offset;
  info.size_bytes = segment.size_bytes();
  info.first_timestamp_ms = segment.first_timestamp_ms;
  info.max_timestamp_ms = segment.end.max_timestamp_ms;
  info.created_ms = segment.created_ms;
  info.modified_ms = segment.modified_ms;
  info.sealed = segment.sealed;
  return info;
}

SegmentFooter FooterOf(const Segment& segment) {
  SegmentFooter footer;
  footer.last_index = segment.end.index - 1;
  footer.last_term = segment.last_term;
  footer.next_offset = segment.end.offset;
  footer.checksum = segment.end.checksum;
  footer.compacted = segment.compacted;
  footer.max_timestamp_ms = segment.end.max_timestamp_ms;
  footer.max_timestamp_offset = segment.end.max_timestamp_offset;
  return footer;
}

std::string SegmentFileName(const SegmentHeader& header, bool taken) {
  if (!taken) return absl::StrFormat("%020d.log", header.base_offset.value());
  return absl::StrFormat("%020d.%020d.log", header.base_offset.value(), header.base_index.value());
}

std::optional<std::pair<Offset, LogIndex>> ParseSegmentFileName(const std::string& name) {
  std::vector<std::string> parts = absl::StrSplit(name, '.');
  int64_t offset = 0;
  int64_t index = 0;
  if (parts.size() < 2 || parts.size() > 3 || parts.back() != "log") return std::nullopt;
  if (!absl::SimpleAtoi(parts[0], &offset)) return std::nullopt;
  if (parts.size() == 3 && !absl::SimpleAtoi(parts[1], &index)) return std::nullopt;
  return std::pair(Offset(offset), LogIndex(index));
}

}  // namespace garam::storage
