#include "broker/config_listeners.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "broker/config_option.h"
#include "common/status.h"

namespace garam {
namespace {

absl::Status Wrong(std::string_view item, std::string_view why) {
  return MakeError(Errc::kInvalidConfig, absl::StrCat(std::string(item), ": ", std::string(why)));
}

template <class Number>
bool ParseNumber(std::string_view text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string HostPort::ToString() const {
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? absl::StrCat("[", host, "]:", port) : absl::StrCat(host, ":", port);
}

absl::StatusOr<HostPort> ParseHostPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  HostPort address;
  if (colon == std::string_view::npos || !ParseNumber(text.substr(colon + 1), address.port)) {
    return Wrong(text, "expected host:port");
  }
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Wrong(text, "write an IPv6 address in brackets");
  }
  address.host = std::string(host);
  return address;
}

absl::StatusOr<std::vector<Listener>> ParseListeners(const std::vector<std::string>& items) {
  std::vector<Listener> listeners;
  for (const std::string& item : items) {
    const size_t separator = item.find("://");
    if (separator == std::string::npos || separator == 0) {
      return Wrong(item, "expected NAME://host:port");
    }
    ASSIGN_OR_RETURN(HostPort address, ParseHostPort(std::string_view(item).substr(separator + 3)));
    const std::string name = absl::AsciiStrToUpper(item.substr(0, separator));
    for (const Listener& other : listeners) {
      if (other.name == name) return Wrong(item, "each listener needs a name of its own");
      if (other.address == address && address.port != 0) {
        return Wrong(item, "each listener needs an address of its own");
      }
    }
    listeners.push_back({.name = name, .address = std::move(address)});
  }
  return listeners;
}

absl::StatusOr<std::map<std::string, std::string>> ParseProtocolMap(
    const std::vector<std::string>& items) {
  std::map<std::string, std::string> protocols;
  for (const std::string& item : items) {
    const size_t colon = item.find(':');
    if (colon == std::string::npos || colon == 0) return Wrong(item, "expected NAME:PROTOCOL");
    protocols[absl::AsciiStrToUpper(item.substr(0, colon))] =
        absl::AsciiStrToUpper(std::string(ConfigTrim(item.substr(colon + 1))));
  }
  return protocols;
}

absl::StatusOr<std::vector<VoterAddress>> ParseVoters(const std::vector<std::string>& items) {
  std::vector<VoterAddress> voters;
  for (const std::string& item : items) {
    const size_t at = item.find('@');
    int32_t id = -1;
    if (at == std::string::npos || !ParseNumber(std::string_view(item).substr(0, at), id) ||
        id < 0) {
      return Wrong(item, "expected id@host:port");
    }
    ASSIGN_OR_RETURN(HostPort address, ParseHostPort(std::string_view(item).substr(at + 1)));
    if (address.host.empty() || address.port == 0) {
      return Wrong(item, "a voter needs a host and a port that the others can reach");
    }
    for (const VoterAddress& other : voters) {
      if (other.node == NodeId(id)) return Wrong(item, "each voter needs an id of its own");
      if (other.address == address) return Wrong(item, "each voter needs an address of its own");
    }
    voters.push_back({.node = NodeId(id), .address = std::move(address)});
  }
  std::sort(voters.begin(), voters.end(),
            [](const VoterAddress& a, const VoterAddress& b) { return a.node < b.node; });
  return voters;
}

}  // namespace garam
