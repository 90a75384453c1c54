// An integer with a type of its own, so that an offset cannot be passed where an index is meant.
// Arithmetic stays inside the type: `x + n`, `x - n`, and `x - y`, which is a plain distance.
#pragma once

#include <compare>
#include <ostream>

#include "absl/hash/hash.h"

namespace garam {

template <class Tag, class Rep>
class StrongInt {
 public:
  using rep = Rep;

  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Rep value) : value_(value) {}

  constexpr Rep value() const { return value_; }

  friend constexpr auto operator<=>(StrongInt, StrongInt) = default;
  friend constexpr StrongInt operator+(StrongInt a, Rep n) { return StrongInt(a.value_ + n); }
  friend constexpr StrongInt operator-(StrongInt a, Rep n) { return StrongInt(a.value_ - n); }
  friend constexpr Rep operator-(StrongInt a, StrongInt b) { return a.value_ - b.value_; }
  constexpr StrongInt& operator++() {
    ++value_;
    return *this;
  }
  constexpr StrongInt& operator+=(Rep n) {
    value_ += n;
    return *this;
  }

  template <class H>
  friend H AbslHashValue(H state, StrongInt x) {
    return H::combine(std::move(state), x.value_);
  }
  friend std::ostream& operator<<(std::ostream& out, StrongInt x) { return out << +x.value_; }

 private:
  Rep value_ = 0;
};

}  // namespace garam
