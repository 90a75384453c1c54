// The randomness seam: the machine's in production, a seed's in tests and in the simulator.
#pragma once

#include <cstdint>
#include <random>

namespace garam {

class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t Next() = 0;
  // Uniform in [0, bound); bound > 0. The bias of the remainder is below 2^-32 for our bounds.
  uint64_t Below(uint64_t bound) { return Next() % bound; }
};

// One generator a thread owner: not thread-safe. Seeded by the machine's entropy.
class SystemRandom final : public Random {
 public:
  SystemRandom() : engine_((uint64_t{std::random_device{}()} << 32) ^ std::random_device{}()) {}
  uint64_t Next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

class SeededRandom final : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : engine_(seed) {}
  uint64_t Next() override { return engine_(); }

 private:
  std::mt19937_64 engine_;
};

}  // namespace garam
