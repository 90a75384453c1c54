// Whose log a folder holds. Folder names are shortened where needed; the full names are in a file
// inside (design decision D12).
//
// Threads: any; the functions that take a FileSystem block.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/ids.h"
#include "common/uuid.h"
#include "storage/file_system.h"

namespace garam::storage {

struct LogIdentity {
  GroupId group;
  std::string topic;
  int32_t partition = 0;
  TopicId topic_id;

  friend bool operator==(const LogIdentity&, const LogIdentity&) = default;
};

// `<topic, shortened where needed>-<partition>.<group id>`.
std::string LogFolderName(const LogIdentity& identity);

// Writes the file with the full names into `dir`, durably.
absl::Status WriteLogIdentity(FileSystem& fs, const std::string& dir, const LogIdentity& identity);

// kNotFound when `dir` has no such file: a folder whose making was cut short.
absl::StatusOr<LogIdentity> ReadLogIdentity(FileSystem& fs, const std::string& dir);

}  // namespace garam::storage
