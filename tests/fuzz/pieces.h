// An input that consists of several byte strings: each behind its length, two bytes big-endian.
// What is cut short is taken as far as it goes, so that every input means something.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace garam::fuzz {

class Pieces {
 public:
  explicit Pieces(std::string_view input) : rest_(input) {}

  bool done() const { return rest_.empty(); }
  // 0 at the end.
  uint8_t Byte() {
    if (rest_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  uint16_t Number() {
    const auto high = static_cast<uint16_t>(Byte() << 8);
    return static_cast<uint16_t>(high | Byte());
  }
  std::string_view Piece() {
    const size_t size = Number();
    const std::string_view piece = rest_.substr(0, size);
    rest_.remove_prefix(piece.size());
    return piece;
  }
  std::string_view Rest() const { return rest_; }

 private:
  std::string_view rest_;
};

// For the makers of corpora; at most 65,535 bytes.
inline void AppendPiece(std::string_view piece, std::string& input) {
  input.push_back(static_cast<char>(piece.size() >> 8));
  input.push_back(static_cast<char>(piece.size() & 0xff));
  input += piece;
}

}  // namespace garam::fuzz
