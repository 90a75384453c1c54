#include "broker/config_option.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status.h"

namespace garam {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

absl::Status Invalid(const ConfigOption& option, std::string_view value, std::string_view why) {
  return MakeError(Errc::kInvalidConfig,
                   absl::StrCat("Invalid value ", View(value), " for configuration ",
                                View(option.name), ": ", View(why)));
}

std::string Plain(double bound) {
  return bound == static_cast<double>(static_cast<int64_t>(bound))
             ? absl::StrCat(static_cast<int64_t>(bound))
             : absl::StrCat(bound);
}

absl::Status CheckRange(const ConfigOption& option, std::string_view value, double number) {
  if (number < option.min) {
    return Invalid(option, value, "Value must be at least " + Plain(option.min));
  }
  if (number > option.max) {
    return Invalid(option, value, "Value must be no more than " + Plain(option.max));
  }
  return absl::OkStatus();
}

template <class Integer>
absl::Status CheckInteger(const ConfigOption& option, std::string_view value) {
  Integer number = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (error != std::errc() || end != value.data() + value.size()) {
    return Invalid(option, value,
                   absl::StrCat("Not a number of type ", View(ConfigTypeName(option.type))));
  }
  return CheckRange(option, value, static_cast<double>(number));
}

absl::Status CheckAccepted(const ConfigOption& option, std::string_view value,
                           std::string_view item) {
  if (option.accepted.empty()) return absl::OkStatus();
  for (absl::string_view accepted : absl::StrSplit(View(option.accepted), ", ")) {
    if (accepted == View(item)) return absl::OkStatus();
  }
  return Invalid(option, value, absl::StrCat("String must be one of: ", View(option.accepted)));
}

absl::Status CheckDouble(const ConfigOption& option, std::string_view value) {
  double number = 0;
  if (!absl::SimpleAtod(View(value), &number)) {
    return Invalid(option, value, "Not a number of type DOUBLE");
  }
  return CheckRange(option, value, number);
}

}  // namespace

std::string_view ConfigTypeName(ConfigType type) {
  switch (type) {
    case ConfigType::kBoolean:
      return "BOOLEAN";
    case ConfigType::kString:
      return "STRING";
    case ConfigType::kInt:
      return "INT";
    case ConfigType::kLong:
      return "LONG";
    case ConfigType::kDouble:
      return "DOUBLE";
    case ConfigType::kList:
      return "LIST";
  }
  return "STRING";
}

absl::Status CheckConfigValue(const ConfigOption& option, std::string_view raw) {
  const std::string_view value = ConfigTrim(raw);
  switch (option.type) {
    case ConfigType::kBoolean:
      if (absl::EqualsIgnoreCase(View(value), "true") ||
          absl::EqualsIgnoreCase(View(value), "false")) {
        return absl::OkStatus();
      }
      return Invalid(option, value, "Expected value to be either true or false");
    case ConfigType::kString:
      return CheckAccepted(option, value, value);
    case ConfigType::kInt:
      return CheckInteger<int32_t>(option, value);
    case ConfigType::kLong:
      return CheckInteger<int64_t>(option, value);
    case ConfigType::kDouble:
      return CheckDouble(option, value);
    case ConfigType::kList:
      for (const std::string& item : ConfigList(value)) {
        RETURN_IF_ERROR(CheckAccepted(option, value, item));
      }
      return absl::OkStatus();
  }
  return absl::OkStatus();
}

bool ConfigBool(std::string_view value) {
  return absl::EqualsIgnoreCase(View(ConfigTrim(value)), "true");
}

int64_t ConfigInt(std::string_view raw) {
  const std::string_view value = ConfigTrim(raw);
  int64_t number = 0;
  std::from_chars(value.data(), value.data() + value.size(), number);
  return number;
}

double ConfigDouble(std::string_view raw) {
  double number = 0;
  return absl::SimpleAtod(View(ConfigTrim(raw)), &number) ? number : 0;
}

std::vector<std::string> ConfigList(std::string_view value) {
  std::vector<std::string> items;
  for (absl::string_view item : absl::StrSplit(View(value), ',')) {
    item = absl::StripAsciiWhitespace(item);
    if (!item.empty()) items.emplace_back(item);
  }
  return items;
}

std::string_view ConfigTrim(std::string_view value) {
  const absl::string_view trimmed = absl::StripAsciiWhitespace(View(value));
  return {trimmed.data(), trimmed.size()};
}

}  // namespace garam
