// One group of the consumer protocol, its topics, and members that do what real ones do.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/random.h"
#include "common/status.h"
#include "coordinator/groups/consumer_group.h"
#include "coordinator/groups/consumer_records.h"
#include "coordinator/groups/group_store.h"
#include "tests/unit/coordinator/groups/fake_topics.h"

namespace garam {

class ConsumerGroupTest : public ::testing::Test {
 protected:
  // A client: what it owns is what it was told last, unless the test says that it is slow.
  struct Client {
    ConsumerHeartbeat says{};
    TopicPartitions owns{};
    std::optional<TopicPartitions> told{};  // What it has not come to yet.
    int32_t epoch = 0;
    bool missed = false;  // An answer was lost: it says everything again.
  };

  ConsumerGroupTest() {
    limits_.consumers.assignment_interval = Duration(0);
    Open();
  }

  // Another coordinator: it knows what was stored.
  void Open() {
    GroupStore store;
    for (const GroupRecord& record : log_) EXPECT_TRUE(store.Apply(record).ok());
    const GroupStore::Group* const stored = store.Find("g");
    const bool there = stored != nullptr && stored->consumer;
    ConsumerGroup::Env env{"g", limits_, [this] { return topics_.Now(); }};
    group_ = there ? std::make_unique<ConsumerGroup>(env, *stored->consumer, now_)
                   : std::make_unique<ConsumerGroup>(env);
  }

  absl::StatusOr<ConsumerHeartbeatAnswer> Beat(const ConsumerHeartbeat& request) {
    std::vector<GroupRecord> records;
    auto answer = group_->Heartbeat(request, now_, records);
    EXPECT_TRUE(answer.ok() || records.empty());
    Keep(std::move(records));
    return answer;
  }
  void Pass(Duration time) {
    const MonoTime until = now_.mono + time;
    while (group_->NextDeadline() && *group_->NextDeadline() <= until) {
      PassTo(std::max(*group_->NextDeadline(), now_.mono));
      std::vector<GroupRecord> records;
      group_->Tick(now_, records);
      Keep(std::move(records));
    }
    PassTo(until);
  }

  static ConsumerHeartbeat JoinOf(const std::string& id, std::vector<std::string> topics) {
    ConsumerHeartbeat request;
    request.member_id = id;
    request.rebalance_timeout_ms = 60'000;
    request.topics = std::move(topics);
    request.owned.emplace();
    request.client_id = "client";
    request.client_host = "/127.0.0.1";
    return request;
  }
  static ConsumerHeartbeat At(const std::string& id, int32_t epoch) {
    ConsumerHeartbeat request;
    request.member_id = id;
    request.epoch = epoch;
    request.client_id = "client";
    request.client_host = "/127.0.0.1";
    return request;
  }

  // A client that joins as `request` says.
  Client& Add(const ConsumerHeartbeat& request) {
    Client& client = clients_[request.member_id];
    client = Client{request};
    const auto answer = Beat(request);
    EXPECT_TRUE(answer.ok()) << answer.status();
    if (answer.ok()) Hear(client, *answer);
    Obey(client);
    return client;
  }
  Client& Add(const std::string& id, std::vector<std::string> topics) {
    return Add(JoinOf(id, std::move(topics)));
  }
  // The client's next heartbeat. It gives up at once what it is to, and takes what it is given.
  Errc Beat(Client& client) {
    const auto answer = Beat(NextOf(client));
    if (!answer.ok()) return ErrcOf(answer.status());
    Hear(client, *answer);
    Obey(client);
    return Errc::kUnknown;
  }
  static ConsumerHeartbeat NextOf(const Client& client) {
    ConsumerHeartbeat request =
        client.missed ? client.says : At(client.says.member_id, client.epoch);
    request.epoch = client.epoch;
    request.instance_id = client.says.instance_id;
    request.owned = client.owns;
    return request;
  }
  static void Hear(Client& client, const ConsumerHeartbeatAnswer& answer) {
    client.missed = false;
    client.epoch = answer.epoch;
    if (answer.assignment) client.told = answer.assignment;
  }
  static void Obey(Client& client) {
    if (client.told) client.owns = *std::exchange(client.told, std::nullopt);
  }
  // Heartbeats of all until nothing changes.
  void Settle() {
    for (int round = 0; round < 20 && group_->StateName() != "Stable"; ++round) {
      for (auto& [id, client] : clients_) EXPECT_EQ(Beat(client), Errc::kUnknown) << id;
    }
    EXPECT_EQ(group_->StateName(), "Stable");
    for (auto& [id, client] : clients_) EXPECT_EQ(Beat(client), Errc::kUnknown) << id;
  }
  size_t CountOf(const Client& client) const {
    size_t count = 0;
    for (const auto& [topic, partitions] : client.owns) count += partitions.size();
    return count;
  }
  // Every partition of `topics` is read by one client.
  void ExpectAllRead(const std::vector<std::string>& topics) const {
    std::map<std::pair<TopicId, int32_t>, int> readers;
    for (const auto& [id, client] : clients_) {
      for (const auto& [topic, partitions] : client.owns) {
        for (const int32_t partition : partitions) ++readers[{topic, partition}];
      }
    }
    size_t wanted = 0;
    for (const std::string& name : topics) {
      const AssignorTopic& topic = topics_.all().at(name);
      wanted += static_cast<size_t>(topic.partition_count);
      for (int32_t i = 0; i < topic.partition_count; ++i) {
        EXPECT_EQ((readers[{topic.id, i}]), 1) << name << "-" << i;
      }
    }
    EXPECT_EQ(readers.size(), wanted);
  }
  // What is stored is what is at work.
  void ExpectStored() const {
    GroupStore store;
    for (const GroupRecord& record : log_) EXPECT_TRUE(store.Apply(record).ok());
    const GroupStore::Group* const stored = store.Find("g");
    ASSERT_TRUE(stored != nullptr && stored->consumer);
    const ConsumerGroupState& there = *stored->consumer;
    const ConsumerGroupState& here = group_->state();
    EXPECT_EQ(there.epoch, here.epoch);
    EXPECT_EQ(there.topics_hash, here.topics_hash);
    EXPECT_EQ(there.assignment_epoch, here.assignment_epoch);
    EXPECT_EQ(there.assigned_at_ms, here.assigned_at_ms);
    EXPECT_EQ(there.members, here.members);
    EXPECT_EQ(there.target, here.target);
    EXPECT_EQ(there.regexes.size(), here.regexes.size());
  }
  void Keep(std::vector<GroupRecord> records) {
    size_t bytes = 0;
    for (GroupRecord& record : records) {
      bytes += record.key.size() + (record.value ? record.value->size() : 0);
      log_.push_back(std::move(record));
    }
    most_kept_bytes_ = std::max(most_kept_bytes_, bytes);
  }

  GroupLimits limits_;
  FakeTopics topics_;
  Moment now_{MonoTime(std::chrono::hours(1)), 1'700'000'000'000};
  std::vector<GroupRecord> log_;
  size_t most_kept_bytes_ = 0;  // At once.
  std::unique_ptr<ConsumerGroup> group_;
  std::map<std::string, Client> clients_;

 private:
  void PassTo(MonoTime when) {
    now_.wall_ms += std::chrono::duration_cast<Millis>(when - now_.mono).count();
    now_.mono = when;
  }
};

}  // namespace garam
