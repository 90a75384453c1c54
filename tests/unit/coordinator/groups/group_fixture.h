// A coordinator over a log that commits when the test says so.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "common/status.h"
#include "coordinator/groups/group_coordinator.h"
#include "tests/unit/coordinator/groups/fake_topics.h"

namespace garam {

// A subscription as consumers write it.
inline Bytes SubscriptionTo(const std::vector<std::string>& topics) {
  kafka::Writer writer;
  writer.Int<int16_t>(0);
  writer.Int<int32_t>(static_cast<int32_t>(topics.size()));
  for (const std::string& topic : topics) writer.String(false, topic, "topic");
  writer.Int<int32_t>(-1);
  return writer.FinishContiguous();
}

class GroupTest : public ::testing::Test {
 protected:
  // An answer that may not have come yet.
  template <class Answer>
  struct Awaited {
    std::optional<Answer> answer;
    bool there() const { return answer.has_value(); }
    Errc error() const { return answer->status.ok() ? Errc::kUnknown : ErrcOf(answer->status); }
  };
  using Joined = std::shared_ptr<Awaited<JoinAnswer>>;
  using Synced = std::shared_ptr<Awaited<SyncAnswer>>;
  using Done = std::shared_ptr<std::optional<absl::Status>>;

  explicit GroupTest(GroupLimits limits = {}) : limits_(limits) { Open(); }

  // Another coordinator, as after a restart: it knows what has been committed.
  void Open() {
    coordinator_ = std::make_unique<GroupCoordinator>(GroupCoordinator::Env{
        limits_, random_, [this] { return now_; },
        [this](std::vector<GroupRecord> records, GroupCoordinator::StatusDone done) {
          waiting_.emplace_back(std::move(records), std::move(done));
        },
        [this] { return topics_.Now(); },
        [this](GroupCoordinator::StatusDone done) {
          waiting_.emplace_back(std::vector<GroupRecord>(), std::move(done));
        },
        [this](const std::string& group) {
          const auto own = times_.find(group);
          return own == times_.end() ? ConsumerTimes(limits_.consumers) : own->second;
        }});
    for (const GroupRecord& record : log_) EXPECT_TRUE(coordinator_->Apply(record).ok());
    coordinator_->Lead();
  }
  // Everything that was appended is committed; and what is appended because of that.
  void Commit() {
    while (!waiting_.empty()) {
      auto [records, done] = std::move(waiting_.front());
      waiting_.pop_front();
      for (GroupRecord& record : records) {
        EXPECT_TRUE(coordinator_->Apply(record).ok());
        log_.push_back(std::move(record));
      }
      std::move(done)(absl::OkStatus());
    }
  }
  void FailAppends(Errc errc) {
    for (auto& [records, done] : std::exchange(waiting_, {})) {
      std::move(done)(MakeError(errc, "the log says no"));
    }
  }
  void Pass(Duration time) {
    const MonoTime until = now_.mono + time;
    while (true) {
      const std::optional<MonoTime> next = coordinator_->NextDeadline();
      if (!next || *next > until) break;
      PassTo(std::max(*next, now_.mono));
      coordinator_->Tick();
    }
    PassTo(until);
  }

  JoinRequest Request(const std::string& member = "") const {
    JoinRequest request;
    request.member.id = member;
    request.client_id = "client";
    request.client_host = "/127.0.0.1";
    request.session_timeout = Millis(10'000);
    request.rebalance_timeout = Millis(60'000);
    request.protocol_type = "consumer";
    request.protocols = {{"range", SubscriptionTo({"t"})}};
    return request;
  }
  JoinRequest Static(const std::string& instance, const std::string& member = "") const {
    JoinRequest request = Request(member);
    request.member.instance_id = instance;
    return request;
  }
  Joined Join(JoinRequest request, const std::string& group = "g") {
    auto joined = std::make_shared<Awaited<JoinAnswer>>();
    coordinator_->Join(group, std::move(request),
                       [joined](JoinAnswer answer) { joined->answer = std::move(answer); });
    return joined;
  }
  Synced Sync(const std::string& member, int32_t generation,
              std::map<std::string, Bytes> assignments = {},
              std::optional<std::string> instance = std::nullopt) {
    SyncRequest request;
    request.member = {member, std::move(instance)};
    request.generation = generation;
    request.assignments = std::move(assignments);
    auto synced = std::make_shared<Awaited<SyncAnswer>>();
    coordinator_->Sync("g", std::move(request),
                       [synced](SyncAnswer answer) { synced->answer = std::move(answer); });
    return synced;
  }
  Done CommitOffset(int64_t offset, const std::string& member = "", int32_t generation = -1,
                    const std::string& group = "g") {
    GroupCoordinator::OffsetCommit commit;
    commit.member.id = member;
    commit.generation = generation;
    CommittedOffset committed;
    committed.offset = Offset(offset);
    committed.commit_timestamp_ms = now_.wall_ms;
    commit.offsets.push_back({{"t", 0}, committed});
    auto done = std::make_shared<std::optional<absl::Status>>();
    coordinator_->CommitOffsets(group, std::move(commit),
                                [done](absl::Status status) { *done = std::move(status); });
    return done;
  }
  int64_t OffsetOf(const std::string& group = "g") const {
    const auto offsets = coordinator_->OffsetsOf(group);
    if (!offsets.ok() || *offsets == nullptr || !(*offsets)->contains({"t", 0})) return -1;
    return (*offsets)->at({"t", 0}).offset.value();
  }
  Errc Beat(const std::string& member, int32_t generation) {
    const absl::Status status = coordinator_->Heartbeat("g", {member, {}}, generation);
    return status.ok() ? Errc::kUnknown : ErrcOf(status);
  }
  std::string State() const { return coordinator_->Describe("g")->state; }

  // `count` members that are in a generation together and know what to read; the leader first.
  std::vector<std::string> Form(size_t count) {
    std::vector<Joined> joined;
    for (size_t i = 0; i < count; ++i) joined.push_back(Join(Request()));
    while (!joined[0]->there()) Pass(Millis(100));
    std::vector<std::string> members;
    std::map<std::string, Bytes> assignments;
    for (const Joined& each : joined) {
      members.push_back(each->answer->member_id);
      assignments[members.back()] = Bytes::Copy("all of " + members.back());
    }
    const std::string leader = joined[0]->answer->leader;
    std::iter_swap(members.begin(), std::find(members.begin(), members.end(), leader));
    generation_ = joined[0]->answer->generation;
    for (const std::string& member : members) {
      Sync(member, generation_, member == leader ? assignments : std::map<std::string, Bytes>());
    }
    Commit();
    EXPECT_EQ(State(), "Stable");
    return members;
  }

  std::map<std::string, ConsumerTimes> times_{};  // Of groups that have their own.
  GroupLimits limits_;
  FakeTopics topics_;
  SeededRandom random_{7};
  Moment now_{MonoTime(std::chrono::hours(1)), 1'700'000'000'000};
  std::deque<std::pair<std::vector<GroupRecord>, GroupCoordinator::StatusDone>> waiting_;
  std::vector<GroupRecord> log_;
  std::unique_ptr<GroupCoordinator> coordinator_;
  int32_t generation_ = 0;

 private:
  void PassTo(MonoTime when) {
    now_.wall_ms += std::chrono::duration_cast<Millis>(when - now_.mono).count();
    now_.mono = when;
  }
};

}  // namespace garam
