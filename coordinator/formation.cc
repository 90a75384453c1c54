#include "coordinator/formation.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status.h"
#include "common/uuid.h"

namespace garam {
namespace {

// An id that starts with '-' would look like a flag on a command line.
std::string NewClusterId(Random& random) {
  std::string id;
  do {
    id = Uuid::Generate(random).ToString();
  } while (id.front() == '-');
  return id;
}

absl::Status CheckProposal(const FormationProposal& proposal) {
  std::set<NodeId> nodes;
  for (const FormationVoter& voter : proposal.voters) nodes.insert(voter.node);
  if (proposal.cluster_id.empty() || nodes.empty() || nodes.size() != proposal.voters.size()) {
    return MakeError(Errc::kInvalidRequest, "a proposal needs a cluster id and distinct voters");
  }
  return absl::OkStatus();
}

}  // namespace

Formation::Formation(NodeIdentity self, std::string control_address, std::vector<Listed> listed,
                     std::optional<FormationProposal> stored, Random& random)
    : self_(std::move(self)),
      control_address_(std::move(control_address)),
      held_(std::move(stored)),
      random_(random) {
  for (Listed& entry : listed) listed_[entry.node] = std::move(entry.control_address);
  if (listed.empty()) listed_[self_.node] = control_address_;
}

void Formation::Start() {
  if (held_.has_value()) {
    return Adopted(*held_);
  }
  AskAll();
  Decide();
}

void Formation::Tick() {
  if (phase_ != Phase::kAsking) return;
  Say(WaitingFor());
  AskAll();
}

void Formation::AskAll() {
  for (const auto& [node, address] : listed_) {
    if (node == self_.node || !asked_.insert(node).second) continue;
    actions_.push_back(Ask{node});
  }
}

void Formation::OnStatus(NodeId node, const absl::StatusOr<FormationStatus>& status) {
  asked_.erase(node);
  if (phase_ != Phase::kAsking) return;
  heard_.insert(node);
  if (status.ok() && status->self.node == node) {
    answers_[node] = *status;
  } else {
    answers_.erase(node);
  }
  if (status.ok() && status->self.node != node) {
    Say(absl::StrCat("the address of node.id ", node.value(),
                     " in controller.quorum.voters is that of node.id ",
                     status->self.node.value()));
  }
  Decide();
}

// Takes what names this node from anybody, at once; joins what does not name it only when everybody
// has been heard, for one of them may; proposes only when every listed voter is there and blank.
void Formation::Decide() {
  const FormationProposal* stranger = nullptr;
  size_t blank = 0;
  for (const auto& [node, answer] : answers_) {
    if (answer.blank) {
      ++blank;
      continue;
    }
    if (!CheckProposal(answer.proposal).ok()) continue;
    if (StandingIn(answer.proposal) == Standing::kNamed) return Take(answer.proposal);
    stranger = &answer.proposal;
  }
  const size_t others = listed_.size() - listed_.count(self_.node);
  if (stranger != nullptr && heard_.size() >= others) return Take(*stranger);
  if (blank == others && listed_.begin()->first == self_.node) Propose();
}

void Formation::Propose() {
  FormationProposal proposal{.cluster_id = NewClusterId(random_)};
  for (const auto& [node, address] : listed_) {
    const bool own = node == self_.node;
    proposal.voters.push_back(
        {.node = node,
         .incarnation = own ? self_.incarnation : answers_[node].self.incarnation,
         .control_address = own ? control_address_ : address});
  }
  Take(std::move(proposal));
  proposer_ = true;
}

void Formation::Take(FormationProposal proposal) {
  phase_ = Phase::kStoring;
  proposer_ = false;
  storing_ = std::move(proposal);
  actions_.push_back(Store{storing_});
}

void Formation::OnStored(const absl::Status& status) {
  if (phase_ != Phase::kStoring) return;
  if (!status.ok()) return Finish(status);
  held_ = storing_;
  Adopted(storing_);
  if (proposer_) {
    for (const FormationVoter& voter : storing_.voters) {
      if (voter.node != self_.node) actions_.push_back(Offer{voter.node, storing_});
    }
  }
  AnswerOffers(absl::OkStatus());
}

void Formation::OnOffer(FormationProposal proposal, OfferDone done) {
  if (absl::Status status = CheckProposal(proposal); !status.ok()) {
    return std::move(done)(status);
  }
  if (held_.has_value()) {
    return std::move(done)(
        proposal == *held_ ? absl::OkStatus()
                           : MakeError(Errc::kInconsistentClusterId,
                                       absl::StrCat("node ", self_.node.value(),
                                                    " belongs to cluster ", held_->cluster_id)));
  }
  if (phase_ == Phase::kRefused || StandingIn(proposal) != Standing::kNamed) {
    return std::move(done)(
        MakeError(Errc::kInvalidRequest, absl::StrCat("the proposal is not for this data folder of "
                                                      "node ",
                                                      self_.node.value())));
  }
  if (phase_ == Phase::kAsking) Take(proposal);
  if (proposal != storing_) {
    return std::move(done)(
        MakeError(Errc::kInconsistentClusterId, "another proposal is being stored at this moment"));
  }
  offers_.push_back(std::move(done));
}

void Formation::Adopted(FormationProposal proposal) {
  phase_ = Phase::kAdopted;
  const bool founder = StandingIn(proposal) == Standing::kNamed;
  actions_.push_back(Adopt{std::move(proposal), founder});
}

void Formation::Finish(absl::Status refusal) {
  phase_ = Phase::kRefused;
  AnswerOffers(refusal);
  actions_.push_back(Refuse{std::move(refusal)});
}

void Formation::AnswerOffers(const absl::Status& status) {
  for (OfferDone& done : std::exchange(offers_, {})) std::move(done)(status);
}

Formation::Standing Formation::StandingIn(const FormationProposal& proposal) const {
  for (const FormationVoter& voter : proposal.voters) {
    if (voter.node != self_.node) continue;
    return voter.incarnation == self_.incarnation ? Standing::kNamed : Standing::kOtherIncarnation;
  }
  return Standing::kNotNamed;
}

FormationStatus Formation::Status() const {
  FormationStatus status{.self = self_, .blank = !held_.has_value()};
  status.self.cluster_id.clear();
  if (held_.has_value()) {
    status.self.cluster_id = held_->cluster_id;
    status.proposal = *held_;
  }
  return status;
}

std::vector<Formation::Action> Formation::TakeActions() { return std::exchange(actions_, {}); }

std::string Formation::WaitingFor() const {
  std::vector<int32_t> missing;
  for (const auto& [node, address] : listed_) {
    if (node != self_.node && !answers_.contains(node)) missing.push_back(node.value());
  }
  if (!missing.empty()) {
    return absl::StrCat("waiting for node.id ", absl::StrJoin(missing, ", "),
                        " of controller.quorum.voters to form a cluster");
  }
  return absl::StrCat("waiting for node.id ", listed_.begin()->first.value(),
                      " to propose a cluster");
}

void Formation::Say(std::string line) {
  if (line == said_) return;
  said_ = line;
  actions_.push_back(Note{std::move(line)});
}

}  // namespace garam
