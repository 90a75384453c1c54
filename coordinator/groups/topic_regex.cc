#include "coordinator/groups/topic_regex.h"

#include <re2/re2.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace garam {
namespace {

// Of a compiled expression and what matching it keeps.
constexpr int64_t kMemoryMax = 1 << 20;

}  // namespace

TopicRegex::TopicRegex(std::unique_ptr<re2::RE2> compiled) : compiled_(std::move(compiled)) {}
TopicRegex::TopicRegex(TopicRegex&&) noexcept = default;
TopicRegex& TopicRegex::operator=(TopicRegex&&) noexcept = default;
TopicRegex::~TopicRegex() = default;

absl::StatusOr<TopicRegex> TopicRegex::Compile(const std::string& expression) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMemoryMax);
  auto compiled = std::make_unique<re2::RE2>(expression, options);
  if (!compiled->ok()) {
    return MakeError(Errc::kInvalidRegex,
                     absl::StrCat("SubscribedTopicRegex `", expression,
                                  "` is not a valid regular expression: ", compiled->error(), "."));
  }
  return TopicRegex(std::move(compiled));
}

bool TopicRegex::Matches(const std::string& name) const {
  return re2::RE2::FullMatch(name, *compiled_);
}

std::vector<std::string> TopicRegex::Matching(const GroupTopics& topics) const {
  std::vector<std::string> names;
  topics.ForEachName([&](const std::string& name) {
    if (Matches(name)) names.push_back(name);
  });
  return names;
}

}  // namespace garam
