#include "storage/log_identity.h"

#include <map>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status.h"

namespace garam::storage {
namespace {

constexpr char kFileName[] = "/partition.properties";
constexpr char kVersion[] = "1";
// A name has room for 255 bytes: partition, group id and the two marks take at most 32.
constexpr size_t kTopicCharsMax = 200;

absl::Status Damaged(const std::string& dir, const char* what) {
  return MakeError(Errc::kStorage, absl::StrCat(dir, kFileName, ": ", what));
}

}  // namespace

std::string LogFolderName(const LogIdentity& identity) {
  return absl::StrCat(identity.topic.substr(0, kTopicCharsMax), "-", identity.partition, ".",
                      identity.group.value());
}

absl::Status WriteLogIdentity(FileSystem& fs, const std::string& dir, const LogIdentity& identity) {
  return ReplaceFile(fs, dir + kFileName,
                     absl::StrCat("version=", kVersion, "\ngroup=", identity.group.value(),
                                  "\ntopic=", identity.topic, "\npartition=", identity.partition,
                                  "\ntopic.id=", identity.topic_id.ToString(), "\n"));
}

absl::StatusOr<LogIdentity> ReadLogIdentity(FileSystem& fs, const std::string& dir) {
  ASSIGN_OR_RETURN(std::string content, ReadWholeFile(fs, dir + kFileName));
  std::map<std::string, std::string> values;
  for (absl::string_view line : absl::StrSplit(content, '\n', absl::SkipEmpty())) {
    std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits('=', 1));
    if (parts.size() == 2) values[parts[0]] = parts[1];
  }
  if (values["version"] != kVersion) return Damaged(dir, "unknown version");
  LogIdentity identity;
  uint64_t group = 0;
  std::optional<Uuid> topic_id = Uuid::Parse(values["topic.id"]);
  if (!absl::SimpleAtoi(values["group"], &group) ||
      !absl::SimpleAtoi(values["partition"], &identity.partition) || !topic_id ||
      values["topic"].empty()) {
    return Damaged(dir, "damaged");
  }
  identity.group = GroupId(group);
  identity.topic = values["topic"];
  identity.topic_id = *topic_id;
  return identity;
}

}  // namespace garam::storage
