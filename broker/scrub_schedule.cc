#include "broker/scrub_schedule.h"

#include <algorithm>

namespace garam {

std::optional<ScrubSchedule::Step> ScrubSchedule::Next(const std::vector<GroupId>& groups,
                                                       MonoTime now) {
  if (!group_) walk_began_ = now;
  auto at = groups.begin();
  if (group_) at = std::lower_bound(groups.begin(), groups.end(), *group_);
  // One that is here no longer is done.
  const bool same = group_ && at != groups.end() && *at == *group_;
  if (same && group_done_) ++at;
  if (!same || group_done_) from_ = LogIndex(1);
  group_done_ = false;
  if (at == groups.end()) {
    group_.reset();
    due_ = std::max(now + kBetweenGroups, walk_began_ + options_.walk);
    return std::nullopt;
  }
  group_ = *at;
  return Step{*group_, from_, options_.step_bytes};
}

void ScrubSchedule::Read(LogIndex next, size_t bytes, MonoTime now) {
  from_ = next;
  const auto micros = static_cast<int64_t>(bytes) * 1'000'000 / options_.bytes_per_second;
  due_ = std::max(due_, now) + Micros(micros);
}

void ScrubSchedule::GroupDone(MonoTime now) {
  group_done_ = true;
  due_ = std::max(due_, now) + kBetweenGroups;
}

}  // namespace garam
