// Answers of the controller that wait: for what they say to be committed and applied, and, of
// changes that people make, for every live broker to know of them. Whoever asks another broker
// next finds what was changed, without having to try again.
//
// Threads: one at a time. It does no I/O and has no clock.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/ids.h"

namespace garam {

class ControllerAnswers {
 public:
  using Done = absl::AnyInvocable<void(absl::StatusOr<std::string>) &&>;
  // One that is slow but not known to be down holds no answer up for longer than that.
  static constexpr Duration kTellMax = Millis(300);

  struct Answer {
    LogIndex index;  // In group 0's log.
    uint64_t round;  // 0, or a question whether this node still led when it answered.
    bool tell;       // To be known by every live broker.
    std::string reply;
    Done done;
  };

  // In the order of their indexes.
  void Add(Answer answer) { waiting_.push_back(std::move(answer)); }

  // Gives what is due. `known(index)`: every live broker knows that `index` is committed. What is
  // called may add answers.
  void Give(LogIndex applied, uint64_t confirmed_round, MonoTime now,
            absl::FunctionRef<bool(LogIndex)> known);
  // When `Give` has something to do whatever happens, if ever.
  std::optional<MonoTime> deadline() const;
  // Gives all of them: `lost` where it is not known that the reply will be true.
  void GiveUp(const std::string& lost);

 private:
  struct Telling {
    MonoTime until;
    Answer answer;
  };

  std::deque<Answer> waiting_;
  std::deque<Telling> telling_;  // Committed and applied here.
};

}  // namespace garam
