// Writes a message out as text, field by field, so that tests compare and show what was read.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "common/bytes.h"
#include "common/uuid.h"
#include "proto/kafka/error_code.h"
#include "proto/kafka/records_list.h"

namespace garam::kafka {

class Dumper {
 public:
  std::string Take() { return std::move(text_); }

  template <class T>
  void Field(std::string_view name, const T& value) {
    text_.append(name).append("=");
    Value(value);
    text_ += ' ';
  }

 private:
  void Value(std::string_view value) { text_.append("'").append(value).append("'"); }
  void Value(const std::string& value) { Value(std::string_view(value)); }
  void Value(const Bytes& value) { Value(value.view()); }
  void Value(const RecordsList& value) { Value(value.Joined().view()); }
  void Value(const Uuid& value) { text_ += value.ToString(); }
  void Value(ErrorCode value) { text_ += std::to_string(static_cast<int16_t>(value)); }
  template <class T>
  void Value(const std::optional<T>& value) {
    if (value.has_value())
      Value(*value);
    else
      text_ += "null";
  }
  template <class T>
  void Value(const std::vector<T>& values) {
    text_ += "[";
    for (const T& value : values) {
      Value(value);
      text_ += ", ";
    }
    text_ += "]";
  }
  template <class T>
  void Value(const T& value) {
    if constexpr (std::is_arithmetic_v<T>) {
      text_ += std::to_string(value);
    } else {
      text_ += "{";
      Dump(*this, value);
      text_ += "}";
    }
  }

  std::string text_;
};

}  // namespace garam::kafka
