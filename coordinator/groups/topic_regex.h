// A subscription by regular expression: RE2's syntax, as in Kafka, so matching takes time linear in
// the topic's name whatever a client writes.
//
// Threads: any.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "coordinator/groups/group_topics.h"

namespace re2 {
class RE2;
}

namespace garam {

class TopicRegex {
 public:
  // kInvalidRegex, with what is wrong: no expression of this syntax, or one that takes too much
  // memory.
  static absl::StatusOr<TopicRegex> Compile(const std::string& expression);

  TopicRegex(TopicRegex&&) noexcept;
  TopicRegex& operator=(TopicRegex&&) noexcept;
  ~TopicRegex();

  // The whole name, not a part of it.
  bool Matches(const std::string& name) const;
  // Ascending.
  std::vector<std::string> Matching(const GroupTopics& topics) const;

 private:
  explicit TopicRegex(std::unique_ptr<re2::RE2> compiled);

  std::unique_ptr<re2::RE2> compiled_;
};

}  // namespace garam
