#include "coordinator/formation.h"

#include <memory>

#include "tests/unit/coordinator/cluster_fixture.h"

namespace garam {
namespace {

using testing::HasSubstr;

// Nodes with disks, joined by a network of which every step is the test's to take. Node n listens
// at "host-n:9093"; its first incarnation is 100 n.
class FormationTest : public testing::Test {
 protected:
  struct Node {
    Incarnation incarnation;
    std::optional<FormationProposal> disk;
    std::unique_ptr<Formation> machine;  // Null: not running.
    std::vector<Formation::Action> todo;
    std::optional<FormationProposal> adopted;
    bool founder = false;
    absl::Status refused;
    std::string note;
  };

  static std::string Address(int32_t node) { return "host-" + std::to_string(node) + ":9093"; }

  void Boot(int32_t id) {
    Node& node = nodes_[id];
    if (node.incarnation == Incarnation(0)) node.incarnation = Incarnation(100 * id);
    std::vector<Formation::Listed> listed;
    for (int32_t other : listed_) listed.push_back({NodeId(other), Address(other)});
    node.machine = std::make_unique<Formation>(
        NodeIdentity{.node = NodeId(id), .incarnation = node.incarnation}, Address(id), listed,
        node.disk, random_);
    node.machine->Start();
    Collect(id);
  }
  void BootAll() {
    for (int32_t id : listed_) Boot(id);
  }
  void Kill(int32_t id) {
    nodes_[id].machine.reset();
    nodes_[id].todo.clear();
    nodes_[id].adopted.reset();
  }
  void Wipe(int32_t id) {
    Kill(id);
    nodes_[id].disk.reset();
    nodes_[id].incarnation = nodes_[id].incarnation + 1;
  }

  void Collect(int32_t id) {
    Node& node = nodes_[id];
    for (Formation::Action& action : node.machine->TakeActions()) {
      node.todo.push_back(std::move(action));
    }
  }

  // Carries out one action of `id`; false when it has none.
  bool Step(int32_t id) {
    Node& node = nodes_[id];
    if (node.machine == nullptr || node.todo.empty()) return false;
    Formation::Action action = std::move(node.todo.front());
    node.todo.erase(node.todo.begin());
    std::visit([&](auto& kind) { Do(id, node, kind); }, action);
    if (node.machine != nullptr) Collect(id);
    return true;
  }
  void Do(int32_t, Node& node, Formation::Ask& ask) {
    Node& peer = nodes_[ask.node.value()];
    if (peer.machine == nullptr) {
      node.machine->OnStatus(ask.node, absl::UnavailableError("no answer"));
    } else {
      node.machine->OnStatus(ask.node, peer.machine->Status());
    }
  }
  void Do(int32_t, Node& node, Formation::Store& store) {
    node.disk = store.proposal;
    node.machine->OnStored(absl::OkStatus());
  }
  void Do(int32_t, Node&, Formation::Offer& offer) {
    const int32_t to = offer.node.value();
    if (nodes_[to].machine == nullptr) return;
    nodes_[to].machine->OnOffer(offer.proposal, [](absl::Status) {});
    Collect(to);
  }
  void Do(int32_t, Node& node, Formation::Adopt& adopt) {
    node.adopted = adopt.proposal;
    node.founder = adopt.founder;
  }
  void Do(int32_t, Node& node, Formation::Refuse& refuse) { node.refused = refuse.reason; }
  void Do(int32_t, Node& node, Formation::Note& note) { node.note = note.line; }

  // Runs until no node has anything to do, with a tick of every node between the rounds.
  void Settle(int ticks = 3) {
    for (int tick = 0; tick <= ticks; ++tick) {
      bool busy = true;
      while (busy) {
        busy = false;
        for (auto& [id, node] : nodes_) busy |= Step(id);
      }
      for (auto& [id, node] : nodes_) {
        if (node.machine == nullptr || tick == ticks) continue;
        node.machine->Tick();
        Collect(id);
      }
    }
  }

  void ExpectOneCluster(const std::vector<int32_t>& members) {
    std::set<std::string> clusters;
    for (int32_t id : members) {
      ASSERT_TRUE(nodes_[id].adopted.has_value()) << "node " << id << " " << nodes_[id].refused;
      clusters.insert(nodes_[id].adopted->cluster_id);
      EXPECT_EQ(nodes_[id].disk, nodes_[id].adopted);
    }
    EXPECT_EQ(clusters.size(), 1u);
  }

