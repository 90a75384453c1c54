#include "storage/file_system.h"

#include <cerrno>
#include <cstring>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace garam::storage {

bool IsDiskFull(const absl::Status& status) {
  return status.code() == absl::StatusCode::kResourceExhausted && ErrcOf(status) == Errc::kStorage;
}

bool IsDamaged(const absl::Status& status) {
  return !status.ok() && ErrcOf(status) == Errc::kCorruptRecord;
}

absl::Status IoError(int error_number, std::string_view what) {
  absl::StatusCode code = absl::StatusCode::kDataLoss;
  if (error_number == ENOSPC || error_number == EDQUOT) code = absl::StatusCode::kResourceExhausted;
  if (error_number == ENOENT) code = absl::StatusCode::kNotFound;
  if (error_number == EEXIST) code = absl::StatusCode::kAlreadyExists;
  return MakeError(Errc::kStorage, code,
                   absl::StrCat(absl::string_view(what.data(), what.size()), ": ",
                                std::generic_category().message(error_number)));
}

absl::StatusOr<std::string> ReadWholeFile(FileSystem& fs, const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs.Open(path, FileSystem::Mode::kRead));
  ASSIGN_OR_RETURN(int64_t size, file->Size());
  std::string content(static_cast<size_t>(size), '\0');
  ASSIGN_OR_RETURN(size_t count, file->Read(0, content.data(), content.size()));
  content.resize(count);
  return content;
}

absl::Status ReplaceFile(FileSystem& fs, const std::string& path, std::string_view content) {
  const std::string temporary = path + ".new";
  // One may be left over from a crash.
  if (absl::Status removed = fs.Remove(temporary); !removed.ok() && !absl::IsNotFound(removed)) {
    return removed;
  }
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs.Open(temporary, FileSystem::Mode::kCreate));
  RETURN_IF_ERROR(file->Write(0, {&content, 1}));
  RETURN_IF_ERROR(file->Sync());
  RETURN_IF_ERROR(fs.Rename(temporary, path));
  return fs.SyncDirectory(path.substr(0, path.rfind('/')));
}

}  // namespace garam::storage
