// Carries out what the formation machine decides (D19): asks peers, stores on the pool, offers.
//
// Threads:   executor 0; the store itself runs on the pool.
// Ownership: what Options refers to outlives it.
#pragma once

#include <functional>
#include <memory>

#include "absl/status/status.h"
#include "broker/peers.h"
#include "common/executor.h"
#include "coordinator/formation.h"

namespace garam {

class FormationDriver {
 public:
  struct Options {
    Executor& executor;
    BlockingPool& pool;
    const Clock& clock;
    std::function<absl::Status(const FormationProposal&)> store;  // Durably; blocks.
    // Whether this node is a founder: see Formation::Adopt.
    std::function<void(const FormationProposal&, bool founder)> on_adopted;
    std::function<void(absl::Status)> on_refused;
  };

  FormationDriver(Options options, Formation formation)
      : options_(std::move(options)), formation_(std::move(formation)) {}

  void Start(PeerControl& control);
  void Stop();

  FormationStatus Status() const { return formation_.Status(); }
  void OnOffer(FormationProposal proposal, Formation::OfferDone done);

 private:
  void CarryOut();
  void CarryOut(Formation::Ask ask);
  void CarryOut(Formation::Store store);
  void CarryOut(Formation::Offer offer);
  void CarryOut(Formation::Adopt adopt);
  void CarryOut(Formation::Refuse refuse);
  void CarryOut(Formation::Note note);
  void ArmRound();

  Options options_;
  Formation formation_;
  PeerControl* control_ = nullptr;
  TimerId timer_ = kNoTimer;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace garam
