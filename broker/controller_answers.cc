#include "broker/controller_answers.h"

#include <utility>

namespace garam {

void ControllerAnswers::Give(LogIndex applied, uint64_t confirmed_round, MonoTime now,
                             absl::FunctionRef<bool(LogIndex)> known) {
  while (!waiting_.empty() && waiting_.front().index <= applied &&
         waiting_.front().round <= confirmed_round) {
    Answer answer = std::move(waiting_.front());
    waiting_.pop_front();
    if (answer.tell) {
      telling_.push_back({now + kTellMax, std::move(answer)});
    } else {
      std::move(answer.done)(std::move(answer.reply));
    }
  }
  while (!telling_.empty() &&
         (telling_.front().until <= now || known(telling_.front().answer.index))) {
    Answer answer = std::move(telling_.front().answer);
    telling_.pop_front();
    std::move(answer.done)(std::move(answer.reply));
  }
}

std::optional<MonoTime> ControllerAnswers::deadline() const {
  if (telling_.empty()) return std::nullopt;
  return telling_.front().until;
}

void ControllerAnswers::GiveUp(const std::string& lost) {
  for (Telling& telling : std::exchange(telling_, {})) {
    std::move(telling.answer.done)(std::move(telling.answer.reply));
  }
  for (Answer& answer : std::exchange(waiting_, {})) std::move(answer.done)(lost);
}

}  // namespace garam
