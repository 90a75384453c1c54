#include "broker/scrubber.h"

#include <utility>

#include "common/status.h"

namespace garam {

Scrubber::Scrubber(Options options)
    : options_(std::move(options)), schedule_(options_.schedule, options_.clock.Mono()) {}

void Scrubber::Stop() {
  options_.home.Cancel(std::exchange(timer_, kNoTimer));
  alive_.reset();
}

void Scrubber::Arm() {
  timer_ = options_.home.PostAt(schedule_.due(), [this, weak = std::weak_ptr<bool>(alive_)] {
    if (!weak.expired()) Step();
  });
}

void Scrubber::Step() {
  timer_ = kNoTimer;
  const std::vector<std::shared_ptr<DataPartition>> partitions = options_.partitions();
  std::vector<GroupId> groups;
  groups.reserve(partitions.size());
  for (const auto& partition : partitions) groups.push_back(partition->group());
  const std::optional<ScrubSchedule::Step> step = schedule_.Next(groups, options_.clock.Mono());
  if (!step) return Arm();
  for (const auto& partition : partitions) {
    if (partition->group() == step->group) return Check(partition, *step);
  }
}

void Scrubber::Check(const std::shared_ptr<DataPartition>& partition,
                     const ScrubSchedule::Step& step) {
  auto done = [this, &home = options_.home,
               weak = std::weak_ptr<bool>(alive_)](absl::StatusOr<storage::LogCheck> check) {
    home.Post([this, weak, check = std::move(check)] {
      if (!weak.expired()) OnChecked(check);
    });
  };
  options_.executor(partition->shard()).Post([partition, step, done = std::move(done)]() mutable {
    partition->Check(step.from, step.bytes_max, std::move(done));
  });
}

void Scrubber::OnChecked(const absl::StatusOr<storage::LogCheck>& check) {
  const MonoTime now = options_.clock.Mono();
  // A replica that is damaged, or on its way out, is its own business.
  if (check.ok() && check->bytes > 0) {
    schedule_.Read(check->next, check->bytes, now);
  } else {
    schedule_.GroupDone(now);
  }
  Arm();
}

}  // namespace garam
