// How a cluster comes to be (D19), as a pure machine: what was stored, what was listed and what
// peers say goes in; what to ask, store, offer and do next comes out.
//
// The owner calls Start once and Tick every kRoundInterval until an outcome stands, carries out
// TakeActions() after every call, and stores a proposal on stable storage before OnStored. Before
// anything else, and before it answers any peer, it must have its own incarnation on stable
// storage: a peer builds its proposal on it. Killed at any point and started again with what was
// stored, a node goes on towards the same one cluster.
//
// Threads: one at a time. No I/O, clock or lock inside.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/random.h"
#include "coordinator/formation_types.h"

namespace garam {

class Formation {
 public:
  static constexpr Duration kRoundInterval = Millis(100);

  // One entry of controller.quorum.voters.
  struct Listed {
    NodeId node;
    std::string control_address;
  };

  struct Ask {  // PeerControl::FetchFormation; the answer, also a failure, goes to OnStatus.
    NodeId node;
  };
  struct Store {  // On stable storage, then OnStored.
    FormationProposal proposal;
  };
  struct Offer {  // PeerControl::OfferFormation; nothing waits for the answer.
    NodeId node;
    FormationProposal proposal;
  };
  struct Adopt {  // The outcome: a member of the cluster with these founders. Comes once.
    FormationProposal proposal;
    // One of them, and a voter of group 0 from the start; any other node learns from its leader
    // (D18): it has come later, or with another disk.
    bool founder = false;
  };
  struct Refuse {  // The outcome: stay out, and say this line. Comes once.
    absl::Status reason;
  };
  struct Note {  // One line for the log.
    std::string line;
  };
  using Action = std::variant<Ask, Store, Offer, Adopt, Refuse, Note>;

  using OfferDone = absl::AnyInvocable<void(absl::Status) &&>;

  // `self.cluster_id` is ignored: `stored` says whether this node is blank. `listed` empty means a
  // cluster of this node alone, at `control_address`. `random` must outlive the machine.
  Formation(NodeIdentity self, std::string control_address, std::vector<Listed> listed,
            std::optional<FormationProposal> stored, Random& random);

  void Start();
  // Asks again whom it is not asking already, while no outcome stands.
  void Tick();
  void OnStatus(NodeId node, const absl::StatusOr<FormationStatus>& status);
  // The proposal of the last Store is on stable storage, or could not be put there (then this node
  // refuses: what is on the disk is unknown).
  void OnStored(const absl::Status& status);
  // A peer offers a proposal; `done` is called, here or from OnStored, once it is stored or with
  // the reason why it is not taken.
  void OnOffer(FormationProposal proposal, OfferDone done);

  // What to answer to FetchFormation.
  FormationStatus Status() const;
  std::vector<Action> TakeActions();
  bool done() const { return phase_ == Phase::kAdopted || phase_ == Phase::kRefused; }

 private:
  enum class Phase { kAsking, kStoring, kAdopted, kRefused };

  // What a holder's proposal is to this node.
  enum class Standing { kNamed, kOtherIncarnation, kNotNamed };
  Standing StandingIn(const FormationProposal& proposal) const;

  void AskAll();
  void Decide();
  void Propose();
  void Take(FormationProposal proposal);
  void Adopted(FormationProposal proposal);
  void Finish(absl::Status refusal);
  void AnswerOffers(const absl::Status& status);
  std::string WaitingFor() const;
  void Say(std::string line);

  const NodeIdentity self_;
  const std::string control_address_;
  std::map<NodeId, std::string> listed_;  // With this node.
  std::optional<FormationProposal> held_;
  Random& random_;

  Phase phase_ = Phase::kAsking;
  bool proposer_ = false;  // The proposal being stored is this node's own.
  FormationProposal storing_;
  std::vector<OfferDone> offers_;              // Waiting for the store.
  std::set<NodeId> asked_;                     // No answer yet.
  std::set<NodeId> heard_;                     // Answered or failed at least once.
  std::map<NodeId, FormationStatus> answers_;  // The latest; none from who failed since.
  std::string said_;                           // The last Note, so as not to repeat it.
  std::vector<Action> actions_;
};

}  // namespace garam