  std::vector<int32_t> listed_{1, 2, 3};
  std::map<int32_t, Node> nodes_;
  SeededRandom random_{5};
};

TEST_F(FormationTest, ANodeWithoutVotersFormsAClusterOfItsOwn) {
  listed_ = {};
  Boot(7);
  Settle(0);
  ExpectOneCluster({7});
  ASSERT_EQ(nodes_[7].adopted->voters.size(), 1u);
  EXPECT_EQ(nodes_[7].adopted->voters[0],
            (FormationVoter{NodeId(7), Incarnation(700), "host-7:9093"}));
}

TEST_F(FormationTest, AllListedVotersFormOneClusterThatNamesThemAll) {
  BootAll();
  Settle();
  ExpectOneCluster({1, 2, 3});
  const FormationProposal& proposal = *nodes_[2].adopted;
  ASSERT_EQ(proposal.voters.size(), 3u);
  EXPECT_EQ(proposal.voters[2], (FormationVoter{NodeId(3), Incarnation(300), "host-3:9093"}));
}

TEST_F(FormationTest, NothingIsFormedUntilEveryVoterAnswers) {
  Boot(1);
  Boot(2);
  Settle();
  EXPECT_FALSE(nodes_[1].adopted.has_value());
  EXPECT_FALSE(nodes_[1].machine->done());
  EXPECT_THAT(nodes_[1].note, HasSubstr("waiting for node.id 3"));
  Boot(3);
  Settle();
  ExpectOneCluster({1, 2, 3});
}

TEST_F(FormationTest, OnlyTheLowestIdProposes) {
  Boot(2);
  Boot(3);
  listed_ = {2, 3};
  Settle();
  EXPECT_FALSE(nodes_[2].adopted.has_value());
  EXPECT_FALSE(nodes_[3].adopted.has_value());
}

TEST_F(FormationTest, AVoterThatWentAwayBeforeTheProposalIsWaitedFor) {
  Boot(1);
  Boot(2);
  Settle(0);  // 1 has heard 2.
  Kill(2);
  Settle(1);  // 1 has noticed.
  Boot(3);
  Settle(1);
  EXPECT_FALSE(nodes_[1].adopted.has_value());
}

TEST_F(FormationTest, TheProposerStoresBeforeItOffers) {
  BootAll();
  std::vector<std::string> order;
  for (int i = 0; i < 100; ++i) {
    for (int32_t id : {2, 3}) {
      while (Step(id)) {
      }
    }
    if (nodes_[1].todo.empty()) break;
    if (std::holds_alternative<Formation::Store>(nodes_[1].todo[0])) order.push_back("store");
    if (std::holds_alternative<Formation::Offer>(nodes_[1].todo[0])) order.push_back("offer");
    Step(1);
  }
  EXPECT_THAT(order, testing::ElementsAre("store", "offer", "offer"));
}

TEST_F(FormationTest, AProposalIsTakenFromAnyHolder) {
  BootAll();
  while (!nodes_[2].disk.has_value()) Settle(1);
  Kill(3);
  nodes_[3].disk.reset();  // It had not been reached yet.
  Kill(1);
  Boot(3);
  Settle();
  ExpectOneCluster({2, 3});
}

// Every node is killed before each of its steps in turn and started again with what it stored.
TEST_F(FormationTest, AKillAtAnyStepStillLeadsToOneCluster) {
  for (int32_t victim : {1, 2, 3}) {
    for (int kill_at = 0; kill_at < 12; ++kill_at) {
      SCOPED_TRACE(testing::Message() << "node " << victim << " at step " << kill_at);
      nodes_.clear();
      BootAll();
      int steps = 0;
      for (int round = 0; round < 20; ++round) {
        for (int32_t id : listed_) {
          if (id == victim && steps++ == kill_at) {
            Kill(victim);
            Boot(victim);
          }
          Step(id);
        }
      }
      Settle();
      ExpectOneCluster({1, 2, 3});
    }
  }
}

TEST_F(FormationTest, AKillOfAllAtAnyStepStillLeadsToOneCluster) {
  for (int kill_at = 0; kill_at < 12; ++kill_at) {
    SCOPED_TRACE(kill_at);
    nodes_.clear();
    BootAll();
    for (int round = 0; round < kill_at; ++round) {
      for (int32_t id : listed_) Step(id);
    }
    for (int32_t id : listed_) Kill(id);
    BootAll();
    Settle();
    ExpectOneCluster({1, 2, 3});
  }
}

TEST_F(FormationTest, AFormedNodeAsksNobodyWhenItStartsAgain) {
  BootAll();
  Settle();
  for (int32_t id : listed_) Kill(id);
  Boot(2);
  EXPECT_EQ(nodes_[2].todo.size(), 1u);
  Settle(0);
  ExpectOneCluster({2});
}

TEST_F(FormationTest, AWipedNodeJoinsAndIsNoFounder) {
  BootAll();
  Settle();
  Wipe(2);
  Boot(2);
  Settle();
  ExpectOneCluster({1, 2, 3});
  EXPECT_FALSE(nodes_[2].founder);
  Kill(2);
  Boot(2);
  EXPECT_EQ(nodes_[2].todo.size(), 1u) << "asks nobody";
  Settle(0);
  ExpectOneCluster({1, 2, 3});
  EXPECT_FALSE(nodes_[2].founder);
}

TEST_F(FormationTest, AWipedNodeJoinsAlsoWhenAnotherVoterIsDown) {
  BootAll();
  Settle();
  Kill(1);
  Wipe(2);
  Boot(2);
  Settle();
  ExpectOneCluster({2, 3});
  EXPECT_FALSE(nodes_[2].founder);
}

TEST_F(FormationTest, AMajorityGoesOnWhenAVoterIsWipedWhileTheClusterForms) {
  BootAll();
  while (!nodes_[1].disk.has_value()) Step(1);
  Wipe(3);
  Boot(3);
  Settle();
  ExpectOneCluster({1, 2, 3});
  EXPECT_TRUE(nodes_[1].founder);
  EXPECT_TRUE(nodes_[2].founder);
  EXPECT_FALSE(nodes_[3].founder);
}

TEST_F(FormationTest, ANewNodeJoinsAFormedCluster) {
  BootAll();
  Settle();
  for (bool listed : {true, false}) {
    const int32_t id = listed ? 4 : 5;
    if (listed) listed_ = {1, 2, 3, 4};
    Boot(id);
    Settle();
    ExpectOneCluster({1, 2, 3, id});
    EXPECT_FALSE(nodes_[id].founder);
  }
}

TEST_F(FormationTest, ANodeThatIsNotListedFormsNothing) {
  Boot(9);
  Boot(1);
  Settle();
  EXPECT_FALSE(nodes_[9].adopted.has_value());
  EXPECT_FALSE(nodes_[9].disk.has_value());
  Boot(2);
  Boot(3);
  Settle();
  ExpectOneCluster({1, 2, 3, 9});
  EXPECT_FALSE(nodes_[9].founder);
}

TEST_F(FormationTest, AnOfferOfAnotherClusterIsRefused) {
  BootAll();
  Settle();
  absl::Status answer;
  nodes_[2].machine->OnOffer({"other", {{NodeId(2), Incarnation(200), Address(2)}}},
                             [&](absl::Status status) { answer = status; });
  EXPECT_THAT(answer, HasErrc(Errc::kInconsistentClusterId));
}

TEST_F(FormationTest, AnOfferIsAcceptedAgainByItsHolder) {
  BootAll();
  Settle();
  absl::Status answer = absl::UnknownError("not called");
  nodes_[2].machine->OnOffer(*nodes_[1].adopted, [&](absl::Status status) { answer = status; });
  EXPECT_TRUE(answer.ok());
}

TEST_F(FormationTest, AnOfferIsAnsweredOnlyOnceItIsStored) {
  Boot(2);
  std::optional<absl::Status> answer;
  nodes_[2].machine->OnOffer({"c", {{NodeId(2), Incarnation(200), Address(2)}}},
                             [&](absl::Status status) { answer = status; });
  EXPECT_FALSE(answer.has_value());
  EXPECT_TRUE(nodes_[2].machine->Status().blank);
  nodes_[2].machine->OnStored(absl::OkStatus());
  ASSERT_TRUE(answer.has_value());
  EXPECT_TRUE(answer->ok());
  EXPECT_EQ(nodes_[2].machine->Status().self.cluster_id, "c");
}

TEST_F(FormationTest, ANodeThatCannotStoreStaysOut) {
  listed_ = {};
  Boot(1);
  nodes_[1].machine->OnStored(MakeError(Errc::kStorage, "disk full"));
  nodes_[1].todo.clear();
  Collect(1);
  Settle(0);
  EXPECT_THAT(nodes_[1].refused, HasErrc(Errc::kStorage));
}

TEST_F(FormationTest, AnAddressThatIsAnotherNodesIsNotAVoter) {
  listed_ = {1, 2};
  Boot(1);
  nodes_[1].todo.clear();
  nodes_[1].machine->OnStatus(
      NodeId(2), FormationStatus{.self = {.node = NodeId(3), .incarnation = Incarnation(300)}});
  Collect(1);
  Settle(0);
  EXPECT_FALSE(nodes_[1].adopted.has_value());
  EXPECT_THAT(nodes_[1].note, HasSubstr("is that of node.id 3"));
}

}  // namespace
}  // namespace garam
