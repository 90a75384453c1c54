#include "broker/group_times.h"

#include <charconv>
#include <string>

namespace garam {

ConsumerTimes TimesOf(const MetadataImage& image, std::string_view group, ConsumerTimes unset) {
  const ConfigMap& set = image.ConfigsOf(ConfiguredKind::kGroup, group);
  // Checked when they were set: what is no number here is left as it was.
  if (set.empty()) return unset;
  const auto take = [&set](const char* key, Duration& to) {
    const auto found = set.find(key);
    if (found == set.end()) return;
    int32_t value_ms = 0;
    const std::string& text = found->second;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value_ms);
    if (error == std::errc() && end == text.data() + text.size()) to = Millis(value_ms);
  };
  take("consumer.session.timeout.ms", unset.session_timeout);
  take("consumer.heartbeat.interval.ms", unset.heartbeat_interval);
  take("consumer.assignment.interval.ms", unset.assignment_interval);
  return unset;
}

}  // namespace garam
