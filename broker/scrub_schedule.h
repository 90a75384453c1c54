// What the scrubber reads next, and when: every partition in turn, at a
// steady rate, and then all over again. Pure.
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"

namespace garam {

class ScrubSchedule {
 public:
  struct Options {
    int64_t bytes_per_second = 0;  // Above 0.
    size_t step_bytes = size_t{1} << 20;
    Duration walk = Millis(3'600'000);  // A walk over everything begins at most so often.
  };
  struct Step {
    GroupId group;
    LogIndex from;
    size_t bytes_max;
  };

  ScrubSchedule(Options options, MonoTime now)
      : options_(options), walk_began_(now), due_(now + kStart) {}

  // When the next step may be taken; only after the end of the one before.
  MonoTime due() const { return due_; }
  // The next step over `groups`, in ascending order; nothing: a walk has ended, ask again when due.
  std::optional<Step> Next(const std::vector<GroupId>& groups, MonoTime now);
  // The step has ended: `bytes` were read, the group goes on at `next`.
  void Read(LogIndex next, size_t bytes, MonoTime now);
  // There is nothing (more) to be read in that group.
  void GroupDone(MonoTime now);

 private:
  // Who starts has better things to do.
  static constexpr Duration kStart = Millis(1000);
  // A group without records costs next to nothing, but not nothing.
  static constexpr Duration kBetweenGroups = Millis(1);

  const Options options_;
  std::optional<GroupId> group_;  // Unset: the walk begins.
  bool group_done_ = false;
  LogIndex from_{1};
  MonoTime walk_began_;
  MonoTime due_;
};

}  // namespace garam
