#include "tests/golden/filler.h"

#include "common/endian.h"

namespace garam::kafka {

void Filler::Leaf(Uuid& value) {
  const uint64_t bits = Bits();
  auto* at = reinterpret_cast<char*>(value.bytes.data());
  StoreBigEndian<uint64_t>(at, bits);
  StoreBigEndian<uint64_t>(at + 8, ~bits);
}

std::optional<RuleFiller::Mode> RuleFiller::ModeOf(std::string_view name) {
  if (name == "fresh") return Mode::kFresh;
  if (name == "bare") return Mode::kBare;
  if (name == "empty") return Mode::kEmpty;
  if (name == "null") return Mode::kNull;
  if (name == "full") return Mode::kFull;
  return std::nullopt;
}

std::string RuleFiller::Text(char first) {
  ++count_;
  if (mode_ == Mode::kBare || mode_ == Mode::kEmpty) return "";
  std::string text = first + std::to_string(count_);
  if (count_ % 8 == 5) text += "é" + std::string(130, 'x');
  return text;
}

size_t RuleFiller::Count(bool structs) {
  switch (mode_) {
    case Mode::kBare:
      return 0;
    case Mode::kFresh:
    case Mode::kEmpty:
      return structs ? 1 : 0;
    case Mode::kNull:
      return 1;
    case Mode::kFull:
      return 2;
  }
  return 0;
}

uint64_t RandomFiller::Bits() {
  switch (engine_() % 6) {
    case 0:
      return 0;
    case 1:
      return UINT64_MAX;
    case 2:
      return INT64_MAX;
    case 3:
      return uint64_t{1} << 63;
    default:
      return engine_();
  }
}

std::string RandomFiller::Text(char first) {
  constexpr size_t kLengthsMax[] = {0, 1, 20, 126, 127, 128, 300};
  size_t length = engine_() % (kLengthsMax[engine_() % std::size(kLengthsMax)] + 1);
  if (first != 's' && engine_() % 4 == 0) length += 16'383;  // Three bytes of varint; spliced.
  std::string text(length, first);
  for (char& c : text) c = static_cast<char>(engine_());
  return text;
}

size_t RandomFiller::Count(bool structs) {
  if (engine_() % 64 == 0) return structs ? 8 : 130;
  return engine_() % 4;
}

}  // namespace garam::kafka
