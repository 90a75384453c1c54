#include "common/bytes.h"

namespace garam {

Bytes Bytes::Copy(std::string_view source) {
  MutableBuffer buffer(source.size());
  if (!source.empty()) std::memcpy(buffer.data(), source.data(), source.size());
  return buffer.View(0, source.size());
}

Bytes Bytes::Take(std::string source) {
  auto owner = std::make_shared<const std::string>(std::move(source));
  return Bytes(owner, owner->data(), owner->size());
}

}  // namespace garam
