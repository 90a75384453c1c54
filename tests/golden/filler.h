// Gives the fields of a message values, in the order of the schema: by the rule that the golden
// bytes were made with, or at random.
//
// Ownership: views that it hands out live as long as the filler.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "common/bytes.h"
#include "common/uuid.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/records_list.h"

namespace garam::kafka {

class Filler {
 public:
  virtual ~Filler() = default;

  // Whether only structs are filled, everything in them being left as it is made.
  virtual bool keeps_defaults() const { return false; }
  // Whether the next nullable value is null.
  virtual bool Null() = 0;

  void Leaf(int8_t& value) { value = static_cast<int8_t>(Bits() >> 56); }
  void Leaf(int16_t& value) { value = static_cast<int16_t>(Bits() >> 48); }
  void Leaf(uint16_t& value) { value = static_cast<uint16_t>(Bits() >> 48); }
  void Leaf(int32_t& value) { value = static_cast<int32_t>(Bits() >> 32); }
  void Leaf(uint32_t& value) { value = static_cast<uint32_t>(Bits() >> 32); }
  void Leaf(int64_t& value) { value = static_cast<int64_t>(Bits()); }
  void Leaf(double& value) { value = static_cast<int32_t>(Bits() >> 32) / 8.0; }
  void Leaf(ErrorCode& value) { value = static_cast<ErrorCode>(Bits() >> 48); }
  void Leaf(bool& value) { value = Flip(value); }
  void Leaf(Uuid& value);
  void Leaf(std::string& value) { value = Text('s'); }
  void Leaf(std::string_view& value) { value = texts_.emplace_back(Text('s')); }
  void Leaf(Bytes& value) { value = Bytes::Take(Text('b')); }
  void Records(Bytes& value) { value = Bytes::Take(Text('r')); }
  void Records(RecordsList& value) { value = Bytes::Take(Text('r')); }

  template <class T, class FillOne>
  void Array(std::vector<T>& values, bool structs, FillOne&& fill_one) {
    values.clear();
    for (size_t left = Count(structs); left > 0; --left) fill_one(values.emplace_back());
  }

 private:
  virtual uint64_t Bits() = 0;
  virtual bool Flip(bool value) = 0;
  virtual std::string Text(char first) = 0;
  virtual size_t Count(bool structs) = 0;

  std::deque<std::string> texts_;
};

// The rule of tests/golden/java, Filler.java.
class RuleFiller final : public Filler {
 public:
  enum class Mode { kFresh, kBare, kEmpty, kNull, kFull };

  explicit RuleFiller(Mode mode) : mode_(mode) {}
  // The mode that the golden files call `name`; nothing for the cases that this rule does not make.
  static std::optional<Mode> ModeOf(std::string_view name);

  bool keeps_defaults() const override { return mode_ == Mode::kFresh; }
  bool Null() override { return mode_ == Mode::kNull; }

 private:
  uint64_t Bits() override { return ++count_ * 0x9E3779B97F4A7C15U; }
  bool Flip(bool value) override {
    ++count_;
    return !value;
  }
  std::string Text(char first) override;
  size_t Count(bool structs) override;

  Mode mode_;
  uint64_t count_ = 0;
};

// Lengths, counts and numbers that like the edges; the same for the same seed.
class RandomFiller final : public Filler {
 public:
  explicit RandomFiller(uint64_t seed) : engine_(seed) {}

  bool Null() override { return engine_() % 4 == 0; }

 private:
  uint64_t Bits() override;
  bool Flip(bool) override { return engine_() % 2 == 0; }
  std::string Text(char first) override;
  size_t Count(bool structs) override;

  std::mt19937_64 engine_;
};

}  // namespace garam::kafka
