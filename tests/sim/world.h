// Virtual time: a heap of events on one thread, run in the order of (time, number). The same seed
// gives the same events, which `trace_hash` proves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "common/clock.h"
#include "common/executor.h"
#include "common/random.h"

namespace garam::sim {

class World {
 public:
  explicit World(uint64_t seed) : random_(seed) {}

  MonoTime now() const { return now_; }
  int64_t now_us() const;
  Random& random() { return random_; }

  void At(MonoTime when, Task task);
  void After(Duration delay, Task task) { At(now_ + delay, std::move(task)); }
  // Runs the next event if it is due at or before `until`; otherwise moves on to `until`. False
  // once nothing is left to do before `until`, or something has been found wrong.
  bool RunNext(MonoTime until);

  // Chance, for what the world itself decides.
  bool Chance(double probability);
  Duration Between(Duration least, Duration most);
  // Exponential around `mean`, at most 20 times it.
  Duration Around(Duration mean);
  uint64_t Below(uint64_t bound) { return random_.Below(bound); }

  // Notes what has happened: in the hash always, on the terminal when the trace is on.
  void Note(uint64_t what) { trace_hash_ = (trace_hash_ ^ what) * 0x100000001b3ULL; }
  void Trace(const std::string& line);
  void SetTracing(bool on) { tracing_ = on; }
  bool tracing() const { return tracing_; }
  uint64_t trace_hash() const { return trace_hash_; }
  uint64_t events() const { return events_; }

  // An invariant is broken: the first one counts, and ends the run.
  void Fail(std::string what);
  bool failed() const { return !failure_.empty(); }
  const std::string& failure() const { return failure_; }

 private:
  // Small and plain, for the heap moves it about; the task waits in its slot.
  struct Event {
    MonoTime when;
    uint64_t number;
    size_t slot;
    bool operator<(const Event& other) const {  // The heap's top is the largest.
      return when != other.when ? when > other.when : number > other.number;
    }
  };

  SeededRandom random_;
  MonoTime now_{std::chrono::seconds(1000)};
  std::vector<Event> heap_;
  std::vector<Task> tasks_;  // By slot.
  std::vector<size_t> free_slots_;
  uint64_t last_number_ = 0;
  uint64_t events_ = 0;
  uint64_t trace_hash_ = 0xcbf29ce484222325ULL;
  bool tracing_ = false;
  std::string failure_;
};

}  // namespace garam::sim
