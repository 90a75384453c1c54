// Brings a replica up to what its leader no longer has as entries (design decision D15): gets the
// manifest, then what the replica lacks of the segments, piece by piece and paced, and has the
// replica's log replaced. What goes wrong ends the attempt; the leader tells the replica again, and
// the next attempt goes on where this one was.
//
// Threads:   the shard's executor.
// Ownership: shared with what it has under way; the replica calls Stop before it goes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "broker/peers.h"
#include "common/executor.h"
#include "storage/segment_install.h"

namespace garam {

class Replica;
class Shard;

class LogCopy final : public std::enable_shared_from_this<LogCopy> {
 public:
  LogCopy(Shard& shard, Replica& replica) : shard_(shard), replica_(replica) {}

  // Nothing while an attempt is under way.
  void Start(NodeId from);
  // What the log keeps of its own is chosen at the start: until the end, nobody may change that.
  bool under_way() const { return under_way_; }
  // `quiet` runs when nothing touches the log's folder any more.
  void Stop(Task quiet);
  // The replica goes without that, as in a crash: late answers find nothing to do.
  void Abandon() { stopped_ = true; }

 private:
  using InstallPtr = std::unique_ptr<storage::SegmentInstall>;

  void Ask(std::optional<CopyRequest::Piece> piece, CopyDone then);
  // Runs `work` on the pool and gives `then` its result here.
  template <class Result>
  void InPool(std::function<Result()> work, absl::AnyInvocable<void(Result) &&> then);
  void OnManifest(absl::StatusOr<CopyReply> reply);
  void OnBegun(absl::StatusOr<InstallPtr> install);
  void Next();
  void OnPiece(absl::StatusOr<CopyReply> reply);
  void Install();
  void End(const absl::Status& status);
  void NotBusy();

  Shard& shard_;
  Replica& replica_;
  NodeId from_ = kNoNode;
  bool under_way_ = false;
  bool busy_ = false;  // The pool or the log works for this.
  bool stopped_ = false;
  Task quiet_;
  std::string snapshot_;
  InstallPtr install_;  // The pool's while it is busy.
};

}  // namespace garam
