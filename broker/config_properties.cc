#include "broker/config_properties.h"

#include <charconv>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status.h"

namespace garam {
namespace {

bool IsBlank(char c) { return c == ' ' || c == '\t' || c == '\f'; }

std::string_view WithoutLeadingBlanks(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  return text;
}

// Whether an odd number of backslashes ends the line, so that the next one continues it.
bool Continues(std::string_view line) {
  size_t slashes = 0;
  while (slashes < line.size() && line[line.size() - 1 - slashes] == '\\') ++slashes;
  return slashes % 2 == 1;
}

std::string_view TakeLine(std::string_view& text) {
  const size_t end = text.find_first_of("\r\n");
  const std::string_view line = text.substr(0, end);
  if (end == std::string_view::npos) {
    text = {};
  } else {
    const bool two = text.substr(end, 2) == "\r\n";
    text.remove_prefix(end + (two ? 2 : 1));
  }
  return line;
}

void AppendUtf8(uint32_t code, std::string& to) {
  if (code < 0x80) {
    to += static_cast<char>(code);
  } else if (code < 0x800) {
    to += static_cast<char>(0xC0 | (code >> 6));
    to += static_cast<char>(0x80 | (code & 0x3F));
  } else {
    to += static_cast<char>(0xE0 | (code >> 12));
    to += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
    to += static_cast<char>(0x80 | (code & 0x3F));
  }
}

// Reads what follows a backslash at `at`, and moves `at` behind it.
bool Unescape(std::string_view text, size_t& at, std::string& to) {
  const char c = text[at++];
  switch (c) {
    case 't':
      to += '\t';
      return true;
    case 'n':
      to += '\n';
      return true;
    case 'r':
      to += '\r';
      return true;
    case 'f':
      to += '\f';
      return true;
    case 'u': {
      uint32_t code = 0;
      const std::string_view digits = text.substr(at, 4);
      const auto [end, error] =
          std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
      if (error != std::errc() || end != digits.data() + 4) return false;
      AppendUtf8(code, to);
      at += 4;
      return true;
    }
    default:
      to += c;
      return true;
  }
}

// Splits one logical line at the first separator that is not escaped.
bool Split(std::string_view line, Property& property) {
  std::string* to = &property.key;
  size_t at = 0;
  while (at < line.size()) {
    const char c = line[at];
    if (c == '\\' && at + 1 < line.size()) {
      if (!Unescape(line, ++at, *to)) return false;
      continue;
    }
    if (to == &property.key && (IsBlank(c) || c == '=' || c == ':')) {
      while (at < line.size() && IsBlank(line[at])) ++at;
      if (at < line.size() && (line[at] == '=' || line[at] == ':')) ++at;
      while (at < line.size() && IsBlank(line[at])) ++at;
      to = &property.value;
      continue;
    }
    *to += c;
    ++at;
  }
  return true;
}

}  // namespace

absl::StatusOr<std::vector<Property>> ParseProperties(std::string_view text) {
  std::vector<Property> properties;
  int number = 0;
  while (!text.empty()) {
    ++number;
    const int first = number;
    std::string line(WithoutLeadingBlanks(TakeLine(text)));
    if (line.empty() || line.front() == '#' || line.front() == '!') continue;
    while (Continues(line)) {
      line.pop_back();
      if (text.empty()) break;
      ++number;
      line += WithoutLeadingBlanks(TakeLine(text));
    }
    Property property{.line = first};
    if (!Split(line, property)) {
      return MakeError(Errc::kInvalidConfig,
                       absl::StrCat("line ", first, ": \\u needs four hexadecimal digits"));
    }
    properties.push_back(std::move(property));
  }
  return properties;
}

}  // namespace garam
