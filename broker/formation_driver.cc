#include "broker/formation_driver.h"

#include <utility>

#include "common/logging.h"

namespace garam {

void FormationDriver::Start(PeerControl& control) {
  control_ = &control;
  formation_.Start();
  CarryOut();
  ArmRound();
}

void FormationDriver::Stop() {
  alive_.reset();
  options_.executor.Cancel(std::exchange(timer_, kNoTimer));
}

void FormationDriver::OnOffer(FormationProposal proposal, Formation::OfferDone done) {
  formation_.OnOffer(std::move(proposal), std::move(done));
  CarryOut();
}

void FormationDriver::ArmRound() {
  if (formation_.done()) return;
  timer_ = options_.executor.PostAt(options_.clock.Mono() + Formation::kRoundInterval,
                                    [this, weak = std::weak_ptr<bool>(alive_)] {
                                      if (weak.expired() || formation_.done()) return;
                                      formation_.Tick();
                                      CarryOut();
                                      ArmRound();
                                    });
}

void FormationDriver::CarryOut() {
  for (Formation::Action& action : formation_.TakeActions()) {
    std::visit([this](auto& one) { CarryOut(std::move(one)); }, action);
  }
}

void FormationDriver::CarryOut(Formation::Ask ask) {
  control_->FetchFormation(ask.node, [this, weak = std::weak_ptr<bool>(alive_),
                                      node = ask.node](absl::StatusOr<FormationStatus> status) {
    if (weak.expired()) return;
    formation_.OnStatus(node, status);
    CarryOut();
  });
}

void FormationDriver::CarryOut(Formation::Store store) {
  options_.pool.Submit(
      [this, weak = std::weak_ptr<bool>(alive_), proposal = std::move(store.proposal)] {
        absl::Status status = options_.store(proposal);
        options_.executor.Post([this, weak, status] {
          if (weak.expired()) return;
          formation_.OnStored(status);
          CarryOut();
        });
      });
}

void FormationDriver::CarryOut(Formation::Offer offer) {
  control_->OfferFormation(offer.node, std::move(offer.proposal), [](absl::Status) {});
}

void FormationDriver::CarryOut(Formation::Adopt adopt) {
  options_.on_adopted(adopt.proposal, adopt.founder);
}

void FormationDriver::CarryOut(Formation::Refuse refuse) {
  options_.on_refused(std::move(refuse.reason));
}

void FormationDriver::CarryOut(Formation::Note note) { LogInfo("{}", note.line); }

}  // namespace garam
