// Many members that come, go, are slow, lose answers and change their minds, topics that come and
// go, and coordinators that are replaced in between. Whatever happens, no partition has two
// readers; and when it is quiet, everything is read.
#include <gtest/gtest.h>

#include "common/testing/seeds.h"
#include "tests/unit/coordinator/groups/consumer_fixture.h"

namespace garam {
namespace {

class ConsumerGroupRandomTest : public ConsumerGroupTest {
 protected:
  // A client that is to give something up reads it until it says that it does not. Whom the group
  // has given up as gone does not count: it will hear of it.
  void ExpectOneReaderEach() const {
    std::map<std::pair<TopicId, int32_t>, std::string> readers;
    for (const auto& [id, client] : clients_) {
      if (!group_->state().members.contains(id)) continue;
      for (const auto& [topic, partitions] : client.owns) {
        for (const int32_t partition : partitions) {
          const auto [other, first] = readers.try_emplace({topic, partition}, id);
          EXPECT_TRUE(first) << topic.ToString() << "-" << partition << ": " << id << " and "
                             << other->second;
        }
      }
    }
  }

  std::vector<std::string> SomeTopics() {
    std::vector<std::string> names;
    for (int i = 0; i < 4; ++i) {
      if (random_.Below(2) == 0) names.push_back("t" + std::to_string(i));
    }
    return names;
  }

  ConsumerHeartbeat SomeJoin(const std::string& id) {
    ConsumerHeartbeat request = JoinOf(id, SomeTopics());
    if (random_.Below(4) == 0)
      request.topic_regex = "t[0-" + std::to_string(random_.Below(4)) + "]";
    if (random_.Below(3) == 0) request.assignor = random_.Below(2) == 0 ? "range" : "uniform";
    return request;
  }

  void Join() {
    const std::string id = "m" + std::to_string(++joined_);
    ConsumerHeartbeat request = SomeJoin(id);
    if (random_.Below(3) == 0) request.instance_id = "i" + id;
    Add(request);
  }

  Client* SomeClient() {
    if (clients_.empty()) return nullptr;
    return &std::next(clients_.begin(), random_.Below(clients_.size()))->second;
  }

  // A heartbeat; what comes of it may be lost, or taken up later.
  void Heartbeat(Client& client) {
    if (random_.Below(10) == 0) {
      client.says.topics = SomeTopics();
      client.missed = true;
    }
    const ConsumerHeartbeat request = NextOf(client);
    const auto answer = Beat(request);
    if (!answer.ok()) {
      // It was taken for gone: it abandons everything, and comes back as another one.
      EXPECT_TRUE(ErrcOf(answer.status()) == Errc::kUnknownMemberId ||
                  ErrcOf(answer.status()) == Errc::kFencedMemberEpoch)
          << answer.status();
      clients_.erase(client.says.member_id);
      return;
    }
    if (random_.Below(8) == 0) {
      // Lost: it does not know what is its own by now, and takes nothing more until it has asked.
      client.missed = true;
      client.told.reset();
      return;
    }
    Hear(client, *answer);
    // It stops reading what it is to give up; when, is its own affair.
    if (random_.Below(3) != 0) Obey(client);
  }

  void Leave(Client& client) {
    ConsumerHeartbeat request = At(client.says.member_id, kLeaveEpoch);
    request.instance_id = client.says.instance_id;
    const bool comes_back = request.instance_id && random_.Below(2) == 0;
    if (comes_back) request.epoch = kPauseEpoch;
    const ConsumerHeartbeat said = client.says;
    clients_.erase(said.member_id);
    if (!Beat(request).ok() || !comes_back) return;
    ConsumerHeartbeat again = SomeJoin("m" + std::to_string(++joined_));
    again.instance_id = said.instance_id;
    Add(again);
  }

  void ChangeTopics() {
    const std::string name = "t" + std::to_string(random_.Below(4));
    const bool there = topics_.all().contains(name);
    if (there && random_.Below(4) == 0) return topics_.Delete(name);
    const int32_t now = there ? topics_.all().at(name).partition_count : 0;
    topics_.Set(name, now + static_cast<int32_t>(random_.Below(4)) + 1);
  }

  void Step() {
    Client* const client = SomeClient();
    switch (random_.Below(20)) {
      case 0:
      case 1:
        return clients_.size() < 12 ? Join() : void();
      case 2:
        return client != nullptr ? Leave(*client) : void();
      case 3:
        return ChangeTopics();
      case 4:
        return Pass(Millis(static_cast<int64_t>(random_.Below(4000))));
      case 5:
        return Open();
      default:
        return client != nullptr ? Heartbeat(*client) : void();
    }
  }

  // Whoever still thinks that it is a member is one, or finds out.
  void Quiet() {
    for (int round = 0; round < 60; ++round) {
      std::vector<std::string> ids;
      for (const auto& [id, client] : clients_) ids.push_back(id);
      for (const std::string& id : ids) {
        Client& client = clients_.at(id);
        Obey(client);
        if (Beat(client) != Errc::kUnknown) clients_.erase(id);
      }
      ExpectOneReaderEach();
      Pass(Millis(1000));
    }
  }

  std::vector<std::string> SubscribedTopics() const {
    std::vector<std::string> names;
    for (const auto& [name, topic] : topics_.all()) {
      if (group_->SubscribesTo(name)) names.push_back(name);
    }
    return names;
  }

  SeededRandom random_{1};
  int joined_ = 0;
};

TEST_F(ConsumerGroupRandomTest, NoPartitionHasTwoReadersAndAllAreReadInTheEnd) {
  const uint64_t seeds = SeedsToRun(60);
  for (uint64_t seed = 1; seed <= seeds && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    random_ = SeededRandom(seed);
    limits_.consumers.assignment_interval = Millis(static_cast<int64_t>(random_.Below(3)) * 500);
    topics_ = FakeTopics();
    log_.clear();
    clients_.clear();
    Open();
    for (int step = 0; step < 300 && !HasFailure(); ++step) {
      Step();
      ExpectOneReaderEach();
    }
    Quiet();
    if (clients_.empty()) continue;
    EXPECT_EQ(group_->StateName(), "Stable");
    ExpectAllRead(SubscribedTopics());
    ExpectStored();
  }
}

}  // namespace
}  // namespace garam
